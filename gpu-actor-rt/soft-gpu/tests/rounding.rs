//! Arithmetic in every rounding mode, against results that are exact by construction (`common::exact`).

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::device;
use common::exact::{F32, F64, Format, MODES, Mode};
use common::ops::{Compare, Op};

const WIDTHS: [(&str, Format, Compare); 2] = [("f32", F32, Compare::F32), ("f64", F64, Compare::F64)];

/// Checks `instruction.<mode>.<type>` in every mode.
#[track_caller]
fn every_mode(
    instruction: &str,
    operands: &str,
    count: usize,
    expected: impl Fn(Format, [u64; 3], Mode) -> u64,
) {
    let device = device();
    for (ty, format, compare) in WIDTHS {
        let inputs = format.inputs(count);
        for (name, mode) in MODES {
            let body = format!("{instruction}.{name}.{ty} {operands};");
            Op { body: &body, types: [ty; 4], compare }
                .check(&device, &inputs, |a, b, c| expected(format, [a, b, c], mode));
        }
    }
}

/// The oracle agrees with the host where the host can say: to the nearest.
#[test]
fn the_oracle_agrees_with_the_host() {
    for [a, b, c] in F64.inputs(900) {
        let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
        let check = |name: &str, got: u64, want: f64| {
            let same = got == want.to_bits() || F64.is_nan(got) && want.is_nan();
            assert!(same, "{name} of {x:e}, {y:e}, {z:e}: {:e}, not {want:e}", f64::from_bits(got));
        };
        check("add", F64.add(a, b, Mode::Nearest), x + y);
        check("sub", F64.sub(a, b, Mode::Nearest), x - y);
        check("mul", F64.mul(a, b, Mode::Nearest), x * y);
        check("div", F64.div(a, b, Mode::Nearest), x / y);
        check("fma", F64.fma(a, b, c, Mode::Nearest), x.mul_add(y, z));
        check("sqrt", F64.sqrt(a, Mode::Nearest), x.sqrt());
    }
}

#[test]
fn add() {
    every_mode("add", "d, a, b", 300, |f, [a, b, _], mode| f.add(a, b, mode));
}

#[test]
fn sub() {
    every_mode("sub", "d, a, b", 300, |f, [a, b, _], mode| f.sub(a, b, mode));
}

#[test]
fn mul() {
    every_mode("mul", "d, a, b", 300, |f, [a, b, _], mode| f.mul(a, b, mode));
}

#[test]
fn div() {
    every_mode("div", "d, a, b", 300, |f, [a, b, _], mode| f.div(a, b, mode));
}

#[test]
fn fma() {
    every_mode("fma", "d, a, b, c", 300, |f, [a, b, c], mode| f.fma(a, b, c, mode));
    every_mode("mad", "d, a, b, c", 40, |f, [a, b, c], mode| f.fma(a, b, c, mode));
}

#[test]
fn sqrt_and_rcp() {
    every_mode("sqrt", "d, a", 300, |f, [a, ..], mode| f.sqrt(a, mode));
    every_mode("rcp", "d, a", 300, |f, [a, ..], mode| f.div(f.one(), a, mode));
}

#[test]
fn flushing_and_saturating() {
    let device = device();
    let inputs = F32.inputs(300);
    for (name, mode) in MODES {
        let check = |instruction: &str, operands: &str, expected: &dyn Fn(u64, u64, u64) -> u64| {
            for (ftz, sat) in [(".ftz", ""), ("", ".sat"), (".ftz", ".sat")] {
                if sat == ".sat" && matches!(instruction, "div" | "sqrt" | "rcp") {
                    continue;
                }
                let body = format!("{instruction}.{name}{ftz}{sat}.f32 {operands};");
                Op { body: &body, types: ["f32"; 4], compare: Compare::F32 }.check(
                    &device,
                    &inputs,
                    |a, b, c| {
                        let flush = |x: u64| if ftz == ".ftz" { F32.flush(x) } else { x };
                        let value = expected(flush(a), flush(b), flush(c));
                        flush(if sat == ".sat" { F32.saturate(value) } else { value })
                    },
                );
            }
        };
        check("add", "d, a, b", &|a, b, _| F32.add(a, b, mode));
        check("mul", "d, a, b", &|a, b, _| F32.mul(a, b, mode));
        check("fma", "d, a, b, c", &|a, b, c| F32.fma(a, b, c, mode));
        check("div", "d, a, b", &|a, b, _| F32.div(a, b, mode));
        check("sqrt", "d, a", &|a, _, _| F32.sqrt(a, mode));
        check("rcp", "d, a", &|a, _, _| F32.div(F32.one(), a, mode));
    }
}

/// `div.approx` has a rule of its own for large divisors; elsewhere two units are allowed, and none is used.
#[test]
fn rough_quotients() {
    let device = device();
    let mut inputs = F32.inputs(400);
    for b in [0x7e80_0000_u64, 0x7e80_0001, 0x7f00_0000, 0x7f7f_ffff, 0xff00_0000] {
        for a in [0x3f80_0000_u64, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7f00_0000, 0] {
            inputs.push([a, b, 0]);
        }
    }
    let exact = |a, b| F32.div(a, b, Mode::Nearest);
    Op { body: "div.full.f32 d, a, b;", types: ["f32"; 4], compare: Compare::F32 }.check(
        &device,
        &inputs,
        |a, b, _| exact(a, b),
    );
    Op { body: "div.approx.f32 d, a, b;", types: ["f32"; 4], compare: Compare::F32 }.check(
        &device,
        &inputs,
        |a, b, _| {
            let size = b & 0x7fff_ffff;
            if !(0x7e80_0001..0x7f80_0000).contains(&size) {
                return exact(a, b);
            }
            let infinite = a & 0x7fff_ffff >= 0x7f80_0000;
            if infinite { F32.nan() } else { (a ^ b) & F32.sign() }
        },
    );
}

/// The gross functions of `.f64` see the high half only, and write zeros to the low one.
#[test]
fn gross_functions() {
    let device = device();
    let inputs = F64.inputs(300);
    let high = |x: u64| x & 0xffff_ffff_0000_0000;
    let function = |body: &str, f: &dyn Fn(f64) -> f64| {
        Op { body, types: ["f64"; 4], compare: Compare::F64 }.check(&device, &inputs, |a, _, _| {
            let value = f(f64::from_bits(F64.flush(high(a))));
            if value.is_nan() { F64.nan() } else { F64.flush(high(value.to_bits())) }
        });
    };
    function("rcp.approx.ftz.f64 d, a;", &|x| 1.0 / x);
    function("rsqrt.approx.ftz.f64 d, a;", &|x| 1.0 / x.sqrt());
}

/// `min` and `max` with their modifiers.
#[test]
fn extremes() {
    let device = device();
    let inputs = F32.inputs(900);
    for (name, min) in [("min", true), ("max", false)] {
        for nan in ["", ".NaN"] {
            let pick = |a: u64, b: u64| extreme(F32, a, b, min, nan == ".NaN");
            let body = format!("{name}{nan}.f32 d, a, b;");
            Op { body: &body, types: ["f32"; 4], compare: Compare::F32 }.check(
                &device,
                &inputs,
                |a, b, _| pick(a, b),
            );
            let body = format!("{name}{nan}.f32 d, a, b, c;");
            Op { body: &body, types: ["f32"; 4], compare: Compare::F32 }.check(
                &device,
                &inputs,
                |a, b, c| pick(pick(a, b), c),
            );
            let body = format!("{name}{nan}.xorsign.abs.f32 d, a, b;");
            Op { body: &body, types: ["f32"; 4], compare: Compare::F32 }.check(
                &device,
                &inputs,
                |a, b, _| {
                    let size = 0x7fff_ffff;
                    let picked = pick(a & size, b & size);
                    if F32.is_nan(picked) { picked } else { picked | (a ^ b) & F32.sign() }
                },
            );
        }
    }
}

/// By the manual's pseudocode, with -0 below +0.
fn extreme(format: Format, a: u64, b: u64, min: bool, propagate: bool) -> u64 {
    match (format.is_nan(a), format.is_nan(b)) {
        (true, true) => format.nan(),
        (true, false) | (false, true) if propagate => format.nan(),
        (true, false) => b,
        (false, true) => a,
        (false, false) => {
            let less = format.to_f64(a).total_cmp(&format.to_f64(b)).is_lt();
            if less == min { a } else { b }
        }
    }
}
