//! Slices on their way into a message and out of a reply.

use std::fmt;
use std::sync::Arc;

use kernels_ptx::abi::{corr, slice};
use kernels_ptx::lang::layout::Size;
use kernels_ptx::lang::{Addr, GpuData, GpuType, Place, Val};

use super::error::BufferError;
use super::table::{Buffers, Held, ship};
use super::{Buffer, BufferSlice, Element, native};
use crate::error::{Error, Result};

/// The record of a slice in a message: what `abi::slice` describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SliceWords {
    pub(crate) handle: u64,
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

impl SliceWords {
    /// No elements.
    pub const NONE: Self = Self { handle: 0, offset: 0, bytes: 0 };

    fn words(self) -> [u64; 2] {
        [self.handle, u64::from(self.offset) | u64::from(self.bytes) << 32]
    }

    fn of(words: [u64; 2]) -> Self {
        Self { handle: words[0], offset: words[1] as u32, bytes: (words[1] >> 32) as u32 }
    }
}

impl GpuType for SliceWords {
    const TYPE: kernels_ptx::ir::Type = <[u64; 2] as GpuType>::TYPE;
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &kernels_ptx::builder::Builder) -> Val<Self> {
        b.lit_data(self)
    }

    fn equal(b: &kernels_ptx::builder::Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        let _ = (left, right);
        b.lit(false)
    }
}

impl GpuData for SliceWords {
    fn encode(&self, out: &mut [u8]) {
        self.words().encode(out);
    }

    fn decode(bytes: &[u8]) -> Self {
        Self::of(<[u64; 2]>::decode(bytes))
    }
}

const _: () = assert!(Size::<SliceWords>::OF == slice::SIZE as usize);

/// What a stub takes for a [`GpuSlice`](super::GpuSlice): a [`Buffer`], a part of one, or elements that are copied, into the message
/// if they fit there.
pub struct SliceArg<T: Element>(Erased, std::marker::PhantomData<fn(T)>);

/// What a stub takes for a [`GpuSliceMut`](super::GpuSliceMut): a [`Buffer`] or a part of one.
pub struct SliceMutArg<T: Element>(Erased, std::marker::PhantomData<fn(T)>);

impl<T: Element> SliceArg<T> {
    /// Without its type.
    #[doc(hidden)]
    pub fn erase(self) -> Erased {
        self.0
    }

    fn new(what: What) -> Self {
        Self(Erased(what), std::marker::PhantomData)
    }
}

impl<T: Element> SliceMutArg<T> {
    /// Without its type.
    #[doc(hidden)]
    pub fn erase(self) -> Erased {
        self.0
    }
}

/// A slice for a message, without the type of its elements.
pub struct Erased(What);

enum What {
    Held {
        held: Arc<Held>,
        offset: u32,
        bytes: u32,
        writes: bool,
    },
    /// Elements, and how many bytes one has.
    Copied {
        bytes: Vec<u8>,
        size: usize,
    },
}

impl<T: Element> From<BufferSlice<T>> for SliceArg<T> {
    fn from(part: BufferSlice<T>) -> Self {
        let (offset, bytes) = part.place();
        Self::new(What::Held { held: part.buffer.held, offset, bytes, writes: false })
    }
}

impl<T: Element> From<&BufferSlice<T>> for SliceArg<T> {
    fn from(part: &BufferSlice<T>) -> Self {
        part.clone().into()
    }
}

impl<T: Element> From<Buffer<T>> for SliceArg<T> {
    fn from(buffer: Buffer<T>) -> Self {
        BufferSlice::from(buffer).into()
    }
}

impl<T: Element> From<&Buffer<T>> for SliceArg<T> {
    fn from(buffer: &Buffer<T>) -> Self {
        buffer.clone().into()
    }
}

impl<T: Element> From<&[T]> for SliceArg<T> {
    fn from(elements: &[T]) -> Self {
        Self::new(What::Copied { bytes: bytemuck::cast_slice(elements).to_vec(), size: size_of::<T>() })
    }
}

impl<T: Element> From<Vec<T>> for SliceArg<T> {
    fn from(elements: Vec<T>) -> Self {
        elements.as_slice().into()
    }
}

impl<T: Element> From<&Vec<T>> for SliceArg<T> {
    fn from(elements: &Vec<T>) -> Self {
        elements.as_slice().into()
    }
}

impl<T: Element, const N: usize> From<[T; N]> for SliceArg<T> {
    fn from(elements: [T; N]) -> Self {
        elements.as_slice().into()
    }
}

impl<T: Element> From<BufferSlice<T>> for SliceMutArg<T> {
    fn from(part: BufferSlice<T>) -> Self {
        let (offset, bytes) = part.place();
        let what = What::Held { held: part.buffer.held, offset, bytes, writes: true };
        Self(Erased(what), std::marker::PhantomData)
    }
}

impl<T: Element> From<&BufferSlice<T>> for SliceMutArg<T> {
    fn from(part: &BufferSlice<T>) -> Self {
        part.clone().into()
    }
}

impl<T: Element> From<Buffer<T>> for SliceMutArg<T> {
    fn from(buffer: Buffer<T>) -> Self {
        BufferSlice::from(buffer).into()
    }
}

impl<T: Element> From<&Buffer<T>> for SliceMutArg<T> {
    fn from(buffer: &Buffer<T>) -> Self {
        buffer.clone().into()
    }
}

/// The slices of a call.
pub(crate) struct Slices {
    count: u64,
    /// The buffers among them, and whether the handler may write to each.
    held: Vec<(Arc<Held>, bool)>,
    /// Why it cannot be sent.
    failed: Option<Error>,
    /// Whether that has been said.
    said: bool,
}

impl Slices {
    /// Writes the slices into a payload whose first `fixed` bytes are the arguments, with room for `room` bytes in all.
    pub(crate) fn lay_out(
        slices: impl IntoIterator<Item = Erased>,
        buffers: &Arc<Buffers>,
        payload: &mut Vec<u8>,
        room: usize,
    ) -> Self {
        let mut all = Self { count: 0, held: Vec::new(), failed: None, said: false };
        for erased in slices {
            let at = all.count as usize * slice::SIZE as usize;
            all.count += 1;
            match all.lay_one(erased.0, buffers, payload, room) {
                Ok(words) => words.encode(&mut payload[at..at + slice::SIZE as usize]),
                Err(error) => {
                    all.failed.get_or_insert(error);
                }
            }
        }
        all
    }

    fn lay_one(
        &mut self,
        what: What,
        buffers: &Arc<Buffers>,
        payload: &mut Vec<u8>,
        room: usize,
    ) -> Result<SliceWords> {
        match what {
            What::Held { held, offset, bytes, writes } => {
                if !Arc::ptr_eq(&held.buffers, buffers) {
                    return Err(BufferError::Foreign.into());
                }
                let handle = held.handle();
                self.held.push((held, writes));
                Ok(SliceWords { handle, offset, bytes })
            }
            What::Copied { bytes, .. } if bytes.is_empty() => Ok(SliceWords::NONE),
            What::Copied { bytes, size } => {
                let offset = payload.len().next_multiple_of(8);
                if offset + bytes.len() <= room {
                    payload.resize(offset, 0);
                    payload.extend_from_slice(&bytes);
                    return Ok(SliceWords {
                        handle: slice::INLINE,
                        offset: offset as u32,
                        bytes: bytes.len() as u32,
                    });
                }
                let held = buffers.copied(&bytes, size)?;
                let handle = held.handle();
                self.held.push((held, false));
                Ok(SliceWords { handle, offset: 0, bytes: bytes.len() as u32 })
            }
        }
    }

    /// The bits that say in a correlation word how many slices there are.
    pub(crate) fn kind(&self) -> u64 {
        self.count << corr::PAYLOAD_SHIFT
    }

    /// Why the call cannot be sent, if it cannot.
    pub(crate) fn failure(&mut self) -> Option<Error> {
        let said = self.said.then_some(Error::Buffer(BufferError::Failed));
        let failure = self.failed.take().or(said);
        self.said = failure.is_some();
        failure
    }

    /// Before the message leaves: the device gets a reference to each buffer. All of them, or none; then the host has one mapped, and
    /// the error is whether that is for writing.
    pub(crate) fn ship(&self) -> Result<(), bool> {
        for (at, (held, writes)) in self.held.iter().enumerate() {
            if let Err(for_writing) = ship(held, *writes) {
                self.take_back(at);
                return Err(for_writing);
            }
        }
        Ok(())
    }

    /// The message did not leave.
    pub(crate) fn unship(&self) {
        self.take_back(self.held.len());
    }

    fn take_back(&self, count: usize) {
        for (held, _) in &self.held[..count] {
            held.buffers.take_back(held.handle());
        }
    }
}

impl fmt::Debug for Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slices", self.count)
    }
}

/// The buffers that a payload names, which begins with so many slices.
pub(crate) fn handles(payload: &[u64], correlation: u64) -> impl Iterator<Item = u64> {
    let count = (correlation >> corr::PAYLOAD_SHIFT) as usize & ((1 << corr::PAYLOAD_BITS) - 1);
    let records = payload.chunks_exact(2).take(count).map(|words| words[0]);
    records.filter(|&handle| handle != 0 && handle & slice::INLINE == 0)
}

/// What an ask gives: any [`GpuData`], or a [`BufferSlice`] where the handler replies with a slice.
pub trait Reply: Sized + 'static {
    /// Bytes in a reply.
    #[doc(hidden)]
    const BYTES: usize;
    /// Reads it from the reply's words.
    #[doc(hidden)]
    fn read(words: &[u64], buffers: &Arc<Buffers>) -> Result<Self>;
}

impl<T: GpuData> Reply for T {
    const BYTES: usize = Size::<T>::OF;

    #[inline]
    fn read(words: &[u64], _: &Arc<Buffers>) -> Result<Self> {
        Ok(T::decode(&bytemuck::cast_slice(words)[..Size::<T>::OF]))
    }
}

impl<T: Element> Reply for BufferSlice<T> {
    const BYTES: usize = Size::<SliceWords>::OF;

    fn read(words: &[u64], buffers: &Arc<Buffers>) -> Result<Self> {
        let record = SliceWords::of([words[0], words[1]]);
        let (from, count) = (record.offset as usize, record.bytes as usize);
        if record.handle & slice::INLINE != 0 || record.handle == 0 {
            let bytes: &[u8] = bytemuck::cast_slice(words);
            let bytes = bytes.get(from..from + count).unwrap_or_default();
            if bytes.is_empty() {
                // No buffer is empty, and so this is no part of one with something in it.
                let held = buffers.zeroed(1, size_of::<T>())?;
                return Ok(BufferSlice { buffer: Buffer::of(held), from: 0, len: 0 });
            }
            let held = buffers.copied(bytes, size_of::<T>())?;
            return Ok(Buffer::of(held).into());
        }
        // The reply has a reference until it is read.
        let held = buffers.received(record.handle).ok_or(Error::Stopped)?;
        let size = size_of::<T>();
        Ok(BufferSlice { buffer: Buffer::of(held), from: from / size, len: count / size })
    }
}

impl<T: Element> From<native::GpuSlice<T>> for SliceWords {
    fn from(slice: native::GpuSlice<T>) -> Self {
        slice.words()
    }
}

impl<T: Element> From<native::GpuSliceMut<T>> for SliceWords {
    fn from(slice: native::GpuSliceMut<T>) -> Self {
        slice.words()
    }
}
