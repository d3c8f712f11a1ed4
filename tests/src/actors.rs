//! Actors that the suites run: order, faults, sends, and the whole arithmetic.

#![allow(clippy::missing_panics_doc)] // Failing is what half of them are for.

use gpu_actor_rt::{math, num, prelude::*};

/// Expects the numbers 0, 1, 2, .. in this order.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Sequence {
    expected: u32,
}

#[gpu_actor]
impl Sequence {
    /// Takes the next number; any other is a fault.
    #[handler]
    pub fn next(&mut self, number: u32) {
        assert!(number == self.expected, "out of order");
        self.expected += 1;
    }

    /// How many numbers came.
    #[handler]
    pub fn count(&self) -> u32 {
        self.expected
    }
}

/// Passes numbers on to a [`Sequence`].
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Relay {
    next: u32,
}

#[gpu_actor]
impl Relay {
    /// Sends the next `count` numbers to `to`.
    #[handler]
    pub fn burst(&mut self, cx: &mut Cx, to: ActorId<Sequence>, count: u32) {
        for _ in 0..count {
            cx.tell(to.next(self.next));
            self.next += 1;
        }
    }

    /// Sends one number, then fails: the number must not arrive.
    #[handler]
    pub fn send_and_fail(&mut self, cx: &mut Cx, to: ActorId<Sequence>) {
        cx.tell(to.next(self.next));
        panic!("after the send");
    }
}

/// Bounces a number between two actors on the device until it is zero.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Player {
    hits: u64,
}

#[gpu_actor]
impl Player {
    /// Returns the ball to `other` as long as `left` is not zero.
    #[handler]
    pub fn hit(&mut self, cx: &mut Cx, me: ActorId<Player>, other: ActorId<Player>, left: u32) {
        self.hits += 1;
        if left > 0 {
            cx.tell(other.hit(other, me, left - 1));
        }
    }

    /// Balls hit.
    #[handler]
    pub fn hits(&self) -> u64 {
        self.hits
    }
}

/// Fails in every way that a handler can.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Faulty {
    calls: u32,
    table: [u32; 4],
}

#[gpu_actor]
impl Faulty {
    /// A sum that does not fit.
    #[handler]
    pub fn overflow(&mut self, by: u32) -> u32 {
        self.calls += 1;
        u32::MAX + by
    }

    /// An index out of bounds.
    #[handler]
    pub fn bounds(&mut self, index: u32) -> u32 {
        self.calls += 1;
        self.table[index as usize]
    }

    /// A quotient.
    #[handler]
    pub fn divide(&mut self, a: i32, b: i32) -> i32 {
        self.calls += 1;
        a / b
    }

    /// A shifted number.
    #[handler]
    pub fn shift(&mut self, by: u32) -> u32 {
        self.calls += 1;
        1u32 << by
    }

    /// An assertion with a message.
    #[handler]
    pub fn check(&mut self, value: u32) -> u32 {
        self.calls += 1;
        assert!(value < 10, "value is ten or more");
        value
    }

    /// A panic.
    #[handler]
    pub fn fail(&mut self) -> u32 {
        self.calls += 1;
        panic!("asked to fail")
    }

    /// Calls so far, failed ones included: state written before a fault stays.
    #[handler]
    pub fn calls(&self) -> u32 {
        self.calls
    }
}

/// Never returns by itself.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Spinner {
    turns: u64,
}

#[gpu_actor]
impl Spinner {
    /// Turns for ever.
    #[handler]
    pub fn spin(&mut self) -> u64 {
        loop {
            self.turns = self.turns.wrapping_add(1);
        }
    }

    /// Turns so far.
    #[handler]
    pub fn turns(&self) -> u64 {
        self.turns
    }
}

/// A point with a velocity.
#[derive(GpuData, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Motion {
    /// Position.
    pub at: [f32; 3],
    /// Velocity.
    pub by: [f32; 3],
    /// Whether it moves.
    pub moves: bool,
}

impl Default for Motion {
    fn default() -> Self {
        Self { at: [0.0; 3], by: [1.0, 2.0, 3.0], moves: true }
    }
}

/// A step of a motion.
#[gpu_fn]
fn step(before: Motion, dt: f32) -> Motion {
    let mut after = before;
    if !before.moves {
        return after;
    }
    for axis in 0..3 {
        after.at[axis] = before.at[axis] + before.by[axis] * dt;
    }
    after
}

/// The largest power of two that is not above `n`, by a loop.
#[gpu_fn]
fn floor_power(n: u32) -> u32 {
    let mut power = 1;
    while power <= n / 2 {
        power *= 2;
    }
    power
}

/// One handler per corner of the language.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Arithmetic {
    u8s: [u8; 4],
    i16s: [i16; 4],
    wide: u64,
    signed: i64,
    single: f32,
    double: f64,
    motion: Motion,
    flag: bool,
}

/// A constant of the handlers below.
const LIMIT: i32 = 1000;

#[gpu_actor]
impl Arithmetic {
    /// All 8-bit operators.
    #[handler]
    pub fn bytes(&mut self, a: u8, b: u8, c: i8, d: i8, by: u32) -> u8 {
        self.u8s[0] = a & b | (a ^ b);
        self.u8s[1] = a.wrapping_add(b).wrapping_mul(3);
        self.u8s[2] = (c as u8).wrapping_sub(d as u8);
        self.u8s[3] = !a >> 3;
        let product = c / d + (c % d);
        self.flag = product > 0 && a > b || c == d;
        (a - b).max(1) << by
    }

    /// All 16-bit operators.
    #[handler]
    pub fn halves(&mut self, a: i16, b: i16, c: u16, d: u16) -> i16 {
        self.i16s[0] = a + b;
        self.i16s[1] = a.wrapping_mul(b);
        self.i16s[2] = -(a / 2) >> 1;
        self.i16s[3] = (c % d) as i16;
        a.min(b) - (c as i16)
    }

    /// 32 bits, loops, and a helper.
    #[handler]
    pub fn words(&mut self, n: u32, step_by: i32) -> i32 {
        let mut sum = 0;
        for i in 0..n % 64 {
            if i % 7 == 3 {
                continue;
            }
            sum += step_by * i as i32;
            if sum > LIMIT {
                break;
            }
        }
        for j in 1..=n % 5 {
            sum -= j as i32;
        }
        let power = floor_power(n);
        sum ^ (power as i32)
    }

    /// 64 bits.
    #[handler]
    pub fn longs(&mut self, a: u64, b: u64, c: i64, d: i64) -> u64 {
        self.wide = a.wrapping_mul(b) ^ (a >> 7) ^ (b << 9);
        self.signed = if c < d { c * 3 } else { c / d };
        self.signed -= c % d;
        a + b
    }

    /// Floats of both widths.
    #[allow(clippy::float_cmp)]
    #[handler]
    pub fn floats(&mut self, a: f32, b: f32, c: f64, d: f64) -> f64 {
        self.single = a * b + a / b - self.single;
        self.double = c * d - c / d + (a as f64);
        self.flag = a < b || c != d;
        if a >= b {
            return (a - b) as f64;
        }
        self.double.min(c).max(d)
    }

    /// The library's choices: extremes, also of zeros and NaN, and bounds that are the wrong way around.
    #[handler]
    pub fn choices(&mut self, a: f32, b: f32, c: f64, d: f64, low: i8, high: i8) -> f32 {
        self.double = c.min(d) / c.max(d);
        self.u8s[0] = (self.i16s[0] as i8).clamp(low, high) as u8;
        self.single = a.clamp(b, 2.0);
        a.min(b).copysign(a.max(b)) / b.min(a)
    }

    /// Casts between all kinds.
    #[handler]
    pub fn casts(&mut self, a: f64, b: f32, c: i64, d: u64, e: bool) -> i32 {
        self.u8s[0] = a as u8;
        self.u8s[1] = b as u8;
        self.u8s[2] = c as u8;
        self.u8s[3] = e as u8;
        self.i16s[0] = a as i16;
        self.i16s[1] = b as i16;
        self.i16s[2] = d as i16;
        self.wide = a as u64;
        self.signed = b as i64;
        self.single = d as f32;
        self.double = c as f64;
        (a as i32) ^ (b as i32) ^ (c as i32)
    }

    /// Structs, arrays and nested blocks.
    #[handler]
    pub fn moves(&mut self, dt: f32, steps: u32, which: u8) -> Motion {
        let old = self.motion;
        let mut i = 0;
        while i < steps % 8 {
            self.motion = step(self.motion, dt);
            i += 1;
        }
        let chosen = if which & 1 == 0 {
            old
        } else {
            let mut other = old;
            other.by[(which % 4) as usize] = dt;
            other
        };
        self.flag = chosen.moves;
        chosen
    }
}

/// Sends to ids that name nobody.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Misdirected {
    calls: u32,
}

#[gpu_actor]
impl Misdirected {
    /// Sends to whatever `to` says.
    #[handler]
    pub fn send(&mut self, cx: &mut Cx, to: ActorId<Sequence>, other: ActorId<Sequence>) {
        self.calls += 1;
        cx.tell(to.next(0));
        cx.tell(other.next(0));
    }
}

// ANCHOR: math
/// A probe of a heat flow: transcendental functions in handlers.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Probe {
    degrees: f64,
    wave: f32,
}

#[gpu_actor]
impl Probe {
    /// Cools towards `around` for so many seconds.
    #[handler]
    pub fn cool(&mut self, around: f64, rate: f64, seconds: f64) -> f64 {
        self.degrees = around + (self.degrees - around) * math::f64::exp(-rate * seconds);
        self.degrees
    }

    /// A damped oscillation, and its level in decades.
    #[handler]
    pub fn swing(&mut self, phase: f32, damping: f32) -> f32 {
        self.wave = math::f32::sin(phase) * math::f32::powf(damping, phase) + math::f32::tanh(damping);
        math::f32::ln(self.wave.abs()) / math::f32::ln(10.0)
    }
}
// ANCHOR_END: math

/// A generic function of a float.
#[gpu_fn]
fn exponential<T: num::Float>(x: T) -> T {
    math::exp(x)
}

/// The rest of the functions.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Functions {
    bits: u64,
}

#[gpu_actor]
impl Functions {
    /// Those of `f64`.
    #[handler]
    pub fn doubles(&mut self, x: f64, y: f64) -> f64 {
        self.bits = math::f64::powf(x, y).to_bits();
        math::f64::sin(x) + math::f64::cos(y) * math::f64::tanh(f64::from_bits(self.bits))
    }

    /// Logarithms and powers.
    #[handler]
    pub fn logs(&mut self, x: f64, y: f32) -> f32 {
        self.bits = (math::f64::ln(x) + math::f64::log2(x) + math::f64::exp2(x)).to_bits();
        exponential(y) + math::cos(y) + math::f32::exp2(y) * math::f32::log2(f32::from_bits(self.bits as u32))
    }
}
