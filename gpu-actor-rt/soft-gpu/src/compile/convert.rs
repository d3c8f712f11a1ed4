//! `cvt`.
//!
//! Integers are taken from the low bits of wider registers and extended, by their own signedness, into wider ones.
//! Floats convert to integers with clamping; a NaN gives 0, or, where either side has 64 bits, 2 to the power of the target's width
//! minus one, as the PTX manual has it. What the host has no instruction for (halves and smaller, directed rounding)
//! goes through [`crate::host::float`].

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::module::clif;
use super::rounding::MODES;
use crate::host;
use crate::host::float::{Kind, encode_convert, flag};
use crate::ptx::ast::{Instruction, Ty};
use crate::soft::Mode;

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

/// What a conversion's modifiers say beside the types.
#[derive(Clone, Copy)]
struct Manner {
    integral: Option<Round>,
    mode: Option<Mode>,
    flush: bool,
    saturate: bool,
    relu: bool,
    finite: bool,
}

impl Manner {
    fn flags(self) -> u32 {
        [
            (self.flush, flag::FLUSH),
            (self.saturate, flag::SATURATE),
            (self.relu, flag::RELU),
            (self.finite, flag::FINITE),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .fold(0, |flags, (_, flag)| flags | flag)
    }
}

/// What a value of the type is to the host.
fn kind(ty: Ty) -> Kind {
    match ty {
        Ty::F16 | Ty::F16x2 => Kind::F16,
        Ty::Bf16 | Ty::Bf16x2 => Kind::Bf16,
        Ty::F32 => Kind::F32,
        Ty::F64 => Kind::F64,
        _ if ty.is_signed() => Kind::Signed,
        _ => Kind::Unsigned,
    }
}

impl<'a> Lower<'_, '_, 'a> {
    pub(super) fn convert(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if mods.take(".pack") {
            return self.convert_pack(i, mods);
        }
        let manner = Manner {
            integral: mods.take_any(&ROUNDS),
            mode: mods.take_any(&MODES).or_else(|| mods.take(".rna").then_some(Mode::Away)),
            flush: mods.take(".ftz"),
            saturate: mods.take(".sat"),
            relu: mods.take(".relu"),
            finite: mods.take(".satfinite"),
        };
        let small = mods.take_any(&[(".tf32", Kind::Tf32), (".e4m3x2", Kind::E4m3), (".e5m2x2", Kind::E5m2)]);
        let to = self.ty(&mut mods)?;
        if let Some(small) = small {
            self.done(&mods)?;
            return self.convert_small(i, small, to, manner);
        }
        if to.is_pair() {
            return self.convert_pair(i, to, manner, mods);
        }
        let from = self.ty(&mut mods)?;
        self.done(&mods)?;
        for ty in [to, from] {
            if ty == Ty::Pred || ty.is_untyped() || ty.is_pair() || ty == Ty::B128 {
                return Err(self.bad_type(ty));
            }
        }
        self.check_manner(to, from, manner)?;
        let [d, a] = self.operands(i)?;
        let value = self.wide_source(a, from)?;
        let value = self.converted(value, from, to, manner)?;
        self.wide_assign(d, to, value)
    }

    /// Whether the modifiers are ones that a conversion between these types has.
    fn check_manner(&self, to: Ty, from: Ty, manner: Manner) -> Lowered {
        if manner.flush && to != Ty::F32 && from != Ty::F32 {
            return Err(self.unsupported(".ftz", "only `.f32` flushes"));
        }
        let half = matches!(to, Ty::F16 | Ty::Bf16);
        if (manner.relu || manner.finite) && !(half && from == Ty::F32) {
            let token = if manner.relu { ".relu" } else { ".satfinite" };
            return Err(self.unsupported(token, "for conversions of `.f32` to halves and smaller"));
        }
        if manner.mode == Some(Mode::Away) {
            return Err(self.unsupported(".rna", "for conversions to `.tf32`"));
        }
        let float = |ty: Ty| ty.is_float() || ty.is_half();
        match (float(from), float(to)) {
            (false, false) if manner.mode.is_some() || manner.integral.is_some() => {
                Err(self.type_error("integers are not rounded"))
            }
            (false, true) if manner.mode.is_none() => {
                Err(self.type_error("an integer becomes a float with a rounding mode, `.rn`"))
            }
            (true, false) if manner.integral.is_none() => {
                Err(self.type_error("a float becomes an integer with a rounding mode such as `.rzi`"))
            }
            (true, true) if manner.integral.is_some() && from != to => {
                Err(self.type_error("rounding to an integral value keeps the type"))
            }
            (true, true) if from != to && from.size() >= to.size() && manner.mode.is_none() => {
                Err(self.type_error("a float becomes a narrower one with a rounding mode, `.rn`"))
            }
            _ => Ok(()),
        }
    }

    fn converted(&mut self, value: Value, from: Ty, to: Ty, manner: Manner) -> Lowered<Value> {
        let mut value = value;
        let mode = manner.mode.unwrap_or(Mode::Nearest);
        if from.is_half() && to != from {
            // Every half is an `.f32` too.
            if to.is_half() {
                return self.convert_host(value, kind(from), to, mode, manner.flags());
            }
            let wide = self.widened(value, from)?;
            return self.converted(wide, Ty::F32, to, manner);
        }
        match (from.is_float() || from.is_half(), to.is_float() || to.is_half()) {
            (false, false) => {
                if manner.saturate {
                    value = self.clamp_to(value, from, to);
                }
                Ok(self.resize(value, clif(to), from.is_signed()))
            }
            (false, true) => {
                if to.is_half() || mode != Mode::Nearest {
                    let wide = self.resize(value, types::I64, from.is_signed());
                    return self.convert_host(wide, kind(from), to, mode, manner.flags());
                }
                if from.bits() < 32 {
                    value = self.resize(value, types::I32, from.is_signed());
                }
                let value = if from.is_signed() {
                    self.b.ins().fcvt_from_sint(clif(to), value)
                } else {
                    self.b.ins().fcvt_from_uint(clif(to), value)
                };
                Ok(if manner.saturate { self.saturate(to, value) } else { value })
            }
            (true, false) => {
                if manner.flush && from == Ty::F32 {
                    value = self.flush(value);
                }
                let round = manner.integral.unwrap_or(Round::Zero);
                Ok(self.float_to_int(value, round, from, to))
            }
            (true, true) if to.is_half() && from == to => {
                let wide = self.widened(value, from)?;
                let wide = match manner.integral {
                    Some(round) => self.round(wide, round),
                    None => wide,
                };
                // An integral value of a half is a half.
                self.convert_host(wide, Kind::F32, to, Mode::Nearest, manner.flags())
            }
            (true, true) if to.is_half() || from.size() > to.size() && mode != Mode::Nearest => {
                self.convert_host(value, kind(from), to, mode, manner.flags())
            }
            (true, true) => {
                if manner.flush && from == Ty::F32 {
                    value = self.flush(value);
                }
                if let Some(round) = manner.integral {
                    value = self.round(value, round);
                }
                let mut value = self.float_resize(value, to);
                if manner.saturate {
                    value = self.saturate(to, value);
                }
                Ok(if manner.flush && to == Ty::F32 { self.flush(value) } else { value })
            }
        }
    }

    /// A conversion by the host. An integer is extended to 64 bits before.
    fn convert_host(&mut self, value: Value, from: Kind, to: Ty, mode: Mode, flags: u32) -> Lowered<Value> {
        let bits = self.convert_bits(value, from, kind(to), mode, flags)?;
        let raw = match to.size() {
            2 => types::I16,
            4 => types::I32,
            _ => types::I64,
        };
        let bits = self.resize(bits, raw, false);
        Ok(self.bitcast(bits, clif(to)))
    }

    fn convert_bits(&mut self, value: Value, from: Kind, to: Kind, mode: Mode, flags: u32) -> Lowered<Value> {
        let operation = self.int(types::I32, encode_convert(from, to, mode, flags));
        let value = self.raw_bits(value);
        self.host_value(&host::CONVERT, &[operation, value])
    }

    /// `cvt.{f16x2,bf16x2}.f32 d, a, b;` and `cvt.f16x2.{e4m3x2,e5m2x2} d, a;`: `a` is the upper half.
    fn convert_pair(
        &mut self,
        i: &Instruction<'a>,
        to: Ty,
        manner: Manner,
        mut mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let element = if to == Ty::F16x2 { Ty::F16 } else { Ty::Bf16 };
        let from = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(mode @ (Mode::Nearest | Mode::Zero)) = manner.mode else {
            return Err(self.type_error("needs `.rn` or `.rz`"));
        };
        if from != Ty::F32 || manner.integral.is_some() || manner.saturate || manner.flush {
            return Err(self.bad_type(from));
        }
        let [d, a, b] = self.operands(i)?;
        let (a, b) = (self.source(a, from)?, self.source(b, from)?);
        let high = self.convert_bits(a, Kind::F32, kind(element), mode, manner.flags())?;
        let low = self.convert_bits(b, Kind::F32, kind(element), mode, manner.flags())?;
        let value = self.packed(high, low, 16, to);
        self.assign(d, to, value)
    }

    /// `high << width | low` in the register type of `ty`.
    fn packed(&mut self, high: Value, low: Value, width: i64, ty: Ty) -> Value {
        let high = self.b.ins().ishl_imm_u(high, width);
        let both = self.b.ins().bor(high, low);
        self.resize(both, clif(ty), false)
    }

    /// Conversions to and from formats that are no register types: `.tf32`, and pairs of 8-bit floats. `other` is the
    /// type on the other side.
    fn convert_small(&mut self, i: &Instruction<'a>, small: Kind, other: Ty, manner: Manner) -> Lowered {
        let Some(mode) = manner.mode else { return Err(self.type_error("needs a rounding mode")) };
        if manner.integral.is_some() || manner.saturate || manner.flush {
            return Err(self.type_error("takes `.relu` and `.satfinite` only"));
        }
        let flags = manner.flags();
        let token = |ty: Ty| ty.to_string();
        match (small, other) {
            (Kind::Tf32, Ty::F32) => {
                if !matches!(mode, Mode::Away | Mode::Nearest | Mode::Zero) {
                    return Err(self.type_error("needs `.rna`, `.rn` or `.rz`"));
                }
                let [d, a] = self.operands(i)?;
                let a = self.source(a, Ty::F32)?;
                let bits = self.convert_bits(a, Kind::F32, small, mode, flags)?;
                let value = self.resize(bits, types::I32, false);
                self.assign(d, Ty::B32, value)
            }
            (Kind::E4m3 | Kind::E5m2, _) if mode != Mode::Nearest => Err(self.type_error("needs `.rn`")),
            (Kind::E4m3 | Kind::E5m2, Ty::F32) => {
                self.needs_finite(manner)?;
                let [d, a, b] = self.operands(i)?;
                let (a, b) = (self.source(a, other)?, self.source(b, other)?);
                let high = self.convert_bits(a, Kind::F32, small, mode, flags)?;
                let low = self.convert_bits(b, Kind::F32, small, mode, flags)?;
                let value = self.packed(high, low, 8, Ty::B16);
                self.assign(d, Ty::B16, value)
            }
            (Kind::E4m3 | Kind::E5m2, Ty::F16x2) => {
                // Which of the two is the source stands in the order of the types.
                let position = |of: &dyn Fn(&str) -> bool| i.modifiers.iter().position(|m| of(m));
                let half_first = position(&|m| m == ".f16x2") < position(&|m| m.starts_with(".e"));
                let [d, a] = self.operands(i)?;
                let (from, width, to, out_width, out) = if half_first {
                    (small, 8, Kind::F16, 16, Ty::F16x2)
                } else {
                    self.needs_finite(manner)?;
                    (Kind::F16, 16, small, 8, Ty::B16)
                };
                let a = self.source(a, if half_first { Ty::B16 } else { Ty::F16x2 })?;
                let a = self.resize(a, types::I64, false);
                let high = self.b.ins().ushr_imm_u(a, width);
                let high = self.convert_bits(high, from, to, mode, flags)?;
                let low = self.b.ins().band_imm_u(a, (1 << width) - 1);
                let low = self.convert_bits(low, from, to, mode, flags)?;
                let value = self.packed(high, low, out_width, out);
                self.assign(d, out, value)
            }
            _ => Err(self.unsupported(&token(other), "no such conversion")),
        }
    }

    fn needs_finite(&self, manner: Manner) -> Lowered {
        if manner.finite { Ok(()) } else { Err(self.type_error("needs `.satfinite`")) }
    }

    /// `cvt.pack.sat.convertType.abType[.cType] d, a, b[, c];`: two integers, clamped, above the low bits of `c`.
    fn convert_pack(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if !mods.take(".sat") {
            return Err(self.type_error("needs `.sat`"));
        }
        let small = mods.take_any(&[
            (".u4", (4, false)),
            (".s4", (4, true)),
            (".u2", (2, false)),
            (".s2", (2, true)),
        ]);
        let (bits, signed) = match small {
            Some(small) => small,
            None => match self.ty(&mut mods)? {
                ty @ (Ty::U16 | Ty::S16 | Ty::U8 | Ty::S8) => (ty.bits(), ty.is_signed()),
                other => return Err(self.bad_type(other)),
            },
        };
        let from = self.ty(&mut mods)?;
        let third = mods.take_ty();
        self.done(&mods)?;
        if from != Ty::S32 || third.is_some_and(|t| t != Ty::B32) || third.is_none() && bits != 16 {
            return Err(self.bad_type(from));
        }
        let (d, a, b, c) = match (i.operands.as_slice(), third) {
            ([d, a, b], None) => (d, a, b, None),
            ([d, a, b, c], Some(_)) => (d, a, b, Some(c)),
            _ => return Err(self.type_error("wrong number of operands")),
        };
        let (low, high): (i64, i64) =
            if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        let (low, high) =
            (self.int(types::I32, low.cast_unsigned()), self.int(types::I32, high.cast_unsigned()));
        let mut part = |operand| -> Lowered<Value> {
            let value = self.source(operand, from)?;
            let value = self.b.ins().smax(value, low);
            let value = self.b.ins().smin(value, high);
            Ok(self.b.ins().band_imm_u(value, (1 << bits) - 1))
        };
        let (a, b) = (part(a)?, part(b)?);
        let a = self.b.ins().ishl_imm_u(a, i64::from(bits));
        let mut value = self.b.ins().bor(a, b);
        if let Some(c) = c {
            let c = self.source(c, Ty::B32)?;
            let c = self.b.ins().ishl_imm_u(c, 2 * i64::from(bits));
            value = self.b.ins().bor(value, c);
        }
        self.assign(d, Ty::B32, value)
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
