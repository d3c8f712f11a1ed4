//! Branches and jumps.

use super::matching::has_let;
use super::model::{Block, Stmt, Tail, Value, ValueKind};
use super::{Parser, flow};
use syn::spanned::Spanned;
use syn::{Expr, ExprIf};

impl Parser<'_> {
    pub(super) fn if_effect(&mut self, branch: &ExprIf) -> Stmt {
        if has_let(&branch.cond) {
            return Stmt::IfLet(self.if_let(branch, false));
        }
        let cond = self.value(&branch.cond);
        let then = self.unit_block(&branch.then_branch);
        let otherwise = branch.else_branch.as_ref().map(|(_, other)| match &**other {
            Expr::Block(block) => self.unit_block(&block.block),
            other => Block { stmts: vec![self.effect(other)], tail: Tail::Unit },
        });
        Stmt::If { cond, then, otherwise }
    }

    pub(super) fn if_value(&mut self, branch: &ExprIf) -> Value {
        let span = branch.span();
        let Some((_, other)) = &branch.else_branch else {
            return Value::new(span, ValueKind::After(Box::new(self.if_effect(branch))));
        };
        if has_let(&branch.cond) {
            return Value::new(span, ValueKind::IfLet(Box::new(self.if_let(branch, true))));
        }
        let cond = Box::new(self.value(&branch.cond));
        let then = self.block(&branch.then_branch);
        let otherwise = match &**other {
            Expr::Block(block) => self.block(&block.block),
            // `else if`
            other if flow::diverges(other) => Block { stmts: vec![self.effect(other)], tail: Tail::Never },
            other => Block { stmts: Vec::new(), tail: Tail::Value(Box::new(self.value(other))) },
        };
        Value::new(span, ValueKind::If { cond, then, otherwise })
    }

    /// `break`, `continue` and `return`.
    pub(super) fn jump(&mut self, expr: &Expr) -> Stmt {
        let span = expr.span();
        match expr {
            Expr::Return(expr) => {
                let value = expr.expr.as_ref().map(|value| self.value(value));
                Stmt::Return { value, span }
            }
            Expr::Break(expr) => {
                let value = expr.expr.as_ref().map(|value| self.value(value));
                match self.target_of(expr.label.as_ref(), false) {
                    Some(open) => Stmt::Break { id: open.id, value, waits: open.waits, span },
                    // rustc reports it.
                    None => Stmt::Drop(Value::error(span)),
                }
            }
            Expr::Continue(expr) => match self.target_of(expr.label.as_ref(), true) {
                Some(open) => Stmt::Continue { id: open.id, span },
                None => Stmt::Drop(Value::error(span)),
            },
            other => Stmt::Drop(self.value(other)),
        }
    }
}
