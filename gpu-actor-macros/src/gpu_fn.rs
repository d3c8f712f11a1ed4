//! `#[gpu_fn]`: the function as it is, and beside it a type of the same name that holds its device twin.
//!
//! Functions and types have separate namespaces, so that one `use` imports both; and the twin is an associated function
//! rather than one in a module, so that it sees the names that the function itself sees, in a function body too.

use crate::body::{Parser, Receiver};
use crate::emit::{function_body, quiet, rt};
use crate::errors::Errors;
use crate::recursion::{self, Node};
use crate::signature;
use crate::types::Use;
use crate::{gpu_impl, groups, slices};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{FnArg, Item, ItemFn};

/// Expands the attribute.
pub(crate) fn expand(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.at(options, "#[gpu_fn] takes no options");
    }
    let Some(parsed) = errors.take(syn::parse2::<Item>(item.clone())) else {
        return errors.into_tokens();
    };
    match parsed {
        Item::Fn(mut function) => {
            groups::in_function(&mut function);
            let twin = twin(&function, &mut errors);
            let errors = errors.into_tokens();
            quote!(#function #twin #errors)
        }
        Item::Impl(mut block) => {
            groups::in_impl(&mut block);
            let twins = gpu_impl::expand(&block, &mut errors);
            let errors = errors.into_tokens();
            for item in &mut block.items {
                if let syn::ImplItem::Fn(function) = item {
                    // One too many has been reported.
                    function.attrs.retain(|attribute| !gpu_impl::is_gpu_fn(attribute));
                }
            }
            quote!(#block #twins #errors)
        }
        other => {
            errors.at(other, "#[gpu_fn] stands on functions, and on impl blocks of your own types");
            let errors = errors.into_tokens();
            quote!(#item #errors)
        }
    }
}

/// The twin; one without a body if the body has errors, so that its callers are not errors too.
fn twin(function: &ItemFn, errors: &mut Errors) -> TokenStream {
    signature::check(&function.sig, "a device function", errors);
    for input in &function.sig.inputs {
        if let FnArg::Receiver(receiver) = input {
            errors.at(receiver, "only functions of an impl block have a `self`: mark the block #[gpu_fn]");
        }
    }
    let (context, parameters) = signature::parameters(function.sig.inputs.iter(), Use::Local, errors);
    let result = signature::result(&function.sig.output, Use::Local, errors);
    let sound = errors.is_empty();
    let (vis, name, generics) = (&function.vis, &function.sig.ident, &function.sig.generics);
    let names = parameters.iter().map(|parameter| &parameter.name);
    let body = Parser::new(errors, Receiver::None, context.flatten().as_ref(), names)
        .generic_over(generics)
        .slices(slices::among(&parameters).map(|(_, parameter, _)| &parameter.name))
        .body(&function.block);
    recursion::check(&[Node { name, body: &function.block }], None, errors);
    if !sound {
        return TokenStream::new();
    }

    let (rt, quiet) = (rt(), quiet());
    let cfgs = signature::cfgs(&function.attrs);
    let names = parameters.iter().map(|parameter| &parameter.name);
    let types = parameters.iter().map(|parameter| slices::device(&parameter.ty));
    let places = signature::locals(&parameters);
    let body = errors.is_empty().then(|| function_body(&body));
    let path = format!("::{}", syn::ext::IdentExt::unraw(name));
    let frame = signature::frame(&path, generics, &result, function.sig.output.span());
    let (declare, _, bounds) = generics.split_for_impl();
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #quiet
        #vis enum #name {}

        #(#cfgs)*
        #[automatically_derived]
        #quiet
        impl #name {
            #[doc(hidden)]
            pub fn __gpu #declare (__b: &#rt::Builder #(, #names: #rt::Val<#types>)*) -> #rt::Val<#result> #bounds {
                let __frame = #frame;
                if !__frame.is_cycle() {
                    #places
                    #body
                }
                __b.frame_end(__frame)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote as q;

    #[test]
    fn every_error_is_reported_at_once() {
        let item = quote! {
            fn f(a: Vec<u8>, b: u32) -> u32 {
                let c = |x| x;
                match b {
                    ref d => b?,
                }
            }
        };
        let expanded = expand(&TokenStream::new(), &item).to_string();
        for message in ["`Vec` lives", "closures are", "without `ref`", "`?` is"] {
            assert!(expanded.contains(message), "{expanded}");
        }
    }

    #[test]
    fn constants_are_told_from_locals() {
        let twin = |function| {
            let mut errors = Errors::default();
            let twin = twin(&function, &mut errors).to_string();
            assert_eq!(errors.messages(), Vec::<String>::new());
            twin
        };
        let tokens = twin(q!(
            fn f(x: i8) -> i8 {
                let y = x.max(-128i8);
                y.min(LIMIT)
            }
        ));
        assert!(tokens.contains("__b . lit (- 128i8)"), "{tokens}");
        assert!(tokens.contains("__b . lit (LIMIT)"), "{tokens}");
        assert!(tokens.contains("__b . read (y)"), "{tokens}");
        let tokens = twin(q!(
            fn f() -> u64 {
                A + B
            }
        ));
        assert!(tokens.contains("__b . lit (const { A + B })"), "{tokens}");
    }
}
