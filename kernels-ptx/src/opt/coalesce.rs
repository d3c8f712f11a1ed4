//! Results that are computed into a temporary and then copied into a local are computed into the local.
//!
//! Rule kept here: between the two nothing reads or writes the local, and control goes straight through. A fault in
//! between leaves the function, and nobody sees its registers then.

use crate::ir::{Function, Op, Operand, Reg, Stmt, uses};

/// How many statements back the computation is looked for; keeps the pass linear.
const WINDOW: usize = 64;

/// Retargets computations.
pub(super) fn coalesce(function: &mut Function) {
    let mut reads = vec![0u32; function.regs.len()];
    let mut writes = vec![0u32; function.regs.len()];
    uses::walk(&function.body, &mut |u| match u {
        uses::Use::Read(reg) => reads[reg.0 as usize] += 1,
        uses::Use::Write(reg) => writes[reg.0 as usize] += 1,
        uses::Use::Slot(_) => {}
    });
    for writes in writes.iter_mut().take(function.params.len()) {
        *writes += 1;
    }
    list(&mut function.body, &reads, &writes);
}

fn list(body: &mut Vec<Stmt>, reads: &[u32], writes: &[u32]) {
    for stmt in body.iter_mut() {
        match stmt {
            Stmt::Block { body, .. } => list(body, reads, writes),
            Stmt::Loop { body, continuing, .. } => {
                list(body, reads, writes);
                list(continuing, reads, writes);
            }
            Stmt::If { yes, no, .. } => {
                list(yes, reads, writes);
                list(no, reads, writes);
            }
            _ => {}
        }
    }
    let mut kept: Vec<Stmt> = Vec::with_capacity(body.len());
    for stmt in body.drain(..) {
        if let Stmt::Let { dst, op: Op::Copy(Operand::Reg(temporary)) } = stmt
            && reads[temporary.0 as usize] == 1
            && writes[temporary.0 as usize] == 1
            && let Some(at) = computation(&kept, dst, temporary)
            && let Some(target) = target(&mut kept[at], temporary)
        {
            *target = dst;
            continue;
        }
        kept.push(stmt);
    }
    *body = kept;
}

/// Where the temporary is computed, if it could as well be the local.
fn computation(before: &[Stmt], local: Reg, temporary: Reg) -> Option<usize> {
    for (at, stmt) in before.iter().enumerate().rev().take(WINDOW) {
        if uses::children(stmt).iter().any(|inner| !inner.is_empty()) {
            return None;
        }
        let (mut computes, mut touches) = (false, false);
        uses::direct(stmt, &mut |u| {
            computes |= u == uses::Use::Write(temporary);
            // The computation itself may read what the local was.
            touches |= matches!(u, uses::Use::Read(reg) | uses::Use::Write(reg) if reg == local);
        });
        if computes {
            let written_too = matches!(stmt, Stmt::Overflowing { value, overflow, .. } if *value == local || *overflow == local);
            return (!written_too).then_some(at);
        }
        if touches {
            return None;
        }
    }
    None
}

/// Where a statement says that its result goes to the temporary.
fn target(stmt: &mut Stmt, temporary: Reg) -> Option<&mut Reg> {
    let target = match stmt {
        Stmt::Let { dst, .. }
        | Stmt::Divide { dst, .. }
        | Stmt::Index { dst, .. }
        | Stmt::Load { dst, .. }
        | Stmt::Atomic { dst, .. } => Some(dst),
        Stmt::Overflowing { value, overflow, .. } => {
            if *value == temporary {
                Some(value)
            } else {
                Some(overflow)
            }
        }
        Stmt::Warp { dst, .. } | Stmt::Call { dst, .. } => dst.as_mut(),
        _ => None,
    };
    target.filter(|target| **target == temporary)
}
