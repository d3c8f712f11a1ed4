use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn ranges(n: u32, by: u32, x: f32) -> u32 {
    for i in (0..n).step_by(by) {}
    for i in 0.0..x {}
    for i in n {}
    for (i, j) in (0..n).enumerate() {
        let sum: u32 = i + j;
    }
    0
}

fn main() {}
