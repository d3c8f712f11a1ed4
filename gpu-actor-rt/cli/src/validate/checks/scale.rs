//! From one actor to a million.

use std::time::{Duration, Instant};

use gpu_actor_rt::ActorRef;

use crate::validate::actors::Probe;
use crate::validate::finding::{Chart, Recorder, Shape, Stop, Table};
use crate::validate::ground::{Ground, Live, long_enough};
use crate::validate::measure::{rate, show};

const STEPS: [u64; 7] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/// What a step found.
struct Step {
    actors: u64,
    addressed: Duration,
    activated: Duration,
    device_bytes: f64,
    host_bytes: f64,
    rate: f64,
}

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    let most = ground.pick(100_000, 1_000_000);
    let mut steps = Vec::new();
    let mut ended = Ok(());
    for actors in STEPS.into_iter().filter(|actors| *actors <= most) {
        record.step(format!("{actors} actors"));
        match step(ground, actors, record) {
            Ok(step) => steps.push(step),
            Err(stop) => {
                ended = Err(stop);
                break;
            }
        }
    }
    report(record, &steps);
    if most < STEPS[STEPS.len() - 1] {
        record.note(format!("A quick run ends at {most} actors; a full one goes on to a million."));
    }
    ended
}

fn step(ground: &Ground, actors: u64, record: &Recorder) -> Result<Step, Stop> {
    let device = ground.open()?;
    let live = Live::start(ground.config(&device))?;
    let (free, resident) = (device.memory_info()?.free, resident());
    let begun = Instant::now();
    let probes: Vec<ActorRef<Probe>> = (0..actors).map(|key| live.system.actor(key)).collect();
    for probe in &probes {
        probe.id()?;
    }
    let addressed = begun.elapsed();
    let begun = Instant::now();
    tell(&live, &probes, actors)?;
    let activated = begun.elapsed();
    let stats = live.system.stats();
    record.require(stats.activated == actors, || {
        format!("{} of {actors} actors were activated", stats.activated)
    });
    let device_bytes = free.saturating_sub(device.memory_info()?.free) as f64;
    let host_bytes = self::resident().saturating_sub(resident) as f64;

    let mut told = vec![actors];
    let aim = ground.pick(Duration::from_millis(100), Duration::from_secs(1));
    let (messages, took) = long_enough(aim, (actors.max(1000), actors.max(20_000_000)), |count| {
        told.push(count);
        let begun = Instant::now();
        tell(&live, &probes, count)?;
        Ok(begun.elapsed())
    })?;
    let sampled = 64.min(actors);
    for i in (0..sampled).map(|i| i * (actors / sampled)) {
        let due: u64 = told.iter().map(|count| count / actors + u64::from(i < count % actors)).sum();
        let count = live.wait(probes[i as usize].get().into_future())?;
        record.require(count == due, || {
            format!("actor {i} of {actors} has counted {count} of its {due} messages")
        });
    }
    let all = told.iter().sum::<u64>() + sampled;
    let stats = live.end(record)?;
    record.require(stats.handled == all, || {
        format!("{all} messages were sent, {} were handled", stats.handled)
    });
    Ok(Step { actors, addressed, activated, device_bytes, host_bytes, rate: rate(messages, took) })
}

/// Tells `count` messages, to one actor after the other, and waits until they are handled.
fn tell(live: &Live, probes: &[ActorRef<Probe>], count: u64) -> Result<(), Stop> {
    live.wait(async {
        for probe in probes.iter().cycle().take(count as usize) {
            probe.add(1).tell_wait().await?;
        }
        Ok::<_, Stop>(())
    })?;
    live.drain()?;
    Ok(())
}

/// Bytes of the host's memory that this process has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).map_or(0, |kib: u64| kib * 1024)
}

fn report(record: &Recorder, steps: &[Step]) {
    let mut table = Table {
        title: "Steps".into(),
        columns: vec![
            "actors",
            "addressed, s",
            "activated, s",
            "activations/s",
            "messages/s",
            "device bytes/actor",
            "host bytes/actor",
        ],
        rows: Vec::new(),
    };
    let (mut activations, mut messages) = (Vec::new(), Vec::new());
    for step in steps {
        let each = |bytes: f64| show(bytes / step.actors as f64);
        let activation = rate(step.actors, step.activated);
        table.rows.push(vec![
            show(step.actors as f64),
            format!("{:.4}", step.addressed.as_secs_f64()),
            format!("{:.4}", step.activated.as_secs_f64()),
            show(activation),
            show(step.rate),
            each(step.device_bytes),
            each(step.host_bytes),
        ]);
        activations.push((step.actors as f64, activation));
        messages.push((step.actors as f64, step.rate));
    }
    if let Some(last) = steps.last() {
        record.figure("actors", last.actors as f64, "");
        record.figure("activated in", last.activated.as_secs_f64(), "s");
        record.figure("device memory per actor", last.device_bytes / last.actors as f64, "bytes");
        record.figure("messages to all of them", last.rate, "messages/s");
    }
    record.table(table);
    record.note(
        "Memory for actors is taken for 1024 of a type and worker at a time, so few actors take much each. The host's \
         bytes are the growth of the whole process, references of the check included.",
    );
    record.chart(Chart {
        file: "scale",
        title: "Rates over the number of actors".into(),
        x: "actors",
        y: "per second",
        shape: Shape::Lines(vec![("first messages".into(), activations), ("messages".into(), messages)]),
    });
}
