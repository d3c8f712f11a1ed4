//! What must hold at every look at a soak.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use gpu_actor_rt::device::Device;
use gpu_actor_rt::prelude::*;
use serde_json::{Value, json};

use super::PATIENCE;
use super::load::{FLOOD, Load};
use crate::Outcome;

/// Bytes by which the resident set may be larger than it ever was before the warm-up was over. The device's memory may not grow
/// at all: every actor has had a message by then.
const GROWTH: u64 = 16 << 20;
/// Seconds of the warm-up: a quarter of the run, and not more than this.
const WARM_UP: u64 = 30;

/// The resident set in bytes.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// What was seen at one look.
#[derive(Debug)]
pub(super) struct Reading {
    second: u64,
    stats: Stats,
    refused: u64,
    dropped_newest: u64,
    dropped_oldest: u64,
    /// At the pause.
    in_flight: u64,
    resident: u64,
    on_device: u64,
}

impl Reading {
    pub(super) const HEAD: &str = "     s     accepted         sent      handled    faulted       dead    dropped (newest    oldest) in flight  resident  device";

    /// Messages that came in.
    pub(super) fn came(&self) -> u64 {
        self.stats.accepted + self.stats.sent
    }

    pub(super) fn json(&self) -> Value {
        let stats = &self.stats;
        json!({
            "second": self.second, "accepted": stats.accepted, "sent": stats.sent, "handled": stats.handled,
            "faulted": stats.faulted, "dead_letters": stats.dead_letters, "dropped": stats.dropped,
            "dropped_newest": self.dropped_newest, "dropped_oldest": self.dropped_oldest, "refused": self.refused,
            "spilled": stats.spilled, "in_flight_at_pause": self.in_flight, "resident_bytes": self.resident,
            "device_bytes": self.on_device,
        })
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{:6} {:12} {:12} {:12} {:10} {:10} {:10} {:9} {:9} {:9} {:6.1} MiB {:6.1} MiB",
            self.second,
            stats.accepted,
            stats.sent,
            stats.handled,
            stats.faulted,
            stats.dead_letters,
            stats.dropped,
            self.dropped_newest,
            self.dropped_oldest,
            self.in_flight,
            mib(self.resident),
            mib(self.on_device),
        )
    }
}

/// Two figures that must be one.
fn same(what: &str, left: u64, right: u64) -> Outcome<()> {
    if left == right { Ok(()) } else { Err(format!("{what}: {left} is not {right}").into()) }
}

/// Who looks.
pub(super) struct Watch {
    load: Arc<Load>,
    device: Arc<dyn Device>,
    /// The most messages that can be in flight at a pause.
    room: u64,
    /// Seconds.
    warm_up: u64,
    /// The most of the warm-up, in bytes.
    resident: u64,
    on_device: u64,
    last: Option<Stats>,
    dropped: (u64, u64),
}

impl Watch {
    pub(super) fn new(load: Arc<Load>, device: Arc<dyn Device>, room: u64, seconds: u64) -> Self {
        let warm_up = (seconds / 4).clamp(1, WARM_UP);
        Self { load, device, room, warm_up, resident: 0, on_device: 0, last: None, dropped: (0, 0) }
    }

    /// What became of memory, in words.
    pub(super) fn verdict(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!(
            "after the warm-up of {} s at most {:.0} MiB more resident than the {:.1} MiB in it; on the device never more than {:.1} MiB",
            self.warm_up,
            mib(GROWTH),
            mib(self.resident),
            mib(self.on_device),
        )
    }

    /// Holds the senders, and looks.
    pub(super) async fn look(&mut self, second: u64) -> Outcome<Reading> {
        let load = Arc::clone(&self.load);
        let _shut = load.gate.write().await;
        load.system.pause().await?;
        load.overflow(2 * self.room)?;
        let in_flight = self.paused(&load.system.stats())?;
        load.system.resume().await?;
        self.drain().await?;
        let stats = self.drained().await?;
        let info = self.device.memory_info()?;
        let reading = Reading {
            second,
            stats,
            refused: load.ledger.refused.load(Relaxed),
            dropped_newest: self.dropped.0,
            dropped_oldest: self.dropped.1,
            in_flight,
            resident: resident()?,
            on_device: info.total - info.free,
        };
        self.memory(&reading)?;
        Ok(reading)
    }

    /// Waits until all is done; the counters if that takes too long, for one of them may be wrong.
    async fn drain(&self) -> Outcome<()> {
        let system = &self.load.system;
        match tokio::time::timeout(PATIENCE, system.drained()).await {
            Ok(drained) => Ok(drained?),
            Err(_) => Err(format!("not drained in {PATIENCE:?}: {:?}", system.stats()).into()),
        }
    }

    /// Memory is measured until the warm-up is over, and held against that from then on.
    fn memory(&mut self, reading: &Reading) -> Outcome<()> {
        if reading.second <= self.warm_up {
            self.resident = self.resident.max(reading.resident);
            self.on_device = self.on_device.max(reading.on_device);
            return Ok(());
        }
        if reading.resident > self.resident + GROWTH {
            let (now, then) = (reading.resident, self.resident);
            return Err(format!("{now} bytes are resident, {then} at the most in the warm-up").into());
        }
        if reading.on_device > self.on_device {
            let (now, then) = (reading.on_device, self.on_device);
            return Err(format!("{now} bytes of the device are in use, {then} in the warm-up").into());
        }
        Ok(())
    }

    /// At a pause: what was accepted is what the senders know of, what is done was accepted or sent, and the rest fits the rings.
    fn paused(&self, stats: &Stats) -> Outcome<u64> {
        same("accepted, and the senders' count", stats.accepted, self.load.ledger.accepted())?;
        let done = stats.handled + stats.faulted + stats.dead_letters + stats.dropped;
        let came = stats.accepted + stats.sent;
        let in_flight = came.checked_sub(done).ok_or_else(|| format!("{done} are done of {came}"))?;
        same("in flight", stats.in_flight, in_flight)?;
        if in_flight > self.room {
            return Err(format!("{in_flight} are in flight, and the rings hold {}", self.room).into());
        }
        Ok(in_flight)
    }

    /// Drained: nothing is in flight; the actors have counted what was handled; and type by type what came is what was handled,
    /// has faulted, was dropped or is a dead letter.
    async fn drained(&mut self) -> Outcome<Stats> {
        let load = Arc::clone(&self.load);
        let ledger = &load.ledger;
        let (mut floods, mut asked) = (0, 0);
        for actor in &load.flood {
            floods += actor.floods().await?;
            asked += 1;
        }
        let (mut strict, mut newest, mut oldest, mut flood) = (0, 0, 0, 0);
        for actor in 0..load.strict.len() {
            strict += load.strict[actor].handled().await?;
            newest += load.newest[actor].handled().await?;
            oldest += load.oldest[actor].handled().await?;
            flood += load.flood[actor].handled().await?;
        }
        let each = load.strict.len() as u64;
        for (count, asks) in [
            (&ledger.strict, each),
            (&ledger.newest, each),
            (&ledger.oldest, each),
            (&ledger.flood, each + asked),
        ] {
            count.fetch_add(asks, Relaxed);
        }
        // Behind the counters of the last replies.
        self.drain().await?;
        let stats = load.system.stats();
        same("in flight", stats.in_flight, 0)?;
        same("accepted, and the senders' count", stats.accepted, ledger.accepted())?;
        same("sent, and the actors' count of floods", stats.sent, 3 * FLOOD * floods)?;
        same("handled, and the actors' count", stats.handled, strict + newest + oldest + flood)?;
        same("floods that came, and that were handled", ledger.flood.load(Relaxed), flood)?;
        let came = stats.accepted + stats.sent;
        same(
            "accepted + sent, and all that is done",
            came,
            stats.handled + stats.faulted + stats.dead_letters + stats.dropped,
        )?;
        let rest = |accepted: u64, handled: u64| {
            let came = accepted + FLOOD * floods;
            came.checked_sub(handled).ok_or_else(|| format!("{handled} are handled of {came}"))
        };
        let gone = rest(ledger.strict.load(Relaxed), strict)?;
        same("gone of the strict type, and faulted or dead", gone, stats.faulted + stats.dead_letters)?;
        self.dropped =
            (rest(ledger.newest.load(Relaxed), newest)?, rest(ledger.oldest.load(Relaxed), oldest)?);
        same("gone of the types that drop, and dropped", self.dropped.0 + self.dropped.1, stats.dropped)?;
        self.last = Some(stats.clone());
        Ok(stats)
    }

    /// Each kind of end was there.
    pub(super) fn everything_happened(&self) -> Outcome<()> {
        let stats = self.last.as_ref().ok_or("there was no look")?;
        let ledger = &self.load.ledger;
        for (what, count) in [
            ("reply", ledger.replies.load(Relaxed)),
            ("fault of an ask", ledger.faults.load(Relaxed)),
            ("refused tell", ledger.refused.load(Relaxed)),
            ("fault", stats.faulted),
            ("dead letter", stats.dead_letters),
            ("spilled message", stats.spilled),
            ("drop of the newest", self.dropped.0),
            ("drop of the oldest", self.dropped.1),
        ] {
            if count == 0 {
                return Err(
                    format!("in the whole run there was no {what}: it proves nothing about them").into()
                );
            }
        }
        Ok(())
    }
}
