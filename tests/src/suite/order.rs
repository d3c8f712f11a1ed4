//! Messages from one sender to one actor are handled in the order sent.

use super::{Backend, behaviours};
use crate::actors::{Relay, Sequence};
use gpu_actor_rt::prelude::*;

behaviours! {
    hundred_thousand_actors_each_in_order,
    hundred_thousand_actors_each_in_order_on_many_lanes,
    device_sends_keep_their_order_through_the_spill_ring,
}

const ACTORS: u64 = 100_000;
const MESSAGES: u32 = 4;

/// Sends to 100,000 actors, round after round, and asks each how many it took in order.
async fn all_in_order(backend: &Backend, config: Config) {
    let system = backend.start(config).await;
    let actors: Vec<_> = (0..ACTORS).map(|key| system.actor::<Sequence>(key)).collect();
    for number in 0..MESSAGES {
        for actor in &actors {
            actor.next(number).tell_wait().await.unwrap();
        }
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!(stats.handled, ACTORS * u64::from(MESSAGES));
    assert_eq!(stats.launches > 1, backend.slice.is_some(), "{stats:?}");
    assert_eq!((stats.faulted, stats.dead_letters, stats.activated), (0, 0, ACTORS));
    for chunk in actors.chunks(1000) {
        let asks: Vec<_> = chunk.iter().map(|actor| tokio::spawn(actor.count().into_future())).collect();
        for ask in asks {
            assert_eq!(ask.await.unwrap().unwrap(), MESSAGES);
        }
    }
    system.shutdown().await.unwrap();
}

async fn hundred_thousand_actors_each_in_order(backend: &Backend) {
    all_in_order(backend, backend.config()).await;
}

async fn hundred_thousand_actors_each_in_order_on_many_lanes(backend: &Backend) {
    all_in_order(backend, backend.config().workers(2).lanes(32)).await;
}

/// Actors that send to actors of both workers, more than their inboxes hold, so that the spill rings are used.
async fn device_sends_keep_their_order_through_the_spill_ring(backend: &Backend) {
    for lanes in [1, 8] {
        let config = backend.config().workers(2).lanes(lanes).device_inbox(64);
        let system = backend.start(config).await;
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
