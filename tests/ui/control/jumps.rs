use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn jumps(n: u32) -> u32 {
    'outer: for i in 0..n {
        'block: {
            continue 'block;
        }
        break 'nowhere;
    }
    'block: {
        break;
    }
    break;
    n
}

#[gpu_fn]
fn in_the_condition(n: u32) -> u32 {
    while break {}
    n
}

fn main() {}
