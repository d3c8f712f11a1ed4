//! `#[derive(GpuData)]`: a struct whose bytes host and device share.
//!
//! Rule kept here: no layout is computed in the macro. Sizes and offsets are rustc's (`#[repr(C)]`, `offset_of!`), and
//! bytes are written and read field by field, so that padding is always zero and never read.

use crate::emit::{here, quiet, rt};
use crate::errors::Errors;
use crate::types::{self, Use};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, Meta, Token, Type, Visibility, parse_quote};

/// A struct with named fields, or none.
pub(crate) struct Layout {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) fields: Vec<Field>,
}

/// One field.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
}

/// Expands the derive.
pub(crate) fn derive(item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(input) = errors.take(syn::parse2::<DeriveInput>(item.clone())) else {
        return errors.into_tokens();
    };
    let layout = layout(&input, "a type with #[derive(GpuData)]", &mut errors);
    if !repr(&input.attrs, &mut errors) {
        errors.at(&input.ident, "#[derive(GpuData)] needs a fixed layout: add #[repr(C)]");
    }
    match layout {
        Some(layout) if errors.is_empty() => {
            let (impls, errors) = (impls(&layout), errors.into_tokens());
            quote!(#impls #errors)
        }
        _ => errors.into_tokens(),
    }
}

/// Checks a struct; `what` says what it is to become. The errors of field types take those types' places.
pub(crate) fn layout(input: &DeriveInput, what: &str, errors: &mut Errors) -> Option<Layout> {
    if !input.generics.params.is_empty() {
        errors.at(
            &input.generics,
            format!("{what} cannot be generic: its size has to be known; name the types"),
        );
    }
    if let Some(clause) = &input.generics.where_clause {
        errors.at(clause, format!("{what} cannot have bounds; leave them out"));
    }
    let data = match &input.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            let message =
                format!("{what} is a struct: enums are not supported on the device yet; use a number");
            errors.at(data.enum_token, message);
            return None;
        }
        Data::Union(data) => {
            errors
                .at(data.union_token, format!("{what} is a struct: unions are not supported on the device"));
            return None;
        }
    };
    if let Fields::Unnamed(fields) = &data.fields {
        errors.at(fields, format!("{what} has named fields: write `struct {} {{ .. }}`", input.ident));
        return None;
    }
    let actor: Type = {
        let name = &input.ident;
        parse_quote!(#name)
    };
    let mut fields = Vec::new();
    for field in &data.fields {
        let Some(name) = &field.ident else { continue };
        crate::body::check_name(name, errors);
        let mut found = Errors::default();
        types::check(&field.ty, Use::Stored, &mut found);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.at(attribute, "a field cannot depend on #[cfg]: host and device share the layout");
        }
        let ty = errors.poison(found).unwrap_or_else(|| types::without_self(&field.ty, &actor));
        fields.push(Field { name: name.clone(), vis: field.vis.clone(), ty });
    }
    Some(Layout { name: input.ident.clone(), vis: input.vis.clone(), fields })
}

/// Whether the attributes fix the layout; reports those that change it in other ways.
pub(crate) fn repr(attributes: &[Attribute], errors: &mut Errors) -> bool {
    let mut fixed = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        let parsed = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        for meta in errors.take(parsed).into_iter().flatten() {
            if meta.path().is_ident("C") {
                fixed = true;
            } else {
                errors.at(
                    &meta,
                    format!(
                        "`repr({})` is not supported on the device: use #[repr(C)] alone",
                        meta.to_token_stream()
                    ),
                );
                fixed = true;
            }
        }
    }
    fixed
}

/// What has to hold of the fields' types. Where it does not, that is reported at the type, and what has these bounds takes
/// them for granted instead of reporting it again.
pub(crate) fn bounds(layout: &Layout) -> TokenStream {
    let bounds = layout.fields.iter().map(|field| {
        let ty = &field.ty;
        quote_spanned!(here(ty.span())=> #ty: ::gpu_actor_rt::__private::GpuData)
    });
    quote!(where #(#bounds,)*)
}

/// The implementations of `GpuType` and `GpuData`.
pub(crate) fn impls(layout: &Layout) -> TokenStream {
    let Layout { name, vis, fields } = layout;
    let (rt, quiet) = (rt(), quiet());
    let at = here(name.span());
    let names: Vec<_> = fields.iter().map(|field| &field.name).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let places = fields.iter().map(|field| {
        let ty = &field.ty;
        quote_spanned!(here(ty.span())=> ::gpu_actor_rt::__private::Place<#ty>)
    });
    let visibilities = fields.iter().map(|field| &field.vis);
    let bounds = bounds(layout);
    let parts: Vec<_> = fields
        .iter()
        .map(|Field { name: field, ty, .. }| {
            quote! {{
                let __at = ::core::mem::offset_of!(#name, #field);
                __at..__at + ::core::mem::size_of::<#ty>()
            }}
        })
        .collect();
    let header = |what: &str| {
        let what = Ident::new(what, at);
        quote_spanned!(at=> impl ::gpu_actor_rt::__private::#what for #name)
    };
    let (gpu_type, gpu_data) = (header("GpuType"), header("GpuData"));
    quote! {
        const _: () = {
            #[doc(hidden)]
            #quiet
            #vis struct __Fields #bounds {
                #(#visibilities #names: #places,)*
            }
            #[automatically_derived]
            #quiet
            impl ::core::clone::Clone for __Fields #bounds {
                fn clone(&self) -> Self {
                    *self
                }
            }
            #[automatically_derived]
            #quiet
            impl ::core::marker::Copy for __Fields #bounds {}

            #[automatically_derived]
            #quiet
            #gpu_type #bounds {
                const TYPE: #rt::Type = #rt::Type::bytes_of::<#name>();
                type Fields = __Fields;
                fn fields(__at: #rt::Addr) -> __Fields {
                    __Fields {
                        #(#names: #rt::Place::at(__at.offset(::core::mem::offset_of!(#name, #names))),)*
                    }
                }
                fn lower_const(self, __b: &#rt::Builder) -> #rt::Val<Self> {
                    __b.lit_data(self)
                }
            }

            #[automatically_derived]
            #quiet
            #gpu_data #bounds {
                fn encode(&self, __out: &mut [u8]) {
                    __out.fill(0);
                    #(
                        if let ::core::option::Option::Some(__part) = __out.get_mut(#parts) {
                            <#types as #rt::GpuData>::encode(&self.#names, __part);
                        }
                    )*
                }
                fn decode(__bytes: &[u8]) -> Self {
                    #name {
                        #(#names: <#types as #rt::GpuData>::decode(__bytes.get(#parts).unwrap_or(&[])),)*
                    }
                }
                fn canonical_nan(__bytes: &mut [u8]) {
                    #(
                        if let ::core::option::Option::Some(__part) = __bytes.get_mut(#parts) {
                            <#types as #rt::GpuData>::canonical_nan(__part);
                        }
                    )*
                }
            }
        };
    }
}
