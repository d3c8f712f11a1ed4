use gpu_actor_rt::prelude::*;

#[gpu_actor(nmae = "counter")]
#[derive(Default)]
struct Misspelled {
    value: u32,
}

#[gpu_actor(placement = "near")]
#[derive(Default)]
struct Later {
    value: u32,
}

#[gpu_actor(name = 7)]
#[derive(Default)]
struct NotText {
    value: u32,
}

#[gpu_actor(name = "a", name = "b")]
#[derive(Default)]
struct Twice {
    value: u32,
}

fn main() {}
