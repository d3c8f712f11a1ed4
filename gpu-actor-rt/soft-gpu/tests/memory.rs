//! State spaces, widths, vectors, variables, and the device's memory seen from the host.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::ops::{Compare, Op, check, int_inputs};
use common::{device, launch, load, try_load, words};
use soft_gpu::{Arg, Device, DeviceConfig, Error, LaunchConfig, LoadErrorKind, Status};

/// Runs entry `k(out)` with one lane and returns the first `n` words that it wrote.
#[track_caller]
fn run(text: &str, config: LaunchConfig, n: usize) -> Vec<u32> {
    let device = device();
    let module = load(&device, text);
    let out = device.alloc(n * 4).unwrap();
    let launch = launch(&device, &module, config, &[Arg::U64(out.address())]);
    assert_eq!(launch.wait(None), Status::Finished);
    words(&device, out.address(), n)
}

#[test]
fn loads_extend_and_stores_truncate() {
    let device = device();
    let inputs = int_inputs();
    // The input word itself is the memory that is loaded from.
    let load = |ty: &str, f: &dyn Fn(u64) -> u64| {
        check(&device, &format!("ld.global.{ty} d, [%in];"), "b64", &inputs, |a, _, _| f(a));
        check(&device, &format!("ld.{ty} d, [%in+8];"), "b64", &inputs, |_, b, _| f(b));
        check(
            &device,
            &format!("add.u64 %in, %in, 99; ld.{ty} d, [%in-99]; sub.u64 %in, %in, 99;"),
            "b64",
            &inputs,
            |a, _, _| f(a),
        );
    };
    load("u8", &|a| u64::from(a as u8));
    load("b8", &|a| u64::from(a as u8));
    load("s8", &|a| a as i8 as u64);
    load("u16", &|a| u64::from(a as u16));
    load("s16", &|a| a as i16 as u64);
    load("u32", &|a| u64::from(a as u32));
    load("s32", &|a| a as i32 as u64);
    load("u64", &|a| a);
    let store = |ty: &str, mask: u64| {
        let body = format!("st.global.b64 [%out], a; st.global.{ty} [%out], b; ld.global.b64 d, [%out];");
        check(&device, &body, "b64", &inputs, |a, b, _| a & !mask | b & mask);
    };
    store("u8", 0xff);
    store("s16", 0xffff);
    store("b32", 0xffff_ffff);
    store("b64", u64::MAX);
}

#[test]
fn every_order_loads_and_stores() {
    let device = device();
    let inputs = int_inputs();
    for order in
        ["weak", "volatile", "relaxed.cta", "relaxed.gpu", "relaxed.sys", "acquire.gpu", "acquire.sys"]
    {
        for space in ["", ".global"] {
            let body = format!("ld.{order}{space}.b64 d, [%in];");
            check(&device, &body, "b64", &inputs, |a, _, _| a);
        }
    }
    for order in
        ["weak", "volatile", "relaxed.cta", "relaxed.gpu", "relaxed.sys", "release.gpu", "release.sys"]
    {
        let body = format!("st.{order}.global.b64 [%out], b; ld.global.b64 d, [%out];");
        check(&device, &body, "b64", &inputs, |_, b, _| b);
        let body = format!("st.{order}.b32 [%out], b; ld.relaxed.sys.b32 d, [%out];");
        check(&device, &body, "b32", &inputs, |_, b, _| b);
    }
    let float = "st.release.gpu.f32 [%out], b; ld.acquire.gpu.f32 d, [%out];";
    Op { body: float, types: ["f32"; 4], compare: Compare::Bits }.check(
        &device,
        &[[0, 0x3fc0_0000, 0]],
        |_, b, _| b,
    );
}

#[test]
fn vectors_are_consecutive() {
    let out = run(
        ".visible .entry k(.param .u64 out) {
            .reg .b64 %rd<3>; .reg .b32 %r<9>; .reg .f32 %f<5>; .reg .b16 %h<5>;
            ld.param.u64 %rd0, [out];
            mov.u32 %r1, 1; mov.u32 %r2, 2; mov.u32 %r3, 3; mov.u32 %r4, 4;
            st.global.v4.u32 [%rd0], {%r1, %r2, %r3, %r4};
            ld.global.v2.u32 {%r5, %r6}, [%rd0+8];
            st.global.v2.b32 [%rd0+16], {%r6, %r5};
            ld.volatile.global.v2.u32 {_, %r7}, [%rd0];
            st.global.u32 [%rd0+24], %r7;
            ld.global.v4.u16 {%h0, %h1, %h2, %h3}, [%rd0];
            st.global.v2.u16 [%rd0+28], {%h2, %h0};
            // A register of the address may be among the destinations.
            mov.u64 %rd1, %rd0;
            ld.global.v2.u64 {%rd1, %rd2}, [%rd1];
            st.global.u64 [%rd0+32], %rd1;
            st.global.u64 [%rd0+40], %rd2;
            ret;
        }",
        LaunchConfig::new(1, 1),
        12,
    );
    assert_eq!(out, [1, 2, 3, 4, 4, 3, 2, 0x0001_0002, 1, 2, 3, 4]);
}

#[test]
fn local_memory_is_the_lanes_own() {
    let out = run(
        ".visible .entry k(.param .u64 out) {
            .local .align 16 .b8 depot[64];
            .reg .b64 %SP, %SPL, %rd<4>; .reg .b32 %r<4>; .reg .pred %p;
            mov.u64 %SPL, depot;
            cvta.local.u64 %SP, %SPL;
            mov.u32 %r0, %tid.x;
            st.local.u32 [%SPL+4], %r0;
            bar.sync 0;
            ld.u32 %r1, [%SP+4];
            st.u32 [%SP], %r1;
            ld.local.u32 %r2, [depot];
            ld.param.u64 %rd0, [out];
            mad.wide.u32 %rd0, %r0, 4, %rd0;
            st.global.u32 [%rd0], %r2;
            ret;
        }",
        LaunchConfig::new(1, 40),
        40,
    );
    assert_eq!(out, (0..40).collect::<Vec<_>>());
}

#[test]
fn shared_memory_is_the_blocks_own() {
    // Every lane writes its slot and reads its neighbour's; blocks must not see each other.
    let out = run(
        ".shared .align 4 .b8 pad[12];
        .visible .entry k(.param .u64 out) {
            .shared .align 8 .u32 slots[64];
            .reg .b64 %rd<5>; .reg .b32 %r<9>;
            mov.u32 %r0, %tid.x;
            mov.u32 %r1, %ctaid.x;
            mad.lo.u32 %r2, %r1, 64, %r0;
            mov.u32 %r3, slots;
            mad.lo.u32 %r3, %r0, 4, %r3;
            st.shared.u32 [%r3], %r2;
            barrier.sync 0;
            add.u32 %r4, %r0, 1;
            and.b32 %r4, %r4, 63;
            mov.u64 %rd1, slots;
            cvta.shared.u64 %rd1, %rd1;
            mad.wide.u32 %rd1, %r4, 4, %rd1;
            ld.u32 %r5, [%rd1];
            cvta.to.shared.u64 %rd2, %rd1;
            ld.shared.u32 %r6, [%rd2];
            sub.u32 %r6, %r6, %r5;
            add.u32 %r5, %r5, %r6;
            ld.param.u64 %rd0, [out];
            mad.wide.u32 %rd0, %r2, 4, %rd0;
            st.global.u32 [%rd0], %r5;
            ret;
        }",
        LaunchConfig::new(4, 64),
        256,
    );
    let expected: Vec<u32> = (0..256).map(|i| i / 64 * 64 + (i % 64 + 1) % 64).collect();
    assert_eq!(out, expected);
}

#[test]
fn dynamic_shared_memory_follows_the_static() {
    let out = run(
        ".extern .shared .align 16 .b8 dynamic[];
        .visible .entry k(.param .u64 out) {
            .shared .b32 fixed[5];
            .reg .b64 %rd<3>; .reg .b32 %r<5>;
            ld.param.u64 %rd0, [out];
            mov.u32 %r0, dynamic;
            st.global.u32 [%rd0], %r0;
            mov.u32 %r1, %dynamic_smem_size;
            st.global.u32 [%rd0+4], %r1;
            mov.u32 %r2, %total_smem_size;
            st.global.u32 [%rd0+8], %r2;
            st.shared.u32 [fixed+16], 7;
            st.shared.u32 [dynamic+96], 9;
            ld.shared.u32 %r3, [fixed+16];
            st.global.u32 [%rd0+12], %r3;
            ret;
        }",
        LaunchConfig::new(1, 1).shared_bytes(100),
        4,
    );
    assert_eq!(out, [32, 100, 132, 7]);
}

#[test]
fn module_variables_have_their_initial_values() {
    let device = device();
    let module = load(
        &device,
        ".global .align 4 .u32 table[4] = {10, 20, -1};
        .const .f32 half = 0f3F000000;
        .const .align 8 .f64 pair[2] = {1.5, -2.0};
        .global .u64 pointer = table+4;
        .global .v2 .u32 two = {5, 6};
        .global .b8 bytes[] = {1, 2, 3};
        .visible .entry k(.param .u64 out) {
            .reg .b64 %rd<4>; .reg .b32 %r<6>; .reg .f32 %f0; .reg .f64 %fd0;
            ld.param.u64 %rd0, [out];
            ld.global.u32 %r0, [table+8];
            st.global.u32 [%rd0], %r0;
            ld.const.f32 %f0, [half];
            st.global.f32 [%rd0+4], %f0;
            ld.global.u64 %rd1, [pointer];
            ld.global.u32 %r1, [%rd1];
            st.global.u32 [%rd0+8], %r1;
            ld.const.f64 %fd0, [pair+8];
            cvt.rn.f32.f64 %f0, %fd0;
            st.global.f32 [%rd0+12], %f0;
            mov.u64 %rd2, table;
            cvta.global.u64 %rd2, %rd2;
            ld.u32 %r2, [%rd2+12];
            st.global.u32 [%rd0+16], %r2;
            ld.global.v2.u32 {%r3, %r4}, [two];
            add.u32 %r3, %r3, %r4;
            st.global.u32 [%rd0+20], %r3;
            ld.global.u8 %r5, [bytes+2];
            st.global.u32 [%rd0+24], %r5;
            st.global.u32 [table], 99;
            ret;
        }",
    );
    let out = device.alloc(28).unwrap();
    let running = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(out.address())]);
    assert_eq!(running.wait(None), Status::Finished);
    let expected = [u32::MAX, 0.5_f32.to_bits(), 20, (-2.0_f32).to_bits(), 0, 11, 3];
    assert_eq!(words(&device, out.address(), 7), expected);
    let (address, len) = module.global("table").unwrap();
    assert_eq!(len, 16);
    assert_eq!(words(&device, address, 4), [99, 20, u32::MAX, 0]);
    assert_eq!(module.global("bytes").unwrap().1, 3);
    assert!(module.global("missing").is_none());
}

#[test]
fn entry_parameters_of_every_size() {
    let device = device();
    let module = load(
        &device,
        ".visible .entry k(.param .u64 out, .param .u8 a, .param .u16 b, .param .f32 c, .param .f64 d,
                           .param .align 8 .b8 e[12], .param .s32 f, .param .s64 g) {
            .reg .b64 %rd<3>; .reg .b32 %r<4>; .reg .f32 %f0; .reg .f64 %fd0;
            ld.param.u64 %rd0, [out];
            ld.param.u8 %r0, [a];
            st.global.u32 [%rd0], %r0;
            ld.param.u16 %r0, [b];
            st.global.u32 [%rd0+4], %r0;
            ld.param.f32 %f0, [c];
            st.global.f32 [%rd0+8], %f0;
            ld.param.f64 %fd0, [d];
            cvt.rn.f32.f64 %f0, %fd0;
            st.global.f32 [%rd0+12], %f0;
            ld.param.u32 %r1, [e+8];
            st.global.u32 [%rd0+16], %r1;
            mov.u64 %rd1, e;
            ld.param.v2.u16 {%r2, %r3}, [%rd1+4];
            st.global.u32 [%rd0+20], %r3;
            ld.param.s32 %rd2, [f];
            st.global.u64 [%rd0+24], %rd2;
            ld.param.s64 %rd2, [g];
            st.global.u64 [%rd0+32], %rd2;
            ret;
        }",
    );
    let out = device.alloc(40).unwrap();
    let args = [
        Arg::U64(out.address()),
        Arg::U8(200),
        Arg::U16(60_000),
        Arg::F32(1.25),
        Arg::F64(-0.5),
        Arg::Bytes(vec![1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 0, 0]),
        Arg::I32(-2),
        Arg::I64(-3),
    ];
    let running = launch(&device, &module, LaunchConfig::new(1, 1), &args);
    assert_eq!(running.wait(None), Status::Finished);
    let expected = [
        200,
        60_000,
        1.25_f32.to_bits(),
        (-0.5_f32).to_bits(),
        4,
        3,
        -2_i32 as u32,
        u32::MAX,
        -3_i32 as u32,
        u32::MAX,
    ];
    assert_eq!(words(&device, out.address(), 10), expected);
}

#[test]
fn copies_stay_inside_live_allocations() {
    let device = device();
    let memory = device.alloc(100).unwrap();
    let at = memory.address();
    assert_eq!(at % 256, 0);
    device.copy_to_device(at + 90, &[7; 10]).unwrap();
    let invalid = |address, bytes| Err(Error::InvalidAddress { address, bytes });
    assert_eq!(device.copy_to_device(at + 91, &[7; 10]), invalid(at + 91, 10));
    assert_eq!(device.copy_from_device(&mut [0; 1], at - 1), invalid(at - 1, 1));
    assert_eq!(device.copy_from_device(&mut [0; 1], u64::MAX), invalid(u64::MAX, 1));
    assert_eq!(device.copy_from_device(&mut [0; 2], at + 99), invalid(at + 99, 2));
    // Odd places and lengths, so that every part of a copy has its turn.
    let data: Vec<u8> = (0..60).collect();
    for start in 0..9 {
        for len in 0..40 {
            device.copy_to_device(at, &[0xee; 100]).unwrap();
            device.copy_to_device(at + start, &data[..len]).unwrap();
            let mut all = [0; 100];
            device.copy_from_device(&mut all, at).unwrap();
            let start = start as usize;
            assert_eq!(all[start..start + len], data[..len]);
            assert!(all[..start].iter().chain(&all[start + len..]).all(|b| *b == 0xee));
            let mut part = vec![0; len];
            device.copy_from_device(&mut part, at + start as u64).unwrap();
            assert_eq!(part, data[..len]);
        }
    }
    drop(memory);
    assert_eq!(device.copy_from_device(&mut [0; 1], at), invalid(at, 1));
    // Another device's memory is not this one's.
    let other = common::device();
    let foreign = other.alloc(8).unwrap();
    assert_eq!(device.copy_from_device(&mut [0; 8], foreign.address()), invalid(foreign.address(), 8));
}

#[test]
fn memory_is_zeroed_counted_and_limited() {
    let device = Device::open(DeviceConfig { memory: 1000, ..DeviceConfig::default() }).unwrap();
    let first = device.alloc(600).unwrap();
    assert_eq!(device.memory_info().free, 400);
    let full = device.alloc_mapped(401).unwrap_err();
    assert_eq!(full, Error::OutOfMemory { requested: 401, free: 400, total: 1000 });
    assert_eq!(device.alloc(0).unwrap_err(), Error::EmptyAllocation);
    let second = device.alloc_mapped(400).unwrap();
    let mut bytes = [1; 400];
    device.copy_from_device(&mut bytes, second.address()).unwrap();
    assert_eq!(bytes, [0; 400]);
    assert_eq!((first.len(), second.len(), device.memory_info().free), (600, 400, 0));
    drop(first);
    drop(second);
    assert_eq!(device.memory_info().free, 1000);
    assert_eq!(device.memory_info().quarantined, 0);
    let error = Device::open(DeviceConfig { memory: 0, ..DeviceConfig::default() }).unwrap_err();
    assert!(matches!(error, Error::InvalidConfig { .. }));
}

/// Module variables come out of the device's memory too, and go back with the module.
#[test]
fn module_variables_are_counted() {
    let device = Device::open(DeviceConfig { memory: 100, ..DeviceConfig::default() }).unwrap();
    let module = load(&device, ".global .b8 a[60];");
    assert_eq!(device.memory_info().free, 40);
    let error = try_load(&device, ".global .b8 a[60];").unwrap_err();
    assert_eq!((error.kind(), error.line()), (LoadErrorKind::Type, 4));
    drop(module);
    assert_eq!(device.memory_info().free, 100);
}
