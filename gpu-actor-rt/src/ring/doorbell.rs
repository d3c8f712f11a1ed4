//! Who sleeps and who wakes whom.
//!
//! Rule kept here (both directions): the sleeper announces, fences, looks again, then sleeps; the producer publishes,
//! fences, then reads the announcement. With sequentially consistent fences on both sides one of the two sees the
//! other, so no message is slept on.

use std::sync::atomic::Ordering;

use kernels_ptx::abi::{control, line};

use crate::sync::Words;

/// After publishing to a worker's inbox: whether the worker announced that it sleeps.
pub fn wants_doorbell<W: Words>(worker_line: &W) -> bool {
    W::fence_seq_cst();
    worker_line.load(line::SLEEPING, Ordering::Relaxed) == 1
}

/// The poller's announcement in the control block that it sleeps; taken back on drop.
#[derive(Debug)]
pub struct PollerBed<'a, W: Words>(&'a W);

impl<'a, W: Words> PollerBed<'a, W> {
    /// Announces. The caller drains the rings once more before it sleeps.
    pub fn announce(control_block: &'a W) -> Self {
        control_block.store(control::POLLER_SLEEPING, 1, Ordering::Relaxed);
        W::fence_seq_cst();
        Self(control_block)
    }
}

impl<W: Words> Drop for PollerBed<'_, W> {
    fn drop(&mut self) {
        self.0.store(control::POLLER_SLEEPING, 0, Ordering::Relaxed);
    }
}
