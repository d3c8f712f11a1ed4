//! Actors that sleep: the host has their state, and a worker that has a message for one waits until it is back.
//!
//! Rules kept here: the worker stands still meanwhile, so no message overtakes another; whatever chunk it looks up
//! afterwards is the one that the host has put there. The chunk of a sleeping actor leads to a frame in which every actor has the
//! status [`ASLEEP`](crate::abi::actor::ASLEEP): actors that are awake are found without a question.

use super::message::type_of;
use super::worker::{complete, constant, wake_poller};
use crate::abi::{LINE, actor_type, completion, root, slot};
use crate::device::{lane, ld_acquire_sys, ld_weak, nanosleep, shfl, sync_warp};
use gpu_actor_macros::gpu_fn;

/// Nanoseconds between two looks for the answer, where no bell announces it.
pub const NAP: u32 = 1_000;
/// Nanoseconds of a sleep that a bell ends.
pub const SLEEP: u32 = 1_000_000;

/// The address of the host's answers to this worker about actors of the type of the raw id `id`.
#[gpu_fn]
pub fn answers(root_record: u64, id: u64) -> u64 {
    let kind = constant(root_record, root::TYPES).wrapping_add(type_of(id).wrapping_mul(actor_type::SIZE));
    let me = crate::device::worker() as u64;
    constant(kind, actor_type::COUNTS).wrapping_add(me.wrapping_mul(LINE)).wrapping_add(actor_type::ANSWER)
}

/// Asks the host to bring back the actor of lane `first`'s message, which is at `at` on that lane, and waits for the answer;
/// whether it was refused for want of memory. All lanes of `mask` take part. `ticket` is the next one of the completions, and
/// is used.
#[gpu_fn]
pub fn awaken(root_record: u64, mine: u64, mask: u32, first: u32, at: u64, ticket: u32) -> bool {
    let mut id = 0u64;
    if lane() == first {
        id = ld_weak(at.wrapping_add(slot::ACTOR));
    }
    id = shfl(mask, id, first);
    let answer = answers(root_record, id);
    // The host counts on only when it is asked, and nobody but this worker asks it here.
    let before = shfl(mask, ld_acquire_sys(answer), first);
    sync_warp(mask);
    if lane() == first {
        complete(root_record, mine, ticket as u64, completion::ASLEEP, at, 0, 0, at, 0);
        wake_poller(constant(root_record, root::CONTROL));
    }
    let mut nap = NAP;
    if constant(root_record, root::SPINS) == 0 {
        nap = SLEEP;
    }
    // All lanes nap together: so the software GPU parks the worker, and the host's bell wakes it. They meet before the one that
    // looks does so: it might else have looked before the bell, while others still slept, and the bell would be lost.
    let mut now = before;
    while now == before {
        nanosleep(nap);
        sync_warp(mask);
        now = shfl(mask, ld_acquire_sys(answer), first);
    }
    sync_warp(mask);
    (now & 1) != 0
}
