//! Hybrid logical clocks: a stamp for a message that leaves, and one for a message that came. Nanoseconds each.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gpu_actor_rt::hlc;
use ringkernel_core::hlc::HlcClock;

/// Stamps of a round.
const STAMPS: u64 = 200_000;

fn each(mut stamp: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..STAMPS {
        stamp();
    }
    begun.elapsed().as_nanos() as f64 / STAMPS as f64
}

/// `hlc::Clock`, which reads the time for every stamp.
pub(crate) fn ours() -> Vec<f64> {
    let clock = hlc::Clock::<std::sync::atomic::AtomicU64>::new(u64::MAX >> 1);
    let tick = each(|| {
        black_box(clock.tick(hlc::now()));
    });
    let stamp = clock.tick(hlc::now());
    let receive = each(|| {
        black_box(clock.receive(black_box(stamp), hlc::now())).expect("no drift");
    });
    vec![tick, receive]
}

/// `hlc::Clock` with one reading of the time for a batch of 64.
pub(crate) fn ours_batched() -> Vec<f64> {
    let clock = hlc::Clock::<std::sync::atomic::AtomicU64>::new(u64::MAX >> 1);
    let (mut at, mut now) = (0u64, hlc::now());
    let mut time = || {
        at += 1;
        if at % 64 == 0 {
            now = hlc::now();
        }
        now
    };
    let tick = each(|| {
        black_box(clock.tick(time()));
    });
    let stamp = clock.tick(hlc::now());
    let receive = each(|| {
        black_box(clock.receive(black_box(stamp), time())).expect("no drift");
    });
    vec![tick, receive]
}

/// `uhlc::HLC`, as it comes.
pub(crate) fn uhlc() -> Vec<f64> {
    let clock = uhlc::HLCBuilder::new().with_max_delta(Duration::from_secs(1)).build();
    let tick = each(|| {
        black_box(clock.new_timestamp());
    });
    let stamp = clock.new_timestamp();
    let receive = each(|| {
        clock.update_with_timestamp(black_box(&stamp)).expect("no drift");
    });
    vec![tick, receive]
}

/// `ringkernel_core::hlc::HlcClock`.
pub(crate) fn ringkernel() -> Vec<f64> {
    let clock = HlcClock::new(1);
    let tick = each(|| {
        black_box(clock.tick());
    });
    let stamp = clock.tick();
    let receive = each(|| {
        black_box(clock.update(black_box(&stamp))).expect("no drift");
    });
    vec![tick, receive]
}
