//! Actors that sleep: idle ones leave the device, and nobody can tell afterwards but by the counters.

use std::time::Duration;

use super::population::Cell;
use super::{Backend, behaviours};
use crate::actors::{Player, Relay, Sequence};
use gpu_actor_rt::Call;
use gpu_actor_rt::prelude::*;

behaviours! {
    state_survives_sleep_as_often_as_it_comes,
    messages_that_wait_for_sleepers_keep_their_order_on_any_lanes,
    messages_and_sweeps_at_the_same_time_keep_order_and_count,
    actors_on_the_device_wake_each_other,
    a_watched_chunk_that_is_used_stays,
    the_coldest_sleep_where_memory_is_bounded,
    whoever_is_idle_for_long_enough_sleeps,
    new_actors_among_sleepers_are_new,
    a_shutdown_handles_what_waits_for_sleepers,
    sweeps_respect_a_pause_and_end_with_the_system,
}

/// Three chunks and a bit, when all are on one worker.
const ACTORS: u64 = 3 * 1024 + 100;
/// Bytes of a chunk of [`Cell`]s: 1024 headers and states of 16 bytes.
const CHUNK: u64 = 1024 * 48;

fn cells(system: &ActorSystem, count: u64) -> Vec<ActorRef<Cell>> {
    (0..count).map(|n| system.actor(n)).collect()
}

/// Sends all calls, waiting for space.
async fn tell_all(system: &ActorSystem, calls: impl IntoIterator<Item = Call<()>>) {
    let mut calls = calls.into_iter();
    while let Err(refused) = system.tell_many(calls.by_ref()) {
        assert!(matches!(*refused.cause, Error::Full { .. }), "{}", refused.cause);
        refused.call.tell_wait().await.unwrap();
    }
}

/// Every round each actor adds one number, then all sleep; what they hold and their clocks go on as if they had not.
async fn state_survives_sleep_as_often_as_it_comes(backend: &Backend) {
    for workers in [1, 2] {
        let system = backend.start(backend.config().actor::<Cell>().workers(workers)).await;
        let cells = cells(&system, ACTORS);
        let mut stamps = vec![0; cells.len()];
        let mut sum = 0;
        for round in 1..=3 {
            sum += round;
            tell_all(&system, cells.iter().map(|cell| cell.add(round))).await;
            system.drained().await.unwrap();
            assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), ACTORS);
            let stats = system.stats();
            assert_eq!(stats.deactivated, (2 * round - 1) * ACTORS, "{stats:?}");
            assert_eq!((stats.reactivated, stats.resident), ((2 * round - 2) * ACTORS, 0), "{stats:?}");
            for (n, cell) in (0..).zip(&cells).step_by(97) {
                let look = cell.look().ask_stamped().await.unwrap();
                assert_eq!(look.value, sum << 8 | round, "actor {n} in round {round}");
                assert!(look.stamp > stamps[n], "the clock of actor {n} goes on");
                stamps[n] = look.stamp;
            }
            let stats = system.stats();
            assert_eq!(stats.reactivated, (2 * round - 1) * ACTORS, "{stats:?}");
            assert!(stats.resident >= 4 * CHUNK, "{stats:?}");
            assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), ACTORS);
        }
        let stats = system.stats();
        assert_eq!((stats.activated, stats.faulted, stats.dead_letters), (ACTORS, 0, 0), "{stats:?}");
        assert!(stats.launches == 1 || backend.slice.is_some(), "{stats:?}");
        system.shutdown().await.unwrap();
    }
}

/// Messages to actors of several sleeping chunks that come to a worker at once: each actor gets its own in order.
async fn messages_that_wait_for_sleepers_keep_their_order_on_any_lanes(backend: &Backend) {
    const SEQUENCES: u64 = 2 * 1024 + 50;
    const MESSAGES: u32 = 40;
    for lanes in [1, 3, 32] {
        let config = backend.config().actor::<Sequence>().actor::<Relay>().workers(1).lanes(lanes);
        let system = backend.start(config).await;
        // One of each chunk, two of the last.
        let sequences: Vec<ActorRef<Sequence>> = (0..SEQUENCES).map(|n| system.actor(n)).collect();
        for sequence in &sequences {
            sequence.id().unwrap();
        }
        let chosen = [&sequences[0], &sequences[1500], &sequences[2048], &sequences[2049]];
        for round in 0..2 {
            system.pause().await.unwrap();
            for number in round * MESSAGES..(round + 1) * MESSAGES {
                for sequence in chosen {
                    sequence.next(number).tell().unwrap();
                }
            }
            // In the first round nobody has a state that would be worth keeping.
            let slept = system.deactivate_idle(Duration::ZERO).await.unwrap();
            assert_eq!(slept, if round == 0 { 0 } else { 4 });
            assert_eq!(system.stats().resident, 0);
            system.resume().await.unwrap();
            system.drained().await.unwrap();
        }
        for sequence in chosen {
            assert_eq!(sequence.count().await.unwrap(), 2 * MESSAGES);
        }
        let stats = system.stats();
        assert_eq!((stats.faulted, stats.dead_letters, stats.reactivated), (0, 0, 4), "{stats:?}");
        system.shutdown().await.unwrap();
    }
}

/// Three senders number their messages to many actors while everybody is put to sleep again and again.
async fn messages_and_sweeps_at_the_same_time_keep_order_and_count(backend: &Backend) {
    const SENDERS: u64 = 3;
    const EACH: u64 = 700;
    const MESSAGES: u32 = 6;
    let system = backend.start(backend.config().actor::<Sequence>()).await;
    let sender = |sender: u64| {
        let system = system.clone();
        async move {
            let sequences: Vec<ActorRef<Sequence>> =
                (0..EACH).map(|n| system.actor(n * SENDERS + sender)).collect();
            for number in 0..MESSAGES {
                for sequence in &sequences {
                    sequence.next(number).tell_wait().await.unwrap();
                }
                assert_eq!(sequences[number as usize].count().await.unwrap(), number + 1);
            }
        }
    };
    let senders: Vec<_> = (0..SENDERS).map(|n| tokio::spawn(sender(n))).collect();
    for _ in 0..20 {
        system.deactivate_idle(Duration::ZERO).await.unwrap();
    }
    for sender in senders {
        sender.await.unwrap();
    }
    system.drained().await.unwrap();
    system.deactivate_idle(Duration::ZERO).await.unwrap();
    let sent = SENDERS * EACH * u64::from(MESSAGES) + SENDERS * u64::from(MESSAGES);
    system.pause().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.handled, stats.in_flight), (sent, sent, 0), "{stats:?}");
    // A number out of order would be a fault.
    assert_eq!((stats.faulted, stats.dead_letters, stats.dropped), (0, 0, 0), "{stats:?}");
    assert_eq!((stats.resident, stats.deactivated - stats.reactivated), (0, SENDERS * EACH), "{stats:?}");
    system.resume().await.unwrap();
    for n in 0..SENDERS * EACH {
        assert_eq!(system.actor::<Sequence>(n).count().await.unwrap(), MESSAGES);
    }
    system.shutdown().await.unwrap();
}

/// Handlers send to sleepers, on their own worker and on the other.
async fn actors_on_the_device_wake_each_other(backend: &Backend) {
    const PAIRS: u64 = 6;
    const NUMBERS: u32 = 12;
    for lanes in [1, 32] {
        let config = backend.config().lanes(lanes).actor::<Sequence>().actor::<Relay>().actor::<Player>();
        let system = backend.start(config).await;
        for round in 0..3 {
            for n in 0..PAIRS {
                let to = system.actor::<Sequence>(n + 100).id().unwrap();
                system.actor::<Relay>(n).burst(to, NUMBERS).tell().unwrap();
            }
            let [ping, pong] = ["ping", "pong"].map(|name| system.actor::<Player>(name));
            ping.hit(ping.id().unwrap(), pong.id().unwrap(), 99).tell().unwrap();
            // Somewhere in the middle, then when all is done.
            system.deactivate_idle(Duration::ZERO).await.unwrap();
            system.drained().await.unwrap();
            system.deactivate_idle(Duration::ZERO).await.unwrap();
            assert_eq!(system.stats().resident, 0, "round {round}");
        }
        for n in 0..PAIRS {
            let sequence = system.actor::<Sequence>(n + 100);
            assert_eq!(sequence.count().await.unwrap(), 3 * NUMBERS);
        }
        for name in ["ping", "pong"] {
            assert_eq!(system.actor::<Player>(name).hits().await.unwrap(), 150);
        }
        let stats = system.stats();
        assert_eq!((stats.faulted, stats.dead_letters), (0, 0), "{stats:?}");
        system.shutdown().await.unwrap();
    }
}

/// Whoever had a message since it was first watched is not idle, whatever its age; it has not moved either.
async fn a_watched_chunk_that_is_used_stays(backend: &Backend) {
    const LONG: Duration = Duration::from_hours(1);
    let system = backend.start(backend.config().actor::<Cell>().workers(1)).await;
    let cells = cells(&system, 2048);
    tell_all(&system, cells.iter().map(|cell| cell.add(1))).await;
    system.drained().await.unwrap();
    for round in 0..3 {
        assert_eq!(system.deactivate_idle(LONG).await.unwrap(), 0, "watched from now on");
        // One of the first chunk.
        assert_eq!(cells[5].look().await.unwrap(), 1 << 8 | 1);
        let stats = system.stats();
        assert_eq!((stats.deactivated, stats.reactivated), (0, 0), "round {round}");
        assert_eq!(stats.resident, 2 * CHUNK, "round {round}");
    }
    assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), 2048);
    system.shutdown().await.unwrap();
}

/// However many actors there are, no more than two chunks stay on the device in the end; all of them can be used.
async fn the_coldest_sleep_where_memory_is_bounded(backend: &Backend) {
    let config = backend.config().actor::<Cell>().workers(1).max_resident(2 * CHUNK + 10);
    let system = backend.start(config).await;
    let cells = cells(&system, 5 * 1024);
    for round in 1..=2 {
        tell_all(&system, cells.iter().map(|cell| cell.add(1))).await;
        system.drained().await.unwrap();
        while system.stats().resident > 2 * CHUNK {
            tokio::task::yield_now().await;
        }
        let stats = system.stats();
        assert_eq!(stats.handled, round * 5 * 1024, "{stats:?}");
        // Three chunks of actors are not there, and one may be on its way.
        assert!(stats.deactivated - stats.reactivated >= 3 * 1024, "{stats:?}");
    }
    for (n, cell) in cells.iter().enumerate().step_by(256) {
        assert_eq!(cell.look().await.unwrap(), 2 << 8 | 2, "actor {n}");
    }
    let stats = system.stats();
    assert_eq!((stats.activated, stats.faulted), (5 * 1024, 0), "{stats:?}");
    system.shutdown().await.unwrap();
}

/// By themselves, after a millisecond, and again after they were used.
async fn whoever_is_idle_for_long_enough_sleeps(backend: &Backend) {
    let config = backend.config().actor::<Cell>().deactivate_after(Duration::from_millis(1));
    let system = backend.start(config).await;
    let cells = cells(&system, 1500);
    for round in 1..=3 {
        tell_all(&system, cells.iter().map(|cell| cell.add(1))).await;
        system.drained().await.unwrap();
        while system.stats().resident != 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let stats = system.stats();
        assert_eq!(stats.deactivated - stats.reactivated, 1500, "{stats:?}");
        assert_eq!(cells[700].look().await.unwrap(), round << 8 | round);
    }
    system.shutdown().await.unwrap();
}

/// A chunk with room for more actors goes on filling while it sleeps; memory in which others lived shows no trace of them.
async fn new_actors_among_sleepers_are_new(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Cell>().workers(1)).await;
    let old = cells(&system, 1500);
    tell_all(&system, old.iter().map(|cell| cell.add(7))).await;
    system.drained().await.unwrap();
    assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), 1500);
    // The rest of the second chunk, and two chunks in the memory of those that sleep.
    for n in 1500..4096 {
        system.actor::<Cell>(n).add(1).tell_wait().await.unwrap();
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.activated, stats.reactivated), (4096, 476), "the second chunk came back: {stats:?}");
    for n in 0..4096 {
        let expected = if n < 1500 { 7 << 8 | 1 } else { 1 << 8 | 1 };
        assert_eq!(system.actor::<Cell>(n).look().await.unwrap(), expected, "actor {n}");
    }
    system.shutdown().await.unwrap();
}

/// Asleep, paused, with messages: a shutdown handles them all.
async fn a_shutdown_handles_what_waits_for_sleepers(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Cell>()).await;
    let cells = cells(&system, 200);
    tell_all(&system, cells.iter().map(|cell| cell.add(1))).await;
    system.drained().await.unwrap();
    system.deactivate_idle(Duration::ZERO).await.unwrap();
    system.pause().await.unwrap();
    for cell in &cells {
        cell.add(1).tell().unwrap();
    }
    let look = cells[3].look();
    let look = tokio::spawn(async move { look.await });
    while system.stats().in_flight < 201 {
        tokio::task::yield_now().await;
    }
    system.shutdown().await.unwrap();
    assert_eq!(look.await.unwrap().unwrap(), 2 << 8 | 2);
    let stats = system.stats();
    assert_eq!((stats.handled, stats.in_flight, stats.reactivated), (401, 0, 200), "{stats:?}");
}

/// A sweep leaves a paused system paused and a running one running, and a system that ended has none.
async fn sweeps_respect_a_pause_and_end_with_the_system(backend: &Backend) {
    let config = backend.config().actor::<Cell>();
    let system = backend.start(config.deactivate_after(Duration::from_millis(1)).max_resident(0)).await;
    let cell = system.actor::<Cell>(1);
    for round in 1..=5 {
        system.pause().await.unwrap();
        cell.add(1).tell().unwrap();
        system.deactivate_idle(Duration::ZERO).await.unwrap();
        assert_eq!(system.stats().in_flight, 1, "nobody has resumed it");
        system.resume().await.unwrap();
        assert_eq!(cell.look().await.unwrap(), round << 8 | round);
        system.deactivate_idle(Duration::ZERO).await.unwrap();
    }
    let again = system.clone();
    let sweeps = tokio::spawn(async move {
        // As long as it runs.
        while again.deactivate_idle(Duration::ZERO).await.is_ok() {}
        again.deactivate_idle(Duration::ZERO).await
    });
    system.shutdown().await.unwrap();
    assert!(cell.look().await.is_err());
    drop(cell);
    let ended = sweeps.await.unwrap();
    assert!(matches!(ended, Err(Error::Stopped)), "{ended:?}");
}
