//! One statement by itself: folded, narrowed, found again, or written as it is with better operands.

use super::{Def, Key, Origin, Range, UNKNOWN, Value, Walk, range};
use crate::{
    ir::{
        Address, AtomicOp, Base, BinaryOp, CheckedOp, CompareOp, Const, Op, Operand, Order, Reg, ScalarType,
        SiteId, Stmt, UnaryOp, WarpOp,
    },
    opt::fold,
};

/// What an operation turned out to be.
enum Found {
    /// A value that is there already.
    Value(Value),
    /// A new value, by this operation.
    New(Op, Range, Def, Option<Key>),
}

impl Walk<'_> {
    pub(super) fn put(&self, out: &mut Vec<Stmt>, stmt: Stmt) {
        if self.emit {
            out.push(stmt);
        }
    }

    /// A statement without others inside, that is no jump. Whether control gets past it.
    pub(super) fn plain(&mut self, stmt: &Stmt, out: &mut Vec<Stmt>) -> bool {
        match *stmt {
            Stmt::Let { dst, op } => self.assignment(dst, op, out),
            Stmt::Overflowing { op, value, overflow, left, right } => {
                self.overflowing(op, (value, overflow), (left, right), out);
            }
            Stmt::Divide { remainder, dst, left, right, zero, overflow } => {
                return self.divide(remainder, dst, (left, right), (zero, overflow), out);
            }
            Stmt::Index { dst, base, index, length, stride, site } => {
                return self.index(dst, base, index, (length, stride), site, out);
            }
            Stmt::FaultIf { cond, when, site } => {
                let (value, cond) = self.best(cond);
                match self.constant(value) {
                    Some(c) if (c.bits != 0) == when => {
                        self.put(out, Stmt::Fault { site });
                        return false;
                    }
                    Some(_) => {}
                    None => {
                        self.put(out, Stmt::FaultIf { cond, when, site });
                        self.learn(value, !when);
                    }
                }
            }
            Stmt::Load { dst, address, order } => self.load(dst, address, order, out),
            Stmt::Store { ty, address, value, order } => self.store(ty, address, value, order, out),
            Stmt::Copy { dst, src, size, align } => {
                let (dst, src) = (self.address(dst, size, align), self.address(src, size, align));
                if dst != src {
                    self.put(out, Stmt::Copy { dst, src, size, align });
                    self.overwritten(dst, size);
                }
            }
            Stmt::Atomic { dst, op, address } => {
                let op = match op {
                    AtomicOp::Add(value) => AtomicOp::Add(self.operand(value)),
                    AtomicOp::Cas { expected, new } => {
                        AtomicOp::Cas { expected: self.operand(expected), new: self.operand(new) }
                    }
                };
                // An atomic has no slots.
                let better = self.address(address, 8, 8);
                let address = if matches!(better.base, Base::Reg(_)) { better } else { address };
                self.put(out, Stmt::Atomic { dst, op, address });
                self.memory.clear();
                self.give(dst);
            }
            Stmt::FenceSc(_) | Stmt::PmEvent(_) => {
                self.memory.clear();
                self.put(out, stmt.clone());
            }
            Stmt::Nanosleep(time) => {
                self.memory.clear();
                let time = self.operand(time);
                self.put(out, Stmt::Nanosleep(time));
            }
            Stmt::Warp { dst, op, mask } => self.warp(dst, op, mask, out),
            Stmt::Call { dst, ref symbol, ref args } => {
                let args = args.iter().map(|&arg| self.operand(arg)).collect();
                self.put(out, Stmt::Call { dst, symbol: symbol.clone(), args });
                self.memory.clear();
                if let Some(dst) = dst {
                    self.give(dst);
                }
            }
            _ => self.put(out, stmt.clone()),
        }
        true
    }

    /// The register gets a value about which nothing is known.
    fn give(&mut self, dst: Reg) -> Value {
        let value = self.opaque(self.ty(dst));
        self.assign(dst, value);
        value
    }

    /// The register gets a value that is there already.
    fn reuse(&mut self, dst: Reg, value: Value, out: &mut Vec<Stmt>) -> bool {
        let operand = match (self.constant(value), self.holder(value)) {
            (Some(c), _) => Operand::Const(c),
            (None, Some(home)) => Operand::Reg(home),
            (None, None) => return false,
        };
        if operand != Operand::Reg(dst) {
            self.put(out, Stmt::Let { dst, op: Op::Copy(operand) });
        }
        self.assign(dst, value);
        true
    }

    pub(super) fn assignment(&mut self, dst: Reg, op: Op, out: &mut Vec<Stmt>) {
        let ty = self.ty(dst);
        let (op, found) = self.examine(op, ty);
        match found {
            Found::Value(value) => {
                if !self.reuse(dst, value, out) {
                    // The value is known, but no register holds it any more: this one does from now on.
                    self.put(out, Stmt::Let { dst, op });
                    self.assign(dst, value);
                }
            }
            Found::New(op, range, def, key) => {
                if let Some(key) = key
                    && let Some(&value) = self.known.get(&(key, ty))
                    && self.holder(value).is_some()
                {
                    self.narrow(value, range);
                    self.reuse(dst, value, out);
                    return;
                }
                self.put(out, Stmt::Let { dst, op });
                let value = self.fresh(ty, range, def);
                if let Some(key) = key {
                    self.known.insert((key, ty), value);
                }
                self.assign(dst, value);
            }
        }
    }

    /// What an operation gives, and the operation with the best operands.
    fn examine(&mut self, op: Op, ty: ScalarType) -> (Op, Found) {
        let mut values = [UNKNOWN; 3];
        let mut next = 0;
        let mut take = |walk: &mut Self, operand: Operand| {
            let (value, best) = walk.best(operand);
            values[next] = value;
            next += 1;
            best
        };
        let op = match op {
            Op::Copy(a) => Op::Copy(take(self, a)),
            Op::Unary(unary, a) => Op::Unary(unary, take(self, a)),
            Op::Binary(binary, a, b) => Op::Binary(binary, take(self, a), take(self, b)),
            Op::Compare(compare, a, b) => Op::Compare(compare, take(self, a), take(self, b)),
            Op::Select { cond, yes, no } => {
                Op::Select { cond: take(self, cond), yes: take(self, yes), no: take(self, no) }
            }
            Op::MulAdd(a, b, c) => Op::MulAdd(take(self, a), take(self, b), take(self, c)),
            Op::Cast(a) => Op::Cast(take(self, a)),
            Op::Bitcast(a) => Op::Bitcast(take(self, a)),
            Op::Special(_) => op,
        };
        if let Some(c) = fold::fold(op, ty) {
            return (op, Found::Value(self.constant_value(c)));
        }
        let [a, b, c] = values;
        if let Some(value) = self.identity(&op, ty, values) {
            return (op, Found::Value(value));
        }
        let ranges = values.map(|value| self.info(value).range);
        let range = range::result(&op, ty, ranges, self.info(a).ty);
        if let Some(single) = range.single().filter(|_| !ty.is_float()) {
            return (op, Found::Value(self.constant_value(Const::new(ty, single as u64))));
        }
        let (def, key) = match op {
            Op::Copy(_) => return (op, Found::Value(a)),
            Op::Unary(unary, _) => {
                let not = unary == UnaryOp::Not && ty == ScalarType::Bool;
                (if not { Def::Not(a) } else { Def::Opaque }, Some(Key::Unary(unary, a)))
            }
            Op::Binary(binary, ..) => (self.binary_def(binary, ty, a, b), Some(Key::Binary(binary, a, b))),
            Op::Compare(compare, ..) => (Def::Compare(compare, a, b), Some(Key::Compare(compare, a, b))),
            Op::Select { .. } => (Def::Opaque, Some(Key::Select(a, b, c))),
            Op::MulAdd(..) => (Def::Opaque, Some(Key::MulAdd(a, b, c))),
            Op::Cast(_) => (Def::Opaque, Some(Key::Cast(a))),
            Op::Bitcast(_) => (Def::Opaque, Some(Key::Bitcast(a))),
            // Cheap to read again, and the timer is another one each time.
            Op::Special(_) => (Def::Opaque, None),
        };
        (op, Found::New(op, range, def, key))
    }

    fn binary_def(&self, op: BinaryOp, ty: ScalarType, a: Value, b: Value) -> Def {
        match (op, ty) {
            (BinaryOp::And, ScalarType::Bool) => Def::And(a, b),
            (BinaryOp::Or, ScalarType::Bool) => Def::Or(a, b),
            (BinaryOp::Add, ScalarType::U64) => match (self.constant(a), self.constant(b)) {
                (None, Some(c)) => Def::Address { base: Origin::Value(a), offset: c.bits },
                (Some(c), None) => Def::Address { base: Origin::Value(b), offset: c.bits },
                _ => Def::Opaque,
            },
            _ => Def::Opaque,
        }
    }

    /// The value that an operation leaves as it was, or that is known whatever the operands are.
    fn identity(&mut self, op: &Op, ty: ScalarType, values: [Value; 3]) -> Option<Value> {
        let [a, b, c] = values;
        match *op {
            Op::Select { .. } if b == c => Some(b),
            Op::Select { .. } => {
                let cond = self.constant(a)?;
                Some(if cond.bits == 0 { c } else { b })
            }
            Op::Compare(compare, ..) if !self.info(a).ty.is_float() => {
                let holds = if a == b {
                    matches!(compare, CompareOp::Eq | CompareOp::Le | CompareOp::Ge)
                } else {
                    range::compare(compare, self.info(a).range, self.info(b).range)?
                };
                Some(self.constant_value(Const::new(ScalarType::Bool, holds.into())))
            }
            Op::Unary(UnaryOp::Not, _) => match self.info(a).def {
                Def::Not(inner) => Some(inner),
                _ => None,
            },
            Op::Binary(binary, ..) if !ty.is_float() => self.binary_identity(binary, ty, a, b),
            _ => None,
        }
    }

    fn binary_identity(&mut self, op: BinaryOp, ty: ScalarType, a: Value, b: Value) -> Option<Value> {
        let is = |walk: &Self, value: Value, bits: u64| {
            walk.constant(value).is_some_and(|c| c.bits == bits & c.ty.mask())
        };
        let all = ty.mask();
        Some(match op {
            BinaryOp::Add | BinaryOp::Or | BinaryOp::Xor if is(self, b, 0) => a,
            BinaryOp::Add | BinaryOp::Or | BinaryOp::Xor if is(self, a, 0) => b,
            BinaryOp::Sub | BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight
                if is(self, b, 0) =>
            {
                a
            }
            BinaryOp::Mul if is(self, b, 1) => a,
            BinaryOp::Mul if is(self, a, 1) => b,
            BinaryOp::Mul | BinaryOp::And if is(self, a, 0) => a,
            BinaryOp::Mul | BinaryOp::And if is(self, b, 0) => b,
            BinaryOp::And if is(self, b, all) => a,
            BinaryOp::And if is(self, a, all) => b,
            BinaryOp::And | BinaryOp::Or | BinaryOp::Min | BinaryOp::Max if a == b => a,
            BinaryOp::Sub | BinaryOp::Xor if a == b => self.constant_value(Const::new(ty, 0)),
            BinaryOp::And if self.masks_nothing(a, b) => a,
            BinaryOp::And if self.masks_nothing(b, a) => b,
            _ => return None,
        })
    }

    /// Whether every bit that `a` can have is in the constant `b`.
    fn masks_nothing(&self, a: Value, b: Value) -> bool {
        let Some(mask) = self.constant(b).map(Const::as_i128) else { return false };
        let range = self.info(a).range;
        let ones = mask > 0 && (mask & (mask + 1)) == 0;
        ones && range.low >= 0 && range.high <= mask
    }

    fn overflowing(
        &mut self,
        op: CheckedOp,
        (value, overflow): (Reg, Reg),
        (left, right): (Operand, Operand),
        out: &mut Vec<Stmt>,
    ) {
        let ty = self.ty(value);
        let ((a, left), (b, right)) = (self.best(left), self.best(right));
        let exact = range::exact(op, self.info(a).range, self.info(b).range);
        let whole = Range::of_type(ty);
        let never = whole.contains(exact);
        if never || exact.high < whole.low || exact.low > whole.high {
            self.assignment(value, Op::Binary(op.wrapping(), left, right), out);
            let flag = Const::new(ScalarType::Bool, (!never).into());
            self.assignment(overflow, Op::Copy(Operand::Const(flag)), out);
            return;
        }
        let key = Key::Overflowing(op, a, b);
        let known = [(key, ty), (key, ScalarType::Bool)].map(|key| self.known.get(&key).copied());
        if let [Some(result), Some(flag)] = known
            && self.holder(result).is_some()
            && (self.holder(flag).is_some() || self.constant(flag).is_some())
        {
            // The flag may be where the value was, and the other way round.
            let swapped = self.holder(flag) == Some(value);
            if !swapped {
                self.reuse(value, result, out);
                self.reuse(overflow, flag, out);
                return;
            }
        }
        self.put(out, Stmt::Overflowing { op, value, overflow, left, right });
        let result = self.fresh(ty, whole, Def::Opaque);
        let flag = Range { low: 0, high: 1 };
        let flag = self.fresh(ScalarType::Bool, flag, Def::Overflow { value: result, exact });
        self.known.insert((key, ty), result);
        self.known.insert((key, ScalarType::Bool), flag);
        self.assign(value, result);
        self.assign(overflow, flag);
    }

    fn divide(
        &mut self,
        remainder: bool,
        dst: Reg,
        (left, right): (Operand, Operand),
        (mut zero, mut overflow): (Option<SiteId>, Option<SiteId>),
        out: &mut Vec<Stmt>,
    ) -> bool {
        let ty = self.ty(dst);
        let ((a, left), (b, right)) = (self.best(left), self.best(right));
        let (l, r) = (self.info(a).range, self.info(b).range);
        let whole = Range::of_type(ty);
        if !r.contains(Range { low: 0, high: 0 }) {
            zero = None;
        }
        let minus_one = Range { low: -1, high: -1 };
        if !r.contains(minus_one) || l.low > whole.low {
            overflow = None;
        }
        // The fault that certainly comes.
        let fault = match (r.single(), zero, overflow) {
            (Some(0), Some(site), _) => Some(site),
            (Some(-1), _, Some(site)) if l.single() == Some(whole.low) => Some(site),
            _ => None,
        };
        if let Some(site) = fault {
            self.put(out, Stmt::Fault { site });
            return false;
        }
        let constant = match (l.single(), r.single()) {
            (Some(l), Some(r)) if r != 0 => Some(if remainder { l % r } else { l / r }),
            (_, Some(1)) if remainder => Some(0),
            _ => None,
        };
        if let Some(result) = constant {
            let c = Const::new(ty, result as u64);
            self.assignment(dst, Op::Copy(Operand::Const(c)), out);
            return true;
        }
        if r.single() == Some(1) {
            self.assignment(dst, Op::Copy(left), out);
            return true;
        }
        // The divisor that is never there without its guard: what is left of it is no division.
        if r.single() == Some(-1) && overflow.is_none() {
            let op = if remainder {
                Op::Copy(Operand::Const(Const::new(ty, 0)))
            } else {
                Op::Unary(UnaryOp::Neg, left)
            };
            self.assignment(dst, op, out);
            return true;
        }
        self.put(out, Stmt::Divide { remainder, dst, left, right, zero, overflow });
        let not_zero = range::refine(CompareOp::Ne, r, Range { low: 0, high: 0 }).0;
        self.narrow(b, not_zero);
        let result = range::division(remainder, ty, l, not_zero);
        let value = self.fresh(ty, result, Def::Opaque);
        self.assign(dst, value);
        true
    }

    fn index(
        &mut self,
        dst: Reg,
        base: Address,
        index: Operand,
        (length, stride): (u64, u64),
        site: Option<SiteId>,
        out: &mut Vec<Stmt>,
    ) -> bool {
        let (value, index) = self.best(index);
        let range = self.info(value).range;
        let inside = Range { low: 0, high: i128::from(length) - 1 };
        let site = site.filter(|_| !inside.contains(range));
        if let (Some(site), true) = (site, range.low >= i128::from(length)) {
            self.put(out, Stmt::Fault { site });
            return false;
        }
        let base = self.address(base, length.saturating_mul(stride), 1);
        if site.is_some() {
            self.narrow(value, inside);
        }
        let origin = self.origin(base.base);
        let key = (Key::Index(origin, base.offset, value, stride), ScalarType::U64);
        if site.is_none()
            && let Some(&known) = self.known.get(&key)
            && self.holder(known).is_some()
        {
            self.reuse(dst, known, out);
            return true;
        }
        let constant = self.constant(value).filter(|_| site.is_none());
        let offset = constant.and_then(|c| c.bits.checked_mul(stride)?.checked_add(base.offset));
        let def = match offset {
            Some(offset) => Def::Address { base: origin, offset },
            None => Def::Element(origin),
        };
        match (base.base, offset) {
            (Base::Reg(start), Some(offset)) => {
                let offset = Operand::Const(Const::new(ScalarType::U64, offset));
                let op = if offset == Operand::Const(Const::new(ScalarType::U64, 0)) {
                    Op::Copy(Operand::Reg(start))
                } else {
                    Op::Binary(BinaryOp::Add, Operand::Reg(start), offset)
                };
                self.assignment(dst, op, out);
                return true;
            }
            _ => self.put(out, Stmt::Index { dst, base, index, length, stride, site }),
        }
        let address = self.fresh(ScalarType::U64, Range::of_type(ScalarType::U64), def);
        self.known.insert(key, address);
        self.assign(dst, address);
        true
    }

    fn load(&mut self, dst: Reg, address: Address, order: Order, out: &mut Vec<Stmt>) {
        let ty = self.ty(dst);
        let size = u64::from(ty.size());
        let address = self.address(address, size, size);
        if order != Order::Weak {
            self.memory.clear();
            self.put(out, Stmt::Load { dst, address, order });
            self.give(dst);
            return;
        }
        if let Some(value) = self.recall(address, ty)
            && self.reuse(dst, value, out)
        {
            return;
        }
        self.put(out, Stmt::Load { dst, address, order });
        // The address is that of before the load, which may replace the register it is in.
        let value = self.opaque(ty);
        self.remember(address, ty, value);
        self.assign(dst, value);
    }

    fn store(&mut self, ty: ScalarType, address: Address, value: Operand, order: Order, out: &mut Vec<Stmt>) {
        let size = u64::from(ty.size());
        let address = self.address(address, size, size);
        let (known, value) = self.best(value);
        if order != Order::Weak {
            self.memory.clear();
            self.put(out, Stmt::Store { ty, address, value, order });
            return;
        }
        // A bool that was loaded says nothing of the upper bits of its byte, which a store clears.
        if ty != ScalarType::Bool && self.recall(address, ty) == Some(known) {
            return;
        }
        self.put(out, Stmt::Store { ty, address, value, order });
        self.overwritten(address, size);
        self.remember(address, ty, known);
    }

    fn warp(&mut self, dst: Option<Reg>, op: WarpOp, mask: Operand, out: &mut Vec<Stmt>) {
        let op = match op {
            WarpOp::Ballot { predicate } => WarpOp::Ballot { predicate: self.operand(predicate) },
            WarpOp::Shuffle { value, source } => {
                WarpOp::Shuffle { value: self.operand(value), source: self.operand(source) }
            }
            WarpOp::MatchAny { value } => WarpOp::MatchAny { value: self.operand(value) },
            WarpOp::Sync => WarpOp::Sync,
        };
        let mask = self.operand(mask);
        self.put(out, Stmt::Warp { dst, op, mask });
        self.memory.clear();
        if let Some(dst) = dst {
            self.give(dst);
        }
    }
}
