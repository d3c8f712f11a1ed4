//! What a statement touches, and whether control gets past it.

use super::{Address, AtomicOp, Base, Label, Op, Operand, Reg, SlotId, Stmt, WarpOp};

/// One use of a register or slot by a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read(Reg),
    Write(Reg),
    Slot(SlotId),
}

/// Calls `f` for each use in the list, nested statements included; of one statement the reads come first.
pub(crate) fn walk(list: &[Stmt], f: &mut impl FnMut(Use)) {
    for stmt in list {
        direct(stmt, f);
        for inner in children(stmt) {
            walk(inner, f);
        }
    }
}

/// The lists inside a statement.
pub(crate) fn children(stmt: &Stmt) -> [&[Stmt]; 2] {
    match stmt {
        Stmt::Block { body, .. } => [body, &[]],
        Stmt::Loop { body, continuing, .. } => [body, continuing],
        Stmt::If { yes, no, .. } => [yes, no],
        _ => [&[], &[]],
    }
}

/// Calls `f` for each use by the statement itself.
pub(crate) fn direct(stmt: &Stmt, f: &mut impl FnMut(Use)) {
    let mut write = None;
    let mut second = None;
    match stmt {
        Stmt::Let { dst, op } => {
            op_uses(op, f);
            write = Some(*dst);
        }
        Stmt::Overflowing { value, overflow, left, right, .. } => {
            operands(&[*left, *right], f);
            write = Some(*value);
            second = Some(*overflow);
        }
        Stmt::Divide { dst, left, right, .. } => {
            operands(&[*left, *right], f);
            write = Some(*dst);
        }
        Stmt::Index { dst, base, index, .. } => {
            operands(&[*index], f);
            address(*base, f);
            write = Some(*dst);
        }
        Stmt::FaultIf { cond, .. } | Stmt::If { cond, .. } => operands(&[*cond], f),
        Stmt::Load { dst, address: at, .. } => {
            address(*at, f);
            write = Some(*dst);
        }
        Stmt::Store { address: at, value, .. } => {
            operands(&[*value], f);
            address(*at, f);
        }
        Stmt::Copy { dst, src, .. } => {
            address(*src, f);
            address(*dst, f);
        }
        Stmt::Atomic { dst, op, address: at } => {
            match *op {
                AtomicOp::Add(value) => operands(&[value], f),
                AtomicOp::Cas { expected, new } => operands(&[expected, new], f),
            }
            address(*at, f);
            write = Some(*dst);
        }
        Stmt::Nanosleep(time) => operands(&[*time], f),
        Stmt::Warp { dst, op, mask } => {
            match *op {
                WarpOp::Ballot { predicate } => operands(&[predicate], f),
                WarpOp::Shuffle { value, source } => operands(&[value, source], f),
                WarpOp::MatchAny { value } => operands(&[value], f),
                WarpOp::Sync => {}
            }
            operands(&[*mask], f);
            write = *dst;
        }
        Stmt::Call { dst, args, .. } => {
            operands(args, f);
            write = *dst;
        }
        Stmt::Return(value) => operands(value.as_slice(), f),
        Stmt::Fault { .. }
        | Stmt::FenceSc(_)
        | Stmt::PmEvent(_)
        | Stmt::Pay(_)
        | Stmt::Block { .. }
        | Stmt::Loop { .. }
        | Stmt::Break(_)
        | Stmt::Continue(_) => {}
    }
    for reg in write.into_iter().chain(second) {
        f(Use::Write(reg));
    }
}

fn op_uses(op: &Op, f: &mut impl FnMut(Use)) {
    match *op {
        Op::Copy(a) | Op::Unary(_, a) | Op::Cast(a) | Op::Bitcast(a) => operands(&[a], f),
        Op::Binary(_, a, b) | Op::Compare(_, a, b) => operands(&[a, b], f),
        Op::Select { cond, yes, no } => operands(&[cond, yes, no], f),
        Op::MulAdd(a, b, c) => operands(&[a, b, c], f),
        Op::Special(_) => {}
    }
}

fn operands(list: &[Operand], f: &mut impl FnMut(Use)) {
    for operand in list {
        if let Operand::Reg(reg) = operand {
            f(Use::Read(*reg));
        }
    }
}

fn address(address: Address, f: &mut impl FnMut(Use)) {
    f(match address.base {
        Base::Reg(reg) => Use::Read(reg),
        Base::Slot(slot) => Use::Slot(slot),
    });
}

/// Whether control can reach the end of the list.
pub(crate) fn completes(list: &[Stmt]) -> bool {
    match list.last() {
        Some(Stmt::If { yes, no, .. }) => completes(yes) || completes(no),
        Some(Stmt::Block { label, body }) => completes(body) || breaks_to(body, *label),
        Some(Stmt::Loop { label, body, continuing, .. }) => {
            breaks_to(body, *label) || breaks_to(continuing, *label)
        }
        Some(last) => !last.is_terminator(),
        None => true,
    }
}

pub(crate) fn breaks_to(list: &[Stmt], label: Label) -> bool {
    list.iter().any(|stmt| {
        *stmt == Stmt::Break(label) || children(stmt).into_iter().any(|inner| breaks_to(inner, label))
    })
}

/// Whether a `Continue` names the loop.
pub(crate) fn continues_to(list: &[Stmt], label: Label) -> bool {
    list.iter().any(|stmt| {
        *stmt == Stmt::Continue(label) || children(stmt).into_iter().any(|inner| continues_to(inner, label))
    })
}

/// Replaces reads of the register `from` by `to`, nested statements included.
pub(crate) fn replace(stmt: &mut Stmt, from: Reg, to: Reg) {
    let swap = |reg: &mut Reg| {
        if *reg == from {
            *reg = to;
        }
    };
    let operand = |operand: &mut Operand| {
        if let Operand::Reg(reg) = operand {
            swap(reg);
        }
    };
    let address = |address: &mut Address| {
        if let Base::Reg(reg) = &mut address.base {
            swap(reg);
        }
    };
    match stmt {
        Stmt::Let { op, .. } => match op {
            Op::Copy(a) | Op::Unary(_, a) | Op::Cast(a) | Op::Bitcast(a) => operand(a),
            Op::Binary(_, a, b) | Op::Compare(_, a, b) => [a, b].into_iter().for_each(operand),
            Op::Select { cond, yes, no } => [cond, yes, no].into_iter().for_each(operand),
            Op::MulAdd(a, b, c) => [a, b, c].into_iter().for_each(operand),
            Op::Special(_) => {}
        },
        Stmt::Overflowing { left, right, .. } | Stmt::Divide { left, right, .. } => {
            [left, right].into_iter().for_each(operand);
        }
        Stmt::Index { base, index, .. } => {
            operand(index);
            address(base);
        }
        Stmt::FaultIf { cond, .. } => operand(cond),
        Stmt::Load { address: at, .. } => address(at),
        Stmt::Store { address: at, value, .. } => {
            operand(value);
            address(at);
        }
        Stmt::Copy { dst, src, .. } => [dst, src].into_iter().for_each(address),
        Stmt::Atomic { op, address: at, .. } => {
            match op {
                AtomicOp::Add(value) => operand(value),
                AtomicOp::Cas { expected, new } => [expected, new].into_iter().for_each(operand),
            }
            address(at);
        }
        Stmt::Nanosleep(time) => operand(time),
        Stmt::Warp { op, mask, .. } => {
            match op {
                WarpOp::Ballot { predicate: a } | WarpOp::MatchAny { value: a } => operand(a),
                WarpOp::Shuffle { value, source } => [value, source].into_iter().for_each(operand),
                WarpOp::Sync => {}
            }
            operand(mask);
        }
        Stmt::Call { args, .. } => args.iter_mut().for_each(operand),
        Stmt::Return(value) => value.iter_mut().for_each(operand),
        Stmt::If { cond, yes, no } => {
            operand(cond);
            yes.iter_mut().chain(no).for_each(|inner| replace(inner, from, to));
        }
        Stmt::Block { body, .. } => body.iter_mut().for_each(|inner| replace(inner, from, to)),
        Stmt::Loop { body, continuing, .. } => {
            body.iter_mut().chain(continuing).for_each(|inner| replace(inner, from, to));
        }
        Stmt::Fault { .. }
        | Stmt::FenceSc(_)
        | Stmt::PmEvent(_)
        | Stmt::Pay(_)
        | Stmt::Break(_)
        | Stmt::Continue(_) => {}
    }
}
