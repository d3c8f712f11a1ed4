//! What runs, and what has happened so far.

use std::time::Duration;

use crate::device::{DeviceKind, MemoryKind};

/// A reading of a system's counters, by [`ActorSystem::stats`](crate::ActorSystem::stats).
///
/// The workers' counters are read one after the other while they move, and published by each worker after a burst of
/// messages; they balance exactly while the system is paused or drained: accepted + sent = handled + faulted + dead letters +
/// dropped + in flight.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The name of the device that really runs the actors.
    pub device: String,
    /// Which implementation that is.
    pub device_kind: DeviceKind,
    /// Whether it is a real GPU; where it is not, no figure here says anything about one.
    pub hardware: bool,
    /// What drives it, see [`DeviceInfo::driver`](crate::device::DeviceInfo::driver).
    pub driver: String,
    /// Why the system runs on this device and no other.
    pub chosen: String,
    /// Workers.
    pub workers: u32,
    /// Lanes of a worker.
    pub lanes: u32,
    /// Messages that the host sent and that were accepted.
    pub accepted: u64,
    /// Messages that handlers sent.
    pub sent: u64,
    /// Messages whose handler returned.
    pub handled: u64,
    /// Messages that faulted.
    pub faulted: u64,
    /// Messages that handlers sent and that could not be delivered.
    pub dead_letters: u64,
    /// Messages that were dropped because there was no space and their type says so, see [`OnFull`](crate::OnFull).
    pub dropped: u64,
    /// Messages that handlers sent and that waited in a spill ring for space.
    pub spilled: u64,
    /// Replies that nobody took: their asks had timed out or were dropped.
    pub late_replies: u64,
    /// Asks that wait for a reply.
    pub pending_asks: u64,
    /// Messages accepted or sent that are not done.
    pub in_flight: u64,
    /// Actors that have had their first message.
    pub activated: u64,
    /// Actors whose state was moved to the host's memory because they were idle, as often as that happened.
    pub deactivated: u64,
    /// Actors whose state came back to the device, as often as that happened.
    pub reactivated: u64,
    /// Bytes of device memory that the actors' states have.
    pub resident: u64,
    /// Buffers that somebody has a handle to: on the host, in a message, or on the device.
    pub buffers: u64,
    /// References of messages and of the device to buffers.
    pub buffer_references: u64,
    /// What kind of memory buffers are in: memory that both sides reach, or the device's own, to and from which the host copies.
    pub buffer_memory: MemoryKind,
    /// Asks whose thread ran the sleeping worker itself, see [`Config::assist`](crate::Config::assist).
    pub assisted: u64,
    /// Passes of the workers' loops, reported every 256 passes and before a worker sleeps: grows while workers are alive,
    /// whether or not there are messages.
    pub heartbeats: u64,
    /// Launches of the ring kernel: 1, and in [bounded-slice mode](crate::Config::slice) one more for every slice of time in
    /// which there was something to do.
    pub launches: u64,
    /// How long the device's compiler took; zero if an earlier system of the process had the same actor types.
    pub jit: Duration,
}
