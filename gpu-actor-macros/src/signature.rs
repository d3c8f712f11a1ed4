//! Signatures of handlers and device functions.

use crate::body::check_name;
use crate::emit::here;
use crate::errors::Errors;
use crate::generics;
use crate::types::{self, Use};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, GenericParam, Generics, Pat, PatType, ReturnType, Signature, Type, parse_quote};

/// A parameter: a plain name with a type.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// Declared `mut`: the function may assign to its copy.
    pub(crate) mutable: bool,
}

impl Parameter {
    /// Checks one parameter, the `index`-th.
    pub(crate) fn parse(typed: &PatType, index: usize, place: Use, errors: &mut Errors) -> Option<Self> {
        let ty = checked(&typed.ty, place, errors);
        for attribute in &typed.attrs {
            errors.at(attribute, "attributes on parameters are not supported on the device");
        }
        match &*typed.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                check_name(&pat.ident, errors);
                Some(Self { name: pat.ident.clone(), ty, mutable: pat.mutability.is_some() })
            }
            Pat::Wild(_) => Some(Self {
                name: format_ident!("__unused{}", index, span = Span::call_site()),
                ty,
                mutable: false,
            }),
            other => {
                errors.at(
                    other,
                    "this pattern is not supported on the device: give the parameter a plain name and take it apart by a `let`",
                );
                None
            }
        }
    }
}

/// Refuses what neither handlers nor device functions can be; `what` says which of them this is.
pub(crate) fn check(signature: &Signature, what: &str, errors: &mut Errors) {
    if let Some(token) = &signature.asyncness {
        errors.at(
            token,
            format!("{what} cannot be `async`: it runs to its end on the device; leave `async` out"),
        );
    }
    if let Some(token) = &signature.unsafety {
        errors.at(token, format!("{what} cannot be `unsafe`; leave it out"));
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, format!("{what} has no foreign ABI; leave it out"));
    }
    generics::check(&signature.generics, what, errors);
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, format!("{what} has a fixed number of parameters"));
    }
    check_name(&signature.ident, errors);
}

/// The context's name, if there is a context and it has one, and what is handed over beside it.
#[allow(clippy::option_option)]
pub(crate) fn parameters<'a>(
    inputs: impl Iterator<Item = &'a FnArg>,
    place: Use,
    errors: &mut Errors,
) -> (Option<Option<Ident>>, Vec<Parameter>) {
    let mut context = None;
    let mut parameters = Vec::new();
    for (index, input) in inputs.enumerate() {
        let FnArg::Typed(typed) = input else { continue };
        match context_name(typed, errors) {
            Some(name) if index == 0 => context = Some(name),
            Some(_) => errors.at(typed, "the context is the first parameter, after `self` if there is one"),
            None => parameters.extend(Parameter::parse(typed, index, place, errors)),
        }
    }
    (context, parameters)
}

/// The name of a parameter that is the context; `Some(None)` if it is one without a usable name.
#[allow(clippy::option_option)]
fn context_name(typed: &PatType, errors: &mut Errors) -> Option<Option<Ident>> {
    let (ty, mutable) = match &*typed.ty {
        Type::Reference(reference) => (&*reference.elem, reference.mutability.is_some()),
        other => (other, false),
    };
    let Type::Path(path) = ty else { return None };
    if path.path.segments.last().is_none_or(|last| last.ident != "Cx") {
        return None;
    }
    if !mutable {
        errors.at(&typed.ty, "the context is borrowed mutably: write `&mut Cx`");
    }
    match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.mutability.is_none() && pat.subpat.is_none() => {
            check_name(&pat.ident, errors);
            Some(Some(pat.ident.clone()))
        }
        Pat::Wild(_) => Some(None),
        other => {
            errors.at(other, "give the context a plain name: `cx: &mut Cx`");
            Some(None)
        }
    }
}

/// The places of the parameters of a function that is inlined. What is not assigned to needs no copy.
pub(crate) fn locals(parameters: &[Parameter]) -> TokenStream {
    let places = parameters.iter().map(|Parameter { name, mutable, .. }| {
        if *mutable { quote!(let #name = __b.local(#name);) } else { quote!(let #name = __b.temp(#name);) }
    });
    quote!(#(#places)*)
}

/// Opens the frame of a function that is inlined; `path` names it within its module. What it is generic over tells one
/// instance from another.
pub(crate) fn frame(path: &str, generics: &Generics, result: &Type, result_span: Span) -> TokenStream {
    let at = here(result_span);
    let name = quote!(::core::concat!(::core::module_path!(), #path));
    if generics.params.is_empty() {
        return quote_spanned!(at=> __b.frame_begin::<#result>(#name));
    }
    let instance = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => {
            let name = &parameter.ident;
            Some(quote!(::core::any::type_name::<#name>()))
        }
        GenericParam::Const(parameter) => {
            let name = &parameter.ident;
            Some(quote!(::core::any::type_name::<[(); #name]>()))
        }
        GenericParam::Lifetime(_) => None,
    });
    quote_spanned!(at=> __b.frame_begin_of::<#result>(#name, &[#(#instance),*]))
}

/// The type that a function returns; its errors stand in its place.
pub(crate) fn result(output: &ReturnType, place: Use, errors: &mut Errors) -> Type {
    match output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => checked(ty, place, errors),
    }
}

/// The type, or its errors as a type: then nothing that uses it is an error again.
fn checked(ty: &Type, place: Use, errors: &mut Errors) -> Type {
    let mut found = Errors::default();
    types::check(ty, place, &mut found);
    errors.poison(found).unwrap_or_else(|| ty.clone())
}

/// The `#[cfg]`s, which all that is generated has to repeat.
pub(crate) fn cfgs(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}
