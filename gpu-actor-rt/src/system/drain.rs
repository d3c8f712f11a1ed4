//! Taking what the workers completed: by the poller, and by a thread that has just run a worker itself.
//!
//! Rules kept here: a completion ring has one consumer at a time, by a lock that is only ever tried; a ring that somebody
//! else is at counts as one with news, so nobody concludes from it that there is nothing; completions of a worker are
//! handed on in the order of its ring.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};

use super::Inner;
use super::owed::Owed;
use crate::buffer::Releases;
use crate::device::Assist;
use crate::ring::{Completion, Completions, wants_doorbell};
use crate::shared::Mapped;

/// Completions that are taken from one ring before the next has its turn.
const BATCH: usize = 256;

/// The consuming ends of the completion rings.
#[derive(Debug)]
pub(super) struct Drains {
    rings: Vec<Mutex<Drain>>,
    /// What the device says of buffers; nothing where no handler has slices.
    releases: Option<Releases<Mapped>>,
    assisted: AtomicU64,
}

#[derive(Debug)]
struct Drain {
    ring: Completions<Mapped>,
    scratch: Completion,
}

impl Drains {
    pub(super) fn new(rings: Vec<Completions<Mapped>>, releases: Option<Releases<Mapped>>) -> Self {
        let drain = |ring| Mutex::new(Drain { ring, scratch: Completion::default() });
        Self { rings: rings.into_iter().map(drain).collect(), releases, assisted: AtomicU64::new(0) }
    }

    /// Asks whose thread ran the worker itself.
    pub(super) fn assisted(&self) -> u64 {
        self.assisted.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// Takes a batch from every ring; whether there was anything, or somebody else was there.
    pub(super) fn drain_all(&self) -> bool {
        let mut worked = false;
        for worker in 0..self.drains.rings.len() {
            worked |= self.drain(worker) != Some(0);
        }
        worked | self.drain_releases()
    }

    /// Takes what the device says of buffers; whether there was anything, or somebody else was there.
    pub(super) fn drain_releases(&self) -> bool {
        self.drains.releases.as_ref().is_some_and(|releases| releases.drain(&self.buffers))
    }

    /// A reply that names this buffer has been read, or is not going to be.
    pub(crate) fn let_go(&self, handle: u64) {
        self.buffers.unread(handle, -1);
        if let Some(releases) = &self.drains.releases {
            releases.arrive(&self.buffers, handle);
        }
    }

    /// Takes a batch from a worker's ring; how many. None if another thread is at it.
    fn drain(&self, worker: usize) -> Option<usize> {
        let mut drain = match self.drains.rings[worker].try_lock() {
            Ok(drain) => drain,
            // A waker that panicked has lost nothing but itself.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let Drain { ring, scratch } = &mut *drain;
        for taken in 0..BATCH {
            if !ring.pop(scratch) {
                return Some(taken);
            }
            self.complete(scratch);
        }
        Some(BATCH)
    }

    /// After an ask was posted: if the worker sleeps, its bell is owed; whether it is. Who posted sees to it that it is
    /// [paid](Self::pay), at the latest when it is polled again or dropped.
    pub(crate) fn owe(&self, worker: u32) -> bool {
        let sleeps = wants_doorbell(&self.running.memory.lines[worker as usize]);
        if sleeps {
            // The fence is that of the look above.
            self.owed.note(worker);
        }
        sleeps
    }

    /// Whether asks may owe the bell of this worker: where their thread can run it, and there is one bit for it.
    pub(crate) fn may_owe(&self, worker: u32) -> bool {
        self.settings.config.assist && worker < Owed::WORKERS && self.running.launched().has_events()
    }

    /// Rings the worker for asks, if that is owed: runs it on this thread.
    pub(crate) fn pay(&self, worker: u32) {
        if worker < Owed::WORKERS && self.owed.take(worker) {
            self.ring_for_reply(worker);
        }
    }

    /// Rings the worker's bell, if that is owed for asks.
    pub(crate) fn ring_if_owed(&self, worker: u32) {
        if worker < Owed::WORKERS && self.owed.take(worker) {
            self.ring(worker);
        }
    }

    /// Rings all bells that are owed.
    pub(super) fn ring_owed(&self) {
        let mut owed = self.owed.take_all();
        while owed != 0 {
            self.ring(owed.trailing_zeros());
            owed &= owed - 1;
        }
    }

    /// After an ask was posted: runs the worker, if it sleeps, on this thread and takes what it completes; or wakes it.
    pub(crate) fn ring_for_reply(&self, worker: u32) {
        if !self.settings.config.assist {
            return self.ring(worker);
        }
        if !wants_doorbell(&self.running.memory.lines[worker as usize]) {
            return;
        }
        match self.running.launched().assist(worker) {
            Assist::No => self.running.launched().doorbell(worker),
            Assist::Done { signalled } => {
                self.drains.assisted.fetch_add(1, Ordering::Relaxed);
                // The worker's signal was for what it completed meanwhile. If all of that is taken, nobody need be woken.
                let left = self.drain(worker as usize).is_none_or(|taken| taken == BATCH);
                self.drain_releases();
                if left && signalled {
                    self.running.launched().signal_host();
                }
            }
        }
    }
}
