//! The main job: every flight that left New York City in 2013, through actors on the GPU.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use gpu_actor_examples::flights::data::{self, Flight, NoFlight};
use gpu_actor_examples::flights::plain::{self, Table};
use gpu_actor_examples::flights::report::Report;
use gpu_actor_examples::flights::{Aircraft, Airport, Carrier};
use gpu_actor_rt::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};

/// Streams flights through Aircraft, Carrier and Airport actors and prints what they counted.
#[derive(Parser)]
struct Options {
    /// Reads this file (CSV, plain or gzipped) instead of the flights of 2013.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Prints one JSON object instead of the tables.
    #[arg(long)]
    json: bool,
    /// Compares every number with a plain loop over the file; any difference ends the program with 1.
    #[arg(long)]
    check: bool,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Flights between two updates of the progress bar.
const STRIDE: u64 = 4096;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("flights: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Outcome<ExitCode> {
    let begun = Instant::now();
    let path = options
        .file
        .clone()
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/flights-2013.csv.gz"));
    let report = stream(&path).await?;
    if options.json {
        println!("{}", report.json()?);
    } else {
        print!("{}", report.table());
        println!("wall time: {:.3} s", begun.elapsed().as_secs_f64());
    }
    if options.check {
        let plain =
            plain::sum(&path).map_err(|error| format!("the plain loop over {}: {error}", path.display()))?;
        let differences = report.differences(&plain);
        for difference in &differences {
            eprintln!("{difference}");
        }
        if !differences.is_empty() {
            eprintln!("check: {} differences", differences.len());
            return Ok(ExitCode::FAILURE);
        }
        eprintln!(
            "check: all numbers of {} carriers and {} airports equal a plain loop's",
            report.carriers.len(),
            report.airports.len()
        );
    }
    if report.broken {
        eprintln!("flights: {} could not be read to its end", path.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

// ANCHOR: stream
/// Sends every flight of a file to its aircraft, waits until the device is idle, and asks for the totals.
async fn stream(path: &Path) -> Outcome<Report> {
    let flights = data::open(path)?;
    let begun = Instant::now();
    let system = ActorSystem::start(Config::default()).await?;
    let start_seconds = begun.elapsed().as_secs_f64();

    let bar = progress();
    let begun = Instant::now();
    let mut fleet = Fleet::new(system.clone());
    let (mut count, mut malformed, mut broken) = (0, 0, false);
    for flight in flights {
        match flight {
            Ok(flight) => {
                fleet.send(&flight).await?;
                count += 1;
                if count % STRIDE == 0 {
                    bar.set_position(count);
                }
            }
            Err(error) => {
                bar.suspend(|| eprintln!("{}: {error}", path.display()));
                match error {
                    NoFlight::Malformed { .. } => malformed += 1,
                    NoFlight::Broken { .. } => broken = true,
                }
            }
        }
    }
    system.drained().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let stats = system.stats();
    bar.finish_and_clear();

    let (carriers, airports) = fleet.totals().await?;
    system.shutdown().await?;
    Ok(Report {
        carriers,
        airports,
        flights: count,
        malformed,
        broken,
        messages: stats.handled,
        seconds,
        start_seconds,
        device: format!("{} ({})", stats.device, stats.device_kind),
    })
}
// ANCHOR_END: stream

/// References to the actors seen so far.
struct Fleet {
    system: ActorSystem,
    aircraft: HashMap<String, ActorRef<Aircraft>>,
    carriers: HashMap<String, ActorRef<Carrier>>,
    airports: HashMap<String, ActorRef<Airport>>,
}

impl Fleet {
    fn new(system: ActorSystem) -> Self {
        Self { system, aircraft: HashMap::new(), carriers: HashMap::new(), airports: HashMap::new() }
    }

    /// Sends one flight to its aircraft; all flights without a tail number share the aircraft with the empty key.
    async fn send(&mut self, flight: &Flight) -> gpu_actor_rt::Result<()> {
        let carrier = reference(&self.system, &mut self.carriers, &flight.carrier).id()?;
        let airport = reference(&self.system, &mut self.airports, &flight.airport).id()?;
        let aircraft = reference(&self.system, &mut self.aircraft, &flight.tail);
        match flight.delay {
            Some(delay) => aircraft.flew(carrier, airport, delay, flight.miles).tell_wait().await,
            None => aircraft.cancelled(carrier, airport).tell_wait().await,
        }
    }

    async fn totals(&self) -> gpu_actor_rt::Result<(Table, Table)> {
        let (mut carriers, mut airports) = (Table::new(), Table::new());
        for (code, carrier) in &self.carriers {
            carriers.insert(code.clone(), carrier.totals().await?);
        }
        for (code, airport) in &self.airports {
            airports.insert(code.clone(), airport.totals().await?);
        }
        Ok((carriers, airports))
    }
}

/// The reference for a key, made at its first use.
fn reference<'a, T: Actor>(
    system: &ActorSystem,
    known: &'a mut HashMap<String, ActorRef<T>>,
    key: &str,
) -> &'a ActorRef<T> {
    if !known.contains_key(key) {
        known.insert(key.to_owned(), system.actor::<T>(key));
    }
    &known[key]
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} flights, {per_sec}, {elapsed}");
    let bar =
        ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
