//! `cvt`.
//!
//! Integers are taken from the low bits of wider registers and extended, by their own signedness, into wider ones.
//! Floats convert to integers with clamping; a NaN gives 0, or, where either side has 64 bits, 2 to the power of the target's width
//! minus one, as the PTX manual has it.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use crate::ptx::ast::{Instruction, Ty};

/// How a float becomes an integer, or an integral float.
#[derive(Clone, Copy)]
enum Round {
    Nearest,
    Zero,
    Down,
    Up,
}

const ROUNDS: [(&str, Round); 4] =
    [(".rni", Round::Nearest), (".rzi", Round::Zero), (".rmi", Round::Down), (".rpi", Round::Up)];

impl<'a> Lower<'_, '_, 'a> {
    pub(super) fn convert(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let integral = mods.take_any(&ROUNDS);
        let nearest = mods.take(".rn");
        if let Some(mode) = [".rz", ".rm", ".rp"].into_iter().find(|m| mods.take(m)) {
            return Err(self.unsupported(mode, "only rounding to nearest even, `.rn`, is known here"));
        }
        let (flush, saturate) = (mods.take(".ftz"), mods.take(".sat"));
        let to = self.ty(&mut mods)?;
        let from = self.ty(&mut mods)?;
        self.done(&mods)?;
        if to == Ty::Pred || from == Ty::Pred {
            return Err(self.bad_type(Ty::Pred));
        }
        if to.is_untyped() || from.is_untyped() {
            return Err(self.bad_type(if to.is_untyped() { to } else { from }));
        }
        if flush && to != Ty::F32 && from != Ty::F32 {
            return Err(self.unsupported(".ftz", "only `.f32` flushes"));
        }
        let [d, a] = self.operands(i)?;
        let mut value = self.wide_source(a, from)?;
        if flush && from == Ty::F32 {
            value = self.flush(value);
        }
        let value = match (from.is_float(), to.is_float()) {
            (false, false) => {
                if nearest || integral.is_some() {
                    return Err(self.type_error("integers are not rounded"));
                }
                if saturate {
                    value = self.clamp_to(value, from, to);
                }
                self.resize(value, clif(to), from.is_signed())
            }
            (false, true) => {
                if !nearest {
                    return Err(self.type_error("an integer becomes a float with a rounding mode, `.rn`"));
                }
                if from.bits() < 32 {
                    value = self.resize(value, types::I32, from.is_signed());
                }
                let value = if from.is_signed() {
                    self.b.ins().fcvt_from_sint(clif(to), value)
                } else {
                    self.b.ins().fcvt_from_uint(clif(to), value)
                };
                if saturate { self.saturate(to, value) } else { value }
            }
            (true, false) => {
                let Some(round) = integral else {
                    return Err(
                        self.type_error("a float becomes an integer with a rounding mode such as `.rzi`")
                    );
                };
                self.float_to_int(value, round, from, to)
            }
            (true, true) => {
                if from.size() > to.size() && !nearest {
                    return Err(self.type_error("a float becomes a narrower one with a rounding mode, `.rn`"));
                }
                if let Some(round) = integral {
                    if from != to {
                        return Err(self.type_error("rounding to an integral value keeps the type"));
                    }
                    value = self.round(value, round);
                }
                let mut value = self.float_resize(value, to);
                if saturate {
                    value = self.saturate(to, value);
                }
                if flush && to == Ty::F32 { self.flush(value) } else { value }
            }
        };
        self.wide_assign(d, to, value)
    }

    fn round(&mut self, value: Value, round: Round) -> Value {
        match round {
            Round::Nearest => self.b.ins().nearest(value),
            Round::Zero => self.b.ins().trunc(value),
            Round::Down => self.b.ins().floor(value),
            Round::Up => self.b.ins().ceil(value),
        }
    }

    fn float_to_int(&mut self, value: Value, round: Round, from: Ty, to: Ty) -> Value {
        // The conversion itself cuts off.
        let rounded = if let Round::Zero = round { value } else { self.round(value, round) };
        let wide = if to.bits() == 64 { types::I64 } else { types::I32 };
        let mut result = if to.is_signed() {
            self.b.ins().fcvt_to_sint_sat(wide, rounded)
        } else {
            self.b.ins().fcvt_to_uint_sat(wide, rounded)
        };
        if to.bits() < 32 {
            let have = if to.is_signed() { Ty::S32 } else { Ty::U32 };
            result = self.clamp_to(result, have, to);
        }
        if from == Ty::F64 || to.bits() == 64 {
            let nan = self.is_nan(value);
            let indefinite = self.int(wide, 1 << (to.bits() - 1));
            result = self.select(nan, indefinite, result);
        }
        self.resize(result, clif(to), false)
    }
}
