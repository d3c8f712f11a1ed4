//! What a device and a link between two say of themselves.

use soft_gpu::Properties;

use super::Gpu;
use super::kernel::{LANES_PER_MULTIPROCESSOR, SHARED_UNASKED, blocks_per_multiprocessor};
use crate::code::Code;

/// The last attribute of CUDA 12.9; none beyond it is known.
const LAST: u32 = 143;

/// The value of a `CUdevice_attribute` (numbers of `cuda.h`). What the software GPU has none of, such as textures, is 0.
#[allow(clippy::match_same_arms, reason = "the table of the header, in its order")]
pub(crate) fn device_attribute(gpu: &Gpu, attribute: u32) -> Result<i32, Code> {
    let of: &Properties = gpu.device.properties();
    let features = of.features;
    let value = match attribute {
        1 => of.max_threads_per_block,
        2..=4 => of.max_block[attribute as usize - 2],
        5..=7 => of.max_grid[attribute as usize - 5],
        // MAX_SHARED_MEMORY_PER_BLOCK; _OPTIN and _PER_MULTIPROCESSOR are below.
        8 => SHARED_UNASKED,
        // TOTAL_CONSTANT_MEMORY
        9 => 64 << 10,
        10 => of.warp_size,
        // MAX_PITCH
        11 => i32::MAX as u32,
        // MAX_REGISTERS_PER_BLOCK, and _PER_MULTIPROCESSOR: here they limit nothing, and programs divide by them.
        12 | 82 => 64 << 10,
        13 => of.clock_khz,
        16 => of.multiprocessors,
        // KERNEL_EXEC_TIMEOUT
        17 => features.watchdog.into(),
        // CAN_MAP_HOST_MEMORY
        19 => features.map_host_memory.into(),
        // GPU_OVERLAP, CONCURRENT_KERNELS
        15 | 31 => 1,
        32 => features.ecc.into(),
        33 => of.pci.bus.into(),
        34 => of.pci.device.into(),
        36 => of.memory_clock_khz,
        37 => of.memory_bus_bits,
        38 => of.l2_bytes,
        39 => LANES_PER_MULTIPROCESSOR,
        // ASYNC_ENGINE_COUNT: copies run beside each other and beside kernels.
        40 => 2,
        // UNIFIED_ADDRESSING
        41 => 1,
        50 => of.pci.domain,
        75 => of.compute_capability.major,
        76 => of.compute_capability.minor,
        // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: each resident block has its own.
        81 => of.max_shared_per_block,
        // MANAGED_MEMORY
        83 => 1,
        86 => features.host_native_atomics.into(),
        // SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO
        87 => 1,
        89 => features.concurrent_managed_access.into(),
        // COMPUTE_PREEMPTION_SUPPORTED: kernels are threads of the system.
        90 => 1,
        95 => features.cooperative_launch.into(),
        // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
        97 => of.max_shared_per_block,
        106 => blocks_per_multiprocessor(gpu),
        115 => features.memory_pools.into(),
        0 => return Err(Code::INVALID_VALUE),
        // NUMA_ID, HOST_NUMA_ID: none.
        131 | 134 => return Ok(-1),
        other if other <= LAST => 0,
        _ => return Err(Code::INVALID_VALUE),
    };
    Ok(i32::try_from(value).unwrap_or(i32::MAX))
}
