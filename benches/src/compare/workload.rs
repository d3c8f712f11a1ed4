//! The workloads, after the Savina actor suite, written once for all peers.
//!
//! Rule kept here: a clock starts when the actors are there and stops when the last message was handled, which a reply or
//! the last actor says; nothing is counted that was only sent.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::parts::{Account, Chameneo, Crowd, Mall, Part, Teller};
use super::role::{Msg, Peer, Threads};

/// Asks that wait at a time.
pub(crate) const WINDOW: usize = 256;
/// Actors of the fork and join.
pub(crate) const FORKS: usize = 60;
/// Actors that ping each other.
pub(crate) const CROWD: usize = 16;
/// Accounts of the bank, a power of two.
pub(crate) const ACCOUNTS: usize = 32;
/// Tellers of the bank, each with one transfer under way.
pub(crate) const TELLERS: usize = 8;
/// Chameneos, who all come to one mall.
pub(crate) const CREATURES: usize = 100;
/// Actors of the thread ring.
pub(crate) const RING: usize = 100;

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Messages told.
    pub(crate) tells: u64,
    /// Asks, one after the other.
    pub(crate) asks: u64,
    /// Asks, with [`WINDOW`] of them waiting.
    pub(crate) pipelined: u64,
    /// Steps round the ring.
    pub(crate) hops: u64,
    /// Pings of each of [`CROWD`] actors.
    pub(crate) pings: u64,
    /// Actors that are made.
    pub(crate) actors: u64,
    /// How long an idle system is watched.
    pub(crate) idle: Duration,
}

impl Load {
    pub(crate) const FULL: Self = Self {
        tells: 1_000_000,
        asks: 20_000,
        pipelined: 300_000,
        hops: 300_000,
        pings: 20_000,
        actors: 200_000,
        idle: Duration::from_secs(10),
    };
    pub(crate) const SHORT: Self = Self {
        tells: 100_000,
        asks: 2_000,
        pipelined: 30_000,
        hops: 30_000,
        pings: 2_000,
        actors: 20_000,
        idle: Duration::from_secs(1),
    };
}

/// Millions in a second.
pub(crate) fn rate(count: u64, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64() / 1e6
}

/// The p50, p99 and p99.9 of times in nanoseconds, in microseconds.
pub(crate) fn percentiles(mut times: Vec<u64>) -> [f64; 3] {
    times.sort_unstable();
    let at = |per_mille: usize| times[(times.len() * per_mille / 1000).min(times.len() - 1)] as f64 / 1e3;
    [at(500), at(990), at(999)]
}

/// Returns when an actor has counted so far.
///
/// Where messages keep their order the first reply says so. `xtra` keeps none: its mailbox is a heap by priority, so a later
/// ask may be handled before earlier messages.
async fn settled<P: Peer>(actor: &P, count: u64) {
    loop {
        let now = actor.ask(Msg::Add(0)).await;
        if now == count {
            return;
        }
        assert!(now < count, "{now} counted of {count}");
        tokio::task::yield_now().await;
    }
}

/// Counting: one sender, one actor, millions of messages in a second.
pub(crate) fn counting<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let actor = P::spawn().await;
        assert_eq!(actor.ask(Msg::Add(0)).await, 0);
        let begun = Instant::now();
        for _ in 0..load.tells {
            actor.tell(Msg::Add(1)).await;
        }
        settled(&actor, load.tells).await;
        rate(load.tells, begun)
    })
}

/// Asks, one after the other: percentiles of their times in microseconds.
pub(crate) fn asks<P: Peer>(threads: Threads, load: Load) -> [f64; 3] {
    let (send, receive) = std::sync::mpsc::channel();
    P::run(threads, async move {
        let actor = P::spawn().await;
        let mut times = Vec::with_capacity(load.asks as usize);
        for n in 0..load.asks + load.asks / 10 {
            let begun = Instant::now();
            assert_eq!(actor.ask(Msg::Add(1)).await, n + 1);
            if n >= load.asks / 10 {
                times.push(begun.elapsed().as_nanos() as u64);
            }
        }
        let _ = send.send(percentiles(times));
        0.0
    });
    receive.recv().expect("the driver has ended well")
}

/// Asks with [`WINDOW`] of them waiting: millions in a second.
pub(crate) fn pipelined<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let actor = P::spawn().await;
        assert_eq!(actor.ask(Msg::Add(0)).await, 0);
        let begun = Instant::now();
        let sum = window(load.pipelined, || {
            let actor = actor.clone();
            async move { actor.ask(Msg::Add(1)).await }
        })
        .await;
        assert_eq!(sum, load.pipelined * (load.pipelined + 1) / 2, "each count is replied once");
        rate(load.pipelined, begun)
    })
}

/// A token goes round a ring of actors: millions of steps in a second.
pub(crate) fn ring<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let mut actors = Vec::new();
        for _ in 0..RING {
            actors.push(P::spawn().await);
        }
        let (send, receive) = oneshot::channel();
        for (at, actor) in actors.iter().enumerate() {
            actor.ask(Msg::Link(actors[(at + 1) % RING].clone())).await;
        }
        actors[load.hops as usize % RING].ask(Msg::Whistle(send)).await;
        let begun = Instant::now();
        actors[0].tell(Msg::Token(load.hops)).await;
        receive.await.expect("the token arrives");
        rate(load.hops, begun)
    })
}

/// Fork and join: one sender, [`FORKS`] actors in turns, and the replies of all.
pub(crate) fn fork_join<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let mut actors = Vec::new();
        for _ in 0..FORKS {
            let actor = P::spawn().await;
            actor.ask(Msg::Add(0)).await;
            actors.push(actor);
        }
        let each = load.tells / FORKS as u64;
        let begun = Instant::now();
        for _ in 0..each {
            for actor in &actors {
                actor.tell(Msg::Add(1)).await;
            }
        }
        for actor in &actors {
            settled(actor, each).await;
        }
        rate(each * FORKS as u64, begun)
    })
}

/// Big: each of [`CROWD`] actors pings another, waits for the pong, and pings the next: millions of messages in a second.
pub(crate) fn big<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let mut all = Vec::new();
        for _ in 0..CROWD {
            all.push(P::spawn().await);
        }
        let all = Arc::new(all);
        let (done, mut ends) = mpsc::unbounded_channel();
        for (at, me) in all.iter().enumerate() {
            let crowd = Crowd {
                me: me.clone(),
                all: Arc::clone(&all),
                left: load.pings,
                seed: seed(at),
                done: done.clone(),
            };
            me.ask(Msg::Join(Box::new(Part::Crowd(crowd)))).await;
        }
        let begun = Instant::now();
        for actor in &*all {
            actor.tell(Msg::Go).await;
        }
        for _ in 0..CROWD {
            ends.recv().await.expect("an actor has done");
        }
        rate(CROWD as u64 * load.pings * 2, begun)
    })
}

/// The bank: tellers order transfers between accounts, each of four messages: to the payer, to the payee, back to the payer,
/// back to the teller. Millions of messages in a second.
pub(crate) fn bank<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let (accounts, tellers) = (crowd::<P>(ACCOUNTS).await, crowd::<P>(TELLERS).await);
        let (done, mut ends) = mpsc::unbounded_channel();
        for (me, account) in (0..).zip(accounts.iter()) {
            let part = Account { me, accounts: Arc::clone(&accounts), tellers: Arc::clone(&tellers) };
            account.ask(Msg::Join(Box::new(Part::Account(part)))).await;
        }
        for (me, teller) in (0..).zip(tellers.iter()) {
            let (accounts, done) = (Arc::clone(&accounts), done.clone());
            let part = Teller { me, accounts, left: load.pings, seed: seed(usize::from(me)), done };
            teller.ask(Msg::Join(Box::new(Part::Teller(part)))).await;
        }
        let begun = Instant::now();
        for teller in &*tellers {
            teller.tell(Msg::Go).await;
        }
        for _ in 0..TELLERS {
            ends.recv().await.expect("a teller has done");
        }
        let figure = rate(TELLERS as u64 * load.pings * 4, begun);
        let mut sum = 0u64;
        for account in &*accounts {
            sum = sum.wrapping_add(account.ask(Msg::Add(0)).await);
        }
        assert_eq!(sum, 0, "what is paid is received");
        figure
    })
}

/// Chameneos: all meet in pairs at one mall: four messages a meeting. Millions of messages in a second.
pub(crate) fn chameneos<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let (mall, creatures) = (P::spawn().await, crowd::<P>(CREATURES).await);
        let (done, mut end) = mpsc::unbounded_channel();
        let part =
            Mall { creatures: Arc::clone(&creatures), waiting: None, left: load.pings * 4, late: 0, done };
        mall.ask(Msg::Join(Box::new(Part::Mall(part)))).await;
        for (me, creature) in (0..).zip(creatures.iter()) {
            let colour = (me % 3) as u8;
            let part = Chameneo { me, mall: mall.clone(), creatures: Arc::clone(&creatures), colour };
            creature.ask(Msg::Join(Box::new(Part::Chameneo(part)))).await;
        }
        let begun = Instant::now();
        for creature in &*creatures {
            creature.tell(Msg::Go).await;
        }
        end.recv().await.expect("the mall closes");
        rate(load.pings * 4 * 4, begun)
    })
}

/// So many actors, in a list that they share.
async fn crowd<P: Peer>(count: usize) -> Arc<Vec<P>> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(P::spawn().await);
    }
    Arc::new(all)
}

/// Where an actor's random numbers begin.
pub(crate) fn seed(at: usize) -> u64 {
    0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(at as u64 + 1)
}

/// Actors that are made and have replied to their first message: millions in a second.
pub(crate) fn activation<P: Peer>(threads: Threads, load: Load) -> f64 {
    P::run(threads, async move {
        let kept = Arc::new(Mutex::new(Vec::with_capacity(load.actors as usize)));
        let begun = Instant::now();
        let sum = window(load.actors, || {
            let kept = Arc::clone(&kept);
            async move {
                let actor = P::spawn().await;
                let count = actor.ask(Msg::Add(1)).await;
                kept.lock().expect("nobody panics").push(actor);
                count
            }
        })
        .await;
        assert_eq!(sum, load.actors, "each actor has handled its message");
        rate(load.actors, begun)
    })
}

/// Runs `count` futures with [`WINDOW`] of them under way, and sums what they give.
///
/// The futures stay where they are and take turns in the order of their sending: a set of futures with a waker for each
/// would cost every contestant an allocation that no contestant asked for.
pub(crate) async fn window<F: Future<Output = u64>>(count: u64, mut make: impl FnMut() -> F) -> u64 {
    let (mut sent, mut done, mut sum) = (0, 0, 0u64);
    let mut slots: Vec<(Pin<Box<F>>, Option<u64>)> = Vec::with_capacity(WINDOW);
    poll_fn(move |cx| {
        loop {
            while sent < count && sent - done < WINDOW as u64 {
                let at = sent as usize % WINDOW;
                if slots.len() <= at {
                    slots.push((Box::pin(make()), None));
                } else {
                    slots[at].0.set(make());
                }
                // The first poll sends; the reply may be there already.
                if let Poll::Ready(reply) = slots[at].0.as_mut().poll(cx) {
                    slots[at].1 = Some(reply);
                }
                sent += 1;
            }
            if done == count {
                return Poll::Ready(sum);
            }
            let (future, early) = &mut slots[done as usize % WINDOW];
            let reply = match early.take() {
                Some(reply) => reply,
                None => match future.as_mut().poll(cx) {
                    Poll::Ready(reply) => reply,
                    Poll::Pending => return Poll::Pending,
                },
            };
            sum += reply;
            done += 1;
        }
    })
    .await
}
