//! The seam's implementation over `soft-gpu`: the same PTX, on CPU threads.
//!
//! Rule kept here: nothing of actors. A device of its own costs little, so every system opens one by default and its
//! memory accounting is its own; compiled modules are code alone and run on any of them that has the same mode.

use std::any::Any;
use std::ffi::OsString;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernels_ptx::module::VerifiedModule;

use super::{
    Allocation, Assist, Device, DeviceError, DeviceInfo, DeviceKind, Driver, LaunchRequest, LaunchStatus,
    Launched, LoadReport, LoadedModule, MemoryInfo, MemoryKind,
};

pub use soft_gpu::{DeviceConfig as SoftConfig, Mode as SoftMode, Schedule as SoftSchedule};

/// The environment variable that overrides the mode of every software GPU that the runtime opens: `fast`, `checked`,
/// `deterministic:<seed>`, or `checked,deterministic:<seed>`. Empty is as good as not set.
///
/// The whole of a test suite runs in another mode by it. What really runs is part of [`DeviceInfo::name`].
pub const SOFT_VARIABLE: &str = "GPU_ACTOR_SOFT";

/// The mode that the environment demands, if it does.
fn demanded(value: Option<OsString>) -> Result<Option<SoftMode>, DeviceError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.to_string_lossy();
    value.parse().map(Some).map_err(|source| DeviceError::Environment {
        variable: SOFT_VARIABLE,
        value: value.into_owned(),
        source: Box::new(source),
    })
}

/// Software GPUs, as many as there are configurations.
///
/// ```
/// use gpu_actor_rt::device::{Device, Driver, soft::SoftDriver};
///
/// let driver = SoftDriver::default();
/// let device = driver.open(0)?;
/// assert_eq!(device.info().name, "Software GPU");
/// assert!(driver.open(1).is_err());
/// # Ok::<(), gpu_actor_rt::device::DeviceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SoftDriver {
    devices: Vec<SoftConfig>,
}

impl SoftDriver {
    /// A driver with these devices.
    pub fn new(devices: Vec<SoftConfig>) -> Self {
        Self { devices }
    }
}

impl Default for SoftDriver {
    fn default() -> Self {
        Self::new(vec![SoftConfig::default()])
    }
}

impl Driver for SoftDriver {
    fn name(&self) -> &'static str {
        "soft-gpu"
    }

    fn count(&self) -> usize {
        self.devices.len()
    }

    fn open(&self, index: usize) -> Result<Arc<dyn Device>, DeviceError> {
        let config = self.devices.get(index).ok_or_else(|| DeviceError::NoDevice {
            driver: self.name().into(),
            index,
            count: self.devices.len(),
        })?;
        Ok(Arc::new(Soft::open(config)?))
    }
}

/// A software GPU.
#[derive(Debug)]
pub struct Soft {
    device: soft_gpu::Device,
}

impl Soft {
    /// Opens a device of its own, in the mode of `config` unless [`SOFT_VARIABLE`] demands another.
    ///
    /// ```
    /// use gpu_actor_rt::device::{Device, soft::{Soft, SoftConfig, SoftMode}};
    ///
    /// let device = Soft::open(&SoftConfig { mode: SoftMode::checked(), ..SoftConfig::default() })?;
    /// # if std::env::var_os("GPU_ACTOR_SOFT").is_none() {
    /// assert_eq!(device.info().name, "Software GPU (checked)");
    /// # }
    /// # Ok::<(), gpu_actor_rt::device::DeviceError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DeviceError::Environment`] where the variable names no mode, [`DeviceError::Failed`] where the configuration makes no
    /// sense.
    pub fn open(config: &SoftConfig) -> Result<Self, DeviceError> {
        let mut config = config.clone();
        if let Some(mode) = demanded(std::env::var_os(SOFT_VARIABLE))? {
            config.mode = mode;
        }
        let device = soft_gpu::Device::open(config.clone())
            .map_err(|error| failed(&config.name, "opening the device", error))?;
        Ok(Self { device })
    }

    /// A device that is there already: one of a [platform](soft_gpu::Platform), say.
    ///
    /// ```
    /// use gpu_actor_rt::device::{Device, soft::Soft};
    ///
    /// let platform = soft_gpu::Platform::new("devices=2,1.memory=64M".parse()?)?;
    /// let second = Soft::over(platform.devices()[1].clone());
    /// assert_eq!(second.info().memory, 64 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn over(device: soft_gpu::Device) -> Self {
        Self { device }
    }

    fn failed(
        &self,
        action: impl Into<String>,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> DeviceError {
        failed(&self.device.properties().name, action, error)
    }
}

fn failed(
    device: &str,
    action: impl Into<String>,
    error: impl std::error::Error + Send + Sync + 'static,
) -> DeviceError {
    DeviceError::Failed { device: device.into(), action: action.into(), source: Box::new(error) }
}

impl Device for Soft {
    fn info(&self) -> DeviceInfo {
        let properties = self.device.properties();
        DeviceInfo {
            name: if properties.mode == SoftMode::default() {
                properties.name.clone()
            } else {
                format!("{} ({})", properties.name, properties.mode)
            },
            kind: DeviceKind::Soft,
            hardware: false,
            driver: "soft-gpu".into(),
            memory: properties.total_memory,
            multiprocessors: properties.multiprocessors,
            max_resident_blocks: properties.max_cooperative_blocks,
        }
    }

    fn memory_info(&self) -> Result<MemoryInfo, DeviceError> {
        let info = self.device.memory_info();
        Ok(MemoryInfo { free: info.free, total: info.total })
    }

    fn accepts(&self, module: &dyn LoadedModule) -> bool {
        module.as_any().downcast_ref::<SoftModule>().is_some_and(|module| self.device.accepts(&module.0))
    }

    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError> {
        let begun = Instant::now();
        let module =
            self.device.load_ptx(module.ptx()).map_err(|error| self.failed("compiling the module", error))?;
        Ok(LoadReport { module: Arc::new(SoftModule(module)), log: String::new(), time: begun.elapsed() })
    }

    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError> {
        let failed = |error| match error {
            soft_gpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory {
                device: self.device.properties().name.clone(),
                bytes: bytes as u64,
                source: Box::new(error),
            },
            error => self.failed(format!("allocating {bytes} bytes"), error),
        };
        Ok(match kind {
            MemoryKind::Device => Box::new(SoftMemory(self.device.alloc(bytes).map_err(failed)?)),
            // One memory for host and device: there is nothing to migrate.
            MemoryKind::Mapped | MemoryKind::Unified => {
                Box::new(SoftMapped(self.device.alloc_mapped(bytes).map_err(failed)?))
            }
        })
    }

    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.device
            .copy_to_device(address, bytes)
            .map_err(|error| self.failed(format!("copying {} bytes to the device", bytes.len()), error))
    }

    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError> {
        let len = bytes.len();
        self.device
            .copy_from_device(bytes, address)
            .map_err(|error| self.failed(format!("copying {len} bytes from the device"), error))
    }

    fn has_bells(&self) -> bool {
        true
    }

    fn timer(&self) -> Result<u64, DeviceError> {
        // `%globaltimer` of the software GPU is the host's wall clock.
        Ok(crate::hlc::now())
    }

    unsafe fn launch(&self, request: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError> {
        let module = request.module.as_any().downcast_ref::<SoftModule>().ok_or_else(|| {
            DeviceError::Foreign { device: self.device.properties().name.clone(), what: "the module" }
        })?;
        let failed = |error| self.failed(format!("launching {}", request.entry), error);
        let function = module.0.function(request.entry).map_err(failed)?;
        let config = soft_gpu::LaunchConfig::new(request.workers, request.lanes)
            .cooperative(request.persistent)
            .park_sleepers(request.persistent)
            .spin(request.spin);
        let args: Vec<_> = request.args.iter().map(|arg| soft_gpu::Arg::U64(*arg)).collect();
        // SAFETY: the caller vouches for the arguments, as this method's contract asks.
        let launch = unsafe { self.device.launch(&function, &config, &args) }.map_err(failed)?;
        Ok(Box::new(SoftLaunch { launch, device: self.device.properties().name.clone() }))
    }
}

#[derive(Debug)]
struct SoftModule(soft_gpu::Module);

impl LoadedModule for SoftModule {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct SoftMemory(soft_gpu::DeviceMemory);

// SAFETY: soft-gpu owns the memory by this handle, zeroes it, and neither moves nor shrinks it.
unsafe impl Allocation for SoftMemory {
    fn address(&self) -> u64 {
        self.0.address()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn host_ptr(&self) -> Option<NonNull<u8>> {
        None
    }
}

#[derive(Debug)]
struct SoftMapped(soft_gpu::MappedMemory);

// SAFETY: as above; host and device address are the same memory.
unsafe impl Allocation for SoftMapped {
    fn address(&self) -> u64 {
        self.0.address()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn host_ptr(&self) -> Option<NonNull<u8>> {
        Some(self.0.host_ptr())
    }
}

#[derive(Debug)]
struct SoftLaunch {
    launch: soft_gpu::Launch,
    device: String,
}

impl SoftLaunch {
    fn status(&self, status: soft_gpu::Status) -> LaunchStatus {
        match status {
            soft_gpu::Status::Running => LaunchStatus::Running,
            soft_gpu::Status::Finished => LaunchStatus::Finished,
            soft_gpu::Status::Aborted => LaunchStatus::Aborted,
            soft_gpu::Status::Failed(error) => {
                LaunchStatus::Failed(failed(&self.device, "running the kernel", error))
            }
        }
    }
}

impl Launched for SoftLaunch {
    fn poll(&self) -> LaunchStatus {
        self.status(self.launch.poll())
    }

    fn wait(&self, timeout: Option<Duration>) -> LaunchStatus {
        self.status(self.launch.wait(timeout))
    }

    fn abort(&self) {
        self.launch.abort();
    }

    fn doorbell(&self, worker: u32) {
        self.launch.doorbell(worker);
    }

    fn assist(&self, worker: u32) -> Assist {
        match self.launch.assist(worker) {
            Some(assisted) => Assist::Done { signalled: assisted.signalled },
            None => Assist::No,
        }
    }

    fn wait_event(&self, timeout: Option<Duration>) {
        self.launch.wait_event(timeout);
    }

    fn signal_host(&self) {
        self.launch.signal_host();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_memory_has_an_error_of_its_own() {
        let device = Soft::open(&SoftConfig { memory: 1 << 20, ..SoftConfig::default() }).unwrap();
        for kind in [MemoryKind::Device, MemoryKind::Mapped, MemoryKind::Unified] {
            let refused = device.alloc(kind, (1 << 20) + 1).unwrap_err();
            assert!(matches!(refused, DeviceError::OutOfMemory { bytes: 1_048_577, .. }), "{refused:?}");
        }
        assert!(matches!(device.alloc(MemoryKind::Device, 0), Err(DeviceError::Failed { .. })));
    }

    #[test]
    fn the_environment_demands_a_mode_or_is_told_what_is_wrong() {
        let demand = |value: &str| demanded(Some(value.into()));
        assert!(matches!(demanded(None), Ok(None)));
        assert!(matches!(demand(""), Ok(None)));
        let both = SoftMode { checked: true, ..SoftMode::deterministic(7) };
        assert_eq!(demand("checked,deterministic:7").unwrap(), Some(both));
        let error = demand("deterministic:seven").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("GPU_ACTOR_SOFT") && text.contains("deterministic:seven"), "{text}");
    }
}
