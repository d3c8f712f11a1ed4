//! Operands, constants, special registers and host calls: the values that instructions work on.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::CondCode as _;
use cranelift_codegen::ir::{AbiParam, InstBuilder, InstructionData, MemFlagsData, Type, Value, types};
use cranelift_module::Module as _;

use super::func::{Entity, Lower, Lowered, constant_memory};
use super::module::clif;
use crate::block::Lane;
use crate::error::{LoadError, LoadErrorKind};
use crate::host::{self, HostFn};
use crate::ptx::ast::{Operand, Ty};

impl<'a> Lower<'_, '_, 'a> {
    /// An integer constant of `ty`, from its low bits.
    pub(super) fn int(&mut self, ty: Type, value: u64) -> Value {
        let bits = ty.bits();
        let value = if bits < 64 { value & ((1 << bits) - 1) } else { value };
        self.b.ins().iconst(ty, value as i64)
    }

    pub(super) fn bitcast(&mut self, value: Value, to: Type) -> Value {
        if self.b.func.dfg.value_type(value) == to {
            return value;
        }
        self.b.ins().bitcast(to, MemFlagsData::new(), value)
    }

    /// Zero- or sign-extends or truncates an integer to `to`.
    pub(super) fn resize(&mut self, value: Value, to: Type, signed: bool) -> Value {
        let from = self.b.func.dfg.value_type(value);
        if from.bits() == to.bits() {
            value
        } else if from.bits() > to.bits() {
            self.b.ins().ireduce(to, value)
        } else if signed {
            self.b.ins().sextend(to, value)
        } else {
            self.b.ins().uextend(to, value)
        }
    }

    fn compatible(register: Ty, instruction: Ty) -> bool {
        if register == Ty::Pred || instruction == Ty::Pred {
            return register == instruction;
        }
        let class = |ty: Ty| (ty.is_float(), ty.is_half());
        register.size() == instruction.size()
            && (register.is_untyped() || instruction.is_untyped() || class(register) == class(instruction))
    }

    fn mismatch(&self, name: &str, register: Ty, instruction: Ty) -> LoadError {
        let message = format!("the register is {register}, `{}` needs {instruction}", self.opcode);
        self.error(LoadErrorKind::Type, name, &message)
    }

    pub(super) fn undeclared(&self, name: &str) -> LoadError {
        self.error(LoadErrorKind::Name, name, "not declared")
    }

    /// A source operand of type `ty`.
    pub(super) fn source(&mut self, operand: &Operand<'a>, ty: Ty) -> Lowered<Value> {
        match operand {
            Operand::Name(name) => match self.find(name) {
                Some(Entity::Register { var, ty: register }) => {
                    if !Self::compatible(register, ty) {
                        return Err(self.mismatch(name, register, ty));
                    }
                    let value = self.b.use_var(var);
                    Ok(self.bitcast(value, clif(ty)))
                }
                Some(_) => {
                    Err(self.error(LoadErrorKind::Type, name, "a register or constant is needed here"))
                }
                None => match self.special(name)? {
                    Some((value, register)) => {
                        if ty.is_float() || ty == Ty::Pred {
                            return Err(self.mismatch(name, register, ty));
                        }
                        Ok(self.resize(value, clif(ty), false))
                    }
                    None => Err(self.undeclared(name)),
                },
            },
            Operand::Not(_) if ty == Ty::Pred => self.predicate(operand),
            _ => self.constant(operand, ty),
        }
    }

    fn constant(&mut self, operand: &Operand<'a>, ty: Ty) -> Lowered<Value> {
        Ok(match (operand, ty) {
            (Operand::Int(n), Ty::Pred) => self.int(types::I8, u64::from(*n != 0)),
            (Operand::Int(n), _) if ty.is_int() => self.int(clif(ty), *n),
            (Operand::F32(bits), Ty::F32) => self.b.ins().f32const(f32::from_bits(*bits)),
            (Operand::F32(bits), Ty::F64) => self.b.ins().f64const(f64::from(f32::from_bits(*bits))),
            (Operand::F64(bits), Ty::F32) => self.b.ins().f32const(f64::from_bits(*bits) as f32),
            (Operand::F64(bits), Ty::F64) => self.b.ins().f64const(f64::from_bits(*bits)),
            (Operand::F32(bits), Ty::B32) => self.int(types::I32, u64::from(*bits)),
            (Operand::F64(bits), Ty::B64) => self.int(types::I64, *bits),
            _ => {
                return Err(
                    self.type_error(&format!("an operand is neither a register nor a constant of {ty}"))
                );
            }
        })
    }

    /// A source that may be in a register wider than `ty`, as `st` and `cvt` allow.
    pub(super) fn wide_source(&mut self, operand: &Operand<'a>, ty: Ty) -> Lowered<Value> {
        if let Operand::Name(name) = operand
            && (ty.is_int() || ty.is_half())
            && let Some(Entity::Register { var, ty: register }) = self.find(name)
            && register.size() > ty.size()
            && register.is_int()
        {
            let value = self.b.use_var(var);
            return Ok(self.b.ins().ireduce(clif(ty), value));
        }
        self.source(operand, ty)
    }

    /// Whether a name is that of a predicate register.
    pub(super) fn is_predicate(&mut self, name: &'a str) -> bool {
        matches!(self.find(name), Some(Entity::Register { ty: Ty::Pred, .. }))
    }

    /// The other truth value. That of a comparison is the opposite comparison, which a branch or a selection takes in.
    pub(super) fn not(&mut self, truth: Value) -> Value {
        let dfg = &self.b.func.dfg;
        if let Some(compare) = dfg.value_def(truth).inst()
            && let InstructionData::IntCompare { cond, args: [a, b], .. } = dfg.insts[compare]
        {
            return self.b.ins().icmp(cond.complement(), a, b);
        }
        self.b.ins().bxor_imm_u(truth, 1)
    }

    /// A predicate, possibly negated.
    pub(super) fn predicate(&mut self, operand: &Operand<'a>) -> Lowered<Value> {
        match operand {
            Operand::Not(name) => {
                let value = self.source(&Operand::Name(name), Ty::Pred)?;
                Ok(self.not(value))
            }
            _ => self.source(operand, Ty::Pred),
        }
    }

    /// Writes `value`, of type `ty`, to a destination operand.
    pub(super) fn assign(&mut self, operand: &Operand<'a>, ty: Ty, value: Value) -> Lowered {
        self.assign_to(operand, ty, value, false)
    }

    /// Like [`Lower::assign`], to a register that may be wider, as `ld` and `cvt` allow: extended as `ty` says.
    pub(super) fn wide_assign(&mut self, operand: &Operand<'a>, ty: Ty, value: Value) -> Lowered {
        self.assign_to(operand, ty, value, true)
    }

    fn assign_to(&mut self, operand: &Operand<'a>, ty: Ty, value: Value, wide: bool) -> Lowered {
        let Operand::Name(name) = operand else {
            return Err(self.type_error("the destination must be a register"));
        };
        match self.find(name) {
            Some(Entity::Register { var, ty: register }) => {
                let value = if Self::compatible(register, ty) {
                    self.bitcast(value, clif(register))
                } else if wide
                    && (ty.is_int() || ty.is_half())
                    && register.is_int()
                    && register.size() > ty.size()
                {
                    self.resize(value, clif(register), ty.is_signed())
                } else {
                    return Err(self.mismatch(name, register, ty));
                };
                self.b.def_var(var, value);
                Ok(())
            }
            None if *name == "_" => Ok(()),
            Some(_) => Err(self.error(LoadErrorKind::Type, name, "the destination must be a register")),
            None => Err(self.undeclared(name)),
        }
    }

    /// A predicate as a branch condition made of two values.
    pub(super) fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.b.ins().select(condition, yes, no)
    }

    // Context and host.

    /// A field of the lane's context.
    pub(super) fn context_field(&mut self, ty: Type, offset: usize) -> Value {
        self.b.ins().load(ty, constant_memory(), self.context, offset as i32)
    }

    /// Calls the host.
    pub(super) fn host(&mut self, function: &HostFn, arguments: &[Value]) -> Option<Value> {
        let mut signature = self.env.module.make_signature();
        signature.params.extend(function.params.iter().map(|ty| AbiParam::new(*ty)));
        signature.returns.extend(function.result.iter().map(|ty| AbiParam::new(*ty)));
        let signature = self.b.import_signature(signature);
        let address = self.b.ins().iconst(types::I64, function.address());
        let call = self.b.ins().call_indirect(signature, address, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// Calls a host function that has a result.
    pub(super) fn host_value(&mut self, function: &HostFn, arguments: &[Value]) -> Lowered<Value> {
        self.host(function, arguments)
            .ok_or_else(|| self.error(LoadErrorKind::Internal, self.opcode, "host call without a result"))
    }

    /// A special register's value and type.
    pub(super) fn special(&mut self, name: &str) -> Lowered<Option<(Value, Ty)>> {
        if self.env.alone
            && let Some(value) = special_of_one_lane(name)
        {
            return Ok(Some((self.int(types::I32, value), Ty::U32)));
        }
        let axis = |at: usize, axis: usize| at + axis * 4;
        let word = match name {
            "%tid.x" => axis(offset_of!(Lane, tid), 0),
            "%tid.y" => axis(offset_of!(Lane, tid), 1),
            "%tid.z" => axis(offset_of!(Lane, tid), 2),
            "%ntid.x" => axis(offset_of!(Lane, ntid), 0),
            "%ntid.y" => axis(offset_of!(Lane, ntid), 1),
            "%ntid.z" => axis(offset_of!(Lane, ntid), 2),
            "%ctaid.x" => axis(offset_of!(Lane, ctaid), 0),
            "%ctaid.y" => axis(offset_of!(Lane, ctaid), 1),
            "%ctaid.z" => axis(offset_of!(Lane, ctaid), 2),
            "%nctaid.x" => axis(offset_of!(Lane, nctaid), 0),
            "%nctaid.y" => axis(offset_of!(Lane, nctaid), 1),
            "%nctaid.z" => axis(offset_of!(Lane, nctaid), 2),
            "%laneid" => offset_of!(Lane, number),
            "%warpid" => offset_of!(Lane, warp_id),
            "%nwarpid" => offset_of!(Lane, warps),
            "%smid" => offset_of!(Lane, sm_id),
            "%nsmid" => offset_of!(Lane, sm_count),
            "%dynamic_smem_size" => offset_of!(Lane, dynamic_shared),
            "%total_smem_size" => offset_of!(Lane, total_shared),
            _ => return self.computed_special(name),
        };
        Ok(Some((self.context_field(types::I32, word), Ty::U32)))
    }

    fn computed_special(&mut self, name: &str) -> Lowered<Option<(Value, Ty)>> {
        let low = |lower: &mut Self, value: Value| lower.b.ins().ireduce(types::I32, value);
        let high = |lower: &mut Self, value: Value| {
            let value = lower.b.ins().ushr_imm_u(value, 32);
            lower.b.ins().ireduce(types::I32, value)
        };
        Ok(Some(match name {
            "%tid.w" | "%ctaid.w" => (self.int(types::I32, 0), Ty::U32),
            "%ntid.w" | "%nctaid.w" => (self.int(types::I32, 1), Ty::U32),
            "%gridid" => (self.context_field(types::I64, offset_of!(Lane, grid_id)), Ty::U64),
            "%globaltimer" => (self.time(&host::GLOBAL_TIMER, &host::LANE_TIMER)?, Ty::U64),
            "%globaltimer_lo" => {
                let value = self.time(&host::GLOBAL_TIMER, &host::LANE_TIMER)?;
                (low(self, value), Ty::U32)
            }
            "%globaltimer_hi" => {
                let value = self.time(&host::GLOBAL_TIMER, &host::LANE_TIMER)?;
                (high(self, value), Ty::U32)
            }
            "%clock64" => (self.time(&host::CLOCK, &host::LANE_CLOCK)?, Ty::U64),
            "%clock" => {
                let value = self.time(&host::CLOCK, &host::LANE_CLOCK)?;
                (low(self, value), Ty::U32)
            }
            "%clock_hi" => {
                let value = self.time(&host::CLOCK, &host::LANE_CLOCK)?;
                (high(self, value), Ty::U32)
            }
            "%lanemask_eq" | "%lanemask_lt" | "%lanemask_le" | "%lanemask_gt" | "%lanemask_ge" => {
                let lane = self.context_field(types::I32, offset_of!(Lane, number));
                let one = self.int(types::I32, 1);
                let bit = self.b.ins().ishl(one, lane);
                let below = self.b.ins().isub(bit, one);
                let mask = match name {
                    "%lanemask_eq" => bit,
                    "%lanemask_lt" => below,
                    "%lanemask_le" => self.b.ins().bor(bit, below),
                    "%lanemask_ge" => self.b.ins().bnot(below),
                    _ => {
                        let to_here = self.b.ins().bor(bit, below);
                        self.b.ins().bnot(to_here)
                    }
                };
                (mask, Ty::U32)
            }
            _ => return Ok(None),
        }))
    }
}

/// The special registers that are known where a block has one lane.
fn special_of_one_lane(name: &str) -> Option<u64> {
    Some(match name {
        "%tid.x" | "%tid.y" | "%tid.z" | "%laneid" | "%warpid" | "%lanemask_lt" => 0,
        "%ntid.x" | "%ntid.y" | "%ntid.z" | "%nwarpid" | "%lanemask_eq" | "%lanemask_le" => 1,
        "%lanemask_gt" => 0xffff_fffe,
        "%lanemask_ge" => 0xffff_ffff,
        _ => return None,
    })
}
