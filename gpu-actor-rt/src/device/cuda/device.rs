//! A CUDA device behind the seam, and what it can do beyond it: peers, advice, prefetching.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use kernels_ptx::module::VerifiedModule;

use super::CudaConfig;
use super::context::Core;
use super::driver::{CudaDriver, CudaProperties};
use super::error::{CudaResult, PEER_ACCESS_ALREADY_ENABLED, check};
use super::ffi::{self, Device as Ordinal};
use super::launch::CudaLaunch;
use super::memory::CudaMemory;
use super::module::CudaModule;
use crate::device::{
    Allocation, Device, DeviceError, DeviceInfo, DeviceKind, Driver as _, LaunchRequest, LaunchStatus,
    Launched, LoadReport, LoadedModule, MemoryInfo, MemoryKind,
};

/// The kernel that reads the timer.
const TIMER: &str = include_str!("timer.ptx");
/// How long a reading of the timer may take.
const TIMER_PATIENCE: Duration = Duration::from_secs(5);

/// A CUDA device that is open.
///
/// ```no_run
/// use gpu_actor_rt::device::cuda::{CudaConfig, CudaDriver};
/// use gpu_actor_rt::prelude::*;
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let device = CudaDriver::new()?.open_with(&CudaConfig::index(0))?;
/// println!("{}", device.properties().name);
/// let system = ActorSystem::start(Config::default().device(std::sync::Arc::new(device))).await?;
/// # system.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// Devices that are opened twice on the primary context share it: what one of them runs, the other knows. The options of the
/// first one hold as long as anything of it lives.
#[derive(Debug)]
pub struct CudaDevice {
    core: Arc<Core>,
    timer: Arc<Timer>,
}

/// What the process has open on primary contexts, by device.
type Open = HashMap<Ordinal, (Weak<Core>, Weak<Timer>)>;
static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);

/// What reads the device's timer.
#[derive(Debug)]
struct Timer {
    module: CudaModule,
    word: CudaMemory,
    /// Held while the word is one thread's.
    reading: Mutex<()>,
}

impl Timer {
    fn new(core: &Arc<Core>) -> Result<Arc<Self>, DeviceError> {
        let (module, _) = CudaModule::load(core, TIMER)?;
        let word = CudaMemory::alloc(core, MemoryKind::Mapped, 8)?;
        Ok(Arc::new(Self { module, word, reading: Mutex::new(()) }))
    }
}

/// A place for managed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The device.
    Device,
    /// The host's memory.
    Host,
}

/// What a program knows of how managed memory will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// It is read by many and hardly ever written; or no longer.
    ReadMostly(bool),
    /// It had best live there; `None`: anywhere.
    Prefer(Option<Place>),
    /// Who uses it without moving it there; or no longer.
    AccessedBy(Place, bool),
}

impl CudaDevice {
    pub(super) fn open(
        device: Ordinal,
        properties: CudaProperties,
        driver: &CudaDriver,
        config: &CudaConfig,
    ) -> Result<Self, DeviceError> {
        if !properties.mapped_host_memory {
            return Err(DeviceError::Unsupported {
                device: properties.name,
                what: "it does not reach pinned host memory, where the rings are".into(),
            });
        }
        if properties.watchdog {
            tracing::warn!(
                device = properties.name,
                "a watchdog ends kernels that run for seconds on this device, which a ring kernel does: run it in slices, or \
                 use a device without a display"
            );
        }
        let open = || Core::open(device, properties, driver.name().to_owned(), config).map(Arc::new);
        if config.own_context {
            let core = open()?;
            let timer = Timer::new(&core)?;
            return Ok(Self { core, timer });
        }
        let mut shared = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let (core, timer) = shared.entry(device).or_default();
        let ours = match core.upgrade() {
            Some(core) => core,
            None => open()?,
        };
        let watch = match timer.upgrade() {
            Some(timer) => timer,
            None => Timer::new(&ours)?,
        };
        (*core, *timer) = (Arc::downgrade(&ours), Arc::downgrade(&watch));
        drop(shared);
        Ok(Self { core: ours, timer: watch })
    }

    #[cfg(test)]
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// What the driver says of it.
    pub fn properties(&self) -> &CudaProperties {
        &self.core.properties
    }

    /// Lets kernels of this device reach `peer`'s memory. To be done before a ring kernel runs on either.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Busy`] beside a ring kernel, [`DeviceError::Failed`] where there is no way between the two.
    pub fn enable_peer(&self, peer: &Self) -> Result<(), DeviceError> {
        self.peering("enabling access to a peer", peer, |ours, theirs| {
            // SAFETY: a context of the peer that lives; ours is entered.
            let code = unsafe { ffi::cuCtxEnablePeerAccess(theirs.context, 0) };
            if code != PEER_ACCESS_ALREADY_ENABLED {
                check("cuCtxEnablePeerAccess", code)?;
            }
            pool_access(ours, theirs, ffi::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
        })
    }

    /// Takes back [`enable_peer`](Self::enable_peer).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn disable_peer(&self, peer: &Self) -> Result<(), DeviceError> {
        self.peering("disabling access to a peer", peer, |ours, theirs| {
            // SAFETY: as in `enable_peer`.
            check("cuCtxDisablePeerAccess", unsafe { ffi::cuCtxDisablePeerAccess(theirs.context) })?;
            pool_access(ours, theirs, 0)
        })
    }

    /// Does something to both contexts while neither has a persistent kernel. Both are locked, in the order of their
    /// addresses, so that two that do this to each other do not wait for ever.
    fn peering(
        &self,
        action: &str,
        peer: &Self,
        work: impl FnOnce(&Core, &Core) -> CudaResult,
    ) -> Result<(), DeviceError> {
        let (ours, theirs) = (&*self.core, &*peer.core);
        let work = || {
            let _entered = ours.enter().map_err(|error| ours.failed(action, error))?;
            work(ours, theirs).map_err(|error| ours.failed(action, error))
        };
        if std::ptr::eq(ours, theirs) {
            return Err(DeviceError::Unsupported {
                device: ours.name().to_owned(),
                what: "it cannot be its own peer".into(),
            });
        }
        if std::ptr::from_ref(ours) < std::ptr::from_ref(theirs) {
            ours.quietly(action, || theirs.quietly(action, work))
        } else {
            theirs.quietly(action, || ours.quietly(action, work))
        }
    }

    /// Copies from `source`, in `peer`'s memory, to `target` in this device's. Beside kernels of either, and with or without
    /// peer access: without it the driver goes through the host.
    ///
    /// # Errors
    ///
    /// Whatever the driver says.
    pub fn copy_from_peer(
        &self,
        target: u64,
        peer: &Self,
        source: u64,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.entered("copying from a peer", || {
            let (ours, theirs) = (&self.core, &peer.core);
            // SAFETY: the ranges are the caller's word, as with every copy of the seam; both contexts live.
            let code = unsafe {
                ffi::cuMemcpyPeerAsync(target, ours.context, source, theirs.context, bytes, ours.stream)
            };
            check("cuMemcpyPeerAsync", code)?;
            ours.synchronise()
        })
    }

    /// Tells the driver how unified memory will be used.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Failed`] for memory that is not unified; [`DeviceError::Busy`] beside a ring kernel on a device without
    /// `concurrentManagedAccess`.
    pub fn advise(&self, memory: &dyn Allocation, advice: Advice) -> Result<(), DeviceError> {
        let at = |place| match place {
            Place::Device => self.core.device,
            Place::Host => ffi::CU_DEVICE_CPU,
        };
        let here = self.core.device;
        let (advice, device) = match advice {
            Advice::ReadMostly(true) => (ffi::CU_MEM_ADVISE_SET_READ_MOSTLY, here),
            Advice::ReadMostly(false) => (ffi::CU_MEM_ADVISE_UNSET_READ_MOSTLY, here),
            Advice::Prefer(Some(place)) => (ffi::CU_MEM_ADVISE_SET_PREFERRED_LOCATION, at(place)),
            Advice::Prefer(None) => (ffi::CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION, here),
            Advice::AccessedBy(place, true) => (ffi::CU_MEM_ADVISE_SET_ACCESSED_BY, at(place)),
            Advice::AccessedBy(place, false) => (ffi::CU_MEM_ADVISE_UNSET_ACCESSED_BY, at(place)),
        };
        self.managed("advising on unified memory", || {
            // SAFETY: the range is that of a live allocation.
            let code = unsafe { ffi::cuMemAdvise(memory.address(), memory.len(), advice, device) };
            check("cuMemAdvise", code)
        })
    }

    /// Moves unified memory to where it will be used, and waits until it is there.
    ///
    /// # Errors
    ///
    /// As [`advise`](Self::advise).
    pub fn prefetch(&self, memory: &dyn Allocation, place: Place) -> Result<(), DeviceError> {
        let target = match place {
            Place::Device => self.core.device,
            Place::Host => ffi::CU_DEVICE_CPU,
        };
        self.managed("prefetching unified memory", || {
            // SAFETY: the range is that of a live allocation.
            let code =
                unsafe { ffi::cuMemPrefetchAsync(memory.address(), memory.len(), target, self.core.stream) };
            check("cuMemPrefetchAsync", code)?;
            self.core.synchronise()
        })
    }

    /// Does something to managed memory: beside a persistent kernel only where host and device may use it together.
    fn managed(&self, action: &str, work: impl FnOnce() -> CudaResult) -> Result<(), DeviceError> {
        if self.core.properties.concurrent_managed_access {
            self.entered(action, work)
        } else {
            self.core.quietly(action, || work().map_err(|error| self.core.failed(action, error)))
        }
    }

    fn entered<R>(&self, action: &str, work: impl FnOnce() -> CudaResult<R>) -> Result<R, DeviceError> {
        let failed = |error| self.core.failed(action, error);
        let entered = self.core.enter().map_err(failed)?;
        let result = work();
        drop(entered);
        result.map_err(failed)
    }

    /// The timer by one launch: nanoseconds of the device in the middle of it, and how long it took.
    fn read_timer(&self) -> Result<(u64, u64), DeviceError> {
        let request = LaunchRequest {
            module: &self.timer.module,
            entry: "read_timer",
            workers: 1,
            lanes: 1,
            args: &[self.timer.word.address()],
            persistent: false,
            spin: Duration::ZERO,
        };
        let begun = Instant::now();
        // SAFETY: the argument is the address of a word of this device that lives as long as it.
        let launch = unsafe { CudaLaunch::start(&self.core, &self.timer.module, &request) }?;
        // Where the ring kernel runs in slices, one may have begun meanwhile, and no wait here is without end.
        match launch.wait(Some(TIMER_PATIENCE)) {
            LaunchStatus::Failed(error) => return Err(error),
            LaunchStatus::Running => return Err(self.core.busy("reading the device's timer")),
            _ => {}
        }
        let took = begun.elapsed().as_nanos() as u64;
        let Some(word) = self.timer.word.host_ptr() else {
            return Err(DeviceError::Foreign {
                device: self.core.name().to_owned(),
                what: "the timer's word",
            });
        };
        // SAFETY: mapped memory of 8 bytes, aligned; the kernel that wrote it has ended.
        Ok((unsafe { word.cast::<u64>().read_volatile() }, took))
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        self.core.trim();
    }
}

/// What `ours` may do with memory from `theirs`' pool.
fn pool_access(ours: &Core, theirs: &Core, flags: u32) -> CudaResult {
    let Some(pool) = theirs.pool else { return Ok(()) };
    let location = ffi::MemLocation { kind: ffi::CU_MEM_LOCATION_TYPE_DEVICE, id: ours.device };
    let access = ffi::MemAccessDesc { location, flags };
    // SAFETY: the pointer is to one description.
    check("cuMemPoolSetAccess", unsafe { ffi::cuMemPoolSetAccess(pool, &raw const access, 1) })
}

impl Device for CudaDevice {
    fn info(&self) -> DeviceInfo {
        let properties = &self.core.properties;
        DeviceInfo {
            name: properties.name.clone(),
            kind: DeviceKind::Cuda,
            hardware: properties.hardware,
            driver: self.core.driver.clone(),
            memory: properties.memory,
            multiprocessors: properties.multiprocessors,
            max_resident_blocks: properties.multiprocessors * properties.max_blocks_per_multiprocessor,
        }
    }

    fn memory_info(&self) -> Result<MemoryInfo, DeviceError> {
        // What only the pool has is free.
        self.core.trim();
        self.entered("asking for free memory", || {
            let (mut free, mut total) = (0usize, 0usize);
            // SAFETY: the pointers are to two sizes.
            check("cuMemGetInfo_v2", unsafe { ffi::cuMemGetInfo_v2(&raw mut free, &raw mut total) })?;
            Ok(MemoryInfo { free: free as u64, total: total as u64 })
        })
    }

    fn accepts(&self, module: &dyn LoadedModule) -> bool {
        module.as_any().downcast_ref::<CudaModule>().is_some_and(|module| module.belongs_to(&self.core))
    }

    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError> {
        let begun = Instant::now();
        let (module, log) = CudaModule::load(&self.core, module.ptx())?;
        Ok(LoadReport { module: Arc::new(module), log, time: begun.elapsed() })
    }

    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError> {
        Ok(Box::new(CudaMemory::alloc(&self.core, kind, bytes)?))
    }

    fn settle(&self, memory: &dyn Allocation) -> Result<(), DeviceError> {
        self.advise(memory, Advice::Prefer(Some(Place::Device)))?;
        self.advise(memory, Advice::AccessedBy(Place::Host, true))?;
        self.prefetch(memory, Place::Device)
    }

    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.entered("copying to the device", || self.core.upload(address, bytes))
    }

    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError> {
        self.entered("copying from the device", || self.core.download(bytes, address))
    }

    fn timer(&self) -> Result<u64, DeviceError> {
        if self.core.state().is_busy() {
            return Err(self.core.busy("reading the device's timer"));
        }
        let _mine = self.timer.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // The first launch also loads the code; the shortest of the others says best when the timer was read.
        let mut best = self.read_timer()?;
        let mut read = Instant::now();
        for _ in 0..3 {
            let next = self.read_timer()?;
            if next.1 <= best.1 {
                (best, read) = (next, Instant::now());
            }
        }
        Ok(best.0 + best.1 / 2 + read.elapsed().as_nanos() as u64)
    }

    unsafe fn launch(&self, request: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError> {
        let module = request.module.as_any().downcast_ref::<CudaModule>();
        let module = module.filter(|module| module.belongs_to(&self.core)).ok_or_else(|| {
            DeviceError::Foreign { device: self.core.name().to_owned(), what: "the module" }
        })?;
        // SAFETY: the caller vouches for the arguments, as this method's contract asks.
        Ok(Box::new(unsafe { CudaLaunch::start(&self.core, module, request) }?))
    }
}
