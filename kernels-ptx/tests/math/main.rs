//! `kernels_ptx::math`: how far results are from the truth, what special values give, and that the device gives the same bits.

#![allow(clippy::unwrap_used)] // A test fails by panicking.
#![allow(clippy::float_cmp)] // Special cases are exact.

mod device;
mod reference;

use astro_float_num::Consts;
use kernels_ptx::math;
use reference::{DOUBLES, Random, SINGLES};

/// What the documentation promises, in ULP.
const SINGLE_BOUND: f64 = 0.501;
const DOUBLE_BOUND: f64 = 0.9;

#[test]
fn singles_are_within_their_bound() {
    for function in &SINGLES {
        let mut worst = (0.0, 0.0);
        let mut see = |x: f32| {
            let error = reference::error_of_single((function.own)(x), (function.exact)(f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
        };
        // About a million, evenly over all bit patterns, and the hard ones.
        (0..=u32::MAX).step_by(4099).map(f32::from_bits).for_each(&mut see);
        reference::hard().into_iter().map(|x| x as f32).for_each(&mut see);
        let (error, x) = worst;
        assert!(error < SINGLE_BOUND, "{} of {x:e} is off by {error} ULP", function.name);
    }
}

#[test]
fn single_powers_are_within_their_bound() {
    let mut random = Random(7);
    for _ in 0..500_000 {
        let (x, y) = random.powers();
        let (x, y) = ((x as f32).max(1e-45), y as f32);
        let error = reference::error_of_single(math::f32::powf(x, y), f64::from(x).powf(y.into()));
        assert!(error < SINGLE_BOUND, "{x:e} to the power of {y:e} is off by {error} ULP");
    }
}

#[test]
fn doubles_are_within_their_bound() {
    let mut constants = Consts::new().unwrap();
    for function in &DOUBLES {
        let mut random = Random(11);
        let many = (0..1500).map(|_| random.double(function.limit));
        for x in many.chain(reference::hard().into_iter().step_by(3)) {
            let exact = reference::exact(function, x, &mut constants);
            let error = reference::error_of_double((function.own)(x), &exact);
            assert!(error < DOUBLE_BOUND, "{} of {x:e} is off by {error} ULP", function.name);
        }
    }
}

#[test]
fn double_powers_are_within_their_bound() {
    let mut constants = Consts::new().unwrap();
    let mut random = Random(13);
    for _ in 0..2500 {
        let (x, y) = random.powers();
        let exact = reference::power(x, y, &mut constants);
        let error = reference::error_of_double(math::f64::powf(x, y), &exact);
        assert!(error < DOUBLE_BOUND, "{x:e} to the power of {y:e} is off by {error} ULP");
    }
}

/// The cases of C99, F.9, for one float type. Signs of zeros count.
macro_rules! special {
    ($test:ident, $t:ident) => {
        #[test]
        fn $test() {
            use math::$t::{cos, exp, exp2, ln, log2, powf, sin, tanh};
            const INF: $t = $t::INFINITY;
            const NAN: $t = $t::NAN;
            let same = |a: $t, b: $t| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            type One = (&'static str, fn($t) -> $t, $t, $t);
            let ones: [One; 47] = [
                ("exp", exp, 0.0, 1.0),
                ("exp", exp, -0.0, 1.0),
                ("exp", exp, INF, INF),
                ("exp", exp, -INF, 0.0),
                ("exp", exp, $t::MAX, INF),
                ("exp", exp, $t::MIN, 0.0),
                ("exp", exp, NAN, NAN),
                ("exp2", exp2, 0.0, 1.0),
                ("exp2", exp2, -0.0, 1.0),
                ("exp2", exp2, 10.0, 1024.0),
                ("exp2", exp2, -1.0, 0.5),
                ("exp2", exp2, INF, INF),
                ("exp2", exp2, -INF, 0.0),
                ("exp2", exp2, NAN, NAN),
                ("ln", ln, 1.0, 0.0),
                ("ln", ln, 0.0, -INF),
                ("ln", ln, -0.0, -INF),
                ("ln", ln, -1.0, NAN),
                ("ln", ln, -INF, NAN),
                ("ln", ln, INF, INF),
                ("ln", ln, NAN, NAN),
                ("log2", log2, 1.0, 0.0),
                ("log2", log2, 1024.0, 10.0),
                ("log2", log2, 0.0, -INF),
                ("log2", log2, -0.0, -INF),
                ("log2", log2, -1.0, NAN),
                ("log2", log2, INF, INF),
                ("log2", log2, NAN, NAN),
                ("sin", sin, 0.0, 0.0),
                ("sin", sin, -0.0, -0.0),
                ("sin", sin, $t::from_bits(1), $t::from_bits(1)),
                ("sin", sin, INF, NAN),
                ("sin", sin, -INF, NAN),
                ("sin", sin, NAN, NAN),
                ("cos", cos, 0.0, 1.0),
                ("cos", cos, -0.0, 1.0),
                ("cos", cos, INF, NAN),
                ("cos", cos, -INF, NAN),
                ("cos", cos, NAN, NAN),
                ("tanh", tanh, 0.0, 0.0),
                ("tanh", tanh, -0.0, -0.0),
                ("tanh", tanh, -$t::from_bits(1), -$t::from_bits(1)),
                ("tanh", tanh, INF, 1.0),
                ("tanh", tanh, -INF, -1.0),
                ("tanh", tanh, $t::MAX, 1.0),
                ("tanh", tanh, -100.0, -1.0),
                ("tanh", tanh, NAN, NAN),
            ];
            for (name, function, x, want) in ones {
                let have = function(x);
                assert!(same(have, want), "{name}({x:?}) is {have:?}, should be {want:?}");
            }
            // All pairs of these, against the table of the standard.
            let odd = [1.0, -1.0, 3.0, -3.0];
            let values = [
                0.0,
                -0.0,
                0.5,
                -0.5,
                1.0,
                -1.0,
                1.5,
                -1.5,
                2.0,
                -2.0,
                3.0,
                -3.0,
                INF,
                -INF,
                NAN,
                $t::MAX,
                $t::MIN,
                $t::MIN_POSITIVE,
                $t::from_bits(1),
            ];
            for x in values {
                for y in values {
                    let sign = if odd.contains(&y) && x.is_sign_negative() { -1.0 } else { 1.0 };
                    let size = x.abs();
                    let want: $t = if y == 0.0 || x == 1.0 {
                        1.0
                    } else if x.is_nan() || y.is_nan() {
                        NAN
                    } else if y.is_infinite() {
                        match (size == 1.0, (size > 1.0) == (y > 0.0)) {
                            (true, _) => 1.0,
                            (_, true) => INF,
                            _ => 0.0,
                        }
                    } else if size == 0.0 {
                        sign * if y < 0.0 { INF } else { 0.0 }
                    } else if x.is_infinite() {
                        sign * if y < 0.0 { 0.0 } else { INF }
                    } else if x < 0.0 && y.fract() != 0.0 {
                        NAN
                    } else {
                        // Of ordinary numbers the bounds are tested elsewhere: here the sign matters.
                        sign * powf(size, y)
                    };
                    let have = powf(x, y);
                    assert!(same(have, want), "powf({x:?}, {y:?}) is {have:?}, should be {want:?}");
                }
            }
            assert!(same(powf(-2.0, 3.0), -8.0) && same(powf(2.0, -2.0), 0.25) && same(powf(-3.0, 2.0), 9.0));
            assert!(same(powf(10.0, $t::MAX), INF) && same(powf(0.1, $t::MAX), 0.0));
            assert!(same(powf(1.0 + $t::EPSILON, $t::MAX), INF) && same(powf($t::MAX, 1e-30), 1.0));
        }
    };
}

special!(special_values_of_singles, f32);
special!(special_values_of_doubles, f64);
