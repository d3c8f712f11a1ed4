//! One name for both float types.

use super::{f32 as single, f64 as double};
use crate::{builder::Builder, lang::Val, num::Float};

/// The functions of one float type, and beside each its device twin.
#[allow(missing_docs)]
pub trait Functions: Copy + 'static {
    fn exp(x: Self) -> Self;
    fn gpu_exp(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn exp2(x: Self) -> Self;
    fn gpu_exp2(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn ln(x: Self) -> Self;
    fn gpu_ln(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn log2(x: Self) -> Self;
    fn gpu_log2(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn sin(x: Self) -> Self;
    fn gpu_sin(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn cos(x: Self) -> Self;
    fn gpu_cos(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn tanh(x: Self) -> Self;
    fn gpu_tanh(b: &Builder, x: Val<Self>) -> Val<Self>;
    fn powf(x: Self, y: Self) -> Self;
    fn gpu_powf(b: &Builder, x: Val<Self>, y: Val<Self>) -> Val<Self>;
}

/// Hands the functions over to those of the type's module.
macro_rules! functions {
    ($ty:ident, $module:ident, [$($name:ident $gpu:ident($($arg:ident),*);)*]) => {
        impl Functions for $ty {
            $(
                fn $name($($arg: Self),*) -> Self {
                    $module::$name($($arg),*)
                }

                fn $gpu(b: &Builder $(, $arg: Val<Self>)*) -> Val<Self> {
                    $module::$name::__gpu(b $(, $arg)*)
                }
            )*
        }
    };
    ($($list:tt)*) => {
        functions!(f32, single, [$($list)*]);
        functions!(f64, double, [$($list)*]);
    };
}

functions! {
    exp gpu_exp(x);
    exp2 gpu_exp2(x);
    ln gpu_ln(x);
    log2 gpu_log2(x);
    sin gpu_sin(x);
    cos gpu_cos(x);
    tanh gpu_tanh(x);
    powf gpu_powf(x, y);
}

/// The functions that users call: natively the trait's, on the device its twin.
macro_rules! fronts {
    ($($(#[$doc:meta])* $name:ident $gpu:ident($($arg:ident),*);)*) => {$(
        $(#[$doc])*
        pub fn $name<T: Float>($($arg: T),*) -> T {
            <T as Functions>::$name($($arg),*)
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        pub enum $name {}

        impl $name {
            #[doc(hidden)]
            pub fn __gpu<T: Float>(b: &Builder $(, $arg: Val<T>)*) -> Val<T> {
                <T as Functions>::$gpu(b $(, $arg)*)
            }
        }
    )*};
}

fronts! {
    /// e to the power of `x`. See [`f32::exp`](fn@super::f32::exp) and [`f64::exp`](fn@super::f64::exp).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::exp(0.0f32), 1.0);
    /// ```
    exp gpu_exp(x);
    /// 2 to the power of `x`. See [`f32::exp2`](fn@super::f32::exp2) and [`f64::exp2`](fn@super::f64::exp2).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::exp2(3.0f64), 8.0);
    /// ```
    exp2 gpu_exp2(x);
    /// The natural logarithm. See [`f32::ln`](fn@super::f32::ln) and [`f64::ln`](fn@super::f64::ln).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::ln(1.0f64), 0.0);
    /// ```
    ln gpu_ln(x);
    /// The logarithm to base 2. See [`f32::log2`](fn@super::f32::log2) and [`f64::log2`](fn@super::f64::log2).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::log2(8.0f32), 3.0);
    /// ```
    log2 gpu_log2(x);
    /// The sine of an angle in radians. See [`f32::sin`](fn@super::f32::sin) and [`f64::sin`](fn@super::f64::sin).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::sin(0.0f32), 0.0);
    /// ```
    sin gpu_sin(x);
    /// The cosine of an angle in radians. See [`f32::cos`](fn@super::f32::cos) and [`f64::cos`](fn@super::f64::cos).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::cos(0.0f64), 1.0);
    /// ```
    cos gpu_cos(x);
    /// The hyperbolic tangent. See [`f32::tanh`](fn@super::f32::tanh) and [`f64::tanh`](fn@super::f64::tanh).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::tanh(30.0f64), 1.0);
    /// ```
    tanh gpu_tanh(x);
    /// `x` to the power of `y`. See [`f32::powf`](fn@super::f32::powf) and [`f64::powf`](fn@super::f64::powf).
    ///
    /// ```
    /// assert_eq!(kernels_ptx::math::powf(2.0f32, 3.0), 8.0);
    /// ```
    powf gpu_powf(x, y);
}
