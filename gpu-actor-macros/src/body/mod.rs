//! Function bodies: checked against the handler language and turned into its [`model`].
//!
//! The parsers are split by what they read: [`stmt`] statements and blocks, [`expr`] values and places, [`control`]
//! branches and jumps, [`loops`] loops, [`call`] calls, methods and macros. [`flow`] answers questions about control flow.

mod assign;
mod call;
pub(crate) mod construct;
mod control;
mod expr;
pub(crate) mod flow;
mod loops;
pub(crate) mod matching;
pub(crate) mod methods;
pub(crate) mod model;
pub(crate) mod pattern;
mod stmt;
mod writes;

use crate::emit::here;
use crate::errors::Errors;
use model::Block;
use proc_macro2::{Ident, Span};
use std::collections::HashMap;
use syn::spanned::Spanned;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    /// A local or a parameter.
    Local,
    /// The context of a handler.
    Context,
}

/// A loop or a labelled block that the parser is inside of.
struct OpenLoop {
    id: usize,
    label: Option<String>,
    /// A block is left by its label only, and is never continued.
    block: bool,
    /// Its value is used: its breaks carry one.
    waits: bool,
}

/// Reads one function body.
pub(crate) struct Parser<'a> {
    errors: &'a mut Errors,
    scopes: Vec<HashMap<String, Binding>>,
    loops: Vec<OpenLoop>,
    next_loop: usize,
    /// Whether there is a `self`.
    receiver: bool,
    /// The context's name, for messages.
    context: Option<Ident>,
}

impl<'a> Parser<'a> {
    /// A parser for a function with these parameters; `receiver` says whether it has a `self`.
    pub(crate) fn new<'n>(
        errors: &'a mut Errors,
        receiver: bool,
        context: Option<&Ident>,
        parameters: impl Iterator<Item = &'n Ident>,
    ) -> Self {
        let mut scope: HashMap<_, _> = parameters.map(|name| (name.to_string(), Binding::Local)).collect();
        if let Some(context) = context {
            scope.insert(context.to_string(), Binding::Context);
        }
        Self {
            errors,
            scopes: vec![scope],
            loops: Vec::new(),
            next_loop: 0,
            receiver,
            context: context.cloned(),
        }
    }

    /// Reads the whole body.
    pub(crate) fn body(mut self, block: &syn::Block) -> Block {
        self.block(block)
    }

    fn binding(&self, name: &Ident) -> Option<Binding> {
        let name = name.to_string();
        self.scopes.iter().rev().find_map(|scope| scope.get(&name).copied())
    }

    /// Makes `name` a local of the innermost scope.
    fn bind(&mut self, name: &Ident) {
        check_name(name, self.errors);
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_string(), Binding::Local);
        }
    }

    fn scoped<T>(&mut self, parse: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(HashMap::new());
        let parsed = parse(self);
        self.scopes.pop();
        parsed
    }
}

/// Refuses names that generated code uses.
pub(crate) fn check_name(name: &Ident, errors: &mut Errors) {
    if name.to_string().starts_with("__") {
        errors.at(name, "names that start with `__` are taken by generated code; choose another name");
    }
}

/// The source line of a fault in `tokens`: that of their first token, as in rustc's panic messages.
pub(crate) fn line_of(tokens: &impl Spanned) -> u32 {
    line(tokens.span())
}

/// The source line of `span`, counted from 1; 1 outside of a compiler, in unit tests.
pub(crate) fn line(span: Span) -> u32 {
    if proc_macro::is_available() { u32::try_from(span.unwrap().line()).unwrap_or(u32::MAX) } else { 1 }
}
