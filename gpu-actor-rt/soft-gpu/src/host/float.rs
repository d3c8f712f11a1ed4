//! Floating point that the code generator has no instructions for: halves, directed rounding, conversions between
//! formats. Compiled code passes what to do as one number, and bits in and out.

use crate::soft::{BF16, E4M3, E5M2, Exact, F16, F32, F64, Format, Mode, TF32};

/// What to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Sub,
    Mul,
    Fma,
    Div,
    Sqrt,
    Min,
    Max,
    Ex2,
    Tanh,
    /// Nothing but what the flags do.
    Keep,
}

const OPERATIONS: [Operation; 11] = [
    Operation::Add,
    Operation::Sub,
    Operation::Mul,
    Operation::Fma,
    Operation::Div,
    Operation::Sqrt,
    Operation::Min,
    Operation::Max,
    Operation::Ex2,
    Operation::Tanh,
    Operation::Keep,
];

/// What a number is encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Signed,
    Unsigned,
    F16,
    Bf16,
    F32,
    F64,
    Tf32,
    E5m2,
    E4m3,
}

const KINDS: [Kind; 9] = [
    Kind::Signed,
    Kind::Unsigned,
    Kind::F16,
    Kind::Bf16,
    Kind::F32,
    Kind::F64,
    Kind::Tf32,
    Kind::E5m2,
    Kind::E4m3,
];

impl Kind {
    fn format(self) -> Format {
        match self {
            Kind::F16 => F16,
            Kind::Bf16 => BF16,
            Kind::F32 => F32,
            // Integers are no results.
            Kind::F64 | Kind::Signed | Kind::Unsigned => F64,
            Kind::Tf32 => TF32,
            Kind::E5m2 => E5M2,
            Kind::E4m3 => E4M3,
        }
    }
}

/// What happens to operands and results besides the operation itself.
pub(crate) mod flag {
    /// `.ftz`
    pub(crate) const FLUSH: u32 = 1 << 16;
    /// `.sat`: to [0, 1], a NaN to +0.
    pub(crate) const SATURATE: u32 = 1 << 17;
    /// `.relu`: what is negative becomes +0.
    pub(crate) const RELU: u32 = 1 << 18;
    /// `.NaN` of `min` and `max`.
    pub(crate) const NAN: u32 = 1 << 19;
    /// `.xorsign.abs` of `min` and `max`.
    pub(crate) const XOR_SIGN: u32 = 1 << 20;
    /// `.satfinite`
    pub(crate) const FINITE: u32 = 1 << 21;
    /// Two halves in 32 bits.
    pub(crate) const PAIR: u32 = 1 << 22;
}

/// The number that stands for an operation in compiled code.
pub(crate) fn encode(operation: Operation, kind: Kind, mode: Mode, flags: u32) -> u64 {
    u64::from(operation as u32 | (kind as u32) << 4 | (mode as u32) << 8 | flags)
}

/// The number that stands for a conversion in compiled code.
pub(crate) fn encode_convert(from: Kind, to: Kind, mode: Mode, flags: u32) -> u64 {
    u64::from(from as u32 | (to as u32) << 4 | (mode as u32) << 8 | flags)
}

/// The smaller or the larger, with PTX's rules for NaNs; -0 lies below +0.
fn extremum(format: Format, a: u64, b: u64, flags: u32, min: bool) -> u64 {
    let sign = format.is_negative(a) != format.is_negative(b);
    let xor = flags & flag::XOR_SIGN != 0;
    let (a, b) = if xor { (format.abs(a), format.abs(b)) } else { (a, b) };
    let found = match (format.is_nan(a), format.is_nan(b)) {
        (true, true) => return format.nan(),
        (true, false) | (false, true) if flags & flag::NAN != 0 => return format.nan(),
        (true, false) => b,
        (false, true) => a,
        (false, false) => {
            // The bits of a number order it by its size; negative ones the other way round.
            let rank = |bits: u64| {
                let size = format.abs(bits) as i64;
                if format.is_negative(bits) { -size - 1 } else { size }
            };
            if (rank(a) <= rank(b)) == min { a } else { b }
        }
    };
    if xor && sign { format.negate(found) } else { found }
}

/// What `.sat`, `.relu` and `.ftz` make of a result.
fn finish(format: Format, bits: u64, flags: u32) -> u64 {
    let mut bits = bits;
    if flags & flag::SATURATE != 0 {
        bits = if format.is_nan(bits) || format.is_negative(bits) { 0 } else { bits.min(format.one()) };
    }
    if flags & flag::RELU != 0 && !format.is_nan(bits) && format.is_negative(bits) {
        bits = 0;
    }
    if flags & flag::FLUSH != 0 { format.flush(bits) } else { bits }
}

fn one(op: u32, kind: Kind, operands: [u64; 3]) -> u64 {
    let format = kind.format();
    let mode = Mode::from_number(op >> 8 & 15);
    let [a, b, c] = if op & flag::FLUSH != 0 { operands.map(|x| format.flush(x)) } else { operands };
    let exact = |bits| format.decode(bits);
    let round = |value: Exact| value.round(format, mode, false);
    // What compiled code asks for is in the list.
    let operation = OPERATIONS.get((op & 15) as usize).copied().unwrap_or(Operation::Keep);
    let bits = match operation {
        Operation::Add => round(exact(a).plus(exact(b), mode)),
        Operation::Sub => round(exact(a).plus(exact(b).negated(), mode)),
        Operation::Mul => round(exact(a).times(exact(b))),
        Operation::Fma => round(exact(a).times(exact(b)).plus(exact(c), mode)),
        Operation::Div => round(exact(a).over(exact(b))),
        Operation::Sqrt => round(exact(a).root()),
        Operation::Min | Operation::Max => extremum(format, a, b, op, operation == Operation::Min),
        Operation::Ex2 => round(from_host(to_host(exact(a)).exp2())),
        Operation::Tanh => round(from_host(to_host(exact(a)).tanh())),
        Operation::Keep => a,
    };
    finish(format, bits, op)
}

fn to_host(value: Exact) -> f64 {
    f64::from_bits(value.round(F64, Mode::Nearest, false))
}

fn from_host(value: f64) -> Exact {
    F64.decode(value.to_bits())
}

fn kind(number: u32) -> Kind {
    // What compiled code asks for is in the list.
    KINDS.get((number & 15) as usize).copied().unwrap_or(Kind::F64)
}

/// Carries out what [`encode`] made a number of.
pub(super) extern "C" fn compute(op: u32, a: u64, b: u64, c: u64) -> u64 {
    let kind = kind(op >> 4);
    if op & flag::PAIR == 0 {
        return one(op, kind, [a, b, c]);
    }
    let low = one(op, kind, [a, b, c].map(|x| x & 0xffff));
    let high = one(op, kind, [a, b, c].map(|x| x >> 16 & 0xffff));
    high << 16 | low
}

/// Carries out what [`encode_convert`] made a number of. Integers are 64 bits wide, extended by their own sign.
pub(super) extern "C" fn convert(op: u32, bits: u64) -> u64 {
    let (from, to) = (kind(op), kind(op >> 4));
    let mode = Mode::from_number(op >> 8 & 15);
    let value = match from {
        Kind::Signed => Exact::from_signed(bits.cast_signed()),
        Kind::Unsigned => Exact::from_unsigned(bits),
        _ => {
            let format = from.format();
            // `.ftz` is about `.f32` only, on whichever side it is.
            let flush = op & flag::FLUSH != 0 && from == Kind::F32;
            format.decode(if flush { format.flush(bits) } else { bits })
        }
    };
    let format = to.format();
    let flags = if to == Kind::F32 { op } else { op & !flag::FLUSH };
    let bits = finish(format, value.round(format, mode, op & flag::FINITE != 0), flags);
    // A `.tf32` lies in the high bits of an `.f32`.
    if to == Kind::Tf32 { bits << 13 } else { bits }
}

/// The `.f32` with the value of an `.f16`.
pub(super) extern "C" fn widen(bits: u32) -> f32 {
    let (sign, exponent, fraction) = ((bits & 0x8000) << 16, bits >> 10 & 31, bits & 0x3ff);
    match exponent {
        // A subnormal's value is a multiple of 2^-24, which `.f32` has as a normal number.
        0 => f32::from_bits(sign | (fraction as f32 * f32::from_bits(0x3380_0000)).to_bits()),
        31 if fraction != 0 => f32::from_bits(0x7fff_ffff),
        31 => f32::from_bits(sign | 0x7f80_0000),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_is_exact() {
        for bits in 0..=0xffff_u32 {
            let expected = F16.decode(u64::from(bits)).round(F32, Mode::Nearest, false);
            assert_eq!(u64::from(widen(bits).to_bits()), expected, "{bits:#x}");
        }
    }

    #[test]
    fn numbers_stand_for_what_they_are_made_of() {
        for (at, operation) in OPERATIONS.iter().enumerate() {
            assert_eq!(*operation as usize, at);
        }
        for (at, kind) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
    }
}
