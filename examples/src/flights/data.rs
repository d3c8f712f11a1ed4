//! Reading the flights: CSV, plain or gzipped, columns found by name.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;

/// The columns that a file must have, by name.
const COLUMNS: [&str; 5] = ["carrier", "tailnum", "dest", "arr_delay", "distance"];

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A column is missing from the header line.
    #[error("{path} has no column `{column}` in its header line; it needs {COLUMNS:?}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
    },
}

/// One flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// Airline code.
    pub carrier: String,
    /// Tail number; empty where the record has none.
    pub tail: String,
    /// Destination code.
    pub airport: String,
    /// Arrival delay in minutes, none for a flight that did not arrive.
    pub delay: Option<i32>,
    /// Distance in miles.
    pub miles: u32,
}

/// A line that is no flight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    /// Line number in the file, the header is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Opens a file of flights, gzipped or not.
///
/// # Errors
/// When the file cannot be read or lacks a column.
pub fn open(path: &Path) -> Result<Flights, DataError> {
    let failed = |source| DataError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut magic = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut magic).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let input: Box<dyn Read + Send> = if magic == [0x1f, 0x8b] {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let mut reader = ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input);
    let header = reader.byte_headers().map_err(|e| failed(e.into()))?.clone();
    let mut columns = [0; COLUMNS.len()];
    for (at, column) in columns.iter_mut().zip(COLUMNS) {
        *at = header
            .iter()
            .position(|name| name == column.as_bytes())
            .ok_or_else(|| DataError::Column { path: path.to_owned(), column })?;
    }
    Ok(Flights { reader, record: ByteRecord::new(), columns, width: header.len(), failed: false })
}

/// The flights of a file, in its order.
pub struct Flights {
    reader: csv::Reader<Box<dyn Read + Send>>,
    record: ByteRecord,
    columns: [usize; COLUMNS.len()],
    width: usize,
    failed: bool,
}

impl Iterator for Flights {
    type Item = Result<Flight, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let line = self.record.position().map_or(0, csv::Position::line);
                Some(self.flight().map_err(|reason| Malformed { line, reason }))
            }
            Err(error) => {
                // A stream that broke (a truncated archive, say) has no next line.
                self.failed = true;
                Some(Err(Malformed { line: self.reader.position().line(), reason: error.to_string() }))
            }
        }
    }
}

impl Flights {
    fn flight(&self) -> Result<Flight, String> {
        if self.record.len() != self.width {
            return Err(format!("{} fields instead of {}", self.record.len(), self.width));
        }
        let [carrier, tail, airport, delay, miles] = self.columns;
        let miles_text = self.text(miles)?;
        let delay_text = self.text(delay)?;
        let flight = Flight {
            carrier: self.required(carrier)?.to_owned(),
            tail: self.text(tail)?.to_owned(),
            airport: self.required(airport)?.to_owned(),
            delay: match delay_text {
                "" => None,
                text => {
                    Some(text.parse().map_err(|_| format!("arr_delay `{text}` is no number of minutes"))?)
                }
            },
            miles: miles_text
                .parse()
                .map_err(|_| format!("distance `{miles_text}` is no number of miles"))?,
        };
        Ok(flight)
    }

    fn text(&self, column: usize) -> Result<&str, String> {
        std::str::from_utf8(&self.record[column]).map_err(|_| format!("field {} is not UTF-8", column + 1))
    }

    fn required(&self, column: usize) -> Result<&str, String> {
        match self.text(column)? {
            "" => Err(format!("field {} is empty", column + 1)),
            text => Ok(text),
        }
    }
}
