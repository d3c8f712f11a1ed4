//! The smallest actor: one number, two handlers.

use gpu_actor_rt::prelude::*;

// ANCHOR: counter
/// A counter that refuses to wrap around.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    /// Adds `amount` and returns the new value; a sum past `u32::MAX` is a fault, not a wrong answer.
    #[handler]
    pub fn add(&mut self, amount: u32) -> u32 {
        self.value += amount;
        self.value
    }

    /// The value.
    #[handler]
    pub fn get(&self) -> u32 {
        self.value
    }
}
// ANCHOR_END: counter
