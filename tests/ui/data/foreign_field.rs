use gpu_actor_rt::prelude::*;

#[derive(Clone, Copy)]
struct Opaque;

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Holder {
    inner: Opaque,
}

fn main() {}
