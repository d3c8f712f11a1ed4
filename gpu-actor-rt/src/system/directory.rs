//! From (type, key) to the actor's id, and the slabs that slots come from.
//!
//! Rules kept here: a pair has one id for the life of the system; a chunk is published before the count that covers it,
//! and the count before the id is given out. A lookup takes one shard's read lock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

use kernels_ptx::abi::actor_type;

use crate::device::{Allocation, Device, MemoryKind};
use crate::error::{Error, Result};
use crate::id::RawId;
use crate::key::Key;
use crate::program::Program;
use crate::system::memory::TypeMemory;

/// Shards of a type's map.
const SHARDS: u64 = 32;
/// Actors of a chunk.
const CHUNK: u64 = 1 << actor_type::CHUNK_SHIFT;

/// The directory of a system.
#[derive(Debug)]
pub(crate) struct Directory {
    workers: u32,
    types: Vec<TypeDirectory>,
}

#[derive(Debug)]
struct TypeDirectory {
    hash: u32,
    shards: Box<[RwLock<HashMap<Key, u64>>]>,
    slabs: Box<[Mutex<Slab>]>,
}

/// The actors of one type on one worker.
#[derive(Debug, Default)]
struct Slab {
    keys: Vec<Key>,
    chunks: Vec<Box<dyn Allocation>>,
}

impl Directory {
    /// An empty directory.
    pub(crate) fn new(program: &Program, workers: u32) -> Self {
        let types = program
            .types
            .iter()
            .map(|info| TypeDirectory {
                // Placement by the stable name: it does not depend on what else is linked.
                hash: crate::actor::method_id(info.name, ""),
                shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
                slabs: (0..workers).map(|_| Mutex::default()).collect(),
            })
            .collect();
        Self { workers, types }
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
        let hash = key.placement_hash(directory.hash);
        let shard = &directory.shards[(hash >> 32) as usize % SHARDS as usize];
        if let Some(raw) = shard.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(RawId(*raw));
        }
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(raw) = shard.get(key) {
            return Ok(RawId(*raw));
        }
        let worker = (hash % u64::from(self.workers)) as u32;
        let slot = directory.slot(worker, key, name, memory, device)?;
        let id = RawId::new(type_index, worker, slot);
        shard.insert(key.clone(), id.0);
        tracing::debug!(actor = %format_args!("{name}({key})"), worker, slot, "actor addressed for the first time");
        Ok(id)
    }

    /// The key that an id was given out for.
    pub(crate) fn key(&self, id: RawId) -> Option<Key> {
        let directory = self.types.get((id.type_index() as usize).checked_sub(1)?)?;
        let slab = directory.slabs.get(id.worker() as usize)?.lock().unwrap_or_else(PoisonError::into_inner);
        slab.keys.get(id.slot() as usize).cloned()
    }
}

impl TypeDirectory {
    fn slot(
        &self,
        worker: u32,
        key: &Key,
        name: &'static str,
        memory: &TypeMemory,
        device: &dyn Device,
    ) -> Result<u32> {
        let mut slab = self.slabs[worker as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slab.keys.len() as u64;
        if slot == slab.chunks.len() as u64 * CHUNK {
            let chunk = slab.chunks.len() as u64;
            if chunk == actor_type::MAX_CHUNKS {
                return Err(Error::Limit {
                    what: "the number of actors on one worker",
                    whom: name.into(),
                    actual: slot + 1,
                    limit: actor_type::MAX_CHUNKS * CHUNK,
                });
            }
            let allocation = device.alloc(MemoryKind::Device, (CHUNK * memory.stride) as usize)?;
            memory.publish_chunk(worker, chunk, allocation.address());
            slab.chunks.push(allocation);
        }
        memory.publish_count(worker, slot + 1);
        slab.keys.push(key.clone());
        Ok(slot as u32)
    }
}
