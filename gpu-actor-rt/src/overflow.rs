//! Messages that were accepted although a worker's ring was full: one queue for each actor type that has a mailbox of its own.
//!
//! Rules kept here: whoever has put a message into a queue finds [`Overflow::any`] true until that message is in the ring, so
//! its next message cannot overtake it; a message leaves its queue by the ring or by the count of the dropped, under the lock,
//! so that a reading of the counts balances.
//!
//! The module takes its primitives from `crate::sync`: the model checker of the `tests` crate compiles this very file.

use std::collections::VecDeque;
use std::sync::{PoisonError, TryLockError};

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// The queues beside one worker's ring.
#[derive(Debug)]
pub(crate) struct Overflow<M> {
    /// Messages in the queues, for a look without the lock.
    waiting: AtomicU64,
    queues: Mutex<Queues<M>>,
}

#[derive(Debug)]
struct Queues<M> {
    /// By type index; grown at the first use.
    of: Vec<VecDeque<M>>,
    waiting: u64,
    dropped: u64,
    closed: bool,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered<M> {
    /// It is in the ring, or waits for space there.
    Taken,
    /// It waits, and this one, the oldest, was dropped for it.
    Evicted(M),
    /// There was no space.
    Full,
    /// No more messages are taken.
    Closed,
}

/// What the ring says to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Yes,
    Full,
}

impl<M> Overflow<M> {
    pub(crate) fn new() -> Self {
        let queues = Queues { of: Vec::new(), waiting: 0, dropped: 0, closed: false };
        Self { waiting: AtomicU64::new(0), queues: Mutex::new(queues) }
    }

    fn lock(&self) -> MutexGuard<'_, Queues<M>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message waits here. Who has queued one, or has heard from who has, sees it until it is in the ring.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.waiting.load(Ordering::Acquire) != 0
    }

    /// Moves messages to the ring and takes one more, behind those of its type: into the ring, else into a queue of at most
    /// `room` messages, else, if `evicts`, in the place of the oldest.
    pub(crate) fn offer(
        &self,
        kind: usize,
        message: M,
        room: usize,
        evicts: bool,
        mut push: impl FnMut(&M) -> Pushed,
    ) -> Offered<M> {
        let mut queues = self.lock();
        self.flush_all(&mut queues, &mut push);
        if queues.closed {
            return Offered::Closed;
        }
        if queues.of.len() <= kind {
            queues.of.resize_with(kind + 1, VecDeque::new);
        }
        if queues.of[kind].is_empty() && push(&message) == Pushed::Yes {
            return Offered::Taken;
        }
        if queues.of[kind].len() < room {
            queues.of[kind].push_back(message);
            self.set_waiting(&mut queues, 1);
            return Offered::Taken;
        }
        if !evicts {
            return Offered::Full;
        }
        let Some(oldest) = queues.of[kind].pop_front() else { return Offered::Full };
        queues.of[kind].push_back(message);
        queues.dropped += 1;
        Offered::Evicted(oldest)
    }

    /// Moves messages to the ring, unless somebody is at it already; how many.
    pub(crate) fn flush(&self, mut push: impl FnMut(&M) -> Pushed) -> u64 {
        let mut queues = match self.queues.try_lock() {
            Ok(queues) => queues,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return 0,
        };
        self.flush_all(&mut queues, &mut push)
    }

    fn flush_all(&self, queues: &mut Queues<M>, push: &mut impl FnMut(&M) -> Pushed) -> u64 {
        let mut moved = 0;
        for queue in &mut queues.of {
            while let Some(oldest) = queue.front() {
                if push(oldest) == Pushed::Full {
                    break;
                }
                queue.pop_front();
                moved += 1;
            }
        }
        if moved != 0 {
            self.set_waiting(queues, 0u64.wrapping_sub(moved));
        }
        moved
    }

    /// After the ring has what left the queues: who then sees that nothing waits comes behind it in the ring.
    fn set_waiting(&self, queues: &mut Queues<M>, by: u64) {
        queues.waiting = queues.waiting.wrapping_add(by);
        self.waiting.store(queues.waiting, Ordering::Release);
    }

    /// Counts a message that is dropped instead of being taken; `false` if no more are taken.
    pub(crate) fn count_drop(&self) -> bool {
        let mut queues = self.lock();
        queues.dropped += u64::from(!queues.closed);
        !queues.closed
    }

    /// Messages dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Messages accepted so far, whether they are in the ring (as `tickets` counts), wait here or were dropped.
    pub(crate) fn accepted(&self, tickets: impl FnOnce() -> u64) -> u64 {
        let queues = self.lock();
        tickets() + queues.waiting + queues.dropped
    }

    /// Takes no more messages. What waits goes to the ring all the same.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }
}
