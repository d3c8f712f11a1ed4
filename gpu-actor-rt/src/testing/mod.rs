//! Checks for tests: every handler can be lowered; native twin and device twin agree.

use crate::actor::ActorInfo;

/// Lowers and verifies every handler of a type; the test that `#[gpu_actor]` writes calls it.
///
/// # Panics
/// With the reason, if one cannot be lowered.
#[doc(hidden)]
pub fn check_lowering(info: &'static ActorInfo) {
    if let Err(error) = crate::program::Program::of(vec![info]) {
        panic!("{}: {}", info.name, crate::error::chain(&error));
    }
}
