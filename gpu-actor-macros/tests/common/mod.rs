//! What the suites of this folder share: the proof that an actor's handlers do the same natively and on the device.

use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

/// Random states and messages of each handler.
const CASES: u32 = 1_000;

/// Runs every handler of `T` on both twins. The cases follow from the type's name, so each type has its own.
#[track_caller]
pub(crate) fn check<T: Actor>() -> testing::Report {
    let seed = T::TYPE_NAME.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let report = testing::check_handlers::<T>(CASES, seed).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_eq!(report.cases, u64::from(CASES) * T::info().methods.len() as u64);
    assert!(report.returned > 0, "{report:?}");
    // Nothing in these suites loops for long, so this would be a loop that ends natively only.
    assert_eq!(report.over_budget, 0, "{report:?}");
    report
}
