//! The IR as text, for people and for tests: what is printed can be read back.
//!
//! A function prints through [`Display`](std::fmt::Display); [`parse`] reads any number of them. One statement per line,
//! blocks in braces, `;` begins a comment. An assignment names the type of its register; a constant carries its own:
//!
//! ```text
//! handler @add(v0: u64, v1: u64, v2: u64) -> u32 {
//!     slot s0 size 24 align 8
//!     site f0 overflow line 12 in "Counter::add"
//!     v3: u32 = load [v0+8]
//!     v4: u32, v5: bool = overflowing_add v3, 1u32
//!     fault f0 if v5
//!     store u32 [v0+8], v4
//!     return 0u32
//! }
//! ```
//!
//! Rules kept here: printing and reading back gives the same statements; no text makes the reader panic; the reader
//! knows the grammar only, every other rule is the [verifier](crate::verify)'s.

mod coverage;
mod lex;
mod parse;
mod print;
mod strings;

pub use coverage::{all_operations, operations, statements};
pub use parse::{ParseError, parse};

use super::{
    Address, AtomicOp, BinaryOp, CheckedOp, CompareOp, Const, Function, Kind, Label, Op, Operand, Order, Reg,
    ScalarType, Scope, SiteId, SlotId, Special, Stmt, UnaryOp, WarpOp,
};
use crate::abi::fault::code;

/// Names that are printed and read; a variant without one does not compile.
macro_rules! names {
    ($($ty:ty { $($variant:ident = $name:literal),* $(,)? })*) => {$(
        impl $ty {
            /// All variants with their names.
            pub(crate) const NAMED: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(crate) fn named(name: &str) -> Option<Self> {
                Self::NAMED.iter().find(|(n, _)| *n == name).map(|(_, variant)| *variant)
            }
        }
    )*};
}

names! {
    ScalarType {
        Bool = "bool", I8 = "i8", I16 = "i16", I32 = "i32", I64 = "i64",
        U8 = "u8", U16 = "u16", U32 = "u32", U64 = "u64", F32 = "f32", F64 = "f64",
    }
    UnaryOp {
        Neg = "neg", Not = "not", Abs = "abs", CountOnes = "count_ones", LeadingZeros = "leading_zeros",
        TrailingZeros = "trailing_zeros", ReverseBits = "reverse_bits", SwapBytes = "swap_bytes", Sqrt = "sqrt",
        Floor = "floor", Ceil = "ceil", Trunc = "trunc", RoundTiesEven = "round_ties_even",
    }
    BinaryOp {
        Add = "add", Sub = "sub", Mul = "mul", Div = "div", And = "and", Or = "or", Xor = "xor", Min = "min",
        Max = "max", Shl = "shl", Shr = "shr", RotateLeft = "rotate_left", RotateRight = "rotate_right",
    }
    CompareOp { Eq = "eq", Ne = "ne", Lt = "lt", Le = "le", Gt = "gt", Ge = "ge" }
    CheckedOp { Add = "overflowing_add", Sub = "overflowing_sub", Mul = "overflowing_mul" }
    Special {
        LaneId = "lane_id", ThreadId = "thread_id", BlockSize = "block_size", BlockId = "block_id",
        BlockCount = "block_count", GlobalTimer = "global_timer",
        Budget = "budget",
    }
    Scope { Gpu = "gpu", Sys = "sys" }
    Kind { Entry = "entry", Func = "func", Handler = "handler" }
}

/// Names of the fault codes that sites have.
const CODES: [(&str, u32); 11] = [
    ("overflow", code::OVERFLOW),
    ("bounds", code::BOUNDS),
    ("division_by_zero", code::DIVISION_BY_ZERO),
    ("assert", code::ASSERT),
    ("panic", code::PANIC),
    ("budget", code::BUDGET),
    ("too_many_sends", code::TOO_MANY_SENDS),
    ("unknown_method", code::UNKNOWN_METHOD),
    ("unknown_actor", code::UNKNOWN_ACTOR),
    ("mailbox_full", code::MAILBOX_FULL),
    ("clock_drift", code::CLOCK_DRIFT),
];

/// The orders of a load or store, as the suffix that they print as.
const ORDERS: [(&str, Order); 7] = [
    ("", Order::Weak),
    (".relaxed.gpu", Order::Relaxed(Scope::Gpu)),
    (".relaxed.sys", Order::Relaxed(Scope::Sys)),
    (".acquire.gpu", Order::Acquire(Scope::Gpu)),
    (".acquire.sys", Order::Acquire(Scope::Sys)),
    (".release.gpu", Order::Release(Scope::Gpu)),
    (".release.sys", Order::Release(Scope::Sys)),
];

fn order_suffix(order: Order) -> &'static str {
    ORDERS.iter().find(|(_, o)| *o == order).map_or("", |(suffix, _)| suffix)
}

#[cfg(test)]
mod tests;
