//! `#[gpu_actor]`: on a struct it makes actor state, on an impl block an actor type.

mod check;
mod generate;
mod model;
mod options;
mod state;
mod stubs;

use crate::errors::Errors;
use crate::groups;
use proc_macro2::TokenStream;
use syn::{Item, parse2};

/// Expands the attribute.
pub(crate) fn expand(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(parsed) = errors.take(parse2::<Item>(item.clone())) else {
        return errors.into_tokens();
    };
    match parsed {
        Item::Struct(_) | Item::Enum(_) | Item::Union(_) => state::expand(options, item, errors),
        Item::Impl(mut block) => {
            if !options.is_empty() {
                errors.at(options, "options such as `name` stand on the struct; the impl block takes none");
            }
            groups::in_impl(&mut block);
            let actor = check::check(&block, &mut errors);
            generate::expand(&block, actor.as_ref(), errors)
        }
        other => {
            errors
                .at(other, "#[gpu_actor] stands on a struct (the state) and on an impl block (the handlers)");
            errors.into_tokens()
        }
    }
}

/// A `#[handler]` that no `#[gpu_actor]` has taken care of.
pub(crate) fn stray_handler(item: &TokenStream) -> TokenStream {
    let error = syn::Error::new(
        proc_macro2::Span::call_site(),
        "#[handler] stands on functions of an impl block that is marked #[gpu_actor]",
    )
    .to_compile_error();
    quote::quote!(#item #error)
}
