//! Enums: those without data are numbers, those with data a tag and the fields of one variant.
//!
//! The type gets hidden functions per variant, named after it, which patterns and constructors of the device twins call:
//! whether a place holds the variant, its fields as places, and a place made to hold it.

use super::{Field, bounds_of, fields, generics, header, places, reprs};
use crate::emit::{here, quiet, rt};
use crate::errors::Errors;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{DataEnum, DeriveInput, Expr, Fields, Generics, Meta, Visibility};

/// An enum.
pub(super) struct Enum {
    name: Ident,
    vis: Visibility,
    generics: Generics,
    /// The integer type of its tag.
    repr: Ident,
    variants: Vec<Variant>,
}

/// One variant.
struct Variant {
    name: Ident,
    unit: bool,
    fields: Vec<Field>,
    discriminant: Option<Expr>,
}

const WORDS: [&str; 8] = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"];

/// Checks an enum.
pub(super) fn parse(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> Option<Enum> {
    generics(&input.generics, "an enum with #[derive(GpuData)]", errors);
    let repr = repr(input, errors);
    if data.variants.is_empty() {
        errors.at(&input.ident, "an enum without variants has no values; give it one, or use `()`");
    }
    let mut variants = Vec::new();
    for variant in &data.variants {
        crate::body::check_name(&variant.ident, errors);
        for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.at(attribute, "a variant cannot depend on #[cfg]: host and device share the layout");
        }
        variants.push(Variant {
            name: variant.ident.clone(),
            unit: matches!(variant.fields, Fields::Unit),
            fields: fields(&variant.fields, input, errors),
            discriminant: variant.discriminant.as_ref().map(|(_, value)| value.clone()),
        });
    }
    let (name, vis, generics) = (input.ident.clone(), input.vis.clone(), input.generics.clone());
    Some(Enum { name, vis, generics, repr: repr?, variants })
}

/// The integer type that `#[repr(..)]` names.
fn repr(input: &DeriveInput, errors: &mut Errors) -> Option<Ident> {
    let before = errors.count();
    let mut found = None;
    for meta in reprs(&input.attrs, errors) {
        match &meta {
            Meta::Path(path) if WORDS.iter().any(|word| path.is_ident(word)) => {
                found = path.get_ident().cloned();
            }
            _ => {
                let text = meta.to_token_stream();
                errors.at(
                    &meta,
                    format!("`repr({text})` is not supported for enums on the device: use #[repr(u8)], or a wider integer of fixed size"),
                );
            }
        }
    }
    if found.is_none() && errors.count() == before {
        errors
            .at(&input.ident, "#[derive(GpuData)] needs a fixed layout: add #[repr(u8)], or a wider integer");
    }
    found
}

/// The implementations, as a scalar or as data.
pub(super) fn impls(parsed: &Enum) -> TokenStream {
    let fieldless = parsed.variants.iter().all(|variant| variant.unit);
    if fieldless { scalar(parsed) } else { tagged(parsed) }
}

/// An enum without data is its discriminant.
fn scalar(parsed: &Enum) -> TokenStream {
    let Enum { name, generics, repr, variants, .. } = parsed;
    let (rt, quiet) = (rt(), quiet());
    let (names, count) = (variants.iter().map(|variant| &variant.name), variants.len());
    let (head, parameters, bounds) = generics.split_for_impl();
    let [gpu_type, gpu_data, scalar] =
        ["GpuType", "GpuData", "Scalar"].map(|what| header(what, name, generics));
    quote! {
        #quiet
        const _: () = {
            #[automatically_derived]
            impl #head #name #parameters #bounds {
                #[doc(hidden)]
                const __DATA: [Self; #count] = [#(Self::#names),*];
            }

            #[automatically_derived]
            #gpu_type #bounds {
                const TYPE: #rt::Type = <#repr as #rt::GpuType>::TYPE;
                type Fields = ();
                fn fields(_: #rt::Addr) {}
                fn lower_const(self, __b: &#rt::Builder) -> #rt::Val<Self> {
                    __b.lit_scalar(self)
                }
                fn matches(self, __b: &#rt::Builder, __at: #rt::Place<Self>) -> #rt::Val<bool> {
                    __b.eq(__b.read(__at), __b.lit_scalar(self))
                }
                fn equal(__b: &#rt::Builder, __l: #rt::Place<Self>, __r: #rt::Place<Self>) -> #rt::Val<bool> {
                    __b.eq(__b.read(__l), __b.read(__r))
                }
            }

            #[automatically_derived]
            #scalar #bounds {
                const SCALAR: #rt::ScalarType = <#repr as #rt::Scalar>::SCALAR;
                fn to_word(self) -> u64 {
                    #rt::Scalar::to_word(self as #repr)
                }
            }

            #[automatically_derived]
            #gpu_data #bounds {
                fn encode(&self, __out: &mut [u8]) {
                    #rt::GpuData::encode(&(*self as #repr), __out);
                }
                fn decode(__bytes: &[u8]) -> Self {
                    Self::__DATA[#rt::data::variant(&Self::__DATA.map(|__v| __v as #repr), __bytes)]
                }
            }
        };
    }
}

/// An enum with data is a tag, then the fields of the variant.
fn tagged(parsed: &Enum) -> TokenStream {
    let Enum { name, vis, generics, repr, variants } = parsed;
    let (rt, quiet) = (rt(), quiet());
    let (head, parameters, _) = generics.split_for_impl();
    let bounds = bounds_of(generics, variants.iter().flat_map(|variant| &variant.fields));
    let tag_names: Vec<_> = variants.iter().map(|variant| variant.part("TAG")).collect();
    let structs = variants.iter().filter(|variant| !variant.unit).map(|variant| {
        let fields: Vec<_> = variant
            .fields
            .iter()
            .map(|Field { member, ty, .. }| Field {
                member: member.clone(),
                vis: vis.clone(),
                ty: ty.clone(),
            })
            .collect();
        places(&variant.part("Fields"), vis, generics, &fields, &bounds)
    });
    let mut before = None;
    let variant_items = variants.iter().map(|variant| {
        let item = items(variant, repr, generics, before.as_ref());
        before = Some(variant.part("TAG"));
        item
    });
    let variant_items: Vec<_> = variant_items.collect();
    let layouts = variants.iter().map(|variant| variant.part("DATA"));
    let tests = variants.iter().map(test);
    let equals = variants.iter().filter(|variant| !variant.fields.is_empty()).map(equal);
    let writes = variants.iter().map(write);
    // The last one takes the numbers that there are not.
    let numbers = (0..variants.len()).map(|n| if n + 1 == variants.len() { quote!(_) } else { quote!(#n) });
    let numbers: Vec<_> = numbers.collect();
    let reads = numbers.iter().zip(variants).map(|(number, variant)| read(number, variant));
    let nans = numbers.iter().zip(variants).map(|(number, variant)| nan(number, variant));
    let [gpu_type, gpu_data] = ["GpuType", "GpuData"].map(|what| header(what, name, generics));
    quote! {
        #quiet
        const _: () = {
            #(#structs)*

            #[automatically_derived]
            impl #head #name #parameters #bounds {
                #(#variant_items)*
            }

            #[automatically_derived]
            #gpu_type #bounds {
                const TYPE: #rt::Type = #rt::layout::either(&[#(Self::#layouts.ty),*]);
                type Fields = ();
                fn fields(_: #rt::Addr) {}
                fn lower_const(self, __b: &#rt::Builder) -> #rt::Val<Self> {
                    __b.lit_data(self)
                }
                fn store_const(self, __b: &#rt::Builder, __at: #rt::Place<Self>) {
                    __b.set_data(__at, self);
                }
                fn matches(self, __b: &#rt::Builder, __at: #rt::Place<Self>) -> #rt::Val<bool> {
                    match self { #(#tests)* }
                }
                fn equal(__b: &#rt::Builder, __l: #rt::Place<Self>, __r: #rt::Place<Self>) -> #rt::Val<bool> {
                    __b.all(&[#rt::data::same_tag::<#repr, Self>(__b, __l, __r) #(, #equals)*])
                }
            }

            #[automatically_derived]
            #gpu_data #bounds {
                fn encode(&self, __out: &mut [u8]) {
                    __out.fill(0);
                    match self { #(#writes)* }
                }
                fn decode(__bytes: &[u8]) -> Self {
                    match #rt::data::variant(&[#(Self::#tag_names),*], __bytes) { #(#reads)* }
                }
                fn canonical_nan(__bytes: &mut [u8]) {
                    match #rt::data::variant(&[#(Self::#tag_names),*], __bytes) { #(#nans)* }
                }
            }
        };
    }
}

impl Variant {
    /// The name of something generated for this variant.
    fn part(&self, what: &str) -> Ident {
        format_ident!("__{}_{}", what, self.name.unraw())
    }

    /// Names for its fields' values, and the pattern that binds them.
    fn bound(&self) -> (Vec<Ident>, TokenStream) {
        let names: Vec<_> = (0..self.fields.len()).map(|index| format_ident!("__f{}", index)).collect();
        let members = self.fields.iter().map(|field| &field.member);
        let name = &self.name;
        let pattern = quote!(Self::#name { #(#members: #names),* });
        (names, pattern)
    }

    /// The offset of its field `index`: before it comes the tag.
    fn offset(&self, index: usize) -> TokenStream {
        let (data, index) = (self.part("DATA"), index + 1);
        quote!(Self::#data.offsets[#index])
    }
}

/// The constants and functions of one variant.
fn items(variant: &Variant, repr: &Ident, generics: &Generics, before: Option<&Ident>) -> TokenStream {
    let rt = rt();
    let (tag, data) = (variant.part("TAG"), variant.part("DATA"));
    let value = match (&variant.discriminant, before) {
        (Some(value), _) => value.to_token_stream(),
        (None, Some(before)) => quote!(Self::#before + 1),
        (None, None) => quote!(0),
    };
    let types = variant.fields.iter().map(|field| &field.ty);
    let count = variant.fields.len() + 1;
    let span = here(variant.name.span());
    let [is, parts, new] = ["is", "as", "new"]
        .map(|what| format_ident!("__data_{}_{}", what, variant.name.unraw(), span = span));
    let with_fields = (!variant.unit).then(|| {
        let (_, parameters, _) = generics.split_for_impl();
        let fields = variant.part("Fields");
        let members = variant.fields.iter().map(|field| &field.member);
        let offsets = (0..variant.fields.len()).map(|index| variant.offset(index));
        quote! {
            #[doc(hidden)]
            pub fn #parts(__at: #rt::Place<Self>) -> #fields #parameters {
                #fields { #(#members: #rt::data::within(__at, #offsets),)* }
            }
            #[doc(hidden)]
            pub fn #new(__b: &#rt::Builder, __at: #rt::Place<Self>) -> #fields #parameters {
                #rt::data::set_tag(__b, __at, Self::#tag);
                Self::#parts(__at)
            }
        }
    });
    let unit = variant.unit.then(|| {
        quote! {
            #[doc(hidden)]
            pub fn #new(__b: &#rt::Builder, __at: #rt::Place<Self>) {
                #rt::data::set_tag(__b, __at, Self::#tag);
            }
        }
    });
    quote! {
        #[doc(hidden)]
        const #tag: #repr = #value;
        #[doc(hidden)]
        const #data: #rt::layout::Fields<#count> = #rt::layout::fields(
            &[<#repr as #rt::GpuType>::TYPE, #(<#types as #rt::GpuType>::TYPE),*]
        );
        #[doc(hidden)]
        pub fn #is(__b: &#rt::Builder, __at: #rt::Place<Self>) -> #rt::Val<bool> {
            #rt::data::has_tag(__b, __at, Self::#tag)
        }
        #with_fields
        #unit
    }
}

/// The arm of `matches` for one variant.
fn test(variant: &Variant) -> TokenStream {
    let is = format_ident!("__data_is_{}", variant.name.unraw());
    let (names, pattern) = variant.bound();
    if variant.fields.is_empty() {
        return quote!(#pattern => Self::#is(__b, __at),);
    }
    let parts = format_ident!("__data_as_{}", variant.name.unraw());
    let members = variant.fields.iter().map(|field| &field.member);
    quote! {
        #pattern => {
            let __p = Self::#parts(__at);
            __b.all(&[Self::#is(__b, __at), #(__b.matches(__p.#members, #names)),*])
        }
    }
}

/// That two values of the variant have the same fields.
fn equal(variant: &Variant) -> TokenStream {
    let rt = rt();
    let [is, parts] = ["is", "as"].map(|what| format_ident!("__data_{}_{}", what, variant.name.unraw()));
    let members = variant.fields.iter().map(|field| &field.member);
    quote! {{
        let (__p, __q) = (Self::#parts(__l), Self::#parts(__r));
        let __same = __b.all(&[#(__b.same(__p.#members, __q.#members)),*]);
        #rt::data::implies(__b, Self::#is(__b, __l), __same)
    }}
}

/// The arm of `encode`.
fn write(variant: &Variant) -> TokenStream {
    let (rt, tag) = (rt(), variant.part("TAG"));
    let (names, pattern) = variant.bound();
    let offsets = (0..names.len()).map(|index| variant.offset(index));
    quote! {
        #pattern => {
            #rt::data::put(&Self::#tag, __out, 0);
            #(#rt::data::put(#names, __out, #offsets);)*
        }
    }
}

/// The arm of `decode`.
fn read(number: &TokenStream, variant: &Variant) -> TokenStream {
    let (rt, name) = (rt(), &variant.name);
    let members = variant.fields.iter().map(|field| &field.member);
    let offsets = (0..variant.fields.len()).map(|index| variant.offset(index));
    quote!(#number => Self::#name { #(#members: #rt::data::get(__bytes, #offsets)),* },)
}

/// The arm of `canonical_nan`.
fn nan(number: &TokenStream, variant: &Variant) -> TokenStream {
    let rt = rt();
    let types = variant.fields.iter().map(|field| &field.ty);
    let offsets = (0..variant.fields.len()).map(|index| variant.offset(index));
    quote!(#number => { #(#rt::data::nan::<#types>(__bytes, #offsets);)* })
}
