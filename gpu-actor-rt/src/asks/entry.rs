//! One entry of the table of asks: a word that says who may touch what, and what it guards.
//!
//! Rules kept here: the word holds a generation and a phase, and every step is one exchange of it, so nobody waits for
//! anybody. The outcome is written by the one completer that claimed the entry, and read by the ask alone, after it. The
//! waker is the ask's while it registers, the completer's once it claimed an armed entry. An ask that leaves while its outcome is
//! being written leaves the entry to the completer.
//!
//! The module takes its primitives from `super::prims`: the loom models in the `tests` crate compile this very file over
//! loom's.
//!
//! ```text
//! FREE -> IDLE or ARMED -> CLAIMED -> DONE -> FREE      an answered ask
//!         IDLE, ARMED <-> REGISTERING                    the ask is polled; CLAIMED may come between
//!         IDLE, ARMED -> FREE                            the ask is dropped
//!                        CLAIMED -> ABANDONED -> FREE    the ask is dropped while the outcome is being written
//! ```

use std::task::{Poll, Waker};

use super::prims::{AtomicU64, Ordering, UnsafeCell};

const PHASE_BITS: u32 = 8;
const FREE: u64 = 0;
/// Waits, without a waker.
const IDLE: u64 = 1;
/// Waits, with a waker.
const ARMED: u64 = 2;
/// Waits, and the ask is changing the waker.
const REGISTERING: u64 = 3;
/// A completer writes the outcome.
const CLAIMED: u64 = 4;
/// The outcome is there.
const DONE: u64 = 5;
/// The ask has left while a completer writes: it frees the entry.
const ABANDONED: u64 = 6;

/// An entry with an outcome of type `T`.
pub(super) struct Entry<T> {
    word: AtomicU64,
    deadline: AtomicU64,
    waker: UnsafeCell<Option<Waker>>,
    outcome: UnsafeCell<T>,
}

// SAFETY: the cells are touched by one thread at a time, as the word orders it (module documentation).
unsafe impl<T: Send> Send for Entry<T> {}
// SAFETY: as above; an outcome is handed from the completer's thread to the ask's, which needs `Send` alone.
unsafe impl<T: Send> Sync for Entry<T> {}

/// What became of an outcome.
#[derive(Debug)]
pub(super) enum Completed {
    /// It is there; whoever is to be woken.
    Delivered(Option<Waker>),
    /// Nobody waits in this generation any more.
    Late,
    /// The ask left meanwhile: the entry is free, and the caller gives it back.
    Abandoned,
}

/// What an ask that leaves leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left<R> {
    /// There was no outcome; the caller gives the entry back.
    Unanswered,
    /// There was one; the caller gives the entry back.
    Answered(R),
    /// A completer is writing one, and gives the entry back.
    Behind,
    /// The ticket was used up before.
    Gone,
}

fn word(generation: u32, phase: u64) -> u64 {
    u64::from(generation) << PHASE_BITS | phase
}

fn waits(phase: u64) -> bool {
    matches!(phase, IDLE | ARMED | REGISTERING)
}

impl<T> Entry<T> {
    /// A free entry.
    pub(super) fn new(outcome: T) -> Self {
        Self {
            word: AtomicU64::new(word(0, FREE)),
            deadline: AtomicU64::new(0),
            waker: UnsafeCell::new(None),
            outcome: UnsafeCell::new(outcome),
        }
    }

    /// Begins to wait; the generation of the ticket.
    ///
    /// # Safety
    /// The entry is free and the caller's alone.
    pub(super) unsafe fn open(&self, deadline: u64, waker: Option<Waker>) -> u32 {
        let generation = (self.word.load(Ordering::Relaxed) >> PHASE_BITS) as u32;
        let phase = if waker.is_some() { ARMED } else { IDLE };
        // SAFETY: the entry is the caller's alone; completers leave a free entry's cells alone.
        self.waker.with_mut(|slot| unsafe { *slot = waker });
        self.deadline.store(deadline, Ordering::Relaxed);
        self.word.store(word(generation, phase), Ordering::Release);
        generation
    }

    /// Whether the outcome is there, for the ask of `generation`.
    pub(super) fn is_done(&self, generation: u32) -> bool {
        self.word.load(Ordering::Relaxed) == word(generation, DONE)
    }

    /// Reads the outcome and frees the entry (the caller gives it back), or leaves the waker. `None`: the ticket was used up.
    ///
    /// # Safety
    /// One thread at a time polls or leaves by the ticket of `generation`.
    pub(super) unsafe fn poll<R>(
        &self,
        generation: u32,
        waker: &Waker,
        read: impl FnOnce(&T) -> R,
    ) -> Poll<Option<R>> {
        let mut current = self.word.load(Ordering::Acquire);
        loop {
            let phase = current ^ word(generation, 0);
            match phase {
                DONE => {
                    // SAFETY: the completer's release of DONE was acquired, and nobody but the ask touches a finished entry.
                    let value = self.outcome.with(|outcome| read(unsafe { &*outcome }));
                    self.word.store(word(generation.wrapping_add(1), FREE), Ordering::Release);
                    return Poll::Ready(Some(value));
                }
                CLAIMED => {
                    // The outcome is being written at this moment: come again, without waiting here.
                    waker.wake_by_ref();
                    return Poll::Pending;
                }
                IDLE | ARMED => {}
                _ => return Poll::Ready(None),
            }
            let registering = word(generation, REGISTERING);
            if let Err(seen) =
                self.word.compare_exchange(current, registering, Ordering::Acquire, Ordering::Acquire)
            {
                current = seen;
                continue;
            }
            // SAFETY: while the phase was REGISTERING when a completer came, it leaves the waker alone.
            let old = self.waker.with_mut(|slot| unsafe {
                match &*slot {
                    Some(known) if known.will_wake(waker) => None,
                    _ => (*slot).replace(waker.clone()),
                }
            });
            let armed = word(generation, ARMED);
            let exchanged =
                self.word.compare_exchange(registering, armed, Ordering::Release, Ordering::Acquire);
            drop(old);
            match exchanged {
                Ok(_) => return Poll::Pending,
                Err(seen) => {
                    // SAFETY: as above: this completer saw REGISTERING.
                    drop(self.waker.with_mut(|slot| unsafe { (*slot).take() }));
                    current = seen;
                }
            }
        }
    }

    /// The ask leaves.
    ///
    /// # Safety
    /// As for [`poll`](Self::poll).
    pub(super) unsafe fn leave<R>(&self, generation: u32, read: impl FnOnce(&T) -> R) -> Left<R> {
        let free = word(generation.wrapping_add(1), FREE);
        let mut current = self.word.load(Ordering::Acquire);
        loop {
            let phase = current ^ word(generation, 0);
            if phase == DONE {
                // SAFETY: as in `poll`.
                let value = self.outcome.with(|outcome| read(unsafe { &*outcome }));
                self.word.store(free, Ordering::Release);
                return Left::Answered(value);
            }
            let (next, left) = match phase {
                CLAIMED => (word(generation, ABANDONED), Left::Behind),
                phase if waits(phase) => (free, Left::Unanswered),
                _ => return Left::Gone,
            };
            match self.word.compare_exchange(current, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    if next == free {
                        // SAFETY: the generation is over and the entry not given back yet: it is this thread's alone.
                        drop(self.waker.with_mut(|slot| unsafe { (*slot).take() }));
                    }
                    return left;
                }
                Err(seen) => current = seen,
            }
        }
    }

    /// Hands over an outcome, which `write` puts into its place.
    pub(super) fn complete(&self, generation: u32, write: impl FnOnce(&mut T)) -> Completed {
        let claimed = word(generation, CLAIMED);
        let mut current = self.word.load(Ordering::Relaxed);
        loop {
            if !waits(current ^ word(generation, 0)) {
                return Completed::Late;
            }
            match self.word.compare_exchange(current, claimed, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(seen) => current = seen,
            }
        }
        // SAFETY: one completer claims an entry, and the ask waits for DONE before it reads.
        self.outcome.with_mut(|outcome| write(unsafe { &mut *outcome }));
        let waker = if current == word(generation, ARMED) {
            // SAFETY: the exchange took the waker over from the ask, which touches it in REGISTERING alone.
            self.waker.with_mut(|slot| unsafe { (*slot).take() })
        } else {
            None
        };
        let done = word(generation, DONE);
        if self.word.compare_exchange(claimed, done, Ordering::Release, Ordering::Acquire).is_ok() {
            return Completed::Delivered(waker);
        }
        drop(waker);
        self.word.store(word(generation.wrapping_add(1), FREE), Ordering::Release);
        Completed::Abandoned
    }

    /// The generation and the deadline, if an ask waits here.
    pub(super) fn waiting(&self) -> Option<(u32, u64)> {
        let current = self.word.load(Ordering::Acquire);
        let generation = (current >> PHASE_BITS) as u32;
        waits(current ^ word(generation, 0)).then(|| (generation, self.deadline.load(Ordering::Relaxed)))
    }
}
