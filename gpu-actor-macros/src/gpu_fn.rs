//! `#[gpu_fn]`: the function as it is, and beside it a type of the same name that holds its device twin.
//!
//! Functions and types have separate namespaces, so that one `use` imports both; and the twin is an associated function
//! rather than one in a module, so that it sees the names that the function itself sees, in a function body too.

use crate::body::Parser;
use crate::emit::{self, function_body, quiet, rt};
use crate::errors::Errors;
use crate::groups;
use crate::signature::{self, Parameter};
use crate::types::Use;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn};

/// Expands the attribute.
pub(crate) fn expand(options: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.at(options, "#[gpu_fn] takes no options");
    }
    let Some(mut function) = errors.take(syn::parse2::<ItemFn>(item.clone())) else {
        return errors.into_tokens();
    };
    groups::in_function(&mut function);
    let twin = twin(&function, &mut errors);
    let errors = errors.into_tokens();
    quote!(#function #twin #errors)
}

/// The twin; one without a body if the body has errors, so that its callers are not errors too.
fn twin(function: &ItemFn, errors: &mut Errors) -> TokenStream {
    signature::check(&function.sig, "a device function", errors);
    let mut parameters = Vec::new();
    for input in &function.sig.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                errors.at(receiver, "a device function has no `self`: pass the values that it needs");
            }
            FnArg::Typed(typed) => {
                parameters.extend(Parameter::parse(typed, parameters.len(), Use::Local, errors));
            }
        }
    }
    let result = signature::result(&function.sig.output, Use::Local, errors);
    let sound = errors.is_empty();
    let names = parameters.iter().map(|parameter| &parameter.name);
    let body = Parser::new(errors, false, None, names).body(&function.block);
    if !sound {
        return TokenStream::new();
    }

    let (rt, quiet) = (rt(), quiet());
    let (vis, name) = (&function.vis, &function.sig.ident);
    let cfgs = signature::cfgs(&function.attrs);
    let names = parameters.iter().map(|parameter| &parameter.name);
    let types = parameters.iter().map(|parameter| &parameter.ty);
    let places = parameters.iter().map(|Parameter { name, mutable, .. }| {
        // What is not assigned to needs no copy.
        if *mutable { quote!(let #name = __b.local(#name);) } else { quote!(let #name = __b.temp(#name);) }
    });
    let body = errors.is_empty().then(|| function_body(&body));
    let frame = quote_spanned!(emit::here(function.sig.output.span())=> __b.frame_begin::<#result>);
    let path = format!("::{}", syn::ext::IdentExt::unraw(name));
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
            pub fn __gpu(__b: &#rt::Builder #(, #names: #rt::Val<#types>)*) -> #rt::Val<#result> {
                let __frame = #frame(::core::concat!(::core::module_path!(), #path));
                if !__frame.is_cycle() {
                    #(#places)*
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
