use gpu_actor_rt::prelude::*;

#[gpu_fn]
async fn waits() {}

#[gpu_fn]
fn generic<T>(x: T) {}

#[gpu_fn]
unsafe fn dangerous() {}

#[gpu_fn]
fn takes_apart((a, b): (u32, u32)) {}

#[gpu_fn]
fn long(x: (u8, u8, u8, u8, u8, u8, u8, u8, u8), y: (u8, (u8, char))) {}

#[gpu_fn(inline)]
fn options() {}

#[gpu_fn]
fn never() -> ! {
    loop {}
}

#[gpu_fn]
fn slice(x: &[u32]) {}

#[gpu_fn]
fn dynamic(x: impl Copy) {}

fn main() {}
