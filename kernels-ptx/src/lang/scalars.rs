//! Which Rust types are in the language: the implementations of the traits.

use super::{
    Addr, Bits, Float, GpuData, GpuType, Int, Num, Place, Primitive, Remainder, Scalar, SignedInt, SignedNum,
    Val,
    layout::{self, Size},
};
use crate::{
    builder::{Builder, element, take},
    ir::{ScalarType, Type},
};

macro_rules! scalar {
    ($($rust:ty => $ir:ident, |$value:ident| $word:expr;)*) => {$(
        impl GpuType for $rust {
            const TYPE: Type = Type::Scalar(ScalarType::$ir);
            type Fields = ();
            fn fields(_: Addr) {}
            fn lower_const(self, b: &Builder) -> Val<Self> {
                b.lit_scalar(self)
            }
            fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
                b.eq(b.read(place), b.lit_scalar(self))
            }
            fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
                b.eq(b.read(left), b.read(right))
            }
        }
        impl Scalar for $rust {
            const SCALAR: ScalarType = ScalarType::$ir;
            fn to_word(self) -> u64 {
                let $value = self;
                $word
            }
        }
    )*};
}

scalar! {
    bool => Bool, |v| v as u64;
    i8 => I8, |v| v as u8 as u64;
    i16 => I16, |v| v as u16 as u64;
    i32 => I32, |v| v as u32 as u64;
    i64 => I64, |v| v as u64;
    isize => I64, |v| v as u64;
    u8 => U8, |v| v as u64;
    u16 => U16, |v| v as u64;
    u32 => U32, |v| v as u64;
    u64 => U64, |v| v;
    usize => U64, |v| v as u64;
    f32 => F32, |v| v.to_bits() as u64;
    f64 => F64, |v| v.to_bits();
}

macro_rules! mark {
    ($name:ident: $($rust:ty),*) => { $(impl $name for $rust {})* };
}

mark!(Primitive: bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);
mark!(Num: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);
mark!(Remainder: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
mark!(Bits: bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
mark!(SignedNum: i8, i16, i32, i64, isize, f32, f64);
mark!(SignedInt: i8, i16, i32, i64, isize);

macro_rules! int {
    ($($rust:ty => $unsigned:ty),*) => { $(impl Int for $rust { type Unsigned = $unsigned; })* };
}

int!(
    i8 => u8, i16 => u16, i32 => u32, i64 => u64, isize => usize,
    u8 => u8, u16 => u16, u32 => u32, u64 => u64, usize => usize
);

impl Float for f32 {
    type Word = u32;
}

impl Float for f64 {
    type Word = u64;
}

/// The first `N` bytes; shorter input reads as if zeroes followed, so that decoding never panics.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0))
}

fn put(out: &mut [u8], bytes: &[u8]) {
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
}

macro_rules! data {
    ($($rust:ty),*) => {$(
        impl GpuData for $rust {
            fn encode(&self, out: &mut [u8]) {
                put(out, &self.to_le_bytes());
            }
            fn decode(bytes: &[u8]) -> Self {
                Self::from_le_bytes(first(bytes))
            }
        }
    )*};
}

data!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! float_data {
    ($($rust:ty),*) => {$(
        impl GpuData for $rust {
            fn encode(&self, out: &mut [u8]) {
                put(out, &self.to_le_bytes());
            }
            fn decode(bytes: &[u8]) -> Self {
                Self::from_le_bytes(first(bytes))
            }
            fn canonical_nan(bytes: &mut [u8]) {
                if Self::decode(bytes).is_nan() {
                    Self::NAN.encode(bytes);
                }
            }
        }
    )*};
}

float_data!(f32, f64);

impl GpuData for bool {
    fn encode(&self, out: &mut [u8]) {
        put(out, &[u8::from(*self)]);
    }

    fn decode(bytes: &[u8]) -> Self {
        let [byte] = first(bytes);
        byte & 1 != 0
    }
}

impl GpuType for () {
    const TYPE: Type = Type::bytes_of::<()>();
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &Builder) -> Val<Self> {
        b.unit()
    }

    fn matches(self, b: &Builder, _: Place<Self>) -> Val<bool> {
        b.all(&[])
    }

    fn equal(b: &Builder, _: Place<Self>, _: Place<Self>) -> Val<bool> {
        b.all(&[])
    }
}

impl GpuData for () {
    fn encode(&self, _: &mut [u8]) {}

    fn decode(_: &[u8]) -> Self {}
}

impl<T: GpuType, const N: usize> GpuType for [T; N] {
    const TYPE: Type = layout::array(T::TYPE, N);
    type Fields = ();

    fn fields(_: Addr) {}

    fn lower_const(self, b: &Builder) -> Val<Self> {
        let place = b.slot::<Self>();
        for (i, x) in self.into_iter().enumerate() {
            b.write(element(place, i), x.lower_const(b));
        }
        take(place)
    }

    fn matches(self, b: &Builder, place: Place<Self>) -> Val<bool> {
        let tests = self.into_iter().enumerate().map(|(i, x)| x.matches(b, element(place, i)));
        b.all(&tests.collect::<Vec<_>>())
    }

    fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        let tests = (0..N).map(|i| b.same(element(left, i), element(right, i)));
        b.all(&tests.collect::<Vec<_>>())
    }
}

impl<T: GpuData, const N: usize> GpuData for [T; N] {
    fn encode(&self, out: &mut [u8]) {
        if Size::<T>::OF > 0 {
            for (element, to) in self.iter().zip(out.chunks_mut(Size::<T>::OF)) {
                element.encode(to);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Self {
        let size = Size::<T>::OF;
        std::array::from_fn(|i| T::decode(bytes.get(i * size..(i + 1) * size).unwrap_or(&[])))
    }

    fn canonical_nan(bytes: &mut [u8]) {
        if Size::<T>::OF > 0 {
            bytes.chunks_mut(Size::<T>::OF).take(N).for_each(T::canonical_nan);
        }
    }
}
