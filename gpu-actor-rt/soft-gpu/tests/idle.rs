//! A parked launch uses no processor time at all. Alone in its file, for it looks at the threads of its process.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{device, launch, load};
use soft_gpu::{LaunchConfig, Status};

/// The worker threads of this process: how long each has run, in nanoseconds, how often it was given a processor, and
/// whether it waits for something (as opposed to running, or being about to).
fn workers() -> BTreeMap<String, (u64, u64, bool)> {
    let mut out = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread may end between being listed and being read.
        let read = |file: &str| std::fs::read_to_string(task.join(file));
        let (Ok(name), Ok(times), Ok(stat)) = (read("comm"), read("schedstat"), read("stat")) else {
            continue;
        };
        if name.starts_with("soft-gpu-") {
            let fields: Vec<u64> = times.split_whitespace().map(|f| f.parse().unwrap()).collect();
            let waits = stat.split(") ").nth(1).is_some_and(|rest| rest.starts_with('S'));
            out.insert(task.display().to_string(), (fields[0], fields[2], waits));
        }
    }
    out
}

#[test]
fn a_parked_launch_costs_nothing() {
    for lanes in [1, 32] {
        let device = device();
        let module = load(
            &device,
            ".visible .entry k() {
            again:
                nanosleep.u32 1000000;
                bra again;
            }",
        );
        let config = LaunchConfig::new(4, lanes).cooperative(true).park_sleepers(true);
        let running = launch(&device, &module, config, &[]);
        // A deterministic device has one thread for all blocks.
        let threads = if device.properties().mode.schedule.is_some() { 1 } else { 4 };
        // Until all have parked, something moves.
        let mut before = workers();
        let parked = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let now = workers();
            let still = now == before && now.len() == threads && now.values().all(|(.., waits)| *waits);
            before = now;
            still
        });
        assert!(parked, "the workers never came to rest: {before:?}");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(workers(), before, "a parked worker was given a processor");
        // They are alive all the same.
        assert_eq!(running.poll(), Status::Running);
        running.abort();
        assert_eq!(running.wait(None), Status::Aborted);
    }
}
