use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn refused(x: u32, y: u32) -> u32 {
    let double = |v: u32| v * 2;
    let reference = &x;
    let text = "text";
    let letter = 'a';
    let bytes = b"ab";
    let range = 0..x;
    let raw = unsafe { x };
    let wide = (1, 2, 3, 4, 5, 6, 7, 8, x);
    let value = *reference;
    let part = [1, 2, 3][0..2];
    x
}

#[gpu_fn]
fn question(x: Option<u32>) -> Option<u32> {
    Some(x? + 1)
}

fn main() {}
