//! The options of `#[gpu_actor(..)]` on a struct and of `#[handler(..)]`.

use crate::errors::Errors;
use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Lit, LitStr, Meta, Token};

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

/// Whether the handler is `#[handler(atomic)]`: the option's span. Reports other options.
pub(crate) fn atomic(mark: &Attribute, errors: &mut Errors) -> Option<Span> {
    const THERE_IS: &str = "there is: `atomic`";
    let mut atomic = None;
    match &mark.meta {
        Meta::Path(_) => {}
        Meta::List(list) => {
            let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            for meta in errors.take(parsed).into_iter().flatten() {
                let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
                match (name.as_str(), &meta) {
                    ("atomic", Meta::Path(_)) if atomic.is_none() => atomic = Some(meta.span()),
                    ("atomic", Meta::Path(_)) => errors.at(&meta, "the option `atomic` is given twice"),
                    ("atomic", _) => {
                        errors.at(&meta, "the option `atomic` takes no value: write `#[handler(atomic)]`");
                    }
                    ("warp" | "grid", _) => {
                        errors.at(&meta, format!("`{name}` handlers are not supported yet; {THERE_IS}"));
                    }
                    _ => errors.at(meta.path(), format!("unknown option; {THERE_IS}")),
                }
            }
        }
        Meta::NameValue(pair) => errors.at(pair, "options are written in parentheses: `#[handler(atomic)]`"),
    }
    atomic
}
