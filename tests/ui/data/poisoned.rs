use gpu_actor_rt::prelude::*;

// One wrong field is one error, whatever uses it.
#[gpu_actor]
#[derive(Default)]
struct Names {
    names: Vec<String>,
    count: u64,
}

#[gpu_actor]
impl Names {
    #[handler]
    fn add(&mut self, length: u64) -> u64 {
        self.names[0] = length;
        self.count += length;
        self.count
    }
}

fn main() {}
