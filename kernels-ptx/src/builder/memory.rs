//! Literals, locals, places, reading and writing.
//!
//! Scalars live in registers, everything else in the stack frame or behind an address. Reading copies: a value never
//! changes when the place that it was read from does. [`tidy`](super::tidy) takes out the copies that nobody needs.

use super::{Builder, Faulting, constant};
use crate::{
    abi::fault::code,
    ir::{Address, Base, FrameSlot, Op, Operand, Order, ScalarType, SlotId, Stmt, Type},
    lang::{Addr, GpuData, GpuType, Len, Loc, Mem, Place, Repr, Scalar, Val, slice::Elements},
};

const INDEX: Faulting = Faulting("a variable index", "use raw addresses");

impl Builder {
    /// A constant.
    pub fn lit<T: GpuType>(&self, x: T) -> Val<T> {
        x.lower_const(self)
    }

    /// A scalar constant, for implementations of [`GpuType::lower_const`].
    pub fn lit_scalar<T: Scalar>(&self, x: T) -> Val<T> {
        Val::of(constant(T::SCALAR, x.to_word()))
    }

    /// A constant of a data type, for implementations of [`GpuType::lower_const`].
    pub fn lit_data<T: GpuData>(&self, x: T) -> Val<T> {
        let place = self.slot::<T>();
        self.set_data(place, x);
        take(place)
    }

    /// Stores a constant of a data type, for implementations of [`GpuType::store_const`].
    pub fn set_data<T: GpuData>(&self, place: Place<T>, x: T) {
        let mut bytes = vec![0; T::TYPE.size() as usize];
        x.encode(&mut bytes);
        if let Loc::Mem(mem) = Place::addr(place).0 {
            // As wide as the place's alignment admits.
            let step = mem.known_align();
            for (word, chunk) in (0..).zip(bytes.chunks(step as usize)) {
                self.store_bytes(mem, word * step, chunk);
            }
        }
    }

    /// Stores constant bytes, at most 8 and no more than the alignment.
    fn store_bytes(&self, mem: Mem, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let ty = match bytes.len() {
                8.. => ScalarType::U64,
                4..8 => ScalarType::U32,
                2..4 => ScalarType::U16,
                _ => ScalarType::U8,
            };
            let (now, later) = bytes.split_at(ty.size() as usize);
            let bits = now.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
            let address = Address { base: mem.base, offset: mem.offset + offset };
            self.push(Stmt::Store { ty, address, value: constant(ty, bits), order: Order::Weak });
            offset += u64::from(ty.size());
            bytes = later;
        }
    }

    /// `()`.
    pub fn unit(&self) -> Val<()> {
        Val::of(constant(ScalarType::Bool, 0))
    }

    /// The value of an expression that never has one, such as `return`: what follows is dead.
    pub fn never<T: GpuType>(&self) -> Val<T> {
        match T::TYPE {
            Type::Scalar(ty) => Val::of(constant(ty, 0)),
            Type::Bytes { .. } => take(self.slot::<T>()),
        }
    }

    /// A local without a value.
    pub fn slot<T: GpuType>(&self) -> Place<T> {
        Place::at(Addr(match T::TYPE {
            Type::Scalar(ty) => Loc::Reg(self.reg(ty)),
            Type::Bytes { size, align } => {
                let align = align.max(8);
                let mut state = self.state.borrow_mut();
                state.slots.push(FrameSlot { size, align });
                Loc::Mem(Mem::slot(SlotId(state.slots.len() as u32 - 1), align.into()))
            }
        }))
    }

    /// A local that starts with a value.
    pub fn local<T: GpuType>(&self, value: Val<T>) -> Place<T> {
        let place = self.slot();
        self.write(place, value);
        place
    }

    /// A place for a value that is only read from: what `f().x` needs.
    pub fn temp<T: GpuType>(&self, value: Val<T>) -> Place<T> {
        match (value.repr, T::TYPE) {
            (Repr::Memory(mem), _) => Place::at(Addr(Loc::Mem(mem))),
            _ => self.local(value),
        }
    }

    /// A value of the place's type, whatever it is: it leads method calls to the type's own functions.
    pub fn witness<T: GpuData>(&self, _: Place<T>) -> T {
        T::decode(&[])
    }

    /// The value that a place has now.
    pub fn read<T: GpuType>(&self, place: Place<T>) -> Val<T> {
        match (Place::addr(place).0, T::TYPE) {
            (Loc::Reg(reg), Type::Scalar(ty)) => Val::of(self.op(ty, Op::Copy(Operand::Reg(reg)))),
            (Loc::Mem(mem), Type::Scalar(ty)) => {
                let dst = self.reg(ty);
                let address = Address { base: mem.base, offset: mem.offset };
                self.push(Stmt::Load { dst, address, order: Order::Weak });
                Val::of(Operand::Reg(dst))
            }
            (Loc::Mem(from), Type::Bytes { .. }) => {
                let copy = self.slot::<T>();
                if let Loc::Mem(to) = Place::addr(copy).0 {
                    self.copy(to, from, T::TYPE);
                }
                take(copy)
            }
            (Loc::Reg(_), Type::Bytes { .. }) => {
                self.misuse("a struct or array in a register");
                self.never()
            }
        }
    }

    /// Gives a place a value.
    pub fn write<T: GpuType>(&self, place: Place<T>, value: Val<T>) {
        match (Place::addr(place).0, T::TYPE, value.repr) {
            (Loc::Reg(dst), Type::Scalar(_), Repr::Operand(operand)) => {
                self.push(Stmt::Let { dst, op: Op::Copy(operand) });
            }
            (Loc::Mem(mem), Type::Scalar(ty), Repr::Operand(value)) => {
                let address = Address { base: mem.base, offset: mem.offset };
                self.push(Stmt::Store { ty, address, value, order: Order::Weak });
            }
            (Loc::Mem(to), Type::Bytes { .. }, Repr::Memory(from)) => self.copy(to, from, T::TYPE),
            (_, Type::Bytes { size: 0, .. }, _) => {}
            _ => self.misuse("a value that does not fit its place"),
        }
    }

    fn copy(&self, to: Mem, from: Mem, ty: Type) {
        let size = u64::from(ty.size());
        if size > 0 {
            let dst = Address { base: to.base, offset: to.offset };
            let src = Address { base: from.base, offset: from.offset };
            self.push(Stmt::Copy { dst, src, size, align: to.known_align().min(from.known_align()) });
        }
    }

    /// `place[i]`. Faults if `i` is out of bounds.
    pub fn index<T: Elements>(&self, place: Place<T>, i: Val<usize>, line: u32) -> Place<T::Item> {
        T::element(self, place, i, line)
    }

    pub(crate) fn array_element<T: GpuType, const N: usize>(
        &self,
        place: Place<[T; N]>,
        i: Val<usize>,
        line: u32,
    ) -> Place<T> {
        if let Some(i) = i.constant() {
            if i.bits < N as u64 {
                return element(place, i.bits as usize);
            }
            if let Some(site) = self.site(code::BOUNDS, line, None, INDEX) {
                self.terminate(Stmt::Fault { site });
            }
            return self.slot();
        }
        let (Loc::Mem(mem), Some(site)) = (Place::addr(place).0, self.site(code::BOUNDS, line, None, INDEX))
        else {
            return self.slot();
        };
        let stride = u64::from(T::TYPE.size());
        let dst = self.reg(ScalarType::U64);
        // With a register as base the constant offset can wait for the access; a slot's address has to be formed.
        let (offset, later) =
            if matches!(mem.base, Base::Reg(_)) { (0, mem.offset) } else { (mem.offset, 0) };
        let base = Address { base: mem.base, offset };
        self.push(Stmt::Index { dst, base, index: i.operand(), length: N as u64, stride, site: Some(site) });
        let whole = Mem { offset: mem.offset | stride, ..mem };
        Place::at(Addr(Loc::Mem(Mem { base: Base::Reg(dst), offset: later, align: whole.known_align() })))
    }

    /// `place.len()`.
    pub fn len<T: Len>(&self, place: Place<T>) -> Val<T::Out> {
        T::len(self, place)
    }
}

/// The value of a place that is never written again.
pub(crate) fn take<T: GpuType>(place: Place<T>) -> Val<T> {
    match Place::addr(place).0 {
        Loc::Reg(reg) => Val::of(Operand::Reg(reg)),
        Loc::Mem(mem) => Val::memory(mem),
    }
}

/// An element whose index is known.
pub(crate) fn element<T: GpuType, const N: usize>(place: Place<[T; N]>, i: usize) -> Place<T> {
    Place::at(Place::addr(place).offset(i * T::TYPE.size() as usize))
}
