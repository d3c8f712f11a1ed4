//! Device memory for chunks: given out, taken back and given out again.
//!
//! Rules kept here: a frame that a chunk has left stays allocated and is for the next chunk of its size, until memory is scarce; no lock is held while the device allocates.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::device::{Allocation, Device, DeviceError, MemoryKind};

/// A chunk's device memory.
pub(super) type Frame = Box<dyn Allocation>;

/// All frames of a system that no chunk has, and the sums over those that one has.
#[derive(Debug)]
pub(super) struct Frames {
    limit: Option<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By size.
    free: HashMap<u64, Vec<Frame>>,
    counts: Counts,
    /// Whoever waits for pressure is to leave.
    closed: bool,
}

/// What has happened to frames and to those who live in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes of the frames that chunks have.
    pub(crate) resident: u64,
    /// Actors whose state went to the host.
    pub(crate) deactivated: u64,
    /// Actors whose state came back.
    pub(crate) reactivated: u64,
}

/// Why the thread that deactivates is awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Chunks have more bytes than they may.
    Pressure,
    /// Time is up.
    Time,
    /// The system ends.
    Exit,
}

impl Frames {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The numbers change in single steps, so a panic elsewhere while they are locked does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame for a chunk of so many bytes, and whether somebody lived in it before.
    pub(super) fn take(&self, bytes: u64, device: &dyn Device) -> Result<(Frame, bool), DeviceError> {
        let recycled = self.lock().free.get_mut(&bytes).and_then(Vec::pop);
        let frame = match recycled {
            Some(frame) => (frame, true),
            None => (device.alloc(MemoryKind::Device, bytes as usize)?, false),
        };
        let mut state = self.lock();
        state.counts.resident += bytes;
        if self.excess_of(&state) != 0 {
            self.changed.notify_all();
        }
        Ok(frame)
    }

    /// Gives the device all frames that no chunk has; how many bytes.
    pub(super) fn give_up(&self) -> u64 {
        let free = std::mem::take(&mut self.lock().free);
        free.iter().map(|(bytes, frames)| bytes * frames.len() as u64).sum()
    }

    /// Takes a frame back that was of no use.
    pub(super) fn give_back(&self, bytes: u64, frame: Frame) {
        self.retire(bytes, frame, 0);
    }

    /// Takes back the frame of so many actors whose state the host has now. One step: who sees the bytes gone sees the actors
    /// counted.
    pub(super) fn retire(&self, bytes: u64, frame: Frame, actors: u64) {
        let mut state = self.lock();
        state.free.entry(bytes).or_default().push(frame);
        state.counts.resident -= bytes;
        state.counts.deactivated += actors;
    }

    pub(super) fn count_reactivated(&self, actors: u64) {
        self.lock().counts.reactivated += actors;
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn excess_of(&self, state: &State) -> u64 {
        self.limit.map_or(0, |limit| state.counts.resident.saturating_sub(limit))
    }

    /// Bytes that chunks have beyond what they may.
    pub(super) fn excess(&self) -> u64 {
        self.excess_of(&self.lock())
    }

    /// Waits for pressure, for so long at the most.
    pub(super) fn await_call(&self, patience: Option<Duration>) -> Call {
        let state = self.lock();
        let calm = |state: &mut State| !state.closed && self.excess_of(state) == 0;
        let state = match patience {
            Some(patience) => {
                self.changed
                    .wait_timeout_while(state, patience, calm)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self.changed.wait_while(state, calm).unwrap_or_else(PoisonError::into_inner),
        };
        match (state.closed, self.excess_of(&state)) {
            (true, _) => Call::Exit,
            (_, 0) => Call::Time,
            _ => Call::Pressure,
        }
    }

    /// Waits until the system ends, for so long at the most; whether it does.
    pub(super) fn await_exit(&self, patience: Duration) -> bool {
        let waits = self.changed.wait_timeout_while(self.lock(), patience, |state| !state.closed);
        waits.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Ends all waiting.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}
