//! The pool of buffers: what it keeps, what it gives back, and what it says when there is no more.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Backend, behaviours};
use gpu_actor_rt::device::{DeviceError, DeviceKind, MemoryKind};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{PoolConfig, PoolMode, Pressure};

behaviours! {
    buffers_are_used_again_and_counted,
    a_mode_is_what_the_buffers_are,
    what_there_is_not_is_an_error_and_harms_nobody,
    pressure_deactivates_whoever_is_idle,
    random_operations_from_four_threads_leave_nothing,
}

const KIB: u64 = 1 << 10;
const MIB: usize = 1 << 20;

/// One that reads and writes.
#[gpu_actor]
#[derive(Default)]
pub struct Hand {
    sum: u64,
    next: ActorId<Hand>,
}

#[gpu_actor]
impl Hand {
    #[handler]
    fn link(&mut self, next: ActorId<Hand>) {
        self.next = next;
    }

    #[handler]
    fn sum(&mut self, data: GpuSlice<u8>) -> u64 {
        let mut sum = 0u64;
        for x in data {
            sum += x as u64;
        }
        self.sum += sum;
        sum
    }

    #[handler]
    fn fill(&mut self, mut data: GpuSliceMut<u8>, with: u8) -> GpuSliceMut<u8> {
        for i in 0..data.len() {
            data[i] = with;
        }
        data
    }

    /// Looks at one element, which there may not be, and hands the rest on.
    #[handler]
    fn pass(&mut self, cx: &mut Cx, data: GpuSlice<u8>, at: u32) {
        self.sum += data[at as usize] as u64;
        cx.tell(self.next.sum(data.slice(at as usize..)));
    }
}

/// Nobody has a buffer, and all of the pool's memory is kept for later or gone.
async fn nothing_is_used(system: &ActorSystem) {
    system.drained().await.unwrap();
    let (stats, pool) = (system.stats(), system.pool());
    assert_eq!((stats.buffers, stats.buffer_references, pool.in_use), (0, 0, 0), "{stats:?} {pool:?}");
}

async fn buffers_are_used_again_and_counted(backend: &Backend) {
    let config = backend.config().actor::<Hand>().pool(PoolConfig::default().thresholds(98, 99, 100));
    let system = backend.start(config).await;
    let hand = system.actor::<Hand>(1);
    for round in 0..50u8 {
        // In the pool's memory there is what the rounds before left; a buffer has none of it.
        let data = system.zeroed::<u8>(3000).unwrap();
        assert_eq!(hand.sum(&data).await.unwrap(), 0);
        let filled = hand.fill(data, round | 1).await.unwrap();
        assert_eq!(hand.sum(&filled).await.unwrap(), 3000 * u64::from(round | 1));
        drop(filled);
        // The handlers' references are heard of.
        nothing_is_used(&system).await;
    }
    nothing_is_used(&system).await;
    let pool = system.pool();
    assert_eq!((pool.hits, pool.misses, pool.held, pool.high_water), (49, 1, 4 * KIB, 4 * KIB), "{pool:?}");
    assert!((pool.hit_rate() - 0.98).abs() < 1e-9);
    assert_eq!((system.trim_buffers(), system.pool().held), (4 * KIB, 0));
    // What outlives the system is its owner's, and then nobody's.
    let last = system.buffer(&[1u8; 5000]).unwrap();
    system.shutdown().await.unwrap();
    assert_eq!(last.to_vec().await.unwrap(), [1; 5000]);
    assert_eq!(system.pool().in_use, 8 * KIB);
    drop(last);
    let pool = system.pool();
    assert_eq!((pool.in_use, pool.held), (0, 0));
}

/// What the statistics say is what the memory is.
async fn a_mode_is_what_the_buffers_are(backend: &Backend) {
    let cuda = backend.device.info().kind == DeviceKind::Cuda;
    for mode in [PoolMode::Auto, PoolMode::Device, PoolMode::Host] {
        let pool = PoolConfig::default().mode(mode).reserve(65_536, 2);
        let system = backend.start(backend.config().actor::<Hand>().pool(pool)).await;
        let memory = system.pool().memory;
        match (mode, cuda) {
            (PoolMode::Device, _) | (PoolMode::Auto, true) => assert_eq!(memory, MemoryKind::Device),
            (_, false) => assert_eq!(memory, MemoryKind::Mapped),
            _ => assert!(matches!(memory, MemoryKind::Unified | MemoryKind::Mapped), "{memory:?}"),
        }
        assert_eq!((system.stats().buffer_memory, system.pool().held), (memory, 128 * KIB));
        let hand = system.actor::<Hand>(1);
        let mut data: Vec<_> = (1..=2).map(|n| system.buffer(&vec![n; 65_000]).unwrap()).collect();
        for (n, data) in (1..).zip(&data) {
            assert_eq!(hand.sum(data).await.unwrap(), n * 65_000);
        }
        assert_eq!((system.pool().hits, system.pool().misses), (2, 0));
        // One more than is reserved.
        match system.zeroed::<u8>(65_000) {
            Ok(more) => {
                data.push(more);
                assert_eq!(system.pool().misses, 1);
            }
            // The driver gives no memory of the kind beside a running kernel.
            Err(Error::Device(DeviceError::Busy { .. })) => {
                assert!(cuda && mode == PoolMode::Host, "{mode:?} on {:?}", backend.device.info().kind);
            }
            Err(other) => panic!("{other}"),
        }
        drop(data);
        nothing_is_used(&system).await;
        system.shutdown().await.unwrap();
    }
}

async fn what_there_is_not_is_an_error_and_harms_nobody(backend: &Backend) {
    let pool = PoolConfig::default().max_bytes(MIB as u64);
    let system = backend.start(backend.config().actor::<Hand>().pool(pool)).await;
    let hand = system.actor::<Hand>(1);
    let half = system.buffer(&vec![1u8; MIB / 2]).unwrap();
    let refused = system.zeroed::<u8>(MIB / 2 + 1).unwrap_err();
    let free = MIB as u64 / 2;
    assert!(
        matches!(&refused, Error::OutOfMemory { requested, free: left, .. } if (*requested, *left) == (free + 1, free)),
        "{refused:?}"
    );
    // The same where the call would make one: the call is refused, and can be made again.
    let refused = hand.sum(vec![1u8; MIB]).tell().unwrap_err();
    assert!(matches!(refused, Error::OutOfMemory { .. }), "{refused}");
    assert_eq!(hand.sum(&half).await.unwrap(), free);
    drop(half);
    nothing_is_used(&system).await;
    // What is kept makes room for what is larger.
    let whole = system.zeroed::<u8>(MIB).unwrap();
    assert_eq!(hand.sum(&whole).await.unwrap(), 0);
    drop(whole);
    nothing_is_used(&system).await;
    system.shutdown().await.unwrap();
}

/// The pool is all but full: it says so, idle actors sleep, and wake up as they were.
async fn pressure_deactivates_whoever_is_idle(backend: &Backend) {
    let worst = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&worst);
    let pool = PoolConfig::default().max_bytes(MIB as u64).on_pressure(move |change| {
        seen.fetch_max(change.to as u64, Ordering::AcqRel);
    });
    let system = backend.start(backend.config().actor::<Hand>().pool(pool)).await;
    let hands: Vec<_> = (0..10u64).map(|n| system.actor::<Hand>(n)).collect();
    for hand in &hands {
        assert_eq!(hand.sum([5u8; 3]).await.unwrap(), 15);
    }
    let data = system.zeroed::<u8>(MIB).unwrap();
    assert_eq!(system.pool().pressure, Pressure::Critical);
    // The pool's thread tells, after it has acted.
    while worst.load(Ordering::Acquire) != Pressure::Critical as u64 {
        tokio::task::yield_now().await;
    }
    // A worker that was not at a message boundary in time is not idle: that is asked for once more.
    if system.stats().deactivated == 0 {
        system.deactivate_idle(Duration::ZERO).await.unwrap();
    }
    assert_eq!(system.stats().deactivated, 10);
    for hand in &hands {
        assert_eq!(hand.sum([1u8]).await.unwrap(), 1);
    }
    drop(data);
    // Nothing is kept while memory is scarce.
    assert_eq!((system.pool().held, system.pool().pressure), (0, Pressure::Low));
    nothing_is_used(&system).await;
    system.shutdown().await.unwrap();
}

/// Made, cloned, cut, sent, handed on, mapped, faulted, dropped: from four threads at the same time, in a pool that is often full.
async fn random_operations_from_four_threads_leave_nothing(backend: &Backend) {
    const OPERATIONS: u64 = 2_500;
    let pool = PoolConfig::default().max_bytes(2 * MIB as u64).max_age(Some(Duration::from_millis(2)));
    let system = backend.start(backend.config().actor::<Hand>().pool(pool)).await;
    for n in 0..16u64 {
        system.actor::<Hand>(n).link(system.actor::<Hand>((n + 5) % 16).id().unwrap()).await.unwrap();
    }
    let work = |thread: u64| {
        let system = system.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async move {
                let mut random = 0x9e37_79b9_7f4a_7c15 ^ (thread + 1);
                let mut mine: Vec<Buffer<u8>> = Vec::new();
                for _ in 0..OPERATIONS {
                    // xorshift64* (G. Marsaglia 2003, S. Vigna 2016).
                    random ^= random >> 12;
                    random ^= random << 25;
                    random ^= random >> 27;
                    let dice = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
                    let hand = system.actor::<Hand>(dice >> 4 & 15);
                    let at = (dice >> 12) as usize;
                    if mine.is_empty() || dice & 15 < 4 {
                        match system.buffer(&vec![dice as u8; 1 + at % 60_000]) {
                            Ok(buffer) => mine.push(buffer),
                            Err(Error::OutOfMemory { .. }) => mine.truncate(mine.len() / 2),
                            Err(other) => panic!("{other}"),
                        }
                        continue;
                    }
                    let which = at % mine.len();
                    let sent = match dice & 15 {
                        4 => hand.sum(mine[which].slice(..=at % mine[which].len()).unwrap()).tell(),
                        5 => hand.fill(&mine[which], at as u8).tell(),
                        // Every other time beyond the end.
                        6 => hand.pass(&mine[which], (at % (2 * mine[which].len())) as u32).tell(),
                        7 => hand.sum(mine.swap_remove(which)).tell(),
                        8 => hand
                            .fill(mine.swap_remove(which), 1)
                            .await
                            .map(|back| mine.push(back.buffer().clone())),
                        9 => mine[which].map_mut().await.map(|mut map| map[0] = 1),
                        10 => {
                            let copy = mine[which].clone();
                            mine.push(copy);
                            Ok(())
                        }
                        _ => {
                            mine.swap_remove(which);
                            Ok(())
                        }
                    };
                    match sent {
                        Ok(()) | Err(Error::Full { .. } | Error::Buffer(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    };
    let threads: Vec<_> = (0..4).map(|thread| std::thread::spawn(work(thread))).collect();
    for thread in threads {
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    }
    nothing_is_used(&system).await;
    let pool = system.pool();
    // How many are hits depends on who was faster: what is kept is given up soon here.
    assert!(pool.hits > 0 && pool.misses > 0 && pool.high_water <= 2 * MIB as u64, "{pool:?}");
    system.shutdown().await.unwrap();
}
