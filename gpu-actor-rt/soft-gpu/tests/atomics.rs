//! Atomic instructions: what each computes, and that they are atomic between blocks.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::ops::{Compare, Op, int_inputs};
use common::{device, launch, load, words};
use soft_gpu::{Arg, LaunchConfig, Status};

/// Checks `atom.op` by its old value and by what is left in memory, and `red.op` by what is left.
fn check(op: &str, ty: &str, new: &dyn Fn(u64, u64, u64) -> u64) {
    let device = device();
    let inputs: Vec<[u64; 3]> = int_inputs().into_iter().step_by(3).collect();
    let cas = op == "cas";
    let operands = if cas { "b, c" } else { "b" };
    let types = [ty; 4];
    for order in ["", ".relaxed.gpu", ".acq_rel.sys", ".release.cta", ".acquire.gpu"] {
        let old = format!("atom{order}.global.{op}.{ty} d, [%in], {operands};");
        Op { body: &old, types, compare: Compare::Bits }.check(&device, &inputs, |a, _, _| a);
    }
    let size = ty[1..].to_owned();
    let left = format!("atom.acq_rel.gpu.{op}.{ty} _, [%in], {operands}; ld.b{size} d, [%in];");
    Op { body: &left, types, compare: Compare::Bits }.check(&device, &inputs, new);
    if !cas && op != "exch" {
        let left = format!("red.relaxed.sys.{op}.{ty} [%in], {operands}; ld.b{size} d, [%in];");
        Op { body: &left, types, compare: Compare::Bits }.check(&device, &inputs, new);
    }
}

#[test]
fn integers() {
    check("add", "u32", &|a, b, _| a.wrapping_add(b));
    check("add", "s32", &|a, b, _| a.wrapping_add(b));
    check("add", "u64", &|a, b, _| a.wrapping_add(b));
    check("min", "u32", &|a, b, _| u64::from((a as u32).min(b as u32)));
    check("max", "u32", &|a, b, _| u64::from((a as u32).max(b as u32)));
    check("min", "s32", &|a, b, _| (a as i32).min(b as i32) as u64);
    check("max", "s32", &|a, b, _| (a as i32).max(b as i32) as u64);
    check("min", "u64", &|a, b, _| a.min(b));
    check("max", "u64", &|a, b, _| a.max(b));
    check("min", "s64", &|a, b, _| (a as i64).min(b as i64) as u64);
    check("max", "s64", &|a, b, _| (a as i64).max(b as i64) as u64);
    for ty in ["b32", "b64"] {
        check("and", ty, &|a, b, _| a & b);
        check("or", ty, &|a, b, _| a | b);
        check("xor", ty, &|a, b, _| a ^ b);
        check("exch", ty, &|_, b, _| b);
    }
    check("cas", "b16", &|a, b, c| if a as u16 == b as u16 { c } else { a });
    check("cas", "b32", &|a, b, c| if a as u32 == b as u32 { c } else { a });
    check("cas", "b64", &|a, b, c| if a == b { c } else { a });
    check("inc", "u32", &|a, b, _| if a as u32 >= b as u32 { 0 } else { a + 1 });
    check("dec", "u32", &|a, b, _| if a as u32 == 0 || a as u32 > b as u32 { b } else { a - 1 });
}

#[test]
fn floats() {
    let sum = |a: u64, b: u64, _: u64| (f64::from_bits(a) + f64::from_bits(b)).to_bits();
    let inputs =
        [[1.5_f64.to_bits(), 2.25_f64.to_bits(), 0], [(-1e300_f64).to_bits(), 1e300_f64.to_bits(), 0]];
    Op {
        body: "atom.global.add.f64 _, [%in], b; ld.f64 d, [%in];",
        types: ["f64"; 4],
        compare: Compare::Bits,
    }
    .check(&device(), &inputs, sum);
    let sum =
        |a: u64, b: u64, _: u64| u64::from((f32::from_bits(a as u32) + f32::from_bits(b as u32)).to_bits());
    let inputs = [[u64::from(1.5_f32.to_bits()), u64::from(2.25_f32.to_bits()), 0]];
    Op { body: "red.global.add.f32 [%in], b; ld.f32 d, [%in];", types: ["f32"; 4], compare: Compare::Bits }
        .check(&device(), &inputs, sum);
    Op { body: "atom.add.f32 d, [%in], b;", types: ["f32"; 4], compare: Compare::Bits }.check(
        &device(),
        &inputs,
        |a, _, _| a,
    );
}

/// Every kind of read-modify-write, from several threads at once: nothing may be lost.
#[test]
fn blocks_do_not_lose_updates() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd<4>; .reg .b32 %r<8>; .reg .f32 %f<2>; .reg .pred %p<2>;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, 0;
        again:
            atom.add.u32 %r1, [%rd0], 1;
            red.global.add.u64 [%rd0+8], 3;
            atom.inc.u32 %r2, [%rd0+16], 0xffffffff;
            red.add.f32 [%rd0+20], 0f3F800000;
            // A lock made of compare-and-swap and exchange around a plain increment.
        lock:
            atom.acquire.gpu.cas.b32 %r3, [%rd0+24], 0, 1;
            setp.ne.u32 %p0, %r3, 0;
            @%p0 bra lock;
            ld.u32 %r4, [%rd0+28];
            add.u32 %r4, %r4, 1;
            st.u32 [%rd0+28], %r4;
            st.release.gpu.u32 [%rd0+24], 0;
            add.u32 %r0, %r0, 1;
            setp.lt.u32 %p1, %r0, 500;
            @%p1 bra again;
            ret;
        }",
    );
    let out = device.alloc(32).unwrap();
    let config = LaunchConfig::new(4, 3).cooperative(true);
    assert_eq!(launch(&device, &module, config, &[Arg::U64(out.address())]).wait(None), Status::Finished);
    let n = 4 * 3 * 500;
    assert_eq!(words(&device, out.address(), 8), [n, 0, 3 * n, 0, n, (n as f32).to_bits(), 0, n]);
}

/// Store buffering: with a full fence between store and load, two blocks cannot both miss the other's store.
#[test]
fn full_fences_forbid_store_buffering() {
    for fence in ["fence.sc.gpu;", "membar.gl;", "fence.sc.sys;"] {
        let device = device();
        let module = load(
            &device,
            &format!(
                ".visible .entry k(.param .u64 cells, .param .u64 out) {{
                    .reg .b64 %rd<8>; .reg .b32 %r<8>; .reg .pred %p<3>;
                    ld.param.u64 %rd0, [cells];
                    ld.param.u64 %rd1, [out];
                    mov.u32 %r0, %ctaid.x;
                    xor.b32 %r1, %r0, 1;
                    mov.u32 %r2, 0;
                round:
                    // Each round has its own pair of cells, and a counter on which both meet.
                    mad.wide.u32 %rd2, %r2, 192, %rd0;
                    atom.add.acq_rel.gpu.u32 %r3, [%rd2+128], 1;
                meet:
                    ld.acquire.gpu.u32 %r4, [%rd2+128];
                    setp.lt.u32 %p0, %r4, 2;
                    @%p0 bra meet;
                    mad.wide.u32 %rd3, %r0, 64, %rd2;
                    mad.wide.u32 %rd4, %r1, 64, %rd2;
                    st.relaxed.gpu.u32 [%rd3], 1;
                    {fence}
                    ld.relaxed.gpu.u32 %r5, [%rd4];
                    mad.lo.u32 %r6, %r2, 2, %r0;
                    mad.wide.u32 %rd5, %r6, 4, %rd1;
                    st.global.u32 [%rd5], %r5;
                    add.u32 %r2, %r2, 1;
                    setp.lt.u32 %p1, %r2, 2000;
                    @%p1 bra round;
                    ret;
                }}"
            ),
        );
        let cells = device.alloc(192 * 2000).unwrap();
        let out = device.alloc(2000 * 8).unwrap();
        let config = LaunchConfig::new(2, 1).cooperative(true);
        let args = [Arg::U64(cells.address()), Arg::U64(out.address())];
        assert_eq!(launch(&device, &module, config, &args).wait(None), Status::Finished);
        let seen = words(&device, out.address(), 4000);
        assert!(seen.as_chunks::<2>().0.iter().all(|pair| *pair != [0, 0]), "{fence}");
    }
}

/// Message passing: what is written before a release is seen after the acquire that reads it.
#[test]
fn release_and_acquire_pass_messages() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 cells, .param .u64 out) {
            .reg .b64 %rd<3>; .reg .b32 %r<6>; .reg .pred %p<4>;
            ld.param.u64 %rd0, [cells];
            mov.u32 %r0, %ctaid.x;
            setp.ne.u32 %p0, %r0, 0;
            mov.u32 %r1, 1;
            mov.u32 %r5, 0;
            @%p0 bra consumer;
        produce:
            // Waits until the message before is taken.
            ld.acquire.gpu.u32 %r2, [%rd0+64];
            add.u32 %r2, %r2, 1;
            setp.ne.u32 %p1, %r2, %r1;
            @%p1 bra produce;
            st.u32 [%rd0+128], %r1;
            st.release.gpu.u32 [%rd0], %r1;
            add.u32 %r1, %r1, 1;
            setp.le.u32 %p2, %r1, 5000;
            @%p2 bra produce;
            ret;
        consumer:
            ld.acquire.gpu.u32 %r2, [%rd0];
            setp.ne.u32 %p1, %r2, %r1;
            @%p1 bra consumer;
            ld.u32 %r3, [%rd0+128];
            setp.ne.u32 %p3, %r3, %r1;
            @%p3 add.u32 %r5, %r5, 1;
            st.release.gpu.u32 [%rd0+64], %r1;
            add.u32 %r1, %r1, 1;
            setp.le.u32 %p2, %r1, 5000;
            @%p2 bra consumer;
            ld.param.u64 %rd1, [out];
            st.u32 [%rd1], %r5;
            st.u32 [%rd1+4], %r1;
            ret;
        }",
    );
    let cells = device.alloc(192).unwrap();
    let out = device.alloc(8).unwrap();
    let config = LaunchConfig::new(2, 1).cooperative(true);
    let args = [Arg::U64(cells.address()), Arg::U64(out.address())];
    assert_eq!(launch(&device, &module, config, &args).wait(None), Status::Finished);
    assert_eq!(words(&device, out.address(), 2), [0, 5001]);
}
