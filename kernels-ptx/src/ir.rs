//! The typed intermediate representation between the [builder](crate::builder) and the [PTX writer](crate::ptx).
//!
//! A function is a list of registers, a list of stack slots and a body of structured statements. Operations without
//! effect (`Op`) are assigned to registers by `Let`; whatever reads or writes memory, can fault or steers
//! control is a statement of its own. Statements run in the order in which they stand.
//!
//! # Invariants
//!
//! [`verify`](crate::verify) checks each of them, under these numbers, before any PTX exists:
//!
//! 1. Every register, slot and site that is named exists.
//! 2. Operands have the types that their operation asks for; a constant fits its type.
//! 3. A register is assigned on every path before it is read.
//! 4. `Break` leaves an enclosing block or loop, `Continue` names an enclosing loop and does not stand in that loop's
//!    continuing part; labels are unique.
//! 5. Nothing follows a statement that does not complete; a function with a result returns on every path.
//! 6. An address is a `u64` register plus an offset, or lies inside its slot; accesses are aligned as far as is known.
//! 7. Faults (checks, divisors that may be zero, variable indices) occur in handlers only.
//! 8. Every loop of a handler pays into the budget; no other loop does.
//! 9. Integer division has a guard for a divisor of zero and for `MIN / -1`, or a constant divisor that needs none.
//! 10. Loads are weak, relaxed or acquire; stores are weak, relaxed or release; ordered accesses are 32 or 64 bits wide.
//! 11. Symbols are PTX identifiers and unique in their module; every called symbol is there with the signature that
//!     the call has, entries are not called, and no function calls itself, not even through others.
//! 12. A function has the signature of its kind: a handler takes three `u64` and gives its status as a `u32`, an entry
//!     has no result.
//!
//! The [optimiser](crate::opt) works between the verifier and the writer, and the verifier looks at what it left. It takes
//! out guards that it has proven to hold, so that the second time an index needs no site (7) and a variable divisor no
//! guard (9).

mod stmt;
pub mod text;
mod types;
pub(crate) mod uses;

pub(crate) use stmt::*;
pub(crate) use types::{Const, FrameSlot, Label, Reg, SiteId, SlotId};
pub use types::{FaultSite, Function, Kind, ScalarType, Type};
pub(crate) use uses::completes;
