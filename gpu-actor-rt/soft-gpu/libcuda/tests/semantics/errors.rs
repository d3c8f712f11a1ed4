use super::*;

/// What every later call answers after a kernel has failed.
fn stuck(number: CUdevice, code: Code, spoil: impl FnOnce(&Device)) {
    let device = Device::new(number);
    let gate = Gate::new();
    let (held, s) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    let e = event(0);
    gate.hold(&device, held, 1);
    spoil(&device);
    unsafe {
        // No gate was opened: the other kernel is ended by the failure.
        is(sys::cuCtxSynchronize(), code);
        assert_eq!(gate.word(), 0);
        is(sys::cuStreamQuery(s), code);
        is(sys::cuStreamSynchronize(held), code);
        is(sys::cuEventRecord(e, s), code);
        is(sys::cuEventQuery(e), code);
        is(sys::cuMemAlloc_v2(nowhere(), 4), code);
        is(device_launch(&device), code);
        // The gate's memory goes with the context.
        drop(gate);
        ok(sys::cuDevicePrimaryCtxRelease_v2(number));
        is(sys::cuDevicePrimaryCtxRetain(nowhere(), number), code);
    }
}

fn device_launch(device: &Device) -> u32 {
    let mut function = null_mut();
    // SAFETY: the pointers are right.
    unsafe { sys::cuModuleGetFunction(&raw mut function, device.module, c"fail".as_ptr()) }
}

#[test]
fn errors_of_kernels_are_sticky() {
    stuck(13, Code::LAUNCH_FAILED, |device| ok(device.launch("fail", null_mut(), &[])));
    stuck(14, Code::ILLEGAL_ADDRESS, |device| ok(device.launch("store", null_mut(), &[8, 1])));
    stuck(15, Code::MISALIGNED_ADDRESS, |device| {
        let memory = get(|p| unsafe { sys::cuMemAllocAsync(p, 64, stream(NON_BLOCKING)) });
        ok(device.launch("store", null_mut(), &[memory + 2, 1]));
    });
    // Other devices are as before.
    Device::new(16);
}

#[test]
fn a_launch_beyond_a_limit_is_refused_by_the_call() {
    let device = Device::new(9);
    let (fail, narrow) = (device.function("fail"), device.function("narrow"));
    let launch = |f, grid: [u32; 3], block: [u32; 3], shared| unsafe {
        let [g, h, i] = grid;
        let [b, c, d] = block;
        sys::cuLaunchKernel(f, g, h, i, b, c, d, shared, null_mut(), null_mut(), null_mut())
    };
    let one = [1; 3];
    for (f, grid, block, shared) in [
        (fail, [0, 1, 1], one, 0),
        (fail, one, [1, 0, 1], 0),
        (fail, one, [1025, 1, 1], 0),
        (fail, one, [32, 32, 2], 0),
        (fail, one, [1, 1, 65], 0),
        (fail, [1, 65_536, 1], one, 0),
        (fail, [u32::MAX, 1, 1], one, 0),
        (fail, one, one, (48 << 10) + 1),
        (fail, one, one, u32::MAX),
        (narrow, one, [65, 1, 1], 0),
    ] {
        is(launch(f, grid, block, shared), Code::INVALID_VALUE);
    }
    ok(launch(narrow, one, [64, 1, 1], 48 << 10));
    unsafe {
        let attribute = |which| get(|p| sys::cuFuncGetAttribute(p, which, narrow));
        assert_eq!((attribute(0), attribute(8)), (64, 48 << 10));
        ok(sys::cuFuncSetAttribute(narrow, 8, 96 << 10));
        ok(launch(narrow, one, one, 96 << 10));
        is(sys::cuFuncSetAttribute(narrow, 8, (96 << 10) + 1), Code::INVALID_VALUE);
        is(sys::cuFuncGetAttribute(nowhere(), 4, narrow), Code::NOT_SUPPORTED);

        // As many as occupancy says fit, and one more.
        let fit = get(|p| sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(p, narrow, 64, 0));
        let sms = get(|p| sys::cuDeviceGetAttribute(p, 16, 9));
        assert_eq!(sms, 4);
        let blocks = (fit * sms) as u32;
        let cooperative = |blocks| {
            sys::cuLaunchCooperativeKernel(narrow, blocks, 1, 1, 64, 1, 1, 0, null_mut(), null_mut())
        };
        ok(cooperative(blocks));
        is(cooperative(blocks + 1), Code::COOPERATIVE_LAUNCH_TOO_LARGE);

        // A kernel with parameters and nothing for them.
        is(launch(device.function("store"), one, one, 0), Code::INVALID_VALUE);
        ok(sys::cuCtxSynchronize());
    }
}

#[test]
fn what_is_no_handle_is_an_error_and_no_crash() {
    let device = Device::new(9);
    let (s, e) = (stream(0), event(0));
    unsafe {
        for no in garbage().into_iter().chain([e]) {
            is(sys::cuStreamQuery(no), Code::INVALID_HANDLE);
            is(sys::cuStreamSynchronize(no), Code::INVALID_HANDLE);
            is(sys::cuStreamDestroy_v2(no), Code::INVALID_HANDLE);
            is(device.launch("narrow", no, &[]), Code::INVALID_HANDLE);
        }
        for no in garbage().into_iter().chain([s, null_mut()]) {
            is(sys::cuEventQuery(no), Code::INVALID_HANDLE);
            is(sys::cuEventRecord(no, s), Code::INVALID_HANDLE);
            is(sys::cuStreamWaitEvent(s, no, 0), Code::INVALID_HANDLE);
            is(sys::cuModuleUnload(no), Code::INVALID_HANDLE);
            is(sys::cuModuleGetFunction(nowhere(), no, c"x".as_ptr()), Code::INVALID_HANDLE);
            is(sys::cuLaunchKernel(no, 1, 1, 1, 1, 1, 1, 0, s, null_mut(), null_mut()), Code::INVALID_HANDLE);
            is(sys::cuCtxPushCurrent_v2(no), Code::INVALID_CONTEXT);
            is(sys::cuMemPoolDestroy(no), Code::INVALID_VALUE);
        }
        for no in [-1, 20, i32::MAX, i32::MIN] {
            is(sys::cuDeviceGet(nowhere(), no), Code::INVALID_DEVICE);
            is(sys::cuDevicePrimaryCtxRetain(nowhere(), no), Code::INVALID_DEVICE);
        }
        // Destroyed ones are none any more.
        let narrow = device.function("narrow");
        ok(sys::cuStreamDestroy_v2(s));
        is(sys::cuStreamQuery(s), Code::INVALID_HANDLE);
        ok(sys::cuModuleUnload(device.module));
        is(sys::cuModuleUnload(device.module), Code::INVALID_HANDLE);
        is(
            sys::cuLaunchKernel(narrow, 1, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), null_mut()),
            Code::INVALID_HANDLE,
        );
        // A function's context must be the stream's.
        let (here, there) = (Device::new(9), Device::new(16));
        let foreign = stream(0);
        ok(sys::cuCtxSetCurrent(here.context));
        is(here.launch("narrow", foreign, &[]), Code::INVALID_HANDLE);
        ok(there.launch("narrow", foreign, &[]));
    }
}

#[test]
fn calls_that_nobody_answers_here_say_so() {
    start();
    unsafe {
        is(sys::cuGraphCreate(nowhere(), 0), Code::NOT_SUPPORTED);
        is(sys::cuMemHostRegister_v2(null_mut(), 4, 0), Code::NOT_SUPPORTED);
        assert_eq!(get(|p| sys::cuDeviceGetAttribute(p, 99, 0)), 0, "HOST_REGISTER_SUPPORTED");
        is(sys::cuDeviceGetAttribute(nowhere(), 100_000, 0), Code::INVALID_VALUE);
        is(sys::cuInit(1), Code::INVALID_VALUE);
        assert_eq!(get(|p| sys::cuDriverGetVersion(p)), 12_080);
    }
}

#[test]
fn a_forked_child_has_no_driver() {
    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
        fn _exit(status: i32) -> !;
    }
    let _device = Device::new(9);
    // SAFETY: the child calls functions that take no lock here, and leaves.
    unsafe {
        let child = fork();
        if child == 0 {
            // Nor does it get one by asking.
            let (start, mut count) = (sys::cuInit(0), 0);
            let code = sys::cuDeviceGetCount(&raw mut count);
            _exit(if start == code { code as i32 } else { 255 });
        }
        let mut status = -1;
        assert_eq!(waitpid(child, &raw mut status, 0), child);
        assert_eq!(status, (Code::NOT_INITIALIZED.0 as i32) << 8);
    }
}
