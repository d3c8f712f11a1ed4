//! Every operation of every number type against Rust's own.

use std::fmt::Debug;

use kernels_ptx::{abi::fault::code, ir::Function, lang::GpuData};

use crate::{device::Handlers, support};

/// What Rust gives: the bytes of the result, or the code of the fault that its panic is. And how to compare: floats
/// by class.
type Expected = (Result<Vec<u8>, u32>, fn(&mut [u8]));

fn encode<T: GpuData>(value: T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    value.encode(&mut bytes);
    bytes
}

fn is<T: GpuData>(value: T) -> Expected {
    unless(Some(value), 0)
}

fn unless<T: GpuData>(value: Option<T>, fault: u32) -> Expected {
    let bytes = value.map(|value| {
        let mut bytes = encode(value);
        T::canonical_nan(&mut bytes);
        bytes
    });
    (bytes.ok_or(fault), T::canonical_nan)
}

/// Runs each function over all pairs and compares.
fn compare<T: GpuData + Debug>(
    functions: Vec<Function>,
    values: &[T],
    native: impl Fn(&str, T, T) -> Option<Expected>,
) {
    let handlers = Handlers::new(functions);
    let pairs: Vec<_> = values.iter().flat_map(|&x| values.iter().map(move |&y| (x, y))).collect();
    let states: Vec<_> = pairs.iter().map(|&(x, y)| [encode(x), encode(y)].concat()).collect();
    for (index, name) in handlers.names.iter().enumerate() {
        for (outcome, &(x, y)) in handlers.run(index, &states, &[], 1000).iter().zip(&pairs) {
            let (want, canonical) = native(name, x, y).unwrap_or_else(|| panic!("no native {name}"));
            let have = if outcome.faulted {
                Err(outcome.fault.0)
            } else {
                let mut reply = outcome.reply[..want.as_ref().map_or(0, Vec::len)].to_vec();
                canonical(&mut reply);
                Ok(reply)
            };
            assert_eq!(have, want, "{name} of {x:?} and {y:?}");
        }
    }
}

/// Pseudo-random words, always the same.
fn words(count: usize) -> impl Iterator<Item = u64> {
    let step = |word: &u64| {
        let word = word ^ word << 13;
        let word = word ^ word >> 7;
        Some(word ^ word << 17)
    };
    std::iter::successors(Some(88_172_645_463_325_252), step).skip(1).take(count)
}

macro_rules! integer {
    ($test:ident, $t:ty, $functions:expr, |$name:ident, $x:ident| $more:expr) => {
        #[test]
        fn $test() {
            const OVERFLOW: u32 = code::OVERFLOW;
            let mut values: Vec<$t> = [0, 1, 2, 3, 5, 7, 8, 10, 15, 16, 31, 32, 33, 63, 64, 100].to_vec();
            let (min, max) = (<$t>::MIN, <$t>::MAX);
            values.extend([max, max - 1, max / 2, max / 3, min, min + 1, min / 2]);
            values.extend([1, 2, 7].map(|n: $t| n.wrapping_neg()));
            values.extend(words(8).map(|word| (word >> (word & 7)) as $t));
            compare::<$t>($functions, &values, |$name, $x, y| {
                let (x, amount) = ($x, y as u32);
                let divide = if y == 0 { code::DIVISION_BY_ZERO } else { OVERFLOW };
                let far = u32::try_from(y).ok();
                Some(match $name {
                    "h_add" => unless(x.checked_add(y), OVERFLOW),
                    "h_sub" => unless(x.checked_sub(y), OVERFLOW),
                    "h_mul" => unless(x.checked_mul(y), OVERFLOW),
                    "h_div" => unless(x.checked_div(y), divide),
                    "h_rem" => unless(x.checked_rem(y), divide),
                    "h_min" => is(x.min(y)),
                    "h_max" => is(x.max(y)),
                    "h_clamp" => unless((y <= x).then(|| x.clamp(y, x)), code::ASSERT),
                    "h_lt" => is(x < y),
                    "h_le" => is(x <= y),
                    "h_gt" => is(x > y),
                    "h_ge" => is(x >= y),
                    "h_eq" => is(x == y),
                    "h_ne" => is(x != y),
                    "h_and" => is(x & y),
                    "h_or" => is(x | y),
                    "h_xor" => is(x ^ y),
                    "h_not" => is(!x),
                    "h_shl" => unless(far.and_then(|far| x.checked_shl(far)), OVERFLOW),
                    "h_shr" => unless(far.and_then(|far| x.checked_shr(far)), OVERFLOW),
                    "h_wrapping_add" => is(x.wrapping_add(y)),
                    "h_wrapping_sub" => is(x.wrapping_sub(y)),
                    "h_wrapping_mul" => is(x.wrapping_mul(y)),
                    "h_wrapping_neg" => is(x.wrapping_neg()),
                    "h_wrapping_shl" => is(x.wrapping_shl(amount)),
                    "h_wrapping_shr" => is(x.wrapping_shr(amount)),
                    "h_saturating_add" => is(x.saturating_add(y)),
                    "h_saturating_sub" => is(x.saturating_sub(y)),
                    "h_saturating_mul" => is(x.saturating_mul(y)),
                    "h_overflowing_add" => is(x.overflowing_add(y).1),
                    "h_overflowing_sub" => is(x.overflowing_sub(y).1),
                    "h_overflowing_mul" => is(x.overflowing_mul(y).0),
                    "h_shl_i64" => {
                        unless(u32::try_from(y as i64).ok().and_then(|by| x.checked_shl(by)), OVERFLOW)
                    }
                    "h_shr_i8" => {
                        unless(u32::try_from(y as i8).ok().and_then(|by| x.checked_shr(by)), OVERFLOW)
                    }
                    "h_wrapping_pow" => is(x.wrapping_pow(amount)),
                    "h_count_zeros" => is(x.count_zeros()),
                    "h_leading_ones" => is(x.leading_ones()),
                    "h_trailing_ones" => is(x.trailing_ones()),
                    "h_is_power_of_two" => is(x.count_ones() == 1),
                    "h_rem_euclid" => unless(x.checked_rem_euclid(y), divide),
                    "h_div_euclid" => unless(x.checked_div_euclid(y), divide),
                    "h_pow" => unless(x.checked_pow(amount), OVERFLOW),
                    "h_abs_diff" => is(x.abs_diff(y)),
                    "h_count_ones" => is(x.count_ones()),
                    "h_leading_zeros" => is(x.leading_zeros()),
                    "h_trailing_zeros" => is(x.trailing_zeros()),
                    "h_rotate_left" => is(x.rotate_left(amount)),
                    "h_rotate_right" => is(x.rotate_right(amount)),
                    "h_reverse_bits" => is(x.reverse_bits()),
                    "h_swap_bytes" => is(x.swap_bytes()),
                    _ => return $more,
                })
            });
        }
    };
}

macro_rules! signed {
    ($($test:ident: $t:ty),*) => { $(
        integer!($test, $t, support::signed::<$t>(), |name, x| Some(match name {
            "h_neg" => unless(x.checked_neg(), code::OVERFLOW),
            "h_abs" => unless(x.checked_abs(), code::OVERFLOW),
            "h_unsigned_abs" => is(x.unsigned_abs()),
            "h_signum" => is(x.signum()),
            "h_is_negative" => is(x.is_negative()),
            "h_is_positive" => is(x.is_positive()),
            "h_wrapping_abs" => is(x.wrapping_abs()),
            _ => return None,
        }));
    )* };
}

macro_rules! unsigned {
    ($($test:ident: $t:ty),*) => { $(
        integer!($test, $t, support::integers::<$t>(), |_name, x| {
            let _ = x;
            None
        });
    )* };
}

signed!(numbers_i8: i8, numbers_i16: i16, numbers_i32: i32, numbers_i64: i64);
unsigned!(numbers_u8: u8, numbers_u16: u16, numbers_u32: u32, numbers_u64: u64);

macro_rules! float {
    ($test:ident, $t:ty) => {
        #[test]
        #[expect(clippy::float_cmp, reason = "that is what is tested")]
        fn $test() {
            let mut values: Vec<$t> =
                vec![0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.499_999_97, 3.7, -3.7];
            values.extend([1e10, -1e10, 1e30, 8_388_607.5, 4_503_599_627_370_495.5, 1.0 / 3.0]);
            values.extend([<$t>::MAX, <$t>::MIN, <$t>::MIN_POSITIVE, <$t>::MIN_POSITIVE / 4.0]);
            values.extend([<$t>::INFINITY, <$t>::NEG_INFINITY, <$t>::NAN]);
            values.extend(words(6).map(|word| <$t>::from_bits(word as _)));
            compare::<$t>(support::floats::<$t>(), &values, |name, x, y| {
                let zeroes = x == 0.0 && y == 0.0;
                Some(match name {
                    "h_add" => is(x + y),
                    "h_sub" => is(x - y),
                    "h_mul" => is(x * y),
                    "h_div" => is(x / y),
                    // Rust leaves open which zero it is; PTX takes -0 for the smaller.
                    "h_min" | "h_max" if zeroes => is(x),
                    "h_min" => is(x.min(y)),
                    "h_max" => is(x.max(y)),
                    "h_clamp" => unless((y <= x).then(|| x.clamp(y, x)), code::ASSERT),
                    "h_lt" => is(x < y),
                    "h_le" => is(x <= y),
                    "h_gt" => is(x > y),
                    "h_ge" => is(x >= y),
                    "h_eq" => is(x == y),
                    "h_ne" => is(x != y),
                    "h_neg" => is(-x),
                    "h_abs" => is(x.abs()),
                    "h_signum" => is(x.signum()),
                    "h_sqrt" => is(x.sqrt()),
                    "h_mul_add" => is(x.mul_add(y, x)),
                    "h_mul_then_add" => is(x * y + x),
                    "h_floor" => is(x.floor()),
                    "h_ceil" => is(x.ceil()),
                    "h_trunc" => is(x.trunc()),
                    "h_round" => is(x.round()),
                    "h_round_ties_even" => is(x.round_ties_even()),
                    "h_fract" => is(x.fract()),
                    "h_recip" => is(x.recip()),
                    "h_copysign" => is(x.copysign(y)),
                    "h_is_nan" => is(x.is_nan()),
                    "h_is_finite" => is(x.is_finite()),
                    "h_is_infinite" => is(x.is_infinite()),
                    "h_is_sign_negative" => is(x.is_sign_negative()),
                    "h_is_sign_positive" => is(x.is_sign_positive()),
                    "h_to_bits" => is(x.to_bits()),
                    "h_from_bits" => is(x),
                    _ => return None,
                })
            });
        }
    };
}

float!(numbers_f32, f32);
float!(numbers_f64, f64);

/// `x as` every type: the functions are named after the types.
macro_rules! casts {
    ($t:ty, $floats:expr, $values:expr, $($to:ident),*) => {
        compare::<$t>(support::casts::<$t>(stringify!($t), $floats), &$values, |name, x, _| {
            let to = name.rsplit('_').next()?;
            Some(match to {
                $(stringify!($to) => is(x as $to),)*
                _ => return None,
            })
        })
    };
}

#[test]
fn casts_from_integers() {
    macro_rules! from {
        ($($t:ty),*) => { $({
            let mut values: Vec<$t> = vec![0, 1, <$t>::MAX, <$t>::MIN, <$t>::MAX / 2, <$t>::MAX / 2 + 1];
            values.extend(words(20).map(|word| (word >> (word & 63)) as $t));
            casts!($t, true, values, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
        })* };
    }
    from!(i8, i16, i32, i64, u8, u16, u32, u64);
    casts!(bool, false, [true, false], i8, i16, i32, i64, u8, u16, u32, u64);
}

#[test]
fn casts_from_floats() {
    macro_rules! from {
        ($($t:ty),*) => { $({
            let mut values: Vec<$t> = vec![0.0, -0.0, 0.9, -0.9, -1.0, 127.9, 128.0, -128.9, -129.0, 255.9, 256.0];
            values.extend([32_767.5, 32_768.0, -32_768.9, -32_769.0, 65_535.9, 65_536.0]);
            values.extend([2_147_483_520.0, 2_147_483_647.0, 2_147_483_648.0, -2_147_483_648.0, -2_147_483_904.0]);
            values.extend([4_294_967_040.0, 4_294_967_295.0, 4_294_967_296.0, 9.2e18, -1e19, 1.8e19, 1e20]);
            values.extend([i64::MAX as $t, i64::MIN as $t, u64::MAX as $t]);
            values.extend([<$t>::NAN, -<$t>::NAN, <$t>::INFINITY, <$t>::NEG_INFINITY, <$t>::MAX, <$t>::MIN]);
            values.extend([<$t>::MIN_POSITIVE, <$t>::MIN_POSITIVE / 8.0]);
            values.extend(words(20).map(|word| (word as i64 >> (word & 63)) as $t / 3.0));
            casts!($t, true, values, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);
        })* };
    }
    from!(f32, f64);
}
