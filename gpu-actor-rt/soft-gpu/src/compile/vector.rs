//! Several like it: instructions that stand side by side and do the same to neighbours become one of a vector.
//!
//! Four loads of `.f32` from one address on become one load of four, four sums of what is in such vectors one sum, and
//! four stores one store; of `.f64` it is two. What else reads one of the registers takes its lane out of the vector.
//!
//! Rules kept here:
//! - In the fast mode only: the others want to be asked before each access.
//! - The bits are those of the instructions one by one. A chain, where one reads what the one before it wrote, stays one.
//! - What is not exactly of that form, wrong instructions included, is left to those who know them.

use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Type, Value, types};

use super::func::{Entity, Lower, Lowered, program_memory};
use super::memory::Place;
use super::module::clif;
use crate::check::AccessKind;
use crate::ptx::ast::{Base, Instruction, Operand, Space, Statement, Ty};

/// Bytes of a vector.
const BYTES: u32 = 16;

/// What is done to vectors.
#[derive(Clone, Copy)]
enum What {
    Load,
    Store,
    Compute,
}

/// What an instruction would be as one of several, and the type of its elements.
fn what(i: &Instruction<'_>) -> Option<(What, Ty)> {
    if i.guard.is_some() {
        return None;
    }
    let (ty, rest) = i.modifiers.split_last()?;
    let ty = Ty::from_modifier(ty).filter(|ty| ty.is_float())?;
    Some(match (i.opcode, rest, i.operands.len()) {
        ("ld", [".global"], 2) => (What::Load, ty),
        ("st", [".global"], 2) => (What::Store, ty),
        ("add" | "sub" | "mul" | "div", [".rn"], 3)
        | ("fma", [".rn"], 4)
        | ("sqrt", [".rn"], 2)
        | ("neg" | "abs", [], 2) => (What::Compute, ty),
        _ => return None,
    })
}

fn vector_of(ty: Ty) -> Type {
    if ty == Ty::F32 { types::F32X4 } else { types::F64X2 }
}

impl<'p, 'a> Lower<'_, 'p, 'a> {
    /// Compiles what stands at the beginning of a body as one instruction of vectors, and says how many statements that
    /// were: none if they are of another form.
    pub(super) fn side_by_side(&mut self, body: &'p [Statement<'a>]) -> Lowered<usize> {
        let known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        let Some(Statement::Instruction(first)) = body.first() else { return Ok(0) };
        if !known || self.env.flavour.any() {
            return Ok(0);
        }
        let Some((what, ty)) = what(first) else { return Ok(0) };
        let count = (BYTES / ty.size()) as usize;
        let mut all = Vec::with_capacity(count);
        for statement in body.iter().take(count) {
            match statement {
                Statement::Instruction(i)
                    if i.guard.is_none()
                        && i.opcode == first.opcode
                        && i.modifiers == first.modifiers
                        && i.operands.len() == first.operands.len() =>
                {
                    all.push(i);
                }
                _ => return Ok(0),
            }
        }
        if all.len() < count {
            return Ok(0);
        }
        let done = match what {
            What::Load => self.packed_load(&all, ty)?,
            What::Store => self.packed_store(&all, ty)?,
            What::Compute => self.packed_operation(&all, ty),
        };
        Ok(if done { count } else { 0 })
    }

    /// The variables that the first operands name, if those are different registers of the type.
    fn destinations(
        &mut self,
        all: &[&'p Instruction<'a>],
        ty: Ty,
    ) -> Option<Vec<cranelift_frontend::Variable>> {
        let mut found = Vec::with_capacity(all.len());
        for i in all {
            let var = self.register(&i.operands[0], ty)?;
            if found.contains(&var) {
                return None;
            }
            found.push(var);
        }
        Some(found)
    }

    fn register(&mut self, operand: &Operand<'a>, ty: Ty) -> Option<cranelift_frontend::Variable> {
        let Operand::Name(name) = operand else { return None };
        match self.find(name) {
            Some(Entity::Register { var, ty: register }) if register == ty => Some(var),
            _ => None,
        }
    }

    /// The address of the first of several accesses, if the others follow it without a gap.
    fn row(
        &mut self,
        all: &[&'p Instruction<'a>],
        at: usize,
        ty: Ty,
        access: AccessKind,
    ) -> Lowered<Option<(Value, i32)>> {
        let Operand::Memory { base: Base::Name(name), offset } = &all[0].operands[at] else {
            return Ok(None);
        };
        for (k, i) in all.iter().enumerate() {
            let Operand::Memory { base: Base::Name(other), offset: there } = &i.operands[at] else {
                return Ok(None);
            };
            if other != name || Some(*there) != offset.checked_add(k as i64 * i64::from(ty.size())) {
                return Ok(None);
            }
        }
        if !matches!(self.find(name), Some(Entity::Register { ty, .. }) if ty.is_int() && ty.size() == 8) {
            return Ok(None);
        }
        Ok(match self.place(&all[0].operands[at], Some(Space::Global), BYTES, Some(access))? {
            Place::Memory(address, offset) => Some((address, offset)),
            Place::Scalar(..) => None,
        })
    }

    fn packed_load(&mut self, all: &[&'p Instruction<'a>], ty: Ty) -> Lowered<bool> {
        let Some(registers) = self.destinations(all, ty) else { return Ok(false) };
        let Some((address, offset)) = self.row(all, 1, ty, AccessKind::Read)? else { return Ok(false) };
        let vector = self.b.ins().load(vector_of(ty), program_memory(), address, offset);
        self.take_apart(&registers, vector);
        Ok(true)
    }

    fn packed_store(&mut self, all: &[&'p Instruction<'a>], ty: Ty) -> Lowered<bool> {
        let Some((vector, _)) = self.together(all, 1, ty) else { return Ok(false) };
        let Some((address, offset)) = self.row(all, 0, ty, AccessKind::Write)? else { return Ok(false) };
        self.b.ins().store(program_memory(), vector, address, offset);
        Ok(true)
    }

    fn packed_operation(&mut self, all: &[&'p Instruction<'a>], ty: Ty) -> bool {
        if all[0].opcode == "fma" && !self.env.fuses {
            return false;
        }
        let Some(registers) = self.destinations(all, ty) else { return false };
        for (k, i) in all.iter().enumerate() {
            for source in &i.operands[1..] {
                if let Some(var) = self.register(source, ty)
                    && registers[..k].contains(&var)
                {
                    return false;
                }
            }
        }
        let mut sources = Vec::with_capacity(3);
        let mut vectors = false;
        for at in 1..all[0].operands.len() {
            let Some((vector, was_one)) = self.together(all, at, ty) else { return false };
            vectors |= was_one;
            sources.push(vector);
        }
        if !vectors {
            return false;
        }
        let value = match (all[0].opcode, sources.as_slice()) {
            ("add", &[a, b]) => self.b.ins().fadd(a, b),
            ("sub", &[a, b]) => self.b.ins().fsub(a, b),
            ("mul", &[a, b]) => self.b.ins().fmul(a, b),
            ("div", &[a, b]) => self.b.ins().fdiv(a, b),
            ("fma", &[a, b, c]) => self.b.ins().fma(a, b, c),
            ("sqrt", &[a]) => self.b.ins().sqrt(a),
            ("neg", &[a]) => self.b.ins().fneg(a),
            ("abs", &[a]) => self.b.ins().fabs(a),
            _ => return false,
        };
        self.take_apart(&registers, value);
        true
    }

    fn take_apart(&mut self, registers: &[cranelift_frontend::Variable], vector: Value) {
        for (lane, var) in registers.iter().enumerate() {
            let element = self.b.ins().extractlane(vector, lane as u8);
            self.b.def_var(*var, element);
        }
    }

    /// The operands with one number as a vector, and whether they were one before: its lanes in their order. One operand that
    /// all have is every lane.
    fn together(&mut self, all: &[&'p Instruction<'a>], at: usize, ty: Ty) -> Option<(Value, bool)> {
        if let Operand::F32(bits) = all[0].operands[at]
            && ty == Ty::F32
        {
            let same = all.iter().all(|i| matches!(i.operands[at], Operand::F32(other) if other == bits));
            return same.then(|| {
                let value = self.b.ins().f32const(f32::from_bits(bits));
                (self.b.ins().splat(vector_of(ty), value), false)
            });
        }
        if let Operand::F64(bits) = all[0].operands[at]
            && ty == Ty::F64
        {
            let same = all.iter().all(|i| matches!(i.operands[at], Operand::F64(other) if other == bits));
            return same.then(|| {
                let value = self.b.ins().f64const(f64::from_bits(bits));
                (self.b.ins().splat(vector_of(ty), value), false)
            });
        }
        let mut values = Vec::with_capacity(all.len());
        for i in all {
            let var = self.register(&i.operands[at], ty)?;
            let value = self.b.use_var(var);
            debug_assert_eq!(self.b.func.dfg.value_type(value), clif(ty));
            values.push(self.b.func.dfg.resolve_aliases(value));
        }
        if values.iter().all(|value| *value == values[0]) {
            return Some((self.b.ins().splat(vector_of(ty), values[0]), false));
        }
        let dfg = &self.b.func.dfg;
        let lane_of = |value: Value| match dfg.insts[dfg.value_def(value).inst()?] {
            InstructionData::BinaryImm8 { opcode: Opcode::Extractlane, arg, imm } => Some((arg, imm)),
            _ => None,
        };
        let (vector, _) = lane_of(values[0])?;
        let whole = dfg.value_type(vector) == vector_of(ty)
            && values.iter().enumerate().all(|(k, value)| lane_of(*value) == Some((vector, k as u8)));
        whole.then_some((vector, true))
    }
}
