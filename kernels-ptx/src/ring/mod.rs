//! The ring kernel: a persistent kernel that polls message rings and calls handlers, written in the handler language.
//!
//! One source, two executions: lowered to PTX it is the kernel that a device runs; called natively its queue code is
//! what the model checker explores. `queue` has the rings, `clock` the hybrid logical clock, `message` the life of one
//! message, `worker` the loop around it.

pub mod clock;
pub mod message;
pub mod queue;
pub mod worker;
