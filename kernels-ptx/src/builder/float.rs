//! The float methods of the standard library, each under its own name, and each exactly rounded.

use super::{Builder, constant};
use crate::{
    ir::{BinaryOp, CompareOp, Op, Operand, ScalarType, UnaryOp},
    lang::{Float, SignedNum, Val},
};

impl Builder {
    /// `v.sqrt()`.
    pub fn sqrt<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Sqrt, v.operand()))
    }

    /// `v.mul_add(a, b)`: `v * a + b`, rounded once.
    pub fn mul_add<T: Float>(&self, v: Val<T>, a: Val<T>, b: Val<T>) -> Val<T> {
        Val::of(self.op(T::SCALAR, Op::MulAdd(v.operand(), a.operand(), b.operand())))
    }

    /// `v.floor()`.
    pub fn floor<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Floor, v.operand()))
    }

    /// `v.ceil()`.
    pub fn ceil<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Ceil, v.operand()))
    }

    /// `v.trunc()`.
    pub fn trunc<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::Trunc, v.operand()))
    }

    /// `v.round_ties_even()`.
    pub fn round_ties_even<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.unary(T::SCALAR, UnaryOp::RoundTiesEven, v.operand()))
    }

    /// `v.round()`: ties go away from zero.
    pub fn round<T: Float>(&self, v: Val<T>) -> Val<T> {
        // The distance to the truncated value is exact, so comparing it with a half is, too.
        let whole = self.trunc(v);
        let distance = self.binary(T::SCALAR, BinaryOp::Sub, v.operand(), whole.operand());
        let distance = self.unary(T::SCALAR, UnaryOp::Abs, distance);
        let away = self.compare(CompareOp::Ge, distance, float(T::SCALAR, 0.5));
        let one = self.copysign(Val::<T>::of(float(T::SCALAR, 1.0)), v);
        let further = self.binary(T::SCALAR, BinaryOp::Add, whole.operand(), one.operand());
        Val::of(self.select(T::SCALAR, away, further, whole.operand()))
    }

    /// `v.fract()`.
    pub fn fract<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Sub, v.operand(), self.trunc(v).operand()))
    }

    /// `v.recip()`.
    pub fn recip<T: Float>(&self, v: Val<T>) -> Val<T> {
        Val::of(self.binary(T::SCALAR, BinaryOp::Div, float(T::SCALAR, 1.0), v.operand()))
    }

    /// `v.copysign(sign)`.
    pub fn copysign<T: Float>(&self, v: Val<T>, sign: Val<T>) -> Val<T> {
        Val::of(self.with_sign(T::SCALAR, v.operand(), sign.operand()))
    }

    fn with_sign(&self, ty: ScalarType, value: Operand, sign: Operand) -> Operand {
        let word = ty.unsigned();
        let sign_bit = 1 << (ty.bits() - 1);
        let sign = self.op(word, Op::Bitcast(sign));
        let sign = self.binary(word, BinaryOp::And, sign, constant(word, sign_bit));
        let magnitude = match value {
            Operand::Const(c) => constant(word, c.bits & !sign_bit),
            Operand::Reg(_) => {
                let bits = self.op(word, Op::Bitcast(value));
                self.binary(word, BinaryOp::And, bits, constant(word, !sign_bit))
            }
        };
        let bits = self.binary(word, BinaryOp::Or, magnitude, sign);
        self.op(ty, Op::Bitcast(bits))
    }

    pub(super) fn float_signum<T: SignedNum>(&self, v: Val<T>) -> Val<T> {
        let signed = self.with_sign(T::SCALAR, float(T::SCALAR, 1.0), v.operand());
        let nan = self.compare(CompareOp::Ne, v.operand(), v.operand());
        Val::of(self.select(T::SCALAR, nan, v.operand(), signed))
    }

    /// `v.is_nan()`.
    pub fn is_nan<T: Float>(&self, v: Val<T>) -> Val<bool> {
        self.ne(v, v)
    }

    /// `v.is_finite()`.
    pub fn is_finite<T: Float>(&self, v: Val<T>) -> Val<bool> {
        let magnitude = self.unary(T::SCALAR, UnaryOp::Abs, v.operand());
        Val::of(self.compare(CompareOp::Lt, magnitude, float(T::SCALAR, f64::INFINITY)))
    }

    /// `v.is_infinite()`.
    pub fn is_infinite<T: Float>(&self, v: Val<T>) -> Val<bool> {
        let magnitude = self.unary(T::SCALAR, UnaryOp::Abs, v.operand());
        Val::of(self.compare(CompareOp::Eq, magnitude, float(T::SCALAR, f64::INFINITY)))
    }

    /// `v.is_sign_negative()`.
    pub fn is_sign_negative<T: Float>(&self, v: Val<T>) -> Val<bool> {
        let word = T::SCALAR.unsigned();
        let bits = self.op(word, Op::Bitcast(v.operand()));
        Val::of(self.compare(CompareOp::Ge, bits, constant(word, 1 << (word.bits() - 1))))
    }

    /// `v.is_sign_positive()`.
    pub fn is_sign_positive<T: Float>(&self, v: Val<T>) -> Val<bool> {
        self.not(self.is_sign_negative(v))
    }

    /// `v.to_bits()`.
    pub fn to_bits<T: Float>(&self, v: Val<T>) -> Val<T::Word> {
        Val::of(self.op(T::SCALAR.unsigned(), Op::Bitcast(v.operand())))
    }

    /// `F::from_bits(v)`.
    pub fn from_bits<T: Float>(&self, v: Val<T::Word>) -> Val<T> {
        Val::of(self.op(T::SCALAR, Op::Bitcast(v.operand())))
    }

    /// `f32::from_bits(v)`.
    pub fn f32_from_bits(&self, v: Val<u32>) -> Val<f32> {
        self.from_bits(v)
    }

    /// `f64::from_bits(v)`.
    pub fn f64_from_bits(&self, v: Val<u64>) -> Val<f64> {
        self.from_bits(v)
    }
}

/// A constant that both float types have exactly.
fn float(ty: ScalarType, value: f64) -> Operand {
    let bits = if ty == ScalarType::F32 { u64::from((value as f32).to_bits()) } else { value.to_bits() };
    Operand::Const(crate::ir::Const::new(ty, bits))
}
