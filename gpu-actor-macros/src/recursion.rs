//! Functions that call themselves, found by name: in one function, or in a circle within one impl block.
//!
//! Rule kept here: only what the names prove is reported. A circle through other items is found when a handler is lowered.

use crate::errors::Errors;
use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, Item, PathSegment, Type};

/// One function and the calls in it that name a function of the same block.
pub(crate) struct Node<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) body: &'a Block,
}

/// Reports each call that closes a circle, at its name; `owner` is the type of the impl block that the functions stand in.
pub(crate) fn check(functions: &[Node<'_>], owner: Option<&Type>, errors: &mut Errors) {
    let calls: Vec<Vec<(usize, Ident)>> = functions
        .iter()
        .map(|function| {
            let mut calls =
                Calls { functions, owner: owner.and_then(last), found: Vec::new(), hidden: false };
            calls.visit_block(function.body);
            if calls.hidden { Vec::new() } else { calls.found }
        })
        .collect();
    for start in 0..functions.len() {
        let mut path = vec![start];
        walk(start, functions, &calls, &mut path, errors);
    }
}

/// Follows the calls to functions that come no earlier than the first, so that each circle is found from one side only.
fn walk(
    start: usize,
    functions: &[Node<'_>],
    calls: &[Vec<(usize, Ident)>],
    path: &mut Vec<usize>,
    errors: &mut Errors,
) {
    let Some(&at) = path.last() else { return };
    for (to, token) in &calls[at] {
        if *to == start {
            let names: Vec<_> =
                path.iter().chain([to]).map(|&index| functions[index].name.to_string()).collect();
            errors.at(
                token,
                format!(
                    "recursion is not possible on the GPU, calls are inlined there: {}; write it as a loop",
                    names.join(" -> ")
                ),
            );
        } else if *to > start && !path.contains(to) {
            path.push(*to);
            walk(start, functions, calls, path, errors);
            path.pop();
        }
    }
}

fn last(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

struct Calls<'a> {
    functions: &'a [Node<'a>],
    /// The name of the type that the functions belong to.
    owner: Option<String>,
    found: Vec<(usize, Ident)>,
    /// Items in the body could give the names another meaning.
    hidden: bool,
}

impl Calls<'_> {
    fn add(&mut self, name: &Ident) {
        if let Some(index) = self.functions.iter().position(|function| function.name == name) {
            self.found.push((index, name.clone()));
        }
    }

    /// Whether what stands before the last segment leads to the functions.
    fn leads_here(&self, before: &[&PathSegment]) -> bool {
        match (&self.owner, before) {
            (None, []) => true,
            (None, [only]) => only.ident == "self",
            (Some(owner), [only]) => only.ident == "Self" || only.ident == owner.as_str(),
            _ => false,
        }
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func
            && path.qself.is_none()
        {
            let segments: Vec<_> = path.path.segments.iter().collect();
            if let Some((last, before)) = segments.split_last()
                && self.leads_here(before)
            {
                self.add(&last.ident);
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Expr::Path(path) = &*call.receiver
            && path.path.is_ident("self")
            && self.owner.is_some()
        {
            self.add(&call.method);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        self.hidden |= !matches!(item, Item::Const(_));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::{ItemImpl, parse_quote as q};

    fn found(block: &ItemImpl) -> Vec<String> {
        let functions: Vec<_> = block
            .items
            .iter()
            .filter_map(|item| match item {
                syn::ImplItem::Fn(function) => {
                    Some(Node { name: &function.sig.ident, body: &function.block })
                }
                _ => None,
            })
            .collect();
        let mut errors = Errors::default();
        check(&functions, Some(&block.self_ty), &mut errors);
        errors.messages()
    }

    #[test]
    fn every_circle_is_reported_once() {
        let messages = found(&q!(
            impl far::Tree {
                fn a(self) {
                    self.b();
                }
                fn b(self) {
                    Self::c();
                }
                fn c() {
                    Tree::a(1) + Tree::c();
                }
                fn d(self) {
                    self.a();
                    other.d();
                    far::d();
                }
            }
        ));
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].contains("a -> b -> c -> a"), "{messages:?}");
        assert!(messages[1].contains("c -> c"), "{messages:?}");
    }
}
