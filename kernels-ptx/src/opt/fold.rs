//! Operations on constants: what Rust gives, bit for bit.
//!
//! A float result that is NaN is left to the device: which NaN an operation gives is not defined, and a folded one would
//! differ from the one beside it.

use crate::ir::{BinaryOp, CheckedOp, Const, Op, Operand, ScalarType, UnaryOp};

/// The value of an operation whose operands are constants.
pub(super) fn fold(op: Op, result: ScalarType) -> Option<Const> {
    let constant = |operand: Operand| if let Operand::Const(c) = operand { Some(c) } else { None };
    match op {
        Op::Copy(a) => constant(a),
        Op::Unary(op, a) => unary(op, constant(a)?),
        Op::Binary(op, a, b) => binary(op, constant(a)?, constant(b)?),
        Op::Compare(op, a, b) => {
            Some(Const::new(ScalarType::Bool, op.holds(constant(a)?, constant(b)?).into()))
        }
        Op::Select { cond, yes, no } => constant(if constant(cond)?.bits == 0 { no } else { yes }),
        Op::MulAdd(a, b, c) => {
            let (a, b, c) = (constant(a)?, constant(b)?, constant(c)?);
            float(a.ty, f32::mul_add, f64::mul_add, a, b, c)
        }
        Op::Cast(a) => Some(cast(constant(a)?, result)).filter(|c| !is_nan(*c)),
        Op::Bitcast(a) => Some(Const::new(result, constant(a)?.bits)),
        Op::Special(_) => None,
    }
}

/// A float operation, unless its result is NaN.
fn float(
    ty: ScalarType,
    narrow: impl Fn(f32, f32, f32) -> f32,
    wide: impl Fn(f64, f64, f64) -> f64,
    a: Const,
    b: Const,
    c: Const,
) -> Option<Const> {
    if ty == ScalarType::F32 {
        let [a, b, c] = [a, b, c].map(|c| f32::from_bits(c.bits as u32));
        let result = narrow(a, b, c);
        (!result.is_nan()).then(|| Const::new(ty, result.to_bits().into()))
    } else {
        let [a, b, c] = [a, b, c].map(|c| f64::from_bits(c.bits));
        let result = wide(a, b, c);
        (!result.is_nan()).then(|| Const::new(ty, result.to_bits()))
    }
}

fn unary(op: UnaryOp, a: Const) -> Option<Const> {
    let ty = a.ty;
    if ty.is_float() {
        return match op {
            UnaryOp::Neg => float(ty, |x, _, _| -x, |x, _, _| -x, a, a, a),
            UnaryOp::Abs => float(ty, |x, _, _| x.abs(), |x, _, _| x.abs(), a, a, a),
            UnaryOp::Sqrt => float(ty, |x, _, _| x.sqrt(), |x, _, _| x.sqrt(), a, a, a),
            UnaryOp::Floor => float(ty, |x, _, _| x.floor(), |x, _, _| x.floor(), a, a, a),
            UnaryOp::Ceil => float(ty, |x, _, _| x.ceil(), |x, _, _| x.ceil(), a, a, a),
            UnaryOp::Trunc => float(ty, |x, _, _| x.trunc(), |x, _, _| x.trunc(), a, a, a),
            UnaryOp::RoundTiesEven => {
                float(ty, |x, _, _| x.round_ties_even(), |x, _, _| x.round_ties_even(), a, a, a)
            }
            _ => None,
        };
    }
    let width = ty.bits();
    let count = |n: u32| Const::new(ScalarType::U32, n.into());
    Some(match op {
        UnaryOp::Neg => Const::new(ty, a.bits.wrapping_neg()),
        UnaryOp::Not => Const::new(ty, !a.bits),
        UnaryOp::Abs => Const::new(ty, a.as_i128().unsigned_abs() as u64),
        UnaryOp::CountOnes => count(a.bits.count_ones()),
        UnaryOp::LeadingZeros => count(a.bits.leading_zeros() - (64 - width)),
        UnaryOp::TrailingZeros => count(a.bits.trailing_zeros().min(width)),
        UnaryOp::ReverseBits => Const::new(ty, a.bits.reverse_bits() >> (64 - width)),
        UnaryOp::SwapBytes => Const::new(ty, a.bits.swap_bytes() >> (64 - width)),
        _ => return None,
    })
}

fn binary(op: BinaryOp, a: Const, b: Const) -> Option<Const> {
    let ty = a.ty;
    if ty.is_float() {
        return match op {
            BinaryOp::Add => float(ty, |x, y, _| x + y, |x, y, _| x + y, a, b, b),
            BinaryOp::Sub => float(ty, |x, y, _| x - y, |x, y, _| x - y, a, b, b),
            BinaryOp::Mul => float(ty, |x, y, _| x * y, |x, y, _| x * y, a, b, b),
            BinaryOp::Div => float(ty, |x, y, _| x / y, |x, y, _| x / y, a, b, b),
            // Of two zeros PTX takes another one than Rust may.
            _ => None,
        };
    }
    let (l, r) = (a.as_i128(), b.as_i128());
    let width = ty.bits();
    Some(Const::new(
        ty,
        match op {
            BinaryOp::Add => a.bits.wrapping_add(b.bits),
            BinaryOp::Sub => a.bits.wrapping_sub(b.bits),
            BinaryOp::Mul => a.bits.wrapping_mul(b.bits),
            BinaryOp::And => a.bits & b.bits,
            BinaryOp::Or => a.bits | b.bits,
            BinaryOp::Xor => a.bits ^ b.bits,
            BinaryOp::Min => l.min(r) as u64,
            BinaryOp::Max => l.max(r) as u64,
            BinaryOp::Shl if b.bits < u64::from(width) => a.bits << b.bits,
            BinaryOp::Shr if b.bits < u64::from(width) => (l >> b.bits) as u64,
            BinaryOp::Div | BinaryOp::Shl | BinaryOp::Shr => return None,
            BinaryOp::RotateLeft | BinaryOp::RotateRight => {
                let amount = (b.bits % u64::from(width)) as u32;
                let left = if op == BinaryOp::RotateLeft { amount } else { (width - amount) % width };
                if left == 0 { a.bits } else { a.bits << left | a.bits >> (width - left) }
            }
        },
    ))
}

fn is_nan(c: Const) -> bool {
    match c.ty {
        ScalarType::F32 => f32::from_bits(c.bits as u32).is_nan(),
        ScalarType::F64 => f64::from_bits(c.bits).is_nan(),
        _ => false,
    }
}

/// The exact result.
pub(super) fn exact(op: CheckedOp, l: i128, r: i128) -> i128 {
    match op {
        CheckedOp::Add => l + r,
        CheckedOp::Sub => l - r,
        // Both are below 2^64 in size.
        CheckedOp::Mul => l.saturating_mul(r),
    }
}

/// Rust's `as`.
fn cast(a: Const, to: ScalarType) -> Const {
    let wide = match a.ty {
        ScalarType::F32 => Some(f64::from(f32::from_bits(a.bits as u32))),
        ScalarType::F64 => Some(f64::from_bits(a.bits)),
        _ => None,
    };
    let bits = match (wide, to) {
        (Some(x), ScalarType::F32) => (x as f32).to_bits().into(),
        (Some(x), ScalarType::F64) => x.to_bits(),
        // A float that is cast to an integer stops at its limits; widened to f64 before, it is still itself.
        (Some(x), ScalarType::Bool) => (x != 0.0).into(),
        (Some(x), ScalarType::I8) => x as i8 as u64,
        (Some(x), ScalarType::I16) => x as i16 as u64,
        (Some(x), ScalarType::I32) => x as i32 as u64,
        (Some(x), ScalarType::I64) => x as i64 as u64,
        (Some(x), ScalarType::U8) => x as u8 as u64,
        (Some(x), ScalarType::U16) => x as u16 as u64,
        (Some(x), ScalarType::U32) => x as u32 as u64,
        (Some(x), ScalarType::U64) => x as u64,
        (None, ScalarType::F32) => (a.as_i128() as f32).to_bits().into(),
        (None, ScalarType::F64) => (a.as_i128() as f64).to_bits(),
        (None, _) => a.as_i128() as u64,
    };
    Const::new(to, bits)
}
