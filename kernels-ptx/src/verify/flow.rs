//! Rules 3, 4 and 5: control flow and what is assigned on its way.

use std::collections::{HashMap, HashSet};

use super::{Checker, Result, Stage, rule};
use crate::ir::{Function, Label, Reg, Stmt, uses};

/// The registers that are assigned on every path to a point; `None` if no path leads there.
type Assigned = Option<Set>;

#[derive(Clone)]
struct Set(Vec<u64>);

impl Set {
    fn insert(&mut self, reg: Reg) {
        self.0[reg.0 as usize / 64] |= 1 << (reg.0 % 64);
    }

    fn contains(&self, reg: Reg) -> bool {
        self.0[reg.0 as usize / 64] & 1 << (reg.0 % 64) != 0
    }
}

/// Where two paths meet: what both assigned.
fn meet(a: Assigned, b: Assigned) -> Assigned {
    match (a, b) {
        (Some(mut a), Some(b)) => {
            for (a, b) in a.0.iter_mut().zip(b.0) {
                *a &= b;
            }
            Some(a)
        }
        (a, b) => a.or(b),
    }
}

/// A block or loop around the current statement.
struct Around {
    leave: Assigned,
    next: Assigned,
    /// `Continue` may name it: a loop whose body is being walked.
    repeats: bool,
}

struct Walk<'a> {
    checker: &'a Checker<'a>,
    /// Registers that are read and not assigned are written down here and do not fail.
    forgive: Option<Vec<Reg>>,
    around: HashMap<Label, Around>,
    seen: HashSet<Label>,
}

impl Checker<'_> {
    pub(super) fn flow(&self) -> Result {
        let mut walk = Walk { checker: self, forgive: None, around: HashMap::new(), seen: HashSet::new() };
        let end = walk.list(&self.function.body, Some(self.start()))?;
        self.ensure(end.is_none(), rule::REACHED, || "a path ends without a return".into())
    }

    /// The parameters are assigned.
    fn start(&self) -> Set {
        let mut start = Set(vec![0; self.function.regs.len().div_ceil(64)]);
        for i in 0..self.function.params.len() {
            start.insert(Reg(i as u32));
        }
        start
    }
}

/// The registers that some path reads before it has assigned them.
pub(crate) fn unassigned(function: &Function) -> HashSet<Reg> {
    let checker = Checker { function, stage: Stage::Optimised };
    let (around, seen) = (HashMap::new(), HashSet::new());
    let mut walk = Walk { checker: &checker, forgive: Some(vec![]), around, seen };
    // The function is verified but for what is looked for here.
    let _ = walk.list(&function.body, Some(checker.start()));
    walk.forgive.into_iter().flatten().collect()
}

impl Walk<'_> {
    fn list(&mut self, list: &[Stmt], mut at: Assigned) -> Result<Assigned> {
        for stmt in list {
            let Some(assigned) = at else {
                return self.checker.fail(rule::REACHED, format!("{stmt:?} is never reached"));
            };
            at = self.statement(stmt, assigned)?;
        }
        Ok(at)
    }

    fn begin(&mut self, label: Label, repeats: bool) -> Result {
        let fresh = self.seen.insert(label);
        self.checker.ensure(fresh, rule::TARGETS, || format!("{label:?} is used twice"))?;
        self.around.insert(label, Around { leave: None, next: None, repeats });
        Ok(())
    }

    fn statement(&mut self, stmt: &Stmt, mut at: Set) -> Result<Assigned> {
        let mut unassigned = Vec::new();
        uses::direct(stmt, &mut |u| match u {
            uses::Use::Read(reg) if !at.contains(reg) => unassigned.push(reg),
            uses::Use::Write(reg) => at.insert(reg),
            _ => {}
        });
        if let Some(forgiven) = &mut self.forgive {
            forgiven.append(&mut unassigned);
        }
        self.checker.ensure(unassigned.is_empty(), rule::ASSIGNED, || {
            format!("{unassigned:?} is read by {stmt:?} and not assigned on every path to it")
        })?;
        match stmt {
            Stmt::If { yes, no, .. } => {
                let yes = self.list(yes, Some(at.clone()))?;
                let no = self.list(no, Some(at))?;
                Ok(meet(yes, no))
            }
            Stmt::Block { label, body } => {
                self.begin(*label, false)?;
                let end = self.list(body, Some(at))?;
                let leave = self.around.remove(label).and_then(|around| around.leave);
                Ok(meet(end, leave))
            }
            Stmt::Loop { label, body, continuing, .. } => {
                // A later turn has at least what the first one had.
                self.begin(*label, true)?;
                let end = self.list(body, Some(at))?;
                let mut next = None;
                if let Some(around) = self.around.get_mut(label) {
                    around.repeats = false;
                    next = around.next.take();
                }
                self.list(continuing, meet(end, next))?;
                Ok(self.around.remove(label).and_then(|around| around.leave))
            }
            Stmt::Break(label) => match self.around.get_mut(label) {
                Some(around) => {
                    around.leave = meet(around.leave.take(), Some(at));
                    Ok(None)
                }
                None => self
                    .checker
                    .fail(rule::TARGETS, format!("break out of {label:?}, which is not around it")),
            },
            Stmt::Continue(label) => match self.around.get_mut(label) {
                Some(around) if around.repeats => {
                    around.next = meet(around.next.take(), Some(at));
                    Ok(None)
                }
                _ => self
                    .checker
                    .fail(rule::TARGETS, format!("continue of {label:?}, which is no loop around it")),
            },
            Stmt::Return(_) | Stmt::Fault { .. } => Ok(None),
            _ => Ok(Some(at)),
        }
    }
}
