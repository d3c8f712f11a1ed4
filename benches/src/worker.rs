//! One worker of one lane with nothing to wait for: what a message costs on the device side of the ring.
//!
//! The worker is paused while the host fills its inbox, and timed from the order to go on until every message is handled.
//! Instructions per message come from the difference of two runs under callgrind, which counts each thread by itself:
//!
//! ```text
//! valgrind --tool=callgrind --separate-threads=yes target/release/gpu-actor-benches worker --rounds 5
//! ```

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a handler has a receiver by reference")]

use std::time::Instant;

use gpu_actor_rt::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::{Sample, place};

/// Messages of a round: they fit the inbox.
const MESSAGES: u32 = 1 << 15;

/// The least that an actor can do.
#[gpu_actor]
#[derive(Default)]
pub struct Tally {
    sum: u64,
}

#[gpu_actor]
impl Tally {
    /// Adds.
    #[handler]
    pub fn add(&mut self, by: u64) {
        self.sum += by;
    }

    /// The sum so far.
    #[handler]
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

async fn measure(rounds: usize) -> Outcome<Sample> {
    let config = Config::default().workers(1).host_inbox(MESSAGES).actor::<Tally>();
    let system = ActorSystem::start(config).await?;
    let tally = system.actor::<Tally>(1u64);
    let mut times = Vec::new();
    for _ in 0..rounds {
        system.pause().await?;
        for _ in 0..MESSAGES {
            tally.add(1).tell()?;
        }
        let begun = Instant::now();
        system.resume().await?;
        system.drained().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (want, have) = (rounds as u64 * u64::from(MESSAGES), tally.sum().await?);
    if want != have {
        return Err(format!("{want} messages were sent, the actor counted {have}").into());
    }
    system.shutdown().await?;
    Ok(Sample::new(times))
}

/// Measures the worker.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let sample = runtime.block_on(measure(rounds))?;
    let nanoseconds = |ms: f64| ms * 1e6 / f64::from(MESSAGES);
    let (least, most) = sample.ends();
    let (median, least, most) = (nanoseconds(sample.median()), nanoseconds(least), nanoseconds(most));
    println!(
        "{}; one worker, one lane, {rounds} rounds of {MESSAGES} tells that wait in its inbox\n",
        place()
    );
    println!("{median:.1} ns per message ({least:.1} to {most:.1})");
    Ok(
        json!({ "bench": "worker", "place": place(), "messages": MESSAGES, "rounds": rounds, "median_ns": median, "least_ns": least, "most_ns": most }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_counted() {
        let report = run(2).expect("the worker runs");
        assert_eq!(report["rounds"], 2);
    }
}
