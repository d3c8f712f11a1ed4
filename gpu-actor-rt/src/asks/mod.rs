//! The table of pending asks: who waits for which reply.
//!
//! Rules kept here: an entry is named by index *and* generation, and the generation changes when the entry is freed, so a
//! reply that comes after its ask timed out or was dropped finds nobody and is counted as late; it never reaches
//! another ask. An entry is freed once, by the future that holds its [`Ticket`] or by the completer that it left behind. No
//! lock, and no word that every ask writes: counts and free lists are per shard, and an ask writes the next deadline only
//! where its own is earlier.

mod entry;
mod prims;
mod stack;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::task::{Poll, Waker};

use kernels_ptx::abi::corr;

use self::entry::{Completed, Entry, Left};
use self::stack::Stack;
use crate::hlc::DriftError;
use crate::ring::PAYLOAD_WORDS;

/// Entries of the first chunk; each further chunk doubles.
const FIRST_CHUNK: u32 = 256;
/// Chunks that the index bits allow.
const CHUNKS: usize = (corr::INDEX_BITS - FIRST_CHUNK.ilog2()) as usize;
/// Free lists, so that threads that ask at the same time rarely meet.
const SHARDS: usize = 8;

/// How an ask ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The handler replied: the stamp, and the reply in the payload. The handle of the buffer that it has a reference to, or 0.
    Reply { hlc: u64, buffer: u64 },
    /// The handler faulted; the fault record and the actor.
    Fault { actor: u64, code_site: u64, method: u64 },
    /// The reply's stamp was too far ahead.
    Drift(DriftError),
    /// The deadline passed.
    TimedOut,
    /// The system ended without a reply.
    Lost,
    /// The message was dropped for a newer one.
    Dropped,
}

/// How an ask ended, with the reply. Lies in the table's entry: written there once, and read there.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// The reply's words, as many as the slots of the system have; after them what was there before.
    pub(crate) payload: [u64; PAYLOAD_WORDS],
}

impl Outcome {
    /// What an ask gets whose ticket was used up, which no future does.
    const NOTHING: Self = Self { end: End::Lost, payload: [0; PAYLOAD_WORDS] };
}

/// Names an entry of the table; whoever holds it frees the entry by [`Asks::poll`] or [`Asks::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    index: u32,
    generation: u32,
}

impl Ticket {
    /// The correlation word that travels with the message.
    pub(crate) fn corr(self) -> u64 {
        u64::from(self.index)
            | u64::from(self.generation) << corr::INDEX_BITS
            | corr::KIND_ASK << corr::KIND_SHIFT
    }

    /// The ticket in a correlation word, if it is that of an ask.
    pub(crate) fn from_corr(word: u64) -> Option<Self> {
        (word >> corr::KIND_SHIFT == corr::KIND_ASK).then_some(Self {
            index: word as u32 & ((1 << corr::INDEX_BITS) - 1),
            generation: (word >> corr::INDEX_BITS) as u32,
        })
    }
}

/// An entry and its place in a free list.
#[repr(align(64))]
struct Place {
    entry: Entry<Outcome>,
    /// The next entry of the free list.
    link: AtomicU32,
    /// The free list that it belongs to: where it was taken for the first time, so that entries which one thread takes
    /// and another gives back do not wander.
    home: AtomicU32,
}

/// What the threads of one shard write.
#[repr(align(128))]
struct Shard {
    free: Stack,
    /// Entries of this shard that are taken.
    pending: AtomicU64,
    late: AtomicU64,
}

/// The table.
pub(crate) struct Asks {
    chunks: [OnceLock<Box<[Place]>>; CHUNKS],
    shards: [Shard; SHARDS],
    unused: AtomicU32,
    limit: u32,
    /// No live entry's deadline is earlier than this.
    next_deadline: AtomicU64,
}

/// The table is at its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Asks {
    /// A table of at most `limit` entries.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
            shards: std::array::from_fn(|_| Shard {
                free: Stack::new(),
                pending: AtomicU64::new(0),
                late: AtomicU64::new(0),
            }),
            unused: AtomicU32::new(0),
            limit: limit.clamp(1, (1 << corr::INDEX_BITS) - FIRST_CHUNK),
            next_deadline: AtomicU64::new(u64::MAX),
        }
    }

    /// Takes an entry that expires at `deadline` (nanoseconds of the system's monotonic clock), with whom to wake. The caller
    /// [announces](Self::announce) the deadline.
    pub(crate) fn allocate(&self, deadline: u64, waker: Option<Waker>) -> Result<Ticket, TooMany> {
        let (home, index) = self.free_index().ok_or(TooMany)?;
        // SAFETY: the free list, or the count of unused entries, gave the index to this thread alone.
        let generation = unsafe { self.place(index).entry.open(deadline, waker) };
        self.shards[home].pending.fetch_add(1, Ordering::Relaxed);
        Ok(Ticket { index, generation })
    }

    /// Lowers the next deadline, if this one is earlier. The caller has a sequentially consistent fence between the
    /// allocation and this: either this sees that [`expire`](Self::expire) begins a walk, or the walk sees the entry.
    pub(crate) fn announce(&self, deadline: u64) {
        if deadline < self.next_deadline.load(Ordering::Relaxed) {
            self.next_deadline.fetch_min(deadline, Ordering::AcqRel);
        }
    }

    /// Whether the outcome is there to be [polled](Self::poll).
    pub(crate) fn is_done(&self, ticket: Ticket) -> bool {
        self.place(ticket.index).entry.is_done(ticket.generation)
    }

    /// Reads the outcome where it lies and frees the entry, or registers the waker.
    pub(crate) fn poll<R>(&self, ticket: Ticket, waker: &Waker, read: impl Fn(&Outcome) -> R) -> Poll<R> {
        // SAFETY: the future that holds the ticket polls and cancels by `&mut self`.
        match unsafe { self.place(ticket.index).entry.poll(ticket.generation, waker, &read) } {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(value)) => {
                self.give_back(ticket.index);
                Poll::Ready(value)
            }
            Poll::Ready(None) => Poll::Ready(read(&Outcome::NOTHING)),
        }
    }

    /// Frees the entry of an ask whose future is dropped. A reply that comes later finds a new generation; one that has come
    /// already and was not picked up is as late; the buffer that it has a reference to is the result, or 0.
    pub(crate) fn cancel(&self, ticket: Ticket) -> u64 {
        // SAFETY: as in `poll`.
        let left = unsafe { self.place(ticket.index).entry.leave(ticket.generation, |outcome| outcome.end) };
        let buffer = match left {
            Left::Unanswered => 0,
            Left::Answered(end) => {
                self.count_late(end);
                if let End::Reply { buffer, .. } = end { buffer } else { 0 }
            }
            Left::Behind | Left::Gone => return 0,
        };
        self.give_back(ticket.index);
        buffer
    }

    /// Hands a reply to who waits; wakes it. `false` (and a count) when nobody waits any more.
    pub(crate) fn reply(
        &self,
        ticket: Ticket,
        hlc: u64,
        buffer: u64,
        read: impl FnOnce(&mut [u64; PAYLOAD_WORDS]),
    ) -> bool {
        self.complete(ticket, End::Reply { hlc, buffer }, read)
    }

    /// Hands an end without a reply to who waits; wakes it. `false` (and a count) when nobody waits any more.
    pub(crate) fn end(&self, ticket: Ticket, end: End) -> bool {
        self.complete(ticket, end, |_| {})
    }

    fn complete(&self, ticket: Ticket, end: End, read: impl FnOnce(&mut [u64; PAYLOAD_WORDS])) -> bool {
        if ticket.index >= self.unused.load(Ordering::Acquire).min(self.limit) {
            self.count_late(end);
            return false;
        }
        let completed = self.place(ticket.index).entry.complete(ticket.generation, |outcome| {
            outcome.end = end;
            read(&mut outcome.payload);
        });
        match completed {
            Completed::Delivered(waker) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
                true
            }
            Completed::Late => {
                self.count_late(end);
                false
            }
            Completed::Abandoned => {
                self.count_late(end);
                self.give_back(ticket.index);
                false
            }
        }
    }

    /// Ends the asks whose deadline is at or before `now`; returns the next deadline.
    pub(crate) fn expire(&self, now: u64) -> u64 {
        let next = self.next_deadline.load(Ordering::Acquire);
        if now < next {
            return next;
        }
        // Asks that come while this walks lower the word again; those that it finds are folded in below. The fence is the
        // other half of that of `announce`.
        self.next_deadline.store(u64::MAX, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut earliest = u64::MAX;
        self.for_each_waiting(|ticket, deadline| {
            if deadline <= now {
                self.end_waiting(ticket, End::TimedOut);
            } else {
                earliest = earliest.min(deadline);
            }
        });
        self.next_deadline.fetch_min(earliest, Ordering::AcqRel).min(earliest)
    }

    /// Ends every pending ask; returns how many.
    pub(crate) fn fail_all(&self) -> u64 {
        let mut failed = 0;
        self.for_each_waiting(|ticket, _| failed += u64::from(self.end_waiting(ticket, End::Lost)));
        failed
    }

    /// Asks that wait now (or whose outcome was not picked up yet).
    pub(crate) fn pending(&self) -> u64 {
        // Wrapping: an entry may be counted off one shard before it is seen counted on another.
        let sum =
            self.shards.iter().fold(0u64, |n, shard| n.wrapping_add(shard.pending.load(Ordering::Relaxed)));
        if sum > u64::from(self.limit) { 0 } else { sum }
    }

    /// Replies that reached nobody.
    pub(crate) fn late(&self) -> u64 {
        self.shards.iter().map(|shard| shard.late.load(Ordering::Relaxed)).sum()
    }

    /// The deadline that the poller must not sleep beyond.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.next_deadline.load(Ordering::Acquire)
    }

    fn for_each_waiting(&self, mut rule: impl FnMut(Ticket, u64)) {
        for index in 0..self.unused.load(Ordering::Acquire).min(self.limit) {
            if let Some((generation, deadline)) = self.place(index).entry.waiting() {
                rule(Ticket { index, generation }, deadline);
            }
        }
    }

    /// Ends an ask that waited when it was looked at; one that has ended by itself meanwhile is nothing to count.
    fn end_waiting(&self, ticket: Ticket, end: End) -> bool {
        match self.place(ticket.index).entry.complete(ticket.generation, |outcome| outcome.end = end) {
            Completed::Delivered(waker) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
                true
            }
            Completed::Late => false,
            Completed::Abandoned => {
                self.give_back(ticket.index);
                false
            }
        }
    }

    /// Counts what a device said and nobody heard.
    fn count_late(&self, end: End) {
        if matches!(end, End::Reply { .. } | End::Fault { .. } | End::Drift(_)) {
            self.shards[shard()].late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An index for this thread alone, and its shard.
    fn free_index(&self) -> Option<(usize, u32)> {
        let home = shard();
        let link = |index| &self.place(index).link;
        if let Some(index) = self.shards[home].free.pop(link) {
            return Some((home, index));
        }
        let fresh = self
            .unused
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| (n < self.limit).then_some(n + 1));
        if let Ok(index) = fresh {
            self.place(index).home.store(home as u32, Ordering::Relaxed);
            return Some((home, index));
        }
        self.shards.iter().enumerate().find_map(|(home, shard)| Some((home, shard.free.pop(link)?)))
    }

    fn give_back(&self, index: u32) {
        let home = &self.shards[self.place(index).home.load(Ordering::Relaxed) as usize];
        home.pending.fetch_sub(1, Ordering::Relaxed);
        home.free.push(index, |index| &self.place(index).link);
    }

    #[inline]
    fn place(&self, index: u32) -> &Place {
        let chunk = (index / FIRST_CHUNK + 1).ilog2();
        let first = FIRST_CHUNK * ((1 << chunk) - 1);
        let places = self.chunks[chunk as usize].get_or_init(|| {
            (0..FIRST_CHUNK << chunk)
                .map(|_| Place {
                    entry: Entry::new(Outcome::NOTHING),
                    link: AtomicU32::new(0),
                    home: AtomicU32::new(0),
                })
                .collect()
        });
        &places[(index - first) as usize]
    }
}

impl std::fmt::Debug for Asks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asks")
            .field("pending", &self.pending())
            .field("late", &self.late())
            .finish_non_exhaustive()
    }
}

/// The shard of this thread.
fn shard() -> usize {
    thread_local! {
        static SHARD: usize = {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            NEXT.fetch_add(1, Ordering::Relaxed) as usize % SHARDS
        };
    }
    SHARD.with(|shard| *shard)
}

#[cfg(test)]
mod tests;
