//! Tells from the host.

use std::time::{Duration, Instant};

use gpu_actor_rt::ActorRef;

use crate::validate::actors::Probe;
use crate::validate::finding::{Recorder, Stop, Table};
use crate::validate::ground::{Ground, Live, Waiter, long_enough};
use crate::validate::measure::{median, rate, show};

/// Actors that each sender tells in turn.
const ACTORS: u64 = 64;

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    record.step("starting a system");
    let device = ground.open()?;
    let live = Live::start(ground.config(&device))?;
    let (aim, rounds) = (ground.pick(Duration::from_millis(200), Duration::from_secs(2)), ground.pick(3, 7));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut table = Table {
        title: "Messages per second, accepted and handled".into(),
        columns: vec!["sending threads", "messages in a round", "median", "slowest round", "fastest round"],
        rows: Vec::new(),
    };
    let mut told = 0;
    let mut best = 0.0f64;
    for senders in [1, 2, 4, 8].into_iter().filter(|n| *n == 1 || *n <= threads) {
        record.step(format!("telling from {senders} threads"));
        let (count, _) = long_enough(aim, (1000, 20_000_000), |count| {
            told += count;
            round(&live, senders, count)
        })?;
        let mut rates = Vec::new();
        for _ in 0..rounds {
            told += count;
            rates.push(rate(count, round(&live, senders, count)?));
        }
        let middle = median(&rates).unwrap_or_default();
        best = best.max(middle);
        let (low, high) = rates.iter().fold((f64::INFINITY, 0.0f64), |(l, h), r| (l.min(*r), h.max(*r)));
        table.rows.push(vec![senders.to_string(), count.to_string(), show(middle), show(low), show(high)]);
        if senders == 1 {
            record.figure("one thread, median of the rounds", middle, "messages/s");
        }
    }
    record.figure("best number of threads, median of the rounds", best, "messages/s");
    record.table(table);

    record.step("counting");
    let mut counted = 0;
    for key in 0..ACTORS {
        counted += live.wait(live.system.actor::<Probe>(key).get().into_future())?;
    }
    record
        .require(counted == told, || format!("{told} messages were told, the actors have counted {counted}"));
    live.end(record)?;
    Ok(())
}

/// Tells `count` messages from so many threads and waits until they are handled; how long that took.
fn round(live: &Live, senders: usize, count: u64) -> Result<Duration, Stop> {
    let actors: Vec<ActorRef<Probe>> = (0..ACTORS).map(|key| live.system.actor(key)).collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let sender = |index: u64| {
            let share = count / senders as u64 + u64::from(index < count % senders as u64);
            let actors = &actors;
            scope.spawn(move || {
                let waiter = Waiter::new()?;
                waiter.wait(async {
                    for i in 0..share {
                        actors[((i + index) % ACTORS) as usize].add(1).tell_wait().await?;
                    }
                    Ok::<_, Stop>(())
                })
            })
        };
        let threads: Vec<_> = (0..senders as u64).map(sender).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| Stop::Failed("a sending thread panicked".into()))?
        })
    })?;
    live.drain()?;
    Ok(begun.elapsed())
}
