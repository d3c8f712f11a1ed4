//! A slot of 64 bytes through the ring, beside `rtrb`; an envelope built and read, beside `ringkernel-core`.
//!
//! Rule kept here: the producer is the runtime's own ([`Inbox`]); the consumer is the plain loop that the ring kernel runs on
//! the device, written in Rust, so that both ends are native and the figure is the protocol's.

use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use gpu_actor_rt::hlc;
use gpu_actor_rt::ring::{Envelope, Inbox, Shape};
use gpu_actor_rt::sync::Words;
use kernels_ptx::abi::slot;
use ringkernel_core::hlc::HlcClock;
use ringkernel_core::message::{MessageEnvelope, MessageId, RingMessage};

/// Slots of a round.
const SLOTS: u64 = 1_000_000;
/// Slots between two turns of the one thread that is both ends.
const BATCH: u64 = 64;
const SHAPE: Shape = Shape { capacity: 1024, slot_size: 64 };

/// A ring's memory: a cache line for each slot.
#[derive(Clone)]
struct Memory(Arc<[Line]>);

#[repr(align(64))]
struct Line([AtomicU64; 8]);

impl Memory {
    fn new() -> Self {
        Self((0..SHAPE.capacity).map(|_| Line(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }

    fn word(&self, offset: u64) -> &AtomicU64 {
        &self.0[offset as usize / 64].0[offset as usize / 8 % 8]
    }
}

impl Words for Memory {
    type Atom = AtomicU64;

    fn load(&self, offset: u64, order: Ordering) -> u64 {
        self.word(offset).load(order)
    }

    fn store(&self, offset: u64, value: u64, order: Ordering) {
        self.word(offset).store(value, order);
    }

    fn read(&self, offset: u64, out: &mut [u64]) {
        for (out, at) in out.iter_mut().zip(0..) {
            *out = self.word(offset + at * 8).load(Ordering::Relaxed);
        }
    }

    fn write(&self, offset: u64, data: &[u64]) {
        for (value, at) in data.iter().zip(0..) {
            self.word(offset + at * 8).store(*value, Ordering::Relaxed);
        }
    }

    fn fence_seq_cst() {
        fence(Ordering::SeqCst);
    }
}

/// The slot of a ticket, if it is there: its words, and it is free again.
fn take(words: &Memory, ticket: u64) -> Option<[u64; 7]> {
    let at = SHAPE.slot(ticket);
    let word = words.load(at + slot::SEQ_METHOD, Ordering::Acquire);
    if word as u32 != (ticket as u32).wrapping_add(1) {
        return None;
    }
    let mut rest = [0; 7];
    words.read(at + slot::ACTOR, &mut rest);
    words.store(at + slot::SEQ_METHOD, u64::from((ticket + SHAPE.capacity) as u32), Ordering::Release);
    Some(rest)
}

fn message(n: u64, payload: &[u64; 4]) -> Envelope<'_> {
    Envelope { method: 1, actor: 1, hlc: n, corr: 0, payload }
}

fn each(begun: Instant) -> f64 {
    begun.elapsed().as_nanos() as f64 / SLOTS as f64
}

/// Nanoseconds a slot: one thread that is both ends, and one thread at each end.
pub(crate) fn ours() -> Vec<f64> {
    let memory = Memory::new();
    let inbox = Inbox::new(memory.clone(), SHAPE);
    let begun = Instant::now();
    let mut sum = 0u64;
    for first in (0..SLOTS).step_by(BATCH as usize) {
        for n in first..first + BATCH {
            inbox.push(&message(n, &[1; 4])).expect("there is space");
        }
        for n in first..first + BATCH {
            sum += take(&memory, n).expect("it is there")[3];
        }
    }
    let same = each(begun);
    assert_eq!(sum, SLOTS, "every slot came");

    let memory = Memory::new();
    let inbox = Inbox::new(memory.clone(), SHAPE);
    let consumer = std::thread::spawn(move || {
        let (mut ticket, mut sum) = (0, 0);
        while ticket < SLOTS {
            if let Some(words) = take(&memory, ticket) {
                sum += words[3];
                ticket += 1;
            } else {
                spin_loop();
            }
        }
        sum
    });
    let begun = Instant::now();
    for n in 0..SLOTS {
        while inbox.push(&message(n, &[1; 4])).is_err() {
            spin_loop();
        }
    }
    assert_eq!(consumer.join().expect("it does not panic"), SLOTS, "every slot came");
    vec![same, each(begun)]
}

/// The same with `rtrb`, which is for one producer only.
pub(crate) fn rtrb() -> Vec<f64> {
    let (mut send, mut receive) = rtrb::RingBuffer::<[u64; 8]>::new(SHAPE.capacity as usize);
    let begun = Instant::now();
    let mut sum = 0u64;
    for first in (0..SLOTS).step_by(BATCH as usize) {
        for n in first..first + BATCH {
            send.push(black_box([n, 1, n, 0, 1, 1, 1, 1])).expect("there is space");
        }
        for _ in 0..BATCH {
            sum += receive.pop().expect("it is there")[4];
        }
    }
    let same = each(begun);
    assert_eq!(sum, SLOTS, "every slot came");

    let consumer = std::thread::spawn(move || {
        let (mut seen, mut sum) = (0, 0);
        while seen < SLOTS {
            if let Ok(slot) = receive.pop() {
                sum += slot[4];
                seen += 1;
            } else {
                spin_loop();
            }
        }
        sum
    });
    let begun = Instant::now();
    for n in 0..SLOTS {
        let mut slot = black_box([n, 1, n, 0, 1, 1, 1, 1]);
        while let Err(rtrb::PushError::Full(back)) = send.push(slot) {
            slot = back;
            spin_loop();
        }
    }
    assert_eq!(consumer.join().expect("it does not panic"), SLOTS, "every slot came");
    vec![same, each(begun)]
}

/// Nanoseconds to stamp a message and write it into a slot, and to read it there.
pub(crate) fn ours_envelope() -> Vec<f64> {
    let memory = Memory::new();
    let inbox = Inbox::new(memory.clone(), SHAPE);
    let clock = hlc::Clock::<AtomicU64>::new(u64::MAX >> 1);
    let (mut build, mut read) = (0, 0);
    for first in (0..SLOTS).step_by(BATCH as usize) {
        let begun = Instant::now();
        for n in first..first + BATCH {
            let stamp = clock.tick(hlc::now());
            inbox.push(&message(stamp, black_box(&[n; 4]))).expect("there is space");
        }
        build += begun.elapsed().as_nanos();
        let begun = Instant::now();
        for n in first..first + BATCH {
            black_box(take(&memory, n).expect("it is there"));
        }
        read += begun.elapsed().as_nanos();
    }
    [build, read].map(|nanos| nanos as f64 / SLOTS as f64).into()
}

/// A message of 32 bytes.
struct Words4([u64; 4]);

impl RingMessage for Words4 {
    fn message_type() -> u64 {
        1
    }

    fn message_id(&self) -> MessageId {
        MessageId::default()
    }

    fn serialize(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn deserialize(bytes: &[u8]) -> ringkernel_core::error::Result<Self> {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut array = [0; 8];
            array.copy_from_slice(bytes);
            *word = u64::from_le_bytes(array);
        }
        Ok(Self(words))
    }
}

/// `ringkernel-core`'s envelope: stamped and written as bytes; read from bytes.
pub(crate) fn ringkernel_envelope() -> Vec<f64> {
    let clock = HlcClock::new(1);
    let (mut build, mut read) = (0, 0);
    for first in (0..SLOTS).step_by(BATCH as usize) {
        let begun = Instant::now();
        let sent: [Vec<u8>; BATCH as usize] = std::array::from_fn(|at| {
            let message = Words4(black_box([first + at as u64; 4]));
            MessageEnvelope::new(&message, 1, 2, clock.tick()).to_bytes()
        });
        build += begun.elapsed().as_nanos();
        let begun = Instant::now();
        for bytes in &sent {
            let envelope = MessageEnvelope::from_bytes(bytes).expect("it is whole");
            black_box(Words4::deserialize(&envelope.payload).expect("it is whole").0);
        }
        read += begun.elapsed().as_nanos();
    }
    [build, read].map(|nanos| nanos as f64 / SLOTS as f64).into()
}
