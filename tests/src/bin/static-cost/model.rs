//! What the counts imply for messages per second on a multiprocessor: a model, and nothing that was measured.
//!
//! Rule kept here: every assumption is a constant with its source, and the chapter in the book names each of them.

use std::fmt::Write as _;

use crate::Result;
use crate::path::Cost;

/// What is modelled: Hopper.
pub(crate) const TARGET: &str = "sm_90";
/// Schedulers of a multiprocessor; each issues an instruction of one warp in a cycle (NVIDIA, H100 white paper).
const SCHEDULERS: u64 = 4;
/// Cycles a second: the boost clock of an H100 PCIe, rounded down.
const CLOCK: u64 = 1_700_000_000;
/// Nanoseconds until a load from the second-level cache is there (public measurements: 142 to 207).
const LATENCY: u64 = 200;
/// Lanes of a full batch.
const LANES: u64 = 32;

/// Thousands of messages a second of one multiprocessor.
#[derive(Debug, PartialEq, Eq)]
struct Rates {
    /// If nothing limits but the issue of instructions.
    issue: u64,
    /// If each access to memory is waited for before the next, by as many warps as fit.
    waiting: u64,
    /// If each access of each lane takes a cycle of the load-store unit.
    access: u64,
}

fn rates(cost: Cost, warps: u64, lanes: u64) -> Rates {
    let (instructions, memory) = (u64::from(cost.instructions.max(1)), u64::from(cost.memory.max(1)));
    Rates {
        issue: SCHEDULERS * CLOCK * lanes / instructions / 1000,
        waiting: warps * lanes * 1_000_000 / (memory * LATENCY),
        access: CLOCK / memory / 1000,
    }
}

/// The model's table for messages of these costs with `warps` on a multiprocessor.
pub(crate) fn table(costs: &[(&str, Cost)], warps: u32) -> Result<String> {
    let figures = "issue, waiting, access, least";
    let mut table = format!(
        "| model, {TARGET}, {warps} warps | thousand messages a second, alone: {figures} | thousand messages a second, \
         {LANES} at a time: {figures} |\n|---|---|---|\n"
    );
    for (name, cost) in costs {
        write!(table, "| {name} |")?;
        for lanes in [1, LANES] {
            let Rates { issue, waiting, access } = rates(*cost, warps.into(), lanes);
            write!(table, " {issue}, {waiting}, {access}, {} |", issue.min(waiting).min(access))?;
        }
        table.push('\n');
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_are_what_the_constants_say() {
        let cost = Cost { instructions: 340, memory: 50, ordering: 0 };
        assert_eq!(rates(cost, 32, 1), Rates { issue: 20_000, waiting: 3200, access: 34_000 });
        assert_eq!(rates(cost, 32, 32), Rates { issue: 640_000, waiting: 102_400, access: 34_000 });
    }
}
