//! Floating point that Cranelift has no instructions for: directed rounding, and the rough functions of `.f64`.
//!
//! Rule kept here: what the host's own arithmetic does, to the nearest, stays inline; everything else is one call to
//! [`crate::host::float`], which computes in integers and rounds once.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::host::float::{Kind, Operation, encode};
use crate::host::{self};
use crate::ptx::ast::{Instruction, Operand, Ty};
use crate::soft::Mode;

/// The rounding modes of arithmetic.
pub(super) const MODES: [(&str, Mode); 4] =
    [(".rn", Mode::Nearest), (".rz", Mode::Zero), (".rm", Mode::Down), (".rp", Mode::Up)];

impl<'a> Lower<'_, '_, 'a> {
    /// Ticks off the rounding mode; without one it is to the nearest.
    pub(super) fn rounding(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<Mode> {
        let mode = mods.take_any(&MODES);
        if let (Some(_), Some((other, _))) = (mode, MODES.iter().find(|(m, _)| mods.take(m))) {
            return Err(self.unsupported(other, "more than one rounding mode"));
        }
        Ok(mode.unwrap_or(Mode::Nearest))
    }

    /// Carries out an operation on `.f32` or `.f64` with any rounding mode.
    pub(super) fn directed(
        &mut self,
        operation: Operation,
        ty: Ty,
        mode: Mode,
        operands: &[Value],
    ) -> Lowered<Value> {
        let kind = if ty == Ty::F32 { Kind::F32 } else { Kind::F64 };
        let bits = self.compute(encode(operation, kind, mode, 0), operands)?;
        let raw = if ty == Ty::F32 { types::I32 } else { types::I64 };
        let bits = self.resize(bits, raw, false);
        Ok(self.bitcast(bits, clif(ty)))
    }

    /// Calls the host's arithmetic with operands of any type of up to 64 bits. The result is bits.
    pub(super) fn compute(&mut self, operation: u64, operands: &[Value]) -> Lowered<Value> {
        let zero = self.int(types::I64, 0);
        let mut arguments = [zero; 4];
        arguments[0] = self.int(types::I32, operation);
        for (argument, operand) in arguments[1..].iter_mut().zip(operands) {
            *argument = self.raw_bits(*operand);
        }
        self.host_value(&host::COMPUTE, &arguments)
    }

    /// A value's bits, in 64.
    pub(super) fn raw_bits(&mut self, value: Value) -> Value {
        let raw = match self.value_type(value).bits() {
            16 => types::I16,
            32 => types::I32,
            _ => types::I64,
        };
        let bits = self.bitcast(value, raw);
        self.resize(bits, types::I64, false)
    }

    /// The type of the factors of `fma.f32.f16` and the like: a half, or the type of the result.
    pub(super) fn narrow_factor(&self, ty: Ty, mods: &mut Modifiers<'_, '_>) -> Lowered<Ty> {
        match mods.take_ty() {
            None => Ok(ty),
            Some(narrow @ (Ty::F16 | Ty::Bf16)) if ty == Ty::F32 => Ok(narrow),
            Some(other) => Err(self.bad_type(other)),
        }
    }

    /// A source of type `narrow` as a value of type `ty`.
    pub(super) fn factor(&mut self, operand: &Operand<'a>, narrow: Ty, ty: Ty) -> Lowered<Value> {
        let value = self.source(operand, narrow)?;
        if narrow == ty { Ok(value) } else { self.widened(value, narrow) }
    }

    /// `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64`: of the high half of a double, with a low half of zeros.
    pub(super) fn gross(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if !matches!(i.opcode, "rcp" | "rsqrt") {
            return Err(self.bad_type(Ty::F64));
        }
        // `rsqrt.approx.f64` exists without `.ftz` too, and is then precise.
        let flush = mods.take(".ftz");
        if !flush && i.opcode == "rcp" {
            return Err(self.unsupported(".approx", "`rcp.approx` of `.f64` is `.ftz` only"));
        }
        self.done(&mods)?;
        let [d, a] = self.operands(i)?;
        let mut a = self.source(a, Ty::F64)?;
        if flush {
            let bits = self.bitcast(a, types::I64);
            let high = self.b.ins().band_imm_u(bits, 0xffff_ffff_0000_0000_u64.cast_signed());
            a = self.flush_f64(high);
        }
        let one = self.b.ins().f64const(1.0);
        let root = if i.opcode == "rsqrt" { self.b.ins().sqrt(a) } else { a };
        let mut value = self.b.ins().fdiv(one, root);
        if flush {
            let bits = self.bitcast(value, types::I64);
            let high = self.b.ins().band_imm_u(bits, 0xffff_ffff_0000_0000_u64.cast_signed());
            value = self.flush_f64(high);
        }
        self.assign(d, Ty::F64, value)
    }

    /// The `.f64` of these bits, or a zero of its sign where it is subnormal.
    fn flush_f64(&mut self, bits: Value) -> Value {
        let exponent = self.b.ins().band_imm_u(bits, 0x7ff0_0000_0000_0000);
        let sign = self.b.ins().band_imm_u(bits, i64::MIN);
        let normal = self.is_set(exponent);
        let kept = self.select(normal, bits, sign);
        self.bitcast(kept, types::F64)
    }

    /// `add`, `sub`, `mul` and `fma` of two `.f32` in 64 bits.
    pub(super) fn float_pair(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let flush = mods.take(".ftz");
        let mode = self.rounding(&mut mods)?;
        self.done(&mods)?;
        let (operation, wanted) = match i.opcode {
            "add" => (Operation::Add, 2),
            "sub" => (Operation::Sub, 2),
            "mul" => (Operation::Mul, 2),
            "fma" => (Operation::Fma, 3),
            _ => return Err(self.unsupported(".f32x2", "no such operation on pairs")),
        };
        let [d, sources @ ..] = i.operands.as_slice() else {
            return Err(self.type_error("needs a destination"));
        };
        if sources.len() != wanted {
            return Err(self.type_error(&format!("takes {} operands", wanted + 1)));
        }
        let pairs = sources.iter().map(|s| self.source(s, Ty::B64)).collect::<Lowered<Vec<_>>>()?;
        let mut whole = self.int(types::I64, 0);
        for at in [0, 32] {
            let mut x = Vec::with_capacity(wanted);
            for pair in &pairs {
                let bits = self.b.ins().ushr_imm_u(*pair, at);
                let bits = self.b.ins().ireduce(types::I32, bits);
                let value = self.bitcast(bits, types::F32);
                x.push(if flush { self.flush(value) } else { value });
            }
            let value = match operation {
                _ if mode != Mode::Nearest => self.directed(operation, Ty::F32, mode, &x)?,
                Operation::Add => self.b.ins().fadd(x[0], x[1]),
                Operation::Sub => self.b.ins().fsub(x[0], x[1]),
                Operation::Mul => self.b.ins().fmul(x[0], x[1]),
                _ => self.b.ins().fma(x[0], x[1], x[2]),
            };
            let value = if flush { self.flush(value) } else { value };
            let bits = self.raw_bits(value);
            let bits = self.b.ins().ishl_imm_u(bits, at);
            whole = self.b.ins().bor(whole, bits);
        }
        self.assign(d, Ty::B64, whole)
    }
}
