//! The host beside a running kernel: mapped memory, doorbells, events, and blocks that park.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{device, launch, load};
use soft_gpu::{Arg, Device, Launch, LaunchConfig, MappedMemory, Status};

/// How long a test waits for something that must happen before it says that it did not.
const PATIENCE: Duration = Duration::from_mins(1);

/// A word of mapped memory.
fn word(memory: &MappedMemory, index: usize) -> &AtomicU32 {
    assert!(index * 4 + 4 <= memory.len());
    let at = memory.host_ptr().cast::<AtomicU32>();
    // SAFETY: the word lies in the memory, is aligned, and host and kernels access it atomically only.
    unsafe { at.add(index).as_ref() }
}

#[track_caller]
fn await_value(word: &AtomicU32, value: u32) {
    let deadline = Instant::now() + PATIENCE;
    while word.load(Ordering::Acquire) != value {
        assert!(Instant::now() < deadline, "still {}, not {value}", word.load(Ordering::Acquire));
        std::thread::yield_now();
    }
}

/// Echoes word 0 to word 16 + block until it is `0xffffffff`, and sleeps `nap` ns where there is nothing new. Word
/// 64 + block counts the times that it looked.
fn echo(device: &Device, config: LaunchConfig, nap: u32, memory: &MappedMemory, event: &str) -> Launch {
    let module = load(
        device,
        &format!(
            ".visible .entry k(.param .u64 mail) {{
                .reg .b64 %rd<4>; .reg .b32 %r<6>; .reg .pred %p<4>;
                ld.param.u64 %rd0, [mail];
                mov.u32 %r0, %ctaid.x;
                mad.wide.u32 %rd1, %r0, 4, %rd0;
                mov.u32 %r1, 0;
            again:
                ld.relaxed.sys.u32 %r3, [%rd1+256];
                add.u32 %r3, %r3, 1;
                st.relaxed.sys.u32 [%rd1+256], %r3;
                ld.acquire.sys.u32 %r2, [%rd0];
                setp.eq.u32 %p0, %r2, %r1;
                @%p0 bra nothing;
                mov.u32 %r1, %r2;
                st.release.sys.u32 [%rd1+64], %r2;
                {event}
                setp.eq.u32 %p1, %r2, 0xffffffff;
                @%p1 ret;
                bra again;
            nothing:
                nanosleep.u32 {nap};
                bra again;
            }}"
        ),
    );
    launch(device, &module, config, &[Arg::U64(memory.address())])
}

#[test]
fn host_and_kernel_talk_through_mapped_memory() {
    for nap in [20, 500, 5_000, 100_000] {
        for lanes in [1, 4] {
            let device = device();
            let memory = device.alloc_mapped(1024).unwrap();
            let running = echo(&device, LaunchConfig::new(1, lanes), nap, &memory, "");
            for n in (1..200).chain([u32::MAX]) {
                word(&memory, 0).store(n, Ordering::Release);
                await_value(word(&memory, 16), n);
            }
            assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
        }
    }
}

/// A block that parks between messages hears every doorbell, whether it comes before, during or after the park.
#[test]
fn no_doorbell_is_lost() {
    for lanes in [1, 3] {
        let device = device();
        let memory = device.alloc_mapped(1024).unwrap();
        let config = LaunchConfig::new(2, lanes).cooperative(true).park_sleepers(true);
        let running = echo(&device, config, 1_000_000, &memory, "");
        for n in (1..3000).chain([u32::MAX]) {
            word(&memory, 0).store(n, Ordering::Release);
            running.doorbell(0);
            running.doorbell(1);
            await_value(word(&memory, 16), n);
            await_value(word(&memory, 17), n);
            if n % 64 == 0 {
                // Long enough for the blocks to park.
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
        // Doorbells of blocks that do not exist, or have ended, are nothing.
        running.doorbell(0);
        running.doorbell(99);
    }
}

/// A parked block does nothing at all: it looks at its mail no more often than it was woken.
#[test]
fn parked_blocks_stay_parked() {
    let device = device();
    let memory = device.alloc_mapped(1024).unwrap();
    let config = LaunchConfig::new(1, 1).park_sleepers(true);
    let running = echo(&device, config, 1_000_000, &memory, "");
    word(&memory, 0).store(1, Ordering::Release);
    running.doorbell(0);
    await_value(word(&memory, 16), 1);
    for _ in 0..5 {
        let looks = word(&memory, 64).load(Ordering::Relaxed);
        running.doorbell(0);
        let deadline = Instant::now() + PATIENCE;
        while word(&memory, 64).load(Ordering::Relaxed) == looks {
            assert!(Instant::now() < deadline, "the doorbell was not heard");
            std::thread::yield_now();
        }
    }
    std::thread::sleep(Duration::from_millis(50));
    // It looks once when it starts, once after the mail, and once for each of the six doorbells.
    let looks = word(&memory, 64).load(Ordering::Relaxed);
    assert!(looks <= 8, "{looks} looks");
    running.abort();
    assert_eq!(running.wait(Some(PATIENCE)), Status::Aborted);
}

#[test]
fn parked_kernels_are_aborted() {
    for lanes in [1, 32] {
        let device = device();
        let memory = device.alloc_mapped(1024).unwrap();
        let config = LaunchConfig::new(4, lanes).cooperative(true).park_sleepers(true);
        let running = echo(&device, config, 1_000_000, &memory, "");
        for block in 0..4 {
            let deadline = Instant::now() + PATIENCE;
            while word(&memory, 64 + block).load(Ordering::Relaxed) == 0 {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
        }
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(running.poll(), Status::Running);
        running.abort();
        assert_eq!(running.wait(Some(PATIENCE)), Status::Aborted);
    }
}

/// Two blocks pass a number to and fro, and park whenever it is not their turn; `pmevent 0` wakes the other.
#[test]
fn blocks_wake_each_other() {
    for lanes in [1, 2] {
        let device = device();
        let memory = device.alloc_mapped(256).unwrap();
        let module = load(
            &device,
            ".visible .entry k(.param .u64 mail) {
                .reg .b64 %rd0; .reg .b32 %r<6>; .reg .pred %p<4>;
                ld.param.u64 %rd0, [mail];
                mov.u32 %r5, %tid.x;
                setp.ne.u32 %p3, %r5, 0;
                @%p3 bra others;
                mov.u32 %r0, %ctaid.x;
            again:
                ld.acquire.gpu.u32 %r1, [%rd0];
                setp.ge.u32 %p0, %r1, 2000;
                @%p0 bra done;
                and.b32 %r2, %r1, 1;
                setp.ne.u32 %p1, %r2, %r0;
                @%p1 bra wait;
                add.u32 %r1, %r1, 1;
                st.release.gpu.u32 [%rd0], %r1;
                pmevent 0;
                bra again;
            wait:
                nanosleep.u32 1000000;
                bra again;
            done:
                pmevent 0;
                ret;
            others:
                // Sleeps until the end, without a turn of its own.
                ld.acquire.gpu.u32 %r1, [%rd0];
                setp.ge.u32 %p0, %r1, 2000;
                @%p0 ret;
                nanosleep.u32 1000000;
                bra others;
            }",
        );
        let config = LaunchConfig::new(2, lanes).cooperative(true).park_sleepers(true);
        let running = launch(&device, &module, config, &[Arg::U64(memory.address())]);
        assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
        assert_eq!(word(&memory, 0).load(Ordering::Acquire), 2000);
    }
}

#[test]
fn events_reach_the_host() {
    let device = device();
    let memory = device.alloc_mapped(1024).unwrap();
    let config = LaunchConfig::new(1, 1).park_sleepers(true);
    let running = echo(&device, config, 1_000_000, &memory, "pmevent 1; pmevent 7;");
    assert!(!running.wait_event(Some(Duration::from_millis(5))));
    for n in 1..500 {
        word(&memory, 0).store(n, Ordering::Release);
        running.doorbell(0);
        assert!(running.wait_event(Some(PATIENCE)));
        assert_eq!(word(&memory, 16).load(Ordering::Acquire), n);
    }
    // An event before the wait is not lost, and several of them are one.
    for n in [1000, 1001, 1002] {
        word(&memory, 0).store(n, Ordering::Release);
        running.doorbell(0);
        await_value(word(&memory, 16), n);
    }
    // The event follows the echo: a look after it is proof that all have happened.
    let looks = word(&memory, 64).load(Ordering::Relaxed);
    running.doorbell(0);
    let deadline = Instant::now() + PATIENCE;
    while word(&memory, 64).load(Ordering::Relaxed) == looks {
        assert!(Instant::now() < deadline);
    }
    assert!(running.wait_event(None));
    assert!(!running.wait_event(Some(Duration::from_millis(5))));
    // The end of the launch ends the wait.
    word(&memory, 0).store(u32::MAX, Ordering::Release);
    running.doorbell(0);
    assert!(running.wait_event(Some(PATIENCE)));
    assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
    assert!(!running.wait_event(None));
}

#[test]
fn waiting_for_an_event_ends_with_the_launch() {
    let device = device();
    let memory = device.alloc_mapped(1024).unwrap();
    let running = echo(&device, LaunchConfig::new(1, 1), 1000, &memory, "");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| running.wait_event(None));
        std::thread::sleep(Duration::from_millis(5));
        running.abort();
        assert!(!waiter.join().unwrap());
    });
    assert_eq!(running.wait(Some(PATIENCE)), Status::Aborted);
}

/// Two ordered loads of one word in a row are two loads: sooner or later they differ while the host counts.
#[test]
fn ordered_loads_are_not_merged() {
    for order in ["relaxed.sys", "acquire.gpu", "volatile"] {
        let device = device();
        let memory = device.alloc_mapped(64).unwrap();
        // Enough work in between that no processor does both at the same moment.
        let work = "mad.lo.u32 %r2, %r2, %r0, 1;\n".repeat(1000);
        let module = load(
            &device,
            &format!(
                ".visible .entry k(.param .u64 at) {{
                    .reg .b64 %rd0; .reg .b32 %r<3>; .reg .pred %p;
                    ld.param.u64 %rd0, [at];
                again:
                    ld.{order}.u32 %r0, [%rd0];
                    {work}
                    ld.{order}.u32 %r1, [%rd0];
                    st.u32 [%rd0+32], %r2;
                    setp.eq.u32 %p, %r0, %r1;
                    @%p bra again;
                    ret;
                }}"
            ),
        );
        let running = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(memory.address())]);
        let deadline = Instant::now() + PATIENCE;
        while running.poll() == Status::Running {
            assert!(Instant::now() < deadline, "`{order}`: the loads never differ");
            for _ in 0..1000 {
                word(&memory, 0).fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_eq!(running.poll(), Status::Finished);
    }
}

/// The host copies while the kernel writes: what it reads is what the kernel has written, word for word.
#[test]
fn copies_beside_a_running_kernel() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 at) {
            .reg .b64 %rd0; .reg .b64 %n; .reg .b32 %r<3>; .reg .pred %p<2>;
            ld.param.u64 %rd0, [at];
            mov.u64 %n, 0;
        again:
            add.u64 %n, %n, 0x100000001;
            st.relaxed.sys.u64 [%rd0+8], %n;
            ld.relaxed.sys.u32 %r0, [%rd0];
            setp.eq.u32 %p0, %r0, 0;
            @%p0 bra again;
            ret;
        }",
    );
    let memory = device.alloc(64).unwrap();
    let running = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(memory.address())]);
    let mut last = 0;
    for _ in 0..2000 {
        let mut bytes = [0; 24];
        device.copy_from_device(&mut bytes, memory.address()).unwrap();
        let value = u64::from_ne_bytes(bytes[8..16].try_into().unwrap());
        // Both halves are of the same write.
        assert_eq!(value as u32, (value >> 32) as u32);
        assert!(value as u32 >= last);
        last = value as u32;
    }
    device.copy_to_device(memory.address(), &1_u32.to_ne_bytes()).unwrap();
    assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
}
