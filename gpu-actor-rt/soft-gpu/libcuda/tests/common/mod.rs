//! The driver API as tests call it: results as values.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use soft_gpu_libcuda::types::{CUcontext, CUfunction, CUmodule, c_int, c_uint, c_void};
use soft_gpu_libcuda::{Code, sys};

/// `k(p)` writes 42 there.
pub(crate) const STORE: &str = ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k(.param .u64 p) {\n\
     .reg .b64 %p;\nld.param.u64 %p, [p];\nst.global.u32 [%p], 42;\nret;\n}\n\0";

pub(crate) type Answer<T = ()> = Result<T, Code>;

pub(crate) fn answer(code: u32) -> Answer {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

/// A call that writes its result to a pointer.
pub(crate) fn got<T: Copy>(start: T, call: impl FnOnce(*mut T) -> u32) -> Answer<T> {
    let mut value = start;
    answer(call(&raw mut value))?;
    Ok(value)
}

// What holds for all calls below: pointers are to live values of the right types, and kernels touch memory that is there.

pub(crate) fn retain(device: c_int) -> Answer<CUcontext> {
    // SAFETY: as said above.
    got(std::ptr::null_mut(), |p| unsafe { sys::cuDevicePrimaryCtxRetain(p, device) })
}

pub(crate) fn set_current(context: CUcontext) {
    // SAFETY: as said above.
    answer(unsafe { sys::cuCtxSetCurrent(context) }).unwrap();
}

pub(crate) fn alloc(bytes: usize) -> Answer<u64> {
    // SAFETY: as said above.
    got(0, |p| unsafe { sys::cuMemAlloc_v2(p, bytes) })
}

pub(crate) fn load(text: &str) -> Answer<CUmodule> {
    assert!(text.ends_with('\0'));
    // SAFETY: as said above.
    got(std::ptr::null_mut(), |p| unsafe { sys::cuModuleLoadData(p, text.as_ptr().cast()) })
}

pub(crate) fn function(module: CUmodule) -> Answer<CUfunction> {
    // SAFETY: as said above.
    got(std::ptr::null_mut(), |p| unsafe { sys::cuModuleGetFunction(p, module, c"k".as_ptr()) })
}

/// One lane of the kernel on the default stream.
pub(crate) fn launch(f: CUfunction, pointer: u64) -> Answer {
    let mut pointer = pointer;
    let mut params = [(&raw mut pointer).cast::<c_void>()];
    let (null, params) = (std::ptr::null_mut(), params.as_mut_ptr());
    // SAFETY: as said above.
    answer(unsafe { sys::cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, null, params, std::ptr::null_mut()) })
}

pub(crate) fn synchronize() -> Answer {
    // SAFETY: as said above.
    answer(unsafe { sys::cuCtxSynchronize() })
}

pub(crate) fn word(address: u64) -> Answer<u32> {
    // SAFETY: as said above.
    got(0_u32, |p| unsafe { sys::cuMemcpyDtoH_v2(p.cast(), address, 4) })
}

pub(crate) fn set_word(address: u64, value: u32) -> Answer {
    // SAFETY: as said above.
    answer(unsafe { sys::cuMemsetD32_v2(address, value, 1) })
}

pub(crate) fn copy_peer(to: (u64, CUcontext), from: (u64, CUcontext), bytes: usize) -> Answer {
    // SAFETY: as said above.
    answer(unsafe { sys::cuMemcpyPeer(to.0, to.1, from.0, from.1, bytes) })
}

pub(crate) fn enable_peer(peer: CUcontext) -> Answer {
    // SAFETY: as said above.
    answer(unsafe { sys::cuCtxEnablePeerAccess(peer, 0) })
}

pub(crate) fn disable_peer(peer: CUcontext) -> Answer {
    // SAFETY: as said above.
    answer(unsafe { sys::cuCtxDisablePeerAccess(peer) })
}

pub(crate) fn can_access(from: c_int, to: c_int) -> Answer<bool> {
    // SAFETY: as said above.
    got(-1, |p| unsafe { sys::cuDeviceCanAccessPeer(p, from, to) }).map(|can| can != 0)
}

pub(crate) fn p2p(attribute: c_uint, from: c_int, to: c_int) -> Answer<c_int> {
    // SAFETY: as said above.
    got(-1, |p| unsafe { sys::cuDeviceGetP2PAttribute(p, attribute, from, to) })
}
