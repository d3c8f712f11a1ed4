//! The hybrid logical clock: one word per endpoint, nanoseconds since the epoch with the low ten bits counting within
//! a tick.
//!
//! Rules kept here: every stamp of a clock is greater than the one before; a receive is later than its send; a stamp
//! further ahead than the drift bound never enters the clock. Time and counter are one word, changed in one step: a
//! counter stored apart from its time gives duplicates.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use kernels_ptx::abi::hlc::LOGICAL_MASK;

use crate::sync::Atom;

/// A hybrid logical clock.
///
/// ```
/// use gpu_actor_rt::hlc::Clock;
///
/// let clock: Clock = Clock::new(1_000_000);
/// let sent = clock.tick(5_000_000);
/// let received = clock.receive(sent + 7, 5_000_000).unwrap();
/// assert!(received > sent + 7);
/// assert!(clock.receive(9_000_000, 5_000_000).is_err()); // 4 ms ahead, the bound is 1 ms
/// ```
#[derive(Debug)]
pub struct Clock<A: Atom = AtomicU64> {
    last: A,
    drift_bound: u64,
}

/// A stamp was further ahead of the local time than the clock's bound allows; the clock did not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a clock stamp is {ahead} ns ahead of the local time, the bound is {bound} ns")]
pub struct DriftError {
    /// Nanoseconds that the stamp is ahead.
    pub ahead: u64,
    /// Nanoseconds that it may be ahead.
    pub bound: u64,
}

impl<A: Atom> Clock<A> {
    /// A clock that refuses stamps more than `drift_bound` nanoseconds ahead.
    pub fn new(drift_bound: u64) -> Self {
        Self { last: A::new(0), drift_bound }
    }

    /// The stamp of a send at `now` (nanoseconds since the epoch): `max(last + 1, now)` with the low bits of `now` cleared.
    #[inline]
    pub fn tick(&self, now: u64) -> u64 {
        // The rule never refuses, so the fallback is never taken.
        self.last.update(|last| Some(last.saturating_add(1).max(now & !LOGICAL_MASK))).unwrap_or_default()
    }

    /// Stamps for many sends; see [`Batch`].
    pub fn batch(&self) -> Batch<'_, A> {
        Batch { clock: self, next: 1, end: 0 }
    }

    /// Takes note of a stamp that came at `now`, without a stamp for the receipt itself: all later ones are later than both.
    /// Writes nothing if the clock is past it already, as it is for most of many that come together.
    ///
    /// ```
    /// use gpu_actor_rt::hlc::Clock;
    ///
    /// let clock: Clock = Clock::new(1_000);
    /// clock.observe(50_500, 50_000)?;
    /// assert_eq!(clock.tick(0), 50_501);
    /// assert!(clock.observe(60_000, 50_000).is_err(), "more than the bound ahead");
    /// # Ok::<(), gpu_actor_rt::hlc::DriftError>(())
    /// ```
    #[inline]
    pub fn observe(&self, stamp: u64, now: u64) -> Result<(), DriftError> {
        if stamp > now.saturating_add(self.drift_bound) {
            return Err(DriftError { ahead: stamp - now, bound: self.drift_bound });
        }
        if self.last.load(Ordering::Acquire) < stamp {
            // The rule refuses where another was faster, and then there is nothing to do.
            let _ = self.last.update(|last| (last < stamp).then_some(stamp));
        }
        Ok(())
    }

    /// The stamp of a receive of `stamp` at `now`: `max(last + 1, stamp + 1, now)`.
    #[inline]
    pub fn receive(&self, stamp: u64, now: u64) -> Result<u64, DriftError> {
        if stamp > now.saturating_add(self.drift_bound) {
            return Err(DriftError { ahead: stamp - now, bound: self.drift_bound });
        }
        Ok(self
            .last
            .update(|last| Some(last.max(stamp).saturating_add(1).max(now & !LOGICAL_MASK)))
            .unwrap_or_default())
    }
}

/// Stamps of one clock for many sends, taken from it in blocks.
///
/// A block is left when the clock has moved on: a stamp is later than all that happened at the clock before, as by
/// [`Clock::tick`]. Stamps of a block that are not used are skipped.
///
/// ```
/// use gpu_actor_rt::hlc::Clock;
///
/// let clock: Clock = Clock::new(1_000_000);
/// let mut batch = clock.batch();
/// let (first, second) = (batch.tick(|| 5_000_000), batch.tick(|| 5_000_000));
/// let other = clock.tick(5_000_000);
/// assert!(first < second && second < other && other < batch.tick(|| 5_000_000));
/// ```
#[derive(Debug)]
pub struct Batch<'a, A: Atom = AtomicU64> {
    clock: &'a Clock<A>,
    /// The next stamp, and the last of the block.
    next: u64,
    end: u64,
}

impl<A: Atom> Batch<'_, A> {
    /// Stamps of a block.
    const BLOCK: u64 = 64;

    /// The stamp of a send. `now` is asked for the time, in nanoseconds since the epoch, once for every block.
    #[inline]
    pub fn tick(&mut self, now: impl FnOnce() -> u64) -> u64 {
        // Relaxed: what this thread knows to have happened at the clock it sees here, too, whatever told it so.
        if self.next > self.end || self.clock.last.load(Ordering::Relaxed) != self.end {
            self.reserve(now());
        }
        let stamp = self.next;
        self.next += 1;
        stamp
    }

    fn reserve(&mut self, now: u64) {
        let rest = Self::BLOCK - 1;
        let begin = |last: u64| last.saturating_add(1).max(now & !LOGICAL_MASK).min(u64::MAX - Self::BLOCK);
        // The rule never refuses, so the fallback is never taken.
        self.end = self.clock.last.update(|last| Some(begin(last) + rest)).unwrap_or_default();
        self.next = self.end - rest;
    }
}

/// Nanoseconds since the epoch, by the host's wall clock.
pub fn now() -> u64 {
    // A clock before 1970 reads as 1970; stamps still increase.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// How the device's timer maps to the host's wall clock: `host_base + d + (d * rate >> 32)` with `d` nanoseconds of
/// the device's timer since `device_base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// The device's timer at the calibration.
    pub device_base: u64,
    /// The host's clock at the calibration.
    pub host_base: u64,
    /// Correction of the rate, in units of 2^-32.
    pub rate: i64,
}

impl Calibration {
    /// The first calibration: an offset, no rate.
    pub fn first(device: u64, host: u64) -> Self {
        Self { device_base: device, host_base: host, rate: 0 }
    }

    /// A later one: rebases to the new pair of readings and takes the rate between the two.
    ///
    /// A rate beyond one in a thousand is no oscillator but a stepped clock; it is ignored.
    #[must_use]
    pub fn next(self, device: u64, host: u64) -> Self {
        let device_span = device.wrapping_sub(self.device_base) as i64;
        let host_span = host.wrapping_sub(self.host_base) as i64;
        let rate = if device_span > 0 {
            let rate = (i128::from(host_span - device_span) << 32) / i128::from(device_span);
            if rate.unsigned_abs() < (1 << 32) / 1000 { rate as i64 } else { 0 }
        } else {
            0
        };
        Self { device_base: device, host_base: host, rate }
    }

    /// The host's time at a reading of the device's timer.
    pub fn host_time(self, device: u64) -> u64 {
        let d = device.wrapping_sub(self.device_base) as i64;
        let correction = (i128::from(d) * i128::from(self.rate)) >> 32;
        self.host_base.wrapping_add(d as u64).wrapping_add(correction as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Arc;

    #[test]
    fn stamps_follow_the_time_and_count_within_a_tick() {
        let clock: Clock = Clock::new(1000);
        assert_eq!(clock.tick(10_240), 10_240);
        assert_eq!(clock.tick(10_300), 10_241);
        assert_eq!(clock.tick(5), 10_242);
        assert_eq!(clock.tick(20_480), 20_480);
    }

    #[test]
    fn a_full_counter_carries_into_the_time() {
        let clock: Clock = Clock::new(0);
        let first = clock.tick(1024);
        for _ in 0..2000 {
            clock.tick(1024);
        }
        assert_eq!(clock.tick(1024), first + 2001);
        assert_eq!(clock.tick(2048), first + 2002, "the time of the counter has passed the wall clock");
    }

    #[test]
    fn receives_are_later_than_sends_and_drift_is_refused() {
        let clock: Clock = Clock::new(1000);
        assert_eq!(clock.receive(50_500, 50_000), Ok(50_501));
        assert_eq!(clock.receive(51_001, 50_000), Err(DriftError { ahead: 1001, bound: 1000 }));
        assert_eq!(clock.tick(0), 50_502, "the refused stamp left no trace");
    }

    #[test]
    fn no_two_threads_get_one_stamp() {
        let clock: Arc<Clock> = Arc::new(Clock::new(u64::MAX));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let clock = Arc::clone(&clock);
                std::thread::spawn(move || (0..5000).map(|_| clock.tick(now())).collect::<Vec<_>>())
            })
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let stamps = thread.join().unwrap();
            assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
            for stamp in stamps {
                assert!(seen.insert(stamp), "stamp {stamp} was given twice");
            }
        }
    }

    #[test]
    fn batches_and_single_ticks_share_no_stamp_and_keep_their_order() {
        let clock: Clock = Clock::new(1000);
        let (mut one, mut two) = (clock.batch(), clock.batch());
        let mut last = 0;
        for round in 0..1000u64 {
            let time = round * 100;
            let stamp = match round % 7 {
                0 => clock.tick(time),
                1 | 2 => two.tick(|| time),
                _ => one.tick(|| time),
            };
            assert!(stamp > last, "{stamp} after {last}, round {round}");
            last = stamp;
        }
    }

    #[test]
    fn a_batch_reads_the_time_once_for_a_block() {
        let clock: Clock = Clock::new(1000);
        let (mut batch, mut readings) = (clock.batch(), 0);
        let stamps: Vec<_> = (0..640)
            .map(|_| {
                batch.tick(|| {
                    readings += 1;
                    10_240
                })
            })
            .collect();
        assert_eq!(stamps, (10_240..10_880).collect::<Vec<_>>());
        assert_eq!(readings, 10);
    }

    #[test]
    fn calibration_finds_the_rate() {
        let first = Calibration::first(1_000_000, 5_000_000_000);
        // The device's timer runs 100 ppm slow: 1 s of the device is 1.0001 s of the host.
        let second = first.next(1_001_000_000, 5_000_000_000 + 1_000_100_000);
        let later = second.host_time(2_001_000_000);
        let truth = 5_000_000_000u64 + 2_000_200_000;
        assert!(later.abs_diff(truth) < 10, "{later} against {truth}");
    }

    #[test]
    fn a_stepped_clock_is_no_rate() {
        let first = Calibration::first(0, 1_000_000_000);
        assert_eq!(first.next(1_000_000_000, 3_600_000_000_000).rate, 0);
        assert_eq!(first.next(0, 1_000_000_000).rate, 0);
    }
}
