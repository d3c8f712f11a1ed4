//! What the driver API means over the software GPU, through its symbols.
//!
//! Errors of kernels stick to a device until the process ends, so each test has devices of its own, and nothing else is shared.
//! Nothing waits for a time to pass: a kernel waits at a [`Gate`] until the test opens it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "all that is unsafe here are calls of the driver, with pointers to values of the types that it asks for"
)]

mod errors;
mod memory;
mod modules;
mod order;

use std::ffi::{CString, c_void};
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use soft_gpu::Platform;
use soft_gpu_libcuda::types::{CUcontext, CUdevice, CUdeviceptr, CUevent, CUfunction, CUmodule, CUstream};
use soft_gpu_libcuda::{Code, sys, use_soft};

/// `gate` waits until the word at `flag` is not 0, and then does what `store` does.
const PTX: &str = "
.version 7.0
.target sm_70
.address_size 64
.visible .global .align 4 .u32 word = 77;
.visible .entry gate(.param .u64 flag, .param .u64 at, .param .u32 value) {
  .reg .b64 %rd<2>;
  .reg .b32 %r<2>;
  .reg .pred %p;
  ld.param.u64 %rd0, [flag];
LOOP:
  ld.volatile.global.u32 %r0, [%rd0];
  setp.ne.u32 %p, %r0, 0;
  @%p bra OPEN;
  nanosleep.u32 100000;
  bra LOOP;
OPEN:
  ld.param.u64 %rd1, [at];
  ld.param.u32 %r1, [value];
  st.global.u32 [%rd1], %r1;
  ret;
}
.visible .entry store(.param .u64 at, .param .u32 value) {
  .reg .b64 %rd<1>;
  .reg .b32 %r<1>;
  ld.param.u64 %rd0, [at];
  ld.param.u32 %r0, [value];
  st.global.u32 [%rd0], %r0;
  ret;
}
.visible .entry fetch(.param .u64 to, .param .u64 from) {
  .reg .b64 %rd<2>;
  .reg .b32 %r<1>;
  ld.param.u64 %rd0, [to];
  ld.param.u64 %rd1, [from];
  ld.global.u32 %r0, [%rd1];
  st.global.u32 [%rd0], %r0;
  ret;
}
.visible .entry fail() { trap; }
.visible .entry narrow() .maxntid 64, 1, 1 { ret; }
";

/// The devices of the tests.
fn start() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let spec = "devices=20,memory=64M,sms=4,checked,driver=12.8,18.managed=no";
        use_soft(Platform::new(spec.parse().unwrap()).unwrap()).unwrap();
        ok(unsafe { sys::cuInit(0) });
    });
}

#[track_caller]
fn ok(code: u32) {
    assert_eq!(Code(code), Code::SUCCESS);
}

#[track_caller]
fn is(code: u32, expected: Code) {
    assert_eq!(Code(code), expected);
}

/// A result that a call writes.
#[track_caller]
fn get<T>(call: impl FnOnce(*mut T) -> u32) -> T {
    let mut value = std::mem::MaybeUninit::uninit();
    ok(call(value.as_mut_ptr()));
    // SAFETY: a call that succeeds has written its result.
    unsafe { value.assume_init() }
}

/// A device whose primary context is current, with the module above.
struct Device {
    context: CUcontext,
    module: CUmodule,
}

impl Device {
    fn new(number: CUdevice) -> Device {
        start();
        // SAFETY: the pointers are to values of the right types, and the text ends with a zero.
        unsafe {
            let context = get(|p| sys::cuDevicePrimaryCtxRetain(p, number));
            ok(sys::cuCtxSetCurrent(context));
            let text = CString::new(PTX).unwrap();
            let module = get(|p| sys::cuModuleLoadData(p, text.as_ptr().cast()));
            let device = Device { context, module };
            // The first question for an entry waits for kernels, which the tests hold. `narrow` is asked for by none that does.
            for name in ["gate", "store", "fetch", "fail"] {
                device.function(name);
            }
            device
        }
    }

    fn function(&self, name: &str) -> CUfunction {
        let name = CString::new(name).unwrap();
        // SAFETY: the name ends with a zero.
        get(|p| unsafe { sys::cuModuleGetFunction(p, self.module, name.as_ptr()) })
    }

    /// Launches one lane of a kernel that takes these arguments, each as wide as its parameter or wider.
    fn launch(&self, name: &str, stream: CUstream, args: &[u64]) -> u32 {
        let mut args: Vec<*mut c_void> =
            args.iter().map(|a| std::ptr::from_ref(a).cast_mut().cast()).collect();
        // SAFETY: little-endian, so a narrower parameter is the start of a wider argument; tests pass what the kernel may touch, or
        // the device, which is a checked one, says that it may not.
        unsafe {
            sys::cuLaunchKernel(
                self.function(name),
                1,
                1,
                1,
                1,
                1,
                1,
                0,
                stream,
                args.as_mut_ptr(),
                null_mut(),
            )
        }
    }
}

fn stream(flags: u32) -> CUstream {
    // SAFETY: the pointer is to a stream.
    get(|p| unsafe { sys::cuStreamCreate(p, flags) })
}

fn event(flags: u32) -> CUevent {
    // SAFETY: the pointer is to an event.
    get(|p| unsafe { sys::cuEventCreate(p, flags) })
}

const NON_BLOCKING: u32 = 1;

/// Words of pinned memory, zeroed.
fn pinned(words: usize) -> *mut u32 {
    // SAFETY: the pointer is to a pointer; the memory has the words.
    unsafe {
        let at: *mut u32 = get(|p| sys::cuMemHostAlloc(p, words * 4, 2)).cast();
        at.write_bytes(0, words);
        at
    }
}

fn address(at: *mut u32) -> CUdeviceptr {
    // SAFETY: the pointer is to an address.
    get(|p| unsafe { sys::cuMemHostGetDevicePointer_v2(p, at.cast(), 0) })
}

fn atomic<'a>(at: *mut u32) -> &'a AtomicU32 {
    // SAFETY: pinned memory of a test, aligned, used by atomics and kernels alone, and never freed.
    unsafe { AtomicU32::from_ptr(at) }
}

/// What kernels wait at. It opens when it is dropped, too, so that a test that fails does not hang; it must be dropped before the
/// context that it was made in ends, whose pinned memory it is in.
struct Gate {
    flag: *mut u32,
    /// What a kernel writes when it has passed.
    word: *mut u32,
}

impl Gate {
    fn new() -> Gate {
        let flag = pinned(2);
        // SAFETY: there are two words.
        Gate { flag, word: unsafe { flag.add(1) } }
    }

    /// Launches a kernel that waits here and then writes `value`.
    #[track_caller]
    fn hold(&self, device: &Device, stream: CUstream, value: u64) {
        ok(device.launch("gate", stream, &[address(self.flag), address(self.word), value]));
    }

    fn open(&self) {
        atomic(self.flag).store(1, Ordering::Release);
    }

    fn word(&self) -> u32 {
        atomic(self.word).load(Ordering::Acquire)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// What another thread may have of the driver's handles.
#[derive(Clone, Copy)]
struct Shared<T>(T);

// SAFETY: the driver's handles are for all threads.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    fn take(self) -> T {
        self.0
    }
}

/// A place for a result that nobody reads.
fn nowhere<T>() -> *mut T {
    Box::leak(Box::<T>::new_uninit()).as_mut_ptr()
}

/// Numbers that are no handles.
fn garbage() -> [*mut c_void; 3] {
    [without_provenance_mut(0x1234_5678), without_provenance_mut(usize::MAX), without_provenance_mut(16)]
}
