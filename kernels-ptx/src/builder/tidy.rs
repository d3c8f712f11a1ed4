//! Takes out the copies that the builder makes for safety and nobody needs.
//!
//! Reading a place copies it, because the place may change before the value is used. Most often it does not: then the
//! copy of a register is replaced by the register, and the copy of bytes through a temporary by one copy. Both
//! changes need that nothing between the two writes the source.

use crate::ir::{Address, Base, Const, Function, Op, Operand, Order, Reg, ScalarType, SlotId, Stmt, uses};

/// How many statements ahead a use is looked for; keeps the pass linear.
const WINDOW: usize = 256;

/// How often registers are read and assigned, and slots used.
struct Counts {
    reads: Vec<u32>,
    writes: Vec<u32>,
    slots: Vec<u32>,
}

pub(super) fn tidy(function: &mut Function) {
    let mut counts = Counts {
        reads: vec![0; function.regs.len()],
        writes: vec![0; function.regs.len()],
        slots: vec![0; function.slots.len()],
    };
    uses::walk(&function.body, &mut |u| match u {
        uses::Use::Read(reg) => counts.reads[reg.0 as usize] += 1,
        uses::Use::Write(reg) => counts.writes[reg.0 as usize] += 1,
        uses::Use::Slot(slot) => counts.slots[slot.0 as usize] += 1,
    });
    // A parameter is assigned by the caller.
    for writes in counts.writes.iter_mut().take(function.params.len()) {
        *writes += 1;
    }
    let mut body = std::mem::take(&mut function.body);
    list(&mut body, &mut counts);
    function.body = body;
}

fn list(body: &mut Vec<Stmt>, counts: &mut Counts) {
    for stmt in body.iter_mut() {
        match stmt {
            Stmt::Block { body, .. } => list(body, counts),
            Stmt::Loop { body, continuing, .. } => {
                list(body, counts);
                list(continuing, counts);
            }
            Stmt::If { yes, no, .. } => {
                list(yes, counts);
                list(no, counts);
            }
            _ => {}
        }
    }
    merge_constants(body, counts);
    let mut removed = vec![false; body.len()];
    for at in 0..body.len() {
        removed[at] = match body[at] {
            Stmt::Let { dst, op: Op::Copy(Operand::Reg(src)) } => {
                forward_register(body, at, dst, src, counts)
            }
            Stmt::Copy { dst: Address { base: Base::Slot(temp), offset: 0 }, src, size, align } => {
                forward_bytes(body, at, temp, (src, size, align), counts)
            }
            _ => false,
        };
    }
    let mut removed = removed.into_iter();
    body.retain(|_| !removed.next().unwrap_or(false));
}

/// Constant stores side by side in a slot become wider ones: array literals are stored element by element.
fn merge_constants(body: &mut Vec<Stmt>, counts: &mut Counts) {
    let mut merged: Vec<Stmt> = Vec::with_capacity(body.len());
    for stmt in body.drain(..) {
        merged.push(stmt);
        while let [.., first, second] = &merged[..]
            && let Some((slot, both)) = merge(first, second)
        {
            counts.slots[slot.0 as usize] -= 1;
            merged.truncate(merged.len() - 2);
            merged.push(both);
        }
    }
    *body = merged;
}

fn merge(first: &Stmt, second: &Stmt) -> Option<(SlotId, Stmt)> {
    let (
        &Stmt::Store { ty, address, value: Operand::Const(low), order: Order::Weak },
        &Stmt::Store { ty: other, address: next, value: Operand::Const(high), order: Order::Weak },
    ) = (first, second)
    else {
        return None;
    };
    let Base::Slot(slot) = address.base else { return None };
    let wide = match ty.size() {
        1 => ScalarType::U16,
        2 => ScalarType::U32,
        4 => ScalarType::U64,
        _ => return None,
    };
    // Slots are multiples of 8, so the offset alone says whether the wide store is aligned.
    let beside = next == Address { offset: address.offset + u64::from(ty.size()), ..address };
    if !beside || other.size() != ty.size() || !address.offset.is_multiple_of(wide.size().into()) {
        return None;
    }
    let value = Operand::Const(Const::new(wide, low.bits | high.bits << (ty.size() * 8)));
    Some((slot, Stmt::Store { ty: wide, address, value, order: Order::Weak }))
}

/// `dst = src` at `at`: uses `src` instead, if all reads of `dst` come before `src` changes.
fn forward_register(body: &mut [Stmt], at: usize, dst: Reg, src: Reg, counts: &mut Counts) -> bool {
    if counts.writes[dst.0 as usize] != 1 || dst == src {
        return false;
    }
    let wanted = counts.reads[dst.0 as usize];
    let mut found = 0;
    let mut end = at + 1;
    // With one assignment in all, it is the one that this copy reads: it cannot change any more. (In a loop it comes
    // before this copy again.)
    let stable = counts.writes[src.0 as usize] == 1;
    while found < wanted && end < body.len() && end - at < WINDOW {
        let (mut reads, mut written) = (0, false);
        uses::walk(&body[end..=end], &mut |u| match u {
            uses::Use::Read(reg) if reg == dst => reads += 1,
            uses::Use::Write(reg) if reg == src => written = true,
            _ => {}
        });
        let simple = uses::children(&body[end]).iter().all(|inner| inner.is_empty());
        // A simple statement reads before it writes; in a nested one the order is not known.
        if written && !stable && !(simple && found + reads == wanted && !writes_early(&body[end])) {
            return false;
        }
        found += reads;
        end += 1;
    }
    if found != wanted {
        return false;
    }
    for stmt in &mut body[at + 1..end] {
        uses::replace(stmt, dst, src);
    }
    counts.reads[src.0 as usize] += wanted;
    counts.reads[src.0 as usize] -= 1;
    counts.reads[dst.0 as usize] = 0;
    counts.writes[dst.0 as usize] = 0;
    true
}

/// Whether the statement becomes several instructions, of which an early one may assign what a later one reads.
fn writes_early(stmt: &Stmt) -> bool {
    !matches!(stmt, Stmt::Let { op: Op::Copy(_) | Op::Select { .. }, .. } | Stmt::Load { .. })
}

/// Bytes copied into `temp` at `at`, and from there once more: copies them once, there.
fn forward_bytes(
    body: &mut [Stmt],
    at: usize,
    temp: SlotId,
    (src, size, align): (Address, u64, u64),
    counts: &mut Counts,
) -> bool {
    if counts.slots[temp.0 as usize] != 2 || src.base == Base::Slot(temp) {
        return false;
    }
    let from_temp = Address { base: Base::Slot(temp), offset: 0 };
    for stmt in body.iter_mut().skip(at + 1).take(WINDOW) {
        match stmt {
            Stmt::Copy { src: second, size: bytes, align: other, .. }
                if *second == from_temp && *bytes == size =>
            {
                *second = src;
                *other = align.min(*other);
                counts.slots[temp.0 as usize] = 0;
                return true;
            }
            // Nothing here writes memory; if one of them faults, nobody has seen the temporary.
            Stmt::Let { .. }
            | Stmt::Overflowing { .. }
            | Stmt::Divide { .. }
            | Stmt::Index { .. }
            | Stmt::FaultIf { .. }
            | Stmt::Load { .. } => {
                let mut moved = false;
                uses::direct(stmt, &mut |u| {
                    moved |= matches!((u, src.base), (uses::Use::Write(reg), Base::Reg(base)) if reg == base);
                });
                if moved {
                    return false;
                }
            }
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{FrameSlot, Kind};

    /// Bytes go through the temporary if the register with their address changes in between.
    #[test]
    fn a_moved_source_is_not_forwarded() {
        let slot = |id| Address { base: Base::Slot(SlotId(id)), offset: 0 };
        let pointer = Reg(0);
        let from = Address { base: Base::Reg(pointer), offset: 0 };
        let at = |bits| Op::Copy(Operand::Const(Const::new(ScalarType::U64, bits)));
        let through = |between: Vec<Stmt>| {
            let mut body = vec![Stmt::Let { dst: pointer, op: at(8) }];
            body.push(Stmt::Copy { dst: slot(0), src: from, size: 8, align: 8 });
            body.extend(between);
            body.push(Stmt::Copy { dst: slot(1), src: slot(0), size: 8, align: 8 });
            let mut function = Function {
                symbol: "f".into(),
                kind: Kind::Entry,
                params: vec![],
                result: None,
                regs: vec![ScalarType::U64; 2],
                slots: vec![FrameSlot { size: 8, align: 8 }; 2],
                sites: vec![],
                body,
            };
            tidy(&mut function);
            function.body.iter().filter(|stmt| matches!(stmt, Stmt::Copy { .. })).count()
        };
        assert_eq!(through(vec![]), 1);
        assert_eq!(through(vec![Stmt::Let { dst: Reg(1), op: at(16) }]), 1);
        assert_eq!(through(vec![Stmt::Let { dst: pointer, op: at(16) }]), 2);
        assert_eq!(through(vec![Stmt::PmEvent(0)]), 2, "only what cannot write memory is passed over");
    }
}
