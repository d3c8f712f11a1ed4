//! Floating-point instructions.
//!
//! Arithmetic is IEEE 754 with rounding to nearest even and subnormals, bit for bit, except that the payload of a NaN is the CPU's.
//! `.ftz` flushes where it is written and only there. The `.approx` functions are computed as precisely as the host
//! can, which is within what the PTX manual allows. Other rounding modes are in [`super::rounding`].

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::host;
use crate::host::float::Operation;
use crate::ptx::ast::{Instruction, Ty};
use crate::soft::Mode;

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

    /// `.ftz`, on `.f32` only.
    pub(super) fn flushes(&self, mods: &mut Modifiers<'_, '_>, ty: Ty) -> Lowered<bool> {
        let flush = mods.take(".ftz");
        if flush && ty != Ty::F32 {
            return Err(self.unsupported(".ftz", "only `.f32` flushes"));
        }
        Ok(flush)
    }

    pub(super) fn finish(&mut self, ty: Ty, value: Value, flush: bool, saturate: bool) -> Value {
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
        if let "min" | "max" = i.opcode {
            return self.float_extremum(i, ty, flush, mods);
        }
        if let "neg" | "abs" = i.opcode {
            self.done(&mods)?;
            let [d, a] = self.operands(i)?;
            let mut a = self.source(a, ty)?;
            if flush {
                a = self.flush(a);
            }
            let value = if i.opcode == "neg" { self.b.ins().fneg(a) } else { self.b.ins().fabs(a) };
            return self.assign(d, ty, value);
        }
        // `.full` is rougher than the exact quotient, which is what it gets.
        let approximate = i.opcode == "div" && mods.take(".approx");
        let _ = i.opcode == "div" && mods.take(".full");
        let mode = self.rounding(&mut mods)?;
        // `add.f32.f16` and the like add a half to an `.f32`.
        let narrow = if let "add" | "sub" = i.opcode { self.narrow_factor(ty, &mut mods)? } else { ty };
        self.done(&mods)?;
        let [d, a, b] = self.operands(i)?;
        let (mut a, mut b) = (self.factor(a, narrow, ty)?, self.source(b, ty)?);
        if flush {
            (a, b) = (self.flush(a), self.flush(b));
        }
        let value = match i.opcode {
            "div" if approximate => self.approximate_quotient(ty, a, b)?,
            "add" if mode == Mode::Nearest => self.b.ins().fadd(a, b),
            "sub" if mode == Mode::Nearest => self.b.ins().fsub(a, b),
            "mul" if mode == Mode::Nearest => self.b.ins().fmul(a, b),
            "div" if mode == Mode::Nearest => self.b.ins().fdiv(a, b),
            "add" => self.directed(Operation::Add, ty, mode, &[a, b])?,
            "sub" => self.directed(Operation::Sub, ty, mode, &[a, b])?,
            "mul" => self.directed(Operation::Mul, ty, mode, &[a, b])?,
            _ => self.directed(Operation::Div, ty, mode, &[a, b])?,
        };
        let value = self.finish(ty, value, flush, saturate);
        self.assign(d, ty, value)
    }

    /// `div.approx`: a divisor above 2^126 gives 0, or a NaN where the dividend is infinite.
    fn approximate_quotient(&mut self, ty: Ty, a: Value, b: Value) -> Lowered<Value> {
        if ty != Ty::F32 {
            return Err(self.unsupported(".approx", "only `.f32` divides roughly"));
        }
        let quotient = self.b.ins().fdiv(a, b);
        let product = {
            let zero = self.b.ins().f32const(0.0);
            let zero = self.b.ins().fcopysign(zero, quotient);
            let size = self.b.ins().fabs(a);
            self.b.ins().fmul(size, zero)
        };
        let magnitude = self.b.ins().fabs(b);
        let bound = self.b.ins().f32const(f32::from_bits(0x7e80_0000));
        let infinity = self.b.ins().f32const(f32::INFINITY);
        let large = self.b.ins().fcmp(FloatCC::GreaterThan, magnitude, bound);
        let finite = self.b.ins().fcmp(FloatCC::LessThan, magnitude, infinity);
        let outside = self.b.ins().band(large, finite);
        Ok(self.select(outside, product, quotient))
    }

    /// `min` and `max` of two operands, or of three.
    fn float_extremum(
        &mut self,
        i: &Instruction<'a>,
        ty: Ty,
        flush: bool,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let (propagate, xor) = (mods.take(".NaN"), mods.take(".xorsign"));
        let absolute = mods.take(".abs");
        self.done(&mods)?;
        let (d, sources) = match i.operands.as_slice() {
            [d, rest @ ..] if rest.len() == 2 || rest.len() == 3 && ty == Ty::F32 && !xor => (d, rest),
            _ => return Err(self.type_error("takes 3 operands")),
        };
        if xor && !absolute || ty != Ty::F32 && (propagate || absolute) {
            let token = if propagate { ".NaN" } else { ".xorsign" };
            return Err(self.unsupported(token, "`.NaN` and `.xorsign.abs` are for `.f32` and halves"));
        }
        let mut values = Vec::with_capacity(sources.len());
        for source in sources {
            let value = self.source(source, ty)?;
            values.push(if flush { self.flush(value) } else { value });
        }
        let (a, b) = (values[0], values[1]);
        if absolute {
            values = values.into_iter().map(|v| self.b.ins().fabs(v)).collect();
        }
        let min = i.opcode == "min";
        let mut found = self.extremum(ty, values[0], values[1], min, propagate);
        if let Some(c) = values.get(2) {
            found = self.extremum(ty, found, *c, min, propagate);
        }
        if xor {
            // The sign of the product is that of both signs; a NaN stays as it is, by class.
            let (a, b) = (self.bitcast(a, types::I32), self.bitcast(b, types::I32));
            let sign = self.b.ins().bxor(a, b);
            let sign = self.bitcast(sign, types::F32);
            found = self.b.ins().fcopysign(found, sign);
        }
        let value = self.finish(ty, found, flush, false);
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
        if mods.take(".f32x2") {
            return self.float_pair(i, mods);
        }
        let ty = self.ty(&mut mods)?;
        if ty.is_half() {
            return self.half_fma(i, ty, mods);
        }
        if !ty.is_float() {
            return Err(self.bad_type(ty));
        }
        self.fused(i, ty, mods)
    }

    /// `fma`, and the `mad` of floats, which is the same.
    fn fused(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let flush = self.flushes(&mut mods, ty)?;
        let saturate = mods.take(".sat");
        let mode = self.rounding(&mut mods)?;
        let narrow = self.narrow_factor(ty, &mut mods)?;
        self.done(&mods)?;
        let [d, a, b, c] = self.operands(i)?;
        let (mut a, mut b) = (self.factor(a, narrow, ty)?, self.factor(b, narrow, ty)?);
        let mut c = self.source(c, ty)?;
        if flush {
            (a, b, c) = (self.flush(a), self.flush(b), self.flush(c));
        }
        let value = match mode {
            Mode::Nearest => self.b.ins().fma(a, b, c),
            _ => self.directed(Operation::Fma, ty, mode, &[a, b, c])?,
        };
        let value = self.finish(ty, value, flush, saturate);
        self.assign(d, ty, value)
    }

    pub(super) fn float_function(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        if ty.is_half() {
            return self.half_function(i, ty, mods);
        }
        let approximate = mods.take(".approx");
        if ty == Ty::F64 && approximate {
            return self.gross(i, mods);
        }
        let flush = self.flushes(&mut mods, ty)?;
        let mode = if approximate { Mode::Nearest } else { self.rounding(&mut mods)? };
        self.done(&mods)?;
        let root_or_inverse = matches!(i.opcode, "sqrt" | "rcp");
        if ty != Ty::F32 && !(ty == Ty::F64 && root_or_inverse) {
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
            "sqrt" if mode != Mode::Nearest => self.directed(Operation::Sqrt, ty, mode, &[a])?,
            "rcp" if mode != Mode::Nearest => {
                let one = self.float_constant(ty, 1.0);
                self.directed(Operation::Div, ty, mode, &[one, a])?
            }
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
