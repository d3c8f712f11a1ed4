//! The memory layout that the ring kernel and the host share, defined once.
//!
//! Rules kept here: every shared word is 8 bytes and 8-aligned; every line (128 bytes) has exactly one writer; the
//! host and the device read offsets only from this module. See the book's internals chapter for the picture.

/// Bytes of a cache line on the devices that matter; nothing written by two parties shares one.
pub const LINE: u64 = 128;

/// The message slot: a 32-byte header of four words, then the payload.
///
/// Word 0 holds the sequence number in its low half and the method id in its high half, so that one release store
/// publishes the slot and one acquire load takes both.
pub mod slot {
    /// Offset of the word with sequence (low 32 bits) and method id (high 32 bits).
    pub const SEQ_METHOD: u64 = 0;
    /// Offset of the raw id of the actor that the message is for (in completions: the actor that it is from).
    pub const ACTOR: u64 = 8;
    /// Offset of the hybrid logical clock stamp.
    pub const HLC: u64 = 16;
    /// Offset of the correlation word, see [`corr`](super::corr).
    pub const CORR: u64 = 24;
    /// Bytes of the header; the payload starts here.
    pub const HEADER: u64 = 32;
    /// The slot classes in bytes.
    pub const CLASSES: [u64; 3] = [64, 128, 256];
    /// The largest payload in bytes.
    pub const MAX_PAYLOAD: u64 = 224;
}

/// The correlation word: who waits for the reply.
///
/// Bits 0..24 index the host's table of pending asks, bits 24..56 are its generation tag, bits 56..60 the payload
/// kind, bits 60..64 the message kind. A tell has [`KIND_TELL`](corr::KIND_TELL) and zeroes below.
pub mod corr {
    /// Bits of the index into the table of pending asks.
    pub const INDEX_BITS: u32 = 24;
    /// Bits of the generation tag.
    pub const GENERATION_BITS: u32 = 32;
    /// Shift of the payload kind (0: inline in the slot; others are reserved for pooled buffers).
    pub const PAYLOAD_SHIFT: u32 = 56;
    /// Shift of the message kind.
    pub const KIND_SHIFT: u32 = 60;
    /// Message kind: nobody waits.
    pub const KIND_TELL: u64 = 0;
    /// Message kind: an ask; index and generation name who waits.
    pub const KIND_ASK: u64 = 1;
}

/// The raw id of an actor: which node, type, worker and slot. Zero is no actor.
pub mod actor_id {
    /// Bits 0..32: slot within (type, worker).
    pub const SLOT_BITS: u32 = 32;
    /// Bits 32..44: worker.
    pub const WORKER_SHIFT: u32 = 32;
    /// Width of the worker field.
    pub const WORKER_BITS: u32 = 12;
    /// Bits 44..56: type index, counted from 1.
    pub const TYPE_SHIFT: u32 = 44;
    /// Width of the type field.
    pub const TYPE_BITS: u32 = 12;
    /// Bits 56..64: node, 0 is this process.
    pub const NODE_SHIFT: u32 = 56;
}

/// Completion kinds: the high half of word 0 of a completion slot.
pub mod completion {
    /// The handler returned; the payload is its reply.
    pub const REPLY: u32 = 1;
    /// The handler (or its dispatch) faulted; the payload is a [`fault`](super::fault) record.
    pub const FAULT: u32 = 2;
    /// A message sent on the device could not be delivered; the payload is a [`fault`](super::fault) record whose method is
    /// the undelivered message's, and the actor word is the intended receiver.
    pub const DEAD_LETTER: u32 = 3;
}

/// The payload of a fault or dead letter, as offsets from the start of the payload.
pub mod fault {
    /// Word: fault code (low half, see [`code`]) and site index within the handler (high half).
    pub const CODE_SITE: u64 = 0;
    /// Word: method id of the message (low half); the high half is zero.
    pub const METHOD: u64 = 8;
    /// Bytes of the record.
    pub const SIZE: u64 = 16;

    /// Fault codes, stable across versions.
    pub mod code {
        /// Integer overflow, a shift by the width or more, or `MIN / -1`.
        pub const OVERFLOW: u32 = 1;
        /// An array index out of bounds.
        pub const BOUNDS: u32 = 2;
        /// Division or remainder by zero.
        pub const DIVISION_BY_ZERO: u32 = 3;
        /// A failed `assert!`.
        pub const ASSERT: u32 = 4;
        /// `panic!`.
        pub const PANIC: u32 = 5;
        /// Loops ran past the budget of one message.
        pub const BUDGET: u32 = 6;
        /// One handler call sent more messages than its outbox holds.
        pub const TOO_MANY_SENDS: u32 = 7;
        /// No handler with the method id for the actor's type.
        pub const UNKNOWN_METHOD: u32 = 8;
        /// The id names no actor on this worker.
        pub const UNKNOWN_ACTOR: u32 = 9;
        /// The receiver's inbox and the sender's spill ring are full.
        pub const MAILBOX_FULL: u32 = 10;
        /// The message's clock stamp is further ahead than the drift bound.
        pub const CLOCK_DRIFT: u32 = 11;
    }
}

/// The record that a handler works with: one per lane, in device memory.
pub mod cx {
    /// Word: loop back-edges that this call may take.
    pub const BUDGET: u64 = 0;
    /// Half word: fault code, written by the handler before it returns non-zero.
    pub const FAULT_CODE: u64 = 8;
    /// Half word: fault site.
    pub const FAULT_SITE: u64 = 12;
    /// Word: raw id of the actor.
    pub const SELF_ID: u64 = 16;
    /// Word: the actor's clock at this message.
    pub const NOW: u64 = 24;
    /// Half word: worker.
    pub const WORKER: u64 = 32;
    /// Half word: lane.
    pub const LANE: u64 = 36;
    /// Word: address of the outbox; entries have the slot layout and the slot size, word 0 holds the method id in its high half.
    pub const OUTBOX: u64 = 40;
    /// Half word: messages staged by this call.
    pub const SENT: u64 = 48;
    /// Half word: entries that the outbox has.
    pub const OUTBOX_CAPACITY: u64 = 52;
    /// Word: bytes of an outbox entry (the slot size of the system).
    pub const SLOT_SIZE: u64 = 56;
    /// The reply, up to [`slot::MAX_PAYLOAD`](super::slot::MAX_PAYLOAD) bytes.
    pub const REPLY: u64 = 64;
    /// Bytes of the record.
    pub const SIZE: u64 = 288;
}
