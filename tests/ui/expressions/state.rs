use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

const LIMIT: u32 = 3;

#[gpu_actor]
impl Counter {
    fn helper(&self) -> u32 {
        self.value
    }

    fn free(x: u32) -> u32 {
        x
    }

    #[handler]
    fn uses_self(&mut self, cx: &mut Cx) -> u32 {
        let me = self;
        let context = cx;
        self.helper();
        Self::free(1);
        LIMIT = 4;
        0
    }
}

fn main() {}
