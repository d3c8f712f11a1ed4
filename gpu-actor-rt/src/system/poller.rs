//! The poller: one thread per system that takes what the workers completed and wakes who waits.
//!
//! Rules kept here: it drains the rings whatever happens, so no worker waits for the host for long; it blocks on nothing
//! but the device's event; it sleeps when nothing flows, without a tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use kernels_ptx::abi::{completion, control, line};

use super::Inner;
use crate::asks::{End, Ticket};
use crate::buffer::handles;
use crate::coarse;
use crate::device::{DeviceError, LaunchStatus};
use crate::fault::Fault;
use crate::hlc::{self, Calibration, DriftError};
use crate::id::RawId;
use crate::ring::{Completion, PollerBed};
use crate::sync::Words;

/// Empty passes before the poller sleeps.
const SPINS: u32 = 32;
/// Empty passes before the poller sleeps while a reply is expected from a device that cannot wake it.
const EAGER_SPINS: u32 = 512;
/// The shortest and the longest sleep between two looks at the rings of a device that cannot wake the poller. It doubles
/// with every look that finds nothing, and stays below [`SPACE`] while replies are expected.
const NAPS: [Duration; 2] = [Duration::from_micros(20), Duration::from_millis(1)];
/// How long the poller waits for the kernel to tell the device's time.
const ANSWER: Duration = Duration::from_millis(5);
/// How exactly the moment of that answer should be known, and how often it is asked for.
const EXACT: Duration = Duration::from_micros(20);
const QUESTIONS: u32 = 4;
/// How often mailboxes are looked at while tasks wait for space in them.
pub(super) const SPACE: Duration = Duration::from_micros(100);
/// How often the clock is calibrated while messages flow.
const TICK: Duration = Duration::from_secs(1);

/// What others tell the poller.
#[derive(Debug, Default)]
pub(crate) struct PollerLink {
    /// When the poller will wake by itself, in nanoseconds of the system's clock; 0 while it is awake.
    wake_at: AtomicU64,
    exit: AtomicBool,
    /// Passes that found every ring empty.
    passes: AtomicU64,
}

impl PollerLink {
    /// Passes so far that found every ring empty. Two more, and what is in the rings now has been taken.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.load(Ordering::Acquire)
    }

    /// Whether the poller sleeps beyond `time`. The caller has published its reason before, and a sequentially consistent fence
    /// lies between.
    pub(crate) fn sleeps_beyond(&self, time: u64) -> bool {
        self.wake_at.load(Ordering::Relaxed) > time
    }

    /// Tells the poller to drain once more and leave.
    pub(crate) fn leave(&self) {
        self.exit.store(true, Ordering::SeqCst);
    }
}

/// The poller's own state.
pub(crate) struct Poller {
    inner: Arc<Inner>,
    calibration: Calibration,
    calibrated: Instant,
    /// Questions for the device's time so far.
    questions: u64,
    /// The next sleep, where the device does not end it.
    nap: Duration,
    /// Whether anything flowed since the calibration.
    flowed: bool,
}

impl Poller {
    pub(crate) fn new(inner: Arc<Inner>, calibration: Calibration) -> Self {
        Self { inner, calibration, calibrated: Instant::now(), questions: 0, nap: NAPS[0], flowed: true }
    }

    /// The thread's life.
    pub(crate) fn run(mut self) {
        let mut idle = 0;
        loop {
            if self.pass() {
                (idle, self.flowed, self.nap) = (0, true, NAPS[0]);
                continue;
            }
            if self.inner.poller.exit.load(Ordering::SeqCst) {
                break;
            }
            if idle < self.spins() {
                idle += 1;
                std::thread::yield_now();
                continue;
            }
            if !matches!(self.inner.running.launched().poll(), LaunchStatus::Running) {
                if self.inner.ending.load(Ordering::SeqCst) {
                    // Whoever ends the system counts what is lost first, then tells this thread to leave.
                    std::thread::sleep(SPACE);
                    continue;
                }
                while self.pass() {}
                self.inner.launch_failed();
                break;
            }
            self.calibrate();
            self.sleep();
        }
        while self.pass() {}
        let lost = self.inner.asks.fail_all();
        if lost != 0 {
            tracing::warn!(lost, "asks ended without a reply");
        }
        self.inner.wake_all_waiters();
    }

    /// One look at everything; whether there was work.
    fn pass(&mut self) -> bool {
        let mut worked = self.inner.drain_all();
        worked |= self.inner.flush_overflows();
        worked |= self.inner.serve_waiters();
        self.inner.asks.expire(self.inner.monotonic());
        if !worked {
            self.inner.poller.passes.fetch_add(1, Ordering::AcqRel);
        }
        worked
    }

    /// Announces the sleep, looks once more, sleeps until an event or the next thing to do.
    fn sleep(&mut self) {
        let inner = Arc::clone(&self.inner);
        let bed = PollerBed::announce(&inner.running.memory.control);
        let now = inner.monotonic();
        let next = self.next_wake(now);
        inner.poller.wake_at.store(next, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // Those who owe bells have not been polled again for as long as this thread has looked around.
        inner.ring_owed();
        // Whoever came before the announcement is seen here; whoever comes after sees the announcement.
        let sooner = self.next_wake(now).min(next);
        if !self.pass() && !inner.poller.exit.load(Ordering::SeqCst) {
            let timeout = (sooner != u64::MAX).then(|| Duration::from_nanos(sooner.saturating_sub(now)));
            inner.running.launched().wait_event(self.bounded(timeout));
        } else {
            self.flowed = true;
        }
        inner.poller.wake_at.store(0, Ordering::Relaxed);
        drop(bed);
    }

    /// Empty passes before the poller sleeps.
    fn spins(&self) -> u32 {
        let eager = !self.inner.running.launched().has_events() && self.inner.asks.pending() != 0;
        if eager { EAGER_SPINS } else { SPINS }
    }

    /// How long to sleep at most where nothing but time ends it.
    fn bounded(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        if self.inner.running.launched().has_events() {
            return timeout;
        }
        let expected = self.inner.asks.pending() != 0;
        let nap = if expected { self.nap.min(SPACE) } else { self.nap };
        self.nap = (nap * 2).min(NAPS[1]);
        Some(timeout.map_or(nap, |timeout| timeout.min(nap)))
    }

    /// When there is something to do that no event announces.
    fn next_wake(&self, now: u64) -> u64 {
        let mut next = self.inner.asks.next_deadline();
        if self.inner.any_waiter() {
            next = next.min(now + SPACE.as_nanos() as u64);
        }
        if self.flowed {
            next = next.min(now + TICK.as_nanos() as u64);
        }
        next
    }

    /// Publishes a new mapping from the device's clock to the host's, about once a second while messages flow.
    fn calibrate(&mut self) {
        if self.calibrated.elapsed() < TICK {
            return;
        }
        self.calibrated = Instant::now();
        if !std::mem::take(&mut self.flowed) {
            return;
        }
        let reading = match self.inner.device.timer() {
            Ok(device) => Some((device, hlc::now())),
            // The kernel runs, and the device cannot be asked beside it.
            Err(DeviceError::Busy { .. }) => self.ask_for_the_time(),
            Err(_) => None,
        };
        let Some((device, host)) = reading else { return };
        self.calibration = self.calibration.next(device, host);
        publish(&self.inner.running.memory.control, self.calibration);
    }
}

impl Poller {
    /// The device's time and the host's at the same moment, by a worker's word: the moment is known to lie between two looks
    /// at its answer. Asks again if those were far apart. Nothing if no worker answers: the old calibration stays.
    fn ask_for_the_time(&mut self) -> Option<(u64, u64)> {
        let memory = &self.inner.running.memory;
        let (block, answers) = (&memory.control, memory.lines.first()?);
        let mut best: Option<(u64, u64, u64)> = None;
        for _ in 0..QUESTIONS {
            self.questions += 1;
            block.store(control::CLOCK_REQUEST, self.questions, Ordering::Release);
            let begun = Instant::now();
            let mut before = hlc::now();
            while answers.load(line::CLOCK_ANSWER, Ordering::Acquire) != self.questions {
                if begun.elapsed() > ANSWER {
                    return best.map(|(_, device, host)| (device, host));
                }
                std::thread::yield_now();
                before = hlc::now();
            }
            let width = hlc::now().saturating_sub(before);
            if best.is_none_or(|(least, ..)| width < least) {
                best = Some((width, answers.load(line::CLOCK_TIME, Ordering::Acquire), before + width / 2));
            }
            if u128::from(width) <= EXACT.as_nanos() {
                break;
            }
        }
        best.map(|(_, device, host)| (device, host))
    }
}

/// Publishes a calibration under the group's sequence word.
fn publish<W: Words>(block: &W, calibration: Calibration) {
    let seq = block.load(control::CLOCK_SEQ, Ordering::Relaxed);
    block.store(control::CLOCK_SEQ, seq + 1, Ordering::Relaxed);
    fence(Ordering::Release);
    block.store(control::CLOCK_DEVICE_BASE, calibration.device_base, Ordering::Relaxed);
    block.store(control::CLOCK_HOST_BASE, calibration.host_base, Ordering::Relaxed);
    block.store(control::CLOCK_RATE, calibration.rate as u64, Ordering::Relaxed);
    block.store(control::CLOCK_SEQ, seq + 2, Ordering::Release);
}

impl Inner {
    /// Takes note of a stamp that came from the device.
    fn observe(&self, stamp: u64) -> Result<(), DriftError> {
        // The coarse clock is never ahead of the wall clock: a stamp that is near enough to it is near enough. Only where one is
        // not, the time is read.
        self.clock.observe(stamp, coarse::wall()).or_else(|_| self.clock.observe(stamp, hlc::now()))
    }

    /// Hands one completion to who waits for it, or reports it.
    pub(super) fn complete(&self, done: &Completion) {
        let ticket = Ticket::from_corr(done.corr);
        let (code_site, method) = (done.payload[0], done.payload[1]);
        match (done.kind, ticket) {
            (completion::REPLY, Some(ticket)) => {
                // A reply has one slice at the most.
                let buffer = handles(done.payload(), done.corr).next().unwrap_or(0);
                if buffer != 0 {
                    self.buffers.unread(buffer, 1);
                }
                let read = match self.observe(done.hlc) {
                    Ok(()) => self.asks.reply(ticket, done.hlc, buffer, |payload| {
                        for (word, reply) in payload.iter_mut().zip(done.payload()) {
                            *word = *reply;
                        }
                    }),
                    Err(error) => {
                        self.asks.end(ticket, End::Drift(error));
                        false
                    }
                };
                if !read && buffer != 0 {
                    self.let_go(buffer);
                }
            }
            (completion::FAULT, Some(ticket)) => {
                // A stamp beyond the bound must not enter the clock; the fault is news all the same.
                let _ = self.observe(done.hlc);
                self.asks.end(ticket, End::Fault { actor: done.actor, code_site, method });
            }
            (completion::FAULT, None) => {
                let fault = self.fault(RawId(done.actor), code_site, method);
                tracing::warn!(%fault, "a message faulted and nobody waits for it");
                // An error says that nobody has subscribed.
                let _ = self.faults.send(fault);
            }
            (completion::DEAD_LETTER, _) => {
                let fault = Fault { dead_letter: true, ..self.fault(RawId(done.actor), code_site, method) };
                tracing::warn!(%fault, "a message could not be delivered");
                let _ = self.faults.send(fault);
            }
            (completion::ASLEEP, _) => self.awaken(RawId(done.actor)),
            (kind, _) => tracing::error!(kind, "completion of unknown kind; this is a bug in gpu-actor"),
        }
    }

    /// Wakes tasks whose mailbox has space again; whether there were any.
    fn serve_waiters(&self) -> bool {
        let mut worked = false;
        for (waiters, inbox) in self.waiters.iter().zip(&self.running.memory.inboxes) {
            if waiters.any() && inbox.has_space() {
                waiters.wake(inbox.capacity() as usize);
                worked = true;
            }
        }
        worked
    }

    fn any_waiter(&self) -> bool {
        self.waiters.iter().any(super::waiters::Waiters::any)
            || self.running.memory.overflows.iter().any(crate::overflow::Overflow::any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Device as _, MemoryKind, soft};
    use crate::shared::Mapped;

    #[test]
    fn a_published_calibration_is_stable_and_counted() {
        let device = soft::Soft::open(&soft::SoftConfig::default()).unwrap();
        let block =
            Mapped::new(device.alloc(MemoryKind::Mapped, control::SIZE as usize).unwrap().into()).unwrap();
        publish(&block, Calibration { device_base: 1, host_base: 2, rate: -3 });
        publish(&block, Calibration { device_base: 4, host_base: 5, rate: -6 });
        let load = |offset| block.load(offset, Ordering::Acquire);
        assert_eq!(load(control::CLOCK_SEQ), 4);
        assert_eq!((load(control::CLOCK_DEVICE_BASE), load(control::CLOCK_HOST_BASE)), (4, 5));
        assert_eq!(load(control::CLOCK_RATE) as i64, -6);
    }
}
