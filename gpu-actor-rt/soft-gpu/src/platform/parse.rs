//! Platforms as text.

use std::str::FromStr;

use super::{MAX_DEVICES, PlatformConfig};
use crate::device::DeviceConfig;
use crate::fabric::{Link, Links};
use crate::fault::Fault;
use crate::mode::Mode;

/// A text that says no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not a setting of a software GPU's platform: {reason}")]
pub struct PlatformError {
    /// The setting that is wrong.
    pub part: String,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

const SETTINGS: &str = "use devices=<n>, driver=<version>, links=<link>, link=<a>-<b>:<link>, seed=<n>, or, for all devices or with `<device>.` in front for one: name=, \
     memory=, sms=, stack=, cc=, fast, checked, deterministic:<seed>, managed=, atomics=, cooperative=, mapped=, pools=, watchdog=, ecc=, fault=";

type Parsed<T> = Result<T, String>;

impl FromStr for PlatformConfig {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<PlatformConfig, PlatformError> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let wrong = |part: &str, reason: String| PlatformError { part: part.to_owned(), reason };
        let mut config = PlatformConfig::default();
        // How many devices there are comes first, wherever it stands.
        for part in &parts {
            if let Some(n) = part.strip_prefix("devices=") {
                let n = number(n, MAX_DEVICES as u64).map_err(|reason| wrong(part, reason))?;
                config.devices = vec![DeviceConfig::default(); n as usize];
            }
        }
        for part in parts {
            config.set(part).map_err(|reason| wrong(part, reason))?;
        }
        Ok(config)
    }
}

impl PlatformConfig {
    fn set(&mut self, part: &str) -> Parsed<()> {
        match part.split_once('=') {
            Some(("devices", _)) => return Ok(()),
            Some(("driver", value)) => {
                self.driver_version = value.parse().map_err(|e: crate::VersionError| e.to_string())?;
                return Ok(());
            }
            Some(("seed", value)) => {
                self.faults.seed = value.parse().map_err(|_| "use a number of at most 64 bits".to_owned())?;
                return Ok(());
            }
            Some(("fault", value)) => {
                self.faults.faults.push(Fault { device: None, kind: value.parse()? });
                return Ok(());
            }
            Some(("links", value)) => {
                self.links = Links::all(link(value)?);
                return Ok(());
            }
            Some(("link", value)) => {
                let (a, b, link) = pair(value)?;
                self.links = std::mem::take(&mut self.links).with(a, b, link);
                return Ok(());
            }
            _ => {}
        }
        if let Some((index, setting)) = part.split_once('.')
            && let Ok(index) = index.parse::<usize>()
        {
            let count = self.devices.len();
            let device = self.devices.get_mut(index);
            let device = device.ok_or_else(|| format!("there are {count} devices, counted from 0"))?;
            if let Some(fault) = setting.strip_prefix("fault=") {
                self.faults.faults.push(Fault { device: Some(index), kind: fault.parse()? });
                return Ok(());
            }
            return set_device(device, setting);
        }
        // With no device there is nothing to set; what is said must make sense all the same.
        set_device(&mut DeviceConfig::default(), part)?;
        self.devices.iter_mut().try_for_each(|device| set_device(device, part))
    }
}

fn set_device(device: &mut DeviceConfig, setting: &str) -> Parsed<()> {
    let Some((key, value)) = setting.split_once('=') else {
        let mode: Mode = setting.parse().map_err(|_| SETTINGS.to_owned())?;
        // `checked` and `deterministic` come one by one, for the comma is between settings.
        device.mode = match (mode.checked, mode.schedule) {
            (true, _) => Mode { checked: true, ..device.mode },
            (false, Some(_)) => Mode { checked: device.mode.checked, ..mode },
            (false, None) => mode,
        };
        return Ok(());
    };
    let version = |value: &str| value.parse().map_err(|e: crate::VersionError| e.to_string());
    match key {
        "name" => value.clone_into(&mut device.name),
        "memory" => device.memory = number(value, u64::MAX)?,
        "sms" => device.multiprocessors = number(value, u64::from(u32::MAX))? as u32,
        "stack" => device.lane_stack = number(value, 1 << 30)? as usize,
        "cc" => device.compute_capability = version(value)?,
        "managed" => device.features.concurrent_managed_access = yes(value)?,
        "atomics" => device.features.host_native_atomics = yes(value)?,
        "cooperative" => device.features.cooperative_launch = yes(value)?,
        "mapped" => device.features.map_host_memory = yes(value)?,
        "pools" => device.features.memory_pools = yes(value)?,
        "watchdog" => device.features.watchdog = yes(value)?,
        "ecc" => device.features.ecc = yes(value)?,
        _ => return Err(SETTINGS.to_owned()),
    }
    Ok(())
}

fn link(value: &str) -> Parsed<Link> {
    match value {
        "nvlink" => Ok(Link::NvLink),
        "pcie" => Ok(Link::Pcie),
        "none" => Ok(Link::NoPeer),
        _ => Err("use `nvlink`, `pcie` or `none`".to_owned()),
    }
}

/// `<a>-<b>:<link>`.
fn pair(value: &str) -> Parsed<(usize, usize, Link)> {
    let parts = value.split_once(':').and_then(|(pair, link)| {
        let (a, b) = pair.split_once('-')?;
        Some((a.parse().ok()?, b.parse().ok()?, link))
    });
    let (a, b, kind) = parts.ok_or("use two devices and a link, such as `link=0-1:nvlink`")?;
    Ok((a, b, link(kind)?))
}

fn yes(value: &str) -> Parsed<bool> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("use `yes` or `no`".to_owned()),
    }
}

/// A number, perhaps with K, M, or G after it.
pub(crate) fn number(text: &str, most: u64) -> Parsed<u64> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let value = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).filter(|n| *n <= most);
    value.ok_or_else(|| format!("use a number of at most {most}, perhaps with K, M or G after it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;

    #[test]
    fn settings_are_for_all_devices_or_for_one() {
        let config: PlatformConfig =
            " 1.memory=3K, memory=2M ,devices=3,2.deterministic:7,2.checked,watchdog=yes,1.name=A card,0.cc=7.5"
                .parse()
                .unwrap();
        let memory: Vec<u64> = config.devices.iter().map(|d| d.memory).collect();
        // Said later, said for all.
        assert_eq!(memory, [2 << 20; 3]);
        assert_eq!(config.devices[2].mode, "checked,deterministic:7".parse().unwrap());
        assert_eq!(config.devices[1].mode, Mode::default());
        assert!(config.devices.iter().all(|d| d.features.watchdog));
        assert_eq!(config.devices[1].name, "A card");
        assert_eq!(config.devices[0].compute_capability, Version::new(7, 5));
    }

    #[test]
    fn nothing_said_is_the_default_and_there_may_be_no_device() {
        assert_eq!("".parse(), Ok(PlatformConfig::default()));
        assert_eq!("devices=0,memory=1G".parse::<PlatformConfig>().unwrap().devices, []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for part in [
            "devices=65",
            "devices=-1",
            "memory=lots",
            "memory=17179869184G",
            "memory",
            "frobnicate=1",
            "1.memory=1G",
            "watchdog=maybe",
            "cc=nine",
            "driver=12",
            "deterministic:x",
            "x.memory=1",
            "links=rope",
            "link=0:nvlink",
            "link=0-1",
            "link=0-one:pcie",
            "fault=fire:1",
            "0.fault=oom:0",
            "1.fault=oom:1",
            "seed=x",
        ] {
            let error = format!("sms=2,{part},cc=9.0").parse::<PlatformConfig>().unwrap_err();
            assert_eq!(error.part, part, "{error}");
        }
    }
}
