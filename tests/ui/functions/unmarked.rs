use gpu_actor_rt::prelude::*;

#[derive(GpuData, Clone, Copy, Default)]
#[repr(C)]
struct Pair {
    a: u32,
    b: u32,
}

impl Pair {
    fn new(a: u32) -> Self {
        Self { a, b: 0 }
    }

    fn sum(&self) -> u32 {
        self.a + self.b
    }
}

#[gpu_actor]
#[derive(Default)]
struct Holder {
    pair: Pair,
    list: [u32; 4],
}

#[gpu_actor]
impl Holder {
    #[handler]
    fn types(&mut self, x: u32, to: ActorId<Holder>) -> u32 {
        self.pair = Pair::new(x);
        self.list.push(x);
        to.types(x, to);
        self.pair.sum() + x.wraping_add(1) + self.pair.missing()
    }
}

#[gpu_actor]
#[derive(Default)]
struct Other {
    at: u32,
}

#[gpu_actor]
impl Other {
    #[handler]
    fn siblings(&mut self) -> u32 {
        self.step();
        Self::plain(1) + self.helper()
    }

    #[handler]
    fn step(&mut self) {}

    fn plain(x: u32) -> u32 {
        x
    }

    fn helper(&self) -> u32 {
        1
    }
}

fn main() {}
