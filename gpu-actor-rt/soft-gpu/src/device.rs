//! The device itself: what it is like, its memory, and the way in for programs.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

use crate::error::{Error, LoadError};
use crate::fabric::Fabric;
use crate::fault::{Breakdown, Faults};
use crate::launch::{Arg, Launch, LaunchConfig, PreparedLaunch};
use crate::memory::{Allocation, DeviceMemory, MappedMemory, Memory, MemoryInfo, Origin};
use crate::mode::Mode;
use crate::module::{Function, Module};
use crate::platform::{Platform, PlatformConfig};
use crate::version::Version;

/// Lanes of a warp, as on every NVIDIA device.
pub(crate) const WARP_SIZE: u32 = 32;
/// Most lanes a block can have.
pub(crate) const MAX_THREADS_PER_BLOCK: u32 = 1024;
/// Most bytes of shared memory a block can have, static and dynamic together.
pub(crate) const MAX_SHARED_PER_BLOCK: u32 = 96 * 1024;

/// What a device says that it can do beside what all can. A virtual device has everything; a test turns off what the
/// device that it stands for lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is an attribute of its own in CUDA")]
pub struct Features {
    /// Host and kernels may use managed memory at the same time.
    pub concurrent_managed_access: bool,
    /// Atomics of device and host on the same word are atomic to each other.
    pub host_native_atomics: bool,
    /// Cooperative launches; without it they are refused.
    pub cooperative_launch: bool,
    /// Host memory can be mapped; without it [`Device::alloc_mapped`] is refused.
    pub map_host_memory: bool,
    /// Allocation in the order of a stream, from pools.
    pub memory_pools: bool,
    /// The device ends kernels that run too long, as one that drives a display does. The attribute alone: nothing is
    /// ended. Default: no.
    pub watchdog: bool,
    /// Memory errors are corrected.
    pub ecc: bool,
}

impl Default for Features {
    fn default() -> Self {
        Features {
            concurrent_managed_access: true,
            host_native_atomics: true,
            cooperative_launch: true,
            map_host_memory: true,
            memory_pools: true,
            watchdog: false,
            ecc: true,
        }
    }
}

/// Where a device is on the PCI bus. As text, `0000:01:00.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PciId {
    /// The domain.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The device on the bus; its function is 0.
    pub device: u8,
}

impl std::fmt::Display for PciId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.0", self.domain, self.bus, self.device)
    }
}

/// What a virtual device should be like.
///
/// ```
/// use soft_gpu::DeviceConfig;
///
/// let config = DeviceConfig { memory: 1 << 20, ..DeviceConfig::default() };
/// assert_eq!(config.name, "Software GPU");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceConfig {
    /// The device's name.
    pub name: String,
    /// Memory in bytes: a limit on what can be allocated, not a reservation. Default: 4 GiB.
    pub memory: u64,
    /// How many blocks of an ordinary launch run at once, each on its own thread. Default: one per CPU.
    pub multiprocessors: u32,
    /// Bytes of stack of a lane, beside what its program declares as `.local`. Default: 128 KiB. Pages that are
    /// never touched cost nothing.
    pub lane_stack: usize,
    /// How kernels run. Default: the fast mode.
    pub mode: Mode,
    /// Whose PTX the device runs: texts whose `.target` asks for more are refused, as drivers do. Default: 12.1, the highest there is.
    pub compute_capability: Version,
    /// Where it says that it is. Default: device `i` of a platform is on bus `i + 1`.
    pub pci: Option<PciId>,
    /// Its UUID. Default: `soft-gpu` and its number.
    pub uuid: Option<[u8; 16]>,
    /// What it says its clock is, in kHz. Default: 1 GHz, at which `%clock64` ticks.
    pub clock_khz: u32,
    /// What it says its memory's clock is, in kHz.
    pub memory_clock_khz: u32,
    /// What it says the width of its memory's bus is, in bits.
    pub memory_bus_bits: u32,
    /// What it says the size of its second-level cache is, in bytes.
    pub l2_bytes: u32,
    /// What it can do.
    pub features: Features,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        DeviceConfig {
            name: "Software GPU".to_owned(),
            memory: 4 << 30,
            multiprocessors: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            lane_stack: 128 << 10,
            mode: Mode::default(),
            compute_capability: Version::new(12, 1),
            pci: None,
            uuid: None,
            clock_khz: 1_000_000,
            memory_clock_khz: 1_000_000,
            memory_bus_bits: 64,
            l2_bytes: 1 << 20,
            features: Features::default(),
        }
    }
}

/// What a device is like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// The device's name.
    pub name: String,
    /// Memory in bytes.
    pub total_memory: u64,
    /// How many blocks of an ordinary launch run at once.
    pub multiprocessors: u32,
    /// Lanes of a warp: 32.
    pub warp_size: u32,
    /// Most lanes of a block: 1024.
    pub max_threads_per_block: u32,
    /// Most lanes of a block along each axis.
    pub max_block: [u32; 3],
    /// Most blocks of a grid along each axis.
    pub max_grid: [u32; 3],
    /// Most bytes of shared memory of a block.
    pub max_shared_per_block: u32,
    /// Most blocks of a cooperative launch. Each has its own thread, so there can be more than multiprocessors.
    pub max_cooperative_blocks: u32,
    /// The highest compute capability whose PTX the device takes.
    pub compute_capability: Version,
    /// Bytes of stack of a lane, beside what its program declares as `.local`.
    pub lane_stack: usize,
    /// How kernels run.
    pub mode: Mode,
    /// Its number on its platform.
    pub index: usize,
    /// Where it says that it is.
    pub pci: PciId,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// What it says its clock is, in kHz.
    pub clock_khz: u32,
    /// What it says its memory's clock is, in kHz.
    pub memory_clock_khz: u32,
    /// What it says the width of its memory's bus is, in bits.
    pub memory_bus_bits: u32,
    /// What it says the size of its second-level cache is, in bytes.
    pub l2_bytes: u32,
    /// What it can do.
    pub features: Features,
    /// The CUDA version of the platform's driver.
    pub driver_version: Version,
}

pub(crate) struct DeviceInner {
    pub(crate) properties: Properties,
    pub(crate) memory: Arc<Memory>,
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) faults: Arc<Faults>,
    /// Dropping them tells the threads of planned breakdowns that there is nothing left to break.
    _alarms: Vec<Sender<()>>,
    pub(crate) lane_stack: usize,
}

/// A virtual NVIDIA device. Cheap to clone: clones are the same device.
///
/// ```
/// use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig, Status};
///
/// let device = Device::open(DeviceConfig::default())?;
/// let module = device.load_ptx(
///     ".version 7.0
///      .target sm_70
///      .address_size 64
///      .visible .entry answer(.param .u64 out) {
///        .reg .b64 %rd<1>;
///        ld.param.u64 %rd0, [out];
///        st.global.u32 [%rd0], 42;
///        ret;
///      }",
/// )?;
/// let out = device.alloc(4)?;
/// // SAFETY: the kernel writes four bytes at `out`, which has them.
/// let launch = unsafe {
///     device.launch(&module.function("answer")?, &LaunchConfig::new(1, 1), &[Arg::U64(out.address())])?
/// };
/// assert_eq!(launch.wait(None), Status::Finished);
/// let mut answer = [0; 4];
/// device.copy_from_device(&mut answer, out.address())?;
/// assert_eq!(u32::from_ne_bytes(answer), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Device {
    pub(crate) inner: Arc<DeviceInner>,
}

impl Device {
    /// Opens a new device, alone on a platform of its own; every call makes another one. Devices that are to see each other
    /// are opened as a [`Platform`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] where the configuration makes no sense.
    pub fn open(config: DeviceConfig) -> Result<Device, Error> {
        let platform = Platform::new(PlatformConfig { devices: vec![config], ..PlatformConfig::default() })?;
        Ok(platform.devices()[0].clone())
    }

    /// The device with this number on its platform.
    pub(crate) fn new(
        config: DeviceConfig,
        index: usize,
        driver_version: Version,
        fabric: &Arc<Fabric>,
        faults: &Arc<Faults>,
    ) -> Result<Device, Error> {
        let bad = |reason: &str| Err(Error::InvalidConfig { reason: reason.to_owned() });
        if config.memory == 0 {
            return bad("`memory` must be at least one byte");
        }
        if config.multiprocessors == 0 {
            return bad("`multiprocessors` must be at least one");
        }
        if !(32 << 10..=1 << 30).contains(&config.lane_stack) {
            return bad("`lane_stack` must be between 32 KiB and 1 GiB");
        }
        let properties = Properties {
            name: config.name,
            total_memory: config.memory,
            multiprocessors: config.multiprocessors,
            warp_size: WARP_SIZE,
            max_threads_per_block: MAX_THREADS_PER_BLOCK,
            max_block: [1024, 1024, 64],
            max_grid: [i32::MAX as u32, 65_535, 65_535],
            max_shared_per_block: MAX_SHARED_PER_BLOCK,
            max_cooperative_blocks: config.multiprocessors.saturating_mul(4).saturating_add(64),
            compute_capability: config.compute_capability,
            lane_stack: config.lane_stack,
            mode: config.mode,
            index,
            // A platform has at most `MAX_DEVICES`, so the bus is never beyond its range.
            pci: config.pci.unwrap_or(PciId { domain: 0, bus: index as u8 + 1, device: 0 }),
            uuid: config.uuid.unwrap_or_else(|| uuid(index)),
            clock_khz: config.clock_khz,
            memory_clock_khz: config.memory_clock_khz,
            memory_bus_bits: config.memory_bus_bits,
            l2_bytes: config.l2_bytes,
            features: config.features,
            driver_version,
        };
        let inner = DeviceInner {
            properties,
            memory: Arc::clone(fabric.memory(index)?),
            fabric: Arc::clone(fabric),
            faults: Arc::clone(faults),
            _alarms: set_alarms(faults)?,
            lane_stack: config.lane_stack,
        };
        Ok(Device { inner: Arc::new(inner) })
    }

    /// What the device is like.
    pub fn properties(&self) -> &Properties {
        &self.inner.properties
    }

    /// How much of its memory is in use right now.
    pub fn memory_info(&self) -> MemoryInfo {
        self.inner.memory.info()
    }

    /// Whether the device works: the error that every call answers if it has broken down.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`], [`Error::Sticky`].
    pub fn health(&self) -> Result<(), Error> {
        self.inner.faults.check()
    }

    /// Breaks the device down now, as a [`FaultPlan`](crate::FaultPlan) does at its time: what runs on it ends with the error that
    /// every call answers from then on. Memory keeps its contents.
    ///
    /// ```
    /// use soft_gpu::{Breakdown, Device, DeviceConfig, Error};
    ///
    /// let device = Device::open(DeviceConfig::default())?;
    /// device.break_down(Breakdown::Sticky);
    /// assert!(matches!(device.alloc(16), Err(Error::Sticky { .. })));
    /// device.reset()?;
    /// let memory = device.alloc(16)?;
    /// device.break_down(Breakdown::Lost);
    /// assert!(matches!(device.reset(), Err(Error::DeviceLost { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn break_down(&self, breakdown: Breakdown) {
        self.inner.faults.break_down(breakdown);
    }

    /// Brings a device back that has failed. Does nothing to one that works.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`]: what is lost is not brought back.
    pub fn reset(&self) -> Result<(), Error> {
        self.inner.faults.reset()
    }

    /// Compiles a program.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the line and token of the first thing that is wrong or not known to this device.
    pub fn load_ptx(&self, ptx: &str) -> Result<Module, LoadError> {
        Module::load(&self.inner, ptx)
    }

    /// Whether a module can be launched here: one that a device of the same mode has loaded, up to the seed.
    pub fn accepts(&self, module: &Module) -> bool {
        module.flavour() == self.inner.properties.mode.flavour()
    }

    /// Allocates zero-filled device memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], or [`Error::EmptyAllocation`] for zero bytes.
    pub fn alloc(&self, bytes: usize) -> Result<DeviceMemory, Error> {
        self.allocate(bytes, Origin::Device).map(DeviceMemory)
    }

    fn allocate(&self, bytes: usize, origin: Origin) -> Result<Allocation, Error> {
        self.inner.faults.check()?;
        if bytes > 0 && self.inner.faults.allocation(bytes as u64) {
            let MemoryInfo { free, total, .. } = self.memory_info();
            return Err(Error::OutOfMemory { requested: bytes as u64, free, total });
        }
        self.inner.memory.allocate(bytes, origin)
    }

    /// Allocates zero-filled memory that host and device both see.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], [`Error::EmptyAllocation`] for zero bytes, or [`Error::NotSupported`] where the device cannot map
    /// host memory.
    pub fn alloc_mapped(&self, bytes: usize) -> Result<MappedMemory, Error> {
        if !self.inner.properties.features.map_host_memory {
            return Err(Error::NotSupported {
                device: self.inner.properties.name.clone(),
                what: "mapped host memory",
            });
        }
        self.allocate(bytes, Origin::Mapped).map(MappedMemory)
    }

    /// Copies `src` to device address `dst`. A running kernel may see part of it before the rest.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where the range is not inside one live allocation of this device.
    pub fn copy_to_device(&self, dst: u64, src: &[u8]) -> Result<(), Error> {
        self.inner.faults.check()?;
        self.inner.memory.write(dst, src)
    }

    /// Copies from device address `src` to `dst`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where the range is not inside one live allocation of this device.
    pub fn copy_from_device(&self, dst: &mut [u8], src: u64) -> Result<(), Error> {
        self.inner.faults.check()?;
        self.inner.memory.read(dst, src)
    }

    /// Starts a kernel and returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::ArgumentCount`] and [`Error::ArgumentSize`] where `args` do not fit the entry's parameters,
    /// [`Error::InvalidLaunch`] where the shape exceeds a limit, [`Error::OtherMode`] where a device of another mode loaded
    /// the module, [`Error::System`] where no thread can be had, [`Error::DeviceLost`] and [`Error::Sticky`] where the
    /// device has broken down, as any call does.
    ///
    /// # Safety
    ///
    /// The kernel reads and writes host memory at whatever addresses it computes. With these arguments it must only
    /// touch memory that may be touched so: allocations of a device of this process, live for as long as the
    /// launch uses them (which those of this device are, and those of peers that it has access to, even if dropped), and never while the host holds a reference to plain data in them. On a
    /// [checked](Mode::checked) device only the last of these is left to the caller.
    pub unsafe fn launch(&self, f: &Function, cfg: &LaunchConfig, args: &[Arg]) -> Result<Launch, Error> {
        // SAFETY: the caller's promise.
        unsafe { self.prepare(f, cfg, args)?.start() }
    }

    /// Finds out whether [`launch`](Self::launch) would start this, for callers that say so now and start it later.
    ///
    /// # Errors
    ///
    /// Those of [`launch`](Self::launch), but for [`Error::System`].
    pub fn prepare(&self, f: &Function, cfg: &LaunchConfig, args: &[Arg]) -> Result<PreparedLaunch, Error> {
        PreparedLaunch::new(&self.inner, f, cfg, args)
    }

    /// Copies `bytes` from address `src` of a device of the same platform to address `dst` of this one, as
    /// [`Platform::copy_peer`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Platform::copy_peer`], or [`Error::OtherPlatform`].
    pub fn copy_from_peer(&self, dst: u64, peer: &Device, src: u64, bytes: usize) -> Result<(), Error> {
        if !Arc::ptr_eq(&self.inner.fabric, &peer.inner.fabric) {
            return Err(Error::OtherPlatform);
        }
        let (to, from) = (self.inner.properties.index, peer.inner.properties.index);
        self.inner.fabric.copy((to, dst), (from, src), bytes)
    }
}

/// Has the device break down when its fault plan says so, even if nobody calls it then.
fn set_alarms(faults: &Arc<Faults>) -> Result<Vec<Sender<()>>, Error> {
    let mut alarms = Vec::new();
    for (time, breakdown) in faults.alarms() {
        if time.is_zero() {
            faults.break_down(breakdown);
            continue;
        }
        let (alarm, dropped) = channel();
        let faults = Arc::downgrade(faults);
        let wait = move || {
            if dropped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
                && let Some(faults) = faults.upgrade()
            {
                faults.break_down(breakdown);
            }
        };
        std::thread::Builder::new()
            .name("soft-gpu-fault".to_owned())
            .spawn(wait)
            .map_err(|e| Error::System { what: "a thread for a planned fault", reason: e.to_string() })?;
        alarms.push(alarm);
    }
    Ok(alarms)
}

/// `soft-gpu` and the device's number.
fn uuid(index: usize) -> [u8; 16] {
    let mut uuid = *b"soft-gpu\0\0\0\0\0\0\0\0";
    uuid[8..].copy_from_slice(&(index as u64).to_be_bytes());
    uuid
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("properties", &self.inner.properties).finish_non_exhaustive()
    }
}
