//! Loops and labelled blocks as calls of the builder.

use super::body::{place, store, unit_block, value};
use super::{here, label, loop_value, pattern};
use crate::body::Line;
use crate::body::model::{Block, Each, Head, Loop, Over, Step};
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

/// A loop as a Rust block of type `()`; its value, if it has one, is in the loop's slot.
pub(super) fn turns(parsed: &Loop) -> TokenStream {
    let Loop { id, line, span, head, body } = parsed;
    let at = here(*span);
    let label = label(*id);
    let body = unit_block(body);
    match head {
        Head::Forever => quote_spanned! {at=> { let #label = __b.loop_begin(#line); #body __b.loop_end(); } },
        Head::While(cond) => {
            let cond = value(cond);
            quote_spanned! {at=> {
                let #label = __b.loop_begin(#line);
                __b.if_begin(#cond);
                __b.if_else();
                __b.brk(#label);
                __b.if_end();
                #body
                __b.loop_end();
            } }
        }
        Head::Let(conditions) => {
            let conditions = pattern::conditions(conditions, &quote!(#label));
            quote_spanned! {at=> { let #label = __b.loop_begin(#line); { #conditions #body } __b.loop_end(); } }
        }
        Head::Each(each) => {
            let before = over(each);
            let bind = item(each, *line);
            let (counter, count, counted) = counter(each);
            quote_spanned! {at=> {
                #before
                #counter
                let __turns = __b.turns(__steps);
                let #label = __b.loop_begin(#line);
                __b.if_begin(__b.turns_more(&__turns));
                __b.if_else();
                __b.brk(#label);
                __b.if_end();
                { let __item = __b.turns_item(&__turns); #bind #count #body }
                __b.loop_continuing();
                __b.turns_next(&__turns);
                #counted
                __b.loop_end();
            } }
        }
    }
}

/// What a `for` loop runs over, evaluated once and in order.
fn over(each: &Each) -> TokenStream {
    let base = match &each.over {
        Over::Range { from, to, inclusive } => {
            let at = here(to.span);
            let (from, to) = (value(from), value(to));
            let range = Ident::new(if *inclusive { "range_inclusive" } else { "range" }, at);
            quote_spanned!(at=> let __steps = { let __from = #from; __b.#range(__from, #to) };)
        }
        Over::Array { place: array, copied } => {
            let at = here(array.span);
            let array = place(array);
            let array = if *copied { quote!(__b.temp(__b.read(#array))) } else { array };
            quote_spanned!(at=> let __array = #array; let __steps = __b.indices(__array);)
        }
    };
    let steps = each.steps.iter().map(|step| match step {
        Step::Rev => quote!(let __steps = __b.rev(__steps);),
        Step::By { n, line } => {
            let at = here(n.span);
            let n = value(n);
            quote_spanned!(at=> let __steps = { let __n = #n; __b.step_by(__steps, __n, #line) };)
        }
    });
    quote!(#base #(#steps)*)
}

/// The local of a turn's item.
fn item(each: &Each, line: Line) -> Option<TokenStream> {
    let name = each.item.as_ref()?;
    Some(match &each.over {
        Over::Range { .. } => quote!(let #name = __b.local(__item);),
        Over::Array { place, .. } => {
            let at = here(place.span);
            quote_spanned!(at=> let #name = __b.local(__b.read(__b.index(__array, __item, #line)));)
        }
    })
}

/// The local that counts turns: what stands before the loop, in each turn, and between two turns.
fn counter(each: &Each) -> (TokenStream, TokenStream, TokenStream) {
    match &each.count {
        Some(name) => (
            quote!(let __count = __b.local(__b.lit(0usize));),
            quote!(let #name = __b.local(__b.read(__count));),
            quote!(__b.write(__count, __b.wrapping_add(__b.read(__count), __b.lit(1)));),
        ),
        None => Default::default(),
    }
}

/// A labelled block whose value nobody uses.
pub(super) fn labelled(id: usize, body: &Block) -> TokenStream {
    let (label, body) = (label(id), unit_block(body));
    quote!({ let #label = __b.block_begin(); #body __b.block_end(); })
}

/// A labelled block as an expression of type `Val<_>`.
pub(super) fn labelled_value(id: usize, body: &Block) -> TokenStream {
    let (label, slot) = (label(id), loop_value(id));
    let body = store(body, &quote!(#slot));
    quote!({ let #slot = __b.slot(); let #label = __b.block_begin(); #body __b.block_end(); __b.read(#slot) })
}
