use gpu_actor_rt::prelude::*;

#[gpu_actor]
struct Large {
    bytes: [u64; 600],
}

impl Default for Large {
    fn default() -> Self {
        Large { bytes: [0; 600] }
    }
}

#[gpu_actor]
impl Large {
    #[handler(atomic)]
    fn write(&mut self) {
        self.bytes[0] = 1;
    }

    #[handler(atomic)]
    fn read(&self) -> u64 {
        self.bytes[0]
    }
}

fn main() {}
