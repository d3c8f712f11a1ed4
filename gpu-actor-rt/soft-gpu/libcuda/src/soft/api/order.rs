//! Streams, events and host functions.

use std::sync::{Arc, Mutex};

use super::out;
use crate::code::Code;
use crate::soft::stream::Event;
use crate::soft::{Answer, Driver, HOST_FUNCTION, write};
use crate::types::{CUcontext, CUdevice, CUdeviceptr, CUevent, CUhostFn, CUstream, c_int, c_uint, c_void};

/// `CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING`; events of other processes are not supported.
const EVENT_FLAGS: c_uint = 3;
/// `CU_EVENT_INTERPROCESS`
const INTERPROCESS: c_uint = 4;

pub(crate) unsafe fn cuStreamCreate(driver: &'static Driver, stream: *mut CUstream, flags: c_uint) -> Answer {
    // SAFETY: the same promise.
    unsafe { cuStreamCreateWithPriority(driver, stream, flags, 0) }
}

pub(crate) unsafe fn cuStreamCreateWithPriority(
    driver: &'static Driver,
    stream: *mut CUstream,
    flags: c_uint,
    priority: c_int,
) -> Answer {
    if stream.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let made = driver.new_stream(flags, priority)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(stream, out(made.handle)) }
}

pub(crate) unsafe fn cuStreamDestroy_v2(driver: &'static Driver, stream: CUstream) -> Answer {
    // Its work goes on; the default streams are nobody's to destroy.
    driver.streams.remove(stream.addr()).map(|_| ()).ok_or(Code::INVALID_HANDLE)
}

pub(crate) unsafe fn cuStreamGetCtx(
    driver: &'static Driver,
    stream: CUstream,
    context: *mut CUcontext,
) -> Answer {
    let (of, _) = driver.stream(stream.addr())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(context, out(of.handle)) }
}

pub(crate) unsafe fn cuStreamGetFlags(
    driver: &'static Driver,
    stream: CUstream,
    flags: *mut c_uint,
) -> Answer {
    let (_, of) = driver.stream(stream.addr())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(flags, of.flags()) }
}

pub(crate) unsafe fn cuStreamGetId(driver: &'static Driver, stream: CUstream, id: *mut u64) -> Answer {
    let (context, of) = driver.stream(stream.addr())?;
    // The default streams of different contexts are different streams.
    let is = if of.handle <= 2 { context.handle | of.handle } else { of.handle };
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(id, is as u64) }
}

pub(crate) unsafe fn cuStreamGetPriority(
    driver: &'static Driver,
    stream: CUstream,
    priority: *mut c_int,
) -> Answer {
    let (_, of) = driver.stream(stream.addr())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(priority, of.priority) }
}

pub(crate) unsafe fn cuStreamQuery(driver: &'static Driver, stream: CUstream) -> Answer {
    let (context, of) = driver.stream(stream.addr())?;
    if !context.is_idle(&of) {
        return Err(Code::NOT_READY);
    }
    context.gpu.alive()
}

pub(crate) unsafe fn cuStreamSynchronize(driver: &'static Driver, stream: CUstream) -> Answer {
    let (context, of) = driver.stream(stream.addr())?;
    context.wait_stream(&of, "cuStreamSynchronize")?;
    context.gpu.settle();
    Ok(())
}

pub(crate) unsafe fn cuStreamWaitEvent(
    driver: &'static Driver,
    stream: CUstream,
    event: CUevent,
    flags: c_uint,
) -> Answer {
    // CU_EVENT_WAIT_EXTERNAL (1) is for graphs.
    if flags > 1 {
        return Err(Code::INVALID_VALUE);
    }
    driver.wait_event(stream.addr(), event.addr())
}

pub(crate) unsafe fn cuEventCreate(driver: &'static Driver, event: *mut CUevent, flags: c_uint) -> Answer {
    if flags & INTERPROCESS != 0 {
        return Err(Code::NOT_SUPPORTED);
    }
    if flags & !EVENT_FLAGS != 0 || event.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let context = driver.current()?;
    let mut made = 0;
    driver.events.add(|handle| {
        made = handle;
        Event { context: Arc::downgrade(&context), flags, recorded: Mutex::default() }
    });
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(event, out(made)) }
}

pub(crate) unsafe fn cuEventDestroy_v2(driver: &'static Driver, event: CUevent) -> Answer {
    driver.events.remove(event.addr()).map(|_| ()).ok_or(Code::INVALID_HANDLE)
}

pub(crate) unsafe fn cuEventRecord(driver: &'static Driver, event: CUevent, stream: CUstream) -> Answer {
    driver.record(event.addr(), stream.addr())
}

pub(crate) unsafe fn cuEventRecordWithFlags(
    driver: &'static Driver,
    event: CUevent,
    stream: CUstream,
    flags: c_uint,
) -> Answer {
    // CU_EVENT_RECORD_EXTERNAL (1) is for graphs.
    if flags > 1 {
        return Err(Code::INVALID_VALUE);
    }
    driver.record(event.addr(), stream.addr())
}

pub(crate) unsafe fn cuEventQuery(driver: &'static Driver, event: CUevent) -> Answer {
    driver.event(event.addr())?.query()
}

pub(crate) unsafe fn cuEventSynchronize(driver: &'static Driver, event: CUevent) -> Answer {
    driver.event(event.addr())?.wait()
}

pub(crate) unsafe fn cuEventElapsedTime(
    driver: &'static Driver,
    milliseconds: *mut f32,
    start: CUevent,
    end: CUevent,
) -> Answer {
    let (start, end) = (driver.event(start.addr())?, driver.event(end.addr())?);
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(milliseconds, end.since(&start)?) }
}

/// A host function and what it is called with. Who gave them to a stream says that any thread may call it.
struct HostCall {
    function: CUhostFn,
    data: *mut c_void,
}

// SAFETY: cuLaunchHostFunc asks that the function can be called on another thread with this pointer.
unsafe impl Send for HostCall {}

impl HostCall {
    fn call(self) {
        HOST_FUNCTION.set(true);
        // SAFETY: the promise of the caller of cuLaunchHostFunc.
        unsafe { (self.function)(self.data) };
        HOST_FUNCTION.set(false);
    }
}

pub(crate) unsafe fn cuLaunchHostFunc(
    driver: &'static Driver,
    stream: CUstream,
    function: Option<CUhostFn>,
    data: *mut c_void,
) -> Answer {
    let (context, of) = driver.stream(stream.addr())?;
    let call = HostCall { function: function.ok_or(Code::INVALID_VALUE)?, data };
    context.submit(
        &of,
        || "a host function".to_owned(),
        Vec::new(),
        move |_| {
            call.call();
            Ok(())
        },
    )?;
    Ok(())
}

pub(crate) unsafe fn cuMemPrefetchAsync(
    driver: &'static Driver,
    address: CUdeviceptr,
    count: usize,
    device: CUdevice,
    stream: CUstream,
) -> Answer {
    let (context, of) = driver.stream(stream.addr())?;
    driver.managed(address, count)?;
    driver.location(device)?;
    // Host and device share the memory: there is nothing to move, but its place in the stream is kept.
    context.submit(&of, || "a prefetch".to_owned(), Vec::new(), |_| Ok(()))?;
    Ok(())
}
