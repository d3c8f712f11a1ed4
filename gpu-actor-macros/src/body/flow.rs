//! Questions about expressions that do not need types: does it end, may it run early?

use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, ExprLoop, ExprMatch, Label, Lifetime, Macro, Stmt};

/// Whether the end of `block` cannot be reached, as rustc's type `!` has it.
pub(crate) fn block_diverges(block: &Block) -> bool {
    block.stmts.iter().any(stmt_diverges)
}

/// Whether what follows `stmt` cannot be reached.
pub(crate) fn stmt_diverges(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Expr(expr, _) => diverges(expr),
        Stmt::Local(local) => local.init.as_ref().is_some_and(|init| diverges(&init.expr)),
        Stmt::Macro(stmt) => macro_diverges(&stmt.mac),
        Stmt::Item(_) => false,
    }
}

/// Whether the evaluation of `expr` never comes to an end that could be used.
pub(crate) fn diverges(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        Expr::Macro(expr) => macro_diverges(&expr.mac),
        Expr::Block(expr) => {
            block_diverges(&expr.block)
                && expr.label.as_ref().is_none_or(|label| !leaves(&expr.block, Some(&label.name), false))
        }
        Expr::If(expr) => {
            diverges(&expr.cond)
                || (block_diverges(&expr.then_branch)
                    && expr.else_branch.as_ref().is_some_and(|(_, other)| diverges(other)))
        }
        Expr::Match(expr) => match_diverges(expr),
        Expr::Let(expr) => diverges(&expr.expr),
        Expr::Tuple(expr) => expr.elems.iter().any(diverges),
        Expr::Struct(expr) => {
            expr.fields.iter().any(|field| diverges(&field.expr))
                || expr.rest.as_ref().is_some_and(|base| diverges(base))
        }
        Expr::Repeat(expr) => diverges(&expr.expr),
        Expr::Loop(expr) => !has_break(expr),
        Expr::ForLoop(expr) => diverges(&expr.expr),
        Expr::Binary(expr) if matches!(expr.op, BinOp::And(_) | BinOp::Or(_)) => diverges(&expr.left),
        Expr::Binary(expr) => diverges(&expr.left) || diverges(&expr.right),
        Expr::Assign(expr) => diverges(&expr.left) || diverges(&expr.right),
        Expr::Unary(expr) => diverges(&expr.expr),
        Expr::Cast(expr) => diverges(&expr.expr),
        Expr::Paren(expr) => diverges(&expr.expr),
        Expr::Group(expr) => diverges(&expr.expr),
        Expr::Field(expr) => diverges(&expr.base),
        Expr::Index(expr) => diverges(&expr.expr) || diverges(&expr.index),
        Expr::Call(expr) => expr.args.iter().any(diverges),
        Expr::MethodCall(expr) => diverges(&expr.receiver) || expr.args.iter().any(diverges),
        Expr::Array(expr) => expr.elems.iter().any(diverges),
        Expr::Range(expr) => [&expr.start, &expr.end].into_iter().flatten().any(|bound| diverges(bound)),
        _ => false,
    }
}

/// Whether no arm of a `match` comes to its end.
pub(crate) fn match_diverges(expr: &ExprMatch) -> bool {
    diverges(&expr.expr) || expr.arms.iter().all(|arm| diverges(&arm.body))
}

fn macro_diverges(mac: &Macro) -> bool {
    mac.path.segments.last().is_some_and(|last| last.ident == "panic" || last.ident == "unreachable")
}

/// Whether `expr` itself is left by a `break`: an unlabelled one of an inner loop does not count.
pub(crate) fn has_break(expr: &ExprLoop) -> bool {
    leaves(&expr.body, expr.label.as_ref().map(|label| &label.name), true)
}

/// Whether a `break` in `block` leaves the construct around it that has this label, and that, if it is a loop, unlabelled
/// breaks leave too.
fn leaves(block: &Block, label: Option<&Lifetime>, unlabelled: bool) -> bool {
    struct Breaks<'l> {
        label: Option<&'l Lifetime>,
        unlabelled: bool,
        found: bool,
    }
    impl Breaks<'_> {
        /// Visits what an inner construct with a label of its own holds.
        fn inside(&mut self, label: Option<&Label>, is_loop: bool, visit: impl FnOnce(&mut Self)) {
            let outer = (self.label, self.unlabelled);
            if label.is_some_and(|inner| self.label.is_some_and(|outer| inner.name.ident == outer.ident)) {
                self.label = None;
            }
            self.unlabelled &= !is_loop;
            visit(self);
            (self.label, self.unlabelled) = outer;
        }
    }
    impl<'ast> Visit<'ast> for Breaks<'_> {
        fn visit_expr(&mut self, expr: &'ast Expr) {
            match expr {
                Expr::Break(jump) => {
                    self.found |= match &jump.label {
                        Some(to) => self.label.is_some_and(|label| label.ident == to.ident),
                        None => self.unlabelled,
                    };
                    visit::visit_expr(self, expr);
                }
                // A `break` in the condition of an inner loop leaves that loop, too.
                Expr::Loop(inner) => {
                    self.inside(inner.label.as_ref(), true, |this| visit::visit_expr(this, expr));
                }
                Expr::While(inner) => {
                    self.inside(inner.label.as_ref(), true, |this| visit::visit_expr(this, expr));
                }
                Expr::ForLoop(inner) => {
                    self.visit_expr(&inner.expr);
                    self.inside(inner.label.as_ref(), true, |this| this.visit_block(&inner.body));
                }
                Expr::Block(inner) => {
                    self.inside(inner.label.as_ref(), false, |this| visit::visit_expr(this, expr));
                }
                Expr::Closure(_) | Expr::Async(_) => {}
                _ => visit::visit_expr(self, expr),
            }
        }
    }
    let mut breaks = Breaks { label, unlabelled, found: false };
    breaks.visit_block(block);
    breaks.found
}

/// Whether `op` is one of `+=` and its like.
pub(crate) fn is_compound(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

/// Whether `expr` can be evaluated although Rust would skip it: nothing in it faults, waits or has an effect.
pub(crate) fn is_free(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Paren(expr) => is_free(&expr.expr),
        Expr::Group(expr) => is_free(&expr.expr),
        Expr::Field(expr) => is_free(&expr.base),
        Expr::Cast(expr) => is_free(&expr.expr),
        Expr::Unary(expr) => matches!(expr.op, syn::UnOp::Not(_)) && is_free(&expr.expr),
        Expr::Binary(expr) => {
            use BinOp::{And, BitAnd, BitOr, BitXor, Eq, Ge, Gt, Le, Lt, Ne, Or};
            matches!(
                expr.op,
                Eq(_)
                    | Ne(_)
                    | Lt(_)
                    | Le(_)
                    | Gt(_)
                    | Ge(_)
                    | And(_)
                    | Or(_)
                    | BitAnd(_)
                    | BitOr(_)
                    | BitXor(_)
            ) && is_free(&expr.left)
                && is_free(&expr.right)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote as q;

    #[test]
    fn divergence_follows_evaluation() {
        assert!(diverges(&q!({
            return 1;
        })));
        assert!(diverges(&q!(if c { return 1 } else { panic!("no") })));
        assert!(!diverges(&q!(if c {
            return 1;
        })));
        assert!(diverges(&q!(f(1, return 2))));
        assert!(!diverges(&q!(a && return)));
        assert!(diverges(&q!({
            let x = panic!();
        })));
    }

    #[test]
    fn a_loop_ends_only_by_its_own_break() {
        assert!(diverges(&q!(loop {})));
        assert!(!diverges(&q!(loop {
            if c {
                break;
            }
        })));
        assert!(diverges(&q!(loop {
            for i in 0..3 {
                break;
            }
            while c {
                break;
            }
            loop {
                break;
            }
        })));
    }

    #[test]
    fn labels_say_what_a_break_leaves() {
        assert!(!diverges(&q!('a: loop {
            loop {
                break 'a;
            }
        })));
        assert!(diverges(&q!('a: loop {
            'a: loop {
                break 'a;
            }
        })));
        assert!(diverges(&q!('a: {
            return;
        })));
        assert!(!diverges(&q!('a: {
            if c {
                break 'a;
            }
            return;
        })));
        assert!(diverges(&q!(loop {
            'a: {
                break 'a;
            }
        })));
        assert!(!diverges(&q!(loop {
            'a: {
                break;
            }
        })));
    }

    #[test]
    fn only_what_cannot_fault_runs_early() {
        assert!(is_free(&q!(a.b != 0 && !c)));
        assert!(!is_free(&q!(a[0] == 1)));
        assert!(!is_free(&q!(a + 1 == b)));
        assert!(!is_free(&q!(f(1))));
    }
}
