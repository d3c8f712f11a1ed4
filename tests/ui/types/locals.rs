use gpu_actor_rt::prelude::*;
use std::collections::HashMap;
use std::rc::Rc;

#[gpu_fn]
fn locals() {
    let a: &u32;
    let b: *const u32;
    let c: [u8];
    let d: fn(u32) -> u32;
    let e: Box<dyn Copy>;
    let f: char;
    let g: u128;
    let h: String;
    let i: Vec<u32>;
    let j: Rc<u32>;
    let k: HashMap<u32, u32>;
    let l: [&str; 2];
    let m: Option<Vec<u8>>;
    let n: (u32, &u32);
    let o: std::cell::Cell<u32>;
}

fn main() {}
