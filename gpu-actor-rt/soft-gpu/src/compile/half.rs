//! Half precision: `.f16` and `.bf16`, one or two in a register.
//!
//! A half is an integer register's bits. Arithmetic is a call to [`crate::host::float`], correctly rounded; comparisons widen
//! to `.f32`, which has every half's value.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::host;
use crate::host::float::{Kind, Operation, encode, flag};
use crate::ptx::ast::{Instruction, Operand, Ty};
use crate::soft::Mode;

impl<'a> Lower<'_, '_, 'a> {
    /// `.ftz` and `.sat`, which only `.f16` has.
    fn half_flags(&self, ty: Ty, mods: &mut Modifiers<'_, '_>) -> Lowered<u32> {
        let mut flags = if ty.is_pair() { flag::PAIR } else { 0 };
        for (name, bit) in [(".ftz", flag::FLUSH), (".sat", flag::SATURATE)] {
            if mods.take(name) {
                if matches!(ty, Ty::Bf16 | Ty::Bf16x2) {
                    return Err(self.unsupported(name, "not for `.bf16`"));
                }
                flags |= bit;
            }
        }
        Ok(flags)
    }

    /// Computes and assigns.
    fn half_compute(
        &mut self,
        d: &Operand<'a>,
        ty: Ty,
        operation: Operation,
        flags: u32,
        operands: &[&Operand<'a>],
    ) -> Lowered {
        let values = operands.iter().map(|o| self.source(o, ty)).collect::<Lowered<Vec<_>>>()?;
        let kind = if matches!(ty, Ty::F16 | Ty::F16x2) { Kind::F16 } else { Kind::Bf16 };
        let bits = self.compute(encode(operation, kind, Mode::Nearest, flags), &values)?;
        let value = self.resize(bits, clif(ty), false);
        self.assign(d, ty, value)
    }

    /// `add`, `sub`, `mul`, `min`, `max`, `neg` and `abs` of halves.
    pub(super) fn half_arithmetic(
        &mut self,
        i: &Instruction<'a>,
        ty: Ty,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let mut flags = self.half_flags(ty, &mut mods)?;
        let operation = match i.opcode {
            "add" => Operation::Add,
            "sub" => Operation::Sub,
            "mul" => Operation::Mul,
            "min" => Operation::Min,
            "max" => Operation::Max,
            "neg" | "abs" => return self.half_sign(i, ty, flags, mods),
            _ => return Err(self.bad_type(ty)),
        };
        if let Operation::Min | Operation::Max = operation {
            if mods.take(".NaN") {
                flags |= flag::NAN;
            }
            if mods.take(".xorsign") {
                if !mods.take(".abs") {
                    return Err(self.type_error("`.xorsign` needs `.abs`"));
                }
                flags |= flag::XOR_SIGN;
            }
        } else {
            mods.take(".rn");
        }
        self.done(&mods)?;
        let [d, a, b] = self.operands(i)?;
        self.half_compute(d, ty, operation, flags, &[a, b])
    }

    /// `neg` and `abs` change the sign bits and nothing else, but for `.ftz`.
    fn half_sign(&mut self, i: &Instruction<'a>, ty: Ty, flags: u32, mods: Modifiers<'_, 'a>) -> Lowered {
        self.done(&mods)?;
        let [d, a] = self.operands(i)?;
        let mut a = self.source(a, ty)?;
        if flags & flag::FLUSH != 0 {
            let bits = self.compute(encode(Operation::Keep, Kind::F16, Mode::Nearest, flags), &[a])?;
            a = self.resize(bits, clif(ty), false);
        }
        let signs = if ty.is_pair() { 0x8000_8000 } else { 0x8000 };
        let signs = self.int(clif(ty), signs);
        let value = if i.opcode == "neg" {
            self.b.ins().bxor(a, signs)
        } else {
            let rest = self.b.ins().bnot(signs);
            self.b.ins().band(a, rest)
        };
        self.assign(d, ty, value)
    }

    /// `fma.rn` of halves.
    pub(super) fn half_fma(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let mut flags = self.half_flags(ty, &mut mods)?;
        if mods.take(".relu") {
            if flags & flag::SATURATE != 0 {
                return Err(self.unsupported(".relu", "not together with `.sat`"));
            }
            flags |= flag::RELU;
        }
        if !mods.take(".rn") {
            return Err(self.type_error("`fma` of halves needs `.rn`"));
        }
        self.done(&mods)?;
        let [d, a, b, c] = self.operands(i)?;
        self.half_compute(d, ty, Operation::Fma, flags, &[a, b, c])
    }

    /// `ex2.approx` and `tanh.approx` of halves.
    pub(super) fn half_function(
        &mut self,
        i: &Instruction<'a>,
        ty: Ty,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let operation = match i.opcode {
            "ex2" => Operation::Ex2,
            "tanh" => Operation::Tanh,
            _ => return Err(self.bad_type(ty)),
        };
        let approximate = mods.take(".approx");
        let mut flags = if ty.is_pair() { flag::PAIR } else { 0 };
        // `ex2` flushes `.bf16`, always, and no other half.
        if matches!(ty, Ty::Bf16 | Ty::Bf16x2) && operation == Operation::Ex2 {
            if !mods.take(".ftz") {
                return Err(self.type_error("`ex2` of `.bf16` needs `.ftz`"));
            }
            flags |= flag::FLUSH;
        }
        self.done(&mods)?;
        if !approximate {
            return Err(self.type_error("the function is `.approx` only"));
        }
        let [d, a] = self.operands(i)?;
        self.half_compute(d, ty, operation, flags, &[a])
    }

    /// The `.f32` with the value of a half.
    pub(super) fn widened(&mut self, value: Value, ty: Ty) -> Lowered<Value> {
        let bits = self.resize(value, types::I32, false);
        if ty == Ty::F16 {
            return self.host_value(&host::WIDEN, &[bits]);
        }
        let bits = self.b.ins().ishl_imm_u(bits, 16);
        Ok(self.bitcast(bits, types::F32))
    }

    /// The halves of an operand as `.f32`: one, or the low and the high one. With `flush`, subnormals are zeros.
    pub(super) fn half_parts(&mut self, operand: &Operand<'a>, ty: Ty, flush: bool) -> Lowered<Vec<Value>> {
        let mut value = self.source(operand, ty)?;
        if flush {
            let flags = flag::FLUSH | if ty.is_pair() { flag::PAIR } else { 0 };
            let bits = self.compute(encode(Operation::Keep, Kind::F16, Mode::Nearest, flags), &[value])?;
            value = self.resize(bits, clif(ty), false);
        }
        let element = match ty {
            Ty::F16x2 => Ty::F16,
            Ty::Bf16x2 => Ty::Bf16,
            _ => return Ok(vec![self.widened(value, ty)?]),
        };
        let low = self.b.ins().ireduce(types::I16, value);
        let high = self.b.ins().ushr_imm_u(value, 16);
        let high = self.b.ins().ireduce(types::I16, high);
        Ok(vec![self.widened(low, element)?, self.widened(high, element)?])
    }
}
