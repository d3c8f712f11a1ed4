//! The verifier: the only way from the IR to a loadable module.
//!
//! It owns the rules that [`ir`](crate::ir) lists and knows nothing of how the builder keeps them. A failure is a bug in
//! this project; a handler that cannot be lowered is the builder's to refuse.

mod flow;
mod module;
mod types;

#[cfg(test)]
mod tests;

pub(crate) use flow::unassigned;
pub(crate) use module::verify;

use crate::{
    error::VerifyError,
    ir::{Function, Kind, Operand, ScalarType, SiteId, SlotId, Stmt, uses},
};

/// The numbers of the rules, as [`ir`](crate::ir) has them.
mod rule {
    pub(super) const EXISTS: u32 = 1;
    pub(super) const TYPES: u32 = 2;
    pub(super) const ASSIGNED: u32 = 3;
    pub(super) const TARGETS: u32 = 4;
    pub(super) const REACHED: u32 = 5;
    pub(super) const ADDRESSES: u32 = 6;
    pub(super) const FAULTS: u32 = 7;
    pub(super) const BUDGET: u32 = 8;
    pub(super) const DIVISORS: u32 = 9;
    pub(super) const ORDERS: u32 = 10;
    pub(super) const SYMBOLS: u32 = 11;
    pub(super) const SIGNATURE: u32 = 12;
}

/// How many rules there are; they are numbered from 1.
pub const RULES: u32 = rule::SIGNATURE;

type Result<T = ()> = std::result::Result<T, VerifyError>;

/// How far a function has come. The optimiser removes guards that it has proven to hold, and its proofs cannot be seen
/// in what remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// As the builder left it: all guards are there.
    Built,
    /// Verified as built, then optimised: variable divisors and indices may be without a guard.
    Optimised,
}

/// One function under examination.
struct Checker<'a> {
    function: &'a Function,
    stage: Stage,
}

impl Checker<'_> {
    fn fail<T>(&self, rule: u32, message: impl Into<String>) -> Result<T> {
        Err(VerifyError { function: self.function.symbol.clone(), rule, message: message.into() })
    }

    fn ensure(&self, holds: bool, rule: u32, message: impl FnOnce() -> String) -> Result {
        if holds { Ok(()) } else { self.fail(rule, message()) }
    }

    /// The operand's type. Its register exists: that is checked first.
    fn ty(&self, operand: Operand) -> ScalarType {
        match operand {
            Operand::Reg(reg) => self.function.regs[reg.0 as usize],
            Operand::Const(c) => c.ty,
        }
    }

    fn check(&self) -> Result {
        self.signature()?;
        self.exists(&self.function.body)?;
        self.types(&self.function.body)?;
        self.flow()
    }

    /// Rule 12, and that parameters stay what they are: the writer addresses faults through a handler's third.
    fn signature(&self) -> Result {
        let Function { kind, params, result, regs, .. } = self.function;
        let words = |list: &[ScalarType]| list.iter().all(|ty| ty.size() >= 4);
        let fits = match kind {
            Kind::Handler => params[..] == [ScalarType::U64; 3] && *result == Some(ScalarType::U32),
            Kind::Entry => result.is_none() && words(params),
            Kind::Func => words(params) && words(result.as_slice()),
        };
        self.ensure(fits, rule::SIGNATURE, || format!("{kind:?} with {params:?} -> {result:?}"))?;
        self.ensure(regs.starts_with(params), rule::SIGNATURE, || {
            "parameters are the first registers".into()
        })?;
        let mut assigned = None;
        uses::walk(&self.function.body, &mut |u| {
            if let uses::Use::Write(reg) = u
                && (reg.0 as usize) < params.len()
            {
                assigned = Some(reg);
            }
        });
        self.ensure(assigned.is_none(), rule::SIGNATURE, || format!("parameter {assigned:?} is assigned"))
    }

    /// Rule 1.
    fn exists(&self, list: &[Stmt]) -> Result {
        let Function { regs, slots, .. } = self.function;
        let mut missing = None;
        uses::walk(list, &mut |u| {
            let there = match u {
                uses::Use::Read(reg) | uses::Use::Write(reg) => (reg.0 as usize) < regs.len(),
                uses::Use::Slot(SlotId(slot)) => (slot as usize) < slots.len(),
            };
            if !there {
                missing = Some(u);
            }
        });
        self.ensure(missing.is_none(), rule::EXISTS, || format!("{missing:?} does not exist"))
    }

    fn site(&self, site: SiteId) -> Result<u32> {
        match self.function.sites.get(site.0 as usize) {
            Some(site) => {
                self.ensure(self.function.kind == Kind::Handler, rule::FAULTS, || {
                    "a fault outside a handler".into()
                })?;
                Ok(site.code)
            }
            None => self.fail(rule::EXISTS, format!("{site:?} does not exist")),
        }
    }
}
