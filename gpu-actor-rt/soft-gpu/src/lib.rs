//! A virtual NVIDIA device on the CPU: PTX compiled with Cranelift, lanes as coroutines.

mod block;
mod compile;
mod device;
mod error;
mod host;
mod launch;
mod memory;
mod module;
mod ptx;
mod sync;
mod token;
mod warp;

pub use device::{Device, DeviceConfig, Properties};
pub use error::{Error, LoadError, LoadErrorKind};
pub use launch::{Arg, Launch, LaunchConfig, Status};
pub use memory::{DeviceMemory, MappedMemory, MemoryInfo};
pub use module::{Function, LoadStats, Module};
