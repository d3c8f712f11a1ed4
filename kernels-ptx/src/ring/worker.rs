//! The worker loop: one block of lanes that owns a shard of the actors.
//!
//! Rules kept here: one lane reads what others write (commands, inbox readiness) and the warp follows it, so all lanes
//! take every branch around a warp operation together; an actor never runs on two lanes at once; the counters are
//! written so that a host which reads the finished ones first sees `sent` before the messages it counts; a worker whose
//! slice of time is over leaves between two messages, with all that it knows in its record.

use super::clock;
use super::message::{self, ACTIVATED, FAULTED, REPLIED};
use super::queue;
use crate::abi::{completion, control, corr, cx, fault, line, root, scratch, slot, worker};
use crate::device::{
    ballot, fence_sc_sys, global_timer, lane, lanes, ld_acquire_sys, ld_relaxed_gpu, ld_relaxed_sys, ld_weak,
    match_any, nanosleep, shfl, signal_host, st_relaxed_sys, st_release_sys, st_weak, sync_warp,
};
use gpu_actor_macros::gpu_fn;

/// Passes between two looks at the control block.
const BURST: u32 = 64;
/// Empty passes before a worker announces its sleep.
const SPINS: u32 = 52;
/// Nanoseconds of the shortest nap, between empty passes. It doubles every [`DOUBLING`] passes, so that a worker which nobody
/// wakes, as on hardware, is late by a fraction of the time that it had nothing to do.
const NAP: u32 = 200;
/// Naps of one length, as a shift.
const DOUBLING: u32 = 2;
/// Nanoseconds of a long sleep: the longest that `nanosleep` takes. The software GPU parks a worker that asks for it.
const SLEEP: u32 = 1_000_000;

// The naps stay below the long sleep, at which the software GPU parks.
const _: () = assert!(NAP << ((SPINS - 1) >> DOUBLING) < SLEEP);

/// The mask of the lanes that this worker has.
#[gpu_fn]
pub fn warp_mask() -> u32 {
    if lanes() >= 32 { 0xffff_ffff } else { 1u32.wrapping_shl(lanes()).wrapping_sub(1) }
}

/// How many of the lanes below this one voted yes.
#[gpu_fn]
pub fn rank(votes: u32) -> u32 {
    (votes & 1u32.wrapping_shl(lane()).wrapping_sub(1)).count_ones()
}

/// Writes what never changes into the lane's record.
#[gpu_fn]
pub fn prepare_lane(root_record: u64, lane_memory: u64, me: u64) {
    let record = lane_memory.wrapping_add(scratch::CX);
    st_weak(record.wrapping_add(cx::BUDGET), ld_weak(root_record.wrapping_add(root::BUDGET)));
    st_weak(record.wrapping_add(cx::WORKER), me | (lane() as u64).wrapping_shl(32));
    st_weak(record.wrapping_add(cx::OUTBOX), lane_memory.wrapping_add(scratch::OUTBOX));
    st_weak(record.wrapping_add(cx::SLOT_SIZE), ld_weak(root_record.wrapping_add(root::SLOT_SIZE)));
}

/// Sends what waits in the spill ring, oldest first, until an inbox is full; returns the new head. One lane's work.
#[gpu_fn]
pub fn flush_spill(root_record: u64, mine: u64, head: u64) -> u64 {
    let spill = ld_weak(mine.wrapping_add(worker::SPILL));
    let ticket = ld_weak(mine.wrapping_add(worker::SPILL_TICKET));
    let size = ld_weak(root_record.wrapping_add(root::SLOT_SIZE));
    let capacity = ld_weak(root_record.wrapping_add(root::SPILL_CAPACITY));
    let mut at = head;
    let mut asleep = 0u64;
    while at != ld_relaxed_gpu(ticket) {
        let entry = queue::slot_at(spill, capacity, size, at);
        let word = queue::ready_gpu(entry, at);
        if word == 0 {
            break;
        }
        let target = ld_weak(entry.wrapping_add(slot::ACTOR));
        if !message::deliver_direct(root_record, entry, size, queue::high_half(word), target) {
            break;
        }
        queue::release_gpu(entry, at, capacity);
        at = at.wrapping_add(1);
        fence_sc_sys();
        let receiver = ld_weak(
            message::worker_record(root_record, message::worker_of(target)).wrapping_add(worker::LINE),
        );
        asleep |= ld_relaxed_sys(receiver.wrapping_add(line::SLEEPING));
    }
    if asleep != 0 {
        crate::device::signal_workers();
    }
    at
}

/// Writes one completion: waits for a free slot, fills it, publishes it.
///
/// `entry` is the slot that the completion answers (the message, or an undelivered outbox entry), `words` the address of
/// its payload of `bytes`.
#[allow(clippy::too_many_arguments)] // Everything inlines: arguments cost nothing, and the language has no tuples.
#[gpu_fn]
pub fn complete(
    root_record: u64,
    mine: u64,
    ticket: u64,
    kind: u32,
    entry: u64,
    stamp: u64,
    correlation: u64,
    words: u64,
    bytes: u64,
) {
    let size = ld_weak(root_record.wrapping_add(root::SLOT_SIZE));
    let capacity = ld_weak(root_record.wrapping_add(root::COMPLETION_CAPACITY));
    let at = queue::slot_at(ld_weak(mine.wrapping_add(worker::COMPLETIONS)), capacity, size, ticket);
    // The host always drains its completions, so this wait ends; a ring of a peer is never waited for.
    while !queue::is_free_sys(at, ticket) {
        nanosleep(NAP);
    }
    st_weak(at.wrapping_add(slot::ACTOR), ld_weak(entry.wrapping_add(slot::ACTOR)));
    st_weak(at.wrapping_add(slot::HLC), stamp);
    st_weak(at.wrapping_add(slot::CORR), correlation);
    queue::copy_words(at.wrapping_add(slot::HEADER), words, bytes);
    queue::publish_sys(at, ticket, kind);
}

/// Wakes the host's poller if it sleeps.
#[gpu_fn]
pub fn wake_poller(control_block: u64) {
    // Pairs with the fence of a poller that announces its sleep and then looks at the rings once more.
    fence_sc_sys();
    if ld_relaxed_sys(control_block.wrapping_add(control::POLLER_SLEEPING)) != 0 {
        signal_host();
    }
}

/// Announces that this worker is about to sleep; whatever it looks at afterwards is either there already or its producer
/// sees the announcement.
#[gpu_fn]
pub fn announce_sleep(my_line: u64) {
    st_relaxed_sys(my_line.wrapping_add(line::SLEEPING), 1);
    fence_sc_sys();
}

/// Worker 0, one lane: answers the host's question for the device's time, if there is a new one.
#[gpu_fn]
pub fn answer_clock(root_record: u64, mine: u64) {
    let request = ld_relaxed_sys(constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_REQUEST));
    if request != ld_weak(mine.wrapping_add(worker::CLOCK_ANSWERED)) {
        let my_line = ld_weak(mine.wrapping_add(worker::LINE));
        st_relaxed_sys(my_line.wrapping_add(line::CLOCK_TIME), global_timer());
        st_release_sys(my_line.wrapping_add(line::CLOCK_ANSWER), request);
        st_weak(mine.wrapping_add(worker::CLOCK_ANSWERED), request);
    }
}

/// Whether this launch's slice of time is over; the same answer on all lanes, which ask together.
#[gpu_fn]
pub fn time_is_up(root_record: u64, mine: u64, mask: u32) -> bool {
    let slice = constant(root_record, root::SLICE);
    if slice == 0 {
        return false;
    }
    let spent = global_timer().wrapping_sub(constant(mine, worker::BEGUN));
    shfl(mask, spent, 0) >= slice
}

/// A word of a record that the host wrote before the launch. The worker loads such words where it needs them: its cache
/// has them at hand, and what it kept in registers all the time would limit how many warps a multiprocessor holds.
#[gpu_fn]
pub fn constant(record: u64, offset: u64) -> u64 {
    ld_weak(record.wrapping_add(offset))
}

/// The ring kernel: every lane of every worker runs this until the host says stop, or until the launch's slice is over.
#[gpu_fn]
pub fn work(root_record: u64) {
    let me = crate::device::worker() as u64;
    let my_lane = lane();
    let mask = warp_mask();
    let mine = message::worker_record(root_record, me);
    let index = me.wrapping_mul(lanes() as u64).wrapping_add(my_lane as u64);
    let lane_memory = ld_weak(root_record.wrapping_add(root::SCRATCH))
        .wrapping_add(index.wrapping_mul(ld_weak(root_record.wrapping_add(root::SCRATCH_STRIDE))));
    let reply = lane_memory.wrapping_add(scratch::CX + cx::REPLY);
    let mail = lane_memory.wrapping_add(scratch::MESSAGE);
    prepare_lane(root_record, lane_memory, me);

    // Where the last launch left off; before the first one the host wrote the beginning.
    let mut host_head = constant(mine, worker::HOST_HEAD);
    let mut device_head = constant(mine, worker::DEVICE_HEAD);
    let mut spill_head = constant(mine, worker::SPILL_HEAD);
    let mut completions = constant(mine, worker::COMPLETED);
    let mut handled = constant(mine, worker::HANDLED);
    let mut faulted = constant(mine, worker::FAULTED);
    let mut sent = constant(mine, worker::SENT);
    let mut dead = constant(mine, worker::DEAD_LETTERS);
    let mut spilled = constant(mine, worker::SPILLED);
    let mut activated = constant(mine, worker::ACTIVATED);
    let mut heartbeat = constant(mine, worker::HEARTBEAT);
    // The clock's parameters, reread when the host has published new ones.
    let mut clock_seq = constant(mine, worker::CLOCK_SEQ);
    let mut clock_device = constant(mine, worker::CLOCK_DEVICE_BASE);
    let mut clock_host = constant(mine, worker::CLOCK_HOST_BASE);
    let mut clock_rate = constant(mine, worker::CLOCK_RATE);
    let mut idle = 0u32;
    let mut acked = u64::MAX;
    if my_lane == 0 {
        st_weak(mine.wrapping_add(worker::BEGUN), global_timer());
        st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::SLEEPING), 0);
    }
    sync_warp(mask);

    loop {
        // 1. Control: one lane reads, all follow.
        let mut command = 0u64;
        if my_lane == 0 {
            command = ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::COMMAND));
            if me == 0 {
                answer_clock(root_record, mine);
            }
        }
        command = shfl(mask, command, 0);
        let order = command & 0xff;
        if order == control::STOP {
            if my_lane == 0 {
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::STATE), line::STOPPED);
            }
            break;
        }
        heartbeat = heartbeat.wrapping_add(1);
        if command != acked {
            acked = command;
            if my_lane == 0 {
                let state = if order == control::PAUSE { line::PAUSED } else { line::RUNNING };
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::STATE), state);
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::ACK), command);
            }
        }
        let mut work = 0u32;
        let mut worked = 0u32;
        if order == control::RUN {
            let seq = ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_SEQ));
            if shfl(mask, seq, 0) != clock_seq {
                let device = ld_acquire_sys(
                    constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_DEVICE_BASE),
                );
                let host = ld_acquire_sys(
                    constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_HOST_BASE),
                );
                let rate =
                    ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_RATE));
                let after =
                    ld_relaxed_sys(constant(root_record, root::CONTROL).wrapping_add(control::CLOCK_SEQ));
                // Torn on any lane: keep the old parameters and look again next time.
                if ballot(mask, seq != after || (seq & 1) != 0) == 0 {
                    clock_seq = shfl(mask, seq, 0);
                    clock_device = shfl(mask, device, 0);
                    clock_host = shfl(mask, host, 0);
                    clock_rate = shfl(mask, rate, 0);
                }
            }
            let timer = shfl(mask, global_timer(), 0);
            let now = clock::host_time(timer, clock_device, clock_host, clock_rate);
            while work < BURST {
                // 2. Spilled sends first, then this device's inbox, then the host's.
                if ld_relaxed_gpu(constant(mine, worker::SPILL_TICKET)) != spill_head {
                    let mut head = spill_head;
                    if my_lane == 0 {
                        head = flush_spill(root_record, mine, spill_head);
                    }
                    spill_head = shfl(mask, head, 0);
                }
                let ticket = device_head.wrapping_add(my_lane as u64);
                let at = queue::slot_at(
                    constant(mine, worker::DEVICE_INBOX),
                    constant(root_record, root::DEVICE_CAPACITY),
                    constant(root_record, root::SLOT_SIZE),
                    ticket,
                );
                let mut word = queue::ready_gpu(at, ticket);
                let mut count = (!ballot(mask, word != 0)).trailing_zeros();
                if count != 0 {
                    if my_lane < count {
                        queue::copy_slot(mail, at, constant(root_record, root::SLOT_SIZE));
                        queue::release_gpu(at, ticket, constant(root_record, root::DEVICE_CAPACITY));
                    }
                    device_head = device_head.wrapping_add(count as u64);
                } else {
                    let stuck =
                        shfl(mask, ld_relaxed_gpu(constant(mine, worker::SPILL_TICKET)), 0) != spill_head;
                    if stuck {
                        break;
                    }
                    let host_ticket = host_head.wrapping_add(my_lane as u64);
                    let host_at = queue::slot_at(
                        constant(mine, worker::HOST_INBOX),
                        constant(root_record, root::HOST_CAPACITY),
                        constant(root_record, root::SLOT_SIZE),
                        host_ticket,
                    );
                    word = queue::ready_sys(host_at, host_ticket);
                    count = (!ballot(mask, word != 0)).trailing_zeros();
                    if count == 0 {
                        break;
                    }
                    if my_lane < count {
                        queue::copy_slot(mail, host_at, constant(root_record, root::SLOT_SIZE));
                        queue::release_sys(host_at, host_ticket, constant(root_record, root::HOST_CAPACITY));
                    }
                    host_head = host_head.wrapping_add(count as u64);
                }
                work = work.wrapping_add(1);
                worked = worked.wrapping_add(count);

                // 3. Rounds: of the messages to one actor, the first in ring order runs, the others wait.
                let mut pending = my_lane < count;
                let mut completed = false;
                loop {
                    let waiting = ballot(mask, pending);
                    if waiting == 0 {
                        break;
                    }
                    let mut key = u64::MAX.wrapping_sub(my_lane as u64);
                    if pending {
                        key = ld_weak(mail.wrapping_add(slot::ACTOR));
                    }
                    let group = match_any(mask, key);
                    // Among the waiting ones only: whatever an id's bits are, some waiting lane leads its group.
                    let runs = pending && (group & waiting).trailing_zeros() == my_lane;
                    let mut outcome = 0u32;
                    let mut sends = 0u32;
                    if runs {
                        pending = false;
                        outcome = message::run(root_record, lane_memory, word, me, now);
                        sends = message::staged(lane_memory);
                    }
                    sync_warp(mask);

                    // 4. Sends: counted before they can be seen.
                    let mut senders = ballot(mask, sends != 0);
                    if senders != 0 {
                        while senders != 0 {
                            sent = sent.wrapping_add(shfl(mask, sends as u64, senders.trailing_zeros()));
                            senders &= senders.wrapping_sub(1);
                        }
                        if my_lane == 0 {
                            st_release_sys(constant(mine, worker::LINE).wrapping_add(line::SENT), sent);
                        }
                        sync_warp(mask);
                        let mut fate = 0u32;
                        if runs {
                            fate = message::commit(root_record, lane_memory, me, now, spill_head);
                        }
                        sync_warp(mask);
                        let mut unlucky = ballot(mask, fate != 0);
                        if unlucky != 0 {
                            while unlucky != 0 {
                                let lost = shfl(mask, fate as u64, unlucky.trailing_zeros());
                                spilled = spilled.wrapping_add(lost.wrapping_shr(16));
                                dead = dead.wrapping_add(lost & 0xffff);
                                unlucky &= unlucky.wrapping_sub(1);
                            }
                            // Dead letters: entry by entry over all lanes.
                            let mut entry = 0u32;
                            while ballot(mask, entry < sends) != 0 {
                                let letter = message::outbox_entry(
                                    lane_memory,
                                    entry,
                                    constant(root_record, root::SLOT_SIZE),
                                );
                                let mut reason = message::DELIVERED;
                                if entry < sends {
                                    reason = ld_weak(letter) as u32;
                                }
                                let lost = reason != message::DELIVERED && reason != message::SPILLED;
                                let losers = ballot(mask, lost);
                                if lost {
                                    let method = queue::high_half(ld_weak(letter));
                                    // The record takes the place of the payload: the message goes nowhere else.
                                    let words = letter.wrapping_add(slot::HEADER);
                                    st_weak(
                                        words.wrapping_add(fault::CODE_SITE),
                                        message::NO_SITE.wrapping_shl(32) | (reason as u64),
                                    );
                                    st_weak(words.wrapping_add(fault::METHOD), method as u64);
                                    complete(
                                        root_record,
                                        mine,
                                        completions.wrapping_add(rank(losers) as u64),
                                        completion::DEAD_LETTER,
                                        letter,
                                        ld_weak(letter.wrapping_add(slot::HLC)),
                                        0,
                                        words,
                                        fault::SIZE,
                                    );
                                }
                                completions = completions.wrapping_add(losers.count_ones() as u64);
                                completed = completed || losers != 0;
                                entry = entry.wrapping_add(1);
                            }
                        }
                    }

                    // 5. Replies and faults.
                    let replies = runs && (outcome & REPLIED) != 0;
                    let faults = runs && (outcome & FAULTED) != 0;
                    let votes = ballot(mask, replies || faults);
                    if votes != 0 {
                        if replies || faults {
                            let mut kind = completion::REPLY;
                            let mut bytes = constant(root_record, root::SLOT_SIZE).wrapping_sub(slot::HEADER);
                            let mut correlation = ld_weak(mail.wrapping_add(slot::CORR));
                            if faults {
                                kind = completion::FAULT;
                                bytes = fault::SIZE;
                                st_weak(
                                    reply.wrapping_add(fault::CODE_SITE),
                                    ld_weak(lane_memory.wrapping_add(scratch::CX + cx::FAULT_CODE)),
                                );
                                st_weak(reply.wrapping_add(fault::METHOD), queue::high_half(word) as u64);
                                if correlation.wrapping_shr(corr::KIND_SHIFT) != corr::KIND_ASK {
                                    correlation = 0;
                                }
                            }
                            complete(
                                root_record,
                                mine,
                                completions.wrapping_add(rank(votes) as u64),
                                kind,
                                mail,
                                message::completion_stamp(lane_memory, now),
                                correlation,
                                reply,
                                bytes,
                            );
                        }
                        completions = completions.wrapping_add(votes.count_ones() as u64);
                        completed = true;
                    }
                    let failures = ballot(mask, faults).count_ones() as u64;
                    faulted = faulted.wrapping_add(failures);
                    handled =
                        handled.wrapping_add(ballot(mask, runs).count_ones() as u64).wrapping_sub(failures);
                    activated =
                        activated.wrapping_add(ballot(mask, (outcome & ACTIVATED) != 0).count_ones() as u64);
                }
                sync_warp(mask);
                if completed && my_lane == 0 {
                    wake_poller(constant(root_record, root::CONTROL));
                }
                if time_is_up(root_record, mine, mask) {
                    break;
                }
            }

            // 6. Counters, once a burst: finished work is reported after everything it caused.
            if worked != 0 && my_lane == 0 {
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::SPILLED), spilled);
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::ACTIVATED), activated);
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::HANDLED), handled);
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::FAULTED), faulted);
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::DEAD_LETTERS), dead);
            }
        }
        if worked != 0 {
            idle = 0;
        } else {
            // 7. Nothing to do. A worker with spilled sends waits for a peer, who rings no bell: it only naps.
            let stuck = shfl(mask, ld_relaxed_gpu(constant(mine, worker::SPILL_TICKET)), 0) != spill_head;
            if idle < SPINS || (stuck && order == control::RUN) {
                let mut nap = NAP;
                if !stuck {
                    nap = NAP.wrapping_shl(idle.wrapping_shr(DOUBLING));
                    idle = idle.wrapping_add(1);
                }
                nanosleep(nap);
            } else {
                let mut came = false;
                if my_lane == 0 {
                    st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::HEARTBEAT), heartbeat);
                    announce_sleep(constant(mine, worker::LINE));
                    came =
                        ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::COMMAND))
                            != acked;
                    if order == control::RUN {
                        let device_slot = queue::slot_at(
                            constant(mine, worker::DEVICE_INBOX),
                            constant(root_record, root::DEVICE_CAPACITY),
                            constant(root_record, root::SLOT_SIZE),
                            device_head,
                        );
                        let host_slot = queue::slot_at(
                            constant(mine, worker::HOST_INBOX),
                            constant(root_record, root::HOST_CAPACITY),
                            constant(root_record, root::SLOT_SIZE),
                            host_head,
                        );
                        came = came
                            || queue::ready_gpu(device_slot, device_head) != 0
                            || queue::ready_sys(host_slot, host_head) != 0;
                    }
                }
                if ballot(mask, came) == 0 {
                    nanosleep(SLEEP);
                }
                if my_lane == 0 {
                    st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::SLEEPING), 0);
                }
            }
        }
        if heartbeat.trailing_zeros() >= 8 && my_lane == 0 {
            st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::HEARTBEAT), heartbeat);
        }
        // 8. The end of the slice, after at least one pass: every launch makes progress.
        if time_is_up(root_record, mine, mask) {
            if my_lane == 0 {
                st_weak(mine.wrapping_add(worker::HOST_HEAD), host_head);
                st_weak(mine.wrapping_add(worker::DEVICE_HEAD), device_head);
                st_weak(mine.wrapping_add(worker::SPILL_HEAD), spill_head);
                st_weak(mine.wrapping_add(worker::COMPLETED), completions);
                st_weak(mine.wrapping_add(worker::HANDLED), handled);
                st_weak(mine.wrapping_add(worker::FAULTED), faulted);
                st_weak(mine.wrapping_add(worker::SENT), sent);
                st_weak(mine.wrapping_add(worker::DEAD_LETTERS), dead);
                st_weak(mine.wrapping_add(worker::SPILLED), spilled);
                st_weak(mine.wrapping_add(worker::ACTIVATED), activated);
                st_weak(mine.wrapping_add(worker::HEARTBEAT), heartbeat);
                st_weak(mine.wrapping_add(worker::CLOCK_SEQ), clock_seq);
                st_weak(mine.wrapping_add(worker::CLOCK_DEVICE_BASE), clock_device);
                st_weak(mine.wrapping_add(worker::CLOCK_HOST_BASE), clock_host);
                st_weak(mine.wrapping_add(worker::CLOCK_RATE), clock_rate);
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::HEARTBEAT), heartbeat);
                // Whatever is accepted from here on rings the bell; whatever was accepted before is counted, and the
                // host that finds it not handled launches again.
                announce_sleep(constant(mine, worker::LINE));
            }
            break;
        }
    }
}
