//! Operators: arithmetic with overflow faults, bits, shifts, comparisons and `as`.

use super::{Builder, Faulting, constant};
use crate::{
    abi::fault::code,
    ir::{BinaryOp, CheckedOp, CompareOp, Const, Op, Operand, ScalarType, Stmt, UnaryOp},
    lang::{Bits, GpuType, Int, Num, Primitive, Remainder, Repr, Scalar, SignedNum, Val},
};

const ADD: Faulting = Faulting("`+`", "use wrapping_add");
const SUB: Faulting = Faulting("`-`", "use wrapping_sub");
const MUL: Faulting = Faulting("`*`", "use wrapping_mul");
const NEG: Faulting = Faulting("`-` of a signed integer", "use wrapping_neg");
const DIVIDE: Faulting = Faulting("division by a variable", "divide by a constant");
const SHIFT: Faulting = Faulting("a shift by a variable", "use wrapping_shl or wrapping_shr");

impl Builder {
    /// `l + r`. Integers fault on overflow.
    pub fn add<T: Num>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        self.checked(CheckedOp::Add, BinaryOp::Add, l, r, line, ADD)
    }

    /// `l - r`. Integers fault on overflow.
    pub fn sub<T: Num>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        self.checked(CheckedOp::Sub, BinaryOp::Sub, l, r, line, SUB)
    }

    /// `l * r`. Integers fault on overflow.
    pub fn mul<T: Num>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        self.checked(CheckedOp::Mul, BinaryOp::Mul, l, r, line, MUL)
    }

    fn checked<T: Num>(
        &self,
        op: CheckedOp,
        float: BinaryOp,
        l: Val<T>,
        r: Val<T>,
        line: u32,
        what: Faulting,
    ) -> Val<T> {
        if T::SCALAR.is_float() {
            return Val::of(self.binary(T::SCALAR, float, l.operand(), r.operand()));
        }
        let site = self.site(code::OVERFLOW, line, None, what);
        let (value, overflow) = self.overflowing(op, T::SCALAR, l.operand(), r.operand());
        self.fault_if(overflow, true, site);
        Val::of(value)
    }

    /// The wrapped result and whether it overflowed.
    pub(super) fn overflowing(
        &self,
        op: CheckedOp,
        ty: ScalarType,
        left: Operand,
        right: Operand,
    ) -> (Operand, Operand) {
        let (value, overflow) = (self.reg(ty), self.reg(ScalarType::Bool));
        self.push(Stmt::Overflowing { op, value, overflow, left, right });
        (Operand::Reg(value), Operand::Reg(overflow))
    }

    /// `l / r`. Integers fault on zero, then on `MIN / -1`.
    pub fn div<T: Num>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        if T::SCALAR.is_float() {
            return Val::of(self.binary(T::SCALAR, BinaryOp::Div, l.operand(), r.operand()));
        }
        self.divide(false, l, r, line)
    }

    /// `l % r`. Faults on zero, then on `MIN % -1`.
    pub fn rem<T: Remainder>(&self, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        self.divide(true, l, r, line)
    }

    fn divide<T: Num>(&self, remainder: bool, l: Val<T>, r: Val<T>, line: u32) -> Val<T> {
        let ty = T::SCALAR;
        let is = |bits: u64| r.constant() == Some(Const::new(ty, bits));
        let variable = r.constant().is_none();
        let (mut zero, mut overflow) = (None, None);
        if variable || is(0) {
            zero = self.site(code::DIVISION_BY_ZERO, line, None, DIVIDE);
        }
        if ty.is_signed() && (variable || is(u64::MAX)) {
            overflow = self.site(code::OVERFLOW, line, None, DIVIDE);
        }
        if let (true, Some(site)) = (is(0), zero) {
            self.terminate(Stmt::Fault { site });
        }
        let dst = self.reg(ty);
        self.push(Stmt::Divide { remainder, dst, left: l.operand(), right: r.operand(), zero, overflow });
        Val::of(Operand::Reg(dst))
    }

    /// `-v`. Integers fault on the minimum.
    pub fn neg<T: SignedNum>(&self, v: Val<T>, line: u32) -> Val<T> {
        if T::SCALAR.is_float() {
            return Val::of(self.unary(T::SCALAR, UnaryOp::Neg, v.operand()));
        }
        self.fault_at_min(v, line, NEG);
        Val::of(self.unary(T::SCALAR, UnaryOp::Neg, v.operand()))
    }

    /// Faults if a signed integer is the minimum, whose magnitude has no room.
    pub(super) fn fault_at_min<T: Num>(&self, v: Val<T>, line: u32, what: Faulting) {
        let site = self.site(code::OVERFLOW, line, None, what);
        let min = constant(T::SCALAR, T::SCALAR.min_bits());
        let at_min = self.compare(CompareOp::Eq, v.operand(), min);
        self.fault_if(at_min, true, site);
    }

    /// `l & r` of integers or bools, both evaluated.
    pub fn bitand<T: Bits>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::And, l.operand(), r.operand()))
    }

    /// `l | r` of integers or bools, both evaluated.
    pub fn bitor<T: Bits>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Or, l.operand(), r.operand()))
    }

    /// `l ^ r`.
    pub fn bitxor<T: Bits>(&self, l: Val<T>, r: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Xor, l.operand(), r.operand()))
    }

    /// `!v`.
    pub fn not<T: Bits>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Not, v.operand()))
    }

    /// `l << r`. Faults on an amount that is negative or not below the width.
    pub fn shl<T: Int, U: Int>(&self, l: Val<T>, r: Val<U>, line: u32) -> Val<T> {
        self.shift(BinaryOp::Shl, l, r, line)
    }

    /// `l >> r`. Faults on an amount that is negative or not below the width.
    pub fn shr<T: Int, U: Int>(&self, l: Val<T>, r: Val<U>, line: u32) -> Val<T> {
        self.shift(BinaryOp::Shr, l, r, line)
    }

    fn shift<T: Int, U: Int>(&self, op: BinaryOp, l: Val<T>, r: Val<U>, line: u32) -> Val<T> {
        let width = T::SCALAR.bits();
        let amount = if let Some(amount) = r.constant() {
            let amount = amount.as_i128();
            if !(0..i128::from(width)).contains(&amount) {
                let site = self.site(code::OVERFLOW, line, None, SHIFT);
                if let Some(site) = site {
                    self.terminate(Stmt::Fault { site });
                }
                return l;
            }
            constant(ScalarType::U32, amount as u64)
        } else {
            let site = self.site(code::OVERFLOW, line, None, SHIFT);
            // A negative amount becomes a large one in the unsigned type that has room for it.
            let wide = if U::SCALAR.size() == 8 { ScalarType::U64 } else { ScalarType::U32 };
            let amount = self.convert(wide, r.operand());
            let too_far = self.compare(CompareOp::Ge, amount, constant(wide, u64::from(width)));
            self.fault_if(too_far, true, site);
            if wide == ScalarType::U32 { amount } else { self.convert(ScalarType::U32, amount) }
        };
        Val::of(self.binary(T::SCALAR, op, l.operand(), amount))
    }

    /// `l < r`; false if a float is NaN.
    pub fn lt<T: Scalar>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        Val::of(self.compare(CompareOp::Lt, l.operand(), r.operand()))
    }

    /// `l <= r`; false if a float is NaN.
    pub fn le<T: Scalar>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        Val::of(self.compare(CompareOp::Le, l.operand(), r.operand()))
    }

    /// `l > r`; false if a float is NaN.
    pub fn gt<T: Scalar>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        Val::of(self.compare(CompareOp::Gt, l.operand(), r.operand()))
    }

    /// `l >= r`; false if a float is NaN.
    pub fn ge<T: Scalar>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        Val::of(self.compare(CompareOp::Ge, l.operand(), r.operand()))
    }

    /// `l == r`, of data part by part; false if a float is NaN.
    pub fn eq<T: GpuType>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        match (l.repr, r.repr) {
            (Repr::Operand(l), Repr::Operand(r)) => Val::of(self.compare(CompareOp::Eq, l, r)),
            _ => self.same(self.temp(l), self.temp(r)),
        }
    }

    /// `l != r`; true if a float is NaN.
    pub fn ne<T: GpuType>(&self, l: Val<T>, r: Val<T>) -> Val<bool> {
        match (l.repr, r.repr) {
            (Repr::Operand(l), Repr::Operand(r)) => Val::of(self.compare(CompareOp::Ne, l, r)),
            _ => self.not(self.same(self.temp(l), self.temp(r))),
        }
    }

    /// `U::from(v)`, where that exists: rustc has checked it of the native twin.
    pub fn from<T: Primitive, U: Num>(&self, v: Val<T>) -> Val<U> {
        if T::SCALAR == ScalarType::Bool {
            // There is no such cast to a float.
            return self.cast::<u8, U>(self.cast(v));
        }
        self.cast(v)
    }

    /// `v as U`: integers truncate or extend, floats saturate and NaN becomes 0.
    pub fn cast<T: Scalar, U: Scalar>(&self, v: Val<T>) -> Val<U> {
        if T::SCALAR == U::SCALAR {
            return Val::of(v.operand());
        }
        match v.constant() {
            Some(c) if !T::SCALAR.is_float() && !U::SCALAR.is_float() && U::SCALAR != ScalarType::Bool => {
                Val::of(constant(U::SCALAR, c.as_i128() as u64))
            }
            _ => Val::of(self.op(U::SCALAR, Op::Cast(v.operand()))),
        }
    }
}
