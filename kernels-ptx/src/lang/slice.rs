//! Slices as a handler has them on the device: an address, a length, and what names the buffer to others.
//!
//! A view is never stored in state or messages as it is: there a slice is a handle, which the ring kernel turns into a view
//! before the handler runs.

use std::marker::PhantomData;

use super::{Addr, GpuData, GpuType, Len, Place, Val};
use crate::builder::Builder;
use crate::ir::Type;

/// A slice of elements in a buffer, or within the handler's message.
pub struct Slice<T>(PhantomData<fn() -> T>);

impl<T> Clone for Slice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slice<T> {}

/// The parts of a view: places at fixed offsets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// The first element's address.
    pub(crate) address: Place<u64>,
    /// Elements.
    pub(crate) len: Place<usize>,
    /// As in the message.
    pub(crate) handle: Place<u64>,
    /// Bytes from the begin of the buffer, or of the payload.
    pub(crate) offset: Place<u64>,
}

impl<T: GpuData> Slice<T> {
    pub(crate) fn parts(place: Place<Self>) -> Parts {
        let at = Place::addr(place);
        Parts {
            address: Place::at(at),
            len: Place::at(at.offset(8)),
            handle: Place::at(at.offset(16)),
            offset: Place::at(at.offset(24)),
        }
    }
}

impl<T: GpuData> GpuType for Slice<T> {
    const TYPE: Type = Type::Bytes { size: 32, align: 8 };
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &Builder) -> Val<Self> {
        b.no_constant("a slice")
    }
}

impl<T: GpuData> Len for Slice<T> {
    type Out = usize;

    fn len(b: &Builder, at: Place<Self>) -> Val<usize> {
        b.read(Self::parts(at).len)
    }
}

/// A type whose elements are reached by an index.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no elements on the device",
    label = "neither an array nor a slice",
    note = "arrays and slices are indexed by a `usize`, `array[i as usize]`, and looped over"
)]
pub trait Elements: Len<Out = usize> {
    /// What the elements are.
    type Item: GpuType;
    /// The place of one element. Faults if there is none.
    fn element(b: &Builder, at: Place<Self>, index: Val<usize>, line: u32) -> Place<Self::Item>;
}

impl<T: GpuType, const N: usize> Elements for [T; N] {
    type Item = T;

    fn element(b: &Builder, at: Place<Self>, index: Val<usize>, line: u32) -> Place<T> {
        b.array_element(at, index, line)
    }
}

impl<T: GpuData> Elements for Slice<T> {
    type Item = T;

    fn element(b: &Builder, at: Place<Self>, index: Val<usize>, line: u32) -> Place<T> {
        b.slice_element(at, index, line)
    }
}
