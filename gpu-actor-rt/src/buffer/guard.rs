//! Guards: the elements of a buffer on the host, while no handler is in the way.
//!
//! Rule kept here: this is the one file that makes references to a buffer's elements, and only a guard that the table has counted
//! does so.

use std::future::poll_fn;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::task::Poll;

use super::table::{self, Held};
use super::{Buffer, Element};
use crate::error::Result;

/// Bytes that are copied at a time.
pub(super) const PIECE: usize = 1 << 20;

/// Lets other tasks run.
pub(super) async fn breathe() {
    let mut been = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut been, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts a guard as soon as no handler is in the way.
async fn counted<T: Element>(buffer: &Buffer<T>, writes: bool) -> Result<()> {
    poll_fn(|cx| match table::map(&buffer.held, writes, Some(cx.waker())) {
        Ok(true) => Poll::Ready(Ok(())),
        Ok(false) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error.into())),
    })
    .await
}

/// Where a guard's elements are.
enum View<T> {
    /// In the buffer itself.
    There(NonNull<T>),
    /// In a copy of it: the host does not reach the memory.
    Here(Vec<T>),
}

impl<T: Element> View<T> {
    fn new(held: &Held, range: &Range<usize>) -> Result<Self> {
        let offset = range.start * size_of::<T>();
        if let Some(base) = held.host_ptr() {
            // SAFETY: the range is in the buffer, and the buffer in its block.
            return Ok(Self::There(unsafe { base.byte_add(offset) }.cast()));
        }
        let mut copy = vec![T::zeroed(); range.len()];
        held.read(offset, bytemuck::cast_slice_mut(&mut copy))?;
        Ok(Self::Here(copy))
    }
}

/// The elements of a buffer, or of a part of it, to be read. While there is one, no handler gets the buffer for writing.
pub struct Map<T: Element> {
    buffer: Buffer<T>,
    view: View<T>,
    len: usize,
}

// SAFETY: the pointer is into memory that the guard keeps alive and that nobody writes to meanwhile.
unsafe impl<T: Element + Send + Sync> Send for Map<T> {}
// SAFETY: as above.
unsafe impl<T: Element + Send + Sync> Sync for Map<T> {}

impl<T: Element> Map<T> {
    pub(super) async fn new(buffer: Buffer<T>, range: Range<usize>) -> Result<Self> {
        counted(&buffer, false).await?;
        match View::new(&buffer.held, &range) {
            Ok(view) => Ok(Self { buffer, view, len: range.len() }),
            Err(error) => {
                table::unmap(&buffer.held);
                Err(error)
            }
        }
    }
}

impl<T: Element> Deref for Map<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.view {
            // SAFETY: `new` took the pointer from a live block, which the handle keeps; blocks begin on multiples of 256 and the offset is
            // one of the element's size; elements are plain data and were written when the buffer was made. The guard is counted, so
            // until it is dropped no handler writes there, and no other guard either.
            View::There(first) => unsafe { std::slice::from_raw_parts(first.as_ptr(), self.len) },
            View::Here(copy) => copy,
        }
    }
}

impl<T: Element> Drop for Map<T> {
    fn drop(&mut self) {
        table::unmap(&self.buffer.held);
    }
}

impl<T: Element> std::fmt::Debug for Map<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Map({:?})", self.buffer)
    }
}

/// The elements of a buffer, to be read and written. While there is one, the buffer cannot be sent.
///
/// Where the host does not reach the memory, it is a copy, which the drop writes back; [`write_back`](Self::write_back) does it and
/// says whether it went well.
pub struct MapMut<T: Element> {
    buffer: Buffer<T>,
    view: View<T>,
    len: usize,
    written: bool,
}

// SAFETY: the pointer is into memory that the guard keeps alive and has to itself.
unsafe impl<T: Element + Send + Sync> Send for MapMut<T> {}
// SAFETY: as above; shared references to the guard read.
unsafe impl<T: Element + Send + Sync> Sync for MapMut<T> {}

impl<T: Element> MapMut<T> {
    pub(super) async fn new(buffer: Buffer<T>) -> Result<Self> {
        counted(&buffer, true).await?;
        let len = buffer.len();
        match View::new(&buffer.held, &(0..len)) {
            Ok(view) => Ok(Self { buffer, view, len, written: false }),
            Err(error) => {
                table::unmap(&buffer.held);
                Err(error)
            }
        }
    }

    /// Makes what was written the buffer's, and ends the guard.
    ///
    /// # Errors
    /// The device's, where the elements have to be copied there.
    pub fn write_back(mut self) -> Result<()> {
        self.copy_back()
    }

    fn copy_back(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.written, true)
            && let View::Here(copy) = &self.view
        {
            self.buffer.held.write(0, bytemuck::cast_slice(copy))?;
        }
        Ok(())
    }
}

impl<T: Element> Deref for MapMut<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.view {
            // SAFETY: as for `Map`, and the guard is the only one.
            View::There(first) => unsafe { std::slice::from_raw_parts(first.as_ptr(), self.len) },
            View::Here(copy) => copy,
        }
    }
}

impl<T: Element> DerefMut for MapMut<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.view {
            // SAFETY: as above; the device has no reference to the buffer and gets none while there is the guard.
            View::There(first) => unsafe { std::slice::from_raw_parts_mut(first.as_ptr(), self.len) },
            View::Here(copy) => copy,
        }
    }
}

impl<T: Element> Drop for MapMut<T> {
    fn drop(&mut self) {
        if let Err(error) = self.copy_back() {
            tracing::error!(%error, "what a guard wrote did not reach the buffer");
        }
        table::unmap(&self.buffer.held);
    }
}

impl<T: Element> std::fmt::Debug for MapMut<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MapMut({:?})", self.buffer)
    }
}
