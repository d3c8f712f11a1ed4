//! The hybrid logical clock against the host's.
//!
//! Rule kept here: a stamp is judged by what is certain: it was made between the reading before the call and the
//! reading after the reply. What an interval cannot tell is not told.

use std::time::{Duration, Instant};

use gpu_actor_rt::device::Device;
use gpu_actor_rt::{ActorRef, hlc};

use super::latency::LOGICAL;
use crate::validate::actors::Probe;
use crate::validate::finding::{Recorder, Stop};
use crate::validate::ground::{Ground, Live, StepWatch};
use crate::validate::measure::{median, slope};

/// How far a stamp may be ahead of the host's time: a millisecond.
const BOUND: i64 = 1_000_000;
/// How far the timer may drift, in parts per million: beyond that the runtime does not correct it.
const DRIFT: f64 = 1000.0;

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    let aim = ground.pick(Duration::from_secs(1), Duration::from_secs(10));
    let watch = StepWatch::new();
    record.step("reading the device's timer");
    let device = ground.open()?;
    timer(device.as_ref(), aim, record)?;

    record.step("comparing stamps");
    let live = Live::start(ground.config(&device))?;
    let seen = stamps(&live, aim, record)?;
    live.end(record)?;

    let stepped = watch.stepped();
    if stepped.abs() > BOUND / 2 {
        record.note(format!("The host's wall clock was stepped by {stepped} ns meanwhile: how far stamps are off is not judged."));
    } else {
        record.require(seen.least <= BOUND, || {
            format!(
                "the device's clock was at least {} ns ahead of the host's, {BOUND} are allowed",
                seen.least
            )
        });
    }
    Ok(())
}

/// Readings of the raw timer while no kernel runs: how far it drifts from the host's clock.
fn timer(device: &dyn Device, aim: Duration, record: &Recorder) -> Result<(), Stop> {
    let begun = Instant::now();
    let mut readings = Vec::new();
    while begun.elapsed() < aim || readings.len() < 10 {
        let before = hlc::now();
        let read = device.timer()?;
        let after = hlc::now();
        readings.push((after.saturating_sub(before), before, read));
        std::thread::sleep(Duration::from_millis(10));
    }
    let count = readings.len();
    // Readings that took long (the thread had to wait for a processor, say) say little: the quicker half is kept.
    readings.sort_unstable();
    readings.truncate(count.div_ceil(2));
    let (width, host0, read0) = readings[0];
    let widest = readings.last().map_or(width, |reading| reading.0) as f64;
    let seconds = |host: u64| host.wrapping_sub(host0) as i64 as f64 / 1e9;
    let points: Vec<(f64, f64)> = readings
        .iter()
        .map(|&(width, host, read)| {
            let (host_span, read_span) = (host.wrapping_sub(host0) as i64, read.wrapping_sub(read0) as i64);
            (seconds(host), (read_span - host_span) as f64 - width as f64 / 2.0)
        })
        .collect();
    let times = || points.iter().map(|point| point.0);
    let span = times().fold(f64::MIN, f64::max) - times().fold(f64::MAX, f64::min);
    // Nanoseconds per second are parts per billion.
    let drift = slope(&points).unwrap_or_default() / 1e3;
    let uncertain = widest / span.max(1e-3) / 1e3;
    record.figure("timer: drift against the host", drift, "ppm");
    record.figure("timer: the drift is known to within", uncertain, "ppm");
    let widths: Vec<f64> = readings.iter().map(|reading| reading.0 as f64 / 1e3).collect();
    record.figure(
        "timer: time that a reading takes, median of the quicker half",
        median(&widths).unwrap_or_default(),
        "us",
    );
    record.figure("timer: readings", count as f64, "");
    record.require(drift.abs() - uncertain <= DRIFT, || {
        format!("the timer drifts by {drift:.1} ppm, {DRIFT} can be corrected")
    });
    Ok(())
}

/// What is certain of the device's clock: how far ahead of the host's it was at least and at most.
struct Seen {
    least: i64,
}

/// Asks actors on all workers for their clocks and looks at every stamp on the way.
fn stamps(live: &Live, aim: Duration, record: &Recorder) -> Result<Seen, Stop> {
    let stats = live.system.stats();
    let probes: Vec<ActorRef<Probe>> =
        (0..u64::from(stats.workers) * 8).map(|key| live.system.actor(key)).collect();
    let mut last = vec![0u64; probes.len()];
    let (mut asked, mut own, mut violations) = (0u64, 0u64, 0u64);
    // The narrowest that a constant offset can be, over everything: at least, at most.
    let (mut least, mut most) = (i64::MIN, i64::MAX);
    let begun = Instant::now();
    live.wait(async {
        while begun.elapsed() < aim || asked < 100 {
            let at = asked as usize % probes.len();
            let sent = live.system.now();
            let before = hlc::now();
            let reply = probes[at].clock().ask_stamped().await?;
            let after = hlc::now();
            let later = live.system.now();
            // Sent before received, received before replied, replied before whatever comes next; and each actor's own.
            let ordered = sent < reply.value
                && reply.value < reply.stamp
                && reply.stamp < later
                && last[at] < reply.value;
            violations += u64::from(!ordered);
            last[at] = reply.value;
            asked += 1;
            if reply.value & LOGICAL == 0 {
                own += 1;
                least = least.max(reply.value.wrapping_sub(after) as i64);
                most = most.min((reply.value + LOGICAL).wrapping_sub(before) as i64);
            }
        }
        Ok::<_, Stop>(())
    })?;
    record.figure("stamps", asked as f64, "");
    record.figure("stamps: violations of cause and effect", violations as f64, "");
    record.figure("stamps that are the device's own time", 100.0 * own as f64 / asked as f64, "%");
    if own > 0 {
        record.figure("device's clock ahead of the host's: at least", least as f64 / 1e3, "us");
        record.figure("device's clock ahead of the host's: at most", most as f64 / 1e3, "us");
        record.note(
            "A negative figure means behind. The two ends are the tightest of all stamps; where the least is above the \
             most, the clock moved against the host's during the run by the difference.",
        );
    } else {
        record.note("No stamp was the device's own time: its clock is behind the host's by more than a message takes.");
    }
    record.require(violations == 0, || format!("{violations} of {asked} stamps violate cause and effect"));
    Ok(Seen { least })
}
