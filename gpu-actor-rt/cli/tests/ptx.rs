//! `gpu-actor ptx`, by the real binary.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn gpu_actor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu-actor"));
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The standard output of a command that ends well.
fn well(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    text(&out.stdout).into()
}

/// A command that could not do its work says so on standard error alone, and ends with 2.
fn refused(out: &Output) -> &str {
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(out.stdout.is_empty(), "{out:?}");
    text(&out.stderr)
}

#[test]
fn without_a_name_the_actors_are_listed() {
    let listed = well(&mut gpu_actor(&["ptx"]));
    assert!(listed.contains("gpu_actor_examples::counter::Counter  (4 bytes of state,"), "{listed}");
    assert!(listed.contains("add "), "{listed}");
    assert!(!listed.contains("gpu_actor_cli::"), "the commands' own actors are nobody's business: {listed}");
    let json: serde_json::Value = serde_json::from_str(&well(&mut gpu_actor(&["ptx", "--json"]))).unwrap();
    let actors = json["actors"].as_array().unwrap();
    let counter =
        actors.iter().find(|actor| actor["name"] == "gpu_actor_examples::counter::Counter").unwrap();
    assert_eq!(counter["handlers"][0]["name"], "add");
    assert_eq!(counter["handlers"][0]["reply_bytes"], 4);
}

#[test]
fn the_ptx_is_that_of_the_module_or_of_the_handlers() {
    let module = well(&mut gpu_actor(&["ptx", "counter"]));
    assert!(module.starts_with(".version") && module.contains(".visible .entry gpu_actor_ring"), "{module}");
    let handlers = well(&mut gpu_actor(&["ptx", "counter", "--handlers"]));
    assert!(handlers.starts_with(".version") && !handlers.contains(".entry"), "{handlers}");
    let json = well(&mut gpu_actor(&["--json", "ptx", "counter", "--handlers"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["ptx"], handlers);
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let out = gpu_actor(&["ptx", "nobody"]).output().unwrap();
    assert!(refused(&out).contains("no actor is named \"nobody\"; there are:"), "{out:?}");
    let out = gpu_actor(&["ptx", "counter", "--sm", "fast"]).output().unwrap();
    assert!(refused(&out).contains("a target is a number such as 90"), "{out:?}");
    let out = gpu_actor(&["nothing"]).output().unwrap();
    assert!(refused(&out).contains("unrecognized subcommand"), "{out:?}");

    let mut bare = gpu_actor(&["ptx", "counter", "--sm", "90"]);
    let out =
        bare.env_remove("GPU_ACTOR_PTXAS").env("PATH", "").env("CUDA_HOME", "/nowhere").output().unwrap();
    // A machine with a toolkit in its usual place finds that.
    if !["/usr/local/cuda/bin/ptxas", "/opt/cuda/bin/ptxas"].iter().any(|path| PathBuf::from(path).exists()) {
        let said = refused(&out);
        assert!(said.contains("no ptxas found") && said.contains("/nowhere/bin"), "{said}");
        assert!(said.contains("pip install nvidia-cuda-nvcc"), "{said}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child =
        gpu_actor(&["ptx", "counter"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
}

/// An assembler in a folder of the test's own, as a shell script.
#[cfg(unix)]
fn assembler(name: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ptxas");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn an_assembler_that_fails_or_talks_nonsense_is_quoted() {
    let version = "[ \"$1\" = --version ] && { echo 'Cuda compilation tools, release 1.0'; exit 0; }";
    let refuses = assembler("refuses", &format!("{version}\necho 'line 7: no such thing' >&2\nexit 255"));
    let out = gpu_actor(&["ptx", "counter", "--sm", "90"]).env("GPU_ACTOR_PTXAS", refuses).output().unwrap();
    let said = refused(&out);
    assert!(
        said.contains("for sm_90 (exit status: 255)") && said.contains("line 7: no such thing"),
        "{said}"
    );

    let nonsense = assembler("nonsense", &format!("{version}\necho 'all is well'"));
    let out = gpu_actor(&["ptx", "counter", "--sm", "90"]).env("GPU_ACTOR_PTXAS", nonsense).output().unwrap();
    assert!(refused(&out).contains("cannot read what"), "{out:?}");

    let old = assembler("old", "exit 1");
    let out = gpu_actor(&["ptx", "counter", "--sm", "90"]).env("GPU_ACTOR_PTXAS", old).output().unwrap();
    assert!(refused(&out).contains("cannot read what"), "{out:?}");
}

#[test]
fn the_real_assembler_reports_every_function() {
    // Set where the tests have NVIDIA's assemblers.
    if std::env::var_os("GPU_ACTOR_PTXAS").is_none_or(|value| value.is_empty()) {
        eprintln!("SKIPPED: ptxas not found, set GPU_ACTOR_PTXAS; nothing was assembled");
        return;
    }
    let table = well(&mut gpu_actor(&["ptx", "counter", "--sm", "90,sm_120"]));
    for line in ["sm_90 ", "sm_120 ", "ring kernel ", "dispatch ", "handler add ", "handler get "] {
        assert!(table.lines().any(|of| of.starts_with(line)), "no {line:?} in {table}");
    }
    let json = well(&mut gpu_actor(&["--json", "ptx", "counter", "--handlers", "--sm", "90"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["targets"][0]["functions"].as_array().unwrap().len(), 2, "{json}");
}
