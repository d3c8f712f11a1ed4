//! Each rule by the smallest functions that break it.

use super::{Stage, verify};
use crate::{
    abi::fault::code,
    ir::{
        Address, AtomicOp, Base, BinaryOp, CheckedOp, CompareOp, Const, FaultSite, FrameSlot, Function, Kind,
        Label, Op, Operand, Order, Reg, ScalarType as Ty, Scope, SiteId, SlotId, Special, Stmt, UnaryOp,
        WarpOp,
    },
};

const A: Label = Label(0);
const B: Label = Label(1);

fn constant(ty: Ty, bits: u64) -> Operand {
    Operand::Const(Const { ty, bits })
}

fn u32(value: u64) -> Operand {
    constant(Ty::U32, value)
}

fn u64(value: u64) -> Operand {
    constant(Ty::U64, value)
}

fn truth() -> Operand {
    constant(Ty::Bool, 1)
}

fn reg(index: u32) -> Operand {
    Operand::Reg(Reg(index))
}

fn set(dst: u32, op: Op) -> Stmt {
    Stmt::Let { dst: Reg(dst), op }
}

fn copy(dst: u32, value: Operand) -> Stmt {
    set(dst, Op::Copy(value))
}

fn at_reg(index: u32) -> Address {
    Address { base: Base::Reg(Reg(index)), offset: 0 }
}

fn at_slot(offset: u64) -> Address {
    Address { base: Base::Slot(SlotId(0)), offset }
}

fn site(code: u32) -> FaultSite {
    FaultSite { code, line: 1, message: None, function: "" }
}

/// Sites by what they are for.
const OVERFLOW: SiteId = SiteId(0);
const BOUNDS: SiteId = SiteId(1);
const ZERO: SiteId = SiteId(2);
const BUDGET: SiteId = SiteId(3);

fn entry(regs: &[Ty], mut body: Vec<Stmt>) -> Function {
    body.push(Stmt::Return(None));
    Function {
        symbol: "f".into(),
        kind: Kind::Entry,
        params: vec![],
        result: None,
        regs: regs.to_vec(),
        slots: vec![FrameSlot { size: 12, align: 8 }],
        sites: vec![],
        body,
    }
}

/// A handler; the registers come behind the three parameters.
fn handler(regs: &[Ty], mut body: Vec<Stmt>) -> Function {
    body.push(Stmt::Return(Some(u32(0))));
    Function {
        kind: Kind::Handler,
        params: vec![Ty::U64; 3],
        result: Some(Ty::U32),
        regs: [&[Ty::U64; 3], regs].concat(),
        sites: [code::OVERFLOW, code::BOUNDS, code::DIVISION_BY_ZERO, code::BUDGET].map(site).to_vec(),
        body,
        ..entry(&[], vec![])
    }
}

#[track_caller]
fn accepts(function: Function) {
    let result = verify(&[function], Stage::Built);
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

#[track_caller]
fn refuses(rule: u32, function: Function) {
    refuses_all(rule, &[function]);
}

#[track_caller]
fn refuses_all(rule: u32, functions: &[Function]) {
    match verify(functions, Stage::Built) {
        Ok(()) => panic!("accepted; rule {rule} should refuse it"),
        Err(error) => assert_eq!(error.rule, rule, "{error}"),
    }
}

#[test]
fn rule_1_registers_slots_and_sites_exist() {
    accepts(entry(&[Ty::U32], vec![copy(0, u32(1))]));
    refuses(1, entry(&[Ty::U32], vec![copy(1, u32(1))]));
    refuses(1, entry(&[Ty::U32], vec![copy(0, reg(7))]));
    let missing = Address { base: Base::Slot(SlotId(9)), offset: 0 };
    refuses(1, entry(&[Ty::U32], vec![Stmt::Load { dst: Reg(0), address: missing, order: Order::Weak }]));
    refuses(1, handler(&[], vec![Stmt::FaultIf { cond: truth(), when: true, site: SiteId(99) }]));
    // Nested statements, too.
    let nested = Stmt::If { cond: truth(), yes: vec![copy(5, u32(1))], no: vec![] };
    refuses(1, entry(&[Ty::U32], vec![nested]));
}

#[test]
fn rule_2_operations_fit_their_operands() {
    let bad = |regs: &[Ty], op: Op| refuses(2, entry(regs, vec![set(0, op)]));
    // The result.
    bad(&[Ty::U64], Op::Copy(u32(1)));
    bad(&[Ty::U32], Op::Compare(CompareOp::Eq, u32(1), u32(2)));
    bad(&[Ty::U64], Op::Unary(UnaryOp::CountOnes, u64(1)));
    bad(&[Ty::U32], Op::Special(Special::GlobalTimer));
    // The operands among each other.
    bad(&[Ty::U32], Op::Binary(BinaryOp::Add, u32(1), u64(1)));
    bad(&[Ty::Bool], Op::Compare(CompareOp::Lt, u32(1), constant(Ty::I32, 1)));
    bad(&[Ty::U32], Op::Select { cond: truth(), yes: u32(1), no: u64(1) });
    bad(&[Ty::U32], Op::Select { cond: u32(1), yes: u32(1), no: u32(1) });
    bad(&[Ty::F32], Op::MulAdd(constant(Ty::F32, 0), constant(Ty::F64, 0), constant(Ty::F32, 0)));
    // The operation.
    bad(&[Ty::Bool], Op::Binary(BinaryOp::Add, truth(), truth()));
    bad(&[Ty::U32], Op::Binary(BinaryOp::Div, u32(1), u32(1)));
    bad(&[Ty::F32], Op::Binary(BinaryOp::And, constant(Ty::F32, 0), constant(Ty::F32, 0)));
    bad(&[Ty::U32], Op::Binary(BinaryOp::Shl, u32(1), u32(32)));
    bad(&[Ty::F32], Op::Binary(BinaryOp::RotateLeft, constant(Ty::F32, 0), u32(1)));
    bad(&[Ty::U32], Op::MulAdd(u32(1), u32(1), u32(1)));
    bad(&[Ty::U32], Op::Unary(UnaryOp::Sqrt, u32(1)));
    bad(&[Ty::U32], Op::Unary(UnaryOp::Abs, u32(1)));
    bad(&[Ty::F32], Op::Unary(UnaryOp::Not, constant(Ty::F32, 0)));
    bad(&[Ty::F32], Op::Unary(UnaryOp::SwapBytes, constant(Ty::F32, 0)));
    bad(&[Ty::Bool], Op::Unary(UnaryOp::Neg, truth()));
    bad(&[Ty::Bool], Op::Cast(u32(1)));
    bad(&[Ty::F32], Op::Cast(truth()));
    bad(&[Ty::U32], Op::Bitcast(constant(Ty::I32, 0)));
    bad(&[Ty::U64], Op::Bitcast(constant(Ty::F32, 0)));
    bad(&[Ty::F32], Op::MulAdd(constant(Ty::F32, 0), constant(Ty::F32, 0), constant(Ty::F64, 0)));
    // Constants, wherever they stand.
    let wide = constant(Ty::U8, 256);
    let byte = constant(Ty::U8, 1);
    let nan = constant(Ty::F32, 1 << 32);
    let one = constant(Ty::F32, 1);
    bad(&[Ty::U8], Op::Copy(wide));
    bad(&[Ty::U8], Op::Unary(UnaryOp::Not, wide));
    bad(&[Ty::U8], Op::Binary(BinaryOp::Add, wide, byte));
    bad(&[Ty::U8], Op::Binary(BinaryOp::Add, byte, wide));
    bad(&[Ty::Bool], Op::Compare(CompareOp::Eq, wide, byte));
    bad(&[Ty::Bool], Op::Compare(CompareOp::Eq, byte, wide));
    bad(&[Ty::U8], Op::Select { cond: truth(), yes: wide, no: byte });
    bad(&[Ty::U8], Op::Select { cond: truth(), yes: byte, no: wide });
    bad(&[Ty::F32], Op::MulAdd(nan, one, one));
    bad(&[Ty::U32], Op::Cast(wide));
    bad(&[Ty::U32], Op::Bitcast(nan));
    bad(&[Ty::Bool], Op::Copy(constant(Ty::Bool, 2)));
    let too_wide = constant(Ty::U32, 1 << 32);
    refuses(2, entry(&[], vec![Stmt::Nanosleep(too_wide)]));
    let mut result = handler(&[], vec![]);
    result.body = vec![Stmt::Return(Some(too_wide))];
    refuses(2, result);
    let args = vec![u64(0), u64(0), Operand::Const(Const { ty: Ty::Bool, bits: 4 })];
    refuses(2, entry(&[], vec![Stmt::Call { dst: None, symbol: "f".into(), args }]));
    // Statements.
    let bad = |regs: &[Ty], stmt: Stmt| refuses(2, entry(regs, vec![stmt]));
    bad(&[], Stmt::Nanosleep(u64(1)));
    bad(&[], Stmt::If { cond: u32(1), yes: vec![], no: vec![] });
    bad(&[], Stmt::Store { ty: Ty::U32, address: at_slot(0), value: u64(1), order: Order::Weak });
    let overflowing = |value, overflow, left, right| Stmt::Overflowing {
        op: CheckedOp::Add,
        value: Reg(value),
        overflow: Reg(overflow),
        left,
        right,
    };
    accepts(entry(&[Ty::U32, Ty::Bool], vec![overflowing(0, 1, u32(1), u32(2))]));
    bad(&[Ty::U32, Ty::Bool], overflowing(0, 1, u32(1), u64(2)));
    bad(&[Ty::U64, Ty::Bool], overflowing(0, 1, u32(1), u32(2)));
    bad(&[Ty::U32, Ty::U32], overflowing(0, 1, u32(1), u32(2)));
    bad(&[Ty::Bool, Ty::Bool], overflowing(0, 1, truth(), truth()));
    bad(&[Ty::F32, Ty::Bool], overflowing(0, 1, constant(Ty::F32, 0), constant(Ty::F32, 0)));
    bad(&[Ty::U32, Ty::Bool], overflowing(0, 1, too_wide, u32(1)));
    bad(&[Ty::U32, Ty::Bool], overflowing(0, 1, u32(1), too_wide));
    let warp = |dst, op| Stmt::Warp { dst, op, mask: u32(1) };
    bad(&[Ty::U32], warp(Some(Reg(0)), WarpOp::Shuffle { value: u64(0), source: u32(0) }));
    bad(&[Ty::U64], warp(Some(Reg(0)), WarpOp::Shuffle { value: u64(0), source: u64(0) }));
    bad(&[Ty::U64], warp(Some(Reg(0)), WarpOp::Shuffle { value: u32(0), source: u32(0) }));
    bad(&[Ty::U32], warp(Some(Reg(0)), WarpOp::Ballot { predicate: u32(0) }));
    bad(&[Ty::U32], warp(Some(Reg(0)), WarpOp::MatchAny { value: u32(0) }));
    bad(&[Ty::U32], warp(Some(Reg(0)), WarpOp::Sync));
    bad(&[], Stmt::Warp { dst: None, op: WarpOp::Sync, mask: u64(1) });
    let atomic = |op| vec![copy(0, u64(8)), Stmt::Atomic { dst: Reg(1), op, address: at_reg(0) }];
    accepts(entry(&[Ty::U64, Ty::U64], atomic(AtomicOp::Add(u64(1)))));
    refuses(2, entry(&[Ty::U64, Ty::U64], atomic(AtomicOp::Add(u32(1)))));
    refuses(2, entry(&[Ty::U64, Ty::U32], atomic(AtomicOp::Add(u64(1)))));
    refuses(2, entry(&[Ty::U64, Ty::U64], atomic(AtomicOp::Cas { expected: u32(1), new: u64(1) })));
    refuses(2, entry(&[Ty::U64, Ty::U64], atomic(AtomicOp::Cas { expected: u64(1), new: u32(1) })));
    refuses(2, handler(&[], vec![Stmt::FaultIf { cond: u32(1), when: true, site: OVERFLOW }]));
    let index = |dst, index| Stmt::Index {
        dst: Reg(dst),
        base: at_slot(0),
        index,
        length: 3,
        stride: 4,
        site: Some(BOUNDS),
    };
    accepts(handler(&[Ty::U64], vec![index(3, u64(1))]));
    refuses(2, handler(&[Ty::U64], vec![index(3, u32(1))]));
    refuses(2, handler(&[Ty::U32], vec![index(3, u64(1))]));
    let divide = |dst, left, right| Stmt::Divide {
        remainder: true,
        dst: Reg(dst),
        left,
        right,
        zero: None,
        overflow: None,
    };
    refuses(2, entry(&[Ty::U32], vec![divide(0, u32(1), u64(2))]));
    refuses(2, entry(&[Ty::U32], vec![divide(0, too_wide, u32(2))]));
    refuses(2, entry(&[Ty::U64], vec![divide(0, u32(1), u32(2))]));
    refuses(2, entry(&[Ty::F32], vec![divide(0, constant(Ty::F32, 1), constant(Ty::F32, 2))]));
}

#[test]
fn rule_3_registers_are_assigned_before_they_are_read() {
    let two = [Ty::U32, Ty::U32];
    refuses(3, entry(&two, vec![copy(1, reg(0))]));
    let both = |yes: Vec<Stmt>, no: Vec<Stmt>| vec![Stmt::If { cond: truth(), yes, no }, copy(1, reg(0))];
    accepts(entry(&two, both(vec![copy(0, u32(1))], vec![copy(0, u32(2))])));
    refuses(3, entry(&two, both(vec![copy(0, u32(1))], vec![])));
    accepts(entry(&two, both(vec![copy(0, u32(1))], vec![Stmt::Return(None)])));
    // Behind a block, what every way out has assigned counts.
    let block = |body: Vec<Stmt>| vec![Stmt::Block { label: A, body }, copy(1, reg(0))];
    let early = Stmt::If { cond: truth(), yes: vec![Stmt::Break(A)], no: vec![] };
    refuses(3, entry(&two, block(vec![early.clone(), copy(0, u32(1))])));
    accepts(entry(&two, block(vec![copy(0, u32(1)), early.clone()])));
    // A loop is left by its breaks only; its continuing part follows the body and the continues.
    let repeat =
        |body: Vec<Stmt>, continuing: Vec<Stmt>| Stmt::Loop { label: A, body, continuing, budget: None };
    accepts(entry(
        &two,
        vec![repeat(vec![copy(0, u32(1)), early.clone()], vec![copy(1, reg(0))]), copy(1, reg(0))],
    ));
    refuses(3, entry(&two, vec![repeat(vec![early.clone(), copy(0, u32(1))], vec![]), copy(1, reg(0))]));
    let again = Stmt::If { cond: truth(), yes: vec![Stmt::Continue(A)], no: vec![] };
    refuses(3, entry(&two, vec![repeat(vec![early, again, copy(0, u32(1))], vec![copy(1, reg(0))])]));
    // Addresses, arguments and results are reads.
    refuses(
        3,
        entry(&[Ty::U64, Ty::U32], vec![Stmt::Load { dst: Reg(1), address: at_reg(0), order: Order::Weak }]),
    );
    let mut result = handler(&[Ty::U32], vec![]);
    result.body = vec![Stmt::Return(Some(reg(3)))];
    refuses(3, result);
}

#[test]
fn rule_4_breaks_and_continues_have_a_target() {
    refuses(4, entry(&[], vec![Stmt::Block { label: A, body: vec![Stmt::Break(B)] }]));
    refuses(4, entry(&[], vec![Stmt::Block { label: A, body: vec![Stmt::Continue(A)] }]));
    // The block is over.
    let over = Stmt::If { cond: truth(), yes: vec![Stmt::Break(A)], no: vec![] };
    refuses(4, entry(&[], vec![Stmt::Block { label: A, body: vec![] }, over]));
    let empty = |label| Stmt::Block { label, body: vec![] };
    accepts(entry(&[], vec![empty(A), empty(B)]));
    refuses(4, entry(&[], vec![empty(A), empty(A)]));
    let leave = Stmt::If { cond: truth(), yes: vec![Stmt::Break(A)], no: vec![] };
    let next = Stmt::If { cond: truth(), yes: vec![Stmt::Continue(A)], no: vec![] };
    let repeat =
        |body: Vec<Stmt>, continuing: Vec<Stmt>| Stmt::Loop { label: A, body, continuing, budget: None };
    accepts(entry(&[], vec![repeat(vec![leave.clone(), next.clone()], vec![leave.clone()])]));
    refuses(4, entry(&[], vec![repeat(vec![leave], vec![next])]));
}

#[test]
fn rule_5_everything_is_reached_and_every_path_returns() {
    refuses(5, entry(&[], vec![Stmt::Return(None)]));
    refuses(5, entry(&[], vec![Stmt::Block { label: A, body: vec![Stmt::Break(A), Stmt::PmEvent(0)] }]));
    let forever = Stmt::Loop { label: A, body: vec![Stmt::PmEvent(0)], continuing: vec![], budget: None };
    refuses(5, entry(&[], vec![forever]));
    refuses(5, handler(&[], vec![Stmt::Fault { site: OVERFLOW }]));
    let mut open = entry(&[], vec![]);
    open.body = vec![Stmt::If { cond: truth(), yes: vec![Stmt::Return(None)], no: vec![] }];
    refuses(5, open);
}

#[test]
fn rule_6_addresses() {
    let load = |dst: u32, address| Stmt::Load { dst: Reg(dst), address, order: Order::Weak };
    accepts(entry(&[Ty::U32], vec![load(0, at_slot(8))]));
    refuses(6, entry(&[Ty::U32], vec![load(0, at_slot(12))]));
    refuses(6, entry(&[Ty::U64], vec![load(0, at_slot(8))]));
    refuses(6, entry(&[Ty::U32], vec![load(0, at_slot(2))]));
    refuses(6, entry(&[Ty::U32], vec![load(0, at_slot(u64::MAX))]));
    refuses(6, entry(&[Ty::U32], vec![copy(0, u32(1)), load(0, at_reg(0))]));
    let bytes = |size, align, offset| Stmt::Copy { dst: at_slot(offset), src: at_slot(0), size, align };
    accepts(entry(&[], vec![bytes(4, 4, 8)]));
    refuses(6, entry(&[], vec![bytes(8, 4, 8)]));
    refuses(6, entry(&[], vec![bytes(4, 8, 4)]));
    let words = |align| {
        let (dst, src) = (at_reg(0), at_reg(0));
        entry(&[Ty::U64], vec![copy(0, u64(0)), Stmt::Copy { dst, src, size: 48, align }])
    };
    accepts(words(8));
    for align in [0, 3, 16] {
        refuses(6, words(align));
    }
    let from = |src| Stmt::Copy { dst: at_slot(0), src, size: 8, align: 8 };
    refuses(6, entry(&[], vec![from(at_slot(8))]));
    let store = Stmt::Store { ty: Ty::U64, address: at_slot(8), value: u64(1), order: Order::Weak };
    refuses(6, entry(&[], vec![store]));
    let index = |length, stride| {
        let (dst, index, site) = (Reg(3), u64(0), Some(BOUNDS));
        handler(&[Ty::U64], vec![Stmt::Index { dst, base: at_slot(4), index, length, stride, site }])
    };
    accepts(index(2, 4));
    refuses(6, index(3, 4));
    refuses(6, index(u64::MAX, u64::MAX));
    let add = |address| Stmt::Atomic { dst: Reg(0), op: AtomicOp::Add(u64(1)), address };
    refuses(6, entry(&[Ty::U64], vec![add(at_slot(0))]));
    refuses(6, entry(&[Ty::U64, Ty::U32], vec![copy(1, u32(8)), add(at_reg(1))]));
}

#[test]
fn rule_7_only_handlers_fault() {
    let with_sites = |regs: &[Ty], body| Function { sites: handler(&[], vec![]).sites, ..entry(regs, body) };
    refuses(7, with_sites(&[], vec![Stmt::FaultIf { cond: truth(), when: true, site: OVERFLOW }]));
    let mut always = with_sites(&[], vec![]);
    always.body = vec![Stmt::Fault { site: OVERFLOW }];
    refuses(7, always);
    let index =
        |site| Stmt::Index { dst: Reg(0), base: at_slot(0), index: u64(0), length: 1, stride: 4, site };
    refuses(7, with_sites(&[Ty::U64], vec![index(Some(BOUNDS))]));
    refuses(7, entry(&[Ty::U64], vec![index(None)]));
    let proven = entry(&[Ty::U64], vec![index(None)]);
    assert_eq!(verify(&[proven], Stage::Optimised), Ok(()));
    let mut wrong = handler(&[Ty::U64], vec![index(Some(OVERFLOW))]);
    if let Stmt::Index { dst, .. } = &mut wrong.body[0] {
        *dst = Reg(3);
    }
    refuses(7, wrong);
    let dst = Reg(0);
    let divide =
        Stmt::Divide { remainder: false, dst, left: u32(1), right: u32(2), zero: Some(ZERO), overflow: None };
    refuses(7, with_sites(&[Ty::U32], vec![divide]));
    let repeat =
        Stmt::Loop { label: A, body: vec![Stmt::Break(A)], continuing: vec![], budget: Some(BUDGET) };
    refuses(7, with_sites(&[], vec![repeat]));
}

#[test]
fn rule_8_loops_of_handlers_pay() {
    let leave = || vec![Stmt::If { cond: truth(), yes: vec![Stmt::Break(A)], no: vec![] }];
    let repeat = |budget| vec![Stmt::Loop { label: A, body: leave(), continuing: vec![], budget }];
    accepts(entry(&[], repeat(None)));
    accepts(handler(&[], repeat(Some(BUDGET))));
    refuses(8, handler(&[], repeat(None)));
    refuses(8, handler(&[], repeat(Some(OVERFLOW))));
    // Wherever the loop stands.
    refuses(8, handler(&[], vec![Stmt::Block { label: B, body: repeat(None) }]));
}

#[test]
fn rule_9_divisors_are_guarded() {
    let divide = |ty: Ty, right: Operand, zero, overflow| {
        let left = constant(ty, 1);
        let body = vec![
            copy(3, constant(ty, 1)),
            Stmt::Divide { remainder: false, dst: Reg(4), left, right, zero, overflow },
        ];
        handler(&[ty, ty], body)
    };
    accepts(divide(Ty::U32, reg(3), Some(ZERO), None));
    refuses(9, divide(Ty::U32, reg(3), None, None));
    refuses(9, divide(Ty::U32, u32(0), None, None));
    refuses(9, divide(Ty::U32, reg(3), Some(OVERFLOW), None));
    accepts(divide(Ty::U32, u32(3), None, None));
    accepts(divide(Ty::I8, reg(3), Some(ZERO), Some(OVERFLOW)));
    refuses(9, divide(Ty::I8, reg(3), Some(ZERO), None));
    refuses(9, divide(Ty::I8, constant(Ty::I8, 0xff), None, None));
    refuses(9, divide(Ty::I8, reg(3), Some(ZERO), Some(ZERO)));
    accepts(divide(Ty::I8, constant(Ty::I8, 0xfe), None, None));
    // 255 is -1 for signed types only.
    accepts(divide(Ty::U8, constant(Ty::U8, 0xff), None, None));
}

#[test]
fn rule_10_orders() {
    let load = |ty: Ty, order| {
        entry(&[ty, Ty::U64], vec![copy(1, u64(8)), Stmt::Load { dst: Reg(0), address: at_reg(1), order }])
    };
    let store = |ty: Ty, order| {
        let value = constant(ty, 1);
        entry(&[ty, Ty::U64], vec![copy(1, u64(8)), Stmt::Store { ty, address: at_reg(1), value, order }])
    };
    for scope in [Scope::Gpu, Scope::Sys] {
        accepts(load(Ty::U64, Order::Acquire(scope)));
        accepts(load(Ty::U32, Order::Relaxed(scope)));
        accepts(store(Ty::U64, Order::Release(scope)));
        accepts(store(Ty::U32, Order::Relaxed(scope)));
        refuses(10, load(Ty::U64, Order::Release(scope)));
        refuses(10, store(Ty::U64, Order::Acquire(scope)));
        refuses(10, load(Ty::U8, Order::Acquire(scope)));
        refuses(10, store(Ty::U16, Order::Relaxed(scope)));
    }
}

#[test]
fn rule_11_symbols_and_calls() {
    let named = |symbol: &str| Function { symbol: symbol.into(), ..entry(&[], vec![]) };
    for good in ["f", "_f", "$1", "a$b_9"] {
        accepts(named(good));
    }
    for bad in ["", "9f", "a::b", "a b", "_", "$", "ä", "%f"] {
        refuses(11, named(bad));
    }
    refuses_all(11, &[named("f"), named("f")]);

    let callee = |symbol: &str, body: Vec<Stmt>| {
        let mut function = Function {
            symbol: symbol.into(),
            kind: Kind::Func,
            params: vec![Ty::U64],
            result: Some(Ty::U32),
            ..entry(&[Ty::U64, Ty::U32], vec![])
        };
        function.body = body;
        function.body.push(Stmt::Return(Some(u32(0))));
        function
    };
    let call = |symbol: &str, dst: Option<u32>, args: &[Operand]| Stmt::Call {
        dst: dst.map(Reg),
        symbol: symbol.into(),
        args: args.to_vec(),
    };
    let caller = |stmt: Stmt| entry(&[Ty::U32], vec![stmt]);
    let good = callee("g", vec![]);
    accepts(good.clone());
    assert_eq!(verify(&[caller(call("g", Some(0), &[u64(1)])), good.clone()], Stage::Built), Ok(()));
    for bad in [
        call("h", Some(0), &[u64(1)]),
        call("g", None, &[u64(1)]),
        call("g", Some(0), &[u32(1)]),
        call("g", Some(0), &[]),
        call("f", None, &[]),
    ] {
        refuses_all(11, &[caller(bad), good.clone()]);
    }
    // Nested calls are calls.
    let nested = Stmt::Block { label: A, body: vec![call("h", Some(0), &[u64(1)])] };
    refuses_all(11, &[caller(nested), good]);
    // Recursion, direct and through another.
    refuses_all(11, &[callee("g", vec![call("g", Some(1), &[u64(1)])])]);
    let there = callee("g", vec![call("h", Some(1), &[u64(1)])]);
    let back = callee("h", vec![call("g", Some(1), &[u64(1)])]);
    refuses_all(11, &[there, back]);
    let target = Function { symbol: "g".into(), ..entry(&[], vec![]) };
    refuses_all(11, &[caller(call("g", None, &[])), target]);
}

#[test]
fn rule_12_signatures() {
    accepts(handler(&[], vec![]));
    let wrong = |change: fn(&mut Function)| {
        let mut function = handler(&[], vec![]);
        change(&mut function);
        refuses(12, function);
    };
    wrong(|f| f.params.truncate(2));
    wrong(|f| f.params[0] = Ty::U32);
    wrong(|f| f.result = None);
    wrong(|f| f.result = Some(Ty::U64));
    wrong(|f| f.regs[1] = Ty::I64);
    wrong(|f| f.body = vec![Stmt::Return(None)]);
    wrong(|f| f.body = vec![Stmt::Return(Some(u64(0)))]);
    wrong(|f| f.body.insert(0, copy(2, u64(0))));
    refuses(12, Function { result: Some(Ty::U32), ..entry(&[], vec![]) });
    refuses(12, Function { params: vec![Ty::U8], ..entry(&[Ty::U8], vec![]) });
    let narrow = Function { kind: Kind::Func, result: Some(Ty::U8), ..entry(&[], vec![]) };
    refuses(12, Function { body: vec![Stmt::Return(Some(constant(Ty::U8, 0)))], ..narrow });
}
