//! The rings over ordinary atomics, with many threads; the orders of every single access are the model checker's matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use kernels_ptx::abi::{completion, slot};

use super::{Completion, Completions, Envelope, Inbox, Refused, Shape};
use crate::sync::Words;

#[derive(Clone)]
struct Plain(Arc<[AtomicU64]>);

impl Plain {
    fn new(shape: Shape) -> Self {
        Self((0..shape.bytes() / 8).map(|_| AtomicU64::new(u64::MAX)).collect())
    }
}

impl Words for Plain {
    type Atom = AtomicU64;

    fn load(&self, offset: u64, order: Ordering) -> u64 {
        self.0[offset as usize / 8].load(order)
    }

    fn store(&self, offset: u64, value: u64, order: Ordering) {
        self.0[offset as usize / 8].store(value, order);
    }

    fn read(&self, offset: u64, out: &mut [u64]) {
        for (out, at) in out.iter_mut().zip(offset as usize / 8..) {
            *out = self.0[at].load(Ordering::Relaxed);
        }
    }

    fn write(&self, offset: u64, data: &[u64]) {
        for (value, at) in data.iter().zip(offset as usize / 8..) {
            self.0[at].store(*value, Ordering::Relaxed);
        }
    }

    fn fence_seq_cst() {
        fence(Ordering::SeqCst);
    }
}

/// What a worker does: takes the message of `ticket`, if it is there.
fn take(words: &Plain, shape: Shape, ticket: u64) -> Option<[u64; 5]> {
    let at = shape.slot(ticket);
    let word = words.load(at + slot::SEQ_METHOD, Ordering::Acquire);
    if word as u32 != (ticket as u32).wrapping_add(1) {
        return None;
    }
    let mut rest = [0; 4];
    words.read(at + slot::ACTOR, &mut rest);
    words.store(at + slot::SEQ_METHOD, u64::from((ticket + shape.capacity) as u32), Ordering::Release);
    Some([word >> 32, rest[0], rest[1], rest[2], rest[3]])
}

/// What a worker does: completes with `ticket`.
fn complete(words: &Plain, shape: Shape, ticket: u64, value: u64) -> bool {
    let at = shape.slot(ticket);
    if words.load(at + slot::SEQ_METHOD, Ordering::Acquire) as u32 != ticket as u32 {
        return false;
    }
    words.write(at + slot::ACTOR, &[value, value + 1, value + 2]);
    words.write(at + slot::HEADER, &[value + 3]);
    let word = (ticket as u32).wrapping_add(1);
    words.store(
        at + slot::SEQ_METHOD,
        u64::from(word) | u64::from(completion::REPLY) << 32,
        Ordering::Release,
    );
    true
}

const SHAPE: Shape = Shape { capacity: 8, slot_size: 64 };

fn message(method: u32, actor: u64, payload: &[u64]) -> Envelope<'_> {
    Envelope { method, actor, hlc: 2, corr: 3, payload }
}

#[test]
fn a_ring_takes_its_capacity_and_then_says_full() {
    let words = Plain::new(SHAPE);
    let inbox = Inbox::new(words.clone(), SHAPE);
    for n in 0..8 {
        assert!(inbox.has_space());
        assert_eq!(inbox.push(&message(7, n, &[n * 10])), Ok(()));
    }
    assert!(!inbox.has_space());
    assert_eq!(inbox.push(&message(7, 9, &[])), Err(Refused::Full));
    assert_eq!(inbox.accepted(), 8, "what was refused was not claimed");
    assert_eq!(take(&words, SHAPE, 0), Some([7, 0, 2, 3, 0]));
    assert_eq!(inbox.push(&message(7, 8, &[80])), Ok(()));
    for n in 1..9 {
        assert_eq!(take(&words, SHAPE, n), Some([7, n, 2, 3, n * 10]));
    }
    assert_eq!(take(&words, SHAPE, 9), None);
}

#[test]
fn a_closed_inbox_takes_nothing_and_its_count_is_final() {
    let inbox = Inbox::new(Plain::new(SHAPE), SHAPE);
    inbox.push(&message(1, 1, &[])).unwrap();
    inbox.close();
    assert_eq!(inbox.push(&message(1, 1, &[])), Err(Refused::Closed));
    assert_eq!(inbox.accepted(), 1);
    assert!(inbox.has_space(), "whoever waits is let through to hear that it is closed");
}

#[test]
fn the_smallest_and_the_largest_payload_fit() {
    let shape = Shape { capacity: 2, slot_size: 256 };
    assert_eq!(shape.payload_words(), super::PAYLOAD_WORDS);
    let inbox = Inbox::new(Plain::new(shape), shape);
    inbox.push(&message(1, 1, &[])).unwrap();
    inbox.push(&message(1, 1, &[5; super::PAYLOAD_WORDS])).unwrap();
}

#[test]
#[should_panic(expected = "the payload fits the slot")]
fn a_payload_never_reaches_the_next_slot() {
    let _ = Inbox::new(Plain::new(SHAPE), SHAPE).push(&message(1, 1, &[0; 5]));
}

#[test]
fn many_producers_lose_nothing_and_keep_their_order() {
    const EACH: u64 = 20_000;
    let words = Plain::new(SHAPE);
    let inbox = Arc::new(Inbox::new(words.clone(), SHAPE));
    let producers: Vec<_> = (0..3u64)
        .map(|producer| {
            let inbox = Arc::clone(&inbox);
            std::thread::spawn(move || {
                for n in 0..EACH {
                    while inbox.push(&message(1, producer, &[n])) == Err(Refused::Full) {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut next = [0; 3];
    let mut ticket = 0;
    while ticket < 3 * EACH {
        let Some([_, producer, _, _, n]) = take(&words, SHAPE, ticket) else {
            std::thread::yield_now();
            continue;
        };
        assert_eq!(n, next[producer as usize], "producer {producer}");
        next[producer as usize] += 1;
        ticket += 1;
    }
    assert_eq!(next, [EACH; 3]);
    for producer in producers {
        producer.join().unwrap();
    }
    assert_eq!(inbox.accepted(), 3 * EACH);
}

#[test]
fn completions_come_whole_and_in_order() {
    let words = Plain::new(SHAPE);
    let mut completions = Completions::new(words.clone(), SHAPE);
    let worker = std::thread::spawn(move || {
        for ticket in 0..20_000 {
            while !complete(&words, SHAPE, ticket, ticket * 5) {
                std::thread::yield_now();
            }
        }
    });
    let mut done = Completion::default();
    for n in 0..20_000 {
        while !completions.pop(&mut done) {
            std::thread::yield_now();
        }
        let value = n * 5;
        assert_eq!((done.kind, done.actor, done.hlc), (completion::REPLY, value, value + 1));
        assert_eq!((done.corr, done.payload[0]), (value + 2, value + 3));
    }
    assert!(!completions.pop(&mut done));
    worker.join().unwrap();
}

#[test]
fn the_initial_bytes_are_those_of_an_initialised_ring() {
    let words = Plain(vec![0; SHAPE.bytes() as usize / 8].into_iter().map(AtomicU64::new).collect());
    SHAPE.initialise(&words);
    let bytes: Vec<u8> = words.0.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    assert_eq!(bytes, SHAPE.initial_bytes());
}
