#![deny(warnings)]

use gpu_actor_rt::prelude::*;

// The device twin repeats the code, but not its warnings.
#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    fn add(&mut self, amount: u32, unused: u32) -> u32 {
        let mut never_changed = amount;
        let never_read = never_changed;
        self.value += (amount);
        return self.value;
        self.value = 0;
    }
}

#[gpu_fn]
fn never_called(x: u32) -> u32 {
    x
}

fn main() {}
