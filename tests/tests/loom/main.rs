//! The rings and the clock under the model checker: every interleaving (up to a bound of preemptions) and every
//! outcome of the memory model, over the very code that runs on the device and on the host.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod asks;
mod buffers;
mod memory;
mod pool;
mod sleep;
/// What the queues beside a ring are made of; in production it is `std`'s.
mod sync {
    pub(crate) use gpu_actor_rt::__private::sync::Words;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}
/// What the files that are included here find in their crate.
mod ring {
    pub(crate) use gpu_actor_rt::__private::ring::{Completion, Completions};
}
#[allow(dead_code, reason = "the model does not use every method")]
#[path = "../../../gpu-actor-rt/src/overflow.rs"]
mod overflow;
#[allow(dead_code, reason = "the model does not use every method")]
#[path = "../../../gpu-actor-rt/src/system/owed.rs"]
mod owed;

use gpu_actor_rt::__private::ring::{
    Completion, Completions, Envelope, Inbox, PollerBed, Shape, wants_doorbell,
};
use gpu_actor_rt::hlc::Clock;
use kernels_ptx::abi::{control, line, slot};
use kernels_ptx::device::{ld_weak, st_weak};
use kernels_ptx::ring::queue::{self, FULL};
use kernels_ptx::ring::worker::{announce_sleep, nudge_poller, wake_poller};
use loom::thread;
use memory::{HostWord, Model, Region};
use std::sync::Arc;

const SIZE: u64 = 64;
const SHAPE: Shape = Shape { capacity: 2, slot_size: SIZE };
/// Where the ticket counter and the worker's line are, behind two slots.
const TICKET: u64 = 2 * SIZE;
const LINE: u64 = TICKET + 128;
const CONTROL: u64 = LINE + line::SIZE;
const WORDS: u64 = (CONTROL + control::SIZE) / 8;

/// Word 0 of the two slots, and all that is behind them, are control words.
fn is_control(address: u64) -> bool {
    address >= TICKET || address % SIZE == slot::SEQ_METHOD
}

fn ring() -> Arc<Model> {
    let model = Model::new(WORDS, is_control);
    model.set(SIZE, 1);
    model
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// A device producer: claims, fills and publishes; `false` if the ring is full.
fn produce(method: u32, value: u64) -> bool {
    let ticket = queue::claim(TICKET, 0, SHAPE.capacity, SIZE);
    if ticket == FULL {
        return false;
    }
    let at = queue::slot_at(0, SHAPE.capacity, SIZE, ticket);
    st_weak(at + slot::ACTOR, value);
    st_weak(at + slot::HEADER, value ^ 0xff);
    queue::publish_gpu(at, ticket, method);
    true
}

/// The device consumer: takes the message at `head` if it is there.
fn consume(head: u64) -> Option<(u32, u64)> {
    let at = queue::slot_at(0, SHAPE.capacity, SIZE, head);
    let word = queue::ready_gpu(at, head);
    if word == 0 {
        return None;
    }
    let value = ld_weak(at + slot::ACTOR);
    assert_eq!(ld_weak(at + slot::HEADER), value ^ 0xff, "a torn message");
    queue::release_gpu(at, head, SHAPE.capacity);
    Some((queue::high_half(word), value))
}

/// Sends, waiting for space.
fn send(method: u32, value: u64) {
    while !produce(method, value) {
        thread::yield_now();
    }
}

/// Takes `count` messages.
fn take(count: usize) -> Vec<(u32, u64)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        match consume(seen.len() as u64) {
            Some(message) => seen.push(message),
            None => thread::yield_now(),
        }
    }
    assert_eq!(consume(count as u64), None);
    seen
}

#[test]
fn device_inbox_takes_each_producers_message_once() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            let threads =
                [(1, 10), (2, 20)].map(|(method, value)| thread::spawn(move || send(method, value)));
            let mut seen = take(2);
            for thread in threads {
                thread.join().unwrap();
            }
            seen.sort_unstable();
            assert_eq!(seen, [(1, 10), (2, 20)]);
        });
    });
}

#[test]
fn device_inbox_keeps_a_producers_order_around_the_end_of_the_ring() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            // Three messages through two slots: the producer may find the ring full and tries again.
            let producer = thread::spawn(|| (10..13).for_each(|value| send(1, value)));
            assert_eq!(take(3), [(1, 10), (1, 11), (1, 12)]);
            producer.join().unwrap();
        });
    });
}

#[test]
fn a_full_device_inbox_refuses_without_a_trace() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            assert!(produce(1, 1));
            let other = thread::spawn(|| produce(1, 2));
            let mine = produce(1, 3);
            let others = other.join().unwrap();
            assert!(mine != others, "two slots, three messages");
            assert_eq!(consume(0), Some((1, 1)));
            assert_eq!(consume(1), Some((1, if mine { 3 } else { 2 })));
            assert_eq!(consume(2), None);
            assert!(produce(1, 4));
            assert_eq!(consume(2), Some((1, 4)));
        });
    });
}

#[test]
fn host_inbox_from_two_host_threads_to_the_device() {
    check(2, || {
        let model = ring();
        model.clone().run(|| {
            let inbox = Arc::new(Inbox::new(Region(model.clone(), 0), SHAPE));
            let push = |inbox: &Inbox<Region>, method: u32, actor: u64| {
                let envelope = Envelope { method, actor, hlc: 7, corr: 8, payload: &[actor ^ 0xff] };
                while inbox.push(&envelope).is_err() {
                    thread::yield_now();
                }
            };
            let threads = [1, 2].map(|method| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || push(&inbox, method, u64::from(method) * 10))
            });
            let mut seen = Vec::new();
            while seen.len() < 2 {
                let head = seen.len() as u64;
                let at = queue::slot_at(0, SHAPE.capacity, SIZE, head);
                let word = queue::ready_sys(at, head);
                if word == 0 {
                    thread::yield_now();
                    continue;
                }
                let actor = ld_weak(at + slot::ACTOR);
                assert_eq!(ld_weak(at + slot::HEADER), actor ^ 0xff);
                assert_eq!((ld_weak(at + slot::HLC), ld_weak(at + slot::CORR)), (7, 8));
                queue::release_sys(at, head, SHAPE.capacity);
                seen.push((queue::high_half(word), actor));
            }
            for thread in threads {
                thread.join().unwrap();
            }
            seen.sort_unstable();
            assert_eq!(seen, [(1, 10), (2, 20)]);
            assert_eq!(inbox.accepted(), 2);
        });
    });
}

#[test]
fn completions_from_the_device_to_the_host() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            let mut completions = Completions::new(Region(model.clone(), 0), SHAPE);
            let worker = thread::spawn(|| {
                for ticket in 0..3_u64 {
                    let at = queue::slot_at(0, SHAPE.capacity, SIZE, ticket);
                    while !queue::is_free_sys(at, ticket) {
                        thread::yield_now();
                    }
                    for word in [slot::ACTOR, slot::HLC, slot::CORR, slot::HEADER] {
                        st_weak(at + word, 100 * ticket + word);
                    }
                    queue::publish_sys(at, ticket, 1);
                }
            });
            let mut out = Completion::default();
            for ticket in 0..3 {
                while !completions.pop(&mut out) {
                    thread::yield_now();
                }
                let base = 100 * ticket;
                assert_eq!(
                    (out.kind, out.actor, out.hlc, out.corr, out.payload[0]),
                    (1, base + slot::ACTOR, base + slot::HLC, base + slot::CORR, base + slot::HEADER)
                );
            }
            worker.join().unwrap();
            assert!(!completions.pop(&mut out));
        });
    });
}

#[test]
fn no_message_is_slept_on() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            let host = {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    let inbox = Inbox::new(Region(model.clone(), 0), SHAPE);
                    let envelope = Envelope { method: 1, actor: 1, hlc: 0, corr: 0, payload: &[] };
                    inbox.push(&envelope).unwrap();
                    wants_doorbell(&Region(model, LINE))
                })
            };
            // The worker: announces, looks once more, and would sleep for good if it saw nothing.
            announce_sleep(LINE);
            let came = queue::ready_sys(0, 0) != 0;
            let rung = host.join().unwrap();
            assert!(came || rung, "the worker sleeps, the message is there, and nobody rings");
        });
    });
}

/// A worker nudges without a fence behind each batch, and fences behind the last: the poller may be late, never asleep for good.
#[test]
fn no_reply_is_slept_on() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            let worker = thread::spawn(|| {
                for ticket in 0..2 {
                    queue::publish_sys(queue::slot_at(0, SHAPE.capacity, SIZE, ticket), ticket, 1);
                    nudge_poller(CONTROL);
                }
                wake_poller(CONTROL);
            });
            // The poller: announces, looks once more at the last reply, and would sleep for good if it saw nothing.
            let control = Region(model.clone(), CONTROL);
            let bed = PollerBed::announce(&control);
            let came = queue::ready_sys(queue::slot_at(0, SHAPE.capacity, SIZE, 1), 1) != 0;
            worker.join().unwrap();
            assert!(
                came || model.signals() != 0,
                "the poller sleeps, the reply is there, and nobody wakes it"
            );
            drop(bed);
        });
    });
}

/// Bounded slices: a worker whose time is up leaves, and the host launches again if something was accepted that was not
/// handled, or when a bell rings.
#[test]
fn no_message_is_left_behind_by_a_worker_that_leaves() {
    check(3, || {
        let model = ring();
        model.clone().run(|| {
            let inbox = Arc::new(Inbox::new(Region(model.clone(), 0), SHAPE));
            let host = {
                let (model, inbox) = (Arc::clone(&model), Arc::clone(&inbox));
                thread::spawn(move || {
                    inbox.push(&Envelope { method: 1, actor: 1, hlc: 0, corr: 0, payload: &[] }).unwrap();
                    wants_doorbell(&Region(model, LINE))
                })
            };
            // The worker: one last look, then it leaves. Its launch is over for whoever waited for its end.
            let handled = u64::from(queue::ready_sys(0, 0) != 0);
            announce_sleep(LINE);
            let again = inbox.accepted() != handled;
            let rung = host.join().unwrap();
            assert!(handled == 1 || again || rung, "the message is there, and nobody launches");
        });
    });
}

#[test]
fn clock_stamps_are_never_given_twice() {
    check(3, || {
        let clock = Arc::new(Clock::<HostWord>::new(1 << 40));
        let threads = [0, 1].map(|_| {
            let clock = Arc::clone(&clock);
            thread::spawn(move || {
                let sent = clock.tick(5 << 10);
                let received = clock.receive(sent + 3, 5 << 10).unwrap();
                assert!(received > sent + 3);
                [sent, received]
            })
        });
        let mut stamps: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        stamps.sort_unstable();
        stamps.dedup();
        assert_eq!(stamps.len(), 4, "a stamp was given twice");
    });
}

/// A batch's stamp is later than what happened at the clock before, and no other has it.
#[test]
fn stamps_of_a_batch_are_unique_and_follow_what_happened_before() {
    check(3, || {
        let clock = Arc::new(Clock::<HostWord>::new(1 << 40));
        let other = {
            let clock = Arc::clone(&clock);
            thread::spawn(move || {
                let mut batch = clock.batch();
                [batch.tick(|| 5 << 10), clock.tick(5 << 10), batch.tick(|| 5 << 10)]
            })
        };
        let mut batch = clock.batch();
        let first = batch.tick(|| 5 << 10);
        let between = clock.receive(first + 99, 5 << 10).unwrap();
        let mine = [first, between, batch.tick(|| 5 << 10)];
        let other = other.join().unwrap();
        for stamps in [mine, other] {
            assert!(stamps.is_sorted(), "{stamps:?}");
        }
        let mut stamps: Vec<_> = mine.into_iter().chain(other).collect();
        stamps.sort_unstable();
        stamps.dedup();
        assert_eq!(stamps.len(), 6, "a stamp was given twice");
    });
}

/// A sender whose messages find no space, somebody who moves what waits (as the poller does), and who makes space: no message
/// overtakes another, none is lost, and no reading of the count is short of one.
#[test]
fn a_message_that_waited_is_not_overtaken_by_the_next_one() {
    use loom::sync::Mutex;
    use overflow::{Offered, Overflow, Pushed};

    /// A ring that has space for `space` more messages.
    struct Ring {
        space: usize,
        taken: Vec<u32>,
    }
    fn push(ring: &Mutex<Ring>, message: u32) -> Pushed {
        let mut ring = ring.lock().unwrap();
        if ring.space == 0 {
            return Pushed::Full;
        }
        ring.space -= 1;
        ring.taken.push(message);
        Pushed::Yes
    }

    check(3, || {
        let ring = Arc::new(Mutex::new(Ring { space: 0, taken: Vec::new() }));
        let overflow = Arc::new(Overflow::new());
        let poller = {
            let (ring, overflow) = (Arc::clone(&ring), Arc::clone(&overflow));
            thread::spawn(move || {
                ring.lock().unwrap().space = 2;
                overflow.flush(|message| push(&ring, *message))
            })
        };
        for message in 1..=2 {
            // As the runtime posts: straight into the ring unless something waits.
            if overflow.any() || push(&ring, message) == Pushed::Full {
                assert_eq!(
                    overflow.offer(1, message, 2, false, |message| push(&ring, *message)),
                    Offered::Taken
                );
            }
            // The one tells tickets under the lock, the other adds what waits: together, all.
            let taken = |ring: &Mutex<Ring>| ring.lock().unwrap().taken.len() as u64;
            assert_eq!(overflow.accepted(|| taken(&ring)), u64::from(message));
        }
        poller.join().unwrap();
        overflow.flush(|message| push(&ring, *message));
        assert_eq!(ring.lock().unwrap().taken, [1, 2]);
        assert!(!overflow.any());
    });
}

/// Two asks go out without a bell while somebody takes the bell over that the first one owes: whoever takes it over last finds
/// what was posted before, or it is still owed.
#[test]
fn no_ask_relies_on_a_bell_that_was_rung_before_it() {
    use loom::sync::atomic::{AtomicU64, Ordering, fence};
    check(3, || {
        let owed = Arc::new(owed::Owed::new());
        let posted = Arc::new(AtomicU64::new(0));
        let ask = {
            let (owed, posted) = (Arc::clone(&owed), Arc::clone(&posted));
            thread::spawn(move || {
                for message in 1..=2 {
                    posted.store(message, Ordering::Release);
                    // That of the look whether the worker sleeps.
                    fence(Ordering::SeqCst);
                    owed.note(0);
                }
            })
        };
        // The bell that is taken over is rung: the worker looks for messages afterwards.
        let mut found = 0;
        if owed.take(0) {
            found = posted.load(Ordering::Acquire);
        }
        if owed.take_all() != 0 {
            found = posted.load(Ordering::Acquire);
        }
        ask.join().unwrap();
        assert!(
            found == 2 || owed.take(0),
            "the message is there, the worker sleeps, and nobody owes its bell"
        );
    });
}
