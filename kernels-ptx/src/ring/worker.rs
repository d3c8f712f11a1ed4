//! The worker loop: one block of lanes that owns a shard of the actors.
//!
//! Rules kept here: one lane reads what others write (commands, inbox readiness) and the warp follows it, so all lanes
//! take every branch around a warp operation together; an actor never runs on two lanes at once; the counters are
//! written so that a host which reads the finished ones first sees `sent` before the messages it counts; a worker whose
//! slice of time is over leaves between two messages, with all that it knows in its record.

use super::clock;
use super::message::{self, ACTIVATED, FAULTED, REPLIED};
use super::outgoing::{self, is_stuck};
use super::queue;
use super::sleepers;
use crate::abi::{completion, control, corr, cx, fault, line, root, scratch, slot, worker};
use crate::device::{
    ballot, fence_sc_sys, global_timer, lane, lanes, ld_acquire_sys, ld_relaxed_sys, ld_weak, match_any,
    nanosleep, shfl, signal_host, st_relaxed_sys, st_release_sys, st_weak, sync_warp,
};
use gpu_actor_macros::gpu_fn;

/// Passes between two looks at the control block.
const BURST: u32 = 64;
/// What a worker remembers of the last pass: how many messages it took, in the low 8 bits, where they came from, and [`OWED`].
/// One word, since registers are scarce. First: nowhere, or the private queue.
const FROM_LOCAL: u32 = 0;
/// From the device inbox.
const FROM_DEVICE: u32 = 0x100;
/// From the host inbox.
const FROM_HOST: u32 = 0x200;
/// Where they came from.
const FROM: u32 = 0x300;
/// Since the last fence the host has been sent what its poller may sleep through.
const OWED: u32 = 0x1000;
/// Nanoseconds of the shortest nap, between empty passes. It doubles every [`DOUBLING`] passes, so that a worker which nobody
/// wakes, as on hardware, is late by a fraction of the time that it had nothing to do.
const NAP: u32 = 200;
/// Naps of one length, as a shift.
const DOUBLING: u32 = 2;
/// Nanoseconds of a long sleep: the longest that `nanosleep` takes. The software GPU parks a worker that asks for it.
const SLEEP: u32 = 1_000_000;

// The naps stay below the long sleep, at which the software GPU parks.
const _: () = assert!(NAP << ((root::MOST_SPINS - 1) >> DOUBLING) < SLEEP);

/// The mask of the lanes that this worker has.
#[gpu_fn]
pub fn warp_mask() -> u32 {
    // Without a branch: where the number of lanes is known to a compiler, the mask is, too.
    0xffff_ffffu32.wrapping_shr(32u32.wrapping_sub(lanes()))
}

/// How many of the lanes below this one voted yes.
#[gpu_fn]
pub fn rank(votes: u32) -> u32 {
    (votes & 1u32.wrapping_shl(lane()).wrapping_sub(1)).count_ones()
}

/// The ones at the low end: messages without a gap from the ring's head on.
#[gpu_fn]
pub fn leading(votes: u32) -> u32 {
    votes & !votes.wrapping_add(1)
}

/// Writes what never changes into the lane's record.
#[gpu_fn]
pub fn prepare_lane(root_record: u64, lane_memory: u64, me: u64) {
    let record = lane_memory.wrapping_add(scratch::CX);
    st_weak(record.wrapping_add(cx::BUDGET), ld_weak(root_record.wrapping_add(root::BUDGET)));
    st_weak(record.wrapping_add(cx::WORKER), me | (lane() as u64).wrapping_shl(32));
    st_weak(record.wrapping_add(cx::OUTBOX), lane_memory.wrapping_add(scratch::OUTBOX));
    st_weak(record.wrapping_add(cx::SLOT_SIZE), ld_weak(root_record.wrapping_add(root::SLOT_SIZE)));
    st_weak(record.wrapping_add(cx::BUFFERS), ld_weak(root_record.wrapping_add(root::BUFFERS)));
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
    queue::copy_payload(at.wrapping_add(slot::HEADER), words, bytes);
    queue::publish_sys(at, ticket, kind);
}

/// Wakes the host's poller if it is seen to sleep.
#[gpu_fn]
pub fn nudge_poller(control_block: u64) {
    if ld_relaxed_sys(control_block.wrapping_add(control::POLLER_SLEEPING)) != 0 {
        signal_host();
    }
}

/// Wakes the host's poller if it sleeps.
#[gpu_fn]
pub fn wake_poller(control_block: u64) {
    // Pairs with the fence of a poller that announces its sleep and then looks at the rings once more.
    fence_sc_sys();
    nudge_poller(control_block);
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

/// A word of a record that the host wrote before the launch, or that this worker alone writes. The worker loads such words
/// where it needs them: its cache has them at hand, and what it kept in registers all the time would limit how many warps a
/// multiprocessor holds.
#[gpu_fn]
pub fn constant(record: u64, offset: u64) -> u64 {
    ld_weak(record.wrapping_add(offset))
}

/// Adds to a counter in the worker's record; the new value. One lane's work.
#[gpu_fn]
pub fn count_up(mine: u64, offset: u64, by: u64) -> u64 {
    let sum = ld_weak(mine.wrapping_add(offset)).wrapping_add(by);
    st_weak(mine.wrapping_add(offset), sum);
    sum
}

/// The host's time for this pass, all lanes' the same: the clock's parameters are reread when the host has new ones.
#[gpu_fn]
pub fn read_clock(root_record: u64, mine: u64, mask: u32) -> u64 {
    let block = constant(root_record, root::CONTROL);
    let seq = ld_acquire_sys(block.wrapping_add(control::CLOCK_SEQ));
    if shfl(mask, seq, 0) != constant(mine, worker::CLOCK_SEQ) {
        let device = ld_acquire_sys(block.wrapping_add(control::CLOCK_DEVICE_BASE));
        let host = ld_acquire_sys(block.wrapping_add(control::CLOCK_HOST_BASE));
        let rate = ld_acquire_sys(block.wrapping_add(control::CLOCK_RATE));
        let after = ld_relaxed_sys(block.wrapping_add(control::CLOCK_SEQ));
        // Torn on any lane: keep the old parameters and look again next time. Else all lanes read the same ones.
        if ballot(mask, seq != after || (seq & 1) != 0) == 0 {
            sync_warp(mask);
            if lane() == 0 {
                st_weak(mine.wrapping_add(worker::CLOCK_SEQ), seq);
                st_weak(mine.wrapping_add(worker::CLOCK_DEVICE_BASE), device);
                st_weak(mine.wrapping_add(worker::CLOCK_HOST_BASE), host);
                st_weak(mine.wrapping_add(worker::CLOCK_RATE), rate);
            }
            sync_warp(mask);
        }
    }
    let timer = shfl(mask, global_timer(), 0);
    clock::host_time(
        timer,
        constant(mine, worker::CLOCK_DEVICE_BASE),
        constant(mine, worker::CLOCK_HOST_BASE),
        constant(mine, worker::CLOCK_RATE),
    )
}

/// The ring kernel: every lane of every worker runs this until the host says stop, or until the launch's slice is over.
///
/// Registers hold what a pass needs on every lane, 32 bits of it where slots compare no more. All else is in the
/// worker's record, where it also stays between two launches: counters, the clock, the spill ring's head.
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
    prepare_lane(root_record, lane_memory, me);

    // Where the last launch left off; before the first one the host wrote the beginning.
    let mut host_head = constant(mine, worker::HOST_HEAD) as u32;
    let mut device_head = constant(mine, worker::DEVICE_HEAD) as u32;
    let mut local_head = constant(mine, worker::LOCAL_HEAD) as u32;
    let mut local_tail = constant(mine, worker::LOCAL_TAIL) as u32;
    let mut completions = constant(mine, worker::COMPLETED) as u32;
    let mut stuck = is_stuck(mine);
    let mut idle = 0u32;
    if my_lane == 0 {
        st_weak(mine.wrapping_add(worker::BEGUN), global_timer());
        st_weak(mine.wrapping_add(worker::ACKED), u64::MAX);
        st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::SLEEPING), 0);
    }
    sync_warp(mask);

    loop {
        // 1. Control: one lane reads, all follow.
        let mut command = 0u64;
        if my_lane == 0 {
            command = ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::COMMAND));
            if crate::device::worker() == 0 {
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
        let running = order == control::RUN;
        if my_lane == 0 {
            let beat = count_up(mine, worker::HEARTBEAT, 1);
            if beat.trailing_zeros() >= 8 {
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::HEARTBEAT), beat);
            }
            if command != constant(mine, worker::ACKED) {
                st_weak(mine.wrapping_add(worker::ACKED), command);
                let state = if order == control::PAUSE { line::PAUSED } else { line::RUNNING };
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::STATE), state);
                st_release_sys(constant(mine, worker::LINE).wrapping_add(line::ACK), command);
            }
        }
        let mut work = 0u32;
        let mut worked = 0u32;
        if running {
            st_weak(lane_memory.wrapping_add(scratch::NOW), read_clock(root_record, mine, mask));
            let mut last = FROM_HOST;
            while work < BURST {
                // 2. Spilled sends first, then the worker's own, then those of this device, then the host's. The first passes
                // of a burst begin further behind, so that who comes last gets its turn whatever the others send; and while
                // the host's flow, the device's are looked for in every eighth pass.
                if stuck {
                    // Whether that was all is lane 0's word, too: another lane might look when lane 0 is a pass ahead.
                    let mut flushed = 0u64;
                    if my_lane == 0 {
                        flushed = outgoing::flush_spill(root_record, mine, local_head, local_tail) as u64;
                        if is_stuck(mine) {
                            flushed |= outgoing::STUCK;
                        }
                    }
                    flushed = shfl(mask, flushed, 0);
                    sync_warp(mask);
                    local_tail = flushed as u32;
                    stuck = (flushed & outgoing::STUCK) != 0;
                }
                let waits = local_tail.wrapping_sub(local_head);
                let mut from = FROM_DEVICE;
                let mut at = lane_memory.wrapping_add(scratch::MESSAGE);
                let mut word = 0u64;
                let mut waiting = 0u32;
                if work > 1 && waits != 0 {
                    from = FROM_LOCAL;
                    if my_lane < waits {
                        at = outgoing::local_slot(root_record, mine, local_head.wrapping_add(my_lane));
                        word = ld_weak(at);
                    }
                    waiting = ballot(mask, my_lane < waits);
                }
                let looks = (last & FROM) != FROM_HOST || (work & 7) == 1;
                if waiting == 0 && looks {
                    let ticket = device_head.wrapping_add(my_lane) as u64;
                    let device_at = queue::slot_at(
                        constant(mine, worker::DEVICE_INBOX),
                        constant(root_record, root::DEVICE_CAPACITY),
                        constant(root_record, root::SLOT_SIZE),
                        ticket,
                    );
                    word = queue::ready_gpu(device_at, ticket);
                    waiting = leading(ballot(mask, word != 0));
                    if my_lane < waiting.count_ones() {
                        at = device_at;
                    }
                }
                if waiting == 0 && !stuck {
                    from = FROM_HOST;
                    let ticket = host_head.wrapping_add(my_lane) as u64;
                    let host_at = queue::slot_at(
                        constant(mine, worker::HOST_INBOX),
                        constant(root_record, root::HOST_CAPACITY),
                        constant(root_record, root::SLOT_SIZE),
                        ticket,
                    );
                    word = queue::ready_sys(host_at, ticket);
                    waiting = leading(ballot(mask, word != 0));
                    // Copied at once: the host's memory may be behind a bus, which is crossed once for all words of all
                    // lanes and not whenever a handler reads one.
                    if my_lane < waiting.count_ones() {
                        st_weak(at, word);
                        queue::fetch_slot(at, host_at, constant(root_record, root::SLOT_SIZE));
                        queue::release_sys(host_at, ticket, constant(root_record, root::HOST_CAPACITY));
                    }
                    host_head = host_head.wrapping_add(waiting.count_ones());
                }
                work = work.wrapping_add(1);
                if waiting == 0 {
                    // Nothing, where this pass looked: is that everywhere?
                    last &= OWED;
                    if looks && (waits == 0 || work > 2) {
                        break;
                    }
                    continue;
                }
                let mut method = queue::high_half(word);
                last = (last & OWED) | from | waiting.count_ones();
                worked = worked.wrapping_add(waiting.count_ones());

                // 3. Rounds: of the messages to one actor, the first in ring order runs, the others wait.
                let mut completed = false;
                while waiting != 0 {
                    let pending = (waiting.wrapping_shr(my_lane) & 1) != 0;
                    let mut runs = pending;
                    if (waiting & waiting.wrapping_sub(1)) == 0 {
                        // A lone message has no rival.
                        waiting = 0;
                    } else {
                        let mut key = u64::MAX.wrapping_sub(my_lane as u64);
                        if pending {
                            key = ld_weak(at.wrapping_add(slot::ACTOR));
                        }
                        let group = match_any(mask, key);
                        // Among the waiting ones only: whatever an id's bits are, some waiting lane leads its group.
                        runs = pending && (group & waiting).trailing_zeros() == my_lane;
                        waiting &= !ballot(mask, runs);
                    }
                    let mut outcome = 0u32;
                    let mut sends = 0u32;
                    if runs {
                        outcome = message::run(root_record, lane_memory, at, method);
                        sends = outgoing::staged(lane_memory);
                    }
                    sync_warp(mask);

                    // 4. Most tells end here: no sends, no reply, no fault, and not their actor's first message.
                    if ballot(mask, (outcome | sends) != 0) != 0 {
                        // A message to an actor that sleeps waits where it was, and the worker with it; so order is kept.
                        let asleep = ballot(mask, outcome == message::ASLEEP);
                        if asleep != 0 {
                            let first = asleep.trailing_zeros();
                            let refused = sleepers::awaken(root_record, mine, mask, first, at, completions);
                            completions = completions.wrapping_add(1);
                            waiting |= asleep;
                            if outcome == message::ASLEEP {
                                outcome = message::DONE;
                            }
                            // Refused, it runs once more, as a message that does not wait.
                            if refused && my_lane == first {
                                method = 0;
                            }
                        }
                        if ballot(mask, sends != 0) != 0 {
                            let fates = outgoing::commit(
                                root_record,
                                mine,
                                lane_memory,
                                mask,
                                sends,
                                local_head,
                                local_tail,
                                stuck,
                                completions,
                            );
                            let dead = (fates.wrapping_shr(outgoing::DEAD_SHIFT) as u32) & 0x7fff_ffff;
                            local_tail = fates as u32;
                            stuck = stuck || (fates & outgoing::STUCK) != 0;
                            completions = completions.wrapping_add(dead);
                            completed = completed || dead != 0;
                        }
                        // 5. Replies and faults, and first messages.
                        if ballot(mask, outcome != message::DONE) != 0 {
                            let faults = (outcome & FAULTED) != 0;
                            let answers = faults || (outcome & REPLIED) != 0;
                            let votes = ballot(mask, answers);
                            if answers {
                                let mut kind = completion::REPLY;
                                let mut bytes =
                                    constant(root_record, root::SLOT_SIZE).wrapping_sub(slot::HEADER);
                                let mut correlation = ld_weak(at.wrapping_add(slot::CORR));
                                if faults {
                                    kind = completion::FAULT;
                                    bytes = fault::SIZE;
                                    st_weak(
                                        reply.wrapping_add(fault::CODE_SITE),
                                        ld_weak(lane_memory.wrapping_add(scratch::CX + cx::FAULT_CODE)),
                                    );
                                    let method = queue::high_half(ld_weak(at)) as u64;
                                    st_weak(reply.wrapping_add(fault::METHOD), method);
                                    if correlation.wrapping_shr(corr::KIND_SHIFT) != corr::KIND_ASK {
                                        correlation = 0;
                                    }
                                }
                                complete(
                                    root_record,
                                    mine,
                                    completions.wrapping_add(rank(votes)) as u64,
                                    kind,
                                    at,
                                    message::completion_stamp(lane_memory, at),
                                    correlation,
                                    reply,
                                    bytes,
                                );
                            }
                            completions = completions.wrapping_add(votes.count_ones());
                            completed = completed || votes != 0;
                            let failures = ballot(mask, faults).count_ones();
                            let activations = ballot(mask, (outcome & ACTIVATED) != 0).count_ones();
                            if my_lane == 0 {
                                count_up(mine, worker::FAULTED, failures as u64);
                                count_up(mine, worker::HANDLED, 0u64.wrapping_sub(failures as u64));
                                count_up(mine, worker::ACTIVATED, activations as u64);
                            }
                        }
                    }
                }
                sync_warp(mask);
                // What was read in place is given back now.
                let taken = last & 0xff;
                if (last & FROM) == FROM_LOCAL {
                    local_head = local_head.wrapping_add(taken);
                }
                if (last & FROM) == FROM_DEVICE {
                    if my_lane < taken {
                        let ticket = device_head.wrapping_add(my_lane) as u64;
                        queue::release_gpu(at, ticket, constant(root_record, root::DEVICE_CAPACITY));
                    }
                    device_head = device_head.wrapping_add(taken);
                }
                // Whoever waits for a reply is woken at once, as a rule; without a fence the sleep of a poller that is just lying
                // down may be missed, until the fence of the eighth pass or the burst's end.
                if completed {
                    last |= OWED;
                    if my_lane == 0 {
                        nudge_poller(constant(root_record, root::CONTROL));
                    }
                }
                let turn = work & 7;
                if turn == 0 && (last & OWED) != 0 {
                    last &= !OWED;
                    if my_lane == 0 {
                        wake_poller(constant(root_record, root::CONTROL));
                    }
                }
                if time_is_up(root_record, mine, mask) {
                    break;
                }
            }

            if (last & OWED) != 0 && my_lane == 0 {
                wake_poller(constant(root_record, root::CONTROL));
            }

            // 6. Counters, once a burst: finished work is reported after everything it caused.
            if worked != 0 && my_lane == 0 {
                let handled = count_up(mine, worker::HANDLED, worked as u64);
                let my_line = constant(mine, worker::LINE);
                // What stayed here counts as sent before it counts as handled.
                st_relaxed_sys(my_line.wrapping_add(line::SENT), constant(mine, worker::SENT));
                st_relaxed_sys(my_line.wrapping_add(line::SPILLED), constant(mine, worker::SPILLED));
                st_relaxed_sys(my_line.wrapping_add(line::ACTIVATED), constant(mine, worker::ACTIVATED));
                st_release_sys(my_line.wrapping_add(line::HANDLED), handled);
                st_release_sys(my_line.wrapping_add(line::FAULTED), constant(mine, worker::FAULTED));
                st_release_sys(
                    my_line.wrapping_add(line::DEAD_LETTERS),
                    constant(mine, worker::DEAD_LETTERS),
                );
            }
        }
        if worked != 0 {
            idle = 0;
        } else if (idle as u64) < constant(root_record, root::SPINS) || (stuck && running) {
            // 7. Nothing to do. A worker with spilled sends waits for a peer, who rings no bell: it only naps.
            let mut nap = NAP;
            if !stuck {
                nap = NAP.wrapping_shl(idle.wrapping_shr(DOUBLING));
                idle = idle.wrapping_add(1);
            }
            nanosleep(nap);
        } else {
            let mut came = false;
            if my_lane == 0 {
                let my_line = constant(mine, worker::LINE);
                st_relaxed_sys(my_line.wrapping_add(line::HEARTBEAT), constant(mine, worker::HEARTBEAT));
                announce_sleep(my_line);
                came = ld_acquire_sys(constant(root_record, root::CONTROL).wrapping_add(control::COMMAND))
                    != constant(mine, worker::ACKED);
                if running {
                    let device_slot = queue::slot_at(
                        constant(mine, worker::DEVICE_INBOX),
                        constant(root_record, root::DEVICE_CAPACITY),
                        constant(root_record, root::SLOT_SIZE),
                        device_head as u64,
                    );
                    let host_slot = queue::slot_at(
                        constant(mine, worker::HOST_INBOX),
                        constant(root_record, root::HOST_CAPACITY),
                        constant(root_record, root::SLOT_SIZE),
                        host_head as u64,
                    );
                    came = came
                        || queue::ready_gpu(device_slot, device_head as u64) != 0
                        || queue::ready_sys(host_slot, host_head as u64) != 0;
                }
            }
            if ballot(mask, came) == 0 {
                nanosleep(SLEEP);
            }
            if my_lane == 0 {
                st_relaxed_sys(constant(mine, worker::LINE).wrapping_add(line::SLEEPING), 0);
            }
        }
        // 8. The end of the slice, after at least one pass: every launch makes progress.
        if time_is_up(root_record, mine, mask) {
            if my_lane == 0 {
                st_weak(mine.wrapping_add(worker::HOST_HEAD), host_head as u64);
                st_weak(mine.wrapping_add(worker::DEVICE_HEAD), device_head as u64);
                st_weak(mine.wrapping_add(worker::LOCAL_HEAD), local_head as u64);
                st_weak(mine.wrapping_add(worker::LOCAL_TAIL), local_tail as u64);
                st_weak(mine.wrapping_add(worker::COMPLETED), completions as u64);
                let my_line = constant(mine, worker::LINE);
                st_relaxed_sys(my_line.wrapping_add(line::HEARTBEAT), constant(mine, worker::HEARTBEAT));
                // Whatever is accepted from here on rings the bell; whatever was accepted before is counted, and the
                // host that finds it not handled launches again.
                announce_sleep(my_line);
            }
            break;
        }
    }
}
