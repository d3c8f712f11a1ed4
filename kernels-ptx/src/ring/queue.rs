//! Bounded rings with a sequence word per slot (Vyukov), as the device sees them.
//!
//! Rules kept here: a producer claims a ticket only after it saw the slot free, so nothing is ever rolled back; one
//! release store of word 0 publishes a slot, and one frees it; sequence numbers compare as wrapping 32-bit values.
//! These functions run unchanged on a device and natively, where a model checker explores them.

use crate::abi::slot;
use crate::device::{
    cas_gpu, ld_acquire_gpu, ld_acquire_sys, ld_relaxed_gpu, ld_weak, st_release_gpu, st_release_sys, st_weak,
};
use gpu_actor_macros::gpu_fn;

/// No ticket: the ring is full.
pub const FULL: u64 = u64::MAX;

/// The address of the slot that `ticket` names in a ring of `capacity` (a power of two) slots of `size` bytes.
#[gpu_fn]
pub fn slot_at(slots: u64, capacity: u64, size: u64, ticket: u64) -> u64 {
    // All three factors fit 32 bits, and so a device multiplies them with one instruction.
    let index = (ticket as u32) & (capacity as u32).wrapping_sub(1);
    slots.wrapping_add((index as u64).wrapping_mul((size as u32) as u64))
}

/// Word 0 of a slot: the sequence number of `ticket` below, `high` (a method id or completion kind) above.
#[gpu_fn]
pub fn sequence_word(ticket: u64, high: u32) -> u64 {
    ((high as u64).wrapping_shl(32)) | (ticket & 0xffff_ffff)
}

/// The high half of word 0.
#[gpu_fn]
pub fn high_half(word: u64) -> u32 {
    word.wrapping_shr(32) as u32
}

/// Claims a ticket of a ring with many producers on this device, or [`FULL`].
///
/// `counter` is the address of the ring's ticket counter. The claim is a compare-and-swap made only after the slot was
/// seen free: a full ring is reported without having touched it.
#[gpu_fn]
pub fn claim(counter: u64, slots: u64, capacity: u64, size: u64) -> u64 {
    let mut ticket = ld_relaxed_gpu(counter);
    loop {
        let word = ld_acquire_gpu(slot_at(slots, capacity, size, ticket));
        let lead = (word as u32).wrapping_sub(ticket as u32) as i32;
        if lead == 0 {
            let seen = cas_gpu(counter, ticket, ticket.wrapping_add(1));
            if seen == ticket {
                return ticket;
            }
            ticket = seen;
        } else {
            // Behind: the slot still holds the message of a lap ago. Full, unless others moved the counter since.
            let seen = ld_relaxed_gpu(counter);
            if lead < 0 && seen == ticket {
                return FULL;
            }
            ticket = seen;
        }
    }
}

/// Publishes a claimed slot to consumers on this device.
#[gpu_fn]
pub fn publish_gpu(slot: u64, ticket: u64, high: u32) {
    st_release_gpu(slot, sequence_word(ticket.wrapping_add(1), high));
}

/// Publishes a claimed slot to a consumer on the host.
#[gpu_fn]
pub fn publish_sys(slot: u64, ticket: u64, high: u32) {
    st_release_sys(slot, sequence_word(ticket.wrapping_add(1), high));
}

/// Whether the host has given the slot back, so that the only producer of a ring may fill it with `ticket`.
#[gpu_fn]
pub fn is_free_sys(slot: u64, ticket: u64) -> bool {
    (ld_acquire_sys(slot) as u32) == (ticket as u32)
}

/// Word 0 of the slot at `head` if a producer on this device has published it, else 0.
///
/// A published word is never 0: its high half is a method id, which is not 0.
#[gpu_fn]
pub fn ready_gpu(slot: u64, head: u64) -> u64 {
    let word = ld_acquire_gpu(slot);
    if (word as u32) == (head.wrapping_add(1) as u32) { word } else { 0 }
}

/// Word 0 of the slot at `head` if the host has published it, else 0.
#[gpu_fn]
pub fn ready_sys(slot: u64, head: u64) -> u64 {
    let word = ld_acquire_sys(slot);
    if (word as u32) == (head.wrapping_add(1) as u32) { word } else { 0 }
}

/// Gives a taken slot back to producers on this device.
#[gpu_fn]
pub fn release_gpu(slot: u64, head: u64, capacity: u64) {
    st_release_gpu(slot, sequence_word(head.wrapping_add(capacity), 0));
}

/// Gives a taken slot back to producers on the host.
#[gpu_fn]
pub fn release_sys(slot: u64, head: u64, capacity: u64) {
    st_release_sys(slot, sequence_word(head.wrapping_add(capacity), 0));
}

/// Copies a slot of `size` bytes except its word 0, which belongs to the protocol.
#[gpu_fn]
pub fn copy_slot(to: u64, from: u64, size: u64) {
    st_weak(to.wrapping_add(slot::ACTOR), ld_weak(from.wrapping_add(slot::ACTOR)));
    st_weak(to.wrapping_add(slot::HLC), ld_weak(from.wrapping_add(slot::HLC)));
    st_weak(to.wrapping_add(slot::CORR), ld_weak(from.wrapping_add(slot::CORR)));
    copy_payload(
        to.wrapping_add(slot::HEADER),
        from.wrapping_add(slot::HEADER),
        size.wrapping_sub(slot::HEADER),
    );
}

/// As [`copy_slot()`], from memory that is far away: of the first 64 bytes all words are loaded before the first is stored, so
/// that a device waits once, and needs more registers.
#[gpu_fn]
pub fn fetch_slot(to: u64, from: u64, size: u64) {
    let actor = ld_weak(from.wrapping_add(slot::ACTOR));
    let stamp = ld_weak(from.wrapping_add(slot::HLC));
    let correlation = ld_weak(from.wrapping_add(slot::CORR));
    let first = ld_weak(from.wrapping_add(slot::HEADER));
    let second = ld_weak(from.wrapping_add(slot::HEADER + 8));
    let third = ld_weak(from.wrapping_add(slot::HEADER + 16));
    let fourth = ld_weak(from.wrapping_add(slot::HEADER + 24));
    st_weak(to.wrapping_add(slot::ACTOR), actor);
    st_weak(to.wrapping_add(slot::HLC), stamp);
    st_weak(to.wrapping_add(slot::CORR), correlation);
    st_weak(to.wrapping_add(slot::HEADER), first);
    st_weak(to.wrapping_add(slot::HEADER + 8), second);
    st_weak(to.wrapping_add(slot::HEADER + 16), third);
    st_weak(to.wrapping_add(slot::HEADER + 24), fourth);
    if size > slot::CLASSES[0] {
        let done = slot::CLASSES[0];
        copy_payload(to.wrapping_add(done), from.wrapping_add(done), size.wrapping_sub(done));
    }
}

/// Copies a slot's payload of `bytes`, rounded up to 32: every class of slots has room for that. Two words are loaded before
/// the first is stored, so that a device waits for memory once and not twice.
#[gpu_fn]
pub fn copy_payload(to: u64, from: u64, bytes: u64) {
    let mut source = from;
    let mut target = to;
    let end = from.wrapping_add(bytes);
    while source < end {
        let first = ld_weak(source);
        let second = ld_weak(source.wrapping_add(8));
        st_weak(target, first);
        st_weak(target.wrapping_add(8), second);
        let third = ld_weak(source.wrapping_add(16));
        let fourth = ld_weak(source.wrapping_add(24));
        st_weak(target.wrapping_add(16), third);
        st_weak(target.wrapping_add(24), fourth);
        source = source.wrapping_add(32);
        target = target.wrapping_add(32);
    }
}

/// Copies `bytes` (a multiple of 8) from one aligned address to another.
#[gpu_fn]
pub fn copy_words(to: u64, from: u64, bytes: u64) {
    let mut at = 0;
    while at < bytes {
        st_weak(to.wrapping_add(at), ld_weak(from.wrapping_add(at)));
        at = at.wrapping_add(8);
    }
}
