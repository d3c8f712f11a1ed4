//! Assignments to several places at once: `(a, b) = (b, a)`.
//!
//! As Rust has it: all parts of the value are copied first, then assigned from left to right.

use super::Parser;
use super::matching::{Destructure, Scrutinee};
use super::model::{Block, Place, PlaceKind, Stmt, Tail, Value, ValueKind};
use super::pattern::{Of, Pattern, PatternKind};
use proc_macro2::Ident;
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{Expr, Index, Member};

/// Whether the left side of an assignment takes the value apart.
pub(super) fn is_assignee(expr: &Expr) -> bool {
    match expr {
        Expr::Tuple(_) | Expr::Array(_) | Expr::Struct(_) | Expr::Call(_) => true,
        Expr::Paren(inner) => is_assignee(&inner.expr),
        Expr::Group(inner) => is_assignee(&inner.expr),
        _ => false,
    }
}

impl Parser<'_> {
    /// An assignment whose left side takes the value apart.
    pub(super) fn assign_parts(&mut self, left: &Expr, right: &Expr) -> Stmt {
        let mut targets = Vec::new();
        let pattern = self.assignee(left, &mut targets);
        let scrutinee = match (left, right) {
            (Expr::Tuple(to), Expr::Tuple(from)) if to.elems.len() == from.elems.len() => {
                Scrutinee::Parts(self.operands(&from.elems))
            }
            _ => Scrutinee::Place(self.place(right)),
        };
        let (span, ty, otherwise) = (left.span(), None, None);
        let mut stmts = vec![Stmt::Destructure(Destructure { span, pattern, ty, scrutinee, otherwise })];
        for (name, target) in targets {
            let span = target.span();
            let part = Place { span, kind: PlaceKind::Local(name) };
            let value = Value::new(span, ValueKind::Read(part));
            let place = self.target(target);
            stmts.push(Stmt::Assign { place, value });
        }
        Stmt::Block(Block { stmts, tail: Tail::Unit })
    }

    /// The left side as a pattern that binds a name for each target.
    fn assignee<'e>(&mut self, expr: &'e Expr, targets: &mut Vec<(Ident, &'e Expr)>) -> Pattern {
        let span = expr.span();
        let kind = match expr {
            Expr::Paren(inner) => return self.assignee(&inner.expr, targets),
            Expr::Group(inner) => return self.assignee(&inner.expr, targets),
            Expr::Infer(_) => PatternKind::Any,
            Expr::Tuple(tuple) => {
                PatternKind::Fields { of: Of::Tuple, fields: self.numbered(&tuple.elems, targets) }
            }
            // rustc admits tuple structs here, and nothing that might not match.
            Expr::Call(call) => {
                PatternKind::Fields { of: Of::Tuple, fields: self.numbered(&call.args, targets) }
            }
            Expr::Struct(parts) => {
                let parts = parts.fields.iter();
                let fields =
                    parts.map(|part| (part.member.clone(), self.assignee(&part.expr, targets))).collect();
                PatternKind::Fields { of: Of::Tuple, fields }
            }
            Expr::Array(array) => {
                let (mut front, mut back, mut rest) = (Vec::new(), Vec::new(), false);
                for element in &array.elems {
                    if is_rest(element) {
                        rest = true;
                    } else if rest {
                        back.push(self.assignee(element, targets));
                    } else {
                        front.push(self.assignee(element, targets));
                    }
                }
                PatternKind::Elements { front, back }
            }
            target => {
                let name = format_ident!("__part{}", targets.len());
                targets.push((name.clone(), target));
                PatternKind::Bind { name, mutable: false, inner: None }
            }
        };
        Pattern { span, kind }
    }

    fn numbered<'e>(
        &mut self,
        parts: impl IntoIterator<Item = &'e Expr>,
        targets: &mut Vec<(Ident, &'e Expr)>,
    ) -> Vec<(Member, Pattern)> {
        let parts: Vec<_> = parts.into_iter().collect();
        let mut fields = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if is_rest(part) {
                if index + 1 < parts.len() {
                    self.errors
                        .at(part, "`..` stands at the end on the device: write `_` for each part before");
                }
                break;
            }
            let member = Member::Unnamed(Index { index: index as u32, span: part.span() });
            fields.push((member, self.assignee(part, targets)));
        }
        fields
    }
}

fn is_rest(expr: &Expr) -> bool {
    matches!(expr, Expr::Range(range) if range.start.is_none() && range.end.is_none())
}
