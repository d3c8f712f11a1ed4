//! Memory pools, for allocation in the order of a stream.
//!
//! Rules kept here:
//! - Memory that comes back stays with the pool and is given out again, also while kernels run; the device has it back only when
//!   somebody synchronises, no kernel runs, and the pool has more than its threshold.
//! - A piece is given out whole: for less than half of its size it is used only when the device has nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use soft_gpu::{DeviceMemory, Error};

use super::{Gpu, lock};
use crate::code::Code;

/// `CUmemPool_attribute` of `cuda.h`.
pub(crate) mod attribute {
    pub(crate) const REUSE_FOLLOW_EVENT_DEPENDENCIES: u32 = 1;
    pub(crate) const REUSE_ALLOW_INTERNAL_DEPENDENCIES: u32 = 3;
    pub(crate) const RELEASE_THRESHOLD: u32 = 4;
    pub(crate) const RESERVED_CURRENT: u32 = 5;
    pub(crate) const RESERVED_HIGH: u32 = 6;
    pub(crate) const USED_CURRENT: u32 = 7;
    pub(crate) const USED_HIGH: u32 = 8;
}

#[derive(Debug)]
struct State {
    free: Vec<DeviceMemory>,
    used: u64,
    used_high: u64,
    reserved: u64,
    reserved_high: u64,
    threshold: u64,
    /// The three ways of reusing memory; kept for who asks.
    reuse: [u32; 3],
}

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) handle: usize,
    /// Its device.
    pub(crate) ordinal: usize,
    /// The other devices that may use its memory.
    pub(crate) peers: Mutex<BTreeSet<usize>>,
    state: Mutex<State>,
}

impl Pool {
    pub(crate) fn new(handle: usize, ordinal: usize) -> Pool {
        let state = State {
            free: Vec::new(),
            used: 0,
            used_high: 0,
            reserved: 0,
            reserved_high: 0,
            threshold: 0,
            reuse: [1; 3],
        };
        Pool { handle, ordinal, peers: Mutex::default(), state: Mutex::new(state) }
    }

    /// Takes memory from the pool, which takes it from the device where it has none.
    pub(crate) fn take(self: &Arc<Self>, gpu: &Gpu, len: usize) -> Result<Pooled, Error> {
        let mut state = lock(&self.state);
        let memory = match state.pick(len, len.saturating_mul(2)) {
            Some(memory) => memory,
            None => match gpu.device.alloc(len) {
                Ok(memory) => {
                    state.reserve(memory.len());
                    memory
                }
                Err(error) if is_short(&error) => {
                    if let Some(memory) = state.pick(len, usize::MAX) {
                        memory
                    } else {
                        state.release(0);
                        let memory = gpu.device.alloc(len)?;
                        state.reserve(memory.len());
                        memory
                    }
                }
                Err(error) => return Err(error),
            },
        };
        state.used += memory.len() as u64;
        state.used_high = state.used_high.max(state.used);
        Ok(Pooled { pool: Arc::clone(self), memory: Some(memory) })
    }

    /// Gives memory beyond the threshold back to the device.
    pub(crate) fn settle(&self) {
        let mut state = lock(&self.state);
        let threshold = state.threshold;
        state.release(threshold);
    }

    /// Gives memory back to the device until the pool has no more than `keep` bytes, or all of it is in use.
    pub(crate) fn trim(&self, keep: u64) {
        lock(&self.state).release(keep);
    }

    /// The value of an attribute: 64 bits wide from the threshold on, an `int` before that.
    pub(crate) fn get(&self, attribute: u32) -> Result<u64, Code> {
        let state = lock(&self.state);
        Ok(match attribute {
            attribute::REUSE_FOLLOW_EVENT_DEPENDENCIES..=attribute::REUSE_ALLOW_INTERNAL_DEPENDENCIES => {
                u64::from(state.reuse[attribute as usize - 1])
            }
            attribute::RELEASE_THRESHOLD => state.threshold,
            attribute::RESERVED_CURRENT => state.reserved,
            attribute::RESERVED_HIGH => state.reserved_high,
            attribute::USED_CURRENT => state.used,
            attribute::USED_HIGH => state.used_high,
            _ => return Err(Code::INVALID_VALUE),
        })
    }

    pub(crate) fn set(&self, attribute: u32, value: u64) -> Result<(), Code> {
        let mut state = lock(&self.state);
        match attribute {
            attribute::REUSE_FOLLOW_EVENT_DEPENDENCIES..=attribute::REUSE_ALLOW_INTERNAL_DEPENDENCIES => {
                state.reuse[attribute as usize - 1] = u32::from(value as u32 != 0);
            }
            attribute::RELEASE_THRESHOLD => state.threshold = value,
            // The manual: the high-water marks can be set back to 0, and to nothing else.
            attribute::RESERVED_HIGH if value == 0 => state.reserved_high = state.reserved,
            attribute::USED_HIGH if value == 0 => state.used_high = state.used,
            _ => return Err(Code::INVALID_VALUE),
        }
        Ok(())
    }
}

/// Whether the device has too little memory, so that it is worth giving some back: a failure that a plan of faults wants is none of
/// these.
pub(crate) fn is_short(error: &Error) -> bool {
    matches!(error, Error::OutOfMemory { requested, free, .. } if free < requested)
}

impl State {
    /// The smallest free piece with at least `least` and at most `most` bytes.
    fn pick(&mut self, least: usize, most: usize) -> Option<DeviceMemory> {
        let fits = self.free.iter().enumerate().filter(|(_, m)| (least..=most).contains(&m.len()));
        let (at, _) = fits.min_by_key(|(_, m)| m.len())?;
        Some(self.free.swap_remove(at))
    }

    fn reserve(&mut self, len: usize) {
        self.reserved += len as u64;
        self.reserved_high = self.reserved_high.max(self.reserved);
    }

    fn release(&mut self, keep: u64) {
        while self.reserved > keep {
            let Some(memory) = self.free.pop() else { return };
            self.reserved -= memory.len() as u64;
        }
    }
}

/// Memory of a pool, to which it goes back when dropped.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) pool: Arc<Pool>,
    memory: Option<DeviceMemory>,
}

impl Pooled {
    pub(crate) fn address(&self) -> u64 {
        self.memory.as_ref().map_or(0, DeviceMemory::address)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            let mut state = lock(&self.pool.state);
            state.used -= memory.len() as u64;
            state.free.push(memory);
        }
    }
}
