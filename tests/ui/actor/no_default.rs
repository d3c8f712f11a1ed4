use gpu_actor_rt::prelude::*;

#[gpu_actor]
struct Counter {
    value: u32,
}

fn main() {}
