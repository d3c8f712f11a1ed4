//! Modules, functions, occupancy and launches.

use std::ffi::CStr;

use soft_gpu::{Arg, LaunchConfig};

use super::{out, string};
use crate::code::Code;
use crate::soft::kernel::{Function, LANES_PER_MULTIPROCESSOR, Log};
use crate::soft::{Answer, Driver, lock, write};
use crate::types::{
    CUdeviceptr, CUfunction, CUmodule, CUoccupancyB2DSize, CUstream, c_char, c_int, c_uint, c_void,
};

/// `CUjit_option` of `cuda.h`: those that say something back, and the last one that there is.
mod jit {
    pub(super) const WALL_TIME: u32 = 2;
    pub(super) const INFO_BUFFER: u32 = 3;
    pub(super) const INFO_SIZE: u32 = 4;
    pub(super) const ERROR_BUFFER: u32 = 5;
    pub(super) const ERROR_SIZE: u32 = 6;
    pub(super) const LAST: u32 = 33;
}

/// A buffer for a log: where it is, how long, and the place of the size among the options, which is told how much was written.
struct Buffer {
    at: *mut c_char,
    len: usize,
    size: *mut *mut c_void,
}

impl Buffer {
    /// # Safety
    ///
    /// The buffer and the size's place are null or valid.
    unsafe fn fill(&self, log: &str) {
        let mut written = 0;
        // SAFETY: the caller's promise.
        if unsafe { super::write_text(self.at, self.len, log) }.is_ok() {
            written = (log.len() + 1).min(self.len);
        }
        if !self.size.is_null() {
            // SAFETY: the caller's promise.
            unsafe { self.size.write(out(written)) };
        }
    }
}

pub(crate) unsafe fn cuModuleLoadDataEx(
    driver: &'static Driver,
    module: *mut CUmodule,
    image: *const c_void,
    count: c_uint,
    options: *mut c_uint,
    values: *mut *mut c_void,
) -> Answer {
    if module.is_null() || image.is_null() || (count > 0 && (options.is_null() || values.is_null())) {
        return Err(Code::INVALID_VALUE);
    }
    let start = std::time::Instant::now();
    let empty = || Buffer { at: std::ptr::null_mut(), len: 0, size: std::ptr::null_mut() };
    let (mut info, mut error, mut time) = (empty(), empty(), None);
    for i in 0..count as usize {
        // SAFETY: the caller vouches for `count` options and values.
        let (option, place) = unsafe { (*options.add(i), values.add(i)) };
        // SAFETY: the same promise. The values themselves are the numbers, not places where numbers are.
        let value = unsafe { *place };
        match option {
            jit::WALL_TIME => time = Some(place),
            jit::INFO_BUFFER => info.at = value.cast(),
            jit::INFO_SIZE => (info.len, info.size) = (value.addr() & u32::MAX as usize, place),
            jit::ERROR_BUFFER => error.at = value.cast(),
            jit::ERROR_SIZE => (error.len, error.size) = (value.addr() & u32::MAX as usize, place),
            // The rest are wishes for code that is made for a GPU.
            other if other <= jit::LAST => {}
            _ => return Err(Code::INVALID_VALUE),
        }
    }
    // SAFETY: the caller vouches for an image; every kind of image has at least four bytes or ends with a zero.
    let image = unsafe { bytes_of(image.cast()) };
    let mut log = Log::default();
    let loaded = driver.load(image, "cuModuleLoadDataEx", &mut log);
    // SAFETY: the caller vouches for the buffers and the places of the values.
    unsafe {
        info.fill(&log.info);
        error.fill(&log.error);
        if let Some(place) = time {
            // The manual: a float, in the place of the value.
            place.cast::<f32>().write(start.elapsed().as_secs_f32() * 1e3);
        }
        write(module, out(loaded?))
    }
}

/// The bytes of a text up to its zero; of a machine-code image, which has zeros in it, as far as its first one, which is more than
/// is needed to tell what it is.
///
/// # Safety
///
/// `image` is a text that ends with a zero, or an image of machine code.
unsafe fn bytes_of<'a>(image: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's promise; headers of ELF files and fat binaries have zeros in their first 16 bytes.
    unsafe { CStr::from_ptr(image) }.to_bytes()
}

pub(crate) unsafe fn cuModuleLoadData(
    driver: &'static Driver,
    module: *mut CUmodule,
    image: *const c_void,
) -> Answer {
    // SAFETY: the same promise; there are no options.
    unsafe { cuModuleLoadDataEx(driver, module, image, 0, std::ptr::null_mut(), std::ptr::null_mut()) }
}

pub(crate) unsafe fn cuModuleLoadFatBinary(
    driver: &'static Driver,
    module: *mut CUmodule,
    image: *const c_void,
) -> Answer {
    // SAFETY: the same promise.
    unsafe { cuModuleLoadData(driver, module, image) }
}

pub(crate) unsafe fn cuModuleLoad(
    driver: &'static Driver,
    module: *mut CUmodule,
    path: *const c_char,
) -> Answer {
    // SAFETY: the caller vouches for the string.
    let path = unsafe { string(path) }?;
    if module.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let image = std::fs::read(path).map_err(|_| Code::FILE_NOT_FOUND)?;
    let text = image.split(|b| *b == 0).next().unwrap_or(&[]);
    let loaded = driver.load(text, "cuModuleLoad", &mut Log::default())?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(module, out(loaded)) }
}

pub(crate) unsafe fn cuModuleUnload(driver: &'static Driver, module: CUmodule) -> Answer {
    driver.unload(module.addr())
}

pub(crate) unsafe fn cuModuleGetLoadingMode(_driver: &'static Driver, mode: *mut c_uint) -> Answer {
    // CU_MODULE_LAZY_LOADING
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(mode, 2) }
}

pub(crate) unsafe fn cuModuleGetFunction(
    driver: &'static Driver,
    function: *mut CUfunction,
    module: CUmodule,
    name: *const c_char,
) -> Answer {
    // SAFETY: the caller vouches for the string.
    let name = unsafe { string(name) }?;
    let found = driver.entry(module.addr(), name)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(function, out(found)) }
}

pub(crate) unsafe fn cuModuleGetGlobal_v2(
    driver: &'static Driver,
    address: *mut CUdeviceptr,
    bytes: *mut usize,
    module: CUmodule,
    name: *const c_char,
) -> Answer {
    // SAFETY: the caller vouches for the string.
    let name = unsafe { string(name) }?;
    let (at, len) = driver.module(module.addr())?.code.global(name).ok_or(Code::NOT_FOUND)?;
    // SAFETY: each is null, which the manual allows, or the caller vouches for it.
    unsafe {
        if !address.is_null() {
            write(address, at)?;
        }
        if !bytes.is_null() {
            write(bytes, len)?;
        }
    }
    Ok(())
}

pub(crate) unsafe fn cuFuncGetModule(
    driver: &'static Driver,
    module: *mut CUmodule,
    function: CUfunction,
) -> Answer {
    let is = driver.function(function.addr())?.module;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(module, out(is)) }
}

/// `CUfunction_attribute` of `cuda.h`.
mod attribute {
    pub(super) const MAX_THREADS: u32 = 0;
    pub(super) const SHARED: u32 = 1;
    pub(super) const NUM_REGS: u32 = 4;
    pub(super) const PTX_VERSION: u32 = 5;
    pub(super) const BINARY_VERSION: u32 = 6;
    pub(super) const MAX_DYNAMIC_SHARED: u32 = 8;
    pub(super) const CARVEOUT: u32 = 9;
    pub(super) const LAST: u32 = 15;
}

pub(crate) unsafe fn cuFuncGetAttribute(
    driver: &'static Driver,
    value: *mut c_int,
    attribute: c_uint,
    function: CUfunction,
) -> Answer {
    let function = driver.function(function.addr())?;
    let is = match attribute {
        attribute::MAX_THREADS => function.code.max_threads_per_block(),
        attribute::SHARED => function.code.static_shared_bytes(),
        attribute::MAX_DYNAMIC_SHARED => function.most_dynamic(),
        attribute::PTX_VERSION | attribute::BINARY_VERSION => {
            let is = function.gpu.device.properties().compute_capability;
            is.major * 10 + is.minor
        }
        // The CPU's registers and stack say nothing of a GPU's; ptxas does.
        2 | 3 | 7 | attribute::NUM_REGS | attribute::CARVEOUT..=attribute::LAST => {
            return Err(Code::NOT_SUPPORTED);
        }
        _ => return Err(Code::INVALID_VALUE),
    };
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(value, is as c_int) }
}

pub(crate) unsafe fn cuFuncSetAttribute(
    driver: &'static Driver,
    function: CUfunction,
    attribute: c_uint,
    value: c_int,
) -> Answer {
    let function = driver.function(function.addr())?;
    match attribute {
        attribute::MAX_DYNAMIC_SHARED => {
            let most = function.gpu.device.properties().max_shared_per_block;
            let fixed = function.code.static_shared_bytes();
            let valid = u32::try_from(value).ok().filter(|v| *v <= most.saturating_sub(fixed));
            *lock(&function.most_dynamic) = Some(valid.ok_or(Code::INVALID_VALUE)?);
            Ok(())
        }
        // A hint, in percent; -1 is none.
        attribute::CARVEOUT if (-1..=100).contains(&value) => Ok(()),
        _ => Err(Code::INVALID_VALUE),
    }
}

pub(crate) unsafe fn cuFuncSetCacheConfig(
    driver: &'static Driver,
    function: CUfunction,
    config: c_uint,
) -> Answer {
    driver.function(function.addr())?;
    if config <= 3 { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuFuncSetSharedMemConfig(
    driver: &'static Driver,
    function: CUfunction,
    config: c_uint,
) -> Answer {
    driver.function(function.addr())?;
    if config <= 2 { Ok(()) } else { Err(Code::INVALID_VALUE) }
}

pub(crate) unsafe fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    driver: &'static Driver,
    blocks: *mut c_int,
    function: CUfunction,
    lanes: c_int,
    dynamic_shared: usize,
) -> Answer {
    let function = driver.function(function.addr())?;
    let lanes = u32::try_from(lanes).ok().filter(|n| *n > 0).ok_or(Code::INVALID_VALUE)?;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(blocks, function.resident(lanes, dynamic_shared) as c_int) }
}

pub(crate) unsafe fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    driver: &'static Driver,
    blocks: *mut c_int,
    function: CUfunction,
    lanes: c_int,
    dynamic_shared: usize,
    flags: c_uint,
) -> Answer {
    // CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE (1) is about caches.
    if flags > 1 {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: the same promise.
    unsafe { cuOccupancyMaxActiveBlocksPerMultiprocessor(driver, blocks, function, lanes, dynamic_shared) }
}

pub(crate) unsafe fn cuOccupancyMaxPotentialBlockSize(
    driver: &'static Driver,
    grid: *mut c_int,
    block: *mut c_int,
    function: CUfunction,
    shared_of: Option<CUoccupancyB2DSize>,
    dynamic_shared: usize,
    limit: c_int,
) -> Answer {
    let function = driver.function(function.addr())?;
    let limits = function.gpu.device.properties();
    let most = function.code.max_threads_per_block();
    let most = if limit > 0 { most.min(limit as u32) } else { most };
    let busy = |lanes: u32| {
        let shared = match shared_of {
            // SAFETY: the caller vouches for the function.
            Some(shared_of) => unsafe { shared_of(lanes as c_int) },
            None => dynamic_shared,
        };
        let resident = function.resident(lanes, shared);
        (resident * lanes, resident)
    };
    let warp = limits.warp_size as usize;
    let sizes = (1..=most / limits.warp_size).rev().map(|warps| warps * limits.warp_size);
    let sizes = sizes.chain((most < warp as u32).then_some(most));
    // Of equally busy ones the largest, which comes first.
    let best = sizes.map(|lanes| (busy(lanes), lanes)).reduce(|a, b| if b.0.0 > a.0.0 { b } else { a });
    let ((_, resident), lanes) = best.ok_or(Code::INVALID_VALUE)?;
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        write(grid, (resident * limits.multiprocessors) as c_int)?;
        write(block, lanes as c_int)
    }
}

pub(crate) unsafe fn cuOccupancyAvailableDynamicSMemPerBlock(
    driver: &'static Driver,
    bytes: *mut usize,
    function: CUfunction,
    blocks: c_int,
    lanes: c_int,
) -> Answer {
    let function = driver.function(function.addr())?;
    let (Ok(blocks), Ok(lanes)) = (u32::try_from(blocks), u32::try_from(lanes)) else {
        return Err(Code::INVALID_VALUE);
    };
    if blocks == 0 || lanes == 0 || blocks > LANES_PER_MULTIPROCESSOR || function.resident(lanes, 0) < blocks
    {
        return Err(Code::INVALID_VALUE);
    }
    // Each resident block has shared memory of its own.
    let most = function.gpu.device.properties().max_shared_per_block;
    // SAFETY: the caller vouches for the pointer.
    unsafe { write(bytes, (most - function.code.static_shared_bytes()) as usize) }
}

/// `CU_LAUNCH_PARAM_END`, `_BUFFER_POINTER` and `_BUFFER_SIZE` of `cuda.h`
mod param {
    pub(super) const END: usize = 0;
    pub(super) const BUFFER: usize = 1;
    pub(super) const SIZE: usize = 2;
}

/// Reads a kernel's arguments: each from its own place.
///
/// # Safety
///
/// `params` has a pointer to a value of its size for each parameter, or is null where there are none.
unsafe fn read_params(function: &Function, params: *mut *mut c_void) -> Result<Vec<Arg>, Code> {
    let sizes: Vec<usize> = function.code.param_sizes().collect();
    if params.is_null() {
        return if sizes.is_empty() { Ok(Vec::new()) } else { Err(Code::INVALID_VALUE) };
    }
    let mut args = Vec::with_capacity(sizes.len());
    for (i, size) in sizes.into_iter().enumerate() {
        // SAFETY: the caller vouches for a pointer for each parameter.
        let from: *const u8 = unsafe { *params.add(i) }.cast();
        if from.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: the caller vouches for the parameter's size.
        args.push(Arg::Bytes(unsafe { std::slice::from_raw_parts(from, size) }.to_vec()));
    }
    Ok(args)
}

/// Reads a kernel's arguments from one buffer, in which they lie as in the kernel's parameter space.
///
/// # Safety
///
/// `extra` is a list of names and values that ends with `CU_LAUNCH_PARAM_END`.
unsafe fn read_buffer(function: &Function, extra: *mut *mut c_void) -> Result<Vec<Arg>, Code> {
    let (mut buffer, mut size) = (std::ptr::null::<u8>(), 0);
    for at in (0..).step_by(2) {
        // SAFETY: the list goes on to its end, which has not come yet.
        let name = unsafe { *extra.add(at) }.addr();
        if name == param::END {
            break;
        }
        // SAFETY: each name but the last has a value.
        let value = unsafe { *extra.add(at + 1) };
        match name {
            param::BUFFER => buffer = value.cast_const().cast(),
            // SAFETY: the manual: the value is a pointer to a size.
            param::SIZE if !value.is_null() => size = unsafe { value.cast::<usize>().read() },
            _ => return Err(Code::INVALID_VALUE),
        }
    }
    let places = function.code.param_offsets().zip(function.code.param_sizes());
    if buffer.is_null() {
        return if places.count() == 0 { Ok(Vec::new()) } else { Err(Code::INVALID_VALUE) };
    }
    // SAFETY: the caller vouches for a buffer of that size.
    let bytes = unsafe { std::slice::from_raw_parts(buffer, size) };
    places
        .map(|(at, len)| bytes.get(at..at + len).map(|b| Arg::Bytes(b.to_vec())).ok_or(Code::INVALID_VALUE))
        .collect()
}

pub(crate) unsafe fn cuLaunchKernel(
    driver: &'static Driver,
    function: CUfunction,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: CUstream,
    params: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Answer {
    let function = driver.function(function.addr())?;
    // SAFETY: the caller's promise about the one that is used.
    let args = unsafe {
        match (params.is_null(), extra.is_null()) {
            (false, false) => return Err(Code::INVALID_VALUE),
            (true, false) => read_buffer(&function, extra)?,
            (_, true) => read_params(&function, params)?,
        }
    };
    let config = LaunchConfig::new(1, 1)
        .grid([grid_x, grid_y, grid_z])
        .block([block_x, block_y, block_z])
        .shared_bytes(shared);
    // SAFETY: the caller's promise about the kernel.
    unsafe { driver.launch(&function, config, stream.addr(), &args) }
}

pub(crate) unsafe fn cuLaunchCooperativeKernel(
    driver: &'static Driver,
    function: CUfunction,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: CUstream,
    params: *mut *mut c_void,
) -> Answer {
    let function = driver.function(function.addr())?;
    // SAFETY: the caller's promise.
    let args = unsafe { read_params(&function, params) }?;
    let config = LaunchConfig::new(1, 1)
        .grid([grid_x, grid_y, grid_z])
        .block([block_x, block_y, block_z])
        .shared_bytes(shared)
        .cooperative(true);
    // SAFETY: the caller's promise about the kernel.
    unsafe { driver.launch(&function, config, stream.addr(), &args) }
}
