use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn statements(x: u32) -> u32 {
    let ref c = x;
    let __d = x;
    #[cfg(test)]
    let f = x;
    fn inner() {}
    let g: Vec<u32> = Vec::new();
    let (h, i): (u32, u32);
    (.., j) = (1, 2, x);
    x
}

fn main() {}
