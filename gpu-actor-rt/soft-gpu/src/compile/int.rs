//! Integer and logic instructions, comparisons and selections.
//!
//! What PTX leaves to the machine is defined here: division by zero gives all ones (remainder: the dividend), and the most
//! negative number divided by -1 gives itself with remainder 0. Shifts clamp, as PTX has it.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::error::LoadErrorKind;
use crate::ptx::ast::{Instruction, Operand, Ty};

/// A comparison, by its meaning for each class of type.
#[derive(Clone, Copy)]
pub(super) struct Compare {
    signed: Option<IntCC>,
    unsigned: Option<IntCC>,
    float: Option<FloatCC>,
    /// Allowed on `.b` types.
    equality: bool,
}

const fn compare(signed: Option<IntCC>, unsigned: Option<IntCC>, float: Option<FloatCC>) -> Compare {
    Compare { signed, unsigned, float, equality: false }
}

const fn equality(int: IntCC, float: FloatCC) -> Compare {
    Compare { signed: Some(int), unsigned: Some(int), float: Some(float), equality: true }
}

/// PTX's comparisons. The plain float ones are false with a NaN, `ne` included; those in `u` are true.
const COMPARISONS: [(&str, Compare); 18] = [
    (".eq", equality(IntCC::Equal, FloatCC::Equal)),
    (".ne", equality(IntCC::NotEqual, FloatCC::OrderedNotEqual)),
    (".lt", compare(Some(IntCC::SignedLessThan), Some(IntCC::UnsignedLessThan), Some(FloatCC::LessThan))),
    (
        ".le",
        compare(
            Some(IntCC::SignedLessThanOrEqual),
            Some(IntCC::UnsignedLessThanOrEqual),
            Some(FloatCC::LessThanOrEqual),
        ),
    ),
    (
        ".gt",
        compare(Some(IntCC::SignedGreaterThan), Some(IntCC::UnsignedGreaterThan), Some(FloatCC::GreaterThan)),
    ),
    (
        ".ge",
        compare(
            Some(IntCC::SignedGreaterThanOrEqual),
            Some(IntCC::UnsignedGreaterThanOrEqual),
            Some(FloatCC::GreaterThanOrEqual),
        ),
    ),
    (".lo", compare(None, Some(IntCC::UnsignedLessThan), None)),
    (".ls", compare(None, Some(IntCC::UnsignedLessThanOrEqual), None)),
    (".hi", compare(None, Some(IntCC::UnsignedGreaterThan), None)),
    (".hs", compare(None, Some(IntCC::UnsignedGreaterThanOrEqual), None)),
    (".equ", compare(None, None, Some(FloatCC::UnorderedOrEqual))),
    (".neu", compare(None, None, Some(FloatCC::NotEqual))),
    (".ltu", compare(None, None, Some(FloatCC::UnorderedOrLessThan))),
    (".leu", compare(None, None, Some(FloatCC::UnorderedOrLessThanOrEqual))),
    (".gtu", compare(None, None, Some(FloatCC::UnorderedOrGreaterThan))),
    (".geu", compare(None, None, Some(FloatCC::UnorderedOrGreaterThanOrEqual))),
    (".num", compare(None, None, Some(FloatCC::Ordered))),
    (".nan", compare(None, None, Some(FloatCC::Unordered))),
];

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
        let ty = self.ty(&mut mods)?;
        if ty.is_float() {
            return self.float_arithmetic(i, ty, mods);
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
                self.done(&mods)?;
                let [d, a, b] = self.operands(i)?;
                let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
                let value = match (i.opcode, ty.is_signed()) {
                    ("min", true) => self.b.ins().smin(a, b),
                    ("min", false) => self.b.ins().umin(a, b),
                    (_, true) => self.b.ins().smax(a, b),
                    (_, false) => self.b.ins().umax(a, b),
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
            let (a, b) = (self.resize(product, types::I64, true), self.resize(c, types::I64, true));
            let sum = self.b.ins().iadd(a, b);
            let value = self.clamp_to(sum, Ty::S64, Ty::S32);
            let value = self.b.ins().ireduce(types::I32, value);
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
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::U32 | Ty::S32) || half == Half::Wide {
            return Err(self.bad_type(ty));
        }
        let mad = i.opcode == "mad24";
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
            value = self.b.ins().iadd(value, c);
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
                ("not", Ty::Pred) => self.b.ins().bxor_imm_u(a, 1),
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
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, c, table] = self.operands(i)?;
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
        let count = if i.opcode == "popc" { self.b.ins().popcnt(a) } else { self.b.ins().clz(a) };
        let count = self.resize(count, types::I32, false);
        self.assign(d, Ty::U32, count)
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
        if let Some(mode) = [".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"].iter().find(|m| mods.take(m)) {
            return Err(self.unsupported(mode, "only the general form of `prmt` is known"));
        }
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, selector] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let selector = self.source(selector, ty)?;
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

    /// The comparison among the modifiers. `.lo` and `.hi` mean what they mean to unsigned integers.
    fn comparison(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<Compare> {
        mods.take_any(&COMPARISONS).ok_or_else(|| self.type_error("needs a comparison such as `.eq`"))
    }

    /// Compares two operands of `ty`. `flush` is `.ftz`.
    fn compared(
        &mut self,
        compare: Compare,
        ty: Ty,
        flush: bool,
        a: &Operand<'a>,
        b: &Operand<'a>,
    ) -> Lowered<Value> {
        let unknown = || self.unsupported(&ty.to_string(), "the comparison is not known for this type");
        if flush && ty != Ty::F32 {
            return Err(self.unsupported(".ftz", "only `.f32` flushes"));
        }
        if ty.is_float() {
            let condition = compare.float.ok_or_else(unknown)?;
            let (mut a, mut b) = (self.source(a, ty)?, self.source(b, ty)?);
            if flush {
                (a, b) = (self.flush(a), self.flush(b));
            }
            return Ok(self.b.ins().fcmp(condition, a, b));
        }
        let condition = if ty.is_signed() { compare.signed } else { compare.unsigned };
        let known = ty != Ty::Pred && ty.bits() >= 16 && (!ty.is_untyped() || compare.equality);
        let condition = condition.filter(|_| known).ok_or_else(unknown)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        Ok(self.b.ins().icmp(condition, a, b))
    }

    /// Combines a comparison with a third predicate.
    fn combined(&mut self, combine: Option<&str>, p: Value, c: Option<&Operand<'a>>) -> Lowered<Value> {
        let (Some(combine), Some(c)) = (combine, c) else { return Ok(p) };
        let c = self.predicate(c)?;
        Ok(match combine {
            ".and" => self.b.ins().band(p, c),
            ".or" => self.b.ins().bor(p, c),
            _ => self.b.ins().bxor(p, c),
        })
    }

    fn combiner(mods: &mut Modifiers<'_, '_>) -> Option<&'static str> {
        mods.take_any(&[(".and", ".and"), (".or", ".or"), (".xor", ".xor")])
    }

    /// Checks the number of operands of `setp` and `set`.
    fn comparison_operands<'i>(
        &self,
        i: &'i Instruction<'a>,
        combine: bool,
    ) -> Lowered<(&'i Operand<'a>, &'i Operand<'a>, &'i Operand<'a>, Option<&'i Operand<'a>>)> {
        match (i.operands.as_slice(), combine) {
            ([d, a, b], false) => Ok((d, a, b, None)),
            ([d, a, b, c], true) => Ok((d, a, b, Some(c))),
            _ => Err(self.type_error(&format!(
                "takes {} operands, {} given",
                if combine { 4 } else { 3 },
                i.operands.len()
            ))),
        }
    }

    /// `setp.cmp[.bool].type p[|q], a, b[, [!]c];`
    pub(super) fn setp(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let compare = self.comparison(&mut mods)?;
        let combine = Self::combiner(&mut mods);
        let flush = mods.take(".ftz");
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let (d, a, b, c) = self.comparison_operands(i, combine.is_some())?;
        let p = self.compared(compare, ty, flush, a, b)?;
        let (first, second) = match d {
            Operand::Pair(first, second) => (Operand::Name(first), Some(Operand::Name(second))),
            Operand::Name(name) => (Operand::Name(name), None),
            _ => return Err(self.type_error("the destination must be a predicate")),
        };
        // The second predicate is made of the inverse. Both are computed before either is written: `c` may be one.
        let inverse = self.b.ins().bxor_imm_u(p, 1);
        let p = self.combined(combine, p, c)?;
        let inverse = if second.is_some() { self.combined(combine, inverse, c)? } else { inverse };
        self.assign(&first, Ty::Pred, p)?;
        match second {
            Some(second) => self.assign(&second, Ty::Pred, inverse),
            None => Ok(()),
        }
    }

    /// `set.cmp[.bool].dtype.stype d, a, b[, [!]c];`: all ones or 1.0 for true.
    pub(super) fn set(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let compare = self.comparison(&mut mods)?;
        let combine = Self::combiner(&mut mods);
        let flush = mods.take(".ftz");
        let to = self.ty(&mut mods)?;
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(to, Ty::U32 | Ty::S32 | Ty::F32) {
            return Err(self.bad_type(to));
        }
        let (d, a, b, c) = self.comparison_operands(i, combine.is_some())?;
        let p = self.compared(compare, ty, flush, a, b)?;
        let p = self.combined(combine, p, c)?;
        let (yes, no) = if to == Ty::F32 {
            (self.b.ins().f32const(1.0), self.b.ins().f32const(0.0))
        } else {
            (self.int(types::I32, u64::MAX), self.int(types::I32, 0))
        };
        let value = self.select(p, yes, no);
        self.assign(d, to, value)
    }

    pub(super) fn selp(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty == Ty::Pred || ty.bits() < 16 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b, p] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let p = self.predicate(p)?;
        let value = self.select(p, a, b);
        self.assign(d, ty, value)
    }

    /// `slct.dtype.{s32,f32} d, a, b, c`: `a` where `c >= 0`, else `b`; a NaN counts as negative.
    pub(super) fn slct(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let flush = mods.take(".ftz");
        let ty = self.ty(&mut mods)?;
        let by = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty == Ty::Pred || ty.bits() < 16 || !matches!(by, Ty::S32 | Ty::F32) {
            return Err(self.bad_type(if matches!(by, Ty::S32 | Ty::F32) { ty } else { by }));
        }
        let [d, a, b, c] = self.operands(i)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        let mut c = self.source(c, by)?;
        let condition = if by == Ty::F32 {
            if flush {
                c = self.flush(c);
            }
            let zero = self.b.ins().f32const(0.0);
            self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, c, zero)
        } else {
            let zero = self.int(types::I32, 0);
            self.b.ins().icmp(IntCC::SignedGreaterThanOrEqual, c, zero)
        };
        let value = self.select(condition, a, b);
        self.assign(d, ty, value)
    }

    /// `mov`: registers, constants, addresses, and packing and unpacking of vectors.
    pub(super) fn mov(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let [d, a] = self.operands(i)?;
        match (d, a) {
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
        let part = if ty.is_untyped() && matches!(count, 2 | 4) {
            Ty::untyped(ty.size() / count as u32)
        } else {
            None
        };
        match part {
            Some(part) => Ok((part, part.bits())),
            None => {
                let message = format!("{count} parts do not make up {ty}");
                Err(self.error(LoadErrorKind::Type, "mov", &message))
            }
        }
    }

    /// Whether `ty` is wide enough for `value` of type `have` to be used as it is.
    pub(super) fn value_type(&self, value: Value) -> Type {
        self.b.func.dfg.value_type(value)
    }
}
