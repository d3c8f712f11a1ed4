//! The dispatcher: from a method id to the handler.

/// The symbol of the dispatcher.
pub const SYMBOL: &str = "gpu_actor_dispatch";
