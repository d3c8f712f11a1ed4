//! Printing and reading back.

use super::parse;
use crate::{
    builder::Builder,
    dispatch,
    ir::{Const, Function, ScalarType},
    ring,
};

fn again(function: &Function) {
    let text = function.to_string();
    let mut read = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.len(), 1);
    let read = read.remove(0);
    assert_eq!(read.to_string(), text);
    assert_eq!(read.body, function.body);
    assert_eq!(
        (read.params, read.result, read.kind),
        (function.params.clone(), function.result, function.kind)
    );
    assert_eq!(read.sites, function.sites);
}

#[test]
fn what_builders_make_reads_back() {
    again(&ring::kernel().unwrap());
    again(&dispatch::build(&[]).unwrap());
    for function in ring::buffers::functions().unwrap() {
        again(&function);
    }
    again(&sample());
}

/// A handler with most kinds of statements.
fn sample() -> Function {
    let b = Builder::handler("h");
    let x = b.read(b.param::<[f32; 4]>(0));
    let sum = b.local(b.lit(0.0f32));
    let i = b.local(b.lit(0usize));
    let turn = b.loop_begin(3);
    b.if_begin(b.ge(b.read(i), b.lit(4)));
    b.brk(turn);
    b.if_end();
    let at = b.read(b.index(b.temp(x), b.read(i), 4));
    b.write(sum, b.add(b.read(sum), at, 4));
    b.loop_continuing();
    b.write(i, b.add(b.read(i), b.lit(1), 3));
    b.loop_end();
    b.assert(b.lt(b.read(sum), b.lit(f32::INFINITY)), 5, Some("finite, \"really\"\n\u{1f980}"));
    b.reply(b.read(sum));
    b.finish().unwrap()
}

#[test]
fn constants_read_back() {
    for &(_, ty) in ScalarType::NAMED {
        let mut patterns =
            vec![0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x1_0000, u64::MAX, 1 << 63, 1 << 31];
        patterns.extend([1.5f64, -1e300, 1e-7, f64::NAN, f64::INFINITY, 5e-324].map(f64::to_bits));
        patterns
            .extend([1.5f32, -1e30, 1e-7, f32::NAN, f32::INFINITY, 1e-45].map(|x| u64::from(x.to_bits())));
        for bits in patterns {
            let c = Const { ty, bits };
            let text = format!("func @f() {{\n    nanosleep {c}\n    return\n}}\n");
            assert_eq!(parse(&text).unwrap()[0].to_string(), text);
            assert_eq!(
                parse(&text).unwrap()[0].body[0],
                crate::ir::Stmt::Nanosleep(crate::ir::Operand::Const(c))
            );
        }
    }
}

#[track_caller]
fn refused(text: &str, line: u32, column: u32, token: &str, message: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!((error.line, error.column, &*error.token), (line, column, token), "{error}");
    assert!(error.message.contains(message), "{error}");
}

#[test]
fn errors_name_line_column_and_token() {
    refused("fun @f() {\n}", 1, 1, "fun", "expected `entry`, `func` or `handler`");
    refused("func f() {\n}", 1, 6, "f", "expected `@`");
    refused("func @f(v1: u32) {\n}", 1, 9, "v1", "expected v0");
    refused("func @f() {\n    v0: u31 = copy 1u32\n}", 2, 9, "u31", "expected a type");
    refused("func @f() {\n    v0: u32 = cpy 1u32\n}", 2, 15, "cpy", "expected an operation");
    refused("func @f() {\n    v0: u8 = copy 256u8\n}", 2, 19, "256u8", "expected a register or a constant");
    refused("func @f() {\n    return return\n}", 2, 12, "return", "expected a register or a constant");
    refused("func @f() {\n    pmevent 0 pmevent 1\n}", 2, 15, "pmevent", "expected the end of the line");
    refused("func @f() {\n    v0: u8 = copy 1u8\n    v0: u9 = copy 1u8\n}", 3, 9, "u9", "expected a type");
    refused(
        "func @f() {\n    v0: u8 = copy 1u8\n    v0: i8 = copy 1i8\n}",
        3,
        9,
        "i8",
        "has been `u8` before",
    );
    refused("func @f() {\n    break L0\n", 2, 1, "the end of the text", "expected a statement");
    refused("func @f() {\n    slot s1 size 4 align 4\n}", 2, 10, "s1", "expected `s0`");
    refused("func @f() {\n    slot s0 size 4 align 3\n}", 2, 26, "3", "expected a power of two");
    refused(
        "handler @f() {\n    site f0 panic line 1 says \"x\n}",
        2,
        31,
        "\"x",
        "a string ends with its line",
    );
    refused("func @f() {\n    é\n}", 2, 5, "é", "not a token");
    refused("func @f() {\n    v99999999: u8 = copy 1u8\n}", 2, 5, "v99999999", "expected a statement");
    let deep = format!("func @f() {{\n{}", "if true {\n".repeat(100_000));
    assert!(parse(&deep).unwrap_err().message.contains("nest deeper"));
}

/// No text makes the reader panic: a text with every kind of statement, cut, and with tokens changed, doubled and
/// swapped, always the same way.
#[test]
fn mutated_texts_never_panic() {
    let text = format!("{}{}", sample(), dispatch::build(&[]).unwrap());
    let pieces = [
        "v",
        "{",
        "}",
        "\"",
        "99999999999999999999999",
        "-",
        "f32(0xff)",
        "u8(",
        "if",
        "\\",
        "é",
        "\n",
        "",
        ";",
    ];
    let mut word = 88_172_645_463_325_252u64;
    let mut next = move |below: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word % below as u64) as usize
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            let end = (at + next(8)).min(bytes.len());
            let piece = if next(2) == 0 {
                pieces[next(pieces.len())].as_bytes().to_vec()
            } else {
                bytes[at..end].to_vec()
            };
            bytes.splice(at..end, piece);
        }
        match parse(&String::from_utf8_lossy(&bytes)) {
            // What can be read can be judged.
            Ok(functions) => {
                read += 1;
                let _ = crate::verify::verify(&functions, crate::verify::Stage::Built);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 10 && refused > 1000, "{read} read, {refused} refused");
}
