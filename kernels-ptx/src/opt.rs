//! Optimisation, between the verifier and the PTX writer: cheap passes over verified functions.
//!
//! Device compilers optimise, too; these passes do what they cannot know. That a check never fails follows from the
//! language, and what has no check needs no fault path. Less text is also less to compile when a system starts.
//!
//! | pass | what it does |
//! |---|---|
//! | `slots` | slots that are only accessed at constant offsets become registers |
//! | `values` | constants, copies, common expressions, known branches, checks that never fail |
//! | `dead` | results that nobody reads, stores into slots that nobody reads |
//! | `coalesce` | results go to their local at once |
//! | `wide` | loops over buffers take eight turns at once, where no check of them can fail |
//!
//! Rules kept here:
//! - The first fault wins: no pass changes which fault is raised, on which line, or what was stored before it.
//! - A budget pays what it paid: no loop and no turn of one is taken out.
//! - Time grows with the size of the function, not faster.

mod coalesce;
mod dead;
mod fold;
mod range;
mod slots;
mod values;
mod wide;

use crate::ir::Function;

/// Optimises a verified function.
pub(crate) fn optimise(function: &mut Function) {
    slots::to_registers(function);
    values::simplify(function);
    dead::remove(function);
    // An index that turned out to be constant may have been what kept a slot in memory.
    if slots::to_registers(function) {
        values::simplify(function);
        dead::remove(function);
    }
    coalesce::coalesce(function);
    if wide::widen(function) {
        dead::remove(function);
    }
}
