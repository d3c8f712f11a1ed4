//! Hours of overload in minutes: nothing is lost that is not counted, and memory does not grow.
//!
//! Senders tell, ask and flood more than the rings hold. Every second they are held between two steps, and what the system
//! counts is compared with what the senders saw and what the actors counted: first while it is paused with full rings, then
//! drained. Which figures must agree is in [`Watch::paused`] and [`Watch::drained`].
//!
//! Rules kept here: no figure is compared with itself (what is in flight is the difference of the others, so it is held against
//! what the rings can hold, and against nothing once all is drained); a run in which something did not happen, a policy that
//! dropped nothing, say, is a failure.

mod load;
mod watch;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use gpu_actor_rt::device::DeviceChoice;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::place;
use load::{ACTORS, Load, MAILBOX};
use watch::{Reading, Watch};

/// Threads that tell.
const THREADS: u64 = 3;
/// Tasks that ask.
const TASKS: u64 = 8;
/// Slots of the rings: few, so that they are full most of the time.
const HOST_INBOX: u32 = 64;
const DEVICE_INBOX: u32 = 8;
const SPILL: u32 = 4;
const WORKERS: u32 = 2;
/// An ask that takes longer is an error: nothing here waits for long.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most messages that can be in flight at a pause: all that the rings of all workers hold, and what waits beside them.
const IN_FLIGHT: u64 =
    WORKERS as u64 * (HOST_INBOX as u64 + 2 * MAILBOX as u64 + 2 * DEVICE_INBOX as u64 + SPILL as u64);

async fn soak(seconds: u64) -> Outcome<(Vec<Reading>, String)> {
    let device: Arc<dyn gpu_actor_rt::device::Device> = Arc::new(Soft::open(&SoftConfig::default())?);
    let config = Config::default()
        .device(DeviceChoice::Opened(Arc::clone(&device)))
        .workers(WORKERS)
        .host_inbox(HOST_INBOX)
        .device_inbox(DEVICE_INBOX)
        .spill(SPILL)
        .ask_timeout(PATIENCE);
    let load = Arc::new(Load::new(ActorSystem::start(config).await?));
    let mut watch = Watch::new(Arc::clone(&load), device, IN_FLIGHT, seconds);
    let threads: Vec<_> = (0..THREADS)
        .map(|seed| {
            let load = Arc::clone(&load);
            std::thread::spawn(move || load.tell_on(seed).map_err(|error| error.to_string()))
        })
        .collect();
    let tasks: Vec<_> = (0..TASKS)
        .map(|seed| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.ask_on(seed).await.map_err(|error| error.to_string()) })
        })
        .collect();

    println!("{}", Reading::HEAD);
    let mut readings = Vec::new();
    let mut outcome = Ok(());
    let every = seconds.div_ceil(30).max(1);
    let begun = Instant::now();
    for second in 1..=seconds {
        tokio::time::sleep_until((begun + Duration::from_secs(second)).into()).await;
        match watch.look(second).await {
            Ok(reading) => {
                if second % every == 0 || second == seconds {
                    println!("{reading}");
                }
                readings.push(reading);
            }
            Err(error) => {
                outcome = Err(format!("after {second} s: {error}"));
                break;
            }
        }
        if threads.iter().any(std::thread::JoinHandle::is_finished)
            || tasks.iter().any(tokio::task::JoinHandle::is_finished)
        {
            break;
        }
    }
    load.over.store(true, Relaxed);
    for task in tasks {
        task.await??;
    }
    // Nothing else runs on this runtime, so nothing waits for this wait.
    for thread in threads {
        thread.join().map_err(|_| "a sender panicked")??;
    }
    outcome?;
    watch.everything_happened()?;
    load.system.shutdown().await?;
    Ok((readings, watch.verdict()))
}

/// Soaks for so many seconds.
pub(crate) fn run(seconds: u64) -> Outcome<Value> {
    println!(
        "{}; {seconds} s of overload: {THREADS} threads that tell, {TASKS} tasks that ask, {} actors, {WORKERS} workers\n",
        place(),
        4 * ACTORS
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let (readings, memory) = runtime.block_on(soak(seconds))?;
    let last = readings.last().ok_or("a soak takes at least a second")?;
    println!(
        "\nbalanced {} times, paused and drained; accepted + sent = {} = handled + faulted + dead letters + dropped",
        readings.len(),
        last.came()
    );
    println!("memory: {memory}");
    Ok(json!({
        "bench": "soak", "place": place(), "seconds": seconds,
        "readings": readings.iter().map(Reading::json).collect::<Vec<_>>(),
    }))
}
