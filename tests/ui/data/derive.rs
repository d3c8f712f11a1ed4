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
enum Choice {
    A,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
enum Unsized {
    A,
    B(u32),
}

#[derive(GpuData, Clone, Copy)]
#[repr(usize)]
enum HostSized {
    A,
}

#[derive(GpuData, Clone, Copy)]
#[repr(u8)]
enum Never {}

#[derive(GpuData, Clone, Copy)]
#[repr(u8)]
enum Conditional {
    A,
    #[cfg(all())]
    B,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
union Overlap {
    a: u32,
    b: f32,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Lent<'a> {
    x: &'a u32,
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Borrowed {
    x: &'static u32,
    length: usize,
    pair: (u32, u32),
}

#[derive(GpuData, Clone, Copy)]
#[repr(u8)]
enum Holds {
    Text(String),
    Size { length: usize },
}

fn main() {}
