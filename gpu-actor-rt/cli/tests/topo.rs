//! `gpu-actor topo`, by the real binary.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;

use serde_json::Value;

fn topo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu-actor"));
    command.arg("topo").args(arguments).env_remove("SOFT_GPU_LIBCUDA").env_remove("CUDA_VISIBLE_DEVICES");
    command
}

#[test]
fn a_machine_has_devices_or_says_why_not() {
    let out = topo(&["--json"]).output().unwrap();
    let report: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {out:?}"));
    let devices = report["devices"].as_array().unwrap().len();
    assert_eq!(report["links"].as_array().unwrap().len(), devices * devices.saturating_sub(1), "{report:#}");
    assert_eq!(report["why"].is_string(), devices == 0, "{report:#}");
}

#[cfg(feature = "cuda")]
#[test]
fn the_links_of_software_gpus_are_those_of_their_configuration() {
    for (platform, access) in [
        ("soft:devices=3,links=nvlink", "atomics"),
        ("soft:devices=3,links=pcie", "yes"),
        ("soft:devices=3,links=none", "no"),
    ] {
        let out = topo(&[]).env("SOFT_GPU_LIBCUDA", platform).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success() && text.contains("software GPUs"), "{text}");
        let row = format!("GPU2   {access:<9}{access:<9}X\n");
        assert!(text.contains(&row), "{platform}: no {row:?} in {text}");

        let out = topo(&["--json"]).env("SOFT_GPU_LIBCUDA", platform).output().unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(
            (&report["hardware"], report["devices"].as_array().unwrap().len()),
            (&Value::Bool(false), 3)
        );
        assert_eq!(report["links"].as_array().unwrap().len(), 6);
        assert_eq!(report["links"][0]["access"], access != "no", "{report:#}");
    }
}
