//! A worker that asks for a sleeping actor: the very code of the device, and the host's answer.

use gpu_actor_rt::__private::ring::{Completion, Completions, answer};
use gpu_actor_rt::__private::sync::Words;
use kernels_ptx::abi::{actor_type, completion, root, slot, worker};
use kernels_ptx::device::{ld_relaxed_sys, ld_weak};
use kernels_ptx::ring::sleepers::awaken;
use loom::thread;
use std::sync::atomic::Ordering;

use super::memory::{Model, Region};
use super::{SHAPE, SIZE, check};

const ROOT: u64 = 128;
const MINE: u64 = 512;
const TYPES: u64 = 1024;
const COUNTS: u64 = 2048;
const CHUNK: u64 = 2304;
const FRAME: u64 = 2432;
const CONTROL: u64 = 3072;
const MESSAGE: u64 = 3584;

fn is_control(address: u64) -> bool {
    let completions = address < 2 * SIZE && address.is_multiple_of(SIZE);
    completions || (COUNTS..FRAME).contains(&address) || (CONTROL..MESSAGE).contains(&address)
}

/// Twice: the worker finds each time what the host wrote before it answered, and a refusal is not mistaken.
#[test]
fn who_is_answered_finds_the_chunk() {
    check(2, || {
        let model = Model::new(4096 / 8, is_control);
        let id = 1 << kernels_ptx::abi::actor_id::TYPE_SHIFT;
        for (address, value) in [
            (ROOT + root::SLOT_SIZE, SIZE),
            (ROOT + root::COMPLETION_CAPACITY, SHAPE.capacity),
            (ROOT + root::CONTROL, CONTROL),
            (ROOT + root::TYPES, TYPES),
            (TYPES + actor_type::SIZE + actor_type::COUNTS, COUNTS),
            (MINE + worker::COMPLETIONS, 0),
            (MESSAGE + slot::ACTOR, id),
        ] {
            model.write(address, value);
        }
        model.clone().run(|| {
            let mut completions = Completions::new(Region(model.clone(), 0), SHAPE);
            let host = {
                let model = model.clone();
                thread::spawn(move || {
                    for round in 0..2 {
                        let mut asked = Completion::default();
                        while !completions.pop(&mut asked) {
                            thread::yield_now();
                        }
                        assert_eq!((asked.kind, asked.actor), (completion::ASLEEP, id));
                        if round == 0 {
                            model.write(FRAME, 42);
                            Region(model.clone(), CHUNK).store(0, FRAME, Ordering::Release);
                        }
                        answer(&Region(model.clone(), COUNTS), 0, round == 1);
                    }
                })
            };
            assert!(!awaken(ROOT, MINE, 1, 0, MESSAGE, 0), "it is there");
            let frame = ld_relaxed_sys(CHUNK);
            assert_eq!((frame, ld_weak(frame)), (FRAME, 42));
            assert!(awaken(ROOT, MINE, 1, 0, MESSAGE, 1), "refused");
            host.join().unwrap();
        });
    });
}
