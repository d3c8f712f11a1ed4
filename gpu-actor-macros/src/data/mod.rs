//! `#[derive(GpuData)]`: structs and enums whose bytes host and device share.
//!
//! Rule kept here: no layout is computed in the macro, and none is asked of rustc. Offsets are constants that
//! `kernels_ptx::lang::layout` computes from the fields' own layouts on the device; bytes are written and read part by part,
//! so that padding is always zero and never read.
//!
//! [`structs`] and [`enums`] write the implementations; what they are made from is checked here.

mod enums;
mod structs;

pub(crate) use structs::{impls, plain_impls};

use crate::emit::here;
use crate::errors::Errors;
use crate::types::{self, Use};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Fields, GenericParam, Generics, Index, Member, Meta, Token, Type,
    Visibility, parse_quote,
};

/// A struct.
pub(crate) struct Layout {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    pub(crate) fields: Vec<Field>,
}

/// One field of a struct or of a variant.
pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
}

/// Expands the derive.
pub(crate) fn derive(item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(input) = errors.take(syn::parse2::<DeriveInput>(item.clone())) else {
        return errors.into_tokens();
    };
    let what = "a type with #[derive(GpuData)]";
    let impls = if let Data::Enum(data) = &input.data {
        let parsed = enums::parse(&input, data, &mut errors);
        parsed.filter(|_| errors.is_empty()).map(|parsed| enums::impls(&parsed))
    } else {
        let layout = layout(&input, what, &mut errors);
        if !repr(&input.attrs, &mut errors) {
            errors.at(&input.ident, "#[derive(GpuData)] needs a fixed layout: add #[repr(C)]");
        }
        layout.filter(|_| errors.is_empty()).map(|layout| impls(&layout))
    };
    let errors = errors.into_tokens();
    quote!(#impls #errors)
}

/// Checks a struct; `what` says what it is to become. The errors of field types take those types' places.
pub(crate) fn layout(input: &DeriveInput, what: &str, errors: &mut Errors) -> Option<Layout> {
    let data = match &input.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            errors.at(
                data.enum_token,
                format!("{what} is a struct: derive GpuData for the enum and keep it in a field"),
            );
            return None;
        }
        Data::Union(data) => {
            errors
                .at(data.union_token, format!("{what} is a struct: unions are not supported on the device"));
            return None;
        }
    };
    generics(&input.generics, what, errors);
    let fields = fields(&data.fields, input, errors);
    Some(Layout {
        name: input.ident.clone(),
        vis: input.vis.clone(),
        generics: input.generics.clone(),
        fields,
    })
}

/// Types and numbers as parameters are fine; lifetimes are not.
fn generics(generics: &Generics, what: &str, errors: &mut Errors) {
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.at(
                lifetime,
                format!(
                    "{what} holds no references: store the value itself, or an index; leave the lifetime out"
                ),
            );
        }
    }
}

/// The fields of a struct or of a variant.
fn fields(fields: &Fields, input: &DeriveInput, errors: &mut Errors) -> Vec<Field> {
    let this: Type = {
        let name = &input.ident;
        let (_, parameters, _) = input.generics.split_for_impl();
        parse_quote!(#name #parameters)
    };
    let mut checked = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if let Some(name) = &field.ident {
            crate::body::check_name(name, errors);
        }
        let mut found = Errors::default();
        types::check(&field.ty, Use::Stored, &mut found);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.at(attribute, "a field cannot depend on #[cfg]: host and device share the layout");
        }
        let ty = errors.poison(found).unwrap_or_else(|| types::without_self(&field.ty, &this));
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index { index: index as u32, span: field.span() }),
        };
        checked.push(Field { member, vis: field.vis.clone(), ty });
    }
    checked
}

/// Whether the attributes fix the layout; reports those that change it in other ways.
pub(crate) fn repr(attributes: &[Attribute], errors: &mut Errors) -> bool {
    let mut fixed = false;
    for meta in reprs(attributes, errors) {
        if !meta.path().is_ident("C") {
            let text = meta.to_token_stream();
            errors.at(&meta, format!("`repr({text})` is not supported on the device: use #[repr(C)] alone"));
        }
        fixed = true;
    }
    fixed
}

/// What stands in the `#[repr(..)]`s.
fn reprs(attributes: &[Attribute], errors: &mut Errors) -> Vec<Meta> {
    let mut found = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        let parsed = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        found.extend(errors.take(parsed).into_iter().flatten());
    }
    found
}

/// What has to hold of the fields' types. Where it does not, that is reported at the type, and what has these bounds takes
/// them for granted instead of reporting it again.
pub(crate) fn bounds(layout: &Layout) -> TokenStream {
    bounds_of(&layout.generics, &layout.fields)
}

fn bounds_of<'f>(generics: &Generics, fields: impl IntoIterator<Item = &'f Field>) -> TokenStream {
    let bounds = fields.into_iter().map(|field| {
        let ty = &field.ty;
        quote_spanned!(here(ty.span())=> #ty: ::gpu_actor_rt::__private::GpuData)
    });
    // What is derived along with it, `Copy` above all, has bounds on the parameters.
    let parameters = generics.type_params().map(|parameter| {
        let name = &parameter.ident;
        quote!(#name: ::gpu_actor_rt::__private::GpuData)
    });
    let own = generics.where_clause.as_ref().map(|clause| &clause.predicates).into_iter().flatten();
    quote!(where #(#own,)* #(#parameters,)* #(#bounds,)*)
}

/// A type of this name with the places of the fields.
fn places(
    name: &Ident,
    vis: &Visibility,
    generics: &Generics,
    fields: &[Field],
    bounds: &TokenStream,
) -> TokenStream {
    let (head, parameters, _) = generics.split_for_impl();
    let members: Vec<_> = fields
        .iter()
        .map(|Field { member, vis, ty }| {
            let place = quote_spanned!(here(ty.span())=> ::gpu_actor_rt::__private::Place<#ty>);
            match member {
                Member::Named(name) => quote!(#vis #name: #place),
                Member::Unnamed(_) => quote!(#vis #place),
            }
        })
        .collect();
    let body = if let Some(Field { member: Member::Unnamed(_), .. }) = fields.first() {
        quote!((#(#members,)*) #bounds;)
    } else {
        quote!(#bounds { #(#members,)* })
    };
    quote! {
        #[doc(hidden)]
        #vis struct #name #head #body

        #[automatically_derived]
        impl #head ::core::clone::Clone for #name #parameters #bounds {
            fn clone(&self) -> Self {
                *self
            }
        }
        #[automatically_derived]
        impl #head ::core::marker::Copy for #name #parameters #bounds {}
    }
}

/// `impl<..> Trait for Name<..>`, with the place of the name.
fn header(what: &str, name: &Ident, generics: &Generics) -> TokenStream {
    let at = here(name.span());
    let what = Ident::new(what, at);
    let (head, parameters, _) = generics.split_for_impl();
    quote_spanned!(at=> impl #head ::gpu_actor_rt::__private::#what for #name #parameters)
}

/// A name of generated code.
fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
