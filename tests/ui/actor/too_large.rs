use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Store {
    value: u32,
}

#[gpu_actor]
impl Store {
    #[handler]
    fn put(&mut self, words: [u64; 29]) {}

    #[handler]
    fn get(&mut self) -> [u8; 225] {
        [0; 225]
    }
}

fn main() {}
