use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1) }
}

#[derive(GpuData, Clone, Copy)]
#[repr(C)]
struct Tree {
    depth: u32,
}

#[gpu_fn]
impl Tree {
    fn left(self) -> u32 {
        self.right() + 1
    }

    fn right(self) -> u32 {
        Self::middle(self)
    }

    fn middle(self) -> u32 {
        self.left()
    }

    fn same(&mut self) {
        self.depth -= 1;
        self.same();
    }
}

#[gpu_actor]
#[derive(Default)]
struct Walker {
    at: u32,
}

#[gpu_actor]
impl Walker {
    #[gpu_fn]
    fn up(&mut self) {
        self.down();
    }

    #[gpu_fn]
    fn down(&mut self) {
        self.up();
    }

    #[handler]
    fn walk(&mut self) {
        self.up();
    }
}

fn main() {}
