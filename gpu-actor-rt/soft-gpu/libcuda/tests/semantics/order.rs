use super::*;
use std::sync::mpsc::channel;

#[test]
fn streams_run_apart_and_each_in_order() {
    let device = Device::new(0);
    let gate = Gate::new();
    let other = pinned(1);
    let (a, b) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    gate.hold(&device, a, 1);
    ok(device.launch("store", a, &[address(gate.word), 2]));
    ok(device.launch("store", b, &[address(other), 3]));
    unsafe {
        ok(sys::cuStreamSynchronize(b));
        assert_eq!(atomic(other).load(Ordering::Acquire), 3, "b does not wait for a");
        is(sys::cuStreamQuery(a), Code::NOT_READY);
        ok(sys::cuStreamQuery(b));
        gate.open();
        ok(sys::cuStreamSynchronize(a));
        assert_eq!(gate.word(), 2, "the second launch came after the first");
        ok(sys::cuStreamQuery(a));
        assert_eq!(get(|p| sys::cuStreamGetFlags(a, p)), NON_BLOCKING);
        assert_eq!(get(|p| sys::cuStreamGetCtx(a, p)), device.context);
        ok(sys::cuStreamDestroy_v2(a));
    }
}

#[test]
fn the_null_stream_waits_for_blocking_streams_and_they_for_it_and_others_for_neither() {
    let device = Device::new(1);
    let gate = Gate::new();
    let words = pinned(3);
    let word = |i: usize| address(words) + 4 * i as u64;
    let (blocking, later, free) = (stream(0), stream(0), stream(NON_BLOCKING));
    gate.hold(&device, blocking, 1);
    ok(device.launch("store", null_mut(), &[word(0), 1]));
    ok(device.launch("store", later, &[word(1), 1]));
    ok(device.launch("store", free, &[word(2), 1]));
    unsafe {
        ok(sys::cuStreamSynchronize(free));
        is(sys::cuStreamQuery(null_mut()), Code::NOT_READY);
        is(sys::cuStreamQuery(without_provenance_mut(1)), Code::NOT_READY);
        is(sys::cuStreamQuery(later), Code::NOT_READY);
        let seen: Vec<u32> = (0..3).map(|i| atomic(words.add(i)).load(Ordering::Acquire)).collect();
        assert_eq!(seen, [0, 0, 1]);
        gate.open();
        ok(sys::cuStreamSynchronize(later));
        let seen: Vec<u32> = (0..3).map(|i| atomic(words.add(i)).load(Ordering::Acquire)).collect();
        assert_eq!((seen.as_slice(), gate.word()), ([1, 1, 1].as_slice(), 1));
    }
}

#[test]
fn a_synchronous_copy_waits_for_running_kernels() {
    let device = Device::new(1);
    let gate = Gate::new();
    let s = stream(0);
    let memory = get(|p| unsafe { sys::cuMemAlloc_v2(p, 4) });
    gate.hold(&device, s, 1);
    ok(device.launch("store", s, &[memory, 5]));
    let (say, heard) = channel();
    let context = Shared(device.context);
    let copy = std::thread::spawn(move || unsafe {
        let mut word = 0_u32;
        ok(sys::cuCtxSetCurrent(context.take()));
        say.send(()).unwrap();
        ok(sys::cuMemcpyDtoH_v2((&raw mut word).cast(), memory, 4));
        word
    });
    heard.recv().unwrap();
    gate.open();
    assert_eq!(copy.join().unwrap(), 5);
}

#[test]
fn events_are_the_end_of_what_came_before_them() {
    let device = Device::new(2);
    let gate = Gate::new();
    let word = pinned(1);
    let (a, b) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    let (start, end, plain) = (event(0), event(0), event(2));
    unsafe {
        ok(sys::cuEventQuery(start));
        ok(sys::cuEventSynchronize(start));
        let mut time = 0.0;
        is(sys::cuEventElapsedTime(&raw mut time, start, end), Code::INVALID_HANDLE);
        ok(sys::cuEventRecord(start, a));
        ok(sys::cuEventSynchronize(start));
        gate.hold(&device, a, 1);
        ok(sys::cuEventRecord(end, a));
        ok(sys::cuEventRecord(plain, a));
        ok(sys::cuStreamWaitEvent(b, end, 0));
        ok(device.launch("store", b, &[address(word), 9]));
        is(sys::cuEventQuery(end), Code::NOT_READY);
        is(sys::cuEventElapsedTime(&raw mut time, start, end), Code::NOT_READY);
        is(sys::cuStreamQuery(b), Code::NOT_READY);
        assert_eq!(atomic(word).load(Ordering::Acquire), 0);
        gate.open();
        ok(sys::cuStreamSynchronize(b));
        assert_eq!((gate.word(), atomic(word).load(Ordering::Acquire)), (1, 9));
        ok(sys::cuEventQuery(end));
        ok(sys::cuEventElapsedTime(&raw mut time, start, end));
        assert!(time > 0.0, "{time}");
        is(sys::cuEventElapsedTime(&raw mut time, start, plain), Code::INVALID_HANDLE);
        ok(sys::cuEventDestroy_v2(end));
        is(sys::cuEventQuery(end), Code::INVALID_HANDLE);
        is(sys::cuEventCreate((&raw mut time).cast(), 64), Code::INVALID_VALUE);
    }
}

#[test]
fn an_event_that_was_recorded_again_is_the_later_one_and_who_waits_already_waits_for_the_earlier() {
    let device = Device::new(2);
    let (first, second) = (Gate::new(), Gate::new());
    let (a, b) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    let e = event(0);
    unsafe {
        first.hold(&device, a, 1);
        ok(sys::cuEventRecord(e, a));
        ok(sys::cuStreamWaitEvent(b, e, 0));
        second.hold(&device, a, 1);
        ok(sys::cuEventRecord(e, a));
        first.open();
        ok(sys::cuStreamSynchronize(b));
        is(sys::cuEventQuery(e), Code::NOT_READY);
        second.open();
        ok(sys::cuEventSynchronize(e));
    }
}

#[test]
fn host_functions_run_in_their_turn_and_may_not_call_the_driver() {
    struct Seen {
        word: *mut u32,
        value: AtomicU32,
        answer: AtomicU32,
    }
    unsafe extern "C" fn look(data: *mut c_void) {
        // SAFETY: the test passes a `Seen` that outlives the stream's work.
        let seen = unsafe { &*data.cast::<Seen>() };
        seen.value.store(atomic(seen.word).load(Ordering::Acquire), Ordering::Release);
        let mut count = 0;
        // SAFETY: the pointer is to an int.
        seen.answer.store(unsafe { sys::cuDeviceGetCount(&raw mut count) }, Ordering::Release);
    }
    let device = Device::new(2);
    let gate = Gate::new();
    let s = stream(NON_BLOCKING);
    let seen = Seen { word: gate.word, value: AtomicU32::new(0), answer: AtomicU32::new(0) };
    gate.hold(&device, s, 4);
    unsafe {
        ok(sys::cuLaunchHostFunc(s, Some(look), (&raw const seen).cast_mut().cast()));
        ok(device.launch("store", s, &[address(gate.word), 5]));
        gate.open();
        ok(sys::cuStreamSynchronize(s));
    }
    assert_eq!(seen.value.load(Ordering::Acquire), 4, "after the first kernel and before the second");
    assert_eq!(Code(seen.answer.load(Ordering::Acquire)), Code::NOT_PERMITTED);
}

#[test]
fn what_may_wait_for_all_kernels_does_and_what_may_not_does_not() {
    let device = Device::new(3);
    let gate = Gate::new();
    let (held, free) = (stream(NON_BLOCKING), stream(NON_BLOCKING));
    let (host, e) = (pinned(4), event(0));
    let memory = get(|p| unsafe { sys::cuMemAlloc_v2(p, 64) });
    let managed = get(|p| unsafe { sys::cuMemAllocManaged(p, 64, 1) });
    gate.hold(&device, held, 1);
    unsafe {
        // Each of these would hang if it waited for the kernel.
        let pooled = get(|p| sys::cuMemAllocAsync(p, 64, free));
        ok(sys::cuMemsetD32Async(pooled, 6, 4, free));
        ok(sys::cuMemcpyDtoHAsync_v2(host.cast(), pooled, 16, free));
        ok(sys::cuMemcpyHtoDAsync_v2(memory, host.cast(), 16, free));
        ok(sys::cuMemPrefetchAsync(managed, 64, 3, free));
        ok(sys::cuMemAdvise(managed, 64, 3, 3));
        ok(sys::cuMemFreeAsync(pooled, free));
        ok(sys::cuEventRecord(e, free));
        ok(sys::cuEventSynchronize(e));
        ok(sys::cuStreamSynchronize(free));
        assert_eq!(atomic(host.add(3)).load(Ordering::Acquire), 6);
        let (mut a, mut b) = (0, 0);
        ok(sys::cuMemGetInfo_v2(&raw mut a, &raw mut b));
        is(sys::cuStreamQuery(held), Code::NOT_READY);

        // And these wait for it, though it is in a non-blocking stream.
        let calls: [fn(CUmodule) -> u32; 5] = [
            |_| sys::cuMemAlloc_v2(nowhere(), 4),
            |_| sys::cuMemHostAlloc(nowhere(), 4, 0),
            |_| sys::cuMemAllocManaged(nowhere(), 4, 1),
            |_| sys::cuCtxSynchronize(),
            // The first question for an entry loads it.
            |module| sys::cuModuleGetFunction(nowhere(), module, c"narrow".as_ptr()),
        ];
        let (say, heard) = channel();
        let waiting: Vec<_> = calls
            .into_iter()
            .map(|call| {
                let (context, word, say) = (Shared(device.context), Shared(gate.word), say.clone());
                let module = Shared(device.module);
                std::thread::spawn(move || {
                    ok(sys::cuCtxSetCurrent(context.take()));
                    say.send(()).unwrap();
                    ok(call(module.take()));
                    assert_eq!(atomic(word.take()).load(Ordering::Acquire), 1, "it did not wait");
                })
            })
            .collect();
        for _ in &waiting {
            heard.recv().unwrap();
        }
        // Not needed for the test to pass: it is what lets a call fail that does not wait.
        std::thread::sleep(std::time::Duration::from_millis(50));
        gate.open();
        for call in waiting {
            call.join().unwrap();
        }
    }
}
