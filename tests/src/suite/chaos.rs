//! Everything at once: tells, asks, timeouts, dropped asks, faults, sends and pauses from many tasks; at the end every
//! message is accounted for.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::{Backend, behaviours};
use gpu_actor_rt::prelude::*;

behaviours! {
    every_message_is_accounted_for_on_small_rings,
    every_message_is_accounted_for_on_many_lanes,
}

/// A sum that some messages only look at, some refuse and some pass on.
#[gpu_actor]
#[derive(Default)]
struct Sum {
    total: u64,
    passed: u64,
}

#[gpu_actor]
impl Sum {
    #[handler]
    fn add(&mut self, n: u64) {
        self.total += n;
    }

    #[handler]
    fn look(&self) -> u64 {
        self.total
    }

    #[handler]
    fn divide(&mut self, by: u64) -> u64 {
        self.total / by
    }

    #[handler]
    fn pass(&mut self, cx: &mut Cx, to: ActorId<Sum>, n: u64) {
        self.passed += n;
        cx.tell(to.add(n));
    }
}

/// What the tasks know to have happened.
#[derive(Default)]
struct Ledger {
    added: AtomicU64,
    told: AtomicU64,
    answered: AtomicU64,
    faulted: AtomicU64,
}

const ACTORS: u64 = 40;
const TASKS: u64 = 16;
const STEPS: u64 = 400;

async fn task(system: ActorSystem, ledger: Arc<Ledger>, seed: u64) {
    let actors: Vec<_> = (0..ACTORS).map(|key| system.actor::<Sum>(key)).collect();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..STEPS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let actor = &actors[(random >> 8) as usize % actors.len()];
        let other = &actors[(random >> 24) as usize % actors.len()];
        let n = random >> 40 & 0xff;
        match random % 8 {
            0 | 1 => {
                actor.add(n).tell_wait().await.unwrap();
                ledger.added.fetch_add(n, SeqCst);
                ledger.told.fetch_add(1, SeqCst);
            }
            2 => match actor.add(n).tell() {
                Ok(()) => {
                    ledger.added.fetch_add(n, SeqCst);
                    ledger.told.fetch_add(1, SeqCst);
                }
                Err(Error::Full { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            3 => {
                actor.look().await.unwrap();
                ledger.answered.fetch_add(1, SeqCst);
            }
            4 => match actor.look().timeout(Duration::from_micros(n)).await {
                Ok(_) => drop(ledger.answered.fetch_add(1, SeqCst)),
                Err(Error::Timeout { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            5 => {
                // Started, perhaps sent, perhaps answered, and dropped.
                let ask = actor.look().into_future();
                if let Ok(answer) = tokio::time::timeout(Duration::ZERO, ask).await {
                    answer.unwrap();
                    ledger.answered.fetch_add(1, SeqCst);
                }
            }
            6 => {
                let refused = actor.divide(0).await;
                assert!(
                    matches!(&refused, Err(Error::Fault(fault)) if fault.kind == FaultKind::DivisionByZero),
                    "{refused:?}"
                );
                ledger.faulted.fetch_add(1, SeqCst);
            }
            _ => {
                actor.pass(other.id().unwrap(), n).tell_wait().await.unwrap();
                ledger.added.fetch_add(n, SeqCst);
                ledger.told.fetch_add(1, SeqCst);
            }
        }
    }
}

async fn chaos(backend: &Backend, config: Config) {
    let system = backend.start(config.ask_timeout(Duration::from_mins(2))).await;
    let ledger = Arc::new(Ledger::default());
    let tasks: Vec<_> =
        (1..=TASKS).map(|seed| tokio::spawn(task(system.clone(), Arc::clone(&ledger), seed))).collect();
    let controller = {
        let system = system.clone();
        tokio::spawn(async move {
            loop {
                system.pause().await.unwrap();
                let stats = system.stats();
                assert_eq!(
                    stats.accepted + stats.sent,
                    stats.handled + stats.faulted + stats.dead_letters + stats.dropped + stats.in_flight,
                    "{stats:?}"
                );
                system.resume().await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    };
    for task in tasks {
        task.await.unwrap();
    }
    controller.abort();
    let _ = controller.await;
    system.resume().await.unwrap();
    system.drained().await.unwrap();

    let stats = system.stats();
    assert_eq!((stats.in_flight, stats.pending_asks, stats.dead_letters), (0, 0, 0), "{stats:?}");
    assert_eq!(stats.accepted + stats.sent, stats.handled + stats.faulted);
    assert_eq!(stats.faulted, ledger.faulted.load(SeqCst));
    // Every accepted message is one that a task was told of, or an ask whose caller had left: its reply came late.
    let known = ledger.told.load(SeqCst) + ledger.answered.load(SeqCst) + ledger.faulted.load(SeqCst);
    assert_eq!(stats.accepted, known + stats.late_replies, "{stats:?}");
    let mut total = 0;
    for key in 0..ACTORS {
        total += system.actor::<Sum>(key).look().await.unwrap();
    }
    assert_eq!(total, ledger.added.load(SeqCst));
    system.shutdown().await.unwrap();
}

async fn every_message_is_accounted_for_on_small_rings(backend: &Backend) {
    chaos(backend, backend.config().workers(3).host_inbox(4).device_inbox(4).completions(4).spill(4096))
        .await;
}

async fn every_message_is_accounted_for_on_many_lanes(backend: &Backend) {
    chaos(backend, backend.config().workers(2).lanes(32)).await;
}
