//! Transcendental functions that give the same bits everywhere.
//!
//! The standard library's `exp`, `sin` and their like are those of the platform: their last bits differ between C libraries,
//! and between a CPU and a GPU. The functions here are written in the handler language, from additions, multiplications,
//! divisions and integer operations that IEEE 754 defines to the last bit. One source is the native twin and the device twin,
//! so both give equal results (a NaN is equal to a NaN; which one it is, is not defined).
//!
//! Rules kept here: no operation can fault, no loop costs budget, nothing fuses except where `mul_add` is written; special
//! values are those of C99, Annex F. What the error bounds say is measured by the tests of this crate, and by
//! `cargo run --release -p kernels-ptx --example math_error`.
//!
//! The functions of this module take both float types and are those of [`mod@f32`] and [`mod@f64`].
//!
//! | function | error of [`mod@f32`], at most | error of [`mod@f64`], at most |
//! |---|---|---|
//! | `exp` | 0.501 ULP | 0.8 ULP |
//! | `exp2` | 0.501 ULP | 0.8 ULP |
//! | `ln` | 0.501 ULP | 0.9 ULP |
//! | `log2` | 0.501 ULP | 0.9 ULP |
//! | `sin`, `cos` | 0.501 ULP | 0.9 ULP |
//! | `tanh` | 0.501 ULP | 0.9 ULP |
//! | `powf` | 0.501 ULP | 0.9 ULP |
//!
//! An ULP is the distance of the two floats around the exact result; 0.5 would be always correctly rounded.
//!
//! The functions of [`mod@f32`] compute in `f64` and round once. That makes them short and nearly always correctly rounded.
//! On devices whose `f64` units are few (consumer GPUs have one for 64 of `f32`) they run at the speed of those; a handler
//! waits for its message longer than that.
//!
//! Sources of the methods: argument reduction by Cody and Waite, "Software Manual for the Elementary Functions" (1980), and
//! for huge angles by Payne and Hanek, "Radian reduction for trigonometric functions" (1983); error-free sums and products by
//! Dekker (1971) and Knuth (TAOCP 2, 4.2.2); the logarithm as an inverse hyperbolic tangent, and the rest, as in Muller,
//! "Elementary Functions" (2016). Polynomials are minimax approximations, found with Remez' algorithm.

#![expect(clippy::float_cmp, reason = "special cases are exact")]
#![expect(clippy::unreadable_literal, reason = "the digits of a coefficient are no number to read")]

mod angle;
mod exact;
pub mod f32;
pub mod f64;
mod generic;

pub(crate) use generic::Functions;
pub use generic::{cos, exp, exp2, ln, log2, powf, sin, tanh};
