//! The functions of `f64`.
//!
//! ```
//! use kernels_ptx::math;
//!
//! assert_eq!(math::f64::exp(1.0), std::f64::consts::E);
//! assert_eq!(math::f64::powf(2.0, 0.5), 2.0f64.sqrt());
//! ```

use super::angle::quarter_turns;
use super::exact::{ROUNDER, binade, mantissa, power_of_two, product_error, rounded, scale, sum_error};
use gpu_actor_macros::gpu_fn;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, LN_2, LOG2_E};

// ln 2 in two parts; of the first the last 11 bits are zero, so that its product with an exponent is exact.
const LN_2_HIGH: f64 = 0.6931471805598903;
const LN_2_LOW: f64 = 5.497923018708371e-14;
/// ln 2 less its nearest `f64`.
const LN_2_REST: f64 = 2.3190468138462996e-17;
/// 1/ln 2 less its nearest `f64`.
const LOG2_E_REST: f64 = 2.0355273740931033e-17;

/// 2 to the power of 54: makes a subnormal number normal.
const LIFT: f64 = 18014398509481984.0;

/// e^r - 1 - r for `r` of at most half of ln 2 in size: r²/2 and a polynomial of degree 12, to 2^-64.
#[gpu_fn]
fn exp_rest(r: f64) -> f64 {
    let rr = r * r;
    // Two chains side by side, even and odd.
    let even = 0.0416666666666667
        + rr * (0.0013888888888865195
            + rr * (2.480158736505022e-5 + rr * (2.755723871675602e-7 + rr * 2.092566823832431e-9)));
    let odd = 0.16666666666666682
        + rr * (0.008333333333316859
            + rr * (0.00019841269896820612 + rr * (2.755723443670642e-6 + rr * 2.5112179665277687e-8)));
    rr * (0.5 + r * (odd + r * even))
}

/// e^(x + low), for an `x` from -746 to 710 and a `low` that is small beside it.
#[gpu_fn]
fn exp_of_sum(x: f64, low: f64) -> f64 {
    let sum = x * LOG2_E + ROUNDER;
    let k = sum - ROUNDER;
    // Exact: the subtraction cancels.
    let high = x - k * LN_2_HIGH;
    let tail = k * LN_2_LOW - low;
    let r = high - tail;
    scaled_exp(r, (high - r) - tail, rounded(sum))
}

/// e^(r + low) * 2^n.
#[gpu_fn]
fn scaled_exp(r: f64, low: f64, n: i32) -> f64 {
    let one = 1.0 + r;
    let rest = r - (one - 1.0);
    scale(one + (rest + (low + exp_rest(r))), n)
}

/// e to the power of `x`. Error below 0.8 ULP.
///
/// `exp(-∞)` is 0, `exp(∞)` is ∞.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::exp(0.0), 1.0);
/// assert_eq!(kernels_ptx::math::f64::exp(-1000.0), 0.0);
/// ```
#[gpu_fn]
pub fn exp(x: f64) -> f64 {
    if x > 710.0 {
        f64::INFINITY
    } else if x < -746.0 {
        0.0
    } else {
        exp_of_sum(x, 0.0)
    }
}

/// 2 to the power of `x`. Error below 0.8 ULP; exact for integers.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::exp2(-3.0), 0.125);
/// ```
#[gpu_fn]
pub fn exp2(x: f64) -> f64 {
    if x > 1025.0 {
        f64::INFINITY
    } else if x < -1080.0 {
        0.0
    } else {
        let sum = x + ROUNDER;
        let part = x - (sum - ROUNDER);
        let r = part * LN_2;
        scaled_exp(r, product_error(part, LN_2, r) + part * LN_2_REST, rounded(sum))
    }
}

/// What is missing of 2 atanh(s) = ln((1 + s)/(1 - s)) after 2s, divided by s: with z = s², below 0.0295, to 2^-58.
#[gpu_fn]
fn atanh_rest(z: f64) -> f64 {
    let zz = z * z;
    let even = 0.6666666666666735
        + zz * (0.28571428743261823 + zz * (0.1818356972830904 + zz * 0.14797503159056855));
    let odd = 0.39999999999411096 + zz * (0.2222219847613835 + zz * 0.15313903626371728);
    z * (even + z * odd)
}

/// What a logarithm is of numbers that are not finite and positive: NaN below zero, -∞ at zero.
#[gpu_fn]
fn log_of_special(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x < 0.0 {
        f64::NAN
    } else {
        x
    }
}

/// The natural logarithm. Error below 0.9 ULP.
///
/// `ln(±0)` is -∞, of negative numbers NaN.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::ln(1.0), 0.0);
/// assert_eq!(kernels_ptx::math::f64::ln(0.0), f64::NEG_INFINITY);
/// ```
#[gpu_fn]
pub fn ln(x: f64) -> f64 {
    if !(x > 0.0 && x < f64::INFINITY) {
        return log_of_special(x);
    }
    let tiny = x < f64::MIN_POSITIVE;
    let normal = if tiny { x * LIFT } else { x };
    let n = binade(normal);
    let k = if tiny { n.wrapping_sub(54) } else { n } as f64;
    // ln(1 + f) = 2 atanh(s) = f - (f²/2 - s (f²/2 + rest)), with s = f/(2 + f).
    let f = mantissa(normal, n) - 1.0;
    let s = f / (2.0 + f);
    let half = 0.5 * f * f;
    let rest = s * (half + atanh_rest(s * s));
    k * LN_2_HIGH - ((half - (rest + k * LN_2_LOW)) - f)
}

/// The logarithm to base 2. Error below 0.9 ULP; exact for powers of two.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::log2(0.125), -3.0);
/// ```
#[gpu_fn]
pub fn log2(x: f64) -> f64 {
    if !(x > 0.0 && x < f64::INFINITY) {
        return log_of_special(x);
    }
    let tiny = x < f64::MIN_POSITIVE;
    let normal = if tiny { x * LIFT } else { x };
    let n = binade(normal);
    let k = if tiny { n.wrapping_sub(54) } else { n } as f64;
    let f = mantissa(normal, n) - 1.0;
    let s = f / (2.0 + f);
    let half = 0.5 * f * f;
    let high = f - half;
    let low = ((f - high) - half) + s * (half + atanh_rest(s * s));
    let part = high * LOG2_E;
    let part_low = product_error(high, LOG2_E, part) + (high * LOG2_E_REST + low * LOG2_E);
    let sum = k + part;
    sum + (sum_error(k, part, sum) + part_low)
}

// 2/3 and 2/5 less their nearest `f64`.
const TWO_THIRDS_REST: f64 = 3.700743415417188e-17;
const TWO_FIFTHS_REST: f64 = -2.2204460492503132e-17;

/// |x|^y for finite, positive |x| and finite y: ln |x| to 2^-66, times y, and the power of e.
#[gpu_fn]
fn power(x: f64, y: f64) -> f64 {
    let tiny = x < f64::MIN_POSITIVE;
    let normal = if tiny { x * LIFT } else { x };
    let n = binade(normal);
    let k = if tiny { n.wrapping_sub(54) } else { n } as f64;
    let m = mantissa(normal, n);
    // s = (m - 1)/(m + 1) and z = s², each with its rounding error.
    let f = m - 1.0;
    let d = m + 1.0;
    let d_low = sum_error(m, 1.0, d);
    let s = f / d;
    let s_low = ((-s).mul_add(d, f) - s * d_low) / d;
    let z = s * s;
    let z_low = product_error(s, s, z) + 2.0 * s * s_low;
    // ln m = s (2 + z (2/3 + z (2/5 + z P(z)))); z P(z), to 2^-72 of the sum, is small enough for plain arithmetic.
    let zz = z * z;
    let even = 0.2857142857143319
        + zz * (0.18181818607236344 + zz * (0.13335769358005936 + zz * 0.11912202468396112));
    let odd = 0.222222222200012 + zz * (0.15384572754410009 + zz * 0.11684903777226979);
    let p = z * (even + z * odd);
    let u = 0.4 + p;
    let u_low = (p - (u - 0.4)) + TWO_FIFTHS_REST;
    let zu = z * u;
    let zu_low = product_error(z, u, zu) + (z * u_low + z_low * u);
    let t = 2.0 / 3.0 + zu;
    let t_low = (zu - (t - 2.0 / 3.0)) + (zu_low + TWO_THIRDS_REST);
    let w = z * t;
    let w_low = product_error(z, t, w) + (z * t_low + z_low * t);
    let sw = s * w;
    let sw_low = product_error(s, w, sw) + (s * w_low + s_low * w);
    let m_log = 2.0 * s + sw;
    let m_low = (sw - (m_log - 2.0 * s)) + (2.0 * s_low + sw_low);
    // And k ln 2.
    let k_log = k * LN_2_HIGH;
    let sum = k_log + m_log;
    let sum_low = sum_error(k_log, m_log, sum) + (k * LN_2_LOW + m_low);
    let log = sum + sum_low;
    let log_low = sum_low - (log - sum);
    let exponent = y * log;
    if exponent > 710.0 {
        f64::INFINITY
    } else if exponent < -746.0 {
        0.0
    } else {
        exp_of_sum(exponent, product_error(y, log, exponent) + y * log_low)
    }
}

/// `x` to the power of `y`. Error below 0.9 ULP.
///
/// The special cases are those of C99's `pow`: `powf(x, 0)` and `powf(1, y)` are 1 even for NaN, a negative `x` needs an integer
/// `y`, and its sign is kept for odd ones.
///
/// ```
/// use kernels_ptx::math::f64::powf;
///
/// assert_eq!(powf(-2.0, 3.0), -8.0);
/// assert_eq!(powf(0.0, -1.0), f64::INFINITY);
/// assert!(powf(-2.0, 0.5).is_nan());
/// ```
#[gpu_fn]
pub fn powf(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let base = x.abs();
    let times = y.abs();
    if times == f64::INFINITY {
        if base == 1.0 {
            return 1.0;
        }
        return if (base > 1.0) == (y > 0.0) { f64::INFINITY } else { 0.0 };
    }
    let whole = times.trunc() == times;
    // From 2^53 on all are even.
    let odd = whole && times < 9007199254740992.0 && (times as u64) & 1 == 1;
    let sign = if odd && x.is_sign_negative() { -1.0 } else { 1.0 };
    if base == 0.0 || base == f64::INFINITY {
        return if (base == 0.0) == (y < 0.0) { sign * f64::INFINITY } else { sign * 0.0 };
    }
    if x < 0.0 && !whole {
        return f64::NAN;
    }
    sign * power(base, y)
}

/// The hyperbolic tangent. Error below 0.9 ULP.
///
/// ```
/// use kernels_ptx::math::f64::tanh;
///
/// assert_eq!(tanh(-0.0).to_bits(), (-0.0f64).to_bits());
/// assert_eq!(tanh(30.0), 1.0);
/// ```
#[gpu_fn]
pub fn tanh(x: f64) -> f64 {
    let size = x.abs();
    if size < 3.0e-9 {
        // x - x³/3 rounds to x.
        return x;
    }
    if size > 20.0 {
        return 1.0f64.copysign(x);
    }
    // With e^2|x| = 2^k (1 + p) and c = 2^-k it is (1 - c + p)/(1 + c + p).
    let double = 2.0 * size;
    let sum = double * LOG2_E + ROUNDER;
    let k = sum - ROUNDER;
    let high = double - k * LN_2_HIGH;
    let tail = k * LN_2_LOW;
    let r = high - tail;
    let rest = exp_rest(r);
    let p = r + rest;
    let p_low = (rest - (p - r)) + ((high - r) - tail);
    let c = power_of_two(rounded(sum).wrapping_neg());
    let less = 1.0 - c;
    let above = less + p;
    let above_low = sum_error(less, p, above) + (sum_error(1.0, -c, less) + p_low);
    let more = 1.0 + c;
    let below = more + p;
    let below_low = sum_error(more, p, below) + (sum_error(1.0, c, more) + p_low);
    let quotient = above / below;
    let rest = (-quotient).mul_add(below, above) + (above_low - quotient * below_low);
    (quotient + rest / below).copysign(x)
}

// π/2 in four parts; of the first three the last 20 bits are zero, so that their products with 20 bits are exact.
const HALF_PI_1: f64 = 1.5707963267341256;
const HALF_PI_2: f64 = 6.077100506303966e-11;
const HALF_PI_3: f64 = 2.0222662487111665e-21;
const HALF_PI_4: f64 = 8.4784276603689e-32;
/// π/2 less its nearest `f64`.
const HALF_PI_REST: f64 = 6.123233995736766e-17;
/// The unit of a word of quarter turns, once its two whole bits have been shifted out.
const WORD: f64 = 5.421010862427522e-20;

/// The sine of `x` plus so many quarter turns.
#[gpu_fn]
fn sine(x: f64, turned: u32) -> f64 {
    let size = x.abs();
    if size < 7.0e-9 {
        // x - x³/6 and 1 - x²/2 round to these.
        return if turned == 0 { x } else { 1.0 };
    }
    if !size.is_finite() {
        return f64::NAN;
    }
    // x = quarters * π/2 + r + low.
    let quarters;
    let r;
    let low;
    if size < 1048576.0 {
        let sum = x * FRAC_2_PI + ROUNDER;
        let k = sum - ROUNDER;
        quarters = rounded(sum) as u32;
        // The first difference is exact.
        let r1 = x - k * HALF_PI_1;
        let part2 = k * HALF_PI_2;
        let r2 = r1 - part2;
        let part3 = k * HALF_PI_3;
        let r3 = r2 - part3;
        let rest = (sum_error(r1, -part2, r2) + sum_error(r2, -part3, r3)) - k * HALF_PI_4;
        r = r3 + rest;
        low = rest - (r - r3);
    } else {
        let bits = size.to_bits();
        let exponent = (bits.wrapping_shr(52) as i32).wrapping_sub(1075);
        let turns = quarter_turns(bits & 0xfffffffffffff | 0x10000000000000, exponent);
        let first = turns[0].wrapping_shl(2) | turns[1].wrapping_shr(62);
        let second = turns[1].wrapping_shl(2) | turns[2].wrapping_shr(62);
        // To the nearest quarter turn: from a half on what is missing counts, with the other sign.
        let beyond = first.wrapping_shr(63);
        let flip = beyond.wrapping_neg();
        let first = first ^ flip;
        let second = second ^ flip;
        // Halves of a word become floats exactly.
        let a = (first.wrapping_shr(32) as f64) * 4294967296.0;
        let b = (first & 0xffffffff) as f64;
        let ab = a + b;
        let c = (second as f64) * WORD;
        let turn = ab + c;
        let turn_low = (b - (ab - a)) + (c - (turn - ab));
        let product = turn * FRAC_PI_2;
        let product_low =
            product_error(turn, FRAC_PI_2, product) + (turn * HALF_PI_REST + turn_low * FRAC_PI_2);
        let negative = (x < 0.0) != (beyond != 0);
        let unit = if negative { -WORD } else { WORD };
        let sum = product + product_low;
        r = unit * sum;
        low = unit * (product_low - (sum - product));
        let whole = turns[0].wrapping_shr(62).wrapping_add(beyond) as u32;
        quarters = if x < 0.0 { whole.wrapping_neg() } else { whole };
    }
    let quarters = quarters.wrapping_add(turned);
    let z = r * r;
    let zz = z * z;
    let value = if quarters & 1 == 0 {
        // sin r = r + r³ S(z), to 2^-58, and low cos r.
        let even = -0.16666666666666632 + zz * (-0.00019841269829770405 + zz * -2.5050755926495503e-8);
        let odd = 0.00833333333332237 + zz * (2.755731367841885e-6 + zz * 1.5896664557622574e-10);
        r + (z * r * (even + z * odd) + (low - 0.5 * z * low))
    } else {
        // cos r = 1 - z/2 + z² C(z), to 2^-64, less low sin r.
        let even = 0.0416666666666666 + zz * (2.480158728944348e-5 + zz * 2.0875721623831133e-9);
        let odd = -0.0013888888888874064 + zz * (-2.755731434065993e-7 + zz * -1.1359559339179004e-11);
        let half = 0.5 * z;
        let high = 1.0 - half;
        high + (((1.0 - high) - half) + (zz * (even + z * odd) - r * low))
    };
    if quarters & 2 == 0 { value } else { -value }
}

/// The sine of an angle in radians, however large. Error below 0.9 ULP.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::sin(0.5), 0.479425538604203);
/// assert!(kernels_ptx::math::f64::sin(f64::INFINITY).is_nan());
/// ```
#[gpu_fn]
pub fn sin(x: f64) -> f64 {
    sine(x, 0)
}

/// The cosine of an angle in radians, however large. Error below 0.9 ULP.
///
/// ```
/// assert_eq!(kernels_ptx::math::f64::cos(0.0), 1.0);
/// ```
#[gpu_fn]
pub fn cos(x: f64) -> f64 {
    sine(x, 1)
}
