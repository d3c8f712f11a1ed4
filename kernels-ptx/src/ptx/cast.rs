//! Rust's `as`.

use super::{Writer, number_type};
use crate::ir::{CompareOp, Operand, Reg, ScalarType};

impl Writer<'_> {
    pub(super) fn cast(&mut self, dst: Reg, value: Operand) {
        let to = self.function.regs[dst.0 as usize];
        let from = self.ty(value);
        let (dst, value) = (self.name(dst), self.text(value));
        match (from.is_float(), to.is_float()) {
            (false, false) => self.int_to_int(from, to, &dst, &value),
            (false, true) => {
                self.line(&format!("cvt.rn.{}.{} {dst}, {value}", number_type(to), number_type(from)));
            }
            (true, false) => self.float_to_int(from, to, &dst, &value),
            (true, true) => match (from, to) {
                (ScalarType::F32, ScalarType::F64) => self.line(&format!("cvt.f64.f32 {dst}, {value}")),
                (ScalarType::F64, ScalarType::F32) => self.line(&format!("cvt.rn.f32.f64 {dst}, {value}")),
                _ => self.line(&format!("mov.{} {dst}, {value}", number_type(to))),
            },
        }
    }

    fn int_to_int(&mut self, from: ScalarType, to: ScalarType, dst: &str, value: &str) {
        match (from.size() == 8, to.size() == 8) {
            (true, true) => self.line(&format!("mov.b64 {dst}, {value}")),
            // Extending follows the type that the value comes from.
            (false, true) => {
                let wide = if from.is_signed() { "cvt.s64.s32" } else { "cvt.u64.u32" };
                self.line(&format!("{wide} {dst}, {value}"));
            }
            (true, false) => {
                self.line(&format!("cvt.u32.u64 {dst}, {value}"));
                if to.size() < 4 {
                    self.normalise(to, dst, dst);
                }
            }
            (false, false) => {
                // A narrow register already reads as the wider number, unless a sign has to go or to come.
                let fits = to.size() > from.size() && (to.is_signed() || !from.is_signed());
                if to.size() == 4 || fits {
                    self.line(&format!("mov.b32 {dst}, {value}"));
                } else {
                    self.normalise(to, dst, value);
                }
            }
        }
    }

    /// Saturates, and NaN is 0. PTX clamps to the type of the conversion, but has no narrow ones, and what it makes of
    /// NaN depends on the types.
    fn float_to_int(&mut self, from: ScalarType, to: ScalarType, dst: &str, value: &str) {
        let (source, number) = (number_type(from), number_type(to));
        let clamped = self.temp(to);
        self.line(&format!("cvt.rzi.{number}.{source} {clamped}, {value}"));
        if to.size() < 4 {
            self.line(&format!("min.{number} {clamped}, {clamped}, {}", to.max_bits()));
            if to.is_signed() {
                let min = crate::ir::Const::new(to, to.min_bits()).as_i128();
                self.line(&format!("max.{number} {clamped}, {clamped}, {min}"));
            }
        }
        let number_at_all = self.compare(CompareOp::Eq, from, value, value);
        let bits = super::bits_type(to);
        self.line(&format!("selp.{bits} {dst}, {clamped}, 0, %p{number_at_all}"));
    }
}
