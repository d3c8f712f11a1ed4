//! Values that are built where they end up: structs, variants, tuples, and what a `match` or an `if let` chooses.
//!
//! Rule kept here: only a fresh place is built in, one that nothing else can read before the value is complete. An
//! assignment is none: its value is complete before the place changes.

use super::body::{place, stmt, store, value};
use super::here;
use super::pattern::{hidden, if_let, match_stmt};
use crate::body::construct::New;
use crate::body::model::{Block, Tail, Value, ValueKind};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Index, Member};

/// Whether a value is better built in its place than copied there.
pub(super) fn wants_place(value: &Value) -> bool {
    match &value.kind {
        ValueKind::New(_) | ValueKind::Tuple(_) | ValueKind::Match(_) | ValueKind::IfLet(_) => true,
        ValueKind::Block(block) => tail_wants_place(block),
        ValueKind::If { then, otherwise, .. } => tail_wants_place(then) || tail_wants_place(otherwise),
        _ => false,
    }
}

fn tail_wants_place(block: &Block) -> bool {
    matches!(&block.tail, Tail::Value(tail) if wants_place(tail))
}

/// A value in a place of its own, as an expression of type `Place<_>`; nothing if it has none.
pub(super) fn fresh(value: &Value) -> Option<TokenStream> {
    let at = here(value.span);
    match &value.kind {
        ValueKind::New(new) => {
            let (like, fill) = (like(new), fill(new, at));
            Some(quote_spanned!(at=> { let __t = __b.slot_like(|__x| #like); #fill __t }))
        }
        ValueKind::Tuple(parts) => {
            let types = parts.iter().map(|_| quote!(_));
            let fill = fill_tuple(parts);
            Some(quote_spanned!(at=> { let __t = __b.slot::<(#(#types,)*)>(); #fill __t }))
        }
        ValueKind::Match(_) | ValueKind::IfLet(_) => {
            let fill = into(value, &quote!(__t));
            Some(quote_spanned!(at=> { let __t = __b.slot(); #fill __t }))
        }
        _ => None,
    }
}

/// Statements that build a value at `to`, a fresh place.
pub(super) fn into(value: &Value, to: &TokenStream) -> TokenStream {
    let at = here(value.span);
    match &value.kind {
        ValueKind::New(new) => {
            let (like, fill) = (like(new), fill(new, at));
            quote_spanned!(at=> { let __t = #to; __b.like(__t, |__x| #like); #fill })
        }
        ValueKind::Tuple(parts) => {
            let types = parts.iter().map(|_| quote!(_));
            let fill = fill_tuple(parts);
            quote_spanned!(at=> { let __t = __b.typed::<(#(#types,)*)>(#to); #fill })
        }
        ValueKind::Match(parsed) => match_stmt(parsed, Some(to)),
        ValueKind::IfLet(parsed) => if_let(parsed, Some(to)),
        ValueKind::Block(block) => store(block, to),
        ValueKind::If { cond, then, otherwise } if wants_place(value) => {
            let cond = self::value(cond);
            let (then, otherwise) = (store(then, to), store(otherwise, to));
            quote_spanned!(at=> __b.if_begin(#cond); #then __b.if_else(); #otherwise __b.if_end();)
        }
        ValueKind::Never(inner) => stmt(inner),
        // A constant of a type with parts is stored without a copy.
        ValueKind::Const(tokens) if syn::parse2::<syn::ExprPath>(tokens.clone()).is_ok() => {
            quote_spanned!(at=> __b.set(#to, #tokens);)
        }
        _ => {
            let value = self::value(value);
            quote_spanned!(at=> { let __v = #value; __b.write(#to, __v); })
        }
    }
}

/// The parts of a tuple, into `__t`.
fn fill_tuple(parts: &[Value]) -> TokenStream {
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let member = Member::Unnamed(Index { index: index as u32, span: here(part.span) });
            into(part, &quote!(__t.#member))
        })
        .collect()
}

/// A struct or variant whose parts nobody makes: it tells rustc the type.
fn like(new: &New) -> TokenStream {
    let New { path, fields, named, base, .. } = new;
    let members = fields.iter().map(|(member, _)| member);
    if *named {
        let rest = base.as_ref().map(|_| quote!(..match __x {}));
        quote!(#path { #(#members: match __x {},)* #rest })
    } else {
        let parts = members.map(|_| quote!(match __x {}));
        quote!(#path(#(#parts),*))
    }
}

/// The fields of a struct or variant, into `__t`.
fn fill(new: &New, at: Span) -> TokenStream {
    let New { path, variant, fields, base, .. } = new;
    let filled = |whole: &TokenStream| -> TokenStream {
        fields.iter().map(|(member, part)| into(part, &quote!(#whole.#member))).collect()
    };
    if let Some(variant) = variant {
        let (owner, function) = (&variant.owner, hidden("new", &variant.name));
        let filled = filled(&quote!(__p));
        return quote_spanned!(at=> let __p = #owner::#function(__b, __t); #filled);
    }
    let Some(base) = base else {
        // Without a field to give, only rustc can tell that this is no variant.
        let check = fields
            .is_empty()
            .then(|| quote_spanned!(at=> __b.always(__t, |__x| { let #path { .. } = __x; });));
        let filled = filled(&quote!(__t));
        return quote!(#check #filled);
    };
    // The base comes last, and must not undo the fields that are given.
    let names: Vec<_> = (0..fields.len()).map(|i| format_ident!("__v{}", i)).collect();
    let (values, members) =
        (fields.iter().map(|(_, part)| value(part)), fields.iter().map(|(member, _)| member));
    // A place that is read as a whole is copied once.
    let base = if let ValueKind::Read(from) = &base.kind {
        let from = place(from);
        quote!(__b.write(__t, __b.take(#from));)
    } else {
        let base = value(base);
        quote!({ let __v = #base; __b.write(__t, __v); })
    };
    quote_spanned! {at=>
        #(let #names = #values;)*
        #base
        #(__b.write(__t.#members, #names);)*
    }
}
