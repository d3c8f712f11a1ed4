//! Atomic read-modify-write, and fences.
//!
//! Every order and scope is carried out as sequentially consistent between all threads of the process, which is at least what is asked.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers, program_memory};
use super::memory::Place;
use super::module::clif;
use crate::block::Lane;
use crate::check::AccessKind;
use crate::host;
use crate::host::float::{Kind, Operation, encode, flag};
use crate::ptx::ast::{Instruction, Operand, Ty};
use crate::soft::Mode;

/// What an atomic instruction does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareAndSwap,
    Increment,
    Decrement,
}

const OPS: [(&str, Op); 10] = [
    (".add", Op::Add),
    (".min", Op::Min),
    (".max", Op::Max),
    (".and", Op::And),
    (".or", Op::Or),
    (".xor", Op::Xor),
    (".exch", Op::Exchange),
    (".cas", Op::CompareAndSwap),
    (".inc", Op::Increment),
    (".dec", Op::Decrement),
];

impl Op {
    /// Whether PTX knows the operation for a type.
    fn knows(self, ty: Ty) -> bool {
        match self {
            Op::Add if ty.is_half() => true,
            Op::Add => matches!(ty, Ty::U32 | Ty::S32 | Ty::U64 | Ty::F32 | Ty::F64),
            Op::Min | Op::Max => matches!(ty, Ty::U32 | Ty::S32 | Ty::U64 | Ty::S64),
            Op::And | Op::Or | Op::Xor => matches!(ty, Ty::B32 | Ty::B64),
            Op::Exchange => matches!(ty, Ty::B32 | Ty::B64 | Ty::B128),
            Op::CompareAndSwap => matches!(ty, Ty::B16 | Ty::B32 | Ty::B64 | Ty::B128),
            Op::Increment | Op::Decrement => ty == Ty::U32,
        }
    }
}

impl<'a> Lower<'_, '_, 'a> {
    /// `atom` and `red`.
    pub(super) fn atomic(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let reduces = i.opcode == "red";
        let order = [".relaxed", ".acquire", ".release", ".acq_rel"].into_iter().find(|o| mods.take(o));
        for scope in [".cta", ".cluster", ".gpu", ".sys"] {
            mods.take(scope);
        }
        if let (true, Some(order @ (".acquire" | ".acq_rel"))) = (reduces, order) {
            return Err(self.unsupported(order, "`red` returns nothing, so it cannot acquire"));
        }
        let space = Self::space(&mut mods);
        let (noftz, hinted) = (mods.take(".noftz"), mods.take(".L2::cache_hint"));
        let count = Self::vector(&mut mods);
        let Some(op) = mods.take_any(&OPS) else {
            return Err(match mods.left() {
                Some(left) if Ty::from_modifier(left).is_none() => {
                    self.unsupported(left, "no such operation")
                }
                _ => self.type_error("needs an operation such as `.add`"),
            });
        };
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let vector = count > 1;
        let known = if vector {
            // Vectors have floats only, and halves have extremes in vectors only.
            ty.is_half() && matches!(op, Op::Add | Op::Min | Op::Max) || ty == Ty::F32 && op == Op::Add
        } else {
            op.knows(ty)
        };
        if !known || reduces && matches!(op, Op::Exchange | Op::CompareAndSwap) {
            return Err(self.bad_type(ty));
        }
        if ty == Ty::B128 && !cfg!(target_arch = "x86_64") {
            return Err(self.unsupported(".b128", "the host has no atomics of 128 bits"));
        }
        if noftz != ty.is_half() {
            return Err(if noftz {
                self.unsupported(".noftz", "for halves only")
            } else {
                self.type_error("halves need `.noftz`")
            });
        }
        let mut all = i.operands.as_slice();
        if hinted {
            let [rest @ .., policy] = all else { return Err(self.type_error("wrong number of operands")) };
            self.source(policy, Ty::B64)?;
            all = rest;
        }
        let (d, operands) = match (reduces, all) {
            (false, [d, rest @ ..]) => (Some(d), rest),
            (_, rest) => (None, rest),
        };
        let (a, b, c) = match (operands, op) {
            ([a, b, c], Op::CompareAndSwap) => (a, b, Some(c)),
            ([a, b], op) if op != Op::CompareAndSwap => (a, b, None),
            _ => return Err(self.type_error("wrong number of operands")),
        };
        let address = match self.place(a, space, ty.size() * count, Some(AccessKind::Atomic))? {
            Place::Memory(address, offset) => self.flat_address(address, offset),
            Place::Scalar(..) => return Err(self.type_error("a parameter is not shared with anyone")),
        };
        if vector {
            return self.atomic_vector(op, ty, count, address, d, b);
        }
        let b = self.source(b, ty)?;
        let old = if let Some(c) = c {
            let c = self.source(c, ty)?;
            self.b.ins().atomic_cas(program_memory(), address, b, c)
        } else {
            self.read_modify_write(op, ty, address, b)?
        };
        match d {
            Some(d) => self.assign(d, ty, old),
            None => Ok(()),
        }
    }

    /// An atomic operation on each element of a vector.
    fn atomic_vector(
        &mut self,
        op: Op,
        ty: Ty,
        count: u32,
        address: Value,
        d: Option<&Operand<'a>>,
        b: &Operand<'a>,
    ) -> Lowered {
        let mut olds = Vec::with_capacity(count as usize);
        for (at, b) in (0..).zip(self.elements(b, count)?) {
            let b = self.source(b, ty)?;
            let address = self.flat_address(address, (at * ty.size()) as i32);
            olds.push(self.read_modify_write(op, ty, address, b)?);
        }
        let Some(d) = d else { return Ok(()) };
        for (d, old) in self.elements(d, count)?.iter().zip(olds) {
            self.assign(d, ty, old)?;
        }
        Ok(())
    }

    /// An operation on one half, or on two that lie in one word.
    fn atomic_half(&mut self, op: Op, ty: Ty, address: Value, operand: Value) -> Lowered<Value> {
        let operation = match op {
            Op::Min => Operation::Min,
            Op::Max => Operation::Max,
            _ => Operation::Add,
        };
        let kind = if matches!(ty, Ty::F16 | Ty::F16x2) { Kind::F16 } else { Kind::Bf16 };
        let flags = if ty.is_pair() { flag::PAIR } else { 0 };
        let number = self.int(types::I32, encode(operation, kind, Mode::Nearest, flags));
        let operand = self.resize(operand, types::I32, false);
        let old = self.host_value(&host::ATOM_HALF, &[number, address, operand])?;
        Ok(self.resize(old, clif(ty), false))
    }

    fn read_modify_write(&mut self, op: Op, ty: Ty, address: Value, operand: Value) -> Lowered<Value> {
        if ty.is_half() {
            return self.atomic_half(op, ty, address, operand);
        }
        let rmw = match (op, ty) {
            (Op::Add, Ty::F32) => return self.host_value(&host::ATOM_ADD_F32, &[address, operand]),
            (Op::Add, Ty::F64) => return self.host_value(&host::ATOM_ADD_F64, &[address, operand]),
            (Op::Increment, _) => return self.host_value(&host::ATOM_INC, &[address, operand]),
            (Op::Decrement, _) => return self.host_value(&host::ATOM_DEC, &[address, operand]),
            (Op::Add, _) => AtomicRmwOp::Add,
            (Op::Min, _) if ty.is_signed() => AtomicRmwOp::Smin,
            (Op::Min, _) => AtomicRmwOp::Umin,
            (Op::Max, _) if ty.is_signed() => AtomicRmwOp::Smax,
            (Op::Max, _) => AtomicRmwOp::Umax,
            (Op::And, _) => AtomicRmwOp::And,
            (Op::Or, _) => AtomicRmwOp::Or,
            (Op::Xor, _) => AtomicRmwOp::Xor,
            (Op::Exchange | Op::CompareAndSwap, _) => AtomicRmwOp::Xchg,
        };
        Ok(self.b.ins().atomic_rmw(clif(ty), program_memory(), rmw, address, operand))
    }

    /// `fence.{sc,acq_rel}.scope` and `membar.{cta,gl,sys}`, which is `fence.sc`. All accesses go through one proxy here, so
    /// `fence.proxy` orders what a light fence does.
    pub(super) fn fence(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let [] = self.operands(i)?;
        if mods.take(".proxy") {
            const PROXIES: [&str; 6] = [
                ".alias",
                ".async",
                ".async.global",
                ".async::generic",
                ".async.shared::cta",
                ".async.shared::cluster",
            ];
            if !PROXIES.into_iter().any(|p| mods.take(p)) {
                return Err(match mods.left() {
                    Some(left) => self.unsupported(left, "no such proxy is known"),
                    None => self.type_error("needs a kind of proxy such as `.async`"),
                });
            }
            let _ = [".global", ".shared::cta", ".shared::cluster"].into_iter().any(|s| mods.take(s));
            self.done(&mods)?;
            self.light_fence();
            return Ok(());
        }
        if mods.take(".mbarrier_init") {
            let complete = mods.take(".release") && mods.take(".cluster");
            self.done(&mods)?;
            if !complete {
                return Err(self.type_error("needs `.release.cluster`"));
            }
            self.light_fence();
            return Ok(());
        }
        let full = if i.opcode == "membar" {
            let level = [".cta", ".gl", ".sys"].into_iter().find(|l| mods.take(l));
            if level.is_none() {
                return Err(self.type_error("needs `.cta`, `.gl` or `.sys`"));
            }
            true
        } else {
            let full = mods.take(".sc");
            let light = [".acq_rel", ".acquire", ".release"].into_iter().any(|m| mods.take(m));
            let scope = [".cta", ".cluster", ".gpu", ".sys"].into_iter().find(|s| mods.take(s));
            if scope.is_none() || full && light {
                return Err(self.type_error("needs at most one order, and a scope"));
            }
            // Without an order a fence is `.acq_rel`.
            full
        };
        self.done(&mods)?;
        if full {
            self.b.ins().fence();
        } else {
            self.light_fence();
        }
        Ok(())
    }

    /// A fence that is weaker than sequential consistency.
    fn light_fence(&mut self) {
        if cfg!(target_arch = "x86_64") {
            // Only the compiler has to be told.
            self.b.ins().sequence_point();
        } else {
            self.b.ins().fence();
        }
    }

    /// The mask with only this lane's bit.
    pub(super) fn own_lane_bit(&mut self) -> Value {
        if self.env.alone {
            return self.int(types::I32, 1);
        }
        let lane = self.context_field(types::I32, offset_of!(Lane, number));
        let one = self.int(types::I32, 1);
        self.b.ins().ishl(one, lane)
    }

    /// Whether a value is not zero, as a predicate.
    pub(super) fn is_set(&mut self, value: Value) -> Value {
        let ty = self.value_type(value);
        let zero = self.int(ty, 0);
        self.b.ins().icmp(IntCC::NotEqual, value, zero)
    }
}
