//! The seam's implementation over the CUDA driver.
//!
//! `cust` 0.3.2 is used for what it does soundly: starting the driver, devices, primary contexts. The rest goes through
//! a thin room of declarations, `ffi`, since cust lacks it or gets it wrong: it drops the flag of non-blocking streams,
//! gives no log of the compiler, has no cooperative launch, mapped memory, memory pools or peers, and its result codes are a
//! closed enum, in which the codes of a newer driver are undefined behaviour.
//!
//! # Beside a ring kernel
//!
//! A ring kernel runs until the host ends it, and many calls of the driver may wait for every kernel of a context. Such a
//! call would never return. So while a persistent kernel runs in a context,
//! - device memory comes from a memory pool in the order of a stream (or was [set aside](CudaConfig::reserve) where the device
//!   has no pools), is zeroed by the copy engine, and copies go through a pinned buffer on a stream of their own;
//! - pinned and unified memory, modules, peers and a second persistent kernel are [`DeviceError::Busy`](super::DeviceError::Busy);
//! - freeing pinned or unified memory and unloading modules wait, in a list, for the kernel's end;
//! - the device's timer is read by the ring kernel, which the runtime asks.
//!
//! So a second [`ActorSystem`](crate::ActorSystem) on the same device of the same process is `Busy`, unless it has a
//! [context of its own](CudaConfig::own_context). Another process has one in any case. A system that runs in
//! [slices](crate::Config::slice) has no kernel between two of them: another one may start then, and where both have slices they take
//! turns.
//!
//! # No killing, no bells
//!
//! A CUDA kernel cannot be killed. The runtime ends the ring kernel by an order that the workers read between messages; a
//! handler is bounded by its [budget](crate::Config::budget). A kernel that does not end within the deadline is reported, and
//! what it uses is kept, never freed under it. The device rings no bell either: workers sleep for up to a millisecond and
//! look; so does the host's poller.
//!
//! # What can go wrong
//!
//! | what | the error |
//! |---|---|
//! | no driver, no device, `CUDA_VISIBLE_DEVICES` empty | [`DeviceError::NoCuda`](super::DeviceError::NoCuda) |
//! | driver or device too old | [`DeviceError::TooOld`](super::DeviceError::TooOld) |
//! | no permission, compute mode "prohibited" or "exclusive" and taken | [`DeviceError::NotPermitted`](super::DeviceError::NotPermitted) |
//! | the driver's compiler refuses the module | [`DeviceError::Compile`](super::DeviceError::Compile), with its log |
//! | no memory | [`DeviceError::OutOfMemory`](super::DeviceError::OutOfMemory) |
//! | an illegal address, a lost device: the context is poisoned | [`DeviceError::Lost`](super::DeviceError::Lost): the process must be replaced |
//! | a call that would wait for the ring kernel | [`DeviceError::Busy`](super::DeviceError::Busy) |
//!
//! Several processes may use one device: their kernels take turns (or run side by side under MPS), and each has memory of its
//! own. An error that poisons one leaves the others alone, unless they are clients of MPS.

mod arena;
mod context;
mod device;
mod driver;
mod error;
mod ffi;
mod launch;
mod memory;
mod module;

pub use super::CudaConfig;
pub use device::{Advice, CudaDevice, Place};
pub use driver::{CudaDriver, CudaProperties, Peer};
pub use error::CudaError;
#[doc(no_inline)]
pub use soft_gpu_libcuda::{Backend, backend, use_soft};
