//! Errors: what happened, to whom, what to do.

use std::time::Duration;

use kernels_ptx::error::LowerError;

use crate::buffer::BufferError;
use crate::device::DeviceError;
use crate::fault::Fault;
use crate::hlc::DriftError;

/// A result of the runtime.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The handler faulted. The actor lives on with the state that the handler left.
    #[error("{0}")]
    Fault(Fault),
    /// The mailbox is full.
    #[error(
        "the mailbox of {actor} is full ({capacity} messages); use `tell_wait`, send less, or raise Config::host_inbox"
    )]
    Full {
        /// The actor.
        actor: String,
        /// Messages that its worker's ring holds, and what the type's mailbox has beyond that.
        capacity: u64,
    },
    /// The message waited for space and was dropped for a newer one, as the type's mailbox says; it was not handled.
    #[error(
        "the call of {actor}.{handler} was dropped for a newer message (its type drops the oldest when its mailbox is full)"
    )]
    Dropped {
        /// The actor.
        actor: String,
        /// The handler.
        handler: &'static str,
    },
    /// No reply came in time. The message may still be handled.
    #[error("{actor}.{handler} did not reply within {after:?}; it may still run (see Call::timeout)")]
    Timeout {
        /// The actor.
        actor: String,
        /// The handler.
        handler: &'static str,
        /// The time that was given.
        after: Duration,
    },
    /// More asks wait for replies than the system holds.
    #[error("{limit} asks wait for replies already; await some first, or raise Config::max_pending_asks")]
    TooManyAsks {
        /// The limit.
        limit: u32,
    },
    /// The system has been shut down, or dropped.
    #[error("the actor system has stopped and takes no more messages")]
    Stopped,
    /// The system ended before every message was handled.
    #[error(
        "the actor system was aborted with {lost} messages not handled; give Config::shutdown_deadline more time, or \
         look for the handler that does not return"
    )]
    Aborted {
        /// Messages that were accepted and not handled.
        lost: u64,
    },
    /// The ring kernel did not end, and the device cannot end it. What it uses is kept until the process ends; other systems on
    /// the device have to wait for that too.
    #[error(
        "the ring kernel did not end within {after:?} and cannot be killed ({lost} messages not handled); end the process, and \
         look for the handler that does not return (see Config::budget)"
    )]
    Stuck {
        /// Messages that were accepted and not handled.
        lost: u64,
        /// The time that was given.
        after: Duration,
    },
    /// The reply's clock stamp was too far ahead.
    #[error("{actor}: reply refused")]
    Clock {
        /// The actor.
        actor: String,
        /// By how much.
        #[source]
        source: DriftError,
    },
    /// Two registered types have one name.
    #[error(
        "two actor types are named {name:?} ({first} and {second}); name one with #[gpu_actor(name = \"...\")]"
    )]
    DuplicateType {
        /// The name.
        name: &'static str,
        /// Where the first one is.
        first: String,
        /// Where the second one is.
        second: String,
    },
    /// Two handlers have one method id.
    #[error("{first} and {second} have the same method id {id:#010x}; rename one of them")]
    MethodCollision {
        /// The id.
        id: u32,
        /// One handler.
        first: String,
        /// The other.
        second: String,
    },
    /// A message, reply or state breaks a limit.
    #[error("{what} of {whom} is {actual}, the limit is {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// Whose it is.
        whom: String,
        /// How large it is.
        actual: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The type is not part of the system.
    #[error(
        "{name} is not part of this system; if Config::actor restricts the types, add it there, otherwise link its crate"
    )]
    UnknownType {
        /// The type's name.
        name: &'static str,
    },
    /// No actor type is registered.
    #[error("no actor type is linked into the program; annotate one with #[gpu_actor]")]
    NoTypes,
    /// A configuration that cannot work.
    #[error("Config::{option} = {value} does not work: {why}")]
    Config {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// The rule.
        why: &'static str,
    },
    /// A handler cannot be lowered to the device.
    #[error("{actor}.{handler} cannot run on a GPU")]
    Lower {
        /// The actor type.
        actor: &'static str,
        /// The handler.
        handler: &'static str,
        /// Why.
        #[source]
        source: LowerError,
    },
    /// The runtime made a module that breaks its own rules: a bug in gpu-actor.
    #[error(
        "the module of this system did not pass the verifier; this is a bug in gpu-actor, please report it"
    )]
    Module(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no memory for a buffer, even after what is kept for later was given back, and idle actors were deactivated.
    #[error(
        "{device}: no memory for a buffer of {requested} bytes ({free} are free, {held} are kept for later); drop buffers, use \
         smaller ones, or raise PoolConfig::max_bytes"
    )]
    OutOfMemory {
        /// Bytes that were asked for. The pool needs the next power of two.
        requested: u64,
        /// Bytes that the device, or the pool's limit, has left.
        free: u64,
        /// Bytes that the pool keeps for later (those that are reserved for other sizes).
        held: u64,
        /// The device's name.
        device: String,
        /// The driver's own error; nothing where it was the pool's limit.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A buffer cannot be made or used so.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// The device or its driver failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The ring kernel did not come up.
    #[error("{running} of {workers} workers came up within {after:?}: {status}")]
    Start {
        /// Workers that run.
        running: u32,
        /// Workers that were launched.
        workers: u32,
        /// The time that was given.
        after: Duration,
        /// How the launch stands.
        status: String,
    },
    /// A worker did not answer a command.
    #[error(
        "{answered} of {workers} workers reached a message boundary within {after:?}; a handler may be in a long loop \
         (see Config::budget)"
    )]
    Unresponsive {
        /// Workers that answered.
        answered: u32,
        /// Workers that there are.
        workers: u32,
        /// The time that was given.
        after: Duration,
    },
    /// The operating system gave no thread, or its work panicked.
    #[error("the runtime's {name} thread failed")]
    Thread {
        /// What the thread is for.
        name: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
