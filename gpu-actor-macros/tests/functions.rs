//! Functions of types, helpers of actors and generic functions: the same natively and on the device.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, unreachable_pub)]

mod common;

use gpu_actor_rt::num::{Float, Integer, Number, SignedNumber};
use gpu_actor_rt::prelude::*;

use common::check;

mod geometry {
    use gpu_actor_rt::prelude::*;

    #[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
    #[repr(C)]
    pub struct Vec3 {
        pub x: f32,
        pub y: f32,
        pub z: f32,
    }

    #[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
    #[repr(C)]
    pub struct Counter {
        pub turns: u32,
        pub last: [u8; 4],
    }
}

use geometry::{Counter, Vec3};

// Not beside the type: what is found is found by the type.
#[gpu_fn]
impl Vec3 {
    /// The axis along x.
    const X: Vec3 = Vec3 { x: 1.0, y: 0.0, z: 0.0 };
    const LIMIT: f32 = 1.0e6;

    fn splat(x: f32) -> Self {
        let mut all = Self::X;
        all.x = x;
        all.y = x;
        all.z = x;
        all
    }

    fn plus(self, other: Vec3) -> Vec3 {
        let mut sum = self;
        sum.x += other.x;
        sum.y += other.y;
        sum.z += other.z;
        sum
    }

    fn scaled(mut self, by: f32) -> Vec3 {
        self.x *= by;
        self.y *= by;
        self.z *= by;
        self
    }

    fn dot(&self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    fn scale(&mut self, by: f32) {
        *self = self.scaled(by);
        self.keep();
    }

    fn keep(&mut self) -> bool {
        if self.dot(*self) > Self::LIMIT {
            *self = Self::splat(1.0).plus(Self::X);
            return false;
        }
        true
    }

    fn norm(&self) -> f32 {
        assert!(self.dot(*self) >= 0.0, "not a number");
        self.dot(*self).sqrt()
    }
}

#[gpu_fn]
impl Counter {
    fn next(&mut self) -> u32 {
        self.turns += 1;
        self.last[(self.turns % 4) as usize] = self.turns as u8;
        self.turns
    }

    fn set(&mut self, index: u32, to: u8) -> u8 {
        let before = self.last[index as usize];
        self.last[index as usize] = to;
        before
    }

    fn sum(self) -> u32 {
        let mut sum = 0;
        for x in self.last {
            sum += x as u32;
        }
        sum
    }

    fn log(cx: &mut Cx, to: ActorId<Body>, times: u8) {
        for _ in 0..times % 3 {
            cx.tell(to.step(0.5));
        }
    }
}

#[gpu_actor]
#[derive(Default)]
struct Body {
    position: Vec3,
    velocity: Vec3,
    trail: [Vec3; 3],
    counter: Counter,
    counters: [Counter; 2],
}

#[gpu_actor]
impl Body {
    const DRAG: f32 = 0.75;

    #[handler]
    fn step(&mut self, time: f32) -> f32 {
        self.trail[(self.counter.next() % 3) as usize] = self.position;
        self.position = self.position.plus(self.velocity.scaled(time));
        self.velocity.scale(Self::DRAG);
        self.trail[2].scale(time);
        self.position.norm() + self.trail[0].plus(self.trail[1]).norm()
    }

    /// The receiver is evaluated first; by value it is copied before the arguments change it.
    #[handler]
    fn order(&mut self, i: u32, by: u8) -> u32 {
        let sum = self.counter.sum()
            + self.counters[(i % 3) as usize].set(
                {
                    self.counter.turns += 1;
                    i % 5
                },
                by,
            ) as u32;
        let moved = self.position.plus({
            self.position.x = 3.0;
            self.position
        });
        self.position = moved;
        self.counter.turns = self.counter.next() * 2 + self.counter.next();
        let mut local = self.counter;
        local.next();
        self.counters[0] = local;
        Counter::default_turns(local.turns) + sum
    }

    #[handler]
    fn temporaries(&mut self, x: f32) -> f32 {
        let made = Vec3::splat(x).plus(Vec3::X).scaled(2.0);
        let again = Vec3::plus(made, <Vec3>::splat(1.0));
        let picked = if x > 0.0 { again } else { made };
        [made, again, Vec3::X][self.counter.turns as usize % 3].dot(picked) + { made }.norm()
    }

    #[gpu_fn]
    fn advance(&mut self, cx: &mut Cx, to: ActorId<Body>, by: f32) -> bool {
        self.velocity = self.velocity.plus(Vec3::splat(by));
        Counter::log(cx, to, self.counter.turns as u8);
        if !self.slow() {
            return false;
        }
        notify(cx, to);
        self.limit(4.0)
    }

    #[gpu_fn]
    fn slow(&self) -> bool {
        self.velocity.dot(self.velocity) < Self::square(8.0)
    }

    #[gpu_fn]
    fn square(x: f32) -> f32 {
        x * x
    }

    #[gpu_fn]
    fn limit(&mut self, most: f32) -> bool {
        let within = self.position.norm() < most;
        if !within {
            self.position = Vec3::splat(most);
        }
        within
    }

    #[handler]
    fn push(&mut self, cx: &mut Cx, to: ActorId<Body>, by: f32) -> bool {
        let first = self.advance(cx, to, by);
        self.limit(100.0) && first | self.advance(cx, to, -by)
    }

    /// Only for the host.
    #[allow(dead_code)]
    fn name(&self) -> String {
        format!("{:?}", self.position)
    }
}

#[gpu_fn]
impl Counter {
    fn default_turns(turns: u32) -> u32 {
        turns % 100
    }
}

#[gpu_fn]
fn notify(cx: &mut Cx, to: ActorId<Body>) -> u64 {
    cx.tell(to.temporaries(1.5));
    cx.now()
}

#[gpu_fn]
fn sum<T: Number, const N: usize>(list: [T; N]) -> T {
    let mut sum = T::ZERO;
    for x in list {
        sum += x;
    }
    sum
}

#[gpu_fn]
fn greatest<T, const N: usize>(list: [T; N]) -> T
where
    T: Number + Copy,
{
    let mut greatest = list[N - 1];
    for i in 0..N - 1 {
        greatest = greatest.max(list[i]);
    }
    greatest.clamp(T::ZERO, T::MAX)
}

#[gpu_fn]
fn gcd<T: Integer>(a: T, b: T) -> T {
    let mut left = a;
    let mut right = b;
    while right != T::ZERO {
        let rest = left % right;
        left = right;
        right = rest;
    }
    left
}

#[gpu_fn]
fn mixed<T: Integer>(a: T, b: T) -> T {
    let bits = (a & b) | (a ^ b) & !b;
    let turned = bits.rotate_left(a.count_ones()).wrapping_add(b.swap_bytes());
    turned.wrapping_mul(a) << (T::BITS / 2) >> 3 ^ b.saturating_sub(a)
}

#[gpu_fn]
fn polynomial<T: Float, const N: usize>(x: T, factors: [T; N]) -> T {
    let mut value = T::ZERO;
    for factor in factors.into_iter().rev() {
        value = value.mul_add(x, factor);
    }
    if value.is_nan() { -T::ONE } else { value.abs().sqrt().floor() }
}

#[gpu_fn]
fn towards<T: SignedNumber>(from: T, to: T) -> T {
    from + (to - from).signum() * (T::ONE + T::ONE)
}

#[gpu_fn]
fn reversed<T: GpuData, const N: usize>(list: [T; N]) -> [T; N] {
    let mut turned = list;
    for i in 0..N {
        turned[i] = list[N - 1 - i];
    }
    turned
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Window {
    items: [i32; 6],
}

#[gpu_fn]
impl Window {
    fn total<T: Number + GpuData, const N: usize>(&self, add: [T; N], none: T) -> T {
        let mut total = none;
        for x in reversed(add) {
            total += x;
        }
        total
    }

    fn first<const N: usize>(self) -> [i32; N] {
        let mut first = [0; N];
        for i in 0..N {
            first[i] = self.items[i];
        }
        first
    }
}

#[gpu_actor]
#[derive(Default)]
struct Generic {
    bytes: [u8; 5],
    wide: [i64; 3],
    real: [f64; 4],
    window: Window,
}

#[gpu_actor]
impl Generic {
    #[handler]
    fn sums(&mut self, x: u8) -> f64 {
        self.bytes[0] = x;
        let total = sum(self.bytes) as f64 + sum(self.wide) as f64 + sum([1u32, 2, 3]) as f64;
        total
            + sum::<f64, 4>(self.real)
            + greatest(self.real)
            + greatest([x; 7]) as f64
            + greatest(self.wide) as f64
    }

    #[handler]
    fn integers(&mut self, a: u16, b: u16, c: i64) -> u64 {
        self.wide[0] = gcd(c, self.wide[1]);
        self.bytes[1] = mixed(self.bytes[2], a as u8);
        gcd(a, b) as u64 + mixed(c as u64, b as u64) / 4 + towards(c, 100) as u64
    }

    #[handler]
    fn floats(&mut self, x: f32, y: f64) -> f64 {
        self.real = reversed(self.real);
        polynomial(x, [1.0, -2.5, 0.125]) as f64
            + polynomial(y, self.real)
            + towards(y, 0.0)
            + towards(x, 1.0) as f64
    }

    #[handler]
    fn methods(&mut self, x: i32, y: f32) -> f32 {
        self.window.items[0] = x;
        let total: i32 = self.window.total(self.window.first::<3>(), x) / 2;
        total as f32 + self.window.total([y, 1.0], 0.0)
    }
}

#[test]
fn functions_of_types() {
    check::<Body>();
    assert_eq!(Vec3::splat(1.0).dot(Vec3::X), 1.0);
}

#[test]
fn generic_functions() {
    check::<Generic>();
}

#[gpu_fn]
fn ping<T: Number, const N: usize>(list: [T; N], x: u32) -> T {
    Bouncer::pong(list, x)
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Bouncer {}

#[gpu_fn]
impl Bouncer {
    fn pong<T: Number, const N: usize>(list: [T; N], x: u32) -> T {
        if x > 0 { ping(list, x - 1) } else { T::ZERO }
    }
}

#[test]
fn a_circle_through_items_is_shown_with_its_instances() {
    assert_eq!(ping([1.5, 2.0], 3), 0.0);
    let b = gpu_actor_rt::__private::Builder::handler("recursive");
    let _ = ping::__gpu(&b, b.lit([1.5f32, 2.0]), b.lit(3));
    let error = b.finish().unwrap_err().to_string();
    let (ping, pong) = ("functions::ping::<f32, 2>", "functions::Bouncer::pong::<f32, 2>");
    assert!(error.contains(&format!("{ping} -> {pong} -> {ping}")), "{error}");
}

/// Two instances of one function are no circle.
#[test]
fn instances_are_functions_of_their_own() {
    #[gpu_fn]
    #[allow(dead_code)]
    fn twice<T: Number>(x: T) -> T {
        x + x
    }

    let b = gpu_actor_rt::__private::Builder::handler("instances");
    let inner = twice::__gpu(&b, b.lit(3u8));
    let _ = twice::__gpu(&b, b.cast::<_, f32>(inner));
    b.finish().unwrap();
}
