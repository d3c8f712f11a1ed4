//! Patterns as conditions and copies.
//!
//! A test reads and has no effect, so that a whole pattern is one condition; the names are bound when it holds.

use super::body::{place, store, unit_block, value};
use super::{built, here};
use crate::body::matching::{Arm, Condition, Destructure, IfLet, Match, Scrutinee};
use crate::body::model::{Block, PlaceKind};
use crate::body::pattern::{Of, Pattern, PatternKind};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

/// The statement that makes `__s` the scrutinee.
fn bind_scrutinee(scrutinee: &Scrutinee, ty: Option<&syn::Type>) -> TokenStream {
    let ty = ty.map(|ty| {
        let at = here(syn::spanned::Spanned::span(ty));
        quote_spanned!(at=> : ::gpu_actor_rt::__private::Place<#ty>)
    });
    match scrutinee {
        Scrutinee::Place(place) => {
            let at = here(place.span);
            if let PlaceKind::Temp(value) = &place.kind {
                if let Some(place) = built::fresh(value) {
                    return quote_spanned!(at=> let __s #ty = #place;);
                }
                let value = self::value(value);
                return quote_spanned!(at=> let __s #ty = __b.temp(#value););
            }
            let place = self::place(place);
            quote_spanned!(at=> let __s #ty = __b.scrutinee(#place);)
        }
        Scrutinee::Parts(parts) => {
            let parts = parts.iter().map(|part| {
                let (at, part) = (here(part.span), value(part));
                quote_spanned!(at=> __b.temp(#part))
            });
            quote!(let __s = (#(#parts,)*);)
        }
    }
}

/// Whether the place matches; nothing if it always does.
fn test(pattern: &Pattern, at: &TokenStream) -> Option<TokenStream> {
    let span = here(pattern.span);
    match &pattern.kind {
        PatternKind::Any => None,
        PatternKind::Bind { inner, .. } => inner.as_ref().and_then(|inner| test(inner, at)),
        PatternKind::Constant(constant) => Some(quote_spanned!(span=> __b.matches(#at, #constant))),
        PatternKind::Range { from, to, inclusive } => {
            let low = from.as_ref().map(|from| quote_spanned!(span=> __b.ge(__b.read(#at), __b.lit(#from))));
            let high = to.as_ref().map(|to| {
                let method = Ident::new(if *inclusive { "le" } else { "lt" }, span);
                quote_spanned!(span=> __b.#method(__b.read(#at), __b.lit(#to)))
            });
            all(&low.into_iter().chain(high).collect::<Vec<_>>(), span)
        }
        PatternKind::Fields { of, .. } => {
            let mut tests = Vec::new();
            if let Of::Variant(variant) = of {
                let is = hidden("is", &variant.name);
                let owner = &variant.owner;
                tests.push(quote_spanned!(span=> #owner::#is(__b, #at)));
            }
            tests.extend(parts(pattern, at).filter_map(|(part, at)| test(part, &at)));
            all(&tests, span)
        }
        PatternKind::Elements { .. } => {
            let tests: Vec<_> = parts(pattern, at).filter_map(|(part, at)| test(part, &at)).collect();
            all(&tests, span)
        }
        PatternKind::Or(alternatives) => {
            let tests: Option<Vec<_>> = alternatives.iter().map(|pattern| test(pattern, at)).collect();
            tests.map(|tests| quote_spanned!(span=> __b.any(&[#(#tests),*])))
        }
    }
}

fn all(tests: &[TokenStream], span: Span) -> Option<TokenStream> {
    match tests {
        [] => None,
        [test] => Some(test.clone()),
        tests => Some(quote_spanned!(span=> __b.all(&[#(#tests),*]))),
    }
}

/// The parts of a pattern and their places.
fn parts<'p>(
    pattern: &'p Pattern,
    at: &TokenStream,
) -> Box<dyn Iterator<Item = (&'p Pattern, TokenStream)> + 'p> {
    let at = at.clone();
    match &pattern.kind {
        PatternKind::Fields { of, fields } => {
            let whole = match of {
                Of::Tuple | Of::Struct(_) => at,
                Of::Variant(variant) => {
                    let (owner, parts) = (&variant.owner, hidden("as", &variant.name));
                    quote_spanned!(here(pattern.span)=> #owner::#parts(#at))
                }
            };
            Box::new(fields.iter().map(move |(member, part)| (part, quote!(#whole.#member))))
        }
        PatternKind::Elements { front, back } => {
            let count = back.len();
            let end = at.clone();
            let front = front.iter().enumerate().map(move |(i, part)| (part, quote!(__b.front(#at, #i))));
            let back = back.iter().enumerate().map(move |(i, part)| {
                let i = count - i;
                (part, quote!(__b.back(#end, #i)))
            });
            Box::new(front.chain(back))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// The names of a pattern that holds, as locals; or, if they are locals already, as writes to them.
fn bind(pattern: &Pattern, at: &TokenStream, declared: bool, out: &mut TokenStream) {
    let span = here(pattern.span);
    match &pattern.kind {
        PatternKind::Any | PatternKind::Constant(_) | PatternKind::Range { .. } => {}
        PatternKind::Bind { name, mutable, inner } => {
            out.extend(if declared {
                quote_spanned!(span=> __b.write(#name, __b.read(#at));)
            } else if *mutable {
                quote_spanned!(span=> let #name = __b.local(__b.read(#at));)
            } else {
                quote_spanned!(span=> let #name = __b.temp(__b.read(#at));)
            });
            if let Some(inner) = inner {
                bind(inner, at, declared, out);
            }
        }
        PatternKind::Fields { .. } | PatternKind::Elements { .. } => {
            for (part, at) in parts(pattern, at) {
                bind(part, &at, declared, out);
            }
        }
        PatternKind::Or(alternatives) => {
            let names = pattern.names();
            if names.is_empty() {
                return;
            }
            if !declared {
                out.extend(names.iter().map(|name| quote!(let #name = __b.slot();)));
            }
            out.extend(one_of(alternatives, at));
        }
    }
}

/// The names of the first alternative that holds; one does.
fn one_of(alternatives: &[Pattern], at: &TokenStream) -> TokenStream {
    let Some((first, rest)) = alternatives.split_first() else { return TokenStream::new() };
    let mut writes = TokenStream::new();
    bind(first, at, true, &mut writes);
    match (rest, test(first, at)) {
        ([], _) | (_, None) => writes,
        (rest, Some(test)) => {
            let otherwise = one_of(rest, at);
            quote!(__b.if_begin(#test); #writes __b.if_else(); #otherwise __b.if_end();)
        }
    }
}

fn names(pattern: &Pattern) -> TokenStream {
    let mut out = TokenStream::new();
    bind(pattern, &quote!(__s), false, &mut out);
    out
}

/// Lets rustc check that what looks like a struct's pattern always matches.
fn checks(pattern: &Pattern, at: &TokenStream, out: &mut TokenStream) {
    match &pattern.kind {
        PatternKind::Fields { of: Of::Struct(path), .. } => {
            let span = here(pattern.span);
            out.extend(quote_spanned!(span=> __b.always(#at, |__x| { let #path { .. } = __x; });));
        }
        PatternKind::Bind { inner: Some(inner), .. } => return checks(inner, at, out),
        PatternKind::Or(alternatives) => {
            for alternative in alternatives {
                checks(alternative, at, out);
            }
            return;
        }
        _ => {}
    }
    for (part, at) in parts(pattern, at) {
        checks(part, &at, out);
    }
}

/// The statements that make `__s` the scrutinee of these patterns.
fn scrutinise<'p>(
    scrutinee: &Scrutinee,
    ty: Option<&syn::Type>,
    patterns: impl IntoIterator<Item = &'p Pattern>,
) -> TokenStream {
    let mut out = bind_scrutinee(scrutinee, ty);
    for pattern in patterns {
        checks(pattern, &quote!(__s), &mut out);
    }
    out
}

/// What an arm or a branch does: its value goes to `slot`, if there is one.
fn run(body: &Block, slot: Option<&TokenStream>) -> TokenStream {
    match slot {
        Some(slot) => store(body, slot),
        None => unit_block(body),
    }
}

/// A `match` whose value goes to `slot`.
pub(super) fn match_stmt(parsed: &Match, slot: Option<&TokenStream>) -> TokenStream {
    let Match { id, span, scrutinee, arms } = parsed;
    let label = format_ident!("__match{}", id);
    let scrutinee = scrutinise(scrutinee, None, arms.iter().flat_map(|arm| &arm.patterns));
    let mut emitted = Vec::new();
    for (index, arm) in arms.iter().enumerate() {
        let always = arm.guard.is_none() && arm.patterns.iter().any(|one| test(one, &quote!(__s)).is_none());
        // Of the last arm rustc has seen to it that it matches.
        if always || (arm.guard.is_none() && index + 1 == arms.len()) {
            let (names, body) = (arm.patterns.first().map(names), run(&arm.body, slot));
            emitted.push(quote!({ #names #body }));
            break;
        }
        emitted.push(self::arm(arm, &label, slot));
    }
    quote_spanned! {here(*span)=> {
        #scrutinee
        let #label = __b.block_begin();
        #(#emitted)*
        __b.block_end();
    } }
}

/// An arm that may not be taken.
fn arm(arm: &Arm, label: &Ident, slot: Option<&TokenStream>) -> TokenStream {
    let s = quote!(__s);
    let body = run(&arm.body, slot);
    let leave = quote!(__b.brk(#label););
    let Some(guard) = &arm.guard else {
        let pattern = &arm.patterns[0];
        let (test, names) = (test(pattern, &s), names(pattern));
        return quote! { __b.if_begin(#test); { #names #body } #leave __b.if_end(); };
    };
    let guard = value(guard);
    if let [pattern] = &arm.patterns[..] {
        let names = names(pattern);
        let inner = quote! { #names __b.if_begin(#guard); #body #leave __b.if_end(); };
        return match test(pattern, &s) {
            None => quote!({ #inner }),
            Some(test) => quote!(__b.if_begin(#test); { #inner } __b.if_end();),
        };
    }
    let names = arm.patterns.first().map(Pattern::names).unwrap_or_default();
    let tries = arm.patterns.iter().map(|pattern| {
        let mut writes = TokenStream::new();
        bind(pattern, &s, true, &mut writes);
        let test = test(pattern, &s).unwrap_or_else(|| quote!(__b.lit(true)));
        quote! { __b.if_begin(#test); #writes __b.if_begin(#guard); __b.brk(__hit); __b.if_end(); __b.if_end(); }
    });
    quote! { {
        let __missed = __b.block_begin();
        #(let #names = __b.slot();)*
        let __hit = __b.block_begin();
        #(#tries)*
        __b.brk(__missed);
        __b.block_end();
        #body
        #leave
        __b.block_end();
    } }
}

/// Leaves to `out` unless the conditions hold, and binds their names.
pub(super) fn conditions(conditions: &[Condition], out: &TokenStream) -> TokenStream {
    let leave = quote!(__b.if_else(); __b.brk(#out); __b.if_end(););
    conditions
        .iter()
        .map(|condition| match condition {
            Condition::Value(cond) => {
                let cond = value(cond);
                quote!(__b.if_begin(#cond); #leave)
            }
            Condition::Let { pattern, scrutinee } => {
                let (scrutinee, names) = (scrutinise(scrutinee, None, [pattern]), names(pattern));
                let test = test(pattern, &quote!(__s)).map(|test| quote!(__b.if_begin(#test); #leave));
                quote!(#scrutinee #test #names)
            }
        })
        .collect()
}

/// An `if` with `let`s whose value goes to `slot`.
pub(super) fn if_let(parsed: &IfLet, slot: Option<&TokenStream>) -> TokenStream {
    let IfLet { id, span, conditions, then, otherwise } = parsed;
    let at = here(*span);
    let then = run(then, slot);
    if let [Condition::Let { pattern, scrutinee }] = &conditions[..] {
        let (scrutinee, names) = (scrutinise(scrutinee, None, [pattern]), names(pattern));
        let test = test(pattern, &quote!(__s)).unwrap_or_else(|| quote!(__b.lit(true)));
        let otherwise = otherwise.as_ref().map(|block| {
            let block = run(block, slot);
            quote!(__b.if_else(); #block)
        });
        return quote_spanned! {at=> {
            #scrutinee
            __b.if_begin(#test);
            { #names #then }
            #otherwise
            __b.if_end();
        } };
    }
    let (end, missed) = (format_ident!("__end{}", id), format_ident!("__else{}", id));
    let missed = quote!(#missed);
    let conditions = self::conditions(conditions, &missed);
    let Some(otherwise) = otherwise else {
        return quote_spanned! {at=> { let #missed = __b.block_begin(); #conditions #then __b.block_end(); } };
    };
    let otherwise = run(otherwise, slot);
    quote_spanned! {at=> {
        let #end = __b.block_begin();
        { let #missed = __b.block_begin(); #conditions #then __b.brk(#end); __b.block_end(); }
        #otherwise
        __b.block_end();
    } }
}

/// `let` with a pattern: its names live on.
pub(super) fn destructure(parsed: &Destructure) -> TokenStream {
    let Destructure { span, pattern, ty, scrutinee, otherwise } = parsed;
    let (scrutinee, names) = (scrutinise(scrutinee, ty.as_ref(), [pattern]), names(pattern));
    let refuted = otherwise.as_ref().zip(test(pattern, &quote!(__s))).map(|(otherwise, test)| {
        let otherwise = unit_block(otherwise);
        quote_spanned!(here(*span)=> __b.if_begin(#test); __b.if_else(); #otherwise __b.if_end();)
    });
    quote!(#scrutinee #refuted #names)
}

/// `matches!` without a guard.
pub(super) fn matches(scrutinee: &Scrutinee, pattern: &Pattern, at: Span) -> TokenStream {
    let scrutinee = scrutinise(scrutinee, None, [pattern]);
    let test = test(pattern, &quote!(__s)).unwrap_or_else(|| quote!(__b.lit(true)));
    quote_spanned!(at=> { #scrutinee #test })
}

/// The name of a variant's hidden function, at the user's token.
pub(super) fn hidden(what: &str, variant: &Ident) -> Ident {
    format_ident!("__data_{}_{}", what, variant.unraw(), span = here(variant.span()))
}
