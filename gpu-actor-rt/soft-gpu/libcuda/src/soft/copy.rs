//! Copies and fills.
//!
//! Rules kept here:
//! - Which memory an address is in is found out when the copy is asked for, and is part of the answer then; the bytes move when the
//!   stream comes to it.
//! - Memory that a kernel may use at the same time (device, managed and pinned) is touched by the software GPU's copies only, which
//!   are atomic. Only pageable memory is touched directly: it is the caller's, and no kernel's.
//! - A copy from or to pageable memory has ended when the call returns.

use std::sync::Arc;

use super::gpu::code_of;
use super::region::{Hold, Region};
use super::{Answer, Driver, Gpu};
use crate::code::Code;

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// Where bytes are.
#[derive(Clone)]
pub(crate) enum Place {
    /// In memory that a device knows.
    Known {
        gpu: Arc<Gpu>,
        address: u64,
        /// Keeps it until the copy is done, and says what it is; none for a module's variable.
        region: Option<Arc<Region>>,
    },
    /// In pageable memory of the host.
    Pageable(usize),
}

impl Place {
    fn is_pageable(&self) -> bool {
        matches!(self, Place::Pageable(_))
    }

    fn is_device(&self) -> bool {
        match self {
            Place::Known { region: Some(region), .. } => !matches!(region.hold, Hold::Host { .. }),
            Place::Known { region: None, .. } => true,
            Place::Pageable(_) => false,
        }
    }
}

/// What a caller says that an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Device,
    Host,
    /// Whatever it turns out to be.
    Any,
}

/// How a call waits for its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Always, as calls without "Async" do.
    Always,
    /// Only for pageable memory.
    ForPageable,
}

impl Driver {
    /// Finds out where `len` bytes at an address are.
    pub(crate) fn place(&self, address: u64, len: usize, side: Side) -> Result<Place, Code> {
        if let Some(region) = self.regions.find(address) {
            if !region.holds(address, len) {
                return Err(Code::INVALID_VALUE);
            }
            // Unified addressing: a device address where a host address is asked for works.
            return Ok(Place::Known { gpu: Arc::clone(&region.gpu), address, region: Some(region) });
        }
        // A variable of a module is nobody's region, but the device knows it.
        if let Some(found) = self.platform.find(address) {
            let fits = len as u64 <= found.len - (address - found.start);
            let gpu = self.gpus.iter().find(|gpu| gpu.device.properties().index == found.device);
            let gpu = Arc::clone(gpu.filter(|_| fits).ok_or(Code::INVALID_VALUE)?);
            return Ok(Place::Known { gpu, address, region: None });
        }
        if side == Side::Device || address == 0 {
            return Err(Code::INVALID_VALUE);
        }
        Ok(Place::Pageable(address as usize))
    }

    /// Copies in a stream.
    ///
    /// # Safety
    ///
    /// Pageable memory is valid for the copy, and nobody else uses it, until the call returns.
    pub(crate) unsafe fn copy(
        &self,
        (to, to_side): (u64, Side),
        (from, from_side): (u64, Side),
        len: usize,
        stream: usize,
        wait: Wait,
        call: &'static str,
    ) -> Answer {
        let (context, stream) = self.stream(stream)?;
        if len == 0 {
            return Ok(());
        }
        let to = self.place(to, len, to_side)?;
        let from = self.place(from, len, from_side)?;
        let pageable = to.is_pageable() || from.is_pageable();
        // The manual, "API synchronization behavior": copies inside the device do not make the host wait.
        let wait = pageable || (wait == Wait::Always && !(to.is_device() && from.is_device()));
        let done = context.submit(
            &stream,
            || format!("a copy ({call})"),
            Vec::new(),
            move |context| {
                // SAFETY: the caller's promise; the call waits below where pageable memory takes part.
                let answer = unsafe { copy(&to, &from, len) };
                // What was checked at the call is gone by now, and on hardware the copy engine faults; or the device or a link has
                // broken down.
                let answer = answer
                    .map_err(|code| if code == Code::INVALID_VALUE { Code::ILLEGAL_ADDRESS } else { code });
                answer.inspect_err(|code| context.gpu.fail(*code))
            },
        )?;
        if wait {
            return done.wait_in(call).answer;
        }
        Ok(())
    }

    /// Fills memory in a stream with a pattern of 1, 2 or 4 bytes.
    pub(crate) fn fill(
        &self,
        to: u64,
        pattern: &[u8],
        count: usize,
        stream: usize,
        wait: Wait,
        call: &'static str,
    ) -> Answer {
        let (context, stream) = self.stream(stream)?;
        let len = count.checked_mul(pattern.len()).ok_or(Code::INVALID_VALUE)?;
        if !to.is_multiple_of(pattern.len() as u64) {
            return Err(Code::INVALID_VALUE);
        }
        if len == 0 {
            return Ok(());
        }
        let place = self.place(to, len, Side::Device)?;
        let Place::Known { gpu, address, region } = place else { return Err(Code::INVALID_VALUE) };
        // The same chapter of the manual: a fill makes the host wait where it is host memory that is filled.
        let host = region.as_ref().is_some_and(|r| matches!(r.hold, Hold::Host { .. }));
        let bytes = pattern.repeat(len.min(PIECE).div_ceil(pattern.len()));
        let done = context.submit(
            &stream,
            || format!("a fill ({call})"),
            Vec::new(),
            move |context| {
                let _keep = region;
                let answer = fill(&gpu, address, &bytes, len);
                answer
                    .inspect_err(|_| context.gpu.fail(Code::ILLEGAL_ADDRESS))
                    .map_err(|_| Code::ILLEGAL_ADDRESS)
            },
        )?;
        if host && wait == Wait::Always {
            return done.wait_in(call).answer;
        }
        Ok(())
    }
}

/// Writes `bytes` again and again until there are `len`.
pub(crate) fn fill(gpu: &Gpu, address: u64, bytes: &[u8], len: usize) -> Answer {
    for start in (0..len).step_by(bytes.len()) {
        let piece = &bytes[..bytes.len().min(len - start)];
        gpu.device.copy_to_device(address + start as u64, piece).map_err(|e| code_of(&e))?;
    }
    Ok(())
}

/// # Safety
///
/// Pageable memory is valid for the copy, and nobody else uses it.
unsafe fn copy(to: &Place, from: &Place, len: usize) -> Answer {
    if let (Place::Known { gpu: target, address: dst, .. }, Place::Known { gpu: source, address: src, .. }) =
        (to, from)
        && to.is_device()
        && from.is_device()
        && target.ordinal != source.ordinal
    {
        return target.device.copy_from_peer(*dst, &source.device, *src, len).map_err(|e| code_of(&e));
    }
    let mut buffer = vec![0; len.min(PIECE)];
    for start in (0..len).step_by(PIECE) {
        let piece = &mut buffer[..PIECE.min(len - start)];
        match from {
            Place::Known { gpu, address, .. } => {
                gpu.device.copy_from_device(piece, address + start as u64).map_err(|e| code_of(&e))?;
            }
            Place::Pageable(address) => {
                let from = std::ptr::with_exposed_provenance::<u8>(address + start);
                // SAFETY: the caller vouches for the memory; the buffer is another.
                unsafe { from.copy_to_nonoverlapping(piece.as_mut_ptr(), piece.len()) };
            }
        }
        match to {
            Place::Known { gpu, address, .. } => {
                gpu.device.copy_to_device(address + start as u64, piece).map_err(|e| code_of(&e))?;
            }
            Place::Pageable(address) => {
                let to = std::ptr::with_exposed_provenance_mut::<u8>(address + start);
                // SAFETY: the caller vouches for the memory; the buffer is another.
                unsafe { to.copy_from_nonoverlapping(piece.as_ptr(), piece.len()) };
            }
        }
    }
    Ok(())
}
