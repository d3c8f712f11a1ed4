//! The corners of the handler language: each handler does the same natively and on the device, for random states and
//! messages: order of evaluation, scopes, control flow, faults and their lines.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic)]

mod common;

use gpu_actor_rt::prelude::*;

use common::check;

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Cell {
    tag: u8,
    at: [i32; 3],
    inner: Inner,
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Inner {
    low: u16,
    high: u64,
}

const ORIGIN: Inner = Inner { low: 7, high: 1 << 40 };
const TABLE: [u32; 5] = [2, 3, 5, 7, 11];

mod far {
    use super::{Inner, gpu_fn};

    pub(super) const STEP: u32 = 3;

    /// The first index whose element is above `limit`, or the length: returns out of nested loops.
    #[gpu_fn]
    pub(super) fn find(list: [[u32; 2]; 3], limit: u32) -> u32 {
        for row in 0..list.len() {
            let mut column = 0;
            loop {
                if column >= 2 {
                    break;
                }
                if list[row][column] > limit {
                    return (row * 2 + column) as u32;
                }
                column += 1;
            }
        }
        6
    }

    #[gpu_fn]
    pub(super) fn swapped(mut pair: Inner) -> Inner {
        let low = pair.low;
        pair.low = pair.high as u16;
        pair.high = low as u64;
        pair
    }
}

#[gpu_fn]
fn nothing() {}

#[gpu_fn]
fn clamp_to(x: i32, limit: i32) -> i32 {
    if x > limit {
        return limit;
    } else if x < -limit {
        return -limit;
    }
    x
}

/// Order of evaluation.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Order {
    list: [u32; 4],
    cell: Cell,
    at: u32,
}

#[gpu_actor]
impl Order {
    #[handler]
    fn operands(&mut self, mut x: u32, y: u32) -> u32 {
        let left = x.wrapping_add({
            x = y;
            x ^ 1
        });
        let right = (x ^ y) - {
            self.at = x % 3;
            self.at
        };
        left.wrapping_mul(right).wrapping_add(self.at)
    }

    #[handler]
    fn compound(&mut self, mut i: u32, by: u32) -> u32 {
        self.at = i % 6;
        // The value first, then the place: the index is the new one.
        self.list[i as usize] += {
            i = by % 5;
            by
        };
        self.list[(i / 2) as usize] <<= by % 40;
        self.list[1] = {
            self.list[1] |= 8;
            self.list[1] / 2
        };
        i
    }

    #[handler]
    fn copies(&mut self, by: u16) -> Inner {
        let before = self.cell.inner;
        let after = far::swapped({
            let inner = self.cell.inner;
            self.cell.inner.low = by;
            inner
        });
        self.cell.inner = if by % 2 == 0 { before } else { after };
        let list = self.list;
        self.list = [
            list[3],
            {
                self.list[0] = 9;
                self.list[0]
            },
            list[1],
            self.list[0],
        ];
        after
    }

    #[handler]
    fn short_circuit(&mut self, i: u32, x: u32) -> bool {
        let in_range = i < 4 && self.list[i as usize] > x;
        let either = in_range || {
            self.at = i;
            x / (i % 4) > 2
        };
        let plain = either & (x != 3) | (i == x) && !in_range;
        plain || self.at == 0 && x > 100
    }

    #[rustfmt::skip]
    #[handler]
    fn lines_of_parentheses(&mut self, i: u32, d: u32) -> u32 {
        // A fault has the line of the parenthesis that opens before it.
        let value = (
            d - 3) / ((
            i % 3)) + (
            self.list[(i % 5) as usize]
        );
        value
    }

    #[handler]
    fn faults_in_order(&mut self, i: u32, d: u32) -> u32 {
        self.at = 1;
        let quotient = self.list[(i % 8) as usize] / (d % 3);
        self.at = 2;
        self.list[(i % 5) as usize] = 100 / (d % 2);
        self.at = 3;
        assert!(quotient < 1 << 20, "too large");
        quotient
    }
}

/// Scopes, blocks and control flow.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Flow {
    sum: i64,
    hits: [u8; 8],
    done: bool,
}

#[gpu_actor]
impl Flow {
    const BIG: i64 = 1 << 33;

    #[handler]
    fn loops(&mut self, n: u8, skip: u8) -> i64 {
        let mut total = 0i64;
        for i in n..=u8::MAX {
            if i % 7 == skip % 7 {
                continue;
            }
            total += i as i64;
        }
        for i in 0..n % 8 {
            for j in i..8 {
                if j == skip {
                    break;
                }
                self.hits[j as usize] = self.hits[i as usize].wrapping_add(1);
            }
        }
        for _ in 5..2 {
            total = 0;
        }
        for mut i in -3..=2i8 {
            i *= 2;
            total -= i as i64;
        }
        total
    }

    #[handler]
    fn values(&mut self, n: u32, x: i32) -> i64 {
        let mut turns = 0;
        let found = loop {
            turns += 1;
            if turns * turns > n % 1000 {
                break turns as i64;
            } else if turns == 30 {
                break {
                    let turns = turns as i64;
                    turns * Self::BIG
                };
            }
        };
        let sign;
        if x < 0 {
            sign = -1;
        } else {
            sign = 1;
        }
        let kind = if x == 0 {
            return found;
        } else if x % 2 == 0 {
            sign * 2
        } else {
            let sign = sign - 1;
            sign
        };
        let while_value = {
            let mut left = n % 20;
            while {
                left = left.wrapping_sub(1);
                left < 15
            } {
                if left == 3 {
                    break;
                }
                self.sum += 1;
            }
            left
        };
        self.done = !self.done;
        found + kind * while_value as i64 + clamp_to(x, 100) as i64
    }

    #[handler]
    fn diverges(&mut self, n: u32) -> u32 {
        nothing();
        let unit = nothing();
        let _ = unit;
        self.sum = n as i64;
        {
            if n % 3 == 0 {
                panic!("divisible");
            }
        }
        loop {
            self.sum -= 1;
            if self.sum < 10 {
                if self.sum % 2 == 0 {
                    return 1;
                }
                break;
            } else {
                self.sum /= 2;
                continue;
            }
        }
        const LAST: u32 = far::STEP * 2 + 1;
        let n = n % LAST;
        let n = { n + 1 } + { n };
        n
    }

    #[handler]
    fn never(&mut self, n: u32) -> u32 {
        if n > 5 {
            loop {
                self.sum = self.sum.wrapping_add(1);
                if self.sum % 16 == 0 {
                    return 4;
                }
            }
        } else {
            assert!(n != 2);
            return n;
        }
    }
}

/// Literals, constants, casts and methods.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Numbers {
    wide: u64,
    small: i8,
    real: f32,
    double: f64,
}

#[gpu_actor]
impl Numbers {
    #[handler]
    fn literals(&mut self, x: i8, y: u64) -> u64 {
        self.small = x.wrapping_sub(-128);
        self.wide = y ^ 3_000_000_000 ^ (5_000_000_000 as u64) ^ !0;
        let most = u64::MAX - y;
        let mask = 1 << (y % 70);
        self.wide ^= mask;
        let byte = b'a' as u64;
        most / 2 + 0xff_u64 + byte + -(x as i64) as u64 % 10 + i64::MAX as u64 / 4
    }

    #[handler]
    fn tables(&mut self, i: u32) -> u32 {
        let squares = [0, 1, 4, 9, 16u32];
        let mut same = [i; 4];
        let zeros = [0u8; 3];
        same[(i % 4) as usize] = TABLE[(i % 6) as usize];
        let nested = [[i, 1], [2, i / 2], same_pair(i)];
        self.wide = ORIGIN.high + ORIGIN.low as u64 + far::find(nested, i % 9) as u64;
        squares[(i % 5) as usize] + same[0] + zeros[2] as u32 + zeros.len() as u32
    }

    #[handler]
    fn integers(&mut self, a: u32, b: u32, c: i64, d: i64) -> u64 {
        let bits = a.count_ones() + b.leading_zeros() + a.trailing_zeros() + (a ^ b).count_zeros();
        let turned = a.rotate_left(b) ^ b.rotate_right(a % 40) ^ a.swap_bytes() ^ b.reverse_bits();
        let ranged = a.min(b).max(7).clamp(5, 1000) + a.saturating_sub(b) / 2 + a.abs_diff(b) / 4;
        let signed = c.wrapping_abs().wrapping_neg().signum() + c.rem_euclid(11) + d.div_euclid(1000) / 4;
        self.wide = c.unsigned_abs() ^ a.wrapping_shl(b) as u64 ^ c.wrapping_shr(a) as u64;
        self.small = (c.is_negative() as i8) + (d.is_positive() as i8) - (a.is_power_of_two() as i8);
        let power = (a % 5).pow(b % 9) as u64 + a.wrapping_pow(b % 20) as u64;
        bits as u64 + turned as u64 + ranged as u64 + (signed as u64 >> 8) + power + d.abs() as u64 / 2
    }

    #[handler]
    fn floats(&mut self, a: f32, b: f32, c: f64) -> bool {
        self.real = a.mul_add(b, a).min(b).max(-1.0).floor() + a.ceil() - b.trunc() + a.fract();
        self.double =
            c.sqrt().abs() + c.round() - c.round_ties_even() + c.recip().copysign(a as f64) + c.signum();
        self.wide = a.to_bits() as u64 ^ ((b.is_nan() as u64) << 40) ^ ((c.is_finite() as u64) << 50);
        a.is_sign_negative() || b.is_infinite() || -c < 0.5 && c.is_sign_positive()
    }

    #[handler]
    fn context(&mut self, cx: &mut Cx, _: u8, to: [ActorId<Numbers>; 2], which: u32) -> u64 {
        cx.tell(to[(which % 3) as usize].literals(self.small, cx.now()));
        cx.tell((to[0]).tables({
            self.small = 1;
            which
        }));
        cx.now()
    }
}

#[gpu_fn]
fn same_pair(x: u32) -> [u32; 2] {
    let pair = [x; 2];
    pair
}

/// No state, a stable name.
#[gpu_actor(name = "language::Pinger")]
#[derive(Default)]
struct Pinger;

#[gpu_actor]
impl Pinger {
    #[handler]
    fn ping(&self, r#type: u8) -> u8 {
        r#type ^ 1
    }
}

#[test]
fn evaluation_order() {
    check::<Order>();
}

#[test]
fn control_flow() {
    check::<Flow>();
}

#[test]
fn numbers() {
    check::<Numbers>();
}

#[test]
fn names_are_stable() {
    check::<Pinger>();
    assert_eq!(Pinger::info().name, "language::Pinger");
    assert_eq!(Order::info().name, concat!(module_path!(), "::Order"));
}

/// A handler that faults leaves what it had written, natively as on the device.
#[test]
fn writes_before_a_fault_stay() {
    let method = Order::info().methods.iter().find(|method| method.name == "faults_in_order").unwrap();
    let (mut state, mut reply) = (vec![0; size_of::<Order>()], vec![0; 4]);
    let message = [9, 0, 0, 0, 0, 0, 0, 0];
    let mut cx = Cx::native();
    let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        (method.native)(&mut state, &message, &mut cx, &mut reply);
    }));
    assert!(fault.is_err());
    assert_eq!(Order::decode(&state).at, 1);
}
