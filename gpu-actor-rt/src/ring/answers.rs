//! The host's answers to workers that ask for an actor who sleeps.

use std::sync::atomic::Ordering;

use kernels_ptx::abi::{LINE, actor_type};

use crate::sync::Words;

/// Answers the worker that asked: what it asked for has been published, or is `refused`. `counts` are the slot counts of the actor's
/// type. One thread at a time answers a worker, and the worker asks again only after that.
pub fn answer<W: Words>(counts: &W, worker: u32, refused: bool) {
    let at = u64::from(worker) * LINE + actor_type::ANSWER;
    let answers = counts.load(at, Ordering::Relaxed) >> 1;
    counts.store(at, (answers + 1) << 1 | u64::from(refused), Ordering::Release);
}
