//! Floating-point arithmetic in integers: any format, any rounding mode, rounded once.
//!
//! It serves what the host's floating point cannot: half and smaller formats, directed rounding, and conversions
//! between all of them. A number is decoded to an exact value, the operation is carried out exactly (or to enough bits, with
//! a flag for what lies below them), and one function rounds to the format that is asked for.
//!
//! Every NaN that comes out is the one that PTX calls canonical: all bits set but the sign.

/// How a value between two representable ones is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Mode {
    /// To the nearer one, on a tie to the one whose last bit is 0.
    Nearest,
    /// Towards zero.
    Zero,
    /// Towards negative infinity.
    Down,
    /// Towards positive infinity.
    Up,
    /// To the nearer one, on a tie away from zero.
    Away,
}

impl Mode {
    pub(crate) const ALL: [Mode; 5] = [Mode::Nearest, Mode::Zero, Mode::Down, Mode::Up, Mode::Away];

    pub(crate) fn from_number(number: u32) -> Mode {
        Self::ALL.get(number as usize).copied().unwrap_or(Mode::Nearest)
    }
}

/// What the largest exponent of a format is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    /// Infinities and NaNs, as in IEEE 754.
    Both,
    /// Numbers, except that all ones is a NaN.
    NanOnly,
}

/// A binary floating-point format: the widths of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    exponent: u32,
    fraction: u32,
    special: Special,
}

const fn ieee(exponent: u32, fraction: u32) -> Format {
    Format { exponent, fraction, special: Special::Both }
}

pub(crate) const F16: Format = ieee(5, 10);
pub(crate) const BF16: Format = ieee(8, 7);
pub(crate) const F32: Format = ieee(8, 23);
pub(crate) const F64: Format = ieee(11, 52);
/// The high 19 bits of an `.f32`.
pub(crate) const TF32: Format = ieee(8, 10);
pub(crate) const E5M2: Format = ieee(5, 2);
pub(crate) const E4M3: Format = Format { exponent: 4, fraction: 3, special: Special::NanOnly };

impl Format {
    fn sign(self) -> u64 {
        1 << (self.exponent + self.fraction)
    }

    /// The exponent of the last bit of the smallest numbers.
    fn least(self) -> i32 {
        2 - (1 << (self.exponent - 1)) - self.fraction as i32
    }

    fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    /// The largest finite number.
    fn max(self) -> u64 {
        match self.special {
            Special::Both => self.infinity() - 1,
            Special::NanOnly => self.sign() - 2,
        }
    }

    pub(crate) fn nan(self) -> u64 {
        self.sign() - 1
    }

    /// Whether the bits are a NaN.
    pub(crate) fn is_nan(self, bits: u64) -> bool {
        let magnitude = bits & (self.sign() - 1);
        match self.special {
            Special::Both => magnitude > self.infinity(),
            Special::NanOnly => magnitude == self.sign() - 1,
        }
    }

    pub(crate) fn is_negative(self, bits: u64) -> bool {
        bits & self.sign() != 0
    }

    /// A subnormal becomes zero of the same sign.
    pub(crate) fn flush(self, bits: u64) -> u64 {
        if bits & self.infinity() == 0 { bits & self.sign() } else { bits }
    }

    pub(crate) fn abs(self, bits: u64) -> u64 {
        bits & (self.sign() - 1)
    }

    pub(crate) fn negate(self, bits: u64) -> u64 {
        bits ^ self.sign()
    }

    /// 1 in this format.
    pub(crate) fn one(self) -> u64 {
        ((1 << (self.exponent - 1)) - 1) << self.fraction
    }

    pub(crate) fn decode(self, bits: u64) -> Exact {
        let negative = self.is_negative(bits);
        let magnitude = bits & (self.sign() - 1);
        if self.is_nan(bits) {
            return Exact::Nan;
        }
        if self.special == Special::Both && magnitude == self.infinity() {
            return Exact::Infinite { negative };
        }
        let fraction = u128::from(magnitude & ((1 << self.fraction) - 1));
        let exponent = (magnitude >> self.fraction) as i32;
        if exponent == 0 {
            return Exact::finite(negative, fraction, self.least());
        }
        Exact::finite(negative, fraction | 1 << self.fraction, self.least() + exponent - 1)
    }
}

/// A value, exactly, or with a flag that says it is a little more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exact {
    Nan,
    Infinite {
        negative: bool,
    },
    /// `magnitude * 2^exponent`, plus something less than `2^exponent` if `more`, which only values of more than 100 bits have.
    Finite {
        negative: bool,
        magnitude: u128,
        exponent: i32,
        more: bool,
    },
}

impl Exact {
    fn finite(negative: bool, magnitude: u128, exponent: i32) -> Exact {
        Exact::Finite { negative, magnitude, exponent, more: false }
    }

    pub(crate) fn from_unsigned(n: u64) -> Exact {
        Exact::finite(false, u128::from(n), 0)
    }

    pub(crate) fn from_signed(n: i64) -> Exact {
        Exact::finite(n < 0, u128::from(n.unsigned_abs()), 0)
    }

    pub(crate) fn is_negative(self) -> bool {
        match self {
            Exact::Nan => false,
            Exact::Infinite { negative } | Exact::Finite { negative, .. } => negative,
        }
    }

    /// Rounds to `format`. With `finite`, what is too large becomes the largest finite number.
    pub(crate) fn round(self, format: Format, mode: Mode, finite: bool) -> u64 {
        let (negative, magnitude, exponent, more) = match self {
            Exact::Nan => return format.nan(),
            Exact::Infinite { negative } => {
                let bits =
                    if finite || format.special != Special::Both { format.max() } else { format.infinity() };
                return if negative { format.negate(bits) } else { bits };
            }
            Exact::Finite { negative, magnitude, exponent, more } => (negative, magnitude, exponent, more),
        };
        let sign = if negative { format.sign() } else { 0 };
        if magnitude == 0 {
            return sign;
        }
        let width = 128 - magnitude.leading_zeros() as i32;
        let least = format.least();
        // The exponent of the result's last bit.
        let last = (exponent + width - format.fraction as i32 - 1).max(least);
        let drop = last - exponent;
        let (kept, half, rest) = if drop > 128 {
            (0, false, true)
        } else if drop > 0 {
            let half = magnitude >> (drop - 1) & 1 == 1;
            let below = magnitude & ((1 << (drop - 1)) - 1);
            (magnitude.checked_shr(drop as u32).unwrap_or(0), half, below != 0 || more)
        } else {
            // Values with more to them are wider than any format, so nothing is lost here.
            (magnitude << -drop, false, more)
        };
        let away = match mode {
            Mode::Nearest => half && (rest || kept & 1 == 1),
            Mode::Away => half,
            Mode::Zero => false,
            Mode::Down => negative && (half || rest),
            Mode::Up => !negative && (half || rest),
        };
        let kept = kept as u64 + u64::from(away);
        // The hidden bit carries into the exponent by itself.
        let steps = i64::from(last) - i64::from(least);
        let overflow = steps >= 1 << format.exponent;
        let bits = if overflow { u64::MAX } else { ((steps as u64) << format.fraction) + kept };
        if bits <= format.max() {
            return sign | bits;
        }
        let to_infinity = match mode {
            Mode::Nearest | Mode::Away => true,
            Mode::Zero => false,
            Mode::Down => negative,
            Mode::Up => !negative,
        };
        let infinite = to_infinity && !finite && format.special == Special::Both;
        sign | if infinite { format.infinity() } else { format.max() }
    }

    pub(crate) fn negated(self) -> Exact {
        match self {
            Exact::Nan => Exact::Nan,
            Exact::Infinite { negative } => Exact::Infinite { negative: !negative },
            Exact::Finite { negative, magnitude, exponent, more } => {
                Exact::Finite { negative: !negative, magnitude, exponent, more }
            }
        }
    }

    /// The sum, of exact values. The sign of a zero depends on the rounding mode.
    pub(crate) fn plus(self, other: Exact, mode: Mode) -> Exact {
        let ((a_negative, a, a_at), (b_negative, b, b_at)) = match (self, other) {
            (Exact::Nan, _) | (_, Exact::Nan) => return Exact::Nan,
            (Exact::Infinite { negative }, Exact::Infinite { negative: other }) if negative != other => {
                return Exact::Nan;
            }
            (Exact::Infinite { negative }, _) | (_, Exact::Infinite { negative }) => {
                return Exact::Infinite { negative };
            }
            (
                Exact::Finite { negative, magnitude, exponent, .. },
                Exact::Finite { negative: other, magnitude: b, exponent: b_at, .. },
            ) => ((negative, magnitude, exponent), (other, b, b_at)),
        };
        let zero = |negative| Exact::finite(negative, 0, 0);
        match (a, b) {
            (0, 0) if a_negative == b_negative => return zero(a_negative),
            (0, 0) => return zero(mode == Mode::Down),
            (0, _) => return other,
            (_, 0) => return self,
            _ => {}
        }
        // With the top bits in the same place, the larger exponent belongs to the larger number.
        let normal = |magnitude: u128, at: i32| {
            let up = magnitude.leading_zeros() - 2;
            (magnitude << up, at - up as i32)
        };
        let ((a, a_at), (b, b_at)) = (normal(a, a_at), normal(b, b_at));
        let ((big_negative, big, at), (small_negative, small, small_at)) = if (a_at, a) >= (b_at, b) {
            ((a_negative, a, a_at), (b_negative, b, b_at))
        } else {
            ((b_negative, b, b_at), (a_negative, a, a_at))
        };
        let drop = (at - small_at).cast_unsigned();
        let shifted = small.checked_shr(drop).unwrap_or(0);
        let more = drop >= 128 || shifted << drop != small;
        let magnitude = if big_negative == small_negative {
            big + shifted
        } else {
            // What is taken away is a little more than `shifted`, so a little more than this is left.
            big - shifted - u128::from(more)
        };
        if magnitude == 0 && !more {
            return zero(mode == Mode::Down);
        }
        Exact::Finite { negative: big_negative, magnitude, exponent: at, more }
    }

    /// The product, of values of at most 64 bits.
    pub(crate) fn times(self, other: Exact) -> Exact {
        let negative = self.is_negative() != other.is_negative();
        match (self, other) {
            (Exact::Nan, _)
            | (_, Exact::Nan)
            | (Exact::Infinite { .. }, Exact::Finite { magnitude: 0, .. })
            | (Exact::Finite { magnitude: 0, .. }, Exact::Infinite { .. }) => Exact::Nan,
            (Exact::Infinite { .. }, _) | (_, Exact::Infinite { .. }) => Exact::Infinite { negative },
            (
                Exact::Finite { magnitude: a, exponent: a_at, .. },
                Exact::Finite { magnitude: b, exponent: b_at, .. },
            ) => Exact::finite(negative, a.wrapping_mul(b), a_at + b_at),
        }
    }

    /// The quotient, of values of at most 53 bits.
    pub(crate) fn over(self, other: Exact) -> Exact {
        let negative = self.is_negative() != other.is_negative();
        match (self, other) {
            (Exact::Nan, _) | (_, Exact::Nan) | (Exact::Infinite { .. }, Exact::Infinite { .. }) => {
                Exact::Nan
            }
            (Exact::Infinite { .. }, _) => Exact::Infinite { negative },
            (_, Exact::Infinite { .. }) => Exact::finite(negative, 0, 0),
            (
                Exact::Finite { magnitude: a, exponent: a_at, .. },
                Exact::Finite { magnitude: b, exponent: b_at, .. },
            ) => {
                if b == 0 {
                    return if a == 0 { Exact::Nan } else { Exact::Infinite { negative } };
                }
                // At least 127 - 53 bits of quotient, more than any format has.
                let up = a.leading_zeros().saturating_sub(1).min(126);
                let wide = a << up;
                let exponent = a_at - up as i32 - b_at;
                Exact::Finite { negative, magnitude: wide / b, exponent, more: wide % b != 0 }
            }
        }
    }

    /// The square root, of values of at most 53 bits.
    pub(crate) fn root(self) -> Exact {
        match self {
            Exact::Finite { magnitude: 0, .. } | Exact::Infinite { negative: false } => self,
            Exact::Finite { negative: false, magnitude, exponent, .. } => {
                let mut up = magnitude.leading_zeros() as i32 - 2;
                if (exponent - up) % 2 != 0 {
                    up -= 1;
                }
                let wide = magnitude << up;
                let root = wide.isqrt();
                Exact::Finite {
                    negative: false,
                    magnitude: root,
                    exponent: (exponent - up) / 2,
                    more: root * root != wide,
                }
            }
            _ => Exact::Nan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of the small formats decodes to itself in every mode.
    #[test]
    fn rounding_keeps_what_is_representable() {
        for format in [F16, BF16, E5M2, E4M3] {
            for bits in 0..format.sign() * 2 {
                if format.is_nan(bits) {
                    assert_eq!(format.decode(bits), Exact::Nan);
                    continue;
                }
                for mode in Mode::ALL {
                    assert_eq!(format.decode(bits).round(format, mode, false), bits, "{format:?} {mode:?}");
                }
            }
        }
    }

    /// The extremes of the formats are those of their definitions.
    #[test]
    fn extremes() {
        let value =
            |format: Format, bits: u64| f64::from_bits(format.decode(bits).round(F64, Mode::Nearest, false));
        for (format, max) in [(F16, 65504.0), (E4M3, 448.0), (E5M2, 57344.0)] {
            assert_eq!(value(format, format.max()).to_bits(), f64::to_bits(max), "{format:?}");
            assert_eq!(value(format, format.one()).to_bits(), 1.0_f64.to_bits(), "{format:?}");
        }
        assert_eq!(F16.nan(), 0x7fff);
        assert_eq!(F32.nan(), 0x7fff_ffff);
        assert_eq!(E4M3.nan(), 0x7f);
    }
}
