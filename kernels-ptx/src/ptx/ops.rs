//! Operations on registers.

use super::{Writer, bits_type, number_type, param_type};
use crate::ir::{BinaryOp, CheckedOp, CompareOp, Op, Operand, Reg, ScalarType, SiteId, Special, UnaryOp};

impl Writer<'_> {
    pub(super) fn assign(&mut self, dst: Reg, op: Op) {
        let ty = self.function.regs[dst.0 as usize];
        match op {
            Op::Copy(value) => {
                let (dst, value) = (self.name(dst), self.text(value));
                self.line(&format!("mov.{} {dst}, {value}", param_type(ty)));
            }
            Op::Unary(op, value) => self.unary(dst, op, value),
            Op::Binary(op, left, right) => self.binary(dst, op, left, right),
            Op::Compare(op, left, right) => {
                let ty = self.ty(left);
                let (left, right) = (self.text(left), self.text(right));
                let pred = self.compare(op, ty, &left, &right);
                self.set_bool(dst, pred);
            }
            Op::Select { cond, yes, no } => {
                let pred = self.condition(cond);
                let (dst, yes, no) = (self.name(dst), self.text(yes), self.text(no));
                self.line(&format!("selp.{} {dst}, {yes}, {no}, %p{pred}", param_type(ty)));
            }
            Op::MulAdd(a, b, c) => {
                let (dst, a, b, c) = (self.name(dst), self.text(a), self.text(b), self.text(c));
                self.line(&format!("fma.rn.{} {dst}, {a}, {b}, {c}", number_type(ty)));
            }
            Op::Cast(value) => self.cast(dst, value),
            Op::Bitcast(value) => {
                let (dst, value) = (self.name(dst), self.text(value));
                self.line(&format!("mov.{} {dst}, {value}", bits_type(ty)));
            }
            Op::Special(special) => {
                let dst = self.name(dst);
                let register = match special {
                    Special::LaneId => "mov.u32 {}, %laneid",
                    Special::ThreadId => "mov.u32 {}, %tid.x",
                    Special::BlockSize => "mov.u32 {}, %ntid.x",
                    Special::BlockId => "mov.u32 {}, %ctaid.x",
                    Special::BlockCount => "mov.u32 {}, %nctaid.x",
                    Special::GlobalTimer => "mov.u64 {}, %globaltimer",
                    Special::Budget => {
                        let left = self.budget.clone().unwrap_or_default();
                        return self.line(&format!("mov.u64 {dst}, {left}"));
                    }
                };
                self.line(&register.replace("{}", &dst));
            }
        }
    }

    /// Extends the low bits of `value` into a register that keeps a narrow integer.
    pub(super) fn normalise(&mut self, ty: ScalarType, dst: &str, value: &str) {
        let shift = 32 - ty.bits().min(32);
        if ty.is_signed() {
            self.line(&format!("shl.b32 {dst}, {value}, {shift}"));
            self.line(&format!("shr.s32 {dst}, {dst}, {shift}"));
        } else {
            self.line(&format!("and.b32 {dst}, {value}, {}", ty.mask()));
        }
    }

    /// An instruction whose result may leave the range of a narrow type.
    fn narrow(&mut self, ty: ScalarType, dst: &str, instruction: &str, operands: &str) {
        self.line(&format!("{instruction} {dst}, {operands}"));
        if ty.size() < 4 {
            self.normalise(ty, dst, dst);
        }
    }

    /// The value with zeroes above its width, for operations that look at bits.
    fn zero_extended(&mut self, value: Operand) -> String {
        let ty = self.ty(value);
        let text = self.text(value);
        if !matches!(ty, ScalarType::I8 | ScalarType::I16) {
            return text;
        }
        let bare = self.temp(ty);
        self.line(&format!("and.b32 {bare}, {text}, {}", ty.mask()));
        bare
    }

    fn unary(&mut self, dst: Reg, op: UnaryOp, value: Operand) {
        let ty = self.ty(value);
        let (number, bits) = (number_type(ty), bits_type(ty));
        let dst = self.name(dst);
        match op {
            UnaryOp::Neg if ty.is_float() => self.simple(&format!("neg.{number}"), &dst, value),
            UnaryOp::Neg => {
                let signed = if ty.size() == 8 { "neg.s64" } else { "neg.s32" };
                let value = self.text(value);
                self.narrow(ty, &dst, signed, &value);
            }
            UnaryOp::Not if ty == ScalarType::Bool => {
                let value = self.text(value);
                self.line(&format!("xor.b32 {dst}, {value}, 1"));
            }
            UnaryOp::Not => {
                let value = self.text(value);
                self.narrow(ty, &dst, &format!("not.{bits}"), &value);
            }
            UnaryOp::Abs if ty.is_float() => self.simple(&format!("abs.{number}"), &dst, value),
            UnaryOp::Abs => {
                // Defined at the minimum, where `abs` is not.
                let value = self.text(value);
                let negative = self.temp(ty);
                self.line(&format!("neg.{number} {negative}, {value}"));
                self.narrow(ty, &dst, &format!("max.{number}"), &format!("{value}, {negative}"));
            }
            UnaryOp::CountOnes => {
                let value = self.zero_extended(value);
                self.line(&format!("popc.{bits} {dst}, {value}"));
            }
            UnaryOp::LeadingZeros => {
                let value = self.zero_extended(value);
                self.line(&format!("clz.{bits} {dst}, {value}"));
                if ty.size() < 4 {
                    self.line(&format!("sub.u32 {dst}, {dst}, {}", 32 - ty.bits()));
                }
            }
            UnaryOp::TrailingZeros => {
                let value = self.text(value);
                let reversed = self.temp(ty);
                if ty.size() < 4 {
                    // A stop behind the last bit, so that zero counts the width.
                    self.line(&format!("or.b32 {reversed}, {value}, {}", ty.mask() + 1));
                    self.line(&format!("brev.b32 {reversed}, {reversed}"));
                } else {
                    self.line(&format!("brev.{bits} {reversed}, {value}"));
                }
                self.line(&format!("clz.{bits} {dst}, {reversed}"));
            }
            UnaryOp::ReverseBits => {
                let value = self.text(value);
                self.line(&format!("brev.{bits} {dst}, {value}"));
                self.shift_down(ty, &dst);
            }
            UnaryOp::SwapBytes => self.swap_bytes(ty, &dst, value),
            UnaryOp::Sqrt => self.simple(&format!("sqrt.rn.{number}"), &dst, value),
            UnaryOp::Floor => self.simple(&format!("cvt.rmi.{number}.{number}"), &dst, value),
            UnaryOp::Ceil => self.simple(&format!("cvt.rpi.{number}.{number}"), &dst, value),
            UnaryOp::Trunc => self.simple(&format!("cvt.rzi.{number}.{number}"), &dst, value),
            UnaryOp::RoundTiesEven => self.simple(&format!("cvt.rni.{number}.{number}"), &dst, value),
        }
    }

    fn simple(&mut self, instruction: &str, dst: &str, value: Operand) {
        let value = self.text(value);
        self.line(&format!("{instruction} {dst}, {value}"));
    }

    /// Brings a narrow value from the top of its register down, extending it.
    fn shift_down(&mut self, ty: ScalarType, dst: &str) {
        if ty.size() < 4 {
            self.line(&format!("shr.{} {dst}, {dst}, {}", number_type(ty), 32 - ty.bits()));
        }
    }

    fn swap_bytes(&mut self, ty: ScalarType, dst: &str, value: Operand) {
        if ty.size() == 1 {
            return self.simple("mov.b32", dst, value);
        }
        if ty.size() < 8 {
            let value = self.text(value);
            self.line(&format!("prmt.b32 {dst}, {value}, 0, 291"));
            return self.shift_down(ty, dst);
        }
        let (low, high) = self.split(value);
        self.line(&format!("prmt.b32 {low}, {low}, 0, 291"));
        self.line(&format!("prmt.b32 {high}, {high}, 0, 291"));
        self.join(dst, &high, &low);
    }

    /// Fresh registers with the halves of a 64-bit value.
    pub(super) fn split(&mut self, value: Operand) -> (String, String) {
        let value = self.text(value);
        let (low, high) = (self.temp(ScalarType::U32), self.temp(ScalarType::U32));
        let shifted = self.temp(ScalarType::U64);
        self.line(&format!("cvt.u32.u64 {low}, {value}"));
        self.line(&format!("shr.u64 {shifted}, {value}, 32"));
        self.line(&format!("cvt.u32.u64 {high}, {shifted}"));
        (low, high)
    }

    /// A 64-bit value from its halves.
    pub(super) fn join(&mut self, dst: &str, low: &str, high: &str) {
        let (wide_low, wide_high) = (self.temp(ScalarType::U64), self.temp(ScalarType::U64));
        self.line(&format!("cvt.u64.u32 {wide_low}, {low}"));
        self.line(&format!("cvt.u64.u32 {wide_high}, {high}"));
        self.line(&format!("shl.b64 {wide_high}, {wide_high}, 32"));
        self.line(&format!("or.b64 {dst}, {wide_low}, {wide_high}"));
    }

    fn binary(&mut self, dst: Reg, op: BinaryOp, left: Operand, right: Operand) {
        let ty = self.ty(left);
        let (number, bits) = (number_type(ty), bits_type(ty));
        let dst = self.name(dst);
        if let BinaryOp::RotateLeft | BinaryOp::RotateRight = op {
            return self.rotate(ty, &dst, left, right, op == BinaryOp::RotateLeft);
        }
        let operands = format!("{}, {}", self.text(left), self.text(right));
        let rounding = if ty.is_float() { ".rn" } else { "" };
        let instruction = match op {
            BinaryOp::Add => format!("add{rounding}.{number}"),
            BinaryOp::Sub => format!("sub{rounding}.{number}"),
            BinaryOp::Mul if ty.is_float() => format!("mul.rn.{number}"),
            BinaryOp::Mul => format!("mul.lo.{number}"),
            BinaryOp::Div => format!("div.rn.{number}"),
            BinaryOp::And => format!("and.{bits}"),
            BinaryOp::Or => format!("or.{bits}"),
            BinaryOp::Xor => format!("xor.{bits}"),
            BinaryOp::Min => format!("min.{number}"),
            BinaryOp::Max => format!("max.{number}"),
            BinaryOp::Shl => format!("shl.{bits}"),
            BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight => format!("shr.{number}"),
        };
        if matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Shl) {
            self.narrow(ty, &dst, &instruction, &operands);
        } else {
            self.line(&format!("{instruction} {dst}, {operands}"));
        }
    }

    fn rotate(&mut self, ty: ScalarType, dst: &str, value: Operand, amount: Operand, left: bool) {
        let bits = bits_type(ty);
        let logical = if ty.size() == 8 { "u64" } else { "u32" };
        let value = self.zero_extended(value);
        let amount = self.text(amount);
        let (there, back) = (self.temp(ScalarType::U32), self.temp(ScalarType::U32));
        let mask = ty.bits() - 1;
        self.line(&format!("and.b32 {there}, {amount}, {mask}"));
        self.line(&format!("neg.s32 {back}, {there}"));
        self.line(&format!("and.b32 {back}, {back}, {mask}"));
        let (up, down) = if left { (&there, &back) } else { (&back, &there) };
        let (high, low) = (self.temp(ty), self.temp(ty));
        self.line(&format!("shl.{bits} {high}, {value}, {up}"));
        self.line(&format!("shr.{logical} {low}, {value}, {down}"));
        self.narrow(ty, dst, &format!("or.{bits}"), &format!("{high}, {low}"));
    }

    pub(super) fn overflowing(
        &mut self,
        op: CheckedOp,
        value: Reg,
        overflow: Reg,
        left: Operand,
        right: Operand,
    ) {
        let ty = self.ty(left);
        // The check reads the operands again, so the result goes elsewhere if it would replace one.
        let aliased = left == Operand::Reg(value) || right == Operand::Reg(value);
        let dst = if aliased { self.temp(ty) } else { self.name(value) };
        let (a, b) = (self.text(left), self.text(right));
        let pred = match (ty.size() < 4, ty.is_signed()) {
            (true, _) => self.overflowing_narrow(op, ty, &dst, &a, &b),
            (false, false) => self.overflowing_unsigned(op, ty, &dst, &a, &b),
            (false, true) => self.overflowing_signed(op, ty, &dst, &a, &b),
        };
        if aliased {
            let value = self.name(value);
            self.line(&format!("mov.{} {value}, {dst}", param_type(ty)));
        }
        self.set_bool(overflow, pred);
    }

    /// The exact result fits 32 bits: it overflowed if extending its low bits changes it.
    fn overflowing_narrow(&mut self, op: CheckedOp, ty: ScalarType, dst: &str, a: &str, b: &str) -> u32 {
        let instruction = match op {
            CheckedOp::Add => "add.s32",
            CheckedOp::Sub => "sub.s32",
            CheckedOp::Mul => "mul.lo.s32",
        };
        let exact = self.temp(ty);
        self.line(&format!("{instruction} {exact}, {a}, {b}"));
        self.normalise(ty, dst, &exact);
        self.compare(CompareOp::Ne, ty, dst, &exact)
    }

    fn overflowing_unsigned(&mut self, op: CheckedOp, ty: ScalarType, dst: &str, a: &str, b: &str) -> u32 {
        let number = number_type(ty);
        match op {
            CheckedOp::Add => {
                self.line(&format!("add.{number} {dst}, {a}, {b}"));
                self.compare(CompareOp::Lt, ty, dst, a)
            }
            CheckedOp::Sub => {
                self.line(&format!("sub.{number} {dst}, {a}, {b}"));
                self.compare(CompareOp::Lt, ty, a, b)
            }
            CheckedOp::Mul => {
                let high = self.temp(ty);
                self.line(&format!("mul.hi.{number} {high}, {a}, {b}"));
                self.line(&format!("mul.lo.{number} {dst}, {a}, {b}"));
                self.compare(CompareOp::Ne, ty, &high, "0")
            }
        }
    }

    fn overflowing_signed(&mut self, op: CheckedOp, ty: ScalarType, dst: &str, a: &str, b: &str) -> u32 {
        let (number, bits) = (number_type(ty), bits_type(ty));
        let (x, y) = (self.temp(ty), self.temp(ty));
        match op {
            // The sign of the sum differs from both operands'.
            CheckedOp::Add => {
                self.line(&format!("add.{number} {dst}, {a}, {b}"));
                self.line(&format!("xor.{bits} {x}, {dst}, {a}"));
                self.line(&format!("xor.{bits} {y}, {dst}, {b}"));
            }
            // The operands' signs differ and the difference has not the sign of the first.
            CheckedOp::Sub => {
                self.line(&format!("sub.{number} {dst}, {a}, {b}"));
                self.line(&format!("xor.{bits} {x}, {a}, {b}"));
                self.line(&format!("xor.{bits} {y}, {a}, {dst}"));
            }
            // The upper half is not the extension of the lower.
            CheckedOp::Mul => {
                self.line(&format!("mul.hi.{number} {x}, {a}, {b}"));
                self.line(&format!("mul.lo.{number} {dst}, {a}, {b}"));
                self.line(&format!("shr.{number} {y}, {dst}, {}", ty.bits() - 1));
                return self.compare(CompareOp::Ne, ty, &x, &y);
            }
        }
        self.line(&format!("and.{bits} {x}, {x}, {y}"));
        self.compare(CompareOp::Lt, ty, &x, "0")
    }

    pub(super) fn divide(
        &mut self,
        remainder: bool,
        dst: Reg,
        left: Operand,
        right: Operand,
        zero: Option<SiteId>,
        overflow: Option<SiteId>,
    ) {
        let ty = self.ty(left);
        let number = number_type(ty);
        let (dst, a, b) = (self.name(dst), self.text(left), self.text(right));
        if let Some(site) = zero {
            let pred = self.compare(CompareOp::Eq, ty, &b, "0");
            self.fault_branch(pred, true, site);
        }
        if let Some(site) = overflow {
            let min = super::immediate(crate::ir::Const::new(ty, ty.min_bits()));
            let at_min = self.compare(CompareOp::Eq, ty, &a, &min);
            let both = self.pred();
            self.line(&format!("setp.eq.and.{number} %p{both}, {b}, -1, %p{at_min}"));
            self.fault_branch(both, true, site);
        }
        let instruction = if remainder { "rem" } else { "div" };
        self.line(&format!("{instruction}.{number} {dst}, {a}, {b}"));
    }
}
