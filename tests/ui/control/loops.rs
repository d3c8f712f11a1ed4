use gpu_actor_rt::prelude::*;

#[gpu_fn]
fn loops(list: [u32; 3], limit: f32) -> u32 {
    for x in list.iter() {}
    for x in list.iter_mut() {}
    for x in &list {}
    for x in &mut list {}
    for x in list.into_iter().map(|x| x + 1) {}
    for x in list.into_iter().zip(list) {}
    for x in (0..9).take(3) {}
    for (i, x) in list.into_iter().enumerate().rev() {}
    for pair in list.into_iter().enumerate() {}
    for i in 0.. {}
    for i in ..3 {}
    0
}

fn main() {}
