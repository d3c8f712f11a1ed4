//! What a process finds when it asks for a device, by its environment: each case is a process of its own, since the driver API
//! is chosen once per process.

use std::process::Command;

use gpu_actor_rt::device::cuda::backend;
use gpu_actor_rt::device::{self, CudaConfig, DeviceChoice, DeviceError};

/// What the child is to ask for; and with that, that it is the child.
const ASK: &str = "CUDA_PROCESS_TEST_ASKS";

/// In a process without [`ASK`] this is no more than a test that passes.
#[test]
fn what_this_process_finds() {
    let Ok(ask) = std::env::var(ASK) else { return };
    let choice = match ask.as_str() {
        "cuda" => CudaConfig::default().into(),
        "opened" => {
            let soft = device::soft::Soft::open(&device::soft::SoftConfig::default()).expect("it opens");
            std::sync::Arc::new(soft).into()
        }
        _ => DeviceChoice::Auto,
    };
    let answer = match device::choose(&choice) {
        Ok(chosen) => format!("{}, for {}", chosen.device.info().driver, chosen.why),
        Err(error) => {
            let kind = match &error {
                DeviceError::NoCuda { .. } => "NoCuda",
                DeviceError::TooOld { .. } => "TooOld",
                DeviceError::NoDevice { .. } => "NoDevice",
                DeviceError::NotPermitted { .. } => "NotPermitted",
                DeviceError::Failed { .. } => "Failed",
                DeviceError::Environment { .. } => "Environment",
                _ => "other",
            };
            format!("{kind}: {error}")
        }
    };
    println!("ANSWER {answer} [{}]", backend());
}

/// What a process with these variables finds.
fn find(ask: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("it has a path"));
    command.args(["--exact", "what_this_process_finds", "--nocapture"]).env(ASK, ask);
    for hidden in ["GPU_ACTOR_DEVICE", "GPU_ACTOR_SOFT", "SOFT_GPU_LIBCUDA", "CUDA_VISIBLE_DEVICES"] {
        command.env_remove(hidden);
    }
    let output = command.envs(variables.iter().copied()).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let answer =
        text.lines().find_map(|line| line.split_once("ANSWER ").map(|(_, answer)| answer.to_owned()));
    answer.unwrap_or_else(|| panic!("{output:?}"))
}

#[test]
fn without_a_driver_cuda_is_an_error_and_auto_says_why_it_is_not_taken() {
    let nobody = ("SOFT_GPU_LIBCUDA", "/nowhere/libcuda.so.1");
    let answer = find("cuda", &[nobody]);
    assert!(
        answer.starts_with("NoCuda: there is no CUDA device:") && answer.contains("/nowhere"),
        "{answer}"
    );
    let answer = find("auto", &[nobody]);
    assert!(answer.starts_with("soft-gpu, for Config::device is auto: there is no CUDA device"), "{answer}");
    let answer = find("auto", &[nobody, ("GPU_ACTOR_DEVICE", "cuda")]);
    assert!(answer.starts_with("NoCuda:"), "{answer}");
}

#[test]
fn the_environment_chooses() {
    let soft = ("SOFT_GPU_LIBCUDA", "soft:devices=2,driver=12.8");
    let answer = find("auto", &[soft, ("GPU_ACTOR_DEVICE", "cuda:1")]);
    assert_eq!(
        answer,
        "CUDA 12.8 (software GPU), for GPU_ACTOR_DEVICE=cuda:1 asks for CUDA device 1 [the software GPU]"
    );
    let answer = find("cuda", &[soft, ("GPU_ACTOR_DEVICE", "soft")]);
    assert!(answer.starts_with("soft-gpu, for GPU_ACTOR_DEVICE=soft asks for the software GPU"), "{answer}");
    let answer = find("cuda", &[soft, ("GPU_ACTOR_DEVICE", "auto")]);
    assert!(
        answer.starts_with("soft-gpu, for GPU_ACTOR_DEVICE=auto is auto: "),
        "never taken for hardware: {answer}"
    );
    let answer = find("opened", &[soft, ("GPU_ACTOR_DEVICE", "cuda")]);
    assert!(answer.starts_with("soft-gpu, for the program opened it"), "{answer}");
    let answer = find("cuda", &[soft, ("GPU_ACTOR_DEVICE", "cuda:2")]);
    assert!(answer.starts_with("NoDevice: CUDA 12.8 (software GPU) has no device 2; it has 2"), "{answer}");
    let answer = find("auto", &[soft, ("GPU_ACTOR_DEVICE", "gpu")]);
    assert!(answer.starts_with("Environment: GPU_ACTOR_DEVICE=gpu"), "{answer}");
}

#[test]
fn hidden_devices_and_an_old_driver_are_typed_errors() {
    let soft = ("SOFT_GPU_LIBCUDA", "soft");
    let answer = find("cuda", &[soft, ("CUDA_VISIBLE_DEVICES", "")]);
    assert!(answer.starts_with("NoCuda:") && answer.contains("CUDA_VISIBLE_DEVICES is \"\""), "{answer}");
    let answer = find("cuda", &[("SOFT_GPU_LIBCUDA", "soft:devices=0")]);
    assert!(answer.starts_with("NoCuda:"), "{answer}");
    let answer = find("cuda", &[("SOFT_GPU_LIBCUDA", "soft:driver=11.2")]);
    assert!(answer.starts_with("TooOld: CUDA 11.2") && answer.contains("11.4 is needed"), "{answer}");
    let answer = find("cuda", &[("SOFT_GPU_LIBCUDA", "soft:cc=6.0")]);
    assert!(answer.starts_with("TooOld:") && answer.contains("7.0 is needed"), "{answer}");
}

/// A library in the place of the vendor's, whose `cuInit` answers a code.
fn driver_that_answers(code: u32) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cuinit-{code}"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let source = folder.join("libcuda.c");
    let text = format!(
        "int cuInit(unsigned flags) {{ return {code}; }}\nint cuDeviceGetCount(int *n) {{ *n = 0; return {code}; }}\n"
    );
    std::fs::write(&source, text).expect("the source can be written");
    let library = folder.join("libcuda.so.1");
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(status.expect("cc, which links Rust programs too, runs").success());
    folder
}

#[test]
fn a_driver_that_does_not_start_says_itself_why() {
    for (code, kind, name) in [
        (100, "NoCuda", "CUDA_ERROR_NO_DEVICE"),
        (304, "NotPermitted", "CUDA_ERROR_OPERATING_SYSTEM"),
        (803, "Failed", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
    ] {
        let folder = driver_that_answers(code);
        let there = [("LD_LIBRARY_PATH", folder.to_str().expect("a path of this build"))];
        let answer = find("cuda", &there);
        assert!(answer.starts_with(&format!("{kind}:")), "{answer}");
        let answer = find("auto", &there);
        assert!(
            answer.starts_with("soft-gpu, for Config::device is auto:") && answer.contains(name),
            "{answer}"
        );
    }
}
