//! What a worker's handlers send, natively, through rings that are too small for it: whatever overflows, the messages to one
//! receiver arrive in the order sent, and each is delivered, or waits, or is a dead letter, or is
//! dropped and counted.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use kernels_ptx::abi::{
    LINE, actor_id, actor_type, completion, cx, fault, line, root, scratch, slot, worker,
};
use kernels_ptx::device::native::{self, Memory, Order};
use kernels_ptx::device::{ld_weak, st_weak};
use kernels_ptx::ring::outgoing::{self, DEAD_SHIFT, STUCK};
use kernels_ptx::ring::queue;

/// Plain memory: word addresses from 0 on.
struct Words(RefCell<Vec<u64>>);

impl Memory for Words {
    fn load(&self, address: u64, _: Order) -> u64 {
        self.0.borrow()[address as usize / 8]
    }

    fn store(&self, address: u64, value: u64, _: Order) {
        self.0.borrow_mut()[address as usize / 8] = value;
    }

    fn cas(&self, address: u64, expected: u64, new: u64) -> u64 {
        let old = self.load(address, Order::Relaxed);
        if old == expected {
            self.store(address, new, Order::Relaxed);
        }
        old
    }

    fn add(&self, address: u64, value: u64) -> u64 {
        let old = self.load(address, Order::Relaxed);
        self.store(address, old.wrapping_add(value), Order::Relaxed);
        old
    }

    fn fence(&self) {}
}

const SIZE: u64 = 64;
/// Slots of the inboxes, and so of the private queue, and of the spill ring.
const ROOM: u64 = 4;
/// Slots of the completions: enough for all dead letters between two looks.
const COMPLETIONS: u64 = 64;
/// Messages that one handler may send.
const SENDS: u64 = 8;

/// Addresses.
const ROOT: u64 = 0;
const WORKERS: u64 = ROOT + root::SIZE;
const LINES: u64 = WORKERS + 2 * worker::SIZE;
const TICKETS: u64 = LINES + 2 * line::SIZE;
const LOCAL: u64 = TICKETS + 4 * LINE;
const INBOX: u64 = LOCAL + ROOM * SIZE;
const SPILL: u64 = INBOX + ROOM * SIZE;
const DONE: u64 = SPILL + ROOM * SIZE;
const TYPES: u64 = DONE + COMPLETIONS * SIZE;
const ACTOR: u64 = TYPES + 3 * actor_type::SIZE;
const SCRATCH: u64 = ACTOR + 64;
const END: u64 = SCRATCH + scratch::OUTBOX + SENDS * SIZE;

/// An actor of worker 0, one of worker 1, the same of a type whose messages may be dropped, and one of a type that there is not.
const RECEIVERS: [u64; 5] = [
    1 << actor_id::TYPE_SHIFT,
    1 << actor_id::TYPE_SHIFT | 1 << actor_id::WORKER_SHIFT,
    2 << actor_id::TYPE_SHIFT,
    2 << actor_id::TYPE_SHIFT | 1 << actor_id::WORKER_SHIFT,
    NOWHERE,
];
const NOWHERE: u64 = 3 << actor_id::TYPE_SHIFT;

/// Whether the receiver is of the type whose messages may be dropped.
fn drops(receiver: u64) -> bool {
    receiver >> actor_id::TYPE_SHIFT & 0xfff == 2
}

fn memory() -> Rc<Words> {
    let words = Words(RefCell::new(vec![0; END as usize / 8]));
    let set = |address, value| words.store(address, value, Order::Weak);
    for (offset, value) in [
        (root::WORKERS, WORKERS),
        (root::SLOT_SIZE, SIZE),
        (root::DEVICE_CAPACITY, ROOM),
        (root::SPILL_CAPACITY, ROOM),
        (root::COMPLETION_CAPACITY, COMPLETIONS),
        (root::WORKER_COUNT, 2),
        (root::TYPES, TYPES),
        (root::TYPE_COUNT, 2),
    ] {
        set(ROOT + offset, value);
    }
    for (kind, on_full) in [(1, fault::code::MAILBOX_FULL), (2, actor_type::DROP)] {
        set(TYPES + kind * actor_type::SIZE + actor_type::ON_FULL, u64::from(on_full));
    }
    // Of worker 1 nothing matters but its inbox.
    for (index, at) in (0..).zip([WORKERS, WORKERS + worker::SIZE]) {
        set(at + worker::LOCAL, LOCAL);
        set(at + worker::DEVICE_INBOX, INBOX);
        set(at + worker::DEVICE_TICKET, TICKETS);
        set(at + worker::SPILL, SPILL);
        set(at + worker::SPILL_TICKET, TICKETS + LINE);
        set(at + worker::COMPLETIONS, DONE);
        set(at + worker::LINE, LINES + index * line::SIZE);
    }
    set(SCRATCH + scratch::ACTOR, ACTOR);
    for (ring, capacity) in [(INBOX, ROOM), (SPILL, ROOM), (DONE, COMPLETIONS)] {
        for ticket in 0..capacity {
            set(ring + ticket * SIZE, ticket);
        }
    }
    Rc::new(words)
}

/// A seeded sequence (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % limit
    }
}

/// What became of the messages, by receiver: their numbers, in the order of arrival.
#[derive(Default)]
struct Seen(HashMap<u64, Vec<u64>>);

impl Seen {
    fn take(&mut self, at: u64) {
        assert_eq!(queue::high_half(ld_weak(at)), 7, "the method");
        self.0.entry(ld_weak(at + slot::ACTOR)).or_default().push(ld_weak(at + slot::HEADER));
    }
}

/// The worker's state between two commits.
struct Worker {
    head: u32,
    tail: u32,
    stuck: bool,
    completions: u32,
    inbox: u64,
    done: u64,
    seen: Seen,
    dead: Vec<u64>,
}

impl Worker {
    fn commit(&mut self, sends: u32) {
        let Self { head, tail, stuck, completions, .. } = *self;
        let fates = outgoing::commit(ROOT, WORKERS, SCRATCH, 1, sends, head, tail, stuck, completions);
        self.tail = fates as u32;
        self.stuck |= fates & STUCK != 0;
        self.completions += (fates >> DEAD_SHIFT) as u32 & 0x7fff_ffff;
        assert!(u64::from(self.tail - self.head) <= ROOM, "no place is taken twice");
    }

    fn flush(&mut self) {
        self.tail = outgoing::flush_spill(ROOT, WORKERS, self.head, self.tail);
        self.stuck = outgoing::is_stuck(WORKERS);
    }

    /// Takes a message of the private queue.
    fn take_local(&mut self) -> bool {
        let here = self.head != self.tail;
        if here {
            self.seen.take(outgoing::local_slot(ROOT, WORKERS, self.head));
            self.head += 1;
        }
        here
    }

    /// Takes a message that left for worker 1.
    fn take_abroad(&mut self) -> bool {
        let at = queue::slot_at(INBOX, ROOM, SIZE, self.inbox);
        let here = queue::ready_gpu(at, self.inbox) != 0;
        if here {
            self.seen.take(at);
            queue::release_gpu(at, self.inbox, ROOM);
            self.inbox += 1;
        }
        here
    }

    /// Takes the dead letters, as the host does.
    fn take_letters(&mut self) {
        while self.done < u64::from(self.completions) {
            let at = queue::slot_at(DONE, COMPLETIONS, SIZE, self.done);
            assert_eq!(queue::high_half(ld_weak(at)), completion::DEAD_LETTER);
            let reason = ld_weak(at + slot::HEADER + fault::CODE_SITE) as u32;
            let receiver = ld_weak(at + slot::ACTOR);
            assert!(!drops(receiver), "what may be dropped is no letter");
            let unknown = receiver == NOWHERE;
            let expected = if unknown { fault::code::UNKNOWN_ACTOR } else { fault::code::MAILBOX_FULL };
            assert_eq!(reason, expected);
            self.dead.push(ld_weak(at + slot::HLC));
            queue::release_sys(at, self.done, COMPLETIONS);
            self.done += 1;
        }
    }
}

#[test]
fn messages_arrive_in_their_order_whatever_overflows() {
    let mut any_dropped = false;
    for seed in 0..60 {
        let words = memory();
        native::with_memory(words.clone(), || {
            let mut random = Random(seed);
            let mut worker = Worker {
                head: 0,
                tail: 0,
                stuck: false,
                completions: 0,
                inbox: 0,
                done: 0,
                seen: Seen::default(),
                dead: Vec::new(),
            };
            // In some runs nothing may be dropped, or nothing goes nowhere; in some, little is taken.
            let receivers = [2, 4, 5][seed as usize % 3];
            let eager = 1 + random.below(12);
            let mut sent = 0;
            let mut to_dropping = 0;
            for _ in 0..300 {
                let sends = random.below(SENDS + 1);
                for entry in 0..sends {
                    let at = SCRATCH + scratch::OUTBOX + entry * SIZE;
                    st_weak(at, 7 << 32);
                    let receiver = RECEIVERS[random.below(receivers) as usize];
                    st_weak(at + slot::ACTOR, receiver);
                    to_dropping += u64::from(drops(receiver));
                    st_weak(at + slot::HEADER, sent);
                    sent += 1;
                }
                st_weak(SCRATCH + scratch::CX + cx::SENT, sends);
                worker.commit(outgoing::staged(SCRATCH));
                worker.take_letters();
                for _ in 0..random.below(eager) {
                    match random.below(3) {
                        0 => drop(worker.take_local()),
                        1 => drop(worker.take_abroad()),
                        _ => worker.flush(),
                    }
                }
            }
            // Everything that waits arrives once there is room.
            loop {
                worker.flush();
                let local = worker.take_local();
                if !worker.take_abroad() && !local && !worker.stuck {
                    break;
                }
            }
            for (receiver, numbers) in &worker.seen.0 {
                assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {receiver:x} got {numbers:?}");
                assert_ne!(*receiver, NOWHERE);
            }
            let arrived: usize = worker.seen.0.values().map(Vec::len).sum();
            let dropped = words.load(WORKERS + worker::DROPPED, Order::Weak);
            assert_eq!(arrived + worker.dead.len() + dropped as usize, sent as usize, "none vanishes");
            let of_dropping = worker.seen.0.iter().filter(|(receiver, _)| drops(**receiver));
            let arrived_there: usize = of_dropping.map(|(_, numbers)| numbers.len()).sum();
            assert_eq!(arrived_there as u64 + dropped, to_dropping, "only those that may are dropped");
            any_dropped |= dropped != 0;
            assert_eq!(words.load(WORKERS + worker::SENT, Order::Weak), sent);
            assert_eq!(words.load(WORKERS + worker::DEAD_LETTERS, Order::Weak), worker.dead.len() as u64);
            assert!(worker.dead.is_sorted_by(|a, b| a < b), "stamps of one actor increase");
        });
    }
    assert!(any_dropped);
}
