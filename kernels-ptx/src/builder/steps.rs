//! What `for` loops run through: numbers in steps, as `Range`, `Rev` and `StepBy` of the standard library have them.
//!
//! Rule kept here: nothing is counted past an end. A range can end at the largest number and begin at the smallest, so what
//! could wrap looks whether there is more before it counts on.

use super::{Builder, Faulting, constant};
use crate::{
    abi::fault::code,
    ir::{CompareOp, ScalarType, Stmt},
    lang::{GpuType, Int, Place, Val, slice::Elements},
};

const STEP: Faulting = Faulting("`step_by` of a variable", "use a constant step");

/// The numbers that a `for` loop runs through.
#[derive(Clone, Copy, Debug)]
pub struct Steps<T>(Shape<T>);

#[derive(Clone, Copy, Debug)]
enum Shape<T> {
    /// One by one, `to` not included.
    Open { from: Val<T>, to: Val<T>, down: bool },
    /// One by one, both included.
    Closed { from: Val<T>, to: Val<T>, down: bool },
    /// `first`, and `left` times a step on from it, if there is anything.
    Strided { first: Val<T>, any: Val<bool>, left: Val<u64>, step: Val<T>, down: bool },
}

/// The counters of a `for` loop that has begun.
#[derive(Debug)]
pub struct Turns<T: GpuType> {
    steps: Steps<T>,
    at: Place<T>,
    more: Option<Place<bool>>,
    left: Option<Place<u64>>,
}

impl Builder {
    /// `from..to`.
    ///
    /// ```
    /// use kernels_ptx::{builder::Builder, ir::ScalarType};
    ///
    /// // The sum of every third number below `n`, from the last to the first.
    /// let b = Builder::func("sum", &[ScalarType::U32], Some(ScalarType::U32));
    /// let sum = b.local(b.lit(0u32));
    /// let steps = b.rev(b.step_by(b.range(b.lit(0), b.arg::<u32>(0)), b.lit(3), 1));
    /// let turns = b.turns(steps);
    /// let label = b.loop_begin(1);
    /// b.if_begin(b.turns_more(&turns));
    /// b.if_else();
    /// b.brk(label);
    /// b.if_end();
    /// b.write(sum, b.wrapping_add(b.read(sum), b.turns_item(&turns)));
    /// b.loop_continuing();
    /// b.turns_next(&turns);
    /// b.loop_end();
    /// b.result(b.read(sum));
    /// b.finish()?;
    /// # Ok::<(), kernels_ptx::error::LowerError>(())
    /// ```
    pub fn range<T: Int>(&self, from: Val<T>, to: Val<T>) -> Steps<T> {
        Steps(Shape::Open { from, to, down: false })
    }

    /// `from..=to`.
    pub fn range_inclusive<T: Int>(&self, from: Val<T>, to: Val<T>) -> Steps<T> {
        Steps(Shape::Closed { from, to, down: false })
    }

    /// The indices of an array or slice.
    pub fn indices<T: Elements>(&self, place: Place<T>) -> Steps<usize> {
        self.range(self.lit(0), self.len(place))
    }

    /// `steps.rev()`.
    pub fn rev<T: Int>(&self, steps: Steps<T>) -> Steps<T> {
        Steps(match steps.0 {
            Shape::Open { from, to, down } => Shape::Open { from, to, down: !down },
            Shape::Closed { from, to, down } => Shape::Closed { from, to, down: !down },
            Shape::Strided { first, any, left, step, down } => {
                let distance = self.wrapping_mul(step, self.cast(left));
                let first = self.move_on(first, distance, down);
                Shape::Strided { first, any, left, step, down: !down }
            }
        })
    }

    /// `steps.step_by(n)`. Faults, as the failed assertion that it is in `std`, if `n` is zero.
    pub fn step_by<T: Int>(&self, steps: Steps<T>, n: Val<usize>, line: u32) -> Steps<T> {
        let zero = self.compare(CompareOp::Ne, n.operand(), constant(ScalarType::U64, 0));
        let site = match n.constant() {
            Some(c) if c.bits != 0 => None,
            _ => self.site(code::ASSERT, line, Some("assertion failed: step != 0"), STEP),
        };
        self.fault_if(zero, false, site);
        let (first, any, left, step, down) = match steps.0 {
            Shape::Open { from, to, down } => {
                let last = self.wrapping_sub(to, one());
                (if down { last } else { from }, self.lt(from, to), self.distance(from, last), one(), down)
            }
            Shape::Closed { from, to, down } => {
                (if down { to } else { from }, self.le(from, to), self.distance(from, to), one(), down)
            }
            Shape::Strided { first, any, left, step, down } => (first, any, left, step, down),
        };
        // A step beyond the type's range is never taken: there is nothing left of such a distance.
        let step = self.wrapping_mul(step, self.cast(n));
        let left = self.steps_in(left, n, line);
        Steps(Shape::Strided { first, any, left, step, down })
    }

    /// How many steps of `n`, which is not zero, there are in a distance.
    fn steps_in(&self, distance: Val<u64>, n: Val<usize>, line: u32) -> Val<u64> {
        let by = self.cast::<usize, u64>(n);
        if by.constant().is_some_and(|c| c.bits == 0) {
            return distance;
        }
        let zero = match by.constant() {
            Some(_) => None,
            None => self.site(code::DIVISION_BY_ZERO, line, None, STEP),
        };
        let dst = self.reg(ScalarType::U64);
        self.push(Stmt::Divide {
            remainder: false,
            dst,
            left: distance.operand(),
            right: by.operand(),
            zero,
            overflow: None,
        });
        Val::of(crate::ir::Operand::Reg(dst))
    }

    /// From `from` up to `to`, without a sign: it has room for the whole range of the type.
    fn distance<T: Int>(&self, from: Val<T>, to: Val<T>) -> Val<u64> {
        self.cast(self.cast::<T, T::Unsigned>(self.wrapping_sub(to, from)))
    }

    fn move_on<T: Int>(&self, at: Val<T>, by: Val<T>, down: bool) -> Val<T> {
        if down { self.wrapping_sub(at, by) } else { self.wrapping_add(at, by) }
    }

    /// The counters of a loop through `steps`, which stand before the loop.
    pub fn turns<T: Int>(&self, steps: Steps<T>) -> Turns<T> {
        match steps.0 {
            Shape::Open { from, to, down } => {
                let at = self.local(if down { to } else { from });
                Turns { steps, at, more: None, left: None }
            }
            Shape::Closed { from, to, down } => {
                let at = self.local(if down { to } else { from });
                Turns { steps, at, more: Some(self.local(self.le(from, to))), left: None }
            }
            Shape::Strided { first, any, left, .. } => {
                let (at, more) = (self.local(first), self.local(any));
                Turns { steps, at, more: Some(more), left: Some(self.local(left)) }
            }
        }
    }

    /// Whether there is another turn: the first thing in the loop.
    pub fn turns_more<T: Int>(&self, turns: &Turns<T>) -> Val<bool> {
        match (turns.steps.0, turns.more) {
            (_, Some(more)) => self.read(more),
            (Shape::Open { from, down: true, .. }, None) => self.lt(from, self.read(turns.at)),
            (Shape::Open { to, .. } | Shape::Closed { to, .. }, None) => self.lt(self.read(turns.at), to),
            (Shape::Strided { any, .. }, None) => any,
        }
    }

    /// The turn's number: asked once per turn, after it is known that there is one.
    pub fn turns_item<T: Int>(&self, turns: &Turns<T>) -> Val<T> {
        if let Shape::Open { down: true, .. } = turns.steps.0 {
            self.write(turns.at, self.wrapping_sub(self.read(turns.at), one()));
        }
        self.read(turns.at)
    }

    /// Counts on: the last thing between two turns.
    pub fn turns_next<T: Int>(&self, turns: &Turns<T>) {
        let at = turns.at;
        let (step, down) = match turns.steps.0 {
            // It has counted when the turn began.
            Shape::Open { down: true, .. } => return,
            Shape::Open { .. } => (one(), false),
            Shape::Closed { from, to, down } => {
                let more = if down { self.lt(from, self.read(at)) } else { self.lt(self.read(at), to) };
                if let Some(place) = turns.more {
                    self.write(place, more);
                }
                (one(), down)
            }
            Shape::Strided { step, down, .. } => {
                if let (Some(more), Some(left)) = (turns.more, turns.left) {
                    self.write(more, self.ne(self.read(left), self.lit(0)));
                    self.write(left, self.wrapping_sub(self.read(left), self.lit(1)));
                }
                (step, down)
            }
        };
        self.write(at, self.move_on(self.read(at), step, down));
    }
}

fn one<T: Int>() -> Val<T> {
    Val::of(constant(T::SCALAR, 1))
}
