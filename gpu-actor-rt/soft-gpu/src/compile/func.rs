//! What every instruction needs: scopes, registers, operands, and the dispatch on the opcode.

use std::collections::HashMap;

use cranelift_codegen::ir::{
    AliasRegion, Block, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Value, types,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, Variable as ClifVariable};

use super::module::{Env, Symbol, clif, layout_params};
use crate::error::{LoadError, LoadErrorKind};
use crate::ptx::ast::{
    Function, Instruction, Name, Operand, Registers, Signature, Space, Statement, Ty, Variable,
};

pub(super) type Lowered<T = ()> = Result<T, LoadError>;

/// Largest `.local` memory of one function in bytes.
const MAX_LOCAL: u64 = 16 << 20;

/// Where a parameter lives inside the function that uses it.
#[derive(Clone, Copy)]
pub(super) enum Param {
    /// In the entry's parameter space, at this offset.
    Entry { offset: i32, size: u32 },
    /// A scalar, in a variable of this type.
    Scalar { var: ClifVariable, ty: Ty },
    /// An array, in the frame.
    Slot { slot: StackSlot, size: u32 },
    /// An array, at the address that the variable holds.
    Pointer { var: ClifVariable, size: u32 },
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Entity<'p, 'a> {
    Register { var: ClifVariable, ty: Ty },
    Param(Param),
    Local(StackSlot),
    Symbol(Symbol),
    Targets(&'p [Name<'a>]),
    Prototype(&'p Signature<'a>),
}

/// A label's block, and whether the label has been passed.
#[derive(Clone, Copy)]
pub(super) struct Label {
    pub(super) block: Block,
    pub(super) passed: bool,
}

#[derive(Default)]
struct Scope<'p, 'a> {
    names: HashMap<&'a str, Entity<'p, 'a>>,
    /// Registers declared as `%r<10>`: prefix, type, count.
    ranges: Vec<(&'a str, Ty, u32)>,
    labels: HashMap<&'a str, Label>,
}

/// An instruction's modifiers, ticked off as they are understood.
#[derive(Clone, Copy)]
pub(super) struct Modifiers<'i, 'a> {
    list: &'i [&'a str],
    used: u32,
}

impl Modifiers<'_, '_> {
    /// Ticks `modifier` off if it is there.
    pub(super) fn take(&mut self, modifier: &str) -> bool {
        match self.list.iter().enumerate().find(|(i, m)| **m == modifier && self.used >> i & 1 == 0) {
            Some((i, _)) => {
                self.used |= 1 << i;
                true
            }
            None => false,
        }
    }

    /// Whether the text has any such modifier, ticked off or not.
    pub(super) fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        self.list.iter().any(|m| test(m))
    }

    /// Ticks off whichever of `modifiers` is there.
    pub(super) fn take_any<T: Copy>(&mut self, modifiers: &[(&str, T)]) -> Option<T> {
        modifiers.iter().find(|(m, _)| self.take(m)).map(|(_, t)| *t)
    }

    /// Ticks off the first type.
    pub(super) fn take_ty(&mut self) -> Option<Ty> {
        let (i, ty) = self
            .list
            .iter()
            .enumerate()
            .filter(|(i, _)| self.used >> i & 1 == 0)
            .find_map(|(i, m)| Ty::from_modifier(m).map(|ty| (i, ty)))?;
        self.used |= 1 << i;
        Some(ty)
    }

    /// The first that has not been ticked off.
    pub(super) fn left(&self) -> Option<&str> {
        self.list.iter().enumerate().find(|(i, _)| self.used >> i & 1 == 0).map(|(_, m)| *m)
    }
}

/// An error at a name.
pub(super) fn error_at(name: Name<'_>, kind: LoadErrorKind, message: &str) -> LoadError {
    LoadError::new(kind, name.line, name.text, message)
}

/// The function being compiled.
pub(super) struct Lower<'l, 'p, 'a> {
    pub(super) env: &'l mut Env<'p, 'a>,
    pub(super) b: FunctionBuilder<'l>,
    scopes: Vec<Scope<'p, 'a>>,
    /// The lane's context.
    pub(super) context: Value,
    /// Return parameters, in order.
    pub(super) returns: Vec<Param>,
    pub(super) in_entry: bool,
    /// The carry flag of extended-precision arithmetic.
    pub(super) carry: ClifVariable,
    line: u32,
    pub(super) opcode: &'a str,
    local_bytes: u64,
    /// The index of the function.
    pub(super) function: u32,
    /// Variables in the frame that have their place already, by where their names stand.
    pub(super) frames: HashMap<usize, StackSlot>,
}

/// Memory that never changes while the function runs, at a valid address.
pub(super) fn constant_memory() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

/// Memory of the program, at an address that it computed.
pub(super) fn program_memory() -> MemFlagsData {
    MemFlagsData::new().with_alias_region(None::<AliasRegion>)
}

impl<'l, 'p, 'a> Lower<'l, 'p, 'a> {
    /// Compiles one function into the builder's context.
    pub(super) fn function(
        env: &'l mut Env<'p, 'a>,
        mut b: FunctionBuilder<'l>,
        function: &'p Function<'a>,
        index: u32,
        body: &'p [Statement<'a>],
        frontend: TargetFrontendConfig,
    ) -> Lowered {
        let start = b.create_block();
        b.append_block_params_for_function_params(start);
        b.switch_to_block(start);
        b.seal_block(start);
        let arguments = b.block_params(start).to_vec();
        let carry = b.declare_var(types::I8);
        let mut lower = Lower {
            env,
            b,
            scopes: vec![Scope::default()],
            context: arguments[0],
            returns: Vec::new(),
            in_entry: function.entry,
            carry,
            line: function.name.line,
            opcode: function.name.text,
            local_bytes: 0,
            function: index,
            frames: HashMap::new(),
        };
        lower.declare_params(&function.signature, &arguments)?;
        lower.enter_frame(body)?;
        lower.statements(body)?;
        lower.return_();
        lower.b.seal_all_blocks();
        lower.b.finalize(frontend);
        Ok(())
    }

    fn declare_params(&mut self, signature: &'p Signature<'a>, arguments: &[Value]) -> Lowered {
        if self.in_entry {
            let (layout, _) = layout_params(&signature.params);
            for (param, place) in signature.params.iter().zip(layout) {
                if param.space == Space::Reg {
                    return Err(error_at(
                        param.name,
                        LoadErrorKind::Type,
                        "an entry's parameters are `.param`",
                    ));
                }
                let entry = Param::Entry { offset: place.offset as i32, size: place.size as u32 };
                self.define(param.name, Entity::Param(entry))?;
            }
            return Ok(());
        }
        let mut next = arguments.iter().skip(1).copied();
        for variable in &signature.returns {
            let param = if variable.is_scalar() {
                let var = self.b.declare_var(clif(variable.ty));
                Param::Scalar { var, ty: variable.ty }
            } else {
                self.pointer_param(variable, next.next())
            };
            self.returns.push(param);
            self.define_param(variable, param)?;
        }
        for variable in &signature.params {
            let param = if variable.is_scalar() {
                let var = self.b.declare_var(clif(variable.ty));
                if let Some(value) = next.next() {
                    self.b.def_var(var, value);
                }
                Param::Scalar { var, ty: variable.ty }
            } else {
                self.pointer_param(variable, next.next())
            };
            self.define_param(variable, param)?;
        }
        Ok(())
    }

    fn pointer_param(&mut self, variable: &Variable<'a>, value: Option<Value>) -> Param {
        let var = self.b.declare_var(types::I64);
        if let Some(value) = value {
            self.b.def_var(var, value);
        }
        Param::Pointer { var, size: variable.size() as u32 }
    }

    fn define_param(&mut self, variable: &Variable<'a>, param: Param) -> Lowered {
        let entity = match (variable.space, param) {
            (Space::Reg, Param::Scalar { var, ty }) => Entity::Register { var, ty },
            (Space::Reg, _) => {
                return Err(error_at(variable.name, LoadErrorKind::Type, "a register is not an array"));
            }
            _ => Entity::Param(param),
        };
        self.define(variable.name, entity)
    }

    // Errors.

    /// An error at a token of the instruction being compiled.
    pub(super) fn error(&self, kind: LoadErrorKind, token: &str, message: &str) -> LoadError {
        LoadError::new(kind, self.line, token, message)
    }

    pub(super) fn type_error(&self, message: &str) -> LoadError {
        self.error(LoadErrorKind::Type, self.opcode, message)
    }

    pub(super) fn unsupported(&self, token: &str, message: &str) -> LoadError {
        self.error(LoadErrorKind::Unsupported, token, message)
    }

    // Modifiers.

    /// The first type among the modifiers.
    pub(super) fn ty(&self, mods: &mut Modifiers<'_, '_>) -> Lowered<Ty> {
        mods.take_ty().ok_or_else(|| match mods.left() {
            Some(left) => self.unsupported(left, &format!("type or modifier not known on `{}`", self.opcode)),
            None => self.type_error("the instruction needs a type"),
        })
    }

    /// Every modifier must have been understood.
    pub(super) fn done(&self, mods: &Modifiers<'_, '_>) -> Lowered {
        match mods.left() {
            None => Ok(()),
            Some(left) => {
                Err(self.unsupported(left, &format!("modifier not known on `{}` here", self.opcode)))
            }
        }
    }

    /// The type is not one that the instruction works on.
    pub(super) fn bad_type(&self, ty: Ty) -> LoadError {
        self.unsupported(&ty.to_string(), &format!("`{}` is not known for this type", self.opcode))
    }

    /// Exactly `N` operands.
    pub(super) fn operands<'i, const N: usize>(
        &self,
        instruction: &'i Instruction<'a>,
    ) -> Lowered<[&'i Operand<'a>; N]> {
        match instruction.operands.iter().collect::<Vec<_>>().try_into() {
            Ok(operands) => Ok(operands),
            Err(_) => Err(self.type_error(&format!(
                "takes {N} operand{}, {} given",
                if N == 1 { "" } else { "s" },
                instruction.operands.len()
            ))),
        }
    }

    // Scopes.

    pub(super) fn define(&mut self, name: Name<'a>, entity: Entity<'p, 'a>) -> Lowered {
        // The stack of scopes is never empty while a function is compiled.
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if scope.names.insert(name.text, entity).is_some() {
            return Err(error_at(name, LoadErrorKind::Name, "declared twice in the same scope"));
        }
        Ok(())
    }

    fn declare_registers(&mut self, registers: &Registers<'a>) -> Lowered {
        match registers.count {
            None => {
                let var = self.b.declare_var(clif(registers.ty));
                self.define(registers.name, Entity::Register { var, ty: registers.ty })
            }
            Some(count) => {
                let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
                if scope.ranges.iter().any(|(prefix, ..)| *prefix == registers.name.text) {
                    let message = "declared twice in the same scope";
                    return Err(error_at(registers.name, LoadErrorKind::Name, message));
                }
                scope.ranges.push((registers.name.text, registers.ty, count));
                Ok(())
            }
        }
    }

    /// What a name stands for, from the innermost scope outwards.
    pub(super) fn find(&mut self, name: &'a str) -> Option<Entity<'p, 'a>> {
        let digits = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (prefix, number) = name.split_at(digits);
        // `%r07` is not a member of `%r<10>`.
        let number = number.parse::<u32>().ok().filter(|n| n.to_string().len() == number.len());
        for scope in self.scopes.iter_mut().rev() {
            if let Some(entity) = scope.names.get(name) {
                return Some(*entity);
            }
            let range =
                scope.ranges.iter().find(|(p, _, count)| *p == prefix && number.is_some_and(|n| n < *count));
            if let Some((_, ty, _)) = range {
                let entity = Entity::Register { var: self.b.declare_var(clif(*ty)), ty: *ty };
                scope.names.insert(name, entity);
                return Some(entity);
            }
        }
        self.env.symbols.get(name).map(|symbol| Entity::Symbol(*symbol))
    }

    pub(super) fn label(&mut self, name: &'a str) -> Lowered<Label> {
        match self.scopes.iter().rev().find_map(|scope| scope.labels.get(name)) {
            Some(label) => Ok(*label),
            None => Err(self.error(LoadErrorKind::Name, name, "no such label")),
        }
    }

    fn scope(&mut self, body: &'p [Statement<'a>]) -> Lowered {
        self.scopes.push(Scope::default());
        self.statements(body)?;
        self.scopes.pop();
        Ok(())
    }

    fn statements(&mut self, body: &'p [Statement<'a>]) -> Lowered {
        // Labels are known in their whole scope, and so are tables, which may follow their use.
        for statement in body {
            match statement {
                Statement::Label(name) => {
                    let label = Label { block: self.b.create_block(), passed: false };
                    let Some(scope) = self.scopes.last_mut() else { continue };
                    if scope.labels.insert(name.text, label).is_some() {
                        return Err(error_at(*name, LoadErrorKind::Name, "label declared twice"));
                    }
                }
                Statement::BranchTargets(name, targets) => self.define(*name, Entity::Targets(targets))?,
                Statement::Prototype(name, signature) => self.define(*name, Entity::Prototype(signature))?,
                _ => {}
            }
        }
        let mut packed = 0;
        for (at, statement) in body.iter().enumerate() {
            if at < packed {
                continue;
            }
            packed = at + self.side_by_side(&body[at..])?;
            if at < packed {
                continue;
            }
            match statement {
                Statement::Registers(registers) => self.declare_registers(registers)?,
                Statement::Variable(variable) => self.declare_variable(variable)?,
                Statement::Label(name) => {
                    let label = self.label(name.text)?;
                    self.b.ins().jump(label.block, &[]);
                    self.b.switch_to_block(label.block);
                    if let Some(label) = self.scopes.last_mut().and_then(|s| s.labels.get_mut(name.text)) {
                        label.passed = true;
                    }
                }
                Statement::Instruction(instruction) => self.guarded(instruction)?,
                Statement::Scope(inner) => self.scope(inner)?,
                Statement::BranchTargets(..) | Statement::Prototype(..) => {}
            }
        }
        Ok(())
    }

    fn declare_variable(&mut self, variable: &'p Variable<'a>) -> Lowered {
        let entity = match variable.space {
            Space::Param if variable.is_scalar() => {
                let var = self.b.declare_var(clif(variable.ty));
                Entity::Param(Param::Scalar { var, ty: variable.ty })
            }
            Space::Param => {
                let slot = self.frame(variable)?;
                Entity::Param(Param::Slot { slot, size: variable.size() as u32 })
            }
            Space::Local => Entity::Local(self.frame(variable)?),
            Space::Shared | Space::Global | Space::Const => Entity::Symbol(self.env.place(variable)?),
            Space::Reg => return Err(error_at(variable.name, LoadErrorKind::Type, "not a variable")),
        };
        self.define(variable.name, entity)
    }

    /// Room in the frame.
    pub(super) fn frame(&mut self, variable: &Variable<'a>) -> Lowered<StackSlot> {
        if let Some(slot) = self.frames.get(&variable.name.text.as_ptr().addr()) {
            return Ok(*slot);
        }
        if !variable.init.is_empty() {
            return Err(error_at(variable.name, LoadErrorKind::Type, "`.local` memory has no initial value"));
        }
        self.local_bytes += variable.size().next_multiple_of(u64::from(variable.align.max(16)));
        if self.local_bytes > MAX_LOCAL {
            let message = format!("the function's `.local` memory exceeds {MAX_LOCAL} bytes");
            return Err(error_at(variable.name, LoadErrorKind::Unsupported, &message));
        }
        if variable.align > 16 {
            return Err(error_at(variable.name, LoadErrorKind::Unsupported, "`.local` alignment above 16"));
        }
        let align = variable.align.max(1).ilog2() as u8;
        let size = variable.size() as u32;
        Ok(self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, align)))
    }

    // Instructions.

    fn guarded(&mut self, instruction: &'p Instruction<'a>) -> Lowered {
        self.line = instruction.line;
        self.opcode = instruction.opcode;
        if instruction.modifiers.len() > 32 {
            return Err(self.error(
                LoadErrorKind::Syntax,
                instruction.opcode,
                "more modifiers than any instruction",
            ));
        }
        let mods = Modifiers { list: &instruction.modifiers, used: 0 };
        let Some(guard) = instruction.guard else { return self.instruction(instruction, mods) };
        // A negated guard swaps the two ways: a comparison and its branch stay one pair of instructions.
        let condition = self.source(&Operand::Name(guard.register), Ty::Pred)?;
        if instruction.opcode == "bra" {
            return self.branch_if(condition, guard.negated, instruction, mods);
        }
        let (taken, next) = (self.b.create_block(), self.b.create_block());
        self.fork(condition, guard.negated, taken, next);
        self.enter(taken);
        self.instruction(instruction, mods)?;
        self.b.ins().jump(next, &[]);
        self.enter(next);
        Ok(())
    }

    fn instruction(&mut self, i: &'p Instruction<'a>, mods: Modifiers<'_, 'a>) -> Lowered {
        self.before(i);
        match i.opcode {
            "mov" => self.mov(i, mods),
            "ld" | "ldu" => self.load(i, mods),
            "st" => self.store(i, mods),
            "cvta" => self.cvta(i, mods),
            "prefetch" | "prefetchu" => self.prefetch(i, mods),
            "cvt" => self.convert(i, mods),
            "cp" => self.copy_async(i, mods),
            "isspacep" => self.isspacep(i, mods),
            "createpolicy" => self.create_policy(i, mods),
            "applypriority" | "discard" => self.line_hint(i, mods),

            "add" | "sub" | "mul" | "div" | "min" | "max" | "neg" | "abs" | "mad" => self.arithmetic(i, mods),
            "addc" | "subc" | "madc" => self.with_carry(i, mods),
            "rem" => self.rem(i, mods),
            "mul24" | "mad24" => self.mul24(i, mods),
            "sad" => self.sad(i, mods),
            "and" | "or" | "xor" | "not" | "cnot" => self.logic(i, mods),
            "shl" | "shr" => self.shift(i, mods),
            "shf" => self.funnel_shift(i, mods),
            "lop3" => self.lop3(i, mods),
            "popc" | "clz" | "brev" => self.count_bits(i, mods),
            "bfind" => self.bfind(i, mods),
            "bfe" => self.bfe(i, mods),
            "bfi" => self.bfi(i, mods),
            "prmt" => self.prmt(i, mods),
            "fns" => self.fns(i, mods),
            "szext" => self.szext(i, mods),
            "bmsk" => self.bmsk(i, mods),
            "dp2a" | "dp4a" => self.dot_product(i, mods),
            "setp" => self.setp(i, mods),
            "set" => self.set(i, mods),
            "selp" => self.selp(i, mods),
            "slct" => self.slct(i, mods),

            "fma" => self.fma(i, mods),
            "sqrt" | "rcp" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => self.float_function(i, mods),
            "copysign" => self.copysign(i, mods),
            "testp" => self.testp(i, mods),

            "bra" => self.branch(i, mods),
            "brx" => self.branch_indexed(i, mods),
            "call" => self.call(i, mods),
            "ret" => self.ret(i, mods),
            "exit" => self.exit(i, mods),
            "trap" | "brkpt" => self.trap(i, mods),
            "griddepcontrol" | "setmaxnreg" => self.resource_hint(i, mods),

            "atom" | "red" => self.atomic(i, mods),
            "fence" | "membar" => self.fence(i, mods),

            "bar" | "barrier" => self.barrier(i, mods),
            "vote" => self.vote(i, mods),
            "shfl" => self.shfl(i, mods),
            "match" => self.match_(i, mods),
            "redux" => self.redux(i, mods),
            "elect" => self.elect(i, mods),
            "activemask" => self.activemask(i, mods),
            "mbarrier" => self.mbarrier(i, mods),
            "nanosleep" => self.nanosleep(i, mods),
            "pmevent" => self.pmevent(i, mods),
            _ => {
                let mut token = i.opcode.to_owned();
                token.extend(i.modifiers.iter().copied());
                Err(self.unsupported(&token, "instruction not known to this device"))
            }
        }
    }
}
