//! `mbarrier`: barriers that are objects in shared memory. What they do is in [`crate::host::mbarrier`].

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers, program_memory};
use super::memory::Place;
use crate::check::AccessKind;
use crate::host;
use crate::host::mbarrier::{PHASE_AT, Step};
use crate::ptx::ast::{Instruction, Operand, Space, Ty};

/// Nanoseconds for which a lane that tries in vain gives the others their turn.
const TURN_NS: u64 = 20;

impl<'a> Lower<'_, '_, 'a> {
    pub(super) fn mbarrier(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        const WHAT: [(&str, &str); 9] = [
            (".init", "init"),
            (".inval", "inval"),
            (".arrive", "arrive"),
            (".arrive_drop", "drop"),
            (".expect_tx", "expect"),
            (".complete_tx", "complete"),
            (".test_wait", "test"),
            (".try_wait", "try"),
            (".pending_count", "pending"),
        ];
        // `.arrive.expect_tx` is an arrival.
        let Some(what) = [2, 3, 0, 1, 4, 5, 6, 7, 8].into_iter().find_map(|at| mods.take_any(&WHAT[at..=at]))
        else {
            return Err(match mods.left() {
                Some(left) => self.unsupported(left, "no such operation on an `mbarrier`"),
                None => self.type_error("needs an operation such as `.arrive`"),
            });
        };
        // Every operation is atomic and ordered here.
        for order in [".relaxed", ".acquire", ".release", ".cta", ".cluster"] {
            mods.take(order);
        }
        mods.take(".noComplete");
        let (expecting, parity) = (mods.take(".expect_tx"), mods.take(".parity"));
        let space = Self::space(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B64 || !matches!(space, None | Some(Space::Shared)) {
            return Err(self.bad_type(ty));
        }
        let operands = i.operands.as_slice();
        match (what, operands) {
            ("init", [at, count]) => self.mbarrier_step(Step::Init, None, at, space, Some(count)),
            ("inval", [at]) => self.object(at, space, AccessKind::Write).map(|_| ()),
            ("arrive", [d, at, rest @ ..]) if rest.len() <= 1 => {
                let step = if expecting { Step::ArriveExpecting } else { Step::Arrive };
                self.mbarrier_step(step, Some(d), at, space, rest.first())
            }
            ("drop", [d, at, rest @ ..]) if rest.len() <= 1 && !expecting => {
                self.mbarrier_step(Step::Drop, Some(d), at, space, rest.first())
            }
            ("expect", [at, bytes]) => self.mbarrier_step(Step::ExpectBytes, None, at, space, Some(bytes)),
            ("complete", [at, bytes]) => {
                self.mbarrier_step(Step::CompleteBytes, None, at, space, Some(bytes))
            }
            ("test", [p, at, phase]) => {
                let done = self.phase_done(at, space, phase, parity)?;
                self.assign(p, Ty::Pred, done)
            }
            ("try", [p, at, phase] | [p, at, phase, _]) => {
                if let [_, _, _, hint] = operands {
                    self.source(hint, Ty::U32)?;
                }
                self.try_wait(p, at, space, phase, parity)
            }
            ("pending", [d, state]) => {
                let state = self.source(state, Ty::B64)?;
                let count = self.b.ins().ireduce(types::I32, state);
                let count = self.b.ins().band_imm_u(count, (1 << 20) - 1);
                self.assign(d, Ty::U32, count)
            }
            _ => Err(self.type_error("wrong number of operands")),
        }
    }

    /// The address of the object.
    fn object(&mut self, at: &Operand<'a>, space: Option<Space>, access: AccessKind) -> Lowered<Value> {
        match self.place(at, space, 8, Some(access))? {
            Place::Memory(address, offset) => Ok(self.flat_address(address, offset)),
            Place::Scalar(..) => Err(self.type_error("a barrier lies in shared memory")),
        }
    }

    /// Changes the object by `n`, or 1, and gives the word before.
    pub(super) fn mbarrier_step(
        &mut self,
        step: Step,
        d: Option<&Operand<'a>>,
        at: &Operand<'a>,
        space: Option<Space>,
        n: Option<&Operand<'a>>,
    ) -> Lowered {
        // What was there before an object begins is no matter.
        let access = if step == Step::Init { AccessKind::Write } else { AccessKind::Atomic };
        let address = self.object(at, space, access)?;
        let n = match n {
            Some(n) => self.source(n, Ty::U32)?,
            None => self.int(types::I32, 1),
        };
        let step = self.int(types::I32, step as u64);
        let before = self.host_value(&host::MBARRIER, &[step, address, n])?;
        match d {
            Some(d) => self.assign(d, Ty::B64, before),
            None => Ok(()),
        }
    }

    /// Whether the phase of a state, or of a parity, is over.
    fn phase_done(
        &mut self,
        at: &Operand<'a>,
        space: Option<Space>,
        phase: &Operand<'a>,
        parity: bool,
    ) -> Lowered<Value> {
        let address = self.object(at, space, AccessKind::Atomic)?;
        let word = self.atomic_load(types::I64, program_memory(), address);
        let now = self.b.ins().ushr_imm_u(word, i64::from(PHASE_AT));
        let then = if parity {
            let parity = self.source(phase, Ty::U32)?;
            let parity = self.resize(parity, types::I64, false);
            self.b.ins().band_imm_u(parity, 1)
        } else {
            let state = self.source(phase, Ty::B64)?;
            self.b.ins().ushr_imm_u(state, i64::from(PHASE_AT))
        };
        Ok(self.b.ins().icmp(IntCC::NotEqual, now, then))
    }

    /// Tests, gives the others their turn if it was in vain, and tests again.
    fn try_wait(
        &mut self,
        p: &Operand<'a>,
        at: &Operand<'a>,
        space: Option<Space>,
        phase: &Operand<'a>,
        parity: bool,
    ) -> Lowered {
        let done = self.phase_done(at, space, phase, parity)?;
        let (wait, next) = (self.b.create_block(), self.b.create_block());
        self.b.append_block_param(next, types::I8);
        self.b.ins().brif(done, next, &[done.into()], wait, &[]);
        self.enter(wait);
        let time = self.int(types::I32, TURN_NS);
        self.host(&host::SLEEP, &[self.context, time]);
        let done = self.phase_done(at, space, phase, parity)?;
        self.b.ins().jump(next, &[done.into()]);
        self.enter(next);
        let done = self.b.block_params(next)[0];
        self.assign(p, Ty::Pred, done)
    }
}
