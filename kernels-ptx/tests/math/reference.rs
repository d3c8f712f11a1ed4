//! The functions of `kernels_ptx::math` with what they approximate, and how far a result is from it.

#![allow(dead_code, reason = "the tests and the example each use their part")]
#![allow(clippy::unreadable_literal, clippy::float_cmp, reason = "the digits matter, and so does equality")]

use astro_float_num::{BigFloat, Consts, RoundingMode};
use kernels_ptx::math;

/// Bits of the reference: many more than the 53 that are checked.
const PRECISION: usize = 192;
const MODE: RoundingMode = RoundingMode::ToEven;

/// A function of one `f32`; the platform's `f64` function is exact enough beside it.
pub(crate) struct Single {
    pub(crate) name: &'static str,
    pub(crate) own: fn(f32) -> f32,
    pub(crate) exact: fn(f64) -> f64,
}

pub(crate) const SINGLES: [Single; 7] = [
    Single { name: "exp", own: math::f32::exp, exact: f64::exp },
    Single { name: "exp2", own: math::f32::exp2, exact: f64::exp2 },
    Single { name: "ln", own: math::f32::ln, exact: f64::ln },
    Single { name: "log2", own: math::f32::log2, exact: f64::log2 },
    Single { name: "sin", own: math::f32::sin, exact: f64::sin },
    Single { name: "cos", own: math::f32::cos, exact: f64::cos },
    Single { name: "tanh", own: math::f32::tanh, exact: f64::tanh },
];

/// `x` with many bits. The library misreads subnormal numbers, so these are lifted first.
fn big(x: f64) -> BigFloat {
    if x == 0.0 || !x.is_finite() || x.is_normal() {
        return BigFloat::from_f64(x, PRECISION);
    }
    let mut lifted = BigFloat::from_f64(x * 2f64.powi(100), PRECISION);
    if let Some(exponent) = lifted.exponent() {
        lifted.set_exponent(exponent - 100);
    }
    lifted
}

type Big = fn(&BigFloat, &mut Consts) -> BigFloat;

/// A function of one `f64`.
pub(crate) struct Double {
    pub(crate) name: &'static str,
    pub(crate) own: fn(f64) -> f64,
    pub(crate) exact: Big,
    /// Numbers beyond are uninteresting: the result is 0, ∞ or ±1.
    pub(crate) limit: f64,
}

pub(crate) const DOUBLES: [Double; 7] = [
    Double { name: "exp", own: math::f64::exp, exact: |x, c| x.exp(PRECISION, MODE, c), limit: 750.0 },
    Double {
        name: "exp2",
        own: math::f64::exp2,
        exact: |x, c| {
            let two = c.ln_2(PRECISION, MODE);
            x.mul(&two, PRECISION, MODE).exp(PRECISION, MODE, c)
        },
        limit: 1080.0,
    },
    Double { name: "ln", own: math::f64::ln, exact: |x, c| x.ln(PRECISION, MODE, c), limit: f64::MAX },
    Double { name: "log2", own: math::f64::log2, exact: |x, c| x.log2(PRECISION, MODE, c), limit: f64::MAX },
    Double { name: "sin", own: math::f64::sin, exact: |x, c| x.sin(PRECISION, MODE, c), limit: f64::MAX },
    Double { name: "cos", own: math::f64::cos, exact: |x, c| x.cos(PRECISION, MODE, c), limit: f64::MAX },
    Double { name: "tanh", own: math::f64::tanh, exact: |x, c| x.tanh(PRECISION, MODE, c), limit: 30.0 },
];

/// `x` to the power of `y`, for positive `x`.
pub(crate) fn power(x: f64, y: f64, constants: &mut Consts) -> BigFloat {
    let log = big(x).ln(PRECISION, MODE, constants);
    log.mul(&big(y), PRECISION, MODE).exp(PRECISION, MODE, constants)
}

/// The reference at `x`.
pub(crate) fn exact(function: &Double, x: f64, constants: &mut Consts) -> BigFloat {
    (function.exact)(&big(x), constants)
}

/// How far `value` is from `exact`, in units of the last place of an `f32` at `exact`.
pub(crate) fn error_of_single(value: f32, exact: f64) -> f64 {
    if exact.is_nan() {
        return if value.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if exact.abs() >= 2f64.powi(128) || exact == 0.0 {
        return if f64::from(value) == exact || f64::from(value) == exact * f64::INFINITY {
            0.0
        } else {
            f64::INFINITY
        };
    }
    let value = if value.is_infinite() { 2f64.powi(128).copysign(value.into()) } else { value.into() };
    let exponent = ((exact.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-126);
    (value - exact).abs() / 2f64.powi(exponent - 23)
}

/// How far `value` is from `exact`, in units of the last place of an `f64` at `exact`.
pub(crate) fn error_of_double(value: f64, exact: &BigFloat) -> f64 {
    if exact.is_nan() || value.is_nan() {
        return if exact.is_nan() && value.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if exact.is_inf() || exact.is_zero() {
        let same = if exact.is_zero() { value == 0.0 } else { value.is_infinite() };
        return if same { 0.0 } else { f64::INFINITY };
    }
    // The exponent of a mantissa from 1/2 to 1.
    let exponent = exact.exponent().unwrap_or(0);
    if exponent > 1024 {
        return if value.is_infinite() { 0.0 } else { f64::INFINITY };
    }
    let value = if value.is_infinite() {
        BigFloat::from_f64(2f64.powi(1023).copysign(value), PRECISION).mul(
            &BigFloat::from_f64(2.0, PRECISION),
            PRECISION,
            MODE,
        )
    } else {
        big(value)
    };
    let difference = value.sub(exact, PRECISION, MODE);
    let unit = (exponent - 53).max(-1074);
    match difference.as_raw_parts() {
        Some((mantissa, _, _, exponent, _)) if !difference.is_zero() => {
            // The mantissa is normal: its last word begins with a one.
            let leading = mantissa.last().copied().unwrap_or(0) as f64 / 2f64.powi(64);
            leading * 2f64.powi(exponent - unit)
        }
        _ => 0.0,
    }
}

/// A small generator of random numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 2f64.powi(53)
    }

    /// A number of any size up to `limit`, of either sign: mostly of ordinary size.
    pub(crate) fn double(&mut self, limit: f64) -> f64 {
        loop {
            let bits = self.next();
            let x = match bits & 7 {
                0 => f64::from_bits(self.next()),
                1 | 2 => (self.unit() - 0.5) * 2.0 * limit.min(1e300),
                3 => (self.unit() - 0.5) * 2e6,
                4 => (self.unit() - 0.5) * 200.0,
                5 => 1.0 + (self.unit() - 0.5) * 2f64.powi(-((self.next() % 50) as i32)),
                6 => (self.unit() - 0.5) * 2f64.powi(-((self.next() % 40) as i32)),
                _ => (self.unit() - 0.5) * 8.0,
            };
            if x.abs() <= limit {
                return x;
            }
        }
    }

    /// A base and an exponent of which the power is mostly neither 0 nor ∞.
    pub(crate) fn powers(&mut self) -> (f64, f64) {
        let x = self.double(f64::MAX).abs().max(5e-324);
        let y = match self.next() & 3 {
            0 => self.double(1000.0),
            // Results over the whole range, to its ends.
            1 | 2 => (self.unit() - 0.5) * 1500.0 / x.ln().abs().max(1e-300),
            _ => (self.next() % 200) as f64 / 2.0 - 50.0,
        };
        (x, if y.is_finite() { y } else { 1.0 })
    }
}

/// Numbers that are hard: at the ends of the ranges, near multiples of π/2, near 1, at exact results.
pub(crate) fn hard() -> Vec<f64> {
    let mut all = vec![
        0.0,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        // e^x: the last finite, the first subnormal, the last that is not 0.
        709.782712893384,
        709.7827128933841,
        -708.3964185322641,
        -745.1332191019411,
        -745.1332191019412,
        // The f64 nearest to a multiple of π/2, and others that are near (Muller, "Elementary Functions", 11.3).
        6381956970095103.0 * 2f64.powi(797),
        5.319372648326541e255,
        f64::from_bits(0x7506_ac5b_262c_a1ff),
        2.6e305,
        1e22,
        std::f64::consts::PI,
        std::f64::consts::FRAC_PI_2,
        std::f64::consts::FRAC_PI_4,
        1048575.9999,
        1048576.0,
        // The ends of the ranges in the sources.
        19.06,
        20.0,
        22.0,
        3e-9,
        7e-9,
        std::f64::consts::LN_2 / 2.0,
        std::f64::consts::LN_2 / 4.0,
        std::f64::consts::FRAC_1_SQRT_2,
        std::f64::consts::SQRT_2,
    ];
    for k in 1..400 {
        // Multiples of π/2, rounded.
        all.push(f64::from(k) * std::f64::consts::FRAC_PI_2);
        all.push(f64::from(k) * 1664.0 * std::f64::consts::FRAC_PI_2);
        all.push(f64::from(k) * std::f64::consts::LN_2 / 2.0);
        all.push(f64::from(k));
    }
    for e in -1074..=1023 {
        all.push(2f64.powi(e));
    }
    let near: Vec<_> = all.iter().flat_map(|x| [x.next_up(), x.next_down()]).collect();
    all.extend(near);
    let negative: Vec<_> = all.iter().map(|x| -x).collect();
    all.extend(negative);
    all
}
