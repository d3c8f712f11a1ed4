//! A checked device finds what a kernel does wrong, names it, and lives on.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::{device_in, launch, load};
use soft_gpu::{
    AccessKind, Arg, Device, DeviceConfig, Error, LaunchConfig, Mode, Module, Status, Violation,
    ViolationKind as Kind,
};

/// Each lane writes its number.
const FILL: &str = ".version 7.0
.target sm_70
.address_size 64
.visible .entry fill(.param .u64 xs) {
    .reg .b64 %rd<2>;
    .reg .b32 %r<1>;
    ld.param.u64 %rd0, [xs];
    mov.u32 %r0, %tid.x;
    mad.wide.u32 %rd1, %r0, 4, %rd0;
    st.global.u32 [%rd1], %r0;
    ret;
}";

#[test]
fn a_violation_says_who_did_what_where() {
    // ANCHOR: violation
    let device = Device::open(DeviceConfig { mode: Mode::checked(), ..DeviceConfig::default() }).unwrap();
    let fill = device.load_ptx(FILL).unwrap().function("fill").unwrap();
    let xs = device.alloc(4 * 31).unwrap();
    // SAFETY: the device checks what the kernel touches.
    let launch =
        unsafe { device.launch(&fill, &LaunchConfig::new(1, 32), &[Arg::U64(xs.address())]).unwrap() };
    let Status::Failed(error) = launch.wait(None) else { panic!("31 words for 32 lanes") };
    // ANCHOR_END: violation
    let address = format!("{:#x}", xs.address());
    let past = format!("{:#x}", xs.address() + 124);
    let text = error.to_string().replace(&past, "PAST").replace(&address, "XS");
    assert_eq!(
        text,
        "access out of bounds in `fill`, PTX line 10, `st.global.u32 [%rd1], %r0`: block 0, lane 31 \
         writes 4 bytes at .global PAST, 0 bytes past the end of device memory XS..+124"
    );
}

fn checked() -> Device {
    device_in(Mode::checked())
}

/// An entry `k` with a pointer `%rd0` and registers of every size, on lines 1 and 2 of the text after the header.
fn entry(body: &str) -> String {
    format!(
        ".visible .entry k(.param .u64 xs) {{ .reg .b64 %rd<8>; .reg .b32 %r<8>; .reg .pred %p<4>; .reg .b16 %h<4>; .reg .f32 %f<4>;
        ld.param.u64 %rd0, [xs];
        {body}
        ret;
    }}"
    )
}

/// Launches and returns what the device found.
#[track_caller]
fn found_in(device: &Device, module: &Module, config: LaunchConfig, arg: u64) -> Violation {
    match launch(device, module, config, &[Arg::U64(arg)]).wait(None) {
        Status::Failed(Error::Violation(violation)) => *violation,
        other => panic!("{other:?}"),
    }
}

/// Runs a body with one lane on 64 bytes of memory; the violation is in the body's first line.
#[track_caller]
fn found(body: &str) -> Violation {
    let device = checked();
    let module = load(&device, &entry(body));
    let memory = device.alloc(64).unwrap();
    let violation = found_in(&device, &module, LaunchConfig::new(1, 1).shared_bytes(32), memory.address());
    assert_eq!(violation.line, 3 + 3, "{violation}");
    assert_eq!((violation.kernel.as_str(), violation.function.as_str()), ("k", "k"));
    assert_eq!((violation.block, violation.lane), (0, 0));
    // The device goes on.
    let fine = load(&device, &entry("st.global.u32 [%rd0], 7;"));
    let status = launch(&device, &fine, LaunchConfig::new(1, 1), &[Arg::U64(memory.address())]).wait(None);
    assert_eq!(status, Status::Finished);
    violation
}

/// Runs a body with one lane on 64 bytes of memory, in which nothing is wrong.
#[track_caller]
fn fine(body: &str) {
    let device = checked();
    let module = load(&device, &entry(body));
    let memory = device.alloc(64).unwrap();
    let config = LaunchConfig::new(1, 1).shared_bytes(32);
    let status = launch(&device, &module, config, &[Arg::U64(memory.address())]).wait(None);
    assert_eq!(status, Status::Finished, "{body}");
}

#[test]
fn global_memory_is_left_at_neither_end() {
    let past = found("ld.global.u32 %r1, [%rd0+64];");
    assert_eq!((past.kind, past.access, past.bytes), (Kind::OutOfBounds, AccessKind::Read, 4));
    assert_eq!(past.instruction, "ld.global.u32 %r1, [%rd0+64]");
    let nearest = past.nearest.as_ref().unwrap();
    assert_eq!((nearest.start + 64, nearest.len, nearest.freed), (past.address, 64, false));
    assert!(past.to_string().contains("0 bytes past the end of device memory"), "{past}");
    let across = found("st.v4.u32 [%rd0+56], {%r1, %r1, %r1, %r1};");
    assert_eq!((across.kind, across.access, across.bytes), (Kind::OutOfBounds, AccessKind::Write, 16));
    assert!(across.to_string().contains("crossing the end of, by 8 bytes"), "{across}");
    let before = found("atom.global.add.u64 %rd1, [%rd0-8], 1;");
    assert_eq!((before.kind, before.access), (Kind::OutOfBounds, AccessKind::Atomic));
    fine(
        "ld.global.u32 %r1, [%rd0+60]; st.v4.u32 [%rd0+48], {%r1, %r1, %r1, %r1}; red.global.add.u64 [%rd0], 1;",
    );
}

#[test]
fn wild_and_null_pointers_do_not_end_the_process() {
    assert_eq!(found("mov.u64 %rd1, 0x7777777777777770; ld.u32 %r1, [%rd1];").kind, Kind::OutOfBounds);
    assert_eq!(found("mov.u64 %rd1, 0xfffffffffffffffe; ld.u16 %h1, [%rd1+2];").kind, Kind::NullAccess);
    assert_eq!(found("mov.u64 %rd1, -8; st.u64 [%rd1], %rd1;").kind, Kind::OutOfBounds);
    let null = found("mov.u64 %rd1, 0; ld.global.u8 %h1, [%rd1+16];");
    assert_eq!((null.kind, null.address), (Kind::NullAccess, 16));
    // Code is no data.
    assert_eq!(found("mov.u64 %rd1, k; ld.u32 %r1, [%rd1];").kind, Kind::OutOfBounds);
}

#[test]
fn misaligned_accesses_are_found() {
    let odd = found("ld.global.u32 %r1, [%rd0+2];");
    assert_eq!((odd.kind, odd.bytes), (Kind::Misaligned, 4));
    assert_eq!(found("ld.global.v2.u32 {%r1, %r2}, [%rd0+4];").kind, Kind::Misaligned);
    assert_eq!(found("atom.global.cas.b32 %r1, [%rd0+1], 0, 1;").kind, Kind::Misaligned);
    fine("ld.global.u16 %h1, [%rd0+2]; ld.global.v2.u32 {%r1, %r2}, [%rd0+8];");
}

#[test]
fn memory_that_was_given_back_is_known() {
    let device = checked();
    let module = load(&device, &entry("ld.global.u32 %r1, [%rd0+8];"));
    let memory = device.alloc(64).unwrap();
    let address = memory.address();
    drop(memory);
    let freed = found_in(&device, &module, LaunchConfig::new(1, 1), address);
    assert_eq!((freed.kind, freed.address), (Kind::UseAfterFree, address + 8));
    let nearest = freed.nearest.unwrap();
    assert_eq!((nearest.start, nearest.len, nearest.freed), (address, 64, true));
}

#[test]
fn memory_given_back_under_a_running_kernel_is_not_its_own_any_more() {
    let device = checked();
    let module = load(&device, &entry("again: ld.global.u32 %r1, [%rd0]; nanosleep.u32 1000; bra again;"));
    let memory = device.alloc(64).unwrap();
    let launch = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(memory.address())]);
    assert_eq!(launch.wait(Some(std::time::Duration::from_millis(5))), Status::Running);
    drop(memory);
    let Status::Failed(Error::Violation(violation)) = launch.wait(None) else { panic!("it runs on") };
    assert_eq!(violation.kind, Kind::UseAfterFree);
}

#[test]
fn shared_memory_has_its_size_and_must_be_written_first() {
    let past = found("st.shared.u32 [32], 1;");
    assert_eq!((past.kind, past.space, past.address), (Kind::OutOfBounds, ".shared", 32));
    assert_eq!(found("mov.u32 %r1, 0xfffffff0; st.shared.u32 [%r1], 1;").kind, Kind::OutOfBounds);
    let unwritten = found("ld.shared.u32 %r1, [16];");
    assert_eq!((unwritten.kind, unwritten.address), (Kind::Uninitialised, 16));
    assert_eq!(found("atom.shared.add.u32 %r1, [0], 1;").kind, Kind::Uninitialised);
    let half = found("st.shared.u16 [16], %h1; ld.shared.u32 %r1, [16];");
    assert!(half.detail.contains("byte 18"), "{half}");
    // By its generic address too.
    assert_eq!(
        found("mov.u64 %rd1, 0; cvta.shared.u64 %rd1, %rd1; ld.u32 %r1, [%rd1+4];").kind,
        Kind::Uninitialised
    );
    assert_eq!(
        found("mov.u64 %rd1, 0; cvta.shared.u64 %rd1, %rd1; st.u32 [%rd1+32], 4;").kind,
        Kind::OutOfBounds
    );
    let not_global = found("mov.u64 %rd1, 0; cvta.shared.u64 %rd1, %rd1; st.global.u32 [%rd1], 4;");
    assert!(not_global.detail.contains(".global"), "{not_global}");
    fine("st.shared.u32 [28], 1; ld.shared.u32 %r1, [28]; atom.shared.add.u32 %r1, [28], 1;");
}

#[test]
fn local_memory_is_the_functions_own() {
    fine(
        ".local .align 8 .b8 d[16]; st.local.u64 [d+8], %rd0; mov.u64 %rd1, d; cvta.local.u64 %rd2, %rd1; ld.u64 %rd3, [%rd2+8];",
    );
    let past = found(".local .align 8 .b8 d[16]; st.local.u64 [d+16], %rd0;");
    assert_eq!((past.kind, past.space), (Kind::OutOfBounds, ".local"));
    assert_eq!(past.nearest.unwrap().len, 16);
    let across = found(".local .align 8 .b8 d[16]; mov.u64 %rd1, d; ld.u64 %rd3, [%rd1+12];");
    assert_eq!(across.kind, Kind::OutOfBounds);
    let not_local = found("ld.local.u32 %r1, [%rd0];");
    assert_eq!(not_local.kind, Kind::OutOfBounds);
    let not_global = found(".local .b32 d; mov.u64 %rd1, d; st.global.u32 [%rd1], 1;");
    assert!(not_global.detail.contains("local memory"), "{not_global}");
}

#[test]
fn the_frame_of_a_function_that_has_returned_is_gone() {
    let device = checked();
    let module = load(
        &device,
        ".func (.param .b64 r) leak() { .reg .b64 %rd<2>; .local .b64 mine;
            st.local.u64 [mine], 5; mov.u64 %rd0, mine; st.param.b64 [r], %rd0; ret; }
         .visible .entry k(.param .u64 xs) { .reg .b64 %rd<2>; .param .b64 r0;
            call (r0), leak, (); ld.param.b64 %rd0, [r0];
            ld.u64 %rd1, [%rd0];
            ret; }",
    );
    let violation = found_in(&device, &module, LaunchConfig::new(1, 1), 0);
    assert_eq!((violation.kind, violation.line), (Kind::OutOfBounds, 8));
}

#[test]
fn the_local_memory_of_another_lane_is_out_of_bounds() {
    let device = checked();
    let module = load(
        &device,
        &entry(
            ".shared .b64 at; .local .b32 mine; mov.u32 %r1, %tid.x; setp.eq.u32 %p1, %r1, 0; mov.u64 %rd1, mine;
             @%p1 st.shared.u64 [at], %rd1; bar.sync 0; ld.shared.u64 %rd2, [at]; ld.u32 %r2, [%rd2]; bar.sync 0;",
        ),
    );
    let violation = found_in(&device, &module, LaunchConfig::new(1, 2), 0);
    assert_eq!((violation.kind, violation.lane, violation.line), (Kind::OutOfBounds, 1, 7));
    assert!(violation.detail.contains("lane 0"), "{violation}");
}

#[test]
fn constants_and_parameters_are_not_written() {
    let device = checked();
    let module = load(
        &device,
        &format!(
            ".const .u32 table[4] = {{1, 2, 3, 4}};\n{}",
            entry("mov.u64 %rd1, table; ld.const.u32 %r1, [%rd1+12]; st.u32 [%rd1], %r1;",)
        ),
    );
    let violation = found_in(&device, &module, LaunchConfig::new(1, 1), 0);
    assert_eq!((violation.kind, violation.access), (Kind::ReadOnly, AccessKind::Write));
    let module = load(
        &device,
        &format!(".const .u32 table[4] = {{1, 2, 3, 4}};\n{}", entry("ld.const.u32 %r1, [table+16];",)),
    );
    let violation = found_in(&device, &module, LaunchConfig::new(1, 1), 0);
    assert_eq!(violation.kind, Kind::OutOfBounds);
    assert_eq!(violation.nearest.unwrap().what, "variable `table`");
    assert_eq!(found("mov.u64 %rd1, xs; st.u64 [%rd1], %rd1;").kind, Kind::ReadOnly);
    assert_eq!(found("mov.u64 %rd1, xs; ld.param.u64 %rd2, [%rd1+8];").kind, Kind::OutOfBounds);
    fine("mov.u64 %rd1, xs; ld.param.u64 %rd2, [%rd1];");
}

#[test]
fn the_function_the_block_and_the_lane_are_named() {
    let device = checked();
    let module = load(
        &device,
        ".func poke(.param .b64 at) { .reg .b64 %rd<2>;
            ld.param.b64 %rd0, [at];
            st.global.u32 [%rd0], 1;
            ret; }
         .visible .entry k(.param .u64 xs) { .reg .b64 %rd<4>; .reg .b32 %r<4>; .param .b64 p0;
            ld.param.u64 %rd0, [xs]; mov.u32 %r0, %ctaid.x; mov.u32 %r1, %tid.x; mad.lo.u32 %r2, %r0, 4, %r1;
            mad.wide.u32 %rd1, %r2, 4, %rd0; st.param.b64 [p0], %rd1; call poke, (p0); ret; }",
    );
    let memory = device.alloc(4 * 11).unwrap();
    let violation = found_in(&device, &module, LaunchConfig::new(3, 4), memory.address());
    assert_eq!((violation.kernel.as_str(), violation.function.as_str()), ("k", "poke"));
    assert_eq!((violation.line, violation.block, violation.lane), (6, 2, 3));
}

#[test]
fn indirect_calls_reach_functions_of_the_right_kind_only() {
    let functions = ".func (.param .b32 r) one(.param .b32 a) { .reg .b32 %r<2>; ld.param.b32 %r0, [a]; add.u32 %r0, %r0, 1; st.param.b32 [r], %r0; ret; }
        .func none() { ret; }\n";
    let call = "proto: .callprototype (.param .b32 _) _ (.param .b32 _); .param .b32 a0; .param .b32 r0; st.param.b32 [a0], 41;
        call (r0), %rd1, (a0), proto;";
    let device = checked();
    let run = |target: &str| {
        let text = format!(
            "{functions}{}",
            entry(&format!(
                "mov.u64 %rd1, {target}; {call} ld.param.b32 %r1, [r0]; st.global.u32 [%rd0], %r1;"
            ))
        );
        let memory = device.alloc(4).unwrap();
        let status =
            launch(&device, &load(&device, &text), LaunchConfig::new(1, 1), &[Arg::U64(memory.address())])
                .wait(None);
        match status {
            Status::Finished => Ok(common::words(&device, memory.address(), 1)[0]),
            Status::Failed(Error::Violation(v)) => Err((v.kind, v.detail)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(run("one"), Ok(42));
    let (kind, detail) = run("none").unwrap_err();
    assert_eq!(kind, Kind::WildCall);
    assert!(detail.contains("`none`"), "{detail}");
    assert!(run("k").unwrap_err().1.contains("entry"));
    assert_eq!(run("0").unwrap_err().0, Kind::WildCall);
    assert_eq!(run("0x1234567890").unwrap_err().0, Kind::WildCall);
}

#[test]
fn recursion_without_end_is_an_error() {
    let device = checked();
    let module = load(
        &device,
        ".func down(.param .b32 a) { .reg .b32 %r<2>; .local .align 8 .b8 room[256]; .param .b32 p; ld.param.b32 %r0, [a]; st.local.b32 [room], %r0;
            add.u32 %r0, %r0, 1; st.param.b32 [p], %r0;
            call down, (p); ret; }
         .visible .entry k(.param .u64 xs) { .param .b32 p; st.param.b32 [p], 0; call down, (p); ret; }",
    );
    let violation = found_in(&device, &module, LaunchConfig::new(1, 1), 0);
    assert_eq!((violation.kind, violation.line), (Kind::StackOverflow, 6));
    assert!(violation.detail.contains("`down`"), "{violation}");
}

#[test]
fn calls_that_multiply_can_be_aborted() {
    let twice = |n: u32| format!(".func f{n}() {{ call f{p}; call f{p}; ret; }}\n", p = n - 1);
    let functions: Vec<String> = (1..64).map(twice).collect();
    let text = format!(
        ".func f0() {{ ret; }}\n{}.visible .entry k(.param .u64 xs) {{ call f63; ret; }}",
        functions.concat()
    );
    let device = checked();
    let module = load(&device, &text);
    let launch = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(0)]);
    assert_eq!(launch.wait(Some(std::time::Duration::from_millis(10))), Status::Running);
    launch.abort();
    assert_eq!(launch.wait(None), Status::Aborted);
}

#[test]
fn divergent_barriers_are_found() {
    let run = |body: &str, lanes: u32| {
        let device = checked();
        let module = load(&device, &entry(&format!("mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 3; {body}")));
        launch(&device, &module, LaunchConfig::new(1, lanes), &[Arg::U64(0)]).wait(None)
    };
    let divergent = |body: &str, lanes: u32| match run(body, lanes) {
        Status::Failed(Error::Violation(v)) if v.kind == Kind::DivergentBarrier => v.detail,
        other => panic!("{body}: {other:?}"),
    };
    // Two barrier instructions, one number.
    let detail = divergent("@%p1 bra low;\nbar.sync 0; bra done;\nlow: bar.sync 0; done:", 8);
    assert!(detail.contains("line 7") || detail.contains("line 8"), "{detail}");
    // Two numbers.
    divergent("@%p1 bra low; bar.sync 1; bra done; low: bar.sync 2; done:", 8);
    // Lanes that have ended.
    let detail = divergent("@%p1 ret; bar.sync 0;", 8);
    assert!(detail.contains("has ended"), "{detail}");
    divergent("@!%p1 ret; bar.sync 0;", 40);
    // One lane waits for its warp, the rest at a barrier.
    divergent("@%p1 bar.warp.sync 0xff; bar.sync 0;", 8);
    divergent("@%p1 ret; barrier.sync.aligned 0;", 8);
    // What the rule allows: the same instruction, without `.aligned` any, and whole warps that have ended.
    assert_eq!(run("bar.sync 0; bar.sync 0; bar.sync 1;", 40), Status::Finished);
    assert_eq!(
        run("@%p1 bra low; barrier.sync 0; bra done; low: barrier.sync 0; done:", 8),
        Status::Finished
    );
    assert_eq!(run("@%p1 ret; barrier.sync 0;", 8), Status::Finished);
    assert_eq!(run("setp.ge.u32 %p2, %r1, 32; @%p2 ret; bar.sync 0;", 64), Status::Finished);
}

#[test]
fn a_module_of_another_mode_is_refused() {
    let (checked, fast) = (checked(), device_in(Mode::default()));
    let module = load(&fast, &entry(""));
    assert!(fast.accepts(&module) && !checked.accepts(&module));
    // SAFETY: the kernel touches no memory.
    let error =
        unsafe { checked.launch(&module.function("k").unwrap(), &LaunchConfig::new(1, 1), &[Arg::U64(0)]) };
    let error = error.unwrap_err();
    assert!(matches!(error, Error::OtherMode { .. }), "{error}");
    assert!(error.to_string().contains("fast") && error.to_string().contains("checked"), "{error}");
    // Another device of the same mode takes it, and knows its variables.
    let module = load(&checked, &format!(".global .u32 x;\n{}", entry("st.global.u32 [x], 5;")));
    let other = device_in(Mode::checked());
    assert_eq!(launch(&other, &module, LaunchConfig::new(1, 1), &[Arg::U64(0)]).wait(None), Status::Finished);
}
