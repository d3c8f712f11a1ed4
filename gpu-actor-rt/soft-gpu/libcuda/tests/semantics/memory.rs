use super::*;

#[test]
fn pinned_and_managed_memory_are_the_same_memory_for_host_and_device() {
    let device = Device::new(4);
    let host = pinned(1);
    assert_eq!(address(host), host.addr() as u64);
    unsafe {
        let managed = get(|p| sys::cuMemAllocManaged(p, 4, 1));
        for (at, value) in [(address(host), 11), (managed, 12)] {
            ok(device.launch("store", null_mut(), &[at, value]));
            ok(sys::cuCtxSynchronize());
            let word = std::ptr::with_exposed_provenance_mut::<u32>(at as usize);
            assert_eq!(u64::from(atomic(word).load(Ordering::Acquire)), value);
        }
        let kind = |at| get::<u32>(|p| sys::cuPointerGetAttribute(p.cast(), 2, at));
        let is_managed = |at| get::<bool>(|p| sys::cuPointerGetAttribute(p.cast(), 8, at));
        let plain = get(|p| sys::cuMemAlloc_v2(p, 100));
        assert_eq!([address(host), managed, plain].map(kind), [1, 2, 2]);
        assert_eq!([address(host), managed, plain].map(is_managed), [false, true, false]);
        let mut size = 0;
        let base = get(|p| sys::cuMemGetAddressRange_v2(p, &raw mut size, plain + 50));
        assert_eq!((base, size), (plain, 100));
        assert_eq!(get::<i32>(|p| sys::cuPointerGetAttribute(p.cast(), 9, plain + 99)), 4);
        let mut nothing = 0_u64;
        is(sys::cuPointerGetAttribute((&raw mut nothing).cast(), 2, plain + 100), Code::INVALID_VALUE);
    }
}

#[test]
fn fresh_memory_is_not_zero_and_copies_stay_inside_of_one_allocation() {
    let _device = Device::new(4);
    unsafe {
        let memory = get(|p| sys::cuMemAlloc_v2(p, 16));
        let mut bytes = [0_u8; 17];
        ok(sys::cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), memory, 16));
        assert_eq!(bytes[..16], [0xC5; 16]);
        is(sys::cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), memory, 17), Code::INVALID_VALUE);
        is(sys::cuMemcpyHtoD_v2(memory + 15, bytes.as_ptr().cast(), 2), Code::INVALID_VALUE);
        is(sys::cuMemcpyHtoD_v2(0, bytes.as_ptr().cast(), 2), Code::INVALID_VALUE);
        is(sys::cuMemsetD8_v2(memory, 1, 17), Code::INVALID_VALUE);
        is(sys::cuMemsetD32_v2(memory + 2, 1, 1), Code::INVALID_VALUE);
        ok(sys::cuMemsetD16_v2(memory + 2, 0x0102, 3));
        ok(sys::cuMemsetD8_v2(memory + 8, 7, 2));
        let copy = get(|p| sys::cuMemAlloc_v2(p, 16));
        ok(sys::cuMemcpyDtoD_v2(copy, memory, 16));
        ok(sys::cuMemcpy(bytes.as_mut_ptr().expose_provenance() as u64, copy, 16));
        assert_eq!(bytes[..11], [0xC5, 0xC5, 2, 1, 2, 1, 2, 1, 7, 7, 0xC5]);
        is(sys::cuMemFree_v2(memory + 1), Code::INVALID_VALUE);
        is(sys::cuMemFreeHost(without_provenance_mut(memory as usize)), Code::INVALID_VALUE);
        ok(sys::cuMemFree_v2(memory));
        is(sys::cuMemFree_v2(memory), Code::INVALID_VALUE);
        is(sys::cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), memory, 1), Code::INVALID_VALUE);
        ok(sys::cuMemFree_v2(0));
        is(sys::cuMemAlloc_v2(null_mut(), 4), Code::INVALID_VALUE);
        is(sys::cuMemAlloc_v2(nowhere(), 0), Code::INVALID_VALUE);
    }
}

#[test]
fn memory_ends_and_comes_back() {
    let _device = Device::new(5);
    let free = || {
        let mut total = 0;
        let free = get(|p| unsafe { sys::cuMemGetInfo_v2(p, &raw mut total) });
        assert_eq!(total, 64 << 20);
        free
    };
    unsafe {
        let before = free();
        let most = get(|p| sys::cuMemAlloc_v2(p, before - 1000));
        is(sys::cuMemAlloc_v2(nowhere(), 1001), Code::OUT_OF_MEMORY);
        is(sys::cuMemAllocAsync(nowhere(), 1001, null_mut()), Code::OUT_OF_MEMORY);
        let last = get(|p| sys::cuMemAlloc_v2(p, 1000));
        assert_eq!(free(), 0);
        ok(sys::cuMemFree_v2(most));
        ok(sys::cuMemFree_v2(last));
        assert_eq!(free(), before);
    }
}

#[test]
fn managed_memory_is_moved_only_where_a_device_may_share_it() {
    let _device = Device::new(18);
    unsafe {
        assert_eq!(get(|p| sys::cuDeviceGetAttribute(p, 89, 18)), 0, "CONCURRENT_MANAGED_ACCESS");
        let managed = get(|p| sys::cuMemAllocManaged(p, 64, 1));
        is(sys::cuMemPrefetchAsync(managed, 64, 18, null_mut()), Code::INVALID_DEVICE);
        // SET_PREFERRED_LOCATION; the host can be one, and SET_READ_MOSTLY passes over the device.
        is(sys::cuMemAdvise(managed, 64, 3, 18), Code::INVALID_DEVICE);
        ok(sys::cuMemAdvise(managed, 64, 3, -1));
        ok(sys::cuMemAdvise(managed, 64, 1, 18));
    }
}

#[test]
fn of_several_attributes_those_that_a_pointer_lacks_are_nothing() {
    let _device = Device::new(4);
    let memory = get(|p| unsafe { sys::cuMemAlloc_v2(p, 16) });
    let ask = |address| {
        let (mut kind, mut start, mut ordinal, mut managed, mut host) = (7u32, 7u64, 7i32, true, 7u64);
        let mut attributes = [2, 11, 9, 8, 4];
        let mut places: [*mut c_void; 5] = [
            (&raw mut kind).cast(),
            (&raw mut start).cast(),
            (&raw mut ordinal).cast(),
            (&raw mut managed).cast(),
            (&raw mut host).cast(),
        ];
        let (attributes, places) = (attributes.as_mut_ptr(), places.as_mut_ptr());
        ok(unsafe { sys::cuPointerGetAttributes(5, attributes, places, address) });
        (kind, start, ordinal, managed, host)
    };
    assert_eq!(ask(memory + 4), (2, memory, 4, false, 0));
    assert_eq!(ask(&raw const memory as u64), (0, 0, -2, false, 0), "memory that the driver does not know");
}

#[test]
fn a_pool_gives_memory_out_again_beside_a_running_kernel() {
    let device = Device::new(6);
    let gate = Gate::new();
    let (held, free) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    gate.hold(&device, held, 1);
    unsafe {
        let pool = get(|p| sys::cuDeviceGetDefaultMemPool(p, 6));
        let attribute = |which| get::<u64>(|p| sys::cuMemPoolGetAttribute(pool, which, p.cast()));
        // Ten times the device's memory, in pieces of a half.
        for _ in 0..20 {
            let piece = get(|p| sys::cuMemAllocAsync(p, 32 << 20, free));
            assert_eq!(attribute(7), 32 << 20, "in use");
            ok(sys::cuMemsetD8Async(piece, 1, 32 << 20, free));
            ok(sys::cuMemFreeAsync(piece, free));
            is(sys::cuMemFreeAsync(piece, free), Code::INVALID_VALUE);
            ok(sys::cuStreamSynchronize(free));
        }
        assert_eq!((attribute(7), attribute(5)), (0, 32 << 20));
        gate.open();
        ok(sys::cuCtxSynchronize());
        assert_eq!(attribute(5), 0, "no kernel runs, and the threshold is 0");
        let mut threshold = u64::MAX;
        ok(sys::cuMemPoolSetAttribute(pool, 4, (&raw mut threshold).cast()));
        let piece = get(|p| sys::cuMemAllocAsync(p, 4096, free));
        ok(sys::cuMemFreeAsync(piece, free));
        ok(sys::cuCtxSynchronize());
        assert_eq!((attribute(5), attribute(8)), (4096, 32 << 20));
        is(sys::cuMemPoolDestroy(pool), Code::INVALID_VALUE);
    }
}

#[test]
fn contexts_are_counted_stacked_and_end_with_what_they_have() {
    start();
    unsafe {
        let state = |number| {
            let mut active = -1;
            get(|p| sys::cuDevicePrimaryCtxGetState(number, p, &raw mut active));
            active
        };
        assert_eq!(state(7), 0);
        let first = get(|p| sys::cuDevicePrimaryCtxRetain(p, 7));
        assert_eq!((get(|p| sys::cuDevicePrimaryCtxRetain(p, 7)), state(7)), (first, 1));
        ok(sys::cuCtxSetCurrent(first));
        let memory = get(|p| sys::cuMemAlloc_v2(p, 64 << 20));
        let s = stream(0);
        ok(sys::cuDevicePrimaryCtxRelease_v2(7));
        ok(sys::cuMemsetD8_v2(memory, 0, 1));
        is(sys::cuCtxDestroy_v2(first), Code::INVALID_CONTEXT);
        ok(sys::cuDevicePrimaryCtxRelease_v2(7));
        assert_eq!(state(7), 0);
        is(sys::cuDevicePrimaryCtxRelease_v2(7), Code::INVALID_CONTEXT);
        is(sys::cuMemsetD8_v2(memory, 0, 1), Code::CONTEXT_IS_DESTROYED);
        is(sys::cuStreamQuery(s), Code::INVALID_HANDLE);
        assert_eq!(get(|p| sys::cuCtxGetCurrent(p)), first, "destroyed, but still current");

        let second = get(|p| sys::cuDevicePrimaryCtxRetain(p, 7));
        ok(sys::cuCtxSetCurrent(null_mut()));
        assert!(get(|p| sys::cuCtxGetCurrent(p)).is_null());
        is(sys::cuCtxSynchronize(), Code::INVALID_CONTEXT);
        ok(sys::cuCtxPushCurrent_v2(second));
        let all = get(|p| sys::cuMemAlloc_v2(p, 64 << 20));
        let own = get(|p| sys::cuCtxCreate_v2(p, 0, 8));
        assert_eq!(get(|p| sys::cuCtxGetDevice(p)), 8);
        std::thread::spawn(|| {
            is(sys::cuCtxSynchronize(), Code::INVALID_CONTEXT);
        })
        .join()
        .unwrap();
        assert_eq!(get(|p| sys::cuCtxPopCurrent_v2(p)), own);
        assert_eq!(get(|p| sys::cuCtxGetDevice(p)), 7);
        ok(sys::cuCtxDestroy_v2(own));
        is(sys::cuCtxPushCurrent_v2(own), Code::CONTEXT_IS_DESTROYED);
        ok(sys::cuDevicePrimaryCtxReset_v2(7));
        is(sys::cuMemFree_v2(all), Code::INVALID_VALUE);
        ok(sys::cuMemFree_v2(get(|p| sys::cuMemAlloc_v2(p, 64 << 20))));
        assert_eq!(state(7), 1);
        assert_eq!(get(|p| sys::cuCtxPopCurrent_v2(p)), second);
        is(sys::cuCtxPopCurrent_v2(null_mut()), Code::INVALID_CONTEXT);
    }
}
