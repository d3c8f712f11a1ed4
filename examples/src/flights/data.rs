//! Reading the flights: CSV, plain or gzipped, columns found by name.
//!
//! Rule kept here: a line that is no flight is reported with its number and skipped; a file that breaks off is an error of
//! its own, after the flights before the break.

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

/// Why there is no flight where one was expected.
#[derive(Debug, thiserror::Error)]
pub enum NoFlight {
    /// A line that is no flight; the next one may be.
    #[error("line {line}: {reason}; skipped")]
    Malformed {
        /// Line number in the file, the header is line 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be read on: a truncated archive, say. Nothing follows.
    #[error("cannot read on after line {line}: {source}")]
    Broken {
        /// The last whole line.
        line: u64,
        /// What the reader said.
        source: csv::Error,
    },
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
    let mut reader =
        ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(LineEnds::new(input));
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

/// Passes a text on with a line feed at the end of every line, the last one too.
///
/// The reader of records counts line feeds: so a record ends where its line does, whatever the file's line ends are.
struct LineEnds<R> {
    input: R,
    /// The last byte read; before the first, a line feed.
    last: u8,
}

impl<R: Read> LineEnds<R> {
    fn new(input: R) -> Self {
        Self { input, last: b'\n' }
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.input.read(buffer)?;
            if read == 0 {
                let missing = !matches!(self.last, b'\n' | b'\r') && !buffer.is_empty();
                if missing {
                    self.last = b'\n';
                    buffer[0] = b'\n';
                }
                return Ok(usize::from(missing));
            }
            let mut kept = 0;
            for at in 0..read {
                let byte = buffer[at];
                // The line feed of a pair stands for both; a carriage return alone is a line end too.
                if (self.last, byte) != (b'\r', b'\n') {
                    buffer[kept] = if byte == b'\r' { b'\n' } else { byte };
                    kept += 1;
                }
                self.last = byte;
            }
            // Nothing but the second half of a pair: 0 bytes would mean the end of the text.
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

/// The flights of a file, in its order.
pub struct Flights {
    reader: csv::Reader<LineEnds<Box<dyn Read + Send>>>,
    record: ByteRecord,
    columns: [usize; COLUMNS.len()],
    width: usize,
    failed: bool,
}

impl Iterator for Flights {
    type Item = Result<Flight, NoFlight>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                Some(self.flight().map_err(|reason| NoFlight::Malformed { line: self.line(), reason }))
            }
            Err(source) => {
                self.failed = true;
                Some(Err(NoFlight::Broken { line: self.reader.position().line().saturating_sub(1), source }))
            }
        }
    }
}

impl Flights {
    /// The line on which the record begins: the reader stands at the line behind it.
    fn line(&self) -> u64 {
        let inside: usize =
            self.record.iter().map(|field| field.split(|byte| *byte == b'\n').count() - 1).sum();
        self.reader.position().line().saturating_sub(1 + inside as u64)
    }

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
