//! What device code can do that Rust has no words for: ordered memory accesses, atomics, sleeping, lane operations.
//!
//! Each intrinsic is a function, which is its native twin, and a module of the same name with `__gpu`, which emits it.
//! Natively the accesses go to the [`Memory`] of the thread, so that a model checker and ordinary
//! memory can both stand behind the same code. Addresses and values are 64-bit words unless said otherwise.
//!
//! | | order | scope |
//! |---|---|---|
//! | `_weak` | none: only for memory that nobody else touches at the time | |
//! | `_relaxed_*` | atomic, orders nothing else | `gpu`: this device, `sys`: all devices and the host |
//! | `_acquire_*`, `_release_*` | what was written before the release is seen after the acquire | likewise |
//! | [`cas_gpu()`], [`add_gpu()`] | acquire and release | this device |

pub mod native;

use crate::{
    builder::Builder,
    ir::{AtomicOp, Order as Ir, Scope, Special, WarpOp},
    lang::Val,
};
use native::{Memory, Order};

fn memory<R>(f: impl FnOnce(&dyn Memory) -> R) -> R {
    f(&*native::current())
}

macro_rules! loads {
    ($($(#[$doc:meta])* $name:ident: $native:expr, $ir:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(address: u64) -> u64 {
            memory(|m| m.load(address, $native))
        }

        #[doc = concat!("The device twin of [`", stringify!($name), "`](fn@", stringify!($name), ").")]
        pub mod $name {
            use super::*;

            /// Emits the load.
            pub fn __gpu(b: &Builder, address: Val<u64>) -> Val<u64> {
                b.load(address, 0, $ir)
            }
        }
    )*};
}

loads! {
    /// Loads a word that nobody else writes at the time.
    ld_weak: Order::Weak, Ir::Weak;
    /// Loads a word, atomically on the device.
    ld_relaxed_gpu: Order::Relaxed, Ir::Relaxed(Scope::Gpu);
    /// Loads a word, atomically in the system.
    ld_relaxed_sys: Order::Relaxed, Ir::Relaxed(Scope::Sys);
    /// Loads a word and sees what was written before its release on the device.
    ld_acquire_gpu: Order::Acquire, Ir::Acquire(Scope::Gpu);
    /// Loads a word and sees what was written before its release anywhere in the system.
    ld_acquire_sys: Order::Acquire, Ir::Acquire(Scope::Sys);
}

macro_rules! stores {
    ($($(#[$doc:meta])* $name:ident: $native:expr, $ir:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(address: u64, value: u64) {
            memory(|m| m.store(address, value, $native));
        }

        #[doc = concat!("The device twin of [`", stringify!($name), "`](fn@", stringify!($name), ").")]
        pub mod $name {
            use super::*;

            /// Emits the store.
            pub fn __gpu(b: &Builder, address: Val<u64>, value: Val<u64>) -> Val<()> {
                b.store(address, 0, value, $ir);
                b.unit()
            }
        }
    )*};
}

stores! {
    /// Stores a word that nobody else touches at the time.
    st_weak: Order::Weak, Ir::Weak;
    /// Stores a word, atomically on the device.
    st_relaxed_gpu: Order::Relaxed, Ir::Relaxed(Scope::Gpu);
    /// Stores a word, atomically in the system.
    st_relaxed_sys: Order::Relaxed, Ir::Relaxed(Scope::Sys);
    /// Stores a word and publishes what was written before it to the device.
    st_release_gpu: Order::Release, Ir::Release(Scope::Gpu);
    /// Stores a word and publishes what was written before it to the whole system.
    st_release_sys: Order::Release, Ir::Release(Scope::Sys);
}

macro_rules! intrinsics {
    ($(
        $(#[$doc:meta])*
        $name:ident($($arg:ident: $ty:ty),*) -> $result:ty $native:block gpu |$b:ident| $emit:expr;
    )*) => {$(
        $(#[$doc])*
        #[allow(unused_variables)]
        pub fn $name($($arg: $ty),*) -> $result $native

        #[doc = concat!("The device twin of [`", stringify!($name), "`](fn@", stringify!($name), ").")]
        pub mod $name {
            #[allow(unused_imports)]
            use super::*;

            /// Emits the intrinsic.
            pub fn __gpu($b: &Builder, $($arg: Val<$ty>),*) -> Val<$result> {
                $emit
            }
        }
    )*};
}

intrinsics! {
    /// Stores `new` if the word is `expected`; gives what the word was. Acquires and releases on the device.
    cas_gpu(address: u64, expected: u64, new: u64) -> u64 {
        memory(|m| m.cas(address, expected, new))
    } gpu |b| b.atomic(address, AtomicOp::Cas { expected: expected.operand(), new: new.operand() });

    /// Adds to the word, wrapping; gives what the word was. Acquires and releases on the device.
    add_gpu(address: u64, value: u64) -> u64 {
        memory(|m| m.add(address, value))
    } gpu |b| b.atomic(address, AtomicOp::Add(value.operand()));

    /// Orders all accesses before it with all behind it, sequentially consistent on the device.
    fence_sc_gpu() -> () {
        memory(|m| m.fence());
    } gpu |b| {
        b.fence_sc(Scope::Gpu);
        b.unit()
    };

    /// Orders all accesses before it with all behind it, sequentially consistent in the system.
    fence_sc_sys() -> () {
        memory(|m| m.fence());
    } gpu |b| {
        b.fence_sc(Scope::Sys);
        b.unit()
    };

    /// Sleeps about `nanoseconds`, at most 1 ms.
    nanosleep(nanoseconds: u32) -> () {
        memory(|m| m.nanosleep(nanoseconds));
    } gpu |b| {
        b.sleep(nanoseconds);
        b.unit()
    };

    /// Nanoseconds of the device's wall clock.
    global_timer() -> u64 {
        memory(|m| m.global_timer())
    } gpu |b| b.special(Special::GlobalTimer);

    /// This lane's index in its warp. Natively 0.
    lane() -> u32 {
        0
    } gpu |b| b.special(Special::LaneId);

    /// Lanes of a worker. Natively 1.
    lanes() -> u32 {
        1
    } gpu |b| b.special(Special::BlockSize);

    /// This worker's index.
    worker() -> u32 {
        memory(|m| m.worker())
    } gpu |b| b.special(Special::BlockId);

    /// Workers of the device.
    workers() -> u32 {
        memory(|m| m.workers())
    } gpu |b| b.special(Special::BlockCount);

    /// The lanes of `mask`, all of which take part, on which `predicate` holds, as bits.
    ballot(mask: u32, predicate: bool) -> u32 {
        u32::from(predicate)
    } gpu |b| b.warp(WarpOp::Ballot { predicate: predicate.operand() }, mask);

    /// The value that the lane `source` has. All lanes of `mask` take part.
    shfl(mask: u32, value: u64, source: u32) -> u64 {
        value
    } gpu |b| b.warp(WarpOp::Shuffle { value: value.operand(), source: source.operand() }, mask);

    /// The lanes of `mask`, all of which take part, that have the same value, as bits.
    match_any(mask: u32, value: u64) -> u32 {
        1
    } gpu |b| b.warp(WarpOp::MatchAny { value: value.operand() }, mask);

    /// Waits for all lanes of `mask` and makes their accesses visible to each other.
    sync_warp(mask: u32) -> () {
    } gpu |b| {
        b.warp_sync(mask);
        b.unit()
    };

    /// Tells the workers of this device that there may be something to do. On hardware, where they poll, next to nothing.
    signal_workers() -> () {
        memory(|m| m.signal_workers());
    } gpu |b| {
        b.pm_event(0);
        b.unit()
    };

    /// Tells the host that there may be something to do. On hardware, where the host polls, next to nothing.
    signal_host() -> () {
        memory(|m| m.signal_host());
    } gpu |b| {
        b.pm_event(1);
        b.unit()
    };

    /// Gives back the buffers of a message that no handler will see; `cx` is the lane's record. A call, where the ring kernel has no
    /// registers to spare.
    forget(cx: u64, message: u64) -> u32 {
        crate::ring::buffers::forget(cx, message);
        0
    } gpu |b| b.call(crate::ring::buffers::FORGET, vec![cx.operand(), message.operand()]);

    /// Runs the handler of a method: what [`dispatch`](crate::dispatch) builds. Gives 0, or another value if it faulted;
    /// then the fault is in the context record.
    dispatch(method: u32, type_index: u32, state: u64, message: u64, cx: u64) -> u32 {
        memory(|m| m.dispatch(method, type_index, state, message, cx))
    } gpu |b| b.call(
        crate::dispatch::SYMBOL,
        vec![method.operand(), type_index.operand(), state.operand(), message.operand(), cx.operand()],
    );
}
