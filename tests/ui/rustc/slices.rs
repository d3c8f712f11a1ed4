//! Slices that are written to without leave, handed on twice, or cut in a way that the device does not have.

use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Takes {
    sum: u64,
}

#[gpu_actor]
impl Takes {
    #[handler]
    fn writes(&mut self, data: GpuSlice<u32>) {
        data[0] = 1;
    }

    #[handler]
    fn used_twice(&mut self, cx: &mut Cx, to: ActorId<Takes>, data: GpuSliceMut<u32>) {
        cx.tell(to.used_twice(to, data));
        cx.tell(to.used_twice(to, data));
    }

    #[handler]
    fn inclusive(&mut self, data: GpuSlice<u32>) -> u64 {
        data.slice(0..=1).len() as u64
    }
}

fn main() {}
