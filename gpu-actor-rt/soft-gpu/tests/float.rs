//! Floating point, instruction by instruction, against Rust. NaNs are compared by class.

#![allow(clippy::float_cmp, reason = "comparing exactly is what is tested")]

mod common;

use common::device;
use common::ops::{Compare, Op, float_inputs};

fn check32(body: &str, f: impl Fn(f32, f32, f32) -> f32) {
    let bits = |x: u64| f32::from_bits(x as u32);
    Op { body, types: ["f32"; 4], compare: Compare::F32 }
        .check(&device(), &float_inputs(32), |a, b, c| u64::from(f(bits(a), bits(b), bits(c)).to_bits()));
}

fn check64(body: &str, f: impl Fn(f64, f64, f64) -> f64) {
    Op { body, types: ["f64"; 4], compare: Compare::F64 }.check(&device(), &float_inputs(64), |a, b, c| {
        f(f64::from_bits(a), f64::from_bits(b), f64::from_bits(c)).to_bits()
    });
}

fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }
}

fn saturate(x: f32) -> f32 {
    if x > 0.0 { x.min(1.0) } else { 0.0 }
}

#[test]
fn arithmetic_f32() {
    check32("add.f32 d, a, b;", |a, b, _| a + b);
    check32("add.rn.f32 d, a, b;", |a, b, _| a + b);
    check32("sub.rn.f32 d, a, b;", |a, b, _| a - b);
    check32("mul.rn.f32 d, a, b;", |a, b, _| a * b);
    check32("div.rn.f32 d, a, b;", |a, b, _| a / b);
    check32("fma.rn.f32 d, a, b, c;", f32::mul_add);
    check32("mad.rn.f32 d, a, b, c;", f32::mul_add);
    check32("sqrt.rn.f32 d, a;", |a, _, _| a.sqrt());
    check32("rcp.rn.f32 d, a;", |a, _, _| 1.0 / a);
    check32("neg.f32 d, a;", |a, _, _| -a);
    check32("abs.f32 d, a;", |a, _, _| a.abs());
    check32("copysign.f32 d, a, b;", |a, b, _| b.copysign(a));
}

#[test]
fn arithmetic_f64() {
    check64("add.rn.f64 d, a, b;", |a, b, _| a + b);
    check64("sub.f64 d, a, b;", |a, b, _| a - b);
    check64("mul.rn.f64 d, a, b;", |a, b, _| a * b);
    check64("div.rn.f64 d, a, b;", |a, b, _| a / b);
    check64("fma.rn.f64 d, a, b, c;", f64::mul_add);
    check64("sqrt.rn.f64 d, a;", |a, _, _| a.sqrt());
    check64("rcp.rn.f64 d, a;", |a, _, _| 1.0 / a);
    check64("neg.f64 d, a;", |a, _, _| -a);
    check64("abs.f64 d, a;", |a, _, _| a.abs());
    check64("copysign.f64 d, a, b;", |a, b, _| b.copysign(a));
}

/// A product and a sum that are written apart must not be fused: the rounding in between is visible.
#[test]
fn never_fuses() {
    check32("mul.rn.f32 d, a, b; add.rn.f32 d, d, c;", |a, b, c| a * b + c);
    check64("mul.rn.f64 d, a, b; add.rn.f64 d, d, c;", |a, b, c| a * b + c);
}

/// The smaller of two with -0 below +0, and a NaN only where both are.
fn least(a: f64, b: f64) -> f64 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => f64::NAN,
        (true, false) => b,
        (false, true) => a,
        _ if a == b => {
            if a.is_sign_negative() {
                a
            } else {
                b
            }
        }
        _ => {
            if a < b {
                a
            } else {
                b
            }
        }
    }
}

fn greatest(a: f64, b: f64) -> f64 {
    -least(-a, -b)
}

#[test]
fn extrema() {
    let narrow = |f: fn(f64, f64) -> f64| move |a: f32, b: f32, _| f(f64::from(a), f64::from(b)) as f32;
    check32("min.f32 d, a, b;", narrow(least));
    check32("max.f32 d, a, b;", narrow(greatest));
    check64("min.f64 d, a, b;", |a, b, _| least(a, b));
    check64("max.f64 d, a, b;", |a, b, _| greatest(a, b));
    let nan = |f: fn(f64, f64) -> f64| {
        move |a: f32, b: f32, _| {
            if a.is_nan() || b.is_nan() { f32::NAN } else { f(f64::from(a), f64::from(b)) as f32 }
        }
    };
    check32("min.NaN.f32 d, a, b;", nan(least));
    check32("max.NaN.f32 d, a, b;", nan(greatest));
}

/// The NaN of `min` and `max` is the one that the manual calls canonical.
#[test]
fn extrema_of_nans_are_canonical() {
    let nans = [0x7fc0_0000_u64, 0xffc0_1234, 0x7f80_0001];
    let inputs: Vec<[u64; 3]> = nans.iter().flat_map(|a| nans.map(|b| [*a, b, 0])).collect();
    for op in ["min.f32", "max.f32", "min.NaN.f32"] {
        let body = format!("{op} d, a, b;");
        Op { body: &body, types: ["f32"; 4], compare: Compare::Bits }
            .check(&device(), &inputs, |_, _, _| 0x7fff_ffff);
    }
}

#[test]
fn flushes_where_it_says_so() {
    check32("add.ftz.f32 d, a, b;", |a, b, _| flush(flush(a) + flush(b)));
    check32("mul.rn.ftz.f32 d, a, b;", |a, b, _| flush(flush(a) * flush(b)));
    check32("fma.rn.ftz.f32 d, a, b, c;", |a, b, c| flush(flush(a).mul_add(flush(b), flush(c))));
    check32("div.rn.ftz.f32 d, a, b;", |a, b, _| flush(flush(a) / flush(b)));
    check32("sqrt.rn.ftz.f32 d, a;", |a, _, _| flush(flush(a).sqrt()));
    check32("neg.ftz.f32 d, a;", |a, _, _| -flush(a));
    check32("abs.ftz.f32 d, a;", |a, _, _| flush(a).abs());
}

#[test]
fn saturates_where_it_says_so() {
    check32("add.sat.f32 d, a, b;", |a, b, _| saturate(a + b));
    check32("mul.sat.f32 d, a, b;", |a, b, _| saturate(a * b));
    check32("fma.rn.sat.f32 d, a, b, c;", |a, b, c| saturate(a.mul_add(b, c)));
    check32("add.ftz.sat.f32 d, a, b;", |a, b, _| flush(saturate(flush(a) + flush(b))));
}

/// The approximations are allowed some error; these are as precise as the host's functions.
#[test]
fn approximations() {
    check32("div.full.f32 d, a, b;", |a, b, _| a / b);
    check32("rcp.approx.f32 d, a;", |a, _, _| 1.0 / a);
    check32("sqrt.approx.f32 d, a;", |a, _, _| a.sqrt());
    check32("rsqrt.approx.f32 d, a;", |a, _, _| 1.0 / a.sqrt());
    check32("sin.approx.f32 d, a;", |a, _, _| a.sin());
    check32("cos.approx.f32 d, a;", |a, _, _| a.cos());
    check32("lg2.approx.f32 d, a;", |a, _, _| a.log2());
    check32("ex2.approx.f32 d, a;", |a, _, _| a.exp2());
    check32("ex2.approx.ftz.f32 d, a;", |a, _, _| flush(flush(a).exp2()));
    check32("tanh.approx.f32 d, a;", |a, _, _| a.tanh());
    check64("rsqrt.approx.f64 d, a;", |a, _, _| 1.0 / a.sqrt());
}

#[test]
fn classes() {
    let test = |class: &str, f: fn(f32) -> bool| {
        let body = format!("testp.{class}.f32 %p0, a; selp.f32 d, 1.0, 0.0, %p0;");
        check32(&body, move |a, _, _| if f(a) { 1.0 } else { 0.0 });
    };
    test("finite", f32::is_finite);
    test("infinite", f32::is_infinite);
    test("number", |a| !a.is_nan());
    test("notanumber", f32::is_nan);
    test("normal", f32::is_normal);
    test("subnormal", f32::is_subnormal);
    let body = "testp.subnormal.f64 %p0, a; selp.f64 d, 1.0, 0.0, %p0;";
    check64(body, |a, _, _| if a.is_subnormal() { 1.0 } else { 0.0 });
}

#[test]
fn constants() {
    check32("add.f32 d, a, 0f3FC00000;", |a, _, _| a + 1.5);
    check32("add.f32 d, a, 1.5;", |a, _, _| a + 1.5);
    check32("add.f32 d, a, -0f3FC00000;", |a, _, _| a - 1.5);
    check64("add.f64 d, a, 0d3FF8000000000000;", |a, _, _| a + 1.5);
    check64("add.f64 d, a, 2.5e-3;", |a, _, _| a + 2.5e-3);
    check32("mov.f32 d, 0f7FC00000;", |_, _, _| f32::NAN);
}
