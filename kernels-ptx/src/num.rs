//! What generic device functions can ask of a number type.
//!
//! A function marked `#[gpu_fn]` may be generic over these traits. Natively they are the operators and methods of the standard
//! library; each of them is also the trait by which the device knows the type, so that one bound serves both twins.
//!
//! | trait | types | what they have |
//! |---|---|---|
//! | [`Number`] | all | `+ - * /`, comparison, `min`, `max`, `clamp`, `ZERO`, `ONE`, `MIN`, `MAX` |
//! | [`Integer`] | integers | `% & \| ^ !`, shifts, wrapping, saturating and checked arithmetic, `pow`, bits |
//! | [`SignedNumber`] | signed integers, floats | `-x`, `abs`, `signum` |
//! | [`Float`] | `f32`, `f64` | `sqrt`, `mul_add`, rounding, `copysign`, classes |
//!
//! ```
//! use kernels_ptx::num::Number;
//!
//! fn sum<T: Number, const N: usize>(list: [T; N]) -> T {
//!     let mut sum = T::ZERO;
//!     for x in list {
//!         sum += x;
//!     }
//!     sum
//! }
//!
//! assert_eq!(sum([1u8, 2, 3]), 6);
//! assert_eq!(sum([0.5f32; 4]), 2.0);
//! ```

use std::fmt::Debug;
use std::ops::{
    Add, AddAssign, BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Div, DivAssign, Mul,
    MulAssign, Neg, Not, Rem, RemAssign, Shl, ShlAssign, Shr, ShrAssign, Sub, SubAssign,
};

use crate::lang;

/// A type with arithmetic: integers of 8 to 64 bits, `usize`, `isize`, `f32`, `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number of the GPU",
    label = "expected an integer or a float"
)]
pub trait Number:
    lang::Num
    + methods::Number
    + Debug
    + Default
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// The least value; of floats the least finite one.
    const MIN: Self;
    /// The greatest value; of floats the greatest finite one.
    const MAX: Self;
}

/// An integer type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an integer of the GPU",
    label = "expected an integer"
)]
pub trait Integer:
    Number
    + lang::Int
    + methods::Integer
    + Eq
    + Rem<Output = Self>
    + RemAssign
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + BitAndAssign
    + BitOrAssign
    + BitXorAssign
    + ShlAssign<u32>
    + ShrAssign<u32>
{
    /// How many bits it has.
    const BITS: u32;
}

/// A number that can be negative: signed integers and floats.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no sign on the GPU",
    label = "expected a signed integer or a float"
)]
pub trait SignedNumber: Number + lang::SignedNum + methods::Signed + Neg<Output = Self> {}

/// `f32` or `f64`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a float of the GPU", label = "expected f32 or f64")]
pub trait Float: SignedNumber + lang::Float + methods::Float + crate::math::Functions {}

/// Declares a trait of methods and hands each of them over to the standard library's.
macro_rules! methods {
    ($name:ident for $types:tt $methods:tt) => {
        methods!(@declare $name $methods);
        methods!(@each $name $types $methods);
    };
    (@declare $name:ident { $($method:ident($($arg:ident: $ty:ty),*) -> $result:ty;)* }) => {
        #[allow(missing_docs, clippy::return_self_not_must_use, clippy::must_use_candidate, clippy::wrong_self_convention)]
        pub trait $name: Sized {
            $(
                #[track_caller]
                fn $method(self $(, $arg: $ty)*) -> $result;
            )*
        }
    };
    (@each $name:ident ($($rust:ident),*) $methods:tt) => {
        $(methods!(@one $name $rust, $methods);)*
    };
    (@one $name:ident $rust:ident, { $($method:ident($($arg:ident: $ty:ty),*) -> $result:ty;)* }) => {
        impl $name for $rust {
            $(
                #[inline]
                fn $method(self $(, $arg: $ty)*) -> $result {
                    methods!(@call $rust, $method, self $(, $arg)*)
                }
            )*
        }
    };
    // `Self::method` would be the trait's own: the three that are no inherent methods of integers are those of `Ord`.
    (@call f32, $method:ident, $($arg:expr),*) => { f32::$method($($arg),*) };
    (@call f64, $method:ident, $($arg:expr),*) => { f64::$method($($arg),*) };
    (@call $rust:ident, min, $($arg:expr),*) => { Ord::min($($arg),*) };
    (@call $rust:ident, max, $($arg:expr),*) => { Ord::max($($arg),*) };
    (@call $rust:ident, clamp, $($arg:expr),*) => { Ord::clamp($($arg),*) };
    (@call $rust:ident, $method:ident, $($arg:expr),*) => { <$rust>::$method($($arg),*) };
}

/// The methods of the traits, each that of the standard library of this name. They are supertraits that nobody imports:
/// with these in scope `1u32.max(2)` would be ambiguous.
#[doc(hidden)]
pub mod methods {
    methods!(Number for (i8, i16, i32, i64, isize, u8, u16, u32, u64, usize) {
        min(other: Self) -> Self;
        max(other: Self) -> Self;
        clamp(low: Self, high: Self) -> Self;
    });
    methods!(@each Number (f32, f64) {
        min(other: Self) -> Self;
        max(other: Self) -> Self;
        clamp(low: Self, high: Self) -> Self;
    });

    methods!(Integer for (i8, i16, i32, i64, isize, u8, u16, u32, u64, usize) {
        count_ones() -> u32;
        count_zeros() -> u32;
        leading_ones() -> u32;
        leading_zeros() -> u32;
        trailing_ones() -> u32;
        trailing_zeros() -> u32;
        rotate_left(by: u32) -> Self;
        rotate_right(by: u32) -> Self;
        swap_bytes() -> Self;
        reverse_bits() -> Self;
        pow(exponent: u32) -> Self;
        rem_euclid(by: Self) -> Self;
        div_euclid(by: Self) -> Self;
        wrapping_add(other: Self) -> Self;
        wrapping_sub(other: Self) -> Self;
        wrapping_mul(other: Self) -> Self;
        wrapping_neg() -> Self;
        wrapping_shl(by: u32) -> Self;
        wrapping_shr(by: u32) -> Self;
        wrapping_pow(exponent: u32) -> Self;
        saturating_add(other: Self) -> Self;
        saturating_sub(other: Self) -> Self;
        saturating_mul(other: Self) -> Self;
        saturating_pow(exponent: u32) -> Self;
        checked_add(other: Self) -> Option<Self>;
        checked_sub(other: Self) -> Option<Self>;
        checked_mul(other: Self) -> Option<Self>;
        checked_div(by: Self) -> Option<Self>;
        checked_rem(by: Self) -> Option<Self>;
        checked_neg() -> Option<Self>;
        checked_pow(exponent: u32) -> Option<Self>;
        ilog2() -> u32;
        isqrt() -> Self;
    });

    methods!(Signed for (i8, i16, i32, i64, isize, f32, f64) {
        abs() -> Self;
        signum() -> Self;
    });

    methods!(Float for (f32, f64) {
        sqrt() -> Self;
        mul_add(by: Self, plus: Self) -> Self;
        recip() -> Self;
        floor() -> Self;
        ceil() -> Self;
        round() -> Self;
        round_ties_even() -> Self;
        trunc() -> Self;
        fract() -> Self;
        copysign(sign: Self) -> Self;
        is_nan() -> bool;
        is_finite() -> bool;
        is_infinite() -> bool;
        is_sign_negative() -> bool;
        is_sign_positive() -> bool;
    });
}

macro_rules! numbers {
    ($zero:literal, $one:literal: $($rust:ty),*) => {$(
        impl Number for $rust {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            const MIN: Self = <$rust>::MIN;
            const MAX: Self = <$rust>::MAX;
        }
    )*};
}

numbers!(0, 1: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
numbers!(0.0, 1.0: f32, f64);

macro_rules! integers {
    ($($rust:ty),*) => {$(
        impl Integer for $rust {
            const BITS: u32 = <$rust>::BITS;
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! signed {
    ($($rust:ty),*) => { $(impl SignedNumber for $rust {})* };
}

signed!(i8, i16, i32, i64, isize, f32, f64);

impl Float for f32 {}

impl Float for f64 {}
