//! What nobody needs: results that are not read, stores into slots that are not read, ifs without arms.
//!
//! Rule kept here: only what cannot fault and has no effect outside the function goes.

use crate::ir::{Address, Base, Function, Op, Operand, Order, Reg, Stmt, uses};

/// How often everything is looked at: what a removal makes unneeded is found on the same way back, but for registers
/// that only keep each other alive around a loop.
const ROUNDS: usize = 2;

struct Needs {
    reads: Vec<u32>,
    /// Loads, copies and indices of a slot.
    slots: Vec<u32>,
    removed: bool,
    /// Registers that are assigned further on in the stretch at hand before anything reads them: those with its number.
    overwritten: Vec<u32>,
    stretch: u32,
}

/// Takes out what nobody needs.
pub(super) fn remove(function: &mut Function) {
    for _ in 0..ROUNDS {
        let mut needs = Needs {
            reads: vec![0; function.regs.len()],
            slots: vec![0; function.slots.len()],
            removed: false,
            overwritten: vec![0; function.regs.len()],
            stretch: 1,
        };
        needs.count(&function.body);
        needs.list(&mut function.body);
        if !needs.removed {
            return;
        }
    }
}

/// The slot that a statement only writes.
fn written_slot(stmt: &Stmt) -> Option<usize> {
    match stmt {
        Stmt::Store { address, .. } => slot(*address),
        Stmt::Copy { dst, src, .. } => slot(*dst).filter(|_| src.base != dst.base),
        _ => None,
    }
}

fn slot(address: Address) -> Option<usize> {
    if let Base::Slot(slot) = address.base { Some(slot.0 as usize) } else { None }
}

impl Needs {
    fn count(&mut self, list: &[Stmt]) {
        for stmt in list {
            self.note(stmt, true);
            for inner in uses::children(stmt) {
                self.count(inner);
            }
        }
    }

    /// Counts what the statement itself reads, in or out.
    fn note(&mut self, stmt: &Stmt, there: bool) {
        let step = |count: &mut u32| *count = if there { *count + 1 } else { *count - 1 };
        let written = written_slot(stmt);
        let mut passed = false;
        uses::direct(stmt, &mut |u| match u {
            uses::Use::Read(reg) => step(&mut self.reads[reg.0 as usize]),
            // The one place that is written is not a need.
            uses::Use::Slot(slot) if written == Some(slot.0 as usize) && !passed => passed = true,
            uses::Use::Slot(slot) => step(&mut self.slots[slot.0 as usize]),
            uses::Use::Write(_) => {}
        });
    }

    fn unread(&self, reg: Reg) -> bool {
        self.reads[reg.0 as usize] == 0 || self.overwritten[reg.0 as usize] == self.stretch
    }

    fn list(&mut self, list: &mut Vec<Stmt>) {
        let mut kept = Vec::with_capacity(list.len());
        self.stretch += 1;
        for mut stmt in list.drain(..).rev() {
            let nested = uses::children(&stmt).iter().any(|inner| !inner.is_empty());
            match &mut stmt {
                Stmt::Block { body, .. } => self.list(body),
                Stmt::Loop { body, continuing, .. } => {
                    self.list(continuing);
                    self.list(body);
                }
                Stmt::If { yes, no, .. } => {
                    self.list(yes);
                    self.list(no);
                }
                _ => {}
            }
            if self.needless(&stmt) {
                self.note(&stmt, false);
                self.removed = true;
                continue;
            }
            if nested {
                self.stretch += 1;
            }
            if let Stmt::Overflowing { op, value, overflow, left, right } = stmt
                && self.unread(overflow)
            {
                stmt = Stmt::Let { dst: value, op: Op::Binary(op.wrapping(), left, right) };
            }
            self.flow(&stmt);
            kept.push(stmt);
        }
        kept.reverse();
        *list = kept;
    }

    /// Goes over a statement backwards: what it assigns was dead before it, what it reads was not.
    fn flow(&mut self, stmt: &Stmt) {
        let stretch = self.stretch;
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Write(reg) = u {
                self.overwritten[reg.0 as usize] = stretch;
            }
        });
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Read(reg) = u {
                self.overwritten[reg.0 as usize] = 0;
            }
        });
    }

    fn needless(&self, stmt: &Stmt) -> bool {
        if let Some(slot) = written_slot(stmt) {
            return self.slots[slot] == 0
                && !matches!(stmt, Stmt::Store { order, .. } if *order != Order::Weak);
        }
        match stmt {
            Stmt::Let { dst, op } => self.unread(*dst) || *op == Op::Copy(Operand::Reg(*dst)),
            Stmt::Overflowing { value, overflow, .. } => self.unread(*value) && self.unread(*overflow),
            Stmt::Divide { dst, zero: None, overflow: None, .. } | Stmt::Index { dst, site: None, .. } => {
                self.unread(*dst)
            }
            Stmt::Load { dst, order: Order::Weak, .. } => self.unread(*dst),
            Stmt::If { yes, no, .. } => yes.is_empty() && no.is_empty(),
            Stmt::Block { body, .. } => body.is_empty(),
            _ => false,
        }
    }
}
