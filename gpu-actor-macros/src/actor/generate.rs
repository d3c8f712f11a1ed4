//! The model of an actor type as code: twins, records, stubs and the test that every handler can be lowered.

use super::check::is_handler;
use super::model::{Actor, Handler};
use super::stubs::{self, id_name, message_name, method_name};
use crate::emit::{function_body, here, quiet, rt};
use crate::errors::Errors;
use crate::gpu_impl::is_gpu_fn;
use crate::method;
use crate::signature::Parameter;
use crate::slices::{self, Slice};
use crate::types::without_self;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl};

/// The impl block without the marks, what goes beside it, and the errors.
pub(crate) fn expand(block: &ItemImpl, actor: Option<&Actor>, errors: Errors) -> TokenStream {
    let mut native = block.clone();
    for item in &mut native.items {
        let attributes = match item {
            ImplItem::Fn(item) => &mut item.attrs,
            ImplItem::Const(item) => &mut item.attrs,
            ImplItem::Type(item) => &mut item.attrs,
            ImplItem::Macro(item) => &mut item.attrs,
            _ => continue,
        };
        attributes.retain(|attribute| !is_handler(attribute) && !is_gpu_fn(attribute));
    }
    if actor.is_some_and(|actor| {
        actor.handlers.iter().any(|handler| slices::among(&handler.parameters).next().is_some())
    }) {
        // A slice is handed over: that is how a handler gets one.
        native.attrs.push(syn::parse_quote!(#[allow(clippy::needless_pass_by_value)]));
    }
    let generated = actor.map(generate);
    let errors = errors.into_tokens();
    quote!(#native #generated #errors)
}

fn generate(actor: &Actor) -> TokenStream {
    let (rt, quiet) = (rt(), quiet());
    let ty = &actor.ty;
    let messages = actor.handlers.iter().map(|handler| stubs::message(actor, handler));
    let twins = actor.handlers.iter().map(twin);
    let helpers = actor.helpers.iter().map(|helper| method::twins(ty, helper));
    let natives = actor.handlers.iter().map(|handler| native(actor, handler));
    let methods = actor.handlers.iter().map(|handler| method(actor, handler));
    let stubs = stubs::types(actor);
    let info = info(actor);
    let (bounds, state) = (bounds(actor), state_bound(actor));
    let ids = actor.handlers.iter().map(|handler| {
        let Handler { name, cfgs, .. } = handler;
        let (id, text) = (id_name(handler), name.unraw().to_string());
        quote! {
            #(#cfgs)*
            const #id: u32 = #rt::method_id(<#ty as #rt::ActorState>::TYPE_NAME, #text);
        }
    });
    let distinct = distinct(actor);
    let test = test(actor);
    quote! {
        #quiet
        const _: () = {
            #(#messages)*

            #[automatically_derived]
            impl #ty #bounds {
                #(#twins)*
                #(#helpers)*
                #(#methods)*
                #info
            }

            /// Writes the state back when the handler is done, and when it panics: the device does no less.
            #[doc(hidden)]
            struct __State<'a> where #state {
                value: #ty,
                bytes: &'a mut [u8],
            }
            #[automatically_derived]
            impl ::core::ops::Drop for __State<'_> where #state {
                fn drop(&mut self) {
                    #rt::GpuData::encode(&self.value, self.bytes);
                }
            }

            #(#natives)*
            #(#ids)*
            #distinct
            #stubs
            #rt::inventory::submit! { #rt::Registration(<#ty as #rt::Actor>::info) }
        };
        #test
    }
}

/// What has to hold of the types that the user wrote. Where it does not, that is reported at the type, and what has these
/// bounds takes them for granted instead of reporting it again.
pub(super) fn bounds(actor: &Actor) -> TokenStream {
    let state = state_bound(actor);
    // A bound cannot depend on a #[cfg].
    let always = actor.handlers.iter().filter(|handler| handler.cfgs.is_empty());
    let types = always.flat_map(|handler| {
        handler.parameters.iter().map(|parameter| &parameter.ty).chain([&handler.result])
    });
    let data = types.map(|ty| slices::of(ty).map_or(ty, |slice| slice.item)).map(|ty| {
        let at = here(ty.span());
        let ty = without_self(ty, &actor.ty);
        quote_spanned!(at=> #ty: ::gpu_actor_rt::__private::GpuData)
    });
    quote!(where #state #(, #data)*)
}

fn state_bound(actor: &Actor) -> TokenStream {
    let ty = &actor.ty;
    quote_spanned!(here(ty.span())=> #ty: ::gpu_actor_rt::__private::ActorState)
}

/// The device twin of one handler.
fn twin(handler: &Handler) -> TokenStream {
    let rt = rt();
    let Handler { name, cfgs, parameters, result, .. } = handler;
    let twin = format_ident!("__gpu_{}", name);
    let message = message_name(handler);
    let views = slices::among(parameters).map(|(number, Parameter { name, .. }, Slice { item, .. })| {
        quote!(let #name = __b.slice_param::<#item>(#number);)
    });
    let plain = stubs::numbered(parameters).filter(|(_, parameter)| slices::of(&parameter.ty).is_none());
    let places = plain.map(|(index, Parameter { name, ty, mutable })| {
        let place = quote!(__b.param::<#ty>(#message::__DATA.offsets[#index]));
        if *mutable { quote!(let #name = __b.local(__b.read(#place));) } else { quote!(let #name = #place;) }
    });
    // A body with errors has none to show for it here; the rest stays, so that its callers are not errors too.
    let body = handler.body.as_ref().map(function_body);
    let reply = if slices::of(result).is_some() { quote!(reply_slice) } else { quote!(reply) };
    let result = slices::device(result);
    let frame = quote_spanned!(here(handler.result_span)=> __b.frame_begin::<#result>);
    let path = format!("::{}", name.unraw());
    let (state, commit) = if handler.rolls_back() {
        (quote!(__b.state_copy::<Self>()), quote!(__b.state_commit(__self);))
    } else {
        (quote!(__b.state::<Self>()), TokenStream::new())
    };
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        pub fn #twin(__b: &#rt::Builder) {
            let __self = #state;
            #(#views)*
            #(#places)*
            let __frame = #frame(::core::concat!(::core::module_path!(), #path));
            #body
            let __v = __b.frame_end(__frame);
            #commit
            __b.#reply(__v);
        }
    }
}

/// The handler as a function of bytes.
fn native(actor: &Actor, handler: &Handler) -> TokenStream {
    let (rt, bounds) = (rt(), bounds(actor));
    let Handler { name, cfgs, .. } = handler;
    let ty = &actor.ty;
    let entry = format_ident!("__native_{}", name);
    let message = message_name(handler);
    let result = without_self(&handler.result, &actor.ty);
    let context = handler.takes_context.then(|| quote!(, __cx));
    let opened =
        slices::among(&handler.parameters).map(|(_, Parameter { name, .. }, Slice { mutable, item })| {
            let item = without_self(item, &actor.ty);
            let open = if mutable { quote!(open_mut) } else { quote!(open) };
            quote!(let #name = __cx.#open::<#item>(__message.#name);)
        });
    let arguments = handler.parameters.iter().map(|Parameter { name, ty, .. }| {
        if slices::of(ty).is_some() { quote!(#name) } else { quote!(__message.#name) }
    });
    let encoded = if slices::of(&handler.result).is_some() {
        quote!(#rt::GpuData::encode(&#rt::SliceWords::from(__result), __reply);)
    } else {
        quote!(#rt::GpuData::encode(&__result, __reply);)
    };
    let (decoded, receiver, commit) = if handler.rolls_back() {
        // A panic leaves the bytes as they are.
        (
            quote!(let mut __state = <#ty as #rt::GpuData>::decode(__bytes);),
            quote!(&mut __state),
            quote!(#rt::GpuData::encode(&__state, __bytes);),
        )
    } else {
        (
            quote!(let mut __state = __State { value: <#ty as #rt::GpuData>::decode(__bytes), bytes: __bytes };),
            if handler.mutable { quote!(&mut __state.value) } else { quote!(&__state.value) },
            quote!(::core::mem::drop(__state);),
        )
    };
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        fn #entry(__bytes: &mut [u8], __message: &[u8], __cx: &mut #rt::Cx, __reply: &mut [u8]) #bounds {
            let __message = <#message as #rt::GpuData>::decode(__message);
            #(#opened)*
            #decoded
            let __result: #result = <#ty>::#name(#receiver #context #(, #arguments)*);
            #commit
            #encoded
        }
    }
}

/// The handler's record.
fn method(actor: &Actor, handler: &Handler) -> TokenStream {
    let rt = rt();
    let Handler { name, cfgs, line, .. } = handler;
    let ty = &actor.ty;
    let method = method_name(handler);
    let message = message_name(handler);
    let result = without_self(&slices::stored(&handler.result), &actor.ty);
    let spec = slices::spec(&handler.parameters, &handler.result);
    let elements = slices::among(&handler.parameters).map(|(.., slice)| without_self(slice.item, &actor.ty));
    let (id, text) = (id_name(handler), name.unraw().to_string());
    let (twin, entry) = (format_ident!("__gpu_{}", name), format_ident!("__native_{}", name));
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        const #method: #rt::MethodInfo = #rt::MethodInfo {
            name: #text,
            id: #id,
            msg_size: <#message as #rt::GpuType>::TYPE.size(),
            reply_size: <#result as #rt::GpuType>::TYPE.size(),
            slices: #spec,
            elements: &[#(#rt::ElementInfo::of::<#elements>(),)*],
            file: ::core::file!(),
            line: #line,
            lower: <#ty>::#twin,
            native: #entry,
            message: #rt::normalise::<#message>,
            reply: #rt::normalise::<#result>,
        };
    }
}

/// The actor type's record.
fn info(actor: &Actor) -> TokenStream {
    let rt = rt();
    let Actor { ty, line, handlers, .. } = actor;
    let methods = handlers.iter().map(|handler| {
        let (cfgs, method) = (&handler.cfgs, method_name(handler));
        quote!(#(#cfgs)* Self::#method)
    });
    quote! {
        #[doc(hidden)]
        const __INFO: #rt::ActorInfo = #rt::ActorInfo {
            name: <#ty as #rt::ActorState>::TYPE_NAME,
            state_size: <#ty as #rt::GpuType>::TYPE.size(),
            state_align: <#ty as #rt::GpuType>::TYPE.align(),
            initial: |__out| #rt::GpuData::encode(&<#ty as ::core::default::Default>::default(), __out),
            state: #rt::normalise::<#ty>,
            methods: &[#(#methods,)*],
            mailbox: <#ty as #rt::ActorState>::MAILBOX,
            file: ::core::file!(),
            line: #line,
        };
    }
}

/// Handlers whose names hash alike could not be told apart: an error at the later one's name.
fn distinct(actor: &Actor) -> TokenStream {
    let checks = actor.handlers.iter().enumerate().skip(1).map(|(index, handler)| {
        let earlier = actor.handlers[..index].iter().map(|earlier| {
            let (cfgs, id) = (&earlier.cfgs, id_name(earlier));
            quote!(#(#cfgs)* #id)
        });
        let (cfgs, id) = (&handler.cfgs, id_name(handler));
        let at = here(handler.name.span());
        quote_spanned! {at=>
            #(#cfgs)*
            const _: () = {
                let __earlier: &[u32] = &[#(#earlier,)*];
                let mut __i = 0;
                while __i < __earlier.len() {
                    ::core::assert!(
                        __earlier[__i] != #id,
                        "the id of this handler equals that of an earlier one: choose another name"
                    );
                    __i += 1;
                }
            };
        }
    });
    quote!(#(#checks)*)
}

/// A test of the user's crate that every handler can be lowered and verified.
fn test(actor: &Actor) -> TokenStream {
    let rt = rt();
    let ty = &actor.ty;
    let name = format_ident!("__{}_can_be_lowered", actor.name);
    quote! {
        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn #name() {
            #rt::check_lowering(<#ty as #rt::Actor>::info());
        }
    }
}
