//! The running ring kernel: its launch, its memory, its commands and its counters.
//!
//! Rules kept here: memory outlives the launch (field order); the host's commands carry an epoch that every worker
//! echoes; counters are read so that "nothing is left" is never said too early.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernels_ptx::abi::{control, line};

use super::directory::Directory;
use super::memory::{Ends, Memory};
use super::slices::{Launcher, Slices};
use crate::config::Settings;
use crate::device::{Device, LaunchStatus, Launched, LoadedModule};
use crate::error::{Error, Result};
use crate::hlc::Calibration;
use crate::mailbox::Mailbox;
use crate::overflow::Overflow;
use crate::program::Program;
use crate::shared::Mapped;
use crate::sync::Words;

/// A launched ring kernel and everything that it touches.
#[derive(Debug)]
pub(crate) struct Running {
    // First: dropping a launch ends it, and only then may the memory go.
    launched: Box<dyn Launched>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) directory: Directory,
    orders: Mutex<Orders>,
    launches: Arc<AtomicU64>,
}

/// The orders given so far.
#[derive(Debug, Default)]
struct Orders {
    /// The epoch of the last one.
    epoch: u64,
    /// Whether only who ends the system may give more.
    ending: bool,
}

/// The sums of the workers' counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) accepted: u64,
    pub(crate) sent: u64,
    pub(crate) handled: u64,
    pub(crate) faulted: u64,
    pub(crate) dead_letters: u64,
    pub(crate) dropped: u64,
    pub(crate) spilled: u64,
    pub(crate) activated: u64,
    pub(crate) heartbeats: u64,
}

impl Counters {
    /// The counters: what is finished first, then what began, so that the difference is never too small.
    pub(super) fn read(memory: &Memory) -> Self {
        let sum = |offset| -> u64 { memory.lines.iter().map(|l| l.load(offset, Ordering::Acquire)).sum() };
        let mut counters = Self {
            handled: sum(line::HANDLED),
            faulted: sum(line::FAULTED),
            dead_letters: sum(line::DEAD_LETTERS),
            dropped: sum(line::DROPPED) + memory.overflows.iter().map(Overflow::dropped).sum::<u64>(),
            spilled: sum(line::SPILLED),
            activated: sum(line::ACTIVATED),
            heartbeats: sum(line::HEARTBEAT),
            ..Self::default()
        };
        fence(Ordering::SeqCst);
        counters.sent = sum(line::SENT);
        counters.accepted = memory
            .overflows
            .iter()
            .zip(&memory.inboxes)
            .map(|(overflow, inbox)| overflow.accepted(|| inbox.accepted()))
            .sum();
        counters
    }

    /// Messages that came in and are not done.
    pub(crate) fn in_flight(&self) -> u64 {
        let done = self.handled + self.faulted + self.dead_letters + self.dropped;
        (self.accepted + self.sent).saturating_sub(done)
    }
}

/// Waits longer each time, from a spin to a millisecond.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    fn wait(&mut self) {
        if self.0 < 16 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(u64::from(self.0.min(100)) * 10));
        }
        self.0 += 1;
    }
}

impl Running {
    /// Builds the memory and launches the kernel.
    pub(crate) fn launch(
        device: &Arc<dyn Device>,
        program: &Program,
        module: &Arc<dyn LoadedModule>,
        settings: &Settings,
        mailboxes: &[Mailbox],
        calibration: Calibration,
    ) -> Result<(Self, Ends)> {
        let (memory, ends) = Memory::build(device.as_ref(), program, settings, mailboxes, calibration)?;
        let memory = Arc::new(memory);
        let directory = Directory::new(program, settings.workers, settings.config.max_resident);
        let launcher = Launcher {
            device: Arc::clone(device),
            module: Arc::clone(module),
            memory: Arc::clone(&memory),
            workers: settings.workers,
            lanes: settings.config.lanes,
            spin: settings.config.spin,
        };
        let launches = Arc::new(AtomicU64::new(0));
        let launched: Box<dyn Launched> = if let Some(slice) = settings.config.slice {
            Box::new(Slices::begin(launcher, slice, Arc::clone(&launches))?)
        } else {
            launches.fetch_add(1, Ordering::Relaxed);
            launcher.launch()?
        };
        Ok((Self { launched, memory, directory, orders: Mutex::default(), launches }, ends))
    }

    /// Waits until every worker runs.
    pub(crate) fn await_workers(&self, timeout: Duration) -> Result<()> {
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        loop {
            let running = self
                .memory
                .lines
                .iter()
                .filter(|l| l.load(line::STATE, Ordering::Acquire) == line::RUNNING)
                .count();
            if running == self.memory.lines.len() {
                return Ok(());
            }
            let status = self.launched.poll();
            if begun.elapsed() > timeout || !matches!(status, LaunchStatus::Running) {
                return Err(Error::Start {
                    running: running as u32,
                    workers: self.memory.lines.len() as u32,
                    after: begun.elapsed(),
                    status: describe(&status),
                });
            }
            backoff.wait();
        }
    }

    /// The launch.
    pub(crate) fn launched(&self) -> &dyn Launched {
        self.launched.as_ref()
    }

    /// Gives all workers an order; returns the word that they will echo. Refused once the system ends.
    pub(crate) fn order(&self, order: u64) -> Result<u64> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.ending { Err(Error::Stopped) } else { Ok(self.give(&mut orders, order)) }
    }

    /// From here on orders are given by [`last_orders`](Self::last_orders) alone.
    pub(crate) fn take_over(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).ending = true;
    }

    /// An order of who ends the system.
    pub(crate) fn last_orders(&self, order: u64) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        debug_assert!(orders.ending, "the end of the system has been taken over");
        self.give(&mut orders, order);
    }

    fn give(&self, orders: &mut Orders, order: u64) -> u64 {
        orders.epoch += 1;
        let word = orders.epoch << control::EPOCH_SHIFT | order;
        self.memory.control.store(control::COMMAND, word, Ordering::Release);
        fence(Ordering::SeqCst);
        for worker in 0..self.memory.lines.len() as u32 {
            self.launched.doorbell(worker);
        }
        word
    }

    /// Has all workers stand still between two messages while `work` is done, and go on as they did. Others' orders wait.
    pub(crate) fn hold<R>(&self, patience: Duration, work: impl FnOnce() -> R) -> Result<R> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.ending {
            return Err(Error::Stopped);
        }
        if self.last_order() == control::PAUSE {
            // They stand still, or are about to.
            self.await_echo(self.memory.control.load(control::COMMAND, Ordering::Acquire), patience)?;
            return Ok(work());
        }
        let word = self.give(&mut orders, control::HOLD);
        let done = self.await_echo(word, patience).map(|()| work());
        self.give(&mut orders, control::RUN);
        done
    }

    /// The order that was given last.
    pub(crate) fn last_order(&self) -> u64 {
        self.memory.control.load(control::COMMAND, Ordering::Acquire) & ((1 << control::EPOCH_SHIFT) - 1)
    }

    /// Waits until every worker has echoed a command, or a later one.
    pub(crate) fn await_echo(&self, word: u64, timeout: Duration) -> Result<()> {
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        loop {
            let epoch = |word: u64| word >> control::EPOCH_SHIFT;
            let obeyed = |line: &&Mapped| epoch(line.load(line::ACK, Ordering::Acquire)) >= epoch(word);
            let answered = self.memory.lines.iter().filter(obeyed).count();
            if answered == self.memory.lines.len() {
                return Ok(());
            }
            if !matches!(self.launched.poll(), LaunchStatus::Running) {
                return Err(Error::Stopped);
            }
            if begun.elapsed() > timeout {
                return Err(Error::Unresponsive {
                    answered: answered as u32,
                    workers: self.memory.lines.len() as u32,
                    after: begun.elapsed(),
                });
            }
            backoff.wait();
        }
    }

    /// Ends the kernel, whatever it is doing: at once where the device can, else by an order that the workers read between
    /// two messages. Waits at most for `patience` then; whether the kernel has ended.
    pub(crate) fn end(&self, patience: Duration) -> bool {
        if !matches!(self.launched.poll(), LaunchStatus::Running) {
            return true;
        }
        self.launched.abort();
        if self.launched.can_abort() {
            self.launched.wait(None);
            return true;
        }
        self.take_over();
        self.last_orders(control::STOP);
        !matches!(self.launched.wait(Some(patience)), LaunchStatus::Running)
    }

    /// The counters, as they stand.
    pub(crate) fn counters(&self) -> Counters {
        Counters::read(&self.memory)
    }

    /// Launches of the ring kernel so far.
    pub(crate) fn launches(&self) -> u64 {
        self.launches.load(Ordering::Relaxed)
    }

    /// The counters, after workers that have just finished had time to publish theirs.
    pub(crate) fn settled_counters(&self, patience: Duration) -> Counters {
        let begun = Instant::now();
        loop {
            let counters = self.counters();
            // Workers that are held go on in a moment.
            let flows = matches!(self.last_order(), control::RUN | control::HOLD);
            if counters.in_flight() == 0 || begun.elapsed() >= patience || !flows {
                return counters;
            }
            std::thread::yield_now();
        }
    }

    /// Waits until no message is in flight, and does `chores` meanwhile; `false` when time is up or the launch has ended before.
    pub(crate) fn await_quiescence(&self, deadline: Option<Instant>, chores: impl Fn()) -> bool {
        let mut backoff = Backoff::default();
        loop {
            chores();
            if self.counters().in_flight() == 0 {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline)
                || !matches!(self.launched.poll(), LaunchStatus::Running)
            {
                return self.counters().in_flight() == 0;
            }
            backoff.wait();
        }
    }
}

/// How long a kernel that did not even start well may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

impl Drop for Running {
    fn drop(&mut self) {
        // A launch that goes ends its kernel, if it can; one that cannot needs the order.
        if !self.launched.can_abort() {
            self.end(PATIENCE);
        }
    }
}

/// A launch's status in words.
pub(crate) fn describe(status: &LaunchStatus) -> String {
    match status {
        LaunchStatus::Running => "the kernel runs".into(),
        LaunchStatus::Finished => "the kernel has ended".into(),
        LaunchStatus::Aborted => "the kernel was aborted".into(),
        LaunchStatus::Failed(error) => crate::error::chain(error),
    }
}
