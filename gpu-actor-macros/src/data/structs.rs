//! Structs: fields by name or by number, or none.

use super::{Layout, bounds, header, hidden, places};
use crate::emit::{quiet, rt};
use proc_macro2::TokenStream;
use quote::quote;

/// The implementations of `GpuType` and `GpuData`.
pub(crate) fn impls(layout: &Layout) -> TokenStream {
    let Layout { name, vis, generics, fields } = layout;
    let (rt, quiet) = (rt(), quiet());
    let members: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let offsets = offsets(layout);
    let bounds = bounds(layout);
    let (_, parameters, _) = generics.split_for_impl();
    let places = places(&hidden("__Fields"), vis, generics, fields, &bounds);
    let gpu_type = header("GpuType", name, generics);
    let data = data(layout);
    quote! {
        #quiet
        const _: () = {
            #places
            #data

            #[automatically_derived]
            #gpu_type #bounds {
                const TYPE: #rt::Type = Self::__DATA.ty;
                type Fields = __Fields #parameters;
                fn fields(__at: #rt::Addr) -> Self::Fields {
                    __Fields { #(#members: #rt::data::part(__at, #offsets),)* }
                }
                fn lower_const(self, __b: &#rt::Builder) -> #rt::Val<Self> {
                    __b.lit_data(self)
                }
                fn store_const(self, __b: &#rt::Builder, __at: #rt::Place<Self>) {
                    __b.set_data(__at, self);
                }
                fn matches(self, __b: &#rt::Builder, __at: #rt::Place<Self>) -> #rt::Val<bool> {
                    __b.all(&[#(__b.matches(__at.#members, self.#members)),*])
                }
                fn equal(__b: &#rt::Builder, __l: #rt::Place<Self>, __r: #rt::Place<Self>) -> #rt::Val<bool> {
                    __b.all(&[#(__b.same(__l.#members, __r.#members)),*])
                }
            }
        };
    }
}

/// The same for a struct that handlers never see as a whole, such as a message: without its fields' places. It stands where
/// the lints are quiet already.
pub(crate) fn plain_impls(layout: &Layout) -> TokenStream {
    let rt = rt();
    let bounds = bounds(layout);
    let gpu_type = header("GpuType", &layout.name, &layout.generics);
    let data = data(layout);
    quote! {
        const _: () = {
            #data

            #[automatically_derived]
            #gpu_type #bounds {
                const TYPE: #rt::Type = Self::__DATA.ty;
                type Fields = ();
                fn fields(_: #rt::Addr) {}
                fn lower_const(self, __b: &#rt::Builder) -> #rt::Val<Self> {
                    __b.lit_data(self)
                }
            }
        };
    }
}

/// Where each field lies.
fn offsets(layout: &Layout) -> Vec<TokenStream> {
    (0..layout.fields.len()).map(|index| quote!(Self::__DATA.offsets[#index])).collect()
}

/// The layout, and how values become bytes and back.
fn data(layout: &Layout) -> TokenStream {
    let Layout { name, generics, fields, .. } = layout;
    let rt = rt();
    let members: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let (count, offsets) = (fields.len(), offsets(layout));
    let bounds = bounds(layout);
    let (head, parameters, _) = generics.split_for_impl();
    let gpu_data = header("GpuData", name, generics);
    quote! {
        #[automatically_derived]
        impl #head #name #parameters #bounds {
            #[doc(hidden)]
            pub const __DATA: #rt::layout::Fields<#count> =
                #rt::layout::fields(&[#(<#types as #rt::GpuType>::TYPE),*]);
        }

        #[automatically_derived]
        #gpu_data #bounds {
            fn encode(&self, __out: &mut [u8]) {
                __out.fill(0);
                #(#rt::data::put(&self.#members, __out, #offsets);)*
            }
            fn decode(__bytes: &[u8]) -> Self {
                Self { #(#members: #rt::data::get(__bytes, #offsets),)* }
            }
            fn canonical_nan(__bytes: &mut [u8]) {
                #(#rt::data::nan::<#types>(__bytes, #offsets);)*
            }
        }
    }
}
