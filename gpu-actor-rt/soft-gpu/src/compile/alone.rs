//! What lanes do together where a block has one lane: some plain instructions, of which mostly nothing is left.
//!
//! Rule kept here: the results are those of [`crate::warp`] for one lane, and what that refuses is refused by it.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, types};

use super::func::{Lower, Lowered};
use crate::ptx::ast::{Instruction, Operand};
use crate::warp::WarpKind;

impl<'a> Lower<'_, '_, 'a> {
    /// A `.sync` instruction of the only lane: its value and predicate.
    pub(super) fn warp_alone(
        &mut self,
        kind: WarpKind,
        mask: Value,
        value: Value,
        source: Value,
        clamp: Value,
    ) -> Lowered<(Value, Value)> {
        use WarpKind::{Elect, MatchAll, MatchAny, Sync, VoteAll, VoteAny, VoteBallot, VoteUni};
        self.needs_own_bit(kind, mask, value, source, clamp)?;
        let (no, yes) = (self.int(types::I8, 0), self.int(types::I8, 1));
        let (zero, one) = (self.int(types::I32, 0), self.int(types::I32, 1));
        Ok(match kind {
            Sync => (zero, no),
            VoteAll | VoteAny | VoteBallot => {
                let set = self.is_set(value);
                (self.resize(set, types::I32, false), set)
            }
            VoteUni | MatchAll => (one, yes),
            MatchAny => (one, no),
            Elect => (zero, yes),
            WarpKind::ShflUp | WarpKind::ShflDown | WarpKind::ShflBfly | WarpKind::ShflIdx => {
                let low = self.resize(value, types::I32, false);
                (low, self.source_inside(kind, source, clamp))
            }
            // What is left folds the lanes' words; of one word that is the word.
            _ => (self.resize(value, types::I32, false), no),
        })
    }

    /// The lane must be a member of the mask that it gives; the host says so where it is not, and does not return.
    fn needs_own_bit(
        &mut self,
        kind: WarpKind,
        mask: Value,
        value: Value,
        source: Value,
        clamp: Value,
    ) -> Lowered {
        if self.known(mask, 0).is_some_and(|mask| mask & 1 != 0) {
            return Ok(());
        }
        let member = self.b.ins().band_imm_u(mask, 1);
        let (stranger, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(stranger);
        self.b.ins().brif(member, next, &[], stranger, &[]);
        self.enter(stranger);
        self.warp_call(kind, mask, value, source, clamp)?;
        self.b.ins().jump(next, &[]);
        self.enter(next);
        Ok(())
    }

    /// The predicate of `shfl`, of which the pseudocode is in [`crate::warp`]: lane 0 is its own and only source.
    fn source_inside(&mut self, kind: WarpKind, source: Value, clamp: Value) -> Value {
        let source = self.b.ins().band_imm_u(source, 31);
        let segment = self.b.ins().ushr_imm_u(clamp, 8);
        let free = self.b.ins().bnot(segment);
        let clamp = self.b.ins().band_imm_u(clamp, 31);
        let most = self.b.ins().band(clamp, free);
        match kind {
            WarpKind::ShflUp => {
                let from = self.b.ins().ineg(source);
                self.b.ins().icmp(IntCC::SignedGreaterThanOrEqual, from, most)
            }
            WarpKind::ShflIdx => {
                let from = self.b.ins().band(source, free);
                self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, from, most)
            }
            _ => self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, source, most),
        }
    }

    /// Whether a `bar.sync` is over as soon as the only lane comes to it, and leaves nothing behind: a barrier that exists, of
    /// all lanes, in a text where no lane arrives at one without waiting. The compiler keeps accesses on their sides of it.
    pub(super) fn opens_alone(&mut self, i: &Instruction<'a>) -> bool {
        let opens = self.env.alone
            && matches!(i.operands.as_slice(), [Operand::Int(0..16)])
            && !self.env.text.contains(".arrive");
        if opens {
            self.b.ins().sequence_point();
        }
        opens
    }

    /// What a value is that is computed from constants alone, in few steps; its low bits count, as many as its type has.
    fn known(&self, value: Value, depth: u32) -> Option<u64> {
        let dfg = &self.b.func.dfg;
        let bits = dfg.value_type(value).bits();
        let found = match dfg.insts[dfg.value_def(dfg.resolve_aliases(value)).inst()?] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits().cast_unsigned(),
            InstructionData::Binary { opcode, args: [a, b] } if depth < 4 => {
                let (a, b) = (self.known(a, depth + 1)?, self.known(b, depth + 1)?);
                match opcode {
                    Opcode::Isub => a.wrapping_sub(b),
                    Opcode::Band => a & b,
                    Opcode::Ushr if b < u64::from(bits) => a >> b,
                    _ => return None,
                }
            }
            InstructionData::IntCompare { cond: IntCC::UnsignedLessThan, args: [a, b], .. } if depth < 4 => {
                u64::from(self.known(a, depth + 1)? < self.known(b, depth + 1)?)
            }
            InstructionData::Ternary { opcode: Opcode::Select, args: [chosen, a, b] } if depth < 4 => {
                self.known(if self.known(chosen, depth + 1)? != 0 { a } else { b }, depth + 1)?
            }
            _ => return None,
        };
        Some(if bits < 64 { found & ((1 << bits) - 1) } else { found })
    }
}
