//! One message on one lane: find the actor, receive the stamp, run the handler.
//!
//! Rule kept here: a handler's sends are staged and nothing more; a faulted handler has staged nothing.

use super::clock;
use super::queue;
use crate::abi::{actor, actor_id, actor_type, corr, cx, fault, root, scratch, slot, worker};
use crate::device::{dispatch, ld_acquire_sys, ld_relaxed_sys, ld_weak, st_weak};
use gpu_actor_macros::gpu_fn;

/// Outcome of a message: its handler returned, nobody waits.
pub const DONE: u32 = 0;
/// Outcome of a message: its handler returned, the reply is in the lane's record.
pub const REPLIED: u32 = 1;
/// Outcome of a message: it faulted, the fault is in the lane's record.
pub const FAULTED: u32 = 2;
/// Outcome of a message: its actor sleeps, nothing was done.
pub const ASLEEP: u32 = 4;
/// Set in an outcome when the message was the actor's first.
pub const ACTIVATED: u32 = 256;

/// Fault site of what the ring kernel itself reports.
pub const NO_SITE: u64 = 0xffff_ffff;

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

/// Whether a raw id is of node 0 and of a known type.
#[gpu_fn]
pub fn is_typed(root_record: u64, id: u64) -> bool {
    // The node's bits are above the type's: of another node it is more than any type. Type 0 wraps around to more, too.
    id.wrapping_shr(actor_id::TYPE_SHIFT).wrapping_sub(1)
        < ld_weak(root_record.wrapping_add(root::TYPE_COUNT))
}

/// Whether a raw id can name an actor of this device: node 0, a known type, an existing worker.
#[gpu_fn]
pub fn is_routable(root_record: u64, id: u64) -> bool {
    is_typed(root_record, id) && worker_of(id) < ld_weak(root_record.wrapping_add(root::WORKER_COUNT))
}

/// The record of `index` in the workers' table.
#[gpu_fn]
pub fn worker_record(root_record: u64, index: u64) -> u64 {
    ld_weak(root_record.wrapping_add(root::WORKERS)).wrapping_add(index.wrapping_mul(worker::SIZE))
}

/// The address of the actor that `id` names on worker `me`, or 0 if there is none.
#[gpu_fn]
pub fn find_actor(root_record: u64, id: u64, me: u64) -> u64 {
    // An existing worker: this one.
    if worker_of(id) != me {
        return 0;
    }
    if !is_typed(root_record, id) {
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

/// Runs the message at `message`; returns the outcome, with [`ACTIVATED`] set for a first message.
///
/// `method` is the message's method id, or 0 for a message to a sleeping actor that is not to wait: it faults for want of
/// memory. The actor's address is left in [`scratch::ACTOR`] (0: none).
#[gpu_fn]
pub fn run(root_record: u64, lane_memory: u64, message: u64, method: u32) -> u32 {
    let me = crate::device::worker() as u64;
    let record = lane_memory.wrapping_add(scratch::CX);
    let id = ld_weak(message.wrapping_add(slot::ACTOR));
    let now = ld_weak(lane_memory.wrapping_add(scratch::NOW));
    let capacity = ld_weak(root_record.wrapping_add(root::OUTBOX_CAPACITY));
    // SENT and OUTBOX_CAPACITY share a word: none sent, all of the capacity left.
    st_weak(record.wrapping_add(cx::SENT), capacity.wrapping_shl(32));
    st_weak(lane_memory.wrapping_add(scratch::ACTOR), 0);
    let mut reason = 0u32;
    let mut activated = 0u32;
    let address = find_actor(root_record, id, me);
    if address == 0 {
        reason = fault::code::UNKNOWN_ACTOR;
    } else {
        let was = ld_weak(address.wrapping_add(actor::STATUS));
        if was == actor::ASLEEP {
            // The frame of the sleeping has no clock of this actor.
            if method != 0 {
                return ASLEEP;
            }
            reason = fault::code::NO_MEMORY;
        } else {
            st_weak(lane_memory.wrapping_add(scratch::ACTOR), address);
            if was != actor::ACTIVE {
                activate(root_record, address, id);
                activated = ACTIVATED;
            }
            st_weak(
                address.wrapping_add(actor::SEQUENCE),
                ld_weak(address.wrapping_add(actor::SEQUENCE)).wrapping_add(1),
            );
            let stamp = ld_weak(message.wrapping_add(slot::HLC));
            if clock::drifts(stamp, now, ld_weak(root_record.wrapping_add(root::DRIFT_BOUND))) {
                reason = fault::code::CLOCK_DRIFT;
            } else {
                let received = clock::receive(ld_weak(address.wrapping_add(actor::HLC)), stamp, now);
                st_weak(address.wrapping_add(actor::HLC), received);
                st_weak(record.wrapping_add(cx::SELF_ID), id);
                st_weak(record.wrapping_add(cx::NOW), received);
            }
        }
    }
    // A message that its actor does not see goes the same way, by the method 0 that nobody has: so what it names is given back.
    let mut called = method;
    if reason != 0 {
        called = 0;
    }
    let state = address.wrapping_add(actor::STATE);
    let status = dispatch(called, type_of(id) as u32, state, message, record);
    if status != 0 {
        if reason != 0 {
            set_fault(record, reason);
        }
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
    st_weak(address.wrapping_add(actor::STATUS), actor::ACTIVE);
}

/// The stamp of a completion that the lane is about to write: a send of its actor.
#[gpu_fn]
pub fn completion_stamp(lane_memory: u64, message: u64) -> u64 {
    let now = ld_weak(lane_memory.wrapping_add(scratch::NOW));
    let address = ld_weak(lane_memory.wrapping_add(scratch::ACTOR));
    if address == 0 {
        // No actor, no clock: later than the message is all that can be said.
        return clock::send(ld_weak(message.wrapping_add(slot::HLC)), now);
    }
    let stamp = clock::send(ld_weak(address.wrapping_add(actor::HLC)), now);
    st_weak(address.wrapping_add(actor::HLC), stamp);
    stamp
}
