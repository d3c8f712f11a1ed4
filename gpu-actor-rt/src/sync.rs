//! The two small traits that the protocols stand on: an atomic word, and shared memory made of such words.
//!
//! Rule kept here: the rings, the pending table's handshakes and the clock are written against these traits alone, so
//! that the model checker (loom, in the `tests` crate) runs the very code that production runs.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard};

/// An atomic 64-bit word.
pub trait Atom: Send + Sync {
    /// A word holding `value`.
    fn new(value: u64) -> Self;
    /// Loads the word.
    fn load(&self, order: Ordering) -> u64;
    /// Stores the word.
    fn store(&self, value: u64, order: Ordering);
    /// Replaces `current` by `new`; may fail spuriously. Relaxed on both sides: what is claimed is published elsewhere.
    fn claim(&self, current: u64, new: u64) -> Result<u64, u64>;
    /// Sets bits and returns the word before.
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64;
    /// Applies `rule` until it sticks; returns the word that it wrote, or `None` where `rule` refused.
    fn update(&self, rule: impl FnMut(u64) -> Option<u64>) -> Option<u64>;
}

impl Atom for AtomicU64 {
    #[inline]
    fn new(value: u64) -> Self {
        AtomicU64::new(value)
    }

    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn claim(&self, current: u64, new: u64) -> Result<u64, u64> {
        self.compare_exchange_weak(current, new, Ordering::Relaxed, Ordering::Relaxed)
    }

    #[inline]
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.fetch_or(bits, order)
    }

    #[inline]
    fn update(&self, mut rule: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        let mut written = 0;
        self.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |last| {
            written = rule(last)?;
            Some(written)
        })
        .ok()
        .map(|_| written)
    }
}

/// Memory shared with a device: aligned 64-bit words, named by byte offset.
///
/// Control words (sequence, flags, counters) have an order; data words are protected by a slot's sequence word and need
/// none, so a model may check that nobody touches them at the same time.
pub trait Words: Send + Sync {
    /// The atomic word of the same memory model, for what the host keeps to itself (ticket counters).
    type Atom: Atom;
    /// Loads the control word at `offset`.
    fn load(&self, offset: u64, order: Ordering) -> u64;
    /// Stores the control word at `offset`.
    fn store(&self, offset: u64, value: u64, order: Ordering);
    /// Reads data words from `offset` on.
    fn read(&self, offset: u64, out: &mut [u64]);
    /// Writes data words from `offset` on.
    fn write(&self, offset: u64, data: &[u64]);
    /// A sequentially consistent fence.
    fn fence_seq_cst();
}
