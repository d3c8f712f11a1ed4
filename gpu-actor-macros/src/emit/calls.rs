//! Calls of methods and associated functions of the user's own types.
//!
//! rustc finds the device twin where it finds the function itself: by inherent lookup on the type. Where there is none, a trait
//! that stands right beside the call has a function of that name for every type; choosing it breaks a bound of its own,
//! whose message says which type lacks what. Inherent functions come before those of traits, so a twin is never hidden.

use super::body::{place, value};
use super::{here, rt};
use crate::body::model::{Place, Value};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{AngleBracketedGenericArguments, ExprPath};

/// A call of a function marked `#[gpu_fn]`: of the twin beside it, with its generic arguments.
pub(super) fn free(at: Span, function: &ExprPath, args: &[Value]) -> TokenStream {
    let mut path = function.path.clone();
    let last = path.segments.last_mut();
    let arguments = last.map(|last| std::mem::take(&mut last.arguments)).unwrap_or_default();
    let arguments = turbofish(&arguments);
    let twin = path.segments.last().map_or(at, |last| here(last.ident.span()));
    let twin = Ident::new("__gpu", twin);
    let args = args.iter().map(value);
    quote_spanned!(at=> #path::#twin #arguments (__b #(, #args)*))
}

/// A call of a function of a type, by its path.
pub(super) fn associated(at: Span, function: &ExprPath, args: &[Value], hint: &str) -> TokenStream {
    let rt = rt();
    let mut function = function.clone();
    let Some(last) = function.path.segments.last_mut() else { return TokenStream::new() };
    let name = last.ident.unraw();
    let arguments = turbofish(&std::mem::take(&mut last.arguments));
    last.ident = format_ident!("__gpu_fn_{}", name, span = here(last.ident.span()));
    let twin = last.ident.clone();
    let (names, evaluated) = evaluate(args);
    let types: Vec<_> = (0..names.len()).map(|index| format_ident!("__A{index}")).collect();
    let message = format!("`{{Self}}` has no function `{name}` on the device");
    let absent = absent(&message, hint);
    quote_spanned! {at=> {
        #evaluated
        #absent
        trait __Absent: ::core::marker::Sized {
            fn #twin<#(#types,)* __R: #rt::GpuType>(__b: &#rt::Builder #(, #names: #types)*) -> #rt::Val<__R>
            where
                Self: __Marked,
            {
                __b.never()
            }
        }
        impl<__T> __Absent for __T {}
        #function #arguments (__b #(, #names)*)
    } }
}

/// A method: first what it works on, then its arguments, then the call.
pub(super) fn method(
    receiver: &Place,
    method: &Ident,
    generics: Option<&AngleBracketedGenericArguments>,
    args: &[Value],
    hint: &str,
) -> TokenStream {
    let rt = rt();
    let (at, name) = (here(method.span()), method.unraw());
    let [receive, twin] = ["self", "method"].map(|what| format_ident!("__gpu_{}_{}", what, name, span = at));
    let receiver = place(receiver);
    let (names, evaluated) = evaluate(args);
    let types: Vec<_> = (0..names.len()).map(|index| format_ident!("__A{index}")).collect();
    let message = format!("`{{Self}}` has no method `{name}` on the device");
    let absent = absent(&message, hint);
    quote_spanned! {at=> {
        let __place = #receiver;
        let __type = __b.witness(__place);
        let __place = {
            #absent
            trait __Absent: ::core::marker::Sized {
                fn #receive(&self, __b: &#rt::Builder, __place: #rt::Place<Self>) -> #rt::Place<Self>
                where
                    Self: #rt::GpuType + __Marked,
                {
                    __place
                }
            }
            impl<__T> __Absent for __T {}
            __type.#receive(__b, __place)
        };
        #evaluated
        {
            trait __Absent: ::core::marker::Sized {
                fn #twin<#(#types,)* __R: #rt::GpuType>(
                    &self,
                    __b: &#rt::Builder,
                    __place: #rt::Place<Self>
                    #(, #names: #types)*
                ) -> #rt::Val<__R>
                where
                    Self: #rt::GpuType,
                {
                    __b.never()
                }
            }
            impl<__T> __Absent for __T {}
            __type.#twin #generics (__b, __place #(, #names)*)
        }
    } }
}

/// The trait that nothing implements, and what to say where it is missing.
fn absent(message: &str, hint: &str) -> TokenStream {
    quote! {
        #[diagnostic::on_unimplemented(message = #message, label = "not known to the device", note = #hint)]
        trait __Marked {}
    }
}

/// The arguments as locals, in order.
fn evaluate(args: &[Value]) -> (Vec<Ident>, TokenStream) {
    let names: Vec<_> = args
        .iter()
        .enumerate()
        .map(|(index, arg)| format_ident!("__a{}", index, span = here(arg.span)))
        .collect();
    let args = args.iter().map(value);
    let evaluated = quote!(#(let #names = #args;)*);
    (names, evaluated)
}

/// Generic arguments as they stand behind a function's name in an expression.
fn turbofish(arguments: &syn::PathArguments) -> TokenStream {
    match arguments {
        syn::PathArguments::AngleBracketed(arguments) => {
            let arguments = &arguments.args;
            quote!(::<#arguments>)
        }
        _ => TokenStream::new(),
    }
}
