//! The ring kernel: a persistent kernel that polls message rings and calls handlers, written in the handler language.
//!
//! One source, two executions: lowered to PTX it is the kernel that a device runs; called natively its queue code is
//! what the model checker explores. `buffers` has what messages name and do not carry, `queue` has the rings, `clock` the hybrid logical clock, `message` how one message is
//! run, `outgoing` what becomes of those that its handler sent, `sleepers` how an actor is brought back whose state the host
//! keeps, `worker` the loop around it.

pub mod buffers;
pub mod clock;
pub mod message;
pub mod outgoing;
pub mod queue;
pub mod sleepers;
pub mod worker;

use crate::builder::Builder;
use crate::error::LowerError;
use crate::ir::{Function, ScalarType};

/// The name of the ring kernel's entry; its one parameter is the address of the root record.
pub const ENTRY: &str = "gpu_actor_ring";

/// Lowers the ring kernel. Its module also needs the dispatch function, see [`dispatch`](crate::dispatch), and
/// [`buffers::forgetting`], or all [`buffers::functions`] where a handler has slices.
///
/// # Errors
/// Never in practice: the kernel has no handler's fault and no recursion. The error is the builder's.
pub fn kernel() -> Result<Function, LowerError> {
    let b = Builder::kernel(ENTRY, &[ScalarType::U64]);
    worker::work::__gpu(&b, b.arg(0));
    b.finish()
}
