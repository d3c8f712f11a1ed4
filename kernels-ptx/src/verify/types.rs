//! Rules 2 and 6 to 10: each statement by itself.

use super::{Checker, Result, Stage, rule};
use crate::{
    abi::fault::code,
    ir::{
        Address, AtomicOp, Base, BinaryOp, Kind, Op, Operand, Order, ScalarType, Special, Stmt, UnaryOp,
        WarpOp, uses,
    },
};

impl Checker<'_> {
    pub(super) fn types(&self, list: &[Stmt]) -> Result {
        for stmt in list {
            self.statement(stmt)?;
            for inner in uses::children(stmt) {
                self.types(inner)?;
            }
        }
        Ok(())
    }

    fn expect(&self, holds: bool, what: &dyn std::fmt::Debug) -> Result {
        self.ensure(holds, rule::TYPES, || format!("operand types do not fit: {what:?}"))
    }

    /// Constants fit their type, and the operand has the type asked for.
    fn is(&self, operand: Operand, ty: ScalarType, what: &dyn std::fmt::Debug) -> Result {
        self.constant(operand)?;
        self.expect(self.ty(operand) == ty, what)
    }

    fn constant(&self, operand: Operand) -> Result {
        match operand {
            Operand::Const(c) => self.ensure(c.bits & !c.ty.mask() == 0, rule::TYPES, || {
                format!("{:#x} does not fit {:?}", c.bits, c.ty)
            }),
            Operand::Reg(_) => Ok(()),
        }
    }

    fn statement(&self, stmt: &Stmt) -> Result {
        match *stmt {
            Stmt::Let { dst, op } => {
                let result = self.op(op, self.function.regs[dst.0 as usize])?;
                self.expect(self.ty(Operand::Reg(dst)) == result, stmt)
            }
            Stmt::Overflowing { value, overflow, left, right, .. } => {
                let ty = self.ty(left);
                self.is(left, ty, stmt)?;
                self.is(right, ty, stmt)?;
                self.is(Operand::Reg(value), ty, stmt)?;
                self.is(Operand::Reg(overflow), ScalarType::Bool, stmt)?;
                self.expect(ty.is_int() && value != overflow, stmt)
            }
            Stmt::Divide { dst, left, right, zero, overflow, .. } => {
                let ty = self.ty(left);
                self.is(left, ty, stmt)?;
                self.is(right, ty, stmt)?;
                self.is(Operand::Reg(dst), ty, stmt)?;
                self.expect(ty.is_int(), stmt)?;
                let is = |bits: u64| matches!(right, Operand::Const(c) if c.bits == bits & ty.mask());
                // The optimiser takes a guard away when it has proven that it never faults.
                let variable = matches!(right, Operand::Reg(_)) && self.stage == Stage::Built;
                let guarded = match zero {
                    Some(site) => self.site(site)? == code::DIVISION_BY_ZERO,
                    None => !variable && !is(0),
                };
                self.ensure(guarded, rule::DIVISORS, || format!("the divisor may be zero: {stmt:?}"))?;
                let guarded = match overflow {
                    Some(site) => self.site(site)? == code::OVERFLOW,
                    None => !ty.is_signed() || (!variable && !is(u64::MAX)),
                };
                self.ensure(guarded, rule::DIVISORS, || format!("MIN / -1 is possible: {stmt:?}"))
            }
            Stmt::Index { dst, base, index, length, stride, site } => {
                self.is(index, ScalarType::U64, stmt)?;
                self.is(Operand::Reg(dst), ScalarType::U64, stmt)?;
                self.address(base, length.saturating_mul(stride), 1)?;
                let guarded = match site {
                    Some(site) => self.site(site)? == code::BOUNDS,
                    None => self.stage == Stage::Optimised,
                };
                self.ensure(guarded, rule::FAULTS, || {
                    "an index without a site, or with another fault's".into()
                })
            }
            Stmt::FaultIf { cond, site, .. } => {
                self.is(cond, ScalarType::Bool, stmt)?;
                self.site(site).map(drop)
            }
            Stmt::Fault { site } => self.site(site).map(drop),
            Stmt::Load { dst, address, order } => {
                let ty = self.ty(Operand::Reg(dst));
                self.access(
                    address,
                    ty,
                    order,
                    matches!(order, Order::Weak | Order::Relaxed(_) | Order::Acquire(_)),
                )
            }
            Stmt::Store { ty, address, value, order } => {
                self.is(value, ty, stmt)?;
                self.access(
                    address,
                    ty,
                    order,
                    matches!(order, Order::Weak | Order::Relaxed(_) | Order::Release(_)),
                )
            }
            Stmt::Copy { dst, src, size, align } => {
                let power = align.is_power_of_two() && align <= 8;
                self.ensure(power, rule::ADDRESSES, || format!("a copy in words of {align}"))?;
                self.address(dst, size, align)?;
                self.address(src, size, align)
            }
            Stmt::Atomic { dst, op, address } => {
                self.is(Operand::Reg(dst), ScalarType::U64, stmt)?;
                match op {
                    AtomicOp::Add(value) => self.is(value, ScalarType::U64, stmt)?,
                    AtomicOp::Cas { expected, new } => {
                        self.is(expected, ScalarType::U64, stmt)?;
                        self.is(new, ScalarType::U64, stmt)?;
                    }
                }
                let in_register = matches!(address.base, Base::Reg(_));
                self.ensure(in_register, rule::ADDRESSES, || "an atomic on the stack".into())?;
                self.address(address, 8, 8)
            }
            Stmt::Nanosleep(time) => self.is(time, ScalarType::U32, stmt),
            Stmt::Warp { dst, op, mask } => {
                self.is(mask, ScalarType::U32, stmt)?;
                let result = match op {
                    WarpOp::Ballot { predicate } => {
                        self.is(predicate, ScalarType::Bool, stmt)?;
                        Some(ScalarType::U32)
                    }
                    WarpOp::Shuffle { value, source } => {
                        self.is(value, ScalarType::U64, stmt)?;
                        self.is(source, ScalarType::U32, stmt)?;
                        Some(ScalarType::U64)
                    }
                    WarpOp::MatchAny { value } => {
                        self.is(value, ScalarType::U64, stmt)?;
                        Some(ScalarType::U32)
                    }
                    WarpOp::Sync => None,
                };
                self.expect(dst.map(|dst| self.ty(Operand::Reg(dst))) == result, stmt)
            }
            Stmt::Call { ref args, .. } => args.iter().try_for_each(|&arg| self.constant(arg)),
            Stmt::Loop { budget, .. } => match budget {
                Some(site) => {
                    let code = self.site(site)?;
                    self.ensure(code == code::BUDGET, rule::BUDGET, || {
                        "a loop with another fault's site".into()
                    })
                }
                None => self.ensure(self.function.kind != Kind::Handler, rule::BUDGET, || {
                    "a loop of a handler without a budget".into()
                }),
            },
            Stmt::If { cond, .. } => self.is(cond, ScalarType::Bool, stmt),
            Stmt::Return(value) => {
                if let Some(value) = value {
                    self.constant(value)?;
                }
                let fits = value.map(|value| self.ty(value)) == self.function.result;
                self.ensure(fits, rule::SIGNATURE, || format!("{stmt:?} from {:?}", self.function.result))
            }
            Stmt::Pay(_) => self.in_handler(),
            Stmt::FenceSc(_) | Stmt::PmEvent(_) | Stmt::Block { .. } | Stmt::Break(_) | Stmt::Continue(_) => {
                Ok(())
            }
        }
    }

    /// Rule 8: who has a budget.
    fn in_handler(&self) -> Result {
        let handler = self.function.kind == Kind::Handler;
        self.ensure(handler, rule::BUDGET, || "a budget outside a handler".into())
    }

    /// The type of the result, given the type of the register that takes it.
    fn op(&self, op: Op, dst: ScalarType) -> Result<ScalarType> {
        Ok(match op {
            Op::Copy(value) => {
                self.constant(value)?;
                self.ty(value)
            }
            Op::Unary(unary, value) => {
                self.constant(value)?;
                let ty = self.ty(value);
                let (fits, result) = match unary {
                    UnaryOp::Neg => (ty != ScalarType::Bool, ty),
                    UnaryOp::Not => (!ty.is_float(), ty),
                    UnaryOp::Abs => (ty.is_signed() || ty.is_float(), ty),
                    UnaryOp::CountOnes | UnaryOp::LeadingZeros | UnaryOp::TrailingZeros => {
                        (ty.is_int(), ScalarType::U32)
                    }
                    UnaryOp::ReverseBits | UnaryOp::SwapBytes => (ty.is_int(), ty),
                    UnaryOp::Sqrt
                    | UnaryOp::Floor
                    | UnaryOp::Ceil
                    | UnaryOp::Trunc
                    | UnaryOp::RoundTiesEven => (ty.is_float(), ty),
                };
                self.expect(fits, &op)?;
                result
            }
            Op::Binary(binary, left, right) => {
                self.constant(left)?;
                let ty = self.ty(left);
                let (fits, second) = match binary {
                    BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Min | BinaryOp::Max => {
                        (ty != ScalarType::Bool, ty)
                    }
                    BinaryOp::Div => (ty.is_float(), ty),
                    BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => (!ty.is_float(), ty),
                    BinaryOp::Shl | BinaryOp::Shr => {
                        let known = !matches!(right, Operand::Const(c) if c.bits >= u64::from(ty.bits()));
                        (ty.is_int() && known, ScalarType::U32)
                    }
                    BinaryOp::RotateLeft | BinaryOp::RotateRight => (ty.is_int(), ScalarType::U32),
                };
                self.is(right, second, &op)?;
                self.expect(fits, &op)?;
                ty
            }
            Op::Compare(_, left, right) => {
                self.constant(left)?;
                self.is(right, self.ty(left), &op)?;
                ScalarType::Bool
            }
            Op::Select { cond, yes, no } => {
                self.is(cond, ScalarType::Bool, &op)?;
                self.constant(yes)?;
                self.is(no, self.ty(yes), &op)?;
                self.ty(yes)
            }
            Op::MulAdd(a, b, c) => {
                self.constant(a)?;
                let ty = self.ty(a);
                self.is(b, ty, &op)?;
                self.is(c, ty, &op)?;
                self.expect(ty.is_float(), &op)?;
                ty
            }
            Op::Cast(value) => {
                self.constant(value)?;
                let from = self.ty(value);
                let to_bool = dst == ScalarType::Bool && from != ScalarType::Bool;
                let bool_to_float = from == ScalarType::Bool && dst.is_float();
                self.expect(!to_bool && !bool_to_float, &op)?;
                dst
            }
            Op::Bitcast(value) => {
                self.constant(value)?;
                let from = self.ty(value);
                let one_float = from.is_float() != dst.is_float();
                self.expect(one_float && from.size() == dst.size(), &op)?;
                dst
            }
            Op::Special(Special::GlobalTimer) => ScalarType::U64,
            Op::Special(Special::Budget) => {
                self.in_handler()?;
                ScalarType::U64
            }
            Op::Special(_) => ScalarType::U32,
        })
    }

    /// Rule 6 for an access of `size` bytes.
    fn address(&self, address: Address, size: u64, align: u64) -> Result {
        match address.base {
            Base::Reg(reg) => {
                let pointer = self.ty(Operand::Reg(reg)) == ScalarType::U64;
                self.ensure(pointer, rule::ADDRESSES, || format!("{reg:?} is no address"))
            }
            Base::Slot(id) => {
                let slot = self.function.slots[id.0 as usize];
                let inside = address.offset.checked_add(size).is_some_and(|end| end <= u64::from(slot.size));
                self.ensure(inside, rule::ADDRESSES, || format!("{address:?} + {size} leaves its slot"))?;
                let aligned =
                    u64::from(slot.align).is_multiple_of(align) && address.offset.is_multiple_of(align);
                self.ensure(aligned, rule::ADDRESSES, || format!("{address:?} is not a multiple of {align}"))
            }
        }
    }

    fn access(&self, address: Address, ty: ScalarType, order: Order, allowed: bool) -> Result {
        let wide = order == Order::Weak || ty.size() >= 4;
        self.ensure(allowed && wide, rule::ORDERS, || format!("{order:?} of {ty:?}"))?;
        self.address(address, ty.size().into(), ty.size().into())
    }
}
