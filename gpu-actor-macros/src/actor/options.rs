//! The options of `#[gpu_actor(..)]` on a struct.

use crate::errors::Errors;
use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitStr, Meta, Token};

/// What the user chose.
#[derive(Default)]
pub(crate) struct Options {
    /// The type's stable name; its path unless given.
    pub(crate) name: Option<LitStr>,
}

impl Options {
    /// Reads the options; reports unknown, repeated and malformed ones.
    pub(crate) fn parse(tokens: &TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let parsed = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens.clone());
        for meta in errors.take(parsed).into_iter().flatten() {
            if !meta.path().is_ident("name") {
                let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
                errors.at(
                    meta.path(),
                    match name.as_str() {
                        "mailbox" | "placement" | "affinity" => {
                            format!("the option `{name}` is not supported yet; there is: `name = \"...\"`")
                        }
                        _ => "unknown option; there is: `name = \"...\"`".to_owned(),
                    },
                );
                continue;
            }
            match &meta {
                Meta::NameValue(pair) => match &pair.value {
                    Expr::Lit(literal) if options.name.is_none() => match &literal.lit {
                        Lit::Str(text) if !text.value().is_empty() => options.name = Some(text.clone()),
                        other => errors.at(other, "the name is a string of at least one character"),
                    },
                    Expr::Lit(_) => errors.at(&meta, "the option `name` is given twice"),
                    other => errors.at(other, "the name is a string literal"),
                },
                _ => errors.at(&meta, "the option is written `name = \"...\"`"),
            }
        }
        options
    }
}
