//! Buffers: data that is longer than a message, in memory that the device reaches.
//!
//! Rules kept here: elements are plain data, written whole before anybody reads them, so nobody sees what another left in the
//! memory; a handle is counted, and nothing else gives memory back. See `table` for who has what.

mod args;
mod error;
mod guard;
mod native;
mod releases;
mod table;

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use kernels_ptx::lang::GpuData;

pub(crate) use args::{Erased, Slices, handles};
pub use args::{Reply, SliceArg, SliceMutArg, SliceWords};
pub use error::BufferError;
pub use guard::{Map, MapMut};
pub use native::{GpuSlice, GpuSliceMut, NativeBuffer, NativeBuffers};
pub(crate) use releases::Releases;
pub(crate) use table::Buffers;
use table::Held;

use crate::error::Result;

/// The longest buffer in bytes.
pub const MOST_BYTES: usize = 1 << 30;

/// What a buffer can have for elements: data with the same bytes on both sides, of which every pattern is a value.
///
/// The numbers are; a struct is with `#[derive(GpuData, bytemuck::Pod, bytemuck::Zeroable)]` and `#[repr(C)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an element of a buffer",
    label = "not plain data",
    note = "numbers are; for a struct derive GpuData, bytemuck::Zeroable and bytemuck::Pod, with #[repr(C)]"
)]
pub trait Element: GpuData + bytemuck::Pod {}

impl<T: GpuData + bytemuck::Pod> Element for T {}

/// A buffer of elements in memory that the device reaches. Clones share it; the last one that is dropped, on the host or on the
/// device, gives the memory back to the system's pool.
///
/// It is made by [`ActorSystem::buffer`](crate::ActorSystem::buffer), and handed to handlers that take a
/// [`GpuSlice`] or a [`GpuSliceMut`].
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Scaler { calls: u64 }
///
/// #[gpu_actor]
/// impl Scaler {
///     #[handler]
///     fn scale(&mut self, mut data: GpuSliceMut<f32>, by: f32) {
///         self.calls += 1;
///         for i in 0..data.len() {
///             data[i] *= by;
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gpu_actor_rt::Result<()> {
/// let system = ActorSystem::start(Config::default()).await?;
/// let data = system.buffer(&[1.0f32, 2.0, 3.0])?;
/// system.actor::<Scaler>(1).scale(&data, 10.0).await?;
/// assert_eq!(data.to_vec().await?, [10.0, 20.0, 30.0]);
/// system.shutdown().await
/// # }
/// ```
pub struct Buffer<T: Element> {
    held: Arc<Held>,
    element: std::marker::PhantomData<fn() -> T>,
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.held))
    }
}

impl<T: Element> Buffer<T> {
    fn of(held: Arc<Held>) -> Self {
        Self { held, element: std::marker::PhantomData }
    }

    pub(crate) fn copied(buffers: &Arc<Buffers>, elements: &[T]) -> Result<Self> {
        buffers.copied(bytemuck::cast_slice(elements), size_of::<T>()).map(Self::of)
    }

    pub(crate) fn zeroed(buffers: &Arc<Buffers>, len: usize) -> Result<Self> {
        buffers.zeroed(len, size_of::<T>()).map(Self::of)
    }

    /// Elements.
    #[expect(clippy::len_without_is_empty, reason = "no buffer is empty")]
    pub fn len(&self) -> usize {
        self.held.bytes / size_of::<T>()
    }

    /// A part of the buffer, in elements.
    ///
    /// # Errors
    /// [`BufferError::Range`] where the buffer has no such elements.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<BufferSlice<T>> {
        BufferSlice::from(self.clone()).slice(range)
    }

    /// The elements on the host, to be read. Waits until no handler can write to them.
    ///
    /// # Errors
    /// [`BufferError::Mapped`] while there is a guard that writes.
    pub async fn map(&self) -> Result<Map<T>> {
        Map::new(self.clone(), 0..self.len()).await
    }

    /// The elements on the host, to be read and written. Waits until the device has no reference to the buffer: no message with it is
    /// in flight. While there is this guard, the buffer cannot be sent.
    ///
    /// # Errors
    /// [`BufferError::Mapped`] while there is another guard.
    pub async fn map_mut(&self) -> Result<MapMut<T>> {
        MapMut::new(self.clone()).await
    }

    /// A copy of the elements, as [`map`](Self::map) sees them.
    pub async fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.map().await?.to_vec())
    }

    /// Copies the elements into `out`, a piece at a time: other tasks run between two, and a future that is dropped copies no more.
    /// Waits as [`map`](Self::map) does.
    ///
    /// # Errors
    /// [`BufferError::Mismatch`] if `out` has another length.
    pub async fn copy_to(&self, out: &mut [T]) -> Result<()> {
        let len = self.len();
        if out.len() != len {
            return Err(BufferError::Mismatch { given: out.len(), len }.into());
        }
        let map = self.map().await?;
        let step = guard::PIECE / size_of::<T>();
        for (to, from) in out.chunks_mut(step).zip(map.chunks(step)) {
            to.copy_from_slice(from);
            guard::breathe().await;
        }
        Ok(())
    }

    /// Copies `elements` into the buffer, a piece at a time: other tasks run between two. Waits as [`map_mut`](Self::map_mut) does. A
    /// future that is dropped has written the first pieces, and no more.
    ///
    /// # Errors
    /// [`BufferError::Mismatch`] if there are more or fewer than the buffer has.
    pub async fn copy_from(&self, elements: &[T]) -> Result<()> {
        let len = self.len();
        if elements.len() != len {
            return Err(BufferError::Mismatch { given: elements.len(), len }.into());
        }
        let mut map = self.map_mut().await?;
        let step = guard::PIECE / size_of::<T>();
        for (to, from) in map.chunks_mut(step).zip(elements.chunks(step)) {
            to.copy_from_slice(from);
            guard::breathe().await;
        }
        map.write_back()
    }
}

impl<T: Element> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer<{}>({} elements)", std::any::type_name::<T>(), self.len())
    }
}

/// A part of a [`Buffer`], which it keeps alive: what a handler gets as its slice, and what an ask gives where the handler replies
/// with one.
#[derive(Clone)]
pub struct BufferSlice<T: Element> {
    buffer: Buffer<T>,
    /// The first element.
    from: usize,
    len: usize,
}

impl<T: Element> From<Buffer<T>> for BufferSlice<T> {
    fn from(buffer: Buffer<T>) -> Self {
        let len = buffer.len();
        Self { buffer, from: 0, len }
    }
}

impl<T: Element> BufferSlice<T> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The whole buffer.
    pub fn buffer(&self) -> &Buffer<T> {
        &self.buffer
    }

    /// Where the part is in the buffer, in elements.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.from..self.from + self.len
    }

    /// A part of this part.
    ///
    /// # Errors
    /// [`BufferError::Range`] where it has no such elements.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Self> {
        let from = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&to) => to,
            Bound::Unbounded => self.len,
        };
        if from > to || to > self.len {
            return Err(BufferError::Range { from, to, len: self.len }.into());
        }
        Ok(Self { buffer: self.buffer.clone(), from: self.from + from, len: to - from })
    }

    /// The elements on the host, to be read. Waits until no handler can write to the buffer.
    ///
    /// # Errors
    /// [`BufferError::Mapped`] while there is a guard that writes.
    pub async fn map(&self) -> Result<Map<T>> {
        Map::new(self.buffer.clone(), self.range()).await
    }

    /// A copy of the elements, as [`map`](Self::map) sees them.
    pub async fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.map().await?.to_vec())
    }

    /// Offset and length in bytes, as messages have them.
    fn place(&self) -> (u32, u32) {
        // At most 2^30 both.
        ((self.from * size_of::<T>()) as u32, (self.len * size_of::<T>()) as u32)
    }
}

impl<T: Element> fmt::Debug for BufferSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}[{:?}]", self.buffer, self.range())
    }
}
