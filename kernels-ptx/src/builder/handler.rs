//! What only handlers have: state, message, reply, sends and the context record.

use super::{Builder, Faulting, constant, take};
use crate::{
    abi::{cx, fault::code, slot},
    error::LowerError,
    ir::{Address, Base, BinaryOp, CompareOp, Kind, Operand, Order, Reg, ScalarType, Stmt, Type},
    lang::{Addr, GpuData, Loc, Mem, Place, Val},
};

const SEND: Faulting = Faulting("`tell`", "sends exist in handlers only");

/// The registers that a handler is entered with.
const STATE: Reg = Reg(0);
const MESSAGE: Reg = Reg(1);
const CONTEXT: Reg = Reg(2);

/// A message that is being staged in the outbox.
#[derive(Clone, Copy, Debug)]
pub struct SendSlot(Operand);

impl SendSlot {
    /// The address of its entry.
    pub(super) fn entry(&self) -> Operand {
        self.0
    }
}

impl Builder {
    pub(super) fn handler_only(&self, what: &'static str) -> bool {
        let handler = self.kind == Kind::Handler;
        if !handler {
            self.fail(LowerError::HandlerOnly { function: self.symbol.clone(), what });
        }
        handler
    }

    fn at<T: GpuData>(base: Reg, offset: u64, align: u64) -> Place<T> {
        Place::at(Addr(Loc::Mem(Mem { base: Base::Reg(base), offset, align })))
    }

    /// The actor's state. It lies at a multiple of 8, and of the type's alignment if that is more.
    pub fn state<S: GpuData>(&self) -> Place<S> {
        if !self.handler_only("actor state") {
            return self.slot();
        }
        Self::at(STATE, 0, u64::from(S::TYPE.align().max(8)))
    }

    /// A copy of the actor's state, for a handler that must not leave a part of its changes behind.
    pub fn state_copy<S: GpuData>(&self) -> Place<S> {
        let copy = self.slot();
        self.write(copy, self.whole(self.state::<S>()));
        copy
    }

    /// Makes the copy the actor's state.
    pub fn state_commit<S: GpuData>(&self, copy: Place<S>) {
        self.write(self.state(), self.whole(copy));
    }

    /// The value of a place that is written to only after it has been used.
    fn whole<T: GpuData>(&self, place: Place<T>) -> Val<T> {
        if let Type::Scalar(_) = T::TYPE { self.read(place) } else { take(place) }
    }

    /// The part of the message's payload at `offset` bytes.
    pub fn param<T: GpuData>(&self, offset: usize) -> Place<T> {
        let end = offset as u64 + u64::from(T::TYPE.size());
        if !self.handler_only("the message") || !self.fits("the message", end) {
            return self.slot();
        }
        Self::at(MESSAGE, slot::HEADER + offset as u64, 8)
    }

    fn fits(&self, what: &'static str, end: u64) -> bool {
        let limit = slot::MAX_PAYLOAD;
        if end > limit {
            self.fail(LowerError::PayloadTooLarge { function: self.symbol.clone(), what, end, limit });
        }
        end <= limit
    }

    /// Sets the reply. It is sent when the handler has returned without a fault.
    pub fn reply<R: GpuData>(&self, value: Val<R>) {
        if self.handler_only("the reply") && self.fits("the reply", R::TYPE.size().into()) {
            self.write(Self::at::<R>(CONTEXT, cx::REPLY, 8), value);
        }
    }

    /// Stages a message to the actor with the raw id `target`; it is sent when the handler has returned without a
    /// fault. Faults, with the line of [`at_line`](Self::at_line), if the outbox is full.
    pub fn send(&self, target: Val<u64>, method: u32) -> SendSlot {
        if !self.handler_only("`tell`") {
            return SendSlot(constant(ScalarType::U64, 0));
        }
        let line = self.state.borrow().line;
        let site = self.site(code::TOO_MANY_SENDS, line, None, SEND);
        let sent = self.field(cx::SENT, ScalarType::U32);
        let capacity = self.field(cx::OUTBOX_CAPACITY, ScalarType::U32);
        let full = self.compare(CompareOp::Ge, sent, capacity);
        self.fault_if(full, true, site);
        let size = self.field(cx::SLOT_SIZE, ScalarType::U64);
        let behind = self.convert(ScalarType::U64, sent);
        let behind = self.binary(ScalarType::U64, BinaryOp::Mul, behind, size);
        let outbox = self.field(cx::OUTBOX, ScalarType::U64);
        let entry = self.binary(ScalarType::U64, BinaryOp::Add, outbox, behind);
        let head = constant(ScalarType::U64, u64::from(method) << 32);
        self.put(entry, slot::SEQ_METHOD, ScalarType::U64, head);
        self.put(entry, slot::ACTOR, ScalarType::U64, target.operand());
        // A tell: nobody waits for a reply. The clock stamp is the ring's.
        self.put(entry, slot::CORR, ScalarType::U64, constant(ScalarType::U64, 0));
        let next = self.binary(ScalarType::U32, BinaryOp::Add, sent, constant(ScalarType::U32, 1));
        self.put(Operand::Reg(CONTEXT), cx::SENT, ScalarType::U32, next);
        SendSlot(entry)
    }

    /// Writes a part of the staged message's payload, at `offset` bytes.
    pub fn send_arg<T: GpuData>(&self, slot: &SendSlot, offset: usize, value: Val<T>) {
        let Operand::Reg(entry) = slot.0 else { return };
        if self.fits("a message", offset as u64 + u64::from(T::TYPE.size())) {
            self.write(Self::at::<T>(entry, slot::HEADER + offset as u64, 8), value);
        }
    }

    /// `cx.now()`: the actor's clock at this message.
    pub fn cx_now(&self) -> Val<u64> {
        self.context(cx::NOW, ScalarType::U64)
    }

    /// `cx.worker()`.
    pub fn cx_worker(&self) -> Val<u32> {
        self.context(cx::WORKER, ScalarType::U32)
    }

    /// `cx.lane()`.
    pub fn cx_lane(&self) -> Val<u32> {
        self.context(cx::LANE, ScalarType::U32)
    }

    /// The raw id of the actor itself.
    pub fn cx_self_id(&self) -> Val<u64> {
        self.context(cx::SELF_ID, ScalarType::U64)
    }

    fn context<T>(&self, offset: u64, ty: ScalarType) -> Val<T> {
        if !self.handler_only("the context") {
            return Val::of(constant(ty, 0));
        }
        Val::of(self.field(offset, ty))
    }

    pub(super) fn field(&self, offset: u64, ty: ScalarType) -> Operand {
        let dst = self.reg(ty);
        self.push(Stmt::Load {
            dst,
            address: Address { base: Base::Reg(CONTEXT), offset },
            order: Order::Weak,
        });
        Operand::Reg(dst)
    }

    pub(super) fn put(&self, base: Operand, offset: u64, ty: ScalarType, value: Operand) {
        if let Operand::Reg(base) = base {
            let address = Address { base: Base::Reg(base), offset };
            self.push(Stmt::Store { ty, address, value, order: Order::Weak });
        }
    }
}
