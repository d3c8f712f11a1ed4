//! How others call an actor: a message per handler, and a method per handler for hosts, native and device twins.

use super::generate::bounds;
use super::model::{Actor, Handler};
use crate::data::{self, Field, Layout};
use crate::emit::{here, rt};
use crate::signature::Parameter;
use crate::slices::{self, Slice};
use crate::types::without_self;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Generics, Member, Type, Visibility};

/// The struct that carries the handler's arguments.
pub(super) fn message_name(handler: &Handler) -> Ident {
    format_ident!("__Message_{}", handler.name, span = Span::call_site())
}

/// The constant with the handler's id.
pub(super) fn id_name(handler: &Handler) -> Ident {
    format_ident!("__ID_{}", handler.name, span = Span::call_site())
}

/// The constant with the handler's record.
pub(super) fn method_name(handler: &Handler) -> Ident {
    format_ident!("__METHOD_{}", handler.name, span = Span::call_site())
}

/// The handler's parameters in the order that they have in its message, slices first, each with its number there.
pub(super) fn numbered(parameters: &[Parameter]) -> impl Iterator<Item = (usize, &Parameter)> {
    let (slices, others): (Vec<_>, Vec<_>) =
        parameters.iter().partition(|parameter| slices::of(&parameter.ty).is_some());
    slices.into_iter().chain(others).enumerate()
}

/// The handler's parameters as fields of its message.
pub(super) fn fields(actor: &Actor, handler: &Handler) -> Vec<(Ident, Type)> {
    numbered(&handler.parameters)
        .map(|(_, parameter)| {
            (parameter.name.clone(), without_self(&slices::stored(&parameter.ty), &actor.ty))
        })
        .collect()
}

/// The handler's parameters as a stub takes them; `slice` says what it takes for a slice.
fn taken(actor: &Actor, handler: &Handler, slice: impl Fn(Slice<'_>) -> TokenStream) -> Vec<TokenStream> {
    let types = handler.parameters.iter().map(|parameter| {
        let ty = without_self(&parameter.ty, &actor.ty);
        slices::of(&ty).map_or_else(|| quote!(#ty), &slice)
    });
    handler.parameters.iter().zip(types).map(|(Parameter { name, .. }, ty)| quote!(#name: #ty)).collect()
}

/// What a stub fills the message with: the slices are written where it is sent.
fn filled(handler: &Handler) -> impl Iterator<Item = TokenStream> {
    handler.parameters.iter().map(|Parameter { name, ty, .. }| {
        let rt = rt();
        if slices::of(ty).is_some() { quote!(#name: #rt::SliceWords::NONE) } else { quote!(#name) }
    })
}

/// The message of one handler, checked for its size at the handler's name.
pub(super) fn message(actor: &Actor, handler: &Handler) -> TokenStream {
    let name = message_name(handler);
    let cfgs = &handler.cfgs;
    let fields = fields(actor, handler);
    let declared = fields.iter().map(|(name, ty)| quote!(#name: #ty));
    let layout = Layout {
        name: name.clone(),
        vis: Visibility::Inherited,
        generics: Generics::default(),
        fields: fields
            .iter()
            .map(|(name, ty)| Field {
                member: Member::Named(name.clone()),
                vis: Visibility::Inherited,
                ty: ty.clone(),
            })
            .collect(),
    };
    let impls = data::plain_impls(&layout);
    let result = without_self(&slices::stored(&handler.result), &actor.ty);
    let sizes = quote_spanned! {here(handler.name.span())=>
        const _: () = {
            use ::gpu_actor_rt::__private::UnknownSize as _;
            ::core::assert!(
                ::gpu_actor_rt::__private::Size::<#name>::OF <= 224,
                "the parameters of this handler take more than the 224 bytes that fit a message: pass less at a time"
            );
        };
    };
    let reply = quote_spanned! {here(handler.result_span)=>
        const _: () = {
            use ::gpu_actor_rt::__private::UnknownSize as _;
            ::core::assert!(
                ::gpu_actor_rt::__private::Size::<#result>::OF <= 224,
                "this reply takes more than the 224 bytes that fit a message: reply with less at a time"
            );
        };
    };
    let ty = &actor.ty;
    let copied = handler.atomic.filter(|_| handler.mutable).map(|at| {
        quote_spanned! {here(at)=>
            #(#cfgs)*
            const _: () = ::core::assert!(
                ::gpu_actor_rt::__private::Size::<#ty>::OF <= 4096,
                "an atomic handler works on a copy of the state, which may take 4096 bytes: keep less in one actor"
            );
        }
    });
    quote! {
        #copied
        #(#cfgs)*
        #[doc(hidden)]
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct #name { #(#declared,)* }
        #(#cfgs)*
        #impls
        #(#cfgs)*
        #sizes
        #(#cfgs)*
        #reply
    }
}

/// The three types that dereferenced references and ids turn into, and their methods.
pub(super) fn types(actor: &Actor) -> TokenStream {
    let (rt, bounds) = (rt(), bounds(actor));
    let ty = &actor.ty;
    let host = actor.handlers.iter().map(|handler| host_stub(actor, handler));
    let native = actor.handlers.iter().map(|handler| native_stub(actor, handler));
    let device = actor.handlers.iter().map(|handler| device_stub(actor, handler));
    let [reference, id, device_id] =
        ["Ref", "Id", "DeviceId"].map(|what| format_ident!("__{}{}", actor.name, what));
    quote! {
        #[doc(hidden)]
        #[derive(Clone)]
        pub struct #reference(#rt::RawRef);

        impl #reference #bounds { #(#host)* }

        #[automatically_derived]
        impl ::core::convert::From<#rt::RawRef> for #reference {
            fn from(__raw: #rt::RawRef) -> Self {
                Self(__raw)
            }
        }

        #[doc(hidden)]
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub struct #id(u64);

        impl #id #bounds { #(#native)* }

        #[automatically_derived]
        impl ::core::convert::From<u64> for #id {
            fn from(__raw: u64) -> Self {
                Self(__raw)
            }
        }

        #[automatically_derived]
        impl ::core::convert::From<#id> for u64 {
            fn from(__id: #id) -> Self {
                __id.0
            }
        }

        #[doc(hidden)]
        #[derive(Clone, Copy)]
        pub struct #device_id(#rt::Place<u64>);

        impl #device_id #bounds { #(#device)* }

        impl #rt::UnknownActor for #ty {}

        #[automatically_derived]
        impl #rt::Actor for #ty {
            type Ref = #reference;
            type Id = #id;
            type DeviceId = #device_id;
            fn device_id(__raw: #rt::Place<u64>) -> #device_id {
                #device_id(__raw)
            }
            fn info() -> &'static #rt::ActorInfo {
                // Of the type itself, if all of its messages are data.
                use #rt::UnknownActor as _;
                &<#ty>::__INFO
            }
        }
    }
}

/// Asks or tells from the host.
fn host_stub(actor: &Actor, handler: &Handler) -> TokenStream {
    let Handler { name, vis, cfgs, docs, .. } = handler;
    let (rt, ty) = (rt(), &actor.ty);
    let (message, method) = (message_name(handler), method_name(handler));
    let taken = taken(actor, handler, |Slice { mutable, item }| {
        if mutable {
            quote!(impl ::core::convert::Into<#rt::SliceMutArg<#item>>)
        } else {
            quote!(impl ::core::convert::Into<#rt::SliceArg<#item>>)
        }
    });
    let filled = filled(handler);
    let result = without_self(&handler.result, &actor.ty);
    let result = slices::of(&result).map_or_else(
        || quote!(#result),
        |slice| {
            let item = slice.item;
            quote!(#rt::BufferSlice<#item>)
        },
    );
    let slices: Vec<_> = slices::among(&handler.parameters)
        .map(|(_, Parameter { name, .. }, Slice { mutable, .. })| {
            let arg = if mutable { quote!(SliceMutArg) } else { quote!(SliceArg) };
            quote!(#rt::#arg::erase(::core::convert::Into::into(#name)))
        })
        .collect();
    let call = if slices.is_empty() { quote!(call) } else { quote!(call_with) };
    let slices = (!slices.is_empty()).then(|| quote!(, [#(#slices,)*]));
    quote! {
        #(#cfgs)*
        #(#docs)*
        #vis fn #name(&self #(, #taken)*) -> #rt::Call<#result> {
            self.0.#call::<#message, #result>(&<#ty>::#method, #message { #(#filled,)* } #slices)
        }
    }
}

/// The message of `cx.tell(..)` in a handler that runs natively.
fn native_stub(actor: &Actor, handler: &Handler) -> TokenStream {
    let Handler { name, vis, cfgs, docs, .. } = handler;
    let rt = rt();
    let (message, id) = (message_name(handler), id_name(handler));
    let taken = taken(actor, handler, |Slice { mutable, item }| {
        if mutable { quote!(#rt::GpuSliceMut<#item>) } else { quote!(#rt::GpuSlice<#item>) }
    });
    let filled = handler.parameters.iter().map(|Parameter { name, ty, .. }| {
        if slices::of(ty).is_some() { quote!(#name: #rt::SliceWords::from(#name)) } else { quote!(#name) }
    });
    quote! {
        #(#cfgs)*
        #(#docs)*
        #vis fn #name(&self #(, #taken)*) -> #rt::Message {
            #rt::Message::new::<#message>(self.0, #id, #message { #(#filled,)* })
        }
    }
}

/// `cx.tell(..)` in a handler that is being built for the device.
fn device_stub(actor: &Actor, handler: &Handler) -> TokenStream {
    let Handler { vis, cfgs, .. } = handler;
    let rt = rt();
    let (message, id) = (message_name(handler), id_name(handler));
    let stub = format_ident!("__gpu_{}", handler.name);
    let taken = handler.parameters.iter().map(|Parameter { name, ty, .. }| {
        let ty = without_self(ty, &actor.ty);
        let ty = slices::device(&ty);
        quote!(#name: #rt::Val<#ty>)
    });
    let plain = numbered(&handler.parameters).filter(|(_, parameter)| slices::of(&parameter.ty).is_none());
    let plain = plain.map(|(number, Parameter { name, ty, .. })| {
        let ty = without_self(ty, &actor.ty);
        quote!(__b.send_arg::<#ty>(&__slot, #message::__DATA.offsets[#number], #name);)
    });
    let count = slices::among(&handler.parameters).count();
    let slices =
        slices::among(&handler.parameters).map(|(number, Parameter { name, .. }, Slice { item, .. })| {
            let item = without_self(item, &actor.ty);
            quote!(let __free = __b.send_slice::<#item>(&__slot, #number, #name, __free);)
        });
    let slices = (count > 0).then(|| {
        quote! {
            __b.send_slices(&__slot, #count);
            let __free = __b.lit((#rt::Size::<#message>::OF as u32).next_multiple_of(8));
            #(#slices)*
            let _ = __free;
        }
    });
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #vis fn #stub(&self, __b: &#rt::Builder, __line: u32 #(, #taken)*) {
            __b.at_line(__line);
            let __slot = __b.send(__b.read(self.0), #id);
            #(#plain)*
            #slices
        }
    }
}
