//! The seam to a GPU: what the runtime needs of a device, in object-safe, byte-oriented traits.
//!
//! Rules kept here: hot traffic never crosses the seam (that is memory and atomics); a device accepts only a module
//! that the verifier has passed; memory is given back by dropping its [`Allocation`], so it cannot be freed twice.
//!
//! ```
//! use gpu_actor_rt::device::{Device, MemoryKind, soft::{Soft, SoftConfig}};
//!
//! let device = Soft::open(&SoftConfig { name: "mine".into(), ..SoftConfig::default() })?;
//! let memory = device.alloc(MemoryKind::Device, 1024)?;
//! device.copy_to_device(memory.address(), b"hello")?;
//! let mut bytes = [0; 5];
//! device.copy_from_device(&mut bytes, memory.address())?;
//! assert_eq!(&bytes, b"hello");
//! # Ok::<(), gpu_actor_rt::device::DeviceError>(())
//! ```

mod choice;
#[cfg(feature = "cuda")]
pub mod cuda;
mod error;
pub mod soft;

use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use choice::choose_with;
pub use choice::{Chosen, CudaConfig, DEVICE_VARIABLE, DeviceChoice, ParseChoiceError, choose};
pub use error::DeviceError;
pub use kernels_ptx::module::VerifiedModule;

/// Which implementation of the seam runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The software GPU: PTX compiled for the CPU.
    Soft,
    /// The CUDA driver. Only [`DeviceInfo::hardware`] says whether silicon is behind it.
    Cuda,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Soft => "software GPU",
            DeviceKind::Cuda => "CUDA",
        })
    }
}

/// What a device is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// The device's name.
    pub name: String,
    /// Which implementation of the seam it is behind.
    pub kind: DeviceKind,
    /// Whether it is a real GPU. Nothing measured where this is `false` says anything about one.
    pub hardware: bool,
    /// What drives it: `soft-gpu`, or the CUDA version and whose library that is.
    pub driver: String,
    /// Memory in bytes.
    pub memory: u64,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Blocks that can be resident at a time: the most workers that a ring kernel can have.
    pub max_resident_blocks: u32,
}

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryInfo {
    /// Not allocated.
    pub free: u64,
    /// In all.
    pub total: u64,
}

/// Where memory lives and who reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryKind {
    /// The device's own; the host copies.
    Device,
    /// The host's, pinned and mapped into the device: both load and store.
    Mapped,
    /// Managed: both load and store, and pages move to who uses them.
    Unified,
}

/// Finds devices.
pub trait Driver: Send + Sync {
    /// The driver's name.
    fn name(&self) -> &str;
    /// Devices that there are.
    fn count(&self) -> usize;
    /// Opens a device.
    fn open(&self, index: usize) -> Result<Arc<dyn Device>, DeviceError>;
}

/// A device.
pub trait Device: fmt::Debug + Send + Sync {
    /// What it is.
    fn info(&self) -> DeviceInfo;
    /// Free and total memory.
    fn memory_info(&self) -> Result<MemoryInfo, DeviceError>;
    /// Whether a module that was loaded before, perhaps by another device, can be launched here.
    fn accepts(&self, module: &dyn LoadedModule) -> bool;
    /// Compiles and loads a module.
    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError>;
    /// Allocates zero-filled memory, aligned to 256 bytes.
    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError>;
    /// Moves [unified](MemoryKind::Unified) memory to the device, where it is to stay while the host uses it, too.
    fn settle(&self, memory: &dyn Allocation) -> Result<(), DeviceError> {
        let _ = memory;
        Ok(())
    }
    /// Copies to the device's memory; the range must be allocated.
    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError>;
    /// Copies from the device's memory; the range must be allocated.
    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError>;
    /// Whether [`Launched::doorbell`] will wake workers here: see [`Launched::has_events`], which says it of a launch. A worker then
    /// sleeps as soon as it has nothing to do.
    fn has_bells(&self) -> bool {
        false
    }
    /// The device's timer (`%globaltimer`) now, in nanoseconds. [`DeviceError::Busy`] where that would disturb a running kernel,
    /// which can be asked instead.
    fn timer(&self) -> Result<u64, DeviceError>;
    /// Starts an entry of a loaded module with every worker (block) resident.
    ///
    /// # Safety
    /// The entry touches the memory that its arguments name: they must name live allocations of this device, laid out
    /// as the entry expects, that stay alive until the launch has ended, and the host must touch what it shares with the
    /// running entry by atomics only.
    unsafe fn launch(&self, launch: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError>;
}

/// A loaded module, and what loading it said.
#[derive(Debug)]
pub struct LoadReport {
    /// The module.
    pub module: Arc<dyn LoadedModule>,
    /// The compiler's log; empty if it had nothing to say.
    pub log: String,
    /// How long compiling and loading took.
    pub time: Duration,
}

/// A module on a device.
pub trait LoadedModule: fmt::Debug + Send + Sync {
    /// For the device to find its own type again.
    fn as_any(&self) -> &dyn Any;
}

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct LaunchRequest<'a> {
    /// The module.
    pub module: &'a dyn LoadedModule,
    /// The entry's name.
    pub entry: &'a str,
    /// Blocks.
    pub workers: u32,
    /// Threads of a block.
    pub lanes: u32,
    /// Arguments: the entry's 64-bit parameters.
    pub args: &'a [u64],
    /// Whether the entry is a persistent one: all blocks are resident, and sleepers park.
    pub persistent: bool,
    /// How long the thread of a sleeping worker watches for its doorbell before it waits in the operating system's kernel.
    /// Devices that have no such threads, or no doorbells, do nothing with it.
    pub spin: Duration,
}

/// Memory of a device, given back on drop.
///
/// # Safety
/// The runtime turns what an implementation says into references. As long as the allocation lives, [`address`] names
/// [`len`] bytes of the device's memory that nothing else owns; [`host_ptr`], if there is one, is valid for reads and
/// writes of [`len`] bytes that were zeroed; none of the three ever changes.
///
/// [`address`]: Allocation::address
/// [`len`]: Allocation::len
/// [`host_ptr`]: Allocation::host_ptr
pub unsafe trait Allocation: fmt::Debug + Send + Sync {
    /// The device's address.
    fn address(&self) -> u64;
    /// Bytes.
    fn len(&self) -> usize;
    /// Whether it holds no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The host's address of the same memory, for memory that both sides reach.
    fn host_ptr(&self) -> Option<NonNull<u8>>;
}

/// What [`Launched::assist`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assist {
    /// Nothing: the device cannot, or the worker does not sleep. It may need its doorbell.
    No,
    /// The worker ran on the calling thread, and sleeps again or goes on by itself.
    Done {
        /// It gave the host a signal meanwhile. [`Launched::wait_event`] was not woken for it: the caller acts on it, or passes it
        /// on by [`Launched::signal_host`].
        signalled: bool,
    },
}

/// How a launch stands.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchStatus {
    /// It runs.
    Running,
    /// It came to its end.
    Finished,
    /// It was aborted.
    Aborted,
    /// The device failed.
    Failed(DeviceError),
}

/// A launch. Dropping it aborts it and waits until the device has left it; where it [cannot be aborted](Self::can_abort), for
/// some seconds, and what it uses is then never given back while it runs.
pub trait Launched: fmt::Debug + Send + Sync {
    /// How it stands.
    fn poll(&self) -> LaunchStatus;
    /// Waits for the end, at most for `timeout`.
    fn wait(&self, timeout: Option<Duration>) -> LaunchStatus;
    /// Ends it as soon as the device can; the state that it was working on is lost. A launch that [cannot](Self::can_abort) be
    /// ended from outside goes on: whoever launched it tells the kernel to end, and says that it is of no use any more by this.
    fn abort(&self);
    /// Whether [`abort`](Self::abort) ends a kernel that does nothing towards it. CUDA cannot.
    fn can_abort(&self) -> bool {
        true
    }
    /// Whether the device rings: signals of the kernel end [`wait_event`](Self::wait_event), and [`doorbell`](Self::doorbell)
    /// wakes a worker. Where not, both sides look for themselves.
    fn has_events(&self) -> bool {
        true
    }
    /// Wakes a sleeping worker.
    fn doorbell(&self, worker: u32);
    /// Runs a sleeping worker on the calling thread until it sleeps again, where the device can; not for long, and blocking on
    /// nothing. A worker that does not sleep, or was woken, runs by itself. No doorbell is lost by it.
    fn assist(&self, worker: u32) -> Assist {
        let _ = worker;
        Assist::No
    }
    /// Waits for a signal of the device (or of [`signal_host`](Self::signal_host)), at most for `timeout`. A signal given
    /// before the wait is not lost. Returns at the end of the launch as well.
    fn wait_event(&self, timeout: Option<Duration>);
    /// Wakes the thread in [`wait_event`](Self::wait_event), from the host.
    fn signal_host(&self);
}
