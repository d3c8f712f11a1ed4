//! A machine with several virtual devices and one driver.
//!
//! Rule kept here: everything about a platform is configuration, and a configuration can be said as text, so that an
//! environment variable can say it.

mod parse;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::device::{Device, DeviceConfig};
use crate::error::Error;
use crate::fabric::{Fabric, Link, Links, Traffic};
use crate::fault::{FaultPlan, Faults};
use crate::memory::Memory;
use crate::version::Version;

pub use parse::PlatformError;
pub(crate) use parse::number;

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
/// | `links=<link>` | what connects all devices: `nvlink`, `pcie` or `none`; default `pcie` |
/// | `link=<a>-<b>:<link>` | what connects two of them, such as `link=0-1:nvlink` |
/// | `seed=<n>` | decides what [faults](crate::FaultPlan) leave to chance |
/// | `name=<text>` | the devices' name |
/// | `memory=<n>` | memory of each, in bytes or with `K`, `M`, `G` after the number (powers of 1024) |
/// | `sms=<n>` | multiprocessors of each |
/// | `stack=<n>` | bytes of stack of a lane |
/// | `cc=<major>.<minor>` | compute capability of each |
/// | `fast`, `checked`, `deterministic:<seed>` | the [mode](crate::Mode) of each; the last two combine |
/// | `managed`, `atomics`, `cooperative`, `mapped`, `pools`, `watchdog`, `ecc` | `=yes` or `=no`: the [features](crate::Features) of each |
/// | `fault=<kind>:<when>` | a [fault](crate::FaultKind) on each, as often as there are faults |
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
    /// What connects the devices. Default: PCI Express.
    pub links: Links,
    /// What goes wrong. Default: nothing.
    pub faults: FaultPlan,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        PlatformConfig {
            devices: vec![DeviceConfig::default()],
            driver_version: Version::new(13, 5),
            links: Links::default(),
            faults: FaultPlan::default(),
        }
    }
}

/// The allocation that holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The number of the device whose memory it is.
    pub device: usize,
    /// Its first address.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Whether it is [`MappedMemory`](crate::MappedMemory).
    pub mapped: bool,
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
    fabric: Arc<Fabric>,
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
        if let Some(index) = config.links.highest().filter(|index| *index >= config.devices.len()) {
            let reason = format!("a link to device {index}, the platform has {}", config.devices.len());
            return Err(Error::InvalidConfig { reason });
        }
        if let Some(index) = config.faults.faults.iter().filter_map(|fault| fault.device).max()
            && index >= config.devices.len()
        {
            let reason = format!("a fault of device {index}, the platform has {}", config.devices.len());
            return Err(Error::InvalidConfig { reason });
        }
        let epoch = Arc::new(AtomicU64::new(0));
        let memory = |device: &DeviceConfig| {
            Arc::new(Memory::new(device.memory, device.mode.checked, Arc::clone(&epoch)))
        };
        let memories = config.devices.iter().map(memory).collect();
        let faults = |(index, device): (usize, &DeviceConfig)| {
            Arc::new(Faults::new(&config.faults, index, &device.name))
        };
        let faults: Vec<Arc<Faults>> = config.devices.iter().enumerate().map(faults).collect();
        let fabric = Arc::new(Fabric::new(memories, config.links, faults.clone(), Arc::clone(&epoch)));
        let driver_version = config.driver_version;
        let devices = config.devices.into_iter().zip(&faults).enumerate();
        let devices = devices
            .map(|(index, (config, faults))| Device::new(config, index, driver_version, &fabric, faults))
            .collect::<Result<_, _>>()?;
        Ok(Platform { inner: Arc::new(Inner { devices, driver_version, fabric }) })
    }

    /// The devices, by number.
    pub fn devices(&self) -> &[Device] {
        &self.inner.devices
    }

    /// The CUDA version of the driver.
    pub fn driver_version(&self) -> Version {
        self.inner.driver_version
    }

    /// What connects two devices. A device is no peer of itself, and neither is a number that no device has.
    pub fn link(&self, a: usize, b: usize) -> Link {
        self.inner.fabric.link(a, b)
    }

    /// Lets kernels of device `from` touch memory of device `to`. It is for one direction.
    ///
    /// A [checked](crate::Mode::checked) device refuses such accesses without it. In the fast mode they work all the same, since device
    /// addresses are host addresses; what the call does there is to keep `to`'s memory while kernels of `from` run, as with its own.
    /// [Mapped](Device::alloc_mapped) memory is for all devices without it.
    ///
    /// ```
    /// use soft_gpu::{Error, Platform};
    ///
    /// let platform = Platform::new("devices=2,links=nvlink".parse()?)?;
    /// platform.enable_peer(0, 1)?;
    /// assert!(platform.peer_enabled(0, 1) && !platform.peer_enabled(1, 0));
    /// assert_eq!(platform.enable_peer(0, 1), Err(Error::PeerAlreadyEnabled { from: 0, to: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PeerNotSupported`] where no link allows it, [`Error::PeerAlreadyEnabled`], [`Error::NoSuchDevice`],
    /// [`Error::DeviceLost`] and [`Error::Sticky`] where either device has broken down.
    pub fn enable_peer(&self, from: usize, to: usize) -> Result<(), Error> {
        self.inner.fabric.enable(from, to)
    }

    /// Takes back what [`enable_peer`](Self::enable_peer) gave. Checked kernels that run notice at their next access.
    ///
    /// # Errors
    ///
    /// [`Error::PeerNotEnabled`], [`Error::NoSuchDevice`].
    pub fn disable_peer(&self, from: usize, to: usize) -> Result<(), Error> {
        self.inner.fabric.disable(from, to)
    }

    /// Whether kernels of device `from` may touch memory of device `to`.
    pub fn peer_enabled(&self, from: usize, to: usize) -> bool {
        self.inner.fabric.is_enabled(from, to)
    }

    /// Copies `bytes` from address `src` of device `from` to address `dst` of device `to`, which may be the same. It needs no peer
    /// access; without it, bytes count as gone through the host. A running kernel may see part of the copy before the rest.
    ///
    /// ```
    /// use soft_gpu::Platform;
    ///
    /// let platform = Platform::new("devices=2".parse()?)?;
    /// let [first, second] = platform.devices() else { panic!("there are two") };
    /// let (source, target) = (first.alloc(3)?, second.alloc(3)?);
    /// first.copy_to_device(source.address(), b"abc")?;
    /// platform.copy_peer(1, target.address(), 0, source.address(), 3)?;
    /// let mut text = [0; 3];
    /// second.copy_from_device(&mut text, target.address())?;
    /// assert_eq!((&text, platform.traffic(0, 1).bytes), (b"abc", 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`] where a range is not inside one live allocation of its device, [`Error::NoSuchDevice`],
    /// [`Error::CopyFailed`] where the fault plan says so, [`Error::DeviceLost`] and [`Error::Sticky`] where either device has broken
    /// down. Nothing has been copied then.
    pub fn copy_peer(&self, to: usize, dst: u64, from: usize, src: u64, bytes: usize) -> Result<(), Error> {
        self.inner.fabric.copy((to, dst), (from, src), bytes)
    }

    /// What [`copy_peer`](Self::copy_peer) has brought from one device to another.
    pub fn traffic(&self, from: usize, to: usize) -> Traffic {
        self.inner.fabric.traffic(from, to)
    }

    /// The live allocation that holds an address, of whichever device.
    pub fn find(&self, address: u64) -> Option<Found> {
        let (device, start, len, mapped) = self.inner.fabric.find(address)?;
        Some(Found { device, start, len, mapped })
    }
}
