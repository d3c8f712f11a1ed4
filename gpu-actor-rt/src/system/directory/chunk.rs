//! The chunks of actors' state: on the device, watched there, or kept by the host.
//!
//! Rules kept here: the device is led to a chunk's frame only while the chunk is awake; a frame is given back only after its
//! bytes were copied out whole, and the chunk was not awake for a moment in between; a chunk leaves the device or comes back
//! as it is, bit for bit; no lock is held while the device allocates or copies.
//!
//! A worker keeps no book of whom it runs. Instead a chunk is watched: the device is led away from it, to the frame
//! of the sleeping, while its state stays where it is. The next message to it has the worker ask, and the chunk is awake again at
//! once; a chunk that nobody asked for was not used.

use std::sync::{Mutex, OnceLock};

use kernels_ptx::abi::actor;

use super::frames::Frame;
use super::{Directory, Slab, TypeDirectory, lock};
use crate::device::{Device, DeviceError, MemoryKind};
use crate::id::RawId;
use crate::system::memory::TypeMemory;

/// A chunk of actors of one type on one worker.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) place: Place,
    /// When it was last led to or away from, as a serial number of the system's.
    turn: u64,
}

#[derive(Debug)]
pub(super) enum Place {
    /// The device is led to it.
    Awake(Frame),
    /// On the device, which is led away from it since then (nanoseconds of the system's clock).
    Watched(Frame, u64),
    /// In the host's memory.
    Asleep(Box<[u8]>),
    /// On the way back.
    Coming,
}

/// A chunk by type, worker and number; and its turn when it was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    position: usize,
    worker: usize,
    chunk: usize,
    turn: u64,
    bytes: u64,
    /// When it was first watched, if it is.
    since: Option<u64>,
}

impl Candidate {
    /// Whether it has been watched for `age` nanoseconds.
    pub(crate) fn is_idle(&self, now: u64, age: u64) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= age)
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.since.is_none()
    }
}

impl Chunk {
    pub(super) fn awake(frame: Frame, turn: u64) -> Self {
        Self { place: Place::Awake(frame), turn }
    }
}

/// The number of the actors in a chunk's bytes that have had a message.
fn active(bytes: &[u8], stride: u64) -> u64 {
    let status = |actor: &[u8]| {
        let at = actor::STATUS as usize;
        actor.get(at..at + 8).is_some_and(|word| word == actor::ACTIVE.to_le_bytes())
    };
    bytes.chunks(stride as usize).filter(|actor| status(actor)).count() as u64
}

/// The frame of the sleeping, of one type: there is no state in it.
#[derive(Debug, Default)]
pub(super) struct Bed(OnceLock<Frame>);

impl Bed {
    /// Its address; made when it is first needed.
    fn address(&self, memory: &TypeMemory, device: &dyn Device) -> Result<u64, DeviceError> {
        if let Some(frame) = self.0.get() {
            return Ok(frame.address());
        }
        let mut bytes = vec![0; memory.chunk_bytes() as usize];
        for actor in bytes.chunks_mut(memory.stride as usize) {
            let at = actor::STATUS as usize;
            actor[at..at + 8].copy_from_slice(&actor::ASLEEP.to_le_bytes());
        }
        let frame = device.alloc(MemoryKind::Device, bytes.len())?;
        device.copy_to_device(frame.address(), &bytes)?;
        // Another thread's is as good; one of the two is given back.
        Ok(self.0.get_or_init(|| frame).address())
    }
}

impl Directory {
    fn places(&self) -> impl Iterator<Item = (usize, usize, &TypeDirectory, &Mutex<Slab>)> {
        self.types.iter().enumerate().flat_map(|(position, directory)| {
            directory.slabs.iter().enumerate().map(move |(worker, slab)| (position, worker, directory, slab))
        })
    }

    /// The chunks that are on the device, the coldest first: those that are watched, by age; then the others, in the order in
    /// which they came.
    pub(crate) fn candidates(&self, memory: &[TypeMemory]) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (position, worker, _, slab) in self.places() {
            for (chunk, entry) in lock(slab).chunks.iter().enumerate() {
                let since = match entry.place {
                    Place::Awake(_) => None,
                    Place::Watched(_, since) => Some(since),
                    Place::Asleep(_) | Place::Coming => continue,
                };
                let bytes = memory[position].chunk_bytes();
                found.push(Candidate { position, worker, chunk, turn: entry.turn, bytes, since });
            }
        }
        found.sort_by_key(|candidate| (candidate.is_awake(), candidate.turn));
        found
    }

    /// Leaves so many of the first candidates that the others have no more bytes than they may.
    pub(crate) fn spared(&self, candidates: &mut Vec<Candidate>) {
        let (mut excess, mut many) = (self.frames.excess(), 0);
        while excess != 0 && many < candidates.len() {
            excess = excess.saturating_sub(candidates[many].bytes);
            many += 1;
        }
        candidates.truncate(many);
    }

    /// Makes what [`watch`](Self::watch) needs.
    pub(crate) fn prepare(
        &self,
        candidates: &[Candidate],
        memory: &[TypeMemory],
        device: &dyn Device,
    ) -> Result<(), DeviceError> {
        for candidate in candidates.iter().filter(|candidate| candidate.is_awake()) {
            let position = candidate.position;
            self.types[position].bed.address(&memory[position], device)?;
        }
        Ok(())
    }

    /// Leads the device away from the candidates that are awake. Their workers stand still meanwhile, between two messages.
    pub(crate) fn watch(&self, candidates: &mut [Candidate], memory: &[TypeMemory], now: u64) {
        for candidate in candidates.iter_mut().filter(|candidate| candidate.is_awake()) {
            let directory = &self.types[candidate.position];
            let Some(bed) = directory.bed.0.get() else { continue };
            let mut slab = lock(&directory.slabs[candidate.worker]);
            let turn = self.next_turn();
            let entry = &mut slab.chunks[candidate.chunk];
            let Place::Awake(_) = entry.place else { continue };
            memory[candidate.position].publish_chunk(
                candidate.worker as u32,
                candidate.chunk as u64,
                bed.address(),
            );
            entry.place = match std::mem::replace(&mut entry.place, Place::Coming) {
                Place::Awake(frame) => Place::Watched(frame, now),
                other => other,
            };
            entry.turn = turn;
            (candidate.turn, candidate.since) = (turn, Some(now));
        }
    }

    /// Takes a chunk that has been watched off the device, unless it is in use again; how many actors that are.
    pub(crate) fn put_to_sleep(
        &self,
        candidate: Candidate,
        memory: &[TypeMemory],
        device: &dyn Device,
    ) -> Result<u64, DeviceError> {
        let memory = &memory[candidate.position];
        let slab = &self.types[candidate.position].slabs[candidate.worker];
        let address = match &lock(slab).chunks[candidate.chunk] {
            Chunk { place: Place::Watched(frame, _), turn } if *turn == candidate.turn => frame.address(),
            _ => return Ok(0),
        };
        // Unlocked: if the chunk is awake before this is done, then the copy is of no use, and its turn has changed.
        let mut bytes = vec![0; memory.chunk_bytes() as usize].into_boxed_slice();
        device.copy_from_device(&mut bytes, address)?;
        let actors = active(&bytes, memory.stride);
        let mut slab = lock(slab);
        let entry = &mut slab.chunks[candidate.chunk];
        if entry.turn != candidate.turn {
            return Ok(0);
        }
        match std::mem::replace(&mut entry.place, Place::Asleep(bytes)) {
            // Under the lock: nobody comes back before it is counted that they went.
            Place::Watched(frame, _) => self.frames.retire(memory.chunk_bytes(), frame, actors),
            other => {
                entry.place = other;
                return Ok(0);
            }
        }
        Ok(actors)
    }

    /// Brings an actor back that a worker asks for, with its chunk, and answers the worker. An error is an answer, too: the
    /// chunk is where it was.
    pub(crate) fn awaken(
        &self,
        id: RawId,
        memory: &[TypeMemory],
        device: &dyn Device,
    ) -> Result<(), DeviceError> {
        let position = (id.type_index() as usize).wrapping_sub(1);
        let (Some(directory), Some(memory)) = (self.types.get(position), memory.get(position)) else {
            return Ok(());
        };
        let Some(slab) = directory.slabs.get(id.worker() as usize) else { return Ok(()) };
        let done = self.bring_back(slab, id, memory, device);
        memory.answer(id.worker(), done.is_err());
        done
    }

    fn bring_back(
        &self,
        slab: &Mutex<Slab>,
        id: RawId,
        memory: &TypeMemory,
        device: &dyn Device,
    ) -> Result<(), DeviceError> {
        let chunk = (u64::from(id.slot()) / super::CHUNK) as usize;
        let lead = |slab: &mut Slab, frame: Frame| {
            let address = frame.address();
            slab.chunks[chunk] = Chunk::awake(frame, self.next_turn());
            memory.publish_chunk(id.worker(), chunk as u64, address);
        };
        let bytes = {
            let mut slab = lock(slab);
            let Some(entry) = slab.chunks.get_mut(chunk) else { return Ok(()) };
            match std::mem::replace(&mut entry.place, Place::Coming) {
                Place::Watched(frame, _) => {
                    lead(&mut slab, frame);
                    return Ok(());
                }
                Place::Asleep(bytes) => bytes,
                other => {
                    entry.place = other;
                    return Ok(());
                }
            }
        };
        let size = memory.chunk_bytes();
        let copied = self.frames.take(size, device).and_then(|(frame, _)| {
            match device.copy_to_device(frame.address(), &bytes) {
                Ok(()) => Ok(frame),
                Err(error) => {
                    self.frames.give_back(size, frame);
                    Err(error)
                }
            }
        });
        let mut slab = lock(slab);
        match copied {
            Ok(frame) => {
                self.frames.count_reactivated(active(&bytes, memory.stride));
                lead(&mut slab, frame);
                Ok(())
            }
            Err(error) => {
                slab.chunks[chunk].place = Place::Asleep(bytes);
                Err(error)
            }
        }
    }
}
