//! What happened: counters, and what the device's records mean, in words.

use std::time::Duration;

use super::{ActorSystem, Inner};
use crate::fault::{Fault, FaultKind};
use crate::id::RawId;
use crate::pool::PoolStats;
use crate::stats::Stats;

/// How long a reading of the counters may wait for a burst to be published.
const SETTLE: Duration = Duration::from_millis(1);

impl ActorSystem {
    /// What runs, and what has happened so far.
    ///
    /// Workers publish their counters after a burst of messages. While messages are in flight this gives them a moment (at
    /// most a millisecond), so that a message whose reply has come is counted.
    pub fn stats(&self) -> Stats {
        let inner = &self.owner.inner;
        let counters = inner.running.settled_counters(SETTLE);
        let sleep = inner.running.directory.counts();
        let (buffers, buffer_references) = inner.buffers.counts();
        let info = inner.device.info();
        Stats {
            device: info.name,
            device_kind: info.kind,
            hardware: info.hardware,
            driver: info.driver,
            chosen: inner.why.clone(),
            workers: inner.settings.workers,
            lanes: inner.settings.config.lanes,
            accepted: counters.accepted,
            sent: counters.sent,
            handled: counters.handled,
            faulted: counters.faulted,
            dead_letters: counters.dead_letters,
            dropped: counters.dropped,
            spilled: counters.spilled,
            late_replies: inner.asks.late(),
            pending_asks: inner.asks.pending(),
            in_flight: counters.in_flight(),
            activated: counters.activated,
            deactivated: sleep.deactivated,
            reactivated: sleep.reactivated,
            resident: sleep.resident,
            buffers,
            buffer_references,
            buffer_memory: inner.buffers.pool().kind(),
            assisted: inner.drains.assisted(),
            heartbeats: counters.heartbeats,
            launches: inner.running.launches(),
            jit: inner.jit,
        }
    }

    /// Where buffers come from, and how much of it there is.
    pub fn pool(&self) -> PoolStats {
        self.owner.inner.buffers.pool().stats()
    }
}

impl Inner {
    /// What a fault record means.
    pub(crate) fn fault(&self, actor: RawId, code_site: u64, method: u64) -> Fault {
        let (code, site) = (code_site as u32, code_site >> 32);
        let method = self.program.method(method as u32);
        let site = method.and_then(|method| method.sites.get(site as usize));
        let actor_type = self.program.actor_type(actor.type_index()).map(|info| info.name);
        Fault {
            kind: FaultKind::from_code(code),
            actor_type: actor_type.unwrap_or("unknown type"),
            actor: match self.running.directory.key(actor) {
                Some(key) => key.to_string(),
                None => actor.to_string(),
            },
            handler: method.map_or("unknown handler", |method| method.info.name),
            function: site.map_or("", |site| site.function),
            file: site.and(method).map_or("", |method| method.info.file),
            line: site.map_or(0, |site| site.line),
            message: site.and_then(|site| site.message),
            dead_letter: false,
        }
    }
}
