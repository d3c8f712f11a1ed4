//! What the modes add to compiled code: the number of the instruction at hand, questions before accesses and calls, and places
//! where a lane may be interrupted.
//!
//! Rule kept here: in the fast mode nothing of it is emitted.

use std::mem::offset_of;

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Signature as ClifSignature, Value, types};

use super::func::{Lower, Lowered};
use super::memory::Place;
use super::module::Env;
use crate::block::Lane;
use crate::check::{AccessKind, CheckedSpace, Descriptor, FunctionInfo, Site, instruction_text};
use crate::host::{self, HostFn};
use crate::ptx::ast::{Instruction, Operand, Space, Statement, Variable};
use crate::schedule::Point;

/// Instructions that wait for or speak to others, or can fail, beside those with an address.
const NOTED: [&str; 18] = [
    "bar",
    "barrier",
    "vote",
    "shfl",
    "match",
    "redux",
    "elect",
    "nanosleep",
    "pmevent",
    "call",
    "trap",
    "brkpt",
    "brx",
    "fence",
    "membar",
    "atom",
    "red",
    "cp",
];

impl Env<'_, '_> {
    /// The number of a signature that calls can have.
    pub(super) fn signature_number(&mut self, signature: &ClifSignature) -> u32 {
        let at = self.signatures.iter().position(|s| s == signature).unwrap_or_else(|| {
            self.signatures.push(signature.clone());
            self.signatures.len() - 1
        });
        at as u32
    }

    /// Notes a function that has been compiled, with the bytes of its frame.
    pub(super) fn note_function(
        &mut self,
        index: u32,
        name: &str,
        frame: u32,
        signature: &ClifSignature,
        entry: bool,
    ) {
        let signature = (!entry).then(|| self.signature_number(signature));
        let index = index as usize;
        if self.sites.functions.len() <= index {
            self.sites.functions.resize(index + 1, FunctionInfo::default());
        }
        self.sites.functions[index] = FunctionInfo { name: name.into(), address: 0, frame, signature };
    }
}

impl<'p, 'a> Lower<'_, 'p, 'a> {
    /// Before an instruction: notes which it is, and lets others have their turn.
    pub(super) fn before(&mut self, i: &Instruction<'a>) {
        let flavour = self.env.flavour;
        if !flavour.any() {
            return;
        }
        let addressed = i.operands.iter().any(|o| matches!(o, Operand::Memory { .. }));
        if !addressed && !NOTED.contains(&i.opcode) {
            return;
        }
        // Both are slices of one text.
        let at = (i.opcode.as_ptr().addr()).wrapping_sub(self.env.text.as_ptr().addr());
        let aligned = i.opcode == "bar" && i.modifiers.first() != Some(&".warp")
            || i.opcode == "barrier" && i.modifiers.contains(&".aligned");
        let site = Site {
            function: self.function,
            line: i.line,
            text: instruction_text(self.env.text, at).into(),
            aligned,
        };
        let number = self.env.sites.sites.len() as u64;
        self.env.sites.sites.push(site);
        let number = self.int(types::I32, number);
        let offset = offset_of!(Lane, site) as i32;
        self.b.ins().store(MemFlagsData::trusted(), number, self.context, offset);
        if flavour.deterministic
            && let Some(point) = Point::of(i, addressed)
        {
            let point = self.int(types::I32, point as u64);
            self.host(&host::SWITCH, &[self.context, point]);
        }
    }

    /// Asks whether an access may be.
    pub(super) fn check_place(
        &mut self,
        place: Place<'a>,
        space: Option<Space>,
        bytes: u32,
        access: Option<AccessKind>,
    ) {
        let (true, Place::Memory(address, offset), Some(access)) = (self.env.flavour.checked, place, access)
        else {
            return;
        };
        let space = match space {
            None | Some(Space::Reg) => CheckedSpace::Generic,
            Some(Space::Global) => CheckedSpace::Global,
            Some(Space::Const) => CheckedSpace::Const,
            Some(Space::Shared) => CheckedSpace::Shared,
            Some(Space::Local) => CheckedSpace::Local,
            Some(Space::Param) => CheckedSpace::Param,
        };
        let address = self.flat_address(address, offset);
        let descriptor = self.int(types::I32, u64::from(Descriptor { bytes, access, space }.pack()));
        self.host(&host::CHECK, &[self.context, address, descriptor]);
    }

    /// Asks whether there is room for a call of a function.
    pub(super) fn check_call(&mut self, function: u32) {
        if self.env.flavour.checked {
            let function = self.int(types::I32, u64::from(function));
            self.host(&host::CHECK_CALL, &[self.context, function]);
        }
    }

    /// Asks whether an address is that of a function that can be called so.
    pub(super) fn check_indirect(&mut self, address: Value, signature: &ClifSignature) {
        if self.env.flavour.checked {
            let number = self.env.signature_number(signature);
            let number = self.int(types::I32, u64::from(number));
            self.host(&host::CHECK_INDIRECT, &[self.context, address, number]);
        }
    }

    /// A timer: the process's, or the launch's own.
    pub(super) fn time(&mut self, common: &HostFn, own: &HostFn) -> Lowered<Value> {
        if self.env.flavour.deterministic {
            self.host_value(own, &[self.context])
        } else {
            self.host_value(common, &[])
        }
    }

    /// At a function's beginning: makes room for its variables in memory, wherever they are declared, zeroes them and tells the
    /// lane of them. A declaration inside a loop is passed many times, the beginning once.
    pub(super) fn enter_frame(&mut self, body: &'p [Statement<'a>]) -> Lowered {
        if !self.env.flavour.any() {
            return Ok(());
        }
        let mut variables = Vec::new();
        in_frame(body, &mut variables);
        for variable in variables {
            let slot = self.frame(variable)?;
            self.frames.insert(variable.name.text.as_ptr().addr(), slot);
            let address = self.b.ins().stack_addr(types::I64, slot, 0);
            let len = self.int(types::I64, variable.size());
            self.host(&host::ENTER_LOCAL, &[self.context, address, len]);
        }
        Ok(())
    }

    /// Before a function returns.
    pub(super) fn leave_frame(&mut self) {
        if !self.frames.is_empty() {
            let count = self.int(types::I32, self.frames.len() as u64);
            self.host(&host::LEAVE_LOCALS, &[self.context, count]);
        }
    }
}

/// The variables of a body that live in the frame.
fn in_frame<'s, 'a>(body: &'s [Statement<'a>], out: &mut Vec<&'s Variable<'a>>) {
    for statement in body {
        match statement {
            Statement::Variable(v) if v.space == Space::Local => out.push(v),
            Statement::Variable(v) if v.space == Space::Param && !v.is_scalar() => out.push(v),
            Statement::Scope(inner) => in_frame(inner, out),
            _ => {}
        }
    }
}
