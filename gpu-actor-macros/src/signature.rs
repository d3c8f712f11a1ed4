//! Signatures of handlers and device functions.

use crate::body::check_name;
use crate::errors::Errors;
use crate::types::{self, Use};
use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Attribute, Pat, PatType, ReturnType, Signature, Type, parse_quote};

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
                    "this pattern is not supported on the device: give the parameter a plain name",
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
    if !signature.generics.params.is_empty() {
        errors.at(
            &signature.generics,
            format!(
                "{what} cannot be generic: the device runs code of known size; write it for a concrete type"
            ),
        );
    }
    if let Some(clause) = &signature.generics.where_clause {
        errors.at(clause, format!("{what} cannot have bounds; leave them out"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, format!("{what} has a fixed number of parameters"));
    }
    check_name(&signature.ident, errors);
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
