//! The same sums by a plain loop over the file: what `--check` compares the actors with.
//!
//! It shares nothing with the reader that feeds the actors: lines and fields are split by hand, in memory.

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
    /// Whether the file broke off.
    pub broken: bool,
}

/// Sums a file.
///
/// # Errors
/// When the file cannot be read or lacks a column.
pub fn sum(path: &Path) -> io::Result<Plain> {
    let mut plain = Plain::default();
    let mut bytes = fs::read(path)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        plain.broken = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).is_err();
        if plain.broken {
            // What follows the last line end is no whole line.
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            text.truncate(whole);
        }
        bytes = text;
    }
    let mut records = records(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_iter();
    let header = records.next().unwrap_or_default();
    let column = |name: &str| {
        header
            .iter()
            .position(|c| c == name.as_bytes())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no column `{name}`")))
    };
    let (carrier, tail, airport) = (column("carrier")?, column("tailnum")?, column("dest")?);
    let (delay, miles) = (column("arr_delay")?, column("distance")?);
    for record in records {
        let text = |at: usize| record.get(at).and_then(|field| std::str::from_utf8(field).ok());
        let named = |at: usize| text(at).filter(|name| !name.is_empty());
        let parsed = (|| {
            let whole = record.len() == header.len() && text(tail).is_some();
            let minutes = match text(delay)? {
                "" => None,
                minutes => Some(minutes.parse::<i32>().ok()?),
            };
            let names = (named(carrier)?, named(airport)?);
            let distance = text(miles)?.parse::<u32>().ok()?;
            whole.then_some((names, minutes, distance))
        })();
        let Some(((carrier, airport), delay, miles)) = parsed else {
            plain.malformed += 1;
            continue;
        };
        plain.flights += 1;
        for (table, key) in [(&mut plain.carriers, carrier), (&mut plain.airports, airport)] {
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

/// Splits a text into records of fields: commas, line ends of any kind, quotes as in RFC 4180; empty lines are none.
fn records(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    let mut record = vec![Vec::new()];
    let (mut quoted, mut opened) = (false, false);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        // A record always has a field under way.
        let last = record.len() - 1;
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                record[last].push(b'"');
            }
            b'"' if quoted => quoted = false,
            b'"' if record[last].is_empty() && !opened => (quoted, opened) = (true, true),
            b',' if !quoted => {
                record.push(Vec::new());
                opened = false;
            }
            b'\n' | b'\r' if !quoted => {
                if last > 0 || opened || !record[0].is_empty() {
                    records.push(std::mem::replace(&mut record, vec![Vec::new()]));
                }
                opened = false;
            }
            other => record[last].push(other),
        }
    }
    if record.len() > 1 || !record[0].is_empty() {
        records.push(record);
    }
    records
}
