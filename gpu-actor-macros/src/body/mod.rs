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
mod generic;
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
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use std::collections::HashMap;
use std::rc::Rc;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprMethodCall, ExprRange, GenericParam, Generics, ImplItem, ItemImpl};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    /// A local or a parameter.
    Local,
    /// The context of a handler.
    Context,
}

/// What `self` is in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    None,
    /// `&self` or `&mut self`
    Borrowed,
    /// `self`
    Owned,
}

/// The other functions of the impl block, as far as a call by name is known to mean one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Siblings(Rc<HashMap<String, Sibling>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sibling {
    /// It has a device twin.
    Marked,
    /// It is for messages only.
    Handler,
    /// It is for the host only.
    Unmarked,
}

impl Siblings {
    /// Whether the block has a device function of this name.
    pub(crate) fn has(&self, name: &Ident) -> bool {
        self.get(name) == Some(Sibling::Marked)
    }

    /// The functions of a block in which each is marked by itself.
    pub(crate) fn of(
        block: &ItemImpl,
        marked: impl Fn(&Attribute) -> bool,
        handler: impl Fn(&Attribute) -> bool,
    ) -> Self {
        let functions = block.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function),
            _ => None,
        });
        let kind = |attributes: &[Attribute]| match attributes {
            attributes if attributes.iter().any(&handler) => Sibling::Handler,
            attributes if attributes.iter().any(&marked) => Sibling::Marked,
            _ => Sibling::Unmarked,
        };
        Self(Rc::new(
            functions.map(|function| (function.sig.ident.to_string(), kind(&function.attrs))).collect(),
        ))
    }

    /// What kind of function that is.
    fn get(&self, name: &Ident) -> Option<Sibling> {
        self.0.get(&name.to_string()).copied()
    }
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
    receiver: Receiver,
    /// The context's name, for messages.
    context: Option<Ident>,
    siblings: Siblings,
    /// The names of what the function is generic over.
    generics: Vec<Ident>,
    /// The parameters that are slices.
    slices: Vec<Ident>,
}

impl<'a> Parser<'a> {
    /// A parser for a function with these parameters.
    pub(crate) fn new<'n>(
        errors: &'a mut Errors,
        receiver: Receiver,
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
            siblings: Siblings::default(),
            generics: Vec::new(),
            slices: Vec::new(),
        }
    }

    /// The same in an impl block that holds these functions.
    pub(crate) fn beside(mut self, siblings: &Siblings) -> Self {
        self.siblings = siblings.clone();
        self
    }

    /// The same in a function with these parameters of its own.
    pub(crate) fn generic_over(mut self, generics: &Generics) -> Self {
        self.generics.extend(generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(parameter.ident.clone()),
            GenericParam::Const(parameter) => Some(parameter.ident.clone()),
            GenericParam::Lifetime(_) => None,
        }));
        self
    }

    /// The same in a function with these slices among its parameters.
    pub(crate) fn slices<'n>(mut self, names: impl Iterator<Item = &'n Ident>) -> Self {
        self.slices.extend(names.cloned());
        self
    }

    /// Whether an expression names a slice.
    fn is_slice(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => path.path.get_ident().is_some_and(|name| self.slices.contains(name)),
            Expr::Paren(inner) => self.is_slice(&inner.expr),
            Expr::Group(inner) => self.is_slice(&inner.expr),
            // A part of a slice is one.
            Expr::MethodCall(call) => is_part(call).is_some() && self.is_slice(&call.receiver),
            _ => false,
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

/// The range in `slice.slice(from..to)`.
fn is_part(call: &ExprMethodCall) -> Option<&ExprRange> {
    match call.args.first() {
        Some(Expr::Range(range)) if call.method == "slice" && call.args.len() == 1 => Some(range),
        _ => None,
    }
}

/// Refuses names that generated code uses.
pub(crate) fn check_name(name: &Ident, errors: &mut Errors) {
    if name.to_string().starts_with("__") {
        errors.at(name, "names that start with `__` are taken by generated code; choose another name");
    }
}

/// The source line of something, as rustc's panic messages have it: in code that `macro_rules!` wrote it is the line of the
/// outermost macro's call. Only rustc knows that one, and tells where it expands `line!` at the same place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line(Span);

impl ToTokens for Line {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(quote_spanned!(self.0=> ::core::line!()));
    }
}

/// The source line of a fault in `tokens`: that of their first token.
pub(crate) fn line_of(tokens: &impl Spanned) -> Line {
    line(tokens.span())
}

/// The source line of `span`.
pub(crate) fn line(span: Span) -> Line {
    Line(span)
}
