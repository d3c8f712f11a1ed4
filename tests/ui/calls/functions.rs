use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn calls(x: u32, f: fn(u32) -> u32) -> u32 {
    u8::try_from(x);
    u32::max(x, 1);
    u32::from_str_radix("1", 10);
    f(x);
    std::mem::size_of::<u32>();
    Vec::<u32>::new();
    (|| x)();
    x
}

fn main() {}
