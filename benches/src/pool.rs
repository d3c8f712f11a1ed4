//! The pool: a block taken and put back, at sizes from 256 bytes to 16 MiB, beside `ringkernel-core`'s pool, and beside a compare and
//! exchange, of which our pool makes two.
//!
//! All forms take turns in one run; nothing is read or written in the blocks.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gpu_actor_rt::__private::BufferPool;
use gpu_actor_rt::PoolConfig;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use ringkernel_core::memory::{MemoryPool, SizeBucket, StratifiedMemoryPool};
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::{Sample, place};

/// Times that a block is taken and put back in a round.
const TURNS: u32 = 100_000;
/// Bytes; the last two are beyond the buckets of `ringkernel-core`, which has a pool of one size for them.
const SIZES: [usize; 5] = [256, 4 << 10, 64 << 10, 1 << 20, 16 << 20];
/// Turns of a pool that clears a block each time.
const FEW: u32 = 200;

struct Row {
    name: String,
    bytes: usize,
    times: Vec<f64>,
}

/// Nanoseconds a turn.
fn timed(turns: u32, mut turn: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..turns {
        turn();
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(turns)
}

/// Measures the pool.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    println!("{}; {rounds} rounds, in turns\n", place());
    let device = Arc::new(Soft::open(&SoftConfig::default())?);
    let pool = BufferPool::new(device, &PoolConfig::default())?;
    let stratified = StratifiedMemoryPool::new("stratified");
    let flat = SIZES.map(|bytes| MemoryPool::new("flat", bytes, 16));
    let word = AtomicU64::new(0);
    let mut rows = vec![Row { name: "a compare and exchange".into(), bytes: 8, times: Vec::new() }];
    for bytes in SIZES {
        for name in ["gpu-actor", "ringkernel-core"] {
            rows.push(Row { name: name.into(), bytes, times: Vec::new() });
        }
    }
    for _ in 0..=rounds {
        for (at, row) in rows.iter_mut().enumerate() {
            let bytes = row.bytes;
            row.times.push(match at {
                0 => timed(TURNS, || {
                    let now = word.load(Ordering::Relaxed);
                    let _ =
                        black_box(word.compare_exchange(now, now + 1, Ordering::AcqRel, Ordering::Relaxed));
                }),
                _ if at % 2 == 1 => {
                    let mut failed = None;
                    let time = timed(TURNS, || match pool.take(black_box(bytes)) {
                        Ok(block) => {
                            black_box(block.address());
                            pool.put(block);
                        }
                        Err(error) => failed = Some(error),
                    });
                    if let Some(error) = failed {
                        return Err(error.into());
                    }
                    time
                }
                _ if bytes <= SizeBucket::for_size(usize::MAX).size() => {
                    timed(FEW, || drop(black_box(stratified.allocate(black_box(bytes)))))
                }
                _ => timed(FEW.min(20), || drop(black_box(flat[(at - 1) / 2].allocate()))),
            });
        }
    }
    let stats = pool.stats();
    println!("  {:24} {:>10}  ns for a block taken and put back", "", "bytes");
    let mut values = Vec::new();
    for Row { name, bytes, mut times } in rows {
        // The first round finds cold caches, and no block that is kept.
        times.remove(0);
        let sample = Sample::new(times);
        let ((least, most), median) = (sample.ends(), sample.median());
        println!("  {name:24} {bytes:10} {median:11.1} ({least:.1} to {most:.1})");
        values.push(
            json!({ "name": name, "bytes": bytes, "median_ns": median, "least_ns": least, "most_ns": most }),
        );
    }
    println!("\nof ours {:.4} % were hits ({} misses)", 100.0 * stats.hit_rate(), stats.misses);
    Ok(
        json!({ "bench": "pool", "place": place(), "rounds": rounds, "rows": values, "hit_rate": stats.hit_rate() }),
    )
}
