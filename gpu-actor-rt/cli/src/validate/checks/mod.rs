//! The checks, in the order in which they run.

mod baseline;
mod clock;
mod faults;
mod latency;
mod memory;
mod messages;
mod peers;
mod scale;
mod throughput;

use std::time::Duration;

use super::finding::{Recorder, Stop};
use super::ground::Ground;

/// A check.
#[derive(Debug)]
pub(crate) struct Check {
    /// Its name for `--only` and in JSON.
    pub(crate) id: &'static str,
    /// Its name in tables.
    pub(crate) title: &'static str,
    /// What it measures and what it requires.
    pub(crate) about: &'static str,
    /// How long it may take, quick and full.
    pub(crate) limits: (Duration, Duration),
    /// Runs it.
    pub(crate) run: fn(&Ground, &Recorder) -> Result<(), Stop>,
}

const SHORT: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(5));
const LONG: (Duration, Duration) = (Duration::from_mins(3), Duration::from_mins(15));

/// All of them.
pub(crate) const ALL: [Check; 9] = [
    Check {
        id: "round-trip",
        title: "Ring round trip",
        about: "One ask after the other through a live ring kernel, each with its reply: from the call to the reply in \
                the caller's hand. Every reply must be the right one.",
        limits: SHORT,
        run: latency::run,
    },
    Check {
        id: "tell-throughput",
        title: "Tells from host to device",
        about: "Messages without a reply, from one thread and from several, timed until the last one is handled. Every \
                one must be handled.",
        limits: SHORT,
        run: throughput::run,
    },
    Check {
        id: "device-messages",
        title: "Messages from actor to actor",
        about: "Pairs of actors throw messages to and fro on the device, within a worker and across workers. Every hop \
                must happen, and every stamp must be later than its sender's.",
        limits: SHORT,
        run: messages::run,
    },
    Check {
        id: "launch-baseline",
        title: "Ring against a launch per message",
        about: "The same handler, once through the ring and once as a plain kernel launch per message that is waited \
                for, in turns. On hardware the ring must be the faster one.",
        limits: SHORT,
        run: baseline::run,
    },
    Check {
        id: "clock",
        title: "Hybrid logical clock against the host",
        about: "The device's timer and the stamps of handled messages against the host's clock. Stamps must respect \
                cause and effect without exception, must be within a millisecond of the host's time, and the timer must \
                not drift by more than one in a thousand.",
        limits: SHORT,
        run: clock::run,
    },
    Check {
        id: "memory",
        title: "Memory to the last megabyte",
        about: "Allocates the device's memory until the device refuses, writes and reads back both ends of every piece, \
                frees all. The refusal must be the typed error, what was free before must be free again, and a system \
                must start and answer after it.",
        limits: SHORT,
        run: memory::run,
    },
    Check {
        id: "scale",
        title: "From one actor to a million",
        about: "More actors in each step: the time until each has handled its first message, the memory that they take, \
                and the rate of messages to all of them. Every message must be handled by its actor.",
        limits: LONG,
        run: scale::run,
    },
    Check {
        id: "faults",
        title: "Injected faults",
        about: "Overflow, an endless loop, exhausted memory, full rings. Each must come back as its typed error, the \
                system must go on, and every message must be accounted for: accepted + sent = handled + faulted + dead \
                letters.",
        limits: SHORT,
        run: faults::run,
    },
    Check {
        id: "peers",
        title: "Copies between two devices",
        about: "Peer access and copies of growing size in both directions. What arrives must be what was sent.",
        limits: SHORT,
        run: peers::run,
    },
];
