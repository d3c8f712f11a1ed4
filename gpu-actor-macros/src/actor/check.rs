//! From an impl block to the [model](super::model), with everything reported that keeps it from being one.

use super::model::{Actor, Handler};
use super::options;
use crate::body::{self, Parser, Siblings};
use crate::errors::Errors;
use crate::gpu_impl::is_gpu_fn;
use crate::recursion::{self, Node};
use crate::types::Use;
use crate::{method, signature, slices};
use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{
    Attribute, FnArg, ImplItem, ImplItemFn, ItemImpl, Meta, PathArguments, Receiver, ReturnType, Type,
};

/// Names of methods that references and ids to actors have themselves, or by traits that everybody imports.
const RESERVED: [&str; 22] = [
    "borrow",
    "borrow_mut",
    "clone",
    "clone_from",
    "cmp",
    "deref",
    "drop",
    "eq",
    "fmt",
    "from",
    "hash",
    "id",
    "into",
    "key",
    "ne",
    "partial_cmp",
    "raw",
    "to_owned",
    "to_string",
    "try_from",
    "try_into",
    "type_id",
];

/// Whether an attribute is `#[handler]`.
pub(crate) fn is_handler(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "handler")
}

/// Reads the impl block.
pub(crate) fn check(block: &ItemImpl, errors: &mut Errors) -> Option<Actor> {
    if let Some((_, path, _)) = &block.trait_ {
        errors.at(path, "#[gpu_actor] stands on the actor's own impl block, not on that of a trait");
        return None;
    }
    if !block.generics.params.is_empty() {
        errors.at(&block.generics, "an actor cannot be generic: its size has to be known; name the types");
    }
    if let Some(token) = &block.unsafety {
        errors.at(token, "an actor's impl block cannot be `unsafe`; leave it out");
    }
    let name = actor_name(&block.self_ty, errors);

    let siblings = Siblings::of(block, is_gpu_fn, is_handler);
    let (mut handlers, mut helpers, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    let mut any = false;
    for item in &block.items {
        match item {
            ImplItem::Fn(function) => {
                nodes.push(Node { name: &function.sig.ident, body: &function.block });
                let mut marks = function.attrs.iter().filter(|attribute| is_handler(attribute));
                let helper = function.attrs.iter().find(|attribute| is_gpu_fn(attribute));
                if let Some(mark) = marks.next() {
                    any = true;
                    for again in marks {
                        errors.at(again, "#[handler] is given twice; leave one out");
                    }
                    if let Some(helper) = helper {
                        errors.at(
                            helper,
                            "a handler is called by messages only: leave #[gpu_fn] out, and move what others call into a \
                             function of its own",
                        );
                    }
                    handlers.extend(handler(mark, function, &siblings, errors));
                } else if let Some(attribute) = helper {
                    if let Meta::List(list) = &attribute.meta {
                        errors.at(&list.tokens, "#[gpu_fn] takes no options");
                    }
                    helpers.extend(method::parse(function, &siblings, errors));
                } else {
                    nodes.pop();
                }
            }
            ImplItem::Const(constant) => misplaced(&constant.attrs, errors),
            ImplItem::Type(alias) => misplaced(&alias.attrs, errors),
            ImplItem::Macro(mac) => misplaced(&mac.attrs, errors),
            _ => {}
        }
    }
    if !any {
        errors.at(
            &block.self_ty,
            "an actor needs a handler: mark a function of this impl block with #[handler]",
        );
    }
    recursion::check(&nodes, Some(&block.self_ty), errors);
    let line = body::line_of(&block.impl_token);
    if !block.generics.params.is_empty() || handlers.is_empty() {
        return None;
    }
    Some(Actor { ty: (*block.self_ty).clone(), name: name?, line, handlers, helpers })
}

fn misplaced(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes.iter().filter(|attribute| is_handler(attribute)) {
        errors.at(attribute, "#[handler] stands on functions");
    }
}

/// The name of the state's type.
fn actor_name(ty: &Type, errors: &mut Errors) -> Option<Ident> {
    if let Type::Path(path) = ty
        && path.qself.is_none()
        && let Some(last) = path.path.segments.last()
        && matches!(last.arguments, PathArguments::None)
    {
        return Some(last.ident.clone());
    }
    errors.at(ty, "an actor is a struct without parameters, named by its path");
    None
}

/// Reads one handler; nothing if its signature has errors.
fn handler(
    mark: &Attribute,
    function: &ImplItemFn,
    siblings: &Siblings,
    errors: &mut Errors,
) -> Option<Handler> {
    let before = errors.count();
    let atomic = options::atomic(mark, errors);
    let signature = &function.sig;
    signature::check(signature, "a handler", errors);
    if let Some(token) = &signature.constness {
        errors.at(token, "a handler cannot be `const`; leave it out");
    }
    let name = &signature.ident;
    if RESERVED.iter().any(|reserved| name == reserved) {
        errors.at(
            name,
            format!("every reference to an actor has a method `{name}` of its own; choose another name"),
        );
    }

    let mut inputs = signature.inputs.iter();
    let mutable = if let Some(FnArg::Receiver(receiver)) = inputs.next() {
        self::receiver(receiver, errors)
    } else {
        errors.at(
            &signature.ident,
            "a handler takes the actor's state: make `&mut self` or `&self` its first parameter",
        );
        false
    };
    let (context, parameters) = signature::parameters(inputs, Use::Stored, errors);
    slices::check(&parameters, errors);
    let takes_context = context.is_some();
    let context = context.flatten();
    let result = signature::result(&signature.output, Use::Stored, errors);
    let sound = errors.count() == before;
    let names = parameters.iter().map(|parameter| &parameter.name);
    let body = Parser::new(errors, body::Receiver::Borrowed, context.as_ref(), names)
        .beside(siblings)
        .slices(slices::among(&parameters).map(|(_, parameter, _)| &parameter.name))
        .body(&function.block);
    let result_span = match &signature.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let body = (errors.count() == before).then_some(body);
    let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    sound.then(|| Handler {
        name: name.clone(),
        vis: function.vis.clone(),
        cfgs: signature::cfgs(&function.attrs).into_iter().cloned().collect(),
        docs: docs.cloned().collect(),
        mutable,
        atomic,
        takes_context,
        parameters,
        result,
        result_span,
        line: body::line(name.span()),
        body,
    })
}

/// Whether the receiver is `&mut self`.
fn receiver(receiver: &Receiver, errors: &mut Errors) -> bool {
    if receiver.reference.is_none() || receiver.colon_token.is_some() {
        errors.at(receiver, "a handler borrows the actor's state: write `&mut self` or `&self`");
    } else if let Some((_, Some(lifetime))) = &receiver.reference {
        errors.at(lifetime, "a handler's state has no named lifetime; write `&mut self`");
    }
    receiver.reference.is_some() && receiver.mutability.is_some()
}
