//! The hybrid logical clock on the device: one word per actor.
//!
//! Rule kept here: a stamp is nanoseconds since the epoch with the low 10 bits as the logical counter, and the carry of
//! the counter into the time part is the overflow rule. Source of the rules: Kulkarni et al., "Logical Physical Clocks"
//! (2014), folded into one word.

use crate::abi::hlc::LOGICAL_MASK;
use gpu_actor_macros::gpu_fn;

/// Host time for the device time `timer`: `host + d + (d * rate >> 32)` with `d = timer - device`, nanoseconds.
#[gpu_fn]
pub fn host_time(timer: u64, device: u64, host: u64, rate: u64) -> u64 {
    let elapsed = timer.wrapping_sub(device);
    let correction = ((elapsed as i64).wrapping_mul(rate as i64)).wrapping_shr(32);
    host.wrapping_add(elapsed).wrapping_add(correction as u64)
}

/// The stamp of a send: later than `last`, not before `now`.
#[gpu_fn]
pub fn send(last: u64, now: u64) -> u64 {
    (last.wrapping_add(1)).max(now & !LOGICAL_MASK)
}

/// The stamp of a receive: later than `last` and than the message's stamp, not before `now`.
#[gpu_fn]
pub fn receive(last: u64, message: u64, now: u64) -> u64 {
    (message.wrapping_add(1)).max(send(last, now))
}

/// Whether a stamp is further ahead of `now` than `bound` nanoseconds.
#[gpu_fn]
pub fn drifts(stamp: u64, now: u64, bound: u64) -> bool {
    stamp > now.wrapping_add(bound)
}
