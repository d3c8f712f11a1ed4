//! Handlers as methods: the native twin, and the one line that proves the device's twin equal.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use gpu_actor_examples::counter::Counter;
use gpu_actor_examples::flights::{Aircraft, Airport, Carrier};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

// ANCHOR: native
#[test]
fn a_counter_counts() {
    let mut counter = Counter::default();
    counter.add(40);
    assert_eq!(counter.add(2), 42);
}
// ANCHOR_END: native

#[test]
#[should_panic(expected = "overflow")]
fn a_counter_refuses_to_wrap_natively_too() {
    let mut counter = Counter::default();
    counter.add(u32::MAX);
    counter.add(1);
}

// ANCHOR: differential
#[test]
fn a_counter_counts_the_same_on_the_device() {
    testing::check_handlers::<Counter>(100, 42).unwrap();
}
// ANCHOR_END: differential

#[test]
fn an_aircraft_sends_to_carrier_and_airport() {
    let mut cx = Cx::native();
    let mut aircraft = Aircraft::default();
    let (carrier, airport) = (ActorId::<Carrier>::from_raw(1), ActorId::<Airport>::from_raw(2));
    aircraft.flew(&mut cx, carrier, airport, -4, 500);
    let targets: Vec<_> = cx.sent().iter().map(gpu_actor_rt::Message::target).collect();
    assert_eq!(targets, [1, 2]);
    assert_eq!(aircraft.flights(), 1);
}
