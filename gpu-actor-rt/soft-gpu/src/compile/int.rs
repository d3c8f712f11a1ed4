//! Integer arithmetic.
//!
//! What PTX leaves to the machine is defined here: division by zero gives all ones (remainder: the dividend), and the
//! most negative number divided by -1 gives itself with remainder 0.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::ptx::ast::{Instruction, Operand, Ty};

/// Which half of a product an instruction wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Low,
    High,
    Wide,
}

const HALVES: [(&str, Half); 3] = [(".lo", Half::Low), (".hi", Half::High), (".wide", Half::Wide)];

/// The integer type of twice the width.
fn double(ty: Ty) -> Option<Ty> {
    Some(match ty {
        Ty::U16 => Ty::U32,
        Ty::S16 => Ty::S32,
        Ty::U32 => Ty::U64,
        Ty::S32 => Ty::S64,
        _ => return None,
    })
}

impl<'a> Lower<'_, '_, 'a> {
    /// The arithmetic that integers and floats share by name.
    pub(super) fn arithmetic(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if let Some(signed) = mods.take_any(&[(".u16x2", false), (".s16x2", true)]) {
            return self.integer_pair(i, signed, mods);
        }
        if mods.take(".f32x2") {
            return self.float_pair(i, mods);
        }
        let ty = self.ty(&mut mods)?;
        if ty.is_float() {
            return self.float_arithmetic(i, ty, mods);
        }
        if ty.is_half() {
            return self.half_arithmetic(i, ty, mods);
        }
        let bits = ty.bits();
        if !(16..=64).contains(&bits) || ty.is_untyped() || ty == Ty::Pred {
            return Err(self.bad_type(ty));
        }
        match i.opcode {
            "add" | "sub" => self.add_sub(i, ty, mods),
            "mul" => self.mul(i, ty, mods),
            "mad" => self.mad(i, ty, mods),
            "div" => {
                self.done(&mods)?;
                let [d, a, b] = self.operands(i)?;
                let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
                let value = self.divide(ty, a, b, false);
                self.assign(d, ty, value)
            }
            "min" | "max" => {
                let relu = ty == Ty::S32 && mods.take(".relu");
                self.done(&mods)?;
                let [d, a, b] = self.operands(i)?;
                let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
                let value = match (i.opcode, ty.is_signed()) {
                    ("min", true) => self.b.ins().smin(a, b),
                    ("min", false) => self.b.ins().umin(a, b),
                    (_, true) => self.b.ins().smax(a, b),
                    (_, false) => self.b.ins().umax(a, b),
                };
                let value = if relu {
                    let zero = self.int(types::I32, 0);
                    self.b.ins().smax(value, zero)
                } else {
                    value
                };
                self.assign(d, ty, value)
            }
            // `neg` and `abs`.
            _ => {
                self.done(&mods)?;
                if !ty.is_signed() {
                    return Err(self.bad_type(ty));
                }
                let [d, a] = self.operands(i)?;
                let a = self.source(a, ty)?;
                let value = if i.opcode == "neg" { self.b.ins().ineg(a) } else { self.b.ins().iabs(a) };
                self.assign(d, ty, value)
            }
        }
    }

    fn add_sub(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let (saturate, carry) = (mods.take(".sat"), mods.take(".cc"));
        self.done(&mods)?;
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let subtract = i.opcode == "sub";
        if carry {
            let zero = self.int(types::I8, 0);
            self.b.def_var(self.carry, zero);
            let value = self.add_with_carry(a, b, subtract);
            return self.assign(d, ty, value);
        }
        if saturate {
            if ty != Ty::S32 {
                return Err(self.unsupported(".sat", "only `.s32` saturates"));
            }
            let (a, b) = (self.resize(a, types::I64, true), self.resize(b, types::I64, true));
            let sum = if subtract { self.b.ins().isub(a, b) } else { self.b.ins().iadd(a, b) };
            let value = self.clamp_to(sum, Ty::S64, Ty::S32);
            let value = self.b.ins().ireduce(types::I32, value);
            return self.assign(d, ty, value);
        }
        let value = if subtract { self.b.ins().isub(a, b) } else { self.b.ins().iadd(a, b) };
        self.assign(d, ty, value)
    }

    /// The sum of two `.s32`, clamped.
    fn saturated_sum(&mut self, a: Value, b: Value) -> Value {
        let (a, b) = (self.resize(a, types::I64, true), self.resize(b, types::I64, true));
        let sum = self.b.ins().iadd(a, b);
        let value = self.clamp_to(sum, Ty::S64, Ty::S32);
        self.b.ins().ireduce(types::I32, value)
    }

    /// Clamps a value of type `from`, in its own width, to the range of `to`.
    pub(super) fn clamp_to(&mut self, value: Value, from: Ty, to: Ty) -> Value {
        let wide = clif(from);
        let (low, high): (i128, i128) = if to.is_signed() {
            (-(1 << (to.bits() - 1)), (1 << (to.bits() - 1)) - 1)
        } else {
            (0, (1 << to.bits()) - 1)
        };
        let (from_low, from_high): (i128, i128) = if from.is_signed() {
            (-(1 << (from.bits() - 1)), (1 << (from.bits() - 1)) - 1)
        } else {
            (0, (1 << from.bits()) - 1)
        };
        let mut value = value;
        if low > from_low {
            let low = self.int(wide, low as u64);
            value = self.b.ins().smax(value, low);
        }
        if high < from_high {
            let high = self.int(wide, high as u64);
            value = if from.is_signed() {
                self.b.ins().smin(value, high)
            } else {
                self.b.ins().umin(value, high)
            };
        }
        value
    }

    /// `a + b` or `a - b` with the carry flag in and out.
    fn add_with_carry(&mut self, a: Value, b: Value, subtract: bool) -> Value {
        let flag = self.b.use_var(self.carry);
        let ty = self.b.func.dfg.value_type(a);
        let flag = self.resize(flag, ty, false);
        let (value, carry) = if subtract {
            let first = self.b.ins().isub(a, b);
            let borrow = self.b.ins().icmp(IntCC::UnsignedLessThan, a, b);
            let second = self.b.ins().isub(first, flag);
            let again = self.b.ins().icmp(IntCC::UnsignedLessThan, first, flag);
            (second, self.b.ins().bor(borrow, again))
        } else {
            let first = self.b.ins().iadd(a, b);
            let carry = self.b.ins().icmp(IntCC::UnsignedLessThan, first, a);
            let second = self.b.ins().iadd(first, flag);
            let again = self.b.ins().icmp(IntCC::UnsignedLessThan, second, flag);
            (second, self.b.ins().bor(carry, again))
        };
        self.b.def_var(self.carry, carry);
        value
    }

    /// `addc`, `subc` and `madc`: the carry flag comes in, and with `.cc` goes out.
    pub(super) fn with_carry(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let out = mods.take(".cc");
        let half = mods.take_any(&HALVES);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !ty.is_int() || ty.is_untyped() || ty.bits() < 32 {
            return Err(self.bad_type(ty));
        }
        let before = self.b.use_var(self.carry);
        let value = if i.opcode == "madc" {
            let [d, a, b, c] = self.operands(i)?;
            let (a, b, c) = (self.source(a, ty)?, self.source(b, ty)?, self.source(c, ty)?);
            let product = match half {
                Some(Half::Low) => self.b.ins().imul(a, b),
                Some(Half::High) => self.high_product(ty, a, b),
                _ => return Err(self.type_error("`madc` needs `.lo` or `.hi`")),
            };
            (d, self.add_with_carry(product, c, false))
        } else {
            if half.is_some() {
                return Err(self.type_error("a half is chosen on products only"));
            }
            let [d, a, b] = self.operands(i)?;
            let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
            (d, self.add_with_carry(a, b, i.opcode == "subc"))
        };
        if !out {
            self.b.def_var(self.carry, before);
        }
        self.assign(value.0, ty, value.1)
    }

    fn high_product(&mut self, ty: Ty, a: Value, b: Value) -> Value {
        if ty.is_signed() { self.b.ins().smulhi(a, b) } else { self.b.ins().umulhi(a, b) }
    }

    /// A product and the type that it has.
    fn product(&mut self, ty: Ty, half: Half, a: &Operand<'a>, b: &Operand<'a>) -> Lowered<(Value, Ty)> {
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        Ok(match half {
            Half::Low => (self.b.ins().imul(a, b), ty),
            Half::High => (self.high_product(ty, a, b), ty),
            Half::Wide => {
                let wide = double(ty).ok_or_else(|| self.bad_type(ty))?;
                let a = self.resize(a, clif(wide), ty.is_signed());
                let b = self.resize(b, clif(wide), ty.is_signed());
                (self.b.ins().imul(a, b), wide)
            }
        })
    }

    fn half(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<Half> {
        mods.take_any(&HALVES).ok_or_else(|| self.type_error("needs `.lo`, `.hi` or `.wide`"))
    }

    fn mul(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let half = self.half(&mut mods)?;
        self.done(&mods)?;
        let [d, a, b] = self.operands(i)?;
        let (value, ty) = self.product(ty, half, a, b)?;
        self.assign(d, ty, value)
    }

    fn mad(&mut self, i: &Instruction<'a>, ty: Ty, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let half = self.half(&mut mods)?;
        let (carry, saturate) = (mods.take(".cc"), mods.take(".sat"));
        self.done(&mods)?;
        let [d, a, b, c] = self.operands(i)?;
        let (product, ty) = self.product(ty, half, a, b)?;
        let c = self.source(c, ty)?;
        if saturate {
            if ty != Ty::S32 || half != Half::High {
                return Err(self.unsupported(".sat", "only `mad.hi.sat.s32` saturates"));
            }
            let value = self.saturated_sum(product, c);
            return self.assign(d, ty, value);
        }
        let value = if carry {
            let zero = self.int(types::I8, 0);
            self.b.def_var(self.carry, zero);
            self.add_with_carry(product, c, false)
        } else {
            self.b.ins().iadd(product, c)
        };
        self.assign(d, ty, value)
    }

    /// `mul24` and `mad24`: products of the low 24 bits; `.hi` is bits 16 to 47.
    pub(super) fn mul24(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let half = self.half(&mut mods)?;
        let mad = i.opcode == "mad24";
        let saturate = mad && half == Half::High && mods.take(".sat");
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::U32 | Ty::S32) || half == Half::Wide || saturate && ty != Ty::S32 {
            return Err(self.bad_type(ty));
        }
        let wanted = if mad { 4 } else { 3 };
        let (Some(d), Some(a), Some(b)) = (i.operands.first(), i.operands.get(1), i.operands.get(2)) else {
            return Err(self.type_error(&format!("takes {wanted} operands")));
        };
        if i.operands.len() != wanted {
            return Err(self.type_error(&format!("takes {wanted} operands")));
        }
        let mut factor = |operand: &Operand<'a>| -> Lowered<Value> {
            let value = self.source(operand, ty)?;
            let value = self.b.ins().ishl_imm_u(value, 8);
            let value = if ty.is_signed() {
                self.b.ins().sshr_imm_u(value, 8)
            } else {
                self.b.ins().ushr_imm_u(value, 8)
            };
            Ok(self.resize(value, types::I64, ty.is_signed()))
        };
        let (a, b) = (factor(a)?, factor(b)?);
        let product = self.b.ins().imul(a, b);
        let product = if half == Half::High { self.b.ins().ushr_imm_u(product, 16) } else { product };
        let mut value = self.b.ins().ireduce(types::I32, product);
        if let Some(c) = i.operands.get(3) {
            let c = self.source(c, ty)?;
            value = if saturate { self.saturated_sum(value, c) } else { self.b.ins().iadd(value, c) };
        }
        self.assign(d, ty, value)
    }

    /// Quotient or remainder, with no input on which the CPU would trap.
    fn divide(&mut self, ty: Ty, a: Value, b: Value, remainder: bool) -> Value {
        let clif_ty = clif(ty);
        let zero = self.int(clif_ty, 0);
        let one = self.int(clif_ty, 1);
        let by_zero = self.b.ins().icmp(IntCC::Equal, b, zero);
        let mut divisor = self.select(by_zero, one, b);
        let mut overflow = None;
        if ty.is_signed() {
            let least = self.int(clif_ty, 1 << (ty.bits() - 1));
            let minus_one = self.int(clif_ty, u64::MAX);
            let is_least = self.b.ins().icmp(IntCC::Equal, a, least);
            let is_minus_one = self.b.ins().icmp(IntCC::Equal, b, minus_one);
            let both = self.b.ins().band(is_least, is_minus_one);
            divisor = self.select(both, one, divisor);
            overflow = Some(both);
        }
        match (remainder, ty.is_signed()) {
            (false, signed) => {
                let quotient =
                    if signed { self.b.ins().sdiv(a, divisor) } else { self.b.ins().udiv(a, divisor) };
                let ones = self.int(clif_ty, u64::MAX);
                self.select(by_zero, ones, quotient)
            }
            (true, signed) => {
                let rest = if signed { self.b.ins().srem(a, divisor) } else { self.b.ins().urem(a, divisor) };
                let rest = match overflow {
                    Some(overflow) => self.select(overflow, zero, rest),
                    None => rest,
                };
                self.select(by_zero, a, rest)
            }
        }
    }

    pub(super) fn rem(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !ty.is_int() || ty.is_untyped() || ty.bits() < 16 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let value = self.divide(ty, a, b, true);
        self.assign(d, ty, value)
    }

    /// `sad d, a, b, c`: c + |a - b|.
    pub(super) fn sad(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !ty.is_int() || ty.is_untyped() || ty.bits() < 16 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, c] = self.operands(i)?;
        let (a, b, c) = (self.source(a, ty)?, self.source(b, ty)?, self.source(c, ty)?);
        let less = if ty.is_signed() { IntCC::SignedLessThan } else { IntCC::UnsignedLessThan };
        let smaller = self.b.ins().icmp(less, a, b);
        let (forth, back) = (self.b.ins().isub(a, b), self.b.ins().isub(b, a));
        let distance = self.select(smaller, back, forth);
        let value = self.b.ins().iadd(c, distance);
        self.assign(d, ty, value)
    }
}
