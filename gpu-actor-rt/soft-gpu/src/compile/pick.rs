//! Instructions that pick, mask and multiply parts of words: `fns`, `szext`, `bmsk`, `dp2a`, `dp4a`, the modes of `prmt`, and
//! integer pairs.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use crate::host;
use crate::ptx::ast::{Instruction, Operand, Ty};

impl<'a> Lower<'_, '_, 'a> {
    /// `.clamp` or `.wrap`, which one of the two must be.
    fn clamps(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<bool> {
        mods.take_any(&[(".clamp", true), (".wrap", false)])
            .ok_or_else(|| self.type_error("needs `.clamp` or `.wrap`"))
    }

    /// `fns.b32 d, mask, base, offset`: the place of the n-th set bit from a base.
    pub(super) fn fns(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, mask, base, offset] = self.operands(i)?;
        let (mask, base) = (self.source(mask, ty)?, self.source(base, ty)?);
        let offset = self.source(offset, Ty::S32)?;
        let value = self.host_value(&host::FNS, &[mask, base, offset])?;
        self.assign(d, ty, value)
    }

    /// `szext.mode.type d, a, n`: the low `n` bits, extended.
    pub(super) fn szext(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let clamp = self.clamps(&mut mods)?;
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !matches!(ty, Ty::U32 | Ty::S32) {
            return Err(self.bad_type(ty));
        }
        let [d, a, n] = self.operands(i)?;
        let (a, n) = (self.source(a, ty)?, self.source(n, Ty::U32)?);
        // 32 bits are left when the width is 0, and shifting by 32 is shifting by 0: nothing is kept then.
        let width = self.b.ins().band_imm_u(n, 31);
        let word = self.int(types::I32, 32);
        let up = self.b.ins().isub(word, width);
        let shifted = self.b.ins().ishl(a, up);
        let extended =
            if ty.is_signed() { self.b.ins().sshr(shifted, up) } else { self.b.ins().ushr(shifted, up) };
        let zero = self.int(types::I32, 0);
        let some = self.is_set(width);
        let mut value = self.select(some, extended, zero);
        if clamp {
            let whole = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, n, 32);
            value = self.select(whole, a, value);
        }
        self.assign(d, ty, value)
    }

    /// `bmsk.mode.b32 d, a, b`: `b` ones from bit `a` on.
    pub(super) fn bmsk(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let clamp = self.clamps(&mut mods)?;
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d, a, b] = self.operands(i)?;
        let (mut a, mut b) = (self.source(a, ty)?, self.source(b, ty)?);
        if clamp {
            // From 32 on a position leaves no ones and a width leaves nothing but ones.
            let most = self.int(types::I32, 32);
            a = self.b.ins().umin(a, most);
            b = self.b.ins().umin(b, most);
        } else {
            a = self.b.ins().band_imm_u(a, 31);
            b = self.b.ins().band_imm_u(b, 31);
        }
        let (a, b) = (self.resize(a, types::I64, false), self.resize(b, types::I64, false));
        let one = self.int(types::I64, 1);
        let power = self.b.ins().ishl(one, b);
        let ones = self.b.ins().isub(power, one);
        let placed = self.b.ins().ishl(ones, a);
        let value = self.b.ins().ireduce(types::I32, placed);
        self.assign(d, ty, value)
    }

    /// Part `at` of a word, `width` bits wide, extended by its sign.
    fn part_of(&mut self, word: Value, at: u32, width: u32, signed: bool) -> Value {
        let up = i64::from(32 - width * (at + 1));
        let shifted = self.b.ins().ishl_imm_u(word, up);
        let down = i64::from(32 - width);
        if signed { self.b.ins().sshr_imm_u(shifted, down) } else { self.b.ins().ushr_imm_u(shifted, down) }
    }

    /// `dp4a.atype.btype d, a, b, c` and `dp2a.mode.atype.btype d, a, b, c`: a sum of products of parts, added to `c`.
    pub(super) fn dot_product(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let two = i.opcode == "dp2a";
        let first = if two {
            mods.take_any(&[(".lo", 0), (".hi", 2)]).ok_or_else(|| self.type_error("needs `.lo` or `.hi`"))?
        } else {
            0
        };
        let (left, right) = (self.ty(&mut mods)?, self.ty(&mut mods)?);
        self.done(&mods)?;
        for ty in [left, right] {
            if !matches!(ty, Ty::U32 | Ty::S32) {
                return Err(self.bad_type(ty));
            }
        }
        let [d, a, b, c] = self.operands(i)?;
        let (a, b, mut sum) = (self.source(a, left)?, self.source(b, right)?, self.source(c, left)?);
        let (parts, width) = if two { (2, 16) } else { (4, 8) };
        for at in 0..parts {
            let x = self.part_of(a, at, width, left.is_signed());
            let y = self.part_of(b, first + at, 8, right.is_signed());
            let product = self.b.ins().imul(x, y);
            sum = self.b.ins().iadd(sum, product);
        }
        self.assign(d, left, sum)
    }

    /// The bytes that a mode of `prmt` picks, for each value of the low two bits of the selector.
    fn permutations(mode: &str) -> Option<[u64; 4]> {
        Some(match mode {
            ".f4e" => [0x3210, 0x4321, 0x5432, 0x6543],
            ".b4e" => [0x5670, 0x6701, 0x7012, 0x0123],
            ".rc8" => [0x0000, 0x1111, 0x2222, 0x3333],
            ".ecl" => [0x3210, 0x3211, 0x3222, 0x3333],
            ".ecr" => [0x0000, 0x1110, 0x2210, 0x3210],
            ".rc16" => [0x1010, 0x3232, 0x1010, 0x3232],
            _ => return None,
        })
    }

    /// The selector of the general form that does what a mode of `prmt` does.
    pub(super) fn prmt_selector(&mut self, mode: &str, selector: Value) -> Option<Value> {
        let table = Self::permutations(mode)?;
        // Four selectors of 16 bits make one word of 64.
        let word = table.iter().rev().fold(0, |word, selector| word << 16 | selector);
        let word = self.int(types::I64, word);
        let at = self.b.ins().band_imm_u(selector, 3);
        let at = self.b.ins().ishl_imm_u(at, 4);
        let picked = self.b.ins().ushr(word, at);
        Some(self.b.ins().ireduce(types::I32, picked))
    }

    /// `lop3.BoolOp.b32 d|p, a, b, c, table, q`: also whether the result, and a predicate, say so.
    pub(super) fn lop3_predicate(
        &mut self,
        i: &Instruction<'a>,
        value: Value,
        and: bool,
        q: &Operand<'a>,
    ) -> Lowered {
        let Some(Operand::Pair(d, p)) = i.operands.first() else {
            return Err(self.type_error("needs `d|p`"));
        };
        let some = self.is_set(value);
        let q = self.predicate(q)?;
        let result = if and { self.b.ins().band(some, q) } else { self.b.ins().bor(some, q) };
        self.assign(&Operand::Name(d), Ty::B32, value)?;
        self.assign(&Operand::Name(p), Ty::Pred, result)
    }

    /// `add`, `min` and `max` of two 16-bit integers in 32 bits; `.relu` makes negative ones 0.
    pub(super) fn integer_pair(
        &mut self,
        i: &Instruction<'a>,
        signed: bool,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let relu = signed && i.opcode != "add" && mods.take(".relu");
        self.done(&mods)?;
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, Ty::B32)?, self.source(b, Ty::B32)?);
        let mut whole = self.int(types::I32, 0);
        for at in 0..2 {
            let (x, y) = (self.part_of(a, at, 16, signed), self.part_of(b, at, 16, signed));
            let mut value = match (i.opcode, signed) {
                ("add", _) => self.b.ins().iadd(x, y),
                ("min", true) => self.b.ins().smin(x, y),
                ("min", false) => self.b.ins().umin(x, y),
                ("max", true) => self.b.ins().smax(x, y),
                ("max", false) => self.b.ins().umax(x, y),
                _ => return Err(self.unsupported(i.opcode, "no such operation on pairs of integers")),
            };
            if relu {
                let zero = self.int(types::I32, 0);
                value = self.b.ins().smax(value, zero);
            }
            let value = self.b.ins().band_imm_u(value, 0xffff);
            let value = self.b.ins().ishl_imm_u(value, i64::from(16 * at));
            whole = self.b.ins().bor(whole, value);
        }
        self.assign(d, Ty::B32, whole)
    }
}
