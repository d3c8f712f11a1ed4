//! Statements, branches and faults.

use std::fmt::Write;

use super::{Writer, param_type};
use crate::{
    abi::cx,
    ir::{Kind, Label, Operand, Reg, ScalarType, SiteId, Stmt, completes},
};

/// Where breaks and continues of a block or loop go: numbers of labels, given out when they are first needed.
#[derive(Clone, Copy, Default)]
pub(super) struct Targets {
    leave: Option<u32>,
    next: Option<u32>,
}

impl Writer<'_> {
    pub(super) fn label(&mut self) -> u32 {
        self.labels += 1;
        self.labels - 1
    }

    pub(super) fn mark(&mut self, label: u32) {
        let _ = writeln!(self.body, "L{label}:");
    }

    fn leave_label(&mut self, of: Label) -> u32 {
        let fresh = self.labels;
        let label = *self.targets.entry(of).or_default().leave.get_or_insert(fresh);
        self.labels += u32::from(label == fresh);
        label
    }

    fn next_label(&mut self, of: Label) -> u32 {
        let fresh = self.labels;
        let label = *self.targets.entry(of).or_default().next.get_or_insert(fresh);
        self.labels += u32::from(label == fresh);
        label
    }

    fn mark_leave(&mut self, of: Label) {
        if let Some(label) = self.targets.get(&of).and_then(|t| t.leave) {
            self.mark(label);
        }
    }

    pub(super) fn statements(&mut self, list: &[Stmt]) {
        for (i, stmt) in list.iter().enumerate() {
            self.fuse = self.fusible(stmt, list.get(i + 1));
            self.statement(stmt);
        }
        self.fuse = None;
    }

    fn statement(&mut self, stmt: &Stmt) {
        match *stmt {
            Stmt::Let { dst, op } => self.assign(dst, op),
            Stmt::Overflowing { op, value, overflow, left, right } => {
                self.overflowing(op, value, overflow, left, right);
            }
            Stmt::Divide { remainder, dst, left, right, zero, overflow } => {
                self.divide(remainder, dst, left, right, zero, overflow);
            }
            Stmt::Index { dst, base, index, length, stride, site } => {
                self.index(dst, base, index, (length, stride), site);
            }
            Stmt::FaultIf { cond, when, site } => {
                let pred = self.condition(cond);
                self.fault_branch(pred, when, site);
            }
            Stmt::Load { dst, address, order } => self.load(dst, address, order),
            Stmt::Store { ty, address, value, order } => self.store(ty, address, value, order),
            Stmt::Copy { dst, src, size, align } => self.copy(dst, src, size, align),
            Stmt::Atomic { dst, op, address } => self.atomic(dst, op, address),
            Stmt::FenceSc(scope) => self.fence(scope),
            Stmt::Nanosleep(time) => {
                let time = self.text(time);
                self.line(&format!("nanosleep.u32 {time}"));
            }
            Stmt::PmEvent(event) => self.line(&format!("pmevent {event}")),
            Stmt::Pay(turns) => {
                if let Some(left) = self.budget.clone() {
                    self.line(&format!("sub.u64 {left}, {left}, {turns}"));
                }
            }
            Stmt::Warp { dst, op, mask } => self.warp(dst, op, mask),
            Stmt::Call { dst, ref symbol, ref args } => self.call(dst, symbol, args),
            Stmt::Block { label, ref body } => {
                self.statements(body);
                self.mark_leave(label);
            }
            Stmt::Loop { label, ref body, ref continuing, budget } => {
                self.repeat(label, body, continuing, budget);
            }
            Stmt::If { cond, ref yes, ref no } => self.branch(cond, yes, no),
            Stmt::Break(_) | Stmt::Continue(_) | Stmt::Fault { .. } => {
                if let Some(label) = self.jump(stmt) {
                    self.line(&format!("bra {label}"));
                }
            }
            Stmt::Return(value) => self.leave(value),
        }
    }

    fn repeat(&mut self, label: Label, body: &[Stmt], continuing: &[Stmt], budget: Option<SiteId>) {
        let top = self.label();
        self.mark(top);
        self.statements(body);
        if let Some(next) = self.targets.get(&label).and_then(|t| t.next) {
            self.mark(next);
        }
        self.statements(continuing);
        if completes(continuing) {
            if let Some(site) = budget {
                self.pay(site);
            }
            self.line(&format!("bra L{top}"));
        }
        self.mark_leave(label);
    }

    /// One unit of budget for another turn.
    fn pay(&mut self, site: SiteId) {
        // Loaded at the entry of every handler that has such a loop; the verifier allows it nowhere else.
        let Some(left) = self.budget.clone() else { return };
        let spent = self.compare(crate::ir::CompareOp::Eq, ScalarType::U64, &left, "0");
        self.fault_branch(spent, true, site);
        self.line(&format!("sub.u64 {left}, {left}, 1"));
    }

    /// The label that a statement goes to, if it does nothing but go there.
    fn jump(&mut self, stmt: &Stmt) -> Option<String> {
        match *stmt {
            Stmt::Break(of) => Some(format!("L{}", self.leave_label(of))),
            Stmt::Continue(of) => Some(format!("L{}", self.next_label(of))),
            Stmt::Fault { site } => Some(self.fault_label(site)),
            _ => None,
        }
    }

    fn branch(&mut self, cond: Operand, yes: &[Stmt], no: &[Stmt]) {
        let pred = self.condition(cond);
        // An arm that only jumps becomes the branch itself.
        if let [only] = yes
            && let Some(label) = self.jump(only)
        {
            self.line(&format!("@%p{pred} bra {label}"));
            return self.statements(no);
        }
        if let [only] = no
            && let Some(label) = self.jump(only)
        {
            self.line(&format!("@!%p{pred} bra {label}"));
            return self.statements(yes);
        }
        match (yes.is_empty(), no.is_empty()) {
            (true, true) => {}
            (false, true) => {
                let end = self.label();
                self.line(&format!("@!%p{pred} bra L{end}"));
                self.statements(yes);
                self.mark(end);
            }
            (true, false) => {
                let end = self.label();
                self.line(&format!("@%p{pred} bra L{end}"));
                self.statements(no);
                self.mark(end);
            }
            (false, false) => {
                let otherwise = self.label();
                self.line(&format!("@!%p{pred} bra L{otherwise}"));
                self.statements(yes);
                if completes(yes) {
                    let end = self.label();
                    self.line(&format!("bra L{end}"));
                    self.mark(otherwise);
                    self.statements(no);
                    self.mark(end);
                } else {
                    self.mark(otherwise);
                    self.statements(no);
                }
            }
        }
    }

    fn leave(&mut self, value: Option<Operand>) {
        if let (Some(value), Some(result)) = (value, self.function.result) {
            let value = self.text(value);
            self.line(&format!("st.param.{} [{}], {value}", param_type(result), super::RESULT));
        }
        self.line("ret");
    }

    /// The label at which a site's fault is recorded.
    fn fault_label(&mut self, site: SiteId) -> String {
        if !std::mem::replace(&mut self.faulting[site.0 as usize], true) {
            self.faults.push(site.0);
        }
        format!("FAULT{}", site.0)
    }

    pub(super) fn fault_branch(&mut self, pred: u32, when: bool, site: SiteId) {
        let label = self.fault_label(site);
        let not = if when { "" } else { "!" };
        self.line(&format!("@{not}%p{pred} bra {label}"));
    }

    /// Behind the body: each site records its code and index and leaves.
    pub(super) fn fault_blocks(&mut self) {
        let sites = std::mem::take(&mut self.faults);
        if sites.is_empty() || self.function.kind != Kind::Handler {
            return;
        }
        let context = self.name(Reg(2));
        let record = self.temp(ScalarType::U64);
        for (i, &site) in sites.iter().enumerate() {
            // One word: the code in its low half, the site in its high half.
            let word = u64::from(self.function.sites[site as usize].code) | u64::from(site) << 32;
            let _ = writeln!(self.body, "FAULT{site}:");
            self.line(&format!("mov.u64 {record}, {word}"));
            if i + 1 < sites.len() {
                self.line("bra FAULT");
            }
        }
        self.body.push_str("FAULT:\n");
        self.line(&format!("st.global.u64 [{context}+{}], {record}", cx::FAULT_CODE));
        self.line(&format!("st.param.b32 [{}], 1", super::RESULT));
        self.line("ret");
    }
}
