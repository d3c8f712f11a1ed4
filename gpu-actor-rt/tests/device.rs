//! The seam to a device, and what the runtime makes of devices that fail: a device of the test's own, around the software
//! GPU.

use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gpu_actor_rt::device::soft::{SOFT_VARIABLE, Soft, SoftConfig, SoftMode};
use gpu_actor_rt::device::{
    Allocation, Device, DeviceError, DeviceInfo, DeviceKind, LaunchRequest, LaunchStatus, Launched,
    LoadReport, LoadedModule, MemoryInfo, MemoryKind, VerifiedModule,
};
use gpu_actor_rt::prelude::*;

/// Echoes.
#[gpu_actor]
#[derive(Default)]
struct Echo {
    calls: u32,
}

#[gpu_actor]
impl Echo {
    #[handler]
    fn echo(&mut self, value: u64) -> u64 {
        self.calls += 1;
        value
    }

    #[handler]
    fn spin(&mut self) {
        loop {
            self.calls = self.calls.wrapping_add(1);
        }
    }
}

/// A software GPU that can be told to fail.
#[derive(Debug)]
struct Flaky {
    soft: Soft,
    /// Allocations until the next one fails.
    allocations: AtomicI64,
    fails_to_launch: AtomicBool,
    /// How far the timer that the host reads is off, in nanoseconds.
    timer_ahead: u64,
    launch: Mutex<Option<Arc<dyn Launched>>>,
}

impl Flaky {
    fn new() -> Self {
        Self {
            soft: Soft::open(&SoftConfig { name: "Flaky".into(), ..SoftConfig::default() })
                .expect("it opens"),
            allocations: AtomicI64::new(i64::MAX),
            fails_to_launch: AtomicBool::new(false),
            timer_ahead: 0,
            launch: Mutex::new(None),
        }
    }

    /// The device falls off the bus.
    fn die(&self) {
        self.launch.lock().expect("no panic").as_ref().expect("it was launched").abort();
    }
}

fn broken(action: &str) -> DeviceError {
    DeviceError::Failed { device: "Flaky".into(), action: action.into(), source: "it was told to".into() }
}

impl Device for Flaky {
    fn info(&self) -> DeviceInfo {
        self.soft.info()
    }

    fn memory_info(&self) -> Result<MemoryInfo, DeviceError> {
        self.soft.memory_info()
    }

    fn accepts(&self, module: &dyn LoadedModule) -> bool {
        self.soft.accepts(module)
    }

    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError> {
        self.soft.load(module)
    }

    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError> {
        if self.allocations.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(broken("allocating"));
        }
        self.soft.alloc(kind, bytes)
    }

    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.soft.copy_to_device(address, bytes)
    }

    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError> {
        self.soft.copy_from_device(bytes, address)
    }

    fn timer(&self) -> Result<u64, DeviceError> {
        Ok(self.soft.timer()? + self.timer_ahead)
    }

    unsafe fn launch(&self, request: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError> {
        if self.fails_to_launch.load(Ordering::SeqCst) {
            return Err(broken("launching"));
        }
        // SAFETY: passed on as it came.
        let launch: Arc<dyn Launched> = unsafe { self.soft.launch(request) }?.into();
        *self.launch.lock().expect("no panic") = Some(Arc::clone(&launch));
        Ok(Box::new(Shared(launch)))
    }
}

#[derive(Debug)]
struct Shared(Arc<dyn Launched>);

impl Launched for Shared {
    fn poll(&self) -> LaunchStatus {
        self.0.poll()
    }

    fn wait(&self, timeout: Option<Duration>) -> LaunchStatus {
        self.0.wait(timeout)
    }

    fn abort(&self) {
        self.0.abort();
    }

    fn doorbell(&self, worker: u32) {
        self.0.doorbell(worker);
    }

    fn wait_event(&self, timeout: Option<Duration>) {
        self.0.wait_event(timeout);
    }

    fn signal_host(&self) {
        self.0.signal_host();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The test holds another handle, so the drop that ends the launch has to be done by hand.
        self.0.abort();
        let _ = self.0.wait(None);
    }
}

fn config(device: &Arc<Flaky>) -> Config {
    Config::default().workers(2).device(Arc::clone(device) as Arc<dyn Device>)
}

#[tokio::test]
async fn statistics_name_the_device_that_ran() {
    let device = Arc::new(Flaky::new());
    let system = ActorSystem::start(config(&device).workers(3).lanes(4)).await.unwrap();
    assert_eq!(system.actor::<Echo>(1).echo(5).await.unwrap(), 5);
    let stats = system.stats();
    // The mode is part of the name, if it is not the fast one.
    assert_eq!((stats.device, stats.device_kind), (device.info().name, DeviceKind::Soft));
    assert!(device.info().name.starts_with("Flaky"));
    assert_eq!((stats.workers, stats.lanes), (3, 4));
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_software_gpu_runs_in_the_mode_that_is_asked_for() {
    // Whatever the environment demands comes first: then that is what must run.
    let demanded = std::env::var(SOFT_VARIABLE).ok().filter(|mode| !mode.is_empty());
    // ANCHOR: soft
    let both = SoftMode { checked: true, ..SoftMode::deterministic(3) };
    let config = Config::default().soft(SoftConfig { mode: both, ..SoftConfig::default() });
    // ANCHOR_END: soft
    ActorSystem::start(config).await.unwrap().shutdown().await.unwrap();
    for mode in [SoftMode::checked(), SoftMode::deterministic(7), both, SoftMode::default()] {
        let soft = SoftConfig { name: "mine".into(), mode, ..SoftConfig::default() };
        let system = ActorSystem::start(Config::default().workers(3).soft(soft)).await.unwrap();
        for n in 0..100 {
            assert_eq!(system.actor::<Echo>(n % 7).echo(n).await.unwrap(), n);
        }
        let mode = demanded.as_ref().map_or(mode, |mode| mode.parse().unwrap());
        let name = if mode == SoftMode::default() { "mine".to_owned() } else { format!("mine ({mode})") };
        assert_eq!(system.stats().device, name);
        system.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_gives_everything_back() {
    let device = Arc::new(Flaky::new());
    let free = device.memory_info().unwrap().free;
    device.fails_to_launch.store(true, Ordering::SeqCst);
    let failed = ActorSystem::start(config(&device)).await;
    assert!(
        matches!(&failed, Err(Error::Device(error)) if error.to_string().contains("launching")),
        "{failed:?}"
    );
    device.fails_to_launch.store(false, Ordering::SeqCst);
    for allocations in [0, 1, 5, 12] {
        device.allocations.store(allocations, Ordering::SeqCst);
        let failed = ActorSystem::start(config(&device)).await;
        assert!(matches!(failed, Err(Error::Device(_))), "{failed:?}");
        assert_eq!(device.memory_info().unwrap().free, free);
    }
    device.allocations.store(i64::MAX, Ordering::SeqCst);
    let system = ActorSystem::start(config(&device)).await.unwrap();
    assert_eq!(system.actor::<Echo>(1).echo(5).await.unwrap(), 5);
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn out_of_memory_for_an_actor_is_an_error_of_its_call_alone() {
    let device = Arc::new(Flaky::new());
    let system = ActorSystem::start(config(&device).workers(1)).await.unwrap();
    let first = system.actor::<Echo>(0);
    assert_eq!(first.echo(1).await.unwrap(), 1);
    device.allocations.store(0, Ordering::SeqCst);
    // The first chunk has room for 1024 actors.
    let mut refused = 0;
    for key in 1..2000 {
        match system.actor::<Echo>(key).id() {
            Ok(_) => assert!(key < 1024),
            Err(Error::Device(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 2000 - 1024);
    device.allocations.store(i64::MAX, Ordering::SeqCst);
    assert_eq!(system.actor::<Echo>(1999).echo(3).await.unwrap(), 3);
    assert_eq!(first.echo(4).await.unwrap(), 4);
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_device_that_dies_ends_what_waits_and_refuses_what_comes() {
    let device = Arc::new(Flaky::new());
    let system = ActorSystem::start(config(&device).workers(1).budget(u64::MAX)).await.unwrap();
    let echo = system.actor::<Echo>(1);
    assert_eq!(echo.echo(1).await.unwrap(), 1);
    let spin = tokio::spawn(echo.spin().timeout(Duration::MAX).into_future());
    while system.stats().accepted < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    device.die();
    let ended = tokio::time::timeout(Duration::from_mins(1), spin).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Aborted { lost: 1 })), "{ended:?}");
    assert!(matches!(echo.echo(1).tell(), Err(Error::Aborted { .. })));
    assert!(matches!(system.drained().await, Err(Error::Aborted { .. })));
    assert!(matches!(system.shutdown().await, Err(Error::Aborted { lost: 1 })));
}

#[tokio::test]
async fn a_stamp_beyond_the_drift_bound_is_refused_by_the_device() {
    // The host believes the device's timer to be an hour further than it is: the device's clock is an hour behind.
    let device = Arc::new(Flaky { timer_ahead: 3_600_000_000_000, ..Flaky::new() });
    let system = ActorSystem::start(config(&device)).await.unwrap();
    let refused = system.actor::<Echo>(1).echo(1).await;
    let Err(Error::Fault(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!((fault.kind, fault.handler, fault.line), (FaultKind::ClockDrift, "echo", 0));
    system.shutdown().await.unwrap();

    let system = ActorSystem::start(config(&device).drift_bound(Duration::from_hours(2))).await.unwrap();
    assert_eq!(system.actor::<Echo>(1).echo(1).await.unwrap(), 1);
    system.shutdown().await.unwrap();
}
