//! Operations and statements.

use std::cmp::Ordering;

use super::{Const, Label, Reg, ScalarType, SiteId, SlotId};

/// A value that an operation takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operand {
    Reg(Reg),
    Const(Const),
}

/// Where memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address {
    pub(crate) base: Base,
    pub(crate) offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Base {
    /// An address in a `u64` register: of memory that the host or a device has allocated, or of the frame if an index into a
    /// slot made it.
    Reg(Reg),
    /// A slot of the frame.
    Slot(SlotId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnaryOp {
    /// Integers wrap, floats flip the sign.
    Neg,
    /// Complement of an integer, negation of a bool.
    Not,
    /// Integers wrap at the minimum.
    Abs,
    /// These four give a `u32`.
    CountOnes,
    LeadingZeros,
    TrailingZeros,
    ReverseBits,
    SwapBytes,
    Sqrt,
    Floor,
    Ceil,
    Trunc,
    RoundTiesEven,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BinaryOp {
    /// Integers wrap, floats round to nearest even.
    Add,
    Sub,
    Mul,
    /// Floats only; integers divide by [`Stmt::Divide`].
    Div,
    And,
    Or,
    Xor,
    Min,
    Max,
    /// The amount is a `u32` below the width.
    Shl,
    Shr,
    /// The amount is any `u32`, taken modulo the width.
    RotateLeft,
    RotateRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CompareOp {
    Eq,
    /// True for unordered floats, as in Rust.
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl CompareOp {
    /// Whether two constants of one type compare so.
    pub(crate) fn holds(self, l: Const, r: Const) -> bool {
        let order = match l.ty {
            ScalarType::F32 => f32::from_bits(l.bits as u32).partial_cmp(&f32::from_bits(r.bits as u32)),
            ScalarType::F64 => f64::from_bits(l.bits).partial_cmp(&f64::from_bits(r.bits)),
            _ => Some(l.as_i128().cmp(&r.as_i128())),
        };
        match self {
            Self::Eq => order == Some(Ordering::Equal),
            Self::Ne => order != Some(Ordering::Equal),
            Self::Lt => order == Some(Ordering::Less),
            Self::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Gt => order == Some(Ordering::Greater),
            Self::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// Registers that the device fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    LaneId,
    ThreadId,
    BlockSize,
    BlockId,
    BlockCount,
    GlobalTimer,
    /// Turns of loops that the handler may still take.
    Budget,
}

/// An operation without effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    Copy(Operand),
    Unary(UnaryOp, Operand),
    Binary(BinaryOp, Operand, Operand),
    Compare(CompareOp, Operand, Operand),
    Select {
        cond: Operand,
        yes: Operand,
        no: Operand,
    },
    MulAdd(Operand, Operand, Operand),
    /// Rust's `as`.
    Cast(Operand),
    /// The same bits in another type of the same size.
    Bitcast(Operand),
    Special(Special),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CheckedOp {
    Add,
    Sub,
    Mul,
}

impl CheckedOp {
    /// The operation that gives the same value and does not say whether it is exact.
    pub(crate) fn wrapping(self) -> BinaryOp {
        match self {
            Self::Add => BinaryOp::Add,
            Self::Sub => BinaryOp::Sub,
            Self::Mul => BinaryOp::Mul,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Gpu,
    Sys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Weak,
    Relaxed(Scope),
    Acquire(Scope),
    Release(Scope),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AtomicOp {
    Add(Operand),
    Cas { expected: Operand, new: Operand },
}

/// Operations across the lanes of a warp. All lanes of `mask` take part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WarpOp {
    Ballot { predicate: Operand },
    Shuffle { value: Operand, source: Operand },
    MatchAny { value: Operand },
    Sync,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stmt {
    /// `dst = op`.
    Let {
        dst: Reg,
        op: Op,
    },
    /// `(value, overflow) = left op right` of integers: the wrapped result and whether it is not the exact one.
    Overflowing {
        op: CheckedOp,
        value: Reg,
        overflow: Reg,
        left: Operand,
        right: Operand,
    },
    /// Integer division or remainder with the checks that it needs.
    Divide {
        remainder: bool,
        dst: Reg,
        left: Operand,
        right: Operand,
        zero: Option<SiteId>,
        overflow: Option<SiteId>,
    },
    /// `dst = base + index * stride`, after `index < length`; without a site the optimiser has proven that.
    Index {
        dst: Reg,
        base: Address,
        index: Operand,
        length: u64,
        stride: u64,
        site: Option<SiteId>,
    },
    /// Faults if `cond == when`.
    FaultIf {
        cond: Operand,
        when: bool,
        site: SiteId,
    },
    /// Faults.
    Fault {
        site: SiteId,
    },
    Load {
        dst: Reg,
        address: Address,
        order: Order,
    },
    Store {
        ty: ScalarType,
        address: Address,
        value: Operand,
        order: Order,
    },
    /// Copies `size` bytes; both addresses are multiples of `align`, the ranges are equal or disjoint.
    Copy {
        dst: Address,
        src: Address,
        size: u64,
        align: u64,
    },
    /// Read-modify-write with acquire and release at device scope; gives the old value.
    Atomic {
        dst: Reg,
        op: AtomicOp,
        address: Address,
    },
    FenceSc(Scope),
    Nanosleep(Operand),
    /// Performance-monitor event: wakes sleepers on the software GPU, costs next to nothing elsewhere.
    PmEvent(u32),
    /// Pays for so many turns of loops at once. Whoever says so has looked whether there is as much.
    Pay(u32),
    Warp {
        dst: Option<Reg>,
        op: WarpOp,
        mask: Operand,
    },
    Call {
        dst: Option<Reg>,
        symbol: String,
        args: Vec<Operand>,
    },
    Block {
        label: Label,
        body: Vec<Stmt>,
    },
    /// Runs `body`, then `continuing`, for ever; `budget` is the site that faults when the budget is spent.
    Loop {
        label: Label,
        body: Vec<Stmt>,
        continuing: Vec<Stmt>,
        budget: Option<SiteId>,
    },
    If {
        cond: Operand,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    Break(Label),
    Continue(Label),
    Return(Option<Operand>),
}

impl Stmt {
    /// Whether control never reaches the statement behind this one, judged by its kind alone.
    pub(crate) fn is_terminator(&self) -> bool {
        matches!(self, Self::Fault { .. } | Self::Break(_) | Self::Continue(_) | Self::Return(_))
    }
}
