//! The driver API over the software GPU: what is true of the whole process, and the way in for every call.
//!
//! Rules kept here:
//! - A handle is looked up in a table, never followed as a pointer; see [`handle`].
//! - What runs on a device runs in a stream, in the order of its submission; see [`work`].
//! - `api` has the calls themselves, and with `copy` and `kernel` all the `unsafe` there is: it turns pointers into values
//!   and hands them to the safe rooms beside it.

pub(crate) mod api;
mod attribute;
mod context;
mod copy;
mod gpu;
mod handle;
mod kernel;
mod memory;
mod peer;
mod pool;
mod region;
mod stream;
mod visible;
mod work;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use soft_gpu::Platform;

use crate::code::Code;
use crate::types::CUdevice;

pub(crate) use context::Context;
pub(crate) use gpu::Gpu;
use handle::{Kind, Table};
use kernel::{Function, Module};
use pool::Pool;
use region::Regions;
use stream::{Event, Stream};

/// What a call answers.
pub(crate) type Answer = Result<(), Code>;

/// Nothing here is left half done when a thread panics while it holds a lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a result where the caller wants it.
///
/// # Safety
///
/// `to` is null or valid for writing a `T`.
pub(crate) unsafe fn write<T>(to: *mut T, value: T) -> Answer {
    if to.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the caller vouches for the rest.
    unsafe { to.write(value) };
    Ok(())
}

/// The driver of a process.
pub(crate) struct Driver {
    platform: Platform,
    /// The devices that `CUDA_VISIBLE_DEVICES` lets the process see, in its order.
    gpus: Vec<Arc<Gpu>>,
    /// The process that called `cuInit`; 0 before that.
    process: AtomicU32,
    contexts: Table<Context>,
    /// Held while it changes which contexts are peers.
    peering: Mutex<()>,
    streams: Table<Stream>,
    events: Table<Event>,
    modules: Table<Module>,
    functions: Table<Function>,
    pools: Table<Pool>,
    regions: Regions,
}

impl Driver {
    pub(crate) fn new(platform: Platform) -> Driver {
        Driver::with_visible(platform, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())
    }

    fn with_visible(platform: Platform, visible: Option<&str>) -> Driver {
        let pools = Table::new(Kind::Pool);
        let uuids: Vec<[u8; 16]> = platform.devices().iter().map(|d| d.properties().uuid).collect();
        let gpus = visible::visible(visible, &uuids)
            .into_iter()
            .enumerate()
            .map(|(ordinal, device)| {
                let device = platform.devices()[device].clone();
                let pool = pools.add(|handle| Pool::new(handle, ordinal));
                Arc::new(Gpu::new(ordinal, device, pool))
            })
            .collect();
        Driver {
            platform,
            gpus,
            process: AtomicU32::new(0),
            contexts: Table::new(Kind::Context),
            peering: Mutex::new(()),
            streams: Table::new(Kind::Stream),
            events: Table::new(Kind::Event),
            modules: Table::new(Kind::Module),
            functions: Table::new(Kind::Function),
            pools,
            regions: Regions::default(),
        }
    }

    fn start(&self) -> Answer {
        if self.gpus.is_empty() {
            return Err(Code::NO_DEVICE);
        }
        // A forked child has none of the threads that the parent started, so it does not become the driver's process.
        let own = std::process::id();
        match self.process.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
            Err(other) if other != own => Err(Code::NOT_INITIALIZED),
            _ => Ok(()),
        }
    }

    fn gpu(&self, device: CUdevice) -> Result<&Arc<Gpu>, Code> {
        usize::try_from(device).ok().and_then(|d| self.gpus.get(d)).ok_or(Code::INVALID_DEVICE)
    }
}

thread_local! {
    /// Whether the thread is inside a host function of a stream, which must not call the driver.
    static HOST_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call that needs nothing to have come before it.
pub(crate) fn guard_start(call: impl FnOnce() -> Answer) -> Code {
    // What a call leaves behind when it panics is what its locks protect, and that is whole at every step.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => Code::SUCCESS,
        Ok(Err(code)) => code,
        Err(_) => Code::UNKNOWN,
    }
}

/// Runs a call that needs an initialised driver.
pub(crate) fn guard(driver: &'static Driver, call: impl FnOnce() -> Answer) -> Code {
    let process = driver.process.load(Ordering::Acquire);
    // A forked child has the parent's memory without its threads: nothing could be run there.
    if process == 0 || process != std::process::id() {
        return Code::NOT_INITIALIZED;
    }
    if HOST_FUNCTION.try_with(Cell::get).unwrap_or(false) {
        return Code::NOT_PERMITTED;
    }
    guard_start(call)
}
