//! Memory, control flow, faults and sends, by their results.

use kernels_ptx::{
    abi::{fault::code, slot},
    builder::Builder,
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

/// A value is what its place was when it was read, whatever happens to the place before the value is used: where the
/// builder leaves out a copy, nobody may notice.
#[test]
fn values_outlive_their_places() {
    let run = |body: fn(&Builder)| {
        let state: Vec<u8> = [10u32, 20, 30, 40].iter().flat_map(|x| x.to_le_bytes()).collect();
        let outcome = Handlers::new(vec![support::handler("h", body)]).once("h", &state, &params(3, 1), 100);
        assert!(!outcome.faulted, "{:?}", outcome.fault);
        (<[u32; 4]>::decode(&outcome.reply), <[u32; 4]>::decode(&outcome.state))
    };
    // An element is overwritten between reading the array and using it.
    let (reply, state) = run(|b| {
        let place = b.state::<[u32; 4]>();
        let before = b.read(place);
        b.write(b.index(place, b.lit(1), 1), b.lit(99));
        b.reply(before);
    });
    assert_eq!((reply, state), ([10, 20, 30, 40], [10, 99, 30, 40]));
    // The same in one arm of an if.
    let (reply, state) = run(|b| {
        let place = b.state::<[u32; 4]>();
        let before = b.read(place);
        b.if_begin(b.eq(b.read(b.param::<u32>(0)), b.lit(3)));
        b.write(b.index(place, b.lit(0), 1), b.lit(99));
        b.if_end();
        b.reply(before);
    });
    assert_eq!((reply, state), ([10, 20, 30, 40], [99, 20, 30, 40]));
    // The index changes between forming the place and using it.
    let (reply, _) = run(|b| {
        let place = b.state::<[u32; 4]>();
        let i = b.local(b.lit(1usize));
        let element = b.index(place, b.read(i), 1);
        b.write(i, b.lit(3));
        let value = b.read(element);
        b.write(element, b.lit(7));
        let result = b.local(b.read(place));
        b.write(b.index(result, b.read(i), 2), value);
        b.reply(b.read(result));
    });
    assert_eq!(reply, [10, 7, 30, 20]);
    // A local changes in a loop, and the value from before it is used inside and behind.
    let (reply, _) = run(|b| {
        let x = b.local(b.lit(5u32));
        let before = b.read(x);
        let sum = b.local(b.lit(0u32));
        let turns = b.local(b.lit(0u32));
        let label = b.loop_begin(1);
        b.if_begin(b.eq(b.read(turns), b.lit(3)));
        b.brk(label);
        b.if_end();
        b.write(sum, b.add(b.read(sum), before, 2));
        b.write(x, b.add(b.read(x), b.lit(1), 3));
        b.write(turns, b.add(b.read(turns), b.lit(1), 4));
        b.loop_end();
        let result = b.slot::<[u32; 4]>();
        for (i, value) in [b.read(sum), before, b.read(x), b.lit(0)].into_iter().enumerate() {
            b.write(b.index(result, b.lit(i), 5), value);
        }
        b.reply(b.read(result));
    });
    assert_eq!(reply, [15, 5, 8, 0]);
    // An array through an inlined function that changes its own copy.
    let (reply, state) = run(|b| {
        let place = b.state::<[u32; 4]>();
        let frame = b.frame_begin::<[u32; 4]>("changed");
        let own = b.local(b.read(place));
        b.write(b.index(own, b.lit(2), 1), b.lit(1));
        b.if_begin(b.eq(b.read(b.param::<u32>(4)), b.lit(1)));
        b.ret(&frame, b.read(own));
        b.if_end();
        b.ret(&frame, b.read(place));
        b.reply(b.frame_end(frame));
    });
    assert_eq!((reply, state), ([10, 20, 1, 40], [10, 20, 30, 40]));
    // Two values exchange their places.
    let (_, state) = run(|b| {
        let place = b.state::<[u32; 4]>();
        let (p, q) = (b.index(place, b.lit(0), 1), b.index(place, b.lit(3), 1));
        let (x, y) = (b.read(p), b.read(q));
        b.write(p, y);
        b.write(q, x);
    });
    assert_eq!(state, [40, 20, 30, 10]);
    // Registers exchange, too.
    let (reply, _) = run(|b| {
        let (x, y) = (b.local(b.lit(1u32)), b.local(b.lit(2u32)));
        let (old_x, old_y) = (b.read(x), b.read(y));
        b.write(x, old_y);
        b.write(y, old_x);
        let result = b.local(b.lit([0u32; 4]));
        b.write(b.index(result, b.lit(0), 1), b.read(x));
        b.write(b.index(result, b.lit(1), 1), b.read(y));
        b.reply(b.read(result));
    });
    assert_eq!(reply, [2, 1, 0, 0]);
}

/// Shapes of code at which leaving something out would show: values used twice, late, or after a branch on them.
#[test]
fn values_are_there_for_every_use() {
    let run = |body: &dyn Fn(&Builder)| {
        let outcome =
            Handlers::new(vec![support::handler("h", body)]).once("h", &[7; 24], &params(3, 1), 100);
        assert!(!outcome.faulted, "{:?}", outcome.fault);
        (<[u32; 2]>::decode(&outcome.reply), outcome.state)
    };
    let pair = |b: &Builder, x, y| {
        let result = b.slot::<[u32; 2]>();
        b.write(b.index(result, b.lit(0), 1), x);
        b.write(b.index(result, b.lit(1), 1), y);
        b.reply(b.read(result));
    };
    // A local that starts as another and then changes.
    let (reply, _) = run(&|b| {
        let x = b.local(b.read(b.param::<u32>(0)));
        let y = b.local(b.read(x));
        let before = b.read(y);
        b.write(y, b.lit(9));
        pair(b, before, b.read(y));
    });
    assert_eq!(reply, [3, 9]);
    // A value that is used long after it was read.
    let (reply, _) = run(&|b| {
        let x = b.local(b.read(b.param::<u32>(0)));
        let value = b.read(x);
        for _ in 0..300 {
            b.write(b.state::<u8>(), b.lit(1));
        }
        pair(b, value, b.read(x));
    });
    assert_eq!(reply, [3, 3]);
    // Bytes that are used twice.
    let (_, state) = run(&|b| {
        let place = b.state::<[[u8; 8]; 3]>();
        b.write(b.index(place, b.lit(0), 1), b.lit([1, 2, 3, 4, 5, 6, 7, 8]));
        let value = b.read(b.index(place, b.lit(0), 1));
        b.write(b.index(place, b.lit(1), 1), value);
        b.write(b.index(place, b.lit(2), 1), value);
    });
    assert_eq!(state, [[1, 2, 3, 4, 5, 6, 7, 8]; 3].concat());
    // A comparison that is branched on and kept.
    let (reply, _) = run(&|b| {
        let result = b.local(b.lit(0u32));
        let less = b.lt(b.read(b.param::<u32>(0)), b.lit(5));
        b.if_begin(less);
        b.write(result, b.lit(1));
        b.if_end();
        pair(b, b.read(result), b.cast(less));
    });
    assert_eq!(reply, [1, 1]);
}

/// Loops that run at most once, and loops whose only way on is a `continue`.
#[test]
fn loops_of_unusual_shape() {
    let run = |body: fn(&Builder)| {
        let outcome = Handlers::new(vec![support::handler("h", body)]).once("h", &[0; 8], &params(3, 1), 100);
        assert!(!outcome.faulted, "{:?}", outcome.fault);
        word(&outcome.reply, 0)
    };
    // `for i in 0..10 { break i + 5 }`: the counting is never reached.
    let once = run(|b| {
        let (i, result) = (b.local(b.lit(0u64)), b.local(b.lit(0u64)));
        let label = b.loop_begin(1);
        b.if_begin(b.lt(b.read(i), b.lit(10)));
        b.if_else();
        b.brk(label);
        b.if_end();
        b.write(result, b.add(b.read(i), b.lit(5), 2));
        b.brk(label);
        b.loop_continuing();
        b.write(i, b.wrapping_add(b.read(i), b.lit(1)));
        b.loop_end();
        b.reply(b.read(result));
    });
    assert_eq!(once, 5);
    // `loop { i += 1; if i < 5 { continue } break }`
    let again = run(|b| {
        let i = b.local(b.lit(0u64));
        let label = b.loop_begin(1);
        b.write(i, b.add(b.read(i), b.lit(1), 2));
        b.if_begin(b.lt(b.read(i), b.lit(5)));
        b.cont(label);
        b.if_end();
        b.brk(label);
        b.loop_end();
        b.reply(b.read(i));
    });
    assert_eq!(again, 5);
    // A continuing part that always ends the handler.
    let fault = support::handler("h", |b| {
        let label = b.loop_begin(1);
        b.if_begin(b.read(b.param::<bool>(0)));
        b.cont(label);
        b.if_end();
        b.brk(label);
        b.loop_continuing();
        b.panic(2, None);
        b.loop_end();
        b.reply(b.lit(8u64));
    });
    let handlers = Handlers::new(vec![fault]);
    assert_eq!(handlers.once("h", &[0; 8], &params(1, 0), 1).fault.0, code::PANIC);
    assert_eq!(word(&handlers.once("h", &[0; 8], &params(0, 0), 1).reply, 0), 8);
}

/// Loops inside arms inside loops, left and continued from everywhere.
#[test]
fn nested_loops_go_where_rust_goes() {
    fn native(limit: u32) -> u64 {
        let mut sum = 0u64;
        let mut i = 0u32;
        'outer: while i < limit {
            i += 1;
            let mut j = 0u32;
            loop {
                j += 1;
                if j > i {
                    continue 'outer;
                }
                if (i ^ j) & 3 == 1 {
                    continue;
                }
                if sum > 500 {
                    break 'outer;
                }
                if j == 7 {
                    break;
                }
                sum += u64::from(i * j);
            }
            sum += 1;
        }
        sum
    }
    let function = support::handler("h", |b| {
        let limit = b.read(b.param::<u32>(0));
        let (sum, i) = (b.local(b.lit(0u64)), b.local(b.lit(0u32)));
        let outer = b.loop_begin(1);
        b.if_begin(b.lt(b.read(i), limit));
        b.if_else();
        b.brk(outer);
        b.if_end();
        b.write(i, b.add(b.read(i), b.lit(1), 2));
        let j = b.local(b.lit(0u32));
        let inner = b.loop_begin(3);
        b.write(j, b.add(b.read(j), b.lit(1), 4));
        b.if_begin(b.gt(b.read(j), b.read(i)));
        b.cont(outer);
        b.if_end();
        b.if_begin(b.eq(b.bitand(b.bitxor(b.read(i), b.read(j)), b.lit(3)), b.lit(1)));
        b.cont(inner);
        b.if_else();
        b.if_begin(b.gt(b.read(sum), b.lit(500)));
        b.brk(outer);
        b.if_else();
        b.if_begin(b.eq(b.read(j), b.lit(7)));
        b.brk(inner);
        b.if_else();
        b.write(sum, b.add(b.read(sum), b.cast(b.mul(b.read(i), b.read(j), 5)), 6));
        b.if_end();
        b.if_end();
        b.if_end();
        b.loop_end();
        b.write(sum, b.add(b.read(sum), b.lit(1), 7));
        b.loop_end();
        b.reply(b.read(sum));
    });
    let handlers = Handlers::new(vec![function]);
    for limit in [0, 1, 2, 3, 5, 6, 7, 8, 9, 12, 40] {
        let outcome = handlers.once("h", &[0], &params(limit, 0), 10_000);
        assert!(!outcome.faulted, "{:?}", outcome.fault);
        assert_eq!(word(&outcome.reply, 0), native(limit), "limit {limit}");
    }
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
