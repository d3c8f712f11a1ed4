use gpu_actor_rt::prelude::*;

#[derive(GpuData, Clone, Copy)]
struct NoLayout {
    x: f32,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C, align(16))]
struct Aligned {
    x: f32,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Tuple(f32, f32);

#[derive(GpuData, Clone, Copy)]
enum Choice {
    A,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Generic<T: Copy> {
    x: T,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Borrowed {
    x: &'static u32,
    length: usize,
}

fn main() {}
