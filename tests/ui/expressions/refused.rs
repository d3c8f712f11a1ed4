use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn refused(x: u32, y: u32) -> u32 {
    let double = |v: u32| v * 2;
    let reference = &x;
    let pair = (x, y);
    let text = "text";
    let letter = 'a';
    let bytes = b"ab";
    let range = 0..x;
    let chosen = match x {
        0 => 1,
        _ => 2,
    };
    let maybe = Some(x);
    let nothing: Option<u32> = None;
    if let Some(value) = maybe {}
    let raw = unsafe { x };
    let first = pair.0;
    let value = *reference;
    let part = [1, 2, 3][0..2];
    x
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Pos {
    x: u32,
}

#[gpu_fn]
fn literal(x: u32) -> Pos {
    Pos { x }
}

#[gpu_fn]
fn question(x: u32) -> u32 {
    x.checked_add(1)?;
    x
}

fn main() {}
