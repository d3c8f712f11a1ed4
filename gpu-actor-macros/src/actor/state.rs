//! `#[gpu_actor]` on a struct: the state of an actor type.

use super::options::Options;
use crate::data;
use crate::emit::{here, quiet, rt};
use crate::errors::Errors;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Path, Token, parse2};

/// Expands the attribute.
pub(crate) fn expand(options: &TokenStream, item: &TokenStream, mut errors: Errors) -> TokenStream {
    let options = Options::parse(options, &mut errors);
    // A wrong option is no reason to do without the state.
    let before = errors.count();
    let Some(mut input) = errors.take(parse2::<DeriveInput>(item.clone())) else {
        return errors.into_tokens();
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "actor state cannot be generic: its size has to be known; name the types");
    }
    if let Some(clause) = &input.generics.where_clause {
        errors.at(clause, "actor state cannot have bounds; leave them out");
    }
    let layout = data::layout(&input, "actor state", &mut errors);
    let fixed = data::repr(&input.attrs, &mut errors);
    let layout = match layout {
        Some(layout) if errors.count() == before => layout,
        _ => {
            // The struct itself stays, so that its uses are not errors too.
            let errors = errors.into_tokens();
            return quote!(#input #errors);
        }
    };
    if let Data::Struct(data) = &mut input.data {
        for (field, checked) in data.fields.iter_mut().zip(&layout.fields) {
            field.ty = checked.ty.clone();
        }
    }
    let errors = errors.into_tokens();

    let derived = derives(&input.attrs);
    let missing: Vec<_> = ["Clone", "Copy"]
        .into_iter()
        .filter(|name| {
            !derived.iter().any(|path| path.segments.last().is_some_and(|last| last.ident == name))
        })
        .map(|name| if name == "Clone" { quote!(::core::clone::Clone) } else { quote!(::core::marker::Copy) })
        .collect();
    let repr = (!fixed).then(|| quote!(#[repr(C)]));
    let impls = data::impls(&layout);
    let (quiet, bounds) = (quiet(), data::bounds(&layout));
    let name = &input.ident;
    let type_name = if let Some(name) = options.name {
        quote!(#name)
    } else {
        let name = syn::ext::IdentExt::unraw(name).to_string();
        quote!(::core::concat!(::core::module_path!(), "::", #name))
    };
    let mailbox = (options.mailbox.is_some() || options.on_full.is_some()).then(|| {
        let rt = rt();
        let messages = options.mailbox.unwrap_or(0);
        let on_full = options.on_full.unwrap_or("Reject");
        let on_full = syn::Ident::new(on_full, proc_macro2::Span::call_site());
        quote!(const MAILBOX: #rt::Mailbox = #rt::Mailbox::new(#messages, #rt::OnFull::#on_full);)
    });
    // A missing `Default` is reported at the struct's name.
    let header = quote_spanned!(here(name.span())=> impl ::gpu_actor_rt::__private::ActorState for #name);
    quote! {
        #[derive(#(#missing),*)]
        #repr
        #input
        #impls
        #[automatically_derived]
        #quiet
        #header #bounds {
            const TYPE_NAME: &'static str = #type_name;
            #mailbox
        }
        #errors
    }
}

/// The derives that the struct has below the attribute.
fn derives(attributes: &[Attribute]) -> Vec<Path> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|attribute| {
            attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok()
        })
        .flatten()
        .collect()
}
