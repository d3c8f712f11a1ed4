//! Faults that are planned: what goes wrong, where, and when. It is how programs are tested against what cards do on bad days.
//!
//! Rules kept here:
//! - A plan is deterministic: what it counts are events of its device (allocations, launches, copies), and what it leaves to chance is
//!   decided by its seed and that count. Only moments in time are the clock's.
//! - A device that is lost or failed answers every call with a typed error, and what runs on it ends.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::error::Error;
use crate::fabric::Link;
use crate::launch::Shared;

/// What is to go wrong on a platform.
///
/// ```
/// use soft_gpu::{Error, Platform};
///
/// let platform = Platform::new("fault=oom:2".parse()?)?;
/// let device = &platform.devices()[0];
/// let first = device.alloc(16)?;
/// assert!(matches!(device.alloc(16), Err(Error::OutOfMemory { .. })));
/// let third = device.alloc(16)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan {
    /// Decides what is left to chance.
    pub seed: u64,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// One fault of a [`FaultPlan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the device, or none for all of them, each with a count of its own.
    pub device: Option<usize>,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// What goes wrong, and when. As text:
///
/// | Text | Meaning |
/// |---|---|
/// | `oom:<when>` | [`OutOfMemory`](FaultKind::OutOfMemory) |
/// | `refuse:<when>` | [`LaunchRefused`](FaultKind::LaunchRefused) |
/// | `sticky:<moment>` | [`Sticky`](FaultKind::Sticky) |
/// | `lost:<moment>` | [`Lost`](FaultKind::Lost) |
/// | `stall:<launch>/<block>`, `stall:<launch>/<block>/<back-edges>` | [`Stall`](FaultKind::Stall) |
/// | `copy:<when>` | [`CopyFails`](FaultKind::CopyFails) |
/// | `slow:<duration>` | [`CopySlow`](FaultKind::CopySlow) |
///
/// A duration is `20ms` or `3s`; [`When`] and [`Moment`] have their own texts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Allocations find no memory: [`Error::OutOfMemory`]. Variables of modules are not counted.
    OutOfMemory(When),
    /// Launches are refused: [`Error::LaunchRefused`]. The device goes on.
    LaunchRefused(When),
    /// The device fails: what runs on it ends with [`Error::Sticky`], and every call answers that until
    /// [`Device::reset`](crate::Device::reset).
    Sticky(Moment),
    /// The device falls off the bus: what runs on it ends with [`Error::DeviceLost`], and every call answers that for good.
    Lost(Moment),
    /// A block stops getting its turn: it goes no further than to a loop's back-edge. The launch does not end
    /// until it is aborted.
    Stall {
        /// Which launch of the device, counted from 1; 0 is every one.
        launch: u64,
        /// The block's linear index.
        block: u32,
        /// How many back-edges its lanes take before.
        back_edges: u64,
    },
    /// Copies from the device to a peer fail: [`Error::CopyFailed`]. Nothing of them is copied.
    CopyFails(When),
    /// Copies from the device to a peer take so much longer.
    CopySlow(Duration),
}

/// Which of a device's events a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The one with this number, counted from 1. As text `3`.
    Nth(u64),
    /// That one and all later ones. As text `3+`.
    From(u64),
    /// One in so many on average, by the plan's seed. As text `1/200`.
    OneIn(u64),
    /// All that would bring the bytes of its kind to more than this. As text `>64M`.
    AfterBytes(u64),
}

/// A moment in the life of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A launch, counted from 1: it starts, and fails before any of it has run. As text `3`.
    Launch(u64),
    /// So long after the device was opened; zero is from the start. As text `250ms` or `3s`.
    After(Duration),
}

/// How a device breaks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Breakdown {
    /// It fails, and answers nothing until it is reset.
    Sticky,
    /// It is gone.
    Lost,
}

/// SplitMix64's mixing step.
fn mix(state: u64) -> u64 {
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

impl When {
    /// Whether event number `count` (from 1) is meant, which brings the bytes to `bytes`. `salt` is other for each fault.
    fn is_now(self, count: u64, bytes: u64, salt: u64) -> bool {
        match self {
            When::Nth(n) => count == n,
            When::From(n) => count >= n,
            When::OneIn(n) => {
                let random = mix(salt.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
                random.is_multiple_of(n.max(1))
            }
            When::AfterBytes(limit) => bytes > limit,
        }
    }
}

/// Events of one kind.
#[derive(Default)]
struct Count {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    /// One more event: its number, and the bytes with it.
    fn next(&self, bytes: u64) -> (u64, u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (self.events.fetch_add(1, Ordering::Relaxed) + 1, before.saturating_add(bytes))
    }

    /// The event did not happen.
    fn take_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What is to happen to a launch.
#[derive(Default)]
pub(crate) struct LaunchFaults {
    pub(crate) refused: bool,
    pub(crate) breakdown: Option<Breakdown>,
    /// Blocks that stall, and after how many back-edges.
    pub(crate) stalls: Vec<(u32, u64)>,
}

/// The plan of one device, its counts, and whether it still works.
pub(crate) struct Faults {
    index: usize,
    name: String,
    seed: u64,
    plan: Vec<FaultKind>,
    allocations: Count,
    launches: Count,
    copies: Count,
    broken: AtomicBool,
    failure: Mutex<Option<Error>>,
    running: Mutex<Vec<Weak<Shared>>>,
}

/// Each lock below guards one value that is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    pub(crate) fn new(plan: &FaultPlan, index: usize, name: &str) -> Self {
        let mine = |fault: &&Fault| fault.device.is_none_or(|device| device == index);
        Faults {
            index,
            name: name.to_owned(),
            seed: mix(plan.seed ^ mix(index as u64 + 1)),
            plan: plan.faults.iter().filter(mine).map(|fault| fault.kind.clone()).collect(),
            allocations: Count::default(),
            launches: Count::default(),
            copies: Count::default(),
            broken: AtomicBool::new(false),
            failure: Mutex::new(None),
            running: Mutex::new(Vec::new()),
        }
    }

    /// The error that every call answers, if the device has broken down.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.broken.load(Ordering::Acquire) {
            return Ok(());
        }
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }

    /// The faults of a kind, each with its salt.
    fn any(&self, count: u64, bytes: u64, when: impl Fn(&FaultKind) -> Option<When>) -> bool {
        let mut plan = self.plan.iter().enumerate();
        plan.any(|(at, kind)| {
            when(kind).is_some_and(|when| when.is_now(count, bytes, mix(self.seed ^ at as u64)))
        })
    }

    /// Whether an allocation is to fail.
    pub(crate) fn allocation(&self, bytes: u64) -> bool {
        let (count, total) = self.allocations.next(bytes);
        let fails = self.any(count, total, |kind| match kind {
            FaultKind::OutOfMemory(when) => Some(*when),
            _ => None,
        });
        if fails {
            self.allocations.take_back(bytes);
        }
        fails
    }

    /// What is to happen to a launch.
    pub(crate) fn launch(&self) -> LaunchFaults {
        let (count, _) = self.launches.next(0);
        let mut faults = LaunchFaults {
            refused: self.any(count, 0, |kind| match kind {
                FaultKind::LaunchRefused(when) => Some(*when),
                _ => None,
            }),
            ..LaunchFaults::default()
        };
        for kind in &self.plan {
            match kind {
                FaultKind::Lost(Moment::Launch(n)) if *n == count => faults.breakdown = Some(Breakdown::Lost),
                FaultKind::Sticky(Moment::Launch(n)) if *n == count => {
                    faults.breakdown.get_or_insert(Breakdown::Sticky);
                }
                FaultKind::Stall { launch, block, back_edges } if *launch == count || *launch == 0 => {
                    faults.stalls.push((*block, *back_edges));
                }
                _ => {}
            }
        }
        faults
    }

    /// Whether a copy to device `to` is to fail; if not, it is made to wait as the plan says.
    pub(crate) fn copy(&self, to: usize, link: Link, bytes: u64) -> Result<(), Error> {
        let (count, total) = self.copies.next(bytes);
        let fails = self.any(count, total, |kind| match kind {
            FaultKind::CopyFails(when) => Some(*when),
            _ => None,
        });
        if fails {
            self.copies.take_back(bytes);
            return Err(Error::CopyFailed { from: self.index, to, link });
        }
        for kind in &self.plan {
            if let FaultKind::CopySlow(time) = kind {
                std::thread::sleep(*time);
            }
        }
        Ok(())
    }

    /// The breakdowns that come by the clock.
    pub(crate) fn alarms(&self) -> Vec<(Duration, Breakdown)> {
        let alarm = |kind: &FaultKind| match kind {
            FaultKind::Lost(Moment::After(time)) => Some((*time, Breakdown::Lost)),
            FaultKind::Sticky(Moment::After(time)) => Some((*time, Breakdown::Sticky)),
            _ => None,
        };
        self.plan.iter().filter_map(alarm).collect()
    }

    /// A launch starts to run. If the device has broken down meanwhile, the launch ends at once.
    pub(crate) fn started(&self, launch: &Arc<Shared>) {
        let mut running = lock(&self.running);
        running.retain(|launch| launch.strong_count() > 0);
        running.push(Arc::downgrade(launch));
        drop(running);
        if let Err(error) = self.check() {
            launch.fail(error);
        }
    }

    /// The device breaks down: from now on every call says so, and what runs ends.
    pub(crate) fn break_down(&self, breakdown: Breakdown) {
        let (index, name) = (self.index, self.name.clone());
        let mut failure = lock(&self.failure);
        let error = match (breakdown, &*failure) {
            // What is lost stays lost.
            (_, Some(lost @ Error::DeviceLost { .. })) => lost.clone(),
            (Breakdown::Lost, _) => Error::DeviceLost { index, name },
            (Breakdown::Sticky, _) => Error::Sticky { index, name },
        };
        *failure = Some(error.clone());
        self.broken.store(true, Ordering::Release);
        drop(failure);
        let running = std::mem::take(&mut *lock(&self.running));
        for launch in running.iter().filter_map(Weak::upgrade) {
            launch.fail(error.clone());
        }
    }

    /// The device works again, unless it is lost.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        let mut failure = lock(&self.failure);
        if let Some(lost @ Error::DeviceLost { .. }) = &*failure {
            return Err(lost.clone());
        }
        *failure = None;
        self.broken.store(false, Ordering::Release);
        Ok(())
    }
}

impl FromStr for FaultKind {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<FaultKind, String> {
        let (what, when) = text.split_once(':').unwrap_or((text, ""));
        match what {
            "oom" => Ok(FaultKind::OutOfMemory(parse_when(when, true)?)),
            "refuse" => Ok(FaultKind::LaunchRefused(parse_when(when, false)?)),
            "sticky" => Ok(FaultKind::Sticky(moment(when)?)),
            "lost" => Ok(FaultKind::Lost(moment(when)?)),
            "stall" => stall(when).ok_or_else(|| {
                "use a launch and a block, such as `stall:1/3`, or with a number of back-edges `stall:1/3/1000`".to_owned()
            }),
            "copy" => Ok(FaultKind::CopyFails(parse_when(when, true)?)),
            "slow" => Ok(FaultKind::CopySlow(duration(when).ok_or("use a duration such as `20ms` or `3s`")?)),
            _ => Err(
                "use oom:<when>, refuse:<when>, sticky:<moment>, lost:<moment>, stall:<launch>/<block>, copy:<when> or \
                      slow:<duration>"
                    .to_owned(),
            ),
        }
    }
}

/// A number that counts from 1.
fn ordinal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n| *n > 0)
}

fn parse_when(text: &str, has_bytes: bool) -> Result<When, String> {
    if let Some(bytes) = text.strip_prefix('>').filter(|_| has_bytes) {
        return crate::platform::number(bytes, u64::MAX).map(When::AfterBytes);
    }
    let when = match (text.strip_prefix("1/"), text.strip_suffix('+')) {
        (Some(n), _) => ordinal(n).map(When::OneIn),
        (None, Some(n)) => ordinal(n).map(When::From),
        (None, None) => ordinal(text).map(When::Nth),
    };
    when.ok_or_else(|| {
        let bytes = if has_bytes { ", `>64M` for all after so many bytes" } else { "" };
        format!("use `3` for the third, `3+` for all from there on, `1/200` for one in so many{bytes}")
    })
}

fn moment(text: &str) -> Result<Moment, String> {
    let moment = ordinal(text).map(Moment::Launch).or_else(|| duration(text).map(Moment::After));
    moment.ok_or_else(|| "use `3` for the third launch, or a time such as `250ms` or `3s`".to_owned())
}

fn stall(text: &str) -> Option<FaultKind> {
    let mut parts = text.split('/');
    let fault = FaultKind::Stall {
        launch: parts.next()?.parse().ok()?,
        block: parts.next()?.parse().ok()?,
        back_edges: parts.next().map_or(Ok(0), str::parse).ok()?,
    };
    parts.next().is_none().then_some(fault)
}

fn duration(text: &str) -> Option<Duration> {
    // Hours at most, so that no sum of times is out of range.
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    match text.strip_suffix("ms") {
        Some(millis) => number(millis).map(Duration::from_millis),
        None => number(text.strip_suffix('s')?).map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let read = |text: &str| text.parse::<FaultKind>().unwrap();
        assert_eq!(read("oom:3"), FaultKind::OutOfMemory(When::Nth(3)));
        assert_eq!(read("oom:>64M"), FaultKind::OutOfMemory(When::AfterBytes(64 << 20)));
        assert_eq!(read("refuse:2+"), FaultKind::LaunchRefused(When::From(2)));
        assert_eq!(read("copy:1/200"), FaultKind::CopyFails(When::OneIn(200)));
        assert_eq!(read("sticky:2"), FaultKind::Sticky(Moment::Launch(2)));
        assert_eq!(read("lost:0ms"), FaultKind::Lost(Moment::After(Duration::ZERO)));
        assert_eq!(read("slow:3s"), FaultKind::CopySlow(Duration::from_secs(3)));
        assert_eq!(read("stall:1/3"), FaultKind::Stall { launch: 1, block: 3, back_edges: 0 });
        assert_eq!(read("stall:0/3/99"), FaultKind::Stall { launch: 0, block: 3, back_edges: 99 });
        for wrong in [
            "",
            "oom",
            "oom:0",
            "oom:0+",
            "oom:1/0",
            "oom:>many",
            "refuse:>5",
            "sticky:0",
            "lost:-1ms",
            "stall:1",
            "stall:1/2/3/4",
            "slow:5",
            "fire:1",
        ] {
            assert!(wrong.parse::<FaultKind>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn chance_is_the_seeds() {
        let plan = |seed| FaultPlan {
            seed,
            faults: vec![Fault { device: None, kind: FaultKind::OutOfMemory(When::OneIn(10)) }],
        };
        let run = |seed, device| {
            let faults = Faults::new(&plan(seed), device, "");
            (0..1000).map(|_| faults.allocation(1)).collect::<Vec<bool>>()
        };
        assert_eq!(run(1, 0), run(1, 0));
        assert_ne!(run(1, 0), run(2, 0));
        assert_ne!(run(1, 0), run(1, 1), "devices fail apart from each other");
        let failed = run(1, 0).iter().filter(|failed| **failed).count();
        assert!((60..140).contains(&failed), "{failed} of 1000");
    }
}
