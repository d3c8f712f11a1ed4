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
    /// Shift of the payload kind: how many [slices](super::slice) the payload begins with, of which some may be buffers'.
    pub const PAYLOAD_SHIFT: u32 = 56;
    /// Width of the payload kind.
    pub const PAYLOAD_BITS: u32 = 4;
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

/// A slice in a message or reply, 16 bytes: where its elements are. The slices of a message come first in its payload.
pub mod slice {
    /// Word: 0 for a slice without elements; else [`INLINE`], or a handle: the buffer's index in the table (low
    /// [`INDEX_BITS`]), its generation above.
    pub const HANDLE: u64 = 0;
    /// Half word: where the elements begin, in bytes from the buffer's begin, or from the payload's.
    pub const OFFSET: u64 = 8;
    /// Half word: bytes of the elements.
    pub const BYTES: u64 = 12;
    /// Bytes of the record.
    pub const SIZE: u64 = 16;
    /// Handle: the elements are in the message itself.
    pub const INLINE: u64 = 1 << 63;
    /// Bits of the index.
    pub const INDEX_BITS: u32 = 24;
    /// Bits of the generation, which is never 0.
    pub const GENERATION_BITS: u32 = 32;
    /// The most slices of one message.
    pub const MOST: u64 = 4;
}

/// The record of a system's buffers (mapped pinned memory). Written by the host before the launch, constant afterwards.
pub mod buffers {
    /// Word: address of the table of [`buffer`](super::buffer) records (mapped pinned, written by the host).
    pub const TABLE: u64 = 0;
    /// Word: address of the locks, one word per buffer (device memory): readers below, [`WRITER`] while a handler may write.
    pub const LOCKS: u64 = 8;
    /// Word: records of the table.
    pub const COUNT: u64 = 16;
    /// Word: address of the [`control`](super::control) block.
    pub const CONTROL: u64 = 24;
    /// Word: bytes of a message slot.
    pub const SLOT_SIZE: u64 = 32;
    /// Word: address of the array of releases rings' slots, [`RELEASE`] bytes each, `RELEASE_CAPACITY` for each worker (mapped
    /// pinned).
    pub const RELEASES: u64 = 40;
    /// Word: slots of a ring of releases, a power of two.
    pub const RELEASE_CAPACITY: u64 = 48;
    /// Word: address of the rings' ticket counters, a line for each worker (device memory).
    pub const TICKETS: u64 = 56;
    /// Bytes of the record.
    pub const SIZE: u64 = 64;
    /// A lock's value while a handler may write to the buffer.
    pub const WRITER: u64 = 1 << 32;
    /// Bytes of a slot of a ring of releases: a message slot without payload, whose actor word is the handle, and whose stamp is by
    /// how much the references of the device to the buffer have changed, as a signed number.
    pub const RELEASE: u64 = 64;
    /// The high half of word 0 of such a slot.
    pub const CHANGED: u32 = 1;
}

/// A buffer's record in the table.
pub mod buffer {
    /// Word: address of its first byte.
    pub const ADDRESS: u64 = 0;
    /// Word: its bytes.
    pub const BYTES: u64 = 8;
    /// Word: its generation; 0 while there is no buffer.
    pub const GENERATION: u64 = 16;
    /// Bytes of the record.
    pub const SIZE: u64 = 32;
}

/// What a handler with slices is called with: [`slice::MOST`] records in a lane's scratch memory, one for each slice of its message.
pub mod view {
    /// Word: address of the first element.
    pub const ADDRESS: u64 = 0;
    /// Word: bytes of the elements.
    pub const BYTES: u64 = 8;
    /// Word: as [`slice::HANDLE`](super::slice::HANDLE).
    pub const HANDLE: u64 = 16;
    /// Half word: as [`slice::OFFSET`](super::slice::OFFSET).
    pub const OFFSET: u64 = 24;
    /// Half word: to how many messages the handler has handed it on.
    pub const LENT: u64 = 28;
    /// Bytes of the record.
    pub const SIZE: u64 = 32;

    /// What a handler does with its slices, in one word: how many it has.
    pub const COUNT: u32 = 0xf;
    /// Bit of the first slice, if the handler may write to it; the others' follow.
    pub const WRITES: u32 = 1 << 4;
    /// Bit: its reply is a slice.
    pub const REPLIES: u32 = 1 << 8;
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
    /// A message is for an actor that sleeps: the host brings it back, and answers at
    /// [`actor_type::ANSWER`](super::actor_type::ANSWER). The worker waits for that. There is no payload.
    pub const ASLEEP: u32 = 4;
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
        /// The actor sleeps and the device has no memory to bring it back.
        pub const NO_MEMORY: u32 = 12;
        /// A slice names a buffer that there is not any more, or bytes that it does not have.
        pub const STALE_BUFFER: u32 = 13;
        /// Two slices of one message overlap, and the handler may write to one of them.
        pub const OVERLAP: u32 = 14;
        /// Elements that came within their message have no room in the message or reply that they were to be handed on with.
        pub const NO_ROOM: u32 = 15;
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
    /// Word: address of the [`buffers`](super::buffers) record; 0 where no handler has slices.
    pub const BUFFERS: u64 = 288;
    /// Bytes of the record.
    pub const SIZE: u64 = 296;
}

/// The root record: the ring kernel's only argument. Written by the host before the launch, constant afterwards.
pub mod root {
    /// Word: address of the [`control`](super::control) block.
    pub const CONTROL: u64 = 0;
    /// Word: address of the array of [`worker`](super::worker) records.
    pub const WORKERS: u64 = 8;
    /// Word: address of the array of [`actor_type`](super::actor_type) records, indexed by type index (entry 0 is unused).
    pub const TYPES: u64 = 16;
    /// Word: bytes of a slot, one of [`slot::CLASSES`](super::slot::CLASSES).
    pub const SLOT_SIZE: u64 = 24;
    /// Word: slots of a host inbox, a power of two.
    pub const HOST_CAPACITY: u64 = 32;
    /// Word: slots of a device inbox, a power of two.
    pub const DEVICE_CAPACITY: u64 = 40;
    /// Word: slots of a completion ring, a power of two.
    pub const COMPLETION_CAPACITY: u64 = 48;
    /// Word: slots of a spill ring, a power of two.
    pub const SPILL_CAPACITY: u64 = 56;
    /// Word: workers.
    pub const WORKER_COUNT: u64 = 64;
    /// Word: actor types; the highest valid type index.
    pub const TYPE_COUNT: u64 = 72;
    /// Word: loop back-edges that one message may take.
    pub const BUDGET: u64 = 80;
    /// Word: messages that one handler call may send.
    pub const OUTBOX_CAPACITY: u64 = 88;
    /// Word: how far ahead of the device's clock a stamp may be, in nanoseconds.
    pub const DRIFT_BOUND: u64 = 96;
    /// Word: address of the lanes' scratch memory.
    pub const SCRATCH: u64 = 104;
    /// Word: bytes of scratch of one lane, at least [`scratch::OUTBOX`](super::scratch::OUTBOX) and the outbox.
    pub const SCRATCH_STRIDE: u64 = 112;
    /// Word: nanoseconds of a launch's slice of time, after which every worker leaves; 0 if a launch has no end of its own.
    pub const SLICE: u64 = 120;
    /// Word: empty passes before a worker announces its sleep, at most [`MOST_SPINS`]. None where the device has bells, which wake
    /// a worker sooner than it would look; all of them where it has none.
    pub const SPINS: u64 = 128;
    /// The most that [`SPINS`] may be.
    pub const MOST_SPINS: u64 = 52;
    /// Word: address of the [`buffers`](super::buffers) record; 0 where no handler has slices.
    pub const BUFFERS: u64 = 136;
    /// Bytes of the record.
    pub const SIZE: u64 = 144;
}

/// A lane's scratch memory (device memory): the handler's record, the copy of a message from the host, its outbox.
pub mod scratch {
    /// The [`cx`](super::cx) record.
    pub const CX: u64 = 0;
    /// Word: address of the actor of the message at hand, 0 if there is none.
    pub const ACTOR: u64 = 296;
    /// Word: the host's time for this pass of the worker's loop, in nanoseconds.
    pub const NOW: u64 = 304;
    /// The copy of a message from the host, one slot of up to 256 bytes. Others are read where they are.
    pub const MESSAGE: u64 = 320;
    /// The handler's [views](super::view) of its message's slices.
    pub const VIEWS: u64 = 576;
    /// The outbox: `OUTBOX_CAPACITY` entries of `SLOT_SIZE` bytes.
    pub const OUTBOX: u64 = 704;
}

/// The control block, in mapped pinned memory, written by the host alone; each group has a line of its own.
pub mod control {
    /// Word: command in the low 8 bits ([`RUN`], [`PAUSE`], [`STOP`]), epoch above. Workers echo the whole word.
    pub const COMMAND: u64 = 0;
    /// Command: handle messages.
    pub const RUN: u64 = 0;
    /// Command: stop at the next message boundary and wait.
    pub const PAUSE: u64 = 1;
    /// Command: leave the kernel at the next message boundary.
    pub const STOP: u64 = 2;
    /// Command: stand still at the next message boundary, as for [`PAUSE`], but for a moment: the host changes which actors sleep.
    pub const HOLD: u64 = 3;
    /// Bits of the command; the epoch is above.
    pub const EPOCH_SHIFT: u32 = 8;
    /// Word: even while the clock group is stable, odd while the host rewrites it.
    pub const CLOCK_SEQ: u64 = 128;
    /// Word: device nanoseconds (`%globaltimer`) at the calibration.
    pub const CLOCK_DEVICE_BASE: u64 = 136;
    /// Word: host nanoseconds since the epoch at the calibration.
    pub const CLOCK_HOST_BASE: u64 = 144;
    /// Word: signed correction of the rate, in units of 2^-32: host time advances by `d + (d * rate >> 32)`.
    pub const CLOCK_RATE: u64 = 152;
    /// Word: number of the host's last question for the device's time. Worker 0 answers in its line, see
    /// [`line::CLOCK_ANSWER`](super::line::CLOCK_ANSWER).
    pub const CLOCK_REQUEST: u64 = 160;
    /// Word: 1 while the host's poller sleeps and wants a signal for the next completion.
    pub const POLLER_SLEEPING: u64 = 256;
    /// Bytes of the block.
    pub const SIZE: u64 = 384;
}

/// A worker's record: where its rings are, and from [`HOST_HEAD`](worker::HOST_HEAD) on what it must know in its next
/// launch. The host writes it before the first launch; afterwards the first line is constant and the others are the
/// worker's own.
pub mod worker {
    /// Word: address of the host inbox's slots (mapped pinned).
    pub const HOST_INBOX: u64 = 0;
    /// Word: address of the device inbox's slots (device memory).
    pub const DEVICE_INBOX: u64 = 8;
    /// Word: address of the device inbox's ticket counter (device memory, a line of its own).
    pub const DEVICE_TICKET: u64 = 16;
    /// Word: address of the completion ring's slots (mapped pinned).
    pub const COMPLETIONS: u64 = 24;
    /// Word: address of the spill ring's slots (device memory).
    pub const SPILL: u64 = 32;
    /// Word: address of the worker's [`line`](super::line) (mapped pinned).
    pub const LINE: u64 = 40;
    /// Word: address of the spill ring's ticket counter (device memory, a line of its own).
    pub const SPILL_TICKET: u64 = 48;
    /// Word: address of the private queue's slots (device memory): messages from the worker's actors to its own, as many as
    /// the device inbox has. Nobody else looks at them, so they have no sequence numbers.
    pub const LOCAL: u64 = 56;
    /// Word: messages taken from the host inbox, the low 32 bits. This one, [`DEVICE_HEAD`], [`COMPLETED`], [`LOCAL_HEAD`] and
    /// [`LOCAL_TAIL`] are written when a launch's slice is over; the others whenever they change.
    pub const HOST_HEAD: u64 = 128;
    /// Word: messages taken from the device inbox, the low 32 bits.
    pub const DEVICE_HEAD: u64 = 136;
    /// Word: messages taken from the spill ring.
    pub const SPILL_HEAD: u64 = 144;
    /// Word: completions written, the low 32 bits.
    pub const COMPLETED: u64 = 152;
    /// Word: as [`line::HANDLED`](super::line::HANDLED). Within a burst it lags, and is short of what has faulted since.
    pub const HANDLED: u64 = 160;
    /// Word: as [`line::FAULTED`](super::line::FAULTED).
    pub const FAULTED: u64 = 168;
    /// Word: as [`line::SENT`](super::line::SENT), of which the host hears before another worker can see a message, else once a
    /// burst.
    pub const SENT: u64 = 176;
    /// Word: as [`line::DEAD_LETTERS`](super::line::DEAD_LETTERS).
    pub const DEAD_LETTERS: u64 = 184;
    /// Word: as [`line::SPILLED`](super::line::SPILLED).
    pub const SPILLED: u64 = 192;
    /// Word: as [`line::ACTIVATED`](super::line::ACTIVATED).
    pub const ACTIVATED: u64 = 200;
    /// Word: as [`line::HEARTBEAT`](super::line::HEARTBEAT).
    pub const HEARTBEAT: u64 = 208;
    /// Word: the sequence number of the clock's parameters that the worker has, `u64::MAX` before it has any.
    pub const CLOCK_SEQ: u64 = 216;
    /// Word: as [`control::CLOCK_DEVICE_BASE`](super::control::CLOCK_DEVICE_BASE).
    pub const CLOCK_DEVICE_BASE: u64 = 224;
    /// Word: as [`control::CLOCK_HOST_BASE`](super::control::CLOCK_HOST_BASE).
    pub const CLOCK_HOST_BASE: u64 = 232;
    /// Word: as [`control::CLOCK_RATE`](super::control::CLOCK_RATE).
    pub const CLOCK_RATE: u64 = 240;
    /// Word: device nanoseconds at the begin of this launch.
    pub const BEGUN: u64 = 256;
    /// Word: the last question for the time that the worker answered.
    pub const CLOCK_ANSWERED: u64 = 264;
    /// Word: the last command word that the worker obeyed in this launch.
    pub const ACKED: u64 = 272;
    /// Word: messages taken from the private queue, the low 32 bits.
    pub const LOCAL_HEAD: u64 = 280;
    /// Word: messages put into the private queue, the low 32 bits.
    pub const LOCAL_TAIL: u64 = 288;
    /// Word: as [`line::DROPPED`](super::line::DROPPED).
    pub const DROPPED: u64 = 296;
    /// Bytes of the record.
    pub const SIZE: u64 = 384;
}

/// What a worker tells the host: two lines in mapped pinned memory, written by that worker alone.
pub mod line {
    /// Word: worker state.
    pub const STATE: u64 = 0;
    /// State: the kernel has not reached its loop.
    pub const STARTING: u64 = 0;
    /// State: handling messages.
    pub const RUNNING: u64 = 1;
    /// State: paused at a message boundary.
    pub const PAUSED: u64 = 2;
    /// State: has left its loop for good. Between two launches the state stays what it was.
    pub const STOPPED: u64 = 3;
    /// Word: the last command word that the worker obeyed.
    pub const ACK: u64 = 8;
    /// Word: passes of the worker's loop.
    pub const HEARTBEAT: u64 = 16;
    /// Word: 1 while the worker sleeps, or its launch's slice is over, and it wants a doorbell.
    pub const SLEEPING: u64 = 24;
    /// Word, of worker 0 alone: the host's [`control::CLOCK_REQUEST`](super::control::CLOCK_REQUEST) that was answered last.
    pub const CLOCK_ANSWER: u64 = 32;
    /// Word, of worker 0 alone: device nanoseconds (`%globaltimer`) when it saw that request.
    pub const CLOCK_TIME: u64 = 40;
    /// Word: messages whose handler returned. The counters are in the second line.
    pub const HANDLED: u64 = 128;
    /// Word: messages that faulted.
    pub const FAULTED: u64 = 136;
    /// Word: messages that handlers on this worker sent (delivered, spilled or dead).
    pub const SENT: u64 = 144;
    /// Word: sent messages that could not be delivered, and were reported.
    pub const DEAD_LETTERS: u64 = 152;
    /// Word: sent messages that went through the spill ring.
    pub const SPILLED: u64 = 160;
    /// Word: actors activated on this worker.
    pub const ACTIVATED: u64 = 168;
    /// Word: sent messages that could not be delivered, and were dropped as [`actor_type::ON_FULL`](super::actor_type::ON_FULL)
    /// says.
    pub const DROPPED: u64 = 176;
    /// Bytes.
    pub const SIZE: u64 = 256;
}

/// An actor type's record. Written by the host before the launch, constant afterwards.
pub mod actor_type {
    /// Word: bytes from one actor to the next in a chunk.
    pub const STRIDE: u64 = 0;
    /// Word: bytes of the state, rounded up to words.
    pub const STATE_SIZE: u64 = 8;
    /// Word: address of the initial state's bytes.
    pub const INITIAL: u64 = 16;
    /// Word: address of the chunk table: `workers * MAX_CHUNKS` words, row per worker (mapped pinned, written by the host).
    pub const CHUNKS: u64 = 24;
    /// Word: address of the slot counts: one word per worker, a line apart (mapped pinned, written by the host).
    pub const COUNTS: u64 = 32;
    /// Word: what becomes of a message to an actor of the type that an actor sent and for which there is no room, not even in its
    /// worker's spill ring: [`MAILBOX_FULL`](super::fault::code::MAILBOX_FULL), and it is a dead letter, or [`DROP`].
    pub const ON_FULL: u64 = 40;
    /// A value of [`ON_FULL`]: the message is dropped and counted. No fault has this code.
    pub const DROP: u32 = 0xfffc;
    /// Offset in a worker's line of the slot counts: how often the host has answered this worker's requests for sleeping actors
    /// of the type, from bit 1 on; bit 0 says that there was no memory for the last one.
    pub const ANSWER: u64 = 8;
    /// Bytes of the record.
    pub const SIZE: u64 = 64;
    /// Actors of one chunk, as a shift.
    pub const CHUNK_SHIFT: u32 = 10;
    /// Chunks of one type on one worker, at the most.
    pub const MAX_CHUNKS: u64 = 16384;
}

/// An actor in its slab: this header, then the state.
pub mod actor {
    /// Word: the actor's hybrid logical clock.
    pub const HLC: u64 = 0;
    /// Word: [`FRESH`] until the first message, then [`ACTIVE`].
    pub const STATUS: u64 = 8;
    /// Status: no message yet.
    pub const FRESH: u64 = 0;
    /// Status: the state is that of an actor.
    pub const ACTIVE: u64 = 1;
    /// Status of every actor in the frame that stands for chunks whose actors sleep.
    pub const ASLEEP: u64 = 2;
    /// Word: messages that the actor took.
    pub const SEQUENCE: u64 = 16;
    /// Offset of the state.
    pub const STATE: u64 = 32;
}

/// Hybrid logical clock: the low bits of a stamp that count within one tick of time.
pub mod hlc {
    /// Mask of the logical counter.
    pub const LOGICAL_MASK: u64 = 0x3ff;
}
