//! Floating-point arithmetic by definition, as an oracle: results are exact fractions of big integers, and rounding is a
//! search among all numbers of a format. Slow, and nothing in common with how the device computes.

use std::cmp::Ordering;

/// A natural number, least digit first, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Nat(Vec<u32>);

impl Nat {
    fn new(n: u64) -> Nat {
        Nat(vec![n as u32, (n >> 32) as u32]).trimmed()
    }

    fn trimmed(mut self) -> Nat {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn shl(&self, n: u32) -> Nat {
        let mut out = vec![0; n as usize / 32];
        let mut carry = 0;
        for digit in &self.0 {
            let wide = u64::from(*digit) << (n % 32) | carry;
            out.push(wide as u32);
            carry = wide >> 32;
        }
        out.push(carry as u32);
        Nat(out).trimmed()
    }

    fn add(&self, other: &Nat) -> Nat {
        let mut out = Vec::new();
        let mut carry = 0;
        for at in 0..=self.0.len().max(other.0.len()) {
            let digit = |n: &Nat| u64::from(n.0.get(at).copied().unwrap_or(0));
            let sum = digit(self) + digit(other) + carry;
            out.push(sum as u32);
            carry = sum >> 32;
        }
        Nat(out).trimmed()
    }

    /// `self - other`, which must not be negative.
    fn sub(&self, other: &Nat) -> Nat {
        let mut out = Vec::new();
        let mut borrow = 0;
        for (at, digit) in self.0.iter().enumerate() {
            let wanted = i64::from(other.0.get(at).copied().unwrap_or(0)) + borrow;
            let rest = i64::from(*digit) - wanted;
            out.push(rest as u32);
            borrow = i64::from(rest < 0);
        }
        assert_eq!(borrow, 0, "a negative natural number");
        Nat(out).trimmed()
    }

    fn mul(&self, other: &Nat) -> Nat {
        let mut out = vec![0_u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.0.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(out[i + j]) + carry;
                out[i + j] = sum as u32;
                carry = sum >> 32;
            }
            out[i + other.0.len()] = carry as u32;
        }
        Nat(out).trimmed()
    }

    fn cmp(&self, other: &Nat) -> Ordering {
        let digits = |n: &Nat| n.0.iter().rev().copied().collect::<Vec<_>>();
        self.0.len().cmp(&other.0.len()).then_with(|| digits(self).cmp(&digits(other)))
    }
}

/// Widths of the fields of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) exponent: u32,
    pub(crate) fraction: u32,
}

pub(crate) const F16: Format = Format { exponent: 5, fraction: 10 };
pub(crate) const BF16: Format = Format { exponent: 8, fraction: 7 };
pub(crate) const F32: Format = Format { exponent: 8, fraction: 23 };
pub(crate) const F64: Format = Format { exponent: 11, fraction: 52 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Nearest,
    Zero,
    Down,
    Up,
}

/// The modes with their modifiers.
pub(crate) const MODES: [(&str, Mode); 4] =
    [("rn", Mode::Nearest), ("rz", Mode::Zero), ("rm", Mode::Down), ("rp", Mode::Up)];

/// `±mantissa * 2^exponent`
#[derive(Debug, Clone)]
struct Dyadic {
    negative: bool,
    mantissa: Nat,
    exponent: i32,
}

impl Format {
    pub(crate) fn bits(self) -> u32 {
        1 + self.exponent + self.fraction
    }

    pub(crate) fn sign(self) -> u64 {
        1 << (self.exponent + self.fraction)
    }

    pub(crate) fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    pub(crate) fn nan(self) -> u64 {
        self.sign() - 1
    }

    pub(crate) fn is_nan(self, bits: u64) -> bool {
        bits & (self.sign() - 1) > self.infinity()
    }

    pub(crate) fn is_subnormal(self, bits: u64) -> bool {
        bits & self.infinity() == 0 && bits & (self.sign() - 1) != 0
    }

    /// `.ftz`
    pub(crate) fn flush(self, bits: u64) -> u64 {
        if self.is_subnormal(bits) { bits & self.sign() } else { bits }
    }

    /// `.sat`
    pub(crate) fn saturate(self, bits: u64) -> u64 {
        let one = ((1 << (self.exponent - 1)) - 1) << self.fraction;
        if self.is_nan(bits) || bits & self.sign() != 0 { 0 } else { bits.min(one) }
    }

    /// The value of a magnitude; infinity's is that of the number that would come next.
    fn value(self, magnitude: u64) -> (u64, i32) {
        let least = 2 - (1 << (self.exponent - 1)) - self.fraction as i32;
        let (exponent, fraction) =
            ((magnitude >> self.fraction) as i32, magnitude & ((1 << self.fraction) - 1));
        if exponent == 0 { (fraction, least) } else { (fraction | 1 << self.fraction, least + exponent - 1) }
    }

    fn dyadic(self, bits: u64) -> Dyadic {
        let (mantissa, exponent) = self.value(bits & (self.sign() - 1));
        Dyadic { negative: bits & self.sign() != 0, mantissa: Nat::new(mantissa), exponent }
    }

    /// The nearest `f64`; exact but for rounding of nothing, since every format fits.
    pub(crate) fn to_f64(self, bits: u64) -> f64 {
        let magnitude = bits & (self.sign() - 1);
        let size = if self.is_nan(bits) {
            f64::NAN
        } else if magnitude == self.infinity() {
            f64::INFINITY
        } else {
            let (mantissa, exponent) = self.value(magnitude);
            // Two steps, so that neither power leaves the range.
            mantissa as f64 * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2)
        };
        if bits & self.sign() == 0 { size } else { -size }
    }

    /// Rounds a positive value that is not 0. `at_most` says how a number `m * 2^e` compares with it.
    fn round(self, negative: bool, mode: Mode, compare: impl Fn(&Nat, i32) -> Ordering) -> u64 {
        // The largest magnitude that is not above the value.
        let (mut low, mut high) = (0, self.infinity());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let (mantissa, exponent) = self.value(middle);
            if compare(&Nat::new(mantissa), exponent) == Ordering::Greater {
                high = middle;
            } else {
                low = middle;
            }
        }
        let sign = if negative { self.sign() } else { 0 };
        let (mantissa, exponent) = self.value(low);
        if compare(&Nat::new(mantissa), exponent) == Ordering::Equal {
            return sign | low;
        }
        let up = match mode {
            Mode::Zero => false,
            Mode::Down => negative,
            Mode::Up => !negative,
            Mode::Nearest => {
                // The middle between this number and the next.
                match compare(&Nat::new(mantissa * 2 + 1), exponent - 1) {
                    Ordering::Less => true,
                    Ordering::Equal => low & 1 == 1,
                    Ordering::Greater => false,
                }
            }
        };
        sign | (low + u64::from(up))
    }

    /// Rounds `±numerator / denominator`.
    fn round_fraction(self, negative: bool, numerator: &Nat, denominator: &Nat, mode: Mode) -> u64 {
        self.round(negative, mode, |m, e| {
            let left = m.mul(denominator);
            if e >= 0 {
                left.shl(e.unsigned_abs()).cmp(numerator)
            } else {
                left.cmp(&numerator.shl(e.unsigned_abs()))
            }
        })
    }

    /// Rounds any `f64`, or an integer as one, from this value to this format.
    pub(crate) fn round_from(self, from: Format, bits: u64, mode: Mode) -> u64 {
        let sign = if bits & from.sign() != 0 { self.sign() } else { 0 };
        let magnitude = bits & (from.sign() - 1);
        if from.is_nan(bits) {
            return self.nan();
        }
        if magnitude == from.infinity() {
            return sign | self.infinity();
        }
        if magnitude == 0 {
            return sign;
        }
        let x = from.dyadic(bits);
        self.round_dyadic(&x, mode)
    }

    pub(crate) fn round_int(self, negative: bool, magnitude: u64, mode: Mode) -> u64 {
        if magnitude == 0 {
            return 0;
        }
        self.round_dyadic(&Dyadic { negative, mantissa: Nat::new(magnitude), exponent: 0 }, mode)
    }

    fn round_dyadic(self, x: &Dyadic, mode: Mode) -> u64 {
        let one = Nat::new(1);
        if x.exponent >= 0 {
            self.round_fraction(x.negative, &x.mantissa.shl(x.exponent.unsigned_abs()), &one, mode)
        } else {
            self.round_fraction(x.negative, &x.mantissa, &one.shl(x.exponent.unsigned_abs()), mode)
        }
    }

    fn finite(self, bits: u64) -> bool {
        bits & (self.sign() - 1) < self.infinity()
    }

    fn zero(self, bits: u64) -> bool {
        bits & (self.sign() - 1) == 0
    }

    /// What the host's arithmetic says where no rounding is involved.
    fn special(self, value: f64) -> u64 {
        if value.is_nan() {
            return self.nan();
        }
        let sign = if value.is_sign_negative() { self.sign() } else { 0 };
        sign | if value.is_infinite() { self.infinity() } else { 0 }
    }

    /// `a * b + c`, rounded once.
    pub(crate) fn fma(self, a: u64, b: u64, c: u64, mode: Mode) -> u64 {
        if ![a, b, c].into_iter().all(|x| self.finite(x)) {
            // Whether the product overflows is no matter here: it is infinite, or `c` is.
            let sign = |x: u64| if x & self.sign() != 0 { -1.0 } else { 1.0 };
            let small = |x: u64| {
                if self.finite(x) { if self.zero(x) { 0.0 } else { 1.0 } } else { self.to_f64(x).abs() }
            };
            let product = sign(a) * small(a) * (sign(b) * small(b));
            return self.special(product + sign(c) * small(c));
        }
        let negative = (a ^ b) & self.sign() != 0;
        let (x, y, z) = (self.dyadic(a), self.dyadic(b), self.dyadic(c));
        let product =
            Dyadic { negative, mantissa: x.mantissa.mul(&y.mantissa), exponent: x.exponent + y.exponent };
        let exponent = product.exponent.min(z.exponent);
        let scaled = |d: &Dyadic| d.mantissa.shl((d.exponent - exponent).unsigned_abs());
        let (p, q) = (scaled(&product), scaled(&z));
        let (negative, mantissa) = if product.negative == z.negative {
            (product.negative, p.add(&q))
        } else if p.cmp(&q) == Ordering::Less {
            (z.negative, q.sub(&p))
        } else {
            (product.negative, p.sub(&q))
        };
        if mantissa.is_zero() {
            let both = product.negative == z.negative;
            let minus = if both { z.negative } else { mode == Mode::Down };
            return if minus { self.sign() } else { 0 };
        }
        self.round_dyadic(&Dyadic { negative, mantissa, exponent }, mode)
    }

    pub(crate) fn add(self, a: u64, b: u64, mode: Mode) -> u64 {
        self.fma(a, self.one(), b, mode)
    }

    pub(crate) fn sub(self, a: u64, b: u64, mode: Mode) -> u64 {
        if self.is_nan(b) { self.nan() } else { self.add(a, b ^ self.sign(), mode) }
    }

    pub(crate) fn mul(self, a: u64, b: u64, mode: Mode) -> u64 {
        // A zero of the product's sign changes neither the product nor the sign of a zero.
        self.fma(a, b, (a ^ b) & self.sign(), mode)
    }

    pub(crate) fn one(self) -> u64 {
        ((1 << (self.exponent - 1)) - 1) << self.fraction
    }

    pub(crate) fn div(self, a: u64, b: u64, mode: Mode) -> u64 {
        if !self.finite(a) || !self.finite(b) || self.zero(a) || self.zero(b) {
            // Nothing is rounded: the quotient is a zero, an infinity or a NaN, and a number may be any number.
            let sized = |x: u64| {
                let value = self.to_f64(x);
                if self.finite(x) && !self.zero(x) { 1.0_f64.copysign(value) } else { value }
            };
            return self.special(sized(a) / sized(b));
        }
        let (x, y) = (self.dyadic(a), self.dyadic(b));
        let exponent = x.exponent - y.exponent;
        let (up, down) = if exponent >= 0 { (exponent, 0) } else { (0, -exponent) };
        let numerator = x.mantissa.shl(up.unsigned_abs());
        let denominator = y.mantissa.shl(down.unsigned_abs());
        self.round_fraction(x.negative != y.negative, &numerator, &denominator, mode)
    }

    pub(crate) fn sqrt(self, a: u64, mode: Mode) -> u64 {
        if self.zero(a) || a == self.infinity() {
            return a;
        }
        if self.is_nan(a) || a & self.sign() != 0 {
            return self.nan();
        }
        let x = self.dyadic(a);
        self.round(false, mode, |m, e| {
            // Compares squares.
            let (square, exponent) = (m.mul(m), 2 * e - x.exponent);
            if exponent >= 0 {
                square.shl(exponent.unsigned_abs()).cmp(&x.mantissa)
            } else {
                square.cmp(&x.mantissa.shl(exponent.unsigned_abs()))
            }
        })
    }

    /// Numbers at which things happen, and some that look random.
    pub(crate) fn interesting(self, random: usize) -> Vec<u64> {
        let (one, infinity) = (self.one(), self.infinity());
        let ulp = 1;
        let normal = 1 << self.fraction;
        let mut out = vec![
            0,
            1,
            2,
            normal - 1,
            normal,
            normal + 1,
            one - 1,
            one,
            one + ulp,
            one + (normal >> 1),
            one + normal,
            one + normal + 1,
            one - 3 * normal,
            infinity - 1,
            infinity - normal,
            infinity,
            infinity + 1,
            self.nan(),
            // A tie when it is added to 1.
            one - (u64::from(self.fraction) + 1) * normal,
            one - (u64::from(self.fraction) + 2) * normal + 1,
        ];
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..random {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            out.push(state >> 5 & (self.sign() - 1));
            // Near 1, where results round in every way.
            out.push(one - normal + (state >> 7) % (4 * normal));
        }
        let negative: Vec<u64> = out.iter().map(|x| x | self.sign()).collect();
        out.extend(negative);
        out
    }

    /// Pairs of interesting numbers and a third, `count` of them at most.
    pub(crate) fn inputs(self, count: usize) -> Vec<[u64; 3]> {
        let list = self.interesting(8);
        let all = list.len() * list.len();
        let step = (all / count).max(1) | 1;
        (0..all)
            .step_by(step)
            .map(|at| {
                let (i, j) = (at / list.len(), at % list.len());
                [list[i], list[j], list[(i * 7 + j * 3 + at / 5) % list.len()]]
            })
            .collect()
    }
}
