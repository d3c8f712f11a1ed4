//! What becomes of messages for which there is no space: a choice per actor type.
//!
//! Rule kept here: no message is lost in silence. A policy refuses it, reports it, or counts it.

use std::fmt;

/// What becomes of a message when there is no space for it; `on_full` of `#[gpu_actor]`.
///
/// A message that a handler sends finds no space when its receiver's queue on the device is full, and the spill ring
/// ([`Config::spill`](crate::Config::spill)) of the handler's worker too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFull {
    /// `"reject"`: a tell is refused with [`Error::Full`](crate::Error::Full). A message that a handler sends is a dead letter.
    #[default]
    Reject,
    /// `"drop_oldest"`: the oldest message that waits on the host for the type is dropped and counted, and the new one is taken.
    /// An ask that is dropped so ends with [`Error::Dropped`](crate::Error::Dropped). A message that a handler sends is itself
    /// dropped and counted: those before it have their places in the device's rings, between messages to other actors.
    DropOldest,
    /// `"drop_newest"`: the message itself is dropped and counted, and its tell is `Ok`. Asks and `tell_wait` wait for space. A
    /// message that a handler sends is dropped and counted.
    DropNewest,
}

impl fmt::Display for OnFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reject => "reject",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
        })
    }
}

/// The mailbox of an actor type, as its attribute says it; [`Config::mailbox`](crate::Config::mailbox) overrides it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct Mailbox {
    /// Messages of the type that the host keeps for each worker beyond the worker's ring.
    pub messages: u32,
    /// What becomes of a message when these are full too.
    pub on_full: OnFull,
}

impl Mailbox {
    /// What the host keeps of a type that drops its oldest and says no more.
    pub const DEFAULT_OLDEST: u32 = 1024;
    /// The most messages that the host keeps for a type and worker.
    pub const MOST: u32 = 1 << 24;

    /// The mailbox that an attribute describes; 0 messages: it says nothing of them.
    pub const fn new(messages: u32, on_full: OnFull) -> Self {
        // Without a queue there would be no oldest.
        let messages = match (messages, on_full) {
            (0, OnFull::DropOldest) => Self::DEFAULT_OLDEST,
            _ => messages,
        };
        Self { messages, on_full }
    }
}
