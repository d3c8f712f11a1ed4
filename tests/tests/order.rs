//! Messages from one sender to one actor are handled in the order sent.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use gpu_actor_rt::prelude::*;
use gpu_actor_tests::actors::{Relay, Sequence};

const ACTORS: u64 = 100_000;
const MESSAGES: u32 = 4;

/// Sends to 100,000 actors, round after round, and asks each how many it took in order.
async fn all_in_order(config: Config) {
    let system = ActorSystem::start(config).await.unwrap();
    let actors: Vec<_> = (0..ACTORS).map(|key| system.actor::<Sequence>(key)).collect();
    for number in 0..MESSAGES {
        for actor in &actors {
            actor.next(number).tell_wait().await.unwrap();
        }
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!(stats.handled, ACTORS * u64::from(MESSAGES));
    assert_eq!((stats.faulted, stats.dead_letters, stats.activated), (0, 0, ACTORS));
    for chunk in actors.chunks(1000) {
        let asks: Vec<_> = chunk.iter().map(|actor| tokio::spawn(actor.count().into_future())).collect();
        for ask in asks {
            assert_eq!(ask.await.unwrap().unwrap(), MESSAGES);
        }
    }
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn hundred_thousand_actors_each_in_order() {
    all_in_order(Config::default()).await;
}

#[tokio::test]
async fn hundred_thousand_actors_each_in_order_on_many_lanes() {
    all_in_order(Config::default().workers(2).lanes(32)).await;
}

/// Actors that send to actors of both workers, more than their inboxes hold, so that the spill rings are used.
#[tokio::test]
async fn device_sends_keep_their_order_through_the_spill_ring() {
    for lanes in [1, 8] {
        let config = Config::default().workers(2).lanes(lanes).device_inbox(64);
        let system = ActorSystem::start(config).await.unwrap();
        let pairs: Vec<_> =
            (0..200_u64).map(|key| (system.actor::<Relay>(key), system.actor::<Sequence>(key + 7))).collect();
        for _ in 0..20 {
            for (relay, sequence) in &pairs {
                relay.burst(sequence.id().unwrap(), 8).tell_wait().await.unwrap();
            }
        }
        system.drained().await.unwrap();
        let stats = system.stats();
        assert_eq!((stats.faulted, stats.dead_letters), (0, 0), "{stats:?}");
        assert_eq!(stats.sent, 200 * 20 * 8);
        assert_eq!(stats.handled, 200 * 20 * 9);
        for (_, sequence) in &pairs {
            assert_eq!(sequence.count().await.unwrap(), 160);
        }
        system.shutdown().await.unwrap();
    }
}
