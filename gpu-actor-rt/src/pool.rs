//! Memory for buffers: blocks of a power of two of bytes, kept for the next buffer when one is done with.
//!
//! Rules kept here: all blocks of a pool are of one kind of memory, chosen when it is made; a block has one owner and goes back to
//! the pool that it came from, by being dropped. A block is not cleared: whoever takes it writes what is going to be read.

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::buffer::MOST_BYTES;
use crate::device::{Allocation, Device, DeviceError, DeviceKind, MemoryKind};

/// The smallest block.
const LEAST_BYTES: usize = 1 << 10;
/// 1 KiB to 1 GiB.
const BUCKETS: usize = (MOST_BYTES.ilog2() - LEAST_BYTES.ilog2() + 1) as usize;
/// Bytes of one size that are kept at the most; one block of each size is kept in any case.
const KEPT: usize = 64 << 20;

/// A pool of blocks. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BufferPool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    device: Arc<dyn Device>,
    kind: MemoryKind,
    buckets: [Mutex<Vec<Box<dyn Allocation>>>; BUCKETS],
}

impl Shared {
    fn bucket(&self, index: usize) -> MutexGuard<'_, Vec<Box<dyn Allocation>>> {
        self.buckets[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BufferPool {
    /// A pool without blocks, of memory that can be had while a kernel runs: the host's on a software GPU, which reaches it as its
    /// own; the device's on CUDA, where pinned and managed memory have to wait for the kernel's end.
    pub(crate) fn new(device: Arc<dyn Device>) -> Self {
        let kind = match device.info().kind {
            DeviceKind::Soft => MemoryKind::Mapped,
            DeviceKind::Cuda => MemoryKind::Device,
        };
        Self(Arc::new(Shared { device, kind, buckets: std::array::from_fn(|_| Mutex::default()) }))
    }

    /// A block of at least so many bytes, at most [`MOST_BYTES`], with whatever is in it.
    pub(crate) fn take(&self, bytes: usize) -> Result<Block, DeviceError> {
        let capacity = bytes.clamp(LEAST_BYTES, MOST_BYTES).next_power_of_two();
        let bucket = (capacity.ilog2() - LEAST_BYTES.ilog2()) as usize;
        let kept = self.0.bucket(bucket).pop();
        let memory = match kept {
            Some(memory) => memory,
            None => match self.0.device.alloc(self.0.kind, capacity) {
                Err(DeviceError::OutOfMemory { .. }) => {
                    self.trim();
                    self.0.device.alloc(self.0.kind, capacity)?
                }
                other => other?,
            },
        };
        Ok(Block { memory: Some(memory), bucket, pool: Arc::clone(&self.0) })
    }

    /// Gives the device all blocks that are kept.
    pub(crate) fn trim(&self) {
        for bucket in 0..BUCKETS {
            // Given back where nothing is locked.
            let kept = std::mem::take(&mut *self.0.bucket(bucket));
            drop(kept);
        }
    }

    /// What kind of memory the blocks are.
    pub(crate) fn kind(&self) -> MemoryKind {
        self.0.kind
    }
}

/// Memory of a pool, with one owner.
#[derive(Debug)]
pub(crate) struct Block {
    /// There until the drop.
    memory: Option<Box<dyn Allocation>>,
    bucket: usize,
    pool: Arc<Shared>,
}

impl Block {
    /// The device's address.
    pub(crate) fn address(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.address())
    }

    /// The host's address, if the host reaches it.
    pub(crate) fn host_ptr(&self) -> Option<NonNull<u8>> {
        self.memory.as_ref()?.host_ptr()
    }

    /// Copies bytes into the block. Whoever calls it knows that nobody else is at them.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.pool.device.copy_to_device(self.address() + offset as u64, bytes)
    }

    /// Copies bytes out of the block. Whoever calls it knows that nobody writes to them.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.pool.device.copy_from_device(bytes, self.address() + offset as u64)
    }

    /// Clears bytes. Whoever calls it knows that nobody else is at them.
    pub(crate) fn zero(&self, range: Range<usize>) -> Result<(), DeviceError> {
        const ZEROES: &[u8] = &[0; 1 << 16];
        let mut at = range.start;
        while at < range.end {
            let step = ZEROES.len().min(range.end - at);
            self.write(at, &ZEROES[..step])?;
            at += step;
        }
        Ok(())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else { return };
        let mut kept = self.pool.bucket(self.bucket);
        if kept.is_empty() || (kept.len() + 1) * memory.len() <= KEPT {
            kept.push(memory);
        } else {
            drop(kept);
            drop(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::soft::{Soft, SoftConfig};

    fn pool(memory: u64) -> BufferPool {
        BufferPool::new(Arc::new(Soft::open(&SoftConfig { memory, ..SoftConfig::default() }).unwrap()))
    }

    #[test]
    fn a_block_is_the_next_power_of_two_and_is_used_again() {
        let pool = pool(1 << 30);
        assert_eq!(pool.kind(), MemoryKind::Mapped);
        for (bytes, capacity) in [(1, 1024), (1024, 1024), (1025, 2048), (5 << 20, 8 << 20)] {
            let block = pool.take(bytes).unwrap();
            assert_eq!(block.memory.as_ref().unwrap().len(), capacity);
            let address = block.address();
            let other = pool.take(bytes).unwrap();
            assert_ne!(other.address(), address, "one block is never two owners'");
            drop(block);
            assert_eq!(pool.take(capacity).unwrap().address(), address);
        }
    }

    #[test]
    fn what_is_kept_is_given_up_before_memory_is_said_to_be_used_up() {
        let pool = pool(48 << 20);
        drop((pool.take(16 << 20).unwrap(), pool.take(16 << 20).unwrap()));
        // Only without the two that are kept.
        let large = pool.take(32 << 20).unwrap();
        assert!(matches!(pool.take(32 << 20), Err(DeviceError::OutOfMemory { .. })));
        drop(large);
        assert!(pool.take(32 << 20).is_ok());
    }

    #[test]
    fn zeroing_clears_what_was_asked_for_and_no_more() {
        let pool = pool(1 << 30);
        let block = pool.take(300_000).unwrap();
        block.write(0, &vec![7; 300_000]).unwrap();
        block.zero(5..200_000).unwrap();
        let mut bytes = vec![0; 300_000];
        block.read(0, &mut bytes).unwrap();
        assert!(bytes[5..200_000].iter().all(|&byte| byte == 0));
        assert!(bytes[..5].iter().chain(&bytes[200_000..]).all(|&byte| byte == 7));
    }
}
