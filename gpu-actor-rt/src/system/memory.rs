//! What a system has in memory: records, rings, types; laid out by `kernels_ptx::abi` and nothing else.
//!
//! Rule kept here: all of it is owned here, so it lives exactly as long as the system, and the launch ends before it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kernels_ptx::abi::{
    LINE, actor, actor_type, buffer, buffers, control, fault, line, root, scratch, slot, worker,
};

use crate::actor::ActorInfo;
use crate::buffer::Releases;
use crate::config::{Config, Settings};
use crate::device::{Allocation, Device, DeviceError, MemoryKind};
use crate::error::{Error, Result};
use crate::hlc::Calibration;
use crate::mailbox::{Mailbox, OnFull};
use crate::overflow::Overflow;
use crate::program::Program;
use crate::ring::{self, Completions, Inbox, Shape};
use crate::shared::Mapped;
use crate::sync::Words;
use crate::system::behind::Parcel;

/// The memory of a system.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Address of the root record: the ring kernel's argument.
    pub(crate) root: u64,
    /// The control block.
    pub(crate) control: Mapped,
    /// Per worker: what the host needs of it.
    pub(crate) inboxes: Vec<Inbox<Mapped>>,
    /// Per worker: what its inbox has no space for.
    pub(crate) overflows: Vec<Overflow<Parcel>>,
    /// Per worker: the lines that it writes.
    pub(crate) lines: Vec<Mapped>,
    /// Per type, in the order of the program.
    pub(crate) types: Vec<TypeMemory>,
    /// The table of buffers, where a handler has slices.
    pub(crate) buffers: Option<Mapped>,
    _device: Vec<Box<dyn Allocation>>,
}

/// What the host writes of an actor type while the system runs.
#[derive(Debug)]
pub(crate) struct TypeMemory {
    /// Bytes from one actor to the next.
    pub(crate) stride: u64,
    chunks: Mapped,
    counts: Mapped,
}

impl TypeMemory {
    /// A type without actors: the tables, all zeroes, that the device reads.
    pub(crate) fn new(stride: u64, chunks: Mapped, counts: Mapped) -> Self {
        Self { stride, chunks, counts }
    }

    /// Publishes a chunk of a worker: before the count that covers it.
    pub(crate) fn publish_chunk(&self, worker: u32, chunk: u64, address: u64) {
        let word = u64::from(worker) * actor_type::MAX_CHUNKS + chunk;
        self.chunks.store(word * 8, address, Ordering::Release);
    }

    /// Bytes of a chunk.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        self.stride << actor_type::CHUNK_SHIFT
    }

    /// Answers a worker that asked for an actor who sleeps, after the chunk was published.
    pub(crate) fn answer(&self, worker: u32, refused: bool) {
        ring::answer(&self.counts, worker, refused);
    }

    /// Publishes that a worker has `count` actors: before the first message to the last of them.
    pub(crate) fn publish_count(&self, worker: u32, count: u64) {
        self.counts.store(u64::from(worker) * LINE, count, Ordering::Release);
    }
}

/// Words of a record, written by offset.
struct Record(Vec<u8>);

impl Record {
    fn new(bytes: u64) -> Self {
        Self(vec![0; bytes as usize])
    }

    fn set(&mut self, offset: u64, value: u64) {
        self.0[offset as usize..offset as usize + 8].copy_from_slice(&value.to_le_bytes());
    }
}

/// Allocates and remembers.
struct Arena<'a> {
    device: &'a dyn Device,
    owned: Vec<Box<dyn Allocation>>,
}

impl Arena<'_> {
    /// Device memory with the given contents; its address.
    fn device(&mut self, contents: &[u8]) -> Result<u64, DeviceError> {
        let address = self.zeroed(contents.len() as u64)?;
        self.device.copy_to_device(address, contents)?;
        Ok(address)
    }

    /// Zeroed device memory; its address.
    fn zeroed(&mut self, bytes: u64) -> Result<u64, DeviceError> {
        let memory = self.device.alloc(MemoryKind::Device, bytes as usize)?;
        let address = memory.address();
        self.owned.push(memory);
        Ok(address)
    }

    /// Zeroed mapped memory.
    fn mapped(&self, bytes: u64) -> Result<Mapped> {
        let memory: Arc<dyn Allocation> = self.device.alloc(MemoryKind::Mapped, bytes as usize)?.into();
        Mapped::new(memory).ok_or_else(|| {
            Error::Device(DeviceError::Foreign { device: self.device.info().name, what: "mapped memory" })
        })
    }
}

/// The host's ends of what the workers write into.
pub(crate) struct Ends {
    pub(crate) completions: Vec<Completions<Mapped>>,
    /// Where a handler has slices.
    pub(crate) releases: Option<Releases<Mapped>>,
}

/// What the record of a system's buffers says of the rest.
struct Of<'a> {
    config: &'a Config,
    workers: u64,
    slot_size: u64,
    control: u64,
}

/// Slots of a worker's ring of releases. The host takes them as fast as it can, and a worker that finds the ring full waits.
const RELEASES: u64 = 1024;

impl Arena<'_> {
    /// What handlers with slices need: the address of the record, the table, and the rings by which they tell of buffers.
    fn buffers(&mut self, of: &Of<'_>) -> Result<(u64, Mapped, Releases<Mapped>)> {
        let count = u64::from(of.config.max_buffers);
        let table = self.mapped(count * buffer::SIZE)?;
        let shape = Shape { capacity: RELEASES, slot_size: buffers::RELEASE };
        let rings = self.mapped(of.workers * shape.bytes())?;
        let mut record = Record::new(buffers::SIZE);
        for (offset, value) in [
            (buffers::TABLE, table.address()),
            (buffers::LOCKS, self.zeroed(count * 8)?),
            (buffers::COUNT, count),
            (buffers::CONTROL, of.control),
            (buffers::SLOT_SIZE, of.slot_size),
            (buffers::RELEASES, rings.address()),
            (buffers::RELEASE_CAPACITY, shape.capacity),
            (buffers::TICKETS, self.zeroed(of.workers * LINE)?),
        ] {
            record.set(offset, value);
        }
        let ring = |worker| Completions::new(rings.part(worker * shape.bytes(), shape.bytes()), shape);
        let releases = Releases::new((0..of.workers).map(ring).collect(), shape.capacity);
        Ok((self.device(&record.0)?, table, releases))
    }
}

impl Memory {
    /// Allocates and fills everything that must be in place before the launch.
    pub(crate) fn build(
        device: &dyn Device,
        program: &Program,
        settings: &Settings,
        mailboxes: &[Mailbox],
        calibration: Calibration,
    ) -> Result<(Self, Ends)> {
        let config = &settings.config;
        let workers = u64::from(settings.workers);
        let slot_size = program.slot_size;
        let shape = |capacity: u32| Shape { capacity: u64::from(capacity), slot_size };
        let mut arena = Arena { device, owned: Vec::new() };

        let control = arena.mapped(control::SIZE)?;
        control.store(control::CLOCK_DEVICE_BASE, calibration.device_base, Ordering::Relaxed);
        control.store(control::CLOCK_HOST_BASE, calibration.host_base, Ordering::Relaxed);
        control.store(control::CLOCK_RATE, calibration.rate as u64, Ordering::Relaxed);

        let lines = arena.mapped(workers * line::SIZE)?;
        let lines: Vec<_> = (0..workers).map(|w| lines.part(w * line::SIZE, line::SIZE)).collect();
        let (host, done) = (shape(config.host_inbox), shape(config.completions));
        let (inner, spill) = (shape(config.device_inbox), shape(config.spill));
        let (mut inboxes, mut completions) = (Vec::new(), Vec::new());
        let mut records = Record::new(workers * worker::SIZE);
        for index in 0..workers {
            let inbox = arena.mapped(host.bytes())?;
            let completion = arena.mapped(done.bytes())?;
            // Two tickets, a line apart.
            let tickets = arena.zeroed(2 * LINE)?;
            let at = index * worker::SIZE;
            records.set(at + worker::HOST_INBOX, inbox.address());
            records.set(at + worker::DEVICE_INBOX, arena.device(&inner.initial_bytes())?);
            records.set(at + worker::DEVICE_TICKET, tickets);
            records.set(at + worker::COMPLETIONS, completion.address());
            records.set(at + worker::SPILL, arena.device(&spill.initial_bytes())?);
            records.set(at + worker::SPILL_TICKET, tickets + LINE);
            records.set(at + worker::LINE, lines[index as usize].address());
            records.set(at + worker::LOCAL, arena.zeroed(inner.bytes())?);
            records.set(at + worker::CLOCK_SEQ, u64::MAX);
            inboxes.push(Inbox::new(inbox, host));
            completions.push(Completions::new(completion, done));
        }
        let records = arena.device(&records.0)?;

        let mut types = Vec::new();
        let mut table = Record::new((program.types.len() as u64 + 1) * actor_type::SIZE);
        for (index, info) in (1u64..).zip(&program.types) {
            let state_size = state_words(info) * 8;
            let initial = arena.device(&initial_state(info))?;
            let chunks = arena.mapped(workers * actor_type::MAX_CHUNKS * 8)?;
            let counts = arena.mapped(workers * LINE)?;
            let memory = TypeMemory::new((actor::STATE + state_size).next_multiple_of(16), chunks, counts);
            let at = index * actor_type::SIZE;
            table.set(at + actor_type::STRIDE, memory.stride);
            table.set(at + actor_type::STATE_SIZE, state_size);
            table.set(at + actor_type::INITIAL, initial);
            table.set(at + actor_type::CHUNKS, memory.chunks.address());
            table.set(at + actor_type::COUNTS, memory.counts.address());
            let on_full = match mailboxes[index as usize].on_full {
                OnFull::Reject => fault::code::MAILBOX_FULL,
                OnFull::DropOldest | OnFull::DropNewest => actor_type::DROP,
            };
            table.set(at + actor_type::ON_FULL, u64::from(on_full));
            types.push(memory);
        }
        let table = arena.device(&table.0)?;

        let stride = (scratch::OUTBOX + u64::from(config.max_sends) * slot_size).next_multiple_of(LINE);
        let lane_memory = arena.zeroed(workers * u64::from(config.lanes) * stride)?;
        let (buffers, releases) = if program.has_slices() {
            let of = Of { config, workers, slot_size, control: control.address() };
            let (block, table, releases) = arena.buffers(&of)?;
            (Some((block, table)), Some(releases))
        } else {
            (None, None)
        };
        let mut record = Record::new(root::SIZE);
        for (offset, value) in [
            (root::CONTROL, control.address()),
            (root::WORKERS, records),
            (root::TYPES, table),
            (root::SLOT_SIZE, slot_size),
            (root::HOST_CAPACITY, host.capacity),
            (root::DEVICE_CAPACITY, inner.capacity),
            (root::COMPLETION_CAPACITY, done.capacity),
            (root::SPILL_CAPACITY, spill.capacity),
            (root::WORKER_COUNT, workers),
            (root::TYPE_COUNT, program.types.len() as u64),
            (root::BUDGET, config.budget),
            (root::OUTBOX_CAPACITY, u64::from(config.max_sends)),
            (root::DRIFT_BOUND, u64::try_from(config.drift_bound.as_nanos()).unwrap_or(u64::MAX)),
            (root::SCRATCH, lane_memory),
            (root::SCRATCH_STRIDE, stride),
            (root::BUFFERS, buffers.as_ref().map_or(0, |(block, _)| *block)),
            // Bells are sooner than any look.
            (root::SPINS, if device.has_bells() { 0 } else { root::MOST_SPINS }),
            (
                root::SLICE,
                config.slice.map_or(0, |slice| u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX)),
            ),
        ] {
            record.set(offset, value);
        }
        let root = arena.device(&record.0)?;
        let overflows = (0..workers).map(|_| Overflow::new()).collect();
        let buffers = buffers.map(|(_, table)| table);
        let memory = Self { root, control, inboxes, overflows, lines, types, buffers, _device: arena.owned };
        Ok((memory, Ends { completions, releases }))
    }
}

/// The initial state as the device copies it: whole words, at least one.
fn initial_state(info: &ActorInfo) -> Vec<u8> {
    let mut bytes = vec![0; (state_words(info) * 8) as usize];
    (info.initial)(&mut bytes[..info.state_size as usize]);
    bytes
}

fn state_words(info: &ActorInfo) -> u64 {
    u64::from(info.state_size).div_ceil(8).max(1)
}

// A slot has its header in whole words, and the payload after it.
const _: () = assert!(slot::HEADER.is_multiple_of(8) && actor::STATE.is_multiple_of(8));
