//! The check itself is checked: native twins that differ from their device twins in one way each must be found.

use super::{Mismatch, Report};
use crate::actor::{ActorInfo, MethodInfo};
use crate::cx::{Cx, Message};
use crate::device::soft::{Soft, SoftConfig};
use crate::prelude::*;

/// Does a little of everything.
#[gpu_actor]
#[derive(Default)]
struct Subject {
    sum: u64,
    ratio: f64,
    flags: [bool; 3],
}

#[gpu_actor]
impl Subject {
    #[handler]
    fn run(&mut self, cx: &mut Cx, to: ActorId<Subject>, n: u8, divisor: f64) -> u64 {
        self.ratio = self.sum as f64 / divisor;
        self.flags[n as usize % 3] = true;
        assert!(n != 7, "not that one");
        if n > 200 {
            cx.tell(to.run(to, n - 200, self.ratio));
        }
        self.sum = self.sum.wrapping_add(n as u64);
        self.sum
    }
}

type NativeFn = fn(&mut [u8], &[u8], &mut Cx, &mut [u8]);

fn genuine() -> &'static MethodInfo {
    &<Subject as Actor>::info().methods[0]
}

/// The subject with another native twin.
fn with(native: NativeFn) -> &'static ActorInfo {
    let methods = Box::leak(Box::new([MethodInfo { native, ..*genuine() }]));
    Box::leak(Box::new(ActorInfo { methods, ..*<Subject as Actor>::info() }))
}

fn check(info: &'static ActorInfo, cases: u32, seed: u64) -> Result<Report, Mismatch> {
    super::check(&Soft::open(&SoftConfig::default()).unwrap(), info, cases, seed)
}

/// In what the check finds the twins to differ.
fn found(native: NativeFn) -> &'static str {
    match check(with(native), 400, 3) {
        Err(Mismatch::Differ(difference)) => difference.what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_twins_are_equal_in_every_way_that_is_looked_at() {
    let report = check(with(genuine().native), 2_000, 3).unwrap();
    assert_eq!(report.cases, 2_000);
    assert_eq!(report.returned + report.faulted, 2_000);
    assert!(report.faulted > 5 && report.sent > 50, "{report:?}");
}

#[test]
fn every_difference_is_found() {
    assert_eq!(
        found(|state, message, cx, reply| {
            (genuine().native)(state, message, cx, reply);
            reply[7] ^= 1;
        }),
        "the reply"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            (genuine().native)(state, message, cx, reply);
            state[16] ^= 1;
        }),
        "the state"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            (genuine().native)(state, message, cx, reply);
            cx.tell(Message::new(1, genuine().id, ()));
        }),
        "the number of sends"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            let mut own = Cx::native();
            (genuine().native)(state, message, &mut own, reply);
            for sent in own.sent() {
                cx.tell(Message::new(sent.target() ^ 1, sent.method(), <[u8; 24]>::decode(sent.payload())));
            }
        }),
        "the receiver of a send"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            let mut own = Cx::native();
            (genuine().native)(state, message, &mut own, reply);
            for sent in own.sent() {
                let mut payload = <[u8; 24]>::decode(sent.payload());
                payload[8] += 1;
                cx.tell(Message::new(sent.target(), sent.method(), payload));
            }
        }),
        "the arguments of a send"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            if message[8] == 7 {
                return;
            }
            (genuine().native)(state, message, cx, reply);
        }),
        "the outcome"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            assert!(message[8] != 7, "not that one");
            (genuine().native)(state, message, cx, reply);
        }),
        "the line of the fault"
    );
    assert_eq!(
        found(|state, message, cx, reply| {
            if message[8] == 7 {
                state[0] = 1 / (message[8] - 7);
            }
            (genuine().native)(state, message, cx, reply);
        }),
        "the kind of fault"
    );
}

#[test]
fn a_failing_input_is_made_simple() {
    let wrong = with(|state, message, cx, reply| {
        (genuine().native)(state, message, cx, reply);
        // Wrong for the upper half of `n` only.
        reply[0] ^= message[8] >> 7;
    });
    let Err(Mismatch::Differ(difference)) = check(wrong, 400, 3) else { panic!() };
    assert_eq!(difference.what, "the reply");
    assert_eq!(difference.message[8], 0x80);
    assert_eq!(difference.message.iter().filter(|byte| **byte != 0).count(), 1, "{difference}");
    assert!(difference.state.iter().all(|byte| *byte == 0), "{difference}");
}

#[test]
fn nan_is_compared_by_class() {
    let report = check(
        with(|state, message, cx, reply| {
            (genuine().native)(state, message, cx, reply);
            if f64::from_le_bytes(state[8..16].try_into().unwrap()).is_nan() {
                state[8..16].copy_from_slice(&(f64::NAN.to_bits() | 5).to_le_bytes());
            }
        }),
        400,
        3,
    );
    report.unwrap();
}

#[test]
fn a_difference_says_all_that_is_needed_to_repeat_it() {
    let Err(mismatch) = check(with(|_, _, _, reply| reply[0] = 0x5a), 400, 3) else { panic!() };
    let text = mismatch.to_string();
    for part in [
        "Subject::run differs in",
        "seed 0x3",
        "natively",
        "on the device",
        "state before",
        "message",
        "check_handlers::<Subject>(1, 0x3)",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
