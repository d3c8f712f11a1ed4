//! A deterministic device runs a launch in an order that its seed decides, and replays it.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::{device_in, launch, load, words};
use soft_gpu::{Arg, Device, Error, LaunchConfig, Mode, Schedule, Status, Trace};

/// Every lane of every block adds 1 to a word by a load and a store that are not one.
const RACY: &str = ".visible .entry k(.param .u64 at) {
    .reg .b64 %rd<2>; .reg .b32 %r<4>; .reg .pred %p<2>;
    ld.param.u64 %rd0, [at];
    mov.u32 %r1, 0;
again:
    ld.relaxed.gpu.global.u32 %r0, [%rd0];
    add.u32 %r0, %r0, 1;
    st.relaxed.gpu.global.u32 [%rd0], %r0;
    add.u32 %r1, %r1, 1;
    setp.lt.u32 %p0, %r1, 20;
    @%p0 bra again;
    ret;
}";

/// What the racy kernel leaves, and how it ran.
fn run(device: &Device, text: &str, blocks: u32, lanes: u32) -> (u32, Trace) {
    let module = load(device, text);
    let memory = device.alloc(64).unwrap();
    let launch = launch(device, &module, LaunchConfig::new(blocks, lanes), &[Arg::U64(memory.address())]);
    assert_eq!(launch.wait(None), Status::Finished);
    (words(device, memory.address(), 1)[0], launch.trace().unwrap())
}

#[test]
fn a_race_is_found_by_trying_seeds_and_replayed_by_its_own() {
    // ANCHOR: replay
    let run_with = |seed| {
        let device = device_in(Mode::deterministic(seed));
        let (module, word) = (load(&device, RACY), device.alloc(4).unwrap());
        let launch = launch(&device, &module, LaunchConfig::new(2, 1), &[Arg::U64(word.address())]);
        assert_eq!(launch.wait(None), Status::Finished);
        (words(&device, word.address(), 1)[0], launch.trace().unwrap())
    };
    let bad = (0..100).find(|seed| run_with(*seed).0 != 2 * 20).expect("two blocks race for a word");
    // As often as one likes, with a debugger, with more checks: the same order.
    assert_eq!(run_with(bad), run_with(bad));
    // ANCHOR_END: replay
}

#[test]
fn a_seed_replays_and_other_seeds_differ() {
    for (blocks, lanes) in [(4, 1), (1, 8), (3, 4)] {
        let (mut results, mut traces) = (HashSet::new(), HashSet::new());
        for seed in 0..8 {
            let first = run(&device_in(Mode::deterministic(seed)), RACY, blocks, lanes);
            for mode in [Mode::deterministic(seed), format!("checked,deterministic:{seed}").parse().unwrap()]
            {
                assert_eq!(run(&device_in(mode), RACY, blocks, lanes), first, "seed {seed}");
            }
            let most = blocks * lanes * 20;
            assert!((1..=most).contains(&first.0), "{}", first.0);
            results.insert(first.0);
            traces.insert(first.1.hash);
        }
        assert_eq!(traces.len(), 8, "eight seeds, eight orders");
        assert!(results.len() > 1, "a race that shows under no seed: {results:?}");
    }
}

#[test]
fn plain_accesses_are_interrupted_where_the_schedule_says_so() {
    let text = RACY.replace(".relaxed.gpu", "").replace("@%p0 bra again;", "");
    let lost = |weak_accesses: bool| {
        (0..8).any(|seed| {
            let schedule = Schedule { weak_accesses, preempt_one_in: 2, ..Schedule::new(seed) };
            let mode = Mode { checked: false, schedule: Some(schedule) };
            run(&device_in(mode), &text, 8, 1).0 < 8
        })
    };
    assert!(!lost(false));
    assert!(lost(true));
}

#[test]
fn atomics_lose_nothing_under_any_seed() {
    let text = RACY
        .replace("ld.relaxed.gpu.global.u32 %r0, [%rd0];", "atom.relaxed.gpu.global.add.u32 %r0, [%rd0], 1;")
        .replace("st.relaxed.gpu.global.u32 [%rd0], %r0;", "");
    for seed in 0..5 {
        assert_eq!(run(&device_in(Mode::deterministic(seed)), &text, 3, 33).0, 3 * 33 * 20);
    }
}

#[test]
fn the_quantum_and_the_chance_decide_how_often_turns_end() {
    let turns = |preempt_one_in, quantum| {
        let schedule = Schedule { preempt_one_in, quantum, ..Schedule::new(3) };
        run(&device_in(Mode { checked: false, schedule: Some(schedule) }), RACY, 4, 1).1.turns
    };
    assert_eq!(turns(u32::MAX, u32::MAX), 4, "a block runs to its end");
    assert!(turns(1, 1) > 200);
    assert!(turns(u32::MAX, 10) < turns(4, 10));
}

#[test]
fn barriers_sleeps_and_warps_work_as_ever() {
    // Lane by lane through a barrier, asleep for different times, then a sum over the warp.
    let text = ".visible .entry k(.param .u64 at) {
        .reg .b64 %rd<3>; .reg .b32 %r<8>; .reg .pred %p<2>; .shared .b32 sum;
        ld.param.u64 %rd0, [at]; mov.u32 %r0, %tid.x; setp.eq.u32 %p0, %r0, 0;
        @%p0 st.shared.u32 [sum], 0;
        bar.sync 0;
        mul.lo.u32 %r1, %r0, 100; nanosleep.u32 %r1;
        atom.shared.add.u32 %r2, [sum], %r0;
        bar.sync 0;
        ld.shared.u32 %r3, [sum];
        redux.sync.add.u32 %r4, %r3, -1;
        mov.u32 %r5, %ctaid.x;
        mad.wide.u32 %rd1, %r5, 4, %rd0;
        @%p0 st.global.u32 [%rd1], %r4;
        ret;
    }";
    for seed in 0..5 {
        let device = device_in(format!("checked,deterministic:{seed}").parse().unwrap());
        let module = load(&device, text);
        let memory = device.alloc(64).unwrap();
        let launch = launch(&device, &module, LaunchConfig::new(10, 64), &[Arg::U64(memory.address())]);
        assert_eq!(launch.wait(None), Status::Finished);
        assert_eq!(words(&device, memory.address(), 10), [64 * 63 / 2 * 32; 10]);
    }
}

#[test]
fn time_is_the_launchs_own() {
    let text = ".visible .entry k(.param .u64 at) {
        .reg .b64 %rd<6>; .reg .b32 %r<2>;
        ld.param.u64 %rd0, [at];
        mov.u64 %rd1, %globaltimer; nanosleep.u32 500000; mov.u64 %rd2, %globaltimer; mov.u64 %rd3, %clock64;
        st.global.u64 [%rd0], %rd1; st.global.u64 [%rd0+8], %rd2; st.global.u64 [%rd0+16], %rd3;
        ret;
    }";
    let times = |seed| {
        let device = device_in(Mode::deterministic(seed));
        let module = load(&device, text);
        let memory = device.alloc(64).unwrap();
        let launch = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(memory.address())]);
        assert_eq!(launch.wait(None), Status::Finished);
        let mut bytes = [0; 24];
        device.copy_from_device(&mut bytes, memory.address()).unwrap();
        let [a, b, c] = [0, 8, 16].map(|at| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()));
        assert!(a < b && b - a <= 1_000_100, "a sleep takes up to twice its time");
        (a, b, c)
    };
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
}

#[test]
fn lanes_that_wait_for_each_other_always_come_on() {
    // Block 0 waits for a flag that the last block sets: all are resident, whatever the order.
    let text = ".visible .entry k(.param .u64 at) {
        .reg .b64 %rd<2>; .reg .b32 %r<4>; .reg .pred %p<2>;
        ld.param.u64 %rd0, [at]; mov.u32 %r0, %ctaid.x; setp.eq.u32 %p0, %r0, 5;
        @%p0 st.release.gpu.global.u32 [%rd0], 1;
        wait: ld.acquire.gpu.global.u32 %r1, [%rd0]; setp.eq.u32 %p1, %r1, 0; @%p1 bra wait;
        ret;
    }";
    for seed in 0..20 {
        assert_eq!(run(&device_in(Mode::deterministic(seed)), text, 6, 1).0, 1);
    }
}

#[test]
fn a_deadlock_is_found_and_an_abort_heard() {
    let device = device_in(Mode::deterministic(1));
    let wait = |text: &str, lanes| {
        let module = load(&device, text);
        launch(&device, &module, LaunchConfig::new(2, lanes), &[])
    };
    let stuck = wait(
        ".visible .entry k() { .reg .b32 %r; .reg .pred %p; mov.u32 %r, %tid.x; setp.eq.u32 %p, %r, 0;
         @%p bar.sync 1; @!%p bar.sync 2; ret; }",
        2,
    );
    assert!(matches!(stuck.wait(None), Status::Failed(Error::Deadlock { .. })));
    for body in ["again: bra again;", "again: nanosleep.u32 1000; bra again;"] {
        let endless = wait(&format!(".visible .entry k() {{ {body} }}"), 2);
        assert_eq!(endless.wait(Some(Duration::from_millis(5))), Status::Running);
        endless.abort();
        assert_eq!(endless.wait(None), Status::Aborted);
    }
}

#[test]
fn parked_blocks_hear_their_doorbells() {
    let text = ".visible .entry k(.param .u64 at) {
        .reg .b64 %rd<2>; .reg .b32 %r<4>; .reg .pred %p<2>;
        ld.param.u64 %rd0, [at]; mov.u32 %r0, %ctaid.x; mad.wide.u32 %rd1, %r0, 4, %rd0;
        wait: nanosleep.u32 1000000; ld.acquire.sys.u32 %r1, [%rd1]; setp.eq.u32 %p1, %r1, 0; @%p1 bra wait;
        pmevent 1;
        ret;
    }";
    for lanes in [1, 4] {
        let device = device_in(Mode::deterministic(9));
        let module = load(&device, text);
        let memory = device.alloc(64).unwrap();
        let config = LaunchConfig::new(3, lanes).cooperative(true).park_sleepers(true);
        let launch = launch(&device, &module, config, &[Arg::U64(memory.address())]);
        for block in [1_u32, 0, 2] {
            assert_eq!(launch.poll(), Status::Running);
            device.copy_to_device(memory.address() + u64::from(block) * 4, &1_u32.to_ne_bytes()).unwrap();
            launch.doorbell(block);
            assert!(launch.wait_event(None));
        }
        assert_eq!(launch.wait(None), Status::Finished);
    }
}
