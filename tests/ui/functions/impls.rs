use gpu_actor_rt::prelude::*;
use std::ops::Add;

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Pair {
    a: u32,
    b: u32,
}

#[gpu_fn]
impl Add for Pair {
    type Output = Pair;
    fn add(self, other: Pair) -> Pair {
        self
    }
}

#[gpu_fn]
impl Pair {
    fn max(self, other: Self) -> Self {
        self
    }

    fn exp(self) -> Self {
        self
    }

    #[gpu_fn]
    fn twice(&self) {}

    fn boxed(self: Box<Self>) {}

    fn borrowed(&self, other: &Pair) -> u32 {
        self.a
    }

    fn text(&self) -> String {
        String::new()
    }

    fn consumed(self) -> u32 {
        (*self).a
    }
}

#[gpu_fn]
struct NotThis;

#[gpu_fn]
fn receiver(self) {}

fn main() {}
