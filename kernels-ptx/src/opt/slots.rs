//! Slots become registers: a struct's field is one register, and only what is indexed stays in memory.
//!
//! A slot can be taken apart if every access to it is at a constant offset and no two accesses overlap without being
//! equal. Its parts ("leaves") are what is loaded and stored, and, of what is only copied, words. A copy of bytes then
//! becomes one move, load or store for each leaf.
//!
//! Rule kept here: the same bytes go the same way. A leaf that several types look at is an unsigned integer; so is a
//! `bool` that is copied from or to memory, where its upper bits may be set.

use std::collections::BTreeMap;

use crate::ir::{
    Address, Base, BinaryOp, CompareOp, Const, Function, Op, Operand, Order, Reg, ScalarType, Stmt, uses,
};
use crate::verify;

/// The largest slot that is taken apart, and into how many leaves.
const MAX_SIZE: u32 = 256;
const MAX_LEAVES: usize = 32;

/// What is known of one leaf while the slot is studied.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    size: u64,
    /// The type that all accesses have, if they agree.
    ty: Option<ScalarType>,
    reg: Option<Reg>,
}

/// A slot that may be taken apart: its leaves by offset.
type Leaves = BTreeMap<u64, Leaf>;

#[derive(Clone, Copy, Debug)]
struct Copied {
    dst: Address,
    src: Address,
    size: u64,
    align: u64,
}

#[derive(Default)]
struct Study {
    /// `None`: it stays in memory.
    slots: Vec<Option<Leaves>>,
    copies: Vec<Copied>,
    /// Constants that are stored: they can be cut.
    constants: Vec<(usize, u64, u64)>,
}

/// Takes apart what it can; whether there was anything.
pub(super) fn to_registers(function: &mut Function) -> bool {
    let slots = function.slots.iter().map(|slot| (slot.size <= MAX_SIZE).then(Leaves::new)).collect();
    let mut study = Study { slots, ..Study::default() };
    let mut used = vec![false; function.slots.len()];
    uses::walk(&function.body, &mut |u| {
        if let uses::Use::Slot(slot) = u {
            used[slot.0 as usize] = true;
        }
    });
    for (slot, used) in study.slots.iter_mut().zip(&used) {
        if !used {
            *slot = None;
        }
    }
    if study.slots.iter().all(Option::is_none) {
        return false;
    }
    study.accesses(&function.body, &function.regs);
    study.settle();
    if study.slots.iter().all(Option::is_none) {
        return false;
    }
    let mut leaves = Vec::new();
    for slot in study.slots.iter_mut().flatten() {
        for leaf in slot.values_mut() {
            let ty = leaf.ty.unwrap_or(word(leaf.size));
            function.regs.push(ty);
            let reg = Reg(function.regs.len() as u32 - 1);
            leaf.reg = Some(reg);
            leaves.push(reg);
        }
    }
    let mut rewrite = Rewrite { slots: &study.slots, regs: &mut function.regs };
    let body = std::mem::take(&mut function.body);
    function.body = rewrite.list(body);
    // What a slot held before it was written was never anybody's business; a register has to have been assigned.
    let unassigned = verify::unassigned(function);
    let zero = |reg: &&Reg| unassigned.contains(reg);
    let zeroes: Vec<_> = leaves
        .iter()
        .filter(zero)
        .map(|&dst| {
            let ty = function.regs[dst.0 as usize];
            Stmt::Let { dst, op: Op::Copy(Operand::Const(Const::new(ty, 0))) }
        })
        .collect();
    function.body.splice(0..0, zeroes);
    true
}

fn word(size: u64) -> ScalarType {
    match size {
        1 => ScalarType::U8,
        2 => ScalarType::U16,
        4 => ScalarType::U32,
        _ => ScalarType::U64,
    }
}

fn slot_of(address: Address) -> Option<usize> {
    if let Base::Slot(slot) = address.base { Some(slot.0 as usize) } else { None }
}

impl Study {
    fn keep_in_memory(&mut self, address: Address) {
        if let Some(slot) = slot_of(address) {
            self.slots[slot] = None;
        }
    }

    /// A leaf, or the end of it: nothing may overlap another leaf.
    fn leaf(&mut self, slot: usize, offset: u64, size: u64, ty: Option<ScalarType>) -> bool {
        let Some(leaves) = &mut self.slots[slot] else { return false };
        if let Some(leaf) = leaves.get_mut(&offset) {
            if leaf.size == size {
                // A word without a type goes along with any.
                let (before, now) = (leaf.ty, ty);
                let agreed = match (before, now) {
                    (Some(a), Some(b)) if a != b => Some(word(size)),
                    (a, b) => a.or(b),
                };
                leaf.ty = agreed;
                return agreed != before;
            }
            self.slots[slot] = None;
            return true;
        }
        let before = leaves.range(..offset).next_back().is_some_and(|(at, leaf)| at + leaf.size > offset);
        let behind = leaves.range(offset..).next().is_some_and(|(at, _)| *at < offset + size);
        if before || behind || leaves.len() == MAX_LEAVES {
            self.slots[slot] = None;
        } else {
            leaves.insert(offset, Leaf { size, ty, reg: None });
        }
        true
    }

    fn accesses(&mut self, list: &[Stmt], regs: &[ScalarType]) {
        for stmt in list {
            match *stmt {
                Stmt::Load { dst, address, order } => {
                    let ty = regs[dst.0 as usize];
                    self.access(address, ty, order);
                }
                Stmt::Store { ty, address, value: Operand::Const(_), order: Order::Weak } => {
                    if let Some(slot) = slot_of(address) {
                        self.constants.push((slot, address.offset, ty.size().into()));
                    }
                }
                Stmt::Store { ty, address, order, .. } => self.access(address, ty, order),
                Stmt::Copy { dst, src, size, align } => {
                    if slot_of(dst).is_some() || slot_of(src).is_some() {
                        self.copies.push(Copied { dst, src, size, align });
                    }
                    if dst.base == src.base {
                        self.keep_in_memory(dst);
                    }
                }
                Stmt::Index { base, .. } => self.keep_in_memory(base),
                Stmt::Atomic { address, .. } => self.keep_in_memory(address),
                _ => {}
            }
            for inner in uses::children(stmt) {
                self.accesses(inner, regs);
            }
        }
    }

    fn access(&mut self, address: Address, ty: ScalarType, order: Order) {
        let Some(slot) = slot_of(address) else { return };
        if order == Order::Weak {
            self.leaf(slot, address.offset, ty.size().into(), Some(ty));
        } else {
            self.slots[slot] = None;
        }
    }

    /// Lets leaves go along with copies, until all of a slot's copies can be made leaf by leaf or the slot is given up.
    fn settle(&mut self) {
        // Each round adds leaves or gives up slots, and there are few of both; chains of copies take a round for each link.
        let mut rounds = 0;
        loop {
            let copies = std::mem::take(&mut self.copies);
            let mut changed = false;
            for copied in &copies {
                changed |=
                    self.along(copied, copied.dst, copied.src) | self.along(copied, copied.src, copied.dst);
            }
            // Only when nothing else comes along: what nobody looks at goes in words.
            if !changed {
                changed =
                    copies.iter().any(|copied| self.fill(copied, copied.dst) | self.fill(copied, copied.src));
            }
            changed |= self.cut_constants();
            self.copies = copies;
            rounds += 1;
            if rounds > 64 {
                self.slots.iter_mut().for_each(|slot| *slot = None);
            }
            if !changed || rounds > 64 {
                return;
            }
        }
    }

    /// The leaves of `from` in the copied range become leaves of `to`, or fit what is loaded and stored there.
    fn along(&mut self, copied: &Copied, from: Address, to: Address) -> bool {
        let Some(slot) = slot_of(from) else { return false };
        let Some(leaves) = &self.slots[slot] else { return false };
        let (begin, end) = (from.offset, from.offset + copied.size);
        let crosses = |(at, leaf): (&u64, &Leaf)| {
            let last = at + leaf.size;
            (*at < begin && last > begin) || (*at < end && last > end)
        };
        let before = leaves.range(..begin).next_back().is_some_and(crosses);
        let inside: Vec<_> = leaves.range(begin..end).map(|(at, leaf)| (*at, *leaf)).collect();
        let last = inside.last().is_some_and(|(at, leaf)| at + leaf.size > end);
        let unaligned = inside.iter().any(|(_, leaf)| leaf.size > copied.align);
        if before || last || unaligned {
            self.slots[slot] = None;
            return true;
        }
        let mut changed = false;
        match slot_of(to) {
            Some(other) if self.slots[other].is_some() => {
                for (at, leaf) in inside {
                    changed |= self.leaf(other, at - begin + to.offset, leaf.size, leaf.ty);
                }
            }
            // In memory a bool has eight bits.
            _ => {
                for (at, leaf) in inside {
                    if leaf.ty == Some(ScalarType::Bool) {
                        changed |= self.leaf(slot, at, leaf.size, Some(ScalarType::U8));
                    }
                }
            }
        }
        changed
    }

    /// Gives the first gap in the copied range of a slot a leaf; whether there was one.
    fn fill(&mut self, copied: &Copied, of: Address) -> bool {
        let Some(slot) = slot_of(of) else { return false };
        let Some(leaves) = &self.slots[slot] else { return false };
        let end = of.offset + copied.size;
        let mut at = of.offset;
        let mut limit = end;
        for (begin, leaf) in leaves.range(of.offset..end) {
            if *begin > at {
                limit = *begin;
                break;
            }
            at = begin + leaf.size;
        }
        if at >= end {
            return false;
        }
        let mut size = copied.align;
        while !at.is_multiple_of(size) || at + size > limit {
            size /= 2;
        }
        self.leaf(slot, at, size, None);
        true
    }

    /// A constant that is stored has to cover the leaves it touches.
    fn cut_constants(&mut self) -> bool {
        let mut changed = false;
        for &(slot, offset, size) in &self.constants {
            let Some(leaves) = &self.slots[slot] else { continue };
            let end = offset + size;
            let before = leaves.range(..offset).next_back().is_some_and(|(at, leaf)| at + leaf.size > offset);
            let behind = leaves.range(offset..end).any(|(at, leaf)| at + leaf.size > end);
            if before || behind {
                self.slots[slot] = None;
                changed = true;
            }
        }
        changed
    }
}

struct Rewrite<'a> {
    slots: &'a [Option<Leaves>],
    regs: &'a mut Vec<ScalarType>,
}

impl Rewrite<'_> {
    fn leaves(&self, address: Address) -> Option<&Leaves> {
        self.slots[slot_of(address)?].as_ref()
    }

    fn fresh(&mut self, ty: ScalarType) -> Reg {
        self.regs.push(ty);
        Reg(self.regs.len() as u32 - 1)
    }

    fn list(&mut self, list: Vec<Stmt>) -> Vec<Stmt> {
        let mut out = Vec::with_capacity(list.len());
        for mut stmt in list {
            match &mut stmt {
                Stmt::Block { body, .. } => *body = self.list(std::mem::take(body)),
                Stmt::Loop { body, continuing, .. } => {
                    *body = self.list(std::mem::take(body));
                    *continuing = self.list(std::mem::take(continuing));
                }
                Stmt::If { yes, no, .. } => {
                    *yes = self.list(std::mem::take(yes));
                    *no = self.list(std::mem::take(no));
                }
                _ => {}
            }
            self.stmt(stmt, &mut out);
        }
        out
    }

    fn stmt(&mut self, stmt: Stmt, out: &mut Vec<Stmt>) {
        match stmt {
            Stmt::Load { dst, address, .. } if self.leaves(address).is_some() => {
                if let Some(leaf) = self.leaf(address) {
                    self.convert(dst, leaf, out);
                }
            }
            Stmt::Store { ty, address, value: Operand::Const(c), .. } if self.leaves(address).is_some() => {
                let end = address.offset + u64::from(ty.size());
                let parts: Vec<_> = self
                    .leaves(address)
                    .into_iter()
                    .flat_map(|leaves| leaves.range(address.offset..end))
                    .filter_map(|(at, leaf)| Some((leaf.reg?, (at - address.offset) * 8)))
                    .collect();
                for (dst, shift) in parts {
                    let part = Const::new(self.regs[dst.0 as usize], c.bits >> shift);
                    out.push(Stmt::Let { dst, op: Op::Copy(Operand::Const(part)) });
                }
            }
            Stmt::Store { address, value: Operand::Reg(value), .. } if self.leaves(address).is_some() => {
                if let Some(leaf) = self.leaf(address) {
                    self.convert(leaf, value, out);
                }
            }
            Stmt::Copy { dst, src, size, .. } if self.leaves(dst).is_some() || self.leaves(src).is_some() => {
                self.copy(dst, src, size, out);
            }
            other => out.push(other),
        }
    }

    fn leaf(&self, address: Address) -> Option<Reg> {
        self.leaves(address)?.get(&address.offset)?.reg
    }

    fn copy(&mut self, dst: Address, src: Address, size: u64, out: &mut Vec<Stmt>) {
        let behind = |address: Address, by: u64| Address { offset: address.offset + by, ..address };
        // Both sides have the same leaves where both are taken apart.
        let of = if self.leaves(dst).is_some() { dst } else { src };
        let offsets: Vec<_> = self
            .leaves(of)
            .into_iter()
            .flat_map(|leaves| leaves.range(of.offset..of.offset + size))
            .map(|(at, _)| at - of.offset)
            .collect();
        for by in offsets {
            match (self.leaf(behind(dst, by)), self.leaf(behind(src, by))) {
                (Some(to), Some(from)) => self.convert(to, from, out),
                (Some(to), None) => {
                    out.push(Stmt::Load { dst: to, address: behind(src, by), order: Order::Weak });
                }
                (None, Some(from)) => {
                    let ty = self.regs[from.0 as usize];
                    let (address, value) = (behind(dst, by), Operand::Reg(from));
                    out.push(Stmt::Store { ty, address, value, order: Order::Weak });
                }
                (None, None) => {}
            }
        }
    }

    /// The same bytes in another type of the same size.
    fn convert(&mut self, dst: Reg, src: Reg, out: &mut Vec<Stmt>) {
        let (to, from) = (self.regs[dst.0 as usize], self.regs[src.0 as usize]);
        let value = Operand::Reg(src);
        if to == from {
            return out.push(Stmt::Let { dst, op: Op::Copy(value) });
        }
        if to == ScalarType::Bool {
            // Of a bool in memory the lowest bit counts.
            let low = self.fresh(from);
            let one = Operand::Const(Const::new(from, 1));
            out.push(Stmt::Let { dst: low, op: Op::Binary(BinaryOp::And, value, one) });
            let zero = Operand::Const(Const::new(from, 0));
            return out.push(Stmt::Let { dst, op: Op::Compare(CompareOp::Ne, Operand::Reg(low), zero) });
        }
        let op = if to.is_float() == from.is_float() { Op::Cast(value) } else { Op::Bitcast(value) };
        out.push(Stmt::Let { dst, op });
    }
}
