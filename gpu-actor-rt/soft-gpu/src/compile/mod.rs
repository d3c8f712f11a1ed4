//! The tree of a PTX text to machine code.
//!
//! [`module`] declares what the text declares, lays out its variables and compiles function by function; [`func`] holds what
//! all instructions need (scopes, registers, operands); the other files each lower one family of instructions.
//!
//! Rules kept here:
//! - One compiled function for each PTX function, with the lane's context as a hidden first argument. Scalar parameters
//!   travel as native arguments, arrays by address.
//! - A PTX register is a Cranelift variable; a predicate is an `i8` that holds 0 or 1.
//! - Anything not known is refused with its name and line. Nothing is guessed and nothing is skipped, except what only
//!   a debugger or a cache reads.
//! - A branch to a label that stands before it polls the lane's poll word.

mod alone;
mod atom;
mod bits;
mod call;
mod check;
mod compare;
mod control;
mod convert;
mod copy;
mod float;
mod func;
mod half;
mod int;
mod large;
mod mbarrier;
mod memory;
mod module;
mod operand;

mod pick;
mod rounding;
mod sync;
mod vector;

pub(crate) use module::{Code, EntryCode, Global, compile};
