use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn macros(x: u32) -> u32 {
    println!("{x}");
    assert_eq!(x, 1);
    debug_assert!(x > 1);
    assert!(x > 1, "x is {x}");
    assert!(x > 1, "x is {}", x);
    let why = 1;
    panic!("{}", why);
    todo!();
    let list = vec![1, 2];
    custom!();
    x
}

fn main() {}
