use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
enum Light {
    #[default]
    Red,
}

#[gpu_actor]
#[derive(Default)]
struct Tuple(u32);

#[gpu_actor]
#[derive(Default)]
struct Generic<T> {
    value: T,
}

#[gpu_actor]
#[repr(C, packed)]
#[derive(Default)]
struct Packed {
    value: u32,
}

#[gpu_actor]
#[derive(Default)]
struct Heap {
    names: Vec<String>,
    len: usize,
    tag: Option<u32>,
    letter: char,
    wide: u128,
    pair: (u32, u32),
}

#[gpu_actor]
fn function() {}

fn main() {}
