//! Start, activation, pause, drain and shutdown: nothing is lost, nothing hangs.

use std::time::{Duration, Instant};

use super::{Backend, behaviours};
use crate::actors::{Player, Sequence, Spinner};
use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::prelude::*;

behaviours! {
    actors_exist_from_their_first_message_and_keys_tell_them_apart,
    shutdown_handles_all_that_was_accepted,
    shutdown_aborts_after_its_deadline_and_says_what_was_lost [Kill],
    a_deadline_beyond_the_clock_is_none,
    dropping_a_system_ends_its_device,
    the_counters_balance_at_every_pause,
    stamps_strictly_increase_and_a_receive_is_later_than_its_send,
    asks_from_many_tasks_each_get_their_own_reply,
    a_full_ring_is_an_error_that_says_so,
}

async fn actors_exist_from_their_first_message_and_keys_tell_them_apart(backend: &Backend) {
    let system = backend.system().await;
    assert_eq!(system.actor::<Counter>("a").get().await.unwrap(), 0);
    assert_eq!(system.actor::<Counter>("a").add(1).await.unwrap(), 1);
    assert_eq!(system.actor::<Counter>("a").add(1).await.unwrap(), 2);
    assert_eq!(system.actor::<Counter>("b").add(1).await.unwrap(), 1);
    // An integer and a text that looks like it are two keys; so are actors of two types.
    assert_eq!(system.actor::<Counter>(7).add(1).await.unwrap(), 1);
    assert_eq!(system.actor::<Counter>("7").add(1).await.unwrap(), 1);
    assert_eq!(system.actor::<Sequence>(7).count().await.unwrap(), 0);
    assert_eq!(system.stats().activated, 5);
    system.shutdown().await.unwrap();
}

async fn shutdown_handles_all_that_was_accepted(backend: &Backend) {
    let system = backend.system().await;
    let counter = system.actor::<Sequence>(1);
    for number in 0..10_000 {
        counter.next(number).tell_wait().await.unwrap();
    }
    let before = system.clone();
    system.shutdown().await.unwrap();
    assert_eq!(before.stats().handled, 10_000);
    assert_eq!(before.stats().in_flight, 0);
    assert!(matches!(counter.next(0).tell(), Err(Error::Stopped)));
    assert!(matches!(counter.count().await, Err(Error::Stopped)));
}

async fn shutdown_aborts_after_its_deadline_and_says_what_was_lost(backend: &Backend) {
    let config = backend.config().workers(1).budget(u64::MAX).shutdown_deadline(Duration::from_millis(300));
    let system = backend.start(config).await;
    let spinner = system.actor::<Spinner>(1);
    let pending = tokio::spawn(spinner.spin().timeout(Duration::from_secs(100)).into_future());
    // The endless handler is in the ring before what queues behind it.
    while system.stats().accepted < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..9 {
        spinner.turns().tell().unwrap();
    }
    let begun = Instant::now();
    let outcome = system.shutdown().await;
    assert!(matches!(outcome, Err(Error::Aborted { lost: 10, .. })), "{outcome:?}");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(matches!(pending.await.unwrap(), Err(Error::Stopped | Error::Aborted { .. })));
}

async fn a_deadline_beyond_the_clock_is_none(backend: &Backend) {
    let config = backend.config().shutdown_deadline(Duration::MAX).ask_timeout(Duration::MAX);
    let system = backend.start(config).await;
    assert_eq!(system.actor::<Counter>(1).add(1).timeout(Duration::MAX).await.unwrap(), 1);
    system.pause().await.unwrap();
    system.resume().await.unwrap();
    system.shutdown().await.unwrap();
}

async fn dropping_a_system_ends_its_device(backend: &Backend) {
    let system = backend.system().await;
    let counter = system.actor::<Counter>(1);
    assert_eq!(counter.add(1).await.unwrap(), 1);
    drop(system);
    let outcome = tokio::time::timeout(Duration::from_secs(30), counter.add(1).into_future()).await;
    match outcome {
        Ok(Ok(value)) => assert_eq!(value, 2),
        // The first reply may have come before its message was counted as handled.
        Ok(Err(Error::Stopped | Error::Aborted { .. })) => {}
        other => panic!("{other:?}"),
    }
}

async fn the_counters_balance_at_every_pause(backend: &Backend) {
    for lanes in [1, 4] {
        let system = backend.start(backend.config().workers(2).lanes(lanes)).await;
        let players: Vec<_> = (0..64_u64).map(|key| system.actor::<Player>(key)).collect();
        let ids: Vec<_> = players.iter().map(|player| player.id().unwrap()).collect();
        for pair in 0..32 {
            let (me, other) = (ids[2 * pair], ids[2 * pair + 1]);
            players[2 * pair].hit(me, other, 3_000).tell().unwrap();
        }
        for _ in 0..5 {
            system.pause().await.unwrap();
            let first = system.stats();
            assert_eq!(
                first.accepted + first.sent,
                first.handled + first.faulted + first.dead_letters + first.dropped + first.in_flight,
                "{first:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(system.stats().handled, first.handled, "a paused device handled messages");
            system.resume().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        system.drained().await.unwrap();
        let mut hits = 0;
        for player in &players {
            hits += player.hits().await.unwrap();
        }
        assert_eq!(hits, 32 * 3_001);
        system.shutdown().await.unwrap();
    }
}

async fn stamps_strictly_increase_and_a_receive_is_later_than_its_send(backend: &Backend) {
    let system = backend.system().await;
    let counter = system.actor::<Counter>("hlc");
    let mut last = 0;
    for _ in 0..1000 {
        let before = system.now();
        let reply = counter.add(1).ask_stamped().await.unwrap();
        assert!(reply.stamp > last, "{} after {last}", reply.stamp);
        assert!(reply.stamp > before);
        assert!(system.now() > reply.stamp);
        last = reply.stamp;
    }
    system.shutdown().await.unwrap();
}

async fn asks_from_many_tasks_each_get_their_own_reply(backend: &Backend) {
    let system = backend.start(backend.config().lanes(4)).await;
    let tasks: Vec<_> = (0..200_u32)
        .map(|key| {
            let counter = system.actor::<Counter>(u64::from(key));
            tokio::spawn(async move {
                for round in 1..=50 {
                    assert_eq!(counter.add(key + 1).await.unwrap(), (key + 1) * round);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = system.stats();
    assert_eq!((stats.handled, stats.late_replies), (10_000, 0));
    system.shutdown().await.unwrap();
}

async fn a_full_ring_is_an_error_that_says_so(backend: &Backend) {
    let system = backend.start(backend.config().workers(1).host_inbox(16)).await;
    let counter = system.actor::<Counter>(1);
    system.pause().await.unwrap();
    for _ in 0..16 {
        counter.add(1).tell().unwrap();
    }
    let refused = counter.add(1).tell();
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    let waiting = tokio::spawn(counter.add(1).tell_wait());
    system.resume().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(counter.get().await.unwrap(), 17);
    system.shutdown().await.unwrap();
}
