//! Buffers on the device: from the slices of a message to the views of a handler, and what becomes of the references.
//!
//! Rules kept here: a message owns one reference to each buffer that it names, and it is the host that counts them. A handler that
//! hands a slice on once, and is done with it, says nothing: the reference has moved. Any other change goes to the host through a
//! ring, before the messages leave that need it; so whoever ends such a message says so later. A buffer is looked up by
//! index and generation, never by an address that came with a message. While a handler has a view for writing, no other
//! handler has one of the same buffer; a lane that waits for that holds nothing.

use super::message::set_fault;
use super::queue;
use super::worker::wake_poller;
use crate::abi::{LINE, buffer, buffers, corr, cx, fault, scratch, slice, slot, view};
use crate::builder::Builder;
use crate::device::{
    add_gpu, cas_gpu, ld_acquire_sys, ld_relaxed_gpu, ld_relaxed_sys, ld_weak, nanosleep, st_weak,
};
use crate::error::LowerError;
use crate::ir::{Function, ScalarType};
use gpu_actor_macros::gpu_fn;

/// The symbol of [`open()`].
pub const OPEN: &str = "gpu_actor_open";
/// The symbol of [`close()`].
pub const CLOSE: &str = "gpu_actor_close";
/// The symbol of [`hand_on()`].
pub const HAND_ON: &str = "gpu_actor_hand_on";
/// The symbol of [`forget()`].
pub const FORGET: &str = "gpu_actor_forget";

/// What [`hand_on()`] gives where there is no room.
pub const NO_ROOM: u32 = u32::MAX;
/// Nanoseconds between two looks for a lock, or for room in the ring of releases.
const NAP: u32 = 200;

/// Whether a handle is a buffer's.
#[gpu_fn]
pub fn is_buffer(handle: u64) -> bool {
    handle != 0 && (handle & slice::INLINE) == 0
}

/// The address of a slice of the message.
#[gpu_fn]
pub fn slice_at(message: u64, index: u32) -> u64 {
    message.wrapping_add(slot::HEADER).wrapping_add((index as u64).wrapping_mul(slice::SIZE))
}

/// The address of a lane's view; `record` is the handler's.
#[gpu_fn]
pub fn view_at(record: u64, index: u32) -> u64 {
    record.wrapping_add(scratch::VIEWS - scratch::CX).wrapping_add((index as u64).wrapping_mul(view::SIZE))
}

/// The handle of a view.
#[gpu_fn]
pub fn handle_of(record: u64, index: u32) -> u64 {
    ld_weak(view_at(record, index).wrapping_add(view::HANDLE))
}

/// Fills in the view of one slice of the message; whether there is what it names.
#[gpu_fn]
pub fn resolve(record: u64, message: u64, index: u32) -> bool {
    let block = ld_weak(record.wrapping_add(cx::BUFFERS));
    let words = slice_at(message, index);
    let handle = ld_weak(words.wrapping_add(slice::HANDLE));
    // Offset and bytes share a word.
    let place = ld_weak(words.wrapping_add(slice::OFFSET));
    let offset = place & 0xffff_ffff;
    let bytes = place.wrapping_shr(32);
    let end = offset.wrapping_add(bytes);
    let mut address = 0u64;
    let mut good = bytes == 0;
    if is_buffer(handle) {
        good = false;
        let number = handle & ((1u64 << slice::INDEX_BITS) - 1);
        if number < ld_weak(block.wrapping_add(buffers::COUNT)) {
            let entry =
                ld_weak(block.wrapping_add(buffers::TABLE)).wrapping_add(number.wrapping_mul(buffer::SIZE));
            if ld_acquire_sys(entry.wrapping_add(buffer::GENERATION))
                == handle.wrapping_shr(slice::INDEX_BITS)
            {
                good = end <= ld_relaxed_sys(entry.wrapping_add(buffer::BYTES));
                address = ld_relaxed_sys(entry.wrapping_add(buffer::ADDRESS)).wrapping_add(offset);
            }
        }
    } else if handle != 0 {
        good = end <= ld_weak(block.wrapping_add(buffers::SLOT_SIZE)).wrapping_sub(slot::HEADER);
        address = message.wrapping_add(slot::HEADER).wrapping_add(offset);
    }
    let at = view_at(record, index);
    st_weak(at.wrapping_add(view::ADDRESS), address);
    st_weak(at.wrapping_add(view::BYTES), bytes);
    st_weak(at.wrapping_add(view::HANDLE), handle);
    // Nothing is lent yet.
    st_weak(at.wrapping_add(view::OFFSET), offset);
    good
}

/// Whether the handler may write to a slice.
#[gpu_fn]
pub fn writes(spec: u32, index: u32) -> bool {
    (spec & view::WRITES.wrapping_shl(index)) != 0
}

/// Whether two slices of the message share a byte that the handler may write to.
#[gpu_fn]
pub fn overlap(record: u64, spec: u32) -> bool {
    let mut shared = false;
    let mut later = 1u32;
    while later < (spec & view::COUNT) {
        let begin = ld_weak(view_at(record, later).wrapping_add(view::ADDRESS));
        let end = begin.wrapping_add(ld_weak(view_at(record, later).wrapping_add(view::BYTES)));
        let mut earlier = 0u32;
        while earlier < later {
            let from = ld_weak(view_at(record, earlier).wrapping_add(view::ADDRESS));
            let to = from.wrapping_add(ld_weak(view_at(record, earlier).wrapping_add(view::BYTES)));
            if begin < to && from < end && (writes(spec, earlier) || writes(spec, later)) {
                shared = true;
            }
            earlier = earlier.wrapping_add(1);
        }
        later = later.wrapping_add(1);
    }
    shared
}

/// What the lock of a view's buffer goes up by while the handler runs: 0 if it is no buffer's, or an earlier view has taken that
/// lock for it.
#[gpu_fn]
pub fn hold(record: u64, spec: u32, index: u32) -> u64 {
    let handle = handle_of(record, index);
    let mut by = 0u64;
    if is_buffer(handle) {
        by = 1;
        let mut other = 0u32;
        while other < (spec & view::COUNT) {
            if handle_of(record, other) == handle {
                if other < index {
                    return 0;
                }
                if writes(spec, other) {
                    by = buffers::WRITER;
                }
            }
            other = other.wrapping_add(1);
        }
    }
    by
}

/// The address of the lock of a view's buffer.
#[gpu_fn]
pub fn lock_of(record: u64, index: u32) -> u64 {
    let block = ld_weak(record.wrapping_add(cx::BUFFERS));
    let number = handle_of(record, index) & ((1u64 << slice::INDEX_BITS) - 1);
    ld_weak(block.wrapping_add(buffers::LOCKS)).wrapping_add(number.wrapping_mul(8))
}

/// Takes a lock for reading or, by [`WRITER`](buffers::WRITER), for writing, unless somebody has it who must not share it.
#[gpu_fn]
pub fn try_lock(lock: u64, by: u64) -> bool {
    let mut held = ld_relaxed_gpu(lock);
    loop {
        if held >= buffers::WRITER || (held != 0 && by == buffers::WRITER) {
            return false;
        }
        let seen = cas_gpu(lock, held, held.wrapping_add(by));
        if seen == held {
            return true;
        }
        held = seen;
    }
}

/// Gives back the locks of the first `count` views.
#[gpu_fn]
pub fn unlock(record: u64, spec: u32, count: u32) {
    let mut index = 0u32;
    while index < count {
        let by = hold(record, spec, index);
        if by != 0 {
            add_gpu(lock_of(record, index), 0u64.wrapping_sub(by));
        }
        index = index.wrapping_add(1);
    }
}

/// Takes the locks of all views. Whoever does not get one gives the others back before it waits, and whoever has them all runs a
/// handler, which ends: so this ends.
#[gpu_fn]
pub fn lock(record: u64, spec: u32) {
    let count = spec & view::COUNT;
    let mut taken = 0u32;
    while taken < count {
        let by = hold(record, spec, taken);
        if by == 0 || try_lock(lock_of(record, taken), by) {
            taken = taken.wrapping_add(1);
        } else {
            unlock(record, spec, taken);
            taken = 0;
            nanosleep(NAP);
        }
    }
}

/// Tells the host by how much the device's references to a buffer have changed.
#[gpu_fn]
pub fn release(record: u64, handle: u64, change: u32) {
    let block = ld_weak(record.wrapping_add(cx::BUFFERS));
    let me = crate::device::worker() as u64;
    let capacity = ld_weak(block.wrapping_add(buffers::RELEASE_CAPACITY));
    let ring = ld_weak(block.wrapping_add(buffers::RELEASES))
        .wrapping_add(me.wrapping_mul(capacity).wrapping_mul(buffers::RELEASE));
    // Lanes of one worker may come here at the same time; the host frees slots in their order, so each gets its turn.
    let ticket =
        add_gpu(ld_weak(block.wrapping_add(buffers::TICKETS)).wrapping_add(me.wrapping_mul(LINE)), 1);
    let at = queue::slot_at(ring, capacity, buffers::RELEASE, ticket);
    while !queue::is_free_sys(at, ticket) {
        wake_poller(ld_weak(block.wrapping_add(buffers::CONTROL)));
        nanosleep(NAP);
    }
    st_weak(at.wrapping_add(slot::ACTOR), handle);
    st_weak(at.wrapping_add(slot::HLC), change as i32 as i64 as u64);
    st_weak(at.wrapping_add(slot::CORR), 0);
    queue::publish_sys(at, ticket, buffers::CHANGED);
    wake_poller(ld_weak(block.wrapping_add(buffers::CONTROL)));
}

/// Writes how many slices a message, or the reply in its place, begins with.
#[gpu_fn]
pub fn mark(message: u64, count: u64) {
    let kind = ((1u64 << corr::PAYLOAD_BITS) - 1) << corr::PAYLOAD_SHIFT;
    let word = ld_weak(message.wrapping_add(slot::CORR)) & !kind;
    st_weak(message.wrapping_add(slot::CORR), word | count.wrapping_shl(corr::PAYLOAD_SHIFT));
}

/// Gives back what a message has that no handler will see. Its slices are no buffers' any more.
#[gpu_fn]
pub fn forget(record: u64, message: u64) {
    let word = ld_weak(message.wrapping_add(slot::CORR)).wrapping_shr(corr::PAYLOAD_SHIFT);
    let count = (word & ((1u64 << corr::PAYLOAD_BITS) - 1)) as u32;
    let mut index = 0u32;
    while index < count {
        let handle = ld_weak(slice_at(message, index).wrapping_add(slice::HANDLE));
        if is_buffer(handle) {
            release(record, handle, u32::MAX);
        }
        index = index.wrapping_add(1);
    }
    if count != 0 {
        mark(message, 0);
    }
}

/// Before a handler with slices runs: fills in its views and takes the buffers' locks. Gives 0, or 1 and a fault: then the message
/// has nothing left to give back.
#[gpu_fn]
pub fn open(record: u64, message: u64, spec: u32) -> u32 {
    let mut good = true;
    let mut index = 0u32;
    while index < (spec & view::COUNT) {
        good = resolve(record, message, index) && good;
        index = index.wrapping_add(1);
    }
    let mut reason = 0u32;
    if !good {
        reason = fault::code::STALE_BUFFER;
    } else if overlap(record, spec) {
        reason = fault::code::OVERLAP;
    }
    if reason != 0 {
        set_fault(record, reason);
        forget(record, message);
        return 1;
    }
    lock(record, spec);
    0
}

/// How often a handler has handed on the buffer of a view, the view being the first of that buffer.
#[gpu_fn]
pub fn lent(record: u64, index: u32) -> u32 {
    ld_weak(view_at(record, index).wrapping_add(view::OFFSET)).wrapping_shr(32) as u32
}

/// Counts one message that a buffer is handed on with, at the first of the handler's `count` views that has it.
#[gpu_fn]
pub fn lend(record: u64, handle: u64, count: u32) {
    let mut index = 0u32;
    while index < count {
        if handle_of(record, index) == handle {
            let at = view_at(record, index).wrapping_add(view::OFFSET);
            st_weak(at, ld_weak(at).wrapping_add(1u64 << 32));
            return;
        }
        index = index.wrapping_add(1);
    }
}

/// After a handler with slices ran, well or not: gives the locks back, and tells the host of references that have become more or
/// fewer. The message's word says from here on how many slices the reply has.
#[gpu_fn]
pub fn close(record: u64, message: u64, spec: u32, status: u32) -> u32 {
    let count = spec & view::COUNT;
    unlock(record, spec, count);
    let kind = ld_weak(message.wrapping_add(slot::CORR)).wrapping_shr(corr::KIND_SHIFT);
    let replies = status == 0 && (spec & view::REPLIES) != 0 && kind == corr::KIND_ASK;
    if replies {
        let handle = ld_weak(record.wrapping_add(cx::REPLY + slice::HANDLE));
        if is_buffer(handle) {
            lend(record, handle, count);
        }
    }
    let mut index = 0u32;
    while index < count {
        let handle = handle_of(record, index);
        if is_buffer(handle) {
            let mut change = u32::MAX;
            if status == 0 {
                change = lent(record, index).wrapping_sub(1);
            }
            if change != 0 {
                release(record, handle, change);
            }
        }
        index = index.wrapping_add(1);
    }
    mark(message, replies as u64);
    status
}

/// Writes a slice of a handler's into a message or reply whose payload begins at `payload` and has `room` bytes. Elements that came
/// within their message are copied to `free`, the first byte that nothing is written to; a buffer is counted at the first of
/// the handler's `views` that has it; a reply's is counted when the handler has ended, and says 0.
/// Gives the first free byte behind, or [`NO_ROOM`].
#[allow(clippy::too_many_arguments)] // A call on the device: arguments are registers.
#[gpu_fn]
pub fn hand_on(
    record: u64,
    to: u64,
    payload: u64,
    free: u32,
    room: u32,
    address: u64,
    bytes: u64,
    handle: u64,
    offset: u64,
    views: u32,
) -> u32 {
    let mut behind = free;
    let mut from = offset & 0xffff_ffff;
    if is_buffer(handle) {
        lend(record, handle, views);
    } else if handle != 0 {
        // Whole words, wherever in its first word the first element begins.
        let within = address & 7;
        let size = within.wrapping_add(bytes).wrapping_add(7) & !7u64;
        if (free as u64).wrapping_add(size) > (room as u64) {
            return NO_ROOM;
        }
        queue::copy_words(payload.wrapping_add(free as u64), address.wrapping_sub(within), size);
        from = (free as u64).wrapping_add(within);
        behind = free.wrapping_add(size as u32);
    }
    st_weak(to.wrapping_add(slice::HANDLE), handle);
    st_weak(to.wrapping_add(slice::OFFSET), from | bytes.wrapping_shl(32));
    behind
}

/// The functions that the ring kernel and handlers with slices call.
///
/// # Errors
/// Never in practice: nothing here can fault, and nothing recurses. The error is the builder's.
pub fn functions() -> Result<Vec<Function>, LowerError> {
    use ScalarType::{U32, U64};
    let open = Builder::func(OPEN, &[U64, U64, U32], Some(U32));
    open.result(self::open::__gpu(&open, open.arg(0), open.arg(1), open.arg(2)));
    let close = Builder::func(CLOSE, &[U64, U64, U32, U32], Some(U32));
    close.result(self::close::__gpu(&close, close.arg(0), close.arg(1), close.arg(2), close.arg(3)));
    let b = Builder::func(HAND_ON, &[U64, U64, U64, U32, U32, U64, U64, U64, U64, U32], Some(U32));
    b.result(hand_on::__gpu(
        &b,
        b.arg(0),
        b.arg(1),
        b.arg(2),
        b.arg(3),
        b.arg(4),
        b.arg(5),
        b.arg(6),
        b.arg(7),
        b.arg(8),
        b.arg(9),
    ));
    Ok(vec![forgetting()?, open.finish()?, close.finish()?, b.finish()?])
}

/// The function that gives back what a message has; the ring kernel calls it.
///
/// # Errors
/// As [`functions`].
pub fn forgetting() -> Result<Function, LowerError> {
    let b = Builder::func(FORGET, &[ScalarType::U64; 2], Some(ScalarType::U32));
    forget::__gpu(&b, b.arg(0), b.arg(1));
    b.result(b.lit(0u32));
    b.finish()
}

/// The function by which the dispatcher calls a handler with slices: opens them, calls `handler`, closes them.
///
/// # Errors
/// As [`functions`].
pub fn wrapper(symbol: &str, handler: &str, spec: u32) -> Result<Function, LowerError> {
    use ScalarType::{U32, U64};
    let b = Builder::func(symbol, &[U64, U64, U64], Some(U32));
    let (state, message, record) = (b.arg::<u64>(0), b.arg::<u64>(1), b.arg::<u64>(2));
    let spec = b.lit(spec);
    let refused = b.call(OPEN, vec![record.operand(), message.operand(), spec.operand()]);
    b.if_begin(b.ne(refused, b.lit(0u32)));
    b.result(refused);
    b.if_end();
    let status = b.call(handler, vec![state.operand(), message.operand(), record.operand()]);
    let args = vec![record.operand(), message.operand(), spec.operand(), status.operand()];
    b.result(b.call(CLOSE, args));
    b.finish()
}
