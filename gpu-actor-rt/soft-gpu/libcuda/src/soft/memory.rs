//! Allocating and freeing.
//!
//! Rules kept here:
//! - What may wait for all kernels of the context does, whatever their stream: [`Context::wait_all`].
//! - What is allocated is not zero: nobody promises that it would be on hardware.

use std::sync::Arc;

use super::copy::fill;
use super::gpu::code_of;
use super::pool::{Pool, is_short};
use super::region::{Hold, Region};
use super::{Answer, Context, Driver, lock};
use crate::code::Code;

/// `CU_MEMHOSTALLOC_PORTABLE | _DEVICEMAP | _WRITECOMBINED`
const HOST_FLAGS: u32 = 7;
/// `CU_MEM_ATTACH_GLOBAL` and `CU_MEM_ATTACH_HOST`
const ATTACH: [u32; 2] = [1, 2];

/// What fresh memory is filled with, and how much of it: filling all of a large one would take memory that the program may never touch.
const STALE: u8 = 0xC5;
const MOST_STALE: usize = 1 << 20;

/// What to allocate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    Device,
    /// With `CU_MEM_ATTACH_*` flags.
    Managed(u32),
    /// With `CU_MEMHOSTALLOC_*` flags.
    Host(u32),
}

impl Driver {
    pub(crate) fn allocate(&self, len: usize, want: Want, call: &str) -> Result<u64, Code> {
        let context = self.current()?;
        let valid = match want {
            Want::Device => true,
            Want::Managed(flags) => ATTACH.contains(&flags),
            Want::Host(flags) => flags & !HOST_FLAGS == 0,
        };
        if len == 0 || !valid {
            return Err(Code::INVALID_VALUE);
        }
        context.wait_all(call);
        context.gpu.alive()?;
        let device = &context.gpu.device;
        let hold = match want {
            Want::Device => device.alloc(len).map(Hold::Device),
            Want::Managed(_) => device.alloc_mapped(len).map(Hold::Managed),
            Want::Host(flags) => device.alloc_mapped(len).map(|memory| Hold::Host { memory, flags }),
        };
        self.keep(&context, len, hold.map_err(|e| code_of(&e))?)
    }

    fn keep(&self, context: &Context, len: usize, hold: Hold) -> Result<u64, Code> {
        let region = Region::new(len, context.handle, &context.gpu, hold);
        let stale = len.min(MOST_STALE);
        fill(&context.gpu, region.start, &vec![STALE; stale], stale)?;
        Ok(self.regions.add(region))
    }

    pub(crate) fn free(&self, start: u64, call: &str) -> Answer {
        let context = self.current()?;
        if start == 0 {
            return Ok(());
        }
        let owner = self.regions.find(start).ok_or(Code::INVALID_VALUE)?;
        context.wait_all(call);
        if let Ok(owner) = self.context(owner.context) {
            owner.wait_all(call);
        }
        let freed = self.regions.remove(start, |hold| !matches!(hold, Hold::Host { .. }));
        freed.map(|_| ()).ok_or(Code::INVALID_VALUE)
    }

    pub(crate) fn free_host(&self, start: u64, call: &str) -> Answer {
        let context = self.current()?;
        if start == 0 {
            return Ok(());
        }
        context.wait_all(call);
        let freed = self.regions.remove(start, |hold| matches!(hold, Hold::Host { .. }));
        freed.map(|_| ()).ok_or(Code::INVALID_VALUE)
    }

    /// Allocates from a pool; none is the device's current one. The memory is there at once, which is no later than the stream's order
    /// asks for.
    pub(crate) fn allocate_async(
        &self,
        len: usize,
        pool: Option<Arc<Pool>>,
        stream: usize,
    ) -> Result<u64, Code> {
        let (context, stream) = self.stream(stream)?;
        if len == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let gpu = &context.gpu;
        if !gpu.device.properties().features.memory_pools {
            return Err(Code::NOT_SUPPORTED);
        }
        let pool = pool.unwrap_or_else(|| Arc::clone(&lock(&gpu.current_pool)));
        let gpu = self.gpus.get(pool.ordinal).ok_or(Code::INVALID_VALUE)?;
        let memory = match pool.take(gpu, len) {
            Err(error) if is_short(&error) => {
                // Memory whose freeing waits in this very stream is there by the time that the stream comes to this.
                context.wait_stream(&stream, "cuMemAllocAsync")?;
                pool.take(gpu, len)
            }
            other => other,
        }
        .map_err(|e| code_of(&e))?;
        let region = Region::new(len, context.handle, gpu, Hold::Pooled(memory));
        let stale = len.min(MOST_STALE);
        fill(gpu, region.start, &vec![STALE; stale], stale)?;
        Ok(self.regions.add(region))
    }

    /// Gives memory back to its pool when the stream comes to it.
    pub(crate) fn free_async(&self, start: u64, stream: usize) -> Answer {
        let (context, stream) = self.stream(stream)?;
        if start == 0 {
            return Ok(());
        }
        let pooled = |hold: &Hold| matches!(hold, Hold::Pooled(_));
        let region = self.regions.remove(start, pooled).ok_or(Code::INVALID_VALUE)?;
        context.submit(
            &stream,
            || "a free (cuMemFreeAsync)".to_owned(),
            Vec::new(),
            move |_| {
                drop(region);
                Ok(())
            },
        )?;
        Ok(())
    }

    pub(crate) fn pool(&self, handle: usize) -> Result<Arc<Pool>, Code> {
        self.pools.get(handle).ok_or(Code::INVALID_VALUE)
    }
}
