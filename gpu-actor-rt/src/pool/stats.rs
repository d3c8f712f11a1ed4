//! The pool's counters.

use std::fmt;
use std::sync::atomic::Ordering;

use super::{PoolMode, Pressure, Shared, relief, size_of_bucket};
use crate::device::MemoryKind;

/// A reading of a pool's counters, by [`ActorSystem::pool`](crate::ActorSystem::pool). The buckets are read one after the other while
/// they move.
///
/// ```
/// # use gpu_actor_rt::prelude::*;
/// # #[gpu_actor]
/// # #[derive(Default)]
/// # struct Sum { last: u64 }
/// # #[gpu_actor]
/// # impl Sum {
/// #     #[handler]
/// #     fn of(&mut self, data: GpuSlice<u32>) -> u64 { self.last = data.len() as u64; self.last }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gpu_actor_rt::Result<()> {
/// let system = ActorSystem::start(Config::default()).await?;
/// for _ in 0..10 {
///     system.zeroed::<f32>(100_000)?; // dropped, and its memory is kept for the next
/// }
/// let pool = system.pool();
/// assert_eq!((pool.hits, pool.misses, pool.in_use), (9, 1, 0));
/// println!("{:.0} % of {} are hits", 100.0 * pool.hit_rate(), pool.hits + pool.misses);
/// system.shutdown().await
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct PoolStats {
    /// The mode that was asked for.
    pub mode: PoolMode,
    /// The kind of memory that all blocks are of.
    pub memory: MemoryKind,
    /// Why it is this kind.
    pub chosen: &'static str,
    /// Buffers that got a block that was kept.
    pub hits: u64,
    /// Buffers for which the device had to be asked.
    pub misses: u64,
    /// Bytes of the blocks that are in use.
    pub in_use: u64,
    /// Bytes of the blocks that are kept for later.
    pub held: u64,
    /// The most bytes that the pool had of the device at a time.
    pub high_water: u64,
    /// Bytes that were given back to the device, over time.
    pub returned: u64,
    /// The most bytes that the pool may have.
    pub limit: u64,
    /// How scarce memory was when the pool last asked the device for a block, gave one back, or looked.
    pub pressure: Pressure,
    /// By size of the blocks, smallest first: 1 KiB to 1 GiB.
    pub buckets: Vec<BucketStats>,
}

/// The counters of the blocks of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketStats {
    /// Bytes of a block.
    pub block: u64,
    /// Buffers that got a block that was kept.
    pub hits: u64,
    /// Buffers for which the device had to be asked.
    pub misses: u64,
    /// Blocks in use.
    pub in_use: u64,
    /// Blocks that are kept for later.
    pub held: u64,
    /// The most blocks that were in use at a time.
    pub high_water: u64,
    /// Blocks that stay, whatever happens.
    pub reserved: u64,
}

impl PoolStats {
    /// Hits of all buffers, from 0 to 1; 1 where there was none yet.
    pub fn hit_rate(&self) -> f64 {
        let all = self.hits + self.misses;
        if all == 0 { 1.0 } else { self.hits as f64 / all as f64 }
    }
}

impl fmt::Debug for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used: Vec<_> =
            self.buckets.iter().filter(|bucket| bucket.hits + bucket.misses + bucket.reserved != 0).collect();
        f.debug_struct("PoolStats")
            .field("mode", &self.mode)
            .field("memory", &self.memory)
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .field("in_use", &self.in_use)
            .field("held", &self.held)
            .field("high_water", &self.high_water)
            .field("returned", &self.returned)
            .field("limit", &self.limit)
            .field("pressure", &self.pressure)
            .field("used_buckets", &used)
            .finish_non_exhaustive()
    }
}

fn chosen(mode: PoolMode, memory: MemoryKind) -> &'static str {
    match (mode, memory) {
        (PoolMode::Device, _) => "the configuration asks for the device's memory",
        (PoolMode::Auto, MemoryKind::Device) => "the driver gives no other memory beside a running kernel",
        (PoolMode::Auto, _) => "the software GPU's memory is the host's",
        (PoolMode::Host, MemoryKind::Unified) => "host and device may use managed memory at the same time",
        (PoolMode::Host, _) => "host and device both reach it",
    }
}

/// Bytes that are kept.
pub(super) fn held(pool: &Shared) -> u64 {
    let kept =
        |(index, bucket): (usize, &super::Bucket)| bucket.kept.counts(&pool.nodes).0 * size_of_bucket(index);
    pool.buckets.iter().enumerate().map(kept).sum()
}

pub(super) fn read(pool: &Shared) -> PoolStats {
    let bucket = |(index, bucket): (usize, &super::Bucket)| {
        let swept = bucket.swept.load(Ordering::Relaxed);
        let (held, taken) = bucket.kept.counts(&pool.nodes);
        BucketStats {
            block: size_of_bucket(index),
            hits: taken.saturating_sub(swept),
            misses: bucket.misses.load(Ordering::Relaxed),
            in_use: bucket.blocks.load(Ordering::Relaxed).saturating_sub(held),
            held,
            high_water: bucket.high.load(Ordering::Relaxed),
            reserved: bucket.reserved,
        }
    };
    let buckets: Vec<_> = pool.buckets.iter().enumerate().map(bucket).collect();
    PoolStats {
        mode: pool.mode,
        memory: pool.kind,
        chosen: chosen(pool.mode, pool.kind),
        hits: buckets.iter().map(|bucket| bucket.hits).sum(),
        misses: buckets.iter().map(|bucket| bucket.misses).sum(),
        in_use: buckets.iter().map(|bucket| bucket.in_use * bucket.block).sum(),
        held: buckets.iter().map(|bucket| bucket.held * bucket.block).sum(),
        high_water: pool.high_bytes.load(Ordering::Relaxed),
        returned: pool.returned.load(Ordering::Relaxed),
        limit: pool.limit,
        pressure: relief::level(pool),
        buckets,
    }
}
