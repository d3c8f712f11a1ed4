//! From (type, key) to the actor's id, and the slabs that slots come from.
//!
//! Rules kept here: a pair has one id for the life of the system; a chunk is published before the count that covers it,
//! and the count before the id is given out; no lock is held while the device allocates, so that who addresses an actor
//! waits for no other's memory. A lookup takes one shard's read lock. `chunk` has what becomes of slabs whose actors are idle.

mod chunk;
mod frames;
mod shard;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use kernels_ptx::abi::actor_type;

pub(crate) use self::chunk::Candidate;
use self::chunk::{Bed, Chunk};
use self::frames::Frames;
pub(crate) use self::frames::{Call, Counts};
use self::shard::Shard;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::id::RawId;
use crate::key::Key;
use crate::program::Program;
use crate::system::memory::TypeMemory;

/// Shards of a type's map, as a shift.
const SHARD_BITS: u32 = 5;
/// Actors of a chunk.
const CHUNK: u64 = 1 << actor_type::CHUNK_SHIFT;

// A slot and the mark of a text share 32 bits of a shard's entry.
const _: () = assert!(actor_type::MAX_CHUNKS * CHUNK <= shard::MAX_SLOTS);

/// The directory of a system.
#[derive(Debug)]
pub(crate) struct Directory {
    workers: u32,
    types: Vec<TypeDirectory>,
    frames: Frames,
    turns: Mutex<u64>,
}

#[derive(Debug)]
struct TypeDirectory {
    hash: u32,
    shards: Box<[RwLock<Shard>]>,
    slabs: Box<[Mutex<Slab>]>,
    /// Where the device is led for a chunk that is not there.
    bed: Bed,
}

/// The actors of one type on one worker.
#[derive(Debug, Default)]
struct Slab {
    /// By slot: the tag under which its shard has the key.
    tags: Vec<u32>,
    chunks: Vec<Chunk>,
}

/// Whose slots are given out, and what that takes.
#[derive(Clone, Copy)]
struct Ground<'a> {
    worker: u32,
    name: &'static str,
    memory: &'a TypeMemory,
    device: &'a dyn Device,
}

/// What a hash says of a key: its worker, its shard, and the tag within the shard.
#[derive(Clone, Copy)]
struct Spot {
    worker: u32,
    shard: usize,
    tag: u32,
}

impl Spot {
    fn of(key: &Key, type_hash: u32, workers: u32) -> Self {
        let hash = key.placement_hash(type_hash);
        let tag = (hash >> 32) as u32;
        Self { worker: (hash % u64::from(workers)) as u32, shard: Self::shard_of(tag), tag }
    }

    /// The high bits choose the shard: the low ones choose the place in it.
    fn shard_of(tag: u32) -> usize {
        (tag >> (u32::BITS - SHARD_BITS)) as usize
    }
}

impl Directory {
    /// An empty directory.
    ///
    /// `limit` is the bytes that chunks may have on the device, as far as that depends on the host.
    pub(crate) fn new(program: &Program, workers: u32, limit: Option<u64>) -> Self {
        // Placement by the stable name: it does not depend on what else is linked.
        let hashes = program.types.iter().map(|info| crate::actor::method_id(info.name, ""));
        Self::of(hashes, workers, limit)
    }

    fn of(hashes: impl Iterator<Item = u32>, workers: u32, limit: Option<u64>) -> Self {
        let types = hashes.map(|hash| TypeDirectory {
            hash,
            shards: (0..1 << SHARD_BITS).map(|_| RwLock::default()).collect(),
            slabs: (0..workers).map(|_| Mutex::default()).collect(),
            bed: Bed::default(),
        });
        let types = types.collect();
        Self { workers, types, frames: Frames::new(limit), turns: Mutex::new(0) }
    }

    /// A serial number.
    fn next_turn(&self) -> u64 {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        *turns += 1;
        *turns
    }

    /// What has come, gone and is on the device.
    pub(crate) fn counts(&self) -> Counts {
        self.frames.counts()
    }

    /// Waits until chunks have more bytes than they may, for so long at the most.
    pub(crate) fn await_call(&self, patience: Option<Duration>) -> Call {
        self.frames.await_call(patience)
    }

    /// Waits until the system ends, for so long at the most; whether it does.
    pub(crate) fn await_exit(&self, patience: Duration) -> bool {
        self.frames.await_exit(patience)
    }

    /// Gives the device the memory that no chunk has; how many bytes.
    pub(crate) fn give_up_spare(&self) -> u64 {
        self.frames.give_up()
    }

    /// The system ends: nobody need wait for a [`Call`].
    pub(crate) fn close(&self) {
        self.frames.close();
    }

    /// The id of an actor; gives it a slot the first time.
    pub(crate) fn resolve(
        &self,
        type_index: u32,
        key: &Key,
        name: &'static str,
        memory: &[TypeMemory],
        device: &dyn Device,
    ) -> Result<RawId> {
        let position = (type_index as usize).wrapping_sub(1);
        let (Some(directory), Some(memory)) = (self.types.get(position), memory.get(position)) else {
            return Err(Error::UnknownType { name });
        };
        let spot = Spot::of(key, directory.hash, self.workers);
        let slot = directory.slot(key, spot, self, Ground { worker: spot.worker, name, memory, device })?;
        Ok(RawId::new(type_index, spot.worker, slot))
    }

    /// The key that an id was given out for.
    pub(crate) fn key(&self, id: RawId) -> Option<Key> {
        let directory = self.types.get((id.type_index() as usize).checked_sub(1)?)?;
        let tag = *lock(directory.slabs.get(id.worker() as usize)?).tags.get(id.slot() as usize)?;
        let shard = directory.shards[Spot::shard_of(tag)].read().unwrap_or_else(PoisonError::into_inner);
        // Two workers may have actors of the same tag in the same slot.
        shard
            .keys(tag, id.slot())
            .find(|key| Spot::of(key, directory.hash, self.workers).worker == id.worker())
    }
}

impl TypeDirectory {
    /// The slot of a key, given out now if it has none.
    fn slot(&self, key: &Key, spot: Spot, all: &Directory, ground: Ground<'_>) -> Result<u32> {
        let shard = &self.shards[spot.shard];
        let seen = {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = shard.find(spot.tag, key) {
                return Ok(slot);
            }
            shard.len()
        };
        shard::check(key, ground.name)?;
        loop {
            let full = {
                let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
                // Nothing ever leaves a shard: as many keys as before are the same keys.
                if shard.len() != seen
                    && let Some(slot) = shard.find(spot.tag, key)
                {
                    return Ok(slot);
                }
                let mut slab = lock(&self.slabs[spot.worker as usize]);
                let slot = slab.tags.len() as u64;
                if slot < slab.chunks.len() as u64 * CHUNK {
                    ground.memory.publish_count(spot.worker, slot + 1);
                    slab.tags.push(spot.tag);
                    drop(slab);
                    let slot = slot as u32;
                    shard.insert(spot.tag, key, slot);
                    tracing::debug!(
                        actor = %format_args!("{}({key})", ground.name),
                        worker = spot.worker,
                        slot,
                        "actor addressed for the first time"
                    );
                    return Ok(slot);
                }
                slab.chunks.len()
            };
            self.grow(full, all, ground)?;
        }
    }

    /// Adds a chunk to the slab of a worker that was found to have `full` chunks and no slot left.
    fn grow(&self, full: usize, all: &Directory, ground: Ground<'_>) -> Result<()> {
        let Ground { worker, name, memory, device } = ground;
        let slab = &self.slabs[worker as usize];
        if full as u64 == actor_type::MAX_CHUNKS {
            let limit = actor_type::MAX_CHUNKS * CHUNK;
            let what = "the number of actors on one worker";
            return Err(Error::Limit { what, whom: name.into(), actual: limit + 1, limit });
        }
        if lock(slab).chunks.len() != full {
            return Ok(());
        }
        let bytes = memory.chunk_bytes();
        let (frame, recycled) = all.frames.take(bytes, device)?;
        if recycled && let Err(error) = device.copy_to_device(frame.address(), &vec![0; bytes as usize]) {
            all.frames.give_back(bytes, frame);
            return Err(error.into());
        }
        let mut slab = lock(slab);
        if slab.chunks.len() == full {
            memory.publish_chunk(worker, full as u64, frame.address());
            slab.chunks.push(Chunk::awake(frame, all.next_turn()));
        } else {
            drop(slab);
            all.frames.give_back(bytes, frame);
        }
        Ok(())
    }
}

/// A slab stays consistent at every step, so a panic elsewhere while it is locked does not spoil it.
fn lock(slab: &Mutex<Slab>) -> MutexGuard<'_, Slab> {
    slab.lock().unwrap_or_else(PoisonError::into_inner)
}
