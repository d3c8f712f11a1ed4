use gpu_actor_rt::prelude::*;

#[derive(Clone, Copy)]
struct Opaque;

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Holder {
    inner: Opaque,
}

#[derive(GpuData, Clone, Copy)]
#[repr(u8)]
enum Choice {
    Nothing,
    Something(Opaque),
}

#[gpu_actor]
#[derive(Default)]
struct Keeper {
    count: u32,
}

#[gpu_actor]
impl Keeper {
    #[handler]
    fn keep(&mut self, inner: Opaque) -> Option<Opaque> {
        None
    }
}

fn main() {}
