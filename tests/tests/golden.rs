//! The PTX of the example actors' handlers is the PTX that is checked in, in `kernels-ptx/golden`, where NVIDIA's
//! `ptxas` assembles it. `UPDATE_GOLDEN=1` rewrites the files.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::{env, fs, path::Path};

use gpu_actor_examples::{counter, flights, signal, vector};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

fn check<T: Actor>(name: &str) {
    let text = testing::ptx::<T>().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../kernels-ptx/golden/actor_{name}.ptx"));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (is, should)) in (1..).zip(text.lines().zip(expected.lines())) {
        assert_eq!(
            is,
            should,
            "{} differs at line {number}; UPDATE_GOLDEN=1 if that is meant",
            path.display()
        );
    }
    assert_eq!(text.len(), expected.len(), "{} differs in length", path.display());
}

#[test]
fn counter() {
    check::<counter::Counter>("counter");
}

#[test]
fn vector_add() {
    check::<vector::Adder>("vector_add");
}

#[test]
fn flights() {
    check::<flights::Aircraft>("aircraft");
    check::<flights::Carrier>("carrier");
    check::<flights::Airport>("airport");
}

/// With what opens slices, closes them and hands them on.
#[test]
fn signal() {
    check::<signal::Stage>("signal");
}
