//! What the language reference shows of control flow and functions.

use gpu_actor_rt::num::Number;
use gpu_actor_rt::prelude::*;

// ANCHOR: methods
/// A point in the plane.
#[derive(GpuData, Clone, Copy, Default, Debug, PartialEq)]
#[repr(C)]
pub struct Point {
    x: f64,
    y: f64,
}

#[gpu_fn]
impl Point {
    const ORIGIN: Point = Point { x: 0.0, y: 0.0 };

    fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }

    fn length(&self) -> f64 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    fn scale(&mut self, by: f64) {
        self.x *= by;
        self.y *= by;
    }
}
// ANCHOR_END: methods

// ANCHOR: generics
/// The sum of the products of two lists.
#[gpu_fn]
pub fn dot<T: Number, const N: usize>(left: [T; N], right: [T; N]) -> T {
    let mut sum = T::ZERO;
    for (i, x) in left.into_iter().enumerate() {
        sum += x * right[i];
    }
    sum
}
// ANCHOR_END: generics

/// Something that moves.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Robot {
    position: Point,
    path: [Point; 4],
    weights: [u32; 4],
    grid: [[u8; 8]; 8],
}

#[gpu_actor]
impl Robot {
    // ANCHOR: loops
    /// Every third step, the latest first; then all steps in their order.
    #[handler]
    pub fn trace(&mut self, steps: u32) -> u32 {
        let mut hash = 0u32;
        for step in (0..steps % 100).step_by(3).rev() {
            hash = hash.wrapping_mul(31) ^ step;
        }
        for point in self.path {
            self.position = self.position.plus(point);
        }
        for (i, weight) in self.weights.into_iter().enumerate() {
            hash = hash.wrapping_add(weight * i as u32);
        }
        hash
    }
    // ANCHOR_END: loops

    // ANCHOR: labels
    /// Where the first cell above a limit is, in a grid whose rows end at a zero.
    #[handler]
    pub fn find(&self, limit: u8) -> u32 {
        'search: {
            'rows: for row in 0..8 {
                for column in 0..8 {
                    let cell = self.grid[row][column];
                    if cell == 0 {
                        continue 'rows;
                    }
                    if cell > limit {
                        break 'search (row * 8 + column) as u32;
                    }
                }
            }
            u32::MAX
        }
    }
    // ANCHOR_END: labels

    // ANCHOR: helpers
    /// Moves on, and says so if it is far away.
    #[handler]
    pub fn step(&mut self, cx: &mut Cx, x: f64, y: f64, base: ActorId<Robot>) -> bool {
        self.position = self.position.plus(Point::new(x, y));
        self.path[3].scale(0.5);
        if self.is_far() {
            self.report(cx, base);
        }
        self.position == Point::ORIGIN
    }

    #[gpu_fn]
    fn is_far(&self) -> bool {
        self.position.length() > 100.0
    }

    #[gpu_fn]
    fn report(&mut self, cx: &mut Cx, base: ActorId<Robot>) {
        cx.tell(base.trace(dot(self.weights, [1, 10, 100, 1000])));
        self.position = Point::ORIGIN;
    }
    // ANCHOR_END: helpers
}
