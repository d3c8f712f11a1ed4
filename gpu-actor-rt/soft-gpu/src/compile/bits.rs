//! Logic, shifts and bit fields, and `mov`, which moves bits.
//!
//! Shifts clamp, as PTX has it: by the width or more, zeros or the sign is all that is left.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Type, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::error::LoadErrorKind;
use crate::ptx::ast::{Instruction, Operand, Ty};

impl<'a> Lower<'_, '_, 'a> {
    pub(super) fn logic(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let known = ty == Ty::Pred && i.opcode != "cnot" || ty.is_untyped() && ty.bits() >= 16;
        if !known {
            return Err(self.bad_type(ty));
        }
        if let "not" | "cnot" = i.opcode {
            let [d, a] = self.operands(i)?;
            let a = self.source(a, ty)?;
            let value = match (i.opcode, ty) {
                ("not", Ty::Pred) => self.not(a),
                ("not", _) => self.b.ins().bnot(a),
                _ => {
                    let zero = self.int(clif(ty), 0);
                    let is_zero = self.b.ins().icmp(IntCC::Equal, a, zero);
                    self.resize(is_zero, clif(ty), false)
                }
            };
            return self.assign(d, ty, value);
        }
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let value = match i.opcode {
            "and" => self.b.ins().band(a, b),
            "or" => self.b.ins().bor(a, b),
            _ => self.b.ins().bxor(a, b),
        };
        self.assign(d, ty, value)
    }

    /// Shifts clamp: by the width or more, nothing but the sign or zeros is left.
    pub(super) fn shift(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let left = i.opcode == "shl";
        if !ty.is_int() || ty.bits() < 16 || left && !ty.is_untyped() {
            return Err(self.bad_type(ty));
        }
        let [d, a, amount] = self.operands(i)?;
        let a = self.source(a, ty)?;
        let width = u64::from(ty.bits());
        let value = if let Operand::Int(n) = amount {
            // A 32-bit operand whatever the type of the instruction.
            let n = u64::from(*n as u32);
            if ty.is_signed() {
                self.b.ins().sshr_imm_u(a, n.min(width - 1) as i64)
            } else if n >= width {
                self.int(clif(ty), 0)
            } else if left {
                self.b.ins().ishl_imm_u(a, n as i64)
            } else {
                self.b.ins().ushr_imm_u(a, n as i64)
            }
        } else {
            let n = self.source(amount, Ty::U32)?;
            self.clamped_shift(ty, a, n, left)
        };
        self.assign(d, ty, value)
    }

    fn clamped_shift(&mut self, ty: Ty, a: Value, n: Value, left: bool) -> Value {
        let width = u64::from(ty.bits());
        if ty.is_signed() && !left {
            let most = self.int(types::I32, width - 1);
            let n = self.b.ins().umin(n, most);
            return self.b.ins().sshr(a, n);
        }
        let shifted = if left { self.b.ins().ishl(a, n) } else { self.b.ins().ushr(a, n) };
        let zero = self.int(clif(ty), 0);
        let width = self.int(types::I32, width);
        let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, n, width);
        self.select(inside, shifted, zero)
    }

    /// `shf.{l,r}.{clamp,wrap}.b32 d, a, b, c`: one half of `b:a` shifted by `c`.
    pub(super) fn funnel_shift(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let left = mods.take_any(&[(".l", true), (".r", false)]);
        let wrap = mods.take_any(&[(".wrap", true), (".clamp", false)]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let (Some(left), Some(wrap)) = (left, wrap) else {
            return Err(self.type_error("needs `.l` or `.r`, and `.wrap` or `.clamp`"));
        };
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, c] = self.operands(i)?;
        let (a, b, c) = (self.source(a, ty)?, self.source(b, ty)?, self.source(c, Ty::U32)?);
        let amount = if wrap {
            self.b.ins().band_imm_u(c, 31)
        } else {
            let most = self.int(types::I32, 32);
            self.b.ins().umin(c, most)
        };
        let low = self.resize(a, types::I64, false);
        let high = self.resize(b, types::I64, false);
        let high = self.b.ins().ishl_imm_u(high, 32);
        let both = self.b.ins().bor(high, low);
        let shifted = if left {
            let shifted = self.b.ins().ishl(both, amount);
            self.b.ins().ushr_imm_u(shifted, 32)
        } else {
            self.b.ins().ushr(both, amount)
        };
        let value = self.b.ins().ireduce(types::I32, shifted);
        self.assign(d, ty, value)
    }

    /// `lop3.b32 d, a, b, c, table`: any function of three bits, by its truth table.
    pub(super) fn lop3(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let combine = mods.take_any(&[(".and", true), (".or", false)]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let (d, a, b, c, table, q) = match (i.operands.as_slice(), combine) {
            ([d, a, b, c, table], None) => (d, a, b, c, table, None),
            ([d, a, b, c, table, q], Some(and)) => (d, a, b, c, table, Some((and, q))),
            _ => return Err(self.type_error("wrong number of operands")),
        };
        let Operand::Int(table @ 0..=255) = table else {
            return Err(self.type_error("the table is a constant from 0 to 255"));
        };
        let inputs = [self.source(a, ty)?, self.source(b, ty)?, self.source(c, ty)?];
        let mut value = self.int(types::I32, 0);
        for row in (0..8).filter(|row| table >> row & 1 == 1) {
            let mut term = self.int(types::I32, u64::MAX);
            for (at, input) in inputs.iter().enumerate() {
                // The first operand is the high bit of the row.
                let bit = row >> (2 - at) & 1 == 1;
                let factor = if bit { *input } else { self.b.ins().bnot(*input) };
                term = self.b.ins().band(term, factor);
            }
            value = self.b.ins().bor(value, term);
        }
        if let Some((and, q)) = q {
            return self.lop3_predicate(i, value, and, q);
        }
        self.assign(d, ty, value)
    }

    pub(super) fn count_bits(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::B32 | Ty::B64) {
            return Err(self.bad_type(ty));
        }
        let [d, a] = self.operands(i)?;
        let a = self.source(a, ty)?;
        if i.opcode == "brev" {
            let value = self.b.ins().bitrev(a);
            return self.assign(d, ty, value);
        }
        let count = match self.reversed(a) {
            _ if i.opcode == "popc" => self.b.ins().popcnt(a),
            // How PTX counts trailing zeros; hosts have an instruction for that and none to reverse bits.
            Some(forwards) => self.b.ins().ctz(forwards),
            None => self.b.ins().clz(a),
        };
        let count = self.resize(count, types::I32, false);
        self.assign(d, Ty::U32, count)
    }

    /// What a value is the bits of in reverse order, if it is known to be that.
    fn reversed(&self, value: Value) -> Option<Value> {
        let instruction = self.b.func.dfg.value_def(value).inst()?;
        match self.b.func.dfg.insts[instruction] {
            InstructionData::Unary { opcode: Opcode::Bitrev, arg } => Some(arg),
            _ => None,
        }
    }

    /// `bfind`: the highest bit that is not the sign, or -1; `.shiftamt`: how far it is from the top.
    pub(super) fn bfind(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let shift = mods.take(".shiftamt");
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::U32 | Ty::U64 | Ty::S32 | Ty::S64) {
            return Err(self.bad_type(ty));
        }
        let [d, a] = self.operands(i)?;
        let mut a = self.source(a, ty)?;
        if ty.is_signed() {
            let sign = self.b.ins().sshr_imm_u(a, i64::from(ty.bits() - 1));
            a = self.b.ins().bxor(a, sign);
        }
        let zeros = self.b.ins().clz(a);
        let zeros = self.resize(zeros, types::I32, false);
        let none = self.int(types::I32, u64::MAX);
        let empty = {
            let zero = self.int(clif(ty), 0);
            self.b.ins().icmp(IntCC::Equal, a, zero)
        };
        let found = if shift {
            zeros
        } else {
            let top = self.int(types::I32, u64::from(ty.bits() - 1));
            self.b.ins().isub(top, zeros)
        };
        let value = self.select(empty, none, found);
        self.assign(d, Ty::U32, value)
    }

    /// A position or length operand: the low eight bits, as 64.
    fn bit_operand(&mut self, operand: &Operand<'a>) -> Lowered<Value> {
        let value = self.source(operand, Ty::U32)?;
        let value = self.b.ins().band_imm_u(value, 255);
        Ok(self.resize(value, types::I64, false))
    }

    /// `2^n - 1` for `n` up to 64 and beyond.
    fn low_mask(&mut self, n: Value) -> Value {
        let one = self.int(types::I64, 1);
        let power = self.b.ins().ishl(one, n);
        let mask = self.b.ins().isub(power, one);
        let all = self.int(types::I64, u64::MAX);
        let width = self.int(types::I64, 64);
        let whole = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, n, width);
        self.select(whole, all, mask)
    }

    /// A 64-bit shift that gives 0 from 64 on.
    fn shift64(&mut self, value: Value, n: Value, left: bool) -> Value {
        let shifted = if left { self.b.ins().ishl(value, n) } else { self.b.ins().ushr(value, n) };
        let zero = self.int(types::I64, 0);
        let width = self.int(types::I64, 64);
        let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, n, width);
        self.select(inside, shifted, zero)
    }

    /// `bfe d, a, position, length`: a bit field, sign-extended for signed types.
    pub(super) fn bfe(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::U32 | Ty::U64 | Ty::S32 | Ty::S64) {
            return Err(self.bad_type(ty));
        }
        let [d, a, position, length] = self.operands(i)?;
        let a = self.source(a, ty)?;
        let (position, length) = (self.bit_operand(position)?, self.bit_operand(length)?);
        let wide = self.resize(a, types::I64, false);
        let field = self.shift64(wide, position, false);
        let mask = self.low_mask(length);
        let mut field = self.b.ins().band(field, mask);
        if ty.is_signed() {
            // The sign is the field's top bit, or the value's where the field reaches beyond it.
            let top = self.int(types::I64, u64::from(ty.bits() - 1));
            let end = self.b.ins().iadd(position, length);
            let end = self.b.ins().iadd_imm_s(end, -1);
            let at = self.b.ins().umin(end, top);
            let bit = self.b.ins().ushr(wide, at);
            let bit = self.b.ins().band_imm_u(bit, 1);
            let zero = self.int(types::I64, 0);
            let empty = self.b.ins().icmp(IntCC::Equal, length, zero);
            let bit = self.select(empty, zero, bit);
            let sign = self.b.ins().ineg(bit);
            let inverse = self.b.ins().bnot(mask);
            let fill = self.b.ins().band(sign, inverse);
            // Bits between the value's top and the field's end are the sign as well.
            let beyond = {
                let width = self.int(types::I64, u64::from(ty.bits()));
                let left = self.b.ins().isub(width, position);
                let zero = self.int(types::I64, 0);
                let left = self.b.ins().smax(left, zero);
                let inside = self.low_mask(left);
                let outside = self.b.ins().bnot(inside);
                self.b.ins().band(sign, outside)
            };
            field = self.b.ins().bor(field, fill);
            field = self.b.ins().bor(field, beyond);
        }
        let value = self.resize(field, clif(ty), false);
        self.assign(d, ty, value)
    }

    /// `bfi f, a, b, position, length`: `a`'s low bits put into `b`.
    pub(super) fn bfi(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::B32 | Ty::B64) {
            return Err(self.bad_type(ty));
        }
        let [f, a, b, position, length] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let (position, length) = (self.bit_operand(position)?, self.bit_operand(length)?);
        let (a, b) = (self.resize(a, types::I64, false), self.resize(b, types::I64, false));
        let mask = self.low_mask(length);
        let field = self.b.ins().band(a, mask);
        let field = self.shift64(field, position, true);
        let mask = self.shift64(mask, position, true);
        let keep = self.b.ins().bnot(mask);
        let kept = self.b.ins().band(b, keep);
        let value = self.b.ins().bor(kept, field);
        let value = self.resize(value, clif(ty), false);
        self.assign(f, ty, value)
    }

    /// `prmt.b32 d, a, b, selector`: four bytes out of eight.
    pub(super) fn prmt(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        let mode = [".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"].into_iter().find(|m| mods.take(m));
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, selector] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let mut selector = self.source(selector, ty)?;
        if let Some(own) = mode.and_then(|m| self.prmt_selector(m, selector)) {
            selector = own;
        }
        let (a, b) = (self.resize(a, types::I64, false), self.resize(b, types::I64, false));
        let b = self.b.ins().ishl_imm_u(b, 32);
        let both = self.b.ins().bor(a, b);
        let mut value = self.int(types::I32, 0);
        for byte in 0..4 {
            let nibble = self.b.ins().ushr_imm_u(selector, byte * 4);
            let shift = self.b.ins().band_imm_u(nibble, 7);
            let shift = self.b.ins().ishl_imm_u(shift, 3);
            let picked = self.b.ins().ushr(both, shift);
            let picked = self.b.ins().ireduce(types::I8, picked);
            let sign = self.b.ins().sshr_imm_u(picked, 7);
            let replicate = self.b.ins().band_imm_u(nibble, 8);
            let picked = self.select(replicate, sign, picked);
            let picked = self.resize(picked, types::I32, false);
            let picked = self.b.ins().ishl_imm_u(picked, byte * 8);
            value = self.b.ins().bor(value, picked);
        }
        self.assign(d, ty, value)
    }

    /// `mov`: registers, constants, addresses, and packing and unpacking of vectors.
    pub(super) fn mov(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let [d, a] = self.operands(i)?;
        match (d, a) {
            (Operand::Vector(parts), _) if ty == Ty::B128 => {
                self.part(ty, parts.len())?;
                let whole = self.source(a, ty)?;
                let (low, high) = self.b.ins().isplit(whole);
                self.assign(&parts[0], Ty::B64, low)?;
                self.assign(&parts[1], Ty::B64, high)
            }
            (_, Operand::Vector(parts)) if ty == Ty::B128 => {
                self.part(ty, parts.len())?;
                let (low, high) = (self.source(&parts[0], Ty::B64)?, self.source(&parts[1], Ty::B64)?);
                let whole = self.b.ins().iconcat(low, high);
                self.assign(d, ty, whole)
            }
            (Operand::Vector(parts), _) => {
                let (part, step) = self.part(ty, parts.len())?;
                let whole = self.source(a, ty)?;
                for (at, destination) in parts.iter().enumerate() {
                    let value = self.b.ins().ushr_imm_u(whole, i64::from(step) * at as i64);
                    let value = self.b.ins().ireduce(clif(part), value);
                    self.assign(destination, part, value)?;
                }
                Ok(())
            }
            (_, Operand::Vector(parts)) => {
                let (part, step) = self.part(ty, parts.len())?;
                let mut whole = self.int(clif(ty), 0);
                for (at, source) in parts.iter().enumerate() {
                    let value = self.source(source, part)?;
                    let value = self.resize(value, clif(ty), false);
                    let value = self.b.ins().ishl_imm_u(value, i64::from(step) * at as i64);
                    whole = self.b.ins().bor(whole, value);
                }
                self.assign(d, ty, whole)
            }
            _ => {
                if let Operand::Name(name) = a
                    && let Some(address) = self.address_of(name)?
                {
                    if !ty.is_int() || ty.bits() < 32 {
                        return Err(self.bad_type(ty));
                    }
                    let address = self.resize(address, clif(ty), false);
                    return self.assign(d, ty, address);
                }
                let value = self.source(a, ty)?;
                self.assign(d, ty, value)
            }
        }
    }

    /// The type of one part of a vector of `count` parts that make up `ty`, and its width in bits.
    fn part(&self, ty: Ty, count: usize) -> Lowered<(Ty, u32)> {
        let part = if ty == Ty::B128 && count == 2 {
            Some(Ty::B64)
        } else if ty.is_untyped() && matches!(count, 2 | 4) {
            Ty::untyped(ty.size() / count as u32)
        } else {
            None
        };
        part.map(|part| (part, part.bits())).ok_or_else(|| {
            let message = format!("{count} parts do not make up {ty}");
            self.error(LoadErrorKind::Type, "mov", &message)
        })
    }

    /// Whether `ty` is wide enough for `value` of type `have` to be used as it is.
    pub(super) fn value_type(&self, value: Value) -> Type {
        self.b.func.dfg.value_type(value)
    }
}
