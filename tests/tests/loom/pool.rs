//! The lists of the buffer pool under the model checker, over the very file that the runtime compiles.

#[allow(dead_code, reason = "the model does not use every method")]
#[path = "../../../gpu-actor-rt/src/pool/stack.rs"]
mod stack;

use std::sync::Arc;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use stack::{Links, Stack};

/// Three blocks, and who has each: nobody, or one.
struct Pool {
    kept: Stack,
    links: [AtomicU64; 3],
    owned: [AtomicU64; 3],
}

impl Links for [AtomicU64; 3] {
    fn link(&self, node: u32) -> &AtomicU64 {
        &self[node as usize]
    }
}

impl Pool {
    /// One that keeps the first so many.
    fn with(kept: u32) -> Arc<Self> {
        let zeroes = || std::array::from_fn(|_| AtomicU64::new(0));
        let pool = Self { kept: Stack::new(), links: zeroes(), owned: zeroes() };
        for node in 0..kept {
            assert!(pool.kept.push(&pool.links, node, u64::MAX));
        }
        Arc::new(pool)
    }

    fn take(&self) -> Option<u32> {
        let (node, left) = self.kept.pop(&self.links)?;
        assert!(left < 3);
        assert_eq!(self.owned[node as usize].fetch_add(1, Ordering::Relaxed), 0, "two owners");
        Some(node)
    }

    fn put(&self, node: u32, most: u64) -> bool {
        self.owned[node as usize].fetch_sub(1, Ordering::Relaxed);
        self.kept.push(&self.links, node, most)
    }
}

/// Each takes two and puts them back in the other order: the order in which a list without a counter hands a block to two.
#[test]
fn a_block_has_one_owner_and_none_is_lost() {
    super::check(3, || {
        let pool = Pool::with(3);
        let work = |pool: &Pool| {
            let first = pool.take().unwrap();
            let second = pool.take();
            assert!(pool.put(first, u64::MAX));
            if let Some(second) = second {
                assert!(pool.put(second, u64::MAX));
            }
        };
        let other = thread::spawn({
            let pool = Arc::clone(&pool);
            move || work(&pool)
        });
        work(&pool);
        other.join().unwrap();
        let (kept, taken) = pool.kept.counts(&pool.links);
        assert_eq!(kept, 3);
        assert!((3..=4).contains(&taken), "{taken} were taken");
        let mut all: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    });
}

/// Two put back where one more is kept: one does, the other is told to give it to the device.
#[test]
fn no_more_are_kept_than_may_be() {
    super::check(3, || {
        let pool = Pool::with(3);
        let nodes = [pool.take().unwrap(), pool.take().unwrap()];
        let other = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.put(nodes[0], 2)
        });
        let mine = pool.put(nodes[1], 2);
        let theirs = other.join().unwrap();
        assert!(mine ^ theirs, "{mine} {theirs}");
        assert_eq!(pool.kept.counts(&pool.links), (2, 2));
    });
}

/// Who reads the counters meanwhile reads those of one moment.
#[test]
fn counters_are_of_one_moment() {
    super::check(3, || {
        let pool = Pool::with(2);
        let other = thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                let node = pool.take().unwrap();
                assert!(pool.put(node, u64::MAX));
                pool.take().unwrap();
            }
        });
        let counts = pool.kept.counts(&pool.links);
        assert!([(2, 0), (1, 1), (2, 1), (1, 2)].contains(&counts), "{counts:?}");
        other.join().unwrap();
    });
}
