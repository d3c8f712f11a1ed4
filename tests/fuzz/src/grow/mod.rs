//! Grows random modules: types, constants, device functions, actors, and their bodies.
//!
//! Rule kept here: everything that is made compiles, ends soon, and mostly returns. So growth is by type; loops have small
//! bounds; what can fault gets operands that seldom make it fault, and sometimes any operands at all.

mod choice;
mod data;
mod expr;
mod items;
mod numbers;
mod place;
mod stmt;

use crate::random::Random;
use crate::tree::{Module, Node, Ty};

/// A module with so many handlers.
pub fn module(random: &mut Random, handlers: usize) -> Module {
    items::module(random, handlers)
}

/// What a `break` would leave.
#[derive(Clone, Debug, PartialEq)]
enum Around {
    /// A loop without a value.
    Loop,
    /// A block with a label: a jump has to name one.
    Block,
    /// A `loop` that waits for a value.
    Value(Ty),
    /// Nothing that a jump here should leave.
    Nothing,
}

/// A name in scope.
#[derive(Clone, Debug)]
struct Var {
    name: String,
    ty: Ty,
    /// Whether it may be assigned to.
    mutable: bool,
    /// A number that its value is below, of loop variables.
    below: Option<usize>,
}

/// Grows one body.
struct Body<'a> {
    random: &'a mut Random,
    module: &'a Module,
    /// How many of the module's functions can be called.
    functions: usize,
    scope: Vec<Var>,
    around: Vec<Around>,
    /// Labels of the loops and blocks around, and whether it is a loop.
    labels: Vec<(String, bool)>,
    ret: Ty,
    /// The struct of `self`, and whether it can be written.
    state: Option<(usize, bool)>,
    context: bool,
    /// Whether nothing may be assigned to: within an index, whose array is borrowed.
    calm: bool,
    /// Nodes that may still be made.
    fuel: isize,
    /// How often the current place runs, at most.
    trips: usize,
    /// How often a place in this body may run.
    most_trips: usize,
    names: usize,
}

impl Body<'_> {
    /// Grows something in a scope of its own.
    fn scoped<T>(&mut self, grow: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.scope.len();
        let grown = grow(self);
        self.scope.truncate(depth);
        grown
    }

    /// A name for a local; now and then one that is taken, or that generated code could use.
    fn name(&mut self) -> String {
        const ODD: [&str; 12] =
            ["b", "state", "at", "msg", "line", "len", "addr", "frame", "slot", "value", "rt", "index"];
        match self.random.below(20) {
            0 | 1 => self.random.of(ODD).to_owned(),
            2 if !self.scope.is_empty() => {
                // A loop variable stays visible: its loop counts on it.
                let at = self.random.below(self.scope.len());
                let taken = &self.scope[at];
                if taken.below.is_some() { self.fresh() } else { taken.name.clone() }
            }
            _ => self.fresh(),
        }
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn bind(&mut self, name: &str, ty: &Ty, mutable: bool) {
        self.scope.push(Var { name: name.to_owned(), ty: ty.clone(), mutable, below: None });
    }

    /// The whole body of a function.
    fn body(&mut self) -> Node {
        let count = 2 + self.random.below(7);
        let mut stmts = self.stmts(count, 3);
        if stmts.last().is_some_and(|stmt| stmt.ty == Ty::Never) {
            return Node::block(stmts);
        }
        let ret = self.ret.clone();
        if ret == Ty::Unit {
            return Node::block(stmts);
        }
        let value = self.expr(&ret, 3);
        if self.random.percent(15) {
            stmts.push(Node::new(crate::tree::Kind::Return, Ty::Never, vec![value]));
            return Node::block(stmts);
        }
        Node::block_of(stmts, value)
    }
}
