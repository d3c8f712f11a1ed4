//! Asks whose thread runs the sleeping worker itself, and asks that leave it to the worker's thread: the same promises.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
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

/// Some asks, and the replies of those that ended when they were polled for the first time.
type Polled = Vec<(gpu_actor_rt::Ask<u64>, Option<Result<u64, Error>>)>;

/// Asks so many times for an addition of `by`, and polls the futures once, in order.
fn poll_once(tally: &ActorRef<Tally>, asks: usize, by: u64) -> Polled {
    let mut cx = Context::from_waker(Waker::noop());
    let polled = |_| {
        let mut ask = tally.add(by).into_future();
        match Pin::new(&mut ask).poll(&mut cx) {
            Poll::Ready(reply) => (ask, Some(reply)),
            Poll::Pending => (ask, None),
        }
    };
    (0..asks).map(polled).collect()
}

/// The replies of all, in order.
async fn replies(asks: Polled) -> Vec<u64> {
    let mut replies = Vec::new();
    for (ask, reply) in asks {
        let reply = match reply {
            Some(reply) => reply,
            None => ask.await,
        };
        replies.push(reply.unwrap());
    }
    replies
}

/// Forgets the futures for good.
fn forget(asks: Polled) {
    for (ask, _) in asks {
        std::mem::forget(ask);
    }
}

/// Has this thread find out that it has many asks going: its asks let others go out before they run the worker.
async fn ask_together(tally: &ActorRef<Tally>) {
    for _ in 0..200 {
        replies(poll_once(tally, 64, 0)).await;
    }
}

/// Many asks of one thread are answered, in order, by few runs of the worker.
#[tokio::test]
async fn asks_that_go_out_together_share_a_run_of_the_worker() {
    let config = Config::default().workers(1).spin(Duration::ZERO);
    let system = ActorSystem::start(config).await.unwrap();
    let tally = system.actor::<Tally>(1);
    ask_together(&tally).await;
    let (before, mut sum) = (system.stats(), 0);
    for _ in 0..100 {
        let sums = replies(poll_once(&tally, 64, 1)).await;
        assert_eq!(sums, (sum + 1..=sum + 64).collect::<Vec<_>>());
        sum += 64;
    }
    let stats = system.stats();
    assert_eq!((stats.handled - before.handled, stats.pending_asks, stats.in_flight), (6400, 0, 0));
    // Some asks may have run the worker alone, and somebody else may have rung; it is not one run for each ask.
    assert!(stats.assisted - before.assisted < 3200, "{stats:?}");
    system.shutdown().await.unwrap();
}

/// Asks that are never polled again: dropped, or forgotten for good. Their messages are handled all the same.
#[tokio::test]
async fn asks_that_went_out_are_handled_though_nobody_polls_them_again() {
    let config = Config::default().workers(1).spin(Duration::ZERO);
    let system = ActorSystem::start(config).await.unwrap();
    let tally = system.actor::<Tally>(1);
    ask_together(&tally).await;
    let mut sent = system.stats().handled;
    for round in 0..100 {
        let asks = poll_once(&tally, round % 7 + 1, 1);
        sent += asks.len() as u64;
        match round % 3 {
            0 => drop(asks),
            1 => forget(asks),
            _ => {
                forget(asks);
                system.pause().await.unwrap();
                system.resume().await.unwrap();
            }
        }
        system.drained().await.unwrap();
        let stats = system.stats();
        assert_eq!((stats.handled, stats.in_flight), (sent, 0), "round {round}");
    }
    ask_together(&tally).await;
    sent += 200 * 64;
    forget(poll_once(&tally, 9, 1));
    system.shutdown().await.unwrap();
    assert_eq!(system.stats().handled, sent + 9, "a shutdown handles what was accepted");
}

/// A mailbox that is full of asks which nobody has polled again: others find space as soon as the worker has run.
#[tokio::test]
async fn asks_that_wait_to_be_polled_do_not_block_a_mailbox() {
    let config = Config::default().workers(1).spin(Duration::ZERO).host_inbox(64);
    let system = ActorSystem::start(config).await.unwrap();
    let tally = system.actor::<Tally>(1);
    ask_together(&tally).await;
    for _ in 0..100 {
        let asks = poll_once(&tally, 200, 1);
        tally.add(1).tell_wait().await.unwrap();
        drop(asks);
    }
    system.drained().await.unwrap();
    assert_eq!(system.stats().in_flight, 0);
    system.shutdown().await.unwrap();
}

/// All asks go out before the worker runs; where there are several workers, one at most is run by the asking thread.
#[tokio::test]
async fn asks_in_a_batch_are_answered_in_order_on_any_workers() {
    for (workers, assist) in [(1, true), (2, true), (2, false)] {
        let config = Config::default().workers(workers).assist(assist).spin(Duration::ZERO);
        let system = ActorSystem::start(config).await.unwrap();
        let tallies: Vec<_> = (0..50u64).map(|n| system.actor::<Tally>(n)).collect();
        for round in 1..=50 {
            let calls = (0..1000).map(|n| tallies[n % 50].add(1));
            let replies = system.ask_many(calls).await;
            for (n, reply) in (0..).zip(replies) {
                assert_eq!(reply.unwrap(), (round - 1) * 20 + n / 50 + 1);
            }
        }
        let stats = system.stats();
        assert_eq!((stats.handled, stats.pending_asks), (50_000, 0));
        assert!(assist && assists() || stats.assisted == 0, "{stats:?}");
        system.shutdown().await.unwrap();
    }
}
