//! Intervals of integers: what an operation can give, knowing what its operands can be.

use crate::ir::{BinaryOp, CheckedOp, CompareOp, Const, Op, ScalarType, Special, UnaryOp};

use super::fold;

/// Both ends belong to it. Floats have the empty knowledge of [`Range::ANY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Range {
    pub(super) const ANY: Self = Self { low: i128::MIN, high: i128::MAX };

    pub(super) fn of_type(ty: ScalarType) -> Self {
        match ty {
            ScalarType::F32 | ScalarType::F64 => Self::ANY,
            ScalarType::Bool => Self { low: 0, high: 1 },
            _ => Self {
                low: Const::new(ty, ty.min_bits()).as_i128(),
                high: Const::new(ty, ty.max_bits()).as_i128(),
            },
        }
    }

    pub(super) fn of_constant(c: Const) -> Self {
        if c.ty.is_float() { Self::ANY } else { Self { low: c.as_i128(), high: c.as_i128() } }
    }

    fn new(low: i128, high: i128) -> Self {
        Self { low, high }
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// What is in both; the first if that is nothing, which happens only where nothing runs.
    pub(super) fn meet(self, other: Self) -> Self {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high { Self { low, high } } else { self }
    }

    /// The smallest that contains both.
    pub(super) fn join(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn single(self) -> Option<i128> {
        (self.low == self.high).then_some(self.low)
    }

    fn positive(self) -> bool {
        self.low >= 0
    }

    /// The largest distance from zero.
    fn magnitude(self) -> i128 {
        self.low.unsigned_abs().max(self.high.unsigned_abs()) as i128
    }
}

/// The exact result of a checked operation, before it is wrapped.
pub(super) fn exact(op: CheckedOp, l: Range, r: Range) -> Range {
    let ends = match op {
        CheckedOp::Add => [l.low + r.low, l.high + r.high, l.low + r.low, l.high + r.high],
        CheckedOp::Sub => [l.low - r.high, l.high - r.low, l.low - r.high, l.high - r.low],
        CheckedOp::Mul => [
            fold::exact(op, l.low, r.low),
            fold::exact(op, l.low, r.high),
            fold::exact(op, l.high, r.low),
            fold::exact(op, l.high, r.high),
        ],
    };
    let (mut low, mut high) = (ends[0], ends[0]);
    for end in ends {
        low = low.min(end);
        high = high.max(end);
    }
    Range { low, high }
}

/// What an operation gives; `of` tells the ranges of its operands in their order.
pub(super) fn result(op: &Op, ty: ScalarType, of: [Range; 3], operand: ScalarType) -> Range {
    let whole = Range::of_type(ty);
    if ty.is_float() {
        return whole;
    }
    // Where the exact result has room it is the result.
    let fits = |range: Range| if whole.contains(range) { range } else { whole };
    let [a, b, c] = of;
    let integers = !operand.is_float();
    match op {
        Op::Copy(_) => a,
        Op::Cast(_) if integers => fits(a),
        Op::Select { .. } => b.join(c),
        Op::Special(Special::LaneId) => Range::new(0, 31),
        Op::Unary(op, _) => match op {
            UnaryOp::Neg => fits(Range::new(-a.high, -a.low)),
            UnaryOp::Abs if a.positive() => a,
            UnaryOp::Abs => fits(Range::new(0, a.magnitude())),
            UnaryOp::Not if ty == ScalarType::Bool => Range::new(1 - a.high, 1 - a.low),
            UnaryOp::Not if ty.is_signed() => Range::new(-1 - a.high, -1 - a.low),
            UnaryOp::Not => Range::new(whole.high - a.high, whole.high - a.low),
            UnaryOp::CountOnes | UnaryOp::LeadingZeros | UnaryOp::TrailingZeros => {
                Range::new(0, operand.bits().into())
            }
            _ => whole,
        },
        Op::Binary(op, ..) => binary(*op, ty, a, b),
        _ => whole,
    }
}

fn binary(op: BinaryOp, ty: ScalarType, a: Range, b: Range) -> Range {
    let whole = Range::of_type(ty);
    let fits = |range: Range| if whole.contains(range) { range } else { whole };
    // All bits up to the highest one that either can have.
    let bits = |high: i128| (1i128 << (128 - (high | 1).leading_zeros())) - 1;
    match op {
        BinaryOp::Add => fits(exact(CheckedOp::Add, a, b)),
        BinaryOp::Sub => fits(exact(CheckedOp::Sub, a, b)),
        BinaryOp::Mul => fits(exact(CheckedOp::Mul, a, b)),
        BinaryOp::And => match (a.positive(), b.positive()) {
            (true, true) => Range::new(0, a.high.min(b.high)),
            (true, false) => Range::new(0, a.high),
            (false, true) => Range::new(0, b.high),
            (false, false) => whole,
        },
        BinaryOp::Or if a.positive() && b.positive() => {
            Range::new(a.low.max(b.low), bits(a.high.max(b.high)).min(whole.high))
        }
        BinaryOp::Xor if a.positive() && b.positive() => {
            Range::new(0, bits(a.high.max(b.high)).min(whole.high))
        }
        BinaryOp::Min => Range::new(a.low.min(b.low), a.high.min(b.high)),
        BinaryOp::Max => Range::new(a.low.max(b.low), a.high.max(b.high)),
        BinaryOp::Shl => match b.single() {
            Some(n @ 0..=63) => fits(Range::new(a.low << n, a.high << n)),
            _ => whole,
        },
        BinaryOp::Shr => {
            let (near, far) = (b.low.clamp(0, 63), b.high.clamp(0, 63));
            let ends = [a.low >> near, a.low >> far, a.high >> near, a.high >> far];
            ends.iter().fold(Range::new(ends[0], ends[0]), |range, &end| range.join(Range::new(end, end)))
        }
        _ => whole,
    }
}

/// What a division gives whose divisor is not zero.
pub(super) fn division(remainder: bool, ty: ScalarType, l: Range, r: Range) -> Range {
    let whole = Range::of_type(ty);
    // A divisor is at least one in size.
    let divisor = r.magnitude().max(1);
    if remainder {
        let limit = divisor - 1;
        let low = if l.low < 0 { (-limit).max(l.low) } else { 0 };
        let high = if l.high > 0 { limit.min(l.high) } else { 0 };
        return Range::new(low, high);
    }
    if l.positive() && r.low > 0 {
        return Range::new(l.low / r.high, l.high / r.low);
    }
    let size = l.magnitude();
    Range::new(-size, size).meet(whole)
}

/// Whether a comparison of integers is known.
pub(super) fn compare(op: CompareOp, a: Range, b: Range) -> Option<bool> {
    let (holds, fails) = match op {
        CompareOp::Eq => (a.single().is_some() && a == b, a.high < b.low || b.high < a.low),
        CompareOp::Ne => return compare(CompareOp::Eq, a, b).map(|equal| !equal),
        CompareOp::Lt => (a.high < b.low, a.low >= b.high),
        CompareOp::Le => (a.high <= b.low, a.low > b.high),
        CompareOp::Gt => return compare(CompareOp::Lt, b, a),
        CompareOp::Ge => return compare(CompareOp::Le, b, a),
    };
    if holds {
        Some(true)
    } else if fails {
        Some(false)
    } else {
        None
    }
}

/// The comparison that holds where this one does not; of integers only.
pub(super) fn inverse(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq => CompareOp::Ne,
        CompareOp::Ne => CompareOp::Eq,
        CompareOp::Lt => CompareOp::Ge,
        CompareOp::Le => CompareOp::Gt,
        CompareOp::Gt => CompareOp::Le,
        CompareOp::Ge => CompareOp::Lt,
    }
}

/// What is left of both ranges where the comparison holds.
pub(super) fn refine(op: CompareOp, a: Range, b: Range) -> (Range, Range) {
    let below = |limit: i128| Range::new(i128::MIN, limit);
    let above = |limit: i128| Range::new(limit, i128::MAX);
    match op {
        CompareOp::Eq => (a.meet(b), b.meet(a)),
        CompareOp::Ne => (without(a, b), without(b, a)),
        CompareOp::Lt => (a.meet(below(b.high.saturating_sub(1))), b.meet(above(a.low.saturating_add(1)))),
        CompareOp::Le => (a.meet(below(b.high)), b.meet(above(a.low))),
        CompareOp::Gt => {
            let (b, a) = refine(CompareOp::Lt, b, a);
            (a, b)
        }
        CompareOp::Ge => {
            let (b, a) = refine(CompareOp::Le, b, a);
            (a, b)
        }
    }
}

/// The range without a value at one of its ends.
fn without(a: Range, b: Range) -> Range {
    match b.single() {
        Some(value) if a.low == value && a.high > value => Range::new(value + 1, a.high),
        Some(value) if a.high == value && a.low < value => Range::new(a.low, value - 1),
        _ => a,
    }
}

#[cfg(test)]
mod tests;
