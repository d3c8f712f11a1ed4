//! Attribute macros of gpu-actor: actors, handlers, device functions and payload types.

#![forbid(unsafe_code)]

mod actor;
mod body;
mod data;
mod emit;
mod errors;
mod gpu_fn;
mod signature;
mod types;

use proc_macro::TokenStream;

/// Makes an actor: on a struct its state, on an impl block its handlers.
#[proc_macro_attribute]
pub fn gpu_actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(&options.into(), &item.into()).into()
}

/// Marks a function of a `#[gpu_actor]` impl block as a handler.
#[proc_macro_attribute]
pub fn handler(_: TokenStream, item: TokenStream) -> TokenStream {
    actor::stray_handler(&item.into()).into()
}

/// Gives a function a device twin.
#[proc_macro_attribute]
pub fn gpu_fn(options: TokenStream, item: TokenStream) -> TokenStream {
    gpu_fn::expand(&options.into(), &item.into()).into()
}

/// Makes a struct that host and device share.
#[proc_macro_derive(GpuData)]
pub fn gpu_data(item: TokenStream) -> TokenStream {
    data::derive(&item.into()).into()
}
