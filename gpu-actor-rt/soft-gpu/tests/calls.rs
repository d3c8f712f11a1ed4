//! Calls, parameters, scopes and control flow.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::ops::{Compare, Op, check, int_inputs};
use common::{device, launch, load, words};
use soft_gpu::{Arg, LaunchConfig, Status};

#[track_caller]
fn run(text: &str, lanes: u32, n: usize) -> Vec<u32> {
    let device = device();
    let module = load(&device, text);
    let out = device.alloc(n * 4).unwrap();
    let launch = launch(&device, &module, LaunchConfig::new(1, lanes), &[Arg::U64(out.address())]);
    assert_eq!(launch.wait(None), Status::Finished);
    words(&device, out.address(), n)
}

#[test]
fn recursion_and_forward_declaration() {
    let out = run(
        ".func (.param .b32 r) fib(.param .b32 n);
        .visible .entry k(.param .u64 out) {
            .reg .b64 %rd0; .reg .b32 %r<3>;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, 20;
            {
                .param .b32 p; .param .b32 q;
                st.param.b32 [p], %r0;
                call (q), fib, (p);
                ld.param.b32 %r1, [q];
            }
            st.global.u32 [%rd0], %r1;
            ret;
        }
        .func (.param .b32 r) fib(.param .b32 n) {
            .reg .b32 %r<6>; .reg .pred %p;
            ld.param.b32 %r0, [n];
            setp.lt.u32 %p, %r0, 2;
            @%p bra small;
            sub.u32 %r1, %r0, 1;
            sub.u32 %r2, %r0, 2;
            // Registers and constants may be passed directly, and so may results be taken.
            call (%r3), fib, (%r1);
            call (%r4), fib, (%r2);
            add.u32 %r5, %r3, %r4;
            st.param.b32 [r], %r5;
            ret;
        small:
            st.param.b32 [r], %r0;
            ret;
        }",
        1,
        1,
    );
    assert_eq!(out, [6765]);
}

#[test]
fn arrays_travel_by_value() {
    let out = run(
        ".func (.param .align 8 .b8 r[16]) twice(.param .align 8 .b8 a[16], .param .f32 f) {
            .reg .b64 %rd<3>; .reg .b32 %r<4>; .reg .f32 %f0;
            ld.param.v2.b32 {%r0, %r1}, [a];
            add.u32 %r0, %r0, %r0;
            add.u32 %r1, %r1, %r1;
            st.param.v2.b32 [r], {%r0, %r1};
            ld.param.f32 %f0, [f];
            st.param.f32 [r+8], %f0;
            mov.u64 %rd0, a;
            ld.u32 %r2, [%rd0+12];
            st.param.b32 [r+12], %r2;
            ret;
        }
        .visible .entry k(.param .u64 out) {
            .reg .b64 %rd<2>; .reg .b32 %r<5>;
            ld.param.u64 %rd0, [out];
            {
                .param .align 8 .b8 p[16];
                .param .f32 f;
                .param .align 8 .b8 q[16];
                st.param.b32 [p], 11;
                st.param.b32 [p+4], 12;
                st.param.b32 [p+12], 14;
                st.param.f32 [f], 0f3F800000;
                call.uni (q), twice, (p, f);
                ld.param.v4.b32 {%r0, %r1, %r2, %r3}, [q];
                ld.param.b32 %r4, [p];
            }
            st.global.v4.u32 [%rd0], {%r0, %r1, %r2, %r3};
            st.global.u32 [%rd0+16], %r4;
            ret;
        }",
        1,
        5,
    );
    assert_eq!(out, [22, 24, 1.0_f32.to_bits(), 14, 11]);
}

#[test]
fn pieces_of_scalar_parameters() {
    let device = device();
    let inputs = int_inputs();
    let body = "{ .param .b64 p; st.param.b64 [p], a; st.param.b16 [p+2], b; st.param.u8 [p+7], c; ld.param.b64 d, [p]; }";
    check(&device, body, "b64", &inputs, |a, b, c| {
        a & 0x00ff_ffff_0000_ffff | (b & 0xffff) << 16 | (c & 0xff) << 56
    });
    let body = "{ .param .b64 p; st.param.b64 [p], a; ld.param.s16 d, [p+4]; }";
    check(&device, body, "s64", &inputs, |a, _, _| (a >> 32) as i16 as u64);
    let body = "{ .param .b64 p; st.param.v2.b32 [p], {%t0, %t1}; st.param.b64 [p], a; ld.param.v2.b32 {%t0, %t1}, [p]; mov.b64 d, {%t1, %t0}; }";
    check(&device, body, "b64", &inputs, |a, _, _| a.rotate_left(32));
    let body = "{ .param .f32 p; st.param.f32 [p], a; ld.param.b32 %t0, [p]; mov.b32 d, %t0; }";
    Op { body, types: ["b32", "f32", "f32", "f32"], compare: Compare::Bits }.check(
        &device,
        &inputs,
        |a, _, _| a,
    );
}

#[test]
fn indirect_calls() {
    let out = run(
        ".func (.param .b32 r) one(.param .b32 a) { .reg .b32 %r; ld.param.b32 %r, [a]; add.u32 %r, %r, 1; st.param.b32 [r], %r; ret; }
        .func (.param .b32 r) ten(.param .b32 a) { .reg .b32 %r; ld.param.b32 %r, [a]; add.u32 %r, %r, 10; st.param.b32 [r], %r; ret; }
        .global .u64 table[2] = {one, ten};
        .visible .entry k(.param .u64 out) {
            .reg .b64 %rd<3>; .reg .b32 %r<4>;
            proto: .callprototype (.param .b32 _) _ (.param .b32 _);
            ld.param.u64 %rd0, [out];
            mov.u64 %rd1, ten;
            call (%r0), %rd1, (5), proto;
            st.global.u32 [%rd0], %r0;
            ld.global.u64 %rd2, [table];
            call (%r1), %rd2, (5), proto;
            st.global.u32 [%rd0+4], %r1;
            ret;
        }",
        1,
        2,
    );
    assert_eq!(out, [15, 6]);
}

#[test]
fn indexed_branches() {
    let out = run(
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd0; .reg .b32 %r<4>; .reg .pred %p;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, 0;
            mov.u32 %r1, 0;
        again:
            targets: .branchtargets zero, one, two, again;
            brx.idx %r0, targets;
        zero:
            add.u32 %r1, %r1, 1;
            bra next;
        one:
            add.u32 %r1, %r1, 10;
            bra next;
        two:
            add.u32 %r1, %r1, 100;
        next:
            add.u32 %r0, %r0, 1;
            setp.lt.u32 %p, %r0, 3;
            @%p bra again;
            st.global.u32 [%rd0], %r1;
            ret;
        }",
        1,
        1,
    );
    assert_eq!(out, [111]);
}

#[test]
fn scopes_hide_and_release_names() {
    let out = run(
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd0; .reg .b32 %r<3>; .reg .pred %p;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, 1;
            {
                .reg .b32 %r<1>;
                mov.u32 %r0, 2;
                // Outer registers that the inner range does not hide are still there.
                mov.u32 %r1, 3;
                bra over;
                mov.u32 %r1, 4;
            over:
            }
            {
                .reg .b32 %r0;
                mov.u32 %r0, 7;
                bra over;
                mov.u32 %r1, 5;
            over:
                add.u32 %r2, %r0, 0;
            }
            st.global.u32 [%rd0], %r0;
            st.global.u32 [%rd0+4], %r1;
            st.global.u32 [%rd0+8], %r2;
            ret;
        }",
        1,
        3,
    );
    assert_eq!(out, [1, 3, 7]);
}

#[test]
fn lanes_end_on_their_own() {
    // Lanes leave by `ret`, by a guarded `exit`, and by an `exit` inside a function; a barrier waits for the rest only.
    let out = run(
        ".func leave() { exit; }
        .visible .entry k(.param .u64 out) {
            .reg .b64 %rd<2>; .reg .b32 %r<3>; .reg .pred %p<3>;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, %tid.x;
            mad.wide.u32 %rd1, %r0, 4, %rd0;
            st.global.u32 [%rd1], 1;
            setp.eq.u32 %p0, %r0, 3;
            @%p0 ret;
            setp.eq.u32 %p1, %r0, 5;
            @%p1 exit;
            setp.eq.u32 %p2, %r0, 7;
            @%p2 call leave;
            barrier.sync 0;
            st.global.u32 [%rd1], 2;
            ret;
        }",
        9,
        9,
    );
    assert_eq!(out, [2, 2, 2, 1, 2, 1, 2, 1, 2]);
}

#[test]
fn debug_directives_are_skipped() {
    let out = run(
        ".file 1 \"a.cu\"
        .section .debug_str { .b8 1, 2; }
        .pragma \"nounroll\";
        .visible .entry k(.param .u64 .ptr .global .align 4 out)
        .maxntid 64, 1, 1
        .minnctapersm 1
        {
            .reg .b64 %rd0; /* a comment
            over lines */ .reg .b32 %r0;
            .loc 1 5 0
            ld.param.u64 %rd0, [out]; // to the end
            .pragma \"nounroll\";
            st.global.u32 [%rd0], 3;
        }",
        1,
        1,
    );
    assert_eq!(out, [3]);
}

#[test]
fn special_registers() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd<3>; .reg .b32 %r<20>;
            ld.param.u64 %rd0, [out];
            // Linear index over the whole grid.
            mov.u32 %r0, %ctaid.z; mov.u32 %r1, %nctaid.y; mov.u32 %r2, %ctaid.y;
            mad.lo.u32 %r0, %r0, %r1, %r2;
            mov.u32 %r1, %nctaid.x; mov.u32 %r2, %ctaid.x;
            mad.lo.u32 %r0, %r0, %r1, %r2;
            mov.u32 %r3, %tid.z; mov.u32 %r4, %ntid.y; mov.u32 %r5, %tid.y;
            mad.lo.u32 %r3, %r3, %r4, %r5;
            mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;
            mad.lo.u32 %r3, %r3, %r4, %r5;
            mov.u32 %r6, %ntid.z;
            mad.lo.u32 %r7, %r0, 70, %r3;
            mad.wide.u32 %rd1, %r7, 32, %rd0;
            mov.u32 %r8, %laneid; st.u32 [%rd1], %r8;
            mov.u32 %r9, %warpid; st.u32 [%rd1+4], %r9;
            mov.u32 %r10, %nwarpid; st.u32 [%rd1+8], %r10;
            mov.u32 %r11, %lanemask_eq; st.u32 [%rd1+12], %r11;
            mov.u32 %r12, %lanemask_lt; st.u32 [%rd1+16], %r12;
            mov.u32 %r13, %lanemask_le; st.u32 [%rd1+20], %r13;
            mov.u32 %r14, %lanemask_gt; st.u32 [%rd1+24], %r14;
            mov.u32 %r15, %lanemask_ge; st.u32 [%rd1+28], %r15;
            ret;
        }",
    );
    let config = LaunchConfig::new(1, 1).grid([2, 3, 2]).block([7, 5, 2]);
    let out = device.alloc(12 * 70 * 32).unwrap();
    assert_eq!(launch(&device, &module, config, &[Arg::U64(out.address())]).wait(None), Status::Finished);
    let words = words(&device, out.address(), 12 * 70 * 8);
    for (i, got) in words.as_chunks::<8>().0.iter().enumerate() {
        let lane = i as u32 % 70;
        let (number, warp) = (lane % 32, lane / 32);
        let (eq, lt) = (1_u32 << number, (1_u32 << number) - 1);
        assert_eq!(*got, [number, warp, 3, eq, lt, lt | eq, !(lt | eq), !lt], "lane {i}");
    }
}

#[test]
fn timers_run() {
    // A deterministic device has a time of its own, which tests/deterministic.rs looks at.
    if device().properties().mode.schedule.is_some() {
        return;
    }
    let before =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let out = run(
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd<6>; .reg .b32 %r<3>;
            ld.param.u64 %rd0, [out];
            mov.u64 %rd1, %globaltimer;
            mov.u64 %rd2, %globaltimer;
            mov.u64 %rd3, %clock64;
            nanosleep.u32 1000;
            mov.u64 %rd4, %clock64;
            sub.u64 %rd4, %rd4, %rd3;
            mov.u32 %r0, %globaltimer_hi;
            st.u64 [%rd0], %rd1;
            st.u64 [%rd0+8], %rd2;
            st.u64 [%rd0+16], %rd4;
            st.u32 [%rd0+24], %r0;
            ret;
        }",
        1,
        7,
    );
    let after = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let at = |i: usize| u64::from(out[i]) | u64::from(out[i + 1]) << 32;
    assert!(before <= at(0) && at(0) <= at(2) && at(2) <= after);
    assert!(at(4) > 0);
    assert!(u64::from(out[6]) >= before >> 32 && u64::from(out[6]) <= after >> 32);
}
