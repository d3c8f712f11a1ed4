//! How scarce memory is.

use std::fmt;

/// How much of a device's memory is in use, or of what the pool may have, whichever is more.
///
/// ```
/// use gpu_actor_rt::Pressure;
///
/// assert!(Pressure::High > Pressure::Medium);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pressure {
    /// Less than the first threshold (50 %).
    #[default]
    Low,
    /// Less than the second one (75 %). Reaching it gives back what the pool keeps for later.
    Medium,
    /// Less than the third one (90 %). From here on nothing is kept.
    High,
    /// More. Idle actors are deactivated, and their memory is given back.
    Critical,
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// A change of the pressure, as [`PoolConfig::on_pressure`](crate::PoolConfig::on_pressure) is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PressureChange {
    /// Before.
    pub from: Pressure,
    /// Now.
    pub to: Pressure,
    /// Bytes of the device that nobody has.
    pub free: u64,
    /// Bytes of the device.
    pub total: u64,
    /// Bytes that the pool has of it: in use and kept.
    pub pool: u64,
}

/// How far below a threshold, in hundredths of the whole, the level goes down again.
pub(super) const HYSTERESIS: u64 = 5;

/// A part and the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) part: u64,
    pub(super) whole: u64,
}

impl Share {
    /// Whether it is so many hundredths or more.
    fn reaches(self, percent: u64) -> bool {
        u128::from(self.part) * 100 >= u128::from(self.whole) * u128::from(percent)
    }
}

/// The level that follows `now`, by the thresholds in hundredths: up as soon as one of the shares reaches a threshold, down when all
/// are well below it.
pub(super) fn next(now: Pressure, shares: &[Share], thresholds: [u8; 3]) -> Pressure {
    const LEVELS: [Pressure; 3] = [Pressure::Medium, Pressure::High, Pressure::Critical];
    let mut level = Pressure::Low;
    for (threshold, above) in thresholds.into_iter().zip(LEVELS) {
        let threshold = u64::from(threshold);
        let least = if now >= above { threshold.saturating_sub(HYSTERESIS) } else { threshold };
        if shares.iter().any(|share| share.reaches(least)) {
            level = above;
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_left_only_well_below_its_threshold() {
        let at = |now, part| next(now, &[Share { part, whole: 100 }], [50, 75, 90]);
        use Pressure::{Critical, High, Low, Medium};
        for (now, part, then) in [
            (Low, 49, Low),
            (Low, 50, Medium),
            (Medium, 46, Medium),
            (Medium, 45, Medium),
            (Medium, 44, Low),
            (Low, 95, Critical),
            (Critical, 86, Critical),
            (Critical, 84, High),
            (Critical, 10, Low),
            (High, 69, Medium),
            (High, 74, High),
        ] {
            assert_eq!(at(now, part), then, "{now:?} at {part} %");
        }
    }

    #[test]
    fn the_scarcer_of_two_decides() {
        let shares = |a, b| [Share { part: a, whole: 1 << 40 }, Share { part: b, whole: 1000 }];
        assert_eq!(next(Pressure::Low, &shares(1 << 39, 0), [50, 75, 90]), Pressure::Medium);
        assert_eq!(next(Pressure::Low, &shares(0, 900), [50, 75, 90]), Pressure::Critical);
        assert_eq!(next(Pressure::Low, &shares(u64::MAX, 0), [50, 75, 90]), Pressure::Critical);
    }
}
