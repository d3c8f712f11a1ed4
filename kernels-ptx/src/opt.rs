//! Optimisation, between the verifier and the PTX writer: takes out blocks that nobody leaves early.

use crate::ir::{Function, Stmt, uses};

/// Optimises a verified function.
pub(crate) fn optimise(function: &mut Function) {
    fold(&mut function.body);
}

/// A block without a break is its statements.
fn fold(list: &mut Vec<Stmt>) {
    let mut out = Vec::with_capacity(list.len());
    for mut stmt in list.drain(..) {
        match &mut stmt {
            Stmt::Block { body, .. } => fold(body),
            Stmt::Loop { body, continuing, .. } => {
                fold(body);
                fold(continuing);
            }
            Stmt::If { yes, no, .. } => {
                fold(yes);
                fold(no);
            }
            _ => {}
        }
        match stmt {
            Stmt::Block { label, body } if !uses::breaks_to(&body, label) => out.extend(body),
            other => out.push(other),
        }
    }
    *list = out;
}
