//! What memory is known to hold, and how addresses are written best.
//!
//! Only weak accesses take part: nobody else touches what they touch at the time. Everything ordered, every operation of
//! a warp and every call forgets all of it.

use super::{Def, Origin, Value, Walk};
use crate::ir::{Address, Base, Kind, ScalarType};

/// How many places are remembered.
const REMEMBERED: usize = 24;
/// Offsets beyond this stay in registers: an instruction has room for so many.
const MAX_OFFSET: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    base: Origin,
    offset: u64,
    ty: ScalarType,
    value: Value,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Vec<Cell>);

impl Memory {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps what both know.
    pub(super) fn meet(&mut self, other: &Self) {
        self.0.retain(|cell| other.0.contains(cell));
    }
}

/// What an address leads back to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Root {
    Slot(usize),
    /// The state, message or context of a handler: three stretches of memory that do not overlap.
    Param(u32),
    Other,
}

impl Walk<'_> {
    pub(super) fn origin(&mut self, base: Base) -> Origin {
        match base {
            Base::Reg(reg) => Origin::Value(self.value_of(reg)),
            Base::Slot(slot) => Origin::Slot(slot),
        }
    }

    /// The same address, from as far back as it is known. Into a slot only where it is seen to lie inside.
    pub(super) fn address(&mut self, address: Address, size: u64, align: u64) -> Address {
        let mut best = address;
        let (mut origin, mut offset) = (self.origin(address.base), address.offset);
        for _ in 0..16 {
            let Origin::Value(value) = origin else { break };
            if let Some(home) = self.holder(value) {
                best = Address { base: Base::Reg(home), offset };
            }
            let Def::Address { base, offset: further } = self.info(value).def else { break };
            let Some(sum) = offset.checked_add(further).filter(|sum| *sum < MAX_OFFSET) else { break };
            (origin, offset) = (base, sum);
            if let Origin::Slot(slot) = base {
                let frame = self.function.slots[slot.0 as usize];
                let inside = offset + size <= frame.size.into();
                if inside && offset.is_multiple_of(align) && u64::from(frame.align).is_multiple_of(align) {
                    best = Address { base: Base::Slot(slot), offset };
                }
            }
        }
        best
    }

    fn root(&self, mut origin: Origin) -> Root {
        for _ in 0..64 {
            origin = match origin {
                Origin::Slot(slot) => return Root::Slot(slot.0 as usize),
                Origin::Value(value) => match self.info(value).def {
                    Def::Address { base, .. } | Def::Element(base) => base,
                    // A parameter is never assigned, so its first value is its only one.
                    _ => {
                        let handler = self.function.kind == Kind::Handler;
                        let param = self.info(value).home.filter(|home| handler && home.0 < 3);
                        return param.map_or(Root::Other, |home| Root::Param(home.0));
                    }
                },
            };
        }
        Root::Other
    }

    /// Whether writing `size` bytes at an address can change the cell.
    fn touches(&self, at: (Origin, u64), size: u64, cell: &Cell) -> bool {
        let (base, offset) = at;
        if base == cell.base {
            let cell_end = cell.offset.saturating_add(cell.ty.size().into());
            return offset < cell_end && cell.offset < offset.saturating_add(size);
        }
        match (self.root(base), self.root(cell.base)) {
            (Root::Slot(a), Root::Slot(b)) => a == b,
            (Root::Param(a), Root::Param(b)) => a == b,
            (Root::Slot(slot), Root::Other) | (Root::Other, Root::Slot(slot)) => self.escaped[slot],
            (Root::Slot(_), Root::Param(_)) | (Root::Param(_), Root::Slot(_)) => false,
            _ => true,
        }
    }

    /// Forgets what a write of `size` bytes changes.
    pub(super) fn overwritten(&mut self, address: Address, size: u64) {
        let at = (self.origin(address.base), address.offset);
        let mut memory = std::mem::take(&mut self.memory);
        memory.0.retain(|cell| !self.touches(at, size, cell));
        self.memory = memory;
    }

    /// Remembers what memory holds.
    pub(super) fn remember(&mut self, address: Address, ty: ScalarType, value: Value) {
        if self.memory.0.len() == REMEMBERED {
            self.memory.0.remove(0);
        }
        let base = self.origin(address.base);
        self.memory.0.push(Cell { base, offset: address.offset, ty, value });
    }

    /// The value that memory is known to hold.
    pub(super) fn recall(&mut self, address: Address, ty: ScalarType) -> Option<Value> {
        let base = self.origin(address.base);
        let found = |cell: &&Cell| cell.base == base && cell.offset == address.offset && cell.ty == ty;
        self.memory.0.iter().rev().find(found).map(|cell| cell.value)
    }
}
