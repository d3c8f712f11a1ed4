//! Structs of all kinds, tuples and destructuring do the same natively and on the device, for random states and messages.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used)]

mod common;

use gpu_actor_rt::prelude::*;

use common::check;

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(C)]
struct Meters(f64);

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Mixed(u8, Point, Meters);

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Marker;

/// A buffer of a length that its users choose.
#[derive(GpuData, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Ring<const N: usize> {
    at: u8,
    buf: [u32; N],
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self { at: 0, buf: [0; N] }
    }
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Pair<A, B> {
    first: A,
    second: B,
}

#[gpu_fn]
fn both(a: u32, b: i8) -> (u32, (i8, bool)) {
    (a, (b, a == 1))
}

#[gpu_fn]
fn sum(pair: (u32, (i8, bool))) -> i64 {
    let (a, (b, c)) = pair;
    a as i64 + b as i64 + c as i64
}

/// Structs of all kinds, tuples, destructuring.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Parts {
    point: Point,
    mixed: Mixed,
    marker: Marker,
    ring: Ring<5>,
    pairs: [Pair<u8, Pair<Point, Option<bool>>>; 2],
    grid: [[i16; 3]; 2],
    order: u32,
}

#[gpu_actor]
impl Parts {
    #[handler]
    fn literals(&mut self, x: i32, y: i32) -> Mixed {
        self.point = Point { y: self.point.x, x: self.point.y };
        let base = Point { x, y };
        let moved = Point {
            x: {
                self.order = 1;
                base.x.wrapping_add(1)
            },
            ..base
        };
        let odd = Point {
            y: x,
            ..{
                self.order += 2;
                self.point
            }
        };
        self.mixed = Mixed(x as u8, moved, Meters(y as f64));
        self.marker = Marker;
        let named = Mixed { 2: Meters(0.5), 0: self.mixed.0, 1: odd };
        self.mixed.1.x ^= 5;
        self.mixed.2.0 += 1.5;
        let pair = Pair { first: 3, second: Pair { first: odd, second: Some(true) } };
        self.pairs[(x as u32 % 3) as usize] = pair;
        if self.mixed.2.0 > 2.0 { named } else { self.mixed }
    }

    #[handler]
    fn taking_apart(&mut self, p: Point, pair: Pair<u8, i64>, n: u32) -> i64 {
        let Point { x, y: mut height } = p;
        let Mixed(a, Point { x: inner, .. }, Meters(length)) = self.mixed;
        let [[first, ..], [.., mut last]] = self.grid;
        let [p0, Pair { first: q, second: Pair { second: maybe, .. } }] = self.pairs;
        height = height.wrapping_add(1);
        last = last.wrapping_sub(first);
        self.grid[1][0] = last;
        let (c, d);
        if n % 2 == 0 {
            (c, d) = (1i64, true);
        } else {
            c = pair.second;
            d = maybe.is_some();
        }
        let Pair { first: small, .. } = pair;
        let (low, high) = (n as u16, (n >> 16) as u16);
        let (low, high) = (high, low);
        let whole @ (lesser, _) = (low, high);
        let sum = x as i64 + height as i64 + a as i64 + inner as i64 + length as i64 / 7 + last as i64;
        let more = sum.wrapping_add(c) ^ (d as i64) ^ q as i64 ^ small as i64 ^ p0.second.first.x as i64;
        more ^ ((low as i64) << 20) ^ ((high as i64) << 3) ^ (lesser as i64) ^ (whole.1 as i64)
    }

    #[handler]
    fn tuples(&mut self, a: u32, b: i8) -> i64 {
        let pair = both(a, b);
        let mut other = (pair.1.0, pair.0 as u8);
        other.1 = other.1.wrapping_add(1);
        other = (other.0.wrapping_mul(2), other.1);
        let typed: (i64, u8) = (3, other.1);
        let chosen = if a > 5 { pair } else { (7, (b, true)) };
        let size: (usize, [u8; 2]) = (self.ring.buf.len(), [1, 2]);
        let mut swap = (a, 1);
        (swap.0, swap.1) = (swap.1, swap.0);
        sum(chosen)
            + typed.0
            + typed.1 as i64
            + other.0 as i64
            + size.0 as i64
            + size.1[1] as i64
            + swap.0 as i64
    }

    #[handler]
    fn rings(&mut self, value: u32) -> Ring<2> {
        let Ring { at, buf } = self.ring;
        self.ring.buf[at as usize % 5] = value;
        self.ring.at = at.wrapping_add(1);
        self.ring = Ring { at: self.ring.at, ..self.ring };
        let small = Ring { at: 1, buf: [buf[0], buf[4]] };
        match small {
            Ring { buf: [0, rest], .. } => Ring::<2> { at: 0, buf: [rest; 2] },
            Ring { at, buf: [.., 1 | 2] } => Ring { at, buf: [value; 2] },
            other => other,
        }
    }

    #[handler]
    fn whole(&mut self, n: u32) -> Point {
        let Self { point, order, .. } = *self;
        match *self {
            Parts { point: Point { x: 0, .. }, .. } => self.order = n,
            Parts { grid: [[a, _, _], _], .. } if a > 0 => self.order = order ^ 1,
            _ => {
                *self = Self { order: order.wrapping_add(1), ..*self };
            }
        }
        point
    }
}

#[test]
fn structs_and_tuples() {
    check::<Parts>();
}
