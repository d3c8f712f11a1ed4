//! Functions of impl blocks that the device can call: `#[gpu_fn] impl Type`, and `#[gpu_fn]` helpers of actors.
//!
//! A method is found by its receiver's type, as rustc finds it: beside `name` stand hidden functions of the same type, so
//! that inherent lookup on the type leads to the device twin. `__gpu_self_name` makes of the receiver's place what the twin
//! works on (the place itself, or a copy for `self` by value), before the arguments are evaluated; `__gpu_method_name` is the
//! twin. `__gpu_fn_name` is the twin of what is called by its path.

use crate::body::model::Block;
use crate::body::{Parser, Receiver, Siblings, methods};
use crate::emit::{self, function_body, rt};
use crate::errors::Errors;
use crate::signature::{self, Parameter};
use crate::slices;
use crate::types::Use;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Generics, ImplItemFn, Type, Visibility};

/// What a method does with its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// `&self` or `&mut self`
    Borrowed,
    /// `self`
    Owned,
    /// `mut self`
    Changed,
}

/// A function with a device twin.
pub(crate) struct Method {
    name: Ident,
    vis: Visibility,
    cfgs: Vec<Attribute>,
    generics: Generics,
    /// Nothing for an associated function.
    mode: Option<Mode>,
    parameters: Vec<Parameter>,
    result: Type,
    result_span: Span,
    /// What it does; nothing if that has errors.
    body: Option<Block>,
}

/// Whether it has the form of an array's `len`: then calls find it by the type.
fn is_len(function: &ImplItemFn) -> bool {
    let signature = &function.sig;
    let shared = signature
        .receiver()
        .is_some_and(|receiver| receiver.reference.is_some() && receiver.mutability.is_none());
    signature.ident == "len" && shared && signature.inputs.len() == 1 && signature.generics.params.is_empty()
}

/// What makes `value.len()` a call of the block's own `len`.
pub(crate) fn len(
    function: &ImplItemFn,
    head: &TokenStream,
    owner: &Type,
    bounds: &TokenStream,
) -> TokenStream {
    if !is_len(function) {
        return TokenStream::new();
    }
    let (rt, cfgs) = (rt(), signature::cfgs(&function.attrs));
    let result = match &function.sig.output {
        syn::ReturnType::Default => quote!(()),
        syn::ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #head #rt::Len for #owner #bounds {
            type Out = #result;
            fn len(__b: &#rt::Builder, __at: #rt::Place<Self>) -> #rt::Val<Self::Out> {
                __b.witness(__at).__gpu_method_len(__b, __at)
            }
        }
    }
}

/// Reads one function; nothing if its signature has errors.
pub(crate) fn parse(function: &ImplItemFn, siblings: &Siblings, errors: &mut Errors) -> Option<Method> {
    let before = errors.count();
    let signature = &function.sig;
    signature::check(signature, "a device function", errors);
    let name = &signature.ident;
    let mut inputs = signature.inputs.iter().peekable();
    let mode = match inputs.peek() {
        Some(FnArg::Receiver(receiver)) => {
            inputs.next();
            Some(mode(receiver, errors))
        }
        _ => None,
    };
    // A helper of an actor is called on `self`, which is no number.
    if mode.is_some() && !siblings.has(name) && !is_len(function) && methods::is_taken(&name.to_string()) {
        errors.at(
            name,
            format!("`{name}` is a method of numbers or of the standard library, which the device knows by name: choose another name"),
        );
    }
    let (context, parameters) = signature::parameters(inputs, Use::Local, errors);
    let result = signature::result(&signature.output, Use::Local, errors);
    let sound = errors.count() == before;
    let receiver = match mode {
        None => Receiver::None,
        Some(Mode::Borrowed) => Receiver::Borrowed,
        Some(Mode::Owned | Mode::Changed) => Receiver::Owned,
    };
    let names = parameters.iter().map(|parameter| &parameter.name);
    let body = Parser::new(errors, receiver, context.flatten().as_ref(), names)
        .beside(siblings)
        .generic_over(&signature.generics)
        .slices(slices::among(&parameters).map(|(_, parameter, _)| &parameter.name))
        .body(&function.block);
    let body = (errors.count() == before).then_some(body);
    sound.then(|| Method {
        name: name.clone(),
        vis: function.vis.clone(),
        cfgs: signature::cfgs(&function.attrs).into_iter().cloned().collect(),
        generics: signature.generics.clone(),
        mode,
        parameters,
        result,
        result_span: match &signature.output {
            syn::ReturnType::Default => name.span(),
            syn::ReturnType::Type(_, ty) => ty.span(),
        },
        body,
    })
}

fn mode(receiver: &syn::Receiver, errors: &mut Errors) -> Mode {
    if receiver.colon_token.is_some() {
        errors.at(receiver, "write the receiver as `self`, `&self` or `&mut self` on the device");
    } else if let Some((_, Some(lifetime))) = &receiver.reference {
        errors.at(lifetime, "a receiver has no named lifetime on the device; leave it out");
    }
    match (&receiver.reference, &receiver.mutability) {
        (Some(_), _) => Mode::Borrowed,
        (None, None) => Mode::Owned,
        (None, Some(_)) => Mode::Changed,
    }
}

/// The hidden functions beside a function of `owner`.
pub(crate) fn twins(owner: &Type, method: &Method) -> TokenStream {
    let rt = rt();
    let Method { name, vis, cfgs, generics, mode, parameters, result, result_span, body } = method;
    let at = emit::here(name.span());
    let [receive, twin, function] =
        ["self", "method", "fn"].map(|what| format_ident!("__gpu_{}_{}", what, name.unraw(), span = at));
    let names: Vec<_> = parameters.iter().map(|parameter| &parameter.name).collect();
    let types = parameters.iter().map(|parameter| slices::device(&parameter.ty));
    let declared = quote!(#(, #names: #rt::Val<#types>)*);
    let locals = signature::locals(parameters);
    let body = body.as_ref().map(function_body);
    let path = format!("::{}::{}", text(owner), name.unraw());
    let frame = signature::frame(&path, generics, result, *result_span);
    let inlined = quote! {
        let __frame = #frame;
        if !__frame.is_cycle() {
            #locals
            #body
        }
        __b.frame_end(__frame)
    };
    let (declare, _, bounds) = generics.split_for_impl();
    let hidden = quote!(#(#cfgs)* #[doc(hidden)]);
    let Some(mode) = mode else {
        return quote! {
            #hidden
            #vis fn #function #declare (__b: &#rt::Builder #declared) -> #rt::Val<#result> #bounds {
                #inlined
            }
        };
    };
    let received = match mode {
        Mode::Borrowed => quote!(__place),
        Mode::Owned => quote!(__b.temp(__b.read(__place))),
        Mode::Changed => quote!(__b.local(__b.read(__place))),
    };
    // Who calls it by its path hands over a value of its own.
    let by_path = (*mode != Mode::Borrowed).then(|| {
        quote! {
            #hidden
            #vis fn #function #declare (
                __b: &#rt::Builder, __self: #rt::Val<Self> #declared
            ) -> #rt::Val<#result> #bounds {
                let __self = __b.local(__self);
                __b.witness(__self).#twin(__b, __self #(, #names)*)
            }
        }
    });
    quote! {
        #hidden
        #vis fn #receive(&self, __b: &#rt::Builder, __place: #rt::Place<Self>) -> #rt::Place<Self> {
            #received
        }
        #hidden
        #vis fn #twin #declare (
            &self, __b: &#rt::Builder, __self: #rt::Place<Self> #declared
        ) -> #rt::Val<#result> #bounds {
            #inlined
        }
        #by_path
    }
}

/// A type as it is shown in messages.
fn text(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        other => other.to_token_stream().to_string(),
    }
}
