//! Statements and blocks.

use super::assign::is_assignee;
use super::model::{Block, Place, Stmt, Tail, Value};
use super::{Parser, flow, line_of};
use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{
    Attribute, BinOp, Expr, ExprAssign, ExprBinary, ExprBlock, ExprBreak, ExprCall, ExprContinue, ExprField,
    ExprForLoop, ExprIf, ExprLit, ExprLoop, ExprMacro, ExprMatch, ExprMethodCall, ExprPath, ExprReturn,
    ExprWhile, Item, Local, Pat, Type,
};

impl Parser<'_> {
    /// A block whose last expression is its value.
    pub(super) fn block(&mut self, block: &syn::Block) -> Block {
        self.scoped(|parser| {
            let mut stmts = Vec::new();
            let mut tail = if flow::block_diverges(block) { Tail::Never } else { Tail::Unit };
            for (index, stmt) in block.stmts.iter().enumerate() {
                let last = index + 1 == block.stmts.len();
                match stmt {
                    syn::Stmt::Expr(expr, None) if last && !flow::diverges(expr) => {
                        parser.attributes(attributes_of(expr));
                        tail = Tail::Value(Box::new(parser.value(expr)));
                    }
                    other => parser.statement(other, &mut stmts),
                }
            }
            Block { stmts, tail }
        })
    }

    /// A block whose value nobody uses.
    pub(super) fn unit_block(&mut self, block: &syn::Block) -> Block {
        self.scoped(|parser| {
            let mut stmts = Vec::new();
            for stmt in &block.stmts {
                parser.statement(stmt, &mut stmts);
            }
            Block { stmts, tail: Tail::Unit }
        })
    }

    fn statement(&mut self, stmt: &syn::Stmt, out: &mut Vec<Stmt>) {
        match stmt {
            syn::Stmt::Local(local) => self.local(local, out),
            syn::Stmt::Expr(expr, _) => {
                self.attributes(attributes_of(expr));
                out.push(self.effect(expr));
            }
            syn::Stmt::Macro(stmt) => {
                self.attributes(&stmt.attrs);
                out.push(self.macro_call(&stmt.mac));
            }
            syn::Stmt::Item(item @ (Item::Const(_) | Item::Use(_))) => {
                if let Item::Const(constant) = item
                    && let Some(scope) = self.scopes.last_mut()
                {
                    scope.remove(&constant.ident.to_string());
                }
                out.push(Stmt::Item(item.clone()));
            }
            syn::Stmt::Item(item) => {
                self.errors.at(
                    item,
                    "items other than `const` and `use` have no place in a device function; move it out",
                );
            }
        }
    }

    /// Lints and documentation may stand on statements; what changes the code must not.
    pub(super) fn attributes(&mut self, attributes: &[Attribute]) {
        const HARMLESS: [&str; 5] = ["allow", "warn", "deny", "expect", "doc"];
        for attribute in attributes {
            if !HARMLESS.iter().any(|name| attribute.path().is_ident(name)) {
                self.errors.at(
                    attribute,
                    "this attribute is not supported inside device functions; put #[cfg] on the whole function",
                );
            }
        }
    }

    fn local(&mut self, local: &Local, out: &mut Vec<Stmt>) {
        self.attributes(&local.attrs);
        let (pattern, ty) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some((*typed.ty).clone())),
            other => (other, None),
        };
        if let Some(ty) = &ty {
            self.local_type(ty);
        }
        let plain = match pattern {
            Pat::Ident(name) => name.by_ref.is_none() && name.subpat.is_none(),
            Pat::Wild(_) => true,
            _ => false,
        };
        if !plain || local.init.as_ref().is_some_and(|init| init.diverge.is_some()) {
            return self.destructure(local, pattern, ty, out);
        }
        let init = local.init.as_ref().map(|init| self.value(&init.expr));
        if let (Pat::Wild(_), Some(value)) = (pattern, init.as_ref().map(|value| value.span)) {
            let value = init.unwrap_or_else(|| Value::unit(value));
            return out.push(Stmt::Drop(value));
        }
        let Some((name, _)) = self.pattern(pattern) else { return };
        self.bind(&name);
        out.push(Stmt::Let { name, ty, init });
    }

    pub(super) fn local_type(&mut self, ty: &Type) {
        crate::types::check(ty, crate::types::Use::Local, self.errors);
    }

    /// The plain name that a pattern has to be, and whether it is `mut`.
    pub(super) fn pattern(&mut self, pattern: &Pat) -> Option<(Ident, bool)> {
        match pattern {
            Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                Some((name.ident.clone(), name.mutability.is_some()))
            }
            Pat::Ident(name) if name.by_ref.is_some() => {
                self.errors
                    .at(name, "references cannot be kept in device functions; bind the value without `ref`");
                None
            }
            other => {
                self.errors
                    .at(other, "a plain name stands here on the device; take it apart in a `let` of its own");
                None
            }
        }
    }

    /// An expression evaluated for its effect.
    pub(super) fn effect(&mut self, expr: &Expr) -> Stmt {
        match expr {
            Expr::Paren(inner) => self.effect(&inner.expr),
            Expr::Group(inner) => self.effect(&inner.expr),
            Expr::Block(block) => match &block.label {
                Some(label) => self.labelled_effect(label, &block.block),
                None => Stmt::Block(self.unit_block(&block.block)),
            },
            Expr::If(branch) => self.if_effect(branch),
            Expr::Match(expr) => self.match_effect(expr),
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => self.loop_effect(expr),
            Expr::Break(_) | Expr::Continue(_) | Expr::Return(_) => self.jump(expr),
            Expr::Assign(assign) => self.assign(assign),
            Expr::Binary(binary) if flow::is_compound(&binary.op) => self.compound(binary),
            Expr::Macro(mac) if !mac.mac.path.is_ident("matches") => self.macro_call(&mac.mac),
            Expr::MethodCall(call) if self.is_context(&call.receiver) && call.method == "tell" => {
                self.tell(call)
            }
            other => Stmt::Drop(self.value(other)),
        }
    }

    fn assign(&mut self, assign: &ExprAssign) -> Stmt {
        if let Expr::Infer(_) = &*assign.left {
            return Stmt::Drop(self.value(&assign.right));
        }
        if is_assignee(&assign.left) {
            return self.assign_parts(&assign.left, &assign.right);
        }
        let value = self.value(&assign.right);
        let place = self.target(&assign.left);
        Stmt::Assign { place, value }
    }

    fn compound(&mut self, binary: &ExprBinary) -> Stmt {
        let value = self.value(&binary.right);
        let place = self.target(&binary.left);
        let (method, faults) = match binary.op {
            BinOp::AddAssign(_) => ("add", true),
            BinOp::SubAssign(_) => ("sub", true),
            BinOp::MulAssign(_) => ("mul", true),
            BinOp::DivAssign(_) => ("div", true),
            BinOp::RemAssign(_) => ("rem", true),
            BinOp::ShlAssign(_) => ("shl", true),
            BinOp::ShrAssign(_) => ("shr", true),
            BinOp::BitAndAssign(_) => ("bitand", false),
            BinOp::BitOrAssign(_) => ("bitor", false),
            _ => ("bitxor", false),
        };
        let line = faults.then(|| line_of(binary));
        Stmt::Compound { method, place, value, line, span: binary.op.span() }
    }

    /// A place that is written to.
    pub(super) fn target(&mut self, expr: &Expr) -> Place {
        let place = self.place(expr);
        if !place.is_assignable() {
            self.errors.at(expr, "this cannot be assigned to; assign to a local or to a field of `self`");
        }
        place
    }
}

/// The attributes of the kinds of expressions that stand as statements.
fn attributes_of(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Assign(ExprAssign { attrs, .. })
        | Expr::Binary(ExprBinary { attrs, .. })
        | Expr::Block(ExprBlock { attrs, .. })
        | Expr::Break(ExprBreak { attrs, .. })
        | Expr::Call(ExprCall { attrs, .. })
        | Expr::Continue(ExprContinue { attrs, .. })
        | Expr::Field(ExprField { attrs, .. })
        | Expr::ForLoop(ExprForLoop { attrs, .. })
        | Expr::If(ExprIf { attrs, .. })
        | Expr::Lit(ExprLit { attrs, .. })
        | Expr::Loop(ExprLoop { attrs, .. })
        | Expr::Macro(ExprMacro { attrs, .. })
        | Expr::Match(ExprMatch { attrs, .. })
        | Expr::MethodCall(ExprMethodCall { attrs, .. })
        | Expr::Path(ExprPath { attrs, .. })
        | Expr::Return(ExprReturn { attrs, .. })
        | Expr::While(ExprWhile { attrs, .. }) => attrs,
        _ => &[],
    }
}
