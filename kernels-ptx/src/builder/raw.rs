//! What the device intrinsics, the dispatcher and the harness are made of: raw addresses, atomics, warp operations and
//! calls. Not for generated code, which reaches them through [`device`](crate::device).

use super::Builder;
use crate::{
    ir::{Address, AtomicOp, Base, Op, Operand, Order, Reg, ScalarType, Scope, Special, Stmt, WarpOp},
    lang::{Scalar, Val},
};

impl Builder {
    /// An address can only be formed from a register.
    fn pointer(&self, address: Val<u64>) -> Reg {
        match address.operand() {
            Operand::Reg(reg) => reg,
            constant @ Operand::Const(_) => {
                let reg = self.reg(ScalarType::U64);
                self.push(Stmt::Let { dst: reg, op: Op::Copy(constant) });
                reg
            }
        }
    }

    pub(crate) fn load<T: Scalar>(&self, address: Val<u64>, offset: u64, order: Order) -> Val<T> {
        let address = Address { base: Base::Reg(self.pointer(address)), offset };
        let dst = self.reg(T::SCALAR);
        self.push(Stmt::Load { dst, address, order });
        Val::of(Operand::Reg(dst))
    }

    pub(crate) fn store<T: Scalar>(&self, address: Val<u64>, offset: u64, value: Val<T>, order: Order) {
        let address = Address { base: Base::Reg(self.pointer(address)), offset };
        self.push(Stmt::Store { ty: T::SCALAR, address, value: value.operand(), order });
    }

    pub(crate) fn atomic(&self, address: Val<u64>, op: AtomicOp) -> Val<u64> {
        let address = Address { base: Base::Reg(self.pointer(address)), offset: 0 };
        let dst = self.reg(ScalarType::U64);
        self.push(Stmt::Atomic { dst, op, address });
        Val::of(Operand::Reg(dst))
    }

    pub(crate) fn fence_sc(&self, scope: Scope) {
        self.push(Stmt::FenceSc(scope));
    }

    pub(crate) fn sleep(&self, nanoseconds: Val<u32>) {
        self.push(Stmt::Nanosleep(nanoseconds.operand()));
    }

    pub(crate) fn pm_event(&self, event: u32) {
        self.push(Stmt::PmEvent(event));
    }

    pub(crate) fn special<T: Scalar>(&self, register: Special) -> Val<T> {
        Val::of(self.op(T::SCALAR, Op::Special(register)))
    }

    pub(crate) fn warp<T: Scalar>(&self, op: WarpOp, mask: Val<u32>) -> Val<T> {
        let dst = self.reg(T::SCALAR);
        self.push(Stmt::Warp { dst: Some(dst), op, mask: mask.operand() });
        Val::of(Operand::Reg(dst))
    }

    pub(crate) fn warp_sync(&self, mask: Val<u32>) {
        self.push(Stmt::Warp { dst: None, op: WarpOp::Sync, mask: mask.operand() });
    }

    /// Calls a function of the module that gives a `u32`.
    pub(crate) fn call(&self, symbol: &str, args: Vec<Operand>) -> Val<u32> {
        let dst = self.reg(ScalarType::U32);
        self.push(Stmt::Call { dst: Some(dst), symbol: symbol.into(), args });
        Val::of(Operand::Reg(dst))
    }
}
