use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u64,
    ratio: f32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    fn add(&mut self, amount: u32) {
        self.value = amount;
    }

    #[handler]
    fn mix(&mut self) -> bool {
        self.ratio < self.value
    }

    #[handler]
    fn sum(&mut self) -> bool {
        self.value + 1
    }

    #[handler]
    fn negate(&mut self) -> u64 {
        -self.value
    }
}

fn main() {}
