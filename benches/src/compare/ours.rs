//! The same workloads on gpu-actor: the embedded default, which is the software GPU.

use std::time::Instant;

use gpu_actor_rt::prelude::*;

use super::workload::{CROWD, FORKS, Load, RING, WINDOW, percentiles, rate, seed, window};
use crate::Outcome;

/// Counts.
#[gpu_actor]
#[derive(Default)]
pub struct Counter {
    count: u64,
}

#[gpu_actor]
impl Counter {
    /// Adds, and replies with the count.
    #[handler]
    pub fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }
}

/// One of a ring.
#[gpu_actor]
#[derive(Default)]
pub struct Node {
    next: ActorId<Node>,
}

#[gpu_actor]
impl Node {
    /// Whom to pass the token to.
    #[handler]
    pub fn link(&mut self, next: ActorId<Node>) -> bool {
        self.next = next;
        true
    }

    /// The token, for so many more steps.
    #[handler]
    pub fn token(&mut self, cx: &mut Cx, left: u64) {
        if left > 0 {
            cx.tell(self.next.token(left - 1));
        }
    }
}

/// One of many who ping each other.
#[gpu_actor]
#[derive(Default)]
pub struct Caller {
    all: [ActorId<Caller>; 16],
    me: ActorId<Caller>,
    left: u64,
    seed: u64,
}

#[gpu_actor]
impl Caller {
    /// Who this is, and how often it pings.
    #[handler]
    pub fn join(&mut self, me: ActorId<Caller>, left: u64, seed: u64) {
        self.me = me;
        self.left = left;
        self.seed = seed;
    }

    /// One of all.
    #[handler]
    pub fn meet(&mut self, at: u64, other: ActorId<Caller>) -> bool {
        self.all[at as usize] = other;
        true
    }

    /// To be answered with a pong.
    #[handler]
    #[allow(clippy::unused_self, reason = "a handler has a receiver, also one that needs no state")]
    pub fn ping(&mut self, cx: &mut Cx, from: ActorId<Caller>) {
        cx.tell(from.pong());
    }

    /// The answer: the next ping goes out.
    #[handler]
    pub fn pong(&mut self, cx: &mut Cx) {
        if self.left > 0 {
            self.left -= 1;
            let mut x = self.seed;
            x = x ^ (x << 13);
            x = x ^ (x >> 7);
            x = x ^ (x << 17);
            self.seed = x;
            cx.tell(self.all[(x & 15) as usize].ping(self.me));
        }
    }
}

/// A system, the executor of its driver, and a key that no round used before.
pub(crate) struct Ours {
    system: ActorSystem,
    executor: tokio::runtime::Runtime,
    key: u64,
}

impl Ours {
    /// Starts it.
    pub(crate) fn start(config: Config) -> Outcome<Self> {
        let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let system = executor.block_on(ActorSystem::start(config))?;
        Ok(Self { system, executor, key: 0 })
    }

    /// What runs the actors, and what runs the driver.
    pub(crate) fn parts(&self) -> (&ActorSystem, &tokio::runtime::Runtime) {
        (&self.system, &self.executor)
    }

    /// The first of so many keys that no actor has yet.
    pub(crate) fn keys(&mut self, count: usize) -> u64 {
        let first = self.key;
        self.key += count as u64;
        first
    }

    /// See [`super::workload::counting`].
    pub(crate) fn counting(&mut self, load: Load) -> Outcome<f64> {
        let key = self.keys(1);
        let actor = self.system.actor::<Counter>(key);
        self.executor.block_on(async {
            actor.add(0).await?;
            let begun = Instant::now();
            for _ in 0..load.tells {
                actor.add(1).tell_wait().await?;
            }
            if actor.add(0).await? != load.tells {
                return Err("a message is missing".into());
            }
            Ok(rate(load.tells, begun))
        })
    }

    /// Counting with `tell_many`, which has no counterpart among the peers.
    pub(crate) fn counting_many(&mut self, load: Load) -> Outcome<f64> {
        let key = self.keys(1);
        let actor = self.system.actor::<Counter>(key);
        self.executor.block_on(async {
            actor.add(0).await?;
            let begun = Instant::now();
            let mut calls = (0..load.tells).map(|_| actor.add(1));
            while let Err(refused) = self.system.tell_many(calls.by_ref()) {
                // The mailbox is full: the call that was refused waits for space, and then the others follow.
                refused.call.tell_wait().await?;
            }
            if actor.add(0).await? != load.tells {
                return Err("a message is missing".into());
            }
            Ok(rate(load.tells, begun))
        })
    }

    /// Asks by `ask_many`, in batches of [`WINDOW`]: the next batch goes when all replies of the last have come.
    pub(crate) fn asks_many(&mut self, load: Load) -> Outcome<f64> {
        let key = self.keys(1);
        let actor = self.system.actor::<Counter>(key);
        self.executor.block_on(async {
            actor.add(0).await?;
            let begun = Instant::now();
            let (mut sum, mut left) = (0, load.pipelined);
            while left > 0 {
                let batch = left.min(WINDOW as u64);
                for reply in self.system.ask_many((0..batch).map(|_| actor.add(1))).await {
                    sum += reply?;
                }
                left -= batch;
            }
            if sum != load.pipelined * (load.pipelined + 1) / 2 {
                return Err("asks in batches: the counts do not add up".into());
            }
            Ok(rate(load.pipelined, begun))
        })
    }

    /// See [`super::workload::asks`].
    pub(crate) fn asks(&mut self, load: Load) -> Outcome<[f64; 3]> {
        let key = self.keys(1);
        let actor = self.system.actor::<Counter>(key);
        self.executor.block_on(async {
            let mut times = Vec::with_capacity(load.asks as usize);
            for n in 0..load.asks + load.asks / 10 {
                let begun = Instant::now();
                if actor.add(1).await? != n + 1 {
                    return Err("a message is missing".into());
                }
                if n >= load.asks / 10 {
                    times.push(begun.elapsed().as_nanos() as u64);
                }
            }
            Ok(percentiles(times))
        })
    }

    /// See [`super::workload::pipelined`].
    pub(crate) fn pipelined(&mut self, load: Load) -> Outcome<f64> {
        let key = self.keys(1);
        let actor = self.system.actor::<Counter>(key);
        self.executor.block_on(async {
            actor.add(0).await?;
            let begun = Instant::now();
            // A failed ask gives nothing, and then the sum is wrong.
            let sum = window(load.pipelined, || async { actor.add(1).await.unwrap_or(0) }).await;
            if sum != load.pipelined * (load.pipelined + 1) / 2 {
                return Err(format!("asks in windows of {WINDOW}: the counts do not add up").into());
            }
            Ok(rate(load.pipelined, begun))
        })
    }

    /// See [`super::workload::ring`]; the device's counters say when the token has arrived.
    pub(crate) fn ring(&mut self, load: Load) -> Outcome<f64> {
        let first = self.keys(RING);
        let system = &self.system;
        let nodes: Vec<_> = (0..RING as u64).map(|at| system.actor::<Node>(first + at)).collect();
        self.executor.block_on(async {
            for (at, node) in nodes.iter().enumerate() {
                node.link(nodes[(at + 1) % RING].id()?).await?;
            }
            system.drained().await?;
            let before = system.stats().handled;
            let begun = Instant::now();
            nodes[0].token(load.hops).tell()?;
            system.drained().await?;
            let figure = rate(load.hops, begun);
            let handled = system.stats().handled - before;
            if handled == load.hops + 1 {
                Ok(figure)
            } else {
                Err(format!("{handled} steps of {}", load.hops).into())
            }
        })
    }

    /// See [`super::workload::fork_join`].
    pub(crate) fn fork_join(&mut self, load: Load) -> Outcome<f64> {
        let first = self.keys(FORKS);
        let actors: Vec<_> = (0..FORKS as u64).map(|at| self.system.actor::<Counter>(first + at)).collect();
        self.executor.block_on(async {
            for actor in &actors {
                actor.add(0).await?;
            }
            let each = load.tells / FORKS as u64;
            let begun = Instant::now();
            for _ in 0..each {
                for actor in &actors {
                    actor.add(1).tell_wait().await?;
                }
            }
            for actor in &actors {
                if actor.add(0).await? != each {
                    return Err("a message is missing".into());
                }
            }
            Ok(rate(each * FORKS as u64, begun))
        })
    }

    /// See [`super::workload::big`]; the device's counters say when all have done.
    pub(crate) fn big(&mut self, load: Load) -> Outcome<f64> {
        let first = self.keys(CROWD);
        let system = &self.system;
        let all: Vec<_> = (0..CROWD as u64).map(|at| system.actor::<Caller>(first + at)).collect();
        self.executor.block_on(async {
            for (at, caller) in all.iter().enumerate() {
                caller.join(caller.id()?, load.pings, seed(at)).await?;
                for (place, other) in (0..).zip(&all) {
                    caller.meet(place, other.id()?).await?;
                }
            }
            system.drained().await?;
            let before = system.stats().handled;
            let begun = Instant::now();
            for caller in &all {
                caller.pong().tell()?;
            }
            system.drained().await?;
            let count = CROWD as u64 * load.pings * 2;
            let figure = rate(count, begun);
            let handled = system.stats().handled - before;
            if handled == count + CROWD as u64 {
                Ok(figure)
            } else {
                Err(format!("{handled} messages of {count}").into())
            }
        })
    }

    /// See [`super::workload::activation`].
    pub(crate) fn activation(&mut self, load: Load) -> Outcome<f64> {
        let mut key = self.keys(load.actors as usize);
        let system = &self.system;
        self.executor.block_on(async {
            let begun = Instant::now();
            let sum = window(load.actors, || {
                let actor = system.actor::<Counter>(key);
                key += 1;
                // A failed ask gives nothing, and then the sum is wrong.
                async move { actor.add(1).await.unwrap_or(0) }
            })
            .await;
            if sum == load.actors {
                Ok(rate(load.actors, begun))
            } else {
                Err(format!("{sum} actors of {} have replied", load.actors).into())
            }
        })
    }

    /// Ends it well.
    pub(crate) fn stop(self) -> Outcome<()> {
        Ok(self.executor.block_on(self.system.shutdown())?)
    }
}
