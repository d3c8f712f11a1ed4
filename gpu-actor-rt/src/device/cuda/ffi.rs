//! The driver API as it is linked: functions, constants, layouts. Nothing is decided here.
//!
//! Rules kept here: a result is a plain number, since a newer driver answers codes that no enum of an older header has; a
//! name is the one that the library exports, with its version; every constant is named as in `cuda.h`, and a test reads
//! that file where it can be found (`pip download nvidia-cuda-runtime` has it).
//!
//! Why not `cust::sys` (cust 0.3.2): its functions return a closed enum of CUDA 11.4's codes, and any other value in it is
//! undefined behaviour. The same symbols are declared here with what they really return.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// A context, stream, event, module, function or memory pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(super) struct Handle(pub(super) *mut c_void);

impl Handle {
    /// No handle.
    pub(super) const NULL: Self = Self(std::ptr::null_mut());

    /// Whether it is none.
    pub(super) fn is_null(self) -> bool {
        self.0.is_null()
    }
}

// SAFETY: a handle is a name that the driver gave; the driver's functions take it on any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// `CUdevice`.
pub(super) type Device = c_int;
/// `CUdeviceptr`.
pub(super) type Address = u64;

macro_rules! constants {
    ($($name:ident: $ty:ty = $value:expr;)*) => {
        $(pub(super) const $name: $ty = $value;)*
        /// Every constant by its name in `cuda.h`, for the test that compares.
        #[cfg(test)]
        const ALL: &[(&str, i64)] = &[$((stringify!($name), $value as i64)),*];
    };
}

constants! {
    CU_STREAM_NON_BLOCKING: c_uint = 1;
    CU_EVENT_DISABLE_TIMING: c_uint = 2;
    CU_CTX_SCHED_YIELD: c_uint = 2;
    CU_MEMHOSTALLOC_PORTABLE: c_uint = 1;
    CU_MEMHOSTALLOC_DEVICEMAP: c_uint = 2;
    CU_MEM_ATTACH_GLOBAL: c_uint = 1;
    CU_MEM_ADVISE_SET_READ_MOSTLY: c_uint = 1;
    CU_MEM_ADVISE_UNSET_READ_MOSTLY: c_uint = 2;
    CU_MEM_ADVISE_SET_PREFERRED_LOCATION: c_uint = 3;
    CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION: c_uint = 4;
    CU_MEM_ADVISE_SET_ACCESSED_BY: c_uint = 5;
    CU_MEM_ADVISE_UNSET_ACCESSED_BY: c_uint = 6;
    CU_JIT_INFO_LOG_BUFFER: c_uint = 3;
    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES: c_uint = 4;
    CU_JIT_ERROR_LOG_BUFFER: c_uint = 5;
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: c_uint = 6;
    CU_JIT_LOG_VERBOSE: c_uint = 12;
    CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: c_uint = 3;
    CU_FUNC_ATTRIBUTE_NUM_REGS: c_uint = 4;
    CU_MEM_ALLOCATION_TYPE_PINNED: c_uint = 1;
    CU_MEM_LOCATION_TYPE_DEVICE: c_uint = 1;
    CU_MEM_ACCESS_FLAGS_PROT_READWRITE: c_uint = 3;
    CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES: c_uint = 3;
    CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: c_uint = 4;
    CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK: c_uint = 1;
    CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED: c_uint = 3;
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: c_uint = 1;
    CU_DEVICE_ATTRIBUTE_WARP_SIZE: c_uint = 10;
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE: c_uint = 13;
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: c_uint = 16;
    CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT: c_uint = 17;
    CU_DEVICE_ATTRIBUTE_INTEGRATED: c_uint = 18;
    CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY: c_uint = 19;
    CU_DEVICE_ATTRIBUTE_COMPUTE_MODE: c_uint = 20;
    CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS: c_uint = 31;
    CU_DEVICE_ATTRIBUTE_ECC_ENABLED: c_uint = 32;
    CU_DEVICE_ATTRIBUTE_TCC_DRIVER: c_uint = 35;
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: c_uint = 36;
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: c_uint = 38;
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: c_uint = 39;
    CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: c_uint = 40;
    CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: c_uint = 41;
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: c_uint = 75;
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: c_uint = 76;
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: c_uint = 81;
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: c_uint = 82;
    CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY: c_uint = 83;
    CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED: c_uint = 86;
    CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS: c_uint = 88;
    CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS: c_uint = 89;
    CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED: c_uint = 90;
    CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: c_uint = 95;
    CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST: c_uint = 101;
    CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: c_uint = 106;
    CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: c_uint = 115;
    CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED: c_uint = 116;
}

/// `CU_DEVICE_CPU`: the host, as a place for managed memory.
pub(super) const CU_DEVICE_CPU: Device = -1;

/// `CUmemLocation`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct MemLocation {
    pub(super) kind: c_uint,
    pub(super) id: c_int,
}

/// `CUmemAccessDesc`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct MemAccessDesc {
    pub(super) location: MemLocation,
    pub(super) flags: c_uint,
}

/// `CUmemPoolProps`, 88 bytes in every version; what newer versions named inside `reserved` is zero for "the default".
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct MemPoolProps {
    pub(super) alloc_type: c_uint,
    pub(super) handle_types: c_uint,
    pub(super) location: MemLocation,
    pub(super) win32_security_attributes: *mut c_void,
    pub(super) reserved: [u8; 64],
}

const _: () = assert!(size_of::<MemPoolProps>() == 88 && size_of::<MemAccessDesc>() == 12);

#[rustfmt::skip]
unsafe extern "C" {
    pub(super) fn cuInit(flags: c_uint) -> u32;
    pub(super) fn cuDriverGetVersion(version: *mut c_int) -> u32;
    pub(super) fn cuDeviceGetCount(count: *mut c_int) -> u32;
    pub(super) fn cuDeviceGet(device: *mut Device, ordinal: c_int) -> u32;
    pub(super) fn cuDeviceGetName(name: *mut c_char, len: c_int, device: Device) -> u32;
    pub(super) fn cuDeviceTotalMem_v2(bytes: *mut usize, device: Device) -> u32;
    pub(super) fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, device: Device) -> u32;
    pub(super) fn cuDeviceGetPCIBusId(id: *mut c_char, len: c_int, device: Device) -> u32;
    pub(super) fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: Device) -> u32;
    pub(super) fn cuDeviceCanAccessPeer(can: *mut c_int, device: Device, peer: Device) -> u32;
    pub(super) fn cuDeviceGetP2PAttribute(value: *mut c_int, attribute: c_uint, source: Device, target: Device) -> u32;
    pub(super) fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: Device) -> u32;
    pub(super) fn cuDevicePrimaryCtxRelease_v2(device: Device) -> u32;
    pub(super) fn cuCtxCreate_v2(context: *mut Handle, flags: c_uint, device: Device) -> u32;
    pub(super) fn cuCtxDestroy_v2(context: Handle) -> u32;
    pub(super) fn cuCtxGetCurrent(context: *mut Handle) -> u32;
    pub(super) fn cuCtxSetCurrent(context: Handle) -> u32;
    pub(super) fn cuCtxPushCurrent_v2(context: Handle) -> u32;
    pub(super) fn cuCtxPopCurrent_v2(context: *mut Handle) -> u32;
    pub(super) fn cuCtxEnablePeerAccess(peer: Handle, flags: c_uint) -> u32;
    pub(super) fn cuCtxDisablePeerAccess(peer: Handle) -> u32;
    pub(super) fn cuStreamCreate(stream: *mut Handle, flags: c_uint) -> u32;
    pub(super) fn cuStreamDestroy_v2(stream: Handle) -> u32;
    pub(super) fn cuStreamSynchronize(stream: Handle) -> u32;
    pub(super) fn cuEventCreate(event: *mut Handle, flags: c_uint) -> u32;
    pub(super) fn cuEventDestroy_v2(event: Handle) -> u32;
    pub(super) fn cuEventRecord(event: Handle, stream: Handle) -> u32;
    pub(super) fn cuEventQuery(event: Handle) -> u32;
    pub(super) fn cuModuleLoadDataEx(module: *mut Handle, image: *const c_void, count: c_uint, options: *mut c_uint, values: *mut *mut c_void) -> u32;
    pub(super) fn cuModuleUnload(module: Handle) -> u32;
    pub(super) fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) -> u32;
    pub(super) fn cuFuncGetAttribute(value: *mut c_int, attribute: c_uint, function: Handle) -> u32;
    pub(super) fn cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: *mut c_int, function: Handle, threads: c_int, shared: usize) -> u32;
    pub(super) fn cuLaunchKernel(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, params: *mut *mut c_void, extra: *mut *mut c_void) -> u32;
    pub(super) fn cuLaunchCooperativeKernel(function: Handle, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: Handle, params: *mut *mut c_void) -> u32;
    pub(super) fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> u32;
    pub(super) fn cuMemAlloc_v2(address: *mut Address, bytes: usize) -> u32;
    pub(super) fn cuMemFree_v2(address: Address) -> u32;
    pub(super) fn cuMemAllocFromPoolAsync(address: *mut Address, bytes: usize, pool: Handle, stream: Handle) -> u32;
    pub(super) fn cuMemFreeAsync(address: Address, stream: Handle) -> u32;
    pub(super) fn cuMemPoolCreate(pool: *mut Handle, props: *const MemPoolProps) -> u32;
    pub(super) fn cuMemPoolDestroy(pool: Handle) -> u32;
    pub(super) fn cuMemPoolSetAttribute(pool: Handle, attribute: c_uint, value: *mut c_void) -> u32;
    pub(super) fn cuMemPoolSetAccess(pool: Handle, map: *const MemAccessDesc, count: usize) -> u32;
    pub(super) fn cuMemPoolTrimTo(pool: Handle, keep: usize) -> u32;
    pub(super) fn cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, flags: c_uint) -> u32;
    pub(super) fn cuMemFreeHost(pointer: *mut c_void) -> u32;
    pub(super) fn cuMemHostGetDevicePointer_v2(address: *mut Address, pointer: *mut c_void, flags: c_uint) -> u32;
    pub(super) fn cuMemAllocManaged(address: *mut Address, bytes: usize, flags: c_uint) -> u32;
    pub(super) fn cuMemAdvise(address: Address, bytes: usize, advice: c_uint, device: Device) -> u32;
    pub(super) fn cuMemPrefetchAsync(address: Address, bytes: usize, target: Device, stream: Handle) -> u32;
    pub(super) fn cuMemsetD8Async(address: Address, byte: u8, bytes: usize, stream: Handle) -> u32;
    pub(super) fn cuMemcpyHtoDAsync_v2(target: Address, source: *const c_void, bytes: usize, stream: Handle) -> u32;
    pub(super) fn cuMemcpyDtoHAsync_v2(target: *mut c_void, source: Address, bytes: usize, stream: Handle) -> u32;
    pub(super) fn cuMemcpyPeerAsync(target: Address, target_context: Handle, source: Address, source_context: Handle, bytes: usize, stream: Handle) -> u32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::path::PathBuf;

    /// `cuda.h`: where the environment says, or beside an assembler that `GPU_ACTOR_PTXAS` names.
    fn header() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os("GPU_ACTOR_CUDA_H") {
            return Some(path.into());
        }
        let assemblers = std::env::var_os("GPU_ACTOR_PTXAS")?;
        std::env::split_paths(&assemblers)
            .filter_map(|ptxas| Some(ptxas.parent()?.parent()?.join("include/cuda.h")))
            .find(|path| path.is_file())
    }

    /// `NAME = value`, `#define NAME value`, and the `NAME,` that follows a value in an enum.
    fn values(text: &str) -> HashMap<&str, i64> {
        let number = |text: &str| {
            let text = text.trim_end_matches(',');
            match text.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).ok(),
                None => text.parse().ok(),
            }
        };
        let (mut values, mut last) = (HashMap::new(), 0);
        for line in text.lines() {
            let mut words = line.split_whitespace().filter(|word| *word != "#define" && *word != "=");
            let Some(name) = words.next().filter(|name| name.starts_with("CU")) else { continue };
            let value = match (name.strip_suffix(','), words.next().and_then(number)) {
                (Some(_), _) => last + 1,
                (None, Some(value)) => value,
                (None, None) => continue,
            };
            values.insert(name.trim_end_matches(','), value);
            last = value;
        }
        values
    }

    #[test]
    fn the_constants_are_those_of_cuda_h() {
        let Some(path) = header() else {
            println!(
                "SKIPPED: no cuda.h; set GPU_ACTOR_CUDA_H, or GPU_ACTOR_PTXAS to NVIDIA's assembler from PyPI"
            );
            return;
        };
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let values = values(&text);
        for (name, value) in ALL {
            assert_eq!(values.get(name), Some(value), "{name} in {}", path.display());
        }
        for (code, name) in super::super::error::NAMES {
            // An older header lacks the newest.
            assert!(values.get(name).is_none_or(|value| *value == i64::from(*code)), "{name}");
        }
    }
}
