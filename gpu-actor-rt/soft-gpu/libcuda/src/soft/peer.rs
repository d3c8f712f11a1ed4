//! Access of one device to another's memory.
//!
//! Rule kept here: contexts have peers, and the platform knows devices alone. A device has access as long as one of its contexts has
//! it to one of the other's, or it has access to one of its pools. So what a checked device lets through is coarser than hardware, where each
//! pool is opened by itself.

use std::collections::HashSet;

use soft_gpu::{Error, Link};

use super::gpu::code_of;
use super::{Answer, Context, Driver, Gpu, Pool, lock};
use crate::code::Code;
use crate::types::CUdevice;

/// `CU_DEVICE_P2P_ATTRIBUTE_*` of `cuda.h`
mod attribute {
    pub(super) const PERFORMANCE_RANK: u32 = 1;
    pub(super) const ACCESS_SUPPORTED: u32 = 2;
    pub(super) const NATIVE_ATOMIC_SUPPORTED: u32 = 3;
    pub(super) const ARRAY_ACCESS_SUPPORTED: u32 = 4;
}

/// A device's number on the platform.
fn index(gpu: &Gpu) -> usize {
    gpu.device.properties().index
}

impl Driver {
    pub(crate) fn can_access_peer(&self, from: CUdevice, to: CUdevice) -> Result<bool, Code> {
        Ok(self.link(from, to)?.peer_access())
    }

    fn link(&self, from: CUdevice, to: CUdevice) -> Result<Link, Code> {
        Ok(self.platform.link(index(self.gpu(from)?), index(self.gpu(to)?)))
    }

    pub(crate) fn peer_attribute(&self, attribute: u32, from: CUdevice, to: CUdevice) -> Result<i32, Code> {
        let link = self.link(from, to)?;
        if from == to {
            return Err(Code::INVALID_DEVICE);
        }
        match attribute {
            attribute::ACCESS_SUPPORTED => Ok(link.peer_access().into()),
            attribute::NATIVE_ATOMIC_SUPPORTED => Ok(link.native_atomics().into()),
            attribute::PERFORMANCE_RANK => Ok(link.performance_rank() as i32),
            // There are no arrays.
            attribute::ARRAY_ACCESS_SUPPORTED => Ok(0),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    pub(crate) fn enable_peer(&self, peer: usize) -> Answer {
        let (context, peer) = (self.current()?, self.context(peer)?);
        peer.gpu.alive()?;
        if context.gpu.ordinal == peer.gpu.ordinal {
            return Err(Code::INVALID_DEVICE);
        }
        let _peering = lock(&self.peering);
        if lock(&context.peers).contains(&peer.handle) {
            return Err(Code::PEER_ACCESS_ALREADY_ENABLED);
        }
        let (from, to) = (index(&context.gpu), index(&peer.gpu));
        match self.platform.enable_peer(from, to) {
            // Another context of the device has it already.
            Ok(()) | Err(Error::PeerAlreadyEnabled { .. }) => {}
            Err(error) => return Err(code_of(&error)),
        }
        lock(&context.peers).insert(peer.handle);
        Ok(())
    }

    pub(crate) fn disable_peer(&self, peer: usize) -> Answer {
        let (context, peer) = (self.current()?, self.context(peer)?);
        let _peering = lock(&self.peering);
        if !lock(&context.peers).remove(&peer.handle) {
            return Err(Code::PEER_ACCESS_NOT_ENABLED);
        }
        self.settle_peers();
        Ok(())
    }

    pub(crate) fn has_pool_access(&self, pool: &Pool, device: CUdevice) -> Result<bool, Code> {
        let ordinal = self.gpu(device)?.ordinal;
        Ok(ordinal == pool.ordinal || lock(&pool.peers).contains(&ordinal))
    }

    /// Lets a device use the memory of another one's pool, or no longer.
    pub(crate) fn set_pool_access(&self, pool: &Pool, device: CUdevice, access: bool) -> Answer {
        let (peer, owner) = (self.gpu(device)?, self.gpu(pool.ordinal as CUdevice)?);
        if peer.ordinal == owner.ordinal {
            // A device always has its own pool.
            return if access { Ok(()) } else { Err(Code::INVALID_VALUE) };
        }
        let _peering = lock(&self.peering);
        if access {
            match self.platform.enable_peer(index(peer), index(owner)) {
                Ok(()) | Err(Error::PeerAlreadyEnabled { .. }) => {}
                Err(error) => return Err(code_of(&error)),
            }
            lock(&pool.peers).insert(peer.ordinal);
        } else if lock(&pool.peers).remove(&peer.ordinal) {
            self.settle_peers();
        }
        Ok(())
    }

    /// A context is over: it has no peers, and is nobody's.
    pub(crate) fn leave_peers(&self, context: &Context) {
        let _peering = lock(&self.peering);
        lock(&context.peers).clear();
        for other in self.contexts.all() {
            lock(&other.peers).remove(&context.handle);
        }
        self.settle_peers();
    }

    /// Takes back the access of devices none of whose contexts has it any more. The caller holds `peering`.
    fn settle_peers(&self) {
        let contexts = self.contexts.all();
        let owner = |handle: &usize| contexts.iter().find(|c| c.handle == *handle).map(|c| index(&c.gpu));
        let mut wanted: HashSet<(usize, usize)> = contexts
            .iter()
            .flat_map(|c| {
                let peers: Vec<usize> = lock(&c.peers).iter().filter_map(owner).collect();
                peers.into_iter().map(|to| (index(&c.gpu), to))
            })
            .collect();
        for pool in self.pools.all() {
            let to = self.gpus.get(pool.ordinal).map(|gpu| index(gpu));
            let from = lock(&pool.peers)
                .iter()
                .filter_map(|ordinal| self.gpus.get(*ordinal))
                .map(|gpu| index(gpu))
                .collect::<Vec<_>>();
            wanted.extend(from.into_iter().zip(to.into_iter().cycle()));
        }
        let devices = self.platform.devices().len();
        for (from, to) in (0..devices).flat_map(|from| (0..devices).map(move |to| (from, to))) {
            if self.platform.peer_enabled(from, to) && !wanted.contains(&(from, to)) {
                // It is enabled, and nobody else changes that meanwhile.
                let _ = self.platform.disable_peer(from, to);
            }
        }
    }

    /// Whether both addresses are memory of the devices whose contexts are named.
    pub(crate) fn peers(&self, to_context: usize, to: u64, from_context: usize, from: u64) -> Answer {
        for (context, address) in [(to_context, to), (from_context, from)] {
            let context = self.context(context)?;
            context.gpu.alive()?;
            if let Some(region) = self.regions.find(address)
                && region.gpu.ordinal != context.gpu.ordinal
            {
                return Err(Code::INVALID_VALUE);
            }
        }
        Ok(())
    }

    /// Managed memory at an address.
    pub(crate) fn managed(&self, address: u64, len: usize) -> Answer {
        let region = self.regions.find(address).ok_or(Code::INVALID_VALUE)?;
        let managed = matches!(region.hold, super::region::Hold::Managed(_));
        if managed && len > 0 && region.holds(address, len) { Ok(()) } else { Err(Code::INVALID_VALUE) }
    }

    /// A device or the host (`CU_DEVICE_CPU`, -1) as a place for memory.
    pub(crate) fn location(&self, device: CUdevice) -> Answer {
        if device == -1 {
            return Ok(());
        }
        // The manual, of prefetching and of advice: the device has concurrentManagedAccess.
        let gpu = self.gpu(device)?;
        let features = gpu.device.properties().features;
        if features.concurrent_managed_access { Ok(()) } else { Err(Code::INVALID_DEVICE) }
    }
}
