//! Values: what each register holds at each point, as far as it can be known.
//!
//! One walk in the order of execution gives every register a value by number: two registers with the same value hold
//! the same bits. Of a value it is known how it was computed and, of an integer, in which interval it lies; a condition
//! that was passed narrows what it compared. From that follow constants, copies that nobody needs, expressions that are
//! there already, branches that are never taken and checks that never fail.
//!
//! Rules kept here:
//! - A statement that can fault or has an effect is taken out only if it is proven to do nothing.
//! - What holds on one path is forgotten where another path joins.
//! - A loop's registers are guessed to stay in an interval, and the guess is checked by walking the loop before it is
//!   used; what does not hold is widened. The walks are rationed, so that the whole is linear.
//! - A register is read instead of another one only where it has been assigned on every path.

mod control;
mod memory;
mod simplify;

use std::{collections::HashMap, rc::Rc};

use super::range::{self, Range};
use crate::ir::{
    Base, BinaryOp, CheckedOp, CompareOp, Const, Function, Label, Operand, Reg, ScalarType, SlotId, Stmt,
    UnaryOp, uses,
};

/// A value's number. 0 is the value of a register about which nothing is known.
type Value = u32;

const UNKNOWN: Value = 0;

/// How a value came to be, as far as conditions and addresses look into it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Def {
    Opaque,
    Compare(CompareOp, Value, Value),
    Not(Value),
    /// Of bools.
    And(Value, Value),
    Or(Value, Value),
    /// Whether an operation overflowed: if not, its value is the exact one.
    Overflow {
        value: Value,
        exact: Range,
    },
    /// An address a constant number of bytes behind another.
    Address {
        base: Origin,
        offset: u64,
    },
    /// An address somewhere behind another.
    Element(Origin),
}

/// What an address counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Value(Value),
    Slot(SlotId),
}

#[derive(Clone, Debug)]
struct Info {
    ty: ScalarType,
    range: Range,
    constant: Option<Const>,
    def: Def,
    /// A register that was assigned the value; it may have been assigned another one since.
    home: Option<Reg>,
}

/// What makes two operations the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Unary(UnaryOp, Value),
    Binary(BinaryOp, Value, Value),
    Compare(CompareOp, Value, Value),
    Select(Value, Value, Value),
    MulAdd(Value, Value, Value),
    Cast(Value),
    Bitcast(Value),
    Overflowing(CheckedOp, Value, Value),
    Index(Origin, u64, Value, u64),
}

/// A change that is taken back at the end of a path.
#[derive(Clone, Copy, Debug)]
enum Change {
    Reg(Reg, Value),
    Range(Value, Range),
}

/// How far the logs reached at a point.
#[derive(Clone, Copy, Debug)]
struct Mark {
    many: usize,
    rest: usize,
}

pub(super) struct Walk<'a> {
    function: &'a Function,
    values: Vec<Info>,
    current: Vec<Value>,
    constants: HashMap<Const, Value>,
    known: HashMap<(Key, ScalarType), Value>,
    /// Whether a register is assigned in more than one place.
    many: Vec<bool>,
    /// Of the other registers: what their one assignment gives, whatever path is taken.
    always: Vec<Range>,
    /// Registers of the first kind with the values that they had before, for paths to be undone and joined.
    log: Vec<(Reg, Value)>,
    /// The other registers and the ranges.
    rest: Vec<Change>,
    memory: memory::Memory,
    around: Vec<control::Around>,
    labels: HashMap<Label, usize>,
    /// Loops that were studied.
    changed_by: HashMap<Label, Rc<control::Changes>>,
    /// Loops around that are walked to check a guess.
    guessing: u32,
    /// Slots whose address is in some register.
    escaped: Vec<bool>,
    /// Whether statements are written, or only looked at.
    emit: bool,
    /// Statements that may still be looked at more than once.
    fuel: u64,
}

/// Simplifies a function by what is known of its values.
pub(super) fn simplify(function: &mut Function) {
    let mut counts = vec![0u32; function.regs.len()];
    let mut statements = 0;
    let mut escaped = vec![false; function.slots.len()];
    survey(&function.body, &mut counts, &mut statements, &mut escaped);
    let unknown =
        Info { ty: ScalarType::Bool, range: Range::ANY, constant: None, def: Def::Opaque, home: None };
    let mut walk = Walk {
        function,
        values: vec![unknown],
        current: vec![UNKNOWN; function.regs.len()],
        constants: HashMap::new(),
        known: HashMap::new(),
        many: counts.iter().map(|&count| count > 1).collect(),
        always: function.regs.iter().map(|&ty| Range::of_type(ty)).collect(),
        log: vec![],
        rest: vec![],
        memory: memory::Memory::default(),
        around: vec![],
        labels: HashMap::new(),
        changed_by: HashMap::new(),
        guessing: 0,
        escaped,
        emit: true,
        fuel: 4096 + 4 * statements,
    };
    // Parameters have their values before any path begins.
    for index in 0..function.params.len() {
        walk.value_of(Reg(index as u32));
    }
    let mut out = Vec::with_capacity(function.body.len());
    walk.list(&function.body, &mut out);
    function.body = out;
}

/// Counts assignments and statements, and finds the slots whose addresses are taken.
fn survey(list: &[Stmt], counts: &mut [u32], statements: &mut u64, escaped: &mut [bool]) {
    for stmt in list {
        *statements += 1;
        uses::direct(stmt, &mut |u| {
            if let uses::Use::Write(reg) = u {
                counts[reg.0 as usize] += 1;
            }
        });
        if let Stmt::Index { base, .. } = stmt
            && let Base::Slot(slot) = base.base
        {
            escaped[slot.0 as usize] = true;
        }
        for inner in uses::children(stmt) {
            survey(inner, counts, statements, escaped);
        }
    }
}

impl Walk<'_> {
    fn ty(&self, reg: Reg) -> ScalarType {
        self.function.regs[reg.0 as usize]
    }

    fn info(&self, value: Value) -> &Info {
        &self.values[value as usize]
    }

    fn fresh(&mut self, ty: ScalarType, range: Range, def: Def) -> Value {
        self.values.push(Info { ty, range, constant: None, def, home: None });
        self.values.len() as Value - 1
    }

    fn opaque(&mut self, ty: ScalarType) -> Value {
        self.fresh(ty, Range::of_type(ty), Def::Opaque)
    }

    fn constant_value(&mut self, c: Const) -> Value {
        if let Some(&value) = self.constants.get(&c) {
            return value;
        }
        let value = self.fresh(c.ty, Range::of_constant(c), Def::Opaque);
        self.values[value as usize].constant = Some(c);
        self.constants.insert(c, value);
        value
    }

    /// The constant that a value is, here.
    fn constant(&self, value: Value) -> Option<Const> {
        let info = self.info(value);
        info.constant.or_else(|| {
            let single = info.range.single()?;
            (!info.ty.is_float() && value != UNKNOWN).then(|| Const::new(info.ty, single as u64))
        })
    }

    /// The value that a register has now.
    fn value_of(&mut self, reg: Reg) -> Value {
        let value = self.current[reg.0 as usize];
        if value != UNKNOWN {
            return value;
        }
        let ty = self.ty(reg);
        let range = self.always[reg.0 as usize];
        let value = self.fresh(ty, range, Def::Opaque);
        self.assign(reg, value);
        value
    }

    fn operand_value(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.value_of(reg),
            Operand::Const(c) => self.constant_value(c),
        }
    }

    /// A register that holds the value on every path to here.
    fn holder(&self, value: Value) -> Option<Reg> {
        self.info(value).home.filter(|home| self.current[home.0 as usize] == value)
    }

    /// The best operand for what `operand` is.
    fn best(&mut self, operand: Operand) -> (Value, Operand) {
        let value = self.operand_value(operand);
        if let Some(c) = self.constant(value) {
            return (self.constant_value(c), Operand::Const(c));
        }
        let Operand::Reg(reg) = operand else { return (value, operand) };
        match self.holder(value) {
            // A local stays itself: reading the temporary that it was assigned from would keep two registers alive.
            Some(home) if !self.many[reg.0 as usize] => (value, Operand::Reg(home)),
            Some(_) => (value, operand),
            None => {
                self.values[value as usize].home = Some(reg);
                (value, operand)
            }
        }
    }

    fn operand(&mut self, operand: Operand) -> Operand {
        self.best(operand).1
    }

    /// Notes that a register has been assigned a value.
    fn assign(&mut self, reg: Reg, value: Value) {
        let before = std::mem::replace(&mut self.current[reg.0 as usize], value);
        if self.many[reg.0 as usize] {
            self.log.push((reg, before));
        } else {
            self.rest.push(Change::Reg(reg, before));
            self.always[reg.0 as usize] = self.info(value).range;
        }
        if value != UNKNOWN && self.holder(value).is_none() {
            self.values[value as usize].home = Some(reg);
        }
    }

    fn narrow(&mut self, value: Value, range: Range) {
        let before = self.info(value).range;
        let after = before.meet(range);
        if after != before && value != UNKNOWN && !self.info(value).ty.is_float() {
            self.rest.push(Change::Range(value, before));
            self.values[value as usize].range = after;
        }
    }

    /// Learns that a condition is true or false.
    fn learn(&mut self, cond: Value, truth: bool) {
        // Conditions are nested as deep as an expression is written; what is deeper is left alone.
        let mut todo = vec![(cond, truth)];
        let mut steps = 0;
        while let Some((cond, truth)) = todo.pop() {
            steps += 1;
            if steps > 32 {
                return;
            }
            let bit = i128::from(truth);
            self.narrow(cond, Range { low: bit, high: bit });
            match self.info(cond).def {
                Def::Not(inner) => todo.push((inner, !truth)),
                Def::And(a, b) if truth => todo.extend([(a, true), (b, true)]),
                Def::Or(a, b) if !truth => todo.extend([(a, false), (b, false)]),
                Def::Compare(op, a, b) if !self.info(a).ty.is_float() => {
                    let op = if truth { op } else { range::inverse(op) };
                    let (left, right) = range::refine(op, self.info(a).range, self.info(b).range);
                    self.narrow(a, left);
                    self.narrow(b, right);
                }
                Def::Overflow { value, exact } if !truth => self.narrow(value, exact),
                _ => {}
            }
        }
    }

    fn mark(&self) -> Mark {
        Mark { many: self.log.len(), rest: self.rest.len() }
    }

    /// Goes back to what was known at the mark; gives what it takes to come here again.
    fn rewind(&mut self, mark: Mark) -> Vec<Change> {
        let mut redo = Vec::with_capacity(self.log.len() - mark.many + self.rest.len() - mark.rest);
        while self.log.len() > mark.many {
            if let Some((reg, before)) = self.log.pop() {
                redo.push(Change::Reg(reg, self.current[reg.0 as usize]));
                self.current[reg.0 as usize] = before;
            }
        }
        while self.rest.len() > mark.rest {
            match self.rest.pop() {
                Some(Change::Reg(reg, before)) => {
                    redo.push(Change::Reg(reg, self.current[reg.0 as usize]));
                    self.current[reg.0 as usize] = before;
                }
                Some(Change::Range(value, before)) => {
                    redo.push(Change::Range(value, self.info(value).range));
                    self.values[value as usize].range = before;
                }
                None => {}
            }
        }
        redo
    }

    fn redo(&mut self, changes: Vec<Change>) {
        for change in changes.into_iter().rev() {
            match change {
                Change::Reg(reg, value) => {
                    let before = std::mem::replace(&mut self.current[reg.0 as usize], value);
                    if self.many[reg.0 as usize] {
                        self.log.push((reg, before));
                    } else {
                        self.rest.push(Change::Reg(reg, before));
                    }
                }
                Change::Range(value, range) => {
                    let before = std::mem::replace(&mut self.values[value as usize].range, range);
                    self.rest.push(Change::Range(value, before));
                }
            }
        }
    }
}
