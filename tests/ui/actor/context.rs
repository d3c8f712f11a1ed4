use gpu_actor_rt::prelude::*;

struct Context;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    fn add(&mut self, cx: &mut Context, amount: u32) {
        self.value += amount;
    }

    #[handler]
    fn shared(&mut self, cx: &Cx) {}
}

fn main() {}
