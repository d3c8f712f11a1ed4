//! Many actors: slabs grow under a running kernel, and an actor keeps its id, its place and its state while they do.

use super::{Backend, behaviours};
use gpu_actor_rt::prelude::*;

behaviours! {
    slabs_grow_under_messages_to_the_actors_in_them,
    threads_that_address_the_same_actors_meet_the_same_ones,
}

/// Sixteen bytes of state.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Cell {
    sum: u64,
    count: u64,
}

#[gpu_actor]
impl Cell {
    /// Adds.
    #[handler]
    pub fn add(&mut self, by: u64) {
        self.sum += by;
        self.count += 1;
    }

    /// Adds here and there.
    #[handler]
    pub fn add_both(&mut self, cx: &mut Cx, other: ActorId<Cell>, by: u64) {
        self.sum += by;
        self.count += 1;
        cx.tell(other.add(by));
    }

    /// The sum, with the number of messages in the low 8 bits.
    #[handler]
    pub fn look(&self) -> u64 {
        self.sum << 8 | self.count
    }
}

/// Three chunks and a bit of each kind of key, when all are on one worker.
const ACTORS: u64 = 3 * 1024 + 100;

/// Integer keys and text keys in turns.
fn cell(system: &ActorSystem, n: u64) -> ActorRef<Cell> {
    if n.is_multiple_of(2) { system.actor(n) } else { system.actor(format!("cell {n}")) }
}

/// The first messages to new actors go with messages to old ones, by the host and by handlers, all on a kernel that is
/// never launched anew for them; afterwards each has what it was sent and nothing else.
async fn slabs_grow_under_messages_to_the_actors_in_them(backend: &Backend) {
    for workers in [1, 2] {
        let system = backend.start(backend.config().actor::<Cell>().workers(workers)).await;
        let mut ids = Vec::new();
        for n in 0..ACTORS {
            let new = cell(&system, n);
            ids.push(new.id().unwrap());
            // The id of an actor that has had no message is as good as any.
            let old = cell(&system, n / 2);
            old.add_both(ids[n as usize], n + 1).tell_wait().await.unwrap();
        }
        system.drained().await.unwrap();
        system.pause().await.unwrap();
        let stats = system.stats();
        assert_eq!((stats.accepted, stats.sent, stats.handled), (ACTORS, ACTORS, 2 * ACTORS), "{stats:?}");
        assert_eq!((stats.faulted, stats.dead_letters, stats.in_flight), (0, 0, 0), "{stats:?}");
        assert_eq!(stats.activated, ACTORS);
        assert!(stats.launches == 1 || backend.slice.is_some(), "{stats:?}");
        system.resume().await.unwrap();

        for n in 0..ACTORS {
            let actor = cell(&system, n);
            assert_eq!(actor.id().unwrap(), ids[n as usize]);
            assert_eq!(system.find(ids[n as usize]).unwrap().key(), actor.key());
            // From its own first message, and as the old one of 2n and 2n + 1.
            let later = [2 * n, 2 * n + 1].into_iter().filter(|m| *m < ACTORS);
            let (sum, count) = later.fold((n + 1, 1), |(sum, count), m| (sum + m + 1, count + 1));
            assert_eq!(actor.look().await.unwrap(), sum << 8 | count, "actor {n} of {ACTORS}");
        }
        system.shutdown().await.unwrap();
    }
}

/// Four threads address the same actors, each beginning elsewhere, and tell each of them once.
async fn threads_that_address_the_same_actors_meet_the_same_ones(backend: &Backend) {
    const THREADS: u64 = 4;
    let system = backend.start(backend.config().actor::<Cell>().workers(2)).await;
    let teller = |thread: u64| {
        let system = system.clone();
        async move {
            for n in 0..ACTORS {
                let actor = cell(&system, (n + thread * ACTORS / THREADS) % ACTORS);
                actor.add(1 << (8 * thread)).tell_wait().await.unwrap();
            }
        }
    };
    let tellers: Vec<_> = (0..THREADS).map(|thread| tokio::spawn(teller(thread))).collect();
    for teller in tellers {
        teller.await.unwrap();
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.handled, stats.activated), (THREADS * ACTORS, ACTORS), "{stats:?}");
    for n in 0..ACTORS {
        assert_eq!(cell(&system, n).look().await.unwrap(), 0x01_01_01_01 << 8 | THREADS, "actor {n}");
    }
    system.shutdown().await.unwrap();
}
