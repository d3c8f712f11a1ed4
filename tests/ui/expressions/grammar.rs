use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn grammar(x: u32, list: [u32; 3]) -> u32 {
    async { x };
    future.await;
    const { 1 + 1 };
    &raw const x;
    &mut x;
    move || x;
    0..=x;
    ..;
    _ = _;
    list[1..];
    x.cast::<u32>();
    x.max::<u32>(1);
    b"text";
    c"text";
    "text".len();
    x as u128;
    return;
}

fn main() {}
