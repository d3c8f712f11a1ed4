//! `gpu-actor doctor`, by the real binary, on the machine that the tests run on.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;

use serde_json::Value;

fn doctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu-actor"));
    command.arg("doctor").args(arguments);
    for variable in ["CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "GPU_ACTOR_DEVICE", "SOFT_GPU_LIBCUDA"] {
        command.env_remove(variable);
    }
    command
}

/// A doctor who finds software GPUs behind the CUDA driver's calls.
fn over_soft(platform: &str) -> Command {
    let mut command = doctor(&[]);
    command.env("SOFT_GPU_LIBCUDA", format!("soft:{platform}"));
    command
}

fn level<'a>(report: &'a Value, key: &str) -> &'a str {
    let line = line(report, key).unwrap_or_else(|| panic!("no {key} in {report:#}"));
    line["level"].as_str().unwrap()
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

#[cfg(feature = "cuda")]
#[test]
fn every_device_behind_the_drivers_calls_is_tried_and_called_what_it_is() {
    let (report, status) = json(&mut over_soft("devices=2,links=nvlink"));
    assert_eq!(level(&report, "driver.cuda"), "note");
    let text = line(&report, "driver.cuda").unwrap()["text"].as_str().unwrap();
    assert!(text.contains("software GPU") && text.contains("nothing below is hardware"), "{report:#}");
    for device in 0..2 {
        for what in ["trial_sliced", "trial", "watchdog", "cooperative_launch", "target"] {
            assert_eq!(level(&report, &format!("device.{device}.{what}")), "ok", "{report:#}");
        }
        let trial = line(&report, &format!("device.{device}.trial")).unwrap();
        assert!(trial["text"].as_str().unwrap().contains("say nothing of a GPU"), "{report:#}");
    }
    for (key, ends) in [("peer.0.1", "0 to 1"), ("peer.1.0", "1 to 0")] {
        let text = line(&report, key).unwrap()["text"].as_str().unwrap();
        assert_eq!((level(&report, key), text), ("ok", &*format!("{ends}: peer access, with atomics")));
    }
    assert_eq!(status, Some(i32::from(report["problems"] != 0)), "{report:#}");
}

#[cfg(feature = "cuda")]
#[test]
fn what_a_device_lacks_is_told_of() {
    let (report, _) = json(&mut over_soft("devices=3,watchdog=yes,1.pools=no,2.managed=no"));
    assert!(report["sections"].is_array(), "{report:#}");
    assert_eq!(level(&report, "device.0.watchdog"), "warning");
    assert_eq!(level(&report, "device.0.memory_pools"), "ok");
    assert_eq!(level(&report, "device.1.memory_pools"), "warning");
    assert_eq!(level(&report, "device.2.concurrent_managed_access"), "note");
    // Without pools there is the reserve: actors run all the same.
    assert_eq!(level(&report, "device.1.trial"), "ok", "{report:#}");

    let (report, status) = json(&mut over_soft("cooperative=no"));
    assert_eq!(level(&report, "device.0.cooperative_launch"), "problem");
    assert_eq!(status, Some(1));

    let (report, status) = json(&mut over_soft("cc=6.1"));
    assert_eq!(level(&report, "device.0.target"), "problem");
    assert_eq!(level(&report, "device.0.trial_sliced"), "problem", "{report:#}");
    assert_eq!(status, Some(1));
}

#[cfg(feature = "cuda")]
#[test]
fn drivers_that_are_too_old_hidden_or_misnamed_are_told_of() {
    let (report, status) = json(&mut over_soft("driver=10.2"));
    assert_eq!((level(&report, "driver.cuda"), status), ("problem", Some(1)));
    assert!(line(&report, "driver.cuda").unwrap()["text"].as_str().unwrap().contains("10.2"), "{report:#}");

    let (report, _) = json(over_soft("devices=2").env("CUDA_VISIBLE_DEVICES", ""));
    assert_eq!(level(&report, "driver.cuda"), "warning", "{report:#}");
    assert_eq!(level(&report, "environment.CUDA_VISIBLE_DEVICES"), "warning");

    let (report, status) = json(doctor(&[]).env("SOFT_GPU_LIBCUDA", "nonsense"));
    assert_eq!((level(&report, "environment.SOFT_GPU_LIBCUDA"), status), ("problem", Some(1)));
}

#[cfg(feature = "cuda")]
#[test]
fn one_device_alone_is_tried_where_one_is_asked_for() {
    let (report, _) = json(over_soft("devices=2").args(["--device", "cuda:1"]));
    assert_eq!(level(&report, "device.0.trial"), "note");
    assert_eq!(level(&report, "device.1.trial"), "ok");
    let selection = line(&report, "selection").unwrap()["text"].as_str().unwrap();
    assert!(selection.contains("CUDA device 1"), "{report:#}");
}

#[cfg(feature = "cuda")]
#[test]
fn a_device_that_fails_is_a_problem_and_its_neighbour_is_tried_all_the_same() {
    let (report, status) = json(&mut over_soft("devices=2,0.fault=lost:1"));
    assert_eq!((level(&report, "device.0.trial_sliced"), status), ("problem", Some(1)), "{report:#}");
    assert!(line(&report, "device.0.trial").is_none(), "{report:#}");
    assert_eq!(level(&report, "device.1.trial"), "ok", "{report:#}");
}
