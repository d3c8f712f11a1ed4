//! `gpu-actor validate`, by the real binary, on the software GPU.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// A folder of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("validate-{name}-{}", std::process::id()));
        Self(path)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `validate`; the exit status and what it printed.
fn validate(arguments: &[&str]) -> (i32, String, String) {
    validate_over("/nowhere/libcuda.so.1", arguments)
}

/// The same, with this behind the CUDA driver's interface.
fn validate_over(cuda: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gpu-actor"))
        .arg("validate")
        .args(arguments)
        .env_remove("GPU_ACTOR_DEVICE")
        .env("SOFT_GPU_LIBCUDA", cuda)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The checks of a report, as pairs of id and verdict.
fn verdicts(report: &Value) -> Vec<(&str, &str)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (check["id"].as_str().unwrap(), check["verdict"].as_str().unwrap())).collect()
}

/// Every tag that is opened is closed, in order, and names and attributes hold no stray bracket.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for (at, _) in svg.match_indices('<') {
        let tag = &svg[at + 1..at + svg[at..].find('>').unwrap()];
        assert!(!tag.contains('<'), "a bracket inside <{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in <{tag}>");
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        match tag {
            tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "</{name}>"),
            tag if tag.ends_with('/') => {}
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(svg.starts_with("<svg"));
}

#[test]
fn a_quick_run_writes_a_report_that_says_what_it_is() {
    let folder = Folder::new("quick");
    let out = folder.0.to_str().unwrap();
    let (status, table, progress) = validate(&["--soft", "devices=2,links=nvlink", "--quick", "--out", out]);
    assert_eq!(status, 0, "{table}\n{progress}");

    let report: Value = serde_json::from_str(&folder.read("validation.json")).unwrap();
    let ids = [
        "round-trip",
        "tell-throughput",
        "device-messages",
        "launch-baseline",
        "clock",
        "memory",
        "scale",
        "faults",
        "peers",
    ];
    assert_eq!(verdicts(&report), ids.map(|id| (id, "pass")));
    assert_eq!(report["hardware"], false);
    let first = report["checks"][0]["figures"].as_array().unwrap();
    let p50 = first.iter().find(|figure| figure["name"] == "round trip, p50").unwrap();
    assert!(p50["value"].as_f64().unwrap() > 0.0 && p50["unit"] == "us", "{p50}");
    for field in ["commit", "date", "program", "options"] {
        assert!(report[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }

    let markdown = folder.read("validation.md");
    let title = markdown.lines().next().unwrap();
    assert!(title.starts_with("# ") && title.contains("say nothing about a GPU"), "{title}");
    assert!(table.lines().next().unwrap().contains("say nothing about a GPU"), "{table}");
    for plot in ["round-trip", "ring-and-launch", "scale", "peers"] {
        assert!(markdown.contains(&format!("]({plot}.svg)")), "{plot}");
        let svg = folder.read(&format!("{plot}.svg"));
        assert_well_formed(&svg);
        assert!(svg.contains("not a GPU"), "{plot}");
    }
}

/// Everything passes through the CUDA backend as well, and its report does not take the software for hardware.
#[cfg(feature = "cuda")]
#[test]
fn the_cuda_backend_over_the_software_gpu_passes_and_is_no_hardware() {
    let platform = "soft:devices=2,links=nvlink,memory=512M";
    let (status, printed, progress) = validate_over(platform, &["--device", "cuda", "--quick", "--json"]);
    assert_eq!(status, 0, "{printed}\n{progress}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert!(verdicts(&report).iter().all(|(_, verdict)| *verdict == "pass"), "{progress}");
    assert_eq!(report["hardware"], false);
    assert!(report["title"].as_str().unwrap().contains("no hardware"), "{printed}");
    // The links of the platform are seen through CUDA's calls, so copies went both ways with peer access.
    let peers = report["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(peers["figures"].as_array().unwrap().len(), 2, "{peers}");
    assert!(peers["notes"][0].as_str().unwrap().contains("peer access yes"), "{peers}");
    let driver = report["device"]["driver"].as_str().unwrap();
    assert!(driver.contains("CUDA") && driver.contains("software"), "{driver}");
}

/// What has not asked for it gets no CUDA device that is software.
#[cfg(feature = "cuda")]
#[test]
fn where_there_is_no_cuda_device_there_is_nothing_to_validate() {
    let (status, printed, said) = validate(&["--device", "cuda", "--quick"]);
    assert_eq!((status, printed.as_str()), (2, ""));
    assert!(said.contains("no CUDA device"), "{said}");
}

#[test]
fn a_device_that_is_too_small_fails_the_check_that_needs_more_and_no_other() {
    let (status, printed, progress) = validate(&[
        "--soft",
        "memory=5M",
        "--workers",
        "2",
        "--quick",
        "--only",
        "memory,scale,faults,peers",
        "--json",
    ]);
    assert_eq!(status, 1, "{printed}\n{progress}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    let expected = [("memory", "pass"), ("scale", "fail"), ("faults", "pass"), ("peers", "not run")];
    assert_eq!(verdicts(&report), expected, "{printed}");
    let scale = &report["checks"][1];
    let why = scale["why"].as_str().unwrap();
    assert!(why.contains("100000 actors: ") && why.contains("no memory for"), "{why}");
    // What it found before it failed is there.
    assert!(scale["tables"][0]["rows"].as_array().unwrap().len() >= 4, "{scale}");
    assert!(report["checks"][3]["why"].as_str().unwrap().contains("one device"));
}

/// Runs these checks on software GPUs with planned faults; the report, after an exit status that says that a check failed.
fn broken(platform: &str, only: &str) -> Value {
    let (status, printed, progress) = validate(&["--soft", platform, "--quick", "--only", only, "--json"]);
    assert_eq!(status, 1, "{printed}\n{progress}");
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn a_copy_that_fails_fails_the_copies_alone() {
    let report = broken("devices=2,fault=copy:3", "memory,faults,peers");
    assert_eq!(verdicts(&report), [("memory", "pass"), ("faults", "pass"), ("peers", "fail")]);
    let why = report["checks"][2]["why"].as_str().unwrap();
    assert!(why.contains("device 0 to device 1: ") && why.contains("failed"), "{why}");
}

#[test]
fn a_launch_that_is_refused_fails_the_check_that_needs_it() {
    // Each check opens the device anew. The first needs one launch; the second needs one for each message.
    let report = broken("fault=refuse:2", "device-messages,launch-baseline");
    assert_eq!(verdicts(&report), [("device-messages", "pass"), ("launch-baseline", "fail")]);
    let why = report["checks"][1]["why"].as_str().unwrap();
    assert!(why.contains("refused"), "{why}");
}

#[test]
fn a_device_that_is_lost_ends_what_runs_on_it_and_not_the_suite() {
    let report = broken("fault=lost:1", "round-trip,clock,peers");
    assert_eq!(verdicts(&report), [("round-trip", "fail"), ("clock", "fail"), ("peers", "not run")]);
}

#[test]
fn nothing_to_run_on_is_neither_a_pass_nor_a_failure() {
    for (arguments, said) in [
        (&["--soft", "devices=0"][..], "has no device"),
        (&["--soft", "memory=lots"][..], "memory=lots"),
        (&["--quick", "--full"][..], "cannot be used with"),
        (&["--only", "everything"][..], "no such check"),
        (
            &["--soft", "memory=64M", "--only", "peers", "--out", "/proc/nowhere"][..],
            "cannot write the report",
        ),
    ] {
        let (status, printed, said_it) = validate(arguments);
        assert_eq!(status, 2, "{arguments:?}: {said_it}");
        assert!(printed.is_empty(), "{printed}");
        assert!(said_it.contains(said), "{said_it}");
    }
}

#[test]
fn markdown_can_be_printed() {
    let (status, printed, _) = validate(&["--device", "soft", "--only", "peers", "--markdown"]);
    assert_eq!(status, 0);
    assert!(printed.starts_with("# gpu-actor: validation report of the software GPU"), "{printed}");
    assert!(printed.contains("| Copies between two devices | not run |"), "{printed}");
}
