use gpu_actor_rt::prelude::*;

fn plain(x: u32) -> u32 {
    x
}

mod far {
    pub fn plain(x: u32) -> u32 {
        x
    }
}

#[gpu_fn]
fn calls_unmarked(x: u32) -> u32 {
    plain(x) + far::plain(x)
}

fn main() {}
