//! The dispatcher: from a method id to the handler.
//!
//! A balanced tree of compares on the method id; at its leaf the type is checked, so that a message which reaches an
//! actor of another type becomes a fault and not a call on foreign state. Methods and types that nobody registered give
//! [`UNKNOWN_METHOD`](crate::abi::fault::code::UNKNOWN_METHOD).

use crate::{
    abi::{cx, fault::code},
    builder::Builder,
    error::LowerError,
    ir::{Function, Order, ScalarType},
    lang::Val,
    ring::buffers::FORGET,
};

/// The symbol of the dispatcher.
pub const SYMBOL: &str = "gpu_actor_dispatch";

/// One handler that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The method's id.
    pub method: u32,
    /// The index of the actor type that has the method, as in an actor's raw id.
    pub type_index: u32,
    /// The handler's symbol.
    pub symbol: String,
}

/// Builds `gpu_actor_dispatch(method, type_index, state, message, cx) -> status` for the handlers.
///
/// ```
/// use kernels_ptx::{builder::Builder, dispatch::{self, Dispatch}, module::Module};
///
/// let handler = Builder::handler("idle").finish()?;
/// let dispatcher = dispatch::build(&[Dispatch { method: 7, type_index: 1, symbol: "idle".into() }])?;
/// let mut module = Module::new("example");
/// module.add(handler).add(dispatcher).add(kernels_ptx::ring::buffers::forgetting()?);
/// assert!(module.verify()?.ptx().contains("gpu_actor_dispatch"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The module needs [`forgetting`](crate::ring::buffers::forgetting), too.
///
/// # Errors
///
/// [`LowerError::DuplicateMethod`] if two handlers have the same method id.
pub fn build(handlers: &[Dispatch]) -> Result<Function, LowerError> {
    let mut handlers: Vec<_> = handlers.iter().collect();
    handlers.sort_by_key(|h| h.method);
    for pair in handlers.windows(2) {
        if pair[0].method == pair[1].method {
            let (first, second) = (pair[0].symbol.clone(), pair[1].symbol.clone());
            return Err(LowerError::DuplicateMethod { method: pair[0].method, first, second });
        }
    }
    use ScalarType::{U32, U64};
    let b = Builder::func(SYMBOL, &[U32, U32, U64, U64, U64], Some(U32));
    tree(&b, b.arg(0), &handlers);
    let context = b.arg::<u64>(4);
    b.store(context, cx::FAULT_CODE, b.lit(u64::from(code::UNKNOWN_METHOD)), Order::Weak);
    // Nobody else will give back what the message has.
    let _ = b.call(FORGET, vec![context.operand(), b.arg::<u64>(3).operand()]);
    b.result(b.lit(1u32));
    b.finish()
}

/// Calls the handler with the method id and returns its status; completes if there is none.
fn tree(b: &Builder, method: Val<u32>, handlers: &[&Dispatch]) {
    match handlers {
        [] => {}
        [leaf] => {
            b.if_begin(b.eq(method, b.lit(leaf.method)));
            b.if_begin(b.eq(b.arg::<u32>(1), b.lit(leaf.type_index)));
            let args = [2, 3, 4].map(|i| b.arg::<u64>(i).operand());
            b.result(b.call(&leaf.symbol, args.to_vec()));
            b.if_end();
            b.if_end();
        }
        _ => {
            let (low, high) = handlers.split_at(handlers.len() / 2);
            b.if_begin(b.lt(method, b.lit(high[0].method)));
            tree(b, method, low);
            b.if_else();
            tree(b, method, high);
            b.if_end();
        }
    }
}
