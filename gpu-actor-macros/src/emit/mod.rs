//! Tokens of the device twins.
//!
//! Rules kept here: nothing is checked, the model has been; generated code names only `::gpu_actor_rt::__private` and
//! names that start with `__`; what rustc may complain about carries the span of the user's token.

mod body;
mod built;
mod calls;
mod loops;
mod pattern;

pub(crate) use body::function_body;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The module that generated code may name.
pub(crate) fn rt() -> TokenStream {
    quote!(::gpu_actor_rt::__private)
}

/// The lints that a device twin must not repeat: the native twin has the same code.
///
/// `overflowing_literals` and its like are not among them: where the twins infer differently, the compiler must say so.
pub(crate) fn quiet() -> TokenStream {
    quote! {
        #[allow(
            unused, deprecated, missing_docs, non_snake_case, non_upper_case_globals, non_camel_case_types,
            unconditional_recursion, unreachable_pub, private_interfaces, trivial_bounds,
            clippy::all, clippy::pedantic, clippy::nursery
        )]
    }
}

/// `span` as the place of an error, with names resolved where the macro is called.
pub(crate) fn here(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// The label of loop `id`.
fn label(id: usize) -> Ident {
    Ident::new(&format!("__loop{id}"), Span::call_site())
}

/// Where the value of loop `id` goes.
fn loop_value(id: usize) -> Ident {
    Ident::new(&format!("__value{id}"), Span::call_site())
}
