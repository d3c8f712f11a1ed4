//! What can go wrong with buffers, beside memory.

/// Why a buffer cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BufferError {
    /// No elements, or more than 1 GiB of them.
    #[error(
        "a buffer has 1 byte to 1 GiB, not {elements} elements of {size} bytes; split the data, or send none"
    )]
    Length {
        /// Elements that were asked for.
        elements: usize,
        /// Bytes of one.
        size: usize,
    },
    /// As many buffers as the system's table names.
    #[error("{limit} buffers are in use; drop some, or raise Config::max_buffers")]
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// No handler of the system's actors has slices, so it has no buffers.
    #[error("no handler of this system takes a `GpuSlice`, so it has no buffers")]
    Unused,
    /// A part that the buffer does not have.
    #[error("elements {from}..{to} are asked for, of {len}")]
    Range {
        /// First element.
        from: usize,
        /// The one behind the last.
        to: usize,
        /// Elements that there are.
        len: usize,
    },
    /// Data of another length than the buffer's.
    #[error("{given} elements are given for {len}")]
    Mismatch {
        /// Elements of the data.
        given: usize,
        /// Elements of the buffer.
        len: usize,
    },
    /// The call could not be sent before, and the error has said why.
    #[error("the call failed before, when its slices were put into the message; make it again")]
    Failed,
    /// The buffer belongs to another system, and so to another device's memory.
    #[error("the buffer belongs to another actor system; copy its elements into a buffer of this one")]
    Foreign,
    /// The host has the buffer mapped.
    #[error("the buffer is mapped on the host{}; drop the guard before a handler gets it", if *.for_writing { " for writing" } else { ", and the handler may write to it" })]
    Mapped {
        /// By a guard that can write.
        for_writing: bool,
    },
}
