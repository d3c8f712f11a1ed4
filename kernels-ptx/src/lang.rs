//! The types of the handler language: which Rust types exist on a device, and what a value and a place are there.
//!
//! A [`Place`] dereferences to fields that the derive generates, so that `self.pos.x` is the same text in a handler
//! and in its device twin. A [`Val`] is an operand. The traits decide what an operator accepts, in messages that name
//! the user's type.

#[doc(hidden)]
pub mod data;
pub mod layout;
mod scalars;
pub mod slice;

use std::{fmt, marker::PhantomData, ops::Deref};

use crate::{
    builder::Builder,
    ir::{Base, Const, Operand, Reg, ScalarType, SlotId, Type},
};

/// A type that can live in a local of a handler.
///
/// Derived by `#[derive(GpuData)]`; implemented for the scalars, arrays, `()`, tuples, `Option`, `Result`, and for `usize` and `isize`, which cannot be
/// stored in messages or state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not exist on the GPU",
    label = "not a type of the handler language",
    note = "use bool, integers, f32, f64, arrays, tuples, `Option`, `Result`, or a struct or enum with `#[derive(GpuData)]`"
)]
pub trait GpuType: Copy + 'static {
    /// The type's layout on the device.
    const TYPE: Type;
    /// Places of the fields; `()` where there are none.
    type Fields: Copy;
    /// The fields of a value at `at`.
    fn fields(at: Addr) -> Self::Fields;
    /// The constant in the function that `b` builds. Use [`Builder::lit_scalar`] for scalars and
    /// [`Builder::lit_data`] for data.
    fn lower_const(self, b: &Builder) -> Val<Self>;
    /// Stores the constant at a place; as [`lower_const`](Self::lower_const) and a write, without a copy for
    /// [`Builder::set_data`].
    fn store_const(self, b: &Builder, place: Place<Self>) {
        b.write(place, self.lower_const(b));
    }
    /// Whether the value at `place` is this constant, as a pattern compares them. Never faults, whatever the bytes.
    fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
        let _ = place;
        b.incomparable(std::any::type_name::<Self>())
    }
    /// Whether the values at two places are equal, as derived `PartialEq` has it. Never faults, whatever the bytes.
    fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        let _ = (left, right);
        b.incomparable(std::any::type_name::<Self>())
    }
}

/// A type that can be stored in device memory: in actor state, messages and replies.
///
/// ```
/// use kernels_ptx::lang::GpuData;
/// let mut bytes = [0xff; 4];
/// [1u16, 2].encode(&mut bytes);
/// assert_eq!(bytes, [1, 0, 2, 0]);
/// assert_eq!(<[u16; 2]>::decode(&bytes), [1, 2]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in GPU memory",
    label = "not a type for actor state, messages or replies",
    note = "use bool, integers of a fixed size, f32, f64, arrays, `Option`, `Result`, or a struct or enum with \
            `#[derive(GpuData)]`; `usize` and `isize` have no fixed size, use u64 or i64; for a tuple write a struct"
)]
pub trait GpuData: GpuType {
    /// Writes the value in the device's layout; padding becomes zero. `out` has exactly the type's size.
    fn encode(&self, out: &mut [u8]);
    /// Reads a value in the device's layout. `bytes` has exactly the type's size; of a `bool` the lowest bit counts.
    fn decode(bytes: &[u8]) -> Self;
    /// Replaces every NaN of an encoded value by the canonical one: which NaN an operation gives is not defined, so what
    /// compares values compares them by class. `bytes` has exactly the type's size.
    fn canonical_nan(bytes: &mut [u8]) {
        let _ = bytes;
    }
}

/// A type that fits a register.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scalar",
    label = "expected bool, an integer, a float or an enum without data",
    note = "the GPU orders and casts bool, integers, floats and enums without data; other data has `==`, `match` and `matches!`"
)]
pub trait Scalar: GpuType<Fields = ()> {
    /// The type on the device.
    const SCALAR: ScalarType;
    /// The value as bits of its width, upper bits zero.
    fn to_word(self) -> u64;
}

/// A type with a `len`: arrays, and the user's own types that have a device twin of that name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no method `len` on the device",
    label = "not known to the device",
    note = "arrays have it; for a type of your own write `fn len(&self)` in an impl block marked #[gpu_fn]"
)]
pub trait Len: GpuType {
    /// What the length is.
    type Out: GpuType;
    /// The length of the value at `at`.
    fn len(b: &Builder, at: Place<Self>) -> Val<Self::Out>;
}

impl<T: GpuType, const N: usize> Len for [T; N] {
    type Out = usize;
    fn len(b: &Builder, _: Place<Self>) -> Val<usize> {
        b.lit_scalar(N)
    }
}

/// A number or `bool`: what `u64::from` and its like take. Not enums: theirs is the user's own `From`, of which the device
/// knows nothing.
#[diagnostic::on_unimplemented(
    message = "the GPU cannot convert `{Self}` with `from`",
    label = "expected bool, an integer or a float",
    note = "your own implementations of `From` do not run on the GPU: write a method in a block marked #[gpu_fn]"
)]
pub trait Primitive: Scalar {}

/// A type with arithmetic.
#[diagnostic::on_unimplemented(
    message = "the GPU cannot do arithmetic on `{Self}`",
    label = "expected an integer or a float"
)]
pub trait Num: Scalar {}

/// A type with a remainder: Rust's `%` of floats is exact, and no sequence of device instructions is.
#[diagnostic::on_unimplemented(
    message = "the GPU has no remainder of `{Self}`",
    label = "`%` is for integers here",
    note = "where rounding is acceptable, write `x - y * (x / y).trunc()`"
)]
pub trait Remainder: Num {}

/// An integer type.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an integer", label = "expected an integer")]
pub trait Int: Num + Bits + Remainder {
    /// The type of the same width without a sign.
    type Unsigned: Int;
}

/// A number that can be negative.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no sign on the GPU",
    label = "expected a signed integer or a float"
)]
pub trait SignedNum: Num {}

/// A signed integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signed integer",
    label = "expected a signed integer"
)]
pub trait SignedInt: Int + SignedNum {}

/// `f32` or `f64`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a float", label = "expected f32 or f64")]
pub trait Float: SignedNum {
    /// The integer type that has the float's bits.
    type Word: Int;
}

/// A type with `&`, `|`, `^` and `!`.
#[diagnostic::on_unimplemented(
    message = "the GPU has no bit operations on `{Self}`",
    label = "expected an integer or bool"
)]
pub trait Bits: Scalar {}

/// Where a place is: in a register or in memory. Opaque to everybody but the builder.
#[derive(Clone, Copy, Debug)]
pub struct Addr(pub(crate) Loc);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Loc {
    Reg(Reg),
    Mem(Mem),
}

/// A place in memory and what is known of its alignment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mem {
    pub(crate) base: Base,
    pub(crate) offset: u64,
    /// The base address is a multiple of this power of two.
    pub(crate) align: u64,
}

impl Mem {
    pub(crate) fn slot(id: SlotId, align: u64) -> Self {
        Self { base: Base::Slot(id), offset: 0, align }
    }

    /// The largest power of two, up to 8, that is known to divide the address.
    pub(crate) fn known_align(self) -> u64 {
        1 << (self.align | self.offset | 8).trailing_zeros()
    }
}

impl Addr {
    /// The address `bytes` further on; what a derive makes of its [`layout`].
    #[must_use]
    pub fn offset(self, bytes: usize) -> Self {
        match self.0 {
            Loc::Mem(mem) => Self(Loc::Mem(Mem { offset: mem.offset + bytes as u64, ..mem })),
            // Only scalars live in registers, and they have no fields.
            Loc::Reg(_) => self,
        }
    }
}

/// A value of type `T` in the function that is being built.
pub struct Val<T> {
    pub(crate) repr: Repr,
    ty: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Repr {
    Operand(Operand),
    /// Bytes at an address that nobody writes any more.
    Memory(Mem),
}

impl<T> Val<T> {
    pub(crate) fn of(operand: Operand) -> Self {
        Self { repr: Repr::Operand(operand), ty: PhantomData }
    }

    pub(crate) fn memory(mem: Mem) -> Self {
        Self { repr: Repr::Memory(mem), ty: PhantomData }
    }
}

impl<T: Scalar> Val<T> {
    /// The operand of a scalar. A scalar is never behind an address, whatever a foreign implementation of the traits
    /// may say: then it is zero here, and the verifier has the last word.
    pub(crate) fn operand(self) -> Operand {
        match self.repr {
            Repr::Operand(operand) => operand,
            Repr::Memory(_) => Operand::Const(Const::new(T::SCALAR, 0)),
        }
    }

    /// The constant's bits, if the value is a constant.
    pub(crate) fn constant(self) -> Option<Const> {
        match self.repr {
            Repr::Operand(Operand::Const(c)) => Some(c),
            _ => None,
        }
    }
}

impl<T> Clone for Val<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Val<T> {}

impl<T> fmt::Debug for Val<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Val<{}>({:?})", std::any::type_name::<T>(), self.repr)
    }
}

/// A place of type `T`: a local, a field, an array element. Dereferences to the places of its fields.
///
/// Its own fields are private, so that they cannot hide a field of the user's.
pub struct Place<T: GpuType> {
    __addr: Addr,
    __fields: T::Fields,
}

impl<T: GpuType> Place<T> {
    /// The place at an address.
    pub fn at(at: Addr) -> Self {
        Self { __addr: at, __fields: T::fields(at) }
    }

    pub(crate) fn addr(this: Self) -> Addr {
        this.__addr
    }
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "a derive would ask `T: Clone`")]
impl<T: GpuType> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: GpuType> Copy for Place<T> {}

impl<T: GpuType> Deref for Place<T> {
    type Target = T::Fields;

    fn deref(&self) -> &T::Fields {
        &self.__fields
    }
}

impl<T: GpuType> fmt::Debug for Place<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place<{}>({:?})", std::any::type_name::<T>(), self.__addr.0)
    }
}
