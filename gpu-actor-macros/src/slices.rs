//! Slices of buffers among a handler's parameters: told from their type's name, as the context is.

use crate::emit::{here, rt};
use crate::errors::Errors;
use crate::signature::Parameter;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type};

/// The most slices of one handler: what a message's slot names.
pub(crate) const MOST: usize = 4;

/// `GpuSlice<T>` or `GpuSliceMut<T>`.
pub(crate) struct Slice<'t> {
    /// Whether the handler may write to it.
    pub(crate) mutable: bool,
    /// What the elements are.
    pub(crate) item: &'t Type,
}

/// The slice that a type is, if it is one.
pub(crate) fn of(ty: &Type) -> Option<Slice<'_>> {
    let path = match ty {
        Type::Path(path) => path,
        Type::Paren(inner) => return of(&inner.elem),
        Type::Group(inner) => return of(&inner.elem),
        _ => return None,
    };
    let last = path.path.segments.last()?;
    let mutable = last.ident == "GpuSliceMut";
    if !mutable && last.ident != "GpuSlice" {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    let (item, None) = (types.next()?, types.next()) else { return None };
    Some(Slice { mutable, item })
}

/// The type that stands for `ty` on the device.
pub(crate) fn device(ty: &Type) -> TokenStream {
    if let Some(Slice { item, .. }) = of(ty) {
        let rt = rt();
        quote_spanned!(here(ty.span())=> #rt::DeviceSlice<#item>)
    } else {
        quote!(#ty)
    }
}

/// The type of a handler's parameter or reply in its message.
pub(crate) fn stored(ty: &Type) -> Type {
    if of(ty).is_some() { syn::parse_quote!(::gpu_actor_rt::__private::SliceWords) } else { ty.clone() }
}

/// Of the parameters, those that are slices: their number in the message, and what they are.
pub(crate) fn among(parameters: &[Parameter]) -> impl Iterator<Item = (usize, &Parameter, Slice<'_>)> {
    let slices = parameters.iter().filter_map(|parameter| Some((parameter, of(&parameter.ty)?)));
    slices.enumerate().map(|(number, (parameter, slice))| (number, parameter, slice))
}

/// Reports what a handler cannot have.
pub(crate) fn check(parameters: &[Parameter], errors: &mut Errors) {
    for (number, parameter, _) in among(parameters) {
        if number == MOST {
            errors
                .at(&parameter.ty, format!("a handler has at most {MOST} slices: put more into one buffer"));
        }
    }
}

/// What a handler does with its slices, as the runtime's record has it.
pub(crate) fn spec(parameters: &[Parameter], result: &Type) -> u32 {
    let mut spec = 0;
    for (number, _, slice) in among(parameters) {
        spec += 1;
        if slice.mutable {
            spec |= 1 << (4 + number);
        }
    }
    if of(result).is_some() { spec | 1 << 8 } else { spec }
}
