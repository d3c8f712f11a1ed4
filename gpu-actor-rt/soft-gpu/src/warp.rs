//! What lanes do together: barriers of a block and `.sync` instructions of a warp.
//!
//! The rule is the same for both: a lane that arrives leaves its operand in its state and, if others are still missing,
//! gives way; the last one to arrive computes everybody's result and makes the others ready. A lane that ends is no
//! longer waited for.

use std::cell::Cell;

use crate::block::{BarrierWait, Block, Lane, Reduce, State};
use crate::check;
use crate::device::WARP_SIZE;
use crate::error::Error;

/// A `.sync` instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum WarpKind {
    Sync,
    VoteAll,
    VoteAny,
    VoteUni,
    VoteBallot,
    ShflUp,
    ShflDown,
    ShflBfly,
    ShflIdx,
    MatchAny,
    MatchAll,
    ReduxAdd,
    ReduxMinU,
    ReduxMinS,
    ReduxMaxU,
    ReduxMaxS,
    ReduxAnd,
    ReduxOr,
    ReduxXor,
    Elect,
}

impl WarpKind {
    const ALL: [WarpKind; 20] = [
        WarpKind::Sync,
        WarpKind::VoteAll,
        WarpKind::VoteAny,
        WarpKind::VoteUni,
        WarpKind::VoteBallot,
        WarpKind::ShflUp,
        WarpKind::ShflDown,
        WarpKind::ShflBfly,
        WarpKind::ShflIdx,
        WarpKind::MatchAny,
        WarpKind::MatchAll,
        WarpKind::ReduxAdd,
        WarpKind::ReduxMinU,
        WarpKind::ReduxMinS,
        WarpKind::ReduxMaxU,
        WarpKind::ReduxMaxS,
        WarpKind::ReduxAnd,
        WarpKind::ReduxOr,
        WarpKind::ReduxXor,
        WarpKind::Elect,
    ];

    /// Whether the result is the same for all lanes that take part.
    fn is_uniform(self) -> bool {
        use WarpKind::{Elect, MatchAny, ShflBfly, ShflDown, ShflIdx, ShflUp};
        !matches!(self, ShflUp | ShflDown | ShflBfly | ShflIdx | MatchAny | Elect)
    }

    pub(crate) fn from_number(number: u32) -> Option<WarpKind> {
        Self::ALL.get(number as usize).copied()
    }
}

/// A lane's part in a `.sync` instruction.
#[derive(Clone, Copy)]
pub(crate) struct WarpOp {
    pub(crate) kind: WarpKind,
    pub(crate) mask: u32,
    pub(crate) value: u64,
    /// For `shfl`: the source operand, and the clamp and segment mask.
    pub(crate) source: u32,
    pub(crate) clamp: u32,
}

/// Bit of a result that carries the instruction's predicate.
pub(crate) const PREDICATE: u64 = 1 << 32;

/// The part that lanes take in one instruction, by lane number in the warp.
type Parts = [Option<WarpOp>];

/// The result for the lane `me`: a value in the low half and a predicate at [`PREDICATE`].
fn result(parts: &Parts, me: u32, op: &WarpOp) -> u64 {
    let values = || parts.iter().flatten().map(|p| p.value);
    let mask_of = |test: &dyn Fn(u64) -> bool| -> u32 {
        parts
            .iter()
            .enumerate()
            .filter(|(_, p)| p.is_some_and(|p| test(p.value)))
            .fold(0, |m, (i, _)| m | 1 << i)
    };
    let predicate = |p: bool| if p { PREDICATE | 1 } else { 0 };
    let word = |v: u32| u64::from(v);
    let words = || values().map(|v| v as u32);
    match op.kind {
        WarpKind::Sync => 0,
        WarpKind::VoteAll => predicate(values().all(|v| v != 0)),
        WarpKind::VoteAny => predicate(values().any(|v| v != 0)),
        WarpKind::VoteUni => predicate(values().all(|v| (v != 0) == (op.value != 0))),
        WarpKind::VoteBallot => word(mask_of(&|v| v != 0)),
        WarpKind::MatchAny => word(mask_of(&|v| v == op.value)),
        WarpKind::MatchAll => {
            if values().all(|v| v == op.value) {
                word(mask_of(&|_| true)) | PREDICATE
            } else {
                0
            }
        }
        WarpKind::ShflUp | WarpKind::ShflDown | WarpKind::ShflBfly | WarpKind::ShflIdx => {
            shuffle(parts, me, op)
        }
        WarpKind::ReduxAdd => word(words().fold(0, u32::wrapping_add)),
        WarpKind::ReduxMinU => word(words().fold(u32::MAX, u32::min)),
        WarpKind::ReduxMaxU => word(words().fold(0, u32::max)),
        WarpKind::ReduxMinS => word(words().map(|v| v as i32).fold(i32::MAX, i32::min) as u32),
        WarpKind::ReduxMaxS => word(words().map(|v| v as i32).fold(i32::MIN, i32::max) as u32),
        WarpKind::ReduxAnd => word(words().fold(u32::MAX, |a, v| a & v)),
        WarpKind::ReduxOr => word(words().fold(0, |a, v| a | v)),
        WarpKind::ReduxXor => word(words().fold(0, |a, v| a ^ v)),
        WarpKind::Elect => {
            let leader = mask_of(&|_| true).trailing_zeros();
            word(leader) | if leader == me { PREDICATE } else { 0 }
        }
    }
}

/// `shfl.sync`, as the pseudocode of the PTX manual has it.
fn shuffle(parts: &Parts, me: u32, op: &WarpOp) -> u64 {
    let segment = op.clamp >> 8 & 31;
    let (source, clamp) = (op.source & 31, op.clamp & 31);
    let max = me & segment | clamp & !segment;
    let min = me & segment;
    let (from, inside) = match op.kind {
        WarpKind::ShflUp => (me.wrapping_sub(source), me as i32 - source as i32 >= max as i32),
        WarpKind::ShflDown => (me + source, me + source <= max),
        WarpKind::ShflBfly => (me ^ source, me ^ source <= max),
        _ => (min | source & !segment, min | source & !segment <= max),
    };
    let from = if inside { from } else { me };
    // Hardware leaves the value undefined where the source does not take part; here it is the lane's own.
    let value = parts.get(from as usize).copied().flatten().map_or(op.value, |p| p.value);
    value & u64::from(u32::MAX) | if inside { PREDICATE } else { 0 }
}

/// A lane executes a `.sync` instruction.
pub(crate) fn warp_op(lane: &Lane, op: WarpOp) -> u64 {
    let block = lane.block();
    if op.mask >> lane.number & 1 == 0 {
        let reason = format!("the lane is not in the member mask {:#x} that it gives", op.mask);
        block.launch.fail(Error::Synchronization { block: block.index, lane: lane.index, reason });
        lane.end();
    }
    if block.lanes.len() == 1 {
        return result(&[Some(op)], 0, &op);
    }
    lane.state.set(State::Warp(op));
    if !try_complete(block, lane.warp_id, &op) {
        lane.suspend(State::Warp(op));
        lane.check_kill();
    }
    lane.result.get()
}

/// Completes the instruction if every live lane of its mask has come, and makes those lanes ready.
fn try_complete(block: &Block<'_>, warp: u32, op: &WarpOp) -> bool {
    let lanes = block.warp(warp);
    let members = || lanes.iter().enumerate().filter(|(at, _)| op.mask >> at & 1 == 1);
    let part = |lane: &Lane| match lane.state.get() {
        State::Warp(other) if other.kind == op.kind && other.mask == op.mask => Some(other),
        _ => None,
    };
    // Lanes have their turns in order, so the one that is still missing is mostly the last.
    let missing = |lane: &Lane| part(lane).is_none() && !matches!(lane.state.get(), State::Ended);
    if members().rev().any(|(_, lane)| missing(lane)) {
        return false;
    }
    let mut parts = [None; WARP_SIZE as usize];
    for (at, lane) in members() {
        parts[at] = part(lane);
    }
    let mut common = None;
    for (at, lane) in lanes.iter().enumerate() {
        if let Some(part) = &parts[at] {
            let own = |part| result(&parts, at as u32, part);
            lane.result.set(if op.kind.is_uniform() {
                *common.get_or_insert_with(|| own(part))
            } else {
                own(part)
            });
            lane.state.set(State::Ready);
        }
    }
    true
}

/// A lane arrives at a barrier and waits there. Returns the result of `bar.red`.
pub(crate) fn barrier(lane: &Lane, wait: BarrierWait) -> u64 {
    let block = lane.block();
    lane.state.set(State::Barrier(wait));
    if !try_open(block, wait.id, wait.count) {
        lane.suspend(State::Barrier(wait));
        lane.check_kill();
    }
    lane.result.get()
}

/// A lane arrives at a barrier without waiting.
pub(crate) fn arrive(lane: &Lane, id: u32, count: u32) {
    let block = lane.block();
    let arrived = &block.arrived[id as usize];
    arrived.set(arrived.get() + 1);
    try_open(block, id, count);
}

/// Opens a barrier if enough lanes have come, and makes those that wait ready.
///
/// `count` is in lanes of whole warps, so a warp all of whose live lanes have come counts as 32.
fn try_open(block: &Block<'_>, id: u32, count: u32) -> bool {
    let waits = |lane: &Lane| match lane.state.get() {
        State::Barrier(wait) if wait.id == id => Some(wait),
        _ => None,
    };
    let arrived = &block.arrived[id as usize];
    let live = block.lanes.iter().filter(|l| !matches!(l.state.get(), State::Ended)).count();
    let here = block.lanes.iter().filter(|l| waits(l).is_some()).count();
    let open = if count == 0 {
        here + arrived.get() as usize >= live
    } else {
        let mut padded = here;
        for warp in block.lanes.chunks(WARP_SIZE as usize) {
            let live = warp.iter().filter(|l| !matches!(l.state.get(), State::Ended)).count();
            let here = warp.iter().filter(|l| waits(l).is_some()).count();
            if here > 0 && here == live {
                padded += WARP_SIZE as usize - here;
            }
        }
        padded + arrived.get() as usize >= count as usize
    };
    // Lanes that an abort ends are nobody's mistake.
    let checked = block.checks.is_some() && !block.killed();
    if !open || checked && !check::barrier_is_uniform(block, Some(id)) {
        return false;
    }
    let operands = || block.lanes.iter().filter_map(waits).map(|w| w.predicate);
    let (set, all, any) =
        (operands().filter(|p| *p).count() as u64, operands().all(|p| p), operands().any(|p| p));
    for lane in &block.lanes {
        if let Some(wait) = waits(lane) {
            lane.result.set(match wait.reduce {
                Reduce::None => 0,
                Reduce::Popc => set,
                Reduce::And => u64::from(all),
                Reduce::Or => u64::from(any),
            });
            lane.state.set(State::Ready);
        }
    }
    Cell::set(arrived, 0);
    true
}

/// A lane has ended: what others do together may now be complete without it.
pub(crate) fn lane_ended(lane: &Lane) {
    let block = lane.block();
    for other in block.warp(lane.warp_id) {
        if let State::Warp(op) = other.state.get() {
            try_complete(block, lane.warp_id, &op);
        }
    }
    for other in &block.lanes {
        if let State::Barrier(wait) = other.state.get() {
            try_open(block, wait.id, wait.count);
        }
    }
}
