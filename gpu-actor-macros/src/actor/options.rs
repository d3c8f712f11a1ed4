//! The options of `#[gpu_actor(..)]` on a struct and of `#[handler(..)]`.

use crate::errors::Errors;
use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Lit, LitStr, Meta, Token};

/// What there is.
const THERE_IS: &str = "there is: `name = \"...\"`, `mailbox = N`, `on_full = \"...\"`";
/// The values of `on_full`, and the runtime's names for them.
const POLICIES: [(&str, &str); 3] =
    [("reject", "Reject"), ("drop_oldest", "DropOldest"), ("drop_newest", "DropNewest")];
/// The longest mailbox.
const MOST: u32 = 1 << 24;

/// What the user chose.
#[derive(Default)]
pub(crate) struct Options {
    /// The type's stable name; its path unless given.
    pub(crate) name: Option<LitStr>,
    /// Messages that the host keeps beyond the worker's ring.
    pub(crate) mailbox: Option<u32>,
    /// What becomes of a message when there is no space: the variant's name.
    pub(crate) on_full: Option<&'static str>,
}

impl Options {
    /// Reads the options; reports unknown, repeated and malformed ones.
    pub(crate) fn parse(tokens: &TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut seen = Vec::new();
        let parsed = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens.clone());
        for meta in errors.take(parsed).into_iter().flatten() {
            let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
            let written = match name.as_str() {
                "name" => "`name = \"...\"`",
                "mailbox" => "`mailbox = 1024`",
                "on_full" => "`on_full = \"drop_oldest\"`",
                "placement" | "affinity" => {
                    errors.at(meta.path(), format!("the option `{name}` is not supported yet; {THERE_IS}"));
                    continue;
                }
                _ => {
                    errors.at(meta.path(), format!("unknown option; {THERE_IS}"));
                    continue;
                }
            };
            if seen.contains(&name) {
                errors.at(&meta, format!("the option `{name}` is given twice"));
                continue;
            }
            let Meta::NameValue(pair) = &meta else {
                errors.at(&meta, format!("the option is written {written}"));
                continue;
            };
            match name.as_str() {
                "name" => options.name = type_name(&pair.value, errors),
                "mailbox" => options.mailbox = messages(&pair.value, errors),
                _ => options.on_full = policy(&pair.value, errors),
            }
            seen.push(name);
        }
        options
    }
}

fn type_name(value: &Expr, errors: &mut Errors) -> Option<LitStr> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if !text.value().is_empty() => return Some(text.clone()),
            other => errors.at(other, "the name is a string of at least one character"),
        },
        other => errors.at(other, "the name is a string literal"),
    }
    None
}

fn messages(value: &Expr, errors: &mut Errors) -> Option<u32> {
    if let Expr::Lit(literal) = value
        && let Lit::Int(number) = &literal.lit
        && let Ok(messages @ 1..=MOST) = number.base10_parse::<u32>()
    {
        return Some(messages);
    }
    errors.at(value, format!("a mailbox has 1 to {MOST} messages, written as a number"));
    None
}

fn policy(value: &Expr, errors: &mut Errors) -> Option<&'static str> {
    if let Expr::Lit(literal) = value
        && let Lit::Str(text) = &literal.lit
        && let Some((_, variant)) = POLICIES.iter().find(|(name, _)| *name == text.value())
    {
        return Some(variant);
    }
    errors.at(value, "the policy is one of \"reject\", \"drop_oldest\", \"drop_newest\"");
    None
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
