//! Contexts.

use super::out;
use crate::code::Code;
use crate::soft::context::{GREATEST_PRIORITY, stack};
use crate::soft::{Answer, Driver, lock, write};
use crate::types::{CUcontext, CUdevice, c_int, c_uint};

/// `CU_CTX_FLAGS_MASK`
const FLAGS: c_uint = 0xFF;
/// `CU_CTX_SCHED_MASK`
const SCHEDULE: c_uint = 0x07;

fn check_flags(flags: c_uint) -> Answer {
    // At most one way of waiting: auto, spin, yield or blocking.
    let valid = flags & !FLAGS == 0 && [0, 1, 2, 4].contains(&(flags & SCHEDULE));
    if valid { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuDevicePrimaryCtxRetain(
    driver: &'static Driver,
    context: *mut CUcontext,
    dev: CUdevice,
) -> Answer {
    if context.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let retained = driver.retain_primary(driver.gpu(dev)?)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(context, out(retained.handle)) }
}

pub(crate) unsafe fn cuDevicePrimaryCtxRelease_v2(driver: &'static Driver, dev: CUdevice) -> Answer {
    driver.release_primary(driver.gpu(dev)?)
}

pub(crate) unsafe fn cuDevicePrimaryCtxReset_v2(driver: &'static Driver, dev: CUdevice) -> Answer {
    driver.reset_primary(driver.gpu(dev)?);
    Ok(())
}

pub(crate) unsafe fn cuDevicePrimaryCtxSetFlags_v2(
    driver: &'static Driver,
    dev: CUdevice,
    flags: c_uint,
) -> Answer {
    check_flags(flags)?;
    lock(&driver.gpu(dev)?.primary).flags = flags;
    Ok(())
}

pub(crate) unsafe fn cuDevicePrimaryCtxGetState(
    driver: &'static Driver,
    dev: CUdevice,
    flags: *mut c_uint,
    active: *mut c_int,
) -> Answer {
    let primary = lock(&driver.gpu(dev)?.primary);
    let (is, on) = (primary.flags, primary.context.is_some());
    drop(primary);
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        write(flags, is)?;
        write(active, on.into())
    }
}

pub(crate) unsafe fn cuCtxCreate_v2(
    driver: &'static Driver,
    context: *mut CUcontext,
    flags: c_uint,
    dev: CUdevice,
) -> Answer {
    check_flags(flags)?;
    if context.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let made = driver.new_context(driver.gpu(dev)?, false, flags)?;
    stack(|s| s.push(made.handle))?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(context, out(made.handle)) }
}

pub(crate) unsafe fn cuCtxDestroy_v2(driver: &'static Driver, context: CUcontext) -> Answer {
    let ended = driver.context(context.addr())?;
    if ended.primary {
        // The manual: it must be released instead.
        return Err(Code::INVALID_CONTEXT);
    }
    driver.end_context(&ended, "cuCtxDestroy");
    stack(|s| {
        if s.last() == Some(&ended.handle) {
            s.pop();
        }
    })
}

pub(crate) unsafe fn cuCtxPushCurrent_v2(driver: &'static Driver, context: CUcontext) -> Answer {
    let pushed = driver.context(context.addr())?;
    stack(|s| s.push(pushed.handle))
}

pub(crate) unsafe fn cuCtxPopCurrent_v2(_driver: &'static Driver, context: *mut CUcontext) -> Answer {
    let popped = stack(Vec::pop)?.ok_or(Code::INVALID_CONTEXT)?;
    if context.is_null() {
        return Ok(());
    }
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(context, out(popped)) }
}

pub(crate) unsafe fn cuCtxSetCurrent(driver: &'static Driver, context: CUcontext) -> Answer {
    let set = if context.is_null() { None } else { Some(driver.context(context.addr())?.handle) };
    stack(|s| {
        s.pop();
        s.extend(set);
    })
}

pub(crate) unsafe fn cuCtxGetCurrent(_driver: &'static Driver, context: *mut CUcontext) -> Answer {
    let top = stack(|s| s.last().copied())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(context, out(top.unwrap_or(0))) }
}

pub(crate) unsafe fn cuCtxGetDevice(driver: &'static Driver, dev: *mut CUdevice) -> Answer {
    let is = driver.current_any()?.gpu.ordinal;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(dev, is as CUdevice) }
}

pub(crate) unsafe fn cuCtxGetFlags(driver: &'static Driver, flags: *mut c_uint) -> Answer {
    let context = driver.current_any()?;
    let is = if context.primary { lock(&context.gpu.primary).flags } else { context.flags };
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(flags, is) }
}

pub(crate) unsafe fn cuCtxGetId(driver: &'static Driver, context: CUcontext, id: *mut u64) -> Answer {
    let of = if context.is_null() { driver.current_any()? } else { driver.context(context.addr())? };
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(id, of.handle as u64) }
}

pub(crate) unsafe fn cuCtxGetApiVersion(
    driver: &'static Driver,
    context: CUcontext,
    version: *mut c_uint,
) -> Answer {
    if context.is_null() {
        driver.current_any()?
    } else {
        driver.context(context.addr())?
    };
    // What drivers answer for contexts made with cuCtxCreate_v2 and for primary ones.
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(version, 3020) }
}

pub(crate) unsafe fn cuCtxSynchronize(driver: &'static Driver) -> Answer {
    let context = driver.current()?;
    context.wait_all("cuCtxSynchronize");
    context.gpu.settle();
    context.gpu.alive()
}

pub(crate) unsafe fn cuCtxGetStreamPriorityRange(
    driver: &'static Driver,
    least: *mut c_int,
    greatest: *mut c_int,
) -> Answer {
    driver.current()?;
    // SAFETY: each is null, which the manual allows, or the caller vouches for it.
    unsafe {
        if !least.is_null() {
            write(least, 0)?;
        }
        if !greatest.is_null() {
            write(greatest, GREATEST_PRIORITY)?;
        }
    }
    Ok(())
}

/// `CU_LIMIT_STACK_SIZE`
const STACK: c_uint = 0;

pub(crate) unsafe fn cuCtxGetLimit(driver: &'static Driver, value: *mut usize, limit: c_uint) -> Answer {
    let context = driver.current()?;
    if limit != STACK {
        return Err(Code::UNSUPPORTED_LIMIT);
    }
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(value, context.gpu.lane_stack()) }
}

pub(crate) unsafe fn cuCtxSetLimit(driver: &'static Driver, limit: c_uint, value: usize) -> Answer {
    let context = driver.current()?;
    match limit {
        // A device's lanes have the stack that it was configured with; what is not more is there.
        STACK if value <= context.gpu.lane_stack() => Ok(()),
        STACK => Err(Code::OUT_OF_MEMORY),
        _ => Err(Code::UNSUPPORTED_LIMIT),
    }
}

pub(crate) unsafe fn cuCtxGetCacheConfig(driver: &'static Driver, config: *mut c_uint) -> Answer {
    driver.current()?;
    // CU_FUNC_CACHE_PREFER_NONE, as devices answer whose cache cannot be split.
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(config, 0) }
}

pub(crate) unsafe fn cuCtxSetCacheConfig(driver: &'static Driver, config: c_uint) -> Answer {
    driver.current()?;
    // A preference, which the manual lets a driver pass over.
    if config <= 3 { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuCtxGetSharedMemConfig(driver: &'static Driver, config: *mut c_uint) -> Answer {
    driver.current()?;
    // CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE, as devices answer whose banks cannot be set.
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(config, 1) }
}

pub(crate) unsafe fn cuCtxSetSharedMemConfig(driver: &'static Driver, config: c_uint) -> Answer {
    driver.current()?;
    if config <= 2 { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuCtxResetPersistingL2Cache(_driver: &'static Driver) -> Answer {
    Err(Code::NOT_SUPPORTED)
}

pub(crate) unsafe fn cuCtxEnablePeerAccess(
    driver: &'static Driver,
    peer: CUcontext,
    flags: c_uint,
) -> Answer {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    driver.enable_peer(peer.addr())
}

pub(crate) unsafe fn cuCtxDisablePeerAccess(driver: &'static Driver, peer: CUcontext) -> Answer {
    driver.disable_peer(peer.addr())
}
