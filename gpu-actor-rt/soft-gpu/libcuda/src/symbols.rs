//! The table of the driver API: each symbol's name, signature, and who can answer it. Everything else is made from it:
//! the symbols themselves, the pointers into the vendor's library, and the list in the book.
//!
//! Rules kept here:
//! - A name is one that the vendor's library exports, with its version (`cuMemAlloc_v2`), since that is what programs link.
//! - A symbol of kind `soft` is answered by all; one of kind `forwarded` by the vendor's driver alone, and over the software
//!   GPU it is `CUDA_ERROR_NOT_SUPPORTED`, never a success that did nothing; one of kind `start` needs no `cuInit` and,
//!   where nothing answers, answers all the same.
//! - No panic leaves a symbol.

use crate::choice::{Chosen, chosen};
use crate::code::Code;
#[allow(clippy::wildcard_imports, reason = "the table names nearly all of them")]
use crate::types::*;

/// Who can answer a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Support {
    /// The vendor's driver and the software GPU.
    Both,
    /// The vendor's driver. Over the software GPU the answer is `CUDA_ERROR_NOT_SUPPORTED`.
    VendorOnly,
}

/// A symbol of the driver API that this library defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Symbol {
    /// Its name, with its version.
    pub name: &'static str,
    /// Who can answer it.
    pub support: Support,
}

macro_rules! support {
    (forwarded) => {
        Support::VendorOnly
    };
    ($kind:ident) => {
        Support::Both
    };
}

macro_rules! soft {
    (forwarded $name:ident, $driver:ident, ($($arg:ident)*)) => {{
        let _ = ($driver, $($arg),*);
        Code::NOT_SUPPORTED
    }};
    (start $name:ident, $driver:ident, ($($arg:ident)*)) => {
        // SAFETY: the caller's promise is the one that the function asks for.
        crate::soft::guard_start(|| unsafe { crate::soft::api::$name($driver, $($arg),*) })
    };
    (soft $name:ident, $driver:ident, ($($arg:ident)*)) => {
        // SAFETY: the caller's promise is the one that the function asks for.
        crate::soft::guard($driver, || unsafe { crate::soft::api::$name($driver, $($arg),*) })
    };
}

macro_rules! nobody {
    (start $name:ident, ($($arg:ident)*)) => {
        // SAFETY: the caller's promise is the one that the function asks for.
        unsafe { crate::nobody::$name($($arg),*) }
    };
    ($kind:ident $name:ident, ($($arg:ident)*)) => {{
        let _ = ($($arg,)*);
        Code::NO_DEVICE
    }};
}

macro_rules! symbols {
    ($($kind:ident fn $name:ident($($arg:ident: $ty:ty),* $(,)?);)*) => {
        /// The symbols, in the order of their names.
        ///
        #[doc = include_str!("../symbols.md")]
        pub const SYMBOLS: &[Symbol] =
            &[$(Symbol { name: stringify!($name), support: support!($kind) }),*];

        /// The vendor's functions. None: this driver does not have it.
        #[allow(non_snake_case, reason = "the names of cuda.h")]
        pub(crate) struct Functions {
            $(pub(crate) $name: Option<unsafe extern "C" fn($($ty),*) -> CUresult>,)*
        }

        impl Functions {
            /// Takes the functions that `library` has.
            pub(crate) fn load(library: &libloading::Library) -> Functions {
                Functions {
                    $($name: {
                        // SAFETY: the name is that of a function of the driver API, whose signature `cuda.h` gives. The
                        // pointer is used only while the library is loaded, which is until the process ends.
                        let found = unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) };
                        found.ok().map(|f| *f)
                    },)*
                }
            }

            /// The names of those that are missing.
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let mut missing = Vec::new();
                $(if self.$name.is_none() { missing.push(stringify!($name)); })*
                missing
            }
        }

        /// The symbols themselves, for Rust code that would call them without declaring them.
        ///
        /// ```
        /// use soft_gpu_libcuda::{Code, sys};
        ///
        /// let mut name = std::ptr::null();
        /// // SAFETY: the pointer is to a pointer.
        /// let answer = unsafe { sys::cuGetErrorName(Code::NO_DEVICE.0, &mut name) };
        /// assert_eq!(answer, Code::SUCCESS.0);
        /// // SAFETY: the name is a string of the library, which is never unloaded.
        /// assert_eq!(unsafe { std::ffi::CStr::from_ptr(name) }, c"CUDA_ERROR_NO_DEVICE");
        /// ```
        pub mod sys {
            use super::*;

            $(
                #[doc = concat!("`", stringify!($name), "` of the driver API.")]
                ///
                /// # Safety
                ///
                /// As the driver API says: pointers are valid for what it reads and writes there.
                #[unsafe(no_mangle)]
                #[allow(non_snake_case, reason = "the name of cuda.h")]
                pub unsafe extern "C" fn $name($($arg: $ty),*) -> CUresult {
                    let code = match chosen() {
                        Chosen::Vendor(vendor) => match vendor.functions.$name {
                            // SAFETY: the caller's promise is the one that the driver asks for.
                            Some(function) => return unsafe { function($($arg),*) },
                            None => Code::NOT_FOUND,
                        },
                        Chosen::Soft(driver) => soft!($kind $name, driver, ($($arg)*)),
                        Chosen::Nobody(_) => nobody!($kind $name, ($($arg)*)),
                    };
                    code.0
                }
            )*
        }
    };
}

symbols! {
    forwarded fn cuArray3DCreate_v2(p_handle: *mut CUarray, p_allocate_array: *const c_void);
    forwarded fn cuArray3DGetDescriptor_v2(p_array_descriptor: *mut c_void, h_array: CUarray);
    forwarded fn cuArrayDestroy(h_array: CUarray);
    soft fn cuCtxCreate_v2(pctx: *mut CUcontext, flags: c_uint, dev: CUdevice);
    soft fn cuCtxDestroy_v2(ctx: CUcontext);
    soft fn cuCtxDisablePeerAccess(peer_context: CUcontext);
    soft fn cuCtxEnablePeerAccess(peer_context: CUcontext, flags: c_uint);
    soft fn cuCtxGetApiVersion(ctx: CUcontext, version: *mut c_uint);
    soft fn cuCtxGetCacheConfig(pconfig: *mut c_uint);
    soft fn cuCtxGetCurrent(pctx: *mut CUcontext);
    soft fn cuCtxGetDevice(device: *mut CUdevice);
    soft fn cuCtxGetFlags(flags: *mut c_uint);
    soft fn cuCtxGetId(ctx: CUcontext, ctx_id: *mut u64);
    soft fn cuCtxGetLimit(pvalue: *mut usize, limit: c_uint);
    soft fn cuCtxGetSharedMemConfig(p_config: *mut c_uint);
    soft fn cuCtxGetStreamPriorityRange(least_priority: *mut c_int, greatest_priority: *mut c_int);
    soft fn cuCtxPopCurrent_v2(pctx: *mut CUcontext);
    soft fn cuCtxPushCurrent_v2(ctx: CUcontext);
    soft fn cuCtxResetPersistingL2Cache();
    soft fn cuCtxSetCacheConfig(config: c_uint);
    soft fn cuCtxSetCurrent(ctx: CUcontext);
    soft fn cuCtxSetLimit(limit: c_uint, value: usize);
    soft fn cuCtxSetSharedMemConfig(config: c_uint);
    soft fn cuCtxSynchronize();
    forwarded fn cuDestroyExternalMemory(ext_mem: CUexternalMemory);
    soft fn cuDeviceCanAccessPeer(can_access_peer: *mut c_int, dev: CUdevice, peer_dev: CUdevice);
    soft fn cuDeviceComputeCapability(major: *mut c_int, minor: *mut c_int, dev: CUdevice);
    soft fn cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
    soft fn cuDeviceGetAttribute(pi: *mut c_int, attrib: c_uint, dev: CUdevice);
    soft fn cuDeviceGetByPCIBusId(dev: *mut CUdevice, pci_bus_id: *const c_char);
    soft fn cuDeviceGetCount(count: *mut c_int);
    soft fn cuDeviceGetDefaultMemPool(pool_out: *mut CUmemoryPool, dev: CUdevice);
    soft fn cuDeviceGetMemPool(pool: *mut CUmemoryPool, dev: CUdevice);
    soft fn cuDeviceGetName(name: *mut c_char, len: c_int, dev: CUdevice);
    soft fn cuDeviceGetP2PAttribute(
        value: *mut c_int, attrib: c_uint, src_device: CUdevice, dst_device: CUdevice,
    );
    soft fn cuDeviceGetPCIBusId(pci_bus_id: *mut c_char, len: c_int, dev: CUdevice);
    soft fn cuDeviceGetUuid(uuid: *mut CUuuid, dev: CUdevice);
    soft fn cuDeviceGetUuid_v2(uuid: *mut CUuuid, dev: CUdevice);
    soft fn cuDevicePrimaryCtxGetState(dev: CUdevice, flags: *mut c_uint, active: *mut c_int);
    soft fn cuDevicePrimaryCtxRelease_v2(dev: CUdevice);
    soft fn cuDevicePrimaryCtxReset_v2(dev: CUdevice);
    soft fn cuDevicePrimaryCtxRetain(pctx: *mut CUcontext, dev: CUdevice);
    soft fn cuDevicePrimaryCtxSetFlags_v2(dev: CUdevice, flags: c_uint);
    soft fn cuDeviceSetMemPool(dev: CUdevice, pool: CUmemoryPool);
    soft fn cuDeviceTotalMem_v2(bytes: *mut usize, dev: CUdevice);
    start fn cuDriverGetVersion(driver_version: *mut c_int);
    soft fn cuEventCreate(ph_event: *mut CUevent, flags: c_uint);
    soft fn cuEventDestroy_v2(h_event: CUevent);
    soft fn cuEventElapsedTime(p_milliseconds: *mut f32, h_start: CUevent, h_end: CUevent);
    soft fn cuEventQuery(h_event: CUevent);
    soft fn cuEventRecord(h_event: CUevent, h_stream: CUstream);
    soft fn cuEventRecordWithFlags(h_event: CUevent, h_stream: CUstream, flags: c_uint);
    soft fn cuEventSynchronize(h_event: CUevent);
    forwarded fn cuExternalMemoryGetMappedBuffer(
        dev_ptr: *mut CUdeviceptr, ext_mem: CUexternalMemory, buffer_desc: *const c_void,
    );
    soft fn cuFuncGetAttribute(pi: *mut c_int, attrib: c_uint, hfunc: CUfunction);
    soft fn cuFuncGetModule(hmod: *mut CUmodule, hfunc: CUfunction);
    soft fn cuFuncSetAttribute(hfunc: CUfunction, attrib: c_uint, value: c_int);
    soft fn cuFuncSetCacheConfig(hfunc: CUfunction, config: c_uint);
    soft fn cuFuncSetSharedMemConfig(hfunc: CUfunction, config: c_uint);
    start fn cuGetErrorName(error: c_uint, p_str: *mut *const c_char);
    start fn cuGetErrorString(error: c_uint, p_str: *mut *const c_char);
    forwarded fn cuGraphAddKernelNode(
        ph_graph_node: *mut CUgraphNode, h_graph: CUgraph, dependencies: *const CUgraphNode,
        num_dependencies: usize, node_params: *const c_void,
    );
    forwarded fn cuGraphCreate(ph_graph: *mut CUgraph, flags: c_uint);
    forwarded fn cuGraphDebugDotPrint(h_graph: CUgraph, path: *const c_char, flags: c_uint);
    forwarded fn cuGraphDestroy(h_graph: CUgraph);
    forwarded fn cuGraphGetEdges(
        h_graph: CUgraph, from: *mut CUgraphNode, to: *mut CUgraphNode, num_edges: *mut usize,
    );
    forwarded fn cuGraphGetNodes(h_graph: CUgraph, nodes: *mut CUgraphNode, num_nodes: *mut usize);
    forwarded fn cuGraphKernelNodeGetParams(h_node: CUgraphNode, node_params: *mut c_void);
    forwarded fn cuGraphNodeGetType(h_node: CUgraphNode, kind: *mut c_uint);
    forwarded fn cuImportExternalMemory(ext_mem_out: *mut CUexternalMemory, mem_handle_desc: *const c_void);
    start fn cuInit(flags: c_uint);
    soft fn cuLaunchCooperativeKernel(
        f: CUfunction, grid_dim_x: c_uint, grid_dim_y: c_uint, grid_dim_z: c_uint, block_dim_x: c_uint,
        block_dim_y: c_uint, block_dim_z: c_uint, shared_mem_bytes: c_uint, h_stream: CUstream,
        kernel_params: *mut *mut c_void,
    );
    soft fn cuLaunchHostFunc(h_stream: CUstream, function: Option<CUhostFn>, user_data: *mut c_void);
    soft fn cuLaunchKernel(
        f: CUfunction, grid_dim_x: c_uint, grid_dim_y: c_uint, grid_dim_z: c_uint, block_dim_x: c_uint,
        block_dim_y: c_uint, block_dim_z: c_uint, shared_mem_bytes: c_uint, h_stream: CUstream,
        kernel_params: *mut *mut c_void, extra: *mut *mut c_void,
    );
    forwarded fn cuLinkAddData_v2(
        state: CUlinkState, kind: c_uint, data: *mut c_void, size: usize, name: *const c_char,
        num_options: c_uint, options: *mut c_uint, option_values: *mut *mut c_void,
    );
    forwarded fn cuLinkAddFile_v2(
        state: CUlinkState, kind: c_uint, path: *const c_char, num_options: c_uint, options: *mut c_uint,
        option_values: *mut *mut c_void,
    );
    forwarded fn cuLinkComplete(state: CUlinkState, cubin_out: *mut *mut c_void, size_out: *mut usize);
    forwarded fn cuLinkCreate_v2(
        num_options: c_uint, options: *mut c_uint, option_values: *mut *mut c_void,
        state_out: *mut CUlinkState,
    );
    forwarded fn cuLinkDestroy(state: CUlinkState);
    soft fn cuMemAdvise(dev_ptr: CUdeviceptr, count: usize, advice: c_uint, device: CUdevice);
    soft fn cuMemAllocAsync(dptr: *mut CUdeviceptr, bytesize: usize, h_stream: CUstream);
    soft fn cuMemAllocFromPoolAsync(
        dptr: *mut CUdeviceptr, bytesize: usize, pool: CUmemoryPool, h_stream: CUstream,
    );
    soft fn cuMemAllocHost_v2(pp: *mut *mut c_void, bytesize: usize);
    soft fn cuMemAllocManaged(dptr: *mut CUdeviceptr, bytesize: usize, flags: c_uint);
    soft fn cuMemAlloc_v2(dptr: *mut CUdeviceptr, bytesize: usize);
    soft fn cuMemFreeAsync(dptr: CUdeviceptr, h_stream: CUstream);
    soft fn cuMemFreeHost(pointer: *mut c_void);
    soft fn cuMemFree_v2(dptr: CUdeviceptr);
    soft fn cuMemGetAddressRange_v2(pbase: *mut CUdeviceptr, psize: *mut usize, dptr: CUdeviceptr);
    soft fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    soft fn cuMemHostAlloc(pp: *mut *mut c_void, bytesize: usize, flags: c_uint);
    soft fn cuMemHostGetDevicePointer_v2(pdptr: *mut CUdeviceptr, pointer: *mut c_void, flags: c_uint);
    soft fn cuMemHostGetFlags(p_flags: *mut c_uint, pointer: *mut c_void);
    forwarded fn cuMemHostRegister_v2(pointer: *mut c_void, bytesize: usize, flags: c_uint);
    forwarded fn cuMemHostUnregister(pointer: *mut c_void);
    soft fn cuMemPoolCreate(pool: *mut CUmemoryPool, pool_props: *const CUmemPoolProps);
    soft fn cuMemPoolDestroy(pool: CUmemoryPool);
    soft fn cuMemPoolGetAccess(flags: *mut c_uint, mem_pool: CUmemoryPool, location: *mut CUmemLocation);
    soft fn cuMemPoolGetAttribute(pool: CUmemoryPool, attr: c_uint, value: *mut c_void);
    soft fn cuMemPoolSetAccess(pool: CUmemoryPool, map: *const CUmemAccessDesc, count: usize);
    soft fn cuMemPoolSetAttribute(pool: CUmemoryPool, attr: c_uint, value: *mut c_void);
    soft fn cuMemPoolTrimTo(pool: CUmemoryPool, min_bytes_to_keep: usize);
    soft fn cuMemPrefetchAsync(dev_ptr: CUdeviceptr, count: usize, dst_device: CUdevice, h_stream: CUstream);
    soft fn cuMemRangeGetAttribute(
        data: *mut c_void, data_size: usize, attribute: c_uint, dev_ptr: CUdeviceptr, count: usize,
    );
    soft fn cuMemcpy(dst: CUdeviceptr, src: CUdeviceptr, byte_count: usize);
    forwarded fn cuMemcpy2D_v2(p_copy: *const c_void);
    soft fn cuMemcpyAsync(dst: CUdeviceptr, src: CUdeviceptr, byte_count: usize, h_stream: CUstream);
    forwarded fn cuMemcpyAtoH_v2(
        dst_host: *mut c_void, src_array: CUarray, src_offset: usize, byte_count: usize,
    );
    soft fn cuMemcpyDtoDAsync_v2(
        dst_device: CUdeviceptr, src_device: CUdeviceptr, byte_count: usize, h_stream: CUstream,
    );
    soft fn cuMemcpyDtoD_v2(dst_device: CUdeviceptr, src_device: CUdeviceptr, byte_count: usize);
    soft fn cuMemcpyDtoHAsync_v2(
        dst_host: *mut c_void, src_device: CUdeviceptr, byte_count: usize, h_stream: CUstream,
    );
    soft fn cuMemcpyDtoH_v2(dst_host: *mut c_void, src_device: CUdeviceptr, byte_count: usize);
    forwarded fn cuMemcpyHtoA_v2(
        dst_array: CUarray, dst_offset: usize, src_host: *const c_void, byte_count: usize,
    );
    soft fn cuMemcpyHtoDAsync_v2(
        dst_device: CUdeviceptr, src_host: *const c_void, byte_count: usize, h_stream: CUstream,
    );
    soft fn cuMemcpyHtoD_v2(dst_device: CUdeviceptr, src_host: *const c_void, byte_count: usize);
    soft fn cuMemcpyPeer(
        dst_device: CUdeviceptr, dst_context: CUcontext, src_device: CUdeviceptr, src_context: CUcontext,
        byte_count: usize,
    );
    soft fn cuMemcpyPeerAsync(
        dst_device: CUdeviceptr, dst_context: CUcontext, src_device: CUdeviceptr, src_context: CUcontext,
        byte_count: usize, h_stream: CUstream,
    );
    soft fn cuMemsetD16Async(dst_device: CUdeviceptr, us: u16, n: usize, h_stream: CUstream);
    soft fn cuMemsetD16_v2(dst_device: CUdeviceptr, us: u16, n: usize);
    soft fn cuMemsetD32Async(dst_device: CUdeviceptr, ui: c_uint, n: usize, h_stream: CUstream);
    soft fn cuMemsetD32_v2(dst_device: CUdeviceptr, ui: c_uint, n: usize);
    soft fn cuMemsetD8Async(dst_device: CUdeviceptr, uc: u8, n: usize, h_stream: CUstream);
    soft fn cuMemsetD8_v2(dst_device: CUdeviceptr, uc: u8, n: usize);
    soft fn cuModuleGetFunction(hfunc: *mut CUfunction, hmod: CUmodule, name: *const c_char);
    soft fn cuModuleGetGlobal_v2(
        dptr: *mut CUdeviceptr, bytes: *mut usize, hmod: CUmodule, name: *const c_char,
    );
    soft fn cuModuleGetLoadingMode(mode: *mut c_uint);
    soft fn cuModuleLoad(module: *mut CUmodule, fname: *const c_char);
    soft fn cuModuleLoadData(module: *mut CUmodule, image: *const c_void);
    soft fn cuModuleLoadDataEx(
        module: *mut CUmodule, image: *const c_void, num_options: c_uint, options: *mut c_uint,
        option_values: *mut *mut c_void,
    );
    soft fn cuModuleLoadFatBinary(module: *mut CUmodule, fat_cubin: *const c_void);
    soft fn cuModuleUnload(hmod: CUmodule);
    soft fn cuOccupancyAvailableDynamicSMemPerBlock(
        dynamic_smem_size: *mut usize, func: CUfunction, num_blocks: c_int, block_size: c_int,
    );
    soft fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        num_blocks: *mut c_int, func: CUfunction, block_size: c_int, dynamic_s_mem_size: usize,
    );
    soft fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        num_blocks: *mut c_int, func: CUfunction, block_size: c_int, dynamic_s_mem_size: usize,
        flags: c_uint,
    );
    soft fn cuOccupancyMaxPotentialBlockSize(
        min_grid_size: *mut c_int, block_size: *mut c_int, func: CUfunction,
        block_size_to_dynamic_s_mem_size: Option<CUoccupancyB2DSize>, dynamic_s_mem_size: usize,
        block_size_limit: c_int,
    );
    soft fn cuPointerGetAttribute(data: *mut c_void, attribute: c_uint, ptr: CUdeviceptr);
    soft fn cuPointerGetAttributes(
        num_attributes: c_uint, attributes: *mut c_uint, data: *mut *mut c_void, ptr: CUdeviceptr,
    );
    soft fn cuStreamCreate(ph_stream: *mut CUstream, flags: c_uint);
    soft fn cuStreamCreateWithPriority(ph_stream: *mut CUstream, flags: c_uint, priority: c_int);
    soft fn cuStreamDestroy_v2(h_stream: CUstream);
    soft fn cuStreamGetCtx(h_stream: CUstream, pctx: *mut CUcontext);
    soft fn cuStreamGetFlags(h_stream: CUstream, flags: *mut c_uint);
    soft fn cuStreamGetId(h_stream: CUstream, stream_id: *mut u64);
    soft fn cuStreamGetPriority(h_stream: CUstream, priority: *mut c_int);
    soft fn cuStreamQuery(h_stream: CUstream);
    soft fn cuStreamSynchronize(h_stream: CUstream);
    soft fn cuStreamWaitEvent(h_stream: CUstream, h_event: CUevent, flags: c_uint);
    forwarded fn cuSurfObjectCreate(p_surf_object: *mut u64, p_res_desc: *const c_void);
    forwarded fn cuSurfObjectDestroy(surf_object: u64);
    forwarded fn cuSurfObjectGetResourceDesc(p_res_desc: *mut c_void, surf_object: u64);
    forwarded fn cuTexObjectCreate(
        p_tex_object: *mut u64, p_res_desc: *const c_void, p_tex_desc: *const c_void,
        p_res_view_desc: *const c_void,
    );
    forwarded fn cuTexObjectDestroy(tex_object: u64);
    forwarded fn cuTexObjectGetResourceDesc(p_res_desc: *mut c_void, tex_object: u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_symbol_twice() {
        assert!(SYMBOLS.is_sorted_by(|a, b| a.name < b.name), "sort the table");
    }

    #[test]
    fn the_list_in_the_documentation_is_the_table() {
        let mut list = "| symbol | the vendor's driver | the software GPU |\n|---|---|---|\n".to_owned();
        for symbol in SYMBOLS {
            let soft = if symbol.support == Support::Both { "yes" } else { "no" };
            list.push_str(&["| `", symbol.name, "` | yes | ", soft, " |\n"].concat());
        }
        assert_eq!(include_str!("../symbols.md"), list);
    }
}
