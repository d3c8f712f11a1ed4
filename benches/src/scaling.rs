//! How throughput changes with the number of workers and of actors; as text, JSON and a picture of two curves.
//!
//! Rule kept here: in a round each point is measured once, and the rounds take turns over the points (1, 2, .. 1, 2, ..), so
//! that a slow minute of the machine bends no curve.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gpu_actor_rt::device::Device;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::prelude::*;
use plotters::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::compare::{Counter, commit};
use crate::report::{Sample, place};

/// Workers of the points.
const WORKERS: [u32; 5] = [1, 2, 3, 4, 8];
/// Messages that each of the runners sends itself.
const LAPS: u64 = 100_000;
/// Runners: enough that every worker has some.
const RUNNERS: u64 = 64;
/// From one actor to the next that is told: far enough that no cache guesses it, and coprime to every number of actors.
const STRIDE: u64 = 7_368_787;
/// Messages of a point of few actors.
const MESSAGES: u64 = 1_000_000;

/// Tells itself, again and again.
#[gpu_actor]
#[derive(Default)]
pub struct Runner {
    laps: u64,
}

#[gpu_actor]
impl Runner {
    /// The next lap.
    #[handler]
    pub fn run(&mut self, cx: &mut Cx, me: ActorId<Runner>, left: u64) {
        self.laps += 1;
        if left > 1 {
            cx.tell(me.run(me, left - 1));
        }
    }

    /// Laps so far.
    #[handler]
    pub fn laps(&mut self) -> u64 {
        self.laps
    }
}

/// Million messages a second between actors that never leave their worker.
async fn workers(count: u32, laps: u64) -> Outcome<f64> {
    let system = ActorSystem::start(Config::default().workers(count).actor::<Runner>()).await?;
    let runners: Vec<_> = (0..RUNNERS).map(|key| system.actor::<Runner>(key)).collect();
    for runner in &runners {
        runner.run(runner.id()?, 1).await?;
    }
    system.pause().await?;
    for runner in &runners {
        runner.run(runner.id()?, laps).tell()?;
    }
    let begun = Instant::now();
    system.resume().await?;
    system.drained().await?;
    let figure = (RUNNERS * laps) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    for runner in &runners {
        let seen = runner.laps().await?;
        if seen != laps + 1 {
            return Err(format!("{seen} laps of {}", laps + 1).into());
        }
    }
    system.shutdown().await?;
    Ok(figure)
}

/// Million messages a second that the host tells so many actors in turns, each of which is there already; the order jumps.
async fn actors(count: u64, messages: u64) -> Outcome<f64> {
    let device: Arc<dyn Device> =
        Arc::new(Soft::open(&SoftConfig { memory: 4096 << 20, ..SoftConfig::default() })?);
    let system = ActorSystem::start(Config::default().actor::<Counter>().device(device)).await?;
    let all: Vec<_> = (0..count).map(|key| system.actor::<Counter>(key)).collect();
    for actor in &all {
        actor.add(1).tell_wait().await?;
    }
    system.drained().await?;
    let turns = messages.div_ceil(count);
    let begun = Instant::now();
    for _ in 0..turns {
        for turn in 0..count {
            all[(turn * STRIDE % count) as usize].add(1).tell_wait().await?;
        }
    }
    system.drained().await?;
    let figure = (turns * count) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    let handled = system.stats().handled;
    if handled != (turns + 1) * count {
        return Err(format!("{handled} messages of {}", (turns + 1) * count).into());
    }
    system.shutdown().await?;
    Ok(figure)
}

/// A curve: what is counted, and its points.
struct Curve {
    what: &'static str,
    points: Vec<(u64, Sample)>,
}

/// Measures the curves; `most` is the largest number of actors.
pub(crate) fn run(rounds: usize, most: u64) -> Outcome<Value> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let load_average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{}\n{rounds} rounds in turns; load average at the start {load_average}", place());
    let mut samples = vec![Vec::new(); WORKERS.len()];
    for _ in 0..rounds {
        for (count, sample) in WORKERS.iter().zip(&mut samples) {
            sample.push(executor.block_on(workers(*count, LAPS))?);
        }
    }
    let points =
        WORKERS.iter().map(|count| u64::from(*count)).zip(samples.into_iter().map(Sample::new)).collect();
    let by_workers = Curve { what: "workers", points };
    let counts: Vec<u64> =
        std::iter::successors(Some(1), |n| Some(n * 10)).take_while(|n| *n <= most).collect();
    let mut samples = vec![Vec::new(); counts.len()];
    for _ in 0..rounds {
        for (count, sample) in counts.iter().zip(&mut samples) {
            sample.push(executor.block_on(actors(*count, MESSAGES))?);
        }
    }
    let points = counts.into_iter().zip(samples.into_iter().map(Sample::new)).collect();
    let by_actors = Curve { what: "actors", points };
    let mut curves = Vec::new();
    for curve in [by_workers, by_actors] {
        let first = curve.points.first().map_or(f64::NAN, |(_, sample)| sample.median());
        let mut points = Vec::new();
        for (count, sample) in &curve.points {
            let (median, (least, most)) = (sample.median(), sample.ends());
            println!(
                "{count:>9} {:8} {median:8.3} million messages a second ({least:.3} to {most:.3}) {:5.2}x",
                curve.what,
                median / first
            );
            points.push(json!({ "count": count, "median": median, "least": least, "most": most }));
        }
        println!();
        curves.push(json!({ "what": curve.what, "points": points }));
    }
    Ok(json!({
        "bench": "scaling", "place": place(), "rounds": rounds, "commit": commit(),
        "load_average": load_average.trim(), "curves": curves,
    }))
}

/// Draws the curves, one beside the other.
pub(crate) fn draw(report: &Value, file: &Path) -> Outcome<()> {
    let area = SVGBackend::new(file, (900, 340)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = format!(
        "{}, {}",
        report["place"].as_str().unwrap_or_default(),
        report["commit"].as_str().unwrap_or_default()
    );
    area.draw(&Text::new(text, (8, 8), ("sans-serif", 13).into_font()))?;
    let none = Vec::new();
    for (at, curve) in (0..).zip(report["curves"].as_array().unwrap_or(&none)) {
        let points: Vec<(f64, f64, f64, f64)> = curve["points"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .map(|point| {
                let number = |name: &str| point[name].as_f64().unwrap_or(0.0);
                (number("count"), number("median"), number("least"), number("most"))
            })
            .collect();
        let top = points.iter().map(|point| point.3).fold(1.0, f64::max) * 1.1;
        let right = points.iter().map(|point| point.0).fold(2.0, f64::max);
        let what = curve["what"].as_str().unwrap_or_default();
        let part = area.clone().shrink((at * 450, 26), (450, 310));
        let mut builder = ChartBuilder::on(&part);
        builder.margin(12).margin_right(28).x_label_area_size(40).y_label_area_size(60);
        let mut chart = builder.build_cartesian_2d((1.0..right).log_scale(), 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc(what)
            .y_desc("million messages a second")
            .x_label_formatter(&|x| format!("{x}"))
            .draw()?;
        let colour = RGBColor(0x1b, 0x7f, 0x4d);
        chart.draw_series(LineSeries::new(points.iter().map(|p| (p.0, p.1)), colour.stroke_width(2)))?;
        // The spread, as a line from the least to the most.
        for (count, _, least, most) in &points {
            chart.draw_series(LineSeries::new([(*count, *least), (*count, *most)], BLACK))?;
        }
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_a_point_is_handled() {
        let executor = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        assert!(executor.block_on(workers(2, 10)).unwrap() > 0.0);
        assert!(executor.block_on(actors(3, 10)).unwrap() > 0.0);
    }

    #[test]
    fn both_curves_are_drawn() {
        let point = |count: u64| json!({ "count": count, "median": 2.0, "least": 1.0, "most": 3.0 });
        let curve = |what: &str| json!({ "what": what, "points": [point(1), point(10)] });
        let report = json!({ "place": "here", "commit": "c", "curves": [curve("workers"), curve("actors")] });
        let folder = std::env::temp_dir().join(format!("gpu-actor-scaling-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("plot.svg");
        draw(&report, &file).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(svg.contains("workers") && svg.contains("actors") && svg.contains("polyline"));
    }
}
