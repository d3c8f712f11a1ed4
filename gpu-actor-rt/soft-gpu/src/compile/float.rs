//! Floating-point instructions.
//!
//! Arithmetic is IEEE 754 with rounding to nearest even and subnormals, bit for bit, except that the payload of a NaN is the CPU's.
//! `.ftz` flushes where it is written and only there. The `.approx` functions are computed as precisely as the host
//! can, which is within what the PTX manual allows. Other rounding modes are refused.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::host;
use crate::ptx::ast::{Instruction, Ty};

impl<'a> Lower<'_, '_, 'a> {
    /// A subnormal `.f32` becomes zero of the same sign.
    pub(super) fn flush(&mut self, value: Value) -> Value {
        let magnitude = self.b.ins().fabs(value);
        let least = self.b.ins().f32const(f32::MIN_POSITIVE);
        let small = self.b.ins().fcmp(FloatCC::LessThan, magnitude, least);
        let zero = self.b.ins().f32const(0.0);
        let zero = self.b.ins().fcopysign(zero, value);
        self.select(small, zero, value)
    }

    pub(super) fn float_constant(&mut self, ty: Ty, value: f64) -> Value {
        if ty == Ty::F32 { self.b.ins().f32const(value as f32) } else { self.b.ins().f64const(value) }
    }

    /// The NaN that PTX calls canonical.
    fn canonical_nan(&mut self, ty: Ty) -> Value {
        if ty == Ty::F32 {
            self.b.ins().f32const(f32::from_bits(0x7fff_ffff))
        } else {
            self.b.ins().f64const(f64::from_bits(0x7fff_ffff_ffff_ffff))
        }
    }

    /// Clamped to [0, 1]; a NaN becomes +0.
    pub(super) fn saturate(&mut self, ty: Ty, value: Value) -> Value {
        let (zero, one) = (self.float_constant(ty, 0.0), self.float_constant(ty, 1.0));
        let positive = self.b.ins().fcmp(FloatCC::GreaterThan, value, zero);
        let value = self.select(positive, value, zero);
        let above = self.b.ins().fcmp(FloatCC::GreaterThan, value, one);
        self.select(above, one, value)
    }

    /// Ticks off the rounding mode, which must be the one there is.
    fn rounding(&self, mods: &mut Modifiers<'_, '_>) -> Lowered {
        mods.take(".rn");
        match [".rz", ".rm", ".rp"].into_iter().find(|m| mods.take(m)) {
            Some(mode) => Err(self.unsupported(mode, "only rounding to nearest even, `.rn`, is known here")),
            None => Ok(()),
        }
    }

    /// `.ftz`, on `.f32` only.
    fn flushes(&self, mods: &mut Modifiers<'_, '_>, ty: Ty) -> Lowered<bool> {
        let flush = mods.take(".ftz");
        if flush && ty != Ty::F32 {
            return Err(self.unsupported(".ftz", "only `.f32` flushes"));
        }
        Ok(flush)
    }

    fn finish(&mut self, ty: Ty, value: Value, flush: bool, saturate: bool) -> Value {
        let value = if saturate { self.saturate(ty, value) } else { value };
        if flush { self.flush(value) } else { value }
    }

    pub(super) fn float_arithmetic(
        &mut self,
        i: &Instruction<'a>,
        ty: Ty,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        if i.opcode == "mad" {
            return self.fused(i, ty, mods);
        }
        let flush = self.flushes(&mut mods, ty)?;
        let saturate = mods.take(".sat");
        let propagate = matches!(i.opcode, "min" | "max") && mods.take(".NaN");
        if i.opcode == "div" {
            // Both are rougher than the exact quotient, which is what they get.
            let _ = mods.take(".approx") || mods.take(".full");
        }
        if matches!(i.opcode, "add" | "sub" | "mul" | "div") {
            self.rounding(&mut mods)?;
        }
        self.done(&mods)?;
        if let "neg" | "abs" = i.opcode {
            let [d, a] = self.operands(i)?;
            let mut a = self.source(a, ty)?;
            if flush {
                a = self.flush(a);
            }
            let value = if i.opcode == "neg" { self.b.ins().fneg(a) } else { self.b.ins().fabs(a) };
            return self.assign(d, ty, value);
        }
        let [d, a, b] = self.operands(i)?;
        let (mut a, mut b) = (self.source(a, ty)?, self.source(b, ty)?);
        if flush {
            (a, b) = (self.flush(a), self.flush(b));
        }
        let value = match i.opcode {
            "add" => self.b.ins().fadd(a, b),
            "sub" => self.b.ins().fsub(a, b),
            "mul" => self.b.ins().fmul(a, b),
            "div" => self.b.ins().fdiv(a, b),
            _ => self.extremum(ty, a, b, i.opcode == "min", propagate),
        };
        let value = self.finish(ty, value, flush, saturate);
        self.assign(d, ty, value)
    }

    /// `min` and `max`: the number where one operand is a NaN, the canonical NaN where both are (or, with `.NaN`,
    /// where either is), and -0 below +0.
    fn extremum(&mut self, ty: Ty, a: Value, b: Value, min: bool, propagate: bool) -> Value {
        let found = if min { self.b.ins().fmin(a, b) } else { self.b.ins().fmax(a, b) };
        let nan = self.canonical_nan(ty);
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, a, b);
        if propagate {
            return self.select(unordered, nan, found);
        }
        let a_nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
        let b_nan = self.b.ins().fcmp(FloatCC::Unordered, b, b);
        let other = self.select(b_nan, nan, b);
        let number = self.select(a_nan, other, a);
        self.select(unordered, number, found)
    }

    pub(super) fn fma(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        if !ty.is_float() {
            return Err(self.bad_type(ty));
        }
        self.fused(i, ty, mods)
    }

    /// `fma`, and the `mad` of floats, which is the same.
    fn fused(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let flush = self.flushes(&mut mods, ty)?;
        let saturate = mods.take(".sat");
        self.rounding(&mut mods)?;
        self.done(&mods)?;
        let [d, a, b, c] = self.operands(i)?;
        let (mut a, mut b, mut c) = (self.source(a, ty)?, self.source(b, ty)?, self.source(c, ty)?);
        if flush {
            (a, b, c) = (self.flush(a), self.flush(b), self.flush(c));
        }
        let value = self.b.ins().fma(a, b, c);
        let value = self.finish(ty, value, flush, saturate);
        self.assign(d, ty, value)
    }

    pub(super) fn float_function(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        let flush = self.flushes(&mut mods, ty)?;
        let approximate = mods.take(".approx");
        if !approximate {
            self.rounding(&mut mods)?;
        }
        self.done(&mods)?;
        let root_or_inverse = matches!(i.opcode, "sqrt" | "rcp");
        let known = ty == Ty::F32 || ty == Ty::F64 && (root_or_inverse || i.opcode == "rsqrt");
        if !known {
            return Err(self.bad_type(ty));
        }
        if !approximate && !root_or_inverse {
            return Err(self.type_error("the function is `.approx` only"));
        }
        let [d, a] = self.operands(i)?;
        let mut a = self.source(a, ty)?;
        if flush {
            a = self.flush(a);
        }
        let value = match i.opcode {
            "sqrt" => self.b.ins().sqrt(a),
            "rcp" => {
                let one = self.float_constant(ty, 1.0);
                self.b.ins().fdiv(one, a)
            }
            "rsqrt" => {
                let one = self.float_constant(ty, 1.0);
                let root = self.b.ins().sqrt(a);
                self.b.ins().fdiv(one, root)
            }
            "sin" => self.host_value(&host::SIN, &[a])?,
            "cos" => self.host_value(&host::COS, &[a])?,
            "lg2" => self.host_value(&host::LG2, &[a])?,
            "ex2" => self.host_value(&host::EX2, &[a])?,
            _ => self.host_value(&host::TANH, &[a])?,
        };
        let value = if flush { self.flush(value) } else { value };
        self.assign(d, ty, value)
    }

    /// `copysign d, a, b`: the sign of `a` on `b`.
    pub(super) fn copysign(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !ty.is_float() {
            return Err(self.bad_type(ty));
        }
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let value = self.b.ins().fcopysign(b, a);
        self.assign(d, ty, value)
    }

    /// `testp.op.type p, a`: the class of a float.
    pub(super) fn testp(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        #[derive(Clone, Copy)]
        enum Class {
            Finite,
            Infinite,
            Number,
            NotANumber,
            Normal,
            Subnormal,
        }
        let class = mods.take_any(&[
            (".finite", Class::Finite),
            (".infinite", Class::Infinite),
            (".number", Class::Number),
            (".notanumber", Class::NotANumber),
            (".normal", Class::Normal),
            (".subnormal", Class::Subnormal),
        ]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(class) = class else { return Err(self.type_error("needs a class such as `.finite`")) };
        if !ty.is_float() {
            return Err(self.bad_type(ty));
        }
        let [p, a] = self.operands(i)?;
        let a = self.source(a, ty)?;
        let magnitude = self.b.ins().fabs(a);
        let infinity = self.float_constant(ty, f64::INFINITY);
        let least = if ty == Ty::F32 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        let least = self.float_constant(ty, least);
        let zero = self.float_constant(ty, 0.0);
        let value = match class {
            Class::Finite => self.b.ins().fcmp(FloatCC::LessThan, magnitude, infinity),
            Class::Infinite => self.b.ins().fcmp(FloatCC::Equal, magnitude, infinity),
            Class::Number => self.b.ins().fcmp(FloatCC::Ordered, a, a),
            Class::NotANumber => self.b.ins().fcmp(FloatCC::Unordered, a, a),
            Class::Normal => {
                let enough = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, magnitude, least);
                let finite = self.b.ins().fcmp(FloatCC::LessThan, magnitude, infinity);
                self.b.ins().band(enough, finite)
            }
            Class::Subnormal => {
                let small = self.b.ins().fcmp(FloatCC::LessThan, magnitude, least);
                let not_zero = self.b.ins().fcmp(FloatCC::GreaterThan, magnitude, zero);
                self.b.ins().band(small, not_zero)
            }
        };
        self.assign(p, Ty::Pred, value)
    }

    /// A value in its own type's class, for conversions.
    pub(super) fn is_nan(&mut self, value: Value) -> Value {
        self.b.ins().fcmp(FloatCC::Unordered, value, value)
    }

    /// Converts between the two widths.
    pub(super) fn float_resize(&mut self, value: Value, to: Ty) -> Value {
        match (self.value_type(value), clif(to)) {
            (from, to) if from == to => value,
            (from, to) if from.bits() > to.bits() => self.b.ins().fdemote(to, value),
            (_, to) => self.b.ins().fpromote(to, value),
        }
    }
}
