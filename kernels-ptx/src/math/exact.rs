//! Sums and products with their rounding errors, and the pieces of a float.
//!
//! Rule kept here: a rounding error is itself a float (Dekker 1971, Knuth TAOCP 2, 4.2.2), so a value and its error together
//! carry twice the digits.

use gpu_actor_macros::gpu_fn;

/// Added to a number below 2^51 and taken away again, it rounds to the nearest integer, ties to even; before it is taken
/// away, the sum's low bits are that integer.
pub(super) const ROUNDER: f64 = 6755399441055744.0;

/// The rounding error of `sum`, which is `a + b`.
#[gpu_fn]
pub(super) fn sum_error(a: f64, b: f64, sum: f64) -> f64 {
    let part = sum - a;
    (a - (sum - part)) + (b - part)
}

/// The rounding error of `product`, which is `a * b`.
#[gpu_fn]
pub(super) fn product_error(a: f64, b: f64, product: f64) -> f64 {
    a.mul_add(b, -product)
}

/// The integer that `sum`, a number plus [`ROUNDER`], holds in its low bits.
#[gpu_fn]
pub(super) fn rounded(sum: f64) -> i32 {
    sum.to_bits() as i32
}

/// 2 to the power of `n`, for `n` from -1022 to 1023.
#[gpu_fn]
pub(super) fn power_of_two(n: i32) -> f64 {
    f64::from_bits((n.wrapping_add(1023) as u64).wrapping_shl(52))
}

/// `value` times 2 to the power of `n`, rounded once, for values near 1 and `n` from -2044 to 2046.
#[gpu_fn]
pub(super) fn scale(value: f64, n: i32) -> f64 {
    let half = n.wrapping_shr(1);
    value * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// The bits of the root of 1/2, where the binades of a reduced logarithm begin.
const ROOT_OF_HALF: u64 = 0x3fe6a09e667f3bcd;

/// The power of two that makes a normal, positive `x` a number from the root of 1/2 to the root of 2.
#[gpu_fn]
pub(super) fn binade(x: f64) -> i64 {
    (x.to_bits().wrapping_sub(ROOT_OF_HALF) as i64).wrapping_shr(52)
}

/// `x` without that power.
#[gpu_fn]
pub(super) fn mantissa(x: f64, binade: i64) -> f64 {
    f64::from_bits(x.to_bits().wrapping_sub((binade as u64).wrapping_shl(52)))
}

const LOW_HALF: u64 = 0xffff_ffff;

/// The high half of the product of two 64-bit numbers.
#[gpu_fn]
pub(super) fn high_product(a: u64, b: u64) -> u64 {
    let a_low = a & LOW_HALF;
    let a_high = a.wrapping_shr(32);
    let b_low = b & LOW_HALF;
    let b_high = b.wrapping_shr(32);
    // Each sum fits: (2^32 - 1)^2 + 2 (2^32 - 1) is 2^64 - 1.
    let inner = a_high.wrapping_mul(b_low).wrapping_add(a_low.wrapping_mul(b_low).wrapping_shr(32));
    let outer = a_low.wrapping_mul(b_high).wrapping_add(inner & LOW_HALF);
    a_high.wrapping_mul(b_high).wrapping_add(inner.wrapping_shr(32)).wrapping_add(outer.wrapping_shr(32))
}

/// 64 bits of the 128 of `high` and `low`, from bit `shift` (below 64) of `high` on.
#[gpu_fn]
pub(super) fn window(high: u64, low: u64, shift: u32) -> u64 {
    high.wrapping_shl(shift) | low.wrapping_shr(1).wrapping_shr(63u32.wrapping_sub(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_whole() {
        let numbers = [0, 1, 3, u64::MAX, u64::MAX - 1, 1 << 32, (1 << 32) - 1, 0xdead_beef_0123_4567];
        for a in numbers {
            for b in numbers {
                assert_eq!(high_product(a, b), ((u128::from(a) * u128::from(b)) >> 64) as u64);
            }
        }
    }

    #[test]
    fn windows_slide() {
        assert_eq!(window(1, u64::MAX, 0), 1);
        assert_eq!(window(1, 1 << 63, 1), 3);
        assert_eq!(window(1, 2, 63), (1 << 63) | 1);
    }

    #[test]
    fn errors_are_exact() {
        let (a, b) = (1.0, 1e-20);
        assert_eq!(sum_error(a, b, a + b), b);
        let third = 1.0 / 3.0;
        assert_eq!(product_error(third, 3.0, third * 3.0), -f64::EPSILON / 4.0);
    }

    #[test]
    fn scaling_rounds_once() {
        assert_eq!(scale(1.5, -1074), 1e-323);
        assert_eq!(scale(1.0, 1024), f64::INFINITY);
        assert_eq!(scale(1.0, -1022), f64::MIN_POSITIVE);
    }

    #[test]
    fn binades_begin_at_the_root_of_a_half() {
        for x in [1.0, 0.75, 0.7, 1.5, 2.0, 3.0, 1e300, 1e-300] {
            let k = binade(x);
            let m = mantissa(x, k);
            assert!((std::f64::consts::FRAC_1_SQRT_2..=std::f64::consts::SQRT_2).contains(&m), "{x}");
            assert_eq!(m * 2f64.powi(k as i32), x);
        }
    }
}
