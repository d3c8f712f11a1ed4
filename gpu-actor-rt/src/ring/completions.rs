//! The consumer of a worker's completions: replies, faults, dead letters.
//!
//! Rule kept here: single consumer, by `&mut self`; a slot is copied out whole before it is given back.

use std::sync::atomic::Ordering;

use kernels_ptx::abi::slot;

use super::{PAYLOAD_WORDS, Shape};
use crate::sync::Words;

/// A completion, copied out of its slot.
#[derive(Clone, Debug)]
pub struct Completion {
    /// What it is, see [`kernels_ptx::abi::completion`].
    pub kind: u32,
    /// Raw id of the actor that it is from (dead letters: the intended receiver).
    pub actor: u64,
    /// Stamp.
    pub hlc: u64,
    /// Correlation word of the message.
    pub corr: u64,
    /// Reply or fault record.
    pub payload: [u64; PAYLOAD_WORDS],
    /// Words of the payload that the slots of the ring have; those behind them mean nothing.
    pub words: usize,
}

impl Completion {
    /// The payload, as long as the slots have it.
    pub fn payload(&self) -> &[u64] {
        &self.payload[..self.words.min(PAYLOAD_WORDS)]
    }
}

impl Default for Completion {
    fn default() -> Self {
        Self { kind: 0, actor: 0, hlc: 0, corr: 0, payload: [0; PAYLOAD_WORDS], words: 0 }
    }
}

/// The consuming end of a completion ring.
#[derive(Debug)]
pub struct Completions<W: Words> {
    slots: W,
    shape: Shape,
    head: u64,
}

impl<W: Words> Completions<W> {
    /// The consuming end over `slots`, which it initialises.
    pub fn new(slots: W, shape: Shape) -> Self {
        assert!(shape.capacity.is_power_of_two() && shape.capacity > 1, "a ring has 2, 4, 8, .. slots");
        shape.initialise(&slots);
        Self { slots, shape, head: 0 }
    }

    /// Takes the next completion into `out`; `false` when there is none.
    pub fn pop(&mut self, out: &mut Completion) -> bool {
        let at = self.shape.slot(self.head);
        let word = self.slots.load(at + slot::SEQ_METHOD, Ordering::Acquire);
        if word as u32 != (self.head as u32).wrapping_add(1) {
            return false;
        }
        let mut header = [0; 3];
        self.slots.read(at + slot::ACTOR, &mut header);
        out.words = self.shape.payload_words();
        self.slots.read(at + slot::HEADER, &mut out.payload[..out.words]);
        out.kind = (word >> 32) as u32;
        [out.actor, out.hlc, out.corr] = header;
        let free = (self.head as u32).wrapping_add(self.shape.capacity as u32);
        self.slots.store(at + slot::SEQ_METHOD, u64::from(free), Ordering::Release);
        self.head += 1;
        true
    }
}
