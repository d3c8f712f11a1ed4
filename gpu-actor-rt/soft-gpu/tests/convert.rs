//! `cvt`, pair of types by pair of types, against Rust.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::device;
use common::ops::{Compare, Op, float_inputs, int_inputs};

/// The values of a type, exactly, from the low bits of a word.
fn int_value(bits: u64, ty: &str) -> i128 {
    match ty {
        "u8" => i128::from(bits as u8),
        "s8" => i128::from(bits as i8),
        "u16" => i128::from(bits as u16),
        "s16" => i128::from(bits as i16),
        "u32" => i128::from(bits as u32),
        "s32" => i128::from(bits as i32),
        "u64" => i128::from(bits),
        _ => i128::from(bits as i64),
    }
}

fn range(ty: &str) -> (i128, i128) {
    let bits: u32 = ty[1..].parse().unwrap();
    if ty.starts_with('s') { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

const INTS: [&str; 8] = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"];

/// The register to hold a type: there are none of 8 bits in ordinary code.
fn register(ty: &str) -> &str {
    match ty {
        "u8" => "u16",
        "s8" => "s16",
        other => other,
    }
}

#[test]
fn integers_to_integers() {
    let device = device();
    let inputs: Vec<[u64; 3]> = int_inputs().into_iter().step_by(5).collect();
    for from in INTS {
        for to in INTS {
            // Narrow results are extended, by their own sign, into wider registers.
            let body = format!("cvt.{to}.{from} d, a;");
            let types = [register(to), register(from), "u32", "u32"];
            Op { body: &body, types, compare: Compare::Bits }.check(&device, &inputs, |a, _, _| {
                let wrapped = int_value(int_value(a, from) as u64, to);
                wrapped as u64
            });
            let body = format!("cvt.sat.{to}.{from} d, a;");
            Op { body: &body, types, compare: Compare::Bits }.check(&device, &inputs, |a, _, _| {
                let (low, high) = range(to);
                int_value(a, from).clamp(low, high) as u64
            });
        }
    }
}

#[test]
fn extends_into_wider_registers() {
    let device = device();
    let inputs = int_inputs();
    let wide = |body: &str, f: &dyn Fn(u64) -> u64| {
        Op { body, types: ["b64", "b64", "b64", "b64"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, _, _| f(a),
        );
    };
    wide("cvt.u8.u64 d, a;", &|a| u64::from(a as u8));
    wide("cvt.s8.u64 d, a;", &|a| a as i8 as u64);
    wide("cvt.s16.s64 d, a;", &|a| a as i16 as u64);
    wide("cvt.s32.s8 d, a;", &|a| i32::from(a as i8) as u64);
    wide("cvt.u32.s8 d, a;", &|a| u64::from(a as i8 as u32));
}

#[test]
fn integers_to_floats() {
    let device = device();
    let inputs = int_inputs();
    for from in INTS {
        let body = format!("cvt.rn.f32.{from} d, a;");
        Op { body: &body, types: ["f32", register(from), "u32", "u32"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, _, _| u64::from((int_value(a, from) as f32).to_bits()),
        );
        let body = format!("cvt.rn.f64.{from} d, a;");
        Op { body: &body, types: ["f64", register(from), "u32", "u32"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, _, _| (int_value(a, from) as f64).to_bits(),
        );
    }
}

/// Rounded by the mode, clamped to the type; the NaN rule is the manual's.
fn float_to_int(x: f64, mode: &str, to: &str, from64: bool) -> u64 {
    let bits: u32 = to[1..].parse().unwrap();
    if x.is_nan() {
        return if from64 || bits == 64 { 1 << (bits - 1) } else { 0 };
    }
    let rounded = match mode {
        "rni" => x.round_ties_even(),
        "rzi" => x.trunc(),
        "rmi" => x.floor(),
        _ => x.ceil(),
    };
    let (low, high) = range(to);
    (rounded as i128).clamp(low, high) as u64
}

#[test]
fn floats_to_integers() {
    let device = device();
    let (narrow, wide) = (float_inputs(32), float_inputs(64));
    let first = |inputs: &[[u64; 3]]| -> Vec<[u64; 3]> {
        let mut out: Vec<[u64; 3]> = inputs.iter().map(|i| [i[0], 0, 0]).collect();
        out.dedup();
        out
    };
    let (narrow, wide) = (first(&narrow), first(&wide));
    for to in INTS {
        let bits: u32 = to[1..].parse().unwrap();
        // A result of 8 bits lies extended in its register.
        let extend = |x: u64| if bits == 8 { int_value(x, to) as u64 } else { x };
        for mode in ["rni", "rzi", "rmi", "rpi"] {
            let body = format!("cvt.{mode}.{to}.f32 d, a;");
            Op { body: &body, types: [register(to), "f32", "u32", "u32"], compare: Compare::Bits }.check(
                &device,
                &narrow,
                |a, _, _| extend(float_to_int(f64::from(f32::from_bits(a as u32)), mode, to, false)),
            );
            let body = format!("cvt.{mode}.{to}.f64 d, a;");
            Op { body: &body, types: [register(to), "f64", "u32", "u32"], compare: Compare::Bits }.check(
                &device,
                &wide,
                |a, _, _| extend(float_to_int(f64::from_bits(a), mode, to, true)),
            );
        }
    }
}

type Rounding = fn(f64) -> f64;

#[test]
fn floats_to_floats() {
    let device = device();
    let (narrow, wide) = (float_inputs(32), float_inputs(64));
    Op { body: "cvt.f64.f32 d, a;", types: ["f64", "f32", "u32", "u32"], compare: Compare::F64 }.check(
        &device,
        &narrow,
        |a, _, _| f64::from(f32::from_bits(a as u32)).to_bits(),
    );
    Op { body: "cvt.rn.f32.f64 d, a;", types: ["f32", "f64", "u32", "u32"], compare: Compare::F32 }.check(
        &device,
        &wide,
        |a, _, _| u64::from((f64::from_bits(a) as f32).to_bits()),
    );
    let modes: [(&str, Rounding); 4] =
        [("rni", f64::round_ties_even), ("rzi", f64::trunc), ("rmi", f64::floor), ("rpi", f64::ceil)];
    for (mode, f) in modes {
        let body = format!("cvt.{mode}.f64.f64 d, a;");
        Op { body: &body, types: ["f64"; 4], compare: Compare::F64 }
            .check(&device, &wide, |a, _, _| f(f64::from_bits(a)).to_bits());
        let body = format!("cvt.{mode}.f32.f32 d, a;");
        Op { body: &body, types: ["f32"; 4], compare: Compare::F32 }.check(&device, &narrow, |a, _, _| {
            u64::from((f(f64::from(f32::from_bits(a as u32))) as f32).to_bits())
        });
    }
    Op { body: "cvt.sat.f32.f32 d, a;", types: ["f32"; 4], compare: Compare::Bits }.check(
        &device,
        &narrow,
        |a, _, _| {
            let x = f32::from_bits(a as u32);
            u64::from(if x > 0.0 { x.min(1.0) } else { 0.0 }.to_bits())
        },
    );
    Op { body: "cvt.rn.ftz.f32.f64 d, a;", types: ["f32", "f64", "u32", "u32"], compare: Compare::F32 }
        .check(&device, &wide, |a, _, _| {
            let x = f64::from_bits(a) as f32;
            u64::from(if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }.to_bits())
        });
}
