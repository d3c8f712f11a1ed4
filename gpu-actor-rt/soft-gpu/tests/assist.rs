//! A parked block that is run by whoever comes by: what it does, who is told, how it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{device, launch, load};
use soft_gpu::{Arg, Assisted, Device, Launch, LaunchConfig, MappedMemory, Platform, Status};

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
fn await_true(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// Runs the block as soon as it has parked.
#[track_caller]
fn assist(launch: &Launch, block: u32) -> Assisted {
    let mut assisted = None;
    await_true("the block never parked", || {
        assisted = launch.assist(block);
        assisted.is_some()
    });
    assisted.unwrap()
}

/// Adds word 0 to word 16 + block each time that it is woken, with `body` in between, until word 0 is `0xffffffff`.
fn adder(device: &Device, config: LaunchConfig, memory: &MappedMemory, body: &str) -> Launch {
    let module = load(
        device,
        &format!(
            ".visible .entry k(.param .u64 mail) {{
                .reg .b64 %rd<4>; .reg .b32 %r<6>; .reg .pred %p<4>;
                ld.param.u64 %rd0, [mail];
                mov.u32 %r0, %ctaid.x;
                mad.wide.u32 %rd1, %r0, 4, %rd0;
            again:
                nanosleep.u32 1000000;
                ld.acquire.sys.u32 %r2, [%rd0];
                setp.eq.u32 %p1, %r2, 0xffffffff;
                @%p1 ret;
                ld.relaxed.sys.u32 %r3, [%rd1+64];
                add.u32 %r3, %r3, %r2;
                st.relaxed.sys.u32 [%rd1+64], %r3;
                {body}
                bra again;
            }}"
        ),
    );
    launch(device, &module, config, &[Arg::U64(memory.address())])
}

fn parking(blocks: u32) -> LaunchConfig {
    LaunchConfig::new(blocks, 1).cooperative(true).park_sleepers(true)
}

/// A deterministic device has one order, and no place for others in it.
fn is_deterministic(device: &Device) -> bool {
    device.properties().mode.schedule.is_some()
}

#[test]
fn a_parked_block_is_run_by_who_comes_by() {
    for (lanes, spin) in [(1, 0), (1, 1000), (4, 0)] {
        let device = device();
        let memory = device.alloc_mapped(256).unwrap();
        let config = parking(2).block([lanes, 1, 1]).spin(Duration::from_micros(spin));
        // Several lanes add one after the other: one of them is enough.
        let running = adder(&device, config, &memory, "");
        word(&memory, 0).store(1, Ordering::Release);
        if is_deterministic(&device) {
            assert_eq!(running.assist(0), None);
            continue;
        }
        for n in 1..100 {
            let done = assist(&running, 1);
            assert!(done.parked && !done.signalled, "{done:?}");
            // What the block did is visible at once to who ran it.
            assert_eq!(word(&memory, 17).load(Ordering::Relaxed), n * lanes);
        }
        assert_eq!(word(&memory, 16).load(Ordering::Relaxed), 0, "the other block was not asked");
        word(&memory, 0).store(u32::MAX, Ordering::Release);
        let done = assist(&running, 1);
        assert!(!done.parked, "it has ended");
        running.doorbell(0);
        assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
        assert_eq!((running.assist(0), running.assist(1), running.assist(99)), (None, None, None));
    }
}

#[test]
fn a_block_that_does_not_park_is_not_run_by_others() {
    let device = device();
    let memory = device.alloc_mapped(256).unwrap();
    let running = adder(&device, LaunchConfig::new(1, 1), &memory, "");
    assert_eq!(running.assist(0), None);
    word(&memory, 0).store(u32::MAX, Ordering::Release);
    assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
}

/// Signals of a block that somebody assists are told to that one; all others wake who waits.
#[test]
fn signals_go_to_who_assists() {
    let device = device();
    if is_deterministic(&device) {
        return;
    }
    let memory = device.alloc_mapped(256).unwrap();
    let running = adder(&device, parking(1), &memory, "pmevent 1;");
    word(&memory, 0).store(1, Ordering::Release);
    for _ in 0..10 {
        assert!(assist(&running, 0).signalled);
        assert!(!running.wait_event(Some(Duration::ZERO)), "nobody else was told");
        running.doorbell(0);
        assert!(running.wait_event(Some(PATIENCE)));
    }
}

/// A block that works long, naps or stalls goes on by itself, and who assisted is let go.
#[test]
fn an_assistant_is_not_held() {
    let long = "mov.u32 %r4, 0;
        more:
            add.u32 %r4, %r4, 1;
            ld.acquire.sys.u32 %r5, [%rd0+8];
            setp.lt.u32 %p2, %r5, %r3;
            @%p2 bra more;";
    let naps = "nap:
            nanosleep.u32 100;
            ld.acquire.sys.u32 %r5, [%rd0+8];
            setp.lt.u32 %p2, %r5, %r3;
            @%p2 bra nap;";
    for body in [long, naps] {
        let device = device();
        if is_deterministic(&device) {
            return;
        }
        let memory = device.alloc_mapped(256).unwrap();
        let running = adder(&device, parking(1), &memory, body);
        word(&memory, 0).store(1, Ordering::Release);
        for n in 1..=5 {
            let done = assist(&running, 0);
            assert!(!done.parked, "it waits until word 2 is as high as its sum");
            assert_eq!(running.assist(0), None, "its own thread has it");
            word(&memory, 2).store(n, Ordering::Release);
        }
        word(&memory, 0).store(u32::MAX, Ordering::Release);
        running.doorbell(0);
        assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
    }
}

#[test]
fn a_block_that_stalls_lets_its_assistant_go() {
    let platform = Platform::new("fault=stall:1/0/5".parse().unwrap()).unwrap();
    let device = &platform.devices()[0];
    let memory = device.alloc_mapped(256).unwrap();
    let running = adder(device, parking(1), &memory, "");
    while assist(&running, 0).parked {}
    assert_eq!(running.poll(), Status::Running);
    assert_eq!(running.assist(0), None);
    running.abort();
    assert_eq!(running.wait(Some(PATIENCE)), Status::Aborted);
}

/// Abort, failure and drop find the block wherever it is: with its thread, parked, or with an assistant.
#[test]
fn a_launch_ends_while_it_is_assisted() {
    for (body, status) in [("", "Aborted"), ("setp.gt.u32 %p2, %r3, 20; @%p2 trap;", "Failed")] {
        for _ in 0..20 {
            let device = device();
            let memory = device.alloc_mapped(256).unwrap();
            let running = adder(&device, parking(2), &memory, body);
            word(&memory, 0).store(1, Ordering::Release);
            std::thread::scope(|scope| {
                for block in [0, 1] {
                    let running = &running;
                    scope.spawn(move || {
                        while running.poll() == Status::Running {
                            if running.assist(block).is_none() {
                                running.doorbell(block);
                            }
                        }
                    });
                }
                let moved = || (16..18).any(|i| word(&memory, i).load(Ordering::Relaxed) > 20);
                await_true("nothing moves", || running.poll() != Status::Running || moved());
                if status == "Aborted" {
                    running.abort();
                }
            });
            let ended = running.wait(Some(PATIENCE));
            assert!(format!("{ended:?}").starts_with(status), "{ended:?}");
            assert_eq!(running.assist(0), None);
            drop(running);
        }
    }
}

/// Two threads count tickets in, and each rings or assists as it comes; every ticket is counted out.
#[test]
fn no_doorbell_is_lost_between_bells_and_assistants() {
    const EACH: u32 = 5000;
    for spin in [0, 20] {
        let device = device();
        let memory = device.alloc_mapped(256).unwrap();
        let module = load(
            &device,
            ".visible .entry k(.param .u64 mail) {
                .reg .b64 %rd0; .reg .b32 %r<6>; .reg .pred %p<4>;
                ld.param.u64 %rd0, [mail];
            again:
                ld.acquire.sys.u32 %r2, [%rd0];
                st.release.sys.u32 [%rd0+64], %r2;
                setp.eq.u32 %p1, %r2, 10000;
                @%p1 ret;
                nanosleep.u32 1000000;
                bra again;
            }",
        );
        let config = parking(1).spin(Duration::from_micros(spin));
        let running = launch(&device, &module, config, &[Arg::U64(memory.address())]);
        std::thread::scope(|scope| {
            for me in 0..2 {
                let (running, memory) = (&running, &memory);
                scope.spawn(move || {
                    for n in 0..EACH {
                        let mine = word(memory, 0).fetch_add(1, Ordering::AcqRel) + 1;
                        if (n + me) % 3 == 0 || running.assist(0).is_none() {
                            running.doorbell(0);
                        }
                        await_true("a ticket was not seen", || {
                            word(memory, 16).load(Ordering::Acquire) >= mine
                        });
                    }
                });
            }
        });
        assert_eq!(running.wait(Some(PATIENCE)), Status::Finished);
    }
}
