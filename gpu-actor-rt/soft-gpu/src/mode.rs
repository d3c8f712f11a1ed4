//! How a device runs its kernels: as fast as it can, with every access checked, in one seeded order, or both.
//!
//! Rule kept here: the mode is decided when a program is compiled. Code for the fast mode has nothing of the other two
//! in it.

use std::fmt;
use std::str::FromStr;

/// How a device runs its kernels. The two settings are independent of each other; the default is the fast mode, which has
/// neither.
///
/// As text, a mode is `fast`, or a list of `checked` and `deterministic:<seed>`:
///
/// ```
/// use soft_gpu::{Mode, Schedule};
///
/// assert_eq!("fast".parse(), Ok(Mode::default()));
/// assert_eq!("checked".parse(), Ok(Mode::checked()));
/// let both: Mode = "checked,deterministic:7".parse()?;
/// assert_eq!(both, Mode { checked: true, schedule: Some(Schedule::new(7)) });
/// assert_eq!(both.to_string(), "checked,deterministic:7");
/// assert!("quick".parse::<Mode>().is_err());
/// # Ok::<(), soft_gpu::ModeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Mode {
    /// Every memory access, call and barrier of a kernel is checked; what is wrong ends the launch with
    /// [`Error::Violation`](crate::Error::Violation) and does no harm.
    pub checked: bool,
    /// The lanes of all blocks take turns on one thread, in an order that a seed decides and replays.
    pub schedule: Option<Schedule>,
}

/// How a deterministic device decides whose turn it is.
///
/// A kernel can be interrupted before every atomic, fence, volatile or ordered access, barrier, `.sync` instruction and
/// `nanosleep`, and at every loop back-edge. At each of these points the seed decides whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The same seed gives the same order.
    pub seed: u64,
    /// A turn ends at one of so many points, on average. Default 8; 0 counts as 1.
    pub preempt_one_in: u32,
    /// A turn ends at the latest after so many points. Default 256; 0 counts as 1.
    pub quantum: u32,
    /// Blocks of an ordinary launch that are resident together. A cooperative launch has all of them. Default 8.
    pub resident_blocks: u32,
    /// Whether ordinary loads and stores are such points too. It finds races between plain accesses, and takes longer.
    /// Default: no.
    pub weak_accesses: bool,
}

impl Schedule {
    /// The default schedule of a seed.
    pub fn new(seed: u64) -> Self {
        Schedule { seed, preempt_one_in: 8, quantum: 256, resident_blocks: 8, weak_accesses: false }
    }
}

impl Mode {
    /// Checks every access.
    pub fn checked() -> Self {
        Mode { checked: true, schedule: None }
    }

    /// One order, decided by `seed`.
    pub fn deterministic(seed: u64) -> Self {
        Mode { checked: false, schedule: Some(Schedule::new(seed)) }
    }

    /// What the mode asks of compiled code.
    pub(crate) fn flavour(self) -> Flavour {
        Flavour { checked: self.checked, deterministic: self.schedule.is_some() }
    }
}

/// What compiled code has in it for the sake of the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flavour {
    pub(crate) checked: bool,
    pub(crate) deterministic: bool,
}

impl Flavour {
    /// Whether it has anything.
    pub(crate) fn any(self) -> bool {
        self.checked || self.deterministic
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.checked, self.deterministic) {
            (false, false) => "fast",
            (true, false) => "checked",
            (false, true) => "deterministic",
            (true, true) => "checked and deterministic",
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.checked, self.schedule) {
            (false, None) => f.write_str("fast"),
            (true, None) => f.write_str("checked"),
            (false, Some(schedule)) => write!(f, "deterministic:{}", schedule.seed),
            (true, Some(schedule)) => write!(f, "checked,deterministic:{}", schedule.seed),
        }
    }
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` is not a mode of the software GPU: use `fast`, `checked`, `deterministic:<seed>` with a seed of at most 64 bits, \
     or `checked,deterministic:<seed>`"
)]
pub struct ModeError {
    /// The part that is wrong.
    pub part: String,
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Mode, ModeError> {
        if text.trim() == "fast" {
            return Ok(Mode::default());
        }
        let mut mode = Mode::default();
        for part in text.split(',') {
            let wrong = || ModeError { part: part.to_owned() };
            match part.trim().split_once(':') {
                None if part.trim() == "checked" && !mode.checked => mode.checked = true,
                Some(("deterministic", seed)) if mode.schedule.is_none() => {
                    mode.schedule = Some(Schedule::new(seed.trim().parse().map_err(|_| wrong())?));
                }
                _ => return Err(wrong()),
            }
        }
        Ok(mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_back_as_they_are_written() {
        for text in ["fast", "checked", "deterministic:0", "checked,deterministic:18446744073709551615"] {
            assert_eq!(text.parse::<Mode>().unwrap().to_string(), text);
        }
        assert_eq!(
            "deterministic:5, checked".parse::<Mode>().unwrap().to_string(),
            "checked,deterministic:5"
        );
    }

    #[test]
    fn what_is_no_mode_is_named() {
        for (text, part) in [
            ("", ""),
            ("quick", "quick"),
            ("checked,", ""),
            ("checked,checked", "checked"),
            ("deterministic", "deterministic"),
            ("deterministic:", "deterministic:"),
            ("deterministic:-1", "deterministic:-1"),
            ("deterministic:1,deterministic:2", "deterministic:2"),
            ("checked,fast", "fast"),
        ] {
            assert_eq!(text.parse::<Mode>(), Err(ModeError { part: part.to_owned() }), "{text:?}");
        }
    }
}
