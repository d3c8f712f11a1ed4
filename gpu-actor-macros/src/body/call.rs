//! Calls: device functions, methods of numbers and of the user's types, sends, `assert!` and `panic!`.

use super::model::{Place, PlaceKind, Stmt, Value, ValueKind};
use super::{Binding, Parser, Sibling, flow, is_part, line, line_of, methods};
use proc_macro2::Ident;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Expr, ExprCall, ExprMethodCall, ExprPath, Lit, Macro, Path, RangeLimits, Token, parse_quote_spanned,
};

const NUMBERS: [&str; 12] =
    ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64"];

/// What the context answers, and the builder's method for it.
const CONTEXT: [(&str, &str); 3] = [("now", "cx_now"), ("worker", "cx_worker"), ("lane", "cx_lane")];

/// The builder's method for `f32::from_bits` and `f64::from_bits`.
fn from_bits(function: &ExprPath) -> Option<&'static str> {
    let segments = &function.path.segments;
    if function.qself.is_some() || segments.len() != 2 || segments[1].ident != "from_bits" {
        return None;
    }
    ["f32", "f64"]
        .into_iter()
        .zip(["f32_from_bits", "f64_from_bits"])
        .find(|(owner, _)| segments[0].ident == owner)
        .map(|(_, method)| method)
}

/// The number type of `u64::from` and its like.
fn lossless(function: &ExprPath) -> Option<Ident> {
    let segments = &function.path.segments;
    let (owner, last) = (segments.first()?, segments.last()?);
    (function.qself.is_none()
        && segments.len() == 2
        && last.ident == "from"
        && NUMBERS.iter().any(|name| owner.ident == name))
    .then(|| owner.ident.clone())
}

impl Parser<'_> {
    /// Whether `expr` is the handler's context.
    pub(super) fn is_context(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => {
                path.path.get_ident().is_some_and(|name| self.binding(name) == Some(Binding::Context))
            }
            Expr::Paren(inner) => self.is_context(&inner.expr),
            Expr::Group(inner) => self.is_context(&inner.expr),
            _ => false,
        }
    }

    /// A call by path: of a function marked `#[gpu_fn]`.
    pub(super) fn call(&mut self, call: &ExprCall) -> Value {
        let span = call.span();
        let Expr::Path(function) = &*call.func else {
            self.errors
                .at(&call.func, "only functions marked #[gpu_fn] can be called on the device, by their path");
            return Value::error(span);
        };
        if function.qself.is_none()
            && let Some(last) = function.path.segments.last()
            && last.ident.to_string().starts_with(char::is_uppercase)
        {
            return self.constructor_call(call, &function.path);
        }
        let mut args = self.arguments(&call.args);
        if let Some(ty) = lossless(function)
            && args.len() == 1
            && let Some(value) = args.pop()
        {
            return Value::new(span, ValueKind::From { value: Box::new(value), ty });
        }
        if let Some(method) = from_bits(function)
            && args.len() == 1
        {
            return Value::new(span, ValueKind::Op { method, operands: args, line: None });
        }
        let path = &function.path;
        if let Some(message) = self.not_callable(path) {
            self.errors.at(&call.func, message);
            return Value::error(span);
        }
        let Some(last) = path.segments.last() else { return Value::error(span) };
        let owner = path.segments.iter().rev().nth(1).map(|owner| owner.ident.to_string());
        let own_type = owner.as_deref() == Some("Self");
        if own_type && let Some(message) = self.not_marked(&last.ident) {
            self.errors.at(&last.ident, message);
            return Value::error(span);
        }
        let path = function.clone();
        let of_a_type =
            path.qself.is_some() || owner.is_some_and(|owner| owner.starts_with(|c: char| c.is_uppercase()));
        if of_a_type {
            let hint = "functions of your own types are marked by #[gpu_fn] on their impl block".to_owned();
            return Value::new(span, ValueKind::Associated { path, args, hint });
        }
        Value::new(span, ValueKind::Call { path, args })
    }

    /// What is handed to a device function: the context stays where it is, each function has it already.
    fn arguments<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<Value> {
        let exprs: Vec<_> = exprs.into_iter().filter(|expr| !self.is_context(expr)).collect();
        self.operands(exprs)
    }

    /// Why a function of the same impl block cannot be called.
    fn not_marked(&self, name: &Ident) -> Option<String> {
        match self.siblings.get(name)? {
            Sibling::Marked => None,
            Sibling::Handler => Some(format!(
                "`{name}` is a handler and called by messages only: move what you need of it into a function marked \
                 #[gpu_fn]"
            )),
            Sibling::Unmarked => {
                Some(format!("`{name}` is not known to the device: mark it #[gpu_fn] where it is defined"))
            }
        }
    }

    /// Why a path cannot be that of a `#[gpu_fn]`, if its tokens tell.
    fn not_callable(&self, path: &Path) -> Option<String> {
        let last = path.segments.last()?;
        if path.get_ident().is_some_and(|name| self.binding(name).is_some()) {
            return Some("closures and function pointers are not supported on the device: call a #[gpu_fn] by its path".into());
        }
        let name = last.ident.to_string();
        let owner = path.segments.iter().rev().nth(1)?;
        if ["Vec", "Box", "String", "HashMap", "Rc", "Arc"].iter().any(|heap| owner.ident == heap) {
            return Some(format!("`{}` lives on the host's heap: use an array of fixed length", owner.ident));
        }
        let owner = owner.ident.to_string();
        let primitive = owner == "bool" || NUMBERS.contains(&owner.as_str());
        // With more before it, it is a module of that name: `math::f32`.
        if primitive && path.segments.len() == 2 {
            return Some(match methods::find(&name) {
                Some(_) => format!("write it as a method on the device: `value.{name}(..)`"),
                None if name == "try_from" => {
                    format!("compare first, then convert with `as {owner}` on the device")
                }
                None => methods::unknown(&name),
            });
        }
        None
    }

    /// A method call with a value: of a number, of an array, of the context.
    pub(super) fn method_call(&mut self, call: &ExprMethodCall) -> Value {
        let span = call.span();
        let name = call.method.to_string();
        if self.is_context(&call.receiver) {
            return self.context_call(call);
        }
        if let Expr::Path(path) = &*call.receiver
            && path.path.is_ident("self")
        {
            if let Some(message) = self.not_marked(&call.method) {
                self.errors.at(&call.method, message);
                return Value::error(span);
            }
            if self.siblings.has(&call.method) {
                return self.known_method(call);
            }
        }
        if name == "len" && call.args.is_empty() {
            return Value::new(call.method.span(), ValueKind::Len(self.place(&call.receiver)));
        }
        if let Some(value) = self.ask(call) {
            return value;
        }
        if let Some(value) = self.slice_call(call) {
            return value;
        }
        let Some(method) = methods::find(&name) else { return self.own_method(call) };
        if let Some(generics) = &call.turbofish {
            self.errors.at(generics, "this method is not generic on the device: annotate the local instead");
        }
        let operands = self.operands(std::iter::once(&*call.receiver).chain(&call.args));
        if method.args != call.args.len() {
            // rustc says so of the function itself.
            return Value::error(span);
        }
        let line = method.faults.then(|| line(call.method.span()));
        Value::new(call.method.span(), ValueKind::Op { method: method.name, operands, line })
    }

    /// A method of slices.
    fn slice_call(&mut self, call: &ExprMethodCall) -> Option<Value> {
        let span = call.method.span();
        if let Some(range) = is_part(call) {
            if matches!(range.limits, RangeLimits::Closed(_)) {
                self.errors.at(range, "a part of a slice is written `from..to` on the device");
                return Some(Value::error(span));
            }
            let place = self.place(&call.receiver);
            let from = range.start.as_ref().map(|from| Box::new(self.value(from)));
            let to = range.end.as_ref().map(|to| Box::new(self.value(to)));
            return Some(Value::new(span, ValueKind::Part { place, from, to, line: line(span) }));
        }
        if !self.is_slice(&call.receiver) || !call.args.is_empty() {
            return None;
        }
        match call.method.to_string().as_str() {
            // Natively it counts a reference; on the device that is done where the slice is sent.
            "clone" => Some(self.value(&call.receiver)),
            "is_empty" => {
                let length = Value::new(span, ValueKind::Len(self.place(&call.receiver)));
                let zero = Value::new(span, ValueKind::Const(quote!(0usize)));
                Some(Value::new(
                    span,
                    ValueKind::Op { method: "eq", operands: vec![length, zero], line: None },
                ))
            }
            _ => None,
        }
    }

    /// A method of `Option` and `Result`.
    fn ask(&mut self, call: &ExprMethodCall) -> Option<Value> {
        let span = call.method.span();
        let (method, faults) = match (call.method.to_string().as_str(), call.args.len()) {
            ("is_some" | "is_ok", 0) => ("is_some", false),
            ("is_none" | "is_err", 0) => ("is_none", false),
            ("unwrap_or", 1) => ("unwrap_or", false),
            ("unwrap", 0) | ("expect", 1) => ("unwrap", true),
            _ => return None,
        };
        if faults {
            let message = call.args.first().and_then(|_| {
                let args: Vec<_> = call.args.iter().cloned().collect();
                self.message(&args)
            });
            let place = self.place(&call.receiver);
            let line = Some((line(span), message));
            return Some(Value::new(span, ValueKind::Ask { method, place, operands: Vec::new(), line }));
        }
        // An argument with effects must not change the value that it stands in for.
        let place = if call.args.iter().all(flow::is_free) {
            self.place(&call.receiver)
        } else {
            let value = self.value(&call.receiver);
            Place { span: value.span, kind: PlaceKind::Temp(Box::new(value)) }
        };
        let operands = self.operands(&call.args);
        Some(Value::new(span, ValueKind::Ask { method, place, operands, line: None }))
    }

    /// A method that is not one of numbers: of the user's own type.
    fn own_method(&mut self, call: &ExprMethodCall) -> Value {
        let name = call.method.to_string();
        if let Some(message) = methods::refused(&name) {
            self.errors.at(&call.method, message);
            return Value::error(call.span());
        }
        self.known_method(call)
    }

    fn known_method(&mut self, call: &ExprMethodCall) -> Value {
        let name = call.method.to_string();
        let receiver = Box::new(self.place(&call.receiver));
        let args = self.arguments(&call.args);
        let mut hint = methods::own(&name);
        if let Some(context) = &self.context {
            hint = format!("{hint}; a message to an actor goes into `{context}.tell(..)`");
        }
        let (method, generics) = (call.method.clone(), call.turbofish.clone());
        Value::new(call.span(), ValueKind::Method { receiver, method, generics, args, hint })
    }

    fn context_call(&mut self, call: &ExprMethodCall) -> Value {
        let span = call.span();
        if call.method == "tell" {
            return Value::new(span, ValueKind::After(Box::new(self.tell(call))));
        }
        if let Some((_, method)) = CONTEXT.iter().find(|(name, _)| call.method == name) {
            Value::new(call.method.span(), ValueKind::Context(method))
        } else {
            self.errors.at(
                &call.method,
                "the context has `tell`, `now`, `worker` and `lane` on the device; ask for nothing else",
            );
            Value::error(span)
        }
    }

    /// `cx.tell(target.method(args))`
    pub(super) fn tell(&mut self, call: &ExprMethodCall) -> Stmt {
        let span = call.span();
        let mut message = call.args.first();
        while let Some(Expr::Paren(inner)) = message {
            message = Some(&inner.expr);
        }
        let (Some(Expr::MethodCall(send)), 1) = (message, call.args.len()) else {
            let context = self.context.as_ref().map_or_else(|| "cx".to_owned(), ToString::to_string);
            let text = format!("a send has the form `{context}.tell(actor.method(arguments))` on the device");
            match message {
                Some(message) => self.errors.at(message, text),
                None => self.errors.at(call, text),
            }
            return Stmt::Drop(Value::error(span));
        };
        if let Some(generics) = &send.turbofish {
            self.errors.at(generics, "handlers are not generic");
        }
        if let Expr::Path(path) = &*send.receiver
            && path.path.is_ident("self")
        {
            self.errors.at(
                &send.receiver,
                "`self` is the state, not an address: keep an `ActorId` in a field or take it as a parameter",
            );
            return Stmt::Drop(Value::error(span));
        }
        let target = self.place(&send.receiver);
        let args = self.operands(&send.args);
        Stmt::Tell { target, method: send.method.clone(), args, line: line(call.method.span()) }
    }

    /// `assert!`, `panic!` and their kin; everything else is refused.
    pub(super) fn macro_call(&mut self, mac: &Macro) -> Stmt {
        let span = mac.span();
        let name = mac.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "assert" => {
                let Some(args) = self.errors.take(mac.parse_body::<AssertArgs>()) else {
                    return Stmt::Drop(Value::error(span));
                };
                let cond = self.value(&args.cond);
                Stmt::Assert { cond, message: self.message(&args.message), line: line_of(mac), span }
            }
            "assert_eq" | "assert_ne" => {
                let args = self.errors.take(mac.parse_body::<PanicArgs>());
                let Some([left, right, message @ ..]) = args.as_ref().map(|args| args.0.as_slice()) else {
                    // rustc says what is missing.
                    return Stmt::Drop(Value::error(span));
                };
                // Natively the message goes on with the two values, which the device does not write out.
                self.message(message);
                let at = left.span();
                let cond = if name == "assert_eq" {
                    parse_quote_spanned!(at=> (#left) == (#right))
                } else {
                    parse_quote_spanned!(at=> (#left) != (#right))
                };
                Stmt::Assert { cond: self.value(&cond), message: None, line: line_of(mac), span }
            }
            "panic" | "unreachable" => {
                let Some(args) = self.errors.take(mac.parse_body::<PanicArgs>()) else {
                    return Stmt::Drop(Value::error(span));
                };
                let mut message = self.message(&args.0);
                if name == "unreachable" {
                    let text = message.map(|message| format!(": {message}")).unwrap_or_default();
                    message = Some(format!("internal error: entered unreachable code{text}"));
                }
                Stmt::Panic { message, line: line_of(mac), span }
            }
            _ => {
                let message = match name.as_str() {
                    "debug_assert" | "debug_assert_eq" | "debug_assert_ne" => {
                        "debug assertions are not supported on the device: both twins must fault alike, so write `assert!`"
                    }
                    "todo" | "unimplemented" => {
                        "this macro is not supported on the device: write `panic!(\"why\")`"
                    }
                    "println" | "print" | "eprintln" | "eprint" | "dbg" | "format" | "write" | "writeln" => {
                        "there is no text output on the device: reply with a value, or fault with `panic!(\"why\")`"
                    }
                    "vec" => "vectors live on the host's heap: use an array of fixed length, `[value; N]`",
                    _ => {
                        "macros other than `assert!`, `assert_eq!`, `assert_ne!`, `panic!`, `unreachable!` and `matches!` are not supported on the device: write the code out"
                    }
                };
                self.errors.at(mac, message);
                Stmt::Drop(Value::error(span))
            }
        }
    }

    /// The message of `assert!` or `panic!`: plain text.
    fn message(&mut self, args: &[Expr]) -> Option<String> {
        let (first, rest) = args.split_first()?;
        if let Expr::Lit(literal) = first
            && let Lit::Str(text) = &literal.lit
        {
            let text = text.value();
            if rest.is_empty() && !text.contains(['{', '}']) {
                return Some(text);
            }
            self.errors
                .at(first, "messages are plain text on the device: nothing can be formatted into them");
            return None;
        }
        self.errors.at(first, "the message must be a string literal on the device");
        None
    }
}

/// `cond` and what follows it.
struct AssertArgs {
    cond: Expr,
    message: Vec<Expr>,
}

impl Parse for AssertArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let cond = input.parse()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        Ok(Self { cond, message: expressions(input)? })
    }
}

/// What stands in `panic!`.
struct PanicArgs(Vec<Expr>);

impl Parse for PanicArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        expressions(input).map(Self)
    }
}

fn expressions(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let list = input.parse_terminated(Expr::parse, Token![,])?;
    Ok(list.into_iter().collect())
}
