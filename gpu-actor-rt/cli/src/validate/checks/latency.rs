//! Ring round trips.

use std::time::{Duration, Instant};

use gpu_actor_rt::hlc;

use crate::validate::actors::Probe;
use crate::validate::finding::{Chart, Recorder, Shape, Stop};
use crate::validate::ground::{Ground, Live};
use crate::validate::measure::{Latency, Summary, rate};

/// The low bits of a stamp that count within a tick; zero in a stamp that is the device's own time.
pub(super) const LOGICAL: u64 = 0x3ff;

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    record.step("starting a system");
    let device = ground.open()?;
    let live = Live::start(ground.config(&device))?;
    let probe = live.system.actor::<Probe>("latency");
    let (aim, most) =
        (ground.pick(Duration::from_secs(1), Duration::from_secs(20)), ground.pick(50_000, 2_000_000));

    record.step("warming up");
    let mut asked = 0;
    for _ in 0..100 {
        live.wait(probe.add(1).into_future())?;
        asked += 1;
    }

    record.step("asking");
    let (mut trips, mut wrong) = (Latency::new(), 0u64);
    let begun = Instant::now();
    live.wait(async {
        while trips.samples() < most && (begun.elapsed() < aim || trips.samples() < 100) {
            let sent = Instant::now();
            let reply = probe.add(1).await?;
            trips.add(sent.elapsed().as_nanos() as u64);
            asked += 1;
            wrong += u64::from(reply != asked);
        }
        Ok::<_, Stop>(())
    })?;
    let took = begun.elapsed();
    record.require(wrong == 0, || format!("{wrong} of {} replies were not the right one", trips.samples()));
    if let Some(summary) = trips.summary() {
        figures(record, "round trip", &summary);
    }
    record.figure("asks in a row", rate(trips.samples(), took), "1/s");
    record.chart(Chart {
        file: "round-trip",
        title: "Ring round trips".into(),
        x: "round trip, microseconds",
        y: "round trips",
        shape: Shape::Histogram(trips.bars()),
    });

    record.step("asking for stamps");
    ways(&live, record, ground.pick(500, 20_000))?;
    live.end(record)?;
    Ok(())
}

/// The two ways of a round trip, by the device's stamp in between.
fn ways(live: &Live, record: &Recorder, asks: u64) -> Result<(), Stop> {
    let probe = live.system.actor::<Probe>("ways");
    let (mut there, mut back) = (Latency::new(), Latency::new());
    live.wait(async {
        for _ in 0..asks {
            let sent = hlc::now();
            let stamp = probe.clock().await?;
            let received = hlc::now();
            // A stamp with a count is the message's, pushed on: the device's own time was not later than that.
            if stamp & LOGICAL == 0 && stamp <= received {
                there.add(stamp.saturating_sub(sent));
                back.add(received - stamp);
            }
        }
        Ok::<_, Stop>(())
    })?;
    record.figure("stamps that are the device's own time", 100.0 * there.samples() as f64 / asks as f64, "%");
    if let (Some(there), Some(back)) = (there.summary(), back.summary()) {
        record.figure("of it: host to device, p50", there.p50 / 1e3, "us");
        record.figure("of it: device to host, p50", back.p50 / 1e3, "us");
        record.note(
            "The two parts rest on stamps that count 1.024 us and on the clock's accuracy (see its check). A stamp is \
             read when the worker begins a pass over its rings, a little before it takes the message.",
        );
    }
    Ok(())
}

/// The figures of a histogram of times.
pub(super) fn figures(record: &Recorder, what: &str, summary: &Summary) {
    for (name, value) in [
        ("min", summary.min),
        ("p50", summary.p50),
        ("p99", summary.p99),
        ("p99.9", summary.p999),
        ("max", summary.max),
    ] {
        record.figure(format!("{what}, {name}"), value / 1e3, "us");
    }
    record.figure(format!("{what}, samples"), summary.samples as f64, "");
}
