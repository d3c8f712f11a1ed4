//! Device memory: allocations, their table, and copies to and from them.
//!
//! Rules kept here:
//! - An address handed out stays valid while any launch runs on the device. Memory that its owner drops while one
//!   does goes into quarantine and is given back when the last launch has ended, so a kernel never touches memory
//!   that is no longer its own. Quarantined bytes count as used.
//! - Copies are checked against the table: they never leave one live allocation.
//! - Host copies use relaxed atomic accesses, since kernels may use the same bytes at the same time.
//!
//! This is one of the few files with `unsafe`: it owns the raw allocations.

use std::alloc::Layout;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::check::Nearest;
use crate::error::Error;

/// Alignment of every allocation in bytes, as on hardware.
const ALIGNMENT: usize = 256;

/// How much memory a device has and how much of it is in use, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryInfo {
    /// Bytes that can still be allocated.
    pub free: u64,
    /// The device's memory.
    pub total: u64,
    /// Bytes that were dropped while a launch was running and come back when it ends. Not part of `free`.
    pub quarantined: u64,
}

/// Freed allocations that a checked device remembers.
const MOST_FREED: usize = 4096;

/// What an allocation is for.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Device,
    Mapped,
    /// A `.global` or `.const` variable of a module.
    Variable {
        name: Box<str>,
        constant: bool,
    },
}

impl Origin {
    fn is_mapped(&self) -> bool {
        matches!(self, Origin::Mapped)
    }

    fn is_constant(&self) -> bool {
        matches!(self, Origin::Variable { constant: true, .. })
    }

    fn describe(&self) -> String {
        match self {
            Origin::Device => "device memory".to_owned(),
            Origin::Mapped => "mapped memory".to_owned(),
            Origin::Variable { name, .. } => format!("variable `{name}`"),
        }
    }
}

/// A live allocation, as the checks of a kernel see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) constant: bool,
}

/// The live allocations that kernels of a device may touch, at one moment and in the order of their addresses.
#[derive(Debug)]
pub(crate) struct Ranges {
    pub(crate) epoch: u64,
    pub(crate) list: Vec<Range>,
}

impl Ranges {
    /// The allocation that holds an address.
    pub(crate) fn find(&self, address: u64) -> Option<Range> {
        let after = self.list.partition_point(|r| r.start <= address);
        self.list.get(after.checked_sub(1)?).copied().filter(|r| address < r.end)
    }
}

/// An allocation that was given back.
struct Freed {
    start: u64,
    len: u64,
    origin: Origin,
}

/// One raw, zeroed allocation.
struct Block {
    raw: NonNull<u8>,
    layout: Layout,
    address: NonZero<usize>,
    len: usize,
    origin: Origin,
}

// SAFETY: the block owns its allocation, and nothing about it is tied to a thread.
unsafe impl Send for Block {}

impl Block {
    fn new(len: usize, origin: Origin) -> Option<Block> {
        // The allocator zeroes lazily only at ordinary alignment (it then asks the system for fresh pages), so the
        // alignment is made by hand inside a larger block.
        let layout = Layout::from_size_align(len.checked_add(ALIGNMENT)?, 16).ok()?;
        // SAFETY: the layout has at least `ALIGNMENT` bytes.
        let raw = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })?;
        let address = NonZero::new(raw.as_ptr().expose_provenance().next_multiple_of(ALIGNMENT))?;
        Some(Block { raw, layout, address, len, origin })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `alloc_zeroed` with this very layout, and the block is its only owner.
        unsafe { std::alloc::dealloc(self.raw.as_ptr(), self.layout) }
    }
}

#[derive(Default)]
struct Table {
    live: BTreeMap<u64, Block>,
    quarantine: Vec<Block>,
    freed: VecDeque<Freed>,
    used: u64,
    quarantined: u64,
    /// Launches that may touch any of it.
    running: usize,
    /// Launches of other devices that may touch mapped memory alone.
    visiting: usize,
}

impl Table {
    /// Whether a running launch may touch the block.
    fn is_in_use(&self, block: &Block) -> bool {
        self.running > 0 || self.visiting > 0 && block.origin.is_mapped()
    }
}

/// The allocation table of one device.
pub(crate) struct Memory {
    total: u64,
    /// Whether freed allocations are remembered.
    remember: bool,
    /// Grows with every change of the live allocations; the memories of a platform have one in common.
    epoch: Arc<AtomicU64>,
    table: Mutex<Table>,
}

impl Memory {
    pub(crate) fn new(total: u64, remember: bool, epoch: Arc<AtomicU64>) -> Self {
        Memory { total, remember, epoch, table: Mutex::default() }
    }

    /// Adds the live allocations to a list: all of them, or the mapped ones alone.
    pub(crate) fn collect(&self, all: bool, list: &mut Vec<Range>) {
        let table = self.table();
        let seen = table.live.iter().filter(|(_, block)| all || block.origin.is_mapped());
        list.extend(seen.map(|(start, block)| Range {
            start: *start,
            end: start + block.len as u64,
            constant: block.origin.is_constant(),
        }));
    }

    /// The live allocation that holds an address: where it begins, its length, and whether it is mapped memory.
    pub(crate) fn find(&self, address: u64) -> Option<(u64, u64, bool)> {
        let table = self.table();
        let (start, block) = table.live.range(..=address).next_back()?;
        let len = block.len as u64;
        (address - start < len).then(|| (*start, len, block.origin.is_mapped()))
    }

    /// The allocation at an address or nearest to it: live ones first, then freed ones that held it, then whatever is near.
    pub(crate) fn nearest(&self, address: u64) -> Option<Nearest> {
        let table = self.table();
        let distance = |start: u64, len: u64| {
            if address < start { start - address } else { (address - start).saturating_sub(len) }
        };
        let live = table.live.iter().map(|(start, block)| (*start, block.len as u64, &block.origin, false));
        let freed = table.freed.iter().rev().map(|f| (f.start, f.len, &f.origin, true));
        let held = freed.clone().find(|(start, len, ..)| address.wrapping_sub(*start) < *len);
        let (start, len, origin, freed) =
            held.or_else(|| live.chain(freed).min_by_key(|(start, len, ..)| distance(*start, *len)))?;
        Some(Nearest { what: origin.describe(), start, len, freed })
    }

    /// The table stays consistent at every step, so a panic elsewhere while it is locked does not spoil it.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn info(&self) -> MemoryInfo {
        let table = self.table();
        MemoryInfo { free: self.total - table.used, total: self.total, quarantined: table.quarantined }
    }

    pub(crate) fn allocate(self: &Arc<Self>, len: usize, origin: Origin) -> Result<Allocation, Error> {
        if len == 0 {
            return Err(Error::EmptyAllocation);
        }
        let mut table = self.table();
        let free = self.total - table.used;
        let out_of_memory = Error::OutOfMemory { requested: len as u64, free, total: self.total };
        if len as u64 > free {
            return Err(out_of_memory);
        }
        let block = Block::new(len, origin).ok_or(out_of_memory)?;
        let address = block.address;
        table.used += len as u64;
        if self.remember {
            let (start, end) = (address.get() as u64, address.get() as u64 + len as u64);
            table.freed.retain(|f| f.start >= end || f.start + f.len <= start);
        }
        table.live.insert(address.get() as u64, block);
        self.epoch.fetch_add(1, Ordering::Release);
        drop(table);
        Ok(Allocation { memory: Arc::clone(self), address, len })
    }

    fn release(&self, address: u64) {
        let mut table = self.table();
        let Some(block) = table.live.remove(&address) else { return };
        self.epoch.fetch_add(1, Ordering::Release);
        if self.remember {
            if table.freed.len() == MOST_FREED {
                table.freed.pop_front();
            }
            let freed = Freed { start: address, len: block.len as u64, origin: block.origin.clone() };
            table.freed.push_back(freed);
        }
        if table.is_in_use(&block) {
            table.quarantined += block.len as u64;
            table.quarantine.push(block);
        } else {
            table.used -= block.len as u64;
        }
    }

    /// A launch starts: nothing that it may touch is given back until [`Memory::launch_ended`]. That is all of it, or mapped
    /// memory alone.
    pub(crate) fn launch_started(&self, all: bool) {
        let mut table = self.table();
        if all {
            table.running += 1;
        } else {
            table.visiting += 1;
        }
    }

    /// A launch has ended, and none of its threads runs device code any more.
    pub(crate) fn launch_ended(&self, all: bool) {
        let mut table = self.table();
        if all {
            table.running -= 1;
        } else {
            table.visiting -= 1;
        }
        if table.running == 0 && !table.quarantine.is_empty() {
            let (kept, freed): (Vec<_>, Vec<_>) =
                std::mem::take(&mut table.quarantine).into_iter().partition(|block| table.is_in_use(block));
            let bytes: u64 = freed.iter().map(|block| block.len as u64).sum();
            table.quarantine = kept;
            table.quarantined -= bytes;
            table.used -= bytes;
            drop(table);
            drop(freed);
        }
    }

    /// Whether the range lies in one live allocation.
    pub(crate) fn check(&self, address: u64, len: usize) -> Result<(), Error> {
        if len == 0 { Ok(()) } else { self.with_range(address, len, |_| ()) }
    }

    /// Runs `access` on the range while the table is locked, so that the range cannot be given back meanwhile.
    fn with_range<R>(&self, address: u64, len: usize, access: impl FnOnce(*mut u8) -> R) -> Result<R, Error> {
        let invalid = Error::InvalidAddress { address, bytes: len as u64 };
        let table = self.table();
        let Some((start, block)) = table.live.range(..=address).next_back() else { return Err(invalid) };
        let offset = address - start;
        if offset > block.len as u64 || len as u64 > block.len as u64 - offset {
            return Err(invalid);
        }
        Ok(access(std::ptr::with_exposed_provenance_mut(address as usize)))
    }

    pub(crate) fn write(&self, dst: u64, src: &[u8]) -> Result<(), Error> {
        if src.is_empty() {
            return Ok(());
        }
        self.with_range(dst, src.len(), |at| {
            // SAFETY: the range lies in a live allocation, which the locked table keeps.
            unsafe { store_bytes(at, src) }
        })
    }

    pub(crate) fn read(&self, dst: &mut [u8], src: u64) -> Result<(), Error> {
        if dst.is_empty() {
            return Ok(());
        }
        self.with_range(src, dst.len(), |at| {
            // SAFETY: the range lies in a live allocation, which the locked table keeps.
            unsafe { load_bytes(dst, at) }
        })
    }
}

/// Splits `len` bytes at `at` into a head up to the first aligned word, whole words, and the rest.
fn split(at: *mut u8, len: usize) -> (usize, usize) {
    let head = at.align_offset(8).min(len);
    (head, (len - head) / 8)
}

/// Stores `src` at `at` with relaxed atomic accesses, whole aligned words where possible.
///
/// # Safety
///
/// `at` must be valid for `src.len()` bytes.
unsafe fn store_bytes(at: *mut u8, src: &[u8]) {
    let (head, words) = split(at, src.len());
    let (start, rest) = src.split_at(head);
    let (middle, end) = rest.split_at(words * 8);
    // SAFETY: all three parts lie inside the range the caller vouches for; the middle is 8-aligned.
    unsafe {
        for (i, byte) in start.iter().enumerate() {
            AtomicU8::from_ptr(at.add(i)).store(*byte, Ordering::Relaxed);
        }
        let at = at.add(head);
        for (i, word) in middle.as_chunks::<8>().0.iter().enumerate() {
            AtomicU64::from_ptr(at.add(i * 8).cast()).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        let at = at.add(words * 8);
        for (i, byte) in end.iter().enumerate() {
            AtomicU8::from_ptr(at.add(i)).store(*byte, Ordering::Relaxed);
        }
    }
}

/// Loads `dst` from `at` with relaxed atomic accesses, whole aligned words where possible.
///
/// # Safety
///
/// `at` must be valid for `dst.len()` bytes.
unsafe fn load_bytes(dst: &mut [u8], at: *mut u8) {
    let (head, words) = split(at, dst.len());
    let (start, rest) = dst.split_at_mut(head);
    let (middle, end) = rest.split_at_mut(words * 8);
    // SAFETY: all three parts lie inside the range the caller vouches for; the middle is 8-aligned.
    unsafe {
        for (i, byte) in start.iter_mut().enumerate() {
            *byte = AtomicU8::from_ptr(at.add(i)).load(Ordering::Relaxed);
        }
        let at = at.add(head);
        for (i, word) in middle.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *word = AtomicU64::from_ptr(at.add(i * 8).cast()).load(Ordering::Relaxed).to_ne_bytes();
        }
        let at = at.add(words * 8);
        for (i, byte) in end.iter_mut().enumerate() {
            *byte = AtomicU8::from_ptr(at.add(i)).load(Ordering::Relaxed);
        }
    }
}

/// An owned range in a device's table.
pub(crate) struct Allocation {
    memory: Arc<Memory>,
    address: NonZero<usize>,
    len: usize,
}

impl Allocation {
    pub(crate) fn address(&self) -> u64 {
        self.address.get() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.memory.release(self.address());
    }
}

/// An owned piece of device memory, zero-filled when allocated and given back when dropped.
///
/// ```
/// use soft_gpu::{Device, DeviceConfig};
///
/// let device = Device::open(DeviceConfig::default())?;
/// let memory = device.alloc(1024)?;
/// device.copy_to_device(memory.address() + 8, &[1, 2, 3])?;
/// let mut back = [0; 4];
/// device.copy_from_device(&mut back, memory.address() + 8)?;
/// assert_eq!(back, [1, 2, 3, 0]);
/// # Ok::<(), soft_gpu::Error>(())
/// ```
#[must_use = "dropping it gives the memory back"]
pub struct DeviceMemory(pub(crate) Allocation);

impl DeviceMemory {
    /// The device address of the first byte; a multiple of 256.
    pub fn address(&self) -> u64 {
        self.0.address()
    }

    /// Length in bytes, never zero.
    #[allow(clippy::len_without_is_empty, reason = "an allocation is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceMemory({:#x}, {} bytes)", self.address(), self.len())
    }
}

/// An owned piece of memory that host and device both see, zero-filled when allocated and given back when dropped.
///
/// A kernel may use it at any time: touch it from the host through raw pointers and atomics only, never through a
/// reference to plain data.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use soft_gpu::{Device, DeviceConfig};
///
/// let device = Device::open(DeviceConfig::default())?;
/// let memory = device.alloc_mapped(64)?;
/// // SAFETY: the memory is 256-aligned, has 64 bytes, and is only ever accessed atomically.
/// let word = unsafe { AtomicU64::from_ptr(memory.host_ptr().as_ptr().cast()) };
/// word.store(7, Ordering::Release);
/// let mut seen = [0; 8];
/// device.copy_from_device(&mut seen, memory.address())?;
/// assert_eq!(u64::from_ne_bytes(seen), 7);
/// # Ok::<(), soft_gpu::Error>(())
/// ```
#[must_use = "dropping it gives the memory back"]
pub struct MappedMemory(pub(crate) Allocation);

impl MappedMemory {
    /// The device address of the first byte; a multiple of 256.
    pub fn address(&self) -> u64 {
        self.0.address()
    }

    /// The same memory as the host sees it, valid while `self` lives and, after that, while a launch runs.
    pub fn host_ptr(&self) -> NonNull<u8> {
        NonNull::with_exposed_provenance(self.0.address)
    }

    /// Length in bytes, never zero.
    #[allow(clippy::len_without_is_empty, reason = "an allocation is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for MappedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MappedMemory({:#x}, {} bytes)", self.address(), self.len())
    }
}
