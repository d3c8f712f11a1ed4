//! The functions of `f32`: computed in `f64`, rounded once.
//!
//! ```
//! use kernels_ptx::math;
//!
//! assert_eq!(math::f32::exp(1.0), std::f32::consts::E);
//! assert_eq!(math::f32::powf(2.0, 0.5), 2.0f32.sqrt());
//! ```

use super::exact::{ROUNDER, binade, mantissa, power_of_two, rounded, window};
use gpu_actor_macros::gpu_fn;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, LN_2, LOG2_E};

/// e^r - 1 for `r` of at most half of ln 2 in size, to 2^-45.
#[gpu_fn]
fn exp_less_one(r: f64) -> f64 {
    let rr = r * r;
    let even = 0.041666666814816504 + rr * (0.0013888830529885756 + rr * 2.487290613016991e-5);
    let odd = 0.16666666666601632
        + rr * (0.008333333377193924 + rr * (0.00019841175301708806 + rr * 2.7639493794177134e-6));
    r + rr * (0.5 + r * (odd + r * even))
}

/// 2^x for an `x` from -1000 to 1000.
#[gpu_fn]
fn exp2_of(x: f64) -> f64 {
    let sum = x + ROUNDER;
    let r = (x - (sum - ROUNDER)) * LN_2;
    (1.0 + exp_less_one(r)) * power_of_two(rounded(sum))
}

/// The logarithm to base e of the part of a positive, normal `x` that is no power of two, to 2^-51 of it.
#[gpu_fn]
fn ln_of_mantissa(x: f64, k: i64) -> f64 {
    let f = mantissa(x, k) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let zz = z * z;
    let even = 0.6666666666658672 + zz * (0.2857141708242252 + zz * 0.18123520713530755);
    let odd = 0.4000000005254381 + zz * (0.22223375266408038 + zz * 0.16821351163075093);
    2.0 * s + s * (z * (even + z * odd))
}

/// e to the power of `x`. Error below 0.501 ULP.
///
/// `exp(-∞)` is 0, `exp(∞)` is ∞.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::exp(0.0), 1.0);
/// assert_eq!(kernels_ptx::math::f32::exp(-200.0), 0.0);
/// ```
#[gpu_fn]
pub fn exp(x: f32) -> f32 {
    if x > 89.0 {
        f32::INFINITY
    } else if x < -104.0 {
        0.0
    } else {
        let x = x as f64;
        let sum = x * LOG2_E + ROUNDER;
        let r = x - (sum - ROUNDER) * LN_2;
        ((1.0 + exp_less_one(r)) * power_of_two(rounded(sum))) as f32
    }
}

/// 2 to the power of `x`. Error below 0.501 ULP; exact for integers.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::exp2(-3.0), 0.125);
/// ```
#[gpu_fn]
pub fn exp2(x: f32) -> f32 {
    if x > 129.0 {
        f32::INFINITY
    } else if x < -151.0 {
        0.0
    } else {
        exp2_of(x as f64) as f32
    }
}

/// What a logarithm is of numbers that are not finite and positive: NaN below zero, -∞ at zero.
#[gpu_fn]
fn log_of_special(x: f32) -> f32 {
    if x == 0.0 {
        f32::NEG_INFINITY
    } else if x < 0.0 {
        f32::NAN
    } else {
        x
    }
}

/// The natural logarithm. Error below 0.501 ULP.
///
/// `ln(±0)` is -∞, of negative numbers NaN.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::ln(1.0), 0.0);
/// assert_eq!(kernels_ptx::math::f32::ln(0.0), f32::NEG_INFINITY);
/// ```
#[gpu_fn]
pub fn ln(x: f32) -> f32 {
    if !(x > 0.0 && x < f32::INFINITY) {
        return log_of_special(x);
    }
    let x = x as f64;
    let k = binade(x);
    (k as f64 * LN_2 + ln_of_mantissa(x, k)) as f32
}

/// The logarithm to base 2. Error below 0.501 ULP; exact for powers of two.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::log2(0.125), -3.0);
/// ```
#[gpu_fn]
pub fn log2(x: f32) -> f32 {
    if !(x > 0.0 && x < f32::INFINITY) {
        return log_of_special(x);
    }
    let x = x as f64;
    let k = binade(x);
    (k as f64 + ln_of_mantissa(x, k) * LOG2_E) as f32
}

/// `x` to the power of `y`. Error below 0.501 ULP.
///
/// The special cases are those of C99's `pow`: `powf(x, 0)` and `powf(1, y)` are 1 even for NaN, a negative `x` needs an integer
/// `y`, and its sign is kept for odd ones.
///
/// ```
/// use kernels_ptx::math::f32::powf;
///
/// assert_eq!(powf(-2.0, 3.0), -8.0);
/// assert_eq!(powf(0.0, -1.0), f32::INFINITY);
/// assert!(powf(-2.0, 0.5).is_nan());
/// ```
#[gpu_fn]
pub fn powf(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f32::NAN;
    }
    let base = x.abs();
    let times = y.abs();
    if times == f32::INFINITY {
        if base == 1.0 {
            return 1.0;
        }
        return if (base > 1.0) == (y > 0.0) { f32::INFINITY } else { 0.0 };
    }
    let whole = times.trunc() == times;
    // From 2^24 on all are even.
    let odd = whole && times < 16777216.0 && (times as u32) & 1 == 1;
    let sign = if odd && x.is_sign_negative() { -1.0 } else { 1.0 };
    if base == 0.0 || base == f32::INFINITY {
        return if (base == 0.0) == (y < 0.0) { sign * f32::INFINITY } else { sign * 0.0 };
    }
    if x < 0.0 && !whole {
        return f32::NAN;
    }
    let base = base as f64;
    let k = binade(base);
    let exponent = y as f64 * (k as f64 + ln_of_mantissa(base, k) * LOG2_E);
    // Beyond these it is ∞ or 0 anyway.
    sign * (exp2_of(exponent.clamp(-200.0, 200.0)) as f32)
}

/// The hyperbolic tangent. Error below 0.501 ULP.
///
/// ```
/// use kernels_ptx::math::f32::tanh;
///
/// assert_eq!(tanh(-0.0).to_bits(), (-0.0f32).to_bits());
/// assert_eq!(tanh(20.0), 1.0);
/// ```
#[gpu_fn]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    if size < 0.0001 {
        // x - x³/3 rounds to x.
        return x;
    }
    if size > 10.0 {
        return 1.0f32.copysign(x);
    }
    // With e^2|x| = 2^k (1 + p) and c = 2^-k it is (1 - c + p)/(1 + c + p).
    let double = 2.0 * size as f64;
    let sum = double * LOG2_E + ROUNDER;
    let p = exp_less_one(double - (sum - ROUNDER) * LN_2);
    let c = power_of_two(rounded(sum).wrapping_neg());
    ((((1.0 - c) + p) / ((1.0 + c) + p)) as f32).copysign(x)
}

// π/2 in two parts; of the first the last 20 bits are zero, so that its product with 20 bits is exact.
const HALF_PI_HIGH: f64 = 1.5707963267341256;
const HALF_PI_LOW: f64 = 6.077100506506192e-11;

// The first 256 bits of 2/π, after 64 zeros that let every window begin inside.
const TURN_1: u64 = 0xa2f9836e4e441529;
const TURN_2: u64 = 0xfc2757d1f534ddc0;
const TURN_3: u64 = 0xdb6295993c439041;
const TURN_4: u64 = 0xfe5163abdebbc561;

/// The sine of `x` plus so many quarter turns.
#[gpu_fn]
fn sine(x: f32, turned: u32) -> f32 {
    let size = x.abs();
    if size < 0.0001 {
        // x - x³/6 and 1 - x²/2 round to these.
        return if turned == 0 { x } else { 1.0 };
    }
    if !size.is_finite() {
        return f32::NAN;
    }
    // x = quarters * π/2 + r.
    let quarters;
    let r;
    if size < 1048576.0 {
        let x = x as f64;
        let sum = x * FRAC_2_PI + ROUNDER;
        let k = sum - ROUNDER;
        quarters = rounded(sum) as u32;
        r = (x - k * HALF_PI_HIGH) - k * HALF_PI_LOW;
    } else {
        // Payne and Hanek's method, as in `angle`, in 96 bits.
        let bits = size.to_bits();
        let whole = (bits & 0x7fffff | 0x800000) as u64;
        let first = bits.wrapping_shr(23).wrapping_sub(88);
        let shift = first & 63;
        let word = first.wrapping_shr(6);
        let a = if word == 0 {
            0
        } else if word == 1 {
            TURN_1
        } else {
            TURN_2
        };
        let b = if word == 0 {
            TURN_1
        } else if word == 1 {
            TURN_2
        } else {
            TURN_3
        };
        let c = if word == 0 {
            TURN_2
        } else if word == 1 {
            TURN_3
        } else {
            TURN_4
        };
        let low = whole.wrapping_mul(window(b, c, shift).wrapping_shr(32));
        let high = whole.wrapping_mul(window(a, b, shift)).wrapping_add(low.wrapping_shr(32));
        // To the nearest quarter turn: as a signed number, what follows the two whole bits is the distance to it.
        let part = high.wrapping_shl(2) | (low & 0xffffffff).wrapping_shr(30);
        let rest = (low & 0x3fffffff) as f64 * 9.313225746154785e-10;
        let turn = (part as i64 as f64 + rest) * 5.421010862427522e-20;
        let turns = high.wrapping_shr(62).wrapping_add(part.wrapping_shr(63)) as u32;
        quarters = if x < 0.0 { turns.wrapping_neg() } else { turns };
        r = if x < 0.0 { -turn } else { turn } * FRAC_PI_2;
    }
    let quarters = quarters.wrapping_add(turned);
    let z = r * r;
    let value = if quarters & 1 == 0 {
        // sin r, to 2^-47.
        let rest = 0.008333333325245346
            + z * (-0.0001984126380807477 + z * (2.7555354501099247e-6 + z * -2.4761410555826184e-8));
        r + z * r * (-0.1666666666663145 + z * rest)
    } else {
        // cos r, to 2^-53.
        let rest = -0.0013888888878231694
            + z * (2.4801580952637503e-5 + z * (-2.755556362540084e-7 + z * 2.0647509359640435e-9));
        1.0 - 0.5 * z + z * z * (0.04166666666660193 + z * rest)
    };
    (if quarters & 2 == 0 { value } else { -value }) as f32
}

/// The sine of an angle in radians, however large. Error below 0.501 ULP.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::sin(0.5), 0.47942555);
/// assert!(kernels_ptx::math::f32::sin(f32::INFINITY).is_nan());
/// ```
#[gpu_fn]
pub fn sin(x: f32) -> f32 {
    sine(x, 0)
}

/// The cosine of an angle in radians, however large. Error below 0.501 ULP.
///
/// ```
/// assert_eq!(kernels_ptx::math::f32::cos(0.0), 1.0);
/// ```
#[gpu_fn]
pub fn cos(x: f32) -> f32 {
    sine(x, 1)
}
