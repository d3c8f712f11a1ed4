//! Memory that the driver has given out.
//!
//! Rule kept here: an address belongs to the region that holds it, or to nobody; addresses of host and device are the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use soft_gpu::{DeviceMemory, MappedMemory};

use super::pool::Pooled;
use super::{Gpu, lock};

/// What a region is made of.
#[derive(Debug)]
pub(crate) enum Hold {
    Device(DeviceMemory),
    Managed(MappedMemory),
    Host {
        memory: MappedMemory,
        /// `CU_MEMHOSTALLOC_*`
        flags: u32,
    },
    Pooled(Pooled),
}

pub(crate) struct Region {
    pub(crate) start: u64,
    pub(crate) len: usize,
    /// The context that was current when it was allocated.
    pub(crate) context: usize,
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) hold: Hold,
}

impl Region {
    pub(crate) fn new(len: usize, context: usize, gpu: &Arc<Gpu>, hold: Hold) -> Region {
        let start = match &hold {
            Hold::Device(memory) => memory.address(),
            Hold::Pooled(memory) => memory.address(),
            Hold::Managed(memory) | Hold::Host { memory, .. } => memory.address(),
        };
        Region { start, len, context, gpu: Arc::clone(gpu), hold }
    }

    pub(crate) fn holds(&self, address: u64, len: usize) -> bool {
        let offset = address.wrapping_sub(self.start);
        offset <= self.len as u64 && len as u64 <= self.len as u64 - offset
    }
}

#[derive(Default)]
pub(crate) struct Regions {
    map: Mutex<BTreeMap<u64, Arc<Region>>>,
}

impl Regions {
    pub(crate) fn add(&self, region: Region) -> u64 {
        let start = region.start;
        lock(&self.map).insert(start, Arc::new(region));
        start
    }

    /// The region that holds the address.
    pub(crate) fn find(&self, address: u64) -> Option<Arc<Region>> {
        let map = lock(&self.map);
        let (_, region) = map.range(..=address).next_back()?;
        (address - region.start < region.len as u64).then(|| Arc::clone(region))
    }

    /// Removes the region that starts there, if it is what `is` wants.
    pub(crate) fn remove(&self, start: u64, is: impl FnOnce(&Hold) -> bool) -> Option<Arc<Region>> {
        let mut map = lock(&self.map);
        if !map.get(&start).is_some_and(|region| is(&region.hold)) {
            return None;
        }
        map.remove(&start)
    }

    pub(crate) fn remove_all(&self, context: usize) {
        let gone: Vec<_> = lock(&self.map).extract_if(.., |_, r| r.context == context).collect();
        drop(gone);
    }
}
