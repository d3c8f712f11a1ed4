//! Comparisons and selections.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
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

impl<'a> Lower<'_, '_, 'a> {
    /// The comparison among the modifiers. `.lo` and `.hi` mean what they mean to unsigned integers.
    fn comparison(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<Compare> {
        mods.take_any(&COMPARISONS).ok_or_else(|| self.type_error("needs a comparison such as `.eq`"))
    }

    /// Compares two operands of `ty`. `flush` is `.ftz`. Two halves in a register are compared one by one, the low ones
    /// first.
    fn compared(
        &mut self,
        compare: Compare,
        ty: Ty,
        flush: bool,
        a: &Operand<'a>,
        b: &Operand<'a>,
    ) -> Lowered<Vec<Value>> {
        let unknown = || self.unsupported(&ty.to_string(), "the comparison is not known for this type");
        if flush && !matches!(ty, Ty::F32 | Ty::F16 | Ty::F16x2) {
            return Err(self.unsupported(".ftz", "only `.f32` and `.f16` flush"));
        }
        if ty.is_half() {
            let condition = compare.float.ok_or_else(unknown)?;
            let (a, b) = (self.half_parts(a, ty, flush)?, self.half_parts(b, ty, flush)?);
            return Ok(a.into_iter().zip(b).map(|(a, b)| self.b.ins().fcmp(condition, a, b)).collect());
        }
        if ty.is_float() {
            let condition = compare.float.ok_or_else(unknown)?;
            let (mut a, mut b) = (self.source(a, ty)?, self.source(b, ty)?);
            if flush {
                (a, b) = (self.flush(a), self.flush(b));
            }
            return Ok(vec![self.b.ins().fcmp(condition, a, b)]);
        }
        let condition = if ty.is_signed() { compare.signed } else { compare.unsigned };
        let known = ty.is_int() && ty.bits() >= 16 && (!ty.is_untyped() || compare.equality);
        let condition = condition.filter(|_| known).ok_or_else(unknown)?;
        let (a, b) = (self.source(a, ty)?, self.source(b, ty)?);
        Ok(vec![self.b.ins().icmp(condition, a, b)])
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
        let compared = self.compared(compare, ty, flush, a, b)?;
        let (first, second) = match d {
            Operand::Pair(first, second) => (Operand::Name(first), Some(Operand::Name(second))),
            Operand::Name(name) => (Operand::Name(name), None),
            _ => return Err(self.type_error("the destination must be a predicate")),
        };
        // The second predicate is made of the inverse, or of the high halves. Both are computed before either is
        // written: `c` may be one.
        let (p, inverse) = match compared.as_slice() {
            [low, high] if second.is_some() => (*low, *high),
            [p] => (*p, self.not(*p)),
            _ => return Err(self.type_error("two halves need two predicates, `p|q`")),
        };
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
        let known = match to {
            Ty::U32 | Ty::S32 => true,
            Ty::F32 => !ty.is_half(),
            // Halves give halves, or integers of the same width.
            Ty::F16 | Ty::Bf16 => !ty.is_pair() && (to == ty || !ty.is_half() && to == Ty::F16),
            Ty::U16 | Ty::S16 => ty.is_half() && !ty.is_pair(),
            Ty::F16x2 | Ty::Bf16x2 => to == ty,
            _ => false,
        };
        if !known {
            return Err(self.bad_type(to));
        }
        let (d, a, b, c) = self.comparison_operands(i, combine.is_some())?;
        let mut whole = None;
        for (at, p) in self.compared(compare, ty, flush, a, b)?.into_iter().enumerate() {
            let p = self.combined(combine, p, c)?;
            let element = clif(if ty.is_pair() { Ty::U16 } else { to });
            let (yes, no) = if to == Ty::F32 {
                (self.b.ins().f32const(1.0), self.b.ins().f32const(0.0))
            } else {
                let yes = match to {
                    Ty::F16 | Ty::F16x2 => 0x3c00,
                    Ty::Bf16 | Ty::Bf16x2 => 0x3f80,
                    _ => u64::MAX,
                };
                (self.int(element, yes), self.int(element, 0))
            };
            let value = self.select(p, yes, no);
            whole = Some(match whole {
                None => value,
                Some(low) => {
                    let (low, high) =
                        (self.resize(low, types::I32, false), self.resize(value, types::I32, false));
                    let high = self.b.ins().ishl_imm_u(high, 16 * at as i64);
                    self.b.ins().bor(low, high)
                }
            });
        }
        // There is at least one comparison.
        match whole {
            Some(value) => self.assign(d, to, value),
            None => Ok(()),
        }
    }

    pub(super) fn selp(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !ty.is_int() && !ty.is_float() || ty.bits() < 16 {
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
        if !ty.is_int() && !ty.is_float() || ty.bits() < 16 || !matches!(by, Ty::S32 | Ty::F32) {
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
}
