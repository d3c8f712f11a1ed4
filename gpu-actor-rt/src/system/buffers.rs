//! Buffers of a system: how they are made, and what becomes of those that a message names which goes nowhere.

use super::{ActorSystem, Inner};
use std::sync::Arc;

use crate::asks::Ticket;
use crate::buffer::{Buffer, Element, handles};
use crate::error::Result;

impl ActorSystem {
    /// A buffer with a copy of the elements, in memory that the device reaches.
    ///
    /// # Errors
    /// [`Error::Buffer`](crate::Error::Buffer) for no elements or more than 1 GiB of them, for more buffers than
    /// [`Config::max_buffers`](crate::Config::max_buffers), and where no handler of the system takes a slice; the pool's and the device's
    /// where there is no memory.
    ///
    /// ```
    /// use gpu_actor_rt::prelude::*;
    ///
    /// # #[gpu_actor]
    /// # #[derive(Default)]
    /// # struct Sum { last: u64 }
    /// #[gpu_actor]
    /// impl Sum {
    ///     #[handler]
    ///     fn of(&mut self, data: GpuSlice<u32>) -> u64 {
    ///         self.last = 0;
    ///         for x in data {
    ///             self.last += x as u64;
    ///         }
    ///         self.last
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// let data = system.buffer(&[1u32; 1_000_000])?;
    /// assert_eq!(system.actor::<Sum>(1).of(&data).await?, 1_000_000);
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn buffer<T: Element>(&self, elements: &[T]) -> Result<Buffer<T>> {
        Buffer::copied(&self.owner.inner.buffers, elements)
    }

    /// A buffer of `len` elements that are zero.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn zeroed<T: Element>(&self, len: usize) -> Result<Buffer<T>> {
        Buffer::zeroed(&self.owner.inner.buffers, len)
    }
}

impl ActorSystem {
    /// Gives the device all blocks that the pool keeps for later; how many bytes. What is [reserved](crate::PoolConfig::reserve) stays.
    ///
    /// ```
    /// # use gpu_actor_rt::prelude::*;
    /// # #[gpu_actor]
    /// # #[derive(Default)]
    /// # struct Sum { last: u64 }
    /// # #[gpu_actor]
    /// # impl Sum {
    /// #     #[handler]
    /// #     fn of(&mut self, data: GpuSlice<u32>) -> u64 { self.last = data.len() as u64; self.last }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// drop(system.zeroed::<u8>(1_000_000)?);
    /// assert_eq!(system.trim_buffers(), 1 << 20);
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn trim_buffers(&self) -> u64 {
        self.owner.inner.buffers.pool().trim()
    }
}

impl Inner {
    /// Where the pool has no memory any more, idle actors give theirs back.
    pub(super) fn relieve_pool(self: &Arc<Self>) {
        let inner = Arc::downgrade(self);
        self.buffers.pool().relieve_by(move || inner.upgrade().is_some_and(|inner| inner.make_room()));
    }

    /// Gives up an ask; a reply that came meanwhile gives back what it has.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        let buffer = self.asks.cancel(ticket);
        if buffer != 0 {
            self.let_go(buffer);
        }
    }

    /// A message with this payload goes nowhere: the device never had what it names.
    pub(super) fn forget(&self, payload: &[u64], correlation: u64) {
        for handle in handles(payload, correlation) {
            self.buffers.take_back(handle);
        }
    }
}
