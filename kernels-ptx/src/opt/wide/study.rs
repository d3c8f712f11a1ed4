//! Whether a loop can be widened, and what each register of it is.

use std::collections::{HashMap, HashSet};

use super::{FEW_TURNS, MANY_TURNS, MOST_STATEMENTS, SHORT};
use crate::ir::{
    Base, BinaryOp, CheckedOp, CompareOp, Const, Function, Label, Op, Operand, Order, Reg, ScalarType,
    SiteId, Stmt, uses,
};

/// What a register of the body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The same in every turn.
    Same,
    /// So much more in each turn, modulo the type's range.
    Linear(u64),
    /// Anything.
    Varying,
    /// What the turn before left there.
    Carried,
}

/// A loop that can be widened.
pub(super) struct Plan<'a> {
    pub(super) at: Reg,
    pub(super) end: Operand,
    pub(super) body: &'a [Stmt],
    pub(super) budget: SiteId,
    /// Turns that are taken at once: a power of two.
    pub(super) turns: u64,
    pub(super) classes: HashMap<Reg, Class>,
    /// Comparisons of an index with a length, by the register that they go to.
    pub(super) bounds: HashMap<Reg, (Operand, Operand)>,
}

impl Plan<'_> {
    pub(super) fn class(&self, operand: Operand) -> Class {
        class(&self.classes, operand)
    }

    /// Whether a statement stands in the twin once for each turn.
    fn differs(&self, stmt: &Stmt) -> bool {
        let mut differs = matches!(stmt, Stmt::Store { .. });
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Write(reg) = u
                && !self.bounds.contains_key(&reg)
            {
                differs |= matches!(self.class(Operand::Reg(reg)), Class::Varying | Class::Carried);
            }
        });
        differs
    }
}

/// What is assigned outside the loop does not change in it.
fn class(classes: &HashMap<Reg, Class>, operand: Operand) -> Class {
    match operand {
        Operand::Const(_) => Class::Same,
        Operand::Reg(reg) => classes.get(&reg).copied().unwrap_or(Class::Same),
    }
}

/// The counter, its end and the label of `if at < end {} else { break }`, with what follows.
fn head(body: &[Stmt]) -> Option<(Reg, Operand, Label, Reg, &[Stmt])> {
    let [
        Stmt::Let { dst, op: Op::Compare(CompareOp::Lt, Operand::Reg(at), end) },
        Stmt::If { cond: Operand::Reg(cond), yes, no },
        rest @ ..,
    ] = body
    else {
        return None;
    };
    let [Stmt::Break(label)] = no.as_slice() else { return None };
    (cond == dst && yes.is_empty()).then_some((*at, *end, *label, *dst, rest))
}

/// Studies a loop; `reads` says how often each register of the function is read.
pub(super) fn study<'a>(function: &Function, stmt: &'a Stmt, reads: &[u32]) -> Option<Plan<'a>> {
    let Stmt::Loop { label, body, continuing, budget: Some(budget) } = stmt else { return None };
    let (at, end, leaves, more, rest) = head(body)?;
    let [
        Stmt::Let {
            dst,
            op: Op::Binary(BinaryOp::Add, Operand::Reg(from), Operand::Const(Const { bits: 1, .. })),
        },
    ] = continuing.as_slice()
    else {
        return None;
    };
    if rest.iter().any(|stmt| uses::children(stmt).iter().any(|inner| !inner.is_empty())) {
        return None;
    }
    let ty = function.regs[at.0 as usize];
    let counts = *dst == at && *from == at && matches!(ty, ScalarType::U32 | ScalarType::U64);
    if !counts || leaves != *label || reads[more.0 as usize] != 1 || rest.len() > MOST_STATEMENTS {
        return None;
    }
    let mut plan = Plan {
        at,
        end,
        body: rest,
        budget: *budget,
        turns: FEW_TURNS,
        classes: HashMap::from([(at, Class::Linear(1))]),
        bounds: HashMap::new(),
    };
    registers(&mut plan, reads)?;
    if plan.class(end) != Class::Same || end == Operand::Reg(at) {
        return None;
    }
    let mut stored = false;
    let mut buffers = false;
    for stmt in rest {
        statement(&mut plan, function, stmt, &mut stored, &mut buffers)?;
    }
    let many = rest.iter().filter(|stmt| plan.differs(stmt)).count();
    if many <= SHORT {
        plan.turns = MANY_TURNS;
    }
    buffers.then_some(plan)
}

/// Tells what a turn leaves to the next one from what it computes anew: the one is touched by one statement only, the other is
/// assigned once and read inside only.
fn registers(plan: &mut Plan<'_>, reads: &[u32]) -> Option<()> {
    let mut inside: HashMap<Reg, (u32, u32)> = HashMap::new();
    let mut carried = HashSet::new();
    for stmt in plan.body {
        let (mut read, mut written) = (vec![], vec![]);
        uses::direct(stmt, &mut |u| match u {
            uses::Use::Read(reg) => read.push(reg),
            uses::Use::Write(reg) => written.push(reg),
            uses::Use::Slot(_) => {}
        });
        for reg in &read {
            inside.entry(*reg).or_default().0 += 1;
        }
        for reg in written {
            let entry = inside.entry(reg).or_default();
            if entry.1 > 0 || reg == plan.at {
                return None;
            }
            if entry.0 > 0 {
                // Read before: by this statement alone, once.
                if entry.0 > 1 || !read.contains(&reg) {
                    return None;
                }
                carried.insert(reg);
            }
            entry.1 = 1;
        }
    }
    for (reg, (read, written)) in inside {
        if written == 0 {
            continue;
        }
        if carried.contains(&reg) {
            if read != 1 {
                return None;
            }
            plan.classes.insert(reg, Class::Carried);
        } else {
            if reads[reg.0 as usize] != read {
                return None;
            }
            plan.classes.insert(reg, Class::Varying);
        }
    }
    Some(())
}

fn statement(
    plan: &mut Plan<'_>,
    function: &Function,
    stmt: &Stmt,
    stored: &mut bool,
    buffers: &mut bool,
) -> Option<()> {
    match *stmt {
        Stmt::Let { dst, op } => {
            if matches!(op, Op::Special(_)) {
                return None;
            }
            if let Op::Compare(CompareOp::Ge, index @ Operand::Reg(reg), len) = op
                && matches!(plan.class(index), Class::Linear(1))
                && plan.class(len) == Class::Same
                && matches!(function.regs[reg.0 as usize], ScalarType::U32 | ScalarType::U64)
            {
                plan.bounds.insert(dst, (index, len));
            }
            let found = operation(plan, function, dst, op);
            give(plan, dst, found)
        }
        Stmt::Overflowing { op, value, overflow, left, right } => {
            let found = if function.regs[value.0 as usize].is_signed() {
                if plan.class(left) == Class::Same && plan.class(right) == Class::Same {
                    Class::Same
                } else {
                    Class::Varying
                }
            } else {
                linear(plan, op.wrapping(), left, right)
            };
            if matches!(found, Class::Linear(step) if step != 1 || op == CheckedOp::Mul) {
                return None;
            }
            // The flag of what is not looked at in each turn is looked at before the first.
            let flag = if found == Class::Varying { Class::Varying } else { Class::Same };
            let carried = plan.class(Operand::Reg(value)) == Class::Carried;
            give(plan, overflow, if carried { Class::Varying } else { flag })?;
            give(plan, value, found)
        }
        Stmt::FaultIf { cond, when, .. } => {
            let Operand::Reg(reg) = cond else { return None };
            if plan.bounds.contains_key(&reg) && when {
                return Some(());
            }
            match plan.class(cond) {
                Class::Same => Some(()),
                // Nothing of the turn may have been seen when it is given up.
                Class::Varying if !*stored => Some(()),
                _ => None,
            }
        }
        Stmt::Load { dst, address, order: Order::Weak } => {
            let Base::Reg(base) = address.base else { return None };
            match plan.class(Operand::Reg(base)) {
                // Whose address is known to be good before the first turn.
                Class::Same if base.0 < 3 => give(plan, dst, Class::Same),
                Class::Linear(step) if step > 0 && step < 1 << 16 => {
                    *buffers = true;
                    give(plan, dst, Class::Varying)
                }
                _ => None,
            }
        }
        Stmt::Store { ty, address, order: Order::Weak, .. } => {
            let Base::Reg(base) = address.base else { return None };
            let Class::Linear(step) = plan.class(Operand::Reg(base)) else { return None };
            *stored = true;
            *buffers = true;
            (step >= u64::from(ty.size()) && step < 1 << 16).then_some(())
        }
        Stmt::Divide { dst, left, right, zero: None, overflow: None, .. } => {
            let same = plan.class(left) == Class::Same && plan.class(right) == Class::Same;
            // A divisor that is no constant was looked at by what is no longer there.
            let constant = matches!(right, Operand::Const(_));
            if constant { give(plan, dst, if same { Class::Same } else { Class::Varying }) } else { None }
        }
        _ => None,
    }
}

/// Notes what a register is, of those that the body assigns. What is carried stays that.
fn give(plan: &mut Plan<'_>, dst: Reg, found: Class) -> Option<()> {
    let class = plan.classes.get_mut(&dst)?;
    if *class != Class::Carried {
        *class = found;
    }
    Some(())
}

fn operation(plan: &Plan<'_>, function: &Function, dst: Reg, op: Op) -> Class {
    let ty = function.regs[dst.0 as usize];
    if same(plan, op) {
        return Class::Same;
    }
    match op {
        Op::Copy(from) => match plan.class(from) {
            Class::Carried => Class::Varying,
            class => class,
        },
        Op::Binary(op, left, right) if matches!(ty, ScalarType::U32 | ScalarType::U64) => {
            linear(plan, op, left, right)
        }
        // Widened exactly, as long as it does not wrap: the first turn's value says for how long.
        Op::Cast(Operand::Reg(from)) if ty == ScalarType::U64 => {
            match (plan.class(Operand::Reg(from)), function.regs[from.0 as usize]) {
                (Class::Linear(1), ScalarType::U32 | ScalarType::U64) => Class::Linear(1),
                _ => Class::Varying,
            }
        }
        _ => Class::Varying,
    }
}

/// Whether an operation has the same result in every turn.
fn same(plan: &Plan<'_>, op: Op) -> bool {
    let mut same = true;
    let stmt = Stmt::Let { dst: plan.at, op };
    uses::direct(&stmt, &mut |u| {
        if let uses::Use::Read(reg) = u {
            same &= plan.class(Operand::Reg(reg)) == Class::Same;
        }
    });
    same
}

fn linear(plan: &Plan<'_>, op: BinaryOp, left: Operand, right: Operand) -> Class {
    let step = match (op, plan.class(left), plan.class(right), right) {
        (_, Class::Same, Class::Same, _) => return Class::Same,
        (BinaryOp::Add | BinaryOp::Sub, Class::Linear(step), Class::Same, _)
        | (BinaryOp::Add, Class::Same, Class::Linear(step), _) => step,
        (BinaryOp::Mul, Class::Linear(step), Class::Same, Operand::Const(by)) => step.wrapping_mul(by.bits),
        (BinaryOp::Shl, Class::Linear(step), Class::Same, Operand::Const(by)) if by.bits < 16 => {
            step << by.bits
        }
        _ => return Class::Varying,
    };
    if step > 0 && step < 1 << 16 { Class::Linear(step) } else { Class::Varying }
}
