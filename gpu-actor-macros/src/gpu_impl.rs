//! `#[gpu_fn]` on an impl block: every function of it gets a device twin.

use crate::body::Siblings;
use crate::emit::{here, quiet};
use crate::errors::Errors;
use crate::method;
use crate::recursion::{self, Node};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, ItemImpl, Type};

/// Whether an attribute is `#[gpu_fn]`.
pub(crate) fn is_gpu_fn(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "gpu_fn")
}

/// The block as it is, the twins beside it, and the errors.
pub(crate) fn expand(block: &ItemImpl, errors: &mut Errors) -> TokenStream {
    if let Some((_, path, _)) = &block.trait_ {
        errors.at(
            path,
            "the device has no traits: put #[gpu_fn] on the type's own impl block and call the methods by name",
        );
        return TokenStream::new();
    }
    if let Some(token) = &block.unsafety {
        errors.at(token, "an impl block for the device cannot be `unsafe`; leave it out");
    }
    if !matches!(&*block.self_ty, Type::Path(path) if path.qself.is_none()) {
        errors.at(
            &block.self_ty,
            "#[gpu_fn] stands on the impl block of a type of your own, named by its path",
        );
    }
    // All of them are marked, and calls by other names are none of this block's business.
    let siblings = Siblings::default();
    let (mut twins, mut functions, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    for item in &block.items {
        match item {
            ImplItem::Fn(function) => {
                for attribute in function.attrs.iter().filter(|attribute| is_gpu_fn(attribute)) {
                    errors.at(attribute, "the whole impl block is marked #[gpu_fn]; leave this one out");
                }
                nodes.push(Node { name: &function.sig.ident, body: &function.block });
                if let Some(twin) = method::parse(function, &siblings, errors) {
                    twins.push(twin);
                    functions.push(function);
                }
            }
            ImplItem::Const(_) | ImplItem::Type(_) => {}
            other => {
                errors.at(
                    other,
                    "#[gpu_fn] impl blocks hold functions and constants; move this to another block",
                );
            }
        }
    }
    recursion::check(&nodes, Some(&block.self_ty), errors);
    let (quiet, ty) = (quiet(), &block.self_ty);
    let twins = twins.iter().map(|twin| method::twins(ty, twin));
    let (declare, _, bounds) = block.generics.split_for_impl();
    let more = bounds.map(|bounds| bounds.predicates.to_token_stream());
    // Reported at the type, and taken for granted by the twins. Of a generic type that would hide its fields; its
    // parameters are data wherever the type is, which numbers alone need not be.
    let data = block
        .generics
        .params
        .is_empty()
        .then(|| quote_spanned!(here(ty.span())=> #ty: ::gpu_actor_rt::__private::GpuData,));
    let parameters = block.generics.type_params().map(|parameter| &parameter.ident);
    let bounds = quote!(where #data #(#parameters: ::gpu_actor_rt::__private::GpuData,)* #more);
    let head = declare.to_token_stream();
    let len = functions.iter().map(|function| method::len(function, &head, ty, &bounds));
    quote! {
        #[automatically_derived]
        #quiet
        impl #declare #ty #bounds {
            #(#twins)*
        }
        #(#len)*
    }
}
