//! The integer methods of the standard library, each under its own name.

use super::{Builder, Faulting, constant};
use crate::{
    abi::fault::code,
    ir::{BinaryOp, CheckedOp, CompareOp, Operand, ScalarType, UnaryOp},
    lang::{Int, Num, SignedInt, SignedNum, Val},
};

const ABS: Faulting = Faulting("`abs` of an integer", "use wrapping_abs or unsigned_abs");
const CLAMP: Faulting = Faulting("`clamp` between variables", "use max and min");

impl Builder {
    /// `l.wrapping_add(r)`.
    pub fn wrapping_add<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Add, l.operand(), r.operand()))
    }

    /// `l.wrapping_sub(r)`.
    pub fn wrapping_sub<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Sub, l.operand(), r.operand()))
    }

    /// `l.wrapping_mul(r)`.
    pub fn wrapping_mul<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Mul, l.operand(), r.operand()))
    }

    /// `v.wrapping_neg()`.
    pub fn wrapping_neg<T: Int>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Neg, v.operand()))
    }

    /// `v.wrapping_abs()`.
    pub fn wrapping_abs<T: SignedInt>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Abs, v.operand()))
    }

    /// `l.wrapping_shl(r)`: the amount counts modulo the width.
    pub fn wrapping_shl<T: Int>(&self, l: Val<T>, r: Val<u32>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Shl, l.operand(), self.shift_amount(T::SCALAR, r)))
    }

    /// `l.wrapping_shr(r)`: the amount counts modulo the width.
    pub fn wrapping_shr<T: Int>(&self, l: Val<T>, r: Val<u32>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Shr, l.operand(), self.shift_amount(T::SCALAR, r)))
    }

    fn shift_amount(&self, ty: ScalarType, r: Val<u32>) -> Operand {
        let mask = u64::from(ty.bits() - 1);
        if let Some(c) = r.constant() {
            constant(ScalarType::U32, c.bits & mask)
        } else {
            self.binary(ScalarType::U32, BinaryOp::And, r.operand(), constant(ScalarType::U32, mask))
        }
    }

    /// `l.saturating_add(r)`.
    pub fn saturating_add<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        let limit = if T::SCALAR.is_signed() { self.limit::<T>(self.negative(l)) } else { max_of::<T>() };
        self.saturating(CheckedOp::Add, l, r, limit)
    }

    /// `l.saturating_sub(r)`.
    pub fn saturating_sub<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        let limit =
            if T::SCALAR.is_signed() { self.limit::<T>(self.negative(l)) } else { constant(T::SCALAR, 0) };
        self.saturating(CheckedOp::Sub, l, r, limit)
    }

    /// `l.saturating_mul(r)`.
    pub fn saturating_mul<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        let limit = if T::SCALAR.is_signed() {
            let differ = self.binary(ScalarType::Bool, BinaryOp::Xor, self.negative(l), self.negative(r));
            self.limit::<T>(differ)
        } else {
            max_of::<T>()
        };
        self.saturating(CheckedOp::Mul, l, r, limit)
    }

    fn saturating<T: Int>(&self, op: CheckedOp, l: Val<T>, r: Val<T>, limit: Operand) -> Val<T> {
        let (value, overflow) = self.overflowing(op, T::SCALAR, l.operand(), r.operand());
        Val::of(self.select(T::SCALAR, overflow, limit, value))
    }

    /// The end of the range at which a result with this sign stops.
    pub(super) fn limit<T: Int>(&self, negative: Operand) -> Operand {
        self.select(T::SCALAR, negative, constant(T::SCALAR, T::SCALAR.min_bits()), max_of::<T>())
    }

    fn negative<T: Num>(&self, v: Val<T>) -> Operand {
        self.compare(CompareOp::Lt, v.operand(), constant(T::SCALAR, 0))
    }

    /// `l.min(r)`; of floats the number if the other is NaN, and `l` of two zeros.
    pub fn min<T: Num>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        self.extreme(BinaryOp::Min, CompareOp::Lt, l, r)
    }

    /// `l.max(r)`; of floats the number if the other is NaN, and `l` of two zeros.
    pub fn max<T: Num>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        self.extreme(BinaryOp::Max, CompareOp::Gt, l, r)
    }

    /// `r` if it is beyond `l`, else `l`. Rust leaves open which of two zeros a float's `min` is; PTX says -0, x86-64 says
    /// the first. The twins must agree, so floats are compared and selected rather than left to PTX's `min`.
    fn extreme<T: Num>(&self, op: BinaryOp, beyond: CompareOp, l: Val<T>, r: Val<T>) -> Val<T> {
        let (ty, left, right) = (T::SCALAR, l.operand(), r.operand());
        if !ty.is_float() {
            return Val::of(self.binary(ty, op, left, right));
        }
        let chosen = self.select(ty, self.compare(beyond, right, left), right, left);
        let is_nan = self.compare(CompareOp::Ne, left, left);
        Val::of(self.select(ty, is_nan, right, chosen))
    }

    /// `v.clamp(low, high)`. Faults, as a failed assert, unless `low <= high`.
    pub fn clamp<T: Num>(&self, v: Val<T>, low: Val<T>, high: Val<T>, line: u32) -> Val<T> {
        let ordered = self.compare(CompareOp::Le, low.operand(), high.operand());
        let known = matches!(ordered, Operand::Const(c) if c.bits == 1);
        if !known {
            let site = self.site(code::ASSERT, line, Some("min > max"), CLAMP);
            self.fault_if(ordered, false, site);
        }
        let below = self.compare(CompareOp::Lt, v.operand(), low.operand());
        let raised = self.select(T::SCALAR, below, low.operand(), v.operand());
        let above = self.compare(CompareOp::Gt, raised, high.operand());
        Val::of(self.select(T::SCALAR, above, high.operand(), raised))
    }

    /// `v.abs()`. Integers fault on the minimum.
    pub fn abs<T: SignedNum>(&self, v: Val<T>, line: u32) -> Val<T> {
        if !T::SCALAR.is_float() {
            self.fault_at_min(v, line, ABS);
        }
        Val::of(self.unary(T::SCALAR, UnaryOp::Abs, v.operand()))
    }

    /// `v.unsigned_abs()`.
    pub fn unsigned_abs<T: SignedInt>(&self, v: Val<T>) -> Val<T::Unsigned> {
        self.cast(self.wrapping_abs(v))
    }

    /// `l.abs_diff(r)`.
    pub fn abs_diff<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<T::Unsigned> {
        let less = self.compare(CompareOp::Lt, l.operand(), r.operand());
        let up = self.wrapping_sub(r, l);
        let down = self.wrapping_sub(l, r);
        self.cast(Val::<T>::of(self.select(T::SCALAR, less, up.operand(), down.operand())))
    }

    /// `v.signum()`.
    pub fn signum<T: SignedNum>(&self, v: Val<T>) -> Val<T> {
        if T::SCALAR.is_float() {
            return self.float_signum(v);
        }
        let zero = constant(T::SCALAR, 0);
        let above = self.convert(T::SCALAR, self.compare(CompareOp::Gt, v.operand(), zero));
        let below = self.convert(T::SCALAR, self.compare(CompareOp::Lt, v.operand(), zero));
        Val::of(self.binary(T::SCALAR, BinaryOp::Sub, above, below))
    }

    /// `v.is_positive()`.
    pub fn is_positive<T: SignedInt>(&self, v: Val<T>) -> Val<bool> {
        Val::of(self.compare(CompareOp::Gt, v.operand(), constant(T::SCALAR, 0)))
    }

    /// `v.is_negative()`.
    pub fn is_negative<T: SignedInt>(&self, v: Val<T>) -> Val<bool> {
        Val::of(self.negative(v))
    }

    /// `v.pow(exponent)`. Faults on overflow; in a handler every doubling of the exponent pays one unit of budget.
    pub fn pow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> Val<T> {
        self.power(v, exponent, line, |l, r| self.mul(l, r, line))
    }

    /// `v.wrapping_pow(exponent)`. In a handler every doubling of the exponent pays one unit of budget.
    pub fn wrapping_pow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> Val<T> {
        self.power(v, exponent, line, |l, r| self.wrapping_mul(l, r))
    }

    pub(super) fn power<T: Int>(
        &self,
        v: Val<T>,
        exponent: Val<u32>,
        line: u32,
        mul: impl Fn(Val<T>, Val<T>) -> Val<T>,
    ) -> Val<T> {
        let one = Val::of(constant(T::SCALAR, 1));
        let (base, power) = (self.local(v), self.local(one));
        let left = self.local(exponent);
        let squaring = self.loop_begin(line);
        // Squaring beyond the last bit could overflow where the result does not.
        self.if_begin(self.ne(self.bitand(self.read(left), self.lit(1)), self.lit(0)));
        self.write(power, mul(self.read(power), self.read(base)));
        self.if_end();
        self.write(left, self.wrapping_shr(self.read(left), self.lit(1)));
        self.if_begin(self.eq(self.read(left), self.lit(0)));
        self.brk(squaring);
        self.if_end();
        self.write(base, mul(self.read(base), self.read(base)));
        self.loop_end();
        self.read(power)
    }

    /// `l.rem_euclid(r)`. Faults as `%` does.
    pub fn rem_euclid<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        let rest = self.rem(l, r, line);
        if !T::SCALAR.is_signed() {
            return rest;
        }
        let magnitude = self.unary(T::SCALAR, UnaryOp::Abs, r.operand());
        let raised = self.binary(T::SCALAR, BinaryOp::Add, rest.operand(), magnitude);
        Val::of(self.select(T::SCALAR, self.negative(rest), raised, rest.operand()))
    }

    /// `l.div_euclid(r)`. Faults as `/` does.
    pub fn div_euclid<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        let quotient = self.div(l, r, line);
        if !T::SCALAR.is_signed() {
            return quotient;
        }
        let rest = self.rem(l, r, line);
        let one = constant(T::SCALAR, 1);
        let lower = self.binary(T::SCALAR, BinaryOp::Sub, quotient.operand(), one);
        let higher = self.binary(T::SCALAR, BinaryOp::Add, quotient.operand(), one);
        let moved = self.select(T::SCALAR, self.negative(r), higher, lower);
        Val::of(self.select(T::SCALAR, self.negative(rest), moved, quotient.operand()))
    }

    /// `v.count_ones()`.
    pub fn count_ones<T: Int>(&self, v: Val<T>) -> Val<u32> {
        Val::of(self.unary(ScalarType::U32, UnaryOp::CountOnes, v.operand()))
    }

    /// `v.count_zeros()`.
    pub fn count_zeros<T: Int>(&self, v: Val<T>) -> Val<u32> {
        self.count_ones(self.not(v))
    }

    /// `v.leading_zeros()`.
    pub fn leading_zeros<T: Int>(&self, v: Val<T>) -> Val<u32> {
        Val::of(self.unary(ScalarType::U32, UnaryOp::LeadingZeros, v.operand()))
    }

    /// `v.leading_ones()`.
    pub fn leading_ones<T: Int>(&self, v: Val<T>) -> Val<u32> {
        self.leading_zeros(self.not(v))
    }

    /// `v.trailing_zeros()`.
    pub fn trailing_zeros<T: Int>(&self, v: Val<T>) -> Val<u32> {
        Val::of(self.unary(ScalarType::U32, UnaryOp::TrailingZeros, v.operand()))
    }

    /// `v.trailing_ones()`.
    pub fn trailing_ones<T: Int>(&self, v: Val<T>) -> Val<u32> {
        self.trailing_zeros(self.not(v))
    }

    /// `v.rotate_left(r)`.
    pub fn rotate_left<T: Int>(&self, v: Val<T>, r: Val<u32>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::RotateLeft, v.operand(), r.operand()))
    }

    /// `v.rotate_right(r)`.
    pub fn rotate_right<T: Int>(&self, v: Val<T>, r: Val<u32>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::RotateRight, v.operand(), r.operand()))
    }

    /// `v.reverse_bits()`.
    pub fn reverse_bits<T: Int>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::ReverseBits, v.operand()))
    }

    /// `v.swap_bytes()`.
    pub fn swap_bytes<T: Int>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::SwapBytes, v.operand()))
    }

    /// `v.is_power_of_two()`.
    pub fn is_power_of_two<T: Int>(&self, v: Val<T>) -> Val<bool> {
        self.eq(self.count_ones(v), self.lit(1))
    }
}

fn max_of<T: Int>() -> Operand {
    constant(T::SCALAR, T::SCALAR.max_bits())
}
