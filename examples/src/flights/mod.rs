//! All flights that left New York City in 2013, through three kinds of actors.
//!
//! A flight goes to its aircraft; on the device the aircraft passes it on to its carrier and to the airport where it
//! landed. Nothing but the first message comes from the host.

pub mod data;
pub mod plain;
pub mod report;

use gpu_actor_rt::prelude::*;

// ANCHOR: totals
/// What a carrier or an airport knows about the flights it saw.
#[derive(GpuData, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Totals {
    /// Flights with an arrival delay.
    pub arrivals: u64,
    /// Sum of their arrival delays in minutes; early ones count negative.
    pub delay_sum: i64,
    /// Sum of their distances in miles.
    pub distance_sum: u64,
    /// Flights without an arrival delay.
    pub cancelled: u64,
    /// The largest arrival delay in minutes; `i32::MIN` before the first arrival.
    pub delay_max: i32,
}

impl Default for Totals {
    fn default() -> Self {
        Self { arrivals: 0, delay_sum: 0, distance_sum: 0, cancelled: 0, delay_max: i32::MIN }
    }
}
// ANCHOR_END: totals

// ANCHOR: aircraft
/// One aircraft, keyed by its tail number.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Aircraft {
    flights: u64,
    miles: u64,
}

#[gpu_actor]
impl Aircraft {
    /// A flight that has an arrival delay (minutes) and a distance (miles).
    #[handler]
    pub fn flew(
        &mut self,
        cx: &mut Cx,
        carrier: ActorId<Carrier>,
        airport: ActorId<Airport>,
        delay: i32,
        miles: u32,
    ) {
        self.flights += 1;
        self.miles += miles as u64;
        cx.tell(carrier.arrived(delay, miles));
        cx.tell(airport.arrived(delay, miles));
    }

    /// A flight without an arrival delay.
    #[handler]
    pub fn cancelled(&mut self, cx: &mut Cx, carrier: ActorId<Carrier>, airport: ActorId<Airport>) {
        self.flights += 1;
        cx.tell(carrier.cancelled());
        cx.tell(airport.cancelled());
    }

    /// Flights that this aircraft took part in, cancelled ones included.
    #[handler]
    pub fn flights(&self) -> u64 {
        self.flights
    }
}
// ANCHOR_END: aircraft

// ANCHOR: helper
/// The totals after one more arrival.
#[gpu_fn]
fn one_more(before: Totals, delay: i32, miles: u32) -> Totals {
    let mut after = before;
    after.arrivals += 1;
    after.delay_sum += delay as i64;
    after.distance_sum += miles as u64;
    after.delay_max = before.delay_max.max(delay);
    after
}
// ANCHOR_END: helper

/// One airline, keyed by its two-letter code.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Carrier {
    totals: Totals,
}

#[gpu_actor]
impl Carrier {
    /// A flight has arrived.
    #[handler]
    pub fn arrived(&mut self, delay: i32, miles: u32) {
        self.totals = one_more(self.totals, delay, miles);
    }

    /// A flight was cancelled.
    #[handler]
    pub fn cancelled(&mut self) {
        self.totals.cancelled += 1;
    }

    /// The totals so far.
    #[handler]
    pub fn totals(&self) -> Totals {
        self.totals
    }
}

/// One destination, keyed by its three-letter code.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Airport {
    totals: Totals,
}

#[gpu_actor]
impl Airport {
    /// A flight has arrived.
    #[handler]
    pub fn arrived(&mut self, delay: i32, miles: u32) {
        self.totals = one_more(self.totals, delay, miles);
    }

    /// A flight was cancelled.
    #[handler]
    pub fn cancelled(&mut self) {
        self.totals.cancelled += 1;
    }

    /// The totals so far.
    #[handler]
    pub fn totals(&self) -> Totals {
        self.totals
    }
}
