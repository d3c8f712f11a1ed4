use gpu_actor_rt::num::Number;
use gpu_actor_rt::prelude::*;
use std::ops::Add;

#[gpu_fn]
fn unbounded<T: Copy>(x: T) -> T {
    x
}

#[gpu_fn]
fn foreign<T: Copy + Add<Output = T>>(x: T) -> T {
    x + x
}

#[gpu_fn]
fn lifetime<'a, T: Number>(x: T) -> T {
    x
}

#[gpu_fn]
fn constant<const UP: bool>(x: u32) -> u32 {
    x
}

#[gpu_fn]
fn clause<T>(x: T) -> T
where
    T: Number,
    u32: Into<T>,
{
    x
}

#[gpu_fn]
fn remainder<T: Number>(x: T, y: T) -> T {
    x % y
}

#[gpu_fn]
fn sum<T: Number, const N: usize>(list: [T; N]) -> T {
    list[0]
}

#[gpu_fn]
fn calls(list: [bool; 2]) -> u32 {
    sum(list);
    sum::<u32, 3>([1, 2]);
    1
}

fn main() {}
