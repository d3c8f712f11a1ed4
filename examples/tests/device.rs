//! The `device` binary as a user runs it: the option, the variable, and slices.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;

fn device(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_device"));
    command.args(arguments).env_remove("GPU_ACTOR_DEVICE");
    command
}

fn said(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn the_software_gpu_is_named_and_called_no_gpu() {
    for arguments in [&["--device", "soft"][..], &["--device", "soft", "--slice-ms", "1"]] {
        let text = said(&mut device(arguments));
        assert!(text.contains("by soft-gpu") && text.contains("not a GPU"), "{text}");
        assert!(text.ends_with("counted: 42\n"), "{text}");
    }
}

#[test]
fn the_environment_overrides_the_option() {
    let text = said(device(&["--device", "auto"]).env("GPU_ACTOR_DEVICE", "soft"));
    assert!(text.contains("chosen: GPU_ACTOR_DEVICE=soft asks for the software GPU"), "{text}");
    let out = device(&[]).env("GPU_ACTOR_DEVICE", "cuda:4000").output().unwrap();
    assert!(!out.status.success() && out.stdout.is_empty(), "{out:?}");
}
