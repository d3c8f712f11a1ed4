//! The calls of the driver API over the software GPU, under the names of `cuda.h`.
//!
//! Each checks its pointers, turns them into values, and asks the safe rooms beside this one. What a call may assume of its
//! pointers is what the driver API's manual says, and is its `# Safety`.
#![allow(non_snake_case, reason = "the names of cuda.h")]
#![allow(clippy::too_many_arguments, reason = "the signatures of cuda.h")]

mod context;
mod device;
mod memory;
mod module;
mod order;

pub(crate) use context::*;
pub(crate) use device::*;
pub(crate) use memory::*;
pub(crate) use module::*;
pub(crate) use order::*;

use std::ffi::CStr;
use std::ptr::without_provenance_mut;

use crate::code::Code;
use crate::types::{c_char, c_void};

/// A handle as C has it.
fn out(handle: usize) -> *mut c_void {
    without_provenance_mut(handle)
}

/// # Safety
///
/// `text` is null or a string that ends with a zero.
unsafe fn string<'a>(text: *const c_char) -> Result<&'a str, Code> {
    if text.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| Code::INVALID_VALUE)
}

/// Writes a string and its zero into a buffer of `len` bytes, cut off where it does not fit.
///
/// # Safety
///
/// `to` is null or valid for `len` bytes.
unsafe fn write_text(to: *mut c_char, len: usize, text: &str) -> Result<(), Code> {
    if to.is_null() || len == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let cut = text.len().min(len - 1);
    // SAFETY: `cut` and the zero are at most `len` bytes, for which the caller vouches.
    unsafe {
        to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), cut);
        to.add(cut).write(0);
    }
    Ok(())
}
