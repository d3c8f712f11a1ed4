//! What the device says of its references to buffers.
//!
//! Rule kept here: a reference that is given up is counted only after every ring was looked at once more. Who gives one up may
//! have got it from a handler of another worker, which said before that there is one more; it said so in another ring,
//! and is heard first by this. So a count is never lower than what the device has.

use std::sync::{PoisonError, TryLockError};

use super::table::{Buffers, Done};
use crate::ring::{Completion, Completions};
use crate::sync::{Mutex, MutexGuard, Words};

/// The consuming ends of the workers' rings.
#[derive(Debug)]
pub(crate) struct Releases<W: Words> {
    rings: Mutex<Rings<W>>,
    /// References that came to the host in replies.
    arrived: Mutex<Vec<u64>>,
}

#[derive(Debug)]
struct Rings<W: Words> {
    ends: Vec<Completions<W>>,
    /// Slots of a ring: as many records as there can be in it when a look begins.
    capacity: u64,
    scratch: Completion,
    /// Given up, and to be counted after the next look.
    given_up: Vec<(u64, i64)>,
    done: Vec<Done>,
}

impl<W: Words> Releases<W> {
    pub(crate) fn new(rings: Vec<Completions<W>>, capacity: u64) -> Self {
        let (scratch, given_up, done) = (Completion::default(), Vec::new(), Vec::new());
        Self {
            rings: Mutex::new(Rings { ends: rings, capacity, scratch, given_up, done }),
            arrived: Mutex::new(Vec::new()),
        }
    }

    fn arrived(&self) -> MutexGuard<'_, Vec<u64>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what there is; whether there was anything, or somebody else was there.
    pub(crate) fn drain(&self, buffers: &Buffers) -> bool {
        match self.rings.try_lock() {
            Ok(rings) => self.work(rings, buffers),
            Err(TryLockError::Poisoned(poisoned)) => self.work(poisoned.into_inner(), buffers),
            Err(TryLockError::WouldBlock) => true,
        }
    }

    /// A reply with this buffer has been read, or never will be: its reference is given up.
    pub(crate) fn arrive(&self, buffers: &Buffers, handle: u64) {
        self.arrived().push(handle);
        self.work(self.rings.lock().unwrap_or_else(PoisonError::into_inner), buffers);
    }

    fn work(&self, mut rings: MutexGuard<'_, Rings<W>>, buffers: &Buffers) -> bool {
        let mut worked = false;
        loop {
            rings.given_up.extend(self.arrived().drain(..).map(|handle| (handle, -1)));
            if !rings.pass(buffers) {
                break;
            }
            worked = true;
        }
        let done = std::mem::take(&mut rings.done);
        // Who is woken may come back here.
        drop(rings);
        drop(done);
        worked
    }
}

impl<W: Words> Rings<W> {
    /// One look at every ring; whether there may be more to do.
    fn pass(&mut self, buffers: &Buffers) -> bool {
        let before = std::mem::take(&mut self.given_up);
        let mut found = false;
        for ring in &mut self.ends {
            for _ in 0..self.capacity {
                if !ring.pop(&mut self.scratch) {
                    break;
                }
                found = true;
                let (handle, change) = (self.scratch.actor, self.scratch.hlc as i64);
                if change > 0 {
                    self.done.extend(buffers.changed(handle, change));
                } else {
                    self.given_up.push((handle, change));
                }
            }
        }
        for (handle, change) in &before {
            self.done.extend(buffers.changed(*handle, *change));
        }
        found || !before.is_empty()
    }
}
