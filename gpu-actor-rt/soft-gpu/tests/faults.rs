//! Fault plans: what goes wrong does so when the plan says, is a typed error, and hangs nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use soft_gpu::{
    Arg, Breakdown, Device, Error, Function, Launch, LaunchConfig, Link, LoadErrorKind, MappedMemory,
    Platform, Status,
};

/// The modes that decide what a stalled block does, and what ends a launch.
const MODES: [&str; 4] = ["fast", "checked", "deterministic:1", "checked,deterministic:2"];

fn platform(text: &str) -> Platform {
    Platform::new(text.parse().unwrap()).unwrap()
}

fn device(text: &str) -> Device {
    platform(text).devices()[0].clone()
}

/// `k(p)`: each block adds 1 to the word at `p`. `spin(p)`: each block adds 1 to the word at `p`, and then goes round for ever.
/// `count(p)`: each lane of block 0 adds 1 to the word at `p` for ever, and each of another block to the next one.
const KERNELS: &str = ".version 7.0\n.target sm_70\n.address_size 64
    .visible .entry k(.param .u64 p) {
        .reg .b64 %p;
        ld.param.u64 %p, [p];
        red.global.add.u32 [%p], 1;
        ret;
    }
    .visible .entry spin(.param .u64 p) {
        .reg .b64 %p;
        ld.param.u64 %p, [p];
        red.global.add.u32 [%p], 1;
    again:
        bra again;
    }
    .visible .entry count(.param .u64 p) {
        .reg .b64 %p;
        .reg .b32 %b;
        ld.param.u64 %p, [p];
        mov.u32 %b, %ctaid.x;
        mad.wide.u32 %p, %b, 4, %p;
    again:
        red.global.add.u32 [%p], 1;
        bra again;
    }";

fn function(device: &Device, entry: &str) -> Function {
    device.load_ptx(KERNELS).unwrap().function(entry).unwrap()
}

fn try_launch(device: &Device, f: &Function, shape: (u32, u32), p: u64) -> Result<Launch, Error> {
    let config = LaunchConfig::new(shape.0, shape.1).cooperative(true);
    // SAFETY: the tests give memory that outlives the launch.
    unsafe { device.launch(f, &config, &[Arg::U64(p)]) }
}

fn word(memory: &MappedMemory, at: usize) -> u32 {
    let word = memory.host_ptr().cast::<AtomicU32>();
    assert!(at < memory.len() / 4);
    // SAFETY: the memory has that word, is aligned, and kernels use it as atomic words too.
    unsafe { word.add(at).as_ref() }.load(Ordering::Relaxed)
}

/// Waits until something holds, which it must in the end.
#[track_caller]
fn eventually(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_mins(2), "it never came about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn memory_runs_out_when_the_plan_says() {
    let out = |device: &Device, n: usize, bytes: usize| -> Vec<bool> {
        (0..n)
            .map(|_| match device.alloc(bytes) {
                Ok(_) => false,
                Err(Error::OutOfMemory { requested, .. }) => {
                    assert_eq!(requested, bytes as u64);
                    true
                }
                Err(other) => panic!("{other}"),
            })
            .collect()
    };
    assert_eq!(out(&device("fault=oom:2"), 4, 8), [false, true, false, false]);
    assert_eq!(out(&device("fault=oom:2+"), 4, 8), [false, true, true, true]);
    // What fails takes nothing, so a smaller one still goes.
    let bytes = device("fault=oom:>100");
    assert_eq!(out(&bytes, 2, 50), [false, false]);
    assert_eq!(out(&bytes, 1, 1), [true]);
    let two = platform("devices=2,seed=5,fault=oom:1/3,1.fault=oom:1");
    let (first, second) = (out(&two.devices()[0], 30, 8), out(&two.devices()[1], 30, 8));
    assert!(second[0] && first.iter().any(|f| *f) && first.iter().any(|f| !*f));
    let again = platform("devices=2,seed=5,fault=oom:1/3,1.fault=oom:1");
    assert_eq!(out(&again.devices()[0], 30, 8), first);
    assert!(matches!(device("fault=oom:1").alloc_mapped(8), Err(Error::OutOfMemory { .. })));
}

#[test]
fn a_refused_launch_leaves_the_device_as_it_was() {
    let device = device("fault=refuse:2");
    let (f, memory) = (function(&device, "k"), device.alloc_mapped(4).unwrap());
    let go = || try_launch(&device, &f, (1, 1), memory.address());
    assert_eq!(go().unwrap().wait(None), Status::Finished);
    assert!(matches!(go(), Err(Error::LaunchRefused { function }) if function == "k"));
    assert_eq!(go().unwrap().wait(None), Status::Finished);
    assert_eq!(word(&memory, 0), 2);
}

/// What every call of a broken device answers.
fn assert_broken(platform: &Platform, is: impl Fn(&Error) -> bool) {
    let [device, other] = platform.devices() else { panic!("two devices") };
    let mut errors = vec![
        device.health().unwrap_err(),
        device.alloc(1).unwrap_err(),
        device.alloc_mapped(1).unwrap_err(),
        device.copy_to_device(1, &[1]).unwrap_err(),
        device.copy_from_device(&mut [1], 1).unwrap_err(),
        platform.copy_peer(0, 1, 1, 1, 1).unwrap_err(),
        platform.copy_peer(1, 1, 0, 1, 1).unwrap_err(),
        platform.enable_peer(0, 1).unwrap_err(),
        platform.enable_peer(1, 0).unwrap_err(),
    ];
    // Another device's module, since a broken one loads none.
    errors.push(try_launch(device, &function(other, "k"), (1, 1), 1).unwrap_err());
    for error in errors {
        assert!(is(&error), "{error}");
    }
    let error = device.load_ptx(KERNELS).unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Device);
    assert!(error.to_string().contains("device 0"), "{error}");
    assert_eq!(other.health(), Ok(()), "the other device goes on");
    let memory = other.alloc_mapped(4).unwrap();
    assert_eq!(
        try_launch(other, &function(other, "k"), (1, 1), memory.address()).unwrap().wait(None),
        Status::Finished
    );
}

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::DeviceLost { index: 0, name } if name == "Software GPU")
}

fn is_sticky(error: &Error) -> bool {
    matches!(error, Error::Sticky { index: 0, .. })
}

#[test]
fn a_device_is_lost_at_a_launch_and_says_so_ever_after() {
    for mode in MODES {
        let platform = platform(&format!("devices=2,{mode},0.fault=lost:2"));
        let device = &platform.devices()[0];
        let (k, spin) = (function(device, "k"), function(device, "spin"));
        let memory = device.alloc_mapped(4).unwrap();
        // One that ended before is none of its business; one that runs ends.
        let ended = try_launch(device, &k, (1, 1), memory.address()).unwrap();
        assert_eq!(ended.wait(None), Status::Finished);
        let lost = try_launch(device, &spin, (2, 1), memory.address()).unwrap();
        assert!(matches!(lost.wait(None), Status::Failed(error) if is_lost(&error)));
        assert_eq!(ended.poll(), Status::Finished);
        assert_eq!(word(&memory, 0), 1, "the launch that is lost ran nothing");
        assert_broken(&platform, is_lost);
        assert!(is_lost(&device.reset().unwrap_err()));
        device.break_down(Breakdown::Sticky);
        assert!(is_lost(&device.health().unwrap_err()), "what is lost stays lost");
    }
}

#[test]
fn a_device_that_has_failed_comes_back_when_it_is_reset() {
    for mode in MODES {
        let platform = platform(&format!("devices=2,{mode},0.fault=sticky:1"));
        let device = &platform.devices()[0];
        let (k, memory) = (function(device, "k"), device.alloc_mapped(4).unwrap());
        let failed = try_launch(device, &k, (1, 1), memory.address()).unwrap();
        assert!(matches!(failed.wait(None), Status::Failed(error) if is_sticky(&error)));
        assert_broken(&platform, is_sticky);
        device.reset().unwrap();
        assert_eq!(try_launch(device, &k, (1, 1), memory.address()).unwrap().wait(None), Status::Finished);
        assert_eq!(word(&memory, 0), 1);
    }
}

#[test]
fn a_breakdown_ends_everything_that_runs() {
    for (mode, lanes) in MODES.into_iter().flat_map(|mode| [(mode, 1), (mode, 40)]) {
        let platform = platform(&format!("devices=2,{mode}"));
        let device = &platform.devices()[0];
        let (spin, memory) = (function(device, "spin"), device.alloc_mapped(4).unwrap());
        let launches: Vec<Launch> =
            (0..2).map(|_| try_launch(device, &spin, (2, lanes), memory.address()).unwrap()).collect();
        eventually(|| word(&memory, 0) == 4 * lanes);
        device.break_down(Breakdown::Lost);
        for launch in &launches {
            assert!(matches!(launch.wait(None), Status::Failed(error) if is_lost(&error)));
        }
        assert_broken(&platform, is_lost);
    }
}

#[test]
fn a_breakdown_comes_by_the_clock_too() {
    let plan = platform("devices=2,0.fault=lost:0ms");
    assert_broken(&plan, is_lost);
    let device = device("fault=sticky:30ms");
    // The clock may be faster than the launch.
    let ended = device.load_ptx(KERNELS).ok().and_then(|module| {
        let memory = device.alloc_mapped(4).ok()?;
        let launch = try_launch(&device, &module.function("spin").unwrap(), (2, 1), memory.address()).ok()?;
        Some(launch.wait(None))
    });
    assert!(ended.is_none_or(|status| matches!(status, Status::Failed(error) if is_sticky(&error))));
    eventually(|| device.health().is_err());
    // A device that is gone before its time leaves nothing behind that waits.
    drop(platform("devices=2,fault=lost:4000000s"));
}

#[test]
fn a_stalled_block_gets_no_further_and_the_others_go_on() {
    for (mode, lanes) in MODES.into_iter().flat_map(|mode| [(mode, 1), (mode, 3)]) {
        let device = device(&format!("{mode},fault=stall:2/1/5"));
        let (count, memory) = (function(&device, "count"), device.alloc_mapped(12).unwrap());
        let go = || try_launch(&device, &count, (3, lanes), memory.address()).unwrap();
        // The first launch is not meant.
        let first = go();
        eventually(|| (0..3).all(|block| word(&memory, block) > 100));
        first.abort();
        assert_eq!(first.wait(None), Status::Aborted);
        let memory = device.alloc_mapped(12).unwrap();
        let second = try_launch(&device, &count, (3, lanes), memory.address()).unwrap();
        eventually(|| [0, 2].iter().all(|block| word(&memory, *block) > 100_000) && word(&memory, 1) >= 5);
        // Its lanes took five back-edges together, and each was before its next one at most.
        let stalled = word(&memory, 1);
        assert!((5..=5 + lanes).contains(&stalled), "{mode}, {lanes} lanes: {stalled}");
        assert_eq!(second.poll(), Status::Running);
        second.abort();
        assert_eq!(second.wait(None), Status::Aborted);
        // To stop, each lane goes on to its next back-edge at most.
        assert!(word(&memory, 1) <= 5 + 2 * lanes);
    }
}

#[test]
fn peer_copies_fail_or_take_their_time() {
    let platform = platform("devices=2,0.fault=copy:2,1.fault=copy:>3,1.fault=slow:2ms");
    let [first, second] = platform.devices() else { panic!("two devices") };
    let (a, b) = (first.alloc(4).unwrap(), second.alloc(4).unwrap());
    first.copy_to_device(a.address(), &[1, 2, 3, 4]).unwrap();
    let there = || platform.copy_peer(1, b.address(), 0, a.address(), 4);
    let back = |bytes| platform.copy_peer(0, a.address(), 1, b.address(), bytes);
    there().unwrap();
    assert_eq!(there(), Err(Error::CopyFailed { from: 0, to: 1, link: Link::Pcie }));
    there().unwrap();
    let begin = Instant::now();
    back(3).unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(2));
    assert_eq!(back(1), Err(Error::CopyFailed { from: 1, to: 0, link: Link::Pcie }));
    assert_eq!(platform.traffic(1, 0).copies, 1, "what fails is not counted");
    // The same, asked of a device; devices of two platforms are no peers.
    first.copy_from_peer(a.address(), first, b.address(), 1).unwrap_err();
    assert!(matches!(
        first.copy_from_peer(a.address(), second, b.address(), 4),
        Err(Error::CopyFailed { .. })
    ));
    assert_eq!(first.copy_from_peer(a.address(), &device(""), b.address(), 1), Err(Error::OtherPlatform));
    let fault = "devices=1,fault=oom:1".parse().map(|mut config: soft_gpu::PlatformConfig| {
        config.faults.faults[0].device = Some(1);
        config
    });
    assert!(matches!(Platform::new(fault.unwrap()), Err(Error::InvalidConfig { .. })));
}
