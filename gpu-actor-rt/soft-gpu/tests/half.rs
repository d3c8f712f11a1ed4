//! Halves: `.f16` and `.bf16`, one or two in a register, against results that are exact by construction.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::cmp::Ordering;

use common::device;
use common::exact::{BF16, F16, F32, F64, Format, MODES, Mode};
use common::ops::{Compare, Op, int_inputs};

const FORMATS: [(&str, Format, Compare); 2] = [("f16", F16, Compare::F16), ("bf16", BF16, Compare::Bf16)];

/// Two halves in one operand: the inputs' own, and in the high half those of the next row.
fn pairs(inputs: &[[u64; 3]]) -> Vec<[u64; 3]> {
    let next = inputs.iter().cycle().skip(7);
    inputs.iter().zip(next).map(|(low, high)| [0, 1, 2].map(|i| high[i] << 16 | low[i])).collect()
}

/// Checks an instruction on one half and on two.
#[track_caller]
fn check(body: &str, format: Format, expected: impl Fn(u64, u64, u64) -> u64) {
    let device = device();
    let (ty, compare) = if format == F16 { ("f16", Compare::F16) } else { ("bf16", Compare::Bf16) };
    let inputs = format.inputs(700);
    let single = body.replace("TY", ty);
    Op { body: &single, types: ["b16"; 4], compare }.check(&device, &inputs, &expected);
    let double = body.replace("TY", &format!("{ty}x2"));
    Op { body: &double, types: ["b32"; 4], compare }.check(&device, &pairs(&inputs), |a, b, c| {
        let high = expected(a >> 16, b >> 16, c >> 16);
        high << 16 | expected(a & 0xffff, b & 0xffff, c & 0xffff)
    });
}

#[test]
fn arithmetic() {
    for (_, format, _) in FORMATS {
        check("add.TY d, a, b;", format, |a, b, _| format.add(a, b, Mode::Nearest));
        check("add.rn.TY d, a, b;", format, |a, b, _| format.add(a, b, Mode::Nearest));
        check("sub.TY d, a, b;", format, |a, b, _| format.sub(a, b, Mode::Nearest));
        check("mul.TY d, a, b;", format, |a, b, _| format.mul(a, b, Mode::Nearest));
        check("fma.rn.TY d, a, b, c;", format, |a, b, c| format.fma(a, b, c, Mode::Nearest));
        check("fma.rn.relu.TY d, a, b, c;", format, |a, b, c| {
            let value = format.fma(a, b, c, Mode::Nearest);
            if value & format.sign() != 0 { 0 } else { value }
        });
    }
}

#[test]
fn flushing_and_saturating() {
    let flush = |x| F16.flush(x);
    check("add.ftz.TY d, a, b;", F16, |a, b, _| flush(F16.add(flush(a), flush(b), Mode::Nearest)));
    check("mul.ftz.TY d, a, b;", F16, |a, b, _| flush(F16.mul(flush(a), flush(b), Mode::Nearest)));
    check("fma.rn.ftz.TY d, a, b, c;", F16, |a, b, c| {
        flush(F16.fma(flush(a), flush(b), flush(c), Mode::Nearest))
    });
    check("add.sat.TY d, a, b;", F16, |a, b, _| F16.saturate(F16.add(a, b, Mode::Nearest)));
    check("sub.sat.TY d, a, b;", F16, |a, b, _| F16.saturate(F16.sub(a, b, Mode::Nearest)));
    check("mul.ftz.sat.TY d, a, b;", F16, |a, b, _| {
        flush(F16.saturate(F16.mul(flush(a), flush(b), Mode::Nearest)))
    });
    check("fma.rn.sat.TY d, a, b, c;", F16, |a, b, c| F16.saturate(F16.fma(a, b, c, Mode::Nearest)));
    check("neg.ftz.TY d, a;", F16, |a, _, _| flush(a) ^ 0x8000);
    check("abs.ftz.TY d, a;", F16, |a, _, _| flush(a) & 0x7fff);
}

#[test]
fn signs() {
    for (_, format, _) in FORMATS {
        check("neg.TY d, a;", format, |a, _, _| a ^ 0x8000);
        check("abs.TY d, a;", format, |a, _, _| a & 0x7fff);
    }
}

#[test]
fn extremes() {
    let pick = |format: Format, a: u64, b: u64, min: bool, propagate: bool| match (
        format.is_nan(a),
        format.is_nan(b),
    ) {
        (true, true) => format.nan(),
        (true, false) | (false, true) if propagate => format.nan(),
        (true, false) => b,
        (false, true) => a,
        (false, false) => {
            let less = format.to_f64(a).total_cmp(&format.to_f64(b)).is_lt();
            if less == min { a } else { b }
        }
    };
    for (_, format, _) in FORMATS {
        for (name, min) in [("min", true), ("max", false)] {
            for nan in ["", ".NaN"] {
                let propagate = nan == ".NaN";
                check(&format!("{name}{nan}.TY d, a, b;"), format, |a, b, _| {
                    pick(format, a, b, min, propagate)
                });
                check(&format!("{name}{nan}.xorsign.abs.TY d, a, b;"), format, |a, b, _| {
                    let picked = pick(format, a & 0x7fff, b & 0x7fff, min, propagate);
                    if format.is_nan(picked) { picked } else { picked | (a ^ b) & 0x8000 }
                });
            }
        }
    }
    check("max.ftz.TY d, a, b;", F16, |a, b, _| pick(F16, F16.flush(a), F16.flush(b), false, false));
}

/// Within one unit of what the host's double precision says, which is more than the manual asks.
#[test]
fn functions() {
    for (_, format, _) in FORMATS {
        let narrow = |x: f64| format.round_from(F64, x.to_bits(), Mode::Nearest);
        check("tanh.approx.TY d, a;", format, |a, _, _| narrow(format.to_f64(a).tanh()));
        if format == F16 {
            check("ex2.approx.TY d, a;", format, |a, _, _| narrow(format.to_f64(a).exp2()));
        } else {
            check("ex2.approx.ftz.TY d, a;", format, |a, _, _| {
                format.flush(narrow(format.to_f64(format.flush(a)).exp2()))
            });
        }
    }
}

/// Factors in half, sum in single precision.
#[test]
fn mixed_precision() {
    let device = device();
    for (ty, format, _) in FORMATS {
        let inputs: Vec<[u64; 3]> = format
            .inputs(400)
            .into_iter()
            .zip(F32.inputs(400).into_iter().cycle())
            .map(|([a, b, _], [c, ..])| [a, b, c])
            .collect();
        let wide = |x| F32.round_from(format, x, Mode::Nearest);
        for (name, mode) in MODES {
            let types = ["f32", "b16", "b16", "f32"];
            let body = format!("fma.{name}.f32.{ty} d, a, b, c;");
            Op { body: &body, types, compare: Compare::F32 }
                .check(&device, &inputs, |a, b, c| F32.fma(wide(a), wide(b), c, mode));
            let body = format!("add.{name}.f32.{ty} d, a, c;");
            Op { body: &body, types, compare: Compare::F32 }
                .check(&device, &inputs, |a, _, c| F32.add(wide(a), c, mode));
            let body = format!("sub.{name}.sat.f32.{ty} d, a, c;");
            Op { body: &body, types, compare: Compare::F32 }
                .check(&device, &inputs, |a, _, c| F32.saturate(F32.sub(wide(a), c, mode)));
        }
    }
}

/// A comparison, of how the operands compare: nothing where one is a NaN.
type Comparison = (&'static str, fn(Option<Ordering>) -> bool);

const COMPARISONS: [Comparison; 14] = [
    ("eq", |o| o == Some(Ordering::Equal)),
    ("ne", |o| o.is_some_and(Ordering::is_ne)),
    ("lt", |o| o.is_some_and(Ordering::is_lt)),
    ("le", |o| o.is_some_and(Ordering::is_le)),
    ("gt", |o| o.is_some_and(Ordering::is_gt)),
    ("ge", |o| o.is_some_and(Ordering::is_ge)),
    ("equ", |o| o.is_none_or(Ordering::is_eq)),
    ("neu", |o| o.is_none_or(Ordering::is_ne)),
    ("ltu", |o| o.is_none_or(Ordering::is_lt)),
    ("leu", |o| o.is_none_or(Ordering::is_le)),
    ("gtu", |o| o.is_none_or(Ordering::is_gt)),
    ("geu", |o| o.is_none_or(Ordering::is_ge)),
    ("num", |o| o.is_some()),
    ("nan", |o| o.is_none()),
];

#[test]
fn comparisons() {
    let device = device();
    for (ty, format, _) in FORMATS {
        let inputs = format.inputs(300);
        let doubled = pairs(&inputs);
        let value = |x: u64| format.to_f64(x & 0xffff);
        let one = format.one();
        for (name, f) in COMPARISONS {
            let flag = |a: u64, b: u64| f(value(a).partial_cmp(&value(b)));
            let run =
                |body: &str, types: [&str; 4], inputs: &[[u64; 3]], expected: &dyn Fn(u64, u64) -> u64| {
                    Op { body, types, compare: Compare::Bits }
                        .check(&device, inputs, |a, b, _| expected(a, b));
                };
            let body = format!("setp.{name}.{ty} %p0, a, b; selp.u32 d, 1, 0, %p0;");
            run(&body, ["u32", "b16", "b16", "b16"], &inputs, &|a, b| flag(a, b).into());
            let body = format!(
                "setp.{name}.{ty}x2 %p0|%p1, a, b; selp.u32 d, 1, 0, %p0; selp.u32 %t0, 2, 0, %p1; or.b32 d, d, %t0;"
            );
            run(&body, ["u32", "b32", "b32", "b32"], &doubled, &|a, b| {
                u64::from(flag(a, b)) | u64::from(flag(a >> 16, b >> 16)) << 1
            });
            let body = format!("set.{name}.{ty}.{ty} d, a, b;");
            run(&body, ["b16"; 4], &inputs, &|a, b| if flag(a, b) { one } else { 0 });
            let body = format!("set.{name}.u32.{ty} d, a, b;");
            run(&body, ["u32", "b16", "b16", "b16"], &inputs, &|a, b| {
                if flag(a, b) { 0xffff_ffff } else { 0 }
            });
            let body = format!("set.{name}.{ty}x2.{ty}x2 d, a, b;");
            run(&body, ["b32"; 4], &doubled, &|a, b| {
                let half = |set| if set { one } else { 0 };
                half(flag(a >> 16, b >> 16)) << 16 | half(flag(a, b))
            });
            let body = format!("set.{name}.u32.{ty}x2 d, a, b;");
            run(&body, ["b32"; 4], &doubled, &|a, b| {
                let half = |set| if set { 0xffff } else { 0 };
                half(flag(a >> 16, b >> 16)) << 16 | half(flag(a, b))
            });
        }
    }
    let inputs = F16.inputs(300);
    let body = "setp.lt.ftz.f16 %p0, a, b; selp.u32 d, 1, 0, %p0;";
    Op { body, types: ["u32", "b16", "b16", "b16"], compare: Compare::Bits }.check(
        &device,
        &inputs,
        |a, b, _| (F16.to_f64(F16.flush(a)) < F16.to_f64(F16.flush(b))).into(),
    );
}

#[test]
fn conversions_to_halves() {
    let device = device();
    for (ty, format, compare) in FORMATS {
        for (name, mode) in MODES {
            for (from, wide) in [("f32", F32), ("f64", F64)] {
                // The wide format's own corner cases, and numbers around those of the half.
                let mut inputs: Vec<[u64; 3]> = wide.interesting(40).into_iter().map(|x| [x, 0, 0]).collect();
                for half in format.interesting(60) {
                    let near = wide.round_from(format, half, Mode::Nearest);
                    let middle = 1_u64 << (wide.fraction - format.fraction - 1);
                    inputs.extend(
                        [near, near + 1, near + middle - 1, near + middle, near + middle + 1]
                            .map(|x| [x, 0, 0]),
                    );
                }
                let types = ["b16", from, "b16", "b16"];
                let body = format!("cvt.{name}.{ty}.{from} d, a;");
                let exact = |a| format.round_from(wide, a, mode);
                Op { body: &body, types, compare }.check(&device, &inputs, |a, _, _| exact(a));
                let body = format!("cvt.{name}.sat.{ty}.{from} d, a;");
                Op { body: &body, types, compare }
                    .check(&device, &inputs, |a, _, _| format.saturate(exact(a)));
                if from == "f32" && matches!(mode, Mode::Nearest | Mode::Zero) {
                    let body = format!("cvt.{name}.relu.{ty}.{from} d, a;");
                    Op { body: &body, types, compare }.check(&device, &inputs, |a, _, _| {
                        let x = exact(a);
                        if x & format.sign() != 0 { 0 } else { x }
                    });
                    let body = format!("cvt.{name}.satfinite.{ty}.{from} d, a;");
                    let clamp = |x: u64| {
                        let size = x & (format.sign() - 1);
                        if size == format.infinity() { x - 1 } else { x }
                    };
                    Op { body: &body, types, compare }.check(&device, &inputs, |a, _, _| clamp(exact(a)));
                    let body = format!("cvt.{name}.{ty}x2.f32 d, a, b;");
                    let two: Vec<[u64; 3]> = inputs.windows(2).map(|w| [w[0][0], w[1][0], 0]).collect();
                    Op { body: &body, types: ["b32", "f32", "f32", "b32"], compare }.check(
                        &device,
                        &two,
                        |a, b, _| exact(a) << 16 | exact(b),
                    );
                }
            }
        }
    }
}

#[test]
fn conversions_of_halves() {
    let device = device();
    for (ty, format, compare) in FORMATS {
        // All of them.
        let inputs: Vec<[u64; 3]> = (0..=0xffff).map(|x| [x, 0, 0]).collect();
        let wide = |to: Format, a| to.round_from(format, a, Mode::Nearest);
        Op {
            body: &format!("cvt.f32.{ty} d, a;"),
            types: ["f32", "b16", "b16", "b16"],
            compare: Compare::F32,
        }
        .check(&device, &inputs, |a, _, _| wide(F32, a));
        let some: Vec<[u64; 3]> = inputs.iter().copied().step_by(11).collect();
        Op {
            body: &format!("cvt.f64.{ty} d, a;"),
            types: ["f64", "b16", "b16", "b16"],
            compare: Compare::F64,
        }
        .check(&device, &some, |a, _, _| wide(F64, a));
        // From a wider register, as the manual allows.
        Op {
            body: &format!("cvt.f32.{ty} d, a;"),
            types: ["f32", "b32", "b16", "b16"],
            compare: Compare::F32,
        }
        .check(&device, &some, |a, _, _| wide(F32, a));
        for (to, bits) in [("s8", 8), ("u16", 16), ("s32", 32), ("u64", 64), ("s64", 64)] {
            let register = if bits == 8 { "s16" } else { to };
            for (mode, f) in
                [("rni", f64::round_ties_even as fn(f64) -> f64), ("rzi", f64::trunc), ("rpi", f64::ceil)]
            {
                let body = format!("cvt.{mode}.{to}.{ty} d, a;");
                Op { body: &body, types: [register, "b16", "b16", "b16"], compare: Compare::Bits }.check(
                    &device,
                    &some,
                    |a, _, _| {
                        let x = format.to_f64(a);
                        if x.is_nan() {
                            return if bits == 64 { 1 << 63 } else { 0 };
                        }
                        let (low, high) = if to.starts_with('s') {
                            (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
                        } else {
                            (0, (1_i128 << bits) - 1)
                        };
                        (f(x) as i128).clamp(low, high) as u64
                    },
                );
            }
        }
        for (mode, f) in [("rni", f64::round_ties_even as fn(f64) -> f64), ("rmi", f64::floor)] {
            let body = format!("cvt.{mode}.{ty}.{ty} d, a;");
            Op { body: &body, types: ["b16"; 4], compare }.check(&device, &some, |a, _, _| {
                format.round_from(F64, f(format.to_f64(a)).to_bits(), Mode::Nearest)
            });
        }
        let (other, into, as_other) =
            if format == F16 { ("bf16", BF16, Compare::Bf16) } else { ("f16", F16, Compare::F16) };
        for (name, mode) in MODES {
            let body = format!("cvt.{name}.{other}.{ty} d, a;");
            Op { body: &body, types: ["b16"; 4], compare: as_other }
                .check(&device, &some, |a, _, _| into.round_from(format, a, mode));
        }
    }
}

#[test]
fn integers_in_every_mode() {
    let device = device();
    let inputs: Vec<[u64; 3]> = int_inputs().into_iter().step_by(3).collect();
    let targets = [
        ("f16", "b16", F16, Compare::F16),
        ("bf16", "b16", BF16, Compare::Bf16),
        ("f32", "f32", F32, Compare::F32),
        ("f64", "f64", F64, Compare::F64),
    ];
    for (to, register, format, compare) in targets {
        for (from, bits) in [("u8", 8_u32), ("s16", 16), ("u32", 32), ("s32", 32), ("u64", 64), ("s64", 64)] {
            for (name, mode) in MODES {
                let source = if bits == 8 { "u16" } else { from };
                let body = format!("cvt.{name}.{to}.{from} d, a;");
                Op { body: &body, types: [register, source, "b16", "b16"], compare }.check(
                    &device,
                    &inputs,
                    |a, _, _| {
                        let up = 64 - bits;
                        let (negative, size) = if from.starts_with('s') {
                            let value = (a << up) as i64 >> up;
                            (value < 0, value.unsigned_abs())
                        } else {
                            (false, a << up >> up)
                        };
                        format.round_int(negative, size, mode)
                    },
                );
            }
        }
    }
}

#[test]
fn doubles_to_singles_in_every_mode() {
    let device = device();
    let mut inputs = F64.inputs(200);
    for x in F32.interesting(40) {
        let near = F64.round_from(F32, x, Mode::Nearest);
        inputs.extend([near, near + 1, near + (1 << 28), near + (1 << 28) + 1].map(|x| [x, 0, 0]));
    }
    for (name, mode) in MODES {
        for (ftz, sat) in [("", ""), (".ftz", ""), ("", ".sat")] {
            let body = format!("cvt.{name}{ftz}{sat}.f32.f64 d, a;");
            Op { body: &body, types: ["f32", "f64", "f32", "f32"], compare: Compare::F32 }.check(
                &device,
                &inputs,
                |a, _, _| {
                    let value = F32.round_from(F64, a, mode);
                    let value = if sat.is_empty() { value } else { F32.saturate(value) };
                    if ftz.is_empty() { value } else { F32.flush(value) }
                },
            );
        }
    }
}

/// `.tf32`, and the 8-bit formats, whose values are few enough to be listed.
#[test]
fn small_formats() {
    const TF32: Format = Format { exponent: 8, fraction: 10 };
    const E5M2: Format = Format { exponent: 5, fraction: 2 };
    let device = device();
    let inputs = F32.inputs(600);
    for (name, mode) in [("rn", Mode::Nearest), ("rz", Mode::Zero)] {
        let body = format!("cvt.{name}.tf32.f32 d, a;");
        Op { body: &body, types: ["b32", "f32", "f32", "f32"], compare: Compare::F32 }.check(
            &device,
            &inputs,
            |a, _, _| TF32.round_from(F32, a, mode) << 13,
        );
    }
    // Away from zero on a tie: half a unit is added to the magnitude and the rest cut off.
    Op { body: "cvt.rna.tf32.f32 d, a;", types: ["b32", "f32", "f32", "f32"], compare: Compare::F32 }.check(
        &device,
        &inputs,
        |a, _, _| {
            if F32.is_nan(a) {
                F32.nan()
            } else if a & 0x7f80_0000 == 0x7f80_0000 {
                a
            } else {
                (a + 0x1000) & !0x1fff
            }
        },
    );

    // By the definition of E4M3: no infinities, one NaN, 448 at most.
    let e4m3 = |bits: u64| -> f64 {
        let (exponent, fraction) = ((bits >> 3 & 15) as i32, (bits & 7) as f64);
        let size = match exponent {
            0 => fraction / 512.0,
            15 if bits & 7 == 7 => f64::NAN,
            _ => (1.0 + fraction / 8.0) * 2_f64.powi(exponent - 7),
        };
        if bits & 0x80 == 0 { size } else { -size }
    };
    let to_e4m3 = |x: f64| -> u64 {
        if x.is_nan() {
            return 0x7f;
        }
        let sign = if x.is_sign_negative() { 0x80 } else { 0 };
        // The nearest, on a tie the even one, and never the NaN.
        let nearest = (0..0x7f_u64)
            .min_by(|l, r| {
                let distance = |bits: u64| (e4m3(bits) - x.abs().min(448.0)).abs();
                distance(*l).total_cmp(&distance(*r)).then((l & 1).cmp(&(r & 1)))
            })
            .unwrap();
        sign | nearest
    };
    let to_e5m2 = |x: u64, from: Format| {
        let bits = E5M2.round_from(from, x, Mode::Nearest);
        if bits & 0x7f == E5M2.infinity() { bits - 1 } else { bits }
    };
    let few: Vec<[u64; 3]> = F16
        .inputs(500)
        .into_iter()
        .map(|row| row.map(|x| F32.round_from(F16, x, Mode::Nearest)))
        .chain(inputs.iter().copied().take(100))
        .collect();
    let types = ["b16", "f32", "f32", "f32"];
    Op { body: "cvt.rn.satfinite.e4m3x2.f32 d, a, b;", types, compare: Compare::Bits }.check(
        &device,
        &few,
        |a, b, _| to_e4m3(F32.to_f64(a)) << 8 | to_e4m3(F32.to_f64(b)),
    );
    Op { body: "cvt.rn.satfinite.e5m2x2.f32 d, a, b;", types, compare: Compare::Bits }.check(
        &device,
        &few,
        |a, b, _| to_e5m2(a, F32) << 8 | to_e5m2(b, F32),
    );
    let halves = pairs(&F16.inputs(500));
    let types = ["b16", "b32", "b32", "b32"];
    Op { body: "cvt.rn.satfinite.relu.e4m3x2.f16x2 d, a;", types, compare: Compare::Bits }.check(
        &device,
        &halves,
        |a, _, _| {
            let one = |x: u64| Some(to_e4m3(F16.to_f64(x))).filter(|x| x & 0x80 == 0).unwrap_or(0);
            one(a >> 16) << 8 | one(a & 0xffff)
        },
    );
    Op { body: "cvt.rn.satfinite.e5m2x2.f16x2 d, a;", types, compare: Compare::Bits }.check(
        &device,
        &halves,
        |a, _, _| to_e5m2(a >> 16, F16) << 8 | to_e5m2(a & 0xffff, F16),
    );
    let bytes: Vec<[u64; 3]> = (0..256).map(|x| [(x << 8) | (x * 7) & 255, 0, 0]).collect();
    let types = ["b32", "b16", "b16", "b16"];
    let half = |x: f64| F16.round_from(F64, x.to_bits(), Mode::Nearest);
    Op { body: "cvt.rn.f16x2.e4m3x2 d, a;", types, compare: Compare::F16 }.check(
        &device,
        &bytes,
        |a, _, _| half(e4m3(a >> 8)) << 16 | half(e4m3(a & 0xff)),
    );
    let e5m2 = |x: u64| F16.round_from(E5M2, x, Mode::Nearest);
    Op { body: "cvt.rn.f16x2.e5m2x2 d, a;", types, compare: Compare::F16 }.check(
        &device,
        &bytes,
        |a, _, _| e5m2(a >> 8) << 16 | e5m2(a & 0xff),
    );
}
