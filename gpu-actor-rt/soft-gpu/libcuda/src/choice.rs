//! Who answers the driver API in this process.
//!
//! Rules kept here:
//! - It is decided once, at the first call of any symbol, and never changes.
//! - The software GPU answers only where the program or the environment asks for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use soft_gpu::{Platform, PlatformConfig};

use crate::soft::Driver;
use crate::vendor::{SONAME, Vendor};

/// The environment variable that decides who answers; see [`Backend`].
pub const VARIABLE: &str = "SOFT_GPU_LIBCUDA";

/// Who answers the driver API in this process.
///
/// [`use_soft`] decides it where it comes first. Else `SOFT_GPU_LIBCUDA` in the environment does:
///
/// | Value | Who answers |
/// |---|---|
/// | `soft` | the software GPU, with one device |
/// | `soft:<platform>` | the software GPU, as [`PlatformConfig`](soft_gpu::PlatformConfig) reads the text: `soft:devices=2,memory=1G` |
/// | `vendor` | the vendor's `libcuda.so.1`, even if it has no device |
/// | a path with a `/` | that library |
/// | not set, or empty | the vendor's `libcuda.so.1` if there is one, unless it has no device; else nobody |
///
/// A vendor's driver that is there and does not start, say because its kernel module is another version's, answers for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The vendor's driver.
    Vendor {
        /// What was loaded: a name that the dynamic linker looks for, or a path.
        path: PathBuf,
    },
    /// The software GPU.
    Soft,
    /// Nobody: every call answers `CUDA_ERROR_NO_DEVICE`, but for `cuDriverGetVersion` (0) and the names and texts of errors.
    None {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Vendor { path } => write!(f, "the vendor's driver, {}", path.display()),
            Backend::Soft => f.write_str("the software GPU"),
            Backend::None { why } => write!(f, "nobody: {why}"),
        }
    }
}

/// It was decided already who answers the driver API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the driver API is answered by {backend} already, and for the life of the process; call use_soft before the first call"
)]
pub struct AlreadyChosen {
    /// Who answers.
    pub backend: Backend,
}

pub(crate) enum Chosen {
    Vendor(Box<Vendor>),
    Soft(Box<Driver>),
    Nobody(String),
}

static CHOSEN: OnceLock<Chosen> = OnceLock::new();

pub(crate) fn chosen() -> &'static Chosen {
    CHOSEN.get_or_init(|| {
        let setting = std::env::var_os(VARIABLE).unwrap_or_default();
        match setting.to_str() {
            Some(text) => choose(text),
            None => Chosen::Nobody(format!("{VARIABLE} is not valid Unicode")),
        }
    })
}

fn choose(setting: &str) -> Chosen {
    let load = |path: &str| match Vendor::load(Path::new(path)) {
        Ok(vendor) => Chosen::Vendor(Box::new(vendor)),
        Err(why) => Chosen::Nobody(why),
    };
    match setting {
        "" => match Vendor::load(Path::new(SONAME)) {
            Ok(vendor) => match vendor.look() {
                Ok(()) => Chosen::Vendor(Box::new(vendor)),
                Err(why) => Chosen::Nobody(why),
            },
            Err(why) => Chosen::Nobody(why),
        },
        "vendor" => load(SONAME),
        "soft" => soft(""),
        path if path.contains('/') && !path.starts_with("soft:") => load(path),
        other => match other.strip_prefix("soft:") {
            Some(platform) => soft(platform),
            None => Chosen::Nobody(format!(
                "{VARIABLE} is `{other}`: use `soft`, `soft:<platform>`, `vendor`, or a path to a libcuda.so.1"
            )),
        },
    }
}

fn soft(platform: &str) -> Chosen {
    let config = platform.parse::<PlatformConfig>();
    let platform = match config {
        Ok(config) => Platform::new(config).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    match platform {
        Ok(platform) => Chosen::Soft(Box::new(Driver::new(platform))),
        Err(why) => Chosen::Nobody(format!("{VARIABLE}: {why}")),
    }
}

/// Lets this platform answer the driver API, for the life of the process.
///
/// `CUDA_VISIBLE_DEVICES` is honoured, as the vendor's driver does.
///
/// # Errors
///
/// [`AlreadyChosen`] where a symbol, [`backend`] or this function was called before.
///
/// ```
/// use soft_gpu::{Platform, PlatformConfig};
/// use soft_gpu_libcuda::{Backend, backend, use_soft};
///
/// use_soft(Platform::new(PlatformConfig::default())?)?;
/// assert_eq!(backend(), Backend::Soft);
/// assert!(use_soft(Platform::new(PlatformConfig::default())?).is_err(), "once in a process");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn use_soft(platform: Platform) -> Result<(), AlreadyChosen> {
    CHOSEN
        .set(Chosen::Soft(Box::new(Driver::new(platform))))
        .map_err(|_| AlreadyChosen { backend: backend() })
}

/// Who answers the driver API in this process. Decides it, if it is not decided yet.
pub fn backend() -> Backend {
    match chosen() {
        Chosen::Vendor(vendor) => Backend::Vendor { path: vendor.path.clone() },
        Chosen::Soft(_) => Backend::Soft,
        Chosen::Nobody(why) => Backend::None { why: why.clone() },
    }
}

/// The symbols that the vendor's driver, if it answers, does not have: it is older than they are. Each answers
/// `CUDA_ERROR_NOT_FOUND`.
///
/// ```
/// for name in soft_gpu_libcuda::missing_symbols() {
///     println!("this driver has no {name}");
/// }
/// ```
pub fn missing_symbols() -> Vec<&'static str> {
    match chosen() {
        Chosen::Vendor(vendor) => vendor.functions.missing(),
        Chosen::Soft(_) | Chosen::Nobody(_) => Vec::new(),
    }
}
