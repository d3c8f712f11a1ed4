//! Bounded-slice mode: the ring kernel leaves the device and comes back, and nobody notices but the count of launches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::device::{
    Allocation, Device, DeviceError, DeviceInfo, LaunchRequest, Launched, LoadReport, LoadedModule,
    MemoryInfo, MemoryKind, VerifiedModule,
};
use gpu_actor_rt::prelude::*;

/// Passes a number on, and counts.
#[gpu_actor]
#[derive(Default)]
struct Stone {
    count: u64,
}

#[gpu_actor]
impl Stone {
    #[handler]
    fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }

    /// To and fro, until there are no hops left.
    #[handler]
    fn skip(&mut self, cx: &mut Cx, me: ActorId<Stone>, other: ActorId<Stone>, hops: u64) {
        self.count += 1;
        if hops > 0 {
            cx.tell(other.skip(other, me, hops - 1));
        }
    }

    #[handler]
    fn spin(&mut self) {
        loop {
            self.count = self.count.wrapping_add(1);
        }
    }
}

const MOMENT: Duration = Duration::from_micros(50);

fn config(slice: Duration) -> Config {
    Config::default().workers(2).slice(slice)
}

/// Waits until the kernel has left the device: no launch comes after this one by itself.
async fn asleep(system: &ActorSystem) -> u64 {
    let begun = Instant::now();
    loop {
        let before = system.stats().launches;
        tokio::time::sleep(Duration::from_millis(200)).await;
        if system.stats().launches == before {
            return before;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "an idle system launches and launches");
    }
}

#[tokio::test]
async fn work_goes_on_from_launch_to_launch() {
    for lanes in [1, 4] {
        let system = ActorSystem::start(config(MOMENT).lanes(lanes)).await.unwrap();
        let (left, right) = (system.actor::<Stone>("left"), system.actor::<Stone>("right"));
        let (l, r) = (left.id().unwrap(), right.id().unwrap());
        left.skip(l, r, 9_999).tell().unwrap();
        for n in 1..=200 {
            assert_eq!(system.actor::<Stone>(7).add(1).await.unwrap(), n);
        }
        system.drained().await.unwrap();
        assert_eq!(left.add(0).await.unwrap() + right.add(0).await.unwrap(), 10_000);
        let stats = system.stats();
        assert_eq!((stats.handled, stats.in_flight), (10_202, 0));
        assert!(stats.launches > 10, "{stats:?}");
        system.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_system_is_not_launched_and_wakes_for_messages_and_orders() {
    let system = ActorSystem::start(config(Duration::from_millis(5))).await.unwrap();
    let stone = system.actor::<Stone>(1);
    for n in 1..=3 {
        let before = asleep(&system).await;
        assert_eq!(stone.add(1).await.unwrap(), n);
        assert!(system.stats().launches > before);
    }
    asleep(&system).await;
    system.pause().await.unwrap();
    let paused = asleep(&system).await;
    for _ in 0..10 {
        stone.add(1).tell().unwrap();
    }
    assert_eq!(asleep(&system).await, paused, "a paused system has nothing to do");
    system.resume().await.unwrap();
    system.drained().await.unwrap();
    assert_eq!(stone.add(0).await.unwrap(), 13);
    asleep(&system).await;
    system.shutdown().await.unwrap();
    assert_eq!(system.stats().handled, 14);
}

#[tokio::test]
async fn a_system_ends_between_two_launches_and_within_one() {
    let system = ActorSystem::start(config(Duration::from_millis(1))).await.unwrap();
    asleep(&system).await;
    drop(system);
    let deadline = Duration::from_millis(300);
    let system =
        ActorSystem::start(config(MOMENT).budget(u64::MAX).shutdown_deadline(deadline)).await.unwrap();
    system.actor::<Stone>(1).spin().tell().unwrap();
    assert!(matches!(system.shutdown().await, Err(Error::Aborted { lost: 1 })));
}

/// A software GPU that takes so many launches and then no more.
#[derive(Debug)]
struct Tired(Soft, AtomicU32);

impl Device for Tired {
    fn info(&self) -> DeviceInfo {
        self.0.info()
    }
    fn memory_info(&self) -> Result<MemoryInfo, DeviceError> {
        self.0.memory_info()
    }
    fn accepts(&self, module: &dyn LoadedModule) -> bool {
        self.0.accepts(module)
    }
    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError> {
        self.0.load(module)
    }
    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError> {
        self.0.alloc(kind, bytes)
    }
    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.0.copy_to_device(address, bytes)
    }
    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError> {
        self.0.copy_from_device(bytes, address)
    }
    fn timer(&self) -> Result<u64, DeviceError> {
        self.0.timer()
    }
    #[expect(unsafe_code, reason = "the call is passed on, and with it what its caller vouches for")]
    unsafe fn launch(&self, request: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError> {
        if self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(DeviceError::Failed {
                device: "Tired".into(),
                action: "launching".into(),
                source: "no launch is left".into(),
            });
        }
        // SAFETY: as the caller vouches for.
        unsafe { self.0.launch(request) }
    }
}

#[tokio::test]
async fn a_launch_that_fails_ends_the_system_and_everybody_hears() {
    let device = Tired(Soft::open(&SoftConfig::default()).unwrap(), AtomicU32::new(3));
    let system = ActorSystem::start(config(MOMENT).device(Arc::new(device))).await.unwrap();
    let stone = system.actor::<Stone>(1);
    let ended = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            if let Err(error) = stone.add(1).timeout(Duration::MAX).await {
                return error;
            }
        }
    });
    let error = ended.await.expect("the system ends");
    assert!(matches!(error, Error::Stopped | Error::Aborted { .. }), "{error:?}");
    assert!(system.pause().await.is_err());
    assert!(matches!(stone.add(1).tell(), Err(Error::Stopped | Error::Aborted { .. })));
    let _ = system.shutdown().await;
}
