//! Which operations there are, and which a function has: what tests are measured against.

use std::collections::BTreeSet;

use super::{
    Address, AtomicOp, BinaryOp, CheckedOp, CompareOp, Const, Function, Kind, ORDERS, Op, Operand, Reg,
    ScalarType, Scope, SiteId, SlotId, Special, Stmt, UnaryOp, WarpOp, order_suffix,
};
use crate::{
    abi::fault::code,
    ir::{Base, FaultSite, FrameSlot, uses},
    verify,
};

/// The operations of a function, each with the types that it works on: `add u32`, `cast f32 -> i8`, `load.acquire.gpu u64`.
pub fn operations(function: &Function) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(function, &function.body, &mut found);
    found
}

/// How many statements a function has, those inside others among them.
pub fn statements(function: &Function) -> usize {
    fn count(list: &[Stmt]) -> usize {
        list.iter().map(|stmt| 1 + uses::children(stmt).into_iter().map(count).sum::<usize>()).sum()
    }
    count(&function.body)
}

/// Every operation with all types that the verifier lets it have.
pub fn all_operations() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (kind, result, stmt) in candidates() {
        let function = around(kind, result, stmt);
        if verify::verify(std::slice::from_ref(&function), verify::Stage::Optimised).is_ok() {
            all.append(&mut operations(&function));
        }
    }
    // What encloses others or needs a second function; `return` is around everything.
    for name in ["block", "loop", "if", "break", "continue", "return", "call"] {
        all.insert(name.into());
    }
    all
}

fn collect(function: &Function, list: &[Stmt], found: &mut BTreeSet<String>) {
    for stmt in list {
        found.insert(name(function, stmt));
        for inner in uses::children(stmt) {
            collect(function, inner, found);
        }
    }
}

fn name(function: &Function, stmt: &Stmt) -> String {
    let reg = |reg: &Reg| function.regs.get(reg.0 as usize).map_or("?", |ty| ty.name());
    let operand = |operand: &Operand| match operand {
        Operand::Reg(r) => reg(r),
        Operand::Const(c) => c.ty.name(),
    };
    match stmt {
        Stmt::Let { dst, op } => match op {
            Op::Copy(a) => format!("copy {}", operand(a)),
            Op::Unary(op, a) => format!("{} {}", op.name(), operand(a)),
            Op::Binary(op, a, _) => format!("{} {}", op.name(), operand(a)),
            Op::Compare(op, a, _) => format!("{} {}", op.name(), operand(a)),
            Op::Select { yes, .. } => format!("select {}", operand(yes)),
            Op::MulAdd(a, ..) => format!("mul_add {}", operand(a)),
            Op::Cast(a) => format!("cast {} -> {}", operand(a), reg(dst)),
            Op::Bitcast(a) => format!("bitcast {} -> {}", operand(a), reg(dst)),
            Op::Special(special) => format!("special {}", special.name()),
        },
        Stmt::Overflowing { op, value, .. } => format!("{} {}", op.name(), reg(value)),
        Stmt::Divide { remainder: false, dst, .. } => format!("divide {}", reg(dst)),
        Stmt::Divide { dst, .. } => format!("remainder {}", reg(dst)),
        Stmt::Index { .. } => "index".into(),
        Stmt::FaultIf { when, .. } => (if *when { "fault if" } else { "fault unless" }).into(),
        Stmt::Fault { .. } => "fault".into(),
        Stmt::Load { dst, order, .. } => format!("load{} {}", order_suffix(*order), reg(dst)),
        Stmt::Store { ty, order, .. } => format!("store{} {}", order_suffix(*order), ty.name()),
        Stmt::Copy { .. } => "copy_bytes".into(),
        Stmt::Atomic { op: AtomicOp::Add(_), .. } => "atomic_add".into(),
        Stmt::Atomic { op: AtomicOp::Cas { .. }, .. } => "atomic_cas".into(),
        Stmt::FenceSc(scope) => format!("fence.{}", scope.name()),
        Stmt::Nanosleep(_) => "nanosleep".into(),
        Stmt::PmEvent(_) => "pmevent".into(),
        Stmt::Pay(_) => "pay".into(),
        Stmt::Warp { op, .. } => match op {
            WarpOp::Ballot { .. } => "ballot",
            WarpOp::Shuffle { .. } => "shuffle",
            WarpOp::MatchAny { .. } => "match_any",
            WarpOp::Sync => "sync_warp",
        }
        .into(),
        Stmt::Call { .. } => "call".into(),
        Stmt::Block { .. } => "block".into(),
        Stmt::Loop { .. } => "loop".into(),
        Stmt::If { .. } => "if".into(),
        Stmt::Break(_) => "break".into(),
        Stmt::Continue(_) => "continue".into(),
        Stmt::Return(_) => "return".into(),
    }
}

/// The register that a candidate assigns, behind a handler's three parameters.
const DST: Reg = Reg(3);
/// A `bool` register for the operations that give two values.
const FLAG: Reg = Reg(4);

/// One statement of every kind and combination of types, those that nobody may write among them.
fn candidates() -> Vec<(Kind, ScalarType, Stmt)> {
    let mut all = Vec::new();
    let types = || ScalarType::NAMED.iter().map(|(_, ty)| *ty);
    let one = |ty: ScalarType| Operand::Const(Const::new(ty, 1));
    let memory = Address { base: Base::Reg(Reg(0)), offset: 0 };
    let mut add = |result: ScalarType, stmt: Stmt| all.push((Kind::Handler, result, stmt));
    for from in types() {
        let value = one(from);
        for to in types() {
            let mut ops = vec![Op::Copy(value), Op::Cast(value), Op::Bitcast(value)];
            ops.extend(UnaryOp::NAMED.iter().map(|(_, op)| Op::Unary(*op, value)));
            ops.extend(CompareOp::NAMED.iter().map(|(_, op)| Op::Compare(*op, value, value)));
            for (_, op) in BinaryOp::NAMED {
                ops.extend([value, one(ScalarType::U32)].map(|right| Op::Binary(*op, value, right)));
            }
            ops.push(Op::MulAdd(value, value, value));
            ops.push(Op::Select { cond: one(ScalarType::Bool), yes: value, no: value });
            // A cast to the same type is a copy.
            ops.retain(|op| from != to || !matches!(op, Op::Cast(_)));
            for op in ops {
                add(to, Stmt::Let { dst: DST, op });
            }
        }
        for (_, op) in CheckedOp::NAMED {
            add(from, Stmt::Overflowing { op: *op, value: DST, overflow: FLAG, left: value, right: value });
        }
        for remainder in [false, true] {
            let (zero, overflow) = (None, None);
            add(from, Stmt::Divide { remainder, dst: DST, left: value, right: value, zero, overflow });
        }
        for (_, order) in ORDERS {
            add(from, Stmt::Load { dst: DST, address: memory, order });
            add(from, Stmt::Store { ty: from, address: memory, value, order });
        }
    }
    for (_, special) in Special::NAMED {
        for ty in [ScalarType::U32, ScalarType::U64] {
            add(ty, Stmt::Let { dst: DST, op: Op::Special(*special) });
        }
    }
    let (word, mask, site) = (one(ScalarType::U64), one(ScalarType::U32), SiteId(0));
    let slot = Address { base: Base::Slot(SlotId(0)), offset: 0 };
    for op in [AtomicOp::Add(word), AtomicOp::Cas { expected: word, new: word }] {
        add(ScalarType::U64, Stmt::Atomic { dst: DST, op, address: memory });
    }
    for (_, scope) in Scope::NAMED {
        add(ScalarType::U32, Stmt::FenceSc(*scope));
    }
    for op in [WarpOp::Ballot { predicate: one(ScalarType::Bool) }, WarpOp::MatchAny { value: word }] {
        add(ScalarType::U32, Stmt::Warp { dst: Some(DST), op, mask });
    }
    let shuffle = WarpOp::Shuffle { value: word, source: mask };
    add(ScalarType::U64, Stmt::Warp { dst: Some(DST), op: shuffle, mask });
    add(ScalarType::U32, Stmt::Warp { dst: None, op: WarpOp::Sync, mask });
    let index = |site| Stmt::Index { dst: DST, base: slot, index: word, length: 2, stride: 8, site };
    add(ScalarType::U64, index(Some(site)));
    add(ScalarType::U32, Stmt::Copy { dst: slot, src: memory, size: 16, align: 8 });
    for when in [false, true] {
        add(ScalarType::U32, Stmt::FaultIf { cond: one(ScalarType::Bool), when, site });
    }
    add(
        ScalarType::U32,
        Stmt::If { cond: one(ScalarType::Bool), yes: vec![Stmt::Fault { site }], no: vec![] },
    );
    add(ScalarType::U32, Stmt::Nanosleep(mask));
    add(ScalarType::U32, Stmt::PmEvent(0));
    add(ScalarType::U32, Stmt::Pay(0));
    all
}

/// A handler around one statement.
fn around(kind: Kind, result: ScalarType, stmt: Stmt) -> Function {
    let end = Stmt::Return(Some(Operand::Const(Const::new(ScalarType::U32, 0))));
    Function {
        symbol: "f".into(),
        kind,
        params: vec![ScalarType::U64; 3],
        result: Some(ScalarType::U32),
        regs: [&[ScalarType::U64; 3][..], &[result, ScalarType::Bool]].concat(),
        slots: vec![FrameSlot { size: 16, align: 8 }],
        sites: vec![FaultSite { code: code::BOUNDS, line: 1, message: None, function: "" }],
        body: vec![stmt, end],
    }
}
