//! The few answers that there are where no driver is: everything else is `CUDA_ERROR_NO_DEVICE`.
#![allow(non_snake_case, reason = "the names of cuda.h")]

use crate::code::Code;
use crate::soft::write;
use crate::types::{c_char, c_int, c_uint};

pub(crate) unsafe fn cuInit(_flags: c_uint) -> Code {
    Code::NO_DEVICE
}

/// 0, as the runtime API answers where no driver is installed.
pub(crate) unsafe fn cuDriverGetVersion(version: *mut c_int) -> Code {
    // SAFETY: the caller vouches for the pointer.
    match unsafe { write(version, 0) } {
        Ok(()) => Code::SUCCESS,
        Err(code) => code,
    }
}

pub(crate) unsafe fn cuGetErrorName(error: c_uint, name: *mut *const c_char) -> Code {
    let found = Code(error).name();
    // SAFETY: the caller vouches for the pointer.
    match unsafe { write(name, found.map_or(std::ptr::null(), std::ffi::CStr::as_ptr)) } {
        Ok(()) if found.is_some() => Code::SUCCESS,
        _ => Code::INVALID_VALUE,
    }
}

pub(crate) unsafe fn cuGetErrorString(error: c_uint, text: *mut *const c_char) -> Code {
    let found = Code(error).text();
    // SAFETY: the caller vouches for the pointer.
    match unsafe { write(text, found.map_or(std::ptr::null(), std::ffi::CStr::as_ptr)) } {
        Ok(()) if found.is_some() => Code::SUCCESS,
        _ => Code::INVALID_VALUE,
    }
}
