//! Sleeping actors on a device without memory to bring them back.

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
