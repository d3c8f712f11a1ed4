//! The command line of gpu-actor, as a library: a program of three lines has it for its own actors.
//!
//! The binary `gpu-actor` knows the actors of the examples. For yours, link your crate and call [`run`]:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! // Linking is what registers the actors.
//! # #[cfg(any())]
//! use my_actors as _;
//!
//! fn main() -> ExitCode {
//!     gpu_actor_cli::run()
//! }
//! ```
//!
//! Rules kept here: what a command finds out goes to standard output, everything else to standard error; `--json` gives
//! the same facts as the text; a command ends with 0 where all is well, with 1 where what it looked at has a problem, and
//! with 2 where it could not do its work.

mod cuda;
mod doctor;
mod error;
mod links;
mod nvml;
mod output;
mod ptx;
mod topo;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gpu_actor_rt::device::DeviceChoice;

use error::CliError;
use output::Report;

/// Looks at the actors and the GPUs of this machine.
#[derive(Debug, Parser)]
#[command(name = "gpu-actor", version, about, long_about = None, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 all is well, 1 what was looked at has a problem, 2 the command could not do its work."
)]
struct Cli {
    /// Print one JSON value instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// The device that doctor and validate try: auto, soft, cuda or cuda:<index>. GPU_ACTOR_DEVICE in the environment overrides it.
    #[arg(long, global = true, default_value = "auto")]
    device: DeviceChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Doctor(doctor::Options),
    Ptx(ptx::Options),
    Topo(topo::Options),
    Validate(validate::Options),
}

/// Parses the process's arguments, does what they ask for, and returns the status to end with.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

/// As [`run`], with these arguments; the first one is the program's name.
pub fn run_with<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is an "error" of clap's that belongs on standard output; nothing is left to do if that is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.json;
    let done = perform(cli).and_then(|report| {
        output::print(&report, json)?;
        Ok(report.well)
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("gpu-actor: {}", error::chain(&error));
            ExitCode::from(2)
        }
    }
}

fn perform(cli: Cli) -> Result<Report, CliError> {
    match cli.command {
        Command::Doctor(options) => Ok(doctor::run(&options, &cli.device)),
        Command::Ptx(options) => ptx::run(&options),
        Command::Topo(options) => Ok(topo::run(&options)),
        Command::Validate(options) => validate::run(&options, &cli.device),
    }
}
