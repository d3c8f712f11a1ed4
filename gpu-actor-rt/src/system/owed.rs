//! Bells that are owed: messages of asks went to workers that sleep, and nobody has rung yet.
//!
//! Rules kept here: a bell is owed from before anybody relies on it until somebody has taken it over; whoever takes it over
//! rings (or runs the worker) afterwards, for all messages that went out before. So no message of an ask waits for
//! a bell that everybody takes for rung.
//!
//! The module takes its primitives from `crate::sync`: the loom models in the `tests` crate compile this very file over
//! loom's.

use crate::sync::{AtomicU64, Ordering, fence};

/// The workers whose bells are owed.
#[derive(Debug)]
pub(crate) struct Owed(AtomicU64);

impl Owed {
    /// Workers from here on are owed nothing: they are rung at once.
    pub(crate) const WORKERS: u32 = u64::BITS;

    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// After a message went to `worker`, and a sequentially consistent fence: its bell is owed. Many asks write this
    /// word once.
    #[inline]
    pub(crate) fn note(&self, worker: u32) {
        // If this reads a bit that somebody is taking, the fence before it lies before the one of `take`: whoever rings then
        // finds the message.
        if self.0.load(Ordering::Relaxed) & (1 << worker) == 0 {
            self.0.fetch_or(1 << worker, Ordering::AcqRel);
        }
    }

    /// Takes over the bell of `worker`, if it is owed: the caller rings.
    #[inline]
    pub(crate) fn take(&self, worker: u32) -> bool {
        let bit = 1 << worker;
        let taken =
            self.0.load(Ordering::Relaxed) & bit != 0 && self.0.fetch_and(!bit, Ordering::AcqRel) & bit != 0;
        if taken {
            fence(Ordering::SeqCst);
        }
        taken
    }

    /// Takes over all bells: the caller rings them. A bit for each worker.
    pub(crate) fn take_all(&self) -> u64 {
        if self.0.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let taken = self.0.swap(0, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        taken
    }
}
