//! The host's ends of the rings: producers of a worker's host inbox, the consumer of its completions.
//!
//! The protocol (the book's internals chapter has the picture): a ring has a power of two of slots; word 0 of a slot
//! holds a 32-bit sequence and the method or kind. The producer of ticket `t` owns slot `t % capacity` once its sequence
//! is `t`; it writes the rest and stores `t + 1` with release. The consumer takes it at `t + 1` and gives it back as
//! `t + capacity`. Nothing is claimed that is not free, so there is nothing to roll back.
//!
//! Rule kept here: all of it is generic over [`Words`](crate::sync::Words), which the model checker implements too.

mod answers;
mod completions;
mod doorbell;
mod inbox;

pub use answers::answer;
pub use completions::{Completion, Completions};
pub use doorbell::{PollerBed, wants_doorbell};
pub use inbox::{Envelope, Inbox, Refused};

use std::sync::atomic::Ordering;

use kernels_ptx::abi::slot;

use crate::sync::Words;

/// Words of the largest payload.
pub const PAYLOAD_WORDS: usize = (slot::MAX_PAYLOAD / 8) as usize;

/// Shape of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Slots: a power of two, at least 2.
    pub capacity: u64,
    /// Bytes of a slot, one of [`slot::CLASSES`].
    pub slot_size: u64,
}

impl Shape {
    /// Bytes of the ring.
    pub fn bytes(self) -> u64 {
        self.capacity * self.slot_size
    }

    /// Offset of the slot of a ticket.
    pub fn slot(self, ticket: u64) -> u64 {
        (ticket & (self.capacity - 1)) * self.slot_size
    }

    /// Payload words of a slot.
    pub fn payload_words(self) -> usize {
        ((self.slot_size - slot::HEADER) / 8) as usize
    }

    /// Makes every slot free for the first lap.
    pub fn initialise<W: Words>(self, words: &W) {
        for ticket in 0..self.capacity {
            words.store(self.slot(ticket) + slot::SEQ_METHOD, ticket, Ordering::Relaxed);
        }
    }

    /// The bytes of a ring whose every slot is free, for memory that the host reaches by copies only.
    pub fn initial_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes() as usize];
        for ticket in 0..self.capacity {
            let at = self.slot(ticket) as usize;
            bytes[at..at + 8].copy_from_slice(&ticket.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
