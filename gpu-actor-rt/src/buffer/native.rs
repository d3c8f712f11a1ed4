//! Slices as a handler that runs natively has them: plain Rust slices over buffers of the test that runs it.

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernels_ptx::abi::slice;

use super::{Element, SliceWords};

/// A buffer for handlers that run natively: what a unit test hands to a handler that takes a [`GpuSlice`].
///
/// ```
/// use gpu_actor_rt::NativeBuffer;
///
/// let data = NativeBuffer::new(&[1.0f32, 2.0, 3.0]);
/// let mut slice = data.slice_mut(1..);
/// slice[0] = 20.0;
/// drop(slice); // what was written is the buffer's from here on
/// assert_eq!(data.to_vec(), [1.0, 20.0, 3.0]);
/// ```
pub struct NativeBuffer<T: Element> {
    bytes: Arc<Mutex<Vec<u8>>>,
    handle: u64,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> NativeBuffer<T> {
    /// A buffer with these elements.
    pub fn new(elements: &[T]) -> Self {
        Self::named(bytemuck::cast_slice(elements).to_vec(), 1 << slice::INDEX_BITS)
    }

    fn named(bytes: Vec<u8>, handle: u64) -> Self {
        Self { bytes: Arc::new(Mutex::new(bytes)), handle, element: std::marker::PhantomData }
    }

    /// A part of it, for a handler that reads.
    ///
    /// # Panics
    /// As a slice of the standard library, where there are no such elements.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> GpuSlice<T> {
        let elements = self.to_vec();
        let (from, to) = bounds(&range, elements.len());
        GpuSlice { elements: elements[from..to].into(), from: 0, to: to - from, words: self.words(from, to) }
    }

    /// A part of it, for a handler that writes. What it has written is in the buffer when the slice is dropped.
    ///
    /// # Panics
    /// As a slice of the standard library, where there are no such elements.
    pub fn slice_mut(&self, range: impl RangeBounds<usize>) -> GpuSliceMut<T> {
        let elements = self.to_vec();
        let (from, to) = bounds(&range, elements.len());
        let home = Some((Arc::clone(&self.bytes), from * size_of::<T>()));
        GpuSliceMut { elements: elements[from..to].to_vec(), home, words: self.words(from, to) }
    }

    /// Its elements.
    pub fn to_vec(&self) -> Vec<T> {
        lock(&self.bytes).chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }

    fn words(&self, from: usize, to: usize) -> SliceWords {
        let (offset, bytes) = (from * size_of::<T>(), (to - from) * size_of::<T>());
        SliceWords { handle: self.handle, offset: offset as u32, bytes: bytes as u32 }
    }
}

impl<T: Element> fmt::Debug for NativeBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeBuffer<{}>", std::any::type_name::<T>())
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bounds(range: &impl RangeBounds<usize>, len: usize) -> (usize, usize) {
    let from = match range.start_bound() {
        Bound::Included(&from) => from,
        Bound::Excluded(&before) => before + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(&last) => last + 1,
        Bound::Excluded(&to) => to,
        Bound::Unbounded => len,
    };
    (from, to)
}

/// The buffers that a native call's message can name, by index.
#[derive(Clone, Debug, Default)]
pub struct NativeBuffers(Vec<Arc<Mutex<Vec<u8>>>>);

impl NativeBuffers {
    /// Adds one; the handle that names it.
    pub fn add(&mut self, bytes: Vec<u8>) -> u64 {
        self.0.push(Arc::new(Mutex::new(bytes)));
        (self.0.len() as u64 - 1) | 1 << slice::INDEX_BITS
    }

    /// The bytes of each.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|bytes| lock(bytes).clone()).collect()
    }

    fn get<T: Element>(&self, words: SliceWords) -> NativeBuffer<T> {
        let index = (words.handle & ((1 << slice::INDEX_BITS) - 1)) as usize;
        let bytes = self.0.get(index).filter(|_| words.handle != 0).cloned().unwrap_or_default();
        NativeBuffer { bytes, handle: words.handle, element: std::marker::PhantomData }
    }

    fn range<T: Element>(words: SliceWords) -> std::ops::Range<usize> {
        let (from, count) = (words.offset as usize / size_of::<T>(), words.bytes as usize / size_of::<T>());
        from..from + count
    }

    pub(crate) fn open<T: Element>(&self, words: SliceWords) -> GpuSlice<T> {
        self.get(words).slice(Self::range::<T>(words))
    }

    pub(crate) fn open_mut<T: Element>(&self, words: SliceWords) -> GpuSliceMut<T> {
        self.get(words).slice_mut(Self::range::<T>(words))
    }
}

/// Elements of a buffer that a handler reads: a parameter or the reply of a handler. On the device they are read where they are.
///
/// A handler indexes it (`data[i]`), asks for its `len()` and `is_empty()`, loops over it, takes a part by
/// [`slice`](Self::slice), and hands it on in a message; to hand it on twice, or to use it afterwards, it is cloned. Natively it is a
/// slice of the standard library behind `Deref`.
pub struct GpuSlice<T: Element> {
    elements: Arc<[T]>,
    from: usize,
    to: usize,
    words: SliceWords,
}

impl<T: Element> Clone for GpuSlice<T> {
    fn clone(&self) -> Self {
        Self { elements: Arc::clone(&self.elements), ..*self }
    }
}

impl<T: Element> GpuSlice<T> {
    /// A part of it. On the device a range that it does not have is a fault.
    ///
    /// # Panics
    /// As a slice of the standard library, where there are no such elements.
    #[must_use]
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let (from, to) = bounds(&range, self.len());
        assert!(from <= to && to <= self.len(), "index out of bounds: {from}..{to} of {}", self.len());
        Self {
            elements: Arc::clone(&self.elements),
            from: self.from + from,
            to: self.from + to,
            words: part::<T>(self.words, from, to),
        }
    }

    pub(super) fn words(&self) -> SliceWords {
        self.words
    }
}

fn part<T>(words: SliceWords, from: usize, to: usize) -> SliceWords {
    let size = size_of::<T>();
    SliceWords {
        offset: words.offset + (from * size) as u32,
        bytes: ((to - from) * size) as u32,
        handle: words.handle,
    }
}

impl<T: Element> Deref for GpuSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements[self.from..self.to]
    }
}

impl<T: Element> IntoIterator for GpuSlice<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        Vec::from(&*self).into_iter()
    }
}

impl<T: Element + fmt::Debug> fmt::Debug for GpuSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Elements of a buffer that a handler reads and writes: a parameter or the reply of a handler. While the handler runs no other has
/// the buffer. Everything that [`GpuSlice`] has, and `data[i] = x`; natively the parameter is bound by `mut` for that.
pub struct GpuSliceMut<T: Element> {
    elements: Vec<T>,
    /// Where what was written goes.
    home: Option<(Arc<Mutex<Vec<u8>>>, usize)>,
    words: SliceWords,
}

impl<T: Element> GpuSliceMut<T> {
    /// This part of it instead. On the device a range that it does not have is a fault.
    ///
    /// # Panics
    /// As a slice of the standard library, where there are no such elements.
    #[must_use]
    #[track_caller]
    pub fn slice(mut self, range: impl RangeBounds<usize>) -> Self {
        let (from, to) = bounds(&range, self.len());
        assert!(from <= to && to <= self.len(), "index out of bounds: {from}..{to} of {}", self.len());
        self.write_back();
        let elements = self.elements[from..to].to_vec();
        let home = self.home.take().map(|(bytes, at)| (bytes, at + from * size_of::<T>()));
        Self { elements, home, words: part::<T>(self.words, from, to) }
    }

    pub(super) fn words(&self) -> SliceWords {
        self.words
    }

    fn write_back(&self) {
        if let Some((bytes, at)) = &self.home {
            let written: &[u8] = bytemuck::cast_slice(&self.elements);
            if let Some(home) = lock(bytes).get_mut(*at..*at + written.len()) {
                home.copy_from_slice(written);
            }
        }
    }
}

impl<T: Element> Deref for GpuSliceMut<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.elements
    }
}

impl<T: Element> DerefMut for GpuSliceMut<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.elements
    }
}

impl<T: Element> Drop for GpuSliceMut<T> {
    fn drop(&mut self) {
        self.write_back();
    }
}

impl<T: Element + fmt::Debug> fmt::Debug for GpuSliceMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
