//! What a command found out, and how it is printed.
//!
//! Rule kept here: a reader that goes away (`gpu-actor ptx counter | head`) is no failure.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use crate::error::CliError;

/// What a command found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people; ends with a line feed.
    pub(crate) text: String,
    /// For programs: the same facts.
    pub(crate) json: Value,
    /// Whether all is well with what the command looked at.
    pub(crate) well: bool,
}

/// Prints a report.
pub(crate) fn print(report: &Report, json: bool) -> Result<(), CliError> {
    let text = if json { format!("{:#}\n", report.json) } else { report.text.clone() };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}
