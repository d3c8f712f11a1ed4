//! The `flights` binary as a user runs it: the check, JSON, malformed lines, files that are no flights.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flights")).args(arguments).output().unwrap()
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}

const HEADER: &str = "month,day,sched_dep_time,carrier,tailnum,origin,dest,dep_delay,arr_delay,distance\n";

#[test]
fn all_flights_of_2013_equal_a_plain_loop() {
    let output = run(&["--check", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["flights"], 336_776);
    assert_eq!(json["messages"], 3 * 336_776);
    assert_eq!(json["malformed"], 0);
    assert_eq!(json["carriers"].as_array().unwrap().len(), 16);
    assert_eq!(json["airports"].as_array().unwrap().len(), 105);
    let sum = |key: &str| -> i64 {
        json["carriers"].as_array().unwrap().iter().map(|c| c[key].as_i64().unwrap()).sum()
    };
    assert_eq!(sum("arrivals") + sum("cancelled"), 336_776);
    assert!(json["device"].as_str().unwrap().contains("software"), "{}", json["device"]);
}

#[test]
fn malformed_lines_are_reported_with_their_number_skipped_and_counted() {
    let text = format!(
        "{HEADER}1,1,515,UA,N1,EWR,IAH,2,11,1400\n\
         1,1,515,UA,N1,EWR,IAH,2,eleven,1400\n\
         1,1,515,UA,,EWR,IAH,,,1400\n\
         1,1,515\n\
         1,1,515,,N1,EWR,IAH,2,11,1400\n\
         1,1,515,B6,N2,JFK,BQN,-1,-18,1576\n"
    );
    let path = file("malformed.csv", &text);
    let output = run(&["--check", "--json", "--file", path.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    for line in ["line 3", "line 5", "line 6"] {
        assert!(errors.contains(line), "{errors}");
    }
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["flights"].as_u64(), json["malformed"].as_u64()), (Some(3), Some(3)));
    let ua = &json["carriers"][1];
    assert_eq!(
        (ua["carrier"].as_str(), ua["arrivals"].as_u64(), ua["cancelled"].as_u64()),
        (Some("UA"), Some(1), Some(1))
    );
    assert_eq!((ua["arr_delay_sum"].as_i64(), ua["distance_sum"].as_u64()), (Some(11), Some(1400)));
}

#[test]
fn the_table_is_for_people() {
    let path = file("one.csv", &format!("{HEADER}1,1,515,UA,N1,EWR,IAH,2,11,1400\n"));
    let output = run(&["--file", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for part in ["carrier", "UA", "IAH", "11.0", "messages per second", "device: ", "wall time"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn files_that_are_no_flights_end_with_an_error() {
    let output = run(&["--file", "/nonexistent/flights.csv"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/flights.csv"));
    let path = file("columns.csv", "carrier,dest\nUA,IAH\n");
    let output = run(&["--file", path.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("tailnum"));
}

/// The lines that a run reports as malformed, and whether its check agrees with the plain loop.
fn reported(name: &str, text: &[u8]) -> (Vec<u64>, bool) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    let output = run(&["--check", "--json", "--file", path.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let numbers = errors
        .lines()
        .filter(|line| line.ends_with("skipped"))
        .map(|line| line.split(": line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap())
        .collect();
    assert!(errors.contains("check:"), "{errors}");
    (numbers, output.status.success())
}

#[test]
fn line_numbers_are_those_of_the_file() {
    let good = "1,1,515,UA,N1,EWR,IAH,2,11,1400";
    let lines = [HEADER.trim(), good, "", "bad", good, "", "", "bad,2", good, "bad"];
    for (name, end) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let text = lines.join(end);
        assert_eq!(reported(name, text.as_bytes()), (vec![4, 8, 10], true), "{name}");
        assert_eq!(reported(name, (text + end).as_bytes()), (vec![4, 8, 10], true), "{name}, ended");
    }
    let quoted = format!("{HEADER}1,1,515,\"U\n\nA\",N1,EWR,\"I\"\"H\",2,11,1400\nbad\n");
    assert_eq!(reported("quoted", quoted.as_bytes()), (vec![5], true));
    let mut latin = format!("\u{feff}{HEADER}{good}\n1,1,515,U").into_bytes();
    latin.extend(b"\xc4,N1,EWR,IAH,2,11,1400\n");
    assert_eq!(reported("latin", &latin), (vec![3], true));
}

#[test]
fn a_truncated_archive_is_summed_as_far_as_it_goes_and_fails() {
    let whole = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013.csv.gz")).unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("truncated.csv.gz");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let output = run(&["--check", "--json", "--file", path.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        errors.contains("cannot read on after line") && errors.contains("equal a plain loop's"),
        "{errors}"
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["broken"].as_bool(), json["malformed"].as_u64()), (Some(true), Some(0)));
    assert!(json["flights"].as_u64().unwrap() > 100_000);
}
