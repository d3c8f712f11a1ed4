//! Many actors on one device: the time until each has had its first message, and what it costs in memory.
//!
//! ```text
//! cargo run --release -p gpu-actor-benches --bin many-actors -- [--actors N] [--rounds N] [--workers N] [--text]
//! ```
//!
//! A round starts a system, tells each actor once through a reference of its own, and waits until all of them are handled;
//! then every actor is told once more, and a sample of them is asked for its state. Bytes are counted by the allocator
//! (what the host holds), by the device (its memory that is not free) and by the operating system (resident set); what
//! the empty system holds is taken off. Figures of a CPU, which say nothing about a GPU.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::device::{Device, DeviceError};
use gpu_actor_rt::prelude::*;

/// Counts what is allocated and not given back.
struct Counting;

static HELD: AtomicI64 = AtomicI64::new(0);

// SAFETY: everything is the system allocator's; the count touches no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sixteen bytes of state.
#[gpu_actor]
#[derive(Default)]
struct Cell {
    sum: u64,
    count: u64,
}

#[gpu_actor]
impl Cell {
    #[handler]
    fn add(&mut self, by: u64) {
        self.sum += by;
        self.count += 1;
    }

    #[handler]
    fn count(&self) -> u64 {
        self.count
    }

    #[handler]
    fn sum(&self) -> u64 {
        self.sum
    }
}

/// Bytes of a `Cell`.
const STATE: u64 = 16;

/// Activates many actors on the software GPU and says what it took. Build with `--release`.
#[derive(Parser)]
struct Options {
    /// Actors.
    #[arg(long, default_value_t = 1_000_000)]
    actors: u64,
    /// Rounds, each with a system of its own.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Workers; the machine decides if left out.
    #[arg(long)]
    workers: Option<u32>,
    /// Keys are texts instead of integers.
    #[arg(long)]
    text: bool,
    /// The device's memory in MiB.
    #[arg(long, default_value_t = 4096)]
    memory: u64,
}

/// Bytes, as three parties count them.
#[derive(Clone, Copy)]
struct Bytes {
    host: i64,
    device: i64,
    resident: i64,
}

impl Bytes {
    fn now(device: &dyn Device) -> Result<Self, DeviceError> {
        let info = device.memory_info()?;
        let device = (info.total - info.free) as i64;
        // The memory of the software GPU comes from the allocator too.
        Ok(Self { host: HELD.load(Ordering::Relaxed) - device, device, resident: resident() })
    }

    /// Bytes for each of `actors` since `before`.
    fn each(self, before: Self, actors: u64) -> [f64; 3] {
        [self.host - before.host, self.device - before.device, self.resident - before.resident]
            .map(|bytes| bytes as f64 / actors as f64)
    }
}

/// The resident set in bytes, 0 where the system does not tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = status.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// What a round took.
struct Round {
    activation: Duration,
    again: Duration,
    each: [f64; 3],
}

async fn tell_all(system: &ActorSystem, options: &Options, by: u64) -> gpu_actor_rt::Result<Duration> {
    let begun = Instant::now();
    for key in 0..options.actors {
        let actor: ActorRef<Cell> =
            if options.text { system.actor(format!("cell-{key}")) } else { system.actor(key) };
        actor.add(by + key).tell_wait().await?;
    }
    system.drained().await?;
    Ok(begun.elapsed())
}

async fn round(options: &Options) -> Result<Round, Box<dyn std::error::Error>> {
    let device: std::sync::Arc<dyn Device> = std::sync::Arc::new(Soft::open(&SoftConfig {
        memory: options.memory << 20,
        ..SoftConfig::default()
    })?);
    let mut config = Config::default().actor::<Cell>().device(std::sync::Arc::clone(&device));
    if let Some(workers) = options.workers {
        config = config.workers(workers);
    }
    let system = ActorSystem::start(config).await?;
    // Grows what the first messages let grow once.
    system.actor::<Cell>(u64::MAX).add(0).await?;
    let before = Bytes::now(device.as_ref())?;
    let activation = tell_all(&system, options, 1).await?;
    let each = Bytes::now(device.as_ref())?.each(before, options.actors);
    let again = tell_all(&system, options, 2).await?;

    let stats = system.stats();
    if (stats.activated, stats.handled) != (options.actors + 1, 2 * options.actors + 1) {
        return Err(format!("not every actor had its messages: {stats:?}").into());
    }
    for key in (0..options.actors).step_by((options.actors / 1000).max(1) as usize) {
        let actor: ActorRef<Cell> =
            if options.text { system.actor(format!("cell-{key}")) } else { system.actor(key) };
        let (sum, count) = (actor.sum().await?, actor.count().await?);
        if (sum, count) != (3 + 2 * key, 2) {
            return Err(format!("actor {key} has {sum} from {count} messages").into());
        }
    }
    system.shutdown().await?;
    Ok(Round { activation, again, each })
}

fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let executor = tokio::runtime::Builder::new_current_thread().build()?;
    let mut rounds = Vec::new();
    for _ in 0..options.rounds.max(1) {
        rounds.push(executor.block_on(round(options))?);
    }
    println!("{} actors of {STATE} bytes, {} rounds: median (least .. most)", options.actors, rounds.len());
    let row = |what: &str, unit: &str, values: Vec<f64>| {
        let (median, least, most) = median(values);
        println!("{what:<44} {median:>9.3} {unit} ({least:.3} .. {most:.3})");
    };
    let per = |time: Duration| time.as_nanos() as f64 / options.actors as f64;
    row(
        "first message to each, until handled",
        "s",
        rounds.iter().map(|r| r.activation.as_secs_f64()).collect(),
    );
    row("  per actor", "ns", rounds.iter().map(|r| per(r.activation)).collect());
    row("second message to each, until handled", "s", rounds.iter().map(|r| r.again.as_secs_f64()).collect());
    row("  per actor", "ns", rounds.iter().map(|r| per(r.again)).collect());
    row("host memory per actor (allocator)", "bytes", rounds.iter().map(|r| r.each[0]).collect());
    row("device memory per actor", "bytes", rounds.iter().map(|r| r.each[1]).collect());
    row(
        "both, beyond its state",
        "bytes",
        rounds.iter().map(|r| r.each[0] + r.each[1] - STATE as f64).collect(),
    );
    row("resident set per actor", "bytes", rounds.iter().map(|r| r.each[2]).collect());
    Ok(())
}

fn main() -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("note: without --release these figures are worth nothing");
    }
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("many-actors: {error}");
            ExitCode::FAILURE
        }
    }
}
