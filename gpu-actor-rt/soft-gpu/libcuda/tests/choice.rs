//! Who answers, decided by the environment, and how a process ends: each in a process of its own, which is this program again.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::ffi::c_void;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::ptr::{from_ref, null_mut};

use soft_gpu_libcuda::{Backend, Code, backend, missing_symbols, sys};

/// Names the part that a child plays.
const PART: &str = "SOFT_GPU_LIBCUDA_TEST_PART";

/// Runs this program as a child that plays a part with these variables, and returns what it printed; it must succeed.
fn child(part: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "plays_its_part", "--nocapture"]).env(PART, part).stdin(Stdio::null());
    command.env_remove("SOFT_GPU_LIBCUDA").env_remove("CUDA_VISIBLE_DEVICES");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{variables:?}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// In the parent this does nothing.
#[test]
fn plays_its_part() {
    match std::env::var(PART).as_deref() {
        Ok("tell") => tell(),
        Ok("leave") => leave(),
        _ => {}
    }
}

/// Tells who answers, what cuInit says, and the buses of the devices, in one line.
fn tell() {
    let mut line = match backend() {
        Backend::Vendor { path } => format!("vendor {}", path.display()),
        Backend::Soft => "soft".to_owned(),
        Backend::None { why } => format!("nobody {why}"),
        other => format!("{other:?}"),
    };
    // SAFETY: the pointers are to ints.
    unsafe {
        write!(line, " | {}", sys::cuInit(0)).unwrap();
        let (mut count, mut bus) = (0, 0);
        sys::cuDeviceGetCount(&raw mut count);
        for device in 0..count {
            sys::cuDeviceGetAttribute(&raw mut bus, 33, device);
            write!(line, " {bus}").unwrap();
        }
    }
    assert!(missing_symbols().is_empty());
    println!("\n> {line}");
}

fn told(variables: &[(&str, &str)]) -> String {
    let text = child("tell", variables);
    text.lines().find_map(|line| line.strip_prefix("> ")).expect("the child tells").to_owned()
}

const SOFT: &str = "SOFT_GPU_LIBCUDA";

#[test]
fn the_environment_decides_who_answers() {
    assert_eq!(told(&[(SOFT, "soft")]), "soft | 0 1");
    assert_eq!(told(&[(SOFT, "soft:devices=3,memory=1M")]), "soft | 0 1 2 3");
    for (setting, why) in [
        ("sofa", "`sofa`: use `soft`"),
        ("soft:devices=many", "devices=many"),
        ("/nowhere/libcuda.so.1", "`/nowhere/libcuda.so.1` cannot be loaded"),
    ] {
        let line = told(&[(SOFT, setting)]);
        assert!(line.starts_with("nobody") && line.contains(why) && line.ends_with("| 100"), "{line}");
    }
    // A library that is there and is no driver.
    let line = told(&[(SOFT, "vendor"), ("LD_LIBRARY_PATH", "/nowhere")]);
    assert!(line.starts_with("nobody") || line.starts_with("vendor"), "{line}");
}

#[test]
fn visible_devices_are_picked_and_ordered() {
    let see = |visible| told(&[(SOFT, "soft:devices=4"), ("CUDA_VISIBLE_DEVICES", visible)]);
    assert_eq!(see("2,0"), "soft | 0 3 1");
    assert_eq!(see("1,7,2"), "soft | 0 2");
    assert_eq!(see("GPU-736f6674-2d67-7075-0000-000000000003"), "soft | 0 4");
    assert_eq!(see(""), "soft | 100");
    assert_eq!(see("-1"), "soft | 100");
}

const ENDLESS: &std::ffi::CStr = c"
.version 7.0
.target sm_70
.address_size 64
.visible .entry endless(.param .u64 at) {
  .reg .b64 %rd<1>;
  .reg .b32 %r<1>;
  ld.param.u64 %rd0, [at];
  mov.u32 %r0, 1;
LOOP:
  st.volatile.global.u32 [%rd0], %r0;
  bra LOOP;
}";

/// Ends while a kernel runs that never does.
fn leave() {
    // SAFETY: the pointers are to values of the right types, and the kernel writes one word of its own.
    unsafe {
        let ok = |code| assert_eq!(Code(code), Code::SUCCESS);
        let (mut context, mut module, mut function, mut host) =
            (null_mut(), null_mut(), null_mut(), null_mut());
        ok(sys::cuInit(0));
        ok(sys::cuDevicePrimaryCtxRetain(&raw mut context, 0));
        ok(sys::cuCtxSetCurrent(context));
        ok(sys::cuModuleLoadData(&raw mut module, ENDLESS.as_ptr().cast()));
        ok(sys::cuModuleGetFunction(&raw mut function, module, c"endless".as_ptr()));
        ok(sys::cuMemHostAlloc(&raw mut host, 4, 2));
        let word = std::sync::atomic::AtomicU32::from_ptr(host.cast());
        let address = host.addr() as u64;
        let mut args: [*mut c_void; 1] = [from_ref(&address).cast_mut().cast()];
        let args = args.as_mut_ptr();
        ok(sys::cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, null_mut(), args, null_mut()));
        while word.load(std::sync::atomic::Ordering::Acquire) != 1 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_process_ends_while_a_kernel_runs() {
    child("leave", &[(SOFT, "soft")]);
}
