//! One source, two executions: every handler gives the same state, reply, sends and faults natively and as PTX.

use gpu_actor_examples::{counter, flights, vector};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;
use gpu_actor_tests::actors;

const CASES: u32 = 2_000;
const SEED: u64 = 0x6770_755f_6163_746f;

fn equal<T: Actor>() {
    let report = testing::check_handlers::<T>(CASES, SEED).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    println!("{report:?}");
    assert_eq!(report.cases, u64::from(CASES) * T::info().methods.len() as u64);
}

#[test]
fn counter() {
    equal::<counter::Counter>();
}

#[test]
fn vector_add() {
    equal::<vector::Adder>();
}

#[test]
fn flights_aircraft() {
    equal::<flights::Aircraft>();
}

#[test]
fn flights_carrier() {
    equal::<flights::Carrier>();
}

#[test]
fn flights_airport() {
    equal::<flights::Airport>();
}

#[test]
fn the_whole_arithmetic() {
    equal::<actors::Arithmetic>();
}

#[test]
fn functions() {
    equal::<actors::Probe>();
    equal::<actors::Functions>();
}

#[test]
fn all_faults() {
    equal::<actors::Faulty>();
}

#[test]
fn sends() {
    equal::<actors::Player>();
    equal::<actors::Sequence>();
}

#[test]
fn what_the_reference_shows() {
    equal::<gpu_actor_tests::tour::Robot>();
}
