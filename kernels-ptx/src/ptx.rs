//! The PTX writer: text from verified functions.
//!
//! Rules kept here: only [`Module::verify`](crate::module::Module::verify) calls it; the text depends on nothing but the
//! IR (no line numbers, no addresses, no hash order), so that checked-in output stays comparable; narrow integers and
//! `bool` live in `.b32` registers, sign- or zero-extended after each operation; predicates live from the compare to the
//! branch behind it; floats round to nearest even, are never flushed to zero and never fused.

mod cast;
mod control;
mod memory;
mod ops;

use std::{collections::HashMap, fmt::Write};

use crate::ir::{
    Address, Base, CompareOp, Const, Function, Kind, Label, Op, Operand, Reg, ScalarType, SlotId, Stmt,
    WarpOp, uses,
};

/// The first lines of every module: what sm_70 understands, and thereby everything newer.
pub(crate) const HEADER: &str = ".version 7.0\n.target sm_70\n.address_size 64\n";

/// Names of a handler's parameters.
const HANDLER_PARAMS: [&str; 3] = ["state", "msg", "cx"];
/// The name of the result's parameter.
const RESULT: &str = "status";

/// The function's head: linkage, result, name and parameters.
pub(crate) fn signature(function: &Function) -> String {
    let mut head = String::from(match function.kind {
        Kind::Entry => ".visible .entry ",
        Kind::Func | Kind::Handler => ".func ",
    });
    if let Some(result) = function.result {
        let _ = write!(head, "(.param .{} {RESULT}) ", param_type(result));
    }
    head.push_str(&function.symbol);
    let params: Vec<_> = function
        .params
        .iter()
        .enumerate()
        .map(|(i, &ty)| format!(".param .{} {}", param_type(ty), param_name(function, i)))
        .collect();
    let _ = write!(head, "({})", params.join(", "));
    head
}

fn param_name(function: &Function, index: usize) -> String {
    match function.kind {
        Kind::Handler => HANDLER_PARAMS.get(index).map_or_else(|| format!("p{index}"), ToString::to_string),
        _ => format!("p{index}"),
    }
}

/// The type under which a value travels through parameters and moves.
fn param_type(ty: ScalarType) -> &'static str {
    match ty {
        ScalarType::F32 => "f32",
        ScalarType::F64 => "f64",
        _ if ty.size() == 8 => "b64",
        _ => "b32",
    }
}

/// The type of a register for operations that see a number.
fn number_type(ty: ScalarType) -> &'static str {
    match ty {
        ScalarType::Bool | ScalarType::U8 | ScalarType::U16 | ScalarType::U32 => "u32",
        ScalarType::I8 | ScalarType::I16 | ScalarType::I32 => "s32",
        ScalarType::U64 => "u64",
        ScalarType::I64 => "s64",
        ScalarType::F32 => "f32",
        ScalarType::F64 => "f64",
    }
}

/// The type of a register for operations that see bits.
fn bits_type(ty: ScalarType) -> &'static str {
    if ty.size() == 8 { "b64" } else { "b32" }
}

/// A function with its head and body; an entry is for blocks of so many threads, if that is known.
pub(crate) fn function(function: &Function, block: Option<u32>) -> String {
    let mut writer = Writer::new(function);
    writer.body();
    writer.finish(block.filter(|_| function.kind == Kind::Entry))
}

/// A predicate register.
type Pred = u32;

struct Writer<'a> {
    function: &'a Function,
    body: String,
    /// Registers of each class so far: `%r`, `%rd`, `%f`, `%fd`.
    counts: [u32; 4],
    preds: u32,
    names: HashMap<Reg, String>,
    /// How often each register is read and assigned.
    reads: Vec<u32>,
    writes: Vec<u32>,
    /// Which registers may hold an address in the frame.
    of_frame: Vec<bool>,
    /// The bool that the next statement branches on, if nothing else needs it.
    fuse: Option<Reg>,
    fused: Option<(Reg, Pred)>,
    /// Offsets of the slots in the frame.
    slots: HashMap<SlotId, u64>,
    depot: u64,
    depot_align: u32,
    labels: u32,
    targets: HashMap<Label, control::Targets>,
    /// Sites that are branched to, in the order of their first use, and which those are.
    faults: Vec<u32>,
    faulting: Vec<bool>,
    budget: Option<String>,
}

impl<'a> Writer<'a> {
    fn new(function: &'a Function) -> Self {
        let (mut reads, mut writes) = (vec![0; function.regs.len()], vec![0; function.regs.len()]);
        let mut slots = Vec::new();
        uses::walk(&function.body, &mut |u| match u {
            uses::Use::Read(reg) => reads[reg.0 as usize] += 1,
            uses::Use::Write(reg) => writes[reg.0 as usize] += 1,
            uses::Use::Slot(slot) => slots.push(slot),
        });
        let mut writer = Self {
            function,
            body: String::new(),
            counts: [0; 4],
            preds: 0,
            names: HashMap::new(),
            reads,
            writes,
            of_frame: memory::frame_addresses(function),
            fuse: None,
            fused: None,
            slots: HashMap::new(),
            depot: 0,
            depot_align: 8,
            labels: 0,
            targets: HashMap::new(),
            faults: Vec::new(),
            faulting: vec![false; function.sites.len()],
            budget: None,
        };
        for id in slots {
            writer.place(id);
        }
        writer
    }

    fn place(&mut self, id: SlotId) {
        if !self.slots.contains_key(&id) {
            let slot = self.function.slots[id.0 as usize];
            let offset = self.depot.next_multiple_of(u64::from(slot.align));
            self.depot = offset + u64::from(slot.size);
            self.depot_align = self.depot_align.max(slot.align);
            self.slots.insert(id, offset);
        }
    }

    fn body(&mut self) {
        let faults = can_fault(&self.function.body);
        for (i, &ty) in self.function.params.iter().enumerate() {
            let reg = Reg(i as u32);
            let context = self.function.kind == Kind::Handler && i == 2 && faults;
            if self.reads[i] > 0 || context {
                let name = self.name(reg);
                self.line(&format!("ld.param.{} {name}, [{}]", param_type(ty), param_name(self.function, i)));
            }
        }
        if self.function.kind == Kind::Handler && pays(&self.function.body) {
            let (budget, context) = (self.temp(ScalarType::U64), self.name(Reg(2)));
            self.line(&format!("ld.global.u64 {budget}, [{context}]"));
            self.budget = Some(budget);
        }
        let function = self.function;
        self.statements(&function.body);
        self.fault_blocks();
    }

    fn finish(self, block: Option<u32>) -> String {
        let mut text = signature(self.function);
        if let Some(threads) = block {
            let _ = write!(text, "\n.reqntid {threads}, 1, 1");
        }
        text.push_str("\n{\n");
        if self.depot > 0 {
            let _ = writeln!(text, "\t.local .align {} .b8 depot[{}];", self.depot_align, self.depot);
            text.push_str("\t.reg .b64 %SPL, %SP;\n");
        }
        if self.preds > 0 {
            let _ = writeln!(text, "\t.reg .pred %p<{}>;", self.preds);
        }
        for (count, (ty, class)) in self.counts.iter().zip(CLASSES) {
            if *count > 0 {
                let _ = writeln!(text, "\t.reg .{ty} %{class}<{count}>;");
            }
        }
        if self.depot > 0 {
            text.push_str("\tmov.u64 %SPL, depot;\n\tcvta.local.u64 %SP, %SPL;\n");
        }
        text.push_str(&self.body);
        text.push_str("}\n");
        text
    }

    /// One instruction.
    fn line(&mut self, instruction: &str) {
        self.body.push('\t');
        self.body.push_str(instruction);
        self.body.push_str(";\n");
    }

    fn ty(&self, operand: Operand) -> ScalarType {
        match operand {
            Operand::Reg(reg) => self.function.regs[reg.0 as usize],
            Operand::Const(c) => c.ty,
        }
    }

    /// A fresh register of the class that holds `ty`.
    fn temp(&mut self, ty: ScalarType) -> String {
        let class = class(ty);
        let number = self.counts[class];
        self.counts[class] += 1;
        format!("%{}{number}", CLASSES[class].1)
    }

    fn name(&mut self, reg: Reg) -> String {
        if let Some(name) = self.names.get(&reg) {
            return name.clone();
        }
        let name = self.temp(self.function.regs[reg.0 as usize]);
        self.names.insert(reg, name.clone());
        name
    }

    /// The operand's text: a register or an immediate.
    fn text(&mut self, operand: Operand) -> String {
        match operand {
            Operand::Reg(reg) => self.name(reg),
            Operand::Const(c) => immediate(c),
        }
    }

    fn pred(&mut self) -> Pred {
        self.preds += 1;
        self.preds - 1
    }

    /// A predicate that holds where the bool does.
    fn condition(&mut self, operand: Operand) -> Pred {
        if let (Operand::Reg(reg), Some((fused, pred))) = (operand, self.fused)
            && reg == fused
        {
            self.fused = None;
            return pred;
        }
        let text = self.text(operand);
        let pred = self.pred();
        self.line(&format!("setp.ne.u32 %p{pred}, {text}, 0"));
        pred
    }

    /// Gives a bool register the value of a predicate, unless only the branch behind it wants to know.
    fn set_bool(&mut self, dst: Reg, pred: Pred) {
        if self.fuse == Some(dst) {
            self.fused = Some((dst, pred));
        } else {
            let dst = self.name(dst);
            self.line(&format!("selp.u32 {dst}, 1, 0, %p{pred}"));
        }
    }

    /// The bool of `next` that `stmt` computes, if that is its only use.
    fn fusible(&self, stmt: &Stmt, next: Option<&Stmt>) -> Option<Reg> {
        let computed = match stmt {
            Stmt::Let { dst, op: Op::Compare(..) } => *dst,
            Stmt::Overflowing { overflow, .. } => *overflow,
            _ => return None,
        };
        // Entering a block emits nothing.
        let mut next = next?;
        while let Stmt::Block { body, .. } = next {
            next = body.first()?;
        }
        let wanted = match next {
            Stmt::If { cond, .. } | Stmt::FaultIf { cond, .. } => *cond,
            Stmt::Warp { op: WarpOp::Ballot { predicate }, .. } => *predicate,
            Stmt::Let { op: Op::Select { cond, yes, no }, .. }
                if *yes != Operand::Reg(computed) && *no != Operand::Reg(computed) =>
            {
                *cond
            }
            _ => return None,
        };
        let only = self.reads[computed.0 as usize] == 1 && self.writes[computed.0 as usize] == 1;
        (wanted == Operand::Reg(computed) && only).then_some(computed)
    }

    fn address(&mut self, address: Address) -> String {
        let (base, offset) = match address.base {
            Base::Reg(reg) => (self.name(reg), address.offset),
            Base::Slot(slot) => {
                self.place(slot);
                ("%SP".to_string(), self.slots[&slot] + address.offset)
            }
        };
        if offset == 0 { format!("[{base}]") } else { format!("[{base}+{offset}]") }
    }

    fn compare(&mut self, op: CompareOp, ty: ScalarType, left: &str, right: &str) -> Pred {
        let op = match op {
            CompareOp::Eq => "eq",
            CompareOp::Ne if ty.is_float() => "neu",
            CompareOp::Ne => "ne",
            CompareOp::Lt => "lt",
            CompareOp::Le => "le",
            CompareOp::Gt => "gt",
            CompareOp::Ge => "ge",
        };
        let pred = self.pred();
        self.line(&format!("setp.{op}.{} %p{pred}, {left}, {right}", number_type(ty)));
        pred
    }
}

/// The register classes: declared type and name.
const CLASSES: [(&str, &str); 4] = [("b32", "r"), ("b64", "rd"), ("f32", "f"), ("f64", "fd")];

fn class(ty: ScalarType) -> usize {
    match ty {
        ScalarType::F32 => 2,
        ScalarType::F64 => 3,
        _ if ty.size() == 8 => 1,
        _ => 0,
    }
}

fn immediate(c: Const) -> String {
    match c.ty {
        ScalarType::F32 => format!("0f{:08X}", c.bits),
        ScalarType::F64 => format!("0d{:016X}", c.bits),
        _ => c.as_i128().to_string(),
    }
}

/// Whether the handler has a loop that pays, or asks what it could pay.
fn pays(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| {
        let here = matches!(
            stmt,
            Stmt::Loop { budget: Some(_), .. }
                | Stmt::Pay(_)
                | Stmt::Let { op: Op::Special(crate::ir::Special::Budget), .. }
        );
        here || uses::children(stmt).into_iter().any(pays)
    })
}

/// Whether the handler needs its context for faults.
fn can_fault(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| {
        let here = match stmt {
            Stmt::FaultIf { .. } | Stmt::Fault { .. } | Stmt::Index { site: Some(_), .. } => true,
            Stmt::Divide { zero, overflow, .. } => zero.is_some() || overflow.is_some(),
            Stmt::Loop { budget, .. } => budget.is_some(),
            _ => false,
        };
        here || uses::children(stmt).into_iter().any(can_fault)
    })
}
