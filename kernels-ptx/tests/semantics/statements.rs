//! Memory, control flow, faults and sends, by their results.

use kernels_ptx::{
    abi::{fault::code, slot},
    lang::GpuData,
};

use crate::{
    device::{Handlers, LANE, NOW, SELF_ID, WORKER, word},
    support::{self, Point},
};

/// Two `u32` parameters.
fn params(first: u32, second: u32) -> Vec<u8> {
    [first.to_le_bytes(), second.to_le_bytes()].concat()
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + 1) as u8).collect()
}

#[test]
fn memory() {
    let handlers = Handlers::new(support::memory());
    let run = |name: &str, state: &[u8], payload: &[u8]| {
        let outcome = handlers.once(name, state, payload, 0);
        assert!(!outcome.faulted, "{name}: {:?}", outcome.fault);
        outcome
    };

    let point = Point { tag: 254, at: [1.0, 2.0, 3.0], id: 77 };
    let mut state = vec![0; 24];
    point.encode(&mut state);
    let outcome = run("h_struct", &state, &params(2, 0));
    assert_eq!(Point::decode(&outcome.state), Point { tag: 255, at: [1.0, 2.0, 4.5], id: 77 });
    assert_eq!(word(&outcome.reply, 0), 77);
    let outside = handlers.once("h_struct", &state, &params(3, 0), 0);
    assert_eq!(outside.fault, (code::BOUNDS, 0));
    assert_eq!(outside.state, state);

    let outcome = run("h_constant", &[0; 24], &[]);
    assert_eq!(Point::decode(&outcome.state), Point { tag: 7, at: [1.0, 2.0, -0.0], id: u64::MAX });
    assert_eq!(outcome.reply[..3], [1, 2, 3]);

    let state = pattern(800);
    let outcome = run("h_large_copy", &state, &params(2, 0));
    assert_eq!(outcome.state, [&state[400..600], &state[200..]].concat());
    let state = pattern(4004);
    let outcome = run("h_huge_copy", &state, &[]);
    assert_eq!(outcome.state, [&state[2002..], &state[2002..]].concat());

    let state = pattern(30);
    for (i, j) in [(0u8, 0u8), (1, 3), (2, 4)] {
        let outcome = run("h_nested_index", &state, &[i, j]);
        let at = usize::from(i) * 10 + usize::from(j) * 2;
        assert_eq!(outcome.reply[..2], state[at..at + 2]);
    }
    assert_eq!(handlers.once("h_nested_index", &state, &[3, 0], 0).fault, (code::BOUNDS, 0));
    assert_eq!(handlers.once("h_nested_index", &state, &[0, 5], 0).fault, (code::BOUNDS, 1));

    // Of a bool only the lowest bit counts, and what is stored is 0 or 1.
    for (state, result) in [([2, 1], 0), ([255, 255], 1), ([0, 6], 1), ([1, 0], 0)] {
        assert_eq!(run("h_bool", &state, &[]).state, [result, state[1]]);
    }

    let state = pattern(24);
    assert_eq!(run("h_swap", &state, &[]).state, [&state[12..], &state[..12]].concat());
}

#[test]
fn control_flow() {
    let handlers = Handlers::new(support::control());
    let run = |name: &str, first: u32, second: u32| {
        let outcome = handlers.once(name, &[0; 16], &params(first, second), 100);
        (outcome.faulted.then_some(outcome.fault), word(&outcome.reply, 0), outcome.state[0])
    };
    assert_eq!(run("h_while", 10, 0), (None, 1 + 2 + 4 + 5 + 7 + 8 + 10, 0));
    assert_eq!(run("h_while", 0, 0), (None, 0, 0));
    // The outer `continue` lands in the continuing part, the inner `break` behind the inner loop.
    assert_eq!(run("h_for", 0, 99), (None, 0, 1));
    assert_eq!(run("h_for", 99, 0), (None, 0, 1));
    assert_eq!(run("h_for", 1, 0), (None, 0, 2));
    assert_eq!(run("h_inlined", 101, 0), (None, 200, 0));
    assert_eq!(run("h_inlined", 9, 0), (None, 20, 0));
    assert_eq!(run("h_if_value", 1, 0).1, u64::from(-1i16 as u16));
    assert_eq!(run("h_if_value", 2, 0).1, 1);
    assert_eq!(run("h_assert", 3, 0).0, None);
    assert_eq!(run("h_assert", 4, 0).0, Some((code::PANIC, 1)));
    assert_eq!(run("h_assert", 5, 0).0, Some((code::ASSERT, 0)));
    assert_eq!(run("h_panic", 0, 0).0, Some((code::PANIC, 0)));
}

/// Ten turns pay ten units: the last look at the condition is not a turn.
#[test]
fn budget() {
    let handlers = Handlers::new(support::control());
    let run = |budget| {
        let outcome = handlers.once("h_while", &[0; 16], &params(10, 0), budget);
        outcome.faulted.then_some(outcome.fault.0)
    };
    assert_eq!(run(10), None);
    assert_eq!(run(9), Some(code::BUDGET));
    assert_eq!(run(0), Some(code::BUDGET));
}

#[test]
fn sends() {
    let handlers = Handlers::new(support::sends());
    let outcome = handlers.once("h_send", &[0], &params(0xabcd, 1), 0);
    assert!(!outcome.faulted);
    assert_eq!(outcome.sent, 2);
    let (first, second) = outcome.outbox.split_at(256);
    let header =
        |entry: &[u8]| [slot::SEQ_METHOD, slot::ACTOR, slot::CORR].map(|at| word(entry, at as usize));
    assert_eq!(header(first), [0xdead_beef << 32, 0xabcd | 1 << 32, 0]);
    assert_eq!([32, 40, 48].map(|at| word(first, at)), [NOW, 1 | 2 << 32, 3]);
    assert_eq!(header(second), [1 << 32, SELF_ID, 0]);
    assert_eq!(word(second, 32), u64::from(WORKER + LANE));
}

#[test]
fn a_full_outbox_faults() {
    let three = support::handler("h_three", |b| {
        for method in 1..4 {
            b.at_line(10 + method);
            b.send(b.lit(1), method);
        }
    });
    let line = three.sites()[2].line;
    let outcome = Handlers::new(vec![three]).once("h_three", &[0], &[], 0);
    assert_eq!((outcome.fault, line), ((code::TOO_MANY_SENDS, 2), 13));
    assert_eq!(outcome.sent, 2);
}

/// What was written before a fault stays, as it does in Rust.
#[test]
fn the_first_fault_wins() {
    let function = support::handler("h", |b| {
        let state = b.state::<[u32; 2]>();
        let at = |i: usize| b.index(state, b.lit(i), 1);
        b.write(at(0), b.lit(1));
        b.write(at(0), b.add(b.read(at(1)), b.lit(1), 2));
        b.write(at(1), b.lit(9));
        b.panic(3, None);
    });
    let handlers = Handlers::new(vec![function]);
    let outcome = handlers.once("h", &[&[0; 4][..], &[255; 4]].concat(), &[], 0);
    assert_eq!((outcome.fault, word(&outcome.state, 0)), ((code::OVERFLOW, 0), 1 | 0xffff_ffff << 32));
    let outcome = handlers.once("h", &[0; 8], &[], 0);
    assert_eq!((outcome.fault, word(&outcome.state, 0)), ((code::PANIC, 1), 1 | 9 << 32));
}
