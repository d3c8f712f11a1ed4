//! Memory, copies, fills, pools, and what an address is.

use super::out;
use crate::code::Code;
use crate::soft::copy::{Side, Wait};
use crate::soft::memory::Want;
use crate::soft::pool::{Pool, attribute};
use crate::soft::region::Hold;
use crate::soft::{Answer, Driver, lock, write};
use crate::types::{
    CUcontext, CUdevice, CUdeviceptr, CUmemAccessDesc, CUmemLocation, CUmemPoolProps, CUmemoryPool, CUstream,
    c_int, c_uint, c_void,
};

use std::sync::Arc;

/// Allocates, and gives nothing away where the result cannot be written.
unsafe fn allocate(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    len: usize,
    want: Want,
    call: &str,
) -> Answer {
    if address.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let start = driver.allocate(len, want, call)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(address, start) }
}

pub(crate) unsafe fn cuMemAlloc_v2(driver: &'static Driver, address: *mut CUdeviceptr, len: usize) -> Answer {
    // SAFETY: the same promise.
    unsafe { allocate(driver, address, len, Want::Device, "cuMemAlloc") }
}

pub(crate) unsafe fn cuMemAllocManaged(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    len: usize,
    flags: c_uint,
) -> Answer {
    // SAFETY: the same promise.
    unsafe { allocate(driver, address, len, Want::Managed(flags), "cuMemAllocManaged") }
}

pub(crate) unsafe fn cuMemHostAlloc(
    driver: &'static Driver,
    pointer: *mut *mut c_void,
    len: usize,
    flags: c_uint,
) -> Answer {
    // SAFETY: the same promise; host pointers and device addresses are both 64 bits.
    unsafe { allocate(driver, pointer.cast(), len, Want::Host(flags), "cuMemHostAlloc") }
}

pub(crate) unsafe fn cuMemAllocHost_v2(
    driver: &'static Driver,
    pointer: *mut *mut c_void,
    len: usize,
) -> Answer {
    // SAFETY: the same promise.
    unsafe { allocate(driver, pointer.cast(), len, Want::Host(0), "cuMemAllocHost") }
}

pub(crate) unsafe fn cuMemFree_v2(driver: &'static Driver, address: CUdeviceptr) -> Answer {
    driver.free(address, "cuMemFree")
}

pub(crate) unsafe fn cuMemFreeHost(driver: &'static Driver, pointer: *mut c_void) -> Answer {
    driver.free_host(pointer.addr() as u64, "cuMemFreeHost")
}

pub(crate) unsafe fn cuMemAllocAsync(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    len: usize,
    stream: CUstream,
) -> Answer {
    if address.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let start = driver.allocate_async(len, None, stream.addr())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(address, start) }
}

pub(crate) unsafe fn cuMemAllocFromPoolAsync(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    len: usize,
    pool: CUmemoryPool,
    stream: CUstream,
) -> Answer {
    if address.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let start = driver.allocate_async(len, Some(driver.pool(pool.addr())?), stream.addr())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(address, start) }
}

pub(crate) unsafe fn cuMemFreeAsync(
    driver: &'static Driver,
    address: CUdeviceptr,
    stream: CUstream,
) -> Answer {
    driver.free_async(address, stream.addr())
}

pub(crate) unsafe fn cuMemGetInfo_v2(driver: &'static Driver, free: *mut usize, total: *mut usize) -> Answer {
    let info = driver.current()?.gpu.device.memory_info();
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        write(free, info.free as usize)?;
        write(total, info.total as usize)
    }
}

pub(crate) unsafe fn cuMemGetAddressRange_v2(
    driver: &'static Driver,
    base: *mut CUdeviceptr,
    size: *mut usize,
    address: CUdeviceptr,
) -> Answer {
    driver.current()?;
    let region = driver.regions.find(address).ok_or(Code::NOT_FOUND)?;
    // SAFETY: each is null, which the manual allows, or the caller vouches for it.
    unsafe {
        if !base.is_null() {
            write(base, region.start)?;
        }
        if !size.is_null() {
            write(size, region.len)?;
        }
    }
    Ok(())
}

/// The pinned region that a host pointer is in.
fn pinned(driver: &Driver, pointer: *mut c_void) -> Result<(Arc<crate::soft::region::Region>, c_uint), Code> {
    driver.current()?;
    let region = driver.regions.find(pointer.addr() as u64).ok_or(Code::INVALID_VALUE)?;
    match region.hold {
        Hold::Host { flags, .. } => Ok((Arc::clone(&region), flags)),
        _ => Err(Code::INVALID_VALUE),
    }
}

pub(crate) unsafe fn cuMemHostGetDevicePointer_v2(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    pointer: *mut c_void,
    flags: c_uint,
) -> Answer {
    if flags != 0 {
        return Err(Code::INVALID_VALUE);
    }
    // Under unified addressing all pinned memory is mapped, whatever its flags.
    pinned(driver, pointer)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(address, pointer.addr() as u64) }
}

pub(crate) unsafe fn cuMemHostGetFlags(
    driver: &'static Driver,
    flags: *mut c_uint,
    pointer: *mut c_void,
) -> Answer {
    let (_, is) = pinned(driver, pointer)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(flags, is) }
}

macro_rules! copies {
    ($($name:ident($to:ident: $to_type:ty as $to_side:ident, $from:ident: $from_type:ty as $from_side:ident
        $(, $stream:ident)?), $wait:ident;)*) => {
        $(
            pub(crate) unsafe fn $name(
                driver: &'static Driver,
                $to: $to_type,
                $from: $from_type,
                len: usize,
                $($stream: CUstream,)?
            ) -> Answer {
                let stream = [0, $($stream.addr())?].into_iter().last().unwrap_or(0);
                let (to, from) = (number($to), number($from));
                // SAFETY: the same promise.
                unsafe {
                    driver.copy((to, Side::$to_side), (from, Side::$from_side), len, stream, Wait::$wait, stringify!($name))
                }
            }
        )*
    };
}

/// An address as a number, and its provenance known: copies make a pointer of it again.
fn number<T: Address>(address: T) -> u64 {
    address.number()
}

trait Address {
    fn number(self) -> u64;
}

impl Address for CUdeviceptr {
    fn number(self) -> u64 {
        self
    }
}

impl Address for *const c_void {
    fn number(self) -> u64 {
        self.expose_provenance() as u64
    }
}

impl Address for *mut c_void {
    fn number(self) -> u64 {
        self.expose_provenance() as u64
    }
}

copies! {
    cuMemcpy(to: CUdeviceptr as Any, from: CUdeviceptr as Any), Always;
    cuMemcpyHtoD_v2(to: CUdeviceptr as Device, from: *const c_void as Host), Always;
    cuMemcpyDtoH_v2(to: *mut c_void as Host, from: CUdeviceptr as Device), Always;
    cuMemcpyDtoD_v2(to: CUdeviceptr as Device, from: CUdeviceptr as Device), Always;
    cuMemcpyAsync(to: CUdeviceptr as Any, from: CUdeviceptr as Any, stream), ForPageable;
    cuMemcpyHtoDAsync_v2(to: CUdeviceptr as Device, from: *const c_void as Host, stream), ForPageable;
    cuMemcpyDtoHAsync_v2(to: *mut c_void as Host, from: CUdeviceptr as Device, stream), ForPageable;
    cuMemcpyDtoDAsync_v2(to: CUdeviceptr as Device, from: CUdeviceptr as Device, stream), ForPageable;
}

pub(crate) unsafe fn cuMemcpyPeer(
    driver: &'static Driver,
    to: CUdeviceptr,
    to_context: CUcontext,
    from: CUdeviceptr,
    from_context: CUcontext,
    len: usize,
) -> Answer {
    driver.peers(to_context.addr(), to, from_context.addr(), from)?;
    // SAFETY: both sides are device memory, which needs no promise.
    unsafe { driver.copy((to, Side::Device), (from, Side::Device), len, 0, Wait::Always, "cuMemcpyPeer") }
}

pub(crate) unsafe fn cuMemcpyPeerAsync(
    driver: &'static Driver,
    to: CUdeviceptr,
    to_context: CUcontext,
    from: CUdeviceptr,
    from_context: CUcontext,
    len: usize,
    stream: CUstream,
) -> Answer {
    driver.peers(to_context.addr(), to, from_context.addr(), from)?;
    let wait = Wait::ForPageable;
    // SAFETY: both sides are device memory, which needs no promise.
    unsafe {
        driver.copy((to, Side::Device), (from, Side::Device), len, stream.addr(), wait, "cuMemcpyPeerAsync")
    }
}

pub(crate) unsafe fn cuMemsetD8_v2(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: u8,
    count: usize,
) -> Answer {
    driver.fill(to, &[value], count, 0, Wait::Always, "cuMemsetD8")
}

pub(crate) unsafe fn cuMemsetD16_v2(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: u16,
    count: usize,
) -> Answer {
    driver.fill(to, &value.to_ne_bytes(), count, 0, Wait::Always, "cuMemsetD16")
}

pub(crate) unsafe fn cuMemsetD32_v2(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: c_uint,
    count: usize,
) -> Answer {
    driver.fill(to, &value.to_ne_bytes(), count, 0, Wait::Always, "cuMemsetD32")
}

pub(crate) unsafe fn cuMemsetD8Async(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: u8,
    count: usize,
    stream: CUstream,
) -> Answer {
    driver.fill(to, &[value], count, stream.addr(), Wait::ForPageable, "cuMemsetD8Async")
}

pub(crate) unsafe fn cuMemsetD16Async(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: u16,
    count: usize,
    stream: CUstream,
) -> Answer {
    driver.fill(to, &value.to_ne_bytes(), count, stream.addr(), Wait::ForPageable, "cuMemsetD16Async")
}

pub(crate) unsafe fn cuMemsetD32Async(
    driver: &'static Driver,
    to: CUdeviceptr,
    value: c_uint,
    count: usize,
    stream: CUstream,
) -> Answer {
    driver.fill(to, &value.to_ne_bytes(), count, stream.addr(), Wait::ForPageable, "cuMemsetD32Async")
}

/// `CU_MEM_ADVISE_SET_READ_MOSTLY` to `CU_MEM_ADVISE_UNSET_ACCESSED_BY`
const ADVICE: std::ops::RangeInclusive<c_uint> = 1..=6;

pub(crate) unsafe fn cuMemAdvise(
    driver: &'static Driver,
    address: CUdeviceptr,
    count: usize,
    advice: c_uint,
    device: CUdevice,
) -> Answer {
    driver.current()?;
    driver.managed(address, count)?;
    // The advice to be read mostly, and to have no preferred place, passes over its device.
    if !matches!(advice, 1 | 2 | 4) {
        driver.location(device)?;
    }
    // Advice changes where pages are, and here they are where both sides have them.
    if ADVICE.contains(&advice) { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuMemRangeGetAttribute(
    driver: &'static Driver,
    _data: *mut c_void,
    _size: usize,
    _attribute: c_uint,
    _address: CUdeviceptr,
    _count: usize,
) -> Answer {
    driver.current()?;
    Err(Code::NOT_SUPPORTED)
}

pub(crate) unsafe fn cuPointerGetAttribute(
    driver: &'static Driver,
    data: *mut c_void,
    attribute: c_uint,
    address: CUdeviceptr,
) -> Answer {
    driver.current()?;
    let region = driver.regions.find(address).ok_or(Code::INVALID_VALUE)?;
    let (host, managed) = match region.hold {
        Hold::Host { .. } => (true, false),
        Hold::Managed(_) => (true, true),
        Hold::Device(_) | Hold::Pooled(_) => (false, false),
    };
    // SAFETY: the caller vouches for room for the attribute's type, which is the manual's.
    unsafe {
        match attribute {
            // CONTEXT
            1 => write(data.cast(), out(region.context)),
            // MEMORY_TYPE: CU_MEMORYTYPE_HOST or _DEVICE; managed memory is of the device.
            2 => write(data.cast::<c_uint>(), if host && !managed { 1 } else { 2 }),
            // DEVICE_POINTER
            3 => write(data.cast::<CUdeviceptr>(), address),
            // HOST_POINTER
            4 if host => write(data.cast::<u64>(), address),
            // BUFFER_ID
            7 => write(data.cast::<u64>(), region.start),
            // IS_MANAGED, MAPPED
            8 => write(data.cast::<bool>(), managed),
            13 => write(data.cast::<bool>(), true),
            // DEVICE_ORDINAL
            9 => write(data.cast::<c_int>(), region.gpu.ordinal as c_int),
            // RANGE_START_ADDR, RANGE_SIZE
            11 => write(data.cast::<CUdeviceptr>(), region.start),
            12 => write(data.cast::<usize>(), region.len),
            // MEMPOOL_HANDLE
            17 => match &region.hold {
                Hold::Pooled(memory) => write(data.cast(), out(memory.pool.handle)),
                _ => write(data.cast(), out(0)),
            },
            5 | 6 | 10 | 14..=16 | 18..=21 => Err(Code::NOT_SUPPORTED),
            _ => Err(Code::INVALID_VALUE),
        }
    }
}

pub(crate) unsafe fn cuPointerGetAttributes(
    driver: &'static Driver,
    count: c_uint,
    attributes: *mut c_uint,
    data: *mut *mut c_void,
    address: CUdeviceptr,
) -> Answer {
    driver.current()?;
    if attributes.is_null() || data.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let known = driver.regions.find(address).is_some();
    for i in 0..count as usize {
        // SAFETY: the caller vouches for `count` attributes and places for them.
        let (attribute, place) = unsafe { (*attributes.add(i), *data.add(i)) };
        // The manual: an address that is nobody's, or has no such attribute, is no error here; what is asked for is 0 then.
        // SAFETY: as above, and each place has room for its attribute's type.
        unsafe {
            match attribute {
                1..=4 | 7..=9 | 11..=13 | 17 if !known => nothing(place, attribute)?,
                4 => match cuPointerGetAttribute(driver, place, attribute, address) {
                    Err(Code::INVALID_VALUE | Code::NOT_SUPPORTED) => nothing(place, attribute)?,
                    other => other?,
                },
                _ => cuPointerGetAttribute(driver, place, attribute, address)?,
            }
        }
    }
    Ok(())
}

/// Writes that there is no such attribute: zero, for the number of a device one that is none.
///
/// # Safety
///
/// There is room for the attribute's type.
unsafe fn nothing(place: *mut c_void, attribute: c_uint) -> Answer {
    // SAFETY: the caller vouches for the place.
    unsafe {
        match attribute {
            // MEMORY_TYPE, IS_MANAGED and MAPPED are narrower than the others.
            2 => write(place.cast::<c_uint>(), 0),
            8 | 13 => write(place.cast::<bool>(), false),
            9 => write(place.cast::<c_int>(), -2),
            _ => write(place.cast::<u64>(), 0),
        }
    }
}

/// `CU_MEM_ALLOCATION_TYPE_PINNED`, `CU_MEM_LOCATION_TYPE_DEVICE`
const PINNED: c_uint = 1;
const ON_DEVICE: c_uint = 1;

pub(crate) unsafe fn cuMemPoolCreate(
    driver: &'static Driver,
    pool: *mut CUmemoryPool,
    props: *const CUmemPoolProps,
) -> Answer {
    if pool.is_null() || props.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the caller vouches for the rest.
    let props = unsafe { props.read() };
    if props.alloc_type != PINNED || props.location.kind != ON_DEVICE {
        return Err(Code::INVALID_VALUE);
    }
    // Sharing with other processes, a limit, and other usages.
    if props.handle_types != 0 || props.max_size != 0 || props.usage != 0 {
        return Err(Code::NOT_SUPPORTED);
    }
    let gpu = driver.gpu(props.location.id)?;
    if !gpu.device.properties().features.memory_pools {
        return Err(Code::NOT_SUPPORTED);
    }
    let made = driver.pools.add(|handle| Pool::new(handle, gpu.ordinal));
    lock(&gpu.pools).push(Arc::downgrade(&made));
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(pool, out(made.handle)) }
}

pub(crate) unsafe fn cuMemPoolDestroy(driver: &'static Driver, pool: CUmemoryPool) -> Answer {
    let pool = driver.pool(pool.addr())?;
    let gpu = driver.gpus.get(pool.ordinal).ok_or(Code::INVALID_VALUE)?;
    if gpu.default_pool.handle == pool.handle {
        return Err(Code::INVALID_VALUE);
    }
    driver.pools.remove(pool.handle);
    let mut current = lock(&gpu.current_pool);
    if current.handle == pool.handle {
        *current = Arc::clone(&gpu.default_pool);
    }
    // What is still allocated from it stays until it is freed.
    pool.trim(0);
    Ok(())
}

pub(crate) unsafe fn cuMemPoolTrimTo(driver: &'static Driver, pool: CUmemoryPool, keep: usize) -> Answer {
    driver.pool(pool.addr())?.trim(keep as u64);
    Ok(())
}

/// Whether an attribute is an `int`; the others are 64 bits wide.
fn is_int(attribute: c_uint) -> bool {
    attribute < attribute::RELEASE_THRESHOLD
}

pub(crate) unsafe fn cuMemPoolGetAttribute(
    driver: &'static Driver,
    pool: CUmemoryPool,
    attribute: c_uint,
    value: *mut c_void,
) -> Answer {
    let is = driver.pool(pool.addr())?.get(attribute)?;
    // SAFETY: the caller vouches for room for the attribute's type.
    unsafe {
        if is_int(attribute) {
            write(value.cast::<c_int>(), is as c_int)
        } else {
            write(value.cast::<u64>(), is)
        }
    }
}

pub(crate) unsafe fn cuMemPoolSetAttribute(
    driver: &'static Driver,
    pool: CUmemoryPool,
    attribute: c_uint,
    value: *mut c_void,
) -> Answer {
    let pool = driver.pool(pool.addr())?;
    if value.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the caller vouches for a value of the attribute's type.
    let value = unsafe {
        if is_int(attribute) { value.cast::<c_uint>().read().into() } else { value.cast::<u64>().read() }
    };
    pool.set(attribute, value)
}

/// `CU_MEM_ACCESS_FLAGS_PROT_READWRITE`
const READ_WRITE: c_uint = 3;

pub(crate) unsafe fn cuMemPoolGetAccess(
    driver: &'static Driver,
    flags: *mut c_uint,
    pool: CUmemoryPool,
    location: *mut CUmemLocation,
) -> Answer {
    let pool = driver.pool(pool.addr())?;
    if location.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the caller vouches for the rest.
    let location = unsafe { location.read() };
    if location.kind != ON_DEVICE {
        return Err(Code::INVALID_VALUE);
    }
    let has = driver.has_pool_access(&pool, location.id)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(flags, if has { READ_WRITE } else { 0 }) }
}

pub(crate) unsafe fn cuMemPoolSetAccess(
    driver: &'static Driver,
    pool: CUmemoryPool,
    map: *const CUmemAccessDesc,
    count: usize,
) -> Answer {
    let pool = driver.pool(pool.addr())?;
    if map.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    for i in 0..count {
        // SAFETY: the caller vouches for `count` entries.
        let entry = unsafe { map.add(i).read() };
        if entry.location.kind != ON_DEVICE {
            return Err(Code::INVALID_VALUE);
        }
        let access = match entry.flags {
            0 => false,
            READ_WRITE => true,
            // To read alone.
            1 => return Err(Code::NOT_SUPPORTED),
            _ => return Err(Code::INVALID_VALUE),
        };
        driver.set_pool_access(&pool, entry.location.id, access)?;
    }
    Ok(())
}
