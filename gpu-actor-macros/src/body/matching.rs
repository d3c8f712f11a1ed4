//! What patterns are for: `match`, `if let` and its chains, `while let`, `let ... else`, `matches!`, destructuring.
//!
//! Rule kept here: what is matched is evaluated once. A place is not copied; what the patterns bind is, before anything else
//! of the arm runs, so that no later write changes it.

use super::model::{Block, Head, Loop, Place, Stmt, Tail, Value, ValueKind};
use super::pattern::Pattern;
use super::{Parser, Receiver, flow, line_of};
use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprIf, ExprMatch, ExprWhile, Local, Macro, Pat, Token, Type};

/// How many alternatives an arm with a guard may have: the guard is repeated for each.
const ALTERNATIVES: usize = 32;

/// What patterns are matched against.
#[derive(Debug)]
pub(crate) enum Scrutinee {
    /// A place, or a value that got one.
    Place(Place),
    /// A tuple that exists only to be taken apart.
    Parts(Vec<Value>),
}

/// `match`
#[derive(Debug)]
pub(crate) struct Match {
    /// Names its label.
    pub(crate) id: usize,
    pub(crate) span: Span,
    pub(crate) scrutinee: Scrutinee,
    pub(crate) arms: Vec<Arm>,
}

/// One arm.
#[derive(Debug)]
pub(crate) struct Arm {
    /// One pattern; with a guard one for each alternative, since the guard is asked anew for each.
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) guard: Option<Value>,
    pub(crate) body: Block,
}

/// `if` with at least one `let` in its condition.
#[derive(Debug)]
pub(crate) struct IfLet {
    pub(crate) id: usize,
    pub(crate) span: Span,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) then: Block,
    pub(crate) otherwise: Option<Block>,
}

/// One of the conditions that `&&` joins.
#[derive(Debug)]
pub(crate) enum Condition {
    /// An expression.
    Value(Value),
    /// `let pattern = scrutinee`
    Let { pattern: Pattern, scrutinee: Scrutinee },
}

/// `let pattern: ty = scrutinee else { otherwise };`
#[derive(Debug)]
pub(crate) struct Destructure {
    pub(crate) span: Span,
    pub(crate) pattern: Pattern,
    pub(crate) ty: Option<Type>,
    pub(crate) scrutinee: Scrutinee,
    pub(crate) otherwise: Option<Block>,
}

/// Whether a condition has a `let`.
pub(super) fn has_let(cond: &Expr) -> bool {
    match cond {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            has_let(&binary.left) || has_let(&binary.right)
        }
        _ => false,
    }
}

/// The conditions that `&&` joins, in order.
fn joined<'e>(cond: &'e Expr, out: &mut Vec<&'e Expr>) {
    match cond {
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) && has_let(cond) => {
            joined(&binary.left, out);
            joined(&binary.right, out);
        }
        other => out.push(other),
    }
}

impl Parser<'_> {
    pub(super) fn scrutinee<'p>(
        &mut self,
        expr: &Expr,
        patterns: impl IntoIterator<Item = &'p Pat>,
    ) -> Scrutinee {
        let mut inner = expr;
        loop {
            inner = match inner {
                Expr::Paren(paren) => &paren.expr,
                Expr::Group(group) => &group.expr,
                _ => break,
            };
        }
        match inner {
            Expr::Tuple(tuple) if !tuple.elems.is_empty() => {
                let count = tuple.elems.len();
                if patterns.into_iter().all(|pattern| Self::splits(pattern, count)) {
                    return Scrutinee::Parts(self.operands(&tuple.elems));
                }
            }
            Expr::Path(path) if path.path.is_ident("self") && self.receiver == Receiver::Borrowed => {
                self.errors.at(
                    path,
                    "`self` is a reference here, and what it matches would be references too: match on `*self`",
                );
            }
            _ => {}
        }
        Scrutinee::Place(self.place(expr))
    }

    /// What one arm or branch does, as a block with a value, or without.
    fn branch(&mut self, expr: &Expr, valued: bool) -> Block {
        match expr {
            Expr::Block(block) if block.label.is_none() && valued => self.block(&block.block),
            Expr::Block(block) if block.label.is_none() => self.unit_block(&block.block),
            other if !valued => Block { stmts: vec![self.effect(other)], tail: Tail::Unit },
            other if flow::diverges(other) => Block { stmts: vec![self.effect(other)], tail: Tail::Never },
            other => Block { stmts: Vec::new(), tail: Tail::Value(Box::new(self.value(other))) },
        }
    }

    pub(super) fn match_effect(&mut self, expr: &ExprMatch) -> Stmt {
        Stmt::Match(self.read_match(expr, false))
    }

    pub(super) fn match_value(&mut self, expr: &ExprMatch) -> Value {
        let kind = if flow::match_diverges(expr) {
            ValueKind::Never(Box::new(self.match_effect(expr)))
        } else {
            ValueKind::Match(Box::new(self.read_match(expr, true)))
        };
        Value::new(expr.span(), kind)
    }

    fn read_match(&mut self, expr: &ExprMatch, valued: bool) -> Match {
        let id = self.open();
        let scrutinee = self.scrutinee(&expr.expr, expr.arms.iter().map(|arm| &arm.pat));
        let mut arms = Vec::new();
        for arm in &expr.arms {
            self.attributes(&arm.attrs);
            let pattern = self.read_pattern(&arm.pat);
            let (guard, body) = self.scoped(|parser| {
                parser.bind_names(&pattern);
                let guard = arm.guard.as_ref().map(|(_, guard)| parser.value(guard));
                (guard, parser.branch(&arm.body, valued))
            });
            let patterns = if guard.is_none() {
                vec![pattern]
            } else if let Some(alternatives) = pattern.alternatives(ALTERNATIVES) {
                alternatives
            } else {
                self.errors.at(
                    &arm.pat,
                    format!(
                        "an arm with a guard has at most {ALTERNATIVES} alternatives on the device: split it"
                    ),
                );
                continue;
            };
            arms.push(Arm { patterns, guard, body });
        }
        Match { id, span: expr.match_token.span, scrutinee, arms }
    }

    /// Reads the conditions and then, with their names bound, what they guard.
    fn chain<T>(&mut self, cond: &Expr, inside: impl FnOnce(&mut Self) -> T) -> (Vec<Condition>, T) {
        let mut parts = Vec::new();
        joined(cond, &mut parts);
        self.scoped(|parser| {
            let mut conditions = Vec::new();
            for part in parts {
                conditions.push(match part {
                    Expr::Let(part) => {
                        let scrutinee = parser.scrutinee(&part.expr, [&*part.pat]);
                        let pattern = parser.read_pattern(&part.pat);
                        parser.bind_names(&pattern);
                        Condition::Let { pattern, scrutinee }
                    }
                    part => Condition::Value(parser.value(part)),
                });
            }
            (conditions, inside(parser))
        })
    }

    pub(super) fn if_let(&mut self, branch: &ExprIf, valued: bool) -> IfLet {
        let id = self.open();
        let (conditions, then) = self.chain(&branch.cond, |parser| {
            if valued { parser.block(&branch.then_branch) } else { parser.unit_block(&branch.then_branch) }
        });
        let otherwise = branch.else_branch.as_ref().map(|(_, other)| self.branch(other, valued));
        IfLet { id, span: branch.if_token.span, conditions, then, otherwise }
    }

    /// `while let`: the conditions belong to the loop, a `break` in them leaves it.
    pub(super) fn while_let(&mut self, expr: &ExprWhile, id: usize) -> Loop {
        let (conditions, body) = self.within(id, expr.label.as_ref(), false, false, |parser| {
            parser.chain(&expr.cond, |parser| parser.unit_block(&expr.body))
        });
        let head = Head::Let(conditions);
        Loop { id, line: line_of(expr), span: expr.while_token.span, head, body }
    }

    /// `let` with a pattern that is more than a name.
    pub(super) fn destructure(
        &mut self,
        local: &Local,
        pattern: &Pat,
        ty: Option<Type>,
        out: &mut Vec<Stmt>,
    ) {
        let Some(init) = &local.init else { return self.deferred(pattern, ty.as_ref(), out) };
        // With a type of its own the tuple has to be one.
        let scrutinee = if ty.is_some() {
            Scrutinee::Place(self.place(&init.expr))
        } else {
            self.scrutinee(&init.expr, [pattern])
        };
        let pattern = self.read_pattern(pattern);
        let otherwise = init.diverge.as_ref().map(|(_, otherwise)| self.branch(otherwise, false));
        self.bind_names(&pattern);
        out.push(Stmt::Destructure(Destructure {
            span: local.let_token.span,
            pattern,
            ty,
            scrutinee,
            otherwise,
        }));
    }

    /// `let (a, b);`
    fn deferred(&mut self, pattern: &Pat, ty: Option<&Type>, out: &mut Vec<Stmt>) {
        let read = self.read_pattern(pattern);
        if let Some(ty) = ty {
            self.errors.at(
                ty,
                "on the device a `let` with several names has a value, or no type: declare them one by one",
            );
        }
        self.bind_names(&read);
        out.extend(read.names().into_iter().map(|name| Stmt::Let { name, ty: None, init: None }));
    }

    /// `matches!(value, pattern)`, with or without a guard.
    pub(super) fn matches(&mut self, mac: &Macro) -> Value {
        let span = mac.span();
        let Some(args) = self.errors.take(mac.parse_body::<MatchesArgs>()) else { return Value::error(span) };
        let id = self.open();
        let scrutinee = self.scrutinee(&args.value, [&args.pattern]);
        let pattern = self.read_pattern(&args.pattern);
        let Some(guard) = &args.guard else {
            return Value::new(span, ValueKind::Test { scrutinee, pattern });
        };
        let guard = self.scoped(|parser| {
            parser.bind_names(&pattern);
            parser.value(guard)
        });
        let Some(patterns) = pattern.alternatives(ALTERNATIVES) else {
            self.errors.at(
                &args.pattern,
                format!("a pattern with a guard has at most {ALTERNATIVES} alternatives on the device"),
            );
            return Value::error(span);
        };
        let answer = |value: bool| Block {
            stmts: Vec::new(),
            tail: Tail::Value(Box::new(Value::new(span, ValueKind::Const(quote::quote!(#value))))),
        };
        let any = Pattern { span, kind: super::pattern::PatternKind::Any };
        let arms = vec![
            Arm { patterns, guard: Some(guard), body: answer(true) },
            Arm { patterns: vec![any], guard: None, body: answer(false) },
        ];
        Value::new(span, ValueKind::Match(Box::new(Match { id, span, scrutinee, arms })))
    }
}

/// What stands in `matches!`.
struct MatchesArgs {
    value: Expr,
    pattern: Pat,
    guard: Option<Expr>,
}

impl Parse for MatchesArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let value = input.parse()?;
        input.parse::<Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let guard = if input.peek(Token![if]) {
            input.parse::<Token![if]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        Ok(Self { value, pattern, guard })
    }
}
