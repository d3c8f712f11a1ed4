//! The model of a body as calls of the builder, in evaluation order.

use super::{built, calls, here, label, loop_value, loops, pattern};
use crate::body::model::{Block, Place, PlaceKind, Stmt, Tail, Value, ValueKind};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

/// The body of a function whose frame is open.
pub(crate) fn function_body(body: &Block) -> TokenStream {
    let at = match &body.tail {
        Tail::Value(value) => here(value.span),
        Tail::Unit | Tail::Never => Span::call_site(),
    };
    if let Tail::Value(tail) = &body.tail
        && built::wants_place(tail)
    {
        let body = store(body, &quote!(__result));
        return quote_spanned! {at=> { let __result = __b.result_of(&__frame); #body __b.leave(&__frame); } };
    }
    let body = block(body);
    // A type that is not the function's is reported at the last expression.
    quote_spanned! {at=> { let __v = #body; __b.ret(&__frame, __v); } }
}

/// A block as a Rust block of type `Val<_>`.
fn block(block: &Block) -> TokenStream {
    let stmts = block.stmts.iter().map(stmt);
    let tail = match &block.tail {
        Tail::Value(value) => self::value(value),
        Tail::Unit => quote!(__b.unit()),
        Tail::Never => quote!(__b.never()),
    };
    quote!({ #(#stmts)* #tail })
}

/// A block whose value is not used, as a Rust block of type `()`.
pub(super) fn unit_block(block: &Block) -> TokenStream {
    let stmts = block.stmts.iter().map(stmt);
    let tail = match &block.tail {
        Tail::Value(value) => {
            let value = self::value(value);
            quote!(let _ = #value;)
        }
        Tail::Unit | Tail::Never => TokenStream::new(),
    };
    quote!({ #(#stmts)* #tail })
}

pub(super) fn stmt(stmt: &Stmt) -> TokenStream {
    match stmt {
        Stmt::Let { name, ty, init } => let_stmt(name, ty.as_ref(), init.as_ref()),
        Stmt::Item(item) => quote!(#item),
        Stmt::Drop(value) => match &value.kind {
            ValueKind::After(inner) | ValueKind::Never(inner) => self::stmt(inner),
            ValueKind::Error => TokenStream::new(),
            _ => {
                let value = self::value(value);
                quote!(let _ = #value;)
            }
        },
        Stmt::Assign { place, value } => {
            let at = here(value.span);
            let (place, value) = (self::place(place), self::value(value));
            quote_spanned! {at=> { let __v = #value; __b.write(#place, __v); } }
        }
        Stmt::Compound { method, place, value, line, span } => {
            let at = here(value.span);
            let method = Ident::new(method, here(*span));
            let line = line.map(|line| quote!(, #line));
            let (place, value) = (self::place(place), self::value(value));
            quote_spanned! {at=> {
                let __v = #value;
                let __p = #place;
                __b.write(__p, __b.#method(__b.read(__p), __v #line));
            } }
        }
        Stmt::If { cond, then, otherwise } => {
            let cond = self::value(cond);
            let then = unit_block(then);
            let otherwise = otherwise.as_ref().map(|block| {
                let block = unit_block(block);
                quote!(__b.if_else(); #block)
            });
            quote! { { __b.if_begin(#cond); #then #otherwise __b.if_end(); } }
        }
        Stmt::Block(block) => unit_block(block),
        Stmt::Match(parsed) => pattern::match_stmt(parsed, None),
        Stmt::IfLet(parsed) => pattern::if_let(parsed, None),
        Stmt::Destructure(parsed) => pattern::destructure(parsed),
        Stmt::Loop(inner) => loops::turns(inner),
        Stmt::Labelled { id, body } => loops::labelled(*id, body),
        Stmt::Break { id, value, waits, span } => break_stmt(*id, value.as_ref(), *waits, *span),
        Stmt::Continue { id, span } => {
            let label = label(*id);
            quote_spanned! {here(*span)=> __b.cont(#label); }
        }
        Stmt::Return { value, span } => {
            let at = value.as_ref().map_or(*span, |value| value.span);
            if let Some(value) = value
                && built::wants_place(value)
            {
                let value = built::into(value, &quote!(__result));
                return quote_spanned! {here(at)=> {
                    let __result = __b.result_of(&__frame);
                    #value
                    __b.leave(&__frame);
                } };
            }
            let value = value.as_ref().map_or_else(|| quote!(__b.unit()), self::value);
            quote_spanned! {here(at)=> { let __v = #value; __b.ret(&__frame, __v); } }
        }
        Stmt::Assert { cond, message, line, span } => {
            let cond = self::value(cond);
            let message = option(message.as_deref());
            quote_spanned! {here(*span)=> __b.assert(#cond, #line, #message); }
        }
        Stmt::Panic { message, line, span } => {
            let message = option(message.as_deref());
            quote_spanned! {here(*span)=> __b.panic(#line, #message); }
        }
        Stmt::Tell { target, method, args, line } => {
            let method = format_ident!("__gpu_{}", method, span = here(method.span()));
            let target = place(target);
            let args = args.iter().map(value);
            quote! { { let __to = #target; __to.#method(__b, #line #(, #args)*); } }
        }
    }
}

fn option(message: Option<&str>) -> TokenStream {
    if let Some(message) = message {
        quote!(::core::option::Option::Some(#message))
    } else {
        quote!(::core::option::Option::None)
    }
}

fn let_stmt(name: &Ident, ty: Option<&syn::Type>, init: Option<&Value>) -> TokenStream {
    let ty = ty.map(|ty| {
        let at = here(syn::spanned::Spanned::span(ty));
        quote_spanned!(at=> : ::gpu_actor_rt::__private::Place<#ty>)
    });
    if let Some(init) = init {
        let at = here(init.span);
        if let Some(place) = built::fresh(init) {
            return quote_spanned! {at=> let #name #ty = #place; };
        }
        let init = value(init);
        quote_spanned! {at=> let #name #ty = __b.local(#init); }
    } else {
        quote! { let #name #ty = __b.slot(); }
    }
}

fn break_stmt(id: usize, value: Option<&Value>, waits: bool, span: Span) -> TokenStream {
    let label = label(id);
    let store = if waits {
        let slot = loop_value(id);
        let value = value.map_or_else(|| quote!(__b.unit()), self::value);
        quote!({ let __v = #value; __b.write(#slot, __v); })
    } else {
        value.map(self::value).map(|value| quote!(let _ = #value;)).unwrap_or_default()
    };
    quote_spanned! {here(span)=> #store __b.brk(#label); }
}

/// A value as an expression of type `Val<_>`.
pub(super) fn value(value: &Value) -> TokenStream {
    let at = here(value.span);
    match &value.kind {
        ValueKind::Const(tokens) => quote_spanned!(at=> __b.lit(#tokens)),
        ValueKind::Unit => quote_spanned!(at=> __b.unit()),
        ValueKind::Read(place) => {
            let place = self::place(place);
            quote_spanned!(at=> __b.read(#place))
        }
        ValueKind::Op { method, operands, line } => {
            let method = Ident::new(method, at);
            let operands = operands.iter().map(self::value);
            let line = line.map(|line| quote!(, #line));
            quote_spanned!(at=> __b.#method(#(#operands),* #line))
        }
        ValueKind::Logic { and, left, right } => {
            let (left, right) = (self::value(left), self::value(right));
            let test = if *and { quote!(__b.read(__t)) } else { quote!(__b.not(__b.read(__t))) };
            quote_spanned! {at=> {
                let __t = __b.local::<bool>(#left);
                __b.if_begin(#test);
                __b.write(__t, #right);
                __b.if_end();
                __b.read(__t)
            } }
        }
        ValueKind::Cast { value, ty } => {
            let value = self::value(value);
            quote_spanned!(at=> __b.cast::<_, #ty>(#value))
        }
        ValueKind::From { value, ty } => {
            let value = self::value(value);
            quote_spanned!(at=> __b.from::<_, #ty>(#value))
        }
        ValueKind::Len(place) => {
            let place = self::place(place);
            quote_spanned!(at=> __b.len(#place))
        }
        ValueKind::Part { place, from, to, line } => {
            let place = self::place(place);
            let from = from.as_ref().map_or_else(|| quote!(__b.lit(0usize)), |from| self::value(from));
            let to = to.as_ref().map_or_else(|| quote!(__b.len(__s)), |to| self::value(to));
            quote_spanned! {at=> {
                let __s = #place;
                let __from = #from;
                let __to = #to;
                __b.subslice(__s, __from, __to, #line)
            } }
        }
        ValueKind::Call { path, args } => calls::free(at, path, args),
        ValueKind::Associated { path, args, hint } => calls::associated(at, path, args, hint),
        ValueKind::Method { receiver, method, generics, args, hint } => {
            calls::method(receiver, method, generics.as_ref(), args, hint)
        }
        ValueKind::Array(elements) => {
            let length = elements.len();
            let writes = elements.iter().enumerate().map(|(index, element)| {
                let element = self::value(element);
                quote!({ let __v = #element; __b.write(__b.index(__t, __b.lit(#index), 0), __v); })
            });
            quote_spanned! {at=> { let __t = __b.slot::<[_; #length]>(); #(#writes)* __b.read(__t) } }
        }
        ValueKind::Repeat { value, len } => {
            let value = self::value(value);
            quote_spanned! {at=> {
                let __v = #value;
                let __t = __b.slot::<[_; #len]>();
                for __i in 0..(#len) {
                    __b.write(__b.index(__t, __b.lit(__i), 0), __v);
                }
                __b.read(__t)
            } }
        }
        ValueKind::If { cond, then, otherwise } => {
            let cond = self::value(cond);
            let (then, otherwise) = (store(then, &quote!(__t)), store(otherwise, &quote!(__t)));
            quote_spanned! {at=> {
                let __t = __b.slot();
                __b.if_begin(#cond);
                #then
                __b.if_else();
                #otherwise
                __b.if_end();
                __b.read(__t)
            } }
        }
        ValueKind::Block(block) => self::block(block),
        ValueKind::Match(_) | ValueKind::IfLet(_) | ValueKind::New(_) | ValueKind::Tuple(_) => {
            let place = built::fresh(value);
            quote_spanned!(at=> __b.take(#place))
        }
        ValueKind::Test { scrutinee, pattern } => pattern::matches(scrutinee, pattern, at),
        ValueKind::Ask { method, place, operands, line } => {
            let method = Ident::new(method, at);
            let place = self::place(place);
            let operands = operands.iter().map(self::value);
            let line = line.as_ref().map(|(line, message)| {
                let message = option(message.as_deref());
                quote!(, #line, #message)
            });
            quote_spanned!(at=> __b.#method(#place #(, #operands)* #line))
        }
        ValueKind::Loop(parsed) => {
            let slot = loop_value(parsed.id);
            let turns = loops::turns(parsed);
            quote_spanned!(at=> { let #slot = __b.slot(); #turns __b.read(#slot) })
        }
        ValueKind::Labelled { id, body } => loops::labelled_value(*id, body),
        ValueKind::Context(method) => {
            let method = Ident::new(method, at);
            quote_spanned!(at=> __b.#method())
        }
        ValueKind::After(stmt) => {
            let stmt = self::stmt(stmt);
            quote_spanned!(at=> { #stmt __b.unit() })
        }
        ValueKind::Never(stmt) => {
            let stmt = self::stmt(stmt);
            quote_spanned!(at=> { #stmt __b.never() })
        }
        ValueKind::Error => quote_spanned!(at=> __b.never()),
    }
}

/// A branch that leaves its value in a place, unless it does not come to its end.
pub(super) fn store(branch: &Block, slot: &TokenStream) -> TokenStream {
    match &branch.tail {
        Tail::Never => unit_block(branch),
        Tail::Value(tail) if built::wants_place(tail) => {
            let stmts = branch.stmts.iter().map(stmt);
            let tail = built::into(tail, slot);
            quote!({ #(#stmts)* #tail })
        }
        Tail::Value(_) | Tail::Unit => {
            let branch = block(branch);
            quote!({ let __v = #branch; __b.write(#slot, __v); })
        }
    }
}

/// A place as an expression of type `Place<_>`.
pub(super) fn place(place: &Place) -> TokenStream {
    let at = here(place.span);
    match &place.kind {
        PlaceKind::Local(name) => quote!(#name),
        PlaceKind::State => quote_spanned!(at=> __self),
        PlaceKind::Field { base, member } => {
            let base = self::place(base);
            quote_spanned!(at=> #base.#member)
        }
        PlaceKind::Index { base, index, line } => {
            let (base, index) = (self::place(base), value(index));
            quote_spanned!(at=> __b.index(#base, #index, #line))
        }
        PlaceKind::Temp(inner) => {
            let inner = value(inner);
            quote_spanned!(at=> __b.temp(#inner))
        }
        PlaceKind::Error => quote_spanned!(at=> __b.slot()),
    }
}
