//! What a soak runs: actors of three mailboxes, one that floods them, and senders that do not wait for anybody.
//!
//! Rule kept here: the ledger has what the senders saw, and nothing that the system says of itself; a step is either over or
//! not begun while the gate is shut.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a handler has a receiver by reference")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use gpu_actor_rt::prelude::*;
use tokio::sync::RwLock;

use crate::Outcome;

/// Messages of one flood to each of its three receivers.
pub(super) const FLOOD: u64 = 5;
/// Actors of a type.
pub(super) const ACTORS: u64 = 32;
/// Messages that the host keeps of the types that drop.
pub(super) const MAILBOX: u32 = 32;
/// Tells of a batch.
const BATCH: u64 = 16;
/// Steps that a thread takes between two looks at the gate.
const STEPS: u32 = 64;

/// Refuses what has no space.
#[gpu_actor]
#[derive(Default)]
pub struct Strict {
    handled: u64,
    sum: u64,
}

#[gpu_actor]
impl Strict {
    /// Adds.
    #[handler]
    pub fn add(&mut self, n: u64) -> u64 {
        self.handled += 1;
        self.sum = self.sum.wrapping_add(n);
        self.sum
    }

    /// Faults.
    #[handler]
    pub fn fail(&mut self) -> u64 {
        assert!(self.handled == u64::MAX, "asked to fail");
        self.sum
    }

    /// Messages handled, this one included.
    #[handler]
    pub fn handled(&mut self) -> u64 {
        self.handled += 1;
        self.handled
    }
}

/// Drops the message for which there is no space.
#[gpu_actor(mailbox = 32, on_full = "drop_newest")]
#[derive(Default)]
pub struct Newest {
    handled: u64,
    sum: u64,
}

#[gpu_actor]
impl Newest {
    /// Adds.
    #[handler]
    pub fn add(&mut self, n: u64) -> u64 {
        self.handled += 1;
        self.sum = self.sum.wrapping_add(n);
        self.sum
    }

    /// Messages handled, this one included.
    #[handler]
    pub fn handled(&mut self) -> u64 {
        self.handled += 1;
        self.handled
    }
}

/// Drops the oldest that waits.
#[gpu_actor(mailbox = 32, on_full = "drop_oldest")]
#[derive(Default)]
pub struct Oldest {
    handled: u64,
    sum: u64,
}

#[gpu_actor]
impl Oldest {
    /// Adds.
    #[handler]
    pub fn add(&mut self, n: u64) -> u64 {
        self.handled += 1;
        self.sum = self.sum.wrapping_add(n);
        self.sum
    }

    /// Messages handled, this one included.
    #[handler]
    pub fn handled(&mut self) -> u64 {
        self.handled += 1;
        self.handled
    }
}

/// Sends more than its worker's queues have room for.
#[gpu_actor]
#[derive(Default)]
pub struct Flood {
    handled: u64,
    floods: u64,
}

#[gpu_actor]
impl Flood {
    /// Sends [`FLOOD`] messages to each.
    #[handler]
    pub fn flood(
        &mut self,
        cx: &mut Cx,
        strict: ActorId<Strict>,
        newest: ActorId<Newest>,
        oldest: ActorId<Oldest>,
    ) {
        self.handled += 1;
        self.floods += 1;
        for n in 0..FLOOD {
            cx.tell(strict.add(n));
            cx.tell(newest.add(n));
            cx.tell(oldest.add(n));
        }
    }

    /// Messages handled, this one included.
    #[handler]
    pub fn handled(&mut self) -> u64 {
        self.handled += 1;
        self.handled
    }

    /// Floods so far.
    #[handler]
    pub fn floods(&mut self) -> u64 {
        self.handled += 1;
        self.floods
    }
}

/// What was accepted and what came back, as the senders saw it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) strict: AtomicU64,
    pub(super) newest: AtomicU64,
    pub(super) oldest: AtomicU64,
    pub(super) flood: AtomicU64,
    /// Tells refused with [`Error::Full`].
    pub(super) refused: AtomicU64,
    pub(super) replies: AtomicU64,
    /// Asks that ended with a fault.
    pub(super) faults: AtomicU64,
    /// Asks that were dropped for a newer message.
    pub(super) dropped_asks: AtomicU64,
}

impl Ledger {
    /// Messages accepted.
    pub(super) fn accepted(&self) -> u64 {
        [&self.strict, &self.newest, &self.oldest, &self.flood].iter().map(|count| count.load(Relaxed)).sum()
    }

    /// A tell of one type: accepted, or refused for want of space. Whether it was accepted.
    fn told(&self, accepted: &AtomicU64, result: gpu_actor_rt::Result<()>) -> Outcome<bool> {
        match result {
            Ok(()) => accepted.fetch_add(1, Relaxed),
            Err(Error::Full { .. }) => {
                self.refused.fetch_add(1, Relaxed);
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(true)
    }

    /// An ask of one type that has ended, however it did.
    fn asked(&self, accepted: &AtomicU64, result: gpu_actor_rt::Result<u64>) -> Outcome<()> {
        accepted.fetch_add(1, Relaxed);
        match result {
            Ok(_) => self.replies.fetch_add(1, Relaxed),
            Err(Error::Fault(_)) => self.faults.fetch_add(1, Relaxed),
            Err(Error::Dropped { .. }) => self.dropped_asks.fetch_add(1, Relaxed),
            Err(error) => return Err(error.into()),
        };
        Ok(())
    }
}

/// The actors, the ledger, and what holds the senders.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) system: ActorSystem,
    pub(super) strict: Vec<ActorRef<Strict>>,
    pub(super) newest: Vec<ActorRef<Newest>>,
    pub(super) oldest: Vec<ActorRef<Oldest>>,
    pub(super) flood: Vec<ActorRef<Flood>>,
    pub(super) ledger: Ledger,
    /// Held for reading by who is in a step. It is fair: who waits to shut it has it before the next step.
    pub(super) gate: RwLock<()>,
    pub(super) over: AtomicBool,
}

/// A seeded sequence (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    fn of<'a, T>(&mut self, actors: &'a [T]) -> &'a T {
        &actors[self.below(actors.len() as u64) as usize]
    }
}

impl Load {
    pub(super) fn new(system: ActorSystem) -> Self {
        Self {
            strict: (0..ACTORS).map(|key| system.actor(key)).collect(),
            newest: (0..ACTORS).map(|key| system.actor(key)).collect(),
            oldest: (0..ACTORS).map(|key| system.actor(key)).collect(),
            flood: (0..ACTORS).map(|key| system.actor(key)).collect(),
            system,
            ledger: Ledger::default(),
            gate: RwLock::new(()),
            over: AtomicBool::new(false),
        }
    }

    fn over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// One tell, or one batch; whether it was taken.
    fn step(&self, random: &mut Random) -> Outcome<bool> {
        let ledger = &self.ledger;
        match random.below(16) {
            0..=2 => ledger.told(&ledger.strict, random.of(&self.strict).add(1).tell()),
            3 => ledger.told(&ledger.strict, random.of(&self.strict).fail().tell()),
            4..=7 => ledger.told(&ledger.newest, random.of(&self.newest).add(1).tell()),
            8..=11 => ledger.told(&ledger.oldest, random.of(&self.oldest).add(1).tell()),
            12 => {
                let strict = random.of(&self.strict).id()?;
                let newest = random.of(&self.newest).id()?;
                let oldest = random.of(&self.oldest).id()?;
                let call = random.of(&self.flood).flood(strict, newest, oldest);
                ledger.told(&ledger.flood, call.tell())
            }
            _ => {
                let calls: Vec<_> = (0..BATCH).map(|n| random.of(&self.strict).add(n)).collect();
                let (taken, full) = match self.system.tell_many(calls) {
                    Ok(taken) => (taken, false),
                    Err(error) if matches!(*error.cause, Error::Full { .. }) => (error.taken, true),
                    Err(error) => return Err(error.cause.into()),
                };
                ledger.strict.fetch_add(taken as u64, Relaxed);
                ledger.refused.fetch_add(u64::from(full), Relaxed);
                Ok(!full)
            }
        }
    }

    /// A thread that tells as fast as it can until all is over.
    pub(super) fn tell_on(&self, seed: u64) -> Outcome<()> {
        let mut random = Random::new(seed);
        while !self.over() {
            let _open = self.gate.blocking_read();
            for _ in 0..STEPS {
                if !self.step(&mut random)? {
                    // The rings are full: whoever empties them may want this core.
                    std::thread::yield_now();
                }
            }
        }
        Ok(())
    }

    /// A task that asks, and tells where it waits for space, until all is over.
    pub(super) async fn ask_on(&self, seed: u64) -> Outcome<()> {
        let mut random = Random::new(seed);
        let ledger = &self.ledger;
        while !self.over() {
            let _open = self.gate.read().await;
            match random.below(8) {
                0 | 1 => ledger.asked(&ledger.strict, random.of(&self.strict).add(1).await)?,
                2 => ledger.asked(&ledger.strict, random.of(&self.strict).fail().await)?,
                3 | 4 => ledger.asked(&ledger.newest, random.of(&self.newest).add(1).await)?,
                5 | 6 => ledger.asked(&ledger.oldest, random.of(&self.oldest).add(1).await)?,
                _ => {
                    random.of(&self.strict).add(1).tell_wait().await?;
                    ledger.strict.fetch_add(1, Relaxed);
                }
            }
        }
        Ok(())
    }

    /// With the system paused: more tells than rings and mailboxes hold, so that each policy has to act.
    pub(super) fn overflow(&self, messages: u64) -> Outcome<()> {
        let ledger = &self.ledger;
        for index in 0..messages {
            let at = (index % ACTORS) as usize;
            ledger.told(&ledger.newest, self.newest[at].add(1).tell())?;
            ledger.told(&ledger.oldest, self.oldest[at].add(1).tell())?;
            ledger.told(&ledger.strict, self.strict[at].add(1).tell())?;
        }
        Ok(())
    }
}
