//! Copies between spaces, questions about addresses, and hints.
//!
//! `cp.async` copies at once: a copy that is complete when it is issued is complete when it is waited for.

use std::ops::Range;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use super::memory::Place;
use crate::check::AccessKind;
use crate::host;
use crate::host::mbarrier::Step;
use crate::ptx::ast::{Instruction, Operand, Space, Ty};

impl<'a> Lower<'_, '_, 'a> {
    /// `cp.async...`: the copy itself, `.commit_group`, `.wait_group` and `.wait_all`.
    pub(super) fn copy_async(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if !mods.take(".async") {
            return Err(self.type_error("needs `.async`"));
        }
        if mods.take(".commit_group") || mods.take(".wait_all") {
            self.done(&mods)?;
            let [] = self.operands(i)?;
            return Ok(());
        }
        if mods.take(".wait_group") {
            self.done(&mods)?;
            let [Operand::Int(_)] = self.operands(i)? else {
                return Err(self.type_error("the number of groups is a constant"));
            };
            return Ok(());
        }
        if mods.take(".mbarrier") {
            return self.arrive_when_copied(i, mods);
        }
        let hinted = mods.take(".L2::cache_hint");
        Self::skip_hints(&mut mods);
        let shared = mods.take(".shared") || mods.take(".shared::cta");
        let global = mods.take(".global");
        self.done(&mods)?;
        if !shared || !global {
            return Err(self.type_error("copies from `.global` to `.shared` only"));
        }
        let operands = match (i.operands.as_slice(), hinted) {
            ([rest @ .., policy], true) => {
                self.source(policy, Ty::B64)?;
                rest
            }
            (all, _) => all,
        };
        let (to, from, size, kept) = match operands {
            [to, from, size] => (to, from, size, None),
            [to, from, size, kept] => (to, from, size, Some(kept)),
            _ => return Err(self.type_error("wrong number of operands")),
        };
        let Operand::Int(size @ (4 | 8 | 16)) = size else {
            return Err(self.type_error("copies 4, 8 or 16 bytes"));
        };
        let size = *size as u32;
        let Some(kept) = kept else {
            return self.copy_bytes(to, from, 0..size);
        };
        // A predicate says whether the source is ignored, a number how much of it there is.
        let left = match self.ignored(kept)? {
            Some(ignored) => {
                let (all, none) = (self.int(types::I32, u64::from(size)), self.int(types::I32, 0));
                self.select(ignored, none, all)
            }
            None => self.source(kept, Ty::U32)?,
        };
        // Mostly it is all there; else what is missing is filled up with zeros, byte by byte.
        let (whole, part, next) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let full = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, left, i64::from(size));
        self.b.ins().brif(full, whole, &[], part, &[]);
        self.enter(whole);
        self.copy_bytes(to, from, 0..size)?;
        self.b.ins().jump(next, &[]);
        self.enter(part);
        for at in 0..size {
            let (copy, fill, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
            let there = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, left, i64::from(at));
            self.b.ins().brif(there, copy, &[], fill, &[]);
            self.enter(copy);
            self.copy_bytes(to, from, at..at + 1)?;
            self.b.ins().jump(on, &[]);
            self.enter(fill);
            let place = self.place(to, Some(Space::Shared), size, None)?;
            self.check_byte(place, at, Space::Shared, AccessKind::Write);
            let zero = self.int(types::I8, 0);
            self.store_one(place, at, Ty::B8, zero, false)?;
            self.b.ins().jump(on, &[]);
            self.enter(on);
        }
        self.b.ins().jump(next, &[]);
        self.enter(next);
        Ok(())
    }

    /// `cp.async.mbarrier.arrive[.noinc]`: an arrival when the copies so far are complete, which they are. Without `.noinc` it
    /// is one that is made pending just before, so nothing changes.
    fn arrive_when_copied(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let (arrive, counts) = (mods.take(".arrive"), mods.take(".noinc"));
        let space = Self::space(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !arrive || ty != Ty::B64 {
            return Err(self.type_error("needs `.arrive` and `.b64`"));
        }
        let [at] = self.operands(i)?;
        if counts {
            return self.mbarrier_step(Step::Arrive, None, at, space, None);
        }
        self.place(at, space, 8, Some(AccessKind::Atomic))?;
        Ok(())
    }

    /// The predicate operand of a copy, where it is one.
    fn ignored(&mut self, operand: &Operand<'a>) -> Lowered<Option<Value>> {
        match operand {
            Operand::Not(_) => Ok(Some(self.predicate(operand)?)),
            Operand::Name(name) if self.is_predicate(name) => Ok(Some(self.predicate(operand)?)),
            _ => Ok(None),
        }
    }

    /// Copies a range of bytes, in pieces as large as the range allows.
    fn copy_bytes(&mut self, to: &Operand<'a>, from: &Operand<'a>, range: Range<u32>) -> Lowered {
        let (ty, step) = match range.end - range.start {
            1 => (Ty::B8, 1),
            4 => (Ty::B32, 4),
            _ => (Ty::B64, 8),
        };
        let size = range.end;
        // A single byte is asked about on its own: those before it need not be there.
        let asked = |kind| (range.start == 0 && step > 1).then_some(kind);
        let source = self.place(from, Some(Space::Global), size, asked(AccessKind::Read))?;
        if asked(AccessKind::Read).is_none() {
            self.check_byte(source, range.start, Space::Global, AccessKind::Read);
        }
        let mut values = Vec::new();
        for at in range.clone().step_by(step as usize) {
            values.push((at, self.load_one(source, at, ty, false, false)?));
        }
        let target = self.place(to, Some(Space::Shared), size, asked(AccessKind::Write))?;
        if asked(AccessKind::Write).is_none() {
            self.check_byte(target, range.start, Space::Shared, AccessKind::Write);
        }
        for (at, value) in values {
            self.store_one(target, at, ty, value, false)?;
        }
        Ok(())
    }

    /// Asks whether byte `at` of a place may be touched.
    fn check_byte(&mut self, place: Place<'a>, at: u32, space: Space, access: AccessKind) {
        if let Place::Memory(address, offset) = place {
            let offset = i64::from(offset) + i64::from(at);
            let address = self.b.ins().iadd_imm_s(address, offset);
            self.check_place(Place::Memory(address, 0), Some(space), 1, Some(access));
        }
    }

    /// `isspacep.space p, a`: whether a generic address lies in a window.
    pub(super) fn isspacep(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let space = Self::space(&mut mods);
        self.done(&mods)?;
        let Some(space) = space else { return Err(self.type_error("needs a state space")) };
        let [p, a] = self.operands(i)?;
        let a = self.source(a, Ty::U64)?;
        let found = self.host_value(&host::SPACE, &[self.context, a])?;
        let is = |lower: &mut Self, number: i64| lower.b.ins().icmp_imm_u(IntCC::Equal, found, number);
        // Constants lie in global memory; which they are is known here.
        let mut constant = self.int(types::I8, 0);
        for (from, bytes) in self.env.constants.clone() {
            let distance = self.b.ins().iadd_imm_s(a, from.cast_signed().wrapping_neg());
            let inside = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, distance, bytes.cast_signed());
            constant = self.b.ins().bor(constant, inside);
        }
        let value = match space {
            Space::Shared => is(self, 1),
            Space::Local => is(self, 2),
            Space::Param => is(self, 3),
            Space::Const => constant,
            Space::Global | Space::Reg => {
                // The parameters' window is part of the global one.
                let (global, param) = (is(self, 0), is(self, 3));
                let either = self.b.ins().bor(global, param);
                let other = self.b.ins().bxor_imm_u(constant, 1);
                self.b.ins().band(either, other)
            }
        };
        self.assign(p, Ty::Pred, value)
    }

    /// `createpolicy`: a cache policy is a number that nobody reads.
    pub(super) fn create_policy(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let known = [".fractional", ".range", ".cvt"].into_iter().any(|m| mods.take(m));
        let _ = mods.take(".L2") || mods.take(".global");
        mods.take(".global");
        Self::skip_hints(&mut mods);
        // The secondary priority is another hint.
        Self::skip_hints(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if !known || ty != Ty::B64 {
            return Err(self.type_error("needs `.fractional`, `.range` or `.cvt`, and `.b64`"));
        }
        let Some(d) = i.operands.first() else { return Err(self.type_error("needs a destination")) };
        let policy = self.int(types::I64, 0);
        self.assign(d, ty, policy)
    }

    /// `applypriority` and `discard`: hints about a line of memory. What is discarded may keep its value.
    pub(super) fn line_hint(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let space = Self::space(&mut mods);
        Self::skip_hints(&mut mods);
        self.done(&mods)?;
        if !matches!(space, None | Some(Space::Global)) {
            return Err(self.type_error("for `.global` memory"));
        }
        let [a, Operand::Int(128)] = self.operands(i)? else {
            return Err(self.type_error("the size is 128"));
        };
        match self.place(a, space, 1, None)? {
            Place::Memory(..) => Ok(()),
            Place::Scalar(..) => Err(self.type_error("for `.global` memory")),
        }
    }
}
