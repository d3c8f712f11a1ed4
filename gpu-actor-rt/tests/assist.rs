//! Asks whose thread runs the sleeping worker itself, and asks that leave it to the worker's thread: the same promises.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::{Duration, Instant};

use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Tally {
    sum: u64,
    last: u64,
}

#[gpu_actor]
impl Tally {
    /// Adds, and says what it is then.
    #[handler]
    fn add(&mut self, n: u64) -> u64 {
        self.sum += n;
        self.sum
    }

    /// Whether messages come in the order of their numbers.
    #[handler]
    fn next(&mut self, n: u64) -> bool {
        let follows = n == self.last + 1;
        self.last = n;
        follows
    }

    /// Takes long.
    #[handler]
    fn turn(&mut self, n: u64) -> u64 {
        let mut i = 0;
        while i < n {
            self.last ^= i;
            i += 1;
        }
        n
    }

    #[handler]
    fn divide(&mut self, by: u64) -> u64 {
        self.sum / by
    }
}

/// Whether others than its own thread can run a worker here.
fn assists() -> bool {
    let soft = std::env::var("GPU_ACTOR_DEVICE").is_ok_and(|device| device != "soft");
    !soft && !std::env::var("GPU_ACTOR_SOFT").unwrap_or_default().contains("deterministic")
}

async fn start(assist: bool) -> ActorSystem {
    ActorSystem::start(Config::default().workers(2).assist(assist).spin(Duration::ZERO)).await.unwrap()
}

#[tokio::test]
async fn an_ask_runs_the_worker_that_sleeps() {
    let system = start(true).await;
    let tally = system.actor::<Tally>(1);
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut sum = 0;
    while sum < 1000 || (assists() && system.stats().assisted < 100) {
        assert!(Instant::now() < deadline, "{:?}", system.stats());
        sum += 1;
        assert_eq!(tally.add(1).await.unwrap(), sum);
    }
    assert!(assists() || system.stats().assisted == 0);
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_assistance_nobody_assists() {
    let system = start(false).await;
    let tally = system.actor::<Tally>(1);
    for n in 1..=1000 {
        assert_eq!(tally.add(1).await.unwrap(), n);
    }
    assert_eq!(system.stats().assisted, 0);
    system.shutdown().await.unwrap();
}

/// Tells that went before, and tells of the same sender, whoever runs the worker.
#[tokio::test]
async fn order_is_kept_between_tells_and_asks() {
    for assist in [true, false] {
        let system = start(assist).await;
        let tally = system.actor::<Tally>("order");
        let mut n = 0;
        for round in 0..300 {
            for _ in 0..round % 5 {
                n += 1;
                tally.next(n).tell_wait().await.unwrap();
            }
            n += 1;
            assert!(tally.next(n).await.unwrap(), "message {n} came out of order");
        }
        system.drained().await.unwrap();
        let stats = system.stats();
        assert_eq!((stats.handled, stats.in_flight, stats.pending_asks), (n, 0, 0));
        system.shutdown().await.unwrap();
    }
}

/// Threads ask the same actors and different ones: every reply comes, and no addition is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_ask_at_once() {
    for assist in [true, false] {
        let system = start(assist).await;
        let tasks: Vec<_> = (0..4u64)
            .map(|me| {
                let (all, mine) = (system.actor::<Tally>("all"), system.actor::<Tally>(me));
                tokio::spawn(async move {
                    for n in 1..=500 {
                        all.add(1).await.unwrap();
                        assert_eq!(mine.add(1).await.unwrap(), n);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(system.actor::<Tally>("all").add(0).await.unwrap(), 2000);
        system.shutdown().await.unwrap();
    }
}

/// What takes longer than an assistant has time for goes on on the worker's own thread, and the reply comes all the same.
#[tokio::test]
async fn long_handlers_and_faults_reply_too() {
    for assist in [true, false] {
        let system = start(assist).await;
        let tally = system.actor::<Tally>(7);
        for n in [10, 100_000, 10, 1_000_000, 10] {
            assert_eq!(tally.turn(n).await.unwrap(), n);
            let fault = tally.divide(0).await.unwrap_err();
            assert!(matches!(&fault, Error::Fault(fault) if fault.handler == "divide"), "{fault:?}");
        }
        system.shutdown().await.unwrap();
    }
}
