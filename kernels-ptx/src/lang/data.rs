//! Data with parts: tuples, `Option` and `Result`, and what the derive needs for structs and enums.
//!
//! Rule kept here: reading is total. Any bytes are a value: a tag that no variant has reads as one of the variants, by its
//! remainder, so that every variant is as likely for random bytes. What is written is canonical: padding and the bytes of
//! variants that are not the value's are zero.

use super::{Addr, GpuData, GpuType, Place, Scalar, Val, layout};
use crate::{
    builder::{Builder, take},
    ir::Type,
};

/// Writes a part at `offset`.
pub fn put<T: GpuData>(part: &T, out: &mut [u8], offset: usize) {
    if let Some(to) = out.get_mut(offset..offset + layout::Size::<T>::OF) {
        part.encode(to);
    }
}

/// Reads the part at `offset`; what lies beyond the end reads as zeroes.
pub fn get<T: GpuData>(bytes: &[u8], offset: usize) -> T {
    T::decode(bytes.get(offset..offset + layout::Size::<T>::OF).unwrap_or(&[]))
}

/// Makes the NaNs of the part at `offset` canonical.
pub fn nan<T: GpuData>(bytes: &mut [u8], offset: usize) {
    if let Some(part) = bytes.get_mut(offset..offset + layout::Size::<T>::OF) {
        T::canonical_nan(part);
    }
}

/// The place of the part at `offset`.
pub fn part<T: GpuType>(at: Addr, offset: usize) -> Place<T> {
    Place::at(at.offset(offset))
}

/// The place of the part at `offset` of what is at `whole`.
pub fn within<T: GpuType, U: GpuType>(whole: Place<U>, offset: usize) -> Place<T> {
    Place::at(Place::addr(whole).offset(offset))
}

/// Which variant the bytes start with the tag of.
pub fn variant<T: Scalar + GpuData>(tags: &[T], bytes: &[u8]) -> usize {
    let tag = get::<T>(bytes, 0).to_word();
    let known = tags.iter().position(|of| of.to_word() == tag);
    known.unwrap_or_else(|| (tag % (tags.len() as u64).max(1)) as usize)
}

/// Whether the enum at `whole` has this tag.
pub fn has_tag<T: Scalar, U: GpuType>(b: &Builder, whole: Place<U>, tag: T) -> Val<bool> {
    b.eq(b.read(within::<T, U>(whole, 0)), b.lit_scalar(tag))
}

/// Gives the enum at `whole` this tag.
pub fn set_tag<T: Scalar, U: GpuType>(b: &Builder, whole: Place<U>, tag: T) {
    b.write(within::<T, U>(whole, 0), b.lit_scalar(tag));
}

/// Whether two enums have the same tag.
pub fn same_tag<T: Scalar, U: GpuType>(b: &Builder, left: Place<U>, right: Place<U>) -> Val<bool> {
    b.same(within::<T, U>(left, 0), within::<T, U>(right, 0))
}

/// Whether `then` holds, or there is no need for it.
pub fn implies(b: &Builder, when: Val<bool>, then: Val<bool>) -> Val<bool> {
    b.bitor(b.not(when), then)
}

macro_rules! tuple {
    ($count:literal: $($name:ident $at:tt),*) => {
        impl<$($name: GpuType),*> GpuType for ($($name,)*) {
            const TYPE: Type = layout::fields(&[$($name::TYPE),*]).ty;
            type Fields = ($(Place<$name>,)*);

            fn fields(at: Addr) -> Self::Fields {
                let offsets = const { layout::fields::<$count>(&[$($name::TYPE),*]).offsets };
                ($(part(at, offsets[$at]),)*)
            }

            fn lower_const(self, b: &Builder) -> Val<Self> {
                let whole = b.slot::<Self>();
                $(b.write(whole.$at, self.$at.lower_const(b));)*
                take(whole)
            }

            fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
                b.all(&[$(self.$at.matches(b, place.$at)),*])
            }

            fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
                b.all(&[$(b.same(left.$at, right.$at)),*])
            }
        }
    };
}

tuple!(1: A 0);
tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);
tuple!(5: A 0, B 1, C 2, D 3, E 4);
tuple!(6: A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// What `Option` and `Result` have in common: they hold the value that one asked for, or they do not.
pub trait Carrier: GpuType {
    /// The value that one asked for.
    type Value: GpuType;
    /// What `unwrap` says if it is not there.
    const ABSENT: &'static str;
    /// Whether it is there.
    fn present(b: &Builder, place: Place<Self>) -> Val<bool>;
    /// Where it would be.
    fn value(place: Place<Self>) -> Place<Self::Value>;
}

/// The variants of `Option`, as the derive has them for enums of users.
#[derive(Debug)]
pub struct OptionTwin;

/// The variants of `Result`, as the derive has them for enums of users.
#[derive(Debug)]
pub struct ResultTwin;

const fn tagged(value: Type) -> layout::Fields<2> {
    layout::fields(&[u8::TYPE, value])
}

#[allow(non_snake_case, clippy::must_use_candidate)]
impl OptionTwin {
    pub fn __data_is_Some<T: GpuType>(b: &Builder, at: Place<Option<T>>) -> Val<bool> {
        b.not(Self::__data_is_None(b, at))
    }

    pub fn __data_is_None<T: GpuType>(b: &Builder, at: Place<Option<T>>) -> Val<bool> {
        has_tag(b, at, 0u8)
    }

    pub fn __data_as_Some<T: GpuType>(at: Place<Option<T>>) -> (Place<T>,) {
        (within(at, tagged(T::TYPE).offsets[1]),)
    }

    pub fn __data_new_Some<T: GpuType>(b: &Builder, at: Place<Option<T>>) -> (Place<T>,) {
        set_tag(b, at, 1u8);
        Self::__data_as_Some(at)
    }
}

#[allow(non_snake_case, clippy::must_use_candidate)]
impl ResultTwin {
    pub fn __data_is_Ok<T: GpuType, E: GpuType>(b: &Builder, at: Place<Result<T, E>>) -> Val<bool> {
        has_tag(b, at, 0u8)
    }

    pub fn __data_as_Ok<T: GpuType, E: GpuType>(at: Place<Result<T, E>>) -> (Place<T>,) {
        (within(at, tagged(T::TYPE).offsets[1]),)
    }

    pub fn __data_new_Ok<T: GpuType, E: GpuType>(b: &Builder, at: Place<Result<T, E>>) -> (Place<T>,) {
        set_tag(b, at, 0u8);
        Self::__data_as_Ok(at)
    }

    pub fn __data_is_Err<T: GpuType, E: GpuType>(b: &Builder, at: Place<Result<T, E>>) -> Val<bool> {
        b.not(Self::__data_is_Ok(b, at))
    }

    pub fn __data_as_Err<T: GpuType, E: GpuType>(at: Place<Result<T, E>>) -> (Place<E>,) {
        (within(at, tagged(E::TYPE).offsets[1]),)
    }

    pub fn __data_new_Err<T: GpuType, E: GpuType>(b: &Builder, at: Place<Result<T, E>>) -> (Place<E>,) {
        set_tag(b, at, 1u8);
        Self::__data_as_Err(at)
    }
}

impl<T: GpuType> GpuType for Option<T> {
    const TYPE: Type = layout::either(&[u8::TYPE, tagged(T::TYPE).ty]);
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &Builder) -> Val<Self> {
        let whole = b.slot::<Self>();
        match self {
            None => set_tag(b, whole, 0u8),
            Some(value) => {
                let value = value.lower_const(b);
                b.write(OptionTwin::__data_new_Some(b, whole).0, value);
            }
        }
        take(whole)
    }

    fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
        match self {
            None => OptionTwin::__data_is_None(b, place),
            Some(value) => {
                let some = OptionTwin::__data_is_Some(b, place);
                b.bitand(some, value.matches(b, OptionTwin::__data_as_Some(place).0))
            }
        }
    }

    fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        let (p, q) = (OptionTwin::__data_as_Some(left).0, OptionTwin::__data_as_Some(right).0);
        let absent = OptionTwin::__data_is_None(b, left);
        b.bitand(same_tag::<u8, _>(b, left, right), b.bitor(absent, b.same(p, q)))
    }
}

impl<T: GpuData> GpuData for Option<T> {
    fn encode(&self, out: &mut [u8]) {
        out.fill(0);
        if let Some(value) = self {
            put(&1u8, out, 0);
            put(value, out, tagged(T::TYPE).offsets[1]);
        }
    }

    fn decode(bytes: &[u8]) -> Self {
        (variant(&[0u8, 1], bytes) == 1).then(|| get(bytes, tagged(T::TYPE).offsets[1]))
    }

    fn canonical_nan(bytes: &mut [u8]) {
        if variant(&[0u8, 1], bytes) == 1 {
            nan::<T>(bytes, tagged(T::TYPE).offsets[1]);
        }
    }
}

impl<T: GpuType> Carrier for Option<T> {
    type Value = T;
    const ABSENT: &'static str = "called `Option::unwrap()` on a `None` value";

    fn present(b: &Builder, place: Place<Self>) -> Val<bool> {
        OptionTwin::__data_is_Some(b, place)
    }

    fn value(place: Place<Self>) -> Place<T> {
        OptionTwin::__data_as_Some(place).0
    }
}

impl<T: GpuType, E: GpuType> GpuType for Result<T, E> {
    const TYPE: Type = layout::either(&[tagged(T::TYPE).ty, tagged(E::TYPE).ty]);
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &Builder) -> Val<Self> {
        let whole = b.slot::<Self>();
        match self {
            Ok(value) => {
                let value = value.lower_const(b);
                b.write(ResultTwin::__data_new_Ok(b, whole).0, value);
            }
            Err(error) => {
                let error = error.lower_const(b);
                b.write(ResultTwin::__data_new_Err(b, whole).0, error);
            }
        }
        take(whole)
    }

    fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
        let (variant, value) = match self {
            Ok(value) => {
                let part = ResultTwin::__data_as_Ok(place).0;
                (ResultTwin::__data_is_Ok(b, place), value.matches(b, part))
            }
            Err(error) => {
                let part = ResultTwin::__data_as_Err(place).0;
                (ResultTwin::__data_is_Err(b, place), error.matches(b, part))
            }
        };
        b.bitand(variant, value)
    }

    fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        let ok = ResultTwin::__data_is_Ok(b, left);
        let values = b.same(ResultTwin::__data_as_Ok(left).0, ResultTwin::__data_as_Ok(right).0);
        let errors = b.same(ResultTwin::__data_as_Err(left).0, ResultTwin::__data_as_Err(right).0);
        let parts = b.bitand(implies(b, ok, values), b.bitor(ok, errors));
        b.bitand(same_tag::<u8, _>(b, left, right), parts)
    }
}

impl<T: GpuData, E: GpuData> GpuData for Result<T, E> {
    fn encode(&self, out: &mut [u8]) {
        out.fill(0);
        match self {
            Ok(value) => put(value, out, tagged(T::TYPE).offsets[1]),
            Err(error) => {
                put(&1u8, out, 0);
                put(error, out, tagged(E::TYPE).offsets[1]);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Self {
        if variant(&[0u8, 1], bytes) == 0 {
            Ok(get(bytes, tagged(T::TYPE).offsets[1]))
        } else {
            Err(get(bytes, tagged(E::TYPE).offsets[1]))
        }
    }

    fn canonical_nan(bytes: &mut [u8]) {
        if variant(&[0u8, 1], bytes) == 0 {
            nan::<T>(bytes, tagged(T::TYPE).offsets[1]);
        } else {
            nan::<E>(bytes, tagged(E::TYPE).offsets[1]);
        }
    }
}

impl<T: GpuType, E: GpuType> Carrier for Result<T, E> {
    type Value = T;
    const ABSENT: &'static str = "called `Result::unwrap()` on an `Err` value";

    fn present(b: &Builder, place: Place<Self>) -> Val<bool> {
        ResultTwin::__data_is_Ok(b, place)
    }

    fn value(place: Place<Self>) -> Place<T> {
        ResultTwin::__data_as_Ok(place).0
    }
}
