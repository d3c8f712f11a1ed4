//! Values and places.

use super::model::{Place, PlaceKind, Stmt, Value, ValueKind};
use super::{Binding, Line, Parser, Receiver, flow, generic, line_of};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprBinary, ExprLit, ExprPath, ExprRepeat, ExprUnary, Lit, UnOp};

impl Value {
    pub(super) fn new(span: Span, kind: ValueKind) -> Self {
        Self { span, kind }
    }

    pub(super) fn unit(span: Span) -> Self {
        Self::new(span, ValueKind::Unit)
    }

    pub(super) fn error(span: Span) -> Self {
        Self::new(span, ValueKind::Error)
    }
}

impl Value {
    /// Parentheses around an operation belong to its span: its fault has their line. That of a method stays at its name.
    fn begin_at(&mut self, paren: Line) {
        match &mut self.kind {
            ValueKind::Op { method, line: Some(line), .. }
                if ["add", "sub", "mul", "div", "rem", "neg", "shl", "shr"].contains(method) =>
            {
                *line = paren;
            }
            ValueKind::Read(place) => place.begin_at(paren),
            _ => {}
        }
    }
}

impl Place {
    fn begin_at(&mut self, paren: Line) {
        if let PlaceKind::Index { line, .. } = &mut self.kind {
            *line = paren;
        }
    }
}

impl Parser<'_> {
    /// An expression whose value is used.
    pub(super) fn value(&mut self, expr: &Expr) -> Value {
        let span = expr.span();
        if let Some(constant) = self.constant(expr) {
            return Value::new(span, ValueKind::Const(constant));
        }
        let kind = match expr {
            Expr::Paren(inner) => {
                let mut value = self.value(&inner.expr);
                value.begin_at(line_of(expr));
                return value;
            }
            Expr::Group(inner) => return self.value(&inner.expr),
            Expr::Lit(literal) => return self.literal(literal),
            Expr::Path(path) => return self.path(path),
            Expr::Tuple(tuple) if tuple.elems.is_empty() => ValueKind::Unit,
            Expr::Field(_) | Expr::Index(_) => ValueKind::Read(self.place(expr)),
            Expr::Unary(unary) => return self.unary(unary),
            Expr::Binary(binary) if flow::is_compound(&binary.op) => {
                ValueKind::After(Box::new(self.effect(expr)))
            }
            Expr::Binary(binary) => return self.binary(binary),
            Expr::Cast(cast) => {
                let value = Box::new(self.value(&cast.expr));
                self.local_type(&cast.ty);
                ValueKind::Cast { value, ty: (*cast.ty).clone() }
            }
            Expr::Assign(_) | Expr::While(_) | Expr::ForLoop(_) => {
                ValueKind::After(Box::new(self.effect(expr)))
            }
            Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => {
                ValueKind::Never(Box::new(self.effect(expr)))
            }
            Expr::Macro(mac) if mac.mac.path.is_ident("matches") => return self.matches(&mac.mac),
            Expr::Macro(mac) => {
                let stmt = Box::new(self.macro_call(&mac.mac));
                if let Stmt::Panic { .. } = *stmt { ValueKind::Never(stmt) } else { ValueKind::After(stmt) }
            }
            Expr::If(branch) => return self.if_value(branch),
            Expr::Match(expr) => return self.match_value(expr),
            Expr::Struct(literal) => return self.struct_literal(literal),
            Expr::Tuple(tuple) => return self.tuple(tuple),
            Expr::Block(block) => match &block.label {
                Some(label) => self.labelled_value(label, &block.block),
                None => ValueKind::Block(self.block(&block.block)),
            },
            Expr::Loop(expr) => return self.loop_value(expr),
            Expr::Call(call) => return self.call(call),
            Expr::MethodCall(call) => return self.method_call(call),
            Expr::Array(array) => ValueKind::Array(self.operands(&array.elems)),
            Expr::Repeat(repeat) => return self.repeat(repeat),
            other => return self.unsupported(other),
        };
        Value::new(span, kind)
    }

    /// The operands of one operation, in Rust's order. Reading a place copies it, so a later operand cannot change an
    /// earlier one.
    pub(super) fn operands<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Value> {
        exprs.into_iter().map(|expr| self.value(expr)).collect()
    }

    /// What contains no local and no call: passed on verbatim, so that literals keep their signs and types.
    fn constant(&mut self, expr: &Expr) -> Option<TokenStream> {
        if !self.is_constant(expr) {
            return None;
        }
        let computes = computes(expr);
        // What a function is generic over is no constant to rustc where something is computed with it.
        if computes && generic::mentions(expr, &self.generics) {
            return None;
        }
        Some(if computes {
            // Faults at compile time, if it does, as it would in a `const` item.
            quote_spanned!(expr.span()=> const { #expr })
        } else {
            expr.to_token_stream()
        })
    }

    fn is_constant(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Lit(literal) => is_number(&literal.lit),
            Expr::Path(path) => self.is_constant_path(path),
            Expr::Paren(inner) => self.is_constant(&inner.expr),
            Expr::Group(inner) => self.is_constant(&inner.expr),
            Expr::Unary(unary) => match (&unary.op, &*unary.expr) {
                (UnOp::Deref(_), Expr::Lit(text)) => matches!(text.lit, Lit::ByteStr(_)),
                (UnOp::Neg(_) | UnOp::Not(_), operand) => self.is_constant(operand),
                _ => false,
            },
            Expr::Cast(cast) => self.is_constant(&cast.expr),
            Expr::Binary(binary) => {
                !flow::is_compound(&binary.op)
                    && self.is_constant(&binary.left)
                    && self.is_constant(&binary.right)
            }
            Expr::Array(array) => array.elems.iter().all(|element| self.is_constant(element)),
            Expr::Repeat(repeat) => self.is_constant(&repeat.expr),
            _ => false,
        }
    }

    /// A path that is no local, no context, no `self`, and not known to be something else than a constant.
    fn is_constant_path(&self, path: &ExprPath) -> bool {
        match path.path.get_ident() {
            Some(name) if path.qself.is_none() => name != "self" && self.binding(name).is_none(),
            _ => true,
        }
    }

    fn literal(&mut self, literal: &ExprLit) -> Value {
        let message = match &literal.lit {
            Lit::Str(_) | Lit::CStr(_) => {
                "text does not exist on the device: it belongs in `assert!` and `panic!` only"
            }
            Lit::ByteStr(_) => "byte strings are references: write the array itself, `*b\"text\"`",
            Lit::Char(_) => "`char` is not a GPU type: use a byte such as `b'a'`, or a `u32`",
            _ => "this literal is not supported on the device",
        };
        self.errors.at(literal, message);
        Value::error(literal.span())
    }

    /// A path that is not a constant.
    fn path(&mut self, path: &ExprPath) -> Value {
        let span = path.span();
        let Some(name) = path.path.get_ident() else { return Value::error(span) };
        match self.binding(name) {
            Some(Binding::Local) => {
                Value::new(span, ValueKind::Read(Place { span, kind: PlaceKind::Local(name.clone()) }))
            }
            Some(Binding::Context) => {
                self.errors.at(
                    name,
                    format!("the context cannot be passed on: send with `{name}.tell(actor.method(..))`"),
                );
                Value::error(span)
            }
            None if name == "self" && self.receiver == Receiver::Owned => {
                Value::new(span, ValueKind::Read(Place { span, kind: PlaceKind::State }))
            }
            None => {
                self.errors
                    .at(name, "`self` is a reference here: use its fields, or `*self` for the whole state");
                Value::error(span)
            }
        }
    }

    fn unary(&mut self, unary: &ExprUnary) -> Value {
        let span = unary.span();
        match unary.op {
            UnOp::Deref(_) => Value::new(span, ValueKind::Read(self.deref(unary))),
            UnOp::Neg(_) => {
                let operands = vec![self.value(&unary.expr)];
                Value::new(span, ValueKind::Op { method: "neg", operands, line: Some(line_of(unary)) })
            }
            UnOp::Not(_) => {
                let operands = vec![self.value(&unary.expr)];
                Value::new(span, ValueKind::Op { method: "not", operands, line: None })
            }
            _ => {
                self.errors.at(unary, "this operator is not supported on the device");
                Value::error(span)
            }
        }
    }

    fn binary(&mut self, binary: &ExprBinary) -> Value {
        let (method, faults) = match binary.op {
            BinOp::And(_) | BinOp::Or(_) => return self.logic(binary),
            BinOp::Add(_) => ("add", true),
            BinOp::Sub(_) => ("sub", true),
            BinOp::Mul(_) => ("mul", true),
            BinOp::Div(_) => ("div", true),
            BinOp::Rem(_) => ("rem", true),
            BinOp::Shl(_) => ("shl", true),
            BinOp::Shr(_) => ("shr", true),
            BinOp::BitAnd(_) => ("bitand", false),
            BinOp::BitOr(_) => ("bitor", false),
            BinOp::BitXor(_) => ("bitxor", false),
            BinOp::Eq(_) => ("eq", false),
            BinOp::Ne(_) => ("ne", false),
            BinOp::Lt(_) => ("lt", false),
            BinOp::Le(_) => ("le", false),
            BinOp::Gt(_) => ("gt", false),
            BinOp::Ge(_) => ("ge", false),
            _ => {
                self.errors.at(binary.op, "this operator is not supported on the device");
                return Value::error(binary.span());
            }
        };
        let operands = self.operands([&*binary.left, &*binary.right]);
        let line = faults.then(|| line_of(binary));
        Value::new(binary.op.span(), ValueKind::Op { method, operands, line })
    }

    /// `&&` and `||`: without a branch where the right operand may as well be evaluated.
    fn logic(&mut self, binary: &ExprBinary) -> Value {
        let and = matches!(binary.op, BinOp::And(_));
        let left = self.value(&binary.left);
        let right = self.value(&binary.right);
        let kind = if flow::is_free(&binary.right) {
            ValueKind::Op {
                method: if and { "bitand" } else { "bitor" },
                operands: vec![left, right],
                line: None,
            }
        } else {
            ValueKind::Logic { and, left: Box::new(left), right: Box::new(right) }
        };
        Value::new(binary.op.span(), kind)
    }

    fn repeat(&mut self, repeat: &ExprRepeat) -> Value {
        let value = Box::new(self.value(&repeat.expr));
        Value::new(repeat.span(), ValueKind::Repeat { value, len: repeat.len.to_token_stream() })
    }

    /// An expression as a place; what has none of its own gets a temporary one.
    pub(super) fn place(&mut self, expr: &Expr) -> Place {
        let span = expr.span();
        let kind = match expr {
            Expr::Paren(inner) => {
                let mut place = self.place(&inner.expr);
                place.begin_at(line_of(expr));
                return place;
            }
            Expr::Group(inner) => return self.place(&inner.expr),
            Expr::Path(path) => match path.path.get_ident().filter(|_| path.qself.is_none()) {
                Some(name) if self.binding(name) == Some(Binding::Local) => PlaceKind::Local(name.clone()),
                Some(name) if name == "self" && self.receiver != Receiver::None => PlaceKind::State,
                _ => PlaceKind::Temp(Box::new(self.value(expr))),
            },
            Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) && !self.is_constant(expr) => {
                return self.deref(unary);
            }
            Expr::Field(field) => {
                let base = Box::new(self.place(&field.base));
                PlaceKind::Field { base, member: field.member.clone() }
            }
            Expr::Index(index) => {
                if let Expr::Range(range) = &*index.index {
                    self.errors
                        .at(range, "slices are not supported on the device: index one element at a time");
                    return Place { span, kind: PlaceKind::Error };
                }
                let base = Box::new(self.place(&index.expr));
                let line = line_of(expr);
                PlaceKind::Index { base, index: Box::new(self.value(&index.index)), line }
            }
            other => PlaceKind::Temp(Box::new(self.value(other))),
        };
        Place { span, kind }
    }

    /// `*self` is the state; nothing else can be dereferenced.
    fn deref(&mut self, unary: &ExprUnary) -> Place {
        let span = unary.span();
        if let Expr::Path(path) = &*unary.expr
            && path.path.is_ident("self")
            && self.receiver == Receiver::Borrowed
        {
            return Place { span, kind: PlaceKind::State };
        }
        self.errors.at(unary, "there are no references in device functions: leave the `*` out");
        Place { span, kind: PlaceKind::Error }
    }

    /// Reports what the language lacks and what to write instead.
    fn unsupported(&mut self, expr: &Expr) -> Value {
        let message = match expr {
            Expr::Closure(_) => "closures are not supported on the device: write a #[gpu_fn] and call it",
            Expr::Try(_) => {
                "`?` is not supported on the device: write `let Ok(value) = .. else { return .. };` (of an `Option`, `let Some(value)`), or a `match`"
            }
            Expr::Reference(_) | Expr::RawAddr(_) => {
                "references cannot be kept in device functions: copy the value (GPU types are `Copy`)"
            }
            Expr::Range(_) => "ranges are supported only as what a `for` loop runs over",
            Expr::Unsafe(_) => {
                "`unsafe` blocks are not supported on the device: a handler is checked like any actor"
            }
            Expr::Async(_) | Expr::Await(_) => {
                "a handler runs to its end on the device and cannot wait: send a message with `cx.tell` instead"
            }
            Expr::Let(_) => {
                "`let` stands in the condition of an `if` or `while`, joined by `&&`; elsewhere use `matches!`"
            }
            Expr::Const(_) => "`const` blocks are not supported on the device: write a `const` item",
            Expr::Yield(_) => "`yield` is not supported on the device",
            Expr::Infer(_) => "`_` can only be assigned to",
            _ => "this expression is not supported on the device",
        };
        self.errors.at(expr, message);
        Value::error(expr.span())
    }
}

pub(super) fn is_number(literal: &Lit) -> bool {
    matches!(literal, Lit::Int(_) | Lit::Float(_) | Lit::Bool(_) | Lit::Byte(_))
}

/// Whether a constant expression could fault: then rustc evaluates it while compiling.
fn computes(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(_) => true,
        Expr::Paren(inner) => computes(&inner.expr),
        Expr::Group(inner) => computes(&inner.expr),
        Expr::Unary(unary) => match (&unary.op, &*unary.expr) {
            (UnOp::Neg(_), Expr::Lit(_)) => false,
            (UnOp::Neg(_), _) => true,
            (_, operand) => computes(operand),
        },
        Expr::Cast(cast) => computes(&cast.expr),
        Expr::Array(array) => array.elems.iter().any(computes),
        Expr::Repeat(repeat) => computes(&repeat.expr),
        _ => false,
    }
}
