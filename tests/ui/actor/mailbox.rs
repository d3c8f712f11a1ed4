use gpu_actor_rt::prelude::*;

#[gpu_actor(mailbox = 0)]
#[derive(Default)]
struct NoMessages {
    value: u32,
}

#[gpu_actor(mailbox = "many")]
#[derive(Default)]
struct NoNumber {
    value: u32,
}

#[gpu_actor(mailbox = 100_000_000)]
#[derive(Default)]
struct TooLong {
    value: u32,
}

#[gpu_actor(mailbox)]
#[derive(Default)]
struct NoValue {
    value: u32,
}

#[gpu_actor(mailbox = 8, on_full = "block")]
#[derive(Default)]
struct NoSuchPolicy {
    value: u32,
}

#[gpu_actor(on_full = drop_oldest)]
#[derive(Default)]
struct NoText {
    value: u32,
}

#[gpu_actor(mailbox = 8, on_full = "reject", mailbox = 9)]
#[derive(Default)]
struct Twice {
    value: u32,
}

#[gpu_actor]
#[derive(Default)]
struct OnTheBlock {
    value: u32,
}

#[gpu_actor(on_full = "reject")]
impl OnTheBlock {
    #[handler]
    fn get(&self) -> u32 {
        self.value
    }
}

fn main() {}
