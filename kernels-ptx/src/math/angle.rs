//! Huge angles: the bits of 2/π that decide, by Payne and Hanek's method, in integers.
//!
//! Rule kept here: of `x * 2/π` only the part below 4 matters. `x` is an integer times a power of two, so the bits of 2/π that
//! contribute multiples of 4 are left out, and the others are multiplied exactly.

use super::exact::{high_product, window};
use gpu_actor_macros::gpu_fn;

// 2/π: 64 zeros, so that every window begins inside, and then 1216 bits from 2^-1 on.
const W1: u64 = 0xa2f9836e4e441529;
const W2: u64 = 0xfc2757d1f534ddc0;
const W3: u64 = 0xdb6295993c439041;
const W4: u64 = 0xfe5163abdebbc561;
const W5: u64 = 0xb7246e3a424dd2e0;
const W6: u64 = 0x06492eea09d1921c;
const W7: u64 = 0xfe1deb1cb129a73e;
const W8: u64 = 0xe88235f52ebb4484;
const W9: u64 = 0xe99c7026b45f7e41;
const W10: u64 = 0x3991d639835339f4;
const W11: u64 = 0x9c845f8bbdf9283b;
const W12: u64 = 0x1ff897ffde05980f;
const W13: u64 = 0xef2f118b5a0a6d1f;
const W14: u64 = 0x6d367ecf27cb09b7;
const W15: u64 = 0x4f463f669e5fea2d;
const W16: u64 = 0x7527bac7ebe5f17b;
const W17: u64 = 0x3d0739f78a5292ea;
const W18: u64 = 0x6bfb5fb11f8d5d08;
const W19: u64 = 0x56033046fc7b6bab;

/// What of `x * 2/π` lies below 4, for an `x` of `mantissa * 2^exponent` with a mantissa below 2^53 and an exponent from -62 to
/// 971: 192 bits, two of them before the point, the most significant word first. Exact but for the last 54 bits.
#[gpu_fn]
pub(super) fn quarter_turns(mantissa: u64, exponent: i32) -> [u64; 3] {
    // The first bit that is wanted: with it, the mantissa's lowest bit is worth 2.
    let first = exponent.wrapping_add(62) as u32;
    let word = first.wrapping_shr(6);
    // The four words from `word` on: what comes later moves to the front, by 16, 8, 4, 2 and 1 places.
    let mut a0 = 0u64;
    let mut a1 = W1;
    let mut a2 = W2;
    let mut a3 = W3;
    let mut a4 = W4;
    let mut a5 = W5;
    let mut a6 = W6;
    let mut a7 = W7;
    let mut a8 = W8;
    let mut a9 = W9;
    let mut a10 = W10;
    if word & 16 != 0 {
        a0 = W16;
        a1 = W17;
        a2 = W18;
        a3 = W19;
    }
    if word & 8 != 0 {
        a0 = a8;
        a1 = a9;
        a2 = a10;
        a3 = W11;
        a4 = W12;
        a5 = W13;
        a6 = W14;
        a7 = W15;
        a8 = W16;
        a9 = W17;
        a10 = W18;
    }
    if word & 4 != 0 {
        a0 = a4;
        a1 = a5;
        a2 = a6;
        a3 = a7;
        a4 = a8;
        a5 = a9;
        a6 = a10;
    }
    if word & 2 != 0 {
        a0 = a2;
        a1 = a3;
        a2 = a4;
        a3 = a5;
        a4 = a6;
    }
    if word & 1 != 0 {
        a0 = a1;
        a1 = a2;
        a2 = a3;
        a3 = a4;
    }
    let shift = first & 63;
    let b0 = window(a0, a1, shift);
    let b1 = window(a1, a2, shift);
    let b2 = window(a2, a3, shift);
    // The product modulo 2^192; of its lowest word nothing is carried in.
    let low = mantissa.wrapping_mul(b2);
    let carried = high_product(mantissa, b2);
    let middle = mantissa.wrapping_mul(b1).wrapping_add(carried);
    let carry = (middle < carried) as u64;
    let high = mantissa.wrapping_mul(b0).wrapping_add(high_product(mantissa, b1)).wrapping_add(carry);
    [high, middle, low]
}
