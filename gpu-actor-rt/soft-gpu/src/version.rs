//! Versions: which PTX a driver takes, and whose PTX a device runs.
//!
//! Rule kept here: refusals are those of a real driver. A text is refused as a whole when its `.version` is newer than the
//! driver, or when its `.target` is not one that the device can run; both errors name both sides.

use std::fmt;
use std::str::FromStr;

use crate::error::{LoadError, LoadErrorKind};

/// A version of two numbers, such as a driver's CUDA version, a PTX version or a compute capability.
///
/// ```
/// use soft_gpu::Version;
///
/// let version: Version = "12.8".parse()?;
/// assert_eq!(version, Version { major: 12, minor: 8 });
/// assert_eq!(version.to_string(), "12.8");
/// assert!(version < Version { major: 12, minor: 10 });
/// assert!("12".parse::<Version>().is_err());
/// # Ok::<(), soft_gpu::VersionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl Version {
    /// The version `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Version { major, minor }
    }

    /// The newest PTX that a driver for this CUDA version takes.
    ///
    /// ```
    /// use soft_gpu::Version;
    ///
    /// assert_eq!(Version::new(11, 8).newest_ptx(), Version::new(7, 8));
    /// assert_eq!(Version::new(12, 8).newest_ptx(), Version::new(8, 7));
    /// ```
    #[must_use]
    pub fn newest_ptx(self) -> Version {
        // The release history in the PTX manual. Up to CUDA 12.5 the second numbers agree; 12.6 brought no new PTX.
        match (self.major, self.minor) {
            (..=9, _) => Version::new(6, 2),
            (10, minor) => Version::new(6, 3 + minor.min(2)),
            (11, minor) => Version::new(7, minor.min(8)),
            (12, minor @ 0..=5) => Version::new(8, minor),
            (12, minor) => Version::new(8, minor.min(9) - 1),
            (major, minor) => Version::new(major - 4, minor),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version: use two numbers with a dot between them, such as `12.8`")]
pub struct VersionError {
    /// The text.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        let number = |part: &str| part.parse::<u16>().ok().map(u32::from);
        text.split_once('.')
            .and_then(|(major, minor)| Some(Version::new(number(major)?, number(minor)?)))
            .ok_or_else(|| VersionError { text: text.to_owned() })
    }
}

/// Which devices a `.target` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// That capability and every later one.
    Onward,
    /// `a`: that capability alone.
    Exact,
    /// `f`: that capability and later ones of the same major number.
    Family,
}

/// Whether a device of this capability runs texts for this target.
///
/// Texts that name no architecture, such as `.target texmode_unified`, are not refused.
pub(crate) fn check_target(target: &str, line: u32, device: Version) -> Result<(), LoadError> {
    let Some(digits) = target.strip_prefix("sm_").or_else(|| target.strip_prefix("compute_")) else {
        return Ok(());
    };
    let (digits, reach) = match digits.strip_suffix('a') {
        Some(digits) => (digits, Reach::Exact),
        None => match digits.strip_suffix('f') {
            Some(digits) => (digits, Reach::Family),
            None => (digits, Reach::Onward),
        },
    };
    let number: Result<u32, _> = digits.parse();
    let Ok(number @ 10..=999) = number else {
        return Err(LoadError::new(
            LoadErrorKind::Unsupported,
            line,
            target,
            "no such architecture is known",
        ));
    };
    let needs = Version::new(number / 10, number % 10);
    let runs = match reach {
        Reach::Onward => device >= needs,
        Reach::Exact => device == needs,
        Reach::Family => device >= needs && device.major == needs.major,
    };
    if runs {
        return Ok(());
    }
    let only = match reach {
        Reach::Onward => format!("compute capability {needs} or higher"),
        Reach::Exact => format!("compute capability {needs} and no other"),
        Reach::Family => format!("compute capability {needs} or higher of the same family"),
    };
    let kind = LoadErrorKind::WrongTarget { target: needs, device };
    Err(LoadError::new(kind, line, target, format!("the text is for {only}, the device has {device}")))
}

/// Whether a driver takes texts of this PTX version.
pub(crate) fn check_ptx(ptx: Version, line: u32, driver: Version) -> Result<(), LoadError> {
    let newest = driver.newest_ptx();
    if ptx <= newest {
        return Ok(());
    }
    let message = format!(
        "the text is PTX {ptx}, a driver for CUDA {driver} takes PTX {newest} at most: a newer driver is needed"
    );
    let kind = LoadErrorKind::DriverTooOld { ptx, newest };
    Err(LoadError::new(kind, line, &ptx.to_string(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cuda_version_has_its_newest_ptx() {
        // From the release history in the PTX manual.
        for (cuda, ptx) in [
            ("9.2", "6.2"),
            ("10.0", "6.3"),
            ("10.1", "6.4"),
            ("10.2", "6.5"),
            ("11.0", "7.0"),
            ("11.4", "7.4"),
            ("11.8", "7.8"),
            ("12.0", "8.0"),
            ("12.5", "8.5"),
            ("12.6", "8.5"),
            ("12.7", "8.6"),
            ("12.8", "8.7"),
            ("12.9", "8.8"),
            ("13.0", "9.0"),
            ("13.1", "9.1"),
        ] {
            let cuda: Version = cuda.parse().unwrap();
            assert_eq!(cuda.newest_ptx().to_string(), ptx, "CUDA {cuda}");
        }
    }

    #[test]
    fn a_target_is_run_by_its_own_and_later_devices_by_its_family_or_by_itself() {
        let runs = |target: &str, device: &str| check_target(target, 1, device.parse().unwrap()).is_ok();
        for (target, device, expected) in [
            ("sm_70", "7.0", true),
            ("sm_70", "12.1", true),
            ("sm_75", "7.0", false),
            ("sm_103", "10.0", false),
            ("sm_90a", "9.0", true),
            ("sm_90a", "10.0", false),
            ("sm_100f", "10.3", true),
            ("sm_100f", "12.0", false),
            ("sm_103f", "10.0", false),
            ("debug", "7.0", true),
            ("texmode_unified", "7.0", true),
        ] {
            assert_eq!(runs(target, device), expected, "{target} on {device}");
        }
        let error = check_target("sm_9x", 2, Version::new(9, 0)).unwrap_err();
        assert_eq!((error.kind(), error.line()), (LoadErrorKind::Unsupported, 2));
    }

    #[test]
    fn versions_are_two_small_numbers() {
        for text in ["", "12", "12.", ".8", "a.b", "12.8.1", "-1.0", "12.99999"] {
            assert_eq!(text.parse::<Version>(), Err(VersionError { text: text.to_owned() }));
        }
    }
}
