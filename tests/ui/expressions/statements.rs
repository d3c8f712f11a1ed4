use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn statements(x: u32) -> u32 {
    let [a, b] = [x, x];
    let ref c = x;
    let __d = x;
    let Some(e) = Some(x) else { return 0 };
    #[cfg(test)]
    let f = x;
    fn inner() {}
    let g: Vec<u32> = Vec::new();
    (a, b) = (b, a);
    x
}

fn main() {}
