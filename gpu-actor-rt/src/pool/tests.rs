use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::device::soft::{Soft, SoftConfig};

const MIB: usize = 1 << 20;

fn device(memory: usize) -> Arc<dyn Device> {
    Arc::new(Soft::open(&SoftConfig { memory: memory as u64, ..SoftConfig::default() }).unwrap())
}

fn pool(memory: usize, config: &PoolConfig) -> BufferPool {
    BufferPool::new(device(memory), config).unwrap()
}

/// Thresholds that nothing here reaches.
fn calm() -> PoolConfig {
    PoolConfig::default().thresholds(98, 99, 100)
}

#[test]
fn a_block_is_the_next_power_of_two_and_is_used_again() {
    for (bytes, bucket) in
        [(0, 0), (1, 0), (1024, 0), (1025, 1), (2048, 1), (2049, 2), (MOST_BYTES, BUCKETS - 1)]
    {
        assert_eq!(bucket_of(bytes), bucket, "{bytes} bytes");
    }
    let pool = pool(1 << 30, &calm());
    assert_eq!(pool.kind(), MemoryKind::Mapped);
    for (bytes, capacity) in [(1, 1024), (1024, 1024), (1025, 2048), (5 * MIB, 8 * MIB)] {
        let block = pool.take(bytes).unwrap();
        let address = block.address();
        let other = pool.take(bytes).unwrap();
        assert_ne!(other.address(), address, "one block is never two owners'");
        let stats = pool.stats();
        assert!(stats.buckets.iter().any(|bucket| bucket.block == capacity as u64 && bucket.in_use == 2));
        pool.put(block);
        let again = pool.take(capacity).unwrap();
        assert_eq!(again.address(), address);
        pool.put(again);
        pool.put(other);
    }
}

#[test]
fn counters_say_what_happened() {
    let pool = pool(1 << 30, &calm().hold(2));
    let blocks: Vec<_> = (0..4).map(|_| pool.take(3000).unwrap()).collect();
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses, stats.in_use, stats.held), (0, 4, 4 * 4096, 0));
    for block in blocks {
        pool.put(block);
    }
    // Two are kept, two went back.
    let stats = pool.stats();
    assert_eq!(
        (stats.in_use, stats.held, stats.returned, stats.high_water),
        (0, 2 * 4096, 2 * 4096, 4 * 4096)
    );
    for _ in 0..96 {
        let block = pool.take(4096).unwrap();
        pool.put(block);
    }
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses), (96, 4));
    assert!((stats.hit_rate() - 0.96).abs() < 1e-9);
    let bucket = stats.buckets[2];
    assert_eq!((bucket.block, bucket.held, bucket.in_use, bucket.high_water), (4096, 2, 0, 4));
    // What is given back is no hit.
    assert_eq!(pool.trim(), 2 * 4096);
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.held, stats.returned), (96, 0, 4 * 4096));
}

#[test]
fn what_is_kept_is_given_up_before_memory_is_said_to_be_used_up() {
    let pool = pool(48 * MIB, &calm());
    let two = (pool.take(16 * MIB).unwrap(), pool.take(16 * MIB).unwrap());
    pool.put(two.0);
    pool.put(two.1);
    // Only without the two that are kept.
    let large = pool.take(32 * MIB).unwrap();
    let refused = pool.take(20 * MIB).unwrap_err();
    let text = refused.to_string();
    assert!(
        matches!(&refused, Error::OutOfMemory { requested, free, held: 0, .. }
            if *requested == 20 * MIB as u64 && *free == 16 * MIB as u64),
        "{text}"
    );
    pool.put(large);
    let large = pool.take(32 * MIB).unwrap();
    pool.put(large);
}

#[test]
fn a_limit_is_kept_and_others_are_asked_before_it_is_an_error() {
    let pool = pool(1 << 30, &calm().max_bytes(4 * MIB as u64).hold(0));
    let block = pool.take(3 * MIB).unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&asked);
    pool.relieve_by(move || !told.swap(true, Ordering::Relaxed));
    let refused = pool.take(1).unwrap_err();
    assert!(
        matches!(refused, Error::OutOfMemory { requested: 1, free: 0, held: 0, source: None, .. }),
        "{refused}"
    );
    assert!(asked.load(Ordering::Relaxed));
    pool.put(block);
    assert_eq!(pool.stats().in_use + pool.stats().held, 0);
}

#[test]
fn what_is_reserved_is_there_and_stays() {
    let pool = pool(1 << 30, &calm().reserve(MIB, 3).hold(1));
    assert_eq!(pool.stats().held, 3 * MIB as u64);
    let blocks: Vec<_> = (0..5).map(|_| pool.take(MIB).unwrap()).collect();
    assert_eq!((pool.stats().hits, pool.stats().misses), (3, 2));
    for block in blocks {
        pool.put(block);
    }
    pool.trim();
    pool.0.sweep();
    pool.0.sweep();
    assert_eq!(pool.stats().held, 3 * MIB as u64);
    let refused = BufferPool::new(device(MIB), &calm().reserve(MIB, 2)).unwrap_err();
    assert!(matches!(refused, Error::OutOfMemory { .. }), "{refused}");
}

#[test]
fn a_sweep_gives_back_what_nobody_needed_since_the_last() {
    let pool = pool(1 << 30, &calm().max_age(None).hold(64));
    let blocks: Vec<_> = (0..10).map(|_| pool.take(1).unwrap()).collect();
    for block in blocks {
        pool.put(block);
    }
    // They were needed a moment ago.
    assert_eq!(pool.0.sweep(), 0);
    // Four at a time are needed from here on.
    for _ in 0..3 {
        let blocks: Vec<_> = (0..4).map(|_| pool.take(1).unwrap()).collect();
        for block in blocks {
            pool.put(block);
        }
    }
    assert_eq!(pool.0.sweep(), 6 * 1024);
    assert_eq!(pool.0.sweep(), 4 * 1024);
    assert_eq!((pool.stats().held, pool.stats().misses), (0, 10));
}

/// The pool's own thread does it, without anybody asking.
#[test]
fn what_is_old_goes_back_by_itself() {
    let pool = pool(1 << 30, &calm().max_age(Some(Duration::from_millis(5))));
    let block = pool.take(MIB).unwrap();
    pool.put(block);
    while pool.stats().held != 0 {
        std::thread::yield_now();
    }
    assert_eq!(pool.stats().returned, MIB as u64);
}

/// All levels on the way up and on the way down, each acted on and told once.
#[test]
fn pressure_is_told_and_acted_on() {
    let (sender, changes) = mpsc::channel();
    let config = PoolConfig::default().max_age(None).on_pressure(move |change| {
        assert!(sender.send(change).is_ok());
    });
    let pool = pool(100 * MIB, &config);
    let relieved = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&relieved);
    pool.relieve_by(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        false
    });
    let kept = pool.take(MIB).unwrap();
    pool.put(kept);
    let mut blocks = Vec::new();
    let mut levels = Vec::new();
    for _ in 0..3 {
        blocks.push(pool.take(32 * MIB).unwrap());
        // 1 + 32, 64 (the one that was kept is gone), 96.
        if blocks.len() > 1 {
            levels.push(changes.recv().unwrap());
        }
        assert_eq!(
            pool.stats().pressure,
            [Pressure::Low, Pressure::Medium, Pressure::Critical][blocks.len() - 1]
        );
    }
    let steps: Vec<_> = levels.iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(steps, [(Pressure::Low, Pressure::Medium), (Pressure::Medium, Pressure::Critical)]);
    assert_eq!(
        (levels[1].pool, levels[1].total, levels[1].free),
        (96 * MIB as u64, 100 * MIB as u64, 4 * MIB as u64)
    );
    // Nothing is kept now, and each that goes back is seen at once.
    let mut steps = Vec::new();
    while let Some(block) = blocks.pop() {
        pool.put(block);
        assert_eq!(pool.stats().held, 0);
        if blocks.len() < 2 || pool.stats().pressure != Pressure::Critical {
            let change = changes.recv().unwrap();
            steps.push((change.from, change.to));
        }
        if pool.stats().pressure < Pressure::High {
            break;
        }
    }
    assert_eq!(steps, [(Pressure::Critical, Pressure::Medium)]);
    assert_eq!(relieved.load(Ordering::Relaxed), 1);
    for block in blocks {
        pool.put(block);
    }
    pool.close();
    assert_eq!((pool.stats().held, pool.stats().in_use), (0, 0));
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    let (sender, changes) = mpsc::channel();
    let config = PoolConfig::default().max_age(None).hold(0).on_pressure(move |change| {
        assert!(sender.send(change.to).is_ok());
        panic!("on purpose");
    });
    let pool = pool(10 * MIB, &config);
    for _ in 0..3 {
        let block = pool.take(8 * MIB).unwrap();
        assert_eq!(changes.recv().unwrap(), Pressure::High);
        pool.put(block);
        assert_eq!(changes.recv().unwrap(), Pressure::Low);
    }
}

#[test]
fn after_the_end_nothing_is_kept() {
    let pool = pool(1 << 30, &calm().reserve(MIB, 1));
    let block = pool.take(5000).unwrap();
    pool.close();
    assert_eq!(pool.stats().held, 0);
    pool.put(block);
    let stats = pool.stats();
    assert_eq!((stats.held, stats.in_use, stats.returned), (0, 0, (8192 + MIB) as u64));
}

#[test]
fn zeroing_clears_what_was_asked_for_and_no_more() {
    let pool = pool(1 << 30, &calm());
    for mode in [PoolMode::Host, PoolMode::Device] {
        let pool = BufferPool::new(Arc::clone(&pool.0.device), &calm().mode(mode)).unwrap();
        let block = pool.take(300_000).unwrap();
        assert_eq!(pool.host_ptr(&block).is_some(), mode == PoolMode::Host);
        pool.write(&block, 0, &vec![7; 300_000]).unwrap();
        pool.zero(&block, 200_000).unwrap();
        let mut bytes = vec![0; 300_000];
        pool.read(&block, 0, &mut bytes).unwrap();
        assert!(bytes[..200_000].iter().all(|&byte| byte == 0));
        assert!(bytes[200_000..].iter().all(|&byte| byte == 7));
        pool.put(block);
    }
}

/// A million random operations from four threads: no block has two owners, and none is lost.
#[test]
fn a_million_random_operations() {
    const OPERATIONS: u64 = 250_000;
    const BYTES: usize = 64 * MIB;
    let pool = pool(BYTES, &PoolConfig::default().max_age(Some(Duration::from_millis(3))).reserve(4096, 3));
    let owned: Vec<AtomicBool> = (0..1 << 20).map(|_| AtomicBool::new(false)).collect();
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (pool, owned, refused) = (&pool, &owned, &refused);
            scope.spawn(move || {
                let mut random = 0x9e37_79b9_7f4a_7c15 ^ (thread + 1);
                let mut mine: Vec<(Block, u64)> = Vec::new();
                for _ in 0..OPERATIONS {
                    // xorshift64* (G. Marsaglia 2003, S. Vigna 2016).
                    random ^= random >> 12;
                    random ^= random << 25;
                    random ^= random >> 27;
                    let dice = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
                    if dice & 1 == 0 || mine.is_empty() {
                        // 1 KiB to 4 MiB, small ones more often.
                        let bytes =
                            LEAST_BYTES << (dice >> 8 & 0xff).leading_zeros().saturating_sub(56).min(12);
                        match pool.take(bytes) {
                            Ok(block) => {
                                let node = block.node() as usize;
                                assert!(!owned[node].swap(true, Ordering::AcqRel), "two owners");
                                // What one writes there is what one reads there.
                                pool.write(&block, 0, &random.to_le_bytes()).unwrap();
                                mine.push((block, random));
                            }
                            Err(Error::OutOfMemory { .. }) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(other) => panic!("{other}"),
                        }
                    } else {
                        let (block, mark) = mine.swap_remove(dice as usize % mine.len());
                        let mut bytes = [0; 8];
                        pool.read(&block, 0, &mut bytes).unwrap();
                        assert_eq!(u64::from_le_bytes(bytes), mark);
                        assert!(owned[block.node() as usize].swap(false, Ordering::AcqRel));
                        pool.put(block);
                    }
                    if dice % 50_000 == 1 {
                        pool.trim();
                    }
                }
                for (block, _) in mine {
                    owned[block.node() as usize].store(false, Ordering::Release);
                    pool.put(block);
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!(stats.in_use, 0, "{stats:?}");
    assert!(stats.high_water <= BYTES as u64);
    assert!(stats.hits > 0 && stats.returned > 0, "{stats:?}");
    assert_eq!(stats.buckets[2].reserved, 3);
    assert!(stats.buckets[2].held >= 3);
    pool.close();
    let stats = pool.stats();
    assert_eq!((stats.held, stats.in_use), (0, 0), "{stats:?}");
    assert_eq!(pool.0.bytes.load(Ordering::Relaxed), 0);
    assert_eq!(pool.0.device.memory_info().unwrap().free, BYTES as u64);
    assert!(stats.hits + stats.misses - refused.load(Ordering::Relaxed) > 400_000, "{stats:?}");
}
