//! Integer methods that say whether the result fits, and those that are made of several steps.
//!
//! Rule kept here: nothing that the standard library does not compute is computed where it could fault: what an unwanted
//! divisor would do is skipped by a branch.

use super::{Builder, Faulting, constant, take};
use crate::{
    abi::fault::code,
    ir::{BinaryOp, CheckedOp, CompareOp, ScalarType},
    lang::{Float, GpuType, Int, Num, Scalar, SignedNum, Val, data},
};

const LOG: Faulting = Faulting("a logarithm of a variable", "use leading_zeros");
const ROOT: Faulting = Faulting("a root of a signed variable", "cast it to an unsigned integer");

impl Builder {
    /// `some.then_some(value)`: an `Option` that holds the value or not.
    pub fn then_some<T: GpuType>(&self, some: Val<bool>, value: Val<T>) -> Val<Option<T>> {
        let whole = self.slot::<Option<T>>();
        self.write(data::OptionTwin::__data_new_Some(self, whole).0, value);
        self.write(data::within::<u8, _>(whole, 0), self.cast(some));
        take(whole)
    }

    fn pair<T: GpuType>(&self, value: Val<T>, flag: Val<bool>) -> Val<(T, bool)> {
        let whole = self.slot::<(T, bool)>();
        self.write(whole.0, value);
        self.write(whole.1, flag);
        take(whole)
    }

    fn if_it_fits<T: Int>(&self, op: CheckedOp, l: Val<T>, r: Val<T>) -> Val<Option<T>> {
        let (value, overflow) = self.overflowing(op, T::SCALAR, l.operand(), r.operand());
        self.then_some(self.not(Val::of(overflow)), Val::of(value))
    }

    /// `l.checked_add(r)`.
    pub fn checked_add<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<Option<T>> {
        self.if_it_fits(CheckedOp::Add, l, r)
    }

    /// `l.checked_sub(r)`.
    pub fn checked_sub<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<Option<T>> {
        self.if_it_fits(CheckedOp::Sub, l, r)
    }

    /// `l.checked_mul(r)`.
    pub fn checked_mul<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<Option<T>> {
        self.if_it_fits(CheckedOp::Mul, l, r)
    }

    /// `l.overflowing_add(r)`.
    pub fn overflowing_add<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<(T, bool)> {
        let (value, overflow) = self.overflowing(CheckedOp::Add, T::SCALAR, l.operand(), r.operand());
        self.pair(Val::of(value), Val::of(overflow))
    }

    /// `l.overflowing_sub(r)`.
    pub fn overflowing_sub<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<(T, bool)> {
        let (value, overflow) = self.overflowing(CheckedOp::Sub, T::SCALAR, l.operand(), r.operand());
        self.pair(Val::of(value), Val::of(overflow))
    }

    /// `l.overflowing_mul(r)`.
    pub fn overflowing_mul<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<(T, bool)> {
        let (value, overflow) = self.overflowing(CheckedOp::Mul, T::SCALAR, l.operand(), r.operand());
        self.pair(Val::of(value), Val::of(overflow))
    }

    /// Whether `-v` overflows.
    fn has_no_opposite<T: Num>(&self, v: Val<T>) -> Val<bool> {
        if T::SCALAR.is_signed() {
            Val::of(self.compare(CompareOp::Eq, v.operand(), constant(T::SCALAR, T::SCALAR.min_bits())))
        } else {
            self.ne(v, zero())
        }
    }

    /// `v.checked_neg()`.
    pub fn checked_neg<T: Int>(&self, v: Val<T>) -> Val<Option<T>> {
        self.then_some(self.not(self.has_no_opposite(v)), self.wrapping_neg(v))
    }

    /// `v.overflowing_neg()`.
    pub fn overflowing_neg<T: Int>(&self, v: Val<T>) -> Val<(T, bool)> {
        self.pair(self.wrapping_neg(v), self.has_no_opposite(v))
    }

    /// `v.checked_abs()`.
    pub fn checked_abs<T: Int + SignedNum>(&self, v: Val<T>) -> Val<Option<T>> {
        let magnitude = Val::of(self.unary(T::SCALAR, crate::ir::UnaryOp::Abs, v.operand()));
        self.then_some(self.not(self.has_no_opposite(v)), magnitude)
    }

    /// Whether `l / r` does not fault.
    fn divides<T: Int>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        let whole = self.ne(r, zero());
        if !T::SCALAR.is_signed() {
            return whole;
        }
        let overflows = self.bitand(self.has_no_opposite(l), self.eq(r, minus_one()));
        self.bitand(whole, self.not(overflows))
    }

    /// What `compute` gives if that is `possible`, else `otherwise`.
    fn unless<T: GpuType>(
        &self,
        possible: Val<bool>,
        otherwise: Val<T>,
        compute: impl FnOnce() -> Val<T>,
    ) -> Val<T> {
        let result = self.local(otherwise);
        self.if_begin(possible);
        self.write(result, compute());
        self.if_end();
        take(result)
    }

    /// `l.checked_div(r)`.
    pub fn checked_div<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<Option<T>> {
        let possible = self.divides(l, r);
        self.then_some(possible, self.unless(possible, zero(), || self.div(l, r, line)))
    }

    /// `l.checked_rem(r)`.
    pub fn checked_rem<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<Option<T>> {
        let possible = self.divides(l, r);
        self.then_some(possible, self.unless(possible, zero(), || self.rem(l, r, line)))
    }

    /// `l.wrapping_div(r)`. Faults on zero.
    pub fn wrapping_div<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        if !T::SCALAR.is_signed() {
            return self.div(l, r, line);
        }
        self.unless(self.ne(r, minus_one()), self.wrapping_neg(l), || self.div(l, r, line))
    }

    /// `l.wrapping_rem(r)`. Faults on zero.
    pub fn wrapping_rem<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        if !T::SCALAR.is_signed() {
            return self.rem(l, r, line);
        }
        self.unless(self.ne(r, minus_one()), zero(), || self.rem(l, r, line))
    }

    /// `l.checked_shl(r)`.
    pub fn checked_shl<T: Int>(&self, l: Val<T>, r: Val<u32>) -> Val<Option<T>> {
        self.then_some(self.lt(r, self.lit(T::SCALAR.bits())), self.wrapping_shl(l, r))
    }

    /// `l.checked_shr(r)`.
    pub fn checked_shr<T: Int>(&self, l: Val<T>, r: Val<u32>) -> Val<Option<T>> {
        self.then_some(self.lt(r, self.lit(T::SCALAR.bits())), self.wrapping_shr(l, r))
    }

    /// The wrapped power, and whether a step to it overflowed.
    fn power_and_overflow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> (Val<T>, Val<bool>) {
        let overflowed = self.local(self.lit(false));
        let power = self.power(v, exponent, line, |l, r| {
            let (value, overflow) = self.overflowing(CheckedOp::Mul, T::SCALAR, l.operand(), r.operand());
            self.write(overflowed, self.bitor(self.read(overflowed), Val::of(overflow)));
            Val::of(value)
        });
        (power, self.read(overflowed))
    }

    /// `v.checked_pow(exponent)`.
    pub fn checked_pow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> Val<Option<T>> {
        let (power, overflow) = self.power_and_overflow(v, exponent, line);
        self.then_some(self.not(overflow), power)
    }

    /// `v.overflowing_pow(exponent)`.
    pub fn overflowing_pow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> Val<(T, bool)> {
        let (power, overflow) = self.power_and_overflow(v, exponent, line);
        self.pair(power, overflow)
    }

    /// `v.saturating_pow(exponent)`.
    pub fn saturating_pow<T: Int>(&self, v: Val<T>, exponent: Val<u32>, line: u32) -> Val<T> {
        let (power, overflow) = self.power_and_overflow(v, exponent, line);
        let odd = self.ne(self.bitand(exponent, self.lit(1)), self.lit(0));
        let below = self.bitand(self.lt(v, zero()), odd);
        let limit = self.limit::<T>(below.operand());
        Val::of(self.select(T::SCALAR, overflow.operand(), limit, power.operand()))
    }

    /// `v.ilog2()`. Faults unless it is positive.
    pub fn ilog2<T: Int>(&self, v: Val<T>, line: u32) -> Val<u32> {
        self.positive(v, line);
        self.wrapping_sub(self.lit(T::SCALAR.bits() - 1), self.leading_zeros(v))
    }

    /// `v.ilog10()`. Faults unless it is positive.
    pub fn ilog10<T: Int>(&self, v: Val<T>, line: u32) -> Val<u32> {
        self.positive(v, line);
        self.digits(v)
    }

    fn positive<T: Int>(&self, v: Val<T>, line: u32) {
        const MESSAGE: &str = "argument of integer logarithm must be positive";
        let site = self.site(code::PANIC, line, Some(MESSAGE), LOG);
        self.fault_if(self.gt(v, zero()).operand(), false, site);
    }

    /// How many powers of ten from 10 on do not exceed a positive number.
    fn digits<T: Int>(&self, v: Val<T>) -> Val<u32> {
        let most = u128::from(T::SCALAR.max_bits());
        let powers = (1..20).map(|digits| 10u128.pow(digits)).take_while(|power| *power <= most);
        powers.fold(self.lit(0), |sum, power| {
            let reached: Val<bool> =
                Val::of(self.compare(CompareOp::Ge, v.operand(), constant(T::SCALAR, power as u64)));
            self.wrapping_add(sum, self.cast(reached))
        })
    }

    /// `v.checked_ilog2()`.
    pub fn checked_ilog2<T: Int>(&self, v: Val<T>) -> Val<Option<u32>> {
        let log = self.wrapping_sub(self.lit(T::SCALAR.bits() - 1), self.leading_zeros(v));
        self.then_some(self.gt(v, zero()), log)
    }

    /// `v.checked_ilog10()`.
    pub fn checked_ilog10<T: Int>(&self, v: Val<T>) -> Val<Option<u32>> {
        self.then_some(self.gt(v, zero()), self.digits(v))
    }

    /// `v.isqrt()`. Faults if it is negative.
    pub fn isqrt<T: Int>(&self, v: Val<T>, line: u32) -> Val<T> {
        const MESSAGE: &str = "argument of integer square root cannot be negative";
        if T::SCALAR.is_signed() {
            let site = self.site(code::PANIC, line, Some(MESSAGE), ROOT);
            self.fault_if(self.ge(v, zero()).operand(), false, site);
        }
        // The float's root is off by at most one, at either side; the largest root there is has 32 bits.
        let n = self.cast::<T, u64>(v);
        let guess = self.cast::<f64, u64>(self.sqrt(self.cast::<u64, f64>(n)));
        let root = self.min(guess, self.lit(0xffff_ffff));
        let above = self.gt(self.wrapping_mul(root, root), n);
        let root = self.wrapping_sub(root, self.cast(above));
        let next = self.wrapping_add(root, self.lit(1));
        // Of the largest root the next one's square is zero.
        let square = self.wrapping_mul(next, next);
        let below = self.bitand(self.ne(square, self.lit(0)), self.le(square, n));
        self.cast(self.wrapping_add(root, self.cast(below)))
    }

    /// `l.div_ceil(r)` of unsigned integers. Faults on zero.
    pub fn div_ceil<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        let (quotient, rest) = (self.div(l, r, line), self.rem(l, r, line));
        self.wrapping_add(quotient, self.cast(self.ne(rest, zero())))
    }

    /// `l.next_multiple_of(r)` of unsigned integers. Faults on zero and on overflow.
    pub fn next_multiple_of<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        let rest = self.rem(l, r, line);
        let missing = self.select(
            T::SCALAR,
            self.eq(rest, zero()).operand(),
            constant(T::SCALAR, 0),
            self.wrapping_sub(r, rest).operand(),
        );
        self.add(l, Val::of(missing), line)
    }

    /// `l.is_multiple_of(r)` of unsigned integers.
    pub fn is_multiple_of<T: Int>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<bool> {
        self.unless(self.ne(r, zero()), self.eq(l, zero()), || self.eq(self.rem(l, r, line), zero()))
    }

    /// One less than the power of two that is not below an unsigned integer; the largest number if there is none.
    fn below_power_of_two<T: Int>(&self, v: Val<T>) -> Val<T> {
        let one = Val::<T>::of(constant(T::SCALAR, 1));
        let ones = Val::<T>::of(constant(T::SCALAR, T::SCALAR.max_bits()));
        let shifted = self.wrapping_shr(ones, self.leading_zeros(self.wrapping_sub(v, one)));
        let small = self.le(v, one);
        Val::of(self.select(T::SCALAR, small.operand(), constant(T::SCALAR, 0), shifted.operand()))
    }

    /// `v.next_power_of_two()`. Faults on overflow.
    pub fn next_power_of_two<T: Int>(&self, v: Val<T>, line: u32) -> Val<T> {
        self.add(self.below_power_of_two(v), Val::of(constant(T::SCALAR, 1)), line)
    }

    /// `v.checked_next_power_of_two()`.
    pub fn checked_next_power_of_two<T: Int>(&self, v: Val<T>) -> Val<Option<T>> {
        self.checked_add(self.below_power_of_two(v), Val::of(constant(T::SCALAR, 1)))
    }

    /// `v.saturating_neg()`.
    pub fn saturating_neg<T: Int + SignedNum>(&self, v: Val<T>) -> Val<T> {
        let limit = constant(T::SCALAR, T::SCALAR.max_bits());
        let negated = self.wrapping_neg(v).operand();
        Val::of(self.select(T::SCALAR, self.has_no_opposite(v).operand(), limit, negated))
    }

    /// `v.saturating_abs()`.
    pub fn saturating_abs<T: Int + SignedNum>(&self, v: Val<T>) -> Val<T> {
        let limit = constant(T::SCALAR, T::SCALAR.max_bits());
        let magnitude = self.unary(T::SCALAR, crate::ir::UnaryOp::Abs, v.operand());
        Val::of(self.select(T::SCALAR, self.has_no_opposite(v).operand(), limit, magnitude))
    }

    /// `v.to_degrees()`, with the factor that the standard library has.
    pub fn to_degrees<T: Float>(&self, v: Val<T>) -> Val<T> {
        let factor = if T::SCALAR == ScalarType::F32 {
            u64::from(57.295_78_f32.to_bits())
        } else {
            (180.0 / std::f64::consts::PI).to_bits()
        };
        self.times(v, factor)
    }

    /// `v.to_radians()`, with the factor that the standard library has.
    pub fn to_radians<T: Float>(&self, v: Val<T>) -> Val<T> {
        let factor = if T::SCALAR == ScalarType::F32 {
            u64::from((std::f32::consts::PI / 180.0).to_bits())
        } else {
            (std::f64::consts::PI / 180.0).to_bits()
        };
        self.times(v, factor)
    }

    fn times<T: Scalar>(&self, v: Val<T>, factor: u64) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Mul, v.operand(), constant(T::SCALAR, factor)))
    }
}

fn zero<T: Scalar>() -> Val<T> {
    Val::of(constant(T::SCALAR, 0))
}

fn minus_one<T: Scalar>() -> Val<T> {
    Val::of(constant(T::SCALAR, u64::MAX))
}
