//! Paths: where they part, join and come round again.

use std::rc::Rc;

use super::{Def, Mark, Range, UNKNOWN, Value, Walk, memory::Memory};
use crate::ir::{Label, Operand, Reg, SiteId, Stmt, uses};

/// What is known where a path reaches a join: the registers that changed since the mark, with the ranges of their values.
#[derive(Clone, Debug)]
struct Arrival {
    changed: Vec<(Reg, Value, Range)>,
    memory: Memory,
}

/// A block or loop around the current statement.
#[derive(Debug)]
pub(super) struct Around {
    mark: Mark,
    leaves: Vec<Arrival>,
    repeats: Vec<Arrival>,
    /// Too much to write down: whatever the construct assigns is unknown behind it.
    lost: bool,
}

/// How often a loop is walked to check the guess about its registers.
const GUESSES: usize = 3;
/// How many loops around may be walked for a guess at the same time: the walks of one multiply those of the other.
const DEEP: u32 = 2;
/// Changes that are written down at a jump whatever it costs.
const CHEAP: u64 = 256;

impl Walk<'_> {
    /// Simplifies the statements; whether control reaches their end.
    pub(super) fn list(&mut self, list: &[Stmt], out: &mut Vec<Stmt>) -> bool {
        for stmt in list {
            if !self.emit {
                self.fuel = self.fuel.saturating_sub(1);
            }
            if !self.statement(stmt, out) {
                return false;
            }
        }
        true
    }

    fn statement(&mut self, stmt: &Stmt, out: &mut Vec<Stmt>) -> bool {
        match stmt {
            Stmt::Block { label, body } => self.block(*label, body, out),
            Stmt::Loop { label, body, continuing, budget } => {
                self.repeat(*label, (body, continuing), *budget, out)
            }
            Stmt::If { cond, yes, no } => self.branch(*cond, yes, no, out),
            Stmt::Break(label) => {
                self.arrive(*label, true);
                self.put(out, stmt.clone());
                false
            }
            Stmt::Continue(label) => {
                self.arrive(*label, false);
                self.put(out, stmt.clone());
                false
            }
            Stmt::Fault { .. } => {
                self.put(out, stmt.clone());
                false
            }
            Stmt::Return(value) => {
                let value = value.map(|value| self.operand(value));
                self.put(out, Stmt::Return(value));
                false
            }
            _ => self.plain(stmt, out),
        }
    }

    fn branch(&mut self, cond: Operand, yes: &[Stmt], no: &[Stmt], out: &mut Vec<Stmt>) -> bool {
        let (value, cond) = self.best(cond);
        if let Some(c) = self.constant(value) {
            return self.list(if c.bits == 0 { no } else { yes }, out);
        }
        let mark = self.mark();
        let memory = self.memory.clone();
        let (mut new_yes, mut new_no) = (Vec::new(), Vec::new());
        self.learn(value, true);
        let yes_ends = self.list(yes, &mut new_yes);
        let arrival = yes_ends.then(|| self.arrival(mark));
        let redo = self.rewind(mark);
        let memory_yes = std::mem::replace(&mut self.memory, memory);
        self.learn(value, false);
        let no_ends = self.list(no, &mut new_no);
        match (arrival, no_ends) {
            (Some(yes), true) => {
                let no = self.arrival(mark);
                self.rewind(mark);
                self.join(vec![yes, no], Some(value));
            }
            (Some(_), false) => {
                self.rewind(mark);
                self.redo(redo);
                self.memory = memory_yes;
            }
            (None, _) => {}
        }
        if !new_yes.is_empty() || !new_no.is_empty() {
            self.put(out, Stmt::If { cond, yes: new_yes, no: new_no });
        }
        yes_ends || no_ends
    }

    fn block(&mut self, label: Label, body: &[Stmt], out: &mut Vec<Stmt>) -> bool {
        self.begin(label);
        let mut inner = Vec::new();
        let mut ends = self.list(body, &mut inner);
        let Some(around) = self.end(label) else { return ends };
        let mut leaves = around.leaves;
        let breaks = leaves.len();
        if around.lost {
            self.forget(around.mark, &[body]);
            self.put(out, Stmt::Block { label, body: inner });
            return true;
        }
        if inner.last() == Some(&Stmt::Break(label)) {
            inner.pop();
            if breaks == 1 {
                // Nothing was undone since: this is where control is.
                out.append(&mut inner);
                return true;
            }
            ends = false;
        }
        if breaks == 0 {
            out.append(&mut inner);
            return ends;
        }
        if ends {
            leaves.push(self.arrival(around.mark));
        }
        self.rewind(around.mark);
        self.join(leaves, None);
        self.put(out, Stmt::Block { label, body: inner });
        true
    }

    fn repeat(
        &mut self,
        label: Label,
        (body, continuing): (&[Stmt], &[Stmt]),
        budget: Option<SiteId>,
        out: &mut Vec<Stmt>,
    ) -> bool {
        let known = self.changed_by.get(&label).map(Rc::clone);
        let changes = known.unwrap_or_else(|| Rc::new(self.changes(&[body, continuing])));
        self.changed_by.insert(label, Rc::clone(&changes));
        let entry: Vec<_> = changes.many.iter().map(|reg| self.current[reg.0 as usize]).collect();
        let mut guess: Vec<_> = entry.iter().map(|&value| self.info(value).range).collect();
        let emit = std::mem::replace(&mut self.emit, false);
        self.guessing += 1;
        let mark = self.mark();
        let memory = self.memory.clone();
        let mut holds = false;
        for attempt in 0..GUESSES {
            if self.fuel < changes.statements || changes.many.is_empty() || self.guessing > DEEP {
                break;
            }
            self.enter(&changes, &entry, &guess);
            self.begin(label);
            let back = self.turn(label, body, continuing, &mut vec![], &mut vec![]);
            holds = true;
            if back {
                for (reg, guess) in changes.many.iter().zip(&mut guess) {
                    let value = self.current[reg.0 as usize];
                    let whole = Range::of_type(self.ty(*reg));
                    let range = if value == UNKNOWN { whole } else { self.info(value).range };
                    if !guess.contains(range) {
                        holds = false;
                        let first = attempt == 0;
                        guess.low = if first && guess.low <= range.low { guess.low } else { whole.low };
                        guess.high = if first && guess.high >= range.high { guess.high } else { whole.high };
                    }
                }
            }
            self.end(label);
            self.rewind(mark);
            self.memory = memory.clone();
            if holds {
                break;
            }
        }
        self.emit = emit;
        self.guessing -= 1;
        if !holds {
            for (reg, guess) in changes.many.iter().zip(&mut guess) {
                *guess = Range::of_type(self.ty(*reg));
            }
        }
        self.enter(&changes, &entry, &guess);
        self.begin(label);
        let (mut new_body, mut new_continuing) = (Vec::new(), Vec::new());
        let back = self.turn(label, body, continuing, &mut new_body, &mut new_continuing);
        let Some(around) = self.end(label) else { return false };
        let mut left = !around.leaves.is_empty();
        if around.lost {
            left = !emit || uses::breaks_to(&new_body, label) || uses::breaks_to(&new_continuing, label);
            self.forget(around.mark, &[body, continuing]);
        } else {
            // What a path to a break did not change is what it was at the top.
            self.rewind(around.mark);
            self.join(around.leaves, None);
        }
        if back || !new_continuing.is_empty() || uses::continues_to(&new_body, label) {
            self.put(out, Stmt::Loop { label, body: new_body, continuing: new_continuing, budget });
        } else {
            // It never comes round: what is left of it is a block, or not even that.
            match new_body.last() {
                Some(Stmt::Break(last)) if *last == label => {
                    new_body.pop();
                }
                _ => {}
            }
            if uses::breaks_to(&new_body, label) {
                self.put(out, Stmt::Block { label, body: new_body });
            } else {
                out.append(&mut new_body);
            }
        }
        left
    }

    /// What is known at the top of a loop, in every turn.
    fn enter(&mut self, changes: &Changes, entry: &[Value], guess: &[Range]) {
        for ((&reg, &before), &range) in changes.many.iter().zip(entry).zip(guess) {
            // Not assigned yet, so it is not read before it is.
            let value =
                if before == UNKNOWN { UNKNOWN } else { self.fresh(self.ty(reg), range, Def::Opaque) };
            self.assign(reg, value);
        }
        if changes.effects {
            self.memory.clear();
        }
    }

    /// One turn; whether another one can follow.
    fn turn(
        &mut self,
        label: Label,
        body: &[Stmt],
        continuing: &[Stmt],
        new_body: &mut Vec<Stmt>,
        new_continuing: &mut Vec<Stmt>,
    ) -> bool {
        let ends = self.list(body, new_body);
        let Some(&index) = self.labels.get(&label) else { return false };
        let mark = self.around[index].mark;
        let mut arrivals = std::mem::take(&mut self.around[index].repeats);
        let lost = self.around[index].lost;
        if arrivals.is_empty() && !lost {
            return ends && self.list(continuing, new_continuing);
        }
        if lost {
            if self.emit && !ends && !uses::continues_to(new_body, label) {
                return false;
            }
            self.forget(mark, &[body]);
        } else {
            if ends {
                arrivals.push(self.arrival(mark));
            }
            self.rewind(mark);
            self.join(arrivals, None);
        }
        self.list(continuing, new_continuing)
    }

    fn begin(&mut self, label: Label) {
        self.labels.insert(label, self.around.len());
        let mark = self.mark();
        self.around.push(Around { mark, leaves: vec![], repeats: vec![], lost: false });
    }

    fn end(&mut self, label: Label) -> Option<Around> {
        self.labels.remove(&label);
        self.around.pop()
    }

    /// The state of the current path, for the join that a break or continue leads to.
    fn arrive(&mut self, label: Label, leave: bool) {
        let Some(&index) = self.labels.get(&label) else { return };
        let mark = self.around[index].mark;
        let cost = (self.log.len() - mark.many) as u64;
        if cost > CHEAP {
            if self.fuel < cost {
                self.around[index].lost = true;
                return;
            }
            self.fuel -= cost;
        }
        let arrival = self.arrival(mark);
        let around = &mut self.around[index];
        if leave {
            around.leaves.push(arrival);
        } else {
            around.repeats.push(arrival);
        }
    }

    fn arrival(&self, mark: Mark) -> Arrival {
        let mut regs: Vec<_> = self.log[mark.many..].iter().map(|(reg, _)| *reg).collect();
        regs.sort_unstable();
        regs.dedup();
        let state = |reg: Reg| {
            let value = self.current[reg.0 as usize];
            (reg, value, self.info(value).range)
        };
        Arrival { changed: regs.into_iter().map(state).collect(), memory: self.memory.clone() }
    }

    /// Where several paths meet, everything since they parted being undone: what all of them know. `cond` is what told the
    /// first from the second, if that is what parted them.
    fn join(&mut self, mut arrivals: Vec<Arrival>, cond: Option<Value>) {
        let Some(mut memory) = arrivals.first().map(|first| first.memory.clone()) else { return };
        for other in &arrivals[1..] {
            memory.meet(&other.memory);
        }
        self.memory = memory;
        let mut regs: Vec<_> =
            arrivals.iter().flat_map(|arrival| arrival.changed.iter().map(|(reg, ..)| *reg)).collect();
        regs.sort_unstable();
        regs.dedup();
        // Each list is sorted, so that one pass over all of them is enough.
        let mut lists: Vec<_> = arrivals
            .iter_mut()
            .map(|arrival| std::mem::take(&mut arrival.changed).into_iter().peekable())
            .collect();
        for reg in regs {
            let before = self.current[reg.0 as usize];
            let before = (before, self.info(before).range);
            let mut incoming: Vec<(Value, Range)> = Vec::with_capacity(lists.len());
            for list in &mut lists {
                let arrived = list.next_if(|(changed, ..)| *changed == reg);
                incoming.push(arrived.map_or(before, |(_, value, range)| (value, range)));
            }
            let value = self.merged(reg, &incoming, cond);
            self.assign(reg, value);
        }
    }

    fn merged(&mut self, reg: Reg, incoming: &[(Value, Range)], cond: Option<Value>) -> Value {
        let (first, mut range) = incoming[0];
        for (_, other) in &incoming[1..] {
            range = range.join(*other);
        }
        if incoming.iter().all(|(value, _)| *value == first) {
            self.narrow(first, range);
            return first;
        }
        if incoming.iter().any(|(value, _)| *value == UNKNOWN) {
            return UNKNOWN;
        }
        let mut def = Def::Opaque;
        if let (Some(cond), [(yes, yes_range), (no, no_range)]) = (cond, incoming)
            && self.ty(reg) == crate::ir::ScalarType::Bool
        {
            // What `&&` and `||` become.
            if no_range.single() == Some(0) {
                def = Def::And(cond, *yes);
            } else if yes_range.single() == Some(1) {
                def = Def::Or(cond, *no);
            }
        }
        self.fresh(self.ty(reg), range, def)
    }

    /// Goes back to the mark, and knows nothing of what the lists assign.
    fn forget(&mut self, mark: Mark, lists: &[&[Stmt]]) {
        let changes = self.changes(lists);
        self.rewind(mark);
        for reg in changes.many {
            self.assign(reg, UNKNOWN);
        }
        self.memory.clear();
    }

    fn changes(&mut self, lists: &[&[Stmt]]) -> Changes {
        let mut changes = Changes { many: vec![], effects: false, statements: 0 };
        for list in lists {
            changes.collect(list, &self.many);
        }
        changes.many.sort_unstable();
        changes.many.dedup();
        changes
    }
}

/// What a loop does to what was known before it.
#[derive(Debug)]
pub(super) struct Changes {
    /// Registers with more than one assignment that it assigns.
    many: Vec<Reg>,
    /// Whether it may write memory, or sees what others wrote.
    effects: bool,
    statements: u64,
}

impl Changes {
    fn collect(&mut self, list: &[Stmt], many: &[bool]) {
        for stmt in list {
            self.statements += 1;
            uses::direct(stmt, &mut |u| {
                if let uses::Use::Write(reg) = u
                    && many[reg.0 as usize]
                {
                    self.many.push(reg);
                }
            });
            self.effects |= match stmt {
                Stmt::Load { order, .. } => *order != crate::ir::Order::Weak,
                Stmt::Store { .. }
                | Stmt::Copy { .. }
                | Stmt::Atomic { .. }
                | Stmt::FenceSc(_)
                | Stmt::Nanosleep(_)
                | Stmt::PmEvent(_)
                | Stmt::Warp { .. }
                | Stmt::Call { .. } => true,
                _ => false,
            };
            for inner in uses::children(stmt) {
                self.collect(inner, many);
            }
        }
    }
}
