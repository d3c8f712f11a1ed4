//! The same sums by a plain loop over the file: what `--check` compares the actors with.
//!
//! It shares nothing with the reader that feeds the actors: lines are split at commas by hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::Totals;

/// Totals by code.
pub type Table = BTreeMap<String, Totals>;

/// Totals of carriers and airports, and how many lines were no flights.
#[derive(Debug, Default)]
pub struct Plain {
    /// By carrier.
    pub carriers: Table,
    /// By destination.
    pub airports: Table,
    /// Lines that were skipped.
    pub malformed: u64,
    /// Flights.
    pub flights: u64,
}

/// Sums a file.
///
/// # Errors
/// When the file cannot be read or lacks a column.
pub fn sum(path: &Path) -> io::Result<Plain> {
    let bytes = fs::read(path)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let column = |name: &str| {
        header
            .iter()
            .position(|c| *c == name)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no column `{name}`")))
    };
    let (carrier, airport) = (column("carrier")?, column("dest")?);
    let (delay, miles) = (column("arr_delay")?, column("distance")?);
    let mut plain = Plain::default();
    for line in lines.filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        let parsed = (fields.len() == header.len())
            .then(|| {
                let delay =
                    if fields[delay].is_empty() { None } else { Some(fields[delay].parse::<i32>().ok()?) };
                let named = !fields[carrier].is_empty() && !fields[airport].is_empty();
                named.then_some((delay, fields[miles].parse::<u32>().ok()?))
            })
            .flatten();
        let Some((delay, miles)) = parsed else {
            plain.malformed += 1;
            continue;
        };
        plain.flights += 1;
        for (table, key) in [(&mut plain.carriers, fields[carrier]), (&mut plain.airports, fields[airport])] {
            let totals = table.entry(key.to_owned()).or_default();
            match delay {
                None => totals.cancelled += 1,
                Some(delay) => {
                    totals.arrivals += 1;
                    totals.delay_sum += i64::from(delay);
                    totals.distance_sum += u64::from(miles);
                    totals.delay_max = totals.delay_max.max(delay);
                }
            }
        }
    }
    Ok(plain)
}
