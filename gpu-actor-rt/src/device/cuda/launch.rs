//! A kernel on a stream of its own.
//!
//! Rules kept here: the device says nothing of itself, so how a launch stands is asked, by a query that waits for nobody;
//! a kernel cannot be killed, so nothing here promises to; no wait is without end unless its caller says so.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::context::{Core, Grave, event, stream};
use super::error::{CudaError, CudaResult, NOT_READY, check};
use super::ffi::{self, Handle};
use super::memory::plain;
use super::module::CudaModule;
use crate::device::{DeviceError, LaunchRequest, LaunchStatus, Launched};

/// How long a dropped launch waits for its kernel. Who wants more waits before.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a wait looks without sleeping.
const SPIN: Duration = Duration::from_micros(200);
/// The longest sleep between two looks at a kernel.
const LOOK: Duration = Duration::from_millis(1);

/// A launch.
#[derive(Debug)]
pub(super) struct CudaLaunch {
    core: Arc<Core>,
    entry: String,
    stream: Handle,
    /// Recorded behind the kernel: how it stands is asked of this.
    end: Handle,
    /// Its name among the context's persistent kernels.
    persistent: Option<u64>,
    /// The code at the end.
    ended: OnceLock<u32>,
    aborted: AtomicBool,
    signalled: Mutex<bool>,
    signal: Condvar,
}

impl CudaLaunch {
    /// Starts an entry.
    ///
    /// # Safety
    /// As [`Device::launch`](crate::device::Device::launch) asks.
    pub(super) unsafe fn start(
        core: &Arc<Core>,
        module: &CudaModule,
        request: &LaunchRequest<'_>,
    ) -> Result<Self, DeviceError> {
        let action = format!("launching {}", request.entry);
        let failed = |error| core.failed(action.as_str(), error);
        if request.persistent && launches_block() {
            return Err(DeviceError::Unsupported {
                device: core.name().to_owned(),
                what: "CUDA_LAUNCH_BLOCKING is set, so its launch would not return; unset it".into(),
            });
        }
        let mut state = core.state();
        if request.persistent && state.is_busy() {
            return Err(core.busy(&action));
        }
        let entered = core.enter().map_err(failed)?;
        let function = module.function(request.entry).map_err(failed)?;
        if request.persistent {
            if let Ok((registers, local)) = cost(function) {
                tracing::debug!(entry = request.entry, registers, local, "the driver's code for the kernel");
            }
            check_residency(core, function, request)?;
            if core.pool.is_none() && core.arena.is_empty() && core.arena.bytes != 0 {
                core.arena.fill(plain(core.arena.bytes).map_err(|error| {
                    core.no_memory(core.arena.bytes, "device memory set aside for actors", error)
                })?);
            }
        }
        let (stream, end) = stream_and_event(core, request.persistent).map_err(failed)?;
        let mut args = request.args.to_vec();
        let mut params: Vec<*mut c_void> = args.iter_mut().map(|arg| (&raw mut *arg).cast()).collect();
        let (blocks, threads) = (request.workers, request.lanes);
        let cooperative = request.persistent && core.properties.cooperative_launch;
        // SAFETY: the function is of a module of the entered context, there is a pointer to each parameter's value, which the
        // driver copies before it returns, and the caller vouches for what the parameters name.
        let code = unsafe {
            if cooperative {
                ffi::cuLaunchCooperativeKernel(
                    function,
                    blocks,
                    1,
                    1,
                    threads,
                    1,
                    1,
                    0,
                    stream,
                    params.as_mut_ptr(),
                )
            } else {
                let none = std::ptr::null_mut();
                ffi::cuLaunchKernel(
                    function,
                    blocks,
                    1,
                    1,
                    threads,
                    1,
                    1,
                    0,
                    stream,
                    params.as_mut_ptr(),
                    none,
                )
            }
        };
        let call = if cooperative { "cuLaunchCooperativeKernel" } else { "cuLaunchKernel" };
        let launched = check(call, code).and_then(|()| {
            // SAFETY: both were made right here.
            check("cuEventRecord", unsafe { ffi::cuEventRecord(end, stream) })
        });
        if let Err(error) = launched {
            // SAFETY: nobody else knows them. A kernel that was launched all the same goes on; the driver keeps the stream
            // until it ends.
            unsafe {
                ffi::cuEventDestroy_v2(end);
                ffi::cuStreamDestroy_v2(stream);
            }
            return Err(failed(error));
        }
        let persistent = request.persistent.then(|| state.began(end));
        drop(entered);
        drop(state);
        Ok(Self {
            core: Arc::clone(core),
            entry: request.entry.to_owned(),
            stream,
            end,
            persistent,
            ended: OnceLock::new(),
            aborted: AtomicBool::new(false),
            signalled: Mutex::new(false),
            signal: Condvar::new(),
        })
    }

    /// The code of the event: 0 at the end of the kernel, "not ready" while it runs, else what went wrong.
    fn code(&self) -> u32 {
        if let Some(code) = self.ended.get() {
            return *code;
        }
        let code = match self.core.enter() {
            // SAFETY: the event lives as long as `self`.
            Ok(_entered) => unsafe { ffi::cuEventQuery(self.end) },
            // This says nothing of the kernel.
            Err(error) => return error.code(),
        };
        if code == NOT_READY { code } else { *self.ended.get_or_init(|| code) }
    }
}

/// A stream for one kernel, and the event behind it. A launch for every message would mostly make and destroy them.
fn stream_and_event(core: &Core, persistent: bool) -> CudaResult<(Handle, Handle)> {
    if !persistent && let Some(kept) = core.spare() {
        return Ok(kept);
    }
    let stream = stream()?;
    match event() {
        Ok(end) => Ok((stream, end)),
        Err(error) => {
            // SAFETY: nothing was put on it.
            unsafe { ffi::cuStreamDestroy_v2(stream) };
            Err(error)
        }
    }
}

/// Whether the driver was told to wait for the end of each launch, which a ring kernel's never comes to.
fn launches_block() -> bool {
    std::env::var_os("CUDA_LAUNCH_BLOCKING").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Registers of a lane and bytes of local memory, for the log. Asking also has lazily loaded code loaded, now and not at
/// a moment when a kernel runs.
fn cost(function: Handle) -> CudaResult<(i32, i32)> {
    let attribute = |attribute| {
        let mut value = 0;
        // SAFETY: the pointer is to an int, the function is of the entered context.
        let code = unsafe { ffi::cuFuncGetAttribute(&raw mut value, attribute, function) };
        check("cuFuncGetAttribute", code).map(|()| value)
    };
    Ok((attribute(ffi::CU_FUNC_ATTRIBUTE_NUM_REGS)?, attribute(ffi::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)?))
}

/// Whether all blocks fit on the device at a time. A block that waits for room would never run.
fn check_residency(core: &Core, function: Handle, request: &LaunchRequest<'_>) -> Result<(), DeviceError> {
    let mut blocks = 0;
    // SAFETY: the pointer is to an int, the function is of the entered context.
    let code = unsafe {
        ffi::cuOccupancyMaxActiveBlocksPerMultiprocessor(&raw mut blocks, function, request.lanes as i32, 0)
    };
    check("cuOccupancyMaxActiveBlocksPerMultiprocessor", code)
        .map_err(|error| core.failed("asking how many workers fit", error))?;
    let fit = blocks.max(0) as u64 * u64::from(core.properties.multiprocessors);
    if u64::from(request.workers) > fit {
        return Err(DeviceError::Unsupported {
            device: core.name().to_owned(),
            what: format!(
                "{} workers of {} lanes were asked for, and {fit} are the most that it holds at a time; lower \
                 `Config::workers`",
                request.workers, request.lanes
            ),
        });
    }
    Ok(())
}

impl Launched for CudaLaunch {
    fn poll(&self) -> LaunchStatus {
        match self.code() {
            0 if self.aborted.load(Ordering::Relaxed) => LaunchStatus::Aborted,
            0 => LaunchStatus::Finished,
            NOT_READY => LaunchStatus::Running,
            code => LaunchStatus::Failed(
                self.core.failed(format!("running {}", self.entry), CudaError::new("cuEventQuery", code)),
            ),
        }
    }

    fn wait(&self, timeout: Option<Duration>) -> LaunchStatus {
        let begun = Instant::now();
        let mut nap = Duration::from_micros(20);
        loop {
            let status = self.poll();
            let left = timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
            if !matches!(status, LaunchStatus::Running) || left.is_some_and(|left| left.is_zero()) {
                return status;
            }
            // A nap is longer than a short kernel.
            if begun.elapsed() < SPIN {
                std::thread::yield_now();
                continue;
            }
            std::thread::sleep(nap.min(left.unwrap_or(nap)));
            nap = (nap * 2).min(LOOK);
        }
    }

    fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        // From here on its owner may let go of what the kernel uses, which may still run.
        if let Some(id) = self.persistent {
            self.core.state().abandon(id);
        }
    }

    fn can_abort(&self) -> bool {
        false
    }

    /// There is none: workers look for themselves.
    fn doorbell(&self, _worker: u32) {}

    fn has_events(&self) -> bool {
        false
    }

    fn wait_event(&self, timeout: Option<Duration>) {
        let mut signalled = self.signalled.lock().unwrap_or_else(PoisonError::into_inner);
        if !*signalled {
            let timeout = timeout.map_or(LOOK, |timeout| timeout.min(LOOK));
            // A wake-up for no reason is a look too many.
            (signalled, _) =
                self.signal.wait_timeout(signalled, timeout).unwrap_or_else(PoisonError::into_inner);
        }
        *signalled = false;
    }

    fn signal_host(&self) {
        *self.signalled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_all();
    }
}

impl Drop for CudaLaunch {
    fn drop(&mut self) {
        if matches!(self.wait(Some(PATIENCE)), LaunchStatus::Running) {
            tracing::warn!(
                device = self.core.name(),
                entry = self.entry,
                "a kernel does not end and cannot be killed; what it uses is kept until it does"
            );
            if self.core.leave(self.persistent, self.stream, self.end) {
                return;
            }
        }
        // Notices the end, and gives back what waited for it.
        drop(self.core.state());
        if self.persistent.is_none() && self.ended.get() == Some(&0) {
            self.core.keep(self.stream, self.end);
        } else {
            self.core.bury(Grave::Launch { stream: self.stream, end: self.end });
        }
    }
}
