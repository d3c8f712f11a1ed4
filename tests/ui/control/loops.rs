use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn loops(list: [u32; 3]) -> u32 {
    'outer: loop {
        loop {
            break 'outer;
        }
    }
    for item in list {}
    for i in (0..3).rev() {}
    for i in (0..3).step_by(2) {}
    for i in 0.. {}
    for (i, j) in 0..3 {}
    while let Some(x) = None {}
    0
}

fn main() {}
