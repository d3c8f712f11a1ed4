//! Which device a system runs on, and why.
//!
//! Rules kept here: who asks for CUDA gets CUDA or an error, never a quiet fall-back; [`DeviceChoice::Auto`] takes
//! hardware or says why it did not; the environment overrides every choice but a device that is open already.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::soft::{Soft, SoftConfig};
use super::{Device, DeviceError};

/// The environment variable that overrides [`Config::device`](crate::Config::device): `auto`, `soft`, `cuda` or
/// `cuda:<index>`. Empty is as good as not set. It does not override a device that the program has opened itself.
pub const DEVICE_VARIABLE: &str = "GPU_ACTOR_DEVICE";

/// Options of a CUDA device.
///
/// ```
/// use gpu_actor_rt::device::CudaConfig;
///
/// let second = CudaConfig::index(1);
/// assert_eq!(second.index, 1);
/// assert_eq!(CudaConfig::default().index, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaConfig {
    /// Which of the devices that the driver shows (`CUDA_VISIBLE_DEVICES` has its say before).
    pub index: usize,
    /// Whether the device gets a context of its own instead of the process's primary one, which every library of the process
    /// shares. Two systems on one device of one process need it; it costs some hundred MB of the device's memory, and kernels
    /// of different contexts take turns. Default: no.
    pub own_context: bool,
    /// Bytes that are set aside for actors' memory before the launch, on a device without memory pools, where none can be had
    /// while the ring kernel runs. Default 64 MiB.
    pub reserve: usize,
    /// Whether memory pools are not used even where the device has them. Default: no.
    pub no_pool: bool,
}

impl Default for CudaConfig {
    fn default() -> Self {
        Self { index: 0, own_context: false, reserve: 64 << 20, no_pool: false }
    }
}

impl CudaConfig {
    /// The device with an index.
    pub fn index(index: usize) -> Self {
        Self { index, ..Self::default() }
    }

    /// With a context of its own, see [`own_context`](Self::own_context).
    #[must_use]
    pub fn own_context(mut self) -> Self {
        self.own_context = true;
        self
    }

    /// With this many bytes set aside, see [`reserve`](Self::reserve).
    #[must_use]
    pub fn reserve(mut self, bytes: usize) -> Self {
        self.reserve = bytes;
        self
    }

    /// Without memory pools, see [`no_pool`](Self::no_pool).
    #[must_use]
    pub fn no_pool(mut self) -> Self {
        self.no_pool = true;
        self
    }
}

/// The device that a system runs on; see [`Config::device`](crate::Config::device).
///
/// ```
/// use gpu_actor_rt::device::{CudaConfig, DeviceChoice};
///
/// assert!(matches!("auto".parse(), Ok(DeviceChoice::Auto)));
/// assert!(matches!("cuda:1".parse(), Ok(DeviceChoice::Cuda(CudaConfig { index: 1, .. }))));
/// assert!("gpu".parse::<DeviceChoice>().is_err());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The first CUDA device if the program is built with feature `cuda` and a driver with a real device is there,
    /// otherwise a software GPU. What was chosen, and why, is logged and is part of [`Stats`](crate::Stats).
    #[default]
    Auto,
    /// A software GPU of the system's own.
    Soft(SoftConfig),
    /// A CUDA device. An error where there is none.
    Cuda(CudaConfig),
    /// A device that the program has opened.
    Opened(Arc<dyn Device>),
}

impl From<SoftConfig> for DeviceChoice {
    fn from(config: SoftConfig) -> Self {
        Self::Soft(config)
    }
}

impl From<CudaConfig> for DeviceChoice {
    fn from(config: CudaConfig) -> Self {
        Self::Cuda(config)
    }
}

impl From<Arc<dyn Device>> for DeviceChoice {
    fn from(device: Arc<dyn Device>) -> Self {
        Self::Opened(device)
    }
}

impl<D: Device + 'static> From<Arc<D>> for DeviceChoice {
    fn from(device: Arc<D>) -> Self {
        Self::Opened(device)
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Soft(_) => f.write_str("soft"),
            Self::Cuda(config) => write!(f, "cuda:{}", config.index),
            Self::Opened(device) => f.write_str(&device.info().name),
        }
    }
}

/// A text names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no device; say `auto`, `soft`, `cuda` or `cuda:<index>`")]
pub struct ParseChoiceError(String);

impl FromStr for DeviceChoice {
    type Err = ParseChoiceError;

    fn from_str(text: &str) -> Result<Self, ParseChoiceError> {
        let wrong = || ParseChoiceError(text.into());
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(Self::Auto),
                "soft" => Ok(Self::Soft(SoftConfig::default())),
                "cuda" => Ok(Self::Cuda(CudaConfig::default())),
                _ => Err(wrong()),
            },
            Some(("cuda", index)) if index.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self::Cuda(CudaConfig::index(index.parse().map_err(|_| wrong())?)))
            }
            Some(_) => Err(wrong()),
        }
    }
}

/// A device that has been chosen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chosen {
    /// The device.
    pub device: Arc<dyn Device>,
    /// Who chose it and why, in words.
    pub why: String,
}

/// Opens what a choice means here, as [`ActorSystem::start`](crate::ActorSystem::start) does.
///
/// ```
/// use gpu_actor_rt::device::{self, Device, DeviceChoice, soft::SoftConfig};
///
/// let chosen = device::choose(&SoftConfig::default().into())?;
/// println!("{}: {}", chosen.device.info().name, chosen.why);
/// # Ok::<(), device::DeviceError>(())
/// ```
///
/// # Errors
///
/// [`DeviceError::WithoutCuda`] and [`DeviceError::NoCuda`] where CUDA is asked for and cannot be had,
/// [`DeviceError::Environment`] where [`DEVICE_VARIABLE`] makes no sense, and whatever opening the device says.
pub fn choose(choice: &DeviceChoice) -> Result<Chosen, DeviceError> {
    let demand = demanded(std::env::var_os(DEVICE_VARIABLE))?;
    let soft = match choice {
        DeviceChoice::Soft(config) => config.clone(),
        _ => SoftConfig::default(),
    };
    choose_as(choice, demand, &soft)
}

/// As [`choose`]: `soft` is what a software GPU gets where the choice does not name one.
pub(crate) fn choose_with(choice: &DeviceChoice, soft: Option<&SoftConfig>) -> Result<Chosen, DeviceError> {
    match (choice, soft) {
        (DeviceChoice::Auto, Some(soft)) => {
            choose_as(choice, demanded(std::env::var_os(DEVICE_VARIABLE))?, soft)
        }
        _ => choose(choice),
    }
}

/// What the environment demands, if it does.
fn demanded(value: Option<OsString>) -> Result<Option<DeviceChoice>, DeviceError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.to_string_lossy();
    value.parse().map(Some).map_err(|source: ParseChoiceError| DeviceError::Environment {
        variable: DEVICE_VARIABLE,
        value: value.into_owned(),
        source: Box::new(source),
    })
}

fn choose_as(
    choice: &DeviceChoice,
    demand: Option<DeviceChoice>,
    soft: &SoftConfig,
) -> Result<Chosen, DeviceError> {
    if let DeviceChoice::Opened(device) = choice {
        return Ok(Chosen { device: Arc::clone(device), why: "the program opened it".into() });
    }
    let (choice, who) = match demand {
        Some(demand) => {
            let who = format!("{DEVICE_VARIABLE}={demand}");
            (demand, who)
        }
        None => (choice.clone(), "Config::device".into()),
    };
    let open_soft = |why: String| Ok(Chosen { device: Arc::new(Soft::open(soft)?), why });
    match choice {
        DeviceChoice::Soft(_) => open_soft(format!("{who} asks for the software GPU")),
        DeviceChoice::Cuda(config) => {
            let device = open_cuda(&config, &who)?;
            Ok(Chosen { device, why: format!("{who} asks for CUDA device {}", config.index) })
        }
        DeviceChoice::Auto => match hardware() {
            Ok(device) => Ok(Chosen { device, why: format!("{who} is auto, and there is a CUDA device") }),
            Err(why) => open_soft(format!("{who} is auto: {why}")),
        },
        // Taken above; a demand is parsed from text, which names no opened device.
        DeviceChoice::Opened(device) => Ok(Chosen { device, why: "the program opened it".into() }),
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_config: &CudaConfig, who: &str) -> Result<Arc<dyn Device>, DeviceError> {
    Err(DeviceError::WithoutCuda { asked: who.into() })
}

/// The device that [`DeviceChoice::Auto`] takes, or why there is none.
#[cfg(not(feature = "cuda"))]
fn hardware() -> Result<Arc<dyn Device>, String> {
    Err("the program was built without the feature `cuda`".into())
}

#[cfg(feature = "cuda")]
fn open_cuda(config: &CudaConfig, _who: &str) -> Result<Arc<dyn Device>, DeviceError> {
    Ok(Arc::new(super::cuda::CudaDriver::new()?.open_with(config)?))
}

#[cfg(feature = "cuda")]
fn hardware() -> Result<Arc<dyn Device>, String> {
    use super::cuda::{CudaDriver, backend};
    // Asked of the backend first: the software GPU behind the CUDA driver API is for tests, and never taken for hardware.
    if backend() == super::cuda::Backend::Soft {
        return Err("the CUDA driver API is answered by the software GPU".into());
    }
    let open = || CudaDriver::new()?.open_with(&CudaConfig::default());
    open().map(|device| Arc::new(device) as Arc<dyn Device>).map_err(|error| crate::error::chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_from_text_or_refused() {
        let parse = |text: &str| text.parse::<DeviceChoice>().map(|choice| choice.to_string());
        assert_eq!(parse("auto").unwrap(), "auto");
        assert_eq!(parse("soft").unwrap(), "soft");
        assert_eq!(parse("cuda").unwrap(), "cuda:0");
        assert_eq!(parse("cuda:12").unwrap(), "cuda:12");
        for wrong in
            ["", "Soft", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "soft:1", "cuda:99999999999999999999"]
        {
            assert_eq!(parse(wrong), Err(ParseChoiceError(wrong.into())));
        }
    }

    #[test]
    fn the_environment_overrides_all_but_an_opened_device() {
        let soft = SoftConfig { name: "mine".into(), ..SoftConfig::default() };
        let demand = |text: &str| demanded(Some(text.into())).unwrap();
        let chosen = choose_as(&CudaConfig::index(3).into(), demand("soft"), &soft).unwrap();
        assert!(chosen.device.info().name.starts_with("mine"), "{chosen:?}");
        assert_eq!(chosen.why, "GPU_ACTOR_DEVICE=soft asks for the software GPU");
        let opened: Arc<dyn Device> = Arc::new(Soft::open(&soft).unwrap());
        let chosen = choose_as(&Arc::clone(&opened).into(), demand("cuda"), &SoftConfig::default()).unwrap();
        assert!(Arc::ptr_eq(&chosen.device, &opened));
        assert!(matches!(demanded(Some("".into())), Ok(None)));
        let error = demanded(Some("fast".into())).unwrap_err().to_string();
        assert!(error.contains("GPU_ACTOR_DEVICE=fast") && error.contains("cuda:<index>"), "{error}");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_the_feature_cuda_is_an_error_and_auto_says_why() {
        let soft = SoftConfig::default();
        let error = choose_as(&CudaConfig::default().into(), None, &soft).unwrap_err();
        assert!(
            matches!(&error, DeviceError::WithoutCuda { asked } if asked == "Config::device"),
            "{error:?}"
        );
        let error =
            choose_as(&DeviceChoice::Auto, demanded(Some("cuda:1".into())).unwrap(), &soft).unwrap_err();
        assert!(error.to_string().contains("GPU_ACTOR_DEVICE=cuda:1"), "{error}");
        let chosen = choose_as(&DeviceChoice::Auto, None, &soft).unwrap();
        assert!(!chosen.device.info().hardware);
        assert_eq!(chosen.why, "Config::device is auto: the program was built without the feature `cuda`");
    }
}
