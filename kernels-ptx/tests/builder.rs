//! What the builder refuses, what it drops, and what the host learns of faults.

mod support;

use kernels_ptx::{
    abi::fault::code,
    builder::Builder,
    dispatch::{self, Dispatch},
    error::LowerError,
    ir::ScalarType,
    lang::GpuData,
    module::Module,
};

/// A result that only had to be asked for.
fn unused<T>(_: T) {}

/// The error of a handler with this body.
#[track_caller]
fn refused(body: impl FnOnce(&Builder)) -> LowerError {
    let b = Builder::handler("h");
    body(&b);
    b.finish().expect_err("the handler should be refused")
}

/// The error of a kernel, which has nobody to report a fault to.
#[track_caller]
fn refused_in_kernel(body: impl FnOnce(&Builder)) -> LowerError {
    let b = Builder::kernel("k", &[ScalarType::U32, ScalarType::I32, ScalarType::U64]);
    body(&b);
    b.finish().expect_err("the kernel should be refused")
}

#[test]
fn recursion_names_the_cycle() {
    fn even(b: &Builder) {
        let frame = b.frame_begin::<u32>("even");
        if frame.is_cycle() {
            return;
        }
        odd(b);
        b.ret(&frame, b.lit(1));
        b.frame_end(frame);
    }
    fn odd(b: &Builder) {
        let frame = b.frame_begin::<u32>("odd");
        even(b);
        b.ret(&frame, b.lit(2));
        b.frame_end(frame);
    }
    let error = refused(|b| {
        let outer = b.frame_begin::<()>("main");
        even(b);
        b.ret(&outer, b.unit());
        b.frame_end(outer);
    });
    assert_eq!(
        error,
        LowerError::Recursion {
            function: "h".into(),
            cycle: ["even", "odd", "even"].map(String::from).to_vec()
        }
    );
    assert!(error.to_string().contains("even -> odd -> even"), "{error}");
}

#[test]
fn calling_a_function_twice_is_no_recursion() {
    let b = Builder::handler("h");
    for _ in 0..2 {
        let frame = b.frame_begin::<u32>("f");
        b.ret(&frame, b.lit(1));
        b.reply(b.frame_end(frame));
    }
    assert!(b.finish().is_ok());
}

#[test]
fn what_can_fault_is_refused_in_kernels() {
    fn line_of(error: &LowerError) -> u32 {
        match error {
            LowerError::FaultInKernel { line, hint, .. } => {
                assert!(!hint.is_empty());
                *line
            }
            other => panic!("{other}"),
        }
    }
    let bodies: [fn(&Builder); 11] = [
        |b| unused(b.add(b.arg::<u32>(0), b.lit(1), 7)),
        |b| unused(b.sub(b.arg::<i32>(1), b.lit(1), 7)),
        |b| unused(b.mul(b.arg::<u64>(2), b.lit(3), 7)),
        |b| unused(b.neg(b.arg::<i32>(1), 7)),
        |b| unused(b.abs(b.arg::<i32>(1), 7)),
        |b| unused(b.div(b.lit(1), b.arg::<u32>(0), 7)),
        |b| unused(b.rem(b.arg::<i32>(1), b.lit(-1), 7)),
        |b| unused(b.shl(b.lit(1u64), b.arg::<u32>(0), 7)),
        |b| unused(b.index(b.slot::<[u8; 4]>(), b.cast(b.arg::<u64>(2)), 7)),
        |b| b.assert(b.eq(b.arg::<u32>(0), b.lit(1)), 7, None),
        |b| b.panic(7, None),
    ];
    for body in bodies {
        assert_eq!(line_of(&refused_in_kernel(body)), 7);
    }
}

#[test]
fn what_cannot_fault_is_fine_in_kernels() {
    let b = Builder::kernel("k", &[ScalarType::U32, ScalarType::I32, ScalarType::F32]);
    let x = b.arg::<u32>(0);
    b.div(x, b.lit(10), 1);
    b.rem(b.arg::<i32>(1), b.lit(-2), 1);
    b.shl(x, b.lit(31), 1);
    b.shr(x, b.lit(0u8), 1);
    b.add(b.arg::<f32>(2), b.lit(1.0), 1);
    b.clamp(x, b.lit(1), b.lit(9), 1);
    let array = b.local(b.lit([1u32; 4]));
    b.read(b.index(array, b.lit(3), 1));
    let label = b.loop_begin(1);
    b.brk(label);
    b.loop_end();
    support::module([b.finish().unwrap()]);
}

#[test]
fn constants_that_always_fault_fault() {
    let function = support::handler("h", |b| {
        b.shl(b.lit(1u8), b.lit(8), 3);
        b.div(b.lit(1), b.lit(0), 4);
    });
    let sites: Vec<_> = function.sites().iter().map(|s| (s.code, s.line)).collect();
    assert_eq!(sites, [(code::OVERFLOW, 3)], "nothing runs behind the first");
    let bounds = support::handler("h", |b| {
        b.read(b.index(b.slot::<[u8; 4]>(), b.lit(4), 5));
    });
    assert_eq!((bounds.sites()[0].code, bounds.sites()[0].line), (code::BOUNDS, 5));
}

#[test]
fn handler_things_exist_in_handlers_only() {
    let bodies: [fn(&Builder); 5] = [
        |b| unused(b.state::<u32>()),
        |b| unused(b.param::<u32>(0)),
        |b| b.reply(b.lit(1u32)),
        |b| unused(b.send(b.lit(1), 1)),
        |b| unused(b.cx_now()),
    ];
    for body in bodies {
        let error = refused_in_kernel(body);
        assert!(matches!(error, LowerError::HandlerOnly { .. }), "{error}");
    }
}

#[test]
fn messages_and_replies_have_a_size() {
    fn end_of(error: &LowerError) -> u64 {
        match error {
            LowerError::PayloadTooLarge { end, limit: 224, .. } => *end,
            other => panic!("{other}"),
        }
    }
    assert_eq!(end_of(&refused(|b| unused(b.param::<u64>(220)))), 228);
    assert_eq!(end_of(&refused(|b| b.reply(b.lit([0u8; 225])))), 225);
    let send = |b: &Builder| b.send_arg(&b.send(b.lit(1), 1), 224, b.lit(1u8));
    assert_eq!(end_of(&refused(|b| b.send_arg(&b.send(b.cx_now(), 1), 224, b.lit(1u8)))), 225);
    assert_eq!(end_of(&refused(send)), 225);
    let b = Builder::handler("h");
    b.reply(b.read(b.param::<[u8; 224]>(0)));
    assert!(b.finish().is_ok());
}

#[test]
fn size_limits() {
    let error = refused(|b| {
        let place = b.state::<u32>();
        for _ in 0..200_001 {
            b.write(place, b.lit(1));
        }
    });
    assert!(matches!(error, LowerError::TooLarge { limit: 200_000, .. }), "{error}");
    let error = refused(|b| {
        let table = b.local(b.read(b.state::<[u64; 10_000]>()));
        b.write(b.index(table, b.lit(0), 1), b.lit(1));
    });
    assert!(matches!(error, LowerError::TooLarge { actual: 80_000, .. }), "{error}");
    // A stack that is not used does not count.
    support::handler("h", |b| unused(b.slot::<[u64; 10_000]>()));
}

#[test]
fn misuse_is_an_error_and_no_panic() {
    let bodies: [fn(&Builder); 10] = [
        |b| b.if_else(),
        |b| b.if_end(),
        |b| b.loop_end(),
        |b| b.loop_continuing(),
        |b| b.if_begin(b.lit(true)),
        |b| unused(b.loop_begin(1)),
        |b| unused(b.frame_begin::<u32>("f")),
        |b| {
            let label = b.loop_begin(1);
            b.brk(label);
            b.loop_end();
            b.brk(label);
        },
        |b| {
            b.if_begin(b.lit(true));
            b.if_else();
            b.if_else();
            b.if_end();
        },
        |b| unused(b.arg::<u32>(0)),
    ];
    for body in bodies {
        let error = refused(body);
        assert!(matches!(error, LowerError::Misuse { .. }), "{error}");
    }
}

#[test]
fn sites_tell_where() {
    let function = support::handler("h", |b| {
        let x = b.read(b.param::<u32>(0));
        let frame = b.frame_begin::<u32>("helper");
        let twice = b.add(x, x, 30);
        b.ret(&frame, twice);
        let y = b.frame_end(frame);
        b.assert(b.lt(y, b.lit(9)), 10, Some("y is small"));
        // The same fault of the same line is one site.
        b.reply(b.add(b.add(y, y, 11), y, 11));
    });
    let sites: Vec<_> = function.sites().iter().map(|s| (s.code, s.line, s.message, s.function)).collect();
    let expected = [
        (code::OVERFLOW, 30, None, "helper"),
        (code::ASSERT, 10, Some("y is small"), ""),
        (code::OVERFLOW, 11, None, ""),
    ];
    assert_eq!(sites, expected);
    let mut module = Module::new("m");
    module.add(function.clone());
    assert_eq!(module.verify().unwrap().sites("h"), function.sites());
}

#[test]
fn sends_fault_at_their_line() {
    let function = support::handler("h", |b| {
        b.at_line(77);
        b.send(b.lit(1), 5);
    });
    let sites: Vec<_> = function.sites().iter().map(|s| (s.code, s.line)).collect();
    assert_eq!(sites, [(code::TOO_MANY_SENDS, 77)]);
}

#[test]
fn dead_code_is_dropped() {
    let ends: [fn(&Builder); 3] = [
        |b| b.panic(1, None),
        |b| {
            let label = b.loop_begin(1);
            b.write(b.state::<u32>(), b.lit(1));
            let _ = label;
            b.loop_end();
        },
        |b| {
            b.if_begin(b.read(b.param::<bool>(0)));
            b.panic(1, None);
            b.if_else();
            b.panic(2, None);
            b.if_end();
        },
    ];
    for end in ends {
        let live = support::handler("h", end);
        let dead = support::handler("h", |b| {
            end(b);
            let x = b.add(b.read(b.param::<u32>(0)), b.lit(1), 50);
            b.if_begin(b.eq(x, b.lit(3)));
            b.reply(b.never::<[u8; 3]>());
            b.if_else();
            let label = b.loop_begin(51);
            b.cont(label);
            b.loop_continuing();
            b.loop_end();
            b.if_end();
            let frame = b.frame_begin::<u64>("f");
            b.ret(&frame, b.lit(1));
            b.reply(b.frame_end(frame));
            b.read(b.index(b.slot::<[u8; 3]>(), b.cast(x), 52));
            b.panic(53, None);
        });
        assert_eq!(live.sites(), dead.sites());
        assert_eq!(support::module([live]).ptx(), support::module([dead]).ptx());
    }
}

/// A `match` becomes a chain of else-ifs; a long one must not exhaust a test thread's stack.
#[test]
fn long_else_if_chains() {
    const ARMS: u32 = 3000;
    let function = support::handler("h", |b| {
        let x = b.read(b.param::<u32>(0));
        for arm in 0..ARMS {
            b.if_begin(b.eq(x, b.lit(arm)));
            b.reply(b.lit(arm));
            b.if_else();
        }
        for _ in 0..ARMS {
            b.if_end();
        }
    });
    support::module([function]);
}

#[test]
fn nesting_has_a_limit() {
    let nest = |levels: u32| {
        let b = Builder::handler("h");
        let x = b.read(b.param::<u32>(0));
        for level in 0..levels {
            b.if_begin(b.gt(x, b.lit(level)));
        }
        b.reply(x);
        for _ in 0..levels {
            b.if_end();
        }
        b.finish()
    };
    support::module([nest(150).expect("within the limit")]);
    for levels in [151, 5000] {
        let error = nest(levels).expect_err("beyond the limit");
        assert!(matches!(error, LowerError::TooLarge { limit: 150, .. }), "{error}");
    }
}

/// A value that was read stays what it was, whatever happens to the place.
#[test]
fn values_do_not_change_with_their_place() {
    let function = support::handler("h", |b| {
        let x = b.local(b.lit(1u32));
        let before = b.read(x);
        b.if_begin(b.read(b.param::<bool>(0)));
        b.write(x, b.lit(2));
        b.if_end();
        b.reply(b.wrapping_add(before, b.read(x)));
    });
    let text = support::module_with([function], false).ptx().to_owned();
    let start = text.find("mov.b32 %r0, 1;").expect("the local");
    assert!(text[start..].contains("mov.b32 %r1, %r0;"), "the value that was read is kept:\n{text}");
}

#[test]
fn method_ids_are_unique() {
    let entry = |method, symbol: &str| Dispatch { method, type_index: 1, symbol: symbol.into() };
    let error = dispatch::build(&[entry(5, "a"), entry(9, "b"), entry(5, "c")]).unwrap_err();
    assert_eq!(error, LowerError::DuplicateMethod { method: 5, first: "a".into(), second: "c".into() });
    assert!(dispatch::build(&[]).is_ok(), "a system without actors has a dispatcher");
}

#[test]
fn data_survives_its_bytes() {
    fn round<T: GpuData + PartialEq + std::fmt::Debug>(value: T) {
        let mut bytes = vec![0xaa; size_of::<T>()];
        value.encode(&mut bytes);
        assert_eq!(T::decode(&bytes), value);
    }
    round(true);
    round(-5i8);
    round(-500i16);
    round(i32::MIN);
    round(i64::MIN);
    round(200u8);
    round(60_000u16);
    round(u32::MAX);
    round(u64::MAX - 1);
    round(-0.5f32);
    round(f64::MAX);
    round(());
    round([[1u16, 2], [3, 4]]);
    round([(); 3]);
    round(support::Point { tag: 1, at: [1.0, 2.0, 3.0], id: 9 });
    assert!(!bool::decode(&[2]));
    assert!(bool::decode(&[0xff]));
    assert_eq!(u32::decode(&[1]), 1, "short input reads as zeroes");
}
