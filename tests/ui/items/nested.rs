use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn items(x: u32) -> u32 {
    const FINE: u32 = 1;
    use std::primitive::u32 as fine;
    struct Inner;
    enum Kind {}
    union Both {
        a: u32,
    }
    static WORD: u32 = 1;
    type Alias = u32;
    mod inner {}
    trait Trait {}
    impl Trait for Inner {}
    macro_rules! local {
        () => {};
    }
    extern "C" {}
    x
}

fn main() {}
