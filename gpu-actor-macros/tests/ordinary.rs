//! What programs are full of, in the words that they use for it: generic types of one's own with methods, conversions with `from`,
//! text as bytes.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used)]

mod common;

use gpu_actor_rt::num::Number;
use gpu_actor_rt::prelude::*;

use common::check;

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Vector<T> {
    x: T,
    y: T,
}

#[gpu_fn]
impl<T: Number> Vector<T> {
    fn dot(self, other: Self) -> T {
        self.x * other.x + self.y * other.y
    }

    fn plus(self, other: Vector<T>) -> Vector<T> {
        Vector { x: self.x + other.x, y: self.y + other.y }
    }
}

/// Derived `Copy` has a bound on `T`, and not on the field's type.
#[derive(GpuData, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Queue<T, const N: usize> {
    data: [T; N],
    head: u8,
    held: u8,
}

impl<T: Default + Copy, const N: usize> Default for Queue<T, N> {
    fn default() -> Self {
        Self { data: [T::default(); N], head: 0, held: 0 }
    }
}

#[gpu_fn]
impl<T: GpuData, const N: usize> Queue<T, N> {
    const CAPACITY: u8 = N as u8;

    fn put(&mut self, value: T) -> bool {
        if self.held >= Self::CAPACITY {
            return false;
        }
        let at = (u32::from(self.head) + u32::from(self.held)) % (N as u32);
        self.data[at as usize] = value;
        self.held += 1;
        true
    }

    fn len(&self) -> u8 {
        self.held.min(self.data.len() as u8)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self) -> Option<T> {
        if self.held == 0 {
            return None;
        }
        let value = self.data[usize::from(self.head) % N];
        self.head = (self.head % Self::CAPACITY + 1) % Self::CAPACITY;
        self.held -= 1;
        Some(value)
    }
}

#[derive(GpuData, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Matrix<const R: usize, const C: usize> {
    cells: [[f64; C]; R],
}

impl<const R: usize, const C: usize> Default for Matrix<R, C> {
    fn default() -> Self {
        Self { cells: [[0.0; C]; R] }
    }
}

#[gpu_fn]
impl<const R: usize, const C: usize> Matrix<R, C> {
    fn times(&self, v: [f64; C]) -> [f64; R] {
        let mut out = [0.0; R];
        for r in 0..R {
            for c in 0..C {
                out[r] += self.cells[r][c] * v[c];
            }
        }
        out
    }

    fn transposed(&self) -> Matrix<C, R> {
        let mut out = Matrix { cells: [[0.0; R]; C] };
        for r in 0..R {
            for c in 0..C {
                out.cells[c][r] = self.cells[r][c];
            }
        }
        out
    }
}

#[gpu_actor]
#[derive(Default)]
struct Generic {
    fine: Vector<f32>,
    whole: Vector<i16>,
    queue: Queue<u16, 5>,
    vectors: Queue<Vector<i16>, 2>,
    matrix: Matrix<2, 3>,
}

#[gpu_actor]
impl Generic {
    #[handler]
    fn vectors(&mut self, fine: Vector<f32>, whole: Vector<i16>) -> f32 {
        self.fine = self.fine.plus(fine);
        if !self.vectors.put(whole) {
            let Some(old) = self.vectors.take() else { panic!("full and empty") };
            self.whole = old;
        }
        self.whole = self.whole.plus(whole);
        f32::from(self.whole.dot(Vector { x: 1, y: -1 })) + self.fine.dot(fine)
    }

    #[handler]
    fn queue(&mut self, value: u16) -> Option<u16> {
        if value == 7 {
            let copy = self.queue;
            return if copy.is_empty() {
                None
            } else {
                Some(u16::from(copy.len()) ^ self.vectors.data.len() as u16)
            };
        }
        if self.queue.len() < 5 && self.queue.put(value) { None } else { self.queue.take() }
    }

    #[handler]
    fn matrix(&mut self, v: [f64; 3]) -> [f64; 2] {
        let out = self.matrix.times(v);
        self.matrix.cells[1] = self.matrix.transposed().times(out);
        out
    }
}

#[gpu_actor]
#[derive(Default)]
struct Words {
    text: [u8; 4],
    log: [u32; 3],
    at: u32,
}

#[gpu_actor]
impl Words {
    /// Helpers of an actor are called on `self`: what numbers have methods for, they may be called as well.
    #[gpu_fn]
    fn log(&mut self, what: u32) -> u32 {
        self.log[(self.at % 3) as usize] = what;
        self.at = self.at.wrapping_add(1);
        self.len().max(1)
    }

    #[gpu_fn]
    fn len(&self) -> u32 {
        self.at.min(3)
    }

    #[handler]
    fn bytes(&mut self, word: [u8; 4], n: u8) -> u32 {
        self.text = if word == *b"GET " { *b"\x00\xff\"a" } else { *b"none" };
        let mut same = 0;
        for (i, byte) in (*b"help").into_iter().enumerate() {
            same += u32::from(word[i] == byte);
        }
        let vowels = *b"aei";
        self.log(same + u32::from(n)) ^ u32::from(vowels[usize::from(n % 3)])
    }

    #[gpu_fn]
    fn max(&mut self) -> u32 {
        self.log[2] = self.log[2].wrapping_add(9);
        self.log[0].max(self.log[1])
    }

    /// The loop sees the array as it was, although what writes to it has the name of a method of numbers.
    #[handler]
    fn written_while_looping(&mut self) -> u32 {
        let mut sum = 0u32;
        for entry in self.log {
            sum = sum.wrapping_mul(31) ^ entry ^ self.max();
        }
        sum
    }

    #[handler]
    fn wider(&mut self, a: u8, b: i16, c: bool, d: f32) -> f64 {
        let wide = u64::from(a) << 40 | u64::from(c);
        let signed = i64::from(b) - i64::from(a) + i64::from(wide as u32);
        self.at = u32::from(a) + u32::from(c);
        f64::from(d)
            + f64::from(b)
            + f64::from(f32::from(a))
            + f64::from(c)
            + signed as f64
            + usize::from(a) as f64
    }
}

#[test]
fn generic_types() {
    check::<Generic>();
}

#[test]
fn words() {
    check::<Words>();
}
