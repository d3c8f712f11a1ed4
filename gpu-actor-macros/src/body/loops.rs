//! Loops and labelled blocks.

use super::matching::has_let;
use super::model::{Each, Head, Loop, Over, Place, PlaceKind, Step, Stmt, Value, ValueKind};
use super::{Binding, OpenLoop, Parser, flow, line, line_of, writes};
use proc_macro2::Ident;
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{
    Expr, ExprForLoop, ExprLoop, ExprMethodCall, ExprRange, ExprWhile, Label, Lifetime, Pat, RangeLimits,
    parse_quote_spanned,
};

impl Parser<'_> {
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

    /// A labelled block whose value nobody uses.
    pub(super) fn labelled_effect(&mut self, label: &Label, block: &syn::Block) -> Stmt {
        let id = self.open();
        let body = self.within(id, Some(label), true, false, |parser| parser.unit_block(block));
        Stmt::Labelled { id, body }
    }

    /// A labelled block whose value is used.
    pub(super) fn labelled_value(&mut self, label: &Label, block: &syn::Block) -> ValueKind {
        let id = self.open();
        let body = self.within(id, Some(label), true, true, |parser| parser.block(block));
        ValueKind::Labelled { id, body }
    }

    /// What a `break` or `continue` means: the construct with the label, or the innermost loop.
    pub(super) fn target_of(&self, label: Option<&Lifetime>, continues: bool) -> Option<&OpenLoop> {
        let label = label.map(|label| label.ident.to_string());
        self.loops.iter().rev().find(|open| match &label {
            Some(label) => open.label.as_ref() == Some(label) && !(continues && open.block),
            None => !open.block,
        })
    }

    pub(super) fn within<T>(
        &mut self,
        id: usize,
        label: Option<&Label>,
        block: bool,
        waits: bool,
        parse: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let label = label.map(|label| label.name.ident.to_string());
        self.loops.push(OpenLoop { id, label, block, waits });
        let parsed = parse(self);
        self.loops.pop();
        parsed
    }

    pub(super) fn open(&mut self) -> usize {
        self.next_loop += 1;
        self.next_loop - 1
    }

    fn forever(&mut self, expr: &ExprLoop, waits: bool) -> Loop {
        let id = self.open();
        let body = self.within(id, expr.label.as_ref(), false, waits, |parser| parser.unit_block(&expr.body));
        Loop { id, line: line_of(expr), span: expr.loop_token.span, head: Head::Forever, body }
    }

    fn while_loop(&mut self, expr: &ExprWhile) -> Loop {
        let id = self.open();
        if has_let(&expr.cond) {
            return self.while_let(expr, id);
        }
        // The condition belongs to the loop: a `break` in it leaves this one.
        let (cond, body) = self.within(id, expr.label.as_ref(), false, false, |parser| {
            (Box::new(parser.value(&expr.cond)), parser.unit_block(&expr.body))
        });
        Loop { id, line: line_of(expr), span: expr.while_token.span, head: Head::While(cond), body }
    }

    fn for_loop(&mut self, expr: &ExprForLoop) -> Loop {
        let id = self.open();
        let mut steps = Vec::new();
        let (base, enumerated) = self.adaptors(&expr.expr, &mut steps);
        // The adaptors' arguments are evaluated after the array.
        let calm = steps.iter().all(|step| match step {
            Adaptor::Rev => true,
            Adaptor::By(n) => flow::is_free(&n.args[0]),
        });
        let over = self.over(base, &expr.body, calm);
        let steps = steps.into_iter().map(|step| match step {
            Adaptor::Rev => Step::Rev,
            Adaptor::By(call) => {
                Step::By { n: Box::new(self.value(&call.args[0])), line: line(call.method.span()) }
            }
        });
        let steps = steps.collect();
        let (count, item) = if enumerated { self.pair(&expr.pat) } else { (None, Some(&*expr.pat)) };
        let mut hidden = syn::Block { brace_token: expr.body.brace_token, stmts: Vec::new() };
        let (body, count, item) = self.scoped(|parser| {
            let count = count.and_then(|pattern| parser.turn(pattern, "count", id, &mut hidden));
            let item = item.and_then(|pattern| parser.turn(pattern, "item", id, &mut hidden));
            let body = parser.within(id, expr.label.as_ref(), false, false, |parser| {
                if hidden.stmts.is_empty() {
                    return parser.unit_block(&expr.body);
                }
                hidden.stmts.push(syn::Stmt::Expr(
                    Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block: expr.body.clone() }),
                    None,
                ));
                parser.unit_block(&hidden)
            });
            (body, count, item)
        });
        let head = Head::Each(Box::new(Each { over, steps, item, count }));
        Loop { id, line: line_of(expr), span: expr.for_token.span, head, body }
    }

    /// The local that a turn's item goes to; a pattern is taken apart by a `let` in the body.
    fn turn(&mut self, pattern: &Pat, what: &str, id: usize, body: &mut syn::Block) -> Option<Ident> {
        match pattern {
            Pat::Wild(_) => None,
            Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                self.bind(&name.ident);
                Some(name.ident.clone())
            }
            Pat::Paren(inner) => self.turn(&inner.pat, what, id, body),
            pattern => {
                let name = format_ident!("__{what}{id}", span = pattern.span());
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.to_string(), Binding::Local);
                }
                body.stmts.push(parse_quote_spanned!(pattern.span()=> let #pattern = #name;));
                Some(name)
            }
        }
    }

    /// The two patterns of what `enumerate` gives.
    fn pair<'p>(&mut self, pattern: &'p Pat) -> (Option<&'p Pat>, Option<&'p Pat>) {
        match pattern {
            Pat::Tuple(tuple) if tuple.elems.len() == 2 => (tuple.elems.first(), tuple.elems.last()),
            Pat::Wild(_) => (None, None),
            Pat::Paren(inner) => self.pair(&inner.pat),
            other => {
                self.errors.at(
                    other,
                    "`enumerate` gives a number and an item on the device: write `for (i, x) in ..`",
                );
                (None, None)
            }
        }
    }

    /// Takes the adaptors off what a loop runs over, the first one first; whether `enumerate` is the last.
    fn adaptors<'e>(&mut self, expr: &'e Expr, steps: &mut Vec<Adaptor<'e>>) -> (&'e Expr, bool) {
        let (mut inner, mut enumerated) = (expr, false);
        while let Some(call) = adaptor(inner) {
            inner = &call.receiver;
            match (call.method.to_string().as_str(), call.args.len()) {
                ("rev", 0) => steps.push(Adaptor::Rev),
                ("step_by", 1) => steps.push(Adaptor::By(call)),
                ("enumerate", 0) if steps.is_empty() && !enumerated => enumerated = true,
                ("enumerate", 0) => self.errors.at(
                    &call.method,
                    "`enumerate` comes last on the device: order the items first, then number them",
                ),
                ("iter", 0) => self.errors.at(
                    &call.method,
                    "there are no references on the device: loop over the array itself, `for x in array`",
                ),
                ("iter_mut", 0) => self.errors.at(
                    &call.method,
                    "there are no references on the device: loop over the indices, \
                     `for i in 0..array.len() { array[i] = .. }`",
                ),
                // An array is what it turns into. Where the number of arguments is wrong, rustc says so.
                ("rev" | "step_by" | "enumerate" | "into_iter" | "iter" | "iter_mut", _) => {}
                (name, _) => self.errors.at(
                    &call.method,
                    format!(
                        "`{name}` is not supported on the device: a `for` loop there has `rev`, `step_by` and \
                         `enumerate`; use `if` and `break` in its body"
                    ),
                ),
            }
        }
        steps.reverse();
        (inner, enumerated)
    }

    /// A range or an array.
    fn over(&mut self, base: &Expr, body: &syn::Block, calm: bool) -> Over {
        match base {
            Expr::Paren(inner) => self.over(&inner.expr, body, calm),
            Expr::Group(inner) => self.over(&inner.expr, body, calm),
            Expr::Range(range) => self.range(range),
            Expr::Reference(reference) => {
                let instead = if reference.mutability.is_some() {
                    "over the indices, `for i in 0..array.len() { array[i] = .. }`"
                } else {
                    "over the array itself, `for x in array`"
                };
                self.errors.at(reference, format!("there are no references on the device: loop {instead}"));
                let place = Place { span: base.span(), kind: PlaceKind::Error };
                Over::Array { place, copied: false }
            }
            array => {
                let place = self.place(array);
                let copied = place.is_assignable() && (!calm || writes::may_write(body, array));
                Over::Array { place, copied }
            }
        }
    }

    fn range(&mut self, range: &ExprRange) -> Over {
        let inclusive = matches!(range.limits, RangeLimits::Closed(_));
        if let (Some(from), Some(to)) = (&range.start, &range.end) {
            let from = Box::new(self.value(from));
            return Over::Range { from, to: Box::new(self.value(to)), inclusive };
        }
        self.errors.at(range, "a `for` loop on the device needs both bounds of its range: `for i in 0..n`");
        let nothing = || Box::new(Value::error(range.span()));
        Over::Range { from: nothing(), to: nothing(), inclusive }
    }
}

/// `rev` or `step_by`.
enum Adaptor<'e> {
    Rev,
    By(&'e ExprMethodCall),
}

/// The names that are adaptors wherever they stand in a `for` loop's expression, known or not.
const ADAPTORS: [&str; 18] = [
    "chain",
    "copied",
    "cycle",
    "cloned",
    "enumerate",
    "filter",
    "flat_map",
    "inspect",
    "into_iter",
    "iter",
    "iter_mut",
    "map",
    "peekable",
    "rev",
    "skip",
    "step_by",
    "take",
    "zip",
];

/// The call, if the expression is one of an adaptor.
fn adaptor(mut expr: &Expr) -> Option<&ExprMethodCall> {
    loop {
        expr = match expr {
            Expr::Paren(inner) => &inner.expr,
            Expr::Group(inner) => &inner.expr,
            Expr::MethodCall(call) if ADAPTORS.iter().any(|name| call.method == name) => return Some(call),
            _ => return None,
        }
    }
}
