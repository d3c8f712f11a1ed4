//! The PTX of representative functions, compared with the files in `golden/`. `UPDATE_GOLDEN=1` rewrites them.

mod support;

use std::{fs, path::Path};

use kernels_ptx::{
    dispatch::{self, Dispatch},
    harness,
    ir::Function,
};

fn check(name: &str, functions: impl IntoIterator<Item = Function>) {
    let text = support::module(functions).ptx().to_owned();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.ptx"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("the golden folder can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if text != expected {
        let line = text.lines().zip(expected.lines()).position(|(a, b)| a != b);
        let at = line.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
        panic!(
            "{} differs from line {}:\n  is        {:?}\n  should be {:?}\nif that is meant, run with UPDATE_GOLDEN=1",
            path.display(),
            at + 1,
            text.lines().nth(at),
            expected.lines().nth(at),
        );
    }
}

#[test]
fn integers() {
    check("int_i8", support::signed::<i8>());
    check("int_i16", support::signed::<i16>());
    check("int_i32", support::signed::<i32>());
    check("int_i64", support::signed::<i64>());
    check("int_u8", support::integers::<u8>());
    check("int_u16", support::integers::<u16>());
    check("int_u32", support::integers::<u32>());
    check("int_u64", support::integers::<u64>());
}

#[test]
fn floats() {
    check("float_f32", support::floats::<f32>());
    check("float_f64", support::floats::<f64>());
}

#[test]
fn casts() {
    let mut all = support::casts::<bool>("bool", false);
    all.extend(support::casts::<i8>("i8", true));
    all.extend(support::casts::<i16>("i16", true));
    all.extend(support::casts::<i32>("i32", true));
    all.extend(support::casts::<i64>("i64", true));
    all.extend(support::casts::<u8>("u8", true));
    all.extend(support::casts::<u16>("u16", true));
    all.extend(support::casts::<u32>("u32", true));
    all.extend(support::casts::<u64>("u64", true));
    all.extend(support::casts::<f32>("f32", true));
    all.extend(support::casts::<f64>("f64", true));
    check("casts", all);
}

#[test]
fn memory() {
    check("memory", support::memory());
}

#[test]
fn control() {
    check("control", support::control());
}

#[test]
fn sends() {
    check("sends", support::sends());
}

/// The dispatcher with its handlers, the harness over them, and the intrinsics, one of which calls the dispatcher.
#[test]
fn dispatcher() {
    let mut functions = support::control();
    let methods = [900, 7, 0xffff_ffff, 42, 1, 77];
    let handlers: Vec<_> = functions.iter().map(|f| f.symbol().to_owned()).collect();
    let table: Vec<_> = handlers
        .iter()
        .zip(methods)
        .enumerate()
        .map(|(i, (symbol, method))| Dispatch {
            method,
            type_index: i as u32 / 2 + 1,
            symbol: symbol.clone(),
        })
        .collect();
    functions.push(dispatch::build(&table).unwrap());
    functions.push(kernels_ptx::ring::buffers::forgetting().unwrap());
    functions.push(harness::build(&handlers.iter().map(|s| &**s).collect::<Vec<_>>()).unwrap());
    functions.extend(support::intrinsics());
    check("dispatch", functions);
}
