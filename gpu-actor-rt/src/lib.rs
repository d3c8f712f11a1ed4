//! GPU-native actors for Rust: the runtime that a program links.
//!
//! ```ignore
//! ```

// Generated code names `::gpu_actor_rt::__private`; this makes it work in this crate's own tests.
#[cfg(test)]
extern crate self as gpu_actor_rt;

mod actor;
mod asks;
mod call;
mod config;
mod cx;
pub mod device;
mod error;
mod fault;
pub mod hlc;
mod id;
mod key;
mod program;
mod refs;
mod registry;
#[doc(hidden)]
pub mod ring;
mod shared;
mod stats;
#[doc(hidden)]
pub mod sync;
mod system;
pub mod testing;

pub use actor::{Actor, ActorState};
pub use call::{Ask, AskStamped, Call, Stamped, TellWait};
pub use config::Config;
pub use cx::{Cx, Message};
pub use error::{Error, Result};
pub use fault::{Fault, FaultKind};
pub use id::ActorId;
pub use key::Key;
pub use refs::ActorRef;
pub use gpu_actor_macros::{GpuData, gpu_actor, gpu_fn, handler};
pub use kernels_ptx::lang::GpuData;
pub use stats::Stats;
pub use system::ActorSystem;

/// What a program imports: `use gpu_actor_rt::prelude::*;`.
pub mod prelude {
    pub use gpu_actor_macros::{GpuData, gpu_actor, gpu_fn, handler};
    pub use kernels_ptx::lang::GpuData;

    pub use crate::{Actor, ActorId, ActorRef, ActorSystem, Config, Cx, Error, Fault, FaultKind, Key, Stats};
}

/// What generated code names; nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use kernels_ptx::__private::*;

    pub use crate::actor::{
        Actor, ActorInfo, ActorState, MethodInfo, Registration, method_id, normalise,
    };
    pub use crate::call::Call;
    pub use crate::cx::{Cx, Message};
    pub use crate::id::ActorId;
    pub use crate::refs::{ActorRef, RawRef};
    pub use crate::testing::check_lowering;
    pub use crate::{ring, sync};
}
