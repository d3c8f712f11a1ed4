//! Messages from actor to actor, on the device.

use std::time::{Duration, Instant};

use gpu_actor_rt::ActorRef;

use crate::validate::actors::Relay;
use crate::validate::finding::{Recorder, Stop};
use crate::validate::ground::{Ground, Live, long_enough};
use crate::validate::measure::rate;

type Pair = (ActorRef<Relay>, ActorRef<Relay>);

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    record.step("starting a system");
    let device = ground.open()?;
    let live = Live::start(ground.config(&device))?;
    let workers = live.system.stats().workers;
    let mut relays = Relays { live: &live, next: 0 };
    let aim = ground.pick(Duration::from_millis(300), Duration::from_secs(3));
    for (within, name) in [(true, "within a worker"), (false, "across workers")] {
        if !within && workers < 2 {
            record.note("One worker: there is nothing to measure across workers.");
            continue;
        }
        record.step(format!("one message in flight, {name}"));
        let (hops, per_hop) = long_enough(aim, (100, 5_000_000), |hops| {
            let pair = relays.pairs(1, within)?;
            play(&live, record, &pair, hops)?;
            // By the device's own clock: the host's way in and out is not part of it.
            let (a, b) =
                (live.wait(pair[0].0.seen().into_future())?, live.wait(pair[0].1.seen().into_future())?);
            let span = a.last.max(b.last).saturating_sub(a.first.min(b.first));
            Ok(span as f64 / (hops.max(2) - 1) as f64)
        })?;
        record.figure(format!("{name}: one message in flight, per hop"), per_hop / 1e3, "us");
        record.figure(format!("{name}: hops of that"), hops as f64, "");

        let pairs = u64::from(workers) * 16;
        record.step(format!("{pairs} messages in flight, {name}"));
        let (hops, took) = long_enough(aim, (50, 1_000_000), |hops| {
            let pairs = relays.pairs(pairs, within)?;
            play(&live, record, &pairs, hops)
        })?;
        record.figure(format!("{name}: {pairs} messages in flight"), rate(hops * pairs, took), "hops/s");
    }
    live.end(record)?;
    Ok(())
}

/// Finds fresh pairs of relays on one worker or on two.
struct Relays<'a> {
    live: &'a Live,
    next: u64,
}

impl Relays<'_> {
    fn pairs(&mut self, count: u64, within: bool) -> Result<Vec<Pair>, Stop> {
        let mut waiting: Vec<(u32, ActorRef<Relay>)> = Vec::new();
        let mut pairs = Vec::new();
        while (pairs.len() as u64) < count {
            let relay = self.live.system.actor::<Relay>(self.next);
            self.next += 1;
            let place = self.live.wait(relay.place().into_future())?;
            match waiting.iter().position(|(other, _)| (*other == place) == within) {
                Some(found) => pairs.push((waiting.swap_remove(found).1, relay)),
                None => waiting.push((place, relay)),
            }
        }
        Ok(pairs)
    }
}

/// Every pair throws a message to and fro so many times; how long that took. Requires that every hop has happened.
fn play(live: &Live, record: &Recorder, pairs: &[Pair], hops: u64) -> Result<Duration, Stop> {
    let begun = Instant::now();
    for (a, b) in pairs {
        let (from, to) = (a.id()?, b.id()?);
        live.wait(a.bounce(from, to, 0, hops - 1).tell_wait())?;
    }
    live.drain()?;
    let took = begun.elapsed();
    for (a, b) in pairs {
        let (a, b) = (live.wait(a.seen().into_future())?, live.wait(b.seen().into_future())?);
        record.require(a.hops + b.hops == hops, || {
            format!("{hops} hops were due, {} happened", a.hops + b.hops)
        });
        record.require(a.violations + b.violations == 0, || {
            format!("{} stamps were not later than what caused them", a.violations + b.violations)
        });
    }
    Ok(took)
}
