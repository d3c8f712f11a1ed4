//! Slices of buffers: where a handler has them from, their elements, and how they are handed on.

use super::{Builder, Faulting, SendSlot, constant, take};
use crate::{
    abi::{corr, cx, fault::code, scratch, slice, slot, view},
    error::LowerError,
    ir::{Address, Base, BinaryOp, CompareOp, Operand, Order, ScalarType, Stmt},
    lang::{Addr, GpuData, GpuType, Loc, Mem, Place, Val, slice::Slice},
    ring::buffers::{HAND_ON, NO_ROOM},
};

const INDEX: Faulting = Faulting("a variable index", "use raw addresses");
const HAND: Faulting = Faulting("a slice in a message", "messages exist in handlers only");

impl Builder {
    /// The handler's slice with the number `index`: in its message it is the one of that number, too.
    pub fn slice_param<T: GpuData>(&self, index: usize) -> Place<Slice<T>> {
        let whole = self.slot::<Slice<T>>();
        if !self.handler_only("a slice") {
            return whole;
        }
        self.views(index + 1);
        let at = scratch::VIEWS - scratch::CX + index as u64 * view::SIZE;
        let field = |offset| self.context_word(at + offset);
        let parts = Slice::parts(whole);
        self.write(parts.address, Val::of(field(view::ADDRESS)));
        self.write(parts.handle, Val::of(field(view::HANDLE)));
        // The upper half counts, and is not of the offset.
        let offset = field(view::OFFSET);
        let low = self.binary(ScalarType::U64, BinaryOp::And, offset, constant(ScalarType::U64, 0xffff_ffff));
        self.write(parts.offset, Val::of(low));
        self.write(parts.len, Val::of(self.elements::<T>(field(view::BYTES))));
        whole
    }

    /// How many elements so many bytes are.
    fn elements<T: GpuData>(&self, bytes: Operand) -> Operand {
        let size = u64::from(T::TYPE.size());
        if size.is_power_of_two() {
            let by = constant(ScalarType::U32, size.trailing_zeros().into());
            return self.binary(ScalarType::U64, BinaryOp::Shr, bytes, by);
        }
        let dst = self.reg(ScalarType::U64);
        // Types without a size are refused where the slice's type is written.
        let right = constant(ScalarType::U64, size.max(1));
        self.push(Stmt::Divide { remainder: false, dst, left: bytes, right, zero: None, overflow: None });
        Operand::Reg(dst)
    }

    fn bytes<T: GpuData>(&self, elements: Operand) -> Operand {
        let size = constant(ScalarType::U64, T::TYPE.size().into());
        self.binary(ScalarType::U64, BinaryOp::Mul, elements, size)
    }

    pub(crate) fn slice_element<T: GpuData>(
        &self,
        place: Place<Slice<T>>,
        index: Val<usize>,
        line: u32,
    ) -> Place<T> {
        let parts = Slice::parts(place);
        let site = self.site(code::BOUNDS, line, None, INDEX);
        let outside = self.compare(CompareOp::Ge, index.operand(), self.read(parts.len).operand());
        self.fault_if(outside, true, site);
        let behind = self.bytes::<T>(index.operand());
        let address = self.binary(ScalarType::U64, BinaryOp::Add, self.read(parts.address).operand(), behind);
        let Operand::Reg(base) = address else { return self.slot() };
        let align = u64::from(T::TYPE.align());
        Place::at(Addr(Loc::Mem(Mem { base: Base::Reg(base), offset: 0, align })))
    }

    /// `slice.slice(from..to)`. Faults unless `from <= to <= len`.
    pub fn subslice<T: GpuData>(
        &self,
        place: Place<Slice<T>>,
        from: Val<usize>,
        to: Val<usize>,
        line: u32,
    ) -> Val<Slice<T>> {
        let (old, whole) = (Slice::parts(place), self.slot::<Slice<T>>());
        let new = Slice::parts(whole);
        let site = self.site(code::BOUNDS, line, None, INDEX);
        let behind = self.compare(CompareOp::Gt, to.operand(), self.read(old.len).operand());
        self.fault_if(behind, true, site);
        let crossed = self.compare(CompareOp::Gt, from.operand(), to.operand());
        self.fault_if(crossed, true, site);
        let skipped = self.bytes::<T>(from.operand());
        let add = |to: Place<u64>, old: Place<u64>| {
            let sum = self.binary(ScalarType::U64, BinaryOp::Add, self.read(old).operand(), skipped);
            self.write(to, Val::of(sum));
        };
        add(new.address, old.address);
        add(new.offset, old.offset);
        self.write(new.handle, self.read(old.handle));
        let len = self.binary(ScalarType::U64, BinaryOp::Sub, to.operand(), from.operand());
        self.write(new.len, Val::of(len));
        take(whole)
    }

    /// Says how many slices the staged message begins with.
    pub fn send_slices(&self, slot: &SendSlot, count: usize) {
        let word = (count as u64) << corr::PAYLOAD_SHIFT;
        self.put(slot.entry(), slot::CORR, ScalarType::U64, constant(ScalarType::U64, word));
    }

    /// Writes a slice of the staged message, the `index`-th. What came within its message is copied to `free`, the first byte of the
    /// payload that nothing else is written to; the result is the first one behind it. Faults where it has no room.
    pub fn send_slice<T: GpuData>(
        &self,
        slot: &SendSlot,
        index: usize,
        value: Val<Slice<T>>,
        free: Val<u32>,
    ) -> Val<u32> {
        if !self.handler_only("a slice in a message") {
            return free;
        }
        let payload = self.add_bytes(slot.entry(), slot::HEADER);
        let size = self.field(cx::SLOT_SIZE, ScalarType::U64);
        let size = self.convert(ScalarType::U32, size);
        let header = constant(ScalarType::U32, slot::HEADER);
        let room = self.binary(ScalarType::U32, BinaryOp::Sub, size, header);
        let views = constant(ScalarType::U32, self.state.borrow().views as u64);
        self.hand_on(payload, index, value, free, room, views)
    }

    /// Makes a slice the reply.
    pub fn reply_slice<T: GpuData>(&self, value: Val<Slice<T>>) {
        if !self.handler_only("the reply") {
            return;
        }
        let payload = self.add_bytes(self.arg_operand(2), cx::REPLY);
        let room = self.field(cx::SLOT_SIZE, ScalarType::U64);
        let room = self.convert(ScalarType::U32, room);
        let room = self.binary(ScalarType::U32, BinaryOp::Sub, room, constant(ScalarType::U32, slot::HEADER));
        let free = Val::of(constant(ScalarType::U32, slice::SIZE));
        self.hand_on(payload, 0, value, free, room, constant(ScalarType::U32, 0));
    }

    fn hand_on<T: GpuData>(
        &self,
        payload: Operand,
        index: usize,
        value: Val<Slice<T>>,
        free: Val<u32>,
        room: Operand,
        views: Operand,
    ) -> Val<u32> {
        let line = self.state.borrow().line;
        let site = self.site(code::NO_ROOM, line, None, HAND);
        let parts = Slice::parts(self.temp(value));
        let to = self.add_bytes(payload, index as u64 * slice::SIZE);
        let bytes = self.bytes::<T>(self.read(parts.len).operand());
        let behind = self.call(
            HAND_ON,
            vec![
                self.arg_operand(2),
                to,
                payload,
                free.operand(),
                room,
                self.read(parts.address).operand(),
                bytes,
                self.read(parts.handle).operand(),
                self.read(parts.offset).operand(),
                views,
            ],
        );
        let full = self.compare(CompareOp::Eq, behind.operand(), constant(ScalarType::U32, NO_ROOM.into()));
        self.fault_if(full, true, site);
        behind
    }

    fn add_bytes(&self, address: Operand, bytes: u64) -> Operand {
        self.binary(ScalarType::U64, BinaryOp::Add, address, constant(ScalarType::U64, bytes))
    }

    /// A word of the handler's record and what lies behind it.
    fn context_word(&self, offset: u64) -> Operand {
        let dst = self.reg(ScalarType::U64);
        let Operand::Reg(base) = self.arg_operand(2) else { return Operand::Reg(dst) };
        let address = Address { base: Base::Reg(base), offset };
        self.push(Stmt::Load { dst, address, order: Order::Weak });
        Operand::Reg(dst)
    }

    /// The register of a handler's parameter.
    fn arg_operand(&self, index: usize) -> Operand {
        self.arg::<u64>(index).operand()
    }

    /// Remembers how many views the handler has.
    fn views(&self, count: usize) {
        let mut state = self.state.borrow_mut();
        state.views = state.views.max(count);
    }

    /// A constant of a type that has none.
    pub(crate) fn no_constant<T: GpuType>(&self, what: &'static str) -> Val<T> {
        self.fail(LowerError::Misuse { function: self.symbol.clone(), what });
        self.never()
    }
}
