//! Integer arithmetic, instruction by instruction, against Rust.

mod common;

use common::device;
use common::ops::{Compare, Op, check, int_inputs};

/// One test per type: the closures compute in the Rust type of the same width and sign.
macro_rules! arithmetic {
    ($($name:ident: $ty:ident as $ptx:literal, wide $wide:ident;)*) => {$(
        #[test]
        fn $name() {
            let device = device();
            let inputs = int_inputs();
            let two = |op: &str, f: &dyn Fn($ty, $ty) -> $ty| {
                let body = format!("{op}.{} d, a, b;", $ptx);
                check(&device, &body, $ptx, &inputs, |a, b, _| f(a as $ty, b as $ty) as u64);
            };
            two("add", &$ty::wrapping_add);
            two("sub", &$ty::wrapping_sub);
            two("mul.lo", &$ty::wrapping_mul);
            two("mul.hi", &|a, b| ((a as $wide * b as $wide) >> $ty::BITS) as $ty);
            two("min", &|a, b| a.min(b));
            two("max", &|a, b| a.max(b));
            // Division by zero is left to the machine by PTX; this device gives ones, and the dividend as remainder.
            two("div", &|a, b| if b == 0 { !0 } else { a.wrapping_div(b) });
            two("rem", &|a, b| if b == 0 { a } else { a.wrapping_rem(b) });
            let three = |op: &str, f: &dyn Fn($ty, $ty, $ty) -> $ty| {
                let body = format!("{op}.{} d, a, b, c;", $ptx);
                check(&device, &body, $ptx, &inputs, |a, b, c| f(a as $ty, b as $ty, c as $ty) as u64);
            };
            three("mad.lo", &|a, b, c| a.wrapping_mul(b).wrapping_add(c));
            three("mad.hi", &|a, b, c| (((a as $wide * b as $wide) >> $ty::BITS) as $ty).wrapping_add(c));
            three("sad", &|a, b, c| c.wrapping_add(if a < b { b.wrapping_sub(a) } else { a.wrapping_sub(b) }));
        }
    )*};
}

arithmetic! {
    arithmetic_u16: u16 as "u16", wide u32;
    arithmetic_s16: i16 as "s16", wide i32;
    arithmetic_u32: u32 as "u32", wide u64;
    arithmetic_s32: i32 as "s32", wide i64;
    arithmetic_u64: u64 as "u64", wide u128;
    arithmetic_s64: i64 as "s64", wide i128;
}

#[test]
fn signs() {
    let device = device();
    let inputs = int_inputs();
    check(&device, "neg.s16 d, a;", "s16", &inputs, |a, _, _| (a as i16).wrapping_neg() as u64);
    check(&device, "neg.s32 d, a;", "s32", &inputs, |a, _, _| (a as i32).wrapping_neg() as u64);
    check(&device, "neg.s64 d, a;", "s64", &inputs, |a, _, _| (a as i64).wrapping_neg() as u64);
    check(&device, "abs.s16 d, a;", "s16", &inputs, |a, _, _| (a as i16).wrapping_abs() as u64);
    check(&device, "abs.s32 d, a;", "s32", &inputs, |a, _, _| (a as i32).wrapping_abs() as u64);
    check(&device, "abs.s64 d, a;", "s64", &inputs, |a, _, _| (a as i64).wrapping_abs() as u64);
}

#[test]
fn wide_products() {
    let device = device();
    let inputs = int_inputs();
    let wide = |body: &str, from: &str, to: &str, f: &dyn Fn(u64, u64, u64) -> u64| {
        Op { body, types: [to, from, from, to], compare: Compare::Bits }.check(&device, &inputs, f);
    };
    wide("mul.wide.u16 d, a, b;", "u16", "u32", &|a, b, _| u64::from(a as u16) * u64::from(b as u16));
    wide("mul.wide.s16 d, a, b;", "s16", "s32", &|a, b, _| {
        (i64::from(a as i16) * i64::from(b as i16)) as u64
    });
    wide("mul.wide.u32 d, a, b;", "u32", "u64", &|a, b, _| u64::from(a as u32) * u64::from(b as u32));
    wide("mul.wide.s32 d, a, b;", "s32", "s64", &|a, b, _| {
        (i64::from(a as i32) * i64::from(b as i32)) as u64
    });
    wide("mad.wide.u32 d, a, b, c;", "u32", "u64", &|a, b, c| {
        (u64::from(a as u32) * u64::from(b as u32)).wrapping_add(c)
    });
    wide("mad.wide.s32 d, a, b, c;", "s32", "s64", &|a, b, c| {
        (i64::from(a as i32) * i64::from(b as i32)).wrapping_add(c as i64) as u64
    });
}

#[test]
fn products_of_24_bits() {
    let device = device();
    let inputs = int_inputs();
    let unsigned = |a: u64| a & 0xff_ffff;
    let signed = |a: u64| i64::from((a as i32) << 8 >> 8);
    check(&device, "mul24.lo.u32 d, a, b;", "u32", &inputs, |a, b, _| unsigned(a) * unsigned(b));
    check(&device, "mul24.hi.u32 d, a, b;", "u32", &inputs, |a, b, _| (unsigned(a) * unsigned(b)) >> 16);
    check(&device, "mul24.lo.s32 d, a, b;", "s32", &inputs, |a, b, _| (signed(a) * signed(b)) as u64);
    check(&device, "mul24.hi.s32 d, a, b;", "s32", &inputs, |a, b, _| ((signed(a) * signed(b)) >> 16) as u64);
    check(&device, "mad24.lo.u32 d, a, b, c;", "u32", &inputs, |a, b, c| {
        (unsigned(a) * unsigned(b)).wrapping_add(c)
    });
}

#[test]
fn saturation() {
    let device = device();
    let inputs = int_inputs();
    check(&device, "add.sat.s32 d, a, b;", "s32", &inputs, |a, b, _| {
        (a as i32).saturating_add(b as i32) as u64
    });
    check(&device, "sub.sat.s32 d, a, b;", "s32", &inputs, |a, b, _| {
        (a as i32).saturating_sub(b as i32) as u64
    });
    check(&device, "mad.hi.sat.s32 d, a, b, c;", "s32", &inputs, |a, b, c| {
        let high = ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as i32;
        high.saturating_add(c as i32) as u64
    });
}

/// 64-bit arithmetic on 32-bit halves, carried through the flag, must be 64-bit arithmetic.
#[test]
fn carries() {
    let device = device();
    let inputs = int_inputs();
    let halves = |op: &str, tail: &str| {
        format!(
            "mov.b64 {{%t0, %t1}}, a;
             mov.b64 {{%t2, %t3}}, b;
             {op}.cc.u32 %t4, %t0, %t2;
             {tail}.u32 %t5, %t1, %t3;
             mov.b64 d, {{%t4, %t5}};"
        )
    };
    check(&device, &halves("add", "addc"), "b64", &inputs, |a, b, _| a.wrapping_add(b));
    check(&device, &halves("sub", "subc"), "b64", &inputs, |a, b, _| a.wrapping_sub(b));
    // The carry out of the upper half, taken up by a third instruction.
    let three = "mov.b64 {%t0, %t1}, a;
                 mov.b64 {%t2, %t3}, b;
                 add.cc.u32 %t4, %t0, %t2;
                 addc.cc.u32 %t5, %t1, %t3;
                 addc.u32 %t6, 0, 0;
                 cvt.u64.u32 d, %t6;";
    check(&device, three, "b64", &inputs, |a, b, _| u64::from(a.checked_add(b).is_none()));
    let borrow = "mov.b64 {%t0, %t1}, a;
                  mov.b64 {%t2, %t3}, b;
                  sub.cc.u32 %t4, %t0, %t2;
                  subc.cc.u32 %t5, %t1, %t3;
                  subc.u32 %t6, 0, 0;
                  cvt.s64.s32 d, %t6;";
    check(&device, borrow, "b64", &inputs, |a, b, _| if b > a { u64::MAX } else { 0 });
    // A 32x32 product added to 64 bits.
    let product = "mov.b64 {%t0, %t1}, c;
                   cvt.u32.u64 %t2, a;
                   cvt.u32.u64 %t3, b;
                   mad.lo.cc.u32 %t4, %t2, %t3, %t0;
                   madc.hi.u32 %t5, %t2, %t3, %t1;
                   mov.b64 d, {%t4, %t5};";
    check(&device, product, "b64", &inputs, |a, b, c| {
        (u64::from(a as u32) * u64::from(b as u32)).wrapping_add(c)
    });
}

#[test]
fn constants() {
    let device = device();
    let inputs = [[5, 0, 0]];
    check(&device, "add.u32 d, a, 0x10;", "u32", &inputs, |a, _, _| a + 16);
    check(&device, "add.u32 d, a, 010;", "u32", &inputs, |a, _, _| a + 8);
    check(&device, "add.u32 d, a, 0b101;", "u32", &inputs, |a, _, _| a + 5);
    check(&device, "add.u32 d, a, 7U;", "u32", &inputs, |a, _, _| a + 7);
    check(&device, "add.s32 d, a, -7;", "s32", &inputs, |_, _, _| -2_i64 as u64);
    check(&device, "add.u32 d, a, (1+2)*3-4/2;", "u32", &inputs, |a, _, _| a + 7);
    check(&device, "add.u32 d, a, 1<<4|3;", "u32", &inputs, |a, _, _| a + 19);
    check(&device, "add.u32 d, a, ~0;", "u32", &inputs, |a, _, _| a - 1);
    check(&device, "add.u32 d, a, WARP_SZ;", "u32", &inputs, |a, _, _| a + 32);
    check(&device, "mov.b64 d, 0xffffffffffffffff;", "b64", &inputs, |_, _, _| u64::MAX);
}
