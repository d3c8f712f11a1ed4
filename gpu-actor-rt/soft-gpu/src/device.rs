//! The device itself: what it is like, its memory, and the way in for programs.

use std::sync::Arc;

use crate::error::{Error, LoadError};
use crate::launch::{Arg, Launch, LaunchConfig};
use crate::memory::{DeviceMemory, MappedMemory, Memory, MemoryInfo, Origin};
use crate::mode::Mode;
use crate::module::{Function, Module};

/// Lanes of a warp, as on every NVIDIA device.
pub(crate) const WARP_SIZE: u32 = 32;
/// Most lanes a block can have.
pub(crate) const MAX_THREADS_PER_BLOCK: u32 = 1024;
/// Most bytes of shared memory a block can have, static and dynamic together.
pub(crate) const MAX_SHARED_PER_BLOCK: u32 = 96 * 1024;

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
}

impl Default for DeviceConfig {
    fn default() -> Self {
        DeviceConfig {
            name: "Software GPU".to_owned(),
            memory: 4 << 30,
            multiprocessors: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            lane_stack: 128 << 10,
            mode: Mode::default(),
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
    /// The compute capability whose PTX the device takes, major and minor.
    pub compute_capability: (u32, u32),
    /// How kernels run.
    pub mode: Mode,
}

pub(crate) struct DeviceInner {
    pub(crate) properties: Properties,
    pub(crate) memory: Arc<Memory>,
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
    /// Opens a new device; every call makes another one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] where the configuration makes no sense.
    pub fn open(config: DeviceConfig) -> Result<Device, Error> {
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
            compute_capability: (7, 0),
            mode: config.mode,
        };
        let memory = Arc::new(Memory::new(config.memory, config.mode.checked));
        Ok(Device { inner: Arc::new(DeviceInner { properties, memory, lane_stack: config.lane_stack }) })
    }

    /// What the device is like.
    pub fn properties(&self) -> &Properties {
        &self.inner.properties
    }

    /// How much of its memory is in use right now.
    pub fn memory_info(&self) -> MemoryInfo {
        self.inner.memory.info()
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
        self.inner.memory.allocate(bytes, Origin::Device).map(DeviceMemory)
    }

    /// Allocates zero-filled memory that host and device both see.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], or [`Error::EmptyAllocation`] for zero bytes.
    pub fn alloc_mapped(&self, bytes: usize) -> Result<MappedMemory, Error> {
        self.inner.memory.allocate(bytes, Origin::Mapped).map(MappedMemory)
    }

    /// Copies `src` to device address `dst`. A running kernel may see part of it before the rest.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where the range is not inside one live allocation of this device.
    pub fn copy_to_device(&self, dst: u64, src: &[u8]) -> Result<(), Error> {
        self.inner.memory.write(dst, src)
    }

    /// Copies from device address `src` to `dst`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where the range is not inside one live allocation of this device.
    pub fn copy_from_device(&self, dst: &mut [u8], src: u64) -> Result<(), Error> {
        self.inner.memory.read(dst, src)
    }

    /// Starts a kernel and returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::ArgumentCount`] and [`Error::ArgumentSize`] where `args` do not fit the entry's parameters,
    /// [`Error::InvalidLaunch`] where the shape exceeds a limit, [`Error::OtherMode`] where a device of another mode loaded
    /// the module, [`Error::System`] where no thread can be had.
    ///
    /// # Safety
    ///
    /// The kernel reads and writes host memory at whatever addresses it computes. With these arguments it must only
    /// touch memory that may be touched so: allocations of a device of this process, live for as long as the
    /// launch uses them, and never while the host holds a reference to plain data in them. On a
    /// [checked](Mode::checked) device only the last of these is left to the caller.
    pub unsafe fn launch(&self, f: &Function, cfg: &LaunchConfig, args: &[Arg]) -> Result<Launch, Error> {
        Launch::start(&self.inner, f, cfg, args)
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("properties", &self.inner.properties).finish_non_exhaustive()
    }
}
