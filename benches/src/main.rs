//! Measurements: the actor libraries that a user would pick instead, the software GPU's compiled code, and compiling.
//!
//! ```text
//! cargo run --release -p gpu-actor-benches -- compare [--rounds N] [--short] [--json FILE] [--svg FILE] [--markdown FILE] [--readme FILE]
//! cargo run --release -p gpu-actor-benches -- loops [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- jit [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- lower [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- scaling [--rounds N] [--actors N] [--json FILE] [--svg FILE]
//! cargo run --release -p gpu-actor-benches -- worker [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- buffers [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- pool [--rounds N] [--json FILE]
//! cargo run --release -p gpu-actor-benches -- soak [--seconds N] [--json FILE]
//! ```
//!
//! Rules kept here: what is compared is the same source; the two sides take turns (A B A B), at least five rounds of
//! each; medians and spread are printed, ratios last. These are figures of a CPU and say nothing about a GPU.

mod buffers;
mod compare;
mod device;
mod hot_paths;
mod jit;
mod loops;
mod lower;
mod pool;
mod report;
mod scaling;
mod soak;
mod subjects;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What can go wrong is reported as text.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures the software GPU on this CPU. Build with `--release`.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Actor libraries: tells, asks, rings of actors, side by side.
    Compare {
        #[command(flatten)]
        common: Common,
        /// Does a tenth of the work.
        #[arg(long)]
        short: bool,
        /// Measures the workloads alone whose name begins so.
        #[arg(long)]
        only: Option<String>,
        /// Also draws the figures here, as SVG.
        #[arg(long)]
        svg: Option<PathBuf>,
        /// Also writes the tables here, as Markdown.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Also writes a table of the first figures into this README, between its marks.
        #[arg(long)]
        readme: Option<PathBuf>,
    },
    /// Bytes that an actor holds, measured in this process for `compare`.
    #[command(hide = true)]
    Bytes {
        #[arg(value_enum)]
        library: compare::process::Library,
        actors: u64,
    },
    /// One hot path, for `.ci/hot-paths` to count its instructions.
    HotPaths {
        #[arg(value_enum)]
        path: hot_paths::Path,
    },
    /// Asks of one thread to one actor, for a profiler: the difference between two numbers of them is what that many cost.
    Asks {
        /// How many there are.
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
        /// One after the other instead of 256 at a time.
        #[arg(long)]
        alone: bool,
    },
    /// Loops, written once: natively and as PTX.
    Jit(Common),
    /// Lowering, verifying and compiling an actor type with ten handlers, each time in a new process.
    Lower(Common),
    /// Throughput from one worker to many, and from one actor to many.
    Scaling {
        #[command(flatten)]
        common: Common,
        /// The most actors: a power of ten.
        #[arg(long, default_value_t = 10_000_000)]
        actors: u64,
        /// Also draws the curves here, as SVG.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Handing buffers on, and copying into them.
    Buffers(Common),
    /// Taking a block from the pool and putting it back, beside ringkernel's pool.
    Pool(Common),
    /// Loops over buffers, beside the same in Rust on as many cores.
    Loops(Common),
    /// One worker that works off a full inbox: nanoseconds per message on the device side.
    Worker(Common),
    /// Overload: every second the counters balance, and memory does not grow.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Also writes the figures here, as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// One measurement of `lower`, in this process.
    #[command(hide = true)]
    LowerOnce,
}

#[derive(clap::Args)]
struct Common {
    /// Rounds of each side, at least five.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Also writes the figures here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn run(options: Options) -> Outcome<()> {
    let (json, report) = match options.what {
        What::LowerOnce => return lower::once(),
        What::Bytes { library, actors } => return compare::process::bytes(library, actors),
        What::HotPaths { path } => return hot_paths::run(path),
        What::Asks { count, alone } => return hot_paths::asks(count, alone),
        What::Compare { common, short, only, svg, markdown, readme } => {
            let report = compare::run(common.rounds.max(5), short, only.as_deref())?;
            if let Some(file) = svg {
                compare::draw(&report, &file)?;
            }
            if let Some(file) = markdown {
                std::fs::write(&file, compare::markdown(&report))
                    .map_err(|e| format!("{}: {e}", file.display()))?;
            }
            if let Some(file) = readme {
                compare::into_readme(&report, &file)?;
            }
            (common.json, report)
        }
        What::Scaling { common, actors, svg } => {
            let report = scaling::run(common.rounds.max(5), actors)?;
            if let Some(file) = svg {
                scaling::draw(&report, &file)?;
            }
            (common.json, report)
        }
        What::Jit(common) => {
            let report = jit::run(common.rounds.max(5))?;
            (common.json, report)
        }
        What::Lower(common) => {
            let report = lower::run(common.rounds.max(5))?;
            (common.json, report)
        }
        What::Soak { seconds, json } => (json, soak::run(seconds)?),
        What::Buffers(common) => {
            let report = buffers::run(common.rounds.max(5))?;
            (common.json, report)
        }
        What::Pool(common) => {
            let report = pool::run(common.rounds.max(5))?;
            (common.json, report)
        }
        What::Loops(common) => {
            let report = loops::run(common.rounds.max(5))?;
            (common.json, report)
        }
        What::Worker(common) => {
            let report = worker::run(common.rounds.max(5))?;
            (common.json, report)
        }
    };
    if let Some(file) = json {
        std::fs::write(&file, format!("{report:#}\n")).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("note: without --release both sides are slow, and the figures are worth nothing");
    }
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpu-actor-benches: {error}");
            ExitCode::FAILURE
        }
    }
}
