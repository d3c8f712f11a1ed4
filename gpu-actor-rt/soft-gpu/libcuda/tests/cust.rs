//! The real `cust` crate, unmodified, on the software GPU: what it links is this crate's symbols.

use cust::context::{Context, CurrentContext};
use cust::event::{Event, EventFlags};
use cust::memory::{CopyDestination, DeviceBuffer, GpuBuffer, LockedBuffer, UnifiedBuffer};
use cust::module::{Module, ModuleJitOption};
use cust::stream::{Stream, StreamFlags};
use cust::{CudaFlags, launch};
use soft_gpu::Platform;
use soft_gpu_libcuda::{Backend, backend, use_soft};

const PTX: &str = "
.version 7.0
.target sm_70
.address_size 64
.visible .global .align 4 .u32 factor = 3;
.visible .entry scale(.param .u64 xs, .param .u32 n) {
  .reg .b64 %rd<3>;
  .reg .b32 %r<6>;
  .reg .pred %p;
  ld.param.u64 %rd0, [xs];
  ld.param.u32 %r0, [n];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r1, %r1, %r2, %r3;
  setp.ge.u32 %p, %r1, %r0;
  @%p bra END;
  mad.wide.u32 %rd1, %r1, 4, %rd0;
  ld.global.u32 %r4, [%rd1];
  ld.global.u32 %r5, [factor];
  mul.lo.u32 %r4, %r4, %r5;
  st.global.u32 [%rd1], %r4;
END:
  ret;
}";

#[test]
fn cust_runs_a_kernel_from_end_to_end() {
    // ANCHOR: soft
    let platform = Platform::new("devices=2,memory=256M,driver=12.8".parse().unwrap()).unwrap();
    use_soft(platform).unwrap();
    // ANCHOR_END: soft
    assert_eq!(backend(), Backend::Soft);
    cust::init(CudaFlags::empty()).unwrap();
    assert_eq!(cust::CudaApiVersion::get().unwrap().major(), 12);
    assert_eq!(cust::device::Device::num_devices().unwrap(), 2);
    let device = cust::device::Device::get_device(1).unwrap();
    assert_eq!(device.name().unwrap(), "Software GPU");
    assert_eq!(device.total_memory().unwrap(), 256 << 20);
    let _context = Context::new(device).unwrap();
    assert_eq!(CurrentContext::get_device().unwrap().as_raw(), 1);

    let module = Module::from_ptx(PTX, &[ModuleJitOption::MaxRegisters(64)]).unwrap();
    let scale = module.get_function("scale").unwrap();
    let stream = Stream::new(StreamFlags::DEFAULT, None).unwrap();
    let host: Vec<u32> = (0..1000).collect();
    let xs = DeviceBuffer::from_slice(&host).unwrap();
    let (start, end) = (Event::new(EventFlags::DEFAULT).unwrap(), Event::new(EventFlags::DEFAULT).unwrap());
    start.record(&stream).unwrap();
    // SAFETY: the kernel touches the 1000 words that it is told of.
    unsafe { launch!(scale<<<8, 128, 0, stream>>>(xs.as_device_ptr(), 1000_u32)) }.unwrap();
    end.record(&stream).unwrap();
    stream.synchronize().unwrap();
    assert!(end.elapsed_time_f32(&start).unwrap() > 0.0);
    let mut back = vec![0; 1000];
    xs.copy_to(&mut back).unwrap();
    assert!(back.iter().zip(0..).all(|(x, i)| *x == 3 * i));

    let symbol = module.get_global::<u32>(c"factor").unwrap();
    let mut factor = 0;
    symbol.copy_to(&mut factor).unwrap();
    assert_eq!(factor, 3);

    // Pinned and managed memory: the kernel and the host have the same words.
    let pinned = LockedBuffer::new(&7_u32, 64).unwrap();
    let managed = UnifiedBuffer::new(&9_u32, 64).unwrap();
    // SAFETY: both have 64 words, and the host does not touch them until the stream is done.
    unsafe {
        launch!(scale<<<1, 64, 0, stream>>>(pinned.as_ptr() as u64, 64_u32)).unwrap();
        launch!(scale<<<1, 64, 0, stream>>>(managed.as_device_ptr(), 64_u32)).unwrap();
    }
    stream.synchronize().unwrap();
    assert!(pinned.iter().all(|x| *x == 21) && managed.iter().all(|x| *x == 27));

    let bad = Module::from_ptx(
        ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k() { nonsense; }",
        &[],
    );
    assert_eq!(bad.unwrap_err(), cust::error::CudaError::InvalidPtx);
}
