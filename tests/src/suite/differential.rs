//! One source, two executions: every handler gives the same state, reply, sends and faults natively and as PTX.

#![allow(clippy::unused_async, reason = "behaviours are asynchronous, and these have nothing to wait for")]

use super::{Backend, behaviours};
use crate::accounts::Account;
use crate::actors;
use crate::vault::Vault;
use gpu_actor_examples::{counter, flights, signal, vector};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

behaviours! {
    counter [NoRing],
    vector_add [NoRing],
    flights_aircraft [NoRing],
    flights_carrier [NoRing],
    flights_airport [NoRing],
    the_whole_arithmetic [NoRing],
    functions [NoRing],
    all_faults [NoRing],
    sends [NoRing],
    accounts [NoRing],
    atomic_handlers_roll_back [NoRing],
    what_the_reference_shows [NoRing],
    slices [NoRing],
}

const CASES: u32 = 2_000;
const SEED: u64 = 0x6770_755f_6163_746f;

fn equal<T: Actor>(backend: &Backend) -> testing::Report {
    let report = testing::check_handlers_on::<T>(backend.device.as_ref(), CASES, SEED)
        .unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert_eq!(report.cases, u64::from(CASES) * T::info().methods.len() as u64);
    report
}

async fn counter(backend: &Backend) {
    equal::<counter::Counter>(backend);
}

async fn vector_add(backend: &Backend) {
    equal::<vector::Adder>(backend);
}

async fn flights_aircraft(backend: &Backend) {
    equal::<flights::Aircraft>(backend);
}

async fn flights_carrier(backend: &Backend) {
    equal::<flights::Carrier>(backend);
}

async fn flights_airport(backend: &Backend) {
    equal::<flights::Airport>(backend);
}

async fn the_whole_arithmetic(backend: &Backend) {
    equal::<actors::Arithmetic>(backend);
}

async fn functions(backend: &Backend) {
    equal::<actors::Probe>(backend);
    equal::<actors::Functions>(backend);
}

async fn all_faults(backend: &Backend) {
    equal::<actors::Faulty>(backend);
}

async fn sends(backend: &Backend) {
    equal::<actors::Player>(backend);
    equal::<actors::Sequence>(backend);
}

async fn accounts(backend: &Backend) {
    let report = equal::<Account>(backend);
    assert!(report.returned > 10_000 && report.faulted > 20 && report.sent > 100, "{report:?}");
}

async fn atomic_handlers_roll_back(backend: &Backend) {
    let report = equal::<Vault>(backend);
    assert!(report.faulted > 1_000 && report.returned > 1_000, "{report:?}");
}

async fn what_the_reference_shows(backend: &Backend) {
    equal::<crate::tour::Robot>(backend);
}

/// Random elements, too; what is written to them, which parts are handed on, and where it ends when an index is out of bounds.
async fn slices(backend: &Backend) {
    let report = equal::<super::buffers::Worker>(backend);
    assert!(report.returned > 5_000 && report.faulted > 2_000 && report.sent > 1_000, "{report:?}");
    equal::<signal::Stage>(backend);
}
