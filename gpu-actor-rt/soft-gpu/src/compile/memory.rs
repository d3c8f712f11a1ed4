//! Loads, stores and addresses.
//!
//! A generic address is a host address, and so are those of `.global`, `.const`, `.local` and `.param`; an address in `.shared` is
//! an offset in the block's shared memory.
//!
//! Weak accesses are ordinary ones. On x86-64 an ordered or volatile load is a plain move that the compiler may neither move nor
//! merge, and so is an ordered store, fenced off from the compiler on both sides: the hardware keeps loads
//! and stores in order except that a load may pass an earlier store, which no order weaker than `fence.sc` forbids.
//! On other hosts both are sequentially consistent.

use std::mem::offset_of;

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};

use super::func::{Entity, Lower, Lowered, Modifiers, Param, constant_memory, program_memory};
use super::module::{Symbol, clif};
use crate::block::Lane;
use crate::check::AccessKind;
use crate::error::LoadErrorKind;
use crate::ptx::ast::{Base, Instruction, Operand, Space, Ty};

/// The state space that an instruction names; none is generic.
const SPACES: [(&str, Space); 8] = [
    (".global", Space::Global),
    (".shared", Space::Shared),
    (".shared::cta", Space::Shared),
    (".local", Space::Local),
    (".const", Space::Const),
    (".param", Space::Param),
    (".param::entry", Space::Param),
    (".param::func", Space::Param),
];

/// Cache operators and hints, which change nothing here.
const CACHE_HINTS: [&str; 23] = [
    ".ca",
    ".cg",
    ".cs",
    ".lu",
    ".cv",
    ".wb",
    ".wt",
    ".nc",
    ".L1::evict_normal",
    ".L1::evict_unchanged",
    ".L1::evict_first",
    ".L1::evict_last",
    ".L1::no_allocate",
    ".L2::evict_normal",
    ".L2::evict_first",
    ".L2::evict_last",
    ".L2::evict_unchanged",
    ".mmio",
    ".L2::64B",
    ".L2::128B",
    ".L2::256B",
    ".L1",
    ".L2",
];

/// Where an access goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A host address and an offset.
    Memory(Value, i32),
    /// A scalar parameter that lives in a variable, by name, and an offset in bytes.
    Scalar(&'a str, i64),
}

impl<'a> Lower<'_, '_, 'a> {
    pub(super) fn space(mods: &mut Modifiers<'_, '_>) -> Option<Space> {
        mods.take_any(&SPACES)
    }

    pub(super) fn skip_hints(mods: &mut Modifiers<'_, '_>) {
        // Most accesses have none, and types and spaces begin otherwise.
        let hinted = |m: &str| matches!(m.as_bytes().get(1), Some(b'c' | b'l' | b'w' | b'n' | b'm' | b'L'));
        if mods.any(hinted) {
            for hint in CACHE_HINTS {
                mods.take(hint);
            }
        }
    }

    /// Ticks off scope and order. Whether the access is more than weak, and whether the text says more than one thing.
    fn order(&self, mods: &mut Modifiers<'_, '_>, release: bool) -> Lowered<bool> {
        let scope = [".cta", ".cluster", ".gpu", ".sys"].into_iter().find(|s| mods.take(s));
        let weak = mods.take(".weak");
        let volatile = mods.take(".volatile");
        let strong = mods.take(".relaxed") || mods.take(if release { ".release" } else { ".acquire" });
        if u8::from(weak) + u8::from(volatile) + u8::from(strong) > 1 {
            return Err(self.type_error("more than one order"));
        }
        match (scope, strong) {
            (Some(_), true) | (None, false) => Ok(strong || volatile),
            (Some(scope), false) => Err(self.error(LoadErrorKind::Type, scope, "a scope needs an order")),
            (None, true) => Err(self.type_error("an order needs a scope: `.cta`, `.gpu` or `.sys`")),
        }
    }

    /// The host address of the block's shared memory.
    fn shared_base(&mut self) -> Value {
        self.context_field(types::I64, offset_of!(Lane, shared))
    }

    fn symbol_address(&mut self, symbol: Symbol) -> Value {
        match symbol {
            Symbol::Global(address) => self.int(types::I64, address),
            Symbol::Shared(at) => self.int(types::I64, u64::from(at)),
            Symbol::DynamicShared => {
                let at = self.context_field(types::I32, offset_of!(Lane, dynamic_shared_at));
                self.resize(at, types::I64, false)
            }
        }
    }

    /// The address of what a name stands for, in its own space; none for a register.
    pub(super) fn address_of(&mut self, name: &'a str) -> Lowered<Option<Value>> {
        Ok(match self.find(name) {
            Some(Entity::Symbol(symbol)) => Some(self.symbol_address(symbol)),
            Some(Entity::Local(slot)) => Some(self.b.ins().stack_addr(types::I64, slot, 0)),
            Some(Entity::Param(param)) => match self.param_address(param) {
                Some(address) => Some(address),
                None => {
                    return Err(self.unsupported(name, "the address of a scalar parameter; make it an array"));
                }
            },
            Some(_) => None,
            None => match self.env.callees.get(name).map(|c| c.id) {
                Some(id) => {
                    use cranelift_module::Module as _;
                    let function = self.env.module.declare_func_in_func(id, self.b.func);
                    Some(self.b.ins().func_addr(types::I64, function))
                }
                None => None,
            },
        })
    }

    /// The address of a parameter that lives in memory.
    fn param_address(&mut self, param: Param) -> Option<Value> {
        Some(match param {
            Param::Entry { offset, .. } => {
                let base = self.context_field(types::I64, offset_of!(Lane, params));
                self.b.ins().iadd_imm_s(base, i64::from(offset))
            }
            Param::Slot { slot, .. } => self.b.ins().stack_addr(types::I64, slot, 0),
            Param::Pointer { var, .. } => self.b.use_var(var),
            Param::Scalar { .. } => return None,
        })
    }

    /// Resolves the address operand of an access of `size` bytes, which a checked device asks about; none for what
    /// does not touch memory.
    pub(super) fn place(
        &mut self,
        operand: &Operand<'a>,
        space: Option<Space>,
        size: u32,
        access: Option<AccessKind>,
    ) -> Lowered<Place<'a>> {
        let Operand::Memory { base, offset } = operand else {
            return Err(self.type_error("needs an address in brackets"));
        };
        let mut offset = *offset;
        let (address, symbol_space) = match base {
            Base::Absolute => (self.int(types::I64, 0), None),
            Base::Name(name) => match self.find(name) {
                Some(Entity::Register { var, ty }) => {
                    let value = self.b.use_var(var);
                    let narrow =
                        ty.size() == 4 && matches!(space, Some(Space::Shared | Space::Const | Space::Local));
                    if !ty.is_int() || ty.size() != 8 && !narrow {
                        let message = format!("an address register has 64 bits, this is {ty}");
                        return Err(self.error(LoadErrorKind::Type, name, &message));
                    }
                    if narrow && offset != 0 {
                        // Such an address wraps at 32 bits: compilers count on it.
                        let wrapped = self.b.ins().iadd_imm_s(value, i64::from(offset as i32));
                        offset = 0;
                        (self.resize(wrapped, types::I64, false), None)
                    } else {
                        (self.resize(value, types::I64, false), None)
                    }
                }
                Some(Entity::Param(param)) => {
                    let have = match param {
                        Param::Scalar { ty, .. } => ty.size(),
                        Param::Entry { size, .. }
                        | Param::Slot { size, .. }
                        | Param::Pointer { size, .. } => size,
                    };
                    if offset < 0 || offset.saturating_add(i64::from(size)) > i64::from(have) {
                        let message = format!("the access leaves the parameter, which has {have} bytes");
                        return Err(self.error(LoadErrorKind::Type, name, &message));
                    }
                    if space != Some(Space::Param) {
                        return Err(self.error(
                            LoadErrorKind::Type,
                            name,
                            "a parameter is accessed with `.param`",
                        ));
                    }
                    match self.param_address(param) {
                        Some(address) => (address, Some(Space::Param)),
                        None => return Ok(Place::Scalar(name, offset)),
                    }
                }
                Some(Entity::Symbol(symbol)) => {
                    let at = self.symbol_address(symbol);
                    let is_shared = matches!(symbol, Symbol::Shared(_) | Symbol::DynamicShared);
                    (at, Some(if is_shared { Space::Shared } else { Space::Global }))
                }
                Some(Entity::Local(slot)) => {
                    (self.b.ins().stack_addr(types::I64, slot, 0), Some(Space::Local))
                }
                Some(_) => return Err(self.error(LoadErrorKind::Type, name, "not an address")),
                None => return Err(self.undeclared(name)),
            },
        };
        let as_used = |s: Option<Space>| if s == Some(Space::Const) { Some(Space::Global) } else { s };
        if let (Some(have), Some(used), Base::Name(name)) = (symbol_space, as_used(space), base)
            && have != used
        {
            return Err(self.error(LoadErrorKind::Type, name, "the variable is in another state space"));
        }
        let shared = space == Some(Space::Shared) || symbol_space == Some(Space::Shared);
        let address = if shared {
            let base = self.shared_base();
            self.b.ins().iadd(base, address)
        } else {
            address
        };
        let place = match i32::try_from(offset) {
            Ok(offset) => Place::Memory(address, offset),
            Err(_) => Place::Memory(self.b.ins().iadd_imm_s(address, offset), 0),
        };
        // An access to a parameter by name was checked above.
        if symbol_space != Some(Space::Param) {
            self.check_place(place, space.or(symbol_space), size, access);
        }
        Ok(place)
    }

    /// The address of an access as one value.
    pub(super) fn flat_address(&mut self, address: Value, offset: i32) -> Value {
        if offset == 0 { address } else { self.b.ins().iadd_imm_s(address, i64::from(offset)) }
    }

    /// An unsigned integer type of the size of `ty`.
    fn raw(ty: Ty) -> Type {
        match ty.size() {
            1 => types::I8,
            2 => types::I16,
            4 => types::I32,
            8 => types::I64,
            _ => types::I128,
        }
    }

    /// A load that really happens. Cranelift 0.135 takes the value of an earlier atomic load of the same address for
    /// granted where nothing that could write comes in between; a sequence point is such a thing, and costs nothing.
    pub(super) fn atomic_load(&mut self, ty: Type, flags: MemFlagsData, address: Value) -> Value {
        self.b.ins().sequence_point();
        self.b.ins().atomic_load(ty, flags, address)
    }

    pub(super) fn load_one(
        &mut self,
        place: Place<'a>,
        at: u32,
        ty: Ty,
        strong: bool,
        constant: bool,
    ) -> Lowered<Value> {
        match place {
            Place::Scalar(name, offset) => self.read_scalar(name, offset + i64::from(at), ty),
            Place::Memory(address, offset) if strong => {
                let address = self.flat_address(address, offset);
                let address = self.flat_address(address, at as i32);
                let value = self.atomic_load(Self::raw(ty), program_memory(), address);
                Ok(self.bitcast(value, clif(ty)))
            }
            Place::Memory(address, offset) => {
                let flags = if constant { constant_memory().with_can_move() } else { program_memory() };
                let (address, offset) = match offset.checked_add(at as i32) {
                    Some(offset) => (address, offset),
                    None => (self.flat_address(address, offset), at as i32),
                };
                Ok(self.b.ins().load(clif(ty), flags, address, offset))
            }
        }
    }

    pub(super) fn store_one(
        &mut self,
        place: Place<'a>,
        at: u32,
        ty: Ty,
        value: Value,
        strong: bool,
    ) -> Lowered {
        match place {
            Place::Scalar(name, offset) => self.write_scalar(name, offset + i64::from(at), ty, value),
            Place::Memory(address, offset) => {
                let (address, offset) = match offset.checked_add(at as i32) {
                    Some(offset) => (address, offset),
                    None => (self.flat_address(address, offset), at as i32),
                };
                if !strong {
                    self.b.ins().store(program_memory(), value, address, offset);
                } else if cfg!(target_arch = "x86_64") {
                    self.b.ins().sequence_point();
                    self.b.ins().store(program_memory(), value, address, offset);
                    self.b.ins().sequence_point();
                } else {
                    let value = self.bitcast(value, Self::raw(ty));
                    let address = self.flat_address(address, offset);
                    self.b.ins().sequence_point();
                    self.b.ins().atomic_store(program_memory(), value, address);
                }
                Ok(())
            }
        }
    }

    fn scalar_variable(&mut self, name: &'a str) -> Lowered<(cranelift_frontend::Variable, Ty)> {
        match self.find(name) {
            Some(Entity::Param(Param::Scalar { var, ty })) => Ok((var, ty)),
            _ => Err(self.undeclared(name)),
        }
    }

    /// Reads a piece of a scalar parameter; `place` has checked that it lies inside.
    fn read_scalar(&mut self, name: &'a str, offset: i64, ty: Ty) -> Lowered<Value> {
        let (var, have) = self.scalar_variable(name)?;
        let value = self.b.use_var(var);
        if have.size() == ty.size() {
            return Ok(self.bitcast(value, clif(ty)));
        }
        let value = self.bitcast(value, Self::raw(have));
        let value = self.b.ins().ushr_imm_u(value, offset * 8);
        let value = self.b.ins().ireduce(Self::raw(ty), value);
        Ok(self.bitcast(value, clif(ty)))
    }

    /// Writes a piece of a scalar parameter.
    fn write_scalar(&mut self, name: &'a str, offset: i64, ty: Ty, value: Value) -> Lowered {
        let (var, have) = self.scalar_variable(name)?;
        if have.size() == ty.size() {
            let value = self.bitcast(value, clif(have));
            self.b.def_var(var, value);
            return Ok(());
        }
        let old = self.b.use_var(var);
        let whole = Self::raw(have);
        let old = self.bitcast(old, whole);
        let value = self.bitcast(value, Self::raw(ty));
        let value = self.resize(value, whole, false);
        let value = self.b.ins().ishl_imm_u(value, offset * 8);
        let hole = self.int(whole, ((1_u64 << ty.bits()) - 1) << (offset * 8));
        let keep = self.b.ins().bnot(hole);
        let kept = self.b.ins().band(old, keep);
        let value = self.b.ins().bor(kept, value);
        let value = self.bitcast(value, clif(have));
        self.b.def_var(var, value);
        Ok(())
    }

    pub(super) fn vector(mods: &mut Modifiers<'_, '_>) -> u32 {
        mods.take_any(&[(".v2", 2), (".v4", 4), (".v8", 8)]).unwrap_or(1)
    }

    /// The registers of an access of `count` elements.
    pub(super) fn elements<'i>(&self, operand: &'i Operand<'a>, count: u32) -> Lowered<&'i [Operand<'a>]> {
        match operand {
            Operand::Vector(items) if count > 1 && items.len() == count as usize => Ok(items),
            Operand::Vector(items) if count > 1 => {
                Err(self.type_error(&format!("a vector of {count}, {} registers given", items.len())))
            }
            Operand::Vector(_) => Err(self.type_error("a vector needs `.v2` or `.v4`")),
            _ if count > 1 => Err(self.type_error("the operand must be a vector")),
            other => Ok(std::slice::from_ref(other)),
        }
    }

    /// The two operands of an access, without the cache policy that may follow.
    fn hinted_operands<'i>(&mut self, i: &'i Instruction<'a>, hinted: bool) -> Lowered<[&'i Operand<'a>; 2]> {
        match (hinted, i.operands.as_slice()) {
            (true, [d, a, policy]) => {
                self.source(policy, Ty::B64)?;
                Ok([d, a])
            }
            _ => self.operands(i),
        }
    }

    pub(super) fn load(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let strong = self.order(&mut mods, false)?;
        let space = Self::space(&mut mods);
        let hinted = mods.take(".L2::cache_hint");
        Self::skip_hints(&mut mods);
        let count = Self::vector(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty == Ty::Pred || ty.is_half() || ty == Ty::B128 && (strong || count > 1) {
            return Err(self.bad_type(ty));
        }
        let [d, a] = self.hinted_operands(i, hinted)?;
        let registers = self.elements(d, count)?;
        let place = self.place(a, space, ty.size() * count, Some(AccessKind::Read))?;
        // An entry's parameters never change while it runs.
        let constant = self.in_entry && space == Some(Space::Param) && self.names_entry_param(a);
        let mut values = Vec::with_capacity(registers.len());
        for at in 0..count {
            values.push(self.load_one(place, at * ty.size(), ty, strong, constant)?);
        }
        // All loads come before all writes: a register may be part of the address.
        for (register, value) in registers.iter().zip(values) {
            self.wide_assign(register, ty, value)?;
        }
        Ok(())
    }

    fn names_entry_param(&mut self, operand: &Operand<'a>) -> bool {
        let Operand::Memory { base: Base::Name(name), .. } = operand else { return false };
        matches!(self.find(name), Some(Entity::Param(Param::Entry { .. })))
    }

    pub(super) fn store(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let strong = self.order(&mut mods, true)?;
        let space = Self::space(&mut mods);
        let hinted = mods.take(".L2::cache_hint");
        Self::skip_hints(&mut mods);
        let count = Self::vector(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty == Ty::Pred || ty.is_half() || ty == Ty::B128 && (strong || count > 1) {
            return Err(self.bad_type(ty));
        }
        if space == Some(Space::Const) {
            return Err(self.type_error("`.const` is read-only"));
        }
        let [a, source] = self.hinted_operands(i, hinted)?;
        let registers = self.elements(source, count)?;
        let place = self.place(a, space, ty.size() * count, Some(AccessKind::Write))?;
        if self.names_entry_param(a) {
            return Err(self.type_error("an entry's parameters are read-only"));
        }
        for (at, register) in registers.iter().enumerate() {
            let value = self.wide_source(register, ty)?;
            self.store_one(place, at as u32 * ty.size(), ty, value, strong)?;
        }
        Ok(())
    }

    /// `cvta[.to].space.u64 d, a;`
    pub(super) fn cvta(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let to_space = mods.take(".to");
        let space = Self::space(&mut mods);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(space) = space else { return Err(self.type_error("needs a state space")) };
        if ty != Ty::U64 {
            return Err(self.bad_type(ty));
        }
        let [d, a] = self.operands(i)?;
        let named = match a {
            Operand::Name(name) => self.address_of(name)?,
            _ => None,
        };
        let value = match named {
            Some(address) => address,
            None => self.source(a, ty)?,
        };
        let value = match (space, to_space) {
            (Space::Shared, false) => {
                let base = self.shared_base();
                self.b.ins().iadd(base, value)
            }
            (Space::Shared, true) => {
                let base = self.shared_base();
                self.b.ins().isub(value, base)
            }
            _ => value,
        };
        self.assign(d, ty, value)
    }

    /// Prefetches are checked and then left out.
    pub(super) fn prefetch(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let space = Self::space(&mut mods);
        Self::skip_hints(&mut mods);
        self.done(&mods)?;
        let [a] = self.operands(i)?;
        self.place(a, space, 1, None)?;
        Ok(())
    }
}
