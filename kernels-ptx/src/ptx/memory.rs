//! Loads, stores, copies, atomics, warp operations and calls.

use super::{Writer, param_type};
use crate::ir::{
    Address, AtomicOp, Base, Function, Operand, Order, Reg, ScalarType, Scope, SiteId, Stmt, WarpOp, uses,
};

/// Copies of more words than this become a loop.
const UNROLLED_WORDS: u64 = 32;

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Gpu => "gpu",
        Scope::Sys => "sys",
    }
}

fn order(order: Order) -> String {
    match order {
        Order::Weak => String::new(),
        Order::Relaxed(s) => format!(".relaxed.{}", scope(s)),
        Order::Acquire(s) => format!(".acquire.{}", scope(s)),
        Order::Release(s) => format!(".release.{}", scope(s)),
    }
}

fn memory_type(ty: ScalarType) -> &'static str {
    match ty {
        ScalarType::Bool | ScalarType::U8 => "u8",
        ScalarType::I8 => "s8",
        ScalarType::U16 => "u16",
        ScalarType::I16 => "s16",
        ScalarType::I32 | ScalarType::U32 => "u32",
        ScalarType::I64 | ScalarType::U64 => "u64",
        ScalarType::F32 => "f32",
        ScalarType::F64 => "f64",
    }
}

/// The unsigned type of a word.
fn word(size: u64) -> ScalarType {
    match size {
        8 => ScalarType::U64,
        4 => ScalarType::U32,
        2 => ScalarType::U16,
        _ => ScalarType::U8,
    }
}

/// The registers that may hold an address in the function's own frame: those that an index into a slot went into. No
/// other statement forms an address of a slot, none is stored, and none is an argument of a call. Every other address is of
/// the device's or the host's memory, which is one state space in PTX, `.global`.
pub(super) fn frame_addresses(function: &Function) -> Vec<bool> {
    fn walk(list: &[Stmt], of_frame: &mut [bool]) -> bool {
        let mut changed = false;
        for stmt in list {
            if let Stmt::Let { dst, .. } | Stmt::Index { dst, .. } = stmt {
                let mut from_frame = false;
                uses::direct(stmt, &mut |u| match u {
                    uses::Use::Read(reg) => from_frame |= of_frame[reg.0 as usize],
                    uses::Use::Slot(_) => from_frame = true,
                    uses::Use::Write(_) => {}
                });
                changed |= from_frame && !of_frame[dst.0 as usize];
                of_frame[dst.0 as usize] |= from_frame;
            }
            for inner in uses::children(stmt) {
                changed |= walk(inner, of_frame);
            }
        }
        changed
    }
    let mut of_frame = vec![false; function.regs.len()];
    while walk(&function.body, &mut of_frame) {}
    of_frame
}

impl Writer<'_> {
    /// The state space of an access, as a suffix. A generic address, which may be of the frame, has none: there a device
    /// looks at each address to find out.
    fn space(&self, base: Base) -> &'static str {
        match base {
            Base::Reg(reg) if !self.of_frame[reg.0 as usize] => ".global",
            Base::Reg(_) | Base::Slot(_) => "",
        }
    }

    pub(super) fn load(&mut self, dst: Reg, address: Address, how: Order) {
        let ty = self.function.regs[dst.0 as usize];
        let space = self.space(address.base);
        let (dst, address) = (self.name(dst), self.address(address));
        self.line(&format!("ld{}{space}.{} {dst}, {address}", order(how), memory_type(ty)));
        if ty == ScalarType::Bool {
            self.line(&format!("and.b32 {dst}, {dst}, 1"));
        }
    }

    pub(super) fn store(&mut self, ty: ScalarType, address: Address, value: Operand, how: Order) {
        let space = self.space(address.base);
        let (address, value) = (self.address(address), self.text(value));
        // A store takes the low bits, whatever the sign.
        let ty = memory_type(if ty.is_float() { ty } else { ty.unsigned() });
        self.line(&format!("st{}{space}.{ty} {address}, {value}", order(how)));
    }

    /// Gives `dst` the address itself.
    pub(super) fn form_address(&mut self, dst: &str, address: Address) {
        let (base, offset) = match address.base {
            Base::Reg(reg) => (self.name(reg), address.offset),
            Base::Slot(slot) => {
                self.place(slot);
                ("%SP".to_string(), self.slots[&slot] + address.offset)
            }
        };
        if offset == 0 {
            self.line(&format!("mov.b64 {dst}, {base}"));
        } else {
            self.line(&format!("add.u64 {dst}, {base}, {offset}"));
        }
    }

    pub(super) fn index(
        &mut self,
        dst: Reg,
        base: Address,
        index: Operand,
        (length, stride): (u64, u64),
        site: Option<SiteId>,
    ) {
        let dst = self.name(dst);
        if let (Operand::Const(c), None) = (index, site) {
            let offset = base.offset.wrapping_add(c.bits.wrapping_mul(stride));
            return self.form_address(&dst, Address { offset, ..base });
        }
        let index = self.text(index);
        if let Some(site) = site {
            let outside =
                self.compare(crate::ir::CompareOp::Ge, ScalarType::U64, &index, &length.to_string());
            self.fault_branch(outside, true, site);
        }
        let start = if let Address { base: Base::Reg(reg), offset: 0 } = base {
            self.name(reg)
        } else {
            let start = self.temp(ScalarType::U64);
            self.form_address(&start, base);
            start
        };
        self.line(&format!("mad.lo.u64 {dst}, {index}, {stride}, {start}"));
    }

    pub(super) fn copy(&mut self, dst: Address, src: Address, size: u64, align: u64) {
        let (load, store) = (self.space(src.base), self.space(dst.base));
        let mut done = 0;
        if size / align > UNROLLED_WORDS {
            done = size - size % align;
            self.copy_loop(dst, src, done, align);
        }
        let mut width = align;
        while done < size {
            while width > size - done {
                width /= 2;
            }
            let value = self.temp(word(width));
            let ty = memory_type(word(width));
            let from = self.address(Address { offset: src.offset + done, ..src });
            let to = self.address(Address { offset: dst.offset + done, ..dst });
            self.line(&format!("ld{load}.{ty} {value}, {from}"));
            self.line(&format!("st{store}.{ty} {to}, {value}"));
            done += width;
        }
    }

    fn copy_loop(&mut self, dst: Address, src: Address, bytes: u64, width: u64) {
        let (load, store) = (self.space(src.base), self.space(dst.base));
        let ty = memory_type(word(width));
        let value = self.temp(word(width));
        let [from, to, end] = [(); 3].map(|()| self.temp(ScalarType::U64));
        self.form_address(&from, src);
        self.form_address(&to, dst);
        self.line(&format!("add.u64 {end}, {from}, {bytes}"));
        let top = self.label();
        self.mark(top);
        self.line(&format!("ld{load}.{ty} {value}, [{from}]"));
        self.line(&format!("st{store}.{ty} [{to}], {value}"));
        self.line(&format!("add.u64 {from}, {from}, {width}"));
        self.line(&format!("add.u64 {to}, {to}, {width}"));
        let more = self.compare(crate::ir::CompareOp::Lt, ScalarType::U64, &from, &end);
        self.line(&format!("@%p{more} bra L{top}"));
    }

    pub(super) fn atomic(&mut self, dst: Reg, op: AtomicOp, address: Address) {
        let space = self.space(address.base);
        let (dst, address) = (self.name(dst), self.address(address));
        match op {
            AtomicOp::Add(value) => {
                let value = self.text(value);
                self.line(&format!("atom.acq_rel.gpu{space}.add.u64 {dst}, {address}, {value}"));
            }
            AtomicOp::Cas { expected, new } => {
                let (expected, new) = (self.text(expected), self.text(new));
                self.line(&format!("atom.acq_rel.gpu{space}.cas.b64 {dst}, {address}, {expected}, {new}"));
            }
        }
    }

    pub(super) fn fence(&mut self, s: Scope) {
        self.line(&format!("fence.sc.{}", scope(s)));
    }

    pub(super) fn warp(&mut self, dst: Option<Reg>, op: WarpOp, mask: Operand) {
        let dst = dst.map_or_else(String::new, |dst| self.name(dst));
        match op {
            WarpOp::Ballot { predicate } => {
                let pred = self.condition(predicate);
                let mask = self.text(mask);
                self.line(&format!("vote.sync.ballot.b32 {dst}, %p{pred}, {mask}"));
            }
            WarpOp::Shuffle { value, source } => {
                let (low, high) = self.split(value);
                let (source, mask) = (self.text(source), self.text(mask));
                let (new_low, new_high) = (self.temp(ScalarType::U32), self.temp(ScalarType::U32));
                self.line(&format!("shfl.sync.idx.b32 {new_low}, {low}, {source}, 31, {mask}"));
                self.line(&format!("shfl.sync.idx.b32 {new_high}, {high}, {source}, 31, {mask}"));
                self.join(&dst, &new_low, &new_high);
            }
            WarpOp::MatchAny { value } => {
                let (value, mask) = (self.text(value), self.text(mask));
                self.line(&format!("match.any.sync.b64 {dst}, {value}, {mask}"));
            }
            WarpOp::Sync => {
                let mask = self.text(mask);
                self.line(&format!("bar.warp.sync {mask}"));
            }
        }
    }

    pub(super) fn call(&mut self, dst: Option<Reg>, symbol: &str, args: &[Operand]) {
        self.body.push_str("\t{\n");
        let mut names = Vec::new();
        for (i, &arg) in args.iter().enumerate() {
            let ty = param_type(self.ty(arg));
            let value = self.text(arg);
            self.line(&format!(".param .{ty} arg{i}"));
            self.line(&format!("st.param.{ty} [arg{i}], {value}"));
            names.push(format!("arg{i}"));
        }
        let names = names.join(", ");
        if let Some(dst) = dst {
            let ty = param_type(self.function.regs[dst.0 as usize]);
            let dst = self.name(dst);
            self.line(&format!(".param .{ty} result"));
            self.line(&format!("call.uni (result), {symbol}, ({names})"));
            self.line(&format!("ld.param.{ty} {dst}, [result]"));
        } else {
            self.line(&format!("call.uni {symbol}, ({names})"));
        }
        self.body.push_str("\t}\n");
    }
}
