//! Branches, loops and jumps.

use super::model::{Block, Head, Loop, Stmt, Tail, Value, ValueKind};
use super::{OpenLoop, Parser, flow, line_of};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, ExprForLoop, ExprIf, ExprLoop, ExprWhile, Pat, RangeLimits};

impl Parser<'_> {
    pub(super) fn if_effect(&mut self, branch: &ExprIf) -> Stmt {
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

    /// A loop whose value nobody uses.
    pub(super) fn loop_effect(&mut self, expr: &Expr) -> Stmt {
        Stmt::Loop(match expr {
            Expr::Loop(expr) => self.forever(expr, false),
            Expr::While(expr) => self.while_loop(expr),
            Expr::ForLoop(expr) => self.for_loop(expr),
            other => return Stmt::Drop(self.value(other)),
        })
    }

    /// A `loop` that is left with a value, or never.
    pub(super) fn loop_value(&mut self, expr: &ExprLoop) -> Value {
        let span = expr.span();
        if flow::has_break(expr) {
            Value::new(span, ValueKind::Loop(Box::new(self.forever(expr, true))))
        } else {
            let endless = self.forever(expr, false);
            Value::new(span, ValueKind::Never(Box::new(Stmt::Loop(endless))))
        }
    }

    pub(super) fn no_label(&mut self, label: impl ToTokens) {
        self.errors
            .at(label, "labels are not supported on the device yet: use a flag, or a #[gpu_fn] that returns");
    }

    fn loop_body(&mut self, id: usize, waits: bool, body: &syn::Block) -> Block {
        self.loops.push(OpenLoop { id, waits });
        let body = self.unit_block(body);
        self.loops.pop();
        body
    }

    fn open(&mut self) -> usize {
        self.next_loop += 1;
        self.next_loop - 1
    }

    fn forever(&mut self, expr: &ExprLoop, waits: bool) -> Loop {
        if let Some(label) = &expr.label {
            self.no_label(label);
        }
        let id = self.open();
        let body = self.loop_body(id, waits, &expr.body);
        Loop { id, line: line_of(expr), span: expr.loop_token.span, head: Head::Forever, body }
    }

    fn while_loop(&mut self, expr: &ExprWhile) -> Loop {
        if let Some(label) = &expr.label {
            self.no_label(label);
        }
        let id = self.open();
        // The condition belongs to the loop: a `break` in it leaves this one.
        self.loops.push(OpenLoop { id, waits: false });
        let cond = Box::new(self.value(&expr.cond));
        self.loops.pop();
        let body = self.loop_body(id, false, &expr.body);
        Loop { id, line: line_of(expr), span: expr.while_token.span, head: Head::While(cond), body }
    }

    fn for_loop(&mut self, expr: &ExprForLoop) -> Loop {
        if let Some(label) = &expr.label {
            self.no_label(label);
        }
        let id = self.open();
        let (from, to, inclusive) = self.range(&expr.expr);
        let name = if let Pat::Wild(_) = &*expr.pat { None } else { self.pattern(&expr.pat) };
        let body = self.scoped(|parser| {
            if let Some((name, _)) = &name {
                parser.bind(name);
            }
            parser.loop_body(id, false, &expr.body)
        });
        let head = Head::Range { name, from: Box::new(from), to: Box::new(to), inclusive };
        Loop { id, line: line_of(expr), span: expr.for_token.span, head, body }
    }

    /// The bounds of what a `for` loop runs over.
    fn range(&mut self, expr: &Expr) -> (Value, Value, bool) {
        let mut inner = expr;
        loop {
            inner = match inner {
                Expr::Paren(paren) => &paren.expr,
                Expr::Group(group) => &group.expr,
                _ => break,
            };
        }
        if let Expr::Range(range) = inner {
            if let (Some(from), Some(to)) = (&range.start, &range.end) {
                let from = self.value(from);
                let to = self.value(to);
                return (from, to, matches!(range.limits, RangeLimits::Closed(_)));
            }
            self.errors
                .at(range, "a `for` loop on the device needs both bounds of its range: `for i in 0..n`");
        } else if let Expr::MethodCall(call) = inner
            && (call.method == "rev" || call.method == "step_by")
        {
            self.errors.at(
                &call.method,
                format!(
                    "`{}` is not supported on the device yet: use `while` and count yourself",
                    call.method
                ),
            );
        } else {
            self.errors.at(
                expr,
                "a `for` loop on the device runs over a range: for an array write `for i in 0..array.len()`",
            );
        }
        (Value::error(expr.span()), Value::error(expr.span()), false)
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
                if let Some(label) = &expr.label {
                    self.no_label(label);
                }
                let value = expr.expr.as_ref().map(|value| self.value(value));
                match self.loops.last() {
                    Some(open) => Stmt::Break { id: open.id, value, waits: open.waits, span },
                    // rustc reports it.
                    None => Stmt::Drop(Value::error(span)),
                }
            }
            Expr::Continue(expr) => {
                if let Some(label) = &expr.label {
                    self.no_label(label);
                }
                match self.loops.last() {
                    Some(open) => Stmt::Continue { id: open.id, span },
                    None => Stmt::Drop(Value::error(span)),
                }
            }
            other => Stmt::Drop(self.value(other)),
        }
    }
}
