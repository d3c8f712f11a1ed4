use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    fn not_marked(&self) {}
}

#[gpu_actor(name = "misplaced")]
impl Counter {
    #[handler]
    fn get(&self) -> u32 {
        self.value
    }
}

trait Reset {
    fn reset(&mut self);
}

#[gpu_actor]
impl Reset for Counter {
    #[handler]
    fn reset(&mut self) {
        self.value = 0;
    }
}

impl Counter {
    #[handler]
    fn stray(&self) {}
}

fn main() {}
