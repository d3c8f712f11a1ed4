//! A histogram: actors count parts of one buffer, which all of them read, each into a buffer of its own; then these are added.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use gpu_actor_rt::Error;
use gpu_actor_rt::prelude::*;

/// Bins of a histogram.
pub const BINS: usize = 64;

// ANCHOR: counter
/// Counts.
#[gpu_actor]
#[derive(Default)]
pub struct Tally {
    values: u64,
}

#[gpu_actor]
impl Tally {
    /// Counts the values by bins that begin at `least` and are `width` wide. What is below the first bin is in the first, what is
    /// behind the last is in the last.
    ///
    /// # Panics
    /// For a width below 1, or without bins: on the device that is a fault.
    #[handler]
    pub fn count(&mut self, least: i32, width: i32, values: GpuSlice<i32>, mut bins: GpuSliceMut<u32>) {
        assert!(width > 0 && !bins.is_empty(), "no bins");
        let last = bins.len() - 1;
        for value in values.clone() {
            let mut bin = 0usize;
            if value > least {
                bin = (value.saturating_sub(least) / width) as usize;
            }
            bins[bin.min(last)] += 1;
        }
        self.values += values.len() as u64;
    }

    /// Adds the bins of another.
    #[handler]
    pub fn merge(&self, other: GpuSlice<u32>, mut bins: GpuSliceMut<u32>) {
        for i in 0..bins.len() {
            bins[i] += other[i];
        }
    }
}
// ANCHOR_END: counter

/// The histogram of the values, by so many actors.
///
/// # Errors
/// The system's, and faults.
pub async fn count(
    system: &ActorSystem,
    values: &[i32],
    least: i32,
    width: i32,
    actors: usize,
) -> Result<Vec<u32>, Error> {
    let whole = system.buffer(values)?;
    let part = values.len().div_ceil(actors.max(1));
    let mut calls = Vec::new();
    let mut all = Vec::new();
    for (n, from) in (0u64..).zip((0..values.len()).step_by(part)) {
        let bins = system.zeroed::<u32>(BINS)?;
        let part = whole.slice(from..values.len().min(from + part))?;
        calls.push(system.actor::<Tally>(n).count(least, width, part, &bins));
        all.push(bins);
    }
    for done in system.ask_many(calls).await {
        done?;
    }
    // There is a value, or there would be no buffer.
    let Some((first, others)) = all.split_first() else { return Ok(Vec::new()) };
    for other in others {
        system.actor::<Tally>(0).merge(other, first).tell_wait().await?;
    }
    // Waits for the handlers that write to it.
    first.to_vec().await
}

/// What a plain loop counts.
#[must_use]
pub fn plain(values: &[i32], least: i32, width: i32) -> Vec<u32> {
    let mut bins = vec![0; BINS];
    for value in values {
        let bin = if *value > least { (value.saturating_sub(least) / width) as usize } else { 0 };
        bins[bin.min(BINS - 1)] += 1;
    }
    bins
}
