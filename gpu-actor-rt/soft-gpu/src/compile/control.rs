//! Branches, and the ends of lanes.
//!
//! Rule: a branch to a label that has been passed is a loop's back-edge, and polls before it jumps. That is where
//! a running kernel notices that it is to stop, and where lanes of one block take turns.

use std::mem::offset_of;

use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, MemFlagsData, Value, types};

use cranelift_module::Module as _;

use super::func::{Entity, Label, Lower, Lowered, Modifiers, Param};
use crate::block::Lane;
use crate::error::LoadErrorKind;
use crate::host;
use crate::ptx::ast::{Instruction, Operand, Ty};

/// Targets of a `brx` that its table names directly.
const SMALL_TABLE: usize = 32;

impl<'a> Lower<'_, '_, 'a> {
    /// Asks the host if the lane's poll word is not zero.
    fn poll(&mut self) -> Lowered {
        let at = self.context_field(types::I64, offset_of!(Lane, poll));
        let word = self.atomic_load(types::I32, MemFlagsData::trusted(), at);
        let (ask, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(ask);
        self.b.ins().brif(word, ask, &[], next, &[]);
        self.enter(ask);
        // Not the host's function itself: a call that clobbers registers would keep what a loop computes in memory.
        let poller = self.env.poller()?;
        let poller = self.env.module.declare_func_in_func(poller, self.b.func);
        self.b.ins().call(poller, &[self.context]);
        self.b.ins().jump(next, &[]);
        self.enter(next);
        Ok(())
    }

    /// What follows an unconditional jump is dead until the next label; it is still checked.
    fn dead_code(&mut self) {
        let block = self.b.create_block();
        self.enter(block);
    }

    /// Goes on in a block to which nothing will jump that does not do so already. Telling the code generator so early
    /// saves it most of its work on variables.
    pub(super) fn enter(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }

    /// Goes to `taken` where the condition holds (or does not, if negated), else to `next`.
    pub(super) fn fork(&mut self, condition: Value, negated: bool, taken: Block, next: Block) {
        let (yes, no) = if negated { (next, taken) } else { (taken, next) };
        self.b.ins().brif(condition, yes, &[], no, &[]);
    }

    fn jump(&mut self, label: Label) -> Lowered {
        if label.passed {
            self.poll()?;
        }
        self.b.ins().jump(label.block, &[]);
        Ok(())
    }

    fn target(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered<Label> {
        mods.take(".uni");
        self.done(&mods)?;
        let [target] = self.operands(i)?;
        match target {
            Operand::Name(name) => self.label(name),
            _ => Err(self.type_error("a branch needs a label")),
        }
    }

    pub(super) fn branch(&mut self, i: &Instruction<'a>, mods: Modifiers<'_, 'a>) -> Lowered {
        let label = self.target(i, mods)?;
        self.jump(label)?;
        self.dead_code();
        Ok(())
    }

    pub(super) fn branch_if(
        &mut self,
        condition: Value,
        negated: bool,
        i: &Instruction<'a>,
        mods: Modifiers<'_, 'a>,
    ) -> Lowered {
        let label = self.target(i, mods)?;
        let next = self.b.create_block();
        if label.passed {
            let back = self.b.create_block();
            self.fork(condition, negated, back, next);
            self.enter(back);
            self.jump(label)?;
        } else {
            self.fork(condition, negated, label.block, next);
        }
        self.enter(next);
        Ok(())
    }

    /// `brx.idx index, targets;`
    pub(super) fn branch_indexed(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if !mods.take(".idx") {
            return Err(self.unsupported(i.opcode, "only `brx.idx` is known"));
        }
        mods.take(".uni");
        self.done(&mods)?;
        let [index, targets] = self.operands(i)?;
        let index = self.source(index, Ty::U32)?;
        let Operand::Name(name) = targets else {
            return Err(self.type_error("the second operand is a list of targets"));
        };
        let Some(Entity::Targets(targets)) = self.find(name) else {
            return Err(self.error(LoadErrorKind::Name, name, "no `.branchtargets` of that name"));
        };
        let labels = targets.iter().map(|t| self.label(t.text)).collect::<Lowered<Vec<_>>>()?;
        if labels.iter().any(|l| l.passed) {
            self.poll()?;
        }
        // A value that merges at a target costs a look through the whole table; in a large one each target has a landing
        // of its own, where nothing merges.
        let landings = if labels.len() > SMALL_TABLE { labels.as_slice() } else { &[] };
        let landings: Vec<Block> = landings.iter().map(|_| self.b.create_block()).collect();
        let mut table = Vec::with_capacity(labels.len());
        for (at, label) in labels.iter().enumerate() {
            table.push(self.block_call(landings.get(at).copied().unwrap_or(label.block)));
        }
        // An index out of range is undefined on hardware; here it ends in a trap.
        let outside = self.b.create_block();
        let default = self.block_call(outside);
        let table = self.b.create_jump_table(JumpTableData::new(default, &table));
        self.b.ins().br_table(index, table);
        for (landing, label) in landings.into_iter().zip(&labels) {
            self.enter(landing);
            self.b.ins().jump(label.block, &[]);
        }
        self.enter(outside);
        self.host(&host::TRAP, &[self.context]);
        self.return_();
        Ok(())
    }

    fn block_call(&mut self, block: Block) -> BlockCall {
        BlockCall::new(block, [], &mut self.b.func.dfg.value_lists)
    }

    /// Leaves the function with the values of its return parameters.
    pub(super) fn return_(&mut self) {
        self.leave_frame();
        let mut values = Vec::with_capacity(self.returns.len());
        for param in self.returns.clone() {
            if let Param::Scalar { var, .. } = param {
                values.push(self.b.use_var(var));
            }
        }
        self.b.ins().return_(&values);
        self.dead_code();
    }

    pub(super) fn ret(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        mods.take(".uni");
        self.done(&mods)?;
        let [] = self.operands(i)?;
        self.return_();
        Ok(())
    }

    pub(super) fn exit(&mut self, i: &Instruction<'a>, mods: Modifiers<'_, 'a>) -> Lowered {
        self.done(&mods)?;
        let [] = self.operands(i)?;
        if !self.in_entry {
            self.host(&host::EXIT, &[self.context]);
        }
        self.return_();
        Ok(())
    }

    /// `griddepcontrol` and `setmaxnreg`: there is no grid to wait for, since a launch begins when the host says so, and
    /// there are as many registers as a program names.
    pub(super) fn resource_hint(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if i.opcode == "griddepcontrol" {
            if !mods.take(".launch_dependents") && !mods.take(".wait") {
                return Err(self.type_error("needs `.launch_dependents` or `.wait`"));
            }
            self.done(&mods)?;
            let [] = self.operands(i)?;
            return Ok(());
        }
        if !mods.take(".inc") && !mods.take(".dec") {
            return Err(self.type_error("needs `.inc` or `.dec`"));
        }
        let known = mods.take(".sync") && mods.take(".aligned") && mods.take_ty() == Some(Ty::U32);
        self.done(&mods)?;
        match self.operands(i)? {
            [Operand::Int(24..=256)] if known => Ok(()),
            _ => Err(self.type_error("takes a constant from 24 to 256")),
        }
    }

    /// `trap`, and `brkpt`, where no debugger is there to take over.
    pub(super) fn trap(&mut self, i: &Instruction<'a>, mods: Modifiers<'_, 'a>) -> Lowered {
        self.done(&mods)?;
        let [] = self.operands(i)?;
        self.host(&host::TRAP, &[self.context]);
        self.return_();
        Ok(())
    }
}
