//! Intervals against all values that are in them.

use super::{Range, compare, division, exact, inverse, refine, result};
use crate::{
    ir::{BinaryOp, CheckedOp, CompareOp, Const, Op, Operand, ScalarType, UnaryOp},
    opt::fold,
};

/// Intervals with all kinds of ends.
fn ranges(ty: ScalarType) -> Vec<Range> {
    let whole = Range::of_type(ty);
    let ends: Vec<i128> = [whole.low, whole.low + 1, -8, -1, 0, 1, 7, whole.high - 1, whole.high].to_vec();
    let inside = |end: &&i128| whole.low <= **end && **end <= whole.high;
    let ends: Vec<_> = ends.iter().filter(inside).copied().collect();
    let mut all = Vec::new();
    for &low in &ends {
        for &high in ends.iter().filter(|&&high| high >= low) {
            all.push(Range { low, high });
        }
    }
    all
}

/// Values of an interval: its ends, what is beside them and some from the middle.
fn values(range: Range) -> Vec<i128> {
    let middle = i128::midpoint(range.low, range.high);
    let mut all = vec![range.low, range.low + 1, middle, middle + 1, range.high - 1, range.high, 0, 1, -1];
    all.retain(|value| range.low <= *value && *value <= range.high);
    all.sort_unstable();
    all.dedup();
    all
}

fn constant(ty: ScalarType, value: i128) -> Operand {
    Operand::Const(Const::new(ty, value as u64))
}

const TYPES: [ScalarType; 4] = [ScalarType::I8, ScalarType::U8, ScalarType::I64, ScalarType::U64];

#[track_caller]
fn holds(op: Op, ty: ScalarType, of: [Range; 3], operand: ScalarType) {
    let range = result(&op, ty, of, operand);
    if let Some(c) = fold::fold(op, ty) {
        let value = Range::of_constant(c);
        assert!(range.contains(value), "{op} gives {value:?}, not in {range:?} from {of:?}");
    }
}

#[test]
fn results_lie_in_their_ranges() {
    for ty in TYPES {
        let all = ranges(ty);
        for &a in &all {
            for x in values(a) {
                for &(_, op) in UnaryOp::NAMED {
                    let counts =
                        matches!(op, UnaryOp::CountOnes | UnaryOp::LeadingZeros | UnaryOp::TrailingZeros);
                    let to = if counts { ScalarType::U32 } else { ty };
                    holds(Op::Unary(op, constant(ty, x)), to, [a, Range::ANY, Range::ANY], ty);
                }
                for to in [ScalarType::I8, ScalarType::U16, ScalarType::I32, ScalarType::U64] {
                    holds(Op::Cast(constant(ty, x)), to, [a, Range::ANY, Range::ANY], ty);
                }
            }
            for &b in &all {
                for (x, y) in values(a).into_iter().flat_map(|x| values(b).into_iter().map(move |y| (x, y))) {
                    for &(_, op) in BinaryOp::NAMED {
                        let shift = matches!(
                            op,
                            BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight
                        );
                        if shift && (b.low < 0 || b.high >= ty.bits().into()) {
                            continue;
                        }
                        let second = if shift { ScalarType::U32 } else { ty };
                        let op = Op::Binary(op, constant(ty, x), constant(second, y));
                        holds(op, ty, [a, b, Range::ANY], ty);
                    }
                    for &(_, op) in CheckedOp::NAMED {
                        let value = fold::exact(op, x, y);
                        assert!(exact(op, a, b).contains(Range { low: value, high: value }));
                    }
                    if y != 0 {
                        for (remainder, value) in [(false, x / y), (true, x % y)] {
                            let range = division(remainder, ty, a, b);
                            let fits = Range::of_type(ty).contains(Range { low: value, high: value });
                            let inside = range.low <= value && value <= range.high;
                            assert!(inside || !fits, "{x} by {y} is {value}, not in {range:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn comparisons_tell_the_truth() {
    for ty in TYPES {
        let all = ranges(ty);
        for (&a, &b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            for &(_, op) in CompareOp::NAMED {
                let (left, right) = refine(op, a, b);
                for (x, y) in values(a).into_iter().flat_map(|x| values(b).into_iter().map(move |y| (x, y))) {
                    let [l, r] = [x, y].map(|value| Const::new(ty, value as u64));
                    assert_ne!(op.holds(l, r), inverse(op).holds(l, r));
                    if let Some(known) = compare(op, a, b) {
                        assert_eq!(op.holds(l, r), known, "{x} {op:?} {y} of {a:?} and {b:?}");
                    }
                    if op.holds(l, r) {
                        assert!(left.low <= x && x <= left.high, "{x} {op:?} {y}: {left:?} of {a:?}");
                        assert!(right.low <= y && y <= right.high, "{x} {op:?} {y}: {right:?} of {b:?}");
                    }
                }
            }
        }
    }
}
