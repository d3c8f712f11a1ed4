//! The driver and what it says of its devices, before one is opened.
//!
//! Rules kept here: `cust` is asked only after the same call has succeeded through [`ffi`](super::ffi), since its results are
//! a closed enum; nothing here needs a context, so nothing disturbs a kernel that runs.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::fmt;
use std::sync::Arc;

use soft_gpu_libcuda::Backend;

use super::error::{CudaError, CudaResult, NO_DEVICE, check, device_error};
use super::ffi::{self, Device as Ordinal};
use super::{CudaConfig, CudaDevice};
use crate::device::{Device, DeviceError, Driver};

/// The oldest driver that will do: memory pools and UUIDs are of CUDA 11.4.
pub(super) const OLDEST_DRIVER: i32 = 11_040;
/// The oldest devices that will do: the ring kernel is PTX for sm_70, whose lanes make progress of their own.
const OLDEST_DEVICE: (u32, u32) = (7, 0);

/// The CUDA driver of this process.
///
/// Who answers behind the driver API is decided once per process: the vendor's library, or the software GPU where the
/// program or the environment asks for it (see the crate `soft-gpu-libcuda`). [`hardware`](Self::hardware) tells which.
///
/// ```
/// use gpu_actor_rt::device::{Driver, cuda::CudaDriver};
///
/// match CudaDriver::new() {
///     Ok(driver) => {
///         for index in 0..driver.count() {
///             let gpu = driver.properties(index)?;
///             println!("{}: {}, {} multiprocessors", gpu.pci, gpu.name, gpu.multiprocessors);
///         }
///     }
///     Err(error) => println!("{error}"), // no driver, no device, no permission, too old: it says which
/// }
/// # Ok::<(), gpu_actor_rt::device::DeviceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CudaDriver {
    name: String,
    version: i32,
    count: usize,
    hardware: bool,
}

impl CudaDriver {
    /// Starts the driver.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoCuda`] where there is no driver or no device that this process sees, [`DeviceError::TooOld`] where the
    /// driver is older than CUDA 11.4, [`DeviceError::NotPermitted`] and [`DeviceError::Failed`] where it does not start.
    pub fn new() -> Result<Self, DeviceError> {
        let backend = soft_gpu_libcuda::backend();
        // SAFETY: no pointers.
        let started = check("cuInit", unsafe { ffi::cuInit(0) });
        started.map_err(|error| start_error(error, &backend))?;
        // The same call once more, which cannot fail any more: cust shall know.
        cust::init(cust::CudaFlags::empty())
            .map_err(|_| start_error(CudaError::new("cuInit", 999), &backend))?;
        let mut version = 0;
        // SAFETY: the pointer is to an int.
        check("cuDriverGetVersion", unsafe { ffi::cuDriverGetVersion(&raw mut version) })
            .map_err(|error| start_error(error, &backend))?;
        let (hardware, whose) = match &backend {
            Backend::Vendor { path } => (true, format!("vendor's {}", path.display())),
            Backend::Soft => (false, "software GPU".into()),
            other => (false, other.to_string()),
        };
        let name = format!("CUDA {} ({whose})", version_text(version));
        if version < OLDEST_DRIVER {
            return Err(DeviceError::TooOld {
                device: name,
                what: "the driver's CUDA version",
                found: version_text(version),
                needed: version_text(OLDEST_DRIVER),
                remedy: "install a newer NVIDIA driver",
            });
        }
        let mut count = 0;
        // SAFETY: the pointer is to an int.
        check("cuDeviceGetCount", unsafe { ffi::cuDeviceGetCount(&raw mut count) })
            .map_err(|error| start_error(error, &backend))?;
        if count <= 0 {
            return Err(no_device("the driver shows no device"));
        }
        Ok(Self { name, version, count: count as usize, hardware })
    }

    /// Whether the vendor's driver answers. Otherwise everything here runs on the software GPU.
    pub fn hardware(&self) -> bool {
        self.hardware
    }

    /// The newest CUDA version that the driver knows: major and minor.
    pub fn version(&self) -> (u32, u32) {
        (self.version as u32 / 1000, self.version as u32 % 1000 / 10)
    }

    /// What a device is. Opens nothing and disturbs nothing.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDevice`], or whatever the driver says.
    pub fn properties(&self, index: usize) -> Result<CudaProperties, DeviceError> {
        let device = self.device(index)?;
        CudaProperties::read(device, self)
            .map_err(|error| device_error(&format!("CUDA device {index}"), "reading its properties", error))
    }

    /// How device `a` reaches device `b`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDevice`], or whatever the driver says.
    pub fn peer(&self, a: usize, b: usize) -> Result<Peer, DeviceError> {
        let (from, to) = (self.device(a)?, self.device(b)?);
        let failed = |error| {
            device_error(&format!("CUDA device {a}"), format!("asking for the way to device {b}"), error)
        };
        let mut access = 0;
        // SAFETY: the pointer is to an int.
        check("cuDeviceCanAccessPeer", unsafe { ffi::cuDeviceCanAccessPeer(&raw mut access, from, to) })
            .map_err(failed)?;
        let attribute = |attribute: c_uint| {
            let mut value = 0;
            // SAFETY: the pointer is to an int.
            let code = unsafe { ffi::cuDeviceGetP2PAttribute(&raw mut value, attribute, from, to) };
            check("cuDeviceGetP2PAttribute", code).map(|()| value)
        };
        Ok(Peer {
            access: access != 0,
            rank: attribute(ffi::CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK).map_err(failed)?,
            native_atomics: attribute(ffi::CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED)
                .map_err(failed)?
                != 0,
        })
    }

    /// Opens a device with options.
    ///
    /// # Errors
    ///
    /// As [`Driver::open`].
    pub fn open_with(&self, config: &CudaConfig) -> Result<CudaDevice, DeviceError> {
        let properties = self.properties(config.index)?;
        let found = properties.compute_capability;
        if found < OLDEST_DEVICE {
            return Err(DeviceError::TooOld {
                device: properties.name,
                what: "the device's compute capability",
                found: format!("{}.{}", found.0, found.1),
                needed: format!("{}.{}", OLDEST_DEVICE.0, OLDEST_DEVICE.1),
                remedy: "use a device of the Volta generation or later",
            });
        }
        CudaDevice::open(self.device(config.index)?, properties, self, config)
    }

    fn device(&self, index: usize) -> Result<Ordinal, DeviceError> {
        if index >= self.count {
            return Err(DeviceError::NoDevice { driver: self.name.clone(), index, count: self.count });
        }
        let mut device = 0;
        // SAFETY: the pointer is to a device's number.
        check("cuDeviceGet", unsafe { ffi::cuDeviceGet(&raw mut device, index as c_int) })
            .map_err(|error| device_error(&format!("CUDA device {index}"), "finding the device", error))?;
        Ok(device)
    }
}

impl Driver for CudaDriver {
    fn name(&self) -> &str {
        &self.name
    }

    fn count(&self) -> usize {
        self.count
    }

    fn open(&self, index: usize) -> Result<Arc<dyn Device>, DeviceError> {
        Ok(Arc::new(self.open_with(&CudaConfig::index(index))?))
    }
}

/// The driver did not start.
fn start_error(error: CudaError, backend: &Backend) -> DeviceError {
    match backend {
        _ if error.code() != NO_DEVICE => device_error("the CUDA driver", "starting it", error),
        Backend::None { why } => no_device(why),
        _ => no_device(&error.to_string()),
    }
}

fn no_device(why: &str) -> DeviceError {
    let hidden = std::env::var_os("CUDA_VISIBLE_DEVICES")
        .map(|visible| format!(", and CUDA_VISIBLE_DEVICES is {:?}", visible.to_string_lossy()))
        .unwrap_or_default();
    DeviceError::NoCuda { why: format!("{why}{hidden}") }
}

fn version_text(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// The device as cust has it.
pub(super) fn cust_device(device: Ordinal) -> CudaResult<cust::device::Device> {
    // `cuDeviceGet` with this ordinal has just succeeded.
    cust::device::Device::get_device(device as u32)
        .map_err(|error| CudaError::new("cuDeviceGet", error as u32))
}

/// What a CUDA device is, by the driver's word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaProperties {
    /// Its name.
    pub name: String,
    /// Its UUID, as `nvidia-smi -L` shows it.
    pub uuid: String,
    /// Its PCI address: domain, bus, device, function.
    pub pci: String,
    /// Compute capability: major, minor.
    pub compute_capability: (u32, u32),
    /// The newest CUDA version that its driver knows: major, minor.
    pub driver_version: (u32, u32),
    /// Whether the vendor's driver answers, and not the software GPU.
    pub hardware: bool,
    /// Memory in bytes.
    pub memory: u64,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Lanes of a warp.
    pub warp_size: u32,
    /// Threads that a block may have.
    pub max_threads_per_block: u32,
    /// Threads that a multiprocessor holds.
    pub max_threads_per_multiprocessor: u32,
    /// Blocks that a multiprocessor holds.
    pub max_blocks_per_multiprocessor: u32,
    /// 32-bit registers of a multiprocessor.
    pub registers_per_multiprocessor: u32,
    /// Bytes of shared memory of a multiprocessor.
    pub shared_memory_per_multiprocessor: u32,
    /// Bytes of its L2 cache.
    pub l2_cache: u32,
    /// Clock in kHz.
    pub clock_khz: u32,
    /// Clock of its memory in kHz.
    pub memory_clock_khz: u32,
    /// Copy engines.
    pub copy_engines: u32,
    /// Who may use it: 0 everybody, 2 nobody, 3 one process.
    pub compute_mode: u32,
    /// Whether a watchdog ends kernels that run for seconds: a persistent kernel then needs slices.
    pub watchdog: bool,
    /// Whether all blocks of a launch can be resident for certain.
    pub cooperative_launch: bool,
    /// Whether kernels run side by side.
    pub concurrent_kernels: bool,
    /// Whether a kernel can be interrupted for another context.
    pub compute_preemption: bool,
    /// Whether kernels reach pinned host memory: rings need it.
    pub mapped_host_memory: bool,
    /// Whether host and device share one address space.
    pub unified_addressing: bool,
    /// Whether there is managed memory.
    pub managed_memory: bool,
    /// Whether the host may touch managed memory while a kernel runs.
    pub concurrent_managed_access: bool,
    /// Whether the host reaches managed memory on the device without moving it.
    pub direct_managed_access: bool,
    /// Whether kernels reach memory of `malloc`.
    pub pageable_memory_access: bool,
    /// Whether atomics on host memory are native on the link.
    pub host_native_atomics: bool,
    /// Whether memory can be allocated in a stream's order: beside a running kernel.
    pub memory_pools: bool,
    /// Whether others reach its memory over PCIe.
    pub gpu_direct_rdma: bool,
    /// Whether it is part of the host's chip.
    pub integrated: bool,
    /// Whether its memory corrects errors.
    pub ecc: bool,
    /// Whether it has Windows' driver model for compute.
    pub tcc: bool,
}

impl CudaProperties {
    fn read(device: Ordinal, driver: &CudaDriver) -> CudaResult<Self> {
        let attribute = |attribute: c_uint| -> CudaResult<u32> {
            let mut value = 0;
            // SAFETY: the pointer is to an int.
            let code = unsafe { ffi::cuDeviceGetAttribute(&raw mut value, attribute, device) };
            check("cuDeviceGetAttribute", code).map(|()| value.max(0) as u32)
        };
        let flag = |which| attribute(which).map(|value| value != 0);
        // What a driver of an older version does not know, the device does not have.
        let newer = |which| attribute(which).unwrap_or(0);
        let mut memory = 0;
        // SAFETY: the pointer is to a size.
        check("cuDeviceTotalMem", unsafe { ffi::cuDeviceTotalMem_v2(&raw mut memory, device) })?;
        Ok(Self {
            name: name(device)?,
            uuid: uuid(device)?,
            pci: pci(device)?,
            compute_capability: (
                attribute(ffi::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(ffi::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            driver_version: driver.version(),
            hardware: driver.hardware,
            memory: memory as u64,
            multiprocessors: attribute(ffi::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            warp_size: attribute(ffi::CU_DEVICE_ATTRIBUTE_WARP_SIZE)?,
            max_threads_per_block: attribute(ffi::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            max_threads_per_multiprocessor: attribute(
                ffi::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
            )?,
            max_blocks_per_multiprocessor: attribute(ffi::CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR)?,
            registers_per_multiprocessor: attribute(
                ffi::CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR,
            )?,
            shared_memory_per_multiprocessor: attribute(
                ffi::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
            )?,
            l2_cache: newer(ffi::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
            clock_khz: newer(ffi::CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
            memory_clock_khz: newer(ffi::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE),
            copy_engines: attribute(ffi::CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT)?,
            compute_mode: attribute(ffi::CU_DEVICE_ATTRIBUTE_COMPUTE_MODE)?,
            watchdog: flag(ffi::CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT)?,
            cooperative_launch: flag(ffi::CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)?,
            concurrent_kernels: flag(ffi::CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS)?,
            compute_preemption: flag(ffi::CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED)?,
            mapped_host_memory: flag(ffi::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY)?,
            unified_addressing: flag(ffi::CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING)?,
            managed_memory: flag(ffi::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY)?,
            concurrent_managed_access: flag(ffi::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS)?,
            direct_managed_access: newer(ffi::CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST) != 0,
            pageable_memory_access: flag(ffi::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS)?,
            host_native_atomics: flag(ffi::CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED)?,
            memory_pools: newer(ffi::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0,
            gpu_direct_rdma: newer(ffi::CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED) != 0,
            integrated: flag(ffi::CU_DEVICE_ATTRIBUTE_INTEGRATED)?,
            ecc: flag(ffi::CU_DEVICE_ATTRIBUTE_ECC_ENABLED)?,
            tcc: flag(ffi::CU_DEVICE_ATTRIBUTE_TCC_DRIVER)?,
        })
    }
}

/// How one device reaches another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Whether its kernels can load from and store to the other's memory, once access is enabled.
    pub access: bool,
    /// The driver's ranking of the link; lower is faster. Of meaning only beside the ranks of other pairs.
    pub rank: i32,
    /// Whether atomics on the other's memory are native on the link.
    pub native_atomics: bool,
}

/// What a call that writes a text of at most `N - 1` bytes and a zero has written.
fn text<const N: usize>(
    call: &'static str,
    write: impl FnOnce(*mut c_char, c_int) -> u32,
) -> CudaResult<String> {
    let mut bytes = [0u8; N];
    // The driver ends the text with a zero; the last byte stays one whatever it does.
    check(call, write(bytes.as_mut_ptr().cast(), N as c_int - 1))?;
    Ok(CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default())
}

fn name(device: Ordinal) -> CudaResult<String> {
    // SAFETY: `text` gives room for that many bytes.
    text::<256>("cuDeviceGetName", |at, len| unsafe { ffi::cuDeviceGetName(at, len, device) })
}

fn uuid(device: Ordinal) -> CudaResult<String> {
    let mut uuid = [0; 16];
    // SAFETY: the pointer is to the 16 bytes of a `CUuuid`.
    check("cuDeviceGetUuid_v2", unsafe { ffi::cuDeviceGetUuid_v2(&raw mut uuid, device) })?;
    Ok(Uuid(uuid).to_string())
}

struct Uuid([u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GPU-")?;
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

fn pci(device: Ordinal) -> CudaResult<String> {
    // SAFETY: as above.
    text::<32>("cuDeviceGetPCIBusId", |at, len| unsafe { ffi::cuDeviceGetPCIBusId(at, len, device) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_nvidia_smi_writes_them() {
        let uuid = Uuid(std::array::from_fn(|at| at as u8));
        assert_eq!(uuid.to_string(), "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f");
        assert_eq!(version_text(12_080), "12.8");
    }
}
