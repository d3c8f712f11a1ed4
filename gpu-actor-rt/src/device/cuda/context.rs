//! A device's context, and what may be done in it while a persistent kernel runs.
//!
//! Rules kept here:
//! - A call that may wait for all kernels of the context (allocating pinned or managed memory, loading a module, freeing,
//!   enabling peers) is made only while no persistent kernel runs there, under the lock that a launch takes too. Beside such a
//!   kernel, asking is [`DeviceError::Busy`] and freeing is put off to its end. A ring kernel ends when the host says so, and a
//!   host that waits for it in the driver can't say anything.
//! - No work goes to the NULL stream, nothing synchronises the context; one stream of the context's own does the copies.
//! - Whoever calls the driver enters the context on the calling thread and leaves it as it was.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::CudaConfig;
use super::arena::Arena;
use super::driver::{CudaProperties, cust_device};
use super::error::{
    CudaError, CudaResult, DEVICE_UNAVAILABLE, NOT_READY, OUT_OF_MEMORY, check, device_error, memory_error,
};
use super::ffi::{self, Address, Device as Ordinal, Handle};
use crate::device::DeviceError;

/// Streams and events that are kept for the next short kernels.
const MOST_SPARE: usize = 8;
/// Bytes of the pinned buffer through which copies go.
pub(super) const STAGING: usize = 256 << 10;

/// A context on a device and what belongs to it. Devices, allocations, modules and launches share it.
pub(super) struct Core {
    pub(super) properties: CudaProperties,
    pub(super) driver: String,
    pub(super) device: Ordinal,
    pub(super) context: Handle,
    owner: ManuallyDrop<Owner>,
    /// Copies, fills and allocations in order; apart from every kernel.
    pub(super) stream: Handle,
    /// Where device memory comes from beside a running kernel. None: the device has no memory pools.
    pub(super) pool: Option<Handle>,
    /// Where it comes from then.
    pub(super) arena: Arena,
    /// Streams and events of short kernels that have ended, for the next ones.
    spare: Mutex<Vec<(Handle, Handle)>>,
    staging: Mutex<Staging>,
    state: Mutex<State>,
    lost: AtomicBool,
}

/// Who keeps the context alive.
#[derive(Debug)]
enum Owner {
    /// The primary context, shared with every other library of the process.
    Primary(cust::context::Context),
    /// One of our own.
    Own,
}

/// The pinned buffer.
#[derive(Debug)]
struct Staging(NonNull<u8>);

// SAFETY: the buffer is memory of the process, used under the mutex around it.
unsafe impl Send for Staging {}

/// What runs, and what waits for its end.
#[derive(Debug, Default)]
pub(super) struct State {
    launches: Vec<Persistent>,
    graves: Vec<Grave>,
}

/// A persistent kernel, or a short one that was given up, that had not ended when it was last looked at.
#[derive(Debug)]
struct Persistent {
    id: u64,
    /// Recorded behind the kernel.
    end: Handle,
    /// Its owner has given up waiting for it: what it uses must stay.
    abandoned: bool,
}

/// What is to be given back when nothing persistent runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grave {
    Device(Address),
    Host(usize),
    Managed(Address),
    Module(Handle),
    Launch {
        stream: Handle,
        end: Handle,
    },
    /// A part of the arena.
    Arena,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { properties, driver, device, context, .. } = self;
        f.debug_struct("Core")
            .field("name", &properties.name)
            .field("driver", driver)
            .field("device", device)
            .field("context", context)
            .finish_non_exhaustive()
    }
}

/// The context is current on this thread as long as this lives.
pub(super) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        let mut left = Handle::NULL;
        // An error would say that the context is gone: nothing to restore then.
        // SAFETY: the pointer is to a handle.
        let _ = unsafe { ffi::cuCtxPopCurrent_v2(&raw mut left) };
    }
}

impl Core {
    pub(super) fn open(
        device: Ordinal,
        properties: CudaProperties,
        driver: String,
        config: &CudaConfig,
    ) -> Result<Self, DeviceError> {
        let name = properties.name.clone();
        let failed = |what: &str| {
            let (name, what) = (name.clone(), what.to_owned());
            move |error| device_error(&name, what, error)
        };
        let (context, owner) = if config.own_context { own(device) } else { primary(device) }
            .map_err(failed("making a context"))?;
        let mut core = Self {
            driver,
            device,
            context,
            owner: ManuallyDrop::new(owner),
            stream: Handle::NULL,
            pool: None,
            arena: Arena::new(config.reserve),
            spare: Mutex::default(),
            staging: Mutex::new(Staging(NonNull::dangling())),
            state: Mutex::default(),
            lost: AtomicBool::new(false),
            properties,
        };
        // From here on an early return gives back what there is: every part knows whether it exists.
        let entered = core.enter().map_err(failed("entering the context"))?;
        core.stream = stream().map_err(failed("making a stream"))?;
        if core.properties.memory_pools && !config.no_pool {
            core.pool = Some(pool(device).map_err(failed("making a memory pool"))?);
        }
        let staging =
            host_alloc(STAGING).map_err(|error| memory_error(&name, STAGING, "pinned memory", error))?;
        core.staging = Mutex::new(Staging(staging));
        drop(entered);
        Ok(core)
    }

    pub(super) fn name(&self) -> &str {
        &self.properties.name
    }

    /// Makes the context current on this thread.
    pub(super) fn enter(&self) -> CudaResult<Entered> {
        // SAFETY: the context lives as long as `self`.
        check("cuCtxPushCurrent_v2", unsafe { ffi::cuCtxPushCurrent_v2(self.context) })?;
        Ok(Entered(()))
    }

    /// An error of the driver as one of the seam; remembers if the device is lost by it.
    pub(super) fn failed(&self, action: impl Into<String>, error: CudaError) -> DeviceError {
        // A device that was there and is "unavailable" has gone.
        let gone = error.is_sticky() || error.code() == DEVICE_UNAVAILABLE;
        self.lost.fetch_or(gone, Ordering::Relaxed);
        if gone {
            return DeviceError::Lost {
                device: self.name().into(),
                action: action.into(),
                source: Box::new(error),
            };
        }
        device_error(self.name(), action, error)
    }

    /// As [`failed`](Self::failed), for an allocation.
    pub(super) fn no_memory(&self, bytes: usize, what: &str, error: CudaError) -> DeviceError {
        if error.code() == OUT_OF_MEMORY {
            memory_error(self.name(), bytes, what, error)
        } else {
            self.failed(format!("allocating {bytes} bytes of {what}"), error)
        }
    }

    /// Whether an error has made the context useless.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// The state, with kernels that have ended removed and what waited for them given back.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.launches.is_empty()
            && let Ok(_entered) = self.enter()
        {
            // SAFETY: a launch's event is destroyed only after the launch was removed here.
            state.launches.retain(|launch| unsafe { ffi::cuEventQuery(launch.end) } == NOT_READY);
            self.dig(&mut state);
        }
        state
    }

    /// Does what may wait for every kernel of the context, if no persistent one runs there.
    pub(super) fn quietly<R>(
        &self,
        action: &str,
        work: impl FnOnce() -> Result<R, DeviceError>,
    ) -> Result<R, DeviceError> {
        let state = self.state();
        if state.is_busy() {
            return Err(self.busy(action));
        }
        let entered = self.enter().map_err(|error| self.failed(action, error))?;
        let result = work();
        drop(entered);
        drop(state);
        result
    }

    pub(super) fn busy(&self, action: &str) -> DeviceError {
        DeviceError::Busy { device: self.name().to_owned(), action: action.to_owned() }
    }

    /// A stream and an event for a short kernel: those of one that has ended, if there are some.
    pub(super) fn spare(&self) -> Option<(Handle, Handle)> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps the stream and the event of a kernel that has ended well for the next one.
    pub(super) fn keep(&self, stream: Handle, end: Handle) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push((stream, end));
        } else {
            drop(spare);
            self.bury(Grave::Launch { stream, end });
        }
    }

    /// Gives back now, or when nothing persistent runs any more.
    pub(super) fn bury(&self, grave: Grave) {
        let mut state = self.state();
        let now = match grave {
            // In the order of the stream, and no kernel is waited for; but what an abandoned kernel uses stays.
            Grave::Device(_) => self.pool.is_some() && !state.launches.iter().any(|launch| launch.abandoned),
            _ => false,
        };
        if now {
            if let Ok(_entered) = self.enter() {
                self.give_back(grave);
            }
        } else {
            state.graves.push(grave);
            self.dig(&mut state);
        }
    }

    /// Gives up waiting for a launch that still runs; `false` if it has ended meanwhile.
    ///
    /// What it uses stays until its end, by its event; and so does this context, for the life of the process, so that who
    /// opens the device next finds the kernel there.
    pub(super) fn leave(self: &Arc<Self>, persistent: Option<u64>, stream: Handle, end: Handle) -> bool {
        let mut state = self.state();
        let id = persistent.unwrap_or_else(|| state.began(end));
        if !state.abandon(id) {
            return false;
        }
        state.graves.push(Grave::Launch { stream, end });
        drop(state);
        std::mem::forget(Arc::clone(self));
        true
    }

    /// Gives back what waited, if nothing persistent runs.
    fn dig(&self, state: &mut State) {
        if !state.launches.is_empty() || state.graves.is_empty() {
            return;
        }
        let Ok(_entered) = self.enter() else { return };
        for grave in state.graves.drain(..) {
            self.give_back(grave);
        }
    }

    /// Errors are of no use to anyone: the context is lost, or the handle was never valid.
    fn give_back(&self, grave: Grave) {
        // SAFETY: each names what this context made and what nobody uses any more; the context is entered.
        let code = unsafe {
            match grave {
                Grave::Device(address) if self.pool.is_some() => ffi::cuMemFreeAsync(address, self.stream),
                Grave::Device(address) | Grave::Managed(address) => ffi::cuMemFree_v2(address),
                Grave::Host(pointer) => ffi::cuMemFreeHost(pointer as *mut c_void),
                Grave::Module(module) => ffi::cuModuleUnload(module),
                Grave::Launch { stream, end } => {
                    ffi::cuEventDestroy_v2(end).max(ffi::cuStreamDestroy_v2(stream))
                }
                Grave::Arena => {
                    self.arena.give_back();
                    0
                }
            }
        };
        if code != 0 {
            tracing::debug!(?grave, code, "not given back");
        }
    }

    /// Gives the device back what the pool keeps and nobody uses, if nothing persistent runs.
    pub(super) fn trim(&self) {
        let Some(pool) = self.pool else { return };
        // Beside a kernel the memory stays where it will be wanted next.
        let _ = self.quietly("trimming the memory pool", || {
            // What was freed in the order of the stream is free when the stream is through.
            let trimmed = self.synchronise().and_then(|()| {
                // SAFETY: the pool lives as long as `self`.
                check("cuMemPoolTrimTo", unsafe { ffi::cuMemPoolTrimTo(pool, 0) })
            });
            trimmed.map_err(|error| self.failed("trimming the memory pool", error))
        });
    }

    /// Waits for the stream of the context: for copies, fills and allocations, and for no kernel of a launch.
    pub(super) fn synchronise(&self) -> CudaResult {
        // SAFETY: the stream lives as long as `self`.
        check("cuStreamSynchronize", unsafe { ffi::cuStreamSynchronize(self.stream) })
    }

    /// Copies to the device through the pinned buffer, which a copy engine reads beside any kernel.
    pub(super) fn upload(&self, address: Address, bytes: &[u8]) -> CudaResult {
        let staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, part) in (0..).step_by(STAGING).zip(bytes.chunks(STAGING)) {
            // SAFETY: the buffer has `STAGING` bytes and is this thread's under the lock; no copy uses it, since each is
            // waited for.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), staging.0.as_ptr(), part.len()) };
            self.send(&staging, address + at, part.len())?;
        }
        Ok(())
    }

    /// Zeroes memory of the device with the copy engine.
    pub(super) fn clear(&self, address: Address, bytes: usize) -> CudaResult {
        let staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as in `upload`.
        unsafe { std::ptr::write_bytes(staging.0.as_ptr(), 0, bytes.min(STAGING)) };
        for at in (0..bytes).step_by(STAGING) {
            self.send(&staging, address + at as u64, (bytes - at).min(STAGING))?;
        }
        Ok(())
    }

    fn send(&self, staging: &Staging, address: Address, bytes: usize) -> CudaResult {
        // SAFETY: the caller of the seam vouches for the device's range; the buffer has that many bytes and stays as it is
        // until the copy is over, which is waited for.
        let code =
            unsafe { ffi::cuMemcpyHtoDAsync_v2(address, staging.0.as_ptr().cast(), bytes, self.stream) };
        check("cuMemcpyHtoDAsync_v2", code)?;
        self.synchronise()
    }

    /// Copies from the device through the pinned buffer.
    pub(super) fn download(&self, bytes: &mut [u8], address: Address) -> CudaResult {
        let staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, part) in (0..).step_by(STAGING).zip(bytes.chunks_mut(STAGING)) {
            // SAFETY: as in `send`.
            let code = unsafe {
                ffi::cuMemcpyDtoHAsync_v2(staging.0.as_ptr().cast(), address + at, part.len(), self.stream)
            };
            check("cuMemcpyDtoHAsync_v2", code)?;
            self.synchronise()?;
            // SAFETY: the copy is over, the buffer is this thread's under the lock.
            unsafe { std::ptr::copy_nonoverlapping(staging.0.as_ptr(), part.as_mut_ptr(), part.len()) };
        }
        Ok(())
    }
}

impl State {
    /// Whether a persistent kernel runs.
    pub(super) fn is_busy(&self) -> bool {
        !self.launches.is_empty()
    }

    /// A persistent kernel was launched; its name among those that run.
    pub(super) fn began(&mut self, end: Handle) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.launches.push(Persistent { id, end, abandoned: false });
        id
    }

    /// Nobody waits for that kernel any longer; whether it runs.
    pub(super) fn abandon(&mut self, id: u64) -> bool {
        let launch = self.launches.iter_mut().find(|launch| launch.id == id);
        launch.map(|launch| launch.abandoned = true).is_some()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.state().is_busy() {
            // Everything that would have to be given back is in use, and giving it back would wait for ever.
            tracing::warn!(
                device = self.name(),
                "a kernel has not ended: its context is kept until the process ends"
            );
            return;
        }
        if let Ok(_entered) = self.enter() {
            let staging = std::mem::replace(&mut self.staging, Mutex::new(Staging(NonNull::dangling())));
            let staging = staging.into_inner().unwrap_or_else(PoisonError::into_inner).0;
            // SAFETY: all of it was made in this context, nobody shares it any more, and each is given back once.
            unsafe {
                if staging != NonNull::dangling() {
                    ffi::cuMemFreeHost(staging.as_ptr().cast());
                }
                if let Some(address) = self.arena.take() {
                    ffi::cuMemFree_v2(address);
                }
                while let Some((stream, end)) = self.spare() {
                    ffi::cuEventDestroy_v2(end);
                    ffi::cuStreamDestroy_v2(stream);
                }
                if let Some(pool) = self.pool.take() {
                    // What was freed in the stream's order must be free before the pool goes.
                    ffi::cuStreamSynchronize(self.stream);
                    ffi::cuMemPoolDestroy(pool);
                }
                if !self.stream.is_null() {
                    ffi::cuStreamDestroy_v2(self.stream);
                }
            }
        }
        // SAFETY: taken once, here, and not used afterwards.
        match unsafe { ManuallyDrop::take(&mut self.owner) } {
            Owner::Primary(context) => drop(context),
            Owner::Own => {
                // SAFETY: the context is ours, and nothing is left in it.
                unsafe { ffi::cuCtxDestroy_v2(self.context) };
            }
        }
    }
}

/// The primary context, held through cust.
fn primary(device: Ordinal) -> CudaResult<(Handle, Owner)> {
    let mut context = Handle::NULL;
    // Ours first, whose result is a number: cust's would be undefined if the driver answered a code newer than cust.
    // SAFETY: the pointer is to a handle.
    check("cuDevicePrimaryCtxRetain", unsafe { ffi::cuDevicePrimaryCtxRetain(&raw mut context, device) })?;
    // cust makes the context current for good; the thread is left as it was.
    let mut before = Handle::NULL;
    // SAFETY: the pointer is to a handle.
    let known = unsafe { ffi::cuCtxGetCurrent(&raw mut before) } == 0;
    let owner = cust_device(device).and_then(|device| {
        cust::context::Context::new(device)
            .map_err(|error| CudaError::new("cuDevicePrimaryCtxRetain", error as u32))
    });
    if known {
        // SAFETY: it was current before.
        unsafe { ffi::cuCtxSetCurrent(before) };
    }
    // cust's reference stands for both.
    // SAFETY: retained above.
    unsafe { ffi::cuDevicePrimaryCtxRelease_v2(device) };
    Ok((context, Owner::Primary(owner?)))
}

/// A context of our own.
fn own(device: Ordinal) -> CudaResult<(Handle, Owner)> {
    let mut context = Handle::NULL;
    // SAFETY: the pointer is to a handle.
    let code = unsafe { ffi::cuCtxCreate_v2(&raw mut context, ffi::CU_CTX_SCHED_YIELD, device) };
    check("cuCtxCreate_v2", code)?;
    // It is current now; the thread is left as it was.
    drop(Entered(()));
    Ok((context, Owner::Own))
}

/// A stream that has nothing to do with the NULL stream.
pub(super) fn stream() -> CudaResult<Handle> {
    let mut stream = Handle::NULL;
    // SAFETY: the pointer is to a handle; the context is entered.
    check("cuStreamCreate", unsafe { ffi::cuStreamCreate(&raw mut stream, ffi::CU_STREAM_NON_BLOCKING) })?;
    Ok(stream)
}

/// An event that says that something has ended, and not when.
pub(super) fn event() -> CudaResult<Handle> {
    let mut event = Handle::NULL;
    // SAFETY: the pointer is to a handle; the context is entered.
    check("cuEventCreate", unsafe { ffi::cuEventCreate(&raw mut event, ffi::CU_EVENT_DISABLE_TIMING) })?;
    Ok(event)
}

/// A pool that keeps what it has got and waits for nobody.
fn pool(device: Ordinal) -> CudaResult<Handle> {
    let props = ffi::MemPoolProps {
        alloc_type: ffi::CU_MEM_ALLOCATION_TYPE_PINNED,
        handle_types: 0,
        location: ffi::MemLocation { kind: ffi::CU_MEM_LOCATION_TYPE_DEVICE, id: device },
        win32_security_attributes: std::ptr::null_mut(),
        reserved: [0; 64],
    };
    let mut pool = Handle::NULL;
    // SAFETY: the pointers are to a handle and to the whole of the properties.
    check("cuMemPoolCreate", unsafe { ffi::cuMemPoolCreate(&raw mut pool, &raw const props) })?;
    let (mut keep, mut wait) = (u64::MAX, 0 as c_int);
    for (attribute, value) in [
        (ffi::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut keep).cast::<c_void>()),
        (ffi::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES, (&raw mut wait).cast()),
    ] {
        // SAFETY: the value is of the attribute's type: 64 bits for the threshold, an int for the other.
        check("cuMemPoolSetAttribute", unsafe { ffi::cuMemPoolSetAttribute(pool, attribute, value) })?;
    }
    Ok(pool)
}

/// Pinned host memory that every context and the device reach.
pub(super) fn host_alloc(bytes: usize) -> CudaResult<NonNull<u8>> {
    let mut pointer = std::ptr::null_mut();
    let flags = ffi::CU_MEMHOSTALLOC_PORTABLE | ffi::CU_MEMHOSTALLOC_DEVICEMAP;
    // SAFETY: the pointer is to a pointer; the context is entered.
    check("cuMemHostAlloc", unsafe { ffi::cuMemHostAlloc(&raw mut pointer, bytes, flags) })?;
    // The driver does not answer success and no memory.
    NonNull::new(pointer.cast()).ok_or(CudaError::new("cuMemHostAlloc", super::error::OUT_OF_MEMORY))
}
