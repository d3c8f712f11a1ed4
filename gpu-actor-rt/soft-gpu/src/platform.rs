//! A machine with several virtual devices and one driver.
//!
//! Rule kept here: everything about a platform is configuration, and a configuration can be said as text, so that an
//! environment variable can say it.

mod parse;

use std::sync::Arc;

use crate::device::{Device, DeviceConfig};
use crate::error::Error;
use crate::version::Version;

pub use parse::PlatformError;

/// Most devices of a platform.
pub const MAX_DEVICES: usize = 64;

/// What a platform should be like.
///
/// As text it is a list of settings with commas between them; spaces around them do not matter, and what is not said
/// has its default:
///
/// | Setting | Meaning |
/// |---|---|
/// | `devices=<n>` | so many devices, at most 64; default 1 |
/// | `driver=<major>.<minor>` | the CUDA version of the driver |
/// | `name=<text>` | the devices' name |
/// | `memory=<n>` | memory of each, in bytes or with `K`, `M`, `G` after the number (powers of 1024) |
/// | `sms=<n>` | multiprocessors of each |
/// | `stack=<n>` | bytes of stack of a lane |
/// | `cc=<major>.<minor>` | compute capability of each |
/// | `fast`, `checked`, `deterministic:<seed>` | the [mode](crate::Mode) of each; the last two combine |
/// | `managed`, `atomics`, `cooperative`, `mapped`, `pools`, `watchdog`, `ecc` | `=yes` or `=no`: the [features](crate::Features) of each |
///
/// A setting of a device may be said for one alone by its number in front: `1.memory=64M`.
///
/// ```
/// use soft_gpu::{PlatformConfig, Version};
///
/// let config: PlatformConfig = "devices=2, memory=1G, checked, 1.cc=9.0, driver=12.8".parse()?;
/// assert_eq!(config.devices.len(), 2);
/// assert_eq!(config.devices[0].memory, 1 << 30);
/// assert_eq!(config.devices[1].compute_capability, Version::new(9, 0));
/// assert_eq!(config.driver_version, Version::new(12, 8));
///
/// let error = "memory=lots".parse::<PlatformConfig>().unwrap_err();
/// assert_eq!(error.part, "memory=lots");
/// # Ok::<(), soft_gpu::PlatformError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformConfig {
    /// The devices. Default: one. There may be none, as on a machine whose cards have all fallen off the bus.
    pub devices: Vec<DeviceConfig>,
    /// The CUDA version of the driver, which decides what PTX it takes. Default: 13.5, whose PTX 9.5 is the newest that this crate
    /// was tested on.
    pub driver_version: Version,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        PlatformConfig { devices: vec![DeviceConfig::default()], driver_version: Version::new(13, 5) }
    }
}

/// Several virtual devices and what connects them. Cheap to clone: clones are the same platform.
///
/// ```
/// use soft_gpu::Platform;
///
/// let platform = Platform::new("devices=2,memory=64M".parse()?)?;
/// let [first, second] = platform.devices() else { panic!("there are two") };
/// let _memory = first.alloc(1 << 20)?;
/// assert_eq!(first.memory_info().free, 63 << 20);
/// assert_eq!(second.memory_info().free, 64 << 20, "each has its own");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    devices: Vec<Device>,
    driver_version: Version,
}

impl Platform {
    /// Makes a platform with these devices; every call makes another one, and a device belongs to one platform.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] where the configuration makes no sense.
    pub fn new(config: PlatformConfig) -> Result<Platform, Error> {
        if config.devices.len() > MAX_DEVICES {
            let reason = format!("{} devices, a platform has at most {MAX_DEVICES}", config.devices.len());
            return Err(Error::InvalidConfig { reason });
        }
        let driver_version = config.driver_version;
        let devices = config.devices.into_iter().enumerate();
        let devices = devices
            .map(|(index, config)| Device::new(config, index, driver_version))
            .collect::<Result<_, _>>()?;
        Ok(Platform { inner: Arc::new(Inner { devices, driver_version }) })
    }

    /// The devices, by number.
    pub fn devices(&self) -> &[Device] {
        &self.inner.devices
    }

    /// The CUDA version of the driver.
    pub fn driver_version(&self) -> Version {
        self.inner.driver_version
    }
}
