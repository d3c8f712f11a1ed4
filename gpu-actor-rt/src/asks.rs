//! The table of pending asks: who waits for which reply.
//!
//! Rules kept here: an entry is named by index *and* generation, and the generation changes when the entry is freed, so a
//! reply that comes after its ask timed out or was dropped finds nobody and is counted as late; it never reaches
//! another ask. An entry is freed once, by the future that holds its [`Ticket`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use kernels_ptx::abi::corr;

use crate::ring::PAYLOAD_WORDS;

/// Entries of the first chunk; each further chunk doubles.
const FIRST_CHUNK: u32 = 256;
/// Chunks that the index bits allow.
const CHUNKS: usize = (corr::INDEX_BITS - FIRST_CHUNK.ilog2()) as usize;
/// Free lists, so that threads that ask at the same time rarely meet.
const SHARDS: usize = 8;

/// How an ask ended.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "replies are the rule, and lie in the table's entries")]
pub(crate) enum Outcome {
    /// The handler replied.
    Reply { hlc: u64, payload: [u64; PAYLOAD_WORDS] },
    /// The handler faulted; the fault record and the actor.
    Fault { actor: u64, code_site: u64, method: u64 },
    /// The reply's stamp was too far ahead.
    Drift(crate::hlc::DriftError),
    /// The deadline passed.
    TimedOut,
    /// The system ended without a reply.
    Lost,
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

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "as above")]
enum Phase {
    Free,
    Waiting(Option<Waker>),
    Done(Outcome),
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    deadline: u64,
    phase: Phase,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Asks {
    chunks: [OnceLock<Box<[Mutex<Entry>]>>; CHUNKS],
    free: [Mutex<VecDeque<u32>>; SHARDS],
    unused: AtomicU32,
    limit: u32,
    pending: AtomicU64,
    late: AtomicU64,
    /// No live entry's deadline is earlier than this.
    next_deadline: AtomicU64,
}

/// The table is at its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between a lock and its unlock here, so a poisoned lock still holds a consistent value.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asks {
    /// A table of at most `limit` entries.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
            free: std::array::from_fn(|_| Mutex::new(VecDeque::new())),
            unused: AtomicU32::new(0),
            limit: limit.clamp(1, (1 << corr::INDEX_BITS) - FIRST_CHUNK),
            pending: AtomicU64::new(0),
            late: AtomicU64::new(0),
            next_deadline: AtomicU64::new(u64::MAX),
        }
    }

    /// Takes an entry that expires at `deadline` (nanoseconds of the system's monotonic clock).
    pub(crate) fn allocate(&self, deadline: u64) -> Result<Ticket, TooMany> {
        let index = self.free_index().ok_or(TooMany)?;
        let mut entry = lock(self.entry(index));
        entry.deadline = deadline;
        entry.phase = Phase::Waiting(None);
        let ticket = Ticket { index, generation: entry.generation };
        drop(entry);
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.next_deadline.fetch_min(deadline, Ordering::AcqRel);
        Ok(ticket)
    }

    /// The outcome, or registers the waker. Frees the entry with the outcome.
    pub(crate) fn poll(&self, ticket: Ticket, waker: &Waker) -> Poll<Outcome> {
        let mut entry = lock(self.entry(ticket.index));
        debug_assert_eq!(entry.generation, ticket.generation, "a ticket is used until its entry is freed");
        match &mut entry.phase {
            Phase::Waiting(Some(known)) if known.will_wake(waker) => Poll::Pending,
            Phase::Waiting(slot) => {
                *slot = Some(waker.clone());
                Poll::Pending
            }
            Phase::Done(_) | Phase::Free => {
                let phase = self.release(entry, ticket);
                Poll::Ready(match phase {
                    Phase::Done(outcome) => outcome,
                    _ => Outcome::Lost,
                })
            }
        }
    }

    /// Frees the entry of an ask whose future is dropped. A reply that comes later finds a new generation; one that has come
    /// already and was not picked up is as late.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        let entry = lock(self.entry(ticket.index));
        if entry.generation == ticket.generation
            && let Phase::Done(Outcome::Reply { .. } | Outcome::Fault { .. } | Outcome::Drift(_)) =
                self.release(entry, ticket)
        {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands an outcome to who waits; wakes it. `false` (and a count) when nobody waits any more.
    pub(crate) fn complete(&self, ticket: Ticket, outcome: Outcome) -> bool {
        let waker = 'late: {
            if ticket.index < self.unused.load(Ordering::Acquire) {
                let mut entry = lock(self.entry(ticket.index));
                if entry.generation == ticket.generation
                    && let Phase::Waiting(waker) = &mut entry.phase
                {
                    let waker = waker.take();
                    entry.phase = Phase::Done(outcome);
                    break 'late waker;
                }
            }
            self.late.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Ends the asks whose deadline is at or before `now`; returns the next deadline.
    pub(crate) fn expire(&self, now: u64) -> u64 {
        let next = self.next_deadline.load(Ordering::Acquire);
        if now < next {
            return next;
        }
        // Asks that come while this walks lower the word again; those that it finds are folded in below.
        self.next_deadline.store(u64::MAX, Ordering::Release);
        let mut earliest = u64::MAX;
        self.for_each_waiting(|entry| {
            if entry.deadline <= now {
                return Some(Outcome::TimedOut);
            }
            earliest = earliest.min(entry.deadline);
            None
        });
        self.next_deadline.fetch_min(earliest, Ordering::AcqRel).min(earliest)
    }

    /// Ends every pending ask; returns how many.
    pub(crate) fn fail_all(&self) -> u64 {
        let mut failed = 0;
        self.for_each_waiting(|_| {
            failed += 1;
            Some(Outcome::Lost)
        });
        failed
    }

    /// Asks that wait now (or whose outcome was not picked up yet).
    pub(crate) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Replies that reached nobody.
    pub(crate) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// The deadline that the poller must not sleep beyond.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.next_deadline.load(Ordering::Acquire)
    }

    fn for_each_waiting(&self, mut rule: impl FnMut(&Entry) -> Option<Outcome>) {
        let used = self.unused.load(Ordering::Acquire).min(self.limit);
        for index in 0..used {
            let mut entry = lock(self.entry(index));
            if !matches!(entry.phase, Phase::Waiting(_)) {
                continue;
            }
            if let Some(outcome) = rule(&entry)
                && let Phase::Waiting(waker) = std::mem::replace(&mut entry.phase, Phase::Done(outcome))
            {
                drop(entry);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }

    fn free_index(&self) -> Option<u32> {
        let home = shard();
        if let Some(index) = lock(&self.free[home]).pop_front() {
            return Some(index);
        }
        let fresh = self
            .unused
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| (n < self.limit).then_some(n + 1));
        fresh.ok().or_else(|| self.free.iter().find_map(|shard| lock(shard).pop_front()))
    }

    fn release(&self, mut entry: MutexGuard<'_, Entry>, ticket: Ticket) -> Phase {
        entry.generation = entry.generation.wrapping_add(1);
        let phase = std::mem::replace(&mut entry.phase, Phase::Free);
        drop(entry);
        self.pending.fetch_sub(1, Ordering::Relaxed);
        lock(&self.free[shard()]).push_back(ticket.index);
        phase
    }

    fn entry(&self, index: u32) -> &Mutex<Entry> {
        let chunk = (index / FIRST_CHUNK + 1).ilog2();
        let first = FIRST_CHUNK * ((1 << chunk) - 1);
        let entries = self.chunks[chunk as usize].get_or_init(|| {
            (0..FIRST_CHUNK << chunk)
                .map(|_| Mutex::new(Entry { generation: 0, deadline: 0, phase: Phase::Free }))
                .collect()
        });
        &entries[(index - first) as usize]
    }
}

/// The free list of this thread.
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
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn reply(word: u64) -> Outcome {
        let mut payload = [0; PAYLOAD_WORDS];
        payload[0] = word;
        Outcome::Reply { hlc: 1, payload }
    }

    #[test]
    fn a_reply_reaches_its_ask_and_wakes_once() {
        let (asks, wakes) = (Asks::new(10), Arc::new(Counter::default()));
        let waker = Waker::from(Arc::clone(&wakes));
        let ticket = asks.allocate(u64::MAX).unwrap();
        assert_eq!(Ticket::from_corr(ticket.corr()), Some(ticket));
        assert!(asks.poll(ticket, &waker).is_pending());
        assert!(asks.poll(ticket, &waker).is_pending());
        assert!(asks.complete(ticket, reply(7)));
        assert!(!asks.complete(ticket, reply(8)), "a second reply is late");
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        let Poll::Ready(Outcome::Reply { payload, .. }) = asks.poll(ticket, &waker) else { panic!() };
        assert_eq!((payload[0], asks.pending(), asks.late()), (7, 0, 1));
    }

    #[test]
    fn a_late_reply_never_reaches_the_next_ask_of_the_entry() {
        let asks = Asks::new(1);
        let first = asks.allocate(u64::MAX).unwrap();
        assert_eq!(asks.allocate(u64::MAX), Err(TooMany));
        asks.cancel(first);
        let second = asks.allocate(u64::MAX).unwrap();
        assert_eq!(first.index, second.index);
        assert!(!asks.complete(first, reply(1)));
        assert!(asks.poll(second, Waker::noop()).is_pending());
        assert_eq!(asks.late(), 1);
        asks.cancel(first);
        assert_eq!(asks.pending(), 1, "cancelling a freed ticket frees nothing else");
    }

    #[test]
    fn a_reply_that_nobody_picks_up_is_late_too() {
        let asks = Asks::new(4);
        let (taken, dropped) = (asks.allocate(u64::MAX).unwrap(), asks.allocate(u64::MAX).unwrap());
        assert!(asks.complete(taken, reply(1)) && asks.complete(dropped, reply(2)));
        assert!(asks.poll(taken, Waker::noop()).is_ready());
        asks.cancel(dropped);
        assert_eq!((asks.late(), asks.pending()), (1, 0));
    }

    #[test]
    fn deadlines_expire_in_time_and_only_then() {
        let asks = Asks::new(100);
        let soon = asks.allocate(50).unwrap();
        let late = asks.allocate(80).unwrap();
        assert_eq!(asks.expire(49), 50);
        assert!(asks.poll(soon, Waker::noop()).is_pending());
        assert_eq!(asks.expire(50), 80);
        assert!(matches!(asks.poll(soon, Waker::noop()), Poll::Ready(Outcome::TimedOut)));
        assert!(asks.poll(late, Waker::noop()).is_pending());
        assert_eq!(asks.fail_all(), 1);
        assert!(matches!(asks.poll(late, Waker::noop()), Poll::Ready(Outcome::Lost)));
        assert_eq!(asks.expire(1000), u64::MAX);
    }

    #[test]
    fn chunks_cover_every_index_once() {
        let asks = Asks::new(5000);
        let tickets: Vec<_> = (0..5000).map(|n| asks.allocate(n).unwrap()).collect();
        let mut entries: Vec<_> =
            tickets.iter().map(|t| std::ptr::from_ref(asks.entry(t.index)) as usize).collect();
        entries.sort_unstable();
        entries.dedup();
        assert_eq!(entries.len(), 5000);
        for ticket in tickets {
            asks.cancel(ticket);
        }
        assert_eq!(asks.pending(), 0);
    }

    #[test]
    fn the_last_index_has_a_chunk() {
        let asks = Asks::new(u32::MAX);
        let last = asks.limit - 1;
        assert!(((last / FIRST_CHUNK + 1).ilog2() as usize) < CHUNKS);
    }

    #[test]
    fn racing_replies_and_cancels_lose_nothing() {
        let asks = Arc::new(Asks::new(64));
        let (send, receive) = std::sync::mpsc::channel::<Ticket>();
        let poller = {
            let asks = Arc::clone(&asks);
            std::thread::spawn(move || receive.iter().filter(|t| asks.complete(*t, reply(t.corr()))).count())
        };
        let mut got = 0;
        for round in 0..20_000u32 {
            let ticket = asks.allocate(u64::MAX).unwrap();
            send.send(ticket).unwrap();
            if round % 3 == 0 {
                asks.cancel(ticket);
                continue;
            }
            loop {
                if let Poll::Ready(outcome) = asks.poll(ticket, Waker::noop()) {
                    let Outcome::Reply { payload, .. } = outcome else { panic!("{outcome:?}") };
                    assert_eq!(payload[0], ticket.corr());
                    got += 1;
                    break;
                }
                std::thread::yield_now();
            }
        }
        drop(send);
        let delivered = poller.join().unwrap() as u64;
        assert!(delivered >= got);
        assert_eq!(got + asks.late(), 20_000);
        assert_eq!(asks.pending(), 0);
    }
}
