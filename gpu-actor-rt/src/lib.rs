//! GPU-native actors for Rust: the runtime that a program links.
//!
//! Annotate a struct and its handlers; the actors then live in device memory and are run by a *ring kernel*, one
//! persistent kernel that polls message rings and calls the handlers on the device.
//!
//! ```
//! use gpu_actor_rt::prelude::*;
//!
//! #[gpu_actor]
//! #[derive(Default)]
//! pub struct Account { balance: u64 }
//!
//! #[gpu_actor]
//! impl Account {
//!     #[handler]
//!     pub fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
//! }
//!
//! #[tokio::main]
//! async fn main() -> gpu_actor_rt::Result<()> {
//!     let system = ActorSystem::start(Config::default()).await?;
//!     let alice = system.actor::<Account>("alice");        // it exists from its first message on
//!     alice.deposit(5).tell()?;                            // tell: send, do not wait
//!     assert_eq!(alice.deposit(100).await?, 105);          // ask: await the reply
//!     system.shutdown().await
//! }
//! ```
//!
//! - [`ActorSystem`] starts a device's ring kernel and stops it; [`Config`] has its options.
//! - [`ActorRef`] addresses an actor by type and [`Key`]; its methods are the type's handlers and return a [`Call`].
//! - [`ActorId`] names an actor in messages and states; handlers send through it with [`Cx::tell`].
//! - [`Error`] says what happened, to whom, and what to do; a [`Fault`] is a handler's failure, with its source line.
//! - [`math`] has `exp`, `ln`, `sin`, `cos`, `tanh` and `powf` that give the same bits everywhere.
//! - [`testing`] proves that a handler does the same natively and on the device; [`device`] is the seam to devices.
//!
//! Where there is no GPU, the same PTX runs on the software GPU of the crate `soft-gpu`. No executor is required:
//! the futures here need no runtime, and their timeouts need no timer.

// Generated code names `::gpu_actor_rt::__private`; this makes it work in the crate's own tests.
#[cfg(test)]
extern crate self as gpu_actor_rt;

mod actor;
mod asks;
mod buffer;
mod call;
mod catalog;
mod coarse;
mod config;
mod cx;
pub mod device;
mod error;
mod fault;
mod habit;
pub mod hlc;
mod id;
mod key;
mod mailbox;
mod overflow;
#[cfg(test)]
mod overflow_tests;
mod pool;
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
mod words;

pub use actor::{Actor, ActorState};
pub use buffer::{
    Buffer, BufferError, BufferSlice, Element, GpuSlice, GpuSliceMut, MOST_BYTES, Map, MapMut, NativeBuffer,
    Reply, SliceArg, SliceMutArg,
};
pub use call::{Ask, AskStamped, Call, Stamped, TellWait};
pub use catalog::{ActorType, HandlerType, linked_actors};
pub use config::Config;
pub use cx::{Cx, Message};
pub use error::{Error, Result};
pub use fault::{Fault, FaultKind};
pub use gpu_actor_macros::{GpuData, gpu_actor, gpu_fn, handler};
pub use id::ActorId;
pub use kernels_ptx::lang::GpuData;
pub use kernels_ptx::{math, num};
pub use key::Key;
pub use mailbox::OnFull;
pub use pool::{BucketStats, PoolConfig, PoolMode, PoolStats, Pressure, PressureChange};
pub use refs::ActorRef;
pub use stats::Stats;
pub use system::ActorSystem;
pub use system::many::{AskMany, TellManyError};

/// What a program imports: `use gpu_actor_rt::prelude::*;`.
pub mod prelude {
    pub use gpu_actor_macros::{GpuData, gpu_actor, gpu_fn, handler};
    pub use kernels_ptx::lang::GpuData;

    pub use crate::{
        Actor, ActorId, ActorRef, ActorSystem, Buffer, BufferSlice, Config, Cx, Error, Fault, FaultKind,
        GpuSlice, GpuSliceMut, Key, OnFull, Stats,
    };
}

/// What generated code names; nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use kernels_ptx::__private::*;

    pub use crate::actor::{
        Actor, ActorInfo, ActorState, ElementInfo, MethodInfo, Registration, UnknownActor, method_id,
        normalise,
    };
    pub use crate::buffer::{
        BufferSlice, Element, GpuSlice, GpuSliceMut, NativeBuffers, SliceArg, SliceMutArg, SliceWords,
    };
    pub use crate::call::Call;
    pub use crate::cx::{Cx, Message};
    pub use crate::id::ActorId;
    pub use crate::mailbox::{Mailbox, OnFull};
    pub use crate::pool::{Block, BufferPool};
    pub use crate::refs::{ActorRef, RawRef};
    pub use crate::testing::check_lowering;
    pub use crate::{ring, sync};
}
