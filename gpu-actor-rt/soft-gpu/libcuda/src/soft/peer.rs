//! Access of one device to another's memory.

use super::{Answer, Driver, lock};
use crate::code::Code;
use crate::types::CUdevice;

/// `CU_DEVICE_P2P_ATTRIBUTE_*` of `cuda.h`
mod attribute {
    pub(super) const PERFORMANCE_RANK: u32 = 1;
    pub(super) const ACCESS_SUPPORTED: u32 = 2;
    pub(super) const NATIVE_ATOMIC_SUPPORTED: u32 = 3;
    pub(super) const ARRAY_ACCESS_SUPPORTED: u32 = 4;
}

impl Driver {
    pub(crate) fn can_access_peer(&self, from: CUdevice, to: CUdevice) -> Result<bool, Code> {
        let _ = (self.gpu(from)?, self.gpu(to)?);
        Ok(false)
    }

    pub(crate) fn peer_attribute(&self, attribute: u32, from: CUdevice, to: CUdevice) -> Result<i32, Code> {
        if from == to {
            return Err(Code::INVALID_DEVICE);
        }
        let can = self.can_access_peer(from, to)?;
        match attribute {
            attribute::ACCESS_SUPPORTED | attribute::NATIVE_ATOMIC_SUPPORTED => Ok(can.into()),
            attribute::PERFORMANCE_RANK | attribute::ARRAY_ACCESS_SUPPORTED => Ok(0),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    pub(crate) fn enable_peer(&self, peer: usize) -> Answer {
        let (context, peer) = (self.current()?, self.context(peer)?);
        if context.gpu.ordinal == peer.gpu.ordinal {
            return Err(Code::INVALID_DEVICE);
        }
        if !self.can_access_peer(context.gpu.ordinal as CUdevice, peer.gpu.ordinal as CUdevice)? {
            return Err(Code::PEER_ACCESS_UNSUPPORTED);
        }
        if !lock(&context.peers).insert(peer.handle) {
            return Err(Code::PEER_ACCESS_ALREADY_ENABLED);
        }
        Ok(())
    }

    pub(crate) fn disable_peer(&self, peer: usize) -> Answer {
        let (context, peer) = (self.current()?, self.context(peer)?);
        if lock(&context.peers).remove(&peer.handle) { Ok(()) } else { Err(Code::PEER_ACCESS_NOT_ENABLED) }
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
        if device == -1 { Ok(()) } else { self.gpu(device).map(|_| ()) }
    }
}
