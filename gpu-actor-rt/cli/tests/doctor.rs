//! `gpu-actor doctor`, by the real binary, on the machine that the tests run on.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;

use serde_json::Value;

fn doctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu-actor"));
    command.arg("doctor").args(arguments);
    for variable in ["CUDA_LAUNCH_BLOCKING", "GPU_ACTOR_DEVICE", "SOFT_GPU_LIBCUDA"] {
        command.env_remove(variable);
    }
    command
}

/// The report, and the status that it ended with.
fn json(command: &mut Command) -> (Value, Option<i32>) {
    let out = command.arg("--json").output().unwrap();
    (
        serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {out:?}")),
        out.status.code(),
    )
}

fn line<'a>(report: &'a Value, key: &str) -> Option<&'a Value> {
    let sections = report["sections"].as_array().unwrap();
    sections.iter().flat_map(|section| section["lines"].as_array().unwrap()).find(|line| line["key"] == key)
}

#[test]
fn the_software_gpu_is_tried_and_works_everywhere() {
    let (report, status) = json(&mut doctor(&[]));
    let trial = line(&report, "software.trial").unwrap();
    assert_eq!(trial["level"], "ok", "{report:#}");
    assert!(trial["text"].as_str().unwrap().contains("there and back"), "{report:#}");
    // What the machine lacks is its own business; that the status says so is ours.
    let well = report["problems"] == 0;
    assert_eq!(status, Some(i32::from(!well)), "{report:#}");
}

#[test]
fn a_variable_that_would_stop_the_ring_kernel_is_a_problem() {
    let (report, status) = json(doctor(&[]).env("CUDA_LAUNCH_BLOCKING", "1"));
    let said = line(&report, "environment.CUDA_LAUNCH_BLOCKING").unwrap();
    assert_eq!(said["level"], "problem");
    assert_eq!(said["advice"], "`unset CUDA_LAUNCH_BLOCKING`");
    assert_eq!(status, Some(1));
}

#[test]
fn the_device_that_was_asked_for_is_the_one_that_is_chosen() {
    let (report, _) = json(&mut doctor(&["--device", "soft"]));
    let said = line(&report, "selection").unwrap();
    assert!(said["text"].as_str().unwrap().starts_with("actors run on Software GPU"), "{report:#}");
    // Nobody has that many.
    let (report, status) = json(&mut doctor(&["--device", "cuda:4000"]));
    assert_eq!(line(&report, "selection").unwrap()["level"], "problem", "{report:#}");
    assert_eq!(status, Some(1));
    let out = doctor(&["--device", "gpu"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{out:?}");
}

#[test]
fn the_text_has_a_line_for_everything_and_an_end() {
    let out = doctor(&[]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    for part in ["\nMachine\n", "\nLibraries\n", "\nSoftware GPU\n", "NVML", "cuFile"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let last = text.lines().last().unwrap();
    assert!(last == "All is well." || last.contains("warning"), "{text}");
}
