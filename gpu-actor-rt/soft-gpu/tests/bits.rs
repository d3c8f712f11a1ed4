//! Logic, shifts, bit fields and moves, against bit-by-bit models of the manual's definitions.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::device;
use common::ops::{Compare, Op, check, int_inputs};

#[test]
fn logic() {
    let device = device();
    let inputs = int_inputs();
    for ty in ["b16", "b32", "b64"] {
        check(&device, &format!("and.{ty} d, a, b;"), ty, &inputs, |a, b, _| a & b);
        check(&device, &format!("or.{ty} d, a, b;"), ty, &inputs, |a, b, _| a | b);
        check(&device, &format!("xor.{ty} d, a, b;"), ty, &inputs, |a, b, _| a ^ b);
        check(&device, &format!("not.{ty} d, a;"), ty, &inputs, |a, _, _| !a);
    }
    check(&device, "cnot.b16 d, a;", "b16", &inputs, |a, _, _| u64::from(a as u16 == 0));
    check(&device, "cnot.b32 d, a;", "b32", &inputs, |a, _, _| u64::from(a as u32 == 0));
    check(&device, "cnot.b64 d, a;", "b64", &inputs, |a, _, _| u64::from(a == 0));
}

#[test]
fn predicates() {
    let device = device();
    let inputs: Vec<[u64; 3]> = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2]).collect();
    let body = |op: &str| {
        format!(
            "setp.ne.u32 %p0, a, 0; setp.ne.u32 %p1, b, 0; setp.ne.u32 %p2, c, 0;
             {op}
             selp.u32 d, 1, 0, %p3;"
        )
    };
    check(&device, &body("and.pred %p3, %p0, %p1;"), "u32", &inputs, |a, b, _| a & b);
    check(&device, &body("or.pred %p3, %p0, %p1;"), "u32", &inputs, |a, b, _| a | b);
    check(&device, &body("xor.pred %p3, %p0, %p1;"), "u32", &inputs, |a, b, _| a ^ b);
    check(&device, &body("not.pred %p3, %p0;"), "u32", &inputs, |a, _, _| a ^ 1);
    check(&device, &body("mov.pred %p3, %p0;"), "u32", &inputs, |a, _, _| a);
    check(&device, &body("mov.pred %p3, 1;"), "u32", &inputs, |_, _, _| 1);
    check(&device, &body("mov.pred %p3, %p0; @%p1 mov.pred %p3, %p2;"), "u32", &inputs, |a, b, c| {
        if b == 1 { c } else { a }
    });
    check(&device, &body("mov.pred %p3, %p0; @!%p1 mov.pred %p3, %p2;"), "u32", &inputs, |a, b, c| {
        if b == 0 { c } else { a }
    });
}

#[test]
fn shifts_clamp() {
    let device = device();
    let amounts = [0, 1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 0xffff_ffff];
    let inputs: Vec<[u64; 3]> =
        int_inputs().iter().flat_map(|i| amounts.map(|n| [i[0], n, 0])).step_by(3).collect();
    let shift = |body: &str, ty: &str, f: &dyn Fn(u64, u32) -> u64| {
        Op { body, types: [ty, ty, "u32", "u32"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, n, _| f(a, n as u32),
        );
    };
    shift("shl.b16 d, a, b;", "b16", &|a, n| u64::from((a as u16).checked_shl(n).unwrap_or(0)));
    shift("shl.b32 d, a, b;", "b32", &|a, n| u64::from((a as u32).checked_shl(n).unwrap_or(0)));
    shift("shl.b64 d, a, b;", "b64", &|a, n| a.checked_shl(n).unwrap_or(0));
    shift("shr.u16 d, a, b;", "u16", &|a, n| u64::from((a as u16).checked_shr(n).unwrap_or(0)));
    shift("shr.u32 d, a, b;", "u32", &|a, n| u64::from((a as u32).checked_shr(n).unwrap_or(0)));
    shift("shr.b32 d, a, b;", "b32", &|a, n| u64::from((a as u32).checked_shr(n).unwrap_or(0)));
    shift("shr.u64 d, a, b;", "u64", &|a, n| a.checked_shr(n).unwrap_or(0));
    shift("shr.s16 d, a, b;", "s16", &|a, n| ((a as i16) >> n.min(15)) as u64);
    shift("shr.s32 d, a, b;", "s32", &|a, n| ((a as i32) >> n.min(31)) as u64);
    shift("shr.s64 d, a, b;", "s64", &|a, n| ((a as i64) >> n.min(63)) as u64);
    // The same with the amount written out.
    for n in [0_u32, 1, 15, 16, 31, 32, 33, 64] {
        shift(&format!("shl.b32 d, a, {n};"), "b32", &|a, _| {
            u64::from((a as u32).checked_shl(n).unwrap_or(0))
        });
        shift(&format!("shr.u32 d, a, {n};"), "u32", &|a, _| {
            u64::from((a as u32).checked_shr(n).unwrap_or(0))
        });
        shift(&format!("shr.s32 d, a, {n};"), "s32", &|a, _| ((a as i32) >> n.min(31)) as u64);
        shift(&format!("shl.b64 d, a, {n};"), "b64", &|a, _| a.checked_shl(n).unwrap_or(0));
    }
}

#[test]
fn funnel_shifts() {
    let device = device();
    let inputs = int_inputs();
    let both = |a: u64, b: u64| u64::from(b as u32) << 32 | u64::from(a as u32);
    check(&device, "shf.l.wrap.b32 d, a, b, c;", "b32", &inputs, |a, b, c| (both(a, b) << (c & 31)) >> 32);
    check(&device, "shf.r.wrap.b32 d, a, b, c;", "b32", &inputs, |a, b, c| both(a, b) >> (c & 31));
    let clamp = |c: u64| u64::from((c as u32).min(32));
    check(&device, "shf.l.clamp.b32 d, a, b, c;", "b32", &inputs, |a, b, c| (both(a, b) << clamp(c)) >> 32);
    check(&device, "shf.r.clamp.b32 d, a, b, c;", "b32", &inputs, |a, b, c| both(a, b) >> clamp(c));
}

#[test]
fn three_input_logic() {
    let device = device();
    let inputs = int_inputs();
    for table in [0_u64, 1, 0x3c, 0x80, 0x96, 0xca, 0xe8, 0xfe, 0xff] {
        check(&device, &format!("lop3.b32 d, a, b, c, {table};"), "b32", &inputs, |a, b, c| {
            (0..32).fold(0, |out, bit| {
                let row = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | (c >> bit & 1);
                out | (table >> row & 1) << bit
            })
        });
    }
}

#[test]
fn counts() {
    let device = device();
    let inputs = int_inputs();
    let count = |body: &str, ty: &str, f: &dyn Fn(u64) -> u32| {
        Op { body, types: ["u32", ty, ty, ty], compare: Compare::Bits }
            .check(&device, &inputs, |a, _, _| u64::from(f(a)));
    };
    count("popc.b32 d, a;", "b32", &|a| (a as u32).count_ones());
    count("popc.b64 d, a;", "b64", &|a| a.count_ones());
    count("clz.b32 d, a;", "b32", &|a| (a as u32).leading_zeros());
    count("clz.b64 d, a;", "b64", &|a| a.leading_zeros());
    check(&device, "brev.b32 d, a;", "b32", &inputs, |a, _, _| u64::from((a as u32).reverse_bits()));
    check(&device, "brev.b64 d, a;", "b64", &inputs, |a, _, _| a.reverse_bits());
    // Trailing zeros, which have an instruction of their own on the host; of a zero they are as many as the word has bits.
    let trailing = |ty: &str| format!("brev.{ty} d, a; clz.{ty} %t0, d; cvt.u{}.u32 d, %t0;", &ty[1..]);
    check(&device, &trailing("b32"), "b32", &inputs, |a, _, _| u64::from((a as u32).trailing_zeros()));
    check(&device, &trailing("b64"), "b64", &inputs, |a, _, _| u64::from(a.trailing_zeros()));
    // The manual: look for the highest set bit, or the highest clear one where the value is negative.
    let find = |a: u64, bits: u32, signed: bool| {
        let a = if signed && a >> (bits - 1) & 1 == 1 { !a } else { a };
        (0..bits).rev().find(|bit| a >> bit & 1 == 1).unwrap_or(u32::MAX)
    };
    count("bfind.u32 d, a;", "u32", &|a| find(a, 32, false));
    count("bfind.s32 d, a;", "s32", &|a| find(a, 32, true));
    count("bfind.u64 d, a;", "u64", &|a| find(a, 64, false));
    count("bfind.s64 d, a;", "s64", &|a| find(a, 64, true));
    let shift = |found: u32, bits: u32| if found == u32::MAX { found } else { bits - 1 - found };
    count("bfind.shiftamt.u32 d, a;", "u32", &|a| shift(find(a, 32, false), 32));
    count("bfind.shiftamt.s64 d, a;", "s64", &|a| shift(find(a, 64, true), 64));
}

/// The manual's pseudocode for `bfe`, bit by bit.
fn extract(a: u64, position: u32, length: u32, bits: u32, signed: bool) -> u64 {
    let (position, length) = (position & 255, length & 255);
    let msb = bits - 1;
    let bit = |at: u32| a >> at & 1;
    let sign = if !signed || length == 0 { 0 } else { bit((position + length - 1).min(msb)) };
    (0..bits).fold(0, |out, i| {
        let value = if i < length && position + i <= msb { bit(position + i) } else { sign };
        out | value << i
    })
}

/// The manual's pseudocode for `bfi`, bit by bit.
fn insert(a: u64, b: u64, position: u32, length: u32, bits: u32) -> u64 {
    let (position, length) = (position & 255, length & 255);
    let mut out = b;
    for i in 0..length {
        if position + i < bits {
            out = out & !(1 << (position + i)) | (a >> i & 1) << (position + i);
        }
    }
    out
}

#[test]
fn bit_fields() {
    let device = device();
    let places = [0_u64, 1, 5, 8, 16, 31, 32, 33, 63, 64, 100, 255, 256];
    let values = [0, 1, 0xdead_beef_cafe_f00d, u64::MAX, 0x8000_0000_8000_0000, 0x1234_5678_9abc_def0];
    let mut inputs = Vec::new();
    for value in values {
        for position in places {
            inputs.extend(places.map(|length| [value, position, length]));
        }
    }
    for (ty, bits, signed) in [("u32", 32, false), ("s32", 32, true), ("u64", 64, false), ("s64", 64, true)] {
        let body = format!("bfe.{ty} d, a, b, c;");
        Op { body: &body, types: [ty, ty, "u32", "u32"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, p, n| extract(a, p as u32, n as u32, bits, signed),
        );
    }
    for (ty, bits) in [("b32", 32), ("b64", 64)] {
        let base = 0x0123_4567_89ab_cdef_u64;
        let body = format!("bfi.{ty} d, a, {base:#x}, b, c;");
        Op { body: &body, types: [ty, ty, "u32", "u32"], compare: Compare::Bits }.check(
            &device,
            &inputs,
            |a, p, n| insert(a, base, p as u32, n as u32, bits),
        );
    }
}

#[test]
fn permutes_bytes() {
    let device = device();
    let selectors = [0x3210, 0x7654, 0x0123, 0x4567, 0xba98, 0xfedc, 0x8888, 0x1f0c, 0xffff_5140];
    let inputs: Vec<[u64; 3]> = selectors
        .iter()
        .flat_map(|s| [[0x8344_92f1, 0x0077_ff80, *s], [0x7f80_0180, 0x9000_0001, *s]])
        .collect();
    check(&device, "prmt.b32 d, a, b, c;", "b32", &inputs, |a, b, selector| {
        let bytes: Vec<u8> = (a as u32).to_le_bytes().into_iter().chain((b as u32).to_le_bytes()).collect();
        (0..4).fold(0, |out, i| {
            let nibble = selector >> (i * 4) & 15;
            let byte = bytes[(nibble & 7) as usize];
            let byte = if nibble & 8 == 0 { byte } else { ((byte as i8) >> 7) as u8 };
            out | u64::from(byte) << (i * 8)
        })
    });
}

#[test]
fn packs_and_unpacks() {
    let device = device();
    let inputs = int_inputs();
    let swap = "mov.b64 {%t0, %t1}, a; mov.b64 d, {%t1, %t0};";
    check(&device, swap, "b64", &inputs, |a, _, _| a.rotate_left(32));
    let quarters = "{ .reg .b16 w, x, y, z; mov.b64 {w, x, y, z}, a; mov.b64 d, {z, y, x, w}; }";
    check(&device, quarters, "b64", &inputs, |a, _, _| {
        (0..4).fold(0, |out, i| out << 16 | (a >> (i * 16) & 0xffff))
    });
    let sink = "mov.b64 {_, %t1}, a; mov.b64 d, {%t1, 0};";
    check(&device, sink, "b64", &inputs, |a, _, _| a >> 32);
    let halves = "{ .reg .b16 l, h; mov.b32 {l, h}, a; mov.b32 d, {h, l}; }";
    check(&device, halves, "b32", &inputs, |a, _, _| u64::from((a as u32).rotate_left(16)));
    // Float registers carry bits as well.
    let float = "{ .reg .f32 f; mov.b32 f, a; mov.b32 d, f; }";
    check(&device, float, "b32", &inputs, |a, _, _| a);
}
