//! Wide loops: eight or sixteen turns of a loop over buffers at once.
//!
//! A loop that counts up by one and whose body goes straight through gets a twin before it, which takes several turns in each of
//! its own: each statement several times in a row, so that accesses to neighbours stand side by side and a device can make one
//! of four. What is left over, and every turn in which a check would fail, is the loop's that was there before.
//!
//! How many turns the twin can take is known before it begins: as many as all indices are inside, nothing overflows, the
//! budget lasts, and what is written is apart from what is read. Checks that hang on what is in memory stay, before anything is
//! written; where one fails, the twin ends before that turn has done anything.
//!
//! Rules kept here:
//! - A fault is raised by the loop that was there before, in the turn and after the stores that it always had.
//! - No operation is taken out of its order with another one of the same chain: a sum is added up one by one.
//! - A budget pays for turns that are taken at once what they pay one by one.

mod emit;
mod study;

use crate::ir::{Function, Kind, Label, Stmt, uses};

/// Turns that are taken at once, and how many where a turn has few statements that are not the same in all of them.
const FEW_TURNS: u64 = 8;
const MANY_TURNS: u64 = 16;
const SHORT: usize = 12;

/// Statements of a body that is widened, at most.
const MOST_STATEMENTS: usize = 48;

/// Turns that a twin takes at most, so that no extent overflows.
const MOST_TURNS: u64 = 1 << 40;

/// Widens what loops it can; whether there was any.
pub(super) fn widen(function: &mut Function) -> bool {
    if function.kind != Kind::Handler {
        return false;
    }
    let mut reads = vec![0u32; function.regs.len()];
    uses::walk(&function.body, &mut |u| {
        if let uses::Use::Read(reg) = u {
            reads[reg.0 as usize] += 1;
        }
    });
    let mut labels = 0;
    next_label(&function.body, &mut labels);
    let before = labels;
    let mut body = std::mem::take(&mut function.body);
    list(function, &mut body, &reads, &mut labels);
    function.body = body;
    labels > before
}

fn next_label(list: &[Stmt], next: &mut u32) {
    for stmt in list {
        if let Stmt::Block { label: Label(label), .. } | Stmt::Loop { label: Label(label), .. } = stmt {
            *next = (*next).max(label + 1);
        }
        for inner in uses::children(stmt) {
            next_label(inner, next);
        }
    }
}

fn list(function: &mut Function, body: &mut Vec<Stmt>, reads: &[u32], labels: &mut u32) {
    let mut out = Vec::with_capacity(body.len());
    for mut stmt in body.drain(..) {
        match &mut stmt {
            Stmt::Block { body, .. } => list(function, body, reads, labels),
            Stmt::If { yes, no, .. } => {
                list(function, yes, reads, labels);
                list(function, no, reads, labels);
            }
            Stmt::Loop { body, continuing, .. } => {
                list(function, body, reads, labels);
                list(function, continuing, reads, labels);
            }
            _ => {}
        }
        if let Some(plan) = study::study(function, &stmt, reads) {
            emit::emit(function, &plan, Label(*labels), &mut out);
            *labels += 1;
        }
        out.push(stmt);
    }
    *body = out;
}
