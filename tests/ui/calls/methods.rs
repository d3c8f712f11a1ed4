use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn methods(x: u32, y: f32, list: [u32; 3]) -> u32 {
    x.wraping_add(1);
    x.checked_add(1);
    y.sin();
    list.iter();
    list.clone();
    x.to_string();
    let wide: u64 = x.into();
    x.frobnicate();
    x
}

fn main() {}
