//! What goes wrong by the platform's fault plan, as the driver API says it.

mod common;

use common::{STORE, alloc, answer, function, launch, load, retain, set_current, synchronize, word};
use soft_gpu::Platform;
use soft_gpu_libcuda::{Code, sys, use_soft};

#[test]
fn each_fault_has_the_code_that_a_driver_would_answer() {
    let text = "devices=8,7.fault=oom:2,driver=12.2,0.fault=oom:2,1.fault=refuse:2,2.fault=sticky:1,3.fault=lost:1,4.fault=lost:0ms,5.cc=8.6";
    let platform = Platform::new(text.parse().unwrap()).unwrap();
    use_soft(platform.clone()).unwrap();
    // SAFETY: it takes flags alone.
    answer(unsafe { sys::cuInit(0) }).unwrap();

    // Memory runs out for one allocation.
    set_current(retain(0).unwrap());
    alloc(4).unwrap();
    assert_eq!(alloc(4), Err(Code::OUT_OF_MEMORY));
    alloc(4).unwrap();

    // So it does on the way through a pool, which has a second try for memory that is only late.
    set_current(retain(7).unwrap());
    let pooled = |len| {
        let mut memory = 0;
        // SAFETY: the pointer is to an address.
        answer(unsafe { sys::cuMemAllocAsync(&raw mut memory, len, std::ptr::null_mut()) }).map(|()| memory)
    };
    pooled(4).unwrap();
    assert_eq!(pooled(4), Err(Code::OUT_OF_MEMORY));
    pooled(4).unwrap();

    // A launch is refused, and nothing is the worse for it.
    set_current(retain(1).unwrap());
    let (k, memory) = (function(load(STORE).unwrap()).unwrap(), alloc(4).unwrap());
    launch(k, memory).unwrap();
    assert_eq!(launch(k, memory), Err(Code::LAUNCH_OUT_OF_RESOURCES));
    launch(k, memory).unwrap();
    synchronize().unwrap();
    assert_eq!(word(memory), Ok(42));

    // A device fails, or is lost: its context answers nothing any more.
    for device in [2, 3] {
        let context = retain(device).unwrap();
        set_current(context);
        let (k, memory) = (function(load(STORE).unwrap()).unwrap(), alloc(4).unwrap());
        launch(k, memory).unwrap();
        assert_eq!(synchronize(), Err(Code::LAUNCH_FAILED), "device {device}");
        assert_eq!(alloc(4), Err(Code::LAUNCH_FAILED));
        assert_eq!(word(memory), Err(Code::LAUNCH_FAILED));
        assert_eq!(load(STORE), Err(Code::LAUNCH_FAILED));
        assert_eq!(launch(k, memory), Err(Code::LAUNCH_FAILED));
    }
    assert_eq!(retain(2), Err(Code::LAUNCH_FAILED));
    // Whoever wants a context now is told that there is none to be had.
    assert_eq!(retain(3), Err(Code::DEVICE_UNAVAILABLE));

    // One that is lost from the start is counted and known by name, but has no context.
    assert_eq!(retain(4), Err(Code::DEVICE_UNAVAILABLE));

    // Texts that are too new for device or driver.
    set_current(retain(5).unwrap());
    load(STORE).unwrap();
    let newer = |from: &str, to: &str| load(&STORE.replace(from, to));
    assert_eq!(newer("sm_70", "sm_90"), Err(Code::NO_BINARY_FOR_GPU));
    assert_eq!(newer("7.0", "8.3"), Err(Code::UNSUPPORTED_PTX_VERSION));
    newer("7.0", "8.2").unwrap();

    // A device that is lost while its context is idle.
    set_current(retain(6).unwrap());
    alloc(4).unwrap();
    platform.devices()[6].break_down(soft_gpu::Breakdown::Lost);
    assert_eq!(alloc(4), Err(Code::LAUNCH_FAILED));
    assert_eq!(synchronize(), Err(Code::LAUNCH_FAILED));

    // The others have noticed nothing.
    set_current(retain(1).unwrap());
    assert_eq!(word(memory), Ok(42));
}
