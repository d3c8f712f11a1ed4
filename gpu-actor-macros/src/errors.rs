//! The accumulator of diagnostics.
//!
//! Rule kept here: a macro reports everything that it finds in one go, each error at the user's tokens, and generates
//! nothing from input that it has found fault with. Errors of types are the exception: a wrong type goes on as
//! [poison](Errors::poison).

use proc_macro2::TokenStream;
use quote::ToTokens;
use std::fmt::Display;

/// Collects the errors of one macro call.
#[derive(Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    /// Errors that do not keep anything from being generated.
    poisons: Vec<syn::Error>,
}

impl Errors {
    /// Reports `message` at all of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Takes over what a parser of syn's reported.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.found.push(error)).ok()
    }

    /// Whether nothing was reported so far that keeps code from being generated.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How much of that was reported so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The messages, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.found.iter().map(ToString::to_string).collect()
    }

    /// Takes over the errors of a type, and gives back a type that rustc takes for one that it has complained about
    /// already: it stays silent about its uses, so generation can go on. `None` if there are no errors.
    pub(crate) fn poison(&mut self, found: Self) -> Option<syn::Type> {
        let error = found.found.first()?.to_compile_error();
        self.poisons.extend(found.found);
        // In the place of a type itself the macro would stand for `()`; an array's length it makes erroneous.
        Some(syn::parse_quote!([[u8; #error]; 1]))
    }

    /// One `compile_error!` per error.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.found.iter().chain(&self.poisons).map(syn::Error::to_compile_error).collect()
    }
}
