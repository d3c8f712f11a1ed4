//! The handler language of gpu-actor: builder, typed IR, verifier, PTX writer and the ring kernel.
//!
//! An attribute of `gpu-actor-macros` writes, beside every handler, a function that drives a [`Builder`](builder::Builder).
//! The way from there to a device is one way: builder -> [IR](ir) -> [verifier](verify) -> [PTX](ptx), and
//! only [`Module::verify`](module::Module::verify) gives out text that a device will load.
//!
//! ```
//! use kernels_ptx::{builder::Builder, ir::ScalarType, module::Module};
//!
//! let b = Builder::kernel("fill", &[ScalarType::U64, ScalarType::U32]);
//! let (to, value) = (b.arg::<u64>(0), b.arg::<u32>(1));
//! kernels_ptx::device::st_weak::__gpu(&b, to, b.cast(value));
//! let mut module = Module::new("example");
//! module.add(b.finish()?);
//! let module = module.verify()?;
//! assert!(module.ptx().contains(".visible .entry fill("));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

// Generated code names `::gpu_actor_rt::__private`; this makes it work inside this crate too.
#[allow(unused_extern_crates)]
extern crate self as gpu_actor_rt;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("kernels-ptx lays out `usize` as 8 bytes and needs a host that does so too");

pub mod abi;
pub mod builder;
pub mod device;
pub mod dispatch;
pub mod error;
pub mod harness;
pub mod ir;
pub mod lang;
pub mod math;
pub mod module;
pub mod num;
pub mod opt;
pub mod ptx;
pub mod ring;
pub mod verify;

/// What generated code names; nothing here is stable.
#[doc(hidden)]
pub mod __private {
    pub use crate::builder::{Builder, Frame, Label, SendSlot};
    pub use crate::error::LowerError;
    pub use crate::ir::{FaultSite, Function, Kind, ScalarType, Type};
    pub use crate::lang::slice::Slice as DeviceSlice;
    pub use crate::lang::{
        Addr, Bits, Float, GpuData, GpuType, Int, Len, Num, Place, Primitive, Remainder, Scalar, SignedInt,
        SignedNum, Val,
    };
    pub use crate::lang::{
        data,
        layout::{self, Size, UnknownSize},
    };
    pub use crate::{abi, device};
}
