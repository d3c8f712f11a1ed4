//! An idle system has no busy thread. Alone in its binary: it reads the CPU time of the whole process.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::Duration;

use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::prelude::*;

/// CPU time of this process, user and system, in clock ticks of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let fields: Vec<&str> = after_name.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_system_uses_no_cpu_and_wakes_at_once() {
    for lanes in [1, 32] {
        let system = ActorSystem::start(Config::default().workers(2).lanes(lanes)).await.unwrap();
        let counter = system.actor::<Counter>(1);
        assert_eq!(counter.add(1).await.unwrap(), 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let heartbeats = system.stats().heartbeats;
        assert!(heartbeats > 0, "workers sleep and never told how often they looked");
        let before = cpu_ticks();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let used = cpu_ticks() - before;
        // A single busy thread would use 200 ticks.
        assert!(used <= 10, "{used} ticks of 10 ms in 2 s of idleness at {lanes} lanes");
        assert_eq!(counter.add(1).await.unwrap(), 2);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(system.stats().heartbeats > heartbeats);
        system.shutdown().await.unwrap();
    }
}
