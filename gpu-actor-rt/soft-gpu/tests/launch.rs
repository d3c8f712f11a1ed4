//! Launches: shapes and their limits, arguments, residency, stopping, and what happens to memory meanwhile.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::time::Duration;

use common::{device, launch, load, words};
use soft_gpu::{Arg, Device, DeviceConfig, Error, Launch, LaunchConfig, LaunchRule, Module, Status};

/// Counts the lanes that ran: `atom.add` on the first word, and one store per lane behind it.
const COUNT: &str = ".visible .entry k(.param .u64 out) {
    .reg .b64 %rd<3>; .reg .b32 %r<6>;
    ld.param.u64 %rd0, [out];
    mov.u32 %r0, %ctaid.x; mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x;
    mad.lo.u32 %r3, %r0, %r1, %r2;
    mad.wide.u32 %rd1, %r3, 4, %rd0;
    atom.add.u32 %r4, [%rd0], 1;
    red.add.u32 [%rd1+4], 1;
    ret;
}";

const FOREVER: &str = ".visible .entry k(.param .u64 out) {
    .reg .b64 %rd0;
    ld.param.u64 %rd0, [out];
    st.release.sys.u32 [%rd0], 1;
again:
    bra again;
}";

/// Waits until the word at `address` is not zero: the kernel runs.
fn started(device: &Device, address: u64) {
    while words(device, address, 1)[0] == 0 {
        std::thread::yield_now();
    }
}

fn try_launch(
    device: &Device,
    module: &Module,
    config: &LaunchConfig,
    args: &[Arg],
) -> Result<Launch, Error> {
    // SAFETY: the launches that this is used for are refused, or touch only the memory they are given.
    unsafe { device.launch(&module.function("k").unwrap(), config, args) }
}

#[test]
fn every_lane_of_every_block_runs_once() {
    let device = device();
    let module = load(&device, COUNT);
    for (blocks, lanes) in [(1, 1), (1, 1024), (10_000, 1), (300, 33), (3, 1000)] {
        let n = (blocks * lanes) as usize;
        let out = device.alloc(4 + n * 4).unwrap();
        let running = launch(&device, &module, LaunchConfig::new(blocks, lanes), &[Arg::U64(out.address())]);
        assert_eq!(running.wait(None), Status::Finished);
        assert_eq!(running.poll(), Status::Finished);
        let counts = words(&device, out.address(), n + 1);
        assert_eq!(counts[0] as usize, n);
        assert!(counts[1..].iter().all(|c| *c == 1), "{blocks} blocks of {lanes}");
    }
}

/// All blocks of a cooperative launch wait for each other, which only blocks that are resident together can.
#[test]
fn cooperative_blocks_are_resident_together() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd0; .reg .b32 %r<4>; .reg .pred %p;
            ld.param.u64 %rd0, [out];
            atom.add.release.gpu.u32 %r0, [%rd0], 1;
            mov.u32 %r1, %nctaid.x;
        meet:
            ld.acquire.gpu.u32 %r2, [%rd0];
            nanosleep.u32 2000;
            setp.lt.u32 %p, %r2, %r1;
            @%p bra meet;
            ret;
        }",
    );
    let most = device.properties().max_cooperative_blocks;
    for blocks in [2, 16, most] {
        let out = device.alloc(4).unwrap();
        let config = LaunchConfig::new(blocks, 1).cooperative(true);
        let running = launch(&device, &module, config, &[Arg::U64(out.address())]);
        assert_eq!(running.wait(None), Status::Finished);
        assert_eq!(words(&device, out.address(), 1), [blocks]);
    }
    let out = device.alloc(4).unwrap();
    let config = LaunchConfig::new(most + 1, 1).cooperative(true);
    let error = try_launch(&device, &module, &config, &[Arg::U64(out.address())]).unwrap_err();
    assert!(matches!(&error, Error::InvalidLaunch { function, .. } if function == "k"), "{error}");
    assert!(error.to_string().contains(&most.to_string()), "{error}");
}

#[test]
fn shapes_beyond_the_limits_are_refused() {
    let device = device();
    let module = load(&device, COUNT);
    let out = device.alloc(8).unwrap();
    let refused = |config: LaunchConfig, broken: LaunchRule, hint: &str| {
        let error = try_launch(&device, &module, &config, &[Arg::U64(out.address())]).unwrap_err();
        assert!(matches!(error, Error::InvalidLaunch { rule, .. } if rule == broken), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
    };
    let one = LaunchConfig::new(1, 1);
    refused(LaunchConfig::new(1, 1025), LaunchRule::BlockAxis, "1024");
    refused(one.block([32, 32, 2]), LaunchRule::BlockLanes, "2048 lanes");
    refused(one.block([1, 1, 65]), LaunchRule::BlockAxis, "64");
    refused(one.block([u32::MAX, u32::MAX, u32::MAX]), LaunchRule::BlockAxis, "1024");
    refused(LaunchConfig::new(1, 0), LaunchRule::NotEmpty, "at least 1");
    refused(LaunchConfig::new(0, 1), LaunchRule::NotEmpty, "at least 1");
    refused(one.grid([1, 65_536, 1]), LaunchRule::GridAxis, "65535");
    refused(one.grid([1 << 31, 1, 1]), LaunchRule::GridAxis, "2147483647");
    refused(one.grid([1 << 30, 1 << 15, 1 << 15]), LaunchRule::GridBlocks, "blocks");
    refused(one.shared_bytes(97 << 10), LaunchRule::SharedMemory, "shared memory");
    refused(one.shared_bytes(u32::MAX), LaunchRule::SharedMemory, "shared memory");
    refused(LaunchConfig::new(2 << 20, 1).park_sleepers(true), LaunchRule::ResidentBlocks, "park_sleepers");
}

/// What the program declares and what the launch adds count together.
#[test]
fn shared_memory_has_one_limit() {
    let device = device();
    let module =
        load(&device, ".shared .b8 s[90000]; .visible .entry k() { .reg .b64 %rd; mov.u64 %rd, s; ret; }");
    let config = LaunchConfig::new(1, 1);
    let most = device.properties().max_shared_per_block - 90_000;
    assert_eq!(
        try_launch(&device, &module, &config.shared_bytes(most), &[]).unwrap().wait(None),
        Status::Finished
    );
    let error = try_launch(&device, &module, &config.shared_bytes(most + 1), &[]).unwrap_err();
    assert!(matches!(error, Error::InvalidLaunch { rule: LaunchRule::SharedMemory, .. }), "{error}");
}

#[test]
fn entries_may_demand_a_shape() {
    let device = device();
    let exact = load(&device, ".visible .entry k() .reqntid 8, 2 { ret; }");
    let most = load(&device, ".visible .entry k() .maxntid 16 { ret; }");
    let block = |x, y| LaunchConfig::new(1, 1).block([x, y, 1]);
    assert_eq!(try_launch(&device, &exact, &block(8, 2), &[]).unwrap().wait(None), Status::Finished);
    assert!(matches!(
        try_launch(&device, &exact, &block(16, 1), &[]),
        Err(Error::InvalidLaunch { rule: LaunchRule::RequiredBlock, .. })
    ));
    assert_eq!(try_launch(&device, &most, &block(4, 4), &[]).unwrap().wait(None), Status::Finished);
    assert!(matches!(
        try_launch(&device, &most, &block(17, 1), &[]),
        Err(Error::InvalidLaunch { rule: LaunchRule::MostLanes, .. })
    ));
}

#[test]
fn arguments_must_fit() {
    let device = device();
    let module =
        load(&device, ".visible .entry k(.param .u64 a, .param .u32 b, .param .align 4 .b8 c[12]) { ret; }");
    let good = [Arg::U64(1), Arg::U32(2), Arg::Bytes(vec![0; 12])];
    let one = LaunchConfig::new(1, 1);
    assert_eq!(try_launch(&device, &module, &one, &good).unwrap().wait(None), Status::Finished);
    assert_eq!(
        try_launch(&device, &module, &one, &good[..2]).unwrap_err(),
        Error::ArgumentCount { function: "k".to_owned(), expected: 3, given: 2 }
    );
    let bad = [Arg::U64(1), Arg::U64(2), Arg::Bytes(vec![0; 12])];
    assert_eq!(
        try_launch(&device, &module, &one, &bad).unwrap_err(),
        Error::ArgumentSize {
            function: "k".to_owned(),
            index: 1,
            parameter: "b".to_owned(),
            expected: 4,
            given: 8
        }
    );
    let bad = [Arg::U64(1), Arg::F32(2.0), Arg::Bytes(vec![0; 11])];
    assert!(matches!(
        try_launch(&device, &module, &one, &bad).unwrap_err(),
        Error::ArgumentSize { index: 2, expected: 12, given: 11, .. }
    ));
    let function = module.function("k").unwrap();
    assert_eq!(function.param_sizes().collect::<Vec<_>>(), [8, 4, 12]);
}

#[test]
fn missing_entries_are_named() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry first() { ret; } .visible .entry second() { ret; } .func f() { ret; }",
    );
    assert_eq!(module.entries().collect::<Vec<_>>(), ["first", "second"]);
    for name in ["third", "f", ""] {
        assert_eq!(
            module.function(name).unwrap_err(),
            Error::NoSuchEntry { name: name.to_owned(), available: "first, second".to_owned() }
        );
    }
}

#[test]
fn endless_loops_are_aborted() {
    let device = device();
    let module = load(&device, FOREVER);
    for (blocks, lanes) in [(1, 1), (2, 1), (1, 32), (2, 64)] {
        let out = device.alloc(4).unwrap();
        let running = launch(&device, &module, LaunchConfig::new(blocks, lanes), &[Arg::U64(out.address())]);
        started(&device, out.address());
        assert_eq!(running.poll(), Status::Running);
        assert_eq!(running.wait(Some(Duration::from_millis(1))), Status::Running);
        running.abort();
        assert_eq!(running.wait(None), Status::Aborted);
        running.abort();
        assert_eq!(running.poll(), Status::Aborted);
    }
}

/// Every shape of loop polls: backward conditional and indexed branches, loops in functions, a label that is its own target.
#[test]
fn every_kind_of_loop_can_be_aborted() {
    let bodies = [
        "again: add.u32 %r0, %r0, 1; @!%p0 bra again;",
        "again: add.u32 %r0, %r0, 1; @%p1 bra.uni again;",
        "again: table: .branchtargets again; brx.idx 0, table;",
        "bra there; back: bra there; there: bra back;",
        "call spin;",
    ];
    for body in bodies {
        let device = device();
        let module = load(
            &device,
            &format!(
                ".func spin() {{ again: bra again; }}
                .visible .entry k(.param .u64 out) {{
                    .reg .b64 %rd0; .reg .b32 %r0; .reg .pred %p<2>;
                    ld.param.u64 %rd0, [out];
                    setp.ne.u64 %p0, %rd0, %rd0;
                    setp.eq.u64 %p1, %rd0, %rd0;
                    st.release.sys.u32 [%rd0], 1;
                    {body}
                    ret;
                }}"
            ),
        );
        let out = device.alloc(4).unwrap();
        let running = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(out.address())]);
        started(&device, out.address());
        running.abort();
        assert_eq!(running.wait(None), Status::Aborted, "{body}");
    }
}

#[test]
fn lanes_at_a_barrier_are_aborted() {
    let device = device();
    // One lane spins or sleeps, the others wait for it at a barrier or in a vote.
    for (hold, wait) in [
        ("spin: bra spin;", "bar.sync 0;"),
        ("spin: nanosleep.u32 1000000; bra spin;", "bar.sync 0;"),
        ("spin: bra spin;", "bar.warp.sync -1;"),
        ("spin: nanosleep.u32 100; bra spin;", "vote.sync.any.pred %p, %p, -1;"),
    ] {
        let text = format!(
            ".visible .entry k(.param .u64 out) {{
                .reg .b64 %rd0; .reg .b32 %r0; .reg .pred %p;
                ld.param.u64 %rd0, [out];
                mov.u32 %r0, %tid.x;
                setp.eq.u32 %p, %r0, 31;
                @!%p bra others;
                st.release.sys.u32 [%rd0], 1;
                {hold}
            others:
                {wait}
                ret;
            }}"
        );
        let module = load(&device, &text);
        for park in [false, true] {
            let out = device.alloc(4).unwrap();
            let config = LaunchConfig::new(1, 32).park_sleepers(park);
            let running = launch(&device, &module, config, &[Arg::U64(out.address())]);
            started(&device, out.address());
            running.abort();
            assert_eq!(running.wait(None), Status::Aborted, "{hold} {wait}");
        }
    }
}

#[test]
fn blocks_that_never_started_count_as_aborted() {
    let device = device();
    let module = load(&device, FOREVER);
    let out = device.alloc(4).unwrap();
    let running = launch(&device, &module, LaunchConfig::new(1000, 1), &[Arg::U64(out.address())]);
    started(&device, out.address());
    running.abort();
    assert_eq!(running.wait(None), Status::Aborted);
}

#[test]
fn dropping_a_launch_stops_it() {
    let device = device();
    let module = load(&device, FOREVER);
    let out = device.alloc(4).unwrap();
    let running = launch(&device, &module, LaunchConfig::new(2, 1), &[Arg::U64(out.address())]);
    started(&device, out.address());
    drop(running);
    // With no launch left, memory goes back at once.
    let free = device.memory_info().free;
    drop(out);
    assert_eq!(device.memory_info().free, free + 4);
}

#[test]
fn memory_dropped_under_a_launch_waits_for_its_end() {
    let device = Device::open(DeviceConfig { memory: 10_000, ..DeviceConfig::default() }).unwrap();
    // Keeps writing to memory whose owner has dropped it.
    let module = load(
        &device,
        ".visible .entry k(.param .u64 out, .param .u64 scratch) {
            .reg .b64 %rd<3>;
            ld.param.u64 %rd0, [out];
            ld.param.u64 %rd1, [scratch];
        again:
            st.relaxed.sys.u32 [%rd1+4000], 7;
            st.release.sys.u32 [%rd0], 1;
            bra again;
        }",
    );
    let out = device.alloc(4).unwrap();
    let scratch = device.alloc(5000).unwrap();
    let args = [Arg::U64(out.address()), Arg::U64(scratch.address())];
    let running = launch(&device, &module, LaunchConfig::new(1, 1), &args);
    started(&device, out.address());
    let address = scratch.address();
    drop(scratch);
    let info = device.memory_info();
    assert_eq!((info.free, info.quarantined), (4996, 5000));
    // It is no longer the host's to copy from.
    assert!(device.copy_from_device(&mut [0; 4], address).is_err());
    assert!(matches!(device.alloc(6000), Err(Error::OutOfMemory { free: 4996, .. })));
    running.abort();
    assert_eq!(running.wait(None), Status::Aborted);
    let info = device.memory_info();
    assert_eq!((info.free, info.quarantined), (9996, 0));
}

#[test]
fn a_function_keeps_its_code() {
    let (running, out, device) = {
        let device = device();
        let module = load(&device, COUNT);
        let out = device.alloc(4 + 64 * 4).unwrap();
        let function = module.function("k").unwrap();
        drop(module);
        // SAFETY: the kernel writes to `out`, which the test keeps.
        let running =
            unsafe { device.launch(&function, &LaunchConfig::new(64, 1), &[Arg::U64(out.address())]) };
        (running.unwrap(), out, device.clone())
    };
    assert_eq!(running.wait(None), Status::Finished);
    assert_eq!(words(&device, out.address(), 1), [64]);
}

#[test]
fn launches_run_side_by_side() {
    let device = device();
    let module = load(&device, COUNT);
    let buffers: Vec<_> = (0..8).map(|_| device.alloc(4 + 100 * 4).unwrap()).collect();
    let launches: Vec<_> = buffers
        .iter()
        .map(|b| launch(&device, &module, LaunchConfig::new(20, 5), &[Arg::U64(b.address())]))
        .collect();
    for (running, buffer) in launches.iter().zip(&buffers) {
        assert_eq!(running.wait(None), Status::Finished);
        assert_eq!(words(&device, buffer.address(), 1), [100]);
    }
}

#[test]
fn handles_are_shared_between_threads() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Device>();
    send_and_sync::<Module>();
    send_and_sync::<soft_gpu::Function>();
    send_and_sync::<Launch>();
    send_and_sync::<soft_gpu::DeviceMemory>();
    send_and_sync::<soft_gpu::MappedMemory>();
}

#[test]
fn loading_reports_what_it_took() {
    let device = device();
    let stats = load(&device, COUNT).stats();
    assert_eq!(stats.functions, 1);
    assert!(stats.code_bytes > 0 && stats.compile > Duration::ZERO);
}
