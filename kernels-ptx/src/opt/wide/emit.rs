//! The twin of a loop: first how many turns it can take, then those turns.

use std::collections::HashMap;

use super::MOST_TURNS;
use super::study::{Class, Plan};
use crate::ir::{
    Address, Base, BinaryOp, CheckedOp, CompareOp, Const, Function, Label, Op, Operand, Order, Reg,
    ScalarType, Special, Stmt, uses,
};

/// An access of a turn: where the first one begins, by how much it moves on, and how many bytes it has.
struct Access {
    address: Address,
    start: Operand,
    step: u64,
    size: u64,
    store: bool,
}

struct Emit<'a> {
    function: &'a mut Function,
    plan: &'a Plan<'a>,
    label: Label,
    out: Vec<Stmt>,
    /// What a register that is the same in every turn holds, or one that is linear in the turn at hand.
    start: HashMap<Reg, Reg>,
    /// What the others hold in each of the turns that are taken at once.
    lanes: HashMap<Reg, Vec<Reg>>,
    /// Where what is carried is now.
    current: HashMap<Reg, Reg>,
    /// Turns that can be taken.
    turns: Reg,
    /// Those of `start` that the turns look at.
    moving: HashMap<Reg, u64>,
}

fn constant(ty: ScalarType, bits: u64) -> Operand {
    Operand::Const(Const::new(ty, bits))
}

fn word(bits: u64) -> Operand {
    constant(ScalarType::U64, bits)
}

/// Writes the twin of a loop.
pub(super) fn emit(function: &mut Function, plan: &Plan<'_>, label: Label, out: &mut Vec<Stmt>) {
    let turns = Reg(function.regs.len() as u32);
    function.regs.push(ScalarType::U64);
    let mut emit = Emit {
        function,
        plan,
        label,
        out: vec![],
        start: HashMap::new(),
        lanes: HashMap::new(),
        current: HashMap::new(),
        turns,
        moving: HashMap::new(),
    };
    emit.before();
    let enough = emit.op(ScalarType::Bool, Op::Compare(CompareOp::Ge, Operand::Reg(turns), word(plan.turns)));
    let before = std::mem::take(&mut emit.out);
    emit.repeat();
    let yes = std::mem::take(&mut emit.out);
    out.extend(before);
    out.push(Stmt::If { cond: enough, yes, no: vec![] });
}

impl Emit<'_> {
    fn ty(&self, reg: Reg) -> ScalarType {
        self.function.regs[reg.0 as usize]
    }

    fn fresh(&mut self, ty: ScalarType) -> Reg {
        self.function.regs.push(ty);
        Reg(self.function.regs.len() as u32 - 1)
    }

    fn op(&mut self, ty: ScalarType, op: Op) -> Operand {
        let dst = self.fresh(ty);
        self.out.push(Stmt::Let { dst, op });
        Operand::Reg(dst)
    }

    fn binary(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Operand {
        self.op(ScalarType::U64, Op::Binary(op, left, right))
    }

    fn compare(&mut self, op: CompareOp, left: Operand, right: Operand) -> Operand {
        self.op(ScalarType::Bool, Op::Compare(op, left, right))
    }

    // Before the first turn.

    /// An operand as it is in the first turn.
    fn first(&self, operand: Operand) -> Operand {
        match operand {
            Operand::Reg(reg) => Operand::Reg(self.start.get(&reg).copied().unwrap_or(reg)),
            Operand::Const(_) => operand,
        }
    }

    /// A statement that reads what the first turn reads.
    fn rewritten(&self, stmt: &Stmt) -> Stmt {
        let mut new = stmt.clone();
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Read(reg) = u
                && let Some(&to) = self.start.get(&reg)
            {
                uses::replace(&mut new, reg, to);
            }
        });
        new
    }

    /// Not more turns than this.
    fn at_most(&mut self, count: Operand) {
        let op = Op::Binary(BinaryOp::Min, Operand::Reg(self.turns), count);
        self.out.push(Stmt::Let { dst: self.turns, op });
    }

    /// No turn unless the condition is what it should be.
    fn only_if(&mut self, cond: Operand, holds: bool) {
        let turns = Operand::Reg(self.turns);
        let (yes, no) = if holds { (turns, word(0)) } else { (word(0), turns) };
        self.out.push(Stmt::Let { dst: self.turns, op: Op::Select { cond, yes, no } });
    }

    /// `to - from` turns if `from < to`, else none.
    fn up_to(&mut self, from: Operand, to: Operand, ty: ScalarType) -> Operand {
        let some = self.compare(CompareOp::Lt, from, to);
        let mut count = self.op(ty, Op::Binary(BinaryOp::Sub, to, from));
        if ty != ScalarType::U64 {
            count = self.op(ScalarType::U64, Op::Cast(count));
        }
        self.op(ScalarType::U64, Op::Select { cond: some, yes: count, no: word(0) })
    }

    /// No turn in which a register that counts up from here would wrap.
    fn below_wrap(&mut self, from: Operand, ty: ScalarType) {
        let count = self.up_to(from, constant(ty, ty.max_bits()), ty);
        self.at_most(count);
    }

    fn before(&mut self) {
        let plan = self.plan;
        let ty = self.ty(plan.at);
        let count = self.up_to(Operand::Reg(plan.at), plan.end, ty);
        self.out.push(Stmt::Let { dst: self.turns, op: Op::Binary(BinaryOp::Min, count, word(MOST_TURNS)) });
        let budget = self.op(ScalarType::U64, Op::Special(Special::Budget));
        self.at_most(budget);
        let mut accesses = Vec::new();
        for stmt in plan.body {
            self.first_turn(stmt, &mut accesses);
        }
        for (at, store) in accesses.iter().enumerate().filter(|(_, access)| access.store) {
            for (other, access) in accesses.iter().enumerate() {
                if other != at && (!access.store || other < at) {
                    self.apart(store, access);
                }
            }
        }
    }

    /// What the first turn finds out of all turns.
    fn first_turn(&mut self, stmt: &Stmt, accesses: &mut Vec<Access>) {
        let plan = self.plan;
        match *stmt {
            Stmt::Let { dst, op } => {
                if let Some(&(index, len)) = plan.bounds.get(&dst) {
                    let ty = match index {
                        Operand::Reg(reg) => self.ty(reg),
                        Operand::Const(c) => c.ty,
                    };
                    let count = self.up_to(self.first(index), self.first(len), ty);
                    return self.at_most(count);
                }
                let class = plan.class(Operand::Reg(dst));
                if matches!(class, Class::Same | Class::Linear(_)) {
                    if let (Class::Linear(_), Op::Cast(from @ Operand::Reg(reg))) = (class, op)
                        && self.ty(reg) == ScalarType::U32
                    {
                        self.below_wrap(self.first(from), ScalarType::U32);
                    }
                    self.compute(stmt, dst);
                }
            }
            Stmt::Overflowing { op, value, overflow, left, .. } => {
                let class = plan.class(Operand::Reg(value));
                if !matches!(class, Class::Same | Class::Linear(_)) {
                    return;
                }
                let mut new = self.rewritten(stmt);
                let (to, flag) = (self.fresh(self.ty(value)), self.fresh(ScalarType::Bool));
                if let Stmt::Overflowing { value, overflow, .. } = &mut new {
                    (*value, *overflow) = (to, flag);
                }
                self.out.push(new);
                if let Class::Linear(_) = class {
                    self.only_if(Operand::Reg(flag), false);
                    // What is taken from leaves the range no sooner than what is left.
                    let counts = if op == CheckedOp::Sub { self.first(left) } else { Operand::Reg(to) };
                    self.below_wrap(counts, self.ty(value));
                }
                self.start.insert(value, to);
                self.start.insert(overflow, flag);
            }
            Stmt::FaultIf { cond, when, .. } if plan.class(cond) == Class::Same => {
                self.only_if(self.first(cond), !when);
            }
            Stmt::Load { dst, address, .. } => {
                let size = self.ty(dst).size();
                if plan.class(Operand::Reg(dst)) == Class::Same {
                    self.compute(stmt, dst);
                }
                self.access(address, size, false, accesses);
            }
            Stmt::Store { ty, address, .. } => self.access(address, ty.size(), true, accesses),
            Stmt::Divide { dst, .. } if plan.class(Operand::Reg(dst)) == Class::Same => {
                self.compute(stmt, dst);
            }
            _ => {}
        }
    }

    /// Runs a statement before the first turn, for a register of our own.
    fn compute(&mut self, stmt: &Stmt, dst: Reg) {
        let mut new = self.rewritten(stmt);
        let to = self.fresh(self.ty(dst));
        if let Stmt::Let { dst, .. } | Stmt::Load { dst, .. } | Stmt::Divide { dst, .. } = &mut new {
            *dst = to;
        }
        self.out.push(new);
        self.start.insert(dst, to);
    }

    fn access(&mut self, address: Address, size: u32, store: bool, accesses: &mut Vec<Access>) {
        let Base::Reg(reg) = address.base else { return };
        let step = match self.plan.class(Operand::Reg(reg)) {
            Class::Linear(step) => step,
            _ => 0,
        };
        let mut start = self.first(Operand::Reg(reg));
        if address.offset > 0 {
            start = self.binary(BinaryOp::Add, start, word(address.offset));
        }
        accesses.push(Access { address, start, step, size: size.into(), store });
    }

    /// No turn unless two accesses are apart in all of them, or always the same.
    fn apart(&mut self, a: &Access, b: &Access) {
        if a.address == b.address && a.size == b.size {
            return;
        }
        let (behind_a, behind_b) = (self.behind(a), self.behind(b));
        let before = self.compare(CompareOp::Le, behind_a, b.start);
        let after = self.compare(CompareOp::Le, behind_b, a.start);
        let mut fine = self.op(ScalarType::Bool, Op::Binary(BinaryOp::Or, before, after));
        if a.step == b.step && a.size == b.size {
            let equal = self.compare(CompareOp::Eq, a.start, b.start);
            fine = self.op(ScalarType::Bool, Op::Binary(BinaryOp::Or, fine, equal));
        }
        self.only_if(fine, true);
    }

    /// The address behind the last byte that an access has in all turns.
    fn behind(&mut self, access: &Access) -> Operand {
        if access.step == 0 {
            return self.binary(BinaryOp::Add, access.start, word(access.size));
        }
        let bytes = self.binary(BinaryOp::Mul, Operand::Reg(self.turns), word(access.step));
        let behind = self.binary(BinaryOp::Add, access.start, bytes);
        let more = access.size.saturating_sub(access.step);
        if more == 0 { behind } else { self.binary(BinaryOp::Add, behind, word(more)) }
    }

    // The turns.

    fn repeat(&mut self) {
        let plan = self.plan;
        let ty = self.ty(plan.at);
        let mut count = self.binary(BinaryOp::And, Operand::Reg(self.turns), word(!(plan.turns - 1)));
        if ty != ScalarType::U64 {
            count = self.op(ty, Op::Cast(count));
        }
        let stop = self.op(ty, Op::Binary(BinaryOp::Add, Operand::Reg(plan.at), count));
        let before = std::mem::take(&mut self.out);
        let more = self.compare(CompareOp::Lt, Operand::Reg(plan.at), stop);
        self.out.push(Stmt::If { cond: more, yes: vec![], no: vec![Stmt::Break(self.label)] });
        let mut at = 0;
        while at < plan.body.len() {
            at += self.all_turns(&plan.body[at], plan.body.get(at + 1));
        }
        // Nothing gives up the turn any more.
        let mut carried: Vec<_> = self.current.drain().collect();
        carried.sort_unstable();
        for (dst, from) in carried {
            self.out.push(Stmt::Let { dst, op: Op::Copy(Operand::Reg(from)) });
        }
        let body = std::mem::replace(&mut self.out, before);
        self.moving.insert(plan.at, 1);
        let mut moving: Vec<_> = self.moving.drain().collect();
        moving.sort_unstable();
        let mut continuing = Vec::new();
        for (dst, step) in moving {
            let by = constant(self.ty(dst), step * plan.turns);
            continuing.push(Stmt::Let { dst, op: Op::Binary(BinaryOp::Add, Operand::Reg(dst), by) });
        }
        // The way back pays for the last.
        continuing.push(Stmt::Pay(plan.turns as u32 - 1));
        self.out.push(Stmt::Loop { label: self.label, body, continuing, budget: Some(plan.budget) });
    }

    /// A statement, once for each turn; how many statements that was.
    fn all_turns(&mut self, stmt: &Stmt, next: Option<&Stmt>) -> usize {
        let plan = self.plan;
        match *stmt {
            Stmt::Let { dst, .. } | Stmt::Divide { dst, .. } => {
                if matches!(plan.class(Operand::Reg(dst)), Class::Varying | Class::Carried) {
                    self.spread(stmt);
                    for lane in 0..plan.turns as usize {
                        let mut new = self.turn(stmt, lane);
                        let to = self.result(dst, lane);
                        if let Stmt::Let { dst, .. } | Stmt::Divide { dst, .. } = &mut new {
                            *dst = to;
                        }
                        self.out.push(new);
                    }
                }
            }
            Stmt::Overflowing { value, overflow, .. } => {
                if !matches!(plan.class(Operand::Reg(value)), Class::Varying | Class::Carried) {
                    return 1;
                }
                // Side by side, a check costs a branch and nothing more.
                let check = next.filter(|next| {
                    matches!(next, Stmt::FaultIf { cond: Operand::Reg(cond), .. } if *cond == overflow)
                });
                self.spread(stmt);
                for lane in 0..plan.turns as usize {
                    let mut new = self.turn(stmt, lane);
                    let (to, flag) = (self.result(value, lane), self.result(overflow, lane));
                    if let Stmt::Overflowing { value, overflow, .. } = &mut new {
                        (*value, *overflow) = (to, flag);
                    }
                    self.out.push(new);
                    if let Some(Stmt::FaultIf { when, .. }) = check {
                        self.give_up(Operand::Reg(flag), *when);
                    }
                }
                return 1 + usize::from(check.is_some());
            }
            Stmt::FaultIf { cond: cond @ Operand::Reg(reg), when, .. }
                if plan.class(cond) == Class::Varying && !(when && plan.bounds.contains_key(&reg)) =>
            {
                for lane in 0..plan.turns as usize {
                    let cond = self.lanes[&reg][lane];
                    self.give_up(Operand::Reg(cond), when);
                }
            }
            Stmt::Load { dst, address, order } if plan.class(Operand::Reg(dst)) != Class::Same => {
                for lane in 0..plan.turns {
                    let address = self.moved(address, lane);
                    let dst = self.result(dst, lane as usize);
                    self.out.push(Stmt::Load { dst, address, order });
                }
            }
            Stmt::Store { ty, address, value, .. } => {
                self.spread(stmt);
                for lane in 0..plan.turns {
                    let (address, value) = (self.moved(address, lane), self.operand(value, lane as usize));
                    self.out.push(Stmt::Store { ty, address, value, order: Order::Weak });
                }
            }
            _ => {}
        }
        1
    }

    /// Leaves the rest to the loop that was there before.
    fn give_up(&mut self, cond: Operand, when: bool) {
        let leave = vec![Stmt::Break(self.label)];
        let (yes, no) = if when { (leave, vec![]) } else { (vec![], leave) };
        self.out.push(Stmt::If { cond, yes, no });
    }

    fn moved(&mut self, address: Address, lane: u64) -> Address {
        let Base::Reg(reg) = address.base else { return address };
        let Class::Linear(step) = self.plan.class(Operand::Reg(reg)) else { return address };
        let own = self.start.get(&reg).copied().unwrap_or(reg);
        self.moving.insert(own, step);
        Address { base: Base::Reg(own), offset: address.offset + lane * step }
    }

    /// The register for a result in one of the turns.
    fn result(&mut self, dst: Reg, lane: usize) -> Reg {
        let own = self.fresh(self.ty(dst));
        if self.plan.class(Operand::Reg(dst)) == Class::Carried {
            self.current.insert(dst, own);
        } else {
            let lanes = self.lanes.entry(dst).or_default();
            debug_assert_eq!(lanes.len(), lane);
            lanes.push(own);
        }
        own
    }

    /// Computes what a statement reads of registers that are linear, for each of the turns.
    fn spread(&mut self, stmt: &Stmt) {
        let mut linear = Vec::new();
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Read(reg) = u
                && let Class::Linear(step) = self.plan.class(Operand::Reg(reg))
                && !self.lanes.contains_key(&reg)
                && !linear.contains(&(reg, step))
            {
                linear.push((reg, step));
            }
        });
        for (reg, step) in linear {
            let ty = self.ty(reg);
            let first = self.start.get(&reg).copied().unwrap_or(reg);
            self.moving.insert(first, step);
            let mut lanes = vec![first];
            for lane in 1..self.plan.turns {
                let op = Op::Binary(BinaryOp::Add, Operand::Reg(first), constant(ty, lane * step));
                if let Operand::Reg(own) = self.op(ty, op) {
                    lanes.push(own);
                }
            }
            self.lanes.insert(reg, lanes);
        }
    }

    fn operand(&self, operand: Operand, lane: usize) -> Operand {
        let Operand::Reg(reg) = operand else { return operand };
        let own = match self.plan.class(operand) {
            Class::Same => self.start.get(&reg).copied(),
            Class::Carried => self.current.get(&reg).copied(),
            Class::Linear(_) | Class::Varying => self.lanes.get(&reg).map(|lanes| lanes[lane]),
        };
        Operand::Reg(own.unwrap_or(reg))
    }

    /// A statement as it is in one of the turns, but for where its result goes.
    fn turn(&self, stmt: &Stmt, lane: usize) -> Stmt {
        let mut new = stmt.clone();
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Read(reg) = u
                && let Operand::Reg(to) = self.operand(Operand::Reg(reg), lane)
            {
                uses::replace(&mut new, reg, to);
            }
        });
        new
    }
}
