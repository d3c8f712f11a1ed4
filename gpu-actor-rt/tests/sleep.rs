//! Sleeping actors on a device without memory to bring them back.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::device::{Allocation, Device, MemoryKind};
use gpu_actor_rt::prelude::*;

/// Remembers.
#[gpu_actor]
#[derive(Default)]
struct Memory {
    sum: u64,
}

#[gpu_actor]
impl Memory {
    #[handler]
    fn add(&mut self, by: u64) -> u64 {
        self.sum += by;
        self.sum
    }

    /// Never returns by itself.
    #[handler]
    fn brood(&mut self) -> u64 {
        loop {
            self.sum = self.sum.wrapping_add(1);
        }
    }
}

/// Takes all memory that a chunk could have.
fn fill(device: &dyn Device) -> Vec<Box<dyn Allocation>> {
    let mut taken = Vec::new();
    let mut bytes = 1 << 30;
    while bytes >= 4096 {
        match device.alloc(MemoryKind::Device, bytes) {
            Ok(memory) => taken.push(memory),
            Err(_) => bytes /= 2,
        }
    }
    taken
}

/// The message faults with the reason, is counted, and disturbs nobody; the actor sleeps on with its state, and is back as soon as
/// there is memory.
#[tokio::test(flavor = "current_thread")]
async fn without_memory_to_wake_an_actor_its_message_faults_and_it_sleeps_on() {
    let device: Arc<dyn Device> =
        Arc::new(Soft::open(&SoftConfig { memory: 64 << 20, ..SoftConfig::default() }).unwrap());
    let config = Config::default().actor::<Memory>().workers(1).device(Arc::clone(&device));
    let system = ActorSystem::start(config).await.unwrap();
    let first = system.actor::<Memory>(0);
    assert_eq!(first.add(5).await.unwrap(), 5);
    for n in 1..1024 {
        system.actor::<Memory>(n).id().unwrap();
    }
    assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), 1);
    // Another chunk takes the memory, and the test the rest.
    let other = system.actor::<Memory>(1024);
    assert_eq!(other.add(7).await.unwrap(), 7);
    let rest = fill(device.as_ref());
    for _ in 0..3 {
        match first.add(1).await {
            Err(Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::NoMemory),
            other => panic!("{other:?}"),
        }
        assert_eq!(other.add(0).await.unwrap(), 7);
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.faulted, stats.handled, stats.in_flight), (3, 5, 0), "{stats:?}");
    assert_eq!((stats.reactivated, stats.activated), (0, 2), "{stats:?}");

    assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(first.add(1).await.unwrap(), 6, "nothing of what faulted");
    assert_eq!(system.stats().reactivated, 1);
    drop(rest);
    system.shutdown().await.unwrap();
}

/// One worker never ends its handler, so the shutdown aborts it; on both, messages for sleepers wait. All asks end.
#[tokio::test(flavor = "current_thread")]
async fn a_shutdown_that_is_cut_short_leaves_nobody_waiting_for_a_sleeper() {
    let device: Arc<dyn Device> = Arc::new(Soft::open(&SoftConfig::default()).unwrap());
    let config = Config::default().actor::<Memory>().workers(2).device(device).budget(u64::MAX);
    let system = ActorSystem::start(config.shutdown_deadline(Duration::from_millis(300))).await.unwrap();
    let sleepers: Vec<_> = (0..64u64).map(|n| system.actor::<Memory>(n)).collect();
    for (sleeper, n) in sleepers.iter().zip(0..) {
        assert_eq!(sleeper.add(n).await.unwrap(), n);
    }
    assert_eq!(system.deactivate_idle(Duration::ZERO).await.unwrap(), 64);
    system.pause().await.unwrap();
    // Before the one without an end, and behind it.
    let ask = |sleeper: &ActorRef<Memory>| tokio::spawn(sleeper.add(0).into_future());
    let mut asks: Vec<_> = sleepers[..32].iter().map(ask).collect();
    while system.stats().in_flight < 32 {
        tokio::task::yield_now().await;
    }
    let brood = tokio::spawn(system.actor::<Memory>(64).brood().into_future());
    while system.stats().in_flight < 33 {
        tokio::task::yield_now().await;
    }
    asks.extend(sleepers[32..].iter().map(ask));
    while system.stats().in_flight < 65 {
        tokio::task::yield_now().await;
    }
    let ended = system.shutdown().await;
    assert!(matches!(ended, Err(Error::Aborted { lost: 1..=33, .. })), "{ended:?}");
    assert!(matches!(brood.await.unwrap(), Err(Error::Aborted { .. })));
    for (ask, n) in asks.into_iter().zip(0..) {
        match ask.await.unwrap() {
            Ok(value) => assert_eq!(value, n),
            Err(error) => assert!(n >= 32 && matches!(error, Error::Aborted { .. }), "{n}: {error:?}"),
        }
    }
}
