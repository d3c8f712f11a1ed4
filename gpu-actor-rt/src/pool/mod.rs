//! The pool: memory for buffers, in blocks of a power of two of bytes, kept for the next buffer when one is done with.
//!
//! Rules kept here: all blocks of a pool are of one kind of memory, chosen when it is made, and said; a block has one owner, and
//! goes back to the pool that it came from; taking and putting back a block that is kept takes no lock and no clock. A block is not
//! cleared: whoever takes it writes what is going to be read. What the pool does about scarce memory is in `relief`.

mod config;
#[cfg(feature = "metrics")]
mod export;
mod nodes;
mod pressure;
mod relief;
mod stack;
mod stats;

use std::num::NonZeroU64;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub use config::{PoolConfig, PoolMode};
pub use pressure::{Pressure, PressureChange};
pub use stats::{BucketStats, PoolStats};

use crate::buffer::MOST_BYTES;
use crate::device::{Device, DeviceError, DeviceKind, MemoryKind};
use crate::error::{Error, Result};
use nodes::Nodes;
use relief::Keeper;
use stack::Stack;

/// The smallest block.
const LEAST_BYTES: usize = 1 << 10;
/// 1 KiB to 1 GiB.
const BUCKETS: usize = (MOST_BYTES.ilog2() - LEAST_BYTES.ilog2() + 1) as usize;
/// Bytes of one size that are kept unless the configuration says how many blocks.
const KEPT: u64 = 64 << 20;
/// Blocks of one size that are kept then at the least.
const KEPT_BLOCKS: u64 = 2;

/// A pool of blocks. Clones share it.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Shared>);

/// Gives back memory of the device that others can do without; whether that was any.
type Relief = Box<dyn Fn() -> bool + Send + Sync>;

struct Shared {
    device: Arc<dyn Device>,
    kind: MemoryKind,
    mode: PoolMode,
    config: PoolConfig,
    /// The most bytes that there may be.
    limit: u64,
    nodes: Nodes,
    buckets: [Bucket; BUCKETS],
    /// Bytes that the pool has of the device, and the most that it ever had.
    bytes: AtomicU64,
    high_bytes: AtomicU64,
    /// Bytes that went back to the device.
    returned: AtomicU64,
    pressure: AtomicU8,
    /// The one who changes the pressure does so alone.
    judging: Mutex<()>,
    keeper: Arc<Keeper>,
    relief: OnceLock<Relief>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferPool")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Blocks of one size.
#[derive(Debug)]
#[repr(align(128))]
struct Bucket {
    kept: Stack,
    /// Blocks that may be kept.
    most: AtomicU64,
    /// Blocks that there are.
    blocks: AtomicU64,
    /// The fewest that were kept since the last sweep: so many nobody needed.
    fewest: AtomicU64,
    /// The most that were in use.
    high: AtomicU64,
    misses: AtomicU64,
    /// How many were taken off `kept` to be given back.
    swept: AtomicU64,
    /// Blocks that stay, whatever happens.
    reserved: u64,
    /// What `most` is while memory is not scarce.
    hold: u64,
}

impl Bucket {
    /// More are in use than ever before. A block that is just coming or going can make the difference less than nothing.
    #[cold]
    fn rise(&self, used: u64) {
        if used as i64 >= 0 {
            self.high.fetch_max(used, Ordering::Relaxed);
        }
    }
}

/// Memory of a pool, with one owner, who puts it back.
#[derive(Debug)]
#[must_use]
pub struct Block {
    /// The node, plus one; above that the bucket. Never zero, so that a block that may not be there is two words as well.
    place: NonZeroU64,
    address: u64,
}

impl Block {
    #[inline]
    fn new(node: u32, bucket: usize, address: u64) -> Self {
        Self { place: NonZeroU64::MIN.saturating_add(u64::from(node) | (bucket as u64) << 32), address }
    }

    #[inline]
    fn node(&self) -> u32 {
        self.place.get() as u32 - 1
    }

    #[inline]
    fn bucket(&self) -> usize {
        (self.place.get() >> 32) as usize
    }

    /// The device's address.
    #[inline]
    pub fn address(&self) -> u64 {
        self.address
    }
}

/// Bytes of the blocks of a bucket.
fn size_of_bucket(bucket: usize) -> u64 {
    (LEAST_BYTES as u64) << bucket
}

/// The bucket for so many bytes, at most [`MOST_BYTES`].
#[inline]
fn bucket_of(bytes: usize) -> usize {
    let last = bytes.max(LEAST_BYTES) - 1;
    ((last.ilog2() + 1) - LEAST_BYTES.ilog2()) as usize
}

/// The kind of memory of a mode, on a device whose kernel does not run yet.
fn choose(device: &dyn Device, mode: PoolMode) -> Result<MemoryKind, DeviceError> {
    match (mode, device.info().kind) {
        (PoolMode::Device, _) | (PoolMode::Auto, DeviceKind::Cuda) => Ok(MemoryKind::Device),
        // One memory for host and device.
        (PoolMode::Auto | PoolMode::Host, DeviceKind::Soft) => Ok(MemoryKind::Mapped),
        (PoolMode::Host, DeviceKind::Cuda) => match device.alloc(MemoryKind::Unified, LEAST_BYTES) {
            Ok(_) => Ok(MemoryKind::Unified),
            Err(DeviceError::Unsupported { .. }) => Ok(MemoryKind::Mapped),
            Err(error) => Err(error),
        },
    }
}

impl BufferPool {
    /// A pool that has what is reserved, and nothing else. To be made before the ring kernel runs.
    ///
    /// # Errors
    /// The device's, where it has not the kind of memory or not enough of it.
    pub fn new(device: Arc<dyn Device>, config: &PoolConfig) -> Result<Self> {
        let kind = choose(device.as_ref(), config.mode)?;
        let total = device.memory_info()?.total;
        let bucket = |index: usize| {
            let reserved = config.reserve.iter().filter(|(bytes, _)| bucket_of(*bytes) == index);
            let reserved: u64 = reserved.map(|(_, count)| u64::from(*count)).sum();
            let hold = config.hold.map_or((KEPT / size_of_bucket(index)).max(KEPT_BLOCKS), u64::from);
            let hold = hold.max(reserved);
            Bucket {
                kept: Stack::new(),
                most: AtomicU64::new(hold),
                blocks: AtomicU64::new(0),
                fewest: AtomicU64::new(0),
                high: AtomicU64::new(0),
                misses: AtomicU64::new(0),
                swept: AtomicU64::new(0),
                reserved,
                hold,
            }
        };
        let pool = Self(Arc::new(Shared {
            kind,
            mode: config.mode,
            limit: config.max_bytes.unwrap_or(total),
            nodes: Nodes::new(),
            buckets: std::array::from_fn(bucket),
            bytes: AtomicU64::new(0),
            high_bytes: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            pressure: AtomicU8::new(0),
            judging: Mutex::default(),
            keeper: Arc::default(),
            relief: OnceLock::new(),
            config: config.clone(),
            device,
        }));
        let shared = &pool.0;
        for (index, bucket) in shared.buckets.iter().enumerate() {
            for _ in 0..bucket.reserved {
                let block = shared.allocate(index)?;
                if shared.kind == MemoryKind::Unified
                    && let Some(memory) = shared.nodes.get(block.node()).memory().as_deref()
                {
                    shared.device.settle(memory)?;
                }
                bucket.kept.push(&shared.nodes, block.node(), u64::MAX);
            }
        }
        Ok(pool)
    }

    /// What is to be done when memory is used up, beside giving back what is kept.
    pub(crate) fn relieve_by(&self, relief: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.0.relief.set(Box::new(relief));
    }

    /// A block of at least so many bytes, at most [`MOST_BYTES`], with whatever is in it.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], and the device's.
    #[inline]
    pub fn take(&self, bytes: usize) -> Result<Block> {
        match self.hit(bytes) {
            Some(block) => Ok(block),
            None => self.miss(bytes),
        }
    }

    /// A block that is kept.
    #[inline]
    fn hit(&self, bytes: usize) -> Option<Block> {
        let index = bucket_of(bytes);
        let shared = &*self.0;
        let bucket = &shared.buckets[index];
        let (node, left) = bucket.kept.pop(&shared.nodes)?;
        if left < bucket.fewest.load(Ordering::Relaxed) {
            bucket.fewest.store(left, Ordering::Relaxed);
        }
        let used = bucket.blocks.load(Ordering::Relaxed).wrapping_sub(left);
        if used > bucket.high.load(Ordering::Relaxed) {
            bucket.rise(used);
        }
        Some(Block::new(node, index, shared.nodes.get(node).address()))
    }

    /// Puts a block back that came from here.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "who puts a block back has it no more")]
    pub fn put(&self, block: Block) {
        let shared = &*self.0;
        let bucket = &shared.buckets[block.bucket()];
        if !bucket.kept.push(&shared.nodes, block.node(), bucket.most.load(Ordering::Relaxed)) {
            shared.refuse(&block);
        }
    }

    #[cold]
    fn miss(&self, bytes: usize) -> Result<Block> {
        let index = bucket_of(bytes);
        let shared = &self.0;
        shared.buckets[index].misses.fetch_add(1, Ordering::Relaxed);
        let mut tried = shared.allocate(index);
        let used_up = |tried: &Result<Block>| matches!(tried, Err(Error::OutOfMemory { .. }));
        // What is kept goes first, and what comes back meanwhile; then what others can do without.
        while used_up(&tried) && shared.trim() != 0 {
            tried = shared.allocate(index);
        }
        if used_up(&tried) && shared.relief.get().is_some_and(|relief| relief()) {
            tried = shared.allocate(index);
        }
        shared.judge();
        Keeper::wake(shared);
        let block = tried.map_err(|error| match error {
            Error::OutOfMemory { free, held, device, source, .. } => {
                Error::OutOfMemory { requested: bytes as u64, free, held, device, source }
            }
            other => other,
        })?;
        let bucket = &shared.buckets[index];
        let used = bucket.blocks.load(Ordering::Relaxed).saturating_sub(bucket.kept.counts(&shared.nodes).0);
        bucket.high.fetch_max(used, Ordering::Relaxed);
        Ok(block)
    }

    /// Copies bytes into a block. Whoever calls it knows that nobody else is at them.
    pub(crate) fn write(&self, block: &Block, offset: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.0.device.copy_to_device(block.address + offset as u64, bytes)
    }

    /// Copies bytes out of a block. Whoever calls it knows that nobody writes to them.
    pub(crate) fn read(&self, block: &Block, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.0.device.copy_from_device(bytes, block.address + offset as u64)
    }

    /// Clears the first bytes of a block. Whoever calls it knows that nobody else is at them.
    pub(crate) fn zero(&self, block: &Block, bytes: usize) -> Result<(), DeviceError> {
        const ZEROES: &[u8] = &[0; 1 << 16];
        let mut at = 0;
        while at < bytes {
            let step = ZEROES.len().min(bytes - at);
            self.write(block, at, &ZEROES[..step])?;
            at += step;
        }
        Ok(())
    }

    /// The host's address of a block, if the host reaches it.
    pub(crate) fn host_ptr(&self, block: &Block) -> Option<NonNull<u8>> {
        self.0.nodes.get(block.node()).memory().as_ref()?.host_ptr()
    }

    /// What kind of memory the blocks are.
    pub fn kind(&self) -> MemoryKind {
        self.0.kind
    }

    /// Gives the device all blocks that are kept and not reserved; how many bytes.
    pub fn trim(&self) -> u64 {
        let bytes = self.0.trim();
        self.0.judge();
        bytes
    }

    /// The pool's counters.
    pub fn stats(&self) -> PoolStats {
        stats::read(&self.0)
    }

    /// The system ends: nothing is kept any more, and the pool's thread leaves.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl Shared {
    /// Has the device give a block.
    fn allocate(&self, index: usize) -> Result<Block> {
        let size = size_of_bucket(index);
        let room = |bytes: u64| bytes.checked_add(size).filter(|sum| *sum <= self.limit);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return Err(self.used_up(None));
        }
        let undo = || self.bytes.fetch_sub(size, Ordering::Relaxed);
        let Some(node) = self.nodes.take() else {
            undo();
            return Err(self.used_up(None));
        };
        let memory = match self.device.alloc(self.kind, size as usize) {
            Ok(memory) => memory,
            Err(error) => {
                self.nodes.give_back(node);
                undo();
                return Err(match error {
                    DeviceError::OutOfMemory { source, .. } => self.used_up(Some(source)),
                    other => other.into(),
                });
            }
        };
        let address = memory.address();
        self.nodes.get(node).fill(memory);
        self.buckets[index].blocks.fetch_add(1, Ordering::Relaxed);
        self.high_bytes.fetch_max(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(Block::new(node, index, address))
    }

    /// The error of a device, or a pool, that has no more; the bytes asked for are not known yet.
    fn used_up(&self, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let left = self.limit.saturating_sub(self.bytes.load(Ordering::Relaxed));
        let device = self.device.memory_info().map_or(0, |memory| memory.free);
        Error::OutOfMemory {
            requested: 0,
            free: device.min(left),
            held: stats::held(self),
            device: self.device.info().name,
            source,
        }
    }

    /// A block that is not to be kept.
    #[cold]
    fn refuse(&self, block: &Block) {
        self.give_back(block);
        self.judge();
    }

    /// Gives a block that is on no stack back to the device.
    fn give_back(&self, block: &Block) {
        let size = size_of_bucket(block.bucket());
        let memory = self.nodes.get(block.node()).memory().take();
        drop(memory);
        self.nodes.give_back(block.node());
        self.buckets[block.bucket()].blocks.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        self.returned.fetch_add(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
