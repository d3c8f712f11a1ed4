//! What the program prints: a table for people, one JSON object for programs, the differences for `--check`.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::Totals;
use super::plain::{Plain, Table};

/// Everything that a run found out.
#[derive(Debug)]
pub struct Report {
    /// By carrier.
    pub carriers: Table,
    /// By destination.
    pub airports: Table,
    /// Flights read.
    pub flights: u64,
    /// Lines that were skipped.
    pub malformed: u64,
    /// Whether the file broke off: a truncated archive, say.
    pub broken: bool,
    /// Messages that handlers on the device handled.
    pub messages: u64,
    /// Seconds from the first flight read to the last message handled.
    pub seconds: f64,
    /// Seconds that starting took: lowering, compiling, launching the ring kernel.
    pub start_seconds: f64,
    /// The device: its name and kind.
    pub device: String,
}

#[derive(Serialize)]
struct CarrierRow<'a> {
    carrier: &'a str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct AirportRow<'a> {
    airport: &'a str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Sums {
    arrivals: u64,
    arr_delay_sum: i64,
    arr_delay_max: Option<i32>,
    distance_sum: u64,
    cancelled: u64,
}

impl From<&Totals> for Sums {
    fn from(totals: &Totals) -> Self {
        Self {
            arrivals: totals.arrivals,
            arr_delay_sum: totals.delay_sum,
            arr_delay_max: (totals.arrivals > 0).then_some(totals.delay_max),
            distance_sum: totals.distance_sum,
            cancelled: totals.cancelled,
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    carriers: Vec<CarrierRow<'a>>,
    airports: Vec<AirportRow<'a>>,
    flights: u64,
    malformed: u64,
    broken: bool,
    messages: u64,
    seconds: f64,
    start_seconds: f64,
    device: &'a str,
}

impl Report {
    /// The report as one JSON object.
    ///
    /// # Errors
    /// Never for a report of finite seconds; the error is that of the JSON writer.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Json {
            carriers: self.carriers.iter().map(|(c, t)| CarrierRow { carrier: c, sums: t.into() }).collect(),
            airports: self.airports.iter().map(|(a, t)| AirportRow { airport: a, sums: t.into() }).collect(),
            flights: self.flights,
            malformed: self.malformed,
            broken: self.broken,
            messages: self.messages,
            seconds: self.seconds,
            start_seconds: self.start_seconds,
            device: &self.device,
        })
    }

    /// The report as tables.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{text}");
        };
        line(format_args!("carrier  arrivals  mean delay  max delay       miles  cancelled"));
        for (carrier, t) in &self.carriers {
            line(format_args!(
                "{carrier:<7} {:>9} {:>11} {:>10} {:>11} {:>10}",
                t.arrivals,
                minutes(mean(t)),
                minutes((t.arrivals > 0).then_some(f64::from(t.delay_max))),
                t.distance_sum,
                t.cancelled
            ));
        }
        line(format_args!("\nmost delayed airports (mean arrival delay)"));
        let mut airports: Vec<_> = self.airports.iter().filter_map(|(a, t)| Some((a, t, mean(t)?))).collect();
        airports.sort_by(|a, b| b.2.total_cmp(&a.2));
        for (airport, t, mean) in airports.into_iter().take(10) {
            line(format_args!("{airport:<7} {:>9} arrivals {:>8}", t.arrivals, minutes(Some(mean))));
        }
        line(format_args!("\n{} flights; malformed lines skipped: {}", self.flights, self.malformed));
        line(format_args!("device: {}", self.device));
        line(format_args!(
            "{} messages in {:.3} s: {:.2} million messages per second (start: {:.3} s)",
            self.messages,
            self.seconds,
            self.messages as f64 / self.seconds.max(f64::EPSILON) / 1e6,
            self.start_seconds
        ));
        out
    }

    /// Every number in which the actors and the plain loop differ, a line each; none when all agree.
    pub fn differences(&self, plain: &Plain) -> Vec<String> {
        let mut found = Vec::new();
        if self.flights != plain.flights {
            found.push(format!("flights: actors {}, plain loop {}", self.flights, plain.flights));
        }
        // Each flight is one message from the host and two on the device.
        if self.messages != 3 * plain.flights {
            found.push(format!(
                "messages: the device handled {}, plain loop 3 * {}",
                self.messages, plain.flights
            ));
        }
        if self.malformed != plain.malformed {
            found.push(format!("malformed lines: actors {}, plain loop {}", self.malformed, plain.malformed));
        }
        if self.broken != plain.broken {
            found.push(format!("broken off: actors {}, plain loop {}", self.broken, plain.broken));
        }
        compare("carrier", &self.carriers, &plain.carriers, &mut found);
        compare("airport", &self.airports, &plain.airports, &mut found);
        found
    }
}

fn compare(what: &str, ours: &Table, theirs: &Table, found: &mut Vec<String>) {
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        if ours.get(key) != theirs.get(key) {
            found.push(format!("{what} {key}: actors {:?}, plain loop {:?}", ours.get(key), theirs.get(key)));
        }
    }
}

fn mean(totals: &Totals) -> Option<f64> {
    (totals.arrivals > 0).then(|| totals.delay_sum as f64 / totals.arrivals as f64)
}

fn minutes(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |minutes| format!("{minutes:.1}"))
}
