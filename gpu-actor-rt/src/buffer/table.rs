//! The buffers of a system: which there are, who has them, and what the device may know of them.
//!
//! Rules kept here: a buffer's memory goes back to the pool when the last handle on the host is gone, and a buffer that the
//! device has a reference to has one such handle, in the table; so nothing is freed that somebody can reach. A record of the table
//! names a buffer exactly as long, and every buffer has a generation of its own there. While the host has a buffer mapped, no
//! handler gets it that could be in the way, and the other way round.

use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use kernels_ptx::abi::{buffer, slice};

use super::MOST_BYTES;
use super::error::BufferError;
use crate::device::DeviceError;
use crate::error::Result;
use crate::pool::{Block, BufferPool};
use crate::shared::Mapped;
use crate::sync::Words as _;

/// The buffers of a system.
#[derive(Debug)]
pub struct Buffers {
    pool: BufferPool,
    /// What the device reads; nothing where no handler has slices.
    records: Option<Mapped>,
    limit: u32,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    states: Vec<Arc<Entry>>,
    free: Vec<u32>,
}

/// A place of the table.
#[derive(Debug)]
pub(super) struct Entry {
    index: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u32,
    /// References of the device: messages, replies, and whatever they become there.
    device: i64,
    /// The handle that stands for those.
    held: Option<Arc<Held>>,
    /// A handler may write, or may have written, since the device last had no reference.
    written: bool,
    /// References in replies that have come and that nobody has read yet.
    unread: i64,
    /// Guards of the host that read; [`u32::MAX`] for one that writes.
    mapped: u32,
    /// Who waits until the device is done.
    waiting: Vec<Waker>,
}

/// A guard that writes, as a count of guards.
const WRITES: u32 = u32::MAX;

/// A buffer, without a type: shared by all of its handles.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) buffers: Arc<Buffers>,
    pub(super) entry: Arc<Entry>,
    /// There until the drop.
    block: Option<Block>,
    /// Bytes in use.
    pub(super) bytes: usize,
    handle: u64,
}

impl Held {
    /// What names the buffer in messages.
    pub(super) fn handle(&self) -> u64 {
        self.handle
    }

    /// The host's address of the bytes, if the host reaches them.
    pub(super) fn host_ptr(&self) -> Option<NonNull<u8>> {
        self.buffers.pool.host_ptr(self.block.as_ref()?)
    }

    /// Copies bytes into the buffer. Whoever calls it knows that nobody else is at them.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.block.as_ref().map_or(Ok(()), |block| self.buffers.pool.write(block, offset, bytes))
    }

    /// Copies bytes out of the buffer. Whoever calls it knows that nobody writes to them.
    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.block.as_ref().map_or(Ok(()), |block| self.buffers.pool.read(block, offset, bytes))
    }

    /// Clears the buffer. Whoever calls it knows that nobody else is at it.
    fn zero(&self) -> Result<(), DeviceError> {
        self.block.as_ref().map_or(Ok(()), |block| self.buffers.pool.zero(block, self.bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // No longer named, then somebody else's.
        self.buffers.retire(&self.entry);
        if let Some(block) = self.block.take() {
            self.buffers.pool.put(block);
        }
    }
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The device is done with a buffer: dropped, this wakes who waited for that, and lets go of the device's handle.
#[derive(Debug)]
pub(super) struct Done {
    _held: Option<Arc<Held>>,
    waiting: Vec<Waker>,
}

impl Drop for Done {
    fn drop(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }
}

impl Buffers {
    pub(crate) fn new(pool: BufferPool, records: Option<Mapped>, limit: u32) -> Arc<Self> {
        Arc::new(Self { pool, records, limit, entries: Mutex::default() })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of so many bytes, with whatever is in the pool's block.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Result<Arc<Held>> {
        let Some(records) = &self.records else { return Err(BufferError::Unused.into()) };
        let entry = self.place()?;
        let block = match self.pool.take(bytes) {
            Ok(block) => block,
            Err(error) => {
                self.entries().free.push(entry.index);
                return Err(error);
            }
        };
        let generation = {
            let mut state = entry.lock();
            // Zero is nobody's.
            state.generation = state.generation.wrapping_add(1).max(1);
            state.generation
        };
        let at = u64::from(entry.index) * buffer::SIZE;
        records.store(at + buffer::ADDRESS, block.address(), Ordering::Relaxed);
        records.store(at + buffer::BYTES, bytes as u64, Ordering::Relaxed);
        records.store(at + buffer::GENERATION, generation.into(), Ordering::Release);
        let handle = u64::from(entry.index) | u64::from(generation) << slice::INDEX_BITS;
        Ok(Arc::new(Held { buffers: Arc::clone(self), entry, block: Some(block), bytes, handle }))
    }

    /// A free place of the table.
    fn place(&self) -> Result<Arc<Entry>, BufferError> {
        let mut entries = self.entries();
        if let Some(index) = entries.free.pop() {
            return Ok(Arc::clone(&entries.states[index as usize]));
        }
        let index = entries.states.len() as u32;
        if index >= self.limit {
            return Err(BufferError::TooMany { limit: self.limit });
        }
        let entry = Arc::new(Entry { index, state: Mutex::default() });
        entries.states.push(Arc::clone(&entry));
        Ok(entry)
    }

    /// A buffer with a copy of `bytes`, which are elements of `size` bytes.
    pub(super) fn copied(self: &Arc<Self>, bytes: &[u8], size: usize) -> Result<Arc<Held>> {
        length(bytes.len() / size.max(1), size)?;
        let mut held = self.take(bytes.len())?;
        // Nobody else has it yet.
        if let Some(held) = Arc::get_mut(&mut held) {
            held.write(0, bytes)?;
        }
        Ok(held)
    }

    /// A buffer of `len` elements of `size` bytes, all zero.
    pub(super) fn zeroed(self: &Arc<Self>, len: usize, size: usize) -> Result<Arc<Held>> {
        let bytes = length(len, size)?;
        let mut held = self.take(bytes)?;
        if let Some(held) = Arc::get_mut(&mut held) {
            held.zero()?;
        }
        Ok(held)
    }

    /// The last handle of a buffer is gone.
    fn retire(&self, entry: &Entry) {
        if let Some(records) = &self.records {
            records.store(u64::from(entry.index) * buffer::SIZE + buffer::GENERATION, 0, Ordering::Release);
        }
        self.entries().free.push(entry.index);
    }

    /// The buffer that a handle of the device names, while the device has a reference to it.
    fn find(&self, handle: u64) -> Option<Arc<Entry>> {
        let index = (handle & ((1 << slice::INDEX_BITS) - 1)) as usize;
        self.entries().states.get(index).cloned()
    }

    /// A reply with the buffer is handed to who asked; or, with -1, it has been read or never will be.
    pub(crate) fn unread(&self, handle: u64, by: i64) {
        if let Some(entry) = self.find(handle) {
            let mut state = entry.lock();
            state.unread = (state.unread + by).max(0);
        }
    }

    /// The buffer in a reply. The device's reference is still to be [given up](Self::changed).
    pub(super) fn received(&self, handle: u64) -> Option<Arc<Held>> {
        let entry = self.find(handle)?;
        let state = entry.lock();
        state.held.as_ref().filter(|held| held.handle == handle).cloned()
    }

    /// The device has more or fewer references to a buffer. What comes of it is to be done where nothing is locked.
    pub(super) fn changed(&self, handle: u64, by: i64) -> Option<Done> {
        let entry = self.find(handle)?;
        let mut state = entry.lock();
        state.device += by;
        if state.device > 0 {
            return None;
        }
        if state.device < 0 {
            tracing::error!(handle, "the device gave back a buffer twice; this is a bug in gpu-actor");
            state.device = 0;
        }
        state.written = false;
        Some(Done { _held: state.held.take(), waiting: mem::take(&mut state.waiting) })
    }

    /// A message with a reference to the buffer went nowhere.
    pub(crate) fn take_back(&self, handle: u64) {
        drop(self.changed(handle, -1));
    }

    /// The device is gone, and all that it said was heard: its references are those in replies that nobody has read yet. The pool
    /// keeps nothing from here on.
    pub(crate) fn close(&self) {
        let states = self.entries().states.clone();
        for entry in states {
            let mut state = entry.lock();
            (state.device, state.written) = (state.unread, false);
            let held = if state.device == 0 { state.held.take() } else { None };
            let done = Done { _held: held, waiting: mem::take(&mut state.waiting) };
            drop(state);
            drop(done);
        }
        self.pool.close();
    }

    /// Where the buffers' memory comes from.
    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// Buffers that somebody has a handle to, on the host or the device, and references of the device to them.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let (states, free) = {
            let entries = self.entries();
            (entries.states.clone(), entries.free.len())
        };
        let device: i64 = states.iter().map(|entry| entry.lock().device).sum();
        ((states.len() - free) as u64, device.max(0) as u64)
    }
}

/// The bytes of so many elements.
fn length(elements: usize, size: usize) -> Result<usize, BufferError> {
    let bytes = elements.checked_mul(size).filter(|bytes| (1..=MOST_BYTES).contains(bytes));
    bytes.ok_or(BufferError::Length { elements, size })
}

/// Gives the device one more reference to a buffer, with which a message leaves. Where the host has it mapped in a way that the
/// handler must not meet, the error is whether that is for writing.
pub(super) fn ship(held: &Arc<Held>, writes: bool) -> Result<(), bool> {
    let mut state = held.entry.lock();
    if state.mapped == WRITES || (writes && state.mapped != 0) {
        return Err(state.mapped == WRITES);
    }
    state.device += 1;
    state.written |= writes;
    if state.held.is_none() {
        state.held = Some(Arc::clone(held));
    }
    Ok(())
}

/// Whether the host may map a buffer now, and then counts the guard; else who waits is woken when that may have changed.
pub(super) fn map(held: &Held, writes: bool, waker: Option<&Waker>) -> Result<bool, BufferError> {
    let mut state = held.entry.lock();
    if state.mapped == WRITES || (writes && state.mapped != 0) {
        return Err(BufferError::Mapped { for_writing: state.mapped == WRITES });
    }
    if state.written || (writes && state.device != 0) {
        if let Some(waker) = waker {
            state.waiting.push(waker.clone());
        }
        return Ok(false);
    }
    state.mapped = if writes { WRITES } else { state.mapped + 1 };
    Ok(true)
}

/// A guard is gone.
pub(super) fn unmap(held: &Held) {
    let mut state = held.entry.lock();
    state.mapped = if state.mapped == WRITES { 0 } else { state.mapped.saturating_sub(1) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize};

    use kernels_ptx::abi::slot;

    use super::super::Releases;
    use super::*;
    use crate::device::soft::{Soft, SoftConfig};
    use crate::device::{Device as _, MemoryKind};
    use crate::pool::PoolConfig;
    use crate::ring::{Completions, Shape};
    use crate::sync::Words;

    const SHAPE: Shape = Shape { capacity: 4, slot_size: 64 };

    fn buffers() -> Arc<Buffers> {
        let device = Arc::new(Soft::open(&SoftConfig::default()).unwrap());
        let records = device.alloc(MemoryKind::Mapped, 64 * buffer::SIZE as usize).unwrap();
        let pool = BufferPool::new(device, &PoolConfig::default()).unwrap();
        Buffers::new(pool, Mapped::new(records.into()), 64)
    }

    /// Two rings; when the second one is looked at for the first time, two workers have just written to both.
    #[derive(Clone)]
    struct Two {
        words: Arc<Vec<AtomicU64>>,
        looks: Arc<AtomicUsize>,
        ring: u64,
        handle: u64,
    }

    impl Two {
        fn write(&self, ring: u64, change: i64) {
            let at = (ring * SHAPE.bytes()) as usize / 8;
            self.words[at + slot::ACTOR as usize / 8].store(self.handle, Ordering::Relaxed);
            self.words[at + slot::HLC as usize / 8].store(change as u64, Ordering::Relaxed);
            self.words[at].store(1 | 1 << 32, Ordering::Release);
        }
    }

    impl Words for Two {
        type Atom = AtomicU64;

        fn load(&self, offset: u64, order: Ordering) -> u64 {
            if self.ring == 1 && self.looks.fetch_add(1, Ordering::Relaxed) == 0 {
                self.write(0, 1);
                self.write(1, -1);
            }
            self.words[(self.ring * SHAPE.bytes() + offset) as usize / 8].load(order)
        }

        fn store(&self, offset: u64, value: u64, order: Ordering) {
            self.words[(self.ring * SHAPE.bytes() + offset) as usize / 8].store(value, order);
        }

        fn read(&self, offset: u64, out: &mut [u64]) {
            for (word, at) in out.iter_mut().zip((offset..).step_by(8)) {
                *word = self.words[(self.ring * SHAPE.bytes() + at) as usize / 8].load(Ordering::Relaxed);
            }
        }

        fn write(&self, offset: u64, data: &[u64]) {
            for (value, at) in data.iter().zip((offset..).step_by(8)) {
                self.store(at, *value, Ordering::Relaxed);
            }
        }

        fn fence_seq_cst() {}
    }

    /// One worker handed the buffer on to another and kept it; the other is done with it, and its ring is looked at while the first
    /// one's, which has just been looked at, has more. Counted at once, that would be no reference at all.
    #[test]
    fn a_reference_is_not_given_up_before_the_one_that_it_came_from_is_heard_of() {
        let buffers = buffers();
        let held = buffers.zeroed(4, 1).unwrap();
        ship(&held, false).unwrap();
        let handle = held.handle();
        drop(held);
        let words = Arc::new((0..SHAPE.bytes() / 4).map(|_| AtomicU64::new(0)).collect());
        let two = Two { words, looks: Arc::default(), ring: 0, handle };
        let rings = [0, 1].map(|ring| Completions::new(Two { ring, ..two.clone() }, SHAPE));
        let releases = Releases::new(rings.into(), SHAPE.capacity);
        assert!(releases.drain(&buffers));
        assert_eq!(buffers.counts(), (1, 1));
        assert!(!releases.drain(&buffers));
        let held = buffers.received(handle).expect("the device still has it");
        releases.arrive(&buffers, handle);
        assert_eq!(buffers.counts(), (1, 0));
        drop(held);
        assert_eq!(buffers.counts(), (0, 0));
    }

    #[test]
    fn a_place_that_is_used_again_has_another_generation() {
        let buffers = buffers();
        let first = buffers.copied(&[1; 8], 1).unwrap();
        let (entry, handle) = (Arc::clone(&first.entry), first.handle());
        ship(&first, true).unwrap();
        buffers.take_back(handle);
        drop(first);
        let second = buffers.copied(&[2; 8], 1).unwrap();
        assert!(Arc::ptr_eq(&entry, &second.entry), "the same place");
        assert_ne!(second.handle(), handle);
        assert!(buffers.received(handle).is_none() && buffers.received(second.handle()).is_none());
        ship(&second, false).unwrap();
        assert!(buffers.received(handle).is_none());
        assert!(buffers.received(second.handle()).is_some());
        buffers.close();
        assert!(buffers.received(second.handle()).is_none());
        assert_eq!(buffers.counts(), (1, 0));
    }
}
