//! CUDA's driver API for programs that must build without CUDA and start without a driver.
//!
//! This crate defines the `cu*` symbols of `libcuda.so.1` that `cust` 0.3.2 and gpu-actor need. Each looks, once per process, for who
//! is to answer: the vendor's driver, loaded when the program runs; the [software GPU](soft_gpu), if it was asked for; or
//! nobody, and then the answer is `CUDA_ERROR_NO_DEVICE`. [`Backend`] says how that is decided, [`backend`] who it is.
//!
//! ```
//! use soft_gpu::{Platform, PlatformConfig};
//! use soft_gpu_libcuda::{Code, sys, use_soft};
//!
//! use_soft(Platform::new(PlatformConfig::default())?)?;
//! let mut devices = 0;
//! // SAFETY: the pointer is to an int.
//! unsafe {
//!     assert_eq!(sys::cuInit(0), Code::SUCCESS.0);
//!     assert_eq!(sys::cuDeviceGetCount(&mut devices), Code::SUCCESS.0);
//! }
//! assert_eq!(devices, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Building
//!
//! A crate that links `-lcuda`, as `cust` does, needs a library of that name and finds it through `CUDA_LIBRARY_PATH`. The folder
//! `link` of this crate has an empty one in `lib64`; the symbols come from here. In a workspace, `.cargo/config.toml` sets it:
//!
//! ```toml
//! [env]
//! CUDA_LIBRARY_PATH = { value = "path/to/soft-gpu/libcuda/link", relative = true }
//! ```
//!
//! The crate must be named somewhere in the program (`use soft_gpu_libcuda as _;`), or the linker does not see it.
//!
//! # What the software GPU answers
//!
//! [`SYMBOLS`] lists the symbols and [who can answer each](Support). What it does is what the driver API's manual says, and where
//! that leaves the driver a choice on allocations, modules and contexts, the choice that is worst for the program:
//!
//! - **Synchronisation that may happen does.** Allocating and freeing device, host and managed memory, loading and unloading modules,
//!   the first question for an entry (`cuModuleGetFunction`: code may be loaded lazily), and releasing and resetting a context wait for every kernel of the context, also on non-blocking streams. A program that
//!   would hang on hardware hangs here, and after some seconds a line on stderr says which call waits for which kernel.
//!   `cuMemAllocAsync`, `cuMemFreeAsync`, asynchronous copies from and to pinned memory, records and queries do not wait.
//! - Copies from or to pageable memory, also those called asynchronous, wait for the stream.
//! - Memory is not zero when it is allocated: the first MiB of it is filled with 0xC5.
//! - Errors of kernels are sticky: every later call on that device, in any context, answers them until the process ends.
//! - A host function that calls the driver is answered `CUDA_ERROR_NOT_PERMITTED`.
//! - A process that forks after `cuInit` is answered `CUDA_ERROR_NOT_INITIALIZED` in the child.
//! - A handle that is none, or no longer one, is an error and no crash.
//!
//! `CUDA_VISIBLE_DEVICES` selects and orders the software GPU's devices as it does the vendor's, by number or UUID.
//!
//! Nothing here tells a program that it runs on hardware: the devices are named as software, and [`backend`] says so.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!(
    "soft-gpu-libcuda is for Linux on x86-64: on other targets build without the feature that needs it (gpu-actor-rt's `cuda`), \
     or link NVIDIA's own driver library"
);

mod choice;
mod code;
mod nobody;
mod soft;
mod symbols;
pub mod types;
mod vendor;

pub use choice::{AlreadyChosen, Backend, VARIABLE, backend, missing_symbols, use_soft};
pub use code::Code;
pub use symbols::{SYMBOLS, Support, Symbol, sys};
