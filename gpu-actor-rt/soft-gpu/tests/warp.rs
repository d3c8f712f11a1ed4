//! Lanes together: votes, shuffles, matches, reductions, barriers, and what breaks their rules.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::{device, launch, load, words};
use soft_gpu::{Arg, Error, Launch, LaunchConfig, Status};

/// Runs `body` on `lanes` lanes: `%r0` is the lane's linear index, `%r1` to `%r8` and `%p0` to `%p3` are free, `%r9` is stored at
/// the end.
fn start(device: &soft_gpu::Device, lanes: u32, body: &str, out: u64) -> Launch {
    let module = load(
        device,
        &format!(
            ".visible .entry k(.param .u64 out) {{
                .reg .b64 %rd<4>; .reg .b32 %r<10>; .reg .pred %p<4>;
                ld.param.u64 %rd0, [out];
                mov.u32 %r0, %tid.x;
                mad.wide.u32 %rd0, %r0, 4, %rd0;
                {body}
                st.global.u32 [%rd0], %r9;
                ret;
            }}"
        ),
    );
    launch(device, &module, LaunchConfig::new(1, lanes), &[Arg::U64(out)])
}

#[track_caller]
fn run(lanes: u32, body: &str) -> Vec<u32> {
    let device = device();
    let out = device.alloc(lanes as usize * 4).unwrap();
    assert_eq!(start(&device, lanes, body, out.address()).wait(None), Status::Finished, "{body}");
    words(&device, out.address(), lanes as usize)
}

#[track_caller]
fn fails(lanes: u32, body: &str) -> Error {
    let device = device();
    let out = device.alloc(lanes as usize * 4).unwrap();
    match start(&device, lanes, body, out.address()).wait(None) {
        Status::Failed(error) => error,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// A value that differs from lane to lane in no simple way.
fn value(lane: u32) -> u32 {
    lane.wrapping_mul(0x9e37_79b9) >> 7
}

const VALUE: &str = "mul.lo.u32 %r1, %r0, 0x9e3779b9; shr.u32 %r1, %r1, 7;";

#[test]
fn votes() {
    let third = "rem.u32 %r1, %r0, 3; setp.eq.u32 %p0, %r1, 0;";
    let ballot = run(70, &format!("{third} mov.u32 %r2, -1; vote.sync.ballot.b32 %r9, %p0, %r2;"));
    for (lane, got) in ballot.iter().enumerate() {
        let warp = lane as u32 / 32;
        let mask = (0..32)
            .filter(|i| (warp * 32 + i).is_multiple_of(3) && warp * 32 + i < 70)
            .fold(0, |m, i| m | 1 << i);
        assert_eq!(*got, mask, "lane {lane}");
    }
    let vote = |mode: &str, p: &str| {
        run(32, &format!("{p} vote.sync.{mode}.pred %p1, %p0, 0xffffffff; selp.u32 %r9, 1, 0, %p1;"))
    };
    assert_eq!(vote("any", third), [1; 32]);
    assert_eq!(vote("all", third), [0; 32]);
    assert_eq!(vote("uni", third), [0; 32]);
    let never = "setp.gt.u32 %p0, %r0, 99;";
    assert_eq!(vote("any", never), [0; 32]);
    assert_eq!(vote("uni", never), [1; 32]);
    let always = "setp.lt.u32 %p0, %r0, 99;";
    assert_eq!(vote("all", always), [1; 32]);
    // With a negated operand.
    let negated = run(4, &format!("{third} vote.sync.ballot.b32 %r9, !%p0, 15;"));
    assert_eq!(negated, [0b0110; 4]);
}

#[test]
fn parts_of_a_warp_vote_apart() {
    let out = run(
        32,
        "and.b32 %r1, %r0, 1;
         setp.eq.u32 %p0, %r1, 0;
         setp.lt.u32 %p1, %r0, 8;
         @%p0 bra even;
         vote.sync.ballot.b32 %r9, %p1, 0xaaaaaaaa;
         bra done;
     even:
         vote.sync.ballot.b32 %r9, %p1, 0x55555555;
     done:",
    );
    let expected: Vec<u32> = (0..32).map(|lane| if lane % 2 == 0 { 0x55 } else { 0xaa }).collect();
    assert_eq!(out, expected);
}

/// The manual's pseudocode for `shfl`.
fn shuffled(mode: &str, lane: u32, b: u32, c: u32) -> (u32, bool) {
    let (source, clamp, segment) = (b & 31, c & 31, c >> 8 & 31);
    let max = lane & segment | clamp & !segment;
    let min = lane & segment;
    let (j, inside) = match mode {
        "up" => (i64::from(lane) - i64::from(source), i64::from(lane) - i64::from(source) >= i64::from(max)),
        "down" => (i64::from(lane + source), lane + source <= max),
        "bfly" => (i64::from(lane ^ source), lane ^ source <= max),
        _ => (i64::from(min | source & !segment), min | source & !segment <= max),
    };
    (if inside { value(j as u32) } else { value(lane) }, inside)
}

#[test]
fn shuffles() {
    for (mode, c) in [
        ("up", 0),
        ("up", 0x1800),
        ("down", 31),
        ("down", 0x181f),
        ("bfly", 31),
        ("idx", 31),
        ("idx", 0x1c1f),
    ] {
        for b in [0, 1, 2, 5, 16, 31, 33] {
            let out = run(
                32,
                &format!(
                    "{VALUE} shfl.sync.{mode}.b32 %r9|%p0, %r1, {b}, {c}, -1; selp.u32 %r2, 0x80000000, 0, %p0; or.b32 %r9, %r9, %r2;"
                ),
            );
            for (lane, got) in out.iter().enumerate() {
                let (value, inside) = shuffled(mode, lane as u32, b, c);
                assert_eq!(*got, value | u32::from(inside) << 31, "{mode} lane {lane} b {b} c {c:#x}");
            }
        }
    }
    // The source may differ from lane to lane.
    let reversed =
        run(32, &format!("{VALUE} sub.u32 %r2, 31, %r0; shfl.sync.idx.b32 %r9, %r1, %r2, 31, -1;"));
    assert_eq!(reversed, (0..32).rev().map(value).collect::<Vec<_>>());
}

#[test]
fn matches() {
    let groups = "rem.u32 %r1, %r0, 5;";
    let any = run(32, &format!("{groups} match.any.sync.b32 %r9, %r1, -1;"));
    let expected: Vec<u32> =
        (0..32).map(|lane| (0..32).filter(|i| i % 5 == lane % 5).fold(0, |m, i| m | 1 << i)).collect();
    assert_eq!(any, expected);
    let wide = run(
        32,
        &format!("{groups} cvt.u64.u32 %rd1, %r1; shl.b64 %rd1, %rd1, 40; match.any.sync.b64 %r9, %rd1, -1;"),
    );
    assert_eq!(wide, expected);
    let all = "match.all.sync.b32 %r9|%p0, %r1, 0xff; selp.u32 %r2, 0x100, 0, %p0; or.b32 %r9, %r9, %r2;";
    assert_eq!(run(8, &format!("mov.u32 %r1, 3; {all}")), [0x1ff; 8]);
    assert_eq!(run(8, &format!("shr.u32 %r1, %r0, 2; {all}")), [0; 8]);
}

#[test]
fn reductions() {
    let values: Vec<u32> = (0..32).map(|l| value(l) ^ if l == 9 { 0x8000_0000 } else { 0 }).collect();
    let make = format!("{VALUE} setp.eq.u32 %p0, %r0, 9; @%p0 xor.b32 %r1, %r1, 0x80000000;");
    let redux = |op: &str| run(32, &format!("{make} redux.sync.{op} %r9, %r1, -1;"))[17];
    assert_eq!(redux("add.u32"), values.iter().fold(0, |a: u32, v| a.wrapping_add(*v)));
    assert_eq!(redux("min.u32"), *values.iter().min().unwrap());
    assert_eq!(redux("max.u32"), *values.iter().max().unwrap());
    assert_eq!(redux("min.s32"), values.iter().map(|v| *v as i32).min().unwrap() as u32);
    assert_eq!(redux("max.s32"), values.iter().map(|v| *v as i32).max().unwrap() as u32);
    assert_eq!(redux("and.b32"), values.iter().fold(u32::MAX, |a, v| a & v));
    assert_eq!(redux("or.b32"), values.iter().fold(0, |a, v| a | v));
    assert_eq!(redux("xor.b32"), values.iter().fold(0, |a, v| a ^ v));
}

#[test]
fn elects_the_first_lane() {
    let out = run(
        32,
        "setp.lt.u32 %p0, %r0, 5; mov.u32 %r9, 99; @%p0 bra out;
         elect.sync %r9|%p1, 0xffffffe0; @%p1 add.u32 %r9, %r9, 100;
     out:",
    );
    let expected: Vec<u32> = (0..32)
        .map(|lane| match lane {
            0..5 => 99,
            5 => 105,
            _ => 5,
        })
        .collect();
    assert_eq!(out, expected);
}

#[test]
fn one_lane_is_a_whole_warp() {
    let body = "setp.eq.u32 %p0, %r0, 0;
         vote.sync.ballot.b32 %r1, %p0, -1;
         match.any.sync.b32 %r2, %r0, -1;
         mov.u32 %r4, 55;
         shfl.sync.idx.b32 %r3, %r4, 0, 31, -1;
         activemask.b32 %r5;
         bar.warp.sync -1;
         bar.sync 0;
         bar.sync 1, 32;
         shl.b32 %r2, %r2, 1; shl.b32 %r5, %r5, 2; shl.b32 %r3, %r3, 3;
         or.b32 %r9, %r1, %r2; or.b32 %r9, %r9, %r5; or.b32 %r9, %r9, %r3;";
    assert_eq!(run(1, body), [7 | 55 << 3]);
}

#[test]
fn active_mask_is_the_lane_itself() {
    let expected: Vec<u32> = (0..40).map(|lane| 1 << (lane % 32)).collect();
    assert_eq!(run(40, "activemask.b32 %r9;"), expected);
}

#[test]
fn warp_barrier_orders_lanes() {
    // Lane i waits for the mask and then reads what lane i + 1 wrote before it.
    let out = run(
        32,
        "{ .shared .u32 slot[32]; .reg .b32 %at, %next;
         mov.u32 %at, slot; mad.lo.u32 %at, %r0, 4, %at;
         st.shared.u32 [%at], %r0;
         bar.warp.sync 0xffffffff;
         add.u32 %next, %r0, 1; and.b32 %next, %next, 31;
         mov.u32 %at, slot; mad.lo.u32 %at, %next, 4, %at;
         ld.shared.u32 %r9, [%at]; }",
    );
    assert_eq!(out, (0..32).map(|lane| (lane + 1) % 32).collect::<Vec<_>>());
}

#[test]
fn barriers_reduce() {
    let third = "rem.u32 %r1, %r0, 3; setp.eq.u32 %p0, %r1, 0;";
    assert_eq!(run(70, &format!("{third} bar.red.popc.u32 %r9, 0, %p0;")), [24; 70]);
    let as_word = "selp.u32 %r9, 1, 0, %p1;";
    assert_eq!(run(70, &format!("{third} bar.red.and.pred %p1, 0, %p0; {as_word}")), [0; 70]);
    assert_eq!(run(70, &format!("{third} bar.red.or.pred %p1, 2, %p0; {as_word}")), [1; 70]);
    assert_eq!(run(64, &format!("{third} bar.red.or.pred %p1, 2, 64, !%p0; {as_word}")), [1; 64]);
}

#[test]
fn barriers_with_counts_and_arrivals() {
    // The first warp produces and only arrives; the second waits for 64 and consumes.
    let out = run(
        64,
        "{ .shared .u32 slot[32]; .reg .b32 %at;
         and.b32 %r1, %r0, 31;
         mov.u32 %at, slot; mad.lo.u32 %at, %r1, 4, %at;
         setp.ge.u32 %p0, %r0, 32;
         @%p0 bra consume;
         nanosleep.u32 100;
         add.u32 %r2, %r0, 500;
         st.shared.u32 [%at], %r2;
         bar.arrive 3, 64;
         mov.u32 %r9, 0;
         bra done;
     consume:
         bar.sync 3, 64;
         ld.shared.u32 %r9, [%at];
     done: }",
    );
    let expected: Vec<u32> = (0..64).map(|lane| if lane < 32 { 0 } else { lane - 32 + 500 }).collect();
    assert_eq!(out, expected);
}

/// The last lane ends while all others wait for it: they wait no longer.
#[test]
fn a_lane_that_ends_is_not_waited_for() {
    for wait in [
        "barrier.sync 0;",
        "bar.warp.sync -1;",
        "barrier.red.or.pred %p1, 0, %p0;",
        "vote.sync.any.pred %p1, %p0, -1;",
    ] {
        let out = run(8, &format!("setp.eq.u32 %p0, %r0, 7; mov.u32 %r9, 5; @%p0 ret; {wait}"));
        assert_eq!(out, [5, 5, 5, 5, 5, 5, 5, 0], "{wait}");
    }
}

#[test]
fn lanes_take_turns_without_sleeping() {
    // Lane 0 spins on what the last lane writes: only turns at loop back-edges let it end.
    let out = run(
        32,
        "{ .shared .u32 flag;
         setp.eq.u32 %p0, %r0, 31;
         @%p0 st.shared.u32 [flag], 0;
         bar.sync 0;
         @%p0 st.shared.u32 [flag], 77;
         setp.ne.u32 %p1, %r0, 0;
         mov.u32 %r9, 0;
         @%p1 bra done;
     spin:
         ld.volatile.shared.u32 %r9, [flag];
         setp.eq.u32 %p2, %r9, 0;
         @%p2 bra spin;
     done: }",
    );
    assert_eq!(out[0], 77);
}

#[test]
fn lane_outside_its_mask_fails() {
    let error = fails(32, "setp.eq.u32 %p0, %r0, 0; vote.sync.ballot.b32 %r9, %p0, 0xfffffffe;");
    assert!(matches!(error, Error::Synchronization { lane: 0, block: 0, .. }), "{error}");
}

#[test]
fn barrier_that_cannot_exist_fails() {
    let error = fails(1, "mov.u32 %r1, 16; bar.sync %r1;");
    assert!(matches!(error, Error::Synchronization { lane: 0, .. }), "{error}");
}

#[test]
fn deadlock_is_reported() {
    // Half of the lanes wait at one barrier, half at another.
    let error = fails(
        8,
        "setp.lt.u32 %p0, %r0, 4; @%p0 bra other; barrier.sync 1; bra done;
     other: barrier.sync 2;
     done: mov.u32 %r9, 0;",
    );
    assert!(matches!(error, Error::Deadlock { block: 0, .. }), "{error}");
    assert!(error.to_string().contains("8 lanes wait at barrier [1, 2]"), "{error}");
    let error = fails(
        32,
        "setp.eq.u32 %p0, %r0, 0; @%p0 bra skip; bar.warp.sync -1;
     skip: barrier.sync 0; mov.u32 %r9, 0;",
    );
    assert!(matches!(error, Error::Deadlock { .. }), "{error}");
}

#[test]
fn trap_stops_the_launch() {
    let error = fails(8, "setp.eq.u32 %p0, %r0, 5; @%p0 trap; mov.u32 %r9, 1;");
    assert_eq!(error, Error::Trap { block: 0, lane: 5 });
}
