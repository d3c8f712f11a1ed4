//! Bounded-slice mode: the ring kernel in launches of a bounded time, one after the other, behind the face of one launch.
//!
//! Rules kept here: a launch begins only when the one before it has left the device; a system with nothing to do has no
//! launch at all; and no message is slept on: a worker that leaves announces its sleep as one that parks does, so what
//! is accepted afterwards rings the bell here, and what was accepted before is in the counters that are read after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kernels_ptx::abi::{control, line};

use super::memory::Memory;
use super::running::Counters;
use crate::device::{Device, DeviceError, LaunchRequest, LaunchStatus, Launched, LoadedModule};
use crate::error::Result;
use crate::sync::Words;

/// How often workers that sleep beyond the end of their slice are woken to see it.
const NUDGE: Duration = Duration::from_millis(1);
/// How long a slice that cannot be aborted may take to end when the system is dropped, beyond what was waited before.
const PATIENCE: Duration = Duration::from_secs(1);

/// What it takes to launch the ring kernel, once or many times.
#[derive(Debug)]
pub(super) struct Launcher {
    pub(super) device: Arc<dyn Device>,
    pub(super) module: Arc<dyn LoadedModule>,
    pub(super) memory: Arc<Memory>,
    pub(super) workers: u32,
    pub(super) lanes: u32,
    pub(super) spin: Duration,
}

impl Launcher {
    pub(super) fn launch(&self) -> Result<Box<dyn Launched>, DeviceError> {
        let request = LaunchRequest {
            module: self.module.as_ref(),
            entry: kernels_ptx::ring::ENTRY,
            workers: self.workers,
            lanes: self.lanes,
            args: &[self.memory.root],
            persistent: true,
            spin: self.spin,
        };
        // SAFETY: the root record names live allocations of `device`, laid out by `kernels_ptx::abi`, which the verified
        // module keeps to. They are owned by `memory`, and actors' chunks by the directory of `Running`, which drops the
        // launch before both; a launch's drop ends it. The host touches what it shares through `Mapped` only. Two launches
        // never run at a time: `Slices` waits for the end of one before it begins the next.
        unsafe { self.device.launch(&request) }
    }
}

/// The launches of a sliced system.
#[derive(Debug)]
pub(super) struct Slices {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    launcher: Launcher,
    slice: Duration,
    /// What the device's launches can, see [`Launched`].
    can_abort: bool,
    has_events: bool,
    launches: Arc<AtomicU64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The launch that is on the device; none while there is nothing to do.
    live: Option<Arc<dyn Launched>>,
    /// A bell rang since the last look for work.
    rung: bool,
    /// Somebody wants the poller awake.
    signalled: bool,
    aborted: bool,
    ended: Option<Ended>,
}

/// How the last launch ended, or why there is none.
#[derive(Debug)]
enum Ended {
    Finished,
    Aborted,
    /// As this launch says.
    Failed(Arc<dyn Launched>),
    NotLaunched(Arc<DeviceError>),
}

impl Slices {
    /// Begins the first launch.
    pub(super) fn begin(launcher: Launcher, slice: Duration, launches: Arc<AtomicU64>) -> Result<Self> {
        let first = launcher.launch()?;
        launches.fetch_add(1, Ordering::Relaxed);
        let (can_abort, has_events) = (first.can_abort(), first.has_events());
        let state = Mutex::new(State { live: Some(first.into()), ..State::default() });
        let changed = Condvar::new();
        let shared = Arc::new(Shared { launcher, slice, can_abort, has_events, launches, state, changed });
        let own = Arc::clone(&shared);
        let thread = super::spawn("slices", move || own.relaunch())?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's life: one launch after the other, as long as there is something to do.
    fn relaunch(&self) {
        let mut live = self.state().live.clone();
        let ended = loop {
            if let Some(launch) = live.take() {
                match self.await_end(launch.as_ref()) {
                    LaunchStatus::Failed(_) => break Ended::Failed(launch),
                    LaunchStatus::Aborted => break Ended::Aborted,
                    _ => self.state().live = None,
                }
            }
            if let Some(ended) = self.await_work() {
                break ended;
            }
            match self.launcher.launch() {
                Ok(launch) => {
                    self.launches.fetch_add(1, Ordering::Relaxed);
                    let launch: Arc<dyn Launched> = launch.into();
                    let mut state = self.state();
                    if state.aborted {
                        launch.abort();
                    }
                    state.live = Some(Arc::clone(&launch));
                    live = Some(launch);
                }
                // Another system's kernel came in between. It is a matter of time, or of an abort.
                Err(DeviceError::Busy { .. }) => {
                    drop(self.changed.wait_timeout(self.state(), NUDGE));
                    continue;
                }
                Err(error) => break Ended::NotLaunched(Arc::new(error)),
            }
            // Who waits for an event waits for one of this launch now.
            self.changed.notify_all();
        };
        self.state().ended = Some(ended);
        self.changed.notify_all();
    }

    /// Waits until all workers have left.
    fn await_end(&self, launch: &dyn Launched) -> LaunchStatus {
        let mut status = launch.wait(Some(self.slice));
        while matches!(status, LaunchStatus::Running) {
            // A worker with nothing to do may be parked, and one that began after the slice did here still has time left.
            for worker in 0..self.launcher.workers {
                launch.doorbell(worker);
            }
            status = launch.wait(Some(NUDGE));
        }
        status
    }

    /// Waits until there is work for a launch; or says how it all ended.
    fn await_work(&self) -> Option<Ended> {
        let mut state = self.state();
        loop {
            if state.aborted {
                return Some(Ended::Aborted);
            }
            // Before the look: a bell that rings from here on is for what the look may have missed.
            state.rung = false;
            let memory = &self.launcher.memory;
            let command = memory.control.load(control::COMMAND, Ordering::Acquire);
            let order = command & ((1 << control::EPOCH_SHIFT) - 1);
            if order == control::STOP {
                return Some(Ended::Finished);
            }
            let obeyed = memory.lines.iter().all(|l| l.load(line::ACK, Ordering::Acquire) == command);
            if !obeyed || (order == control::RUN && Counters::read(memory).in_flight() != 0) {
                return None;
            }
            state = self
                .changed
                .wait_while(state, |state| !state.rung && !state.aborted)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn status(&self, state: &State) -> LaunchStatus {
        match &state.ended {
            None => LaunchStatus::Running,
            Some(Ended::Finished) => LaunchStatus::Finished,
            Some(Ended::Aborted) => LaunchStatus::Aborted,
            Some(Ended::Failed(launch)) => launch.poll(),
            Some(Ended::NotLaunched(error)) => LaunchStatus::Failed(DeviceError::Failed {
                device: self.launcher.device.info().name,
                action: "launching the next slice of the ring kernel".into(),
                source: Box::new(Shown(Arc::clone(error))),
            }),
        }
    }
}

/// An error that is told to everybody who asks.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shown(Arc<DeviceError>);

impl Launched for Slices {
    fn poll(&self) -> LaunchStatus {
        self.shared.status(&self.shared.state())
    }

    fn wait(&self, timeout: Option<Duration>) -> LaunchStatus {
        // A deadline beyond the clock's range is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.state();
        while state.ended.is_none() {
            let Some(deadline) = deadline else {
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.shared.status(&state)
    }

    fn abort(&self) {
        let mut state = self.shared.state();
        state.aborted = true;
        if let Some(live) = &state.live {
            live.abort();
        }
        self.shared.changed.notify_all();
    }

    fn can_abort(&self) -> bool {
        self.shared.can_abort
    }

    fn has_events(&self) -> bool {
        self.shared.has_events
    }

    fn doorbell(&self, worker: u32) {
        let mut state = self.shared.state();
        state.rung = true;
        match &state.live {
            Some(live) => live.doorbell(worker),
            None => self.shared.changed.notify_all(),
        }
    }

    fn wait_event(&self, timeout: Option<Duration>) {
        let mut state = self.shared.state();
        if state.live.is_none() && !state.signalled {
            // Until somebody signals, a launch begins, or all is over.
            let dull = |state: &mut State| state.live.is_none() && !state.signalled && state.ended.is_none();
            let changed = &self.shared.changed;
            state = match timeout {
                None => changed.wait_while(state, dull).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    changed.wait_timeout_while(state, timeout, dull).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        } else if !state.signalled
            && let Some(live) = state.live.clone()
        {
            drop(state);
            // Returns when this launch ends, too; the caller looks around and comes back.
            live.wait_event(timeout);
            state = self.shared.state();
        }
        state.signalled = false;
    }

    fn signal_host(&self) {
        let mut state = self.shared.state();
        state.signalled = true;
        if let Some(live) = &state.live {
            live.signal_host();
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Slices {
    fn drop(&mut self) {
        self.abort();
        if !self.shared.can_abort && matches!(self.wait(Some(PATIENCE)), LaunchStatus::Running) {
            tracing::warn!("a slice of the ring kernel does not end; what it uses is kept until it does");
            // The thread waits for it, and holds the memory.
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the slices panicked; this is a bug in gpu-actor");
        }
    }
}

#[cfg(test)]
mod tests {
    use kernels_ptx::abi::control;

    use super::*;
    use crate::{ActorSystem, Config};

    /// Worker 0 answers in its own words, also in a later launch, and never twice.
    #[test]
    fn the_device_tells_its_time_when_asked() {
        for slice in [None, Some(Duration::from_micros(100))] {
            let mut config = Config::default().workers(2);
            config.slice = slice;
            let system = ActorSystem::start_blocking(config).unwrap();
            let running = &system.owner.inner.running;
            let (block, line0) = (&running.memory.control, &running.memory.lines[0]);
            let mut last = 0;
            for question in 1..=3 {
                let before = crate::hlc::now();
                block.store(control::CLOCK_REQUEST, question, Ordering::Release);
                // A launch, where there is none.
                running.order(control::RUN).unwrap();
                while line0.load(line::CLOCK_ANSWER, Ordering::Acquire) != question {
                    std::thread::yield_now();
                }
                let time = line0.load(line::CLOCK_TIME, Ordering::Acquire);
                assert!(time >= before && time > last, "{time} {before} {last}");
                assert!(time <= crate::hlc::now());
                last = time;
            }
            assert_eq!(running.memory.lines[1].load(line::CLOCK_ANSWER, Ordering::Acquire), 0);
        }
    }
}
