//! One message on one lane: find the actor, run the handler, commit what it sent.
//!
//! Rules kept here: a handler's sends leave only after it returned; a faulted handler sends nothing; a worker never
//! waits for another worker's ring (what does not fit is spilled, what cannot be spilled is a dead letter).

use super::clock;
use super::queue::{self, FULL};
use crate::abi::{actor, actor_id, actor_type, corr, cx, fault, line, root, scratch, slot, worker};
use crate::device::{
    dispatch, fence_sc_sys, ld_acquire_sys, ld_relaxed_gpu, ld_relaxed_sys, ld_weak, signal_workers, st_weak,
};
use gpu_actor_macros::gpu_fn;

/// Outcome of a message: its handler returned, nobody waits.
pub const DONE: u32 = 0;
/// Outcome of a message: its handler returned, the reply is in the lane's record.
pub const REPLIED: u32 = 1;
/// Outcome of a message: it faulted, the fault is in the lane's record.
pub const FAULTED: u32 = 2;
/// Set in an outcome when the message was the actor's first.
pub const ACTIVATED: u32 = 256;

/// Fault site of what the ring kernel itself reports.
pub const NO_SITE: u64 = 0xffff_ffff;

/// A sent message reached its inbox.
pub const DELIVERED: u32 = 0;
/// A sent message waits in the spill ring.
pub const SPILLED: u32 = 0xffff;

/// The type index of a raw actor id.
#[gpu_fn]
pub fn type_of(id: u64) -> u64 {
    id.wrapping_shr(actor_id::TYPE_SHIFT) & 0xfff
}

/// The worker of a raw actor id.
#[gpu_fn]
pub fn worker_of(id: u64) -> u64 {
    id.wrapping_shr(actor_id::WORKER_SHIFT) & 0xfff
}

/// Whether a raw id can name an actor of this device: node 0, a known type, an existing worker.
#[gpu_fn]
pub fn is_routable(root_record: u64, id: u64) -> bool {
    let kind = type_of(id);
    id.wrapping_shr(actor_id::NODE_SHIFT) == 0
        && kind != 0
        && kind <= ld_weak(root_record.wrapping_add(root::TYPE_COUNT))
        && worker_of(id) < ld_weak(root_record.wrapping_add(root::WORKER_COUNT))
}

/// The record of `index` in the workers' table.
#[gpu_fn]
pub fn worker_record(root_record: u64, index: u64) -> u64 {
    ld_weak(root_record.wrapping_add(root::WORKERS)).wrapping_add(index.wrapping_mul(worker::SIZE))
}

/// The address of the actor that `id` names on worker `me`, or 0 if there is none.
#[gpu_fn]
pub fn find_actor(root_record: u64, id: u64, me: u64) -> u64 {
    if !is_routable(root_record, id) || worker_of(id) != me {
        return 0;
    }
    let kind = ld_weak(root_record.wrapping_add(root::TYPES))
        .wrapping_add(type_of(id).wrapping_mul(actor_type::SIZE));
    let index = id & 0xffff_ffff;
    let counts = ld_weak(kind.wrapping_add(actor_type::COUNTS));
    if index >= ld_acquire_sys(counts.wrapping_add(me.wrapping_mul(crate::abi::LINE))) {
        return 0;
    }
    let row = me.wrapping_mul(actor_type::MAX_CHUNKS);
    let chunk = row.wrapping_add(index.wrapping_shr(actor_type::CHUNK_SHIFT)).wrapping_mul(8);
    let base = ld_relaxed_sys(ld_weak(kind.wrapping_add(actor_type::CHUNKS)).wrapping_add(chunk));
    let within = index & (1u64.wrapping_shl(actor_type::CHUNK_SHIFT)).wrapping_sub(1);
    let stride = ld_weak(kind.wrapping_add(actor_type::STRIDE)) as u32;
    base.wrapping_add(within.wrapping_mul(stride as u64))
}

/// Writes a fault that the ring itself found into the lane's record.
#[gpu_fn]
pub fn set_fault(record: u64, code: u32) {
    st_weak(record.wrapping_add(cx::FAULT_CODE), (NO_SITE.wrapping_shl(32)) | (code as u64));
}

/// Runs the message in the lane's scratch memory; returns the outcome, with [`ACTIVATED`] set for a first message.
///
/// `method` is the message's method id. The actor's address is left in [`scratch::ACTOR`] (0: none).
#[gpu_fn]
pub fn run(root_record: u64, lane_memory: u64, method: u32) -> u32 {
    let me = crate::device::worker() as u64;
    let record = lane_memory.wrapping_add(scratch::CX);
    let message = lane_memory.wrapping_add(scratch::MESSAGE);
    let id = ld_weak(message.wrapping_add(slot::ACTOR));
    let now = ld_weak(lane_memory.wrapping_add(scratch::NOW));
    let stamp = ld_weak(message.wrapping_add(slot::HLC));
    let capacity = ld_weak(root_record.wrapping_add(root::OUTBOX_CAPACITY));
    // SENT and OUTBOX_CAPACITY share a word: none sent, all of the capacity left.
    st_weak(record.wrapping_add(cx::SENT), capacity.wrapping_shl(32));
    st_weak(lane_memory.wrapping_add(scratch::ACTOR), 0);
    let address = find_actor(root_record, id, me);
    if address == 0 {
        set_fault(record, fault::code::UNKNOWN_ACTOR);
        return FAULTED;
    }
    st_weak(lane_memory.wrapping_add(scratch::ACTOR), address);
    let mut activated = 0u32;
    if ld_weak(address.wrapping_add(actor::STATUS)) == 0 {
        activate(root_record, address, id);
        activated = ACTIVATED;
    }
    st_weak(
        address.wrapping_add(actor::SEQUENCE),
        ld_weak(address.wrapping_add(actor::SEQUENCE)).wrapping_add(1),
    );
    if clock::drifts(stamp, now, ld_weak(root_record.wrapping_add(root::DRIFT_BOUND))) {
        set_fault(record, fault::code::CLOCK_DRIFT);
        return FAULTED | activated;
    }
    let received = clock::receive(ld_weak(address.wrapping_add(actor::HLC)), stamp, now);
    st_weak(address.wrapping_add(actor::HLC), received);
    st_weak(record.wrapping_add(cx::SELF_ID), id);
    st_weak(record.wrapping_add(cx::NOW), received);
    let state = address.wrapping_add(actor::STATE);
    let status = dispatch(method, type_of(id) as u32, state, message, record);
    if status != 0 {
        st_weak(record.wrapping_add(cx::SENT), capacity.wrapping_shl(32));
        return FAULTED | activated;
    }
    if ld_weak(message.wrapping_add(slot::CORR)).wrapping_shr(corr::KIND_SHIFT) == corr::KIND_ASK {
        return REPLIED | activated;
    }
    DONE | activated
}

/// Gives the actor at `address` its initial state.
#[gpu_fn]
pub fn activate(root_record: u64, address: u64, id: u64) {
    let kind = ld_weak(root_record.wrapping_add(root::TYPES))
        .wrapping_add(type_of(id).wrapping_mul(actor_type::SIZE));
    queue::copy_words(
        address.wrapping_add(actor::STATE),
        ld_weak(kind.wrapping_add(actor_type::INITIAL)),
        ld_weak(kind.wrapping_add(actor_type::STATE_SIZE)),
    );
    st_weak(address.wrapping_add(actor::STATUS), 1);
}

/// Messages that the lane's last handler staged.
#[gpu_fn]
pub fn staged(lane_memory: u64) -> u32 {
    ld_weak(lane_memory.wrapping_add(scratch::CX + cx::SENT)) as u32
}

/// The address of the outbox entry `index`.
#[gpu_fn]
pub fn outbox_entry(root_record: u64, lane_memory: u64, index: u32) -> u64 {
    let size = ld_weak(root_record.wrapping_add(root::SLOT_SIZE)) as u32;
    lane_memory.wrapping_add(scratch::OUTBOX).wrapping_add((index as u64).wrapping_mul(size as u64))
}

/// Stamps and delivers what the lane's handler staged; returns how many messages are dead (their entries say why in
/// the low half of word 0) with the number of spilled ones in the high half.
#[gpu_fn]
pub fn commit(root_record: u64, lane_memory: u64) -> u32 {
    let count = staged(lane_memory);
    let mut outcome = 0u32;
    let mut abroad = false;
    let mut index = 0u32;
    while index < count {
        let entry = outbox_entry(root_record, lane_memory, index);
        // The actor's clock and the slots' size are loaded anew for every message: registers are scarcer.
        let address = ld_weak(lane_memory.wrapping_add(scratch::ACTOR));
        let now = ld_weak(lane_memory.wrapping_add(scratch::NOW));
        let stamp = clock::send(ld_weak(address.wrapping_add(actor::HLC)), now);
        st_weak(address.wrapping_add(actor::HLC), stamp);
        st_weak(entry.wrapping_add(slot::HLC), stamp);
        st_weak(entry.wrapping_add(slot::CORR), 0);
        let high = queue::high_half(ld_weak(entry));
        let fate = deliver(root_record, entry, high);
        if fate == SPILLED {
            outcome = outcome.wrapping_add(0x1_0000);
        } else if fate != DELIVERED {
            outcome = outcome.wrapping_add(1);
        } else {
            abroad = abroad
                || worker_of(ld_weak(entry.wrapping_add(slot::ACTOR))) != crate::device::worker() as u64;
        }
        st_weak(entry, queue::sequence_word(fate as u64, high));
        index = index.wrapping_add(1);
    }
    if abroad {
        wake_receivers(root_record, lane_memory, count);
    }
    outcome
}

/// Puts one message into its inbox, or behind the others in the spill ring; returns [`DELIVERED`], [`SPILLED`] or the
/// fault code of a dead letter.
#[gpu_fn]
pub fn deliver(root_record: u64, entry: u64, high: u32) -> u32 {
    let target = ld_weak(entry.wrapping_add(slot::ACTOR));
    if !is_routable(root_record, target) {
        return fault::code::UNKNOWN_ACTOR;
    }
    let mine = worker_record(root_record, crate::device::worker() as u64);
    // Once something waits in the spill ring, all later messages queue behind it: that keeps their order.
    if ld_relaxed_gpu(ld_weak(mine.wrapping_add(worker::SPILL_TICKET)))
        == ld_weak(mine.wrapping_add(worker::SPILL_HEAD))
        && deliver_direct(root_record, entry, high, target)
    {
        return DELIVERED;
    }
    let size = ld_weak(root_record.wrapping_add(root::SLOT_SIZE));
    let spill = ld_weak(mine.wrapping_add(worker::SPILL));
    let capacity = ld_weak(root_record.wrapping_add(root::SPILL_CAPACITY));
    let ticket = queue::claim(ld_weak(mine.wrapping_add(worker::SPILL_TICKET)), spill, capacity, size);
    if ticket == FULL {
        return fault::code::MAILBOX_FULL;
    }
    let at = queue::slot_at(spill, capacity, size, ticket);
    queue::copy_slot(at, entry, size);
    queue::publish_gpu(at, ticket, high);
    SPILLED
}

/// Puts one message into the device inbox of its receiver's worker, unless that is full.
#[gpu_fn]
pub fn deliver_direct(root_record: u64, entry: u64, high: u32, target: u64) -> bool {
    let size = ld_weak(root_record.wrapping_add(root::SLOT_SIZE));
    let receiver = worker_record(root_record, worker_of(target));
    let inbox = ld_weak(receiver.wrapping_add(worker::DEVICE_INBOX));
    let capacity = ld_weak(root_record.wrapping_add(root::DEVICE_CAPACITY));
    let ticket = queue::claim(ld_weak(receiver.wrapping_add(worker::DEVICE_TICKET)), inbox, capacity, size);
    if ticket == FULL {
        return false;
    }
    let at = queue::slot_at(inbox, capacity, size, ticket);
    queue::copy_slot(at, entry, size);
    queue::publish_gpu(at, ticket, high);
    true
}

/// Wakes the workers that sleep although the lane's outbox had messages for them.
#[gpu_fn]
pub fn wake_receivers(root_record: u64, lane_memory: u64, count: u32) {
    // Pairs with the fence of a worker that announces its sleep and then looks at its inbox once more.
    fence_sc_sys();
    let mut asleep = 0u64;
    let mut index = 0u32;
    while index < count {
        let target = ld_weak(outbox_entry(root_record, lane_memory, index).wrapping_add(slot::ACTOR));
        if is_routable(root_record, target) {
            let receiver = ld_weak(worker_record(root_record, worker_of(target)).wrapping_add(worker::LINE));
            asleep |= ld_relaxed_sys(receiver.wrapping_add(line::SLEEPING));
        }
        index = index.wrapping_add(1);
    }
    if asleep != 0 {
        signal_workers();
    }
}

/// The stamp of a completion that the lane is about to write: a send of its actor.
#[gpu_fn]
pub fn completion_stamp(lane_memory: u64) -> u64 {
    let now = ld_weak(lane_memory.wrapping_add(scratch::NOW));
    let address = ld_weak(lane_memory.wrapping_add(scratch::ACTOR));
    if address == 0 {
        // No actor, no clock: later than the message is all that can be said.
        return clock::send(ld_weak(lane_memory.wrapping_add(scratch::MESSAGE + slot::HLC)), now);
    }
    let stamp = clock::send(ld_weak(address.wrapping_add(actor::HLC)), now);
    st_weak(address.wrapping_add(actor::HLC), stamp);
    stamp
}
