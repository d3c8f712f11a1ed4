//! The methods of numbers: the same natively and on the device, for every type and for corner cases.

#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, unused_comparisons)]

mod common;

use gpu_actor_rt::num::Integer;
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

use common::check;

macro_rules! integers {
    ($actor:ident, $int:ty) => {
        #[gpu_actor]
        #[derive(Default)]
        struct $actor {
            some: [Option<$int>; 10],
            logs: [Option<u32>; 2],
            pairs: [$int; 5],
            flags: [bool; 5],
        }

        #[gpu_actor]
        impl $actor {
            #[handler]
            fn checked(&mut self, a: $int, b: $int, n: u32) -> bool {
                self.some = [
                    a.checked_add(b),
                    a.checked_sub(b),
                    a.checked_mul(b),
                    a.checked_div(b),
                    a.checked_rem(b),
                    a.checked_neg(),
                    a.checked_shl(n % 80),
                    a.checked_shr(n),
                    a.checked_pow(n % 20),
                    (n % 3 == 0).then_some(b),
                ];
                self.logs = [a.checked_ilog2(), b.checked_ilog10()];
                match a.checked_add(1) {
                    Some(next) if next == b => true,
                    Some(_) => false,
                    None => b == <$int>::MAX,
                }
            }

            #[handler]
            fn overflowing(&mut self, a: $int, b: $int, n: u32) -> $int {
                let (sum, over) = a.overflowing_add(b);
                self.pairs[0] = sum;
                self.flags[0] = over;
                (self.pairs[1], self.flags[1]) = a.overflowing_sub(b);
                (self.pairs[2], self.flags[2]) = a.overflowing_mul(b);
                (self.pairs[3], self.flags[3]) = a.overflowing_neg();
                (self.pairs[4], self.flags[4]) = a.overflowing_pow(n % 40);
                if let (x, true) = a.overflowing_add(b) { x } else { a.saturating_pow(n % 9) }
            }

            #[handler]
            fn logs(&mut self, a: $int) -> u32 {
                if a > 0 { a.ilog2() * 100 + a.ilog10() } else { 7 }
            }

            #[handler]
            fn roots(&mut self, a: $int) -> $int {
                if a >= 0 { a.isqrt() } else { a }
            }

            #[handler]
            fn divisions(&mut self, a: $int, b: $int) -> $int {
                self.pairs[0] = a.wrapping_div(b);
                self.pairs[1] = a.wrapping_rem(b);
                self.pairs[2] = a.rem_euclid(b);
                a.div_euclid(b)
            }

            #[handler]
            fn generic(&mut self, a: $int, b: $int, n: u32) -> $int {
                self.some[0] = average(a, b);
                self.some[1] = a.checked_pow(n % 12);
                root_of_sum(a, b)
            }
        }
    };
}

#[gpu_fn]
fn average<T: Integer>(a: T, b: T) -> Option<T> {
    match a.checked_add(b) {
        Some(sum) => sum.checked_div(T::ONE + T::ONE),
        None => None,
    }
}

#[gpu_fn]
fn root_of_sum<T: Integer>(a: T, b: T) -> T {
    let sum = a.saturating_add(b);
    if sum > T::ZERO { sum.isqrt() >> (sum.ilog2() % 3) } else { sum.saturating_pow(3) }
}

macro_rules! unsigned {
    ($actor:ident, $int:ty) => {
        #[gpu_actor]
        #[derive(Default)]
        struct $actor {
            next: Option<$int>,
            all: [$int; 4],
            flag: bool,
        }

        #[gpu_actor]
        impl $actor {
            #[handler]
            fn unsigned(&mut self, a: $int, b: $int) -> $int {
                self.next = a.checked_next_power_of_two();
                self.flag = a.is_multiple_of(b);
                self.all[0] = (a / 2).next_power_of_two();
                self.all[1] = (a / 3).next_multiple_of(b / 3);
                self.all[2] = a.next_multiple_of(b);
                self.all[3] = a.div_ceil(b);
                a.next_power_of_two()
            }
        }
    };
}

macro_rules! signed {
    ($actor:ident, $int:ty) => {
        #[gpu_actor]
        #[derive(Default)]
        struct $actor {
            magnitude: Option<$int>,
            all: [$int; 4],
        }

        #[gpu_actor]
        impl $actor {
            #[handler]
            fn signed(&mut self, a: $int, b: $int) -> $int {
                self.magnitude = a.checked_abs();
                self.all[0] = a.saturating_neg();
                self.all[1] = b.saturating_abs();
                self.all[2] = a.signum() * (b.abs_diff(a) / 4) as $int;
                self.all[3] = a.unsigned_abs() as $int;
                a.wrapping_abs()
            }
        }
    };
}

integers!(U8, u8);
integers!(U16, u16);
integers!(U32, u32);
integers!(U64, u64);
integers!(I8, i8);
integers!(I16, i16);
integers!(I32, i32);
integers!(I64, i64);
unsigned!(U8More, u8);
unsigned!(U16More, u16);
unsigned!(U32More, u32);
unsigned!(U64More, u64);
signed!(I8More, i8);
signed!(I16More, i16);
signed!(I32More, i32);
signed!(I64More, i64);

#[gpu_actor]
#[derive(Default)]
struct Floats {
    single: [f32; 3],
    double: [f64; 3],
}

#[gpu_actor]
impl Floats {
    #[handler]
    fn angles(&mut self, x: f32, y: f64) {
        self.single = [x.to_degrees(), x.to_radians(), x.to_degrees().to_radians()];
        self.double = [y.to_degrees(), y.to_radians(), y.to_radians().to_degrees()];
    }
}

#[test]
fn unsigned_integers() {
    check::<U8>();
    check::<U16>();
    check::<U32>();
    check::<U64>();
    check::<U8More>();
    check::<U16More>();
    check::<U32More>();
    check::<U64More>();
}

#[test]
fn signed_integers() {
    check::<I8>();
    check::<I16>();
    check::<I32>();
    check::<I64>();
    check::<I8More>();
    check::<I16More>();
    check::<I32More>();
    check::<I64More>();
}

/// What faults at the line of the call. (The faults of what `macro_rules!` wrote above have the line of that macro's call.)
#[gpu_actor]
#[derive(Default)]
struct Lines {
    at: u32,
}

#[gpu_actor]
impl Lines {
    #[handler]
    fn logs(&mut self, a: u32, b: i64) -> u32 {
        self.at = 1;
        let two = a.ilog2();
        self.at = 2;
        let ten = b.ilog10();
        two + ten + a.checked_sub(7).unwrap()
    }

    #[handler]
    fn roots(&mut self, a: i32, b: i8) -> i32 {
        self.at = 3;
        let root = a.isqrt() + b.isqrt() as i32;
        root + a.checked_mul(3).expect("three times as much")
    }

    #[handler]
    fn steps(&mut self, a: u8, b: i16, c: i16) -> i16 {
        self.at = a.next_power_of_two() as u32;
        self.at += a.next_multiple_of(b as u8) as u32 + a.div_ceil(c as u8) as u32;
        b.wrapping_div(c) + b.wrapping_rem(c).abs()
    }
}

#[test]
fn lines_of_faults() {
    check::<Lines>();
}

#[test]
fn floats() {
    check::<Floats>();
}

/// Near every square, where a float's root rounds.
#[test]
fn roots_are_exact_beside_squares() {
    let report = testing::check_handlers::<Squares>(3_000, 7).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_eq!(report.faulted, 0, "{report:?}");
}

#[gpu_actor]
#[derive(Default)]
struct Squares {
    last: u64,
}

#[gpu_actor]
impl Squares {
    #[handler]
    fn beside(&mut self, root: u32, by: u8) -> u64 {
        let square = root as u64 * root as u64;
        self.last = square.wrapping_add(by as u64 % 3).wrapping_sub(1);
        self.last.isqrt() ^ square.wrapping_add(root as u64 * 2).isqrt()
    }
}
