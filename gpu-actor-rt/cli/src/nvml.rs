//! What NVIDIA's management library knows: driver, displays, modes, NVLinks and the way from card to card.
//!
//! Rules kept here: the library is looked for at run time and may be missing; what it does not say of a device is
//! unknown, never a guess. Devices are found again by their place on the PCI bus, which CUDA knows too.

use std::fmt;
use std::str::FromStr;

use nvml_wrapper::enum_wrappers::device::TopologyLevel;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

/// Most NVLinks of a device: `NVML_NVLINK_MAX_LINKS` of nvml.h.
const MAX_LINKS: u32 = 18;

/// A place on the PCI bus, the function left out: a GPU is function 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pci {
    pub(crate) domain: u32,
    pub(crate) bus: u32,
    pub(crate) device: u32,
}

impl fmt::Display for Pci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.0", self.domain, self.bus, self.device)
    }
}

/// A text that is no place on the PCI bus.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl FromStr for Pci {
    type Err = NoPlace;

    /// Reads `0000:65:00.0`; CUDA and NVML differ in the digits of the domain.
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let hex = |part: Option<&str>| u32::from_str_radix(part.ok_or(NoPlace)?, 16).map_err(|_| NoPlace);
        let mut parts = text.split([':', '.']);
        let place = Self { domain: hex(parts.next())?, bus: hex(parts.next())?, device: hex(parts.next())? };
        // The function.
        hex(parts.next())?;
        if parts.next().is_some() { Err(NoPlace) } else { Ok(place) }
    }
}

/// What the library says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Management {
    /// The kernel driver's version.
    pub(crate) driver: String,
    /// The library's own version.
    pub(crate) library: String,
    pub(crate) devices: Vec<Managed>,
    /// The way between two of them, by their indices here, the smaller one first.
    pub(crate) ways: Vec<(usize, usize, Way)>,
}

/// What it says of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    pub(crate) name: String,
    pub(crate) pci: Pci,
    /// Whether a display is being driven.
    pub(crate) display: Option<bool>,
    /// Whether the driver stays loaded when nobody uses the device.
    pub(crate) persistent: Option<bool>,
    /// Whether it is divided into instances.
    pub(crate) mig: Option<bool>,
    /// PCIe generation and lanes, as they are now.
    pub(crate) pcie: Option<(u32, u32)>,
    /// The other ends of its NVLinks that are up; `None` where it is not said.
    pub(crate) links: Vec<Option<Pci>>,
}

/// The way between two devices over the host's buses, named as `nvidia-smi topo` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On one board.
    Board,
    /// Through one PCIe switch.
    Switch,
    /// Through several PCIe switches.
    Switches,
    /// Through a host bridge.
    HostBridge,
    /// Through the host bridges of one NUMA node.
    Node,
    /// From NUMA node to NUMA node.
    System,
}

impl Way {
    /// From the closest to the farthest.
    pub(crate) const ALL: [Self; 6] =
        [Self::Board, Self::Switch, Self::Switches, Self::HostBridge, Self::Node, Self::System];

    /// The name in `nvidia-smi topo -m`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Board => "PSB",
            Way::Switch => "PIX",
            Way::Switches => "PXB",
            Way::HostBridge => "PHB",
            Way::Node => "NODE",
            Way::System => "SYS",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Way::Board => "on one board",
            Way::Switch => "one PCIe switch",
            Way::Switches => "several PCIe switches",
            Way::HostBridge => "a PCIe host bridge",
            Way::Node => "the host bridges of one NUMA node",
            Way::System => "from one NUMA node to another",
        }
    }
}

/// Why there is nothing to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unmanaged {
    /// The library is not there.
    NoLibrary(String),
    /// The library and the kernel module are of different versions.
    Mismatch,
    /// Anything else.
    Refused(String),
}

impl Management {
    /// Loads the library and asks.
    pub(crate) fn ask() -> Result<Self, Unmanaged> {
        // Only the development package has the name without a number, which is what the wrapper asks for by default.
        let nvml =
            Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init().map_err(|error| match error {
                NvmlError::LibloadingError(error) => Unmanaged::NoLibrary(error.to_string()),
                NvmlError::LibRmVersionMismatch => Unmanaged::Mismatch,
                error => Unmanaged::Refused(error.to_string()),
            })?;
        Self::of(&nvml).map_err(|error| Unmanaged::Refused(error.to_string()))
    }

    fn of(nvml: &Nvml) -> Result<Self, NvmlError> {
        let count = nvml.device_count()?;
        let handles: Vec<_> =
            (0..count).map(|index| nvml.device_by_index(index)).collect::<Result<_, _>>()?;
        let mut ways = Vec::new();
        for (a, first) in handles.iter().enumerate() {
            for b in a + 1..handles.len() {
                // The call takes the second handle away, so it is a handle of its own.
                if let Ok(level) = first.topology_common_ancestor(nvml.device_by_index(b as u32)?) {
                    ways.push((a, b, way(level)));
                }
            }
        }
        Ok(Self {
            driver: nvml.sys_driver_version()?,
            library: nvml.sys_nvml_version()?,
            devices: handles.iter().map(managed).collect::<Result<_, _>>()?,
            ways,
        })
    }

    /// The device at a place.
    pub(crate) fn device(&self, pci: Pci) -> Option<&Managed> {
        self.devices.iter().find(|device| device.pci == pci)
    }

    /// The way between two places.
    pub(crate) fn way(&self, a: Pci, b: Pci) -> Option<Way> {
        let index = |pci| self.devices.iter().position(|device| device.pci == pci);
        let (a, b) = (index(a)?, index(b)?);
        self.ways.iter().find(|(i, j, _)| (*i, *j) == (a.min(b), a.max(b))).map(|(.., way)| *way)
    }

    /// How many NVLinks there are from one place to another, directly or through NVSwitches.
    pub(crate) fn nvlinks(&self, a: Pci, b: Pci) -> usize {
        let (Some(first), Some(second)) = (self.device(a), self.device(b)) else { return 0 };
        let direct = first.links.iter().filter(|end| **end == Some(b)).count();
        if direct > 0 {
            return direct;
        }
        // An end that is no GPU is a switch, and a switch reaches every GPU that has a link to one. The wrapper's
        // `remote_device_type` cannot tell: version 0.13 answers `Unknown` whatever the library says.
        let switched = |device: &Managed| {
            device.links.iter().filter(|end| end.is_none_or(|end| self.device(end).is_none())).count()
        };
        switched(first).min(switched(second))
    }
}

fn way(level: TopologyLevel) -> Way {
    match level {
        TopologyLevel::Internal => Way::Board,
        TopologyLevel::Single => Way::Switch,
        TopologyLevel::Multiple => Way::Switches,
        TopologyLevel::HostBridge => Way::HostBridge,
        TopologyLevel::Node => Way::Node,
        TopologyLevel::System => Way::System,
    }
}

fn managed(device: &Device<'_>) -> Result<Managed, NvmlError> {
    let place = |pci: nvml_wrapper::struct_wrappers::device::PciInfo| Pci {
        domain: pci.domain,
        bus: pci.bus,
        device: pci.device,
    };
    let links = (0..MAX_LINKS).map(|index| device.link_wrapper_for(index));
    let up = links.filter(|link| link.is_active().unwrap_or(false));
    Ok(Managed {
        name: device.name()?,
        pci: place(device.pci_info()?),
        display: device.is_display_active().ok(),
        persistent: device.is_in_persistent_mode().ok(),
        mig: device.mig_mode().ok().map(|mode| mode.current == 1),
        pcie: device.current_pcie_link_gen().ok().zip(device.current_pcie_link_width().ok()),
        links: up.map(|link| link.remote_pci_info().ok().map(place)).collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A device at a bus, with links to other buses; bus 0 stands for a link whose end is not said.
    pub(crate) fn device(bus: u32, links: &[u32]) -> Managed {
        let place = |bus| Pci { domain: 0, bus, device: 0 };
        Managed {
            name: format!("Card {bus}"),
            pci: place(bus),
            display: Some(false),
            persistent: Some(true),
            mig: Some(false),
            pcie: Some((5, 16)),
            links: links.iter().map(|bus| (*bus != 0).then(|| place(*bus))).collect(),
        }
    }

    #[test]
    fn places_are_read_however_long_the_domain_is() {
        let place = Pci { domain: 0, bus: 0x65, device: 0x1f };
        assert_eq!("0000:65:1f.0".parse(), Ok(place));
        assert_eq!("00000000:65:1F.0".parse(), Ok(place));
        assert_eq!(place.to_string(), "0000:65:1f.0");
        assert_eq!("10000:00:00.0".parse(), Ok(Pci { domain: 0x10000, bus: 0, device: 0 }));
        for wrong in ["", "65:00.0", "0000:65:00", "0000:xx:00.0", "0000:65:00.0.1"] {
            assert_eq!(wrong.parse::<Pci>(), Err(NoPlace), "{wrong}");
        }
    }

    #[test]
    fn nvlinks_are_counted_directly_and_through_switches() {
        let place = |bus| Pci { domain: 0, bus, device: 0 };
        let all = Management {
            devices: vec![
                device(1, &[2, 2, 3]),
                device(2, &[1, 1]),
                device(3, &[1]),
                device(4, &[0xf0, 0xf1, 0]),
                device(5, &[0xf0, 0xf1]),
                device(6, &[]),
            ],
            ways: vec![(0, 1, Way::Switch), (0, 2, Way::System)],
            ..Management::default()
        };
        assert_eq!(all.nvlinks(place(1), place(2)), 2);
        assert_eq!(all.nvlinks(place(3), place(1)), 1);
        assert_eq!(all.nvlinks(place(2), place(3)), 0);
        assert_eq!(all.nvlinks(place(4), place(5)), 2);
        assert_eq!(all.nvlinks(place(4), place(1)), 0);
        assert_eq!(all.nvlinks(place(5), place(6)), 0);
        assert_eq!(all.nvlinks(place(5), place(9)), 0);
        assert_eq!(all.way(place(2), place(1)), Some(Way::Switch));
        assert_eq!(all.way(place(1), place(3)), Some(Way::System));
        assert_eq!(all.way(place(2), place(3)), None);
    }

    #[test]
    fn asking_where_there_is_nothing_says_why() {
        // On a machine with the library this is an answer, and nothing to test here.
        if let Err(Unmanaged::NoLibrary(why)) = Management::ask() {
            assert!(why.contains("libnvidia-ml.so.1"), "{why}");
        }
    }
}
