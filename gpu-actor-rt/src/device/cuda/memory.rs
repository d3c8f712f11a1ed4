//! Memory of a CUDA device, given back on drop.
//!
//! Rule kept here: device memory comes from a pool in the order of a stream, so it can be had and given back beside a running
//! kernel; pinned and managed memory can be had before a launch only, and going back waits for the launch's end.

use std::ptr::NonNull;
use std::sync::Arc;

use super::context::{Core, Grave, host_alloc};
use super::error::{CudaResult, check};
use super::ffi::{self, Address};
use crate::device::{Allocation, DeviceError, MemoryKind};

/// Memory of a context.
#[derive(Debug)]
pub(super) struct CudaMemory {
    core: Arc<Core>,
    from: From,
    address: Address,
    host: Option<NonNull<u8>>,
    len: usize,
}

/// Where it goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Device,
    Arena,
    Host,
    Managed,
}

// SAFETY: the memory is named by an address and belongs to this value alone; nothing here is bound to a thread.
unsafe impl Send for CudaMemory {}
// SAFETY: as above.
unsafe impl Sync for CudaMemory {}

// SAFETY: the driver gave the memory to this value alone and takes it back when it is dropped; it was zeroed, and it moves
// only as managed memory does, whose address stays.
unsafe impl Allocation for CudaMemory {
    fn address(&self) -> u64 {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }

    fn host_ptr(&self) -> Option<NonNull<u8>> {
        self.host
    }
}

impl Drop for CudaMemory {
    fn drop(&mut self) {
        self.core.bury(match (self.from, self.host) {
            (From::Arena, _) => Grave::Arena,
            (From::Host, Some(host)) => Grave::Host(host.as_ptr() as usize),
            (From::Managed, _) => Grave::Managed(self.address),
            _ => Grave::Device(self.address),
        });
    }
}

impl CudaMemory {
    /// Zeroed memory of a kind.
    pub(super) fn alloc(core: &Arc<Core>, kind: MemoryKind, len: usize) -> Result<Self, DeviceError> {
        match kind {
            MemoryKind::Device => Self::device(core, len),
            MemoryKind::Mapped => Self::again(core, || Self::mapped(core, len)),
            MemoryKind::Unified => Self::again(core, || Self::unified(core, len)),
        }
    }

    /// Tries once more where memory is used up, without what only the pool has.
    fn again(core: &Core, alloc: impl Fn() -> Result<Self, DeviceError>) -> Result<Self, DeviceError> {
        match alloc() {
            Err(DeviceError::OutOfMemory { .. }) => {
                core.trim();
                alloc()
            }
            other => other,
        }
    }

    fn device(core: &Arc<Core>, len: usize) -> Result<Self, DeviceError> {
        let (bytes, what) = (len.max(1), "device memory");
        let no_memory = |error| core.no_memory(len, what, error);
        let state = core.state();
        let entered = core.enter().map_err(no_memory)?;
        let mut from = From::Device;
        let address = match core.pool {
            Some(pool) => {
                let mut address = 0;
                // SAFETY: the pointer is to an address; pool and stream are of the entered context.
                let code =
                    unsafe { ffi::cuMemAllocFromPoolAsync(&raw mut address, bytes, pool, core.stream) };
                check("cuMemAllocFromPoolAsync", code).map_err(no_memory)?;
                address
            }
            None if state.is_busy() => {
                from = From::Arena;
                core.arena.next(bytes).ok_or_else(|| DeviceError::OutOfMemory {
                    device: core.name().to_owned(),
                    bytes: len as u64,
                    source: format!(
                        "the device has no memory pools, and the {} bytes that were set aside before the launch are used up \
                         (see CudaConfig::reserve)",
                        core.arena.bytes
                    )
                    .into(),
                })?
            }
            None => plain(bytes).map_err(no_memory)?,
        };
        let memory = Self { core: Arc::clone(core), from, address, host: None, len };
        // Beside a persistent kernel, which may leave no room for another, zeroes are copied; else a kernel of the driver's
        // fills faster. The lock is held over the fill, so that no launch comes between.
        let busy = state.is_busy();
        let zeroed = if busy {
            drop(state);
            core.clear(address, bytes)
        } else {
            let zeroed = fill(core, address, bytes);
            drop(state);
            zeroed
        };
        drop(entered);
        zeroed.map_err(|error| core.failed(format!("clearing {len} bytes of {what}"), error))?;
        Ok(memory)
    }

    fn mapped(core: &Arc<Core>, len: usize) -> Result<Self, DeviceError> {
        let (bytes, what) = (len.max(1), "pinned memory");
        let no_memory = |error| core.no_memory(len, what, error);
        core.quietly(&format!("allocating {len} bytes of {what}"), || {
            let host = host_alloc(bytes).map_err(no_memory)?;
            // SAFETY: the driver has just given `bytes` bytes.
            unsafe { std::ptr::write_bytes(host.as_ptr(), 0, bytes) };
            let mut address = 0;
            // SAFETY: the pointers are to an address and to pinned memory.
            let code =
                unsafe { ffi::cuMemHostGetDevicePointer_v2(&raw mut address, host.as_ptr().cast(), 0) };
            if let Err(error) = check("cuMemHostGetDevicePointer_v2", code) {
                // SAFETY: nobody has seen it.
                unsafe { ffi::cuMemFreeHost(host.as_ptr().cast()) };
                return Err(no_memory(error));
            }
            Ok(Self { core: Arc::clone(core), from: From::Host, address, host: Some(host), len })
        })
    }

    fn unified(core: &Arc<Core>, len: usize) -> Result<Self, DeviceError> {
        let (bytes, what) = (len.max(1), "unified memory");
        if !core.properties.managed_memory || !core.properties.concurrent_managed_access {
            return Err(DeviceError::Unsupported {
                device: core.name().to_owned(),
                what: "it has no unified memory that the host may touch while a kernel runs (concurrentManagedAccess)"
                    .into(),
            });
        }
        let no_memory = |error| core.no_memory(len, what, error);
        core.quietly(&format!("allocating {len} bytes of {what}"), || {
            let mut address = 0;
            // SAFETY: the pointer is to an address.
            let code = unsafe { ffi::cuMemAllocManaged(&raw mut address, bytes, ffi::CU_MEM_ATTACH_GLOBAL) };
            check("cuMemAllocManaged", code).map_err(no_memory)?;
            let host = NonNull::new(address as *mut u8);
            let memory = Self { core: Arc::clone(core), from: From::Managed, address, host, len };
            if let Some(host) = host {
                // SAFETY: managed memory is at the same address for the host, and it has `bytes` bytes.
                unsafe { std::ptr::write_bytes(host.as_ptr(), 0, bytes) };
            }
            Ok(memory)
        })
    }
}

/// Device memory of a context that is entered and quiet.
pub(super) fn plain(bytes: usize) -> CudaResult<Address> {
    let mut address = 0;
    // SAFETY: the pointer is to an address.
    check("cuMemAlloc_v2", unsafe { ffi::cuMemAlloc_v2(&raw mut address, bytes) })?;
    Ok(address)
}

/// Fills memory of the context with zeroes, by the driver's own kernel.
fn fill(core: &Core, address: Address, bytes: usize) -> CudaResult {
    // SAFETY: the range has just been allocated.
    check("cuMemsetD8Async", unsafe { ffi::cuMemsetD8Async(address, 0, bytes, core.stream) })?;
    core.synchronise()
}
