//! Comparisons and selections, against Rust.

#![allow(clippy::float_cmp, reason = "comparing exactly is what is tested")]

mod common;

use common::device;
use common::ops::{Compare, Op, check, float_inputs, int_inputs};

/// `d` = the comparison's result as 0 or 1.
fn setp(op: &str, ty: &str) -> String {
    format!("setp.{op}.{ty} %p0, a, b; selp.u32 d, 1, 0, %p0;")
}

fn check_setp(op: &str, ty: &str, inputs: &[[u64; 3]], f: &dyn Fn(u64, u64) -> bool) {
    Op { body: &setp(op, ty), types: ["u32", ty, ty, ty], compare: Compare::Bits }.check(
        &device(),
        inputs,
        |a, b, _| u64::from(f(a, b)),
    );
}

macro_rules! int_comparisons {
    ($($name:ident: $ty:ident as $ptx:literal;)*) => {$(
        #[test]
        fn $name() {
            let inputs = int_inputs();
            let compare = |op: &str, f: &dyn Fn(&$ty, &$ty) -> bool| {
                check_setp(op, $ptx, &inputs, &|a, b| f(&(a as $ty), &(b as $ty)));
            };
            compare("eq", &$ty::eq);
            compare("ne", &$ty::ne);
            compare("lt", &$ty::lt);
            compare("le", &$ty::le);
            compare("gt", &$ty::gt);
            compare("ge", &$ty::ge);
            if $ptx.starts_with('u') {
                compare("lo", &$ty::lt);
                compare("ls", &$ty::le);
                compare("hi", &$ty::gt);
                compare("hs", &$ty::ge);
            }
        }
    )*};
}

int_comparisons! {
    compares_u16: u16 as "u16";
    compares_s16: i16 as "s16";
    compares_u32: u32 as "u32";
    compares_s32: i32 as "s32";
    compares_u64: u64 as "u64";
    compares_s64: i64 as "s64";
}

#[test]
fn compares_bits() {
    let inputs = int_inputs();
    check_setp("eq", "b32", &inputs, &|a, b| a as u32 == b as u32);
    check_setp("ne", "b64", &inputs, &|a, b| a != b);
}

macro_rules! float_comparisons {
    ($($name:ident: $ty:ident / $bits:ident as $ptx:literal;)*) => {$(
        #[test]
        fn $name() {
            let inputs = float_inputs($bits::BITS);
            let compare = |op: &str, f: &dyn Fn($ty, $ty) -> bool| {
                check_setp(op, $ptx, &inputs, &|a, b| f($ty::from_bits(a as $bits), $ty::from_bits(b as $bits)));
            };
            let nan = |a: $ty, b: $ty| a.is_nan() || b.is_nan();
            compare("eq", &|a, b| a == b);
            // Unlike Rust's `!=`, PTX's `ne` is false with a NaN.
            compare("ne", &|a, b| a != b && !nan(a, b));
            compare("lt", &|a, b| a < b);
            compare("le", &|a, b| a <= b);
            compare("gt", &|a, b| a > b);
            compare("ge", &|a, b| a >= b);
            compare("equ", &|a, b| a == b || nan(a, b));
            compare("neu", &|a, b| a != b);
            compare("ltu", &|a, b| a < b || nan(a, b));
            compare("leu", &|a, b| a <= b || nan(a, b));
            compare("gtu", &|a, b| a > b || nan(a, b));
            compare("geu", &|a, b| a >= b || nan(a, b));
            compare("num", &|a, b| !nan(a, b));
            compare("nan", &nan);
        }
    )*};
}

float_comparisons! {
    compares_f32: f32 / u32 as "f32";
    compares_f64: f64 / u64 as "f64";
}

#[test]
fn flushes_before_comparing() {
    let tiny = u64::from(1.0e-40_f32.to_bits());
    let inputs = [[tiny, 0, 0], [0, tiny, 0], [tiny, tiny, 0]];
    let flushed = "setp.eq.ftz.f32 %p0, a, b; selp.u32 d, 1, 0, %p0;";
    Op { body: flushed, types: ["u32", "f32", "f32", "f32"], compare: Compare::Bits }.check(
        &device(),
        &inputs,
        |_, _, _| 1,
    );
    check_setp("eq", "f32", &inputs, &|a, b| a == b);
}

type Combine = fn(u64, u64) -> u64;

#[test]
fn combines_with_a_third_predicate() {
    let device = device();
    let inputs: Vec<[u64; 3]> = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2]).collect();
    let ops: [(&str, Combine); 3] = [("and", |x, y| x & y), ("or", |x, y| x | y), ("xor", |x, y| x ^ y)];
    for (op, f) in ops {
        let body = format!("setp.ne.u32 %p1, c, 0; setp.lt.{op}.u32 %p0, a, b, %p1; selp.u32 d, 1, 0, %p0;");
        check(&device, &body, "u32", &inputs, |a, b, c| f(u64::from(a < b), c));
        let negated =
            format!("setp.ne.u32 %p1, c, 0; setp.lt.{op}.u32 %p0, a, b, !%p1; selp.u32 d, 1, 0, %p0;");
        check(&device, &negated, "u32", &inputs, |a, b, c| f(u64::from(a < b), c ^ 1));
        // The second result is made of the inverse comparison; `%p1` is overwritten by the first.
        let both = format!(
            "setp.ne.u32 %p1, c, 0;
             setp.lt.{op}.u32 %p1|%p2, a, b, %p1;
             selp.u32 d, 1, 0, %p1; selp.u32 %t0, 2, 0, %p2; or.b32 d, d, %t0;"
        );
        check(&device, &both, "b32", &inputs, |a, b, c| {
            f(u64::from(a < b), c) | f(u64::from(a >= b), c) << 1
        });
    }
}

#[test]
fn sets_words() {
    let device = device();
    let inputs = int_inputs();
    let op = |body: &str, types: [&str; 4], f: &dyn Fn(u64, u64, u64) -> u64| {
        Op { body, types, compare: Compare::Bits }.check(&device, &inputs, f);
    };
    op("set.lt.u32.s32 d, a, b;", ["u32", "s32", "s32", "s32"], &|a, b, _| {
        if (a as i32) < b as i32 { u64::MAX } else { 0 }
    });
    op("set.ge.f32.u64 d, a, b;", ["f32", "u64", "u64", "u64"], &|a, b, _| {
        u64::from(if a >= b { 1.0_f32 } else { 0.0 }.to_bits())
    });
    op("setp.eq.u64 %p1, c, 0; set.eq.or.s32.u32 d, a, b, %p1;", ["s32", "u32", "u32", "u64"], &|a, b, c| {
        if a as u32 == b as u32 || c == 0 { u64::MAX } else { 0 }
    });
}

#[test]
fn selects() {
    let device = device();
    let inputs = int_inputs();
    for ty in ["b16", "u32", "s64"] {
        let body = format!("cvt.u32.u64 %t0, c; setp.gt.u32 %p0, %t0, 100; selp.{ty} d, a, b, %p0;");
        Op { body: &body, types: [ty, ty, ty, "u64"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, b, c| if c as u32 > 100 { a } else { b },
        );
    }
    let slct = "slct.u32.s32 d, a, b, c;";
    Op { body: slct, types: ["u32", "u32", "u32", "s32"], compare: Compare::Bits }.check(
        &device,
        &inputs,
        |a, b, c| if (c as i32).is_negative() { b } else { a },
    );
    let slct = "slct.b64.f32 d, a, b, c;";
    Op { body: slct, types: ["b64", "b64", "b64", "f32"], compare: Compare::Bits }.check(
        &device,
        &float_inputs(32),
        |a, b, c| if f32::from_bits(c as u32) >= 0.0 { a } else { b },
    );
}
