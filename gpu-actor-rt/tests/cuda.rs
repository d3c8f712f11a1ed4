//! The CUDA backend end to end, over cust and the driver API, which the software GPU answers: systems, the seam beside a
//! running ring kernel, peers, and what goes wrong.
//!
//! The driver API has one platform per process. Each test has devices of its own on it, by number.

use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use gpu_actor_rt::device::cuda::{Advice, Backend, CudaDevice, CudaDriver, Place, backend, use_soft};
use gpu_actor_rt::device::soft::SoftConfig;
use gpu_actor_rt::device::{
    self, CudaConfig, Device, DeviceChoice, DeviceError, DeviceKind, Driver, LaunchRequest, MemoryKind,
    VerifiedModule,
};
use gpu_actor_rt::prelude::*;
use kernels_ptx::module::Module;

/// An account.
#[gpu_actor]
#[derive(Default)]
struct Account {
    balance: u64,
}

#[gpu_actor]
impl Account {
    #[handler]
    fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    #[handler]
    fn withdraw(&mut self, amount: u64) -> u64 {
        self.balance -= amount;
        self.balance
    }

    #[handler]
    fn transfer(&mut self, cx: &mut Cx, to: ActorId<Account>, amount: u64) -> bool {
        if self.balance < amount {
            return false;
        }
        self.balance -= amount;
        cx.tell(to.deposit(amount));
        true
    }

    #[handler]
    fn spin(&mut self) {
        loop {
            self.balance = self.balance.wrapping_add(1);
        }
    }
}

const PLATFORM: &str = "devices=20, sms=8, links=nvlink, 7.pools=no, 8.mapped=no, 9.cc=6.1, 10.managed=no, \
                        11.memory=64M, \
                        12.fault=stall:0/0/2000, 18.fault=stall:0/0/2000, \
                        14.fault=lost:0ms, 15.fault=sticky:5, 16.fault=refuse:5, 17.fault=oom:10+";

static DRIVER: LazyLock<CudaDriver> = LazyLock::new(|| {
    let config: soft_gpu::PlatformConfig = PLATFORM.parse().expect("a platform");
    use_soft(soft_gpu::Platform::new(config).expect("it opens")).expect("nobody called the driver before");
    CudaDriver::new().expect("it starts")
});

fn open(index: usize) -> Arc<CudaDevice> {
    Arc::new(DRIVER.open_with(&CudaConfig::index(index)).expect("it opens"))
}

fn config(device: &Arc<CudaDevice>) -> Config {
    Config::default().workers(2).device(Arc::clone(device))
}

/// Fails instead of hanging for ever: what is done here must not wait for a ring kernel that runs.
fn within_a_minute<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive
        .recv_timeout(Duration::from_mins(1))
        .unwrap_or_else(|_| panic!("{what} waits for the ring kernel"))
}

fn module() -> VerifiedModule {
    let mut module = Module::new("test");
    module.add(kernels_ptx::dispatch::build(&[]).expect("it builds"));
    module.add(kernels_ptx::ring::kernel().expect("it builds"));
    module.add(kernels_ptx::ring::buffers::forgetting().expect("it builds"));
    module.verify().expect("it is right")
}

#[tokio::test]
async fn a_system_on_cuda_asks_tells_faults_pauses_and_stops() {
    let device = open(0);
    let system = ActorSystem::start(config(&device)).await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.device_kind, stats.hardware), (DeviceKind::Cuda, false));
    assert!(stats.driver.contains("software GPU"), "{}", stats.driver);
    assert!(
        stats.device.to_lowercase().contains("soft"),
        "no soft device is named like hardware: {}",
        stats.device
    );

    let (alice, bob) = (system.actor::<Account>("alice"), system.actor::<Account>("bob"));
    assert_eq!(alice.deposit(100).await.unwrap(), 100);
    bob.deposit(5).tell().unwrap();
    assert!(alice.transfer(bob.id().unwrap(), 60).await.unwrap());
    system.drained().await.unwrap();
    assert_eq!((alice.deposit(0).await.unwrap(), bob.deposit(0).await.unwrap()), (40, 65));

    let mut faults = system.subscribe_faults();
    assert!(
        matches!(alice.withdraw(41).await, Err(Error::Fault(fault)) if fault.kind == FaultKind::Overflow)
    );
    bob.withdraw(66).tell().unwrap();
    assert_eq!(faults.recv().await.unwrap().kind, FaultKind::Overflow);

    system.pause().await.unwrap();
    let before = system.stats();
    alice.deposit(1).tell().unwrap();
    assert_eq!(system.stats().in_flight, 1);
    assert_eq!(system.stats().handled, before.handled);
    system.resume().await.unwrap();
    assert_eq!(alice.deposit(0).await.unwrap(), 41);

    // Enough for a second chunk of each worker, which is allocated beside the kernel.
    for key in 0..5000u64 {
        system.actor::<Account>(key).deposit(key).tell_wait().await.unwrap();
    }
    system.drained().await.unwrap();
    assert_eq!(system.actor::<Account>(4999u64).deposit(0).await.unwrap(), 4999);
    system.shutdown().await.unwrap();
    assert_eq!(system.stats().in_flight, 0);
}

#[tokio::test]
async fn nothing_of_the_seam_waits_for_a_ring_kernel() {
    let (device, peer) = (open(1), open(2));
    let before = device.alloc(MemoryKind::Mapped, 64).unwrap();
    let unified = device.alloc(MemoryKind::Unified, 4096).unwrap();
    let theirs = peer.alloc(MemoryKind::Device, 4096).unwrap();
    peer.copy_to_device(theirs.address(), &[7; 4096]).unwrap();
    let loaded = device.load(&module()).unwrap().module;
    device.timer().unwrap();

    let system = ActorSystem::start(config(&device)).await.unwrap();
    let alice = system.actor::<Account>("alice");
    assert_eq!(alice.deposit(1).await.unwrap(), 1);

    let this = Arc::clone(&device);
    within_a_minute("a call of the seam", move || {
        let busy = |what: &str, answer: Result<(), DeviceError>| {
            assert!(matches!(answer, Err(DeviceError::Busy { .. })), "{what}: {answer:?}");
        };
        assert_eq!(this.info().kind, DeviceKind::Cuda);
        assert!(this.memory_info().unwrap().free > 0);
        assert!(this.accepts(loaded.as_ref()));
        let memory = this.alloc(MemoryKind::Device, 600_000).unwrap();
        let mut bytes = vec![1; 600_000];
        this.copy_from_device(&mut bytes, memory.address()).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0), "memory is zeroed");
        let pattern: Vec<u8> = (0..600_000u32).map(|at| (at % 251) as u8).collect();
        this.copy_to_device(memory.address(), &pattern).unwrap();
        this.copy_from_device(&mut bytes, memory.address()).unwrap();
        assert_eq!(bytes, pattern);
        drop(memory);
        assert_eq!(this.alloc(MemoryKind::Device, 0).unwrap().len(), 0);

        busy("pinned memory", this.alloc(MemoryKind::Mapped, 64).map(drop));
        busy("unified memory", this.alloc(MemoryKind::Unified, 64).map(drop));
        busy("a module", this.load(&module()).map(drop));
        busy("the timer", this.timer().map(drop));
        busy("a peer", this.enable_peer(&peer));
        busy("a peer", peer.enable_peer(&this));
        let request = LaunchRequest {
            module: loaded.as_ref(),
            entry: kernels_ptx::ring::ENTRY,
            workers: 1,
            lanes: 1,
            args: &[0],
            persistent: true,
            spin: Duration::ZERO,
        };
        // SAFETY: it is refused.
        busy("a second persistent kernel", unsafe { this.launch(&request) }.map(drop));

        this.advise(unified.as_ref(), Advice::Prefer(Some(Place::Device))).unwrap();
        this.advise(unified.as_ref(), Advice::AccessedBy(Place::Host, true)).unwrap();
        this.advise(unified.as_ref(), Advice::ReadMostly(false)).unwrap();
        this.prefetch(unified.as_ref(), Place::Device).unwrap();
        this.prefetch(unified.as_ref(), Place::Host).unwrap();

        let ours = this.alloc(MemoryKind::Device, 4096).unwrap();
        this.copy_from_peer(ours.address(), &peer, theirs.address(), 4096).unwrap();
        let mut copied = vec![0; 4096];
        this.copy_from_device(&mut copied, ours.address()).unwrap();
        assert_eq!(copied, [7; 4096]);

        assert_eq!(DRIVER.properties(1).unwrap(), *this.properties());
        assert!(DRIVER.peer(1, 2).unwrap().access);
        // These wait for the kernel's end, without anybody waiting.
        drop((before, unified, loaded));
        // Opened once more, it is the same context, and knows of the kernel.
        let another = open(1);
        assert!(another.memory_info().unwrap().total > 0);
        busy("pinned memory", another.alloc(MemoryKind::Mapped, 64).map(drop));
        drop(another);
    });

    assert_eq!(alice.deposit(1).await.unwrap(), 2);
    // The clock is calibrated once a second while messages flow, by the kernel's word.
    let begun = system.now();
    while system.now() - begun < 2_500_000_000 {
        assert!(alice.deposit(0).await.is_ok());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    system.shutdown().await.unwrap();
    let device_again = device.alloc(MemoryKind::Mapped, 64).unwrap();
    assert!(device_again.host_ptr().is_some());
    device.timer().unwrap();
}

#[tokio::test]
async fn a_second_system_is_busy_or_has_a_context_of_its_own() {
    let device = open(3);
    let first = ActorSystem::start(config(&device)).await.unwrap();
    let second = ActorSystem::start(config(&device)).await.map(drop);
    assert!(matches!(second, Err(Error::Device(DeviceError::Busy { .. }))), "{second:?}");
    let own = Config::default().workers(2).device(CudaConfig::index(3).own_context());
    let second = ActorSystem::start(own).await.unwrap();
    assert_eq!(second.stats().chosen, "Config::device asks for CUDA device 3");
    for system in [&first, &second] {
        assert_eq!(system.actor::<Account>("alice").deposit(3).await.unwrap(), 3);
    }
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
    // The first one's end makes room.
    let third = ActorSystem::start(config(&device)).await.unwrap();
    third.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_system_that_is_dropped_ends_its_kernel() {
    let device = open(4);
    for _ in 0..2 {
        let system = ActorSystem::start(config(&device)).await.unwrap();
        system.actor::<Account>("alice").deposit(3).tell().unwrap();
        drop(system);
    }
    // It is bounded by its budget, and the kernel ends after it.
    let system = ActorSystem::start(config(&device).budget(1 << 20)).await.unwrap();
    system.actor::<Account>("alice").spin().tell().unwrap();
    drop(system);
    let system = ActorSystem::start(config(&device)).await.unwrap();
    assert_eq!(system.actor::<Account>("alice").deposit(3).await.unwrap(), 3);
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn slices_run_on_cuda() {
    let device = open(5);
    let system = ActorSystem::start(config(&device).slice(Duration::from_millis(2))).await.unwrap();
    let alice = system.actor::<Account>("alice");
    for deposits in 1..=50 {
        assert_eq!(alice.deposit(1).await.unwrap(), deposits);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(system.stats().launches > 1, "{}", system.stats().launches);
    system.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_systems_in_slices_take_turns_on_one_device() {
    let device = open(19);
    let config = || config(&device).slice(Duration::from_millis(2));
    let first = ActorSystem::start(config()).await.unwrap();
    // It may come while the first one's kernel runs.
    let second = loop {
        match ActorSystem::start(config()).await {
            Err(Error::Device(DeviceError::Busy { .. })) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            other => break other.unwrap(),
        }
    };
    for deposits in 1..=20 {
        let (a, b) =
            (first.actor::<Account>("alice").deposit(1), second.actor::<Account>("alice").deposit(2));
        let (a, b) = (tokio::spawn(a.into_future()), tokio::spawn(b.into_future()));
        assert_eq!((a.await.unwrap().unwrap(), b.await.unwrap().unwrap()), (deposits, 2 * deposits));
    }
    first.shutdown().await.unwrap();
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_kernel_that_does_not_end_is_reported_and_kept_and_nothing_hangs() {
    let patience = Duration::from_millis(300);
    for (index, slice) in [(12, None), (18, Some(Duration::from_secs(1)))] {
        let device = open(index);
        let config = |device: &Arc<CudaDevice>| {
            let config = config(device).host_inbox(1 << 14).shutdown_deadline(patience);
            if let Some(slice) = slice { config.slice(slice) } else { config }
        };
        let system = ActorSystem::start(config(&device)).await.unwrap();
        // Block 0 stops for good after 2000 turns of its loops. Each message takes it one at least.
        for key in 0..10_000u64 {
            system.actor::<Account>(key % 64).deposit(1).tell().unwrap();
        }
        let stopped = system.shutdown().await;
        assert!(matches!(stopped, Err(Error::Stuck { lost, .. }) if lost > 0), "{stopped:?}");
        let again = system.shutdown().await;
        assert!(matches!(again, Err(Error::Stuck { .. })), "{again:?}");
        drop(system);
        // The kernel still has the device, and whoever wants it is told so.
        let next = ActorSystem::start(config(&device)).await.map(drop);
        assert!(matches!(next, Err(Error::Device(DeviceError::Busy { .. }))), "{next:?}");
        assert!(device.memory_info().unwrap().free > 0);
        // Also who opens it when nobody has it open any more.
        drop(device);
        let opened = within_a_minute("opening the device", move || {
            DRIVER.open_with(&CudaConfig::index(index)).map(Arc::new)
        });
        // What an open needs to load is loaded still, if anybody holds the device.
        let next = match opened {
            Ok(device) => ActorSystem::start(config(&device)).await.map(drop),
            Err(error) => Err(error.into()),
        };
        assert!(matches!(next, Err(Error::Device(DeviceError::Busy { .. }))), "{next:?}");
    }
}

/// A device's timer is read by four launches before the ring kernel's, so that is the fifth.
#[tokio::test]
async fn what_breaks_is_told_apart() {
    let lost = DRIVER.open_with(&CudaConfig::index(14)).map(drop);
    assert!(matches!(lost, Err(DeviceError::NotPermitted { .. })), "CUDA_ERROR_DEVICE_UNAVAILABLE: {lost:?}");

    let device = open(16);
    let refused = ActorSystem::start(config(&device)).await.map(drop);
    assert!(matches!(refused, Err(Error::Device(DeviceError::Failed { .. }))), "{refused:?}");
    // Nothing was left behind.
    let system = ActorSystem::start(config(&device)).await.unwrap();
    assert_eq!(system.actor::<Account>("alice").deposit(1).await.unwrap(), 1);
    system.shutdown().await.unwrap();

    let device = open(17);
    let memory = ActorSystem::start(config(&device)).await.map(drop);
    assert!(matches!(memory, Err(Error::Device(DeviceError::OutOfMemory { .. }))), "{memory:?}");

    let device = open(15);
    let poisoned = ActorSystem::start(config(&device)).await.map(drop);
    let text = poisoned.unwrap_err().to_string();
    assert!(text.contains("start a new process"), "{text}");
    let error = device.memory_info().unwrap_err();
    assert!(matches!(error, DeviceError::Lost { .. }), "{error:?}");
    let again = ActorSystem::start(config(&device)).await.map(drop);
    assert!(matches!(again, Err(Error::Device(DeviceError::Lost { .. }))), "{again:?}");
    // Other devices go on.
    assert!(open(13).memory_info().is_ok());
}

#[test]
fn peers_are_enabled_and_disabled() {
    let (a, b) = (open(6), open(5));
    assert!(matches!(a.enable_peer(&a), Err(DeviceError::Unsupported { .. })));
    assert!(DRIVER.peer(6, 5).unwrap().access);
    a.enable_peer(&b).unwrap();
    a.enable_peer(&b).unwrap();
    b.enable_peer(&a).unwrap();
    a.disable_peer(&b).unwrap();
    let error = a.disable_peer(&b).unwrap_err();
    assert!(format!("{error:?}").contains("705"), "PEER_ACCESS_NOT_ENABLED: {error:?}");
    b.disable_peer(&a).unwrap();
}

#[tokio::test]
async fn without_memory_pools_actors_live_in_what_was_set_aside() {
    let device = DRIVER.open_with(&CudaConfig::index(7).reserve(1 << 20)).unwrap();
    let device = Arc::new(device);
    let system = ActorSystem::start(config(&device)).await.unwrap();
    let mut refused = None;
    for key in 0..100_000u64 {
        match system.actor::<Account>(key).deposit(key).tell_wait().await {
            Ok(()) => {}
            Err(error) => {
                refused = Some((key, error));
                break;
            }
        }
    }
    let (key, error) = refused.expect("a megabyte does not hold so many");
    assert!(key > 2000, "{key}");
    assert!(matches!(error, Error::Device(DeviceError::OutOfMemory { .. })), "{error:?}");
    assert_eq!(system.actor::<Account>(key - 1).deposit(0).await.unwrap(), key - 1);
    system.shutdown().await.unwrap();
    drop(system);
    // All of it is free again.
    let system = ActorSystem::start(config(&device)).await.unwrap();
    assert_eq!(system.actor::<Account>(1u64).deposit(1).await.unwrap(), 1);
    system.shutdown().await.unwrap();
}

#[test]
fn what_a_device_lacks_is_said_before_it_matters() {
    let unsupported = |index| match DRIVER.open_with(&CudaConfig::index(index)).map(drop) {
        Err(DeviceError::Unsupported { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert!(unsupported(8).contains("pinned host memory"));
    let old = DRIVER.open_with(&CudaConfig::index(9)).map(drop);
    assert!(matches!(&old, Err(DeviceError::TooOld { found, .. }) if found == "6.1"), "{old:?}");
    let none = DRIVER.open_with(&CudaConfig::index(20)).map(drop);
    assert!(matches!(none, Err(DeviceError::NoDevice { index: 20, count: 20, .. })), "{none:?}");
    let device = open(10);
    let unified = device.alloc(MemoryKind::Unified, 64).map(drop);
    assert!(matches!(unified, Err(DeviceError::Unsupported { .. })), "{unified:?}");
    let device = open(11);
    for kind in [MemoryKind::Device, MemoryKind::Unified] {
        let memory = device.alloc(kind, 1 << 40).map(drop);
        assert!(
            matches!(memory, Err(DeviceError::OutOfMemory { bytes, .. }) if bytes == 1 << 40),
            "{memory:?}"
        );
    }
}

#[test]
fn the_driver_says_who_it_is_and_auto_does_not_take_software_for_hardware() {
    let driver = &*DRIVER;
    assert_eq!(backend(), Backend::Soft);
    assert!(!driver.hardware() && driver.count() == 20);
    assert!(driver.name().contains("(software GPU)"), "{}", driver.name());
    let gpu = driver.properties(3).unwrap();
    assert!(gpu.uuid.starts_with("GPU-") && gpu.uuid.len() == 40, "{}", gpu.uuid);
    assert_eq!(gpu.pci.len(), 12, "{}", gpu.pci);
    assert_eq!((gpu.warp_size, gpu.multiprocessors), (32, 8));
    assert!(gpu.cooperative_launch && gpu.memory_pools && !gpu.hardware && !gpu.watchdog);
    if std::env::var_os(device::DEVICE_VARIABLE).is_none() {
        let chosen = device::choose(&DeviceChoice::Auto).unwrap();
        assert_eq!(chosen.device.info().kind, DeviceKind::Soft);
        assert_eq!(chosen.why, "Config::device is auto: the CUDA driver API is answered by the software GPU");
        let soft = device::choose(&SoftConfig::default().into()).unwrap();
        assert!(!soft.device.info().hardware);
    }
}
