//! What checks stand on: the device that was asked for, systems on it, waiting for them.
//!
//! Rule kept here: a check opens its own device and starts its own systems, so that none inherits what another left.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu_actor_rt::device::soft::Soft;
use gpu_actor_rt::device::{self, Device, DeviceChoice, DeviceError, DeviceInfo};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{Stats, hlc};
use soft_gpu::{Platform, PlatformConfig};

use super::actors::{Probe, Relay};
use super::finding::{Recorder, Stop};

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Seconds in all.
    Quick,
    /// Minutes in all.
    Full,
}

/// What a run is on.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// What the choice means on this machine.
    Choice(DeviceChoice),
    /// The first of these software GPUs, whatever the environment says of devices.
    Platform(PlatformConfig),
}

/// What a run is about; checks share it.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// The device.
    pub(crate) source: Source,
    /// How thorough the run is.
    pub(crate) effort: Effort,
    /// Workers of the ring kernels, if given.
    pub(crate) workers: Option<u32>,
    /// Lanes of a worker, if given.
    pub(crate) lanes: Option<u32>,
    /// Length of a slice in bounded-slice mode; the kernels run without an end if not given.
    pub(crate) slice: Option<Duration>,
}

/// The shape of the ring kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Workers.
    pub(crate) workers: u32,
    /// Lanes of each.
    pub(crate) lanes: u32,
}

impl Ground {
    /// One of two, by the effort.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        match self.effort {
            Effort::Quick => quick,
            Effort::Full => full,
        }
    }

    /// The device, opened anew.
    pub(crate) fn open(&self) -> Result<Arc<dyn Device>, DeviceError> {
        match &self.source {
            Source::Choice(choice) => device::choose(choice).map(|chosen| chosen.device),
            Source::Platform(config) => {
                let opened =
                    Platform::new(config.clone()).map(|platform| platform.devices().first().cloned());
                let failed = |source: Box<dyn std::error::Error + Send + Sync>| DeviceError::Failed {
                    device: "the platform of --soft".into(),
                    action: "opening a device".into(),
                    source,
                };
                let first = opened.map_err(|error| failed(error.into()))?;
                Ok(Arc::new(Soft::over(
                    first.ok_or_else(|| failed("it has no device; say `devices=1` or more".into()))?,
                )))
            }
        }
    }

    /// The shape of the ring kernels on a device: a whole warp on every multiprocessor; on a software GPU a lane on every
    /// core, at least two.
    pub(crate) fn ring(&self, info: &DeviceInfo) -> Ring {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get() as u32);
        let (workers, lanes) =
            if info.hardware { (info.multiprocessors, 32) } else { (cores.clamp(2, 8), 1) };
        let workers = workers.clamp(1, info.max_resident_blocks.max(1));
        Ring { workers: self.workers.unwrap_or(workers), lanes: self.lanes.unwrap_or(lanes) }
    }

    /// The configuration of a system on `device`.
    pub(crate) fn config(&self, device: &Arc<dyn Device>) -> Config {
        let ring = self.ring(&device.info());
        let config = Config::default()
            .device(Arc::clone(device))
            .workers(ring.workers)
            .lanes(ring.lanes)
            .ask_timeout(Duration::from_secs(20))
            .actor::<Probe>()
            .actor::<Relay>();
        match self.slice {
            Some(slice) => config.slice(slice),
            None => config,
        }
    }
}

/// Waits for futures on the calling thread.
#[derive(Debug)]
pub(crate) struct Waiter(tokio::runtime::Runtime);

impl Waiter {
    /// A waiter of the calling thread.
    pub(crate) fn new() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_current_thread().build().map(Self)
    }

    /// Waits for a future.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

/// A running system.
#[derive(Debug)]
pub(crate) struct Live {
    /// The system.
    pub(crate) system: ActorSystem,
    waiter: Waiter,
}

impl Live {
    /// Starts a system.
    pub(crate) fn start(config: Config) -> Result<Self, Stop> {
        let waiter = Waiter::new()?;
        let system = waiter.wait(ActorSystem::start(config))?;
        Ok(Self { system, waiter })
    }

    /// Waits for a future.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.waiter.wait(future)
    }

    /// Waits until every message is done; gives the counters.
    pub(crate) fn drain(&self) -> Result<Stats, Stop> {
        self.wait(self.system.drained())?;
        Ok(self.system.stats())
    }

    /// Waits until every message is done, requires that nothing was lost or faulted, and stops the system.
    pub(crate) fn end(self, record: &Recorder) -> Result<Stats, Stop> {
        let stats = self.drain()?;
        require_balance(&stats, record);
        record.require(stats.faulted == 0 && stats.dead_letters == 0, || {
            format!("{} messages faulted and {} were dead letters", stats.faulted, stats.dead_letters)
        });
        self.stop()?;
        Ok(stats)
    }

    /// Stops the system.
    pub(crate) fn stop(self) -> Result<(), Stop> {
        Ok(self.waiter.wait(self.system.shutdown())?)
    }
}

/// Whether every message of a drained system is accounted for.
pub(crate) fn balances(stats: &Stats) -> bool {
    stats.in_flight == 0
        && stats.accepted + stats.sent == stats.handled + stats.faulted + stats.dead_letters + stats.dropped
}

/// Requires it.
pub(crate) fn require_balance(stats: &Stats, record: &Recorder) {
    record.require(balances(stats), || {
        format!(
            "the counters do not balance: accepted {} + sent {} is not handled {} + faulted {} + dead letters {} (in \
             flight: {})",
            stats.accepted, stats.sent, stats.handled, stats.faulted, stats.dead_letters, stats.in_flight
        )
    });
}

/// Repeats `work(count)` with a count that makes it take about `aim`, found by shorter tries before; gives the count and
/// what the last call gave.
pub(crate) fn long_enough<R>(
    aim: Duration,
    (least, most): (u64, u64),
    mut work: impl FnMut(u64) -> Result<R, Stop>,
) -> Result<(u64, R), Stop> {
    let mut count = least;
    loop {
        let begun = Instant::now();
        let result = work(count)?;
        let took = begun.elapsed();
        if count >= most || took * 2 >= aim {
            return Ok((count, result));
        }
        let factor = (aim.as_secs_f64() / took.as_secs_f64().max(1e-6)).clamp(2.0, 20.0);
        count = ((count as f64 * factor) as u64).min(most);
    }
}

/// Tells whether the host's wall clock was stepped (by its administrator, or by its time daemon) since the start: stamps
/// cannot be judged by a clock that jumps.
#[derive(Debug)]
pub(crate) struct StepWatch {
    wall: u64,
    steady: Instant,
}

impl StepWatch {
    /// Begins to watch.
    pub(crate) fn new() -> Self {
        Self { wall: hlc::now(), steady: Instant::now() }
    }

    /// How far the wall clock is from where it should be, in nanoseconds.
    pub(crate) fn stepped(&self) -> i64 {
        let steady = self.steady.elapsed().as_nanos() as i64;
        hlc::now().wrapping_sub(self.wall) as i64 - steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_grow_until_the_work_is_long_enough_or_the_most() {
        let mut counts = Vec::new();
        let (count, last) = long_enough(Duration::from_hours(1), (1, 1000), |count| {
            counts.push(count);
            Ok(count * 2)
        })
        .unwrap();
        assert_eq!((count, last), (1000, 2000));
        assert!(counts.windows(2).all(|pair| pair[0] < pair[1]) && counts.len() > 2, "{counts:?}");
        let once = long_enough(Duration::ZERO, (7, 1000), Ok).unwrap();
        assert_eq!(once, (7, 7));
        assert!(long_enough(Duration::ZERO, (1, 2), |_| Err::<(), _>(Stop::Failed("no".into()))).is_err());
    }
}
