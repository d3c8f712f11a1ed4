//! The builder that generated code drives: one method per piece of the handler language.
//!
//! The order of calls is the order of evaluation. There are no closures: `return`, `break` and `continue` are calls, and
//! what is emitted after them is dead and dropped. Nothing here panics; what cannot be lowered is remembered and comes
//! out of [`Builder::finish`].
//!
//! Rules kept here: a value is never changed by a later write (reading a place copies it); what can fault has a
//! fault site with its line; outside handlers nothing can fault.

mod arith;
mod checked;
mod control;
mod float;
mod handler;
mod int;
mod memory;
mod pattern;
mod raw;
mod slices;
mod steps;
mod tidy;

pub use control::{Frame, Label};
pub use handler::SendSlot;
pub(crate) use memory::{element, take};
pub use steps::{Steps, Turns};

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use crate::{
    error::LowerError,
    ir::{
        BinaryOp, CompareOp, Const, FaultSite, FrameSlot, Function, Kind, Label as IrLabel, Op, Operand, Reg,
        ScalarType, SiteId, Stmt, UnaryOp,
    },
    lang::{Scalar, Val},
};
use control::Open;

/// The most statements that a function may have.
const MAX_STATEMENTS: u64 = 200_000;
/// The most bytes of stack that a function may have. A device sets them aside for every thread that it could ever run
/// at once: on the largest, a quarter of a million.
const MAX_STACK: u64 = 16 * 1024;

/// Builds one function.
///
/// ```
/// use kernels_ptx::{builder::Builder, ir::ScalarType};
///
/// let b = Builder::func("double", &[ScalarType::U32], Some(ScalarType::U32));
/// let x = b.arg::<u32>(0);
/// b.result(b.wrapping_add(x, x));
/// let function = b.finish()?;
/// assert_eq!(function.symbol(), "double");
/// # Ok::<(), kernels_ptx::error::LowerError>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    symbol: String,
    kind: Kind,
    params: Vec<ScalarType>,
    result: Option<ScalarType>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    regs: Vec<ScalarType>,
    slots: Vec<FrameSlot>,
    sites: Vec<FaultSite>,
    site_index: HashMap<FaultSite, u32>,
    /// The statements of the innermost open construct.
    body: Vec<Stmt>,
    open: Vec<Open>,
    /// What is emitted now is never reached.
    dead: bool,
    labels: u32,
    /// Blocks around chains of else-ifs.
    chains: HashSet<IrLabel>,
    /// How deep the statements in `body` nest.
    depth: u32,
    /// The functions that are being inlined, and how they are shown.
    frames: Vec<(&'static str, String)>,
    /// The line of the last operation that had one.
    line: u32,
    statements: u64,
    /// The slices that the handler has.
    views: usize,
    error: Option<LowerError>,
}

impl Builder {
    /// Starts a handler: `(state, message, cx) -> status`.
    pub fn handler(symbol: &str) -> Self {
        Self::start(symbol, Kind::Handler, &[ScalarType::U64; 3], Some(ScalarType::U32))
    }

    /// Starts an entry that the host launches.
    pub fn kernel(symbol: &str, params: &[ScalarType]) -> Self {
        Self::start(symbol, Kind::Entry, params, None)
    }

    /// Starts a function that others of the module call.
    pub fn func(symbol: &str, params: &[ScalarType], result: Option<ScalarType>) -> Self {
        Self::start(symbol, Kind::Func, params, result)
    }

    fn start(symbol: &str, kind: Kind, params: &[ScalarType], result: Option<ScalarType>) -> Self {
        let state = State { regs: params.to_vec(), ..State::default() };
        Self { symbol: symbol.into(), kind, params: params.to_vec(), result, state: RefCell::new(state) }
    }

    /// The parameter with the index `index`, counted from 0, of an entry or function.
    pub fn arg<T: Scalar>(&self, index: usize) -> Val<T> {
        if self.params.get(index) == Some(&T::SCALAR) {
            // Parameters are never assigned, so the register itself is the value.
            Val::of(Operand::Reg(Reg(index as u32)))
        } else {
            self.misuse("a parameter is read that does not exist or has another type");
            Val::of(Operand::Const(Const::new(T::SCALAR, 0)))
        }
    }

    /// Returns from the function with its result.
    pub fn result<T: Scalar>(&self, value: Val<T>) {
        if self.kind == Kind::Handler || self.result != Some(T::SCALAR) {
            self.misuse("a result is returned that the function does not have");
        }
        self.terminate(Stmt::Return(Some(value.operand())));
    }

    /// Ends the function. A handler returns that all is well; a function with a result must have returned before.
    pub fn finish(self) -> Result<Function, LowerError> {
        if !self.state.borrow().open.is_empty() {
            self.misuse("a block is still open at the end");
        }
        match self.kind {
            Kind::Handler => self.terminate(Stmt::Return(Some(constant(ScalarType::U32, 0)))),
            Kind::Entry => self.terminate(Stmt::Return(None)),
            Kind::Func if self.result.is_none() => self.terminate(Stmt::Return(None)),
            Kind::Func => {}
        }
        let mut state = self.state.into_inner();
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        let mut function = Function {
            symbol: self.symbol,
            kind: self.kind,
            params: self.params,
            result: self.result,
            regs: state.regs,
            slots: state.slots,
            sites: state.sites,
            body: state.body,
        };
        tidy::tidy(&mut function);
        let actual = function.stack();
        if actual > MAX_STACK {
            let (function, limit) = (function.symbol, MAX_STACK);
            return Err(LowerError::TooLarge { function, what: "its stack in bytes", actual, limit });
        }
        Ok(function)
    }

    /// The source line of what follows and brings no line of its own, such as a send.
    pub fn at_line(&self, line: u32) {
        self.state.borrow_mut().line = line;
    }

    /// Remembers the first error; the function is built to its end all the same.
    fn fail(&self, error: LowerError) {
        self.state.borrow_mut().error.get_or_insert(error);
    }

    fn misuse(&self, what: &'static str) {
        self.fail(LowerError::Misuse { function: self.symbol.clone(), what });
    }

    fn dead(&self) -> bool {
        self.state.borrow().dead
    }

    fn push(&self, stmt: Stmt) {
        let mut state = self.state.borrow_mut();
        if state.dead {
            return;
        }
        state.statements += 1;
        let actual = state.statements;
        if actual > MAX_STATEMENTS {
            let function = self.symbol.clone();
            let limit = MAX_STATEMENTS;
            state.error.get_or_insert(LowerError::TooLarge {
                function,
                what: "its number of operations",
                actual,
                limit,
            });
            return;
        }
        state.body.push(stmt);
    }

    /// Pushes a statement behind which nothing runs.
    fn terminate(&self, stmt: Stmt) {
        self.push(stmt);
        self.state.borrow_mut().dead = true;
    }

    fn reg(&self, ty: ScalarType) -> Reg {
        let mut state = self.state.borrow_mut();
        state.regs.push(ty);
        Reg(state.regs.len() as u32 - 1)
    }

    /// A new register with the result of an operation.
    fn op(&self, ty: ScalarType, op: Op) -> Operand {
        let dst = self.reg(ty);
        self.push(Stmt::Let { dst, op });
        Operand::Reg(dst)
    }

    fn unary(&self, ty: ScalarType, op: UnaryOp, value: Operand) -> Operand {
        self.op(ty, Op::Unary(op, value))
    }

    fn binary(&self, ty: ScalarType, op: BinaryOp, left: Operand, right: Operand) -> Operand {
        self.op(ty, Op::Binary(op, left, right))
    }

    fn compare(&self, op: CompareOp, left: Operand, right: Operand) -> Operand {
        if let (Operand::Const(l), Operand::Const(r)) = (left, right) {
            return constant(ScalarType::Bool, u64::from(op.holds(l, r)));
        }
        self.op(ScalarType::Bool, Op::Compare(op, left, right))
    }

    fn select(&self, ty: ScalarType, cond: Operand, yes: Operand, no: Operand) -> Operand {
        self.op(ty, Op::Select { cond, yes, no })
    }

    fn convert(&self, to: ScalarType, value: Operand) -> Operand {
        self.op(to, Op::Cast(value))
    }

    /// A fault site, or an error where nothing may fault. `None` in dead code too.
    fn site(&self, code: u32, line: u32, message: Option<&'static str>, what: Faulting) -> Option<SiteId> {
        let mut state = self.state.borrow_mut();
        state.line = line;
        if state.dead {
            return None;
        }
        if self.kind != Kind::Handler {
            let function = self.symbol.clone();
            state.error.get_or_insert(LowerError::FaultInKernel {
                function,
                line,
                what: what.0,
                hint: what.1,
            });
            return None;
        }
        let function = state.frames.last().map_or("", |(name, _)| *name);
        let site = FaultSite { code, line, message, function };
        let next = state.sites.len() as u32;
        let index = *state.site_index.entry(site.clone()).or_insert(next);
        if index == next {
            state.sites.push(site);
        }
        Some(SiteId(index))
    }

    fn fault_if(&self, cond: Operand, when: bool, site: Option<SiteId>) {
        let Some(site) = site else { return };
        match cond {
            Operand::Const(c) if (c.bits != 0) == when => self.terminate(Stmt::Fault { site }),
            Operand::Const(_) => {}
            Operand::Reg(_) => self.push(Stmt::FaultIf { cond, when, site }),
        }
    }
}

/// A constant with the low bits of `bits` that the type has room for.
fn constant(ty: ScalarType, bits: u64) -> Operand {
    Operand::Const(Const::new(ty, bits))
}

/// An operation that can fault, and what to write where that is not possible.
#[derive(Clone, Copy)]
struct Faulting(&'static str, &'static str);
