//! What handlers sent: stamped, counted and delivered, entry by entry over all lanes of a worker.
//!
//! Rules kept here: a handler's sends leave only after it returned. A message to an actor of the same worker goes to the
//! worker's private queue: plain memory, since this warp alone writes and reads it; the lanes take places in the order of
//! their lanes, and each lane's messages go in the order of its outbox, so each sender's order is kept. A message to another
//! worker goes to that one's device inbox. A worker never waits for room: what does not fit is spilled, and once a
//! lane's message is spilled, or anything waits in the spill ring, all that comes later queues behind it, so an overtaken
//! message cannot be. What cannot be spilled either is a dead letter, or dropped and counted, as its receiver's type says: always
//! the message at hand, since those in the rings before it have their places. The count of what was sent is visible before any
//! of it can be handled by another worker, or be seen to have been dropped.

use super::clock;
use super::message::{NO_SITE, is_routable, is_typed, type_of, worker_of, worker_record};
use super::queue::{self, FULL};
use super::worker::{complete, constant, count_up, rank};
use crate::abi::{actor, actor_type, completion, cx, fault, line, root, scratch, slot, worker};
use crate::device::{
    ballot, fence_sc_sys, forget, lane, ld_relaxed_gpu, ld_relaxed_sys, ld_weak, signal_workers,
    st_relaxed_sys, st_release_sys, st_weak, sync_warp,
};
use gpu_actor_macros::gpu_fn;

/// Fate of an entry: it has its place. Also that of a lane that has no such entry.
pub const DELIVERED: u32 = 0;
/// Fate of an entry: it waits in the spill ring. All others but those here and [`actor_type::DROP`] are fault codes of dead
/// letters.
pub const SPILLED: u32 = 0xffff;
/// Fate of an entry to come: the private queue.
pub const LOCAL: u32 = 0xfffe;
/// Fate of an entry to come: another worker's inbox.
pub const ABROAD: u32 = 0xfffd;

/// In an entry's correlation word: it goes nowhere.
pub const LOST: u64 = 1 << 63;
/// Bit of [`commit()`]'s result: something waits in the spill ring now.
pub const STUCK: u64 = 1 << 63;
/// Shift of the dead letters in [`commit()`]'s result. Below is the private queue's new tail.
pub const DEAD_SHIFT: u32 = 32;

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

/// Stamps an entry with its sender's clock.
#[gpu_fn]
pub fn stamp(lane_memory: u64, entry: u64) {
    let address = ld_weak(lane_memory.wrapping_add(scratch::ACTOR));
    let sent = clock::send(
        ld_weak(address.wrapping_add(actor::HLC)),
        ld_weak(lane_memory.wrapping_add(scratch::NOW)),
    );
    st_weak(address.wrapping_add(actor::HLC), sent);
    st_weak(entry.wrapping_add(slot::HLC), sent);
}

/// Where a message to `target` goes: [`LOCAL`], [`ABROAD`], or nowhere, as a fault code says.
#[gpu_fn]
pub fn route(root_record: u64, target: u64) -> u32 {
    let mut place = fault::code::UNKNOWN_ACTOR;
    if is_typed(root_record, target) {
        if worker_of(target) == crate::device::worker() as u64 {
            place = LOCAL;
        } else if is_routable(root_record, target) {
            place = ABROAD;
        }
    }
    place
}

/// The slot of the private queue that `ticket` names.
#[gpu_fn]
pub fn local_slot(root_record: u64, mine: u64, ticket: u32) -> u64 {
    queue::slot_at(
        constant(mine, worker::LOCAL),
        constant(root_record, root::DEVICE_CAPACITY),
        constant(root_record, root::SLOT_SIZE),
        ticket as u64,
    )
}

/// Free places of the private queue.
#[gpu_fn]
pub fn local_room(root_record: u64, head: u32, tail: u32) -> u32 {
    (constant(root_record, root::DEVICE_CAPACITY) as u32).wrapping_sub(tail.wrapping_sub(head))
}

/// Puts a message into the place `ticket` of the private queue.
#[gpu_fn]
pub fn put_local(root_record: u64, mine: u64, ticket: u32, entry: u64) {
    let at = local_slot(root_record, mine, ticket);
    st_weak(at, ld_weak(entry));
    queue::copy_slot(at, entry, constant(root_record, root::SLOT_SIZE));
}

/// Puts one message into the device inbox of its receiver's worker, unless that is full.
#[gpu_fn]
pub fn deliver_abroad(root_record: u64, entry: u64, target: u64) -> bool {
    let size = constant(root_record, root::SLOT_SIZE);
    let receiver = worker_record(root_record, worker_of(target));
    let inbox = constant(receiver, worker::DEVICE_INBOX);
    let capacity = constant(root_record, root::DEVICE_CAPACITY);
    let ticket = queue::claim(constant(receiver, worker::DEVICE_TICKET), inbox, capacity, size);
    if ticket == FULL {
        return false;
    }
    let at = queue::slot_at(inbox, capacity, size, ticket);
    queue::copy_slot(at, entry, size);
    queue::publish_gpu(at, ticket, queue::high_half(ld_weak(entry)));
    true
}

/// The fate of a message for which there is no room anywhere, as the type of its receiver says.
#[gpu_fn]
pub fn on_full(root_record: u64, target: u64) -> u32 {
    let kind =
        constant(root_record, root::TYPES).wrapping_add(type_of(target).wrapping_mul(actor_type::SIZE));
    constant(kind, actor_type::ON_FULL) as u32
}

/// Puts one message behind the others in the spill ring; its fate.
#[gpu_fn]
pub fn spill(root_record: u64, mine: u64, entry: u64) -> u32 {
    let size = constant(root_record, root::SLOT_SIZE);
    let slots = constant(mine, worker::SPILL);
    let capacity = constant(root_record, root::SPILL_CAPACITY);
    let ticket = queue::claim(constant(mine, worker::SPILL_TICKET), slots, capacity, size);
    if ticket == FULL {
        return on_full(root_record, ld_weak(entry.wrapping_add(slot::ACTOR)));
    }
    let at = queue::slot_at(slots, capacity, size, ticket);
    queue::copy_slot(at, entry, size);
    queue::publish_gpu(at, ticket, queue::high_half(ld_weak(entry)));
    SPILLED
}

/// Whether something waits in the spill ring. Nobody but this warp writes into it, so all lanes see the same.
#[gpu_fn]
pub fn is_stuck(mine: u64) -> bool {
    ld_relaxed_gpu(constant(mine, worker::SPILL_TICKET)) != constant(mine, worker::SPILL_HEAD)
}

/// Sends what waits in the spill ring, oldest first, until one does not fit; the private queue's new tail. One lane's work.
#[gpu_fn]
pub fn flush_spill(root_record: u64, mine: u64, head: u32, tail: u32) -> u32 {
    let ticket = constant(mine, worker::SPILL_TICKET);
    let mut behind = tail;
    let mut at = constant(mine, worker::SPILL_HEAD);
    let mut asleep = 0u64;
    while at != ld_relaxed_gpu(ticket) {
        let entry = queue::slot_at(
            constant(mine, worker::SPILL),
            constant(root_record, root::SPILL_CAPACITY),
            constant(root_record, root::SLOT_SIZE),
            at,
        );
        if queue::ready_gpu(entry, at) == 0 {
            break;
        }
        let target = ld_weak(entry.wrapping_add(slot::ACTOR));
        if worker_of(target) == crate::device::worker() as u64 {
            if local_room(root_record, head, behind) == 0 {
                break;
            }
            put_local(root_record, mine, behind, entry);
            behind = behind.wrapping_add(1);
        } else {
            if !deliver_abroad(root_record, entry, target) {
                break;
            }
            fence_sc_sys();
            asleep |= sleeps(root_record, target);
        }
        queue::release_gpu(entry, at, constant(root_record, root::SPILL_CAPACITY));
        at = at.wrapping_add(1);
    }
    if asleep != 0 {
        signal_workers();
    }
    st_weak(mine.wrapping_add(worker::SPILL_HEAD), at);
    behind
}

/// Whether the worker of `target` sleeps, as a word. A fence stands before this: it pairs with that of a worker which
/// announces its sleep and then looks at its inbox once more.
#[gpu_fn]
pub fn sleeps(root_record: u64, target: u64) -> u64 {
    let receiver = constant(worker_record(root_record, worker_of(target)), worker::LINE);
    ld_relaxed_sys(receiver.wrapping_add(line::SLEEPING))
}

/// Wakes the workers that sleep although the lane's outbox had messages for them.
#[gpu_fn]
pub fn wake_receivers(root_record: u64, lane_memory: u64, count: u32) {
    fence_sc_sys();
    let mut asleep = 0u64;
    let mut index = 0u32;
    while index < count {
        let target = ld_weak(outbox_entry(root_record, lane_memory, index).wrapping_add(slot::ACTOR));
        if is_routable(root_record, target) {
            asleep |= sleeps(root_record, target);
        }
        index = index.wrapping_add(1);
    }
    if asleep != 0 {
        signal_workers();
    }
}

/// Reports an entry that goes nowhere. The record takes the place of the handler's views, which has ended.
#[gpu_fn]
pub fn bury(root_record: u64, mine: u64, lane_memory: u64, ticket: u32, entry: u64, reason: u32) {
    let method = queue::high_half(ld_weak(entry)) as u64;
    let words = lane_memory.wrapping_add(scratch::VIEWS);
    st_weak(words.wrapping_add(fault::CODE_SITE), NO_SITE.wrapping_shl(32) | (reason as u64));
    st_weak(words.wrapping_add(fault::METHOD), method);
    complete(
        root_record,
        mine,
        ticket as u64,
        completion::DEAD_LETTER,
        entry,
        ld_weak(entry.wrapping_add(slot::HLC)),
        0,
        words,
        fault::SIZE,
    );
}

/// Marks an entry that goes nowhere.
#[gpu_fn]
pub fn lose(entry: u64) {
    let word = ld_weak(entry.wrapping_add(slot::CORR));
    st_weak(entry.wrapping_add(slot::CORR), word | LOST);
}

/// Gives back what the lane's lost messages have, of the `count` in its outbox.
#[gpu_fn]
pub fn forget_lost(root_record: u64, lane_memory: u64, count: u32) {
    let mut index = 0u32;
    while index < count {
        let entry = outbox_entry(root_record, lane_memory, index);
        // Without slices the mark is alone.
        if ld_weak(entry.wrapping_add(slot::CORR)) > LOST {
            forget(lane_memory.wrapping_add(scratch::CX), entry);
        }
        index = index.wrapping_add(1);
    }
}

/// Counts messages that are dropped, and says so at once: it is rare, and a burst's end has enough to say. One lane's work.
#[gpu_fn]
pub fn count_dropped(mine: u64, count: u32) {
    let my_line = constant(mine, worker::LINE);
    let dropped = count_up(mine, worker::DROPPED, count as u64);
    // They count as sent before they count as dropped.
    st_relaxed_sys(my_line.wrapping_add(line::SENT), constant(mine, worker::SENT));
    st_release_sys(my_line.wrapping_add(line::DROPPED), dropped);
}

/// Delivers what the lanes' handlers staged, `sends` of this lane; all lanes of `mask` take part.
///
/// `head` and `tail` are the private queue's, `stuck` says whether something waits in the spill ring, `completions` is the next
/// ticket of the completions. The result has the new tail, the number of dead letters and [`STUCK`].
#[allow(clippy::too_many_arguments)] // Everything inlines: arguments cost nothing, and the language has no tuples.
#[gpu_fn]
pub fn commit(
    root_record: u64,
    mine: u64,
    lane_memory: u64,
    mask: u32,
    sends: u32,
    head: u32,
    tail: u32,
    stuck: bool,
    completions: u32,
) -> u64 {
    // All that is sent counts at once. The host need not hear of it yet: what stays here is handled in this burst or a later
    // one, and the burst's end publishes this count before that of the handled ones.
    let mut depth = 0u32;
    let mut total = 0u32;
    let mut live = ballot(mask, sends != 0);
    while live != 0 {
        total = total.wrapping_add(live.count_ones());
        depth = depth.wrapping_add(1);
        live = ballot(mask, depth < sends);
    }
    if lane() == 0 {
        count_up(mine, worker::SENT, total as u64);
    }
    let mut behind = tail;
    let mut announced = false;
    let mut waits = stuck;
    let mut outcome = 0u64;
    let mut losses = 0u32;
    let mut entry = 0u32;
    while entry < depth {
        let letter = outbox_entry(root_record, lane_memory, entry);
        let mut fate = DELIVERED;
        if entry < sends {
            stamp(lane_memory, letter);
            fate = route(root_record, ld_weak(letter.wrapping_add(slot::ACTOR)));
        }
        let locals = ballot(mask, fate == LOCAL && !waits);
        if locals != 0 {
            let room = local_room(root_record, head, behind);
            let place = rank(locals);
            if fate == LOCAL && !waits && place < room {
                put_local(root_record, mine, behind.wrapping_add(place), letter);
                fate = DELIVERED;
            }
            behind = behind.wrapping_add(locals.count_ones().min(room));
        }
        // Most of what is sent is delivered by now.
        if ballot(mask, fate != DELIVERED) != 0 {
            if ballot(mask, fate == ABROAD) != 0 {
                if !announced {
                    announced = true;
                    if lane() == 0 {
                        let sent = constant(mine, worker::SENT);
                        st_release_sys(constant(mine, worker::LINE).wrapping_add(line::SENT), sent);
                    }
                    sync_warp(mask);
                }
                if fate == ABROAD
                    && !waits
                    && deliver_abroad(root_record, letter, ld_weak(letter.wrapping_add(slot::ACTOR)))
                {
                    fate = DELIVERED;
                }
            }
            if fate == LOCAL || fate == ABROAD {
                waits = true;
                fate = spill(root_record, mine, letter);
            }
            let dropped = ballot(mask, fate == actor_type::DROP);
            if dropped != 0 {
                if lane() == 0 {
                    count_dropped(mine, dropped.count_ones());
                }
                if fate == actor_type::DROP {
                    fate = DELIVERED;
                    lose(letter);
                }
            }
            let spilled = ballot(mask, fate == SPILLED);
            let lost = fate != DELIVERED && fate != SPILLED;
            let losers = ballot(mask, lost);
            losses |= losers | dropped;
            if lost {
                let before = (outcome.wrapping_shr(DEAD_SHIFT) as u32) & 0x7fff_ffff;
                let ticket = completions.wrapping_add(before).wrapping_add(rank(losers));
                bury(root_record, mine, lane_memory, ticket, letter, fate);
                lose(letter);
            }
            if lane() == 0 {
                count_up(mine, worker::SPILLED, spilled.count_ones() as u64);
                count_up(mine, worker::DEAD_LETTERS, losers.count_ones() as u64);
            }
            outcome = outcome.wrapping_add((losers.count_ones() as u64).wrapping_shl(DEAD_SHIFT));
            if spilled != 0 {
                outcome |= STUCK;
            }
        }
        entry = entry.wrapping_add(1);
    }
    // Here, where the fewest registers are in use.
    if losses != 0 {
        forget_lost(root_record, lane_memory, sends);
    }
    if announced {
        wake_receivers(root_record, lane_memory, sends);
    }
    sync_warp(mask);
    outcome | (behind as u64)
}
