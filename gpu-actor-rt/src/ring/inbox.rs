//! The producers of a worker's host inbox: any number of host threads, one device worker on the other side.
//!
//! Rules kept here: the ticket counter is the count of accepted messages; a ticket is claimed only after its slot was
//! seen free; closing and accepting are the same word, so after [`Inbox::close`] the count is final.

use std::sync::atomic::Ordering;

use kernels_ptx::abi::slot;

use super::Shape;
use crate::sync::{Atom, Words};

/// Bit of the ticket word that refuses further messages.
const CLOSED: u64 = 1 << 63;

/// What goes into a slot.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Method id.
    pub method: u32,
    /// Raw id of the receiver.
    pub actor: u64,
    /// Stamp of the send.
    pub hlc: u64,
    /// Correlation word.
    pub corr: u64,
    /// Payload, at most what the slot holds.
    pub payload: &'a [u64],
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Every slot is taken.
    Full,
    /// The inbox is closed for good.
    Closed,
    /// The host has a buffer mapped that the message names.
    Mapped {
        /// By a guard that can write.
        for_writing: bool,
    },
}

/// Keeps a word from sharing a cache line with its neighbours.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

/// The producing end of a host inbox.
#[derive(Debug)]
pub struct Inbox<W: Words> {
    slots: W,
    shape: Shape,
    ticket: Padded<W::Atom>,
}

impl<W: Words> Inbox<W> {
    /// The producing end over `slots`, which it initialises.
    pub fn new(slots: W, shape: Shape) -> Self {
        assert!(shape.capacity.is_power_of_two() && shape.capacity > 1, "a ring has 2, 4, 8, .. slots");
        shape.initialise(&slots);
        Self { slots, shape, ticket: Padded(W::Atom::new(0)) }
    }

    /// Puts a message into the ring.
    ///
    /// # Panics
    /// When the payload is longer than a slot's; the runtime picks the slot size from the registered types.
    #[inline]
    pub fn push(&self, message: &Envelope<'_>) -> Result<(), Refused> {
        self.push_unless(CLOSED, message)
    }

    /// Puts a message into the ring that was accepted, and counted, elsewhere before the inbox was closed.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    pub fn push_accepted(&self, message: &Envelope<'_>) -> Result<(), Refused> {
        self.push_unless(0, message)
    }

    #[inline]
    fn push_unless(&self, refusing: u64, message: &Envelope<'_>) -> Result<(), Refused> {
        assert!(message.payload.len() <= self.shape.payload_words(), "the payload fits the slot");
        let mut ticket = self.ticket.0.load(Ordering::Relaxed);
        loop {
            if ticket & refusing != 0 {
                return Err(Refused::Closed);
            }
            // The ring is short: the bit does not reach the slot's index or its sequence number.
            let at = self.shape.slot(ticket);
            let seq = self.slots.load(at + slot::SEQ_METHOD, Ordering::Acquire) as u32;
            match seq.wrapping_sub(ticket as u32) as i32 {
                0 => match self.ticket.0.claim(ticket, ticket + 1) {
                    Ok(_) => {
                        self.slots.write(at + slot::ACTOR, &[message.actor, message.hlc, message.corr]);
                        self.slots.write(at + slot::HEADER, message.payload);
                        let word =
                            u64::from((ticket as u32).wrapping_add(1)) | u64::from(message.method) << 32;
                        self.slots.store(at + slot::SEQ_METHOD, word, Ordering::Release);
                        return Ok(());
                    }
                    Err(current) => ticket = current,
                },
                behind if behind < 0 => return Err(Refused::Full),
                // Another producer has been here since the ticket was read.
                _ => ticket = self.ticket.0.load(Ordering::Relaxed),
            }
        }
    }

    /// Whether a message would find a free slot at this moment (or the inbox is closed and waiting is in vain).
    pub fn has_space(&self) -> bool {
        let ticket = self.ticket.0.load(Ordering::Relaxed);
        ticket & CLOSED != 0
            || (self.slots.load(self.shape.slot(ticket) + slot::SEQ_METHOD, Ordering::Acquire) as u32)
                .wrapping_sub(ticket as u32) as i32
                >= 0
    }

    /// Messages accepted so far.
    pub fn accepted(&self) -> u64 {
        self.ticket.0.load(Ordering::Acquire) & !CLOSED
    }

    /// Refuses every later message. What was accepted stays.
    pub fn close(&self) {
        self.ticket.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Slots of the ring.
    pub fn capacity(&self) -> u64 {
        self.shape.capacity
    }
}
