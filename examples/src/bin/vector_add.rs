//! The classic first GPU program as an actor: two vectors in a message, their sum in the reply. With `--table`, vectors of up to 64
//! million elements, and how many bytes a second that is.

use std::time::Instant;

use clap::Parser;
use gpu_actor_examples::vector::{Adder, CAPACITY, LongAdder, Vector};
use gpu_actor_rt::prelude::*;

/// Adds vectors.
#[derive(Parser)]
struct Options {
    /// Prints bytes a second from 4 elements to 64 million.
    #[arg(long)]
    table: bool,
    /// The longest vectors of the table.
    #[arg(long, default_value_t = 64 << 20, value_parser = clap::value_parser!(u32).range(4..=1 << 28))]
    most: u32,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let options = Options::parse();
    if options.table { table(options.most as usize).await } else { short().await }
}

// ANCHOR: main
async fn short() -> Outcome<()> {
    let system = ActorSystem::start(Config::default()).await?;
    let adder = system.actor::<Adder>(0);

    let a = Vector::try_from([1.0, 2.0, 3.0, 4.0].as_slice())?;
    let b = Vector::try_from([10.0, 20.0, 30.0, 40.0].as_slice())?;
    println!("{:?} + {:?} = {:?}", a.as_slice(), b.as_slice(), adder.add(a, b).await?.as_slice());

    let short = Vector::try_from([1.0].as_slice())?;
    match adder.add(a, short).await {
        Err(Error::Fault(fault)) => println!("refused: {fault}"),
        other => println!("unexpected: {other:?}"),
    }
    println!("elements added: {}", adder.elements().await?);
    system.shutdown().await?;
    Ok(())
}
// ANCHOR_END: main

/// Bytes that an addition of so many elements reads and writes.
fn bytes(elements: usize) -> f64 {
    12.0 * elements as f64
}

/// The median of bytes a second of some rounds; each adds as often as fits a few milliseconds, once at the least.
macro_rules! rate {
    ($elements:expr, $add:expr) => {{
        let turns = (40_000 / $elements).max(1);
        let mut rates = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            for _ in 0..turns {
                $add;
            }
            rates.push(bytes($elements) * turns as f64 / begun.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        rates[2]
    }};
}

async fn table(most: usize) -> Outcome<()> {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    // A message may take a turn of the loop for each element.
    let config = Config::default().workers(workers as u32).budget(1 << 30);
    let config = config.actor::<Adder>().actor::<LongAdder>();
    let system = ActorSystem::start(config).await?;
    let stats = system.stats();
    println!(
        "{} ({}), {workers} workers; bytes read and written, asks and replies included",
        stats.device, stats.device_kind
    );
    println!("{:>10}  {:26} {:>12} {:>12} {:>7}", "elements", "way", "actors", "plain loop", "ratio");
    let mut elements = 4;
    while elements <= most {
        let [a, b]: [Vec<f32>; 2] = [3, 5].map(|by| (0..elements).map(|i| (i % 1000 * by) as f32).collect());
        let mut plain = vec![0.0f32; elements];
        let row = |way: &str, actors: f64, plain: f64| {
            let (one, other) = (actors / 1e9, plain / 1e9);
            println!("{elements:10}  {way:26} {one:9.3} GB/s {other:7.3} GB/s {:6.3}x", one / other);
        };
        let alone = rate!(elements, {
            for ((sum, a), b) in plain.iter_mut().zip(std::hint::black_box(&a)).zip(&b) {
                *sum = a + b;
            }
            std::hint::black_box(&mut plain);
        });
        if elements <= CAPACITY {
            let adder = system.actor::<Adder>(0);
            let (a, b) = (Vector::try_from(a.as_slice())?, Vector::try_from(b.as_slice())?);
            if adder.add(a, b).await?.as_slice() != plain {
                return Err("the sum within a message is wrong".into());
            }
            row("within messages", rate!(elements, adder.add(a, b).await?), alone);
        }
        // Parts of the vectors, on all workers: a buffer that is written to is one actor's.
        let parts = if elements < 1 << 14 { 1 } else { workers };
        let part = elements.div_ceil(parts);
        let mut jobs = Vec::new();
        for (n, (a, b)) in (0u64..).zip(a.chunks(part).zip(b.chunks(part))) {
            jobs.push((
                system.actor::<LongAdder>(n),
                system.buffer(a)?,
                system.buffer(b)?,
                system.zeroed::<f32>(a.len())?,
            ));
        }
        let add = async || -> Result<(), Error> {
            for done in system.ask_many(jobs.iter().map(|(adder, a, b, sum)| adder.add(a, b, sum))).await {
                done?;
            }
            Ok(())
        };
        add().await?;
        let way = format!("buffers, {parts} actor{}", if parts == 1 { "" } else { "s" });
        row(&way, rate!(elements, add().await?), alone);
        for ((_, _, _, sum), plain) in jobs.iter().zip(plain.chunks(part)) {
            if sum.map().await?[..] != *plain {
                return Err(format!("the sum of {elements} elements in buffers is wrong").into());
            }
        }
        elements *= if elements < 1 << 20 { 16 } else { 4 };
    }
    println!("each sum was compared with the plain loop's");
    system.shutdown().await?;
    Ok(())
}
