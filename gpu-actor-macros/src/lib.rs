//! Attribute macros of gpu-actor: actors, handlers, device functions and payload types.

mod body;
mod emit;
mod errors;
mod gpu_fn;
mod signature;
mod types;

use proc_macro::TokenStream;

/// Gives a function a device twin.
#[proc_macro_attribute]
pub fn gpu_fn(options: TokenStream, item: TokenStream) -> TokenStream {
    gpu_fn::expand(&options.into(), &item.into()).into()
}
