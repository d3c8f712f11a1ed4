//! The driver, its errors, and devices.

use std::ffi::CStr;

use super::string;
use crate::code::Code;
use crate::soft::attribute::device_attribute;
use crate::soft::{Answer, Driver, lock, write};
use crate::types::{CUdevice, CUmemoryPool, CUuuid, c_char, c_int, c_uint};

pub(crate) unsafe fn cuInit(driver: &'static Driver, flags: c_uint) -> Answer {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    driver.start()
}

pub(crate) unsafe fn cuDriverGetVersion(driver: &'static Driver, version: *mut c_int) -> Answer {
    let is = driver.platform.driver_version();
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(version, (is.major * 1000 + is.minor * 10) as c_int) }
}

pub(crate) unsafe fn cuGetErrorName(
    _driver: &'static Driver,
    error: c_uint,
    name: *mut *const c_char,
) -> Answer {
    let found = Code(error).name();
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(name, found.map_or(std::ptr::null(), CStr::as_ptr)) }?;
    found.map(|_| ()).ok_or(Code::INVALID_VALUE)
}

pub(crate) unsafe fn cuGetErrorString(
    _driver: &'static Driver,
    error: c_uint,
    text: *mut *const c_char,
) -> Answer {
    let found = Code(error).text();
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(text, found.map_or(std::ptr::null(), CStr::as_ptr)) }?;
    found.map(|_| ()).ok_or(Code::INVALID_VALUE)
}

pub(crate) unsafe fn cuDeviceGet(driver: &'static Driver, device: *mut CUdevice, ordinal: c_int) -> Answer {
    let gpu = driver.gpu(ordinal)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(device, gpu.ordinal as CUdevice) }
}

pub(crate) unsafe fn cuDeviceGetCount(driver: &'static Driver, count: *mut c_int) -> Answer {
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(count, driver.gpus.len() as c_int) }
}

pub(crate) unsafe fn cuDeviceGetName(
    driver: &'static Driver,
    name: *mut c_char,
    len: c_int,
    dev: CUdevice,
) -> Answer {
    let gpu = driver.gpu(dev)?;
    let len = usize::try_from(len).map_err(|_| Code::INVALID_VALUE)?;
    // SAFETY: the caller vouches for the buffer.
    unsafe { super::write_text(name, len, &gpu.device.properties().name) }
}

pub(crate) unsafe fn cuDeviceGetUuid(driver: &'static Driver, uuid: *mut CUuuid, dev: CUdevice) -> Answer {
    let bytes = driver.gpu(dev)?.device.properties().uuid;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(uuid, CUuuid { bytes }) }
}

pub(crate) unsafe fn cuDeviceGetUuid_v2(driver: &'static Driver, uuid: *mut CUuuid, dev: CUdevice) -> Answer {
    // SAFETY: the same promise.
    unsafe { cuDeviceGetUuid(driver, uuid, dev) }
}

pub(crate) unsafe fn cuDeviceTotalMem_v2(
    driver: &'static Driver,
    bytes: *mut usize,
    dev: CUdevice,
) -> Answer {
    let total = driver.gpu(dev)?.device.properties().total_memory;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(bytes, total as usize) }
}

pub(crate) unsafe fn cuDeviceGetAttribute(
    driver: &'static Driver,
    value: *mut c_int,
    attribute: c_uint,
    dev: CUdevice,
) -> Answer {
    let is = device_attribute(driver.gpu(dev)?, attribute)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(value, is) }
}

pub(crate) unsafe fn cuDeviceComputeCapability(
    driver: &'static Driver,
    major: *mut c_int,
    minor: *mut c_int,
    dev: CUdevice,
) -> Answer {
    let is = driver.gpu(dev)?.device.properties().compute_capability;
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        write(major, is.major as c_int)?;
        write(minor, is.minor as c_int)
    }
}

pub(crate) unsafe fn cuDeviceGetPCIBusId(
    driver: &'static Driver,
    id: *mut c_char,
    len: c_int,
    dev: CUdevice,
) -> Answer {
    let is = driver.gpu(dev)?.device.properties().pci.to_string();
    let len = usize::try_from(len).map_err(|_| Code::INVALID_VALUE)?;
    // SAFETY: the caller vouches for the buffer.
    unsafe { super::write_text(id, len, &is) }
}

pub(crate) unsafe fn cuDeviceGetByPCIBusId(
    driver: &'static Driver,
    dev: *mut CUdevice,
    id: *const c_char,
) -> Answer {
    // SAFETY: the caller vouches for the string.
    let id = unsafe { string(id) }?;
    let is = |pci: soft_gpu::PciId| {
        let full = pci.to_string();
        // The manual's three forms: domain and function may be left out.
        let (short, bare) = (full.strip_prefix("0000:"), full.strip_suffix(".0"));
        id.eq_ignore_ascii_case(&full)
            || [short, bare].into_iter().flatten().any(|form| id.eq_ignore_ascii_case(form))
    };
    let found = driver.gpus.iter().find(|gpu| is(gpu.device.properties().pci));
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(dev, found.ok_or(Code::INVALID_DEVICE)?.ordinal as CUdevice) }
}

pub(crate) unsafe fn cuDeviceCanAccessPeer(
    driver: &'static Driver,
    can: *mut c_int,
    dev: CUdevice,
    peer: CUdevice,
) -> Answer {
    let is = driver.can_access_peer(dev, peer)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(can, is.into()) }
}

pub(crate) unsafe fn cuDeviceGetP2PAttribute(
    driver: &'static Driver,
    value: *mut c_int,
    attribute: c_uint,
    from: CUdevice,
    to: CUdevice,
) -> Answer {
    let is = driver.peer_attribute(attribute, from, to)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(value, is) }
}

pub(crate) unsafe fn cuDeviceGetDefaultMemPool(
    driver: &'static Driver,
    pool: *mut CUmemoryPool,
    dev: CUdevice,
) -> Answer {
    let gpu = driver.gpu(dev)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(pool, super::out(gpu.default_pool.handle)) }
}

pub(crate) unsafe fn cuDeviceGetMemPool(
    driver: &'static Driver,
    pool: *mut CUmemoryPool,
    dev: CUdevice,
) -> Answer {
    let handle = lock(&driver.gpu(dev)?.current_pool).handle;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(pool, super::out(handle)) }
}

pub(crate) unsafe fn cuDeviceSetMemPool(
    driver: &'static Driver,
    dev: CUdevice,
    pool: CUmemoryPool,
) -> Answer {
    let (gpu, pool) = (driver.gpu(dev)?, driver.pool(pool.addr())?);
    if pool.ordinal != gpu.ordinal {
        return Err(Code::INVALID_VALUE);
    }
    *lock(&gpu.current_pool) = pool;
    Ok(())
}
