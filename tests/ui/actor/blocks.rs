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

#[gpu_actor]
impl Drop for Counter {
    #[handler]
    fn drop(&mut self) {}
}

impl Counter {
    #[handler]
    fn stray(&self) {}
}

fn main() {}
