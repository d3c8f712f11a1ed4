//! The layout of data on the device, computed from the layouts of its parts.
//!
//! Rule kept here: the device's layout is its own. It is Rust's `#[repr(C)]` for structs and `#[repr(u8)]` and its like for
//! enums (RFC 2195), applied to what the fields are *on the device*: rustc hides the tag of an `Option<bool>` in the bool,
//! the device does not. Nothing here, and nothing that is generated, asks rustc for a size or an offset.

use std::marker::PhantomData;

use super::GpuType;
use crate::ir::Type;

/// Where the parts of a struct lie, and the struct's own size and alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<const N: usize> {
    /// The offset of each part in bytes.
    pub offsets: [usize; N],
    /// The whole.
    pub ty: Type,
}

/// A struct with these fields, in this order.
///
/// ```
/// use kernels_ptx::ir::{ScalarType, Type};
/// use kernels_ptx::lang::layout;
///
/// let fields = layout::fields(&[Type::Scalar(ScalarType::U8), Type::Scalar(ScalarType::U32)]);
/// assert_eq!(fields.offsets, [0, 4]);
/// assert_eq!(fields.ty, Type::Bytes { size: 8, align: 4 });
/// ```
pub const fn fields<const N: usize>(types: &[Type; N]) -> Fields<N> {
    let (mut offsets, mut end, mut most) = ([0; N], 0, 1);
    let mut i = 0;
    while i < N {
        let align = types[i].align();
        end = round_up(end, align);
        offsets[i] = end as usize;
        end += types[i].size();
        if align > most {
            most = align;
        }
        i += 1;
    }
    Fields { offsets, ty: Type::Bytes { size: round_up(end, most), align: most } }
}

/// An array.
pub const fn array(element: Type, len: usize) -> Type {
    Type::Bytes { size: element.size() * len as u32, align: element.align() }
}

/// One of these at a time, all at the same address: the variants of an enum, each a struct that starts with the tag.
pub const fn either(variants: &[Type]) -> Type {
    let (mut size, mut align) = (0, 1);
    let mut i = 0;
    while i < variants.len() {
        if variants[i].size() > size {
            size = variants[i].size();
        }
        if variants[i].align() > align {
            align = variants[i].align();
        }
        i += 1;
    }
    Type::Bytes { size: round_up(size, align), align }
}

const fn round_up(bytes: u32, align: u32) -> u32 {
    bytes.next_multiple_of(align)
}

/// The size of a type that may turn out to be none of the device's: generated code checks limits with it, and what is
/// wrong with the type is reported elsewhere.
#[doc(hidden)]
#[derive(Debug)]
pub struct Size<T>(PhantomData<T>);

impl<T: GpuType> Size<T> {
    /// Bytes on the device.
    pub const OF: usize = T::TYPE.size() as usize;
}

/// What [`Size`] says of a type that is none of the device's.
#[doc(hidden)]
pub trait UnknownSize {
    /// Nothing.
    const OF: usize = 0;
}

impl<T> UnknownSize for Size<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    struct Plain(u8, [u16; 3], u64, (), [u32; 1]);

    #[repr(u8)]
    enum Either {
        _Small(u8),
        _Wide { _a: u16, _b: u64 },
    }

    /// Where there is nothing to hide a tag in, the layout is rustc's.
    #[test]
    fn plain_data_lies_as_in_rust() {
        let of = fields(&[u8::TYPE, <[u16; 3]>::TYPE, u64::TYPE, <()>::TYPE, <[u32; 1]>::TYPE]);
        let native = [
            std::mem::offset_of!(Plain, 0),
            std::mem::offset_of!(Plain, 1),
            std::mem::offset_of!(Plain, 2),
            std::mem::offset_of!(Plain, 3),
            std::mem::offset_of!(Plain, 4),
        ];
        assert_eq!(of.offsets, native);
        assert_eq!(of.ty, Type::bytes_of::<Plain>());
        let small = fields(&[u8::TYPE, u8::TYPE]).ty;
        let wide = fields(&[u8::TYPE, u16::TYPE, u64::TYPE]);
        assert_eq!(wide.offsets, [0, 2, 8]);
        assert_eq!(either(&[small, wide.ty]), Type::bytes_of::<Either>());
        assert_eq!(<[[u16; 3]; 5]>::TYPE, Type::bytes_of::<[[u16; 3]; 5]>());
        assert_eq!(fields(&[]).ty, <()>::TYPE);
    }

    #[test]
    fn a_tag_is_never_hidden() {
        assert_eq!(<Option<bool>>::TYPE, Type::Bytes { size: 2, align: 1 });
        assert_eq!(<Option<Option<u32>>>::TYPE, Type::Bytes { size: 12, align: 4 });
        assert_eq!(<Result<u64, u8>>::TYPE, Type::Bytes { size: 16, align: 8 });
        assert_eq!(Size::<[Option<u8>; 4]>::OF, 8);
        assert_eq!(<Size<String> as UnknownSize>::OF, 0);
    }
}
