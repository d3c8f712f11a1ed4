//! How late the flights of 2013 from New York City arrived: a histogram, counted by actors that share a buffer.

use std::path::Path;

use gpu_actor_examples::flights::data;
use gpu_actor_examples::histogram::{self, Tally};
use gpu_actor_rt::prelude::*;

/// Minutes: the first bin's begin, and the width of all.
const LEAST: i32 = -70;
const WIDTH: i32 = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/flights-2013.csv.gz");
    let delays: Vec<i32> = data::open(&path)?.filter_map(|flight| flight.ok()?.delay).collect();
    let system = ActorSystem::start(Config::default().actor::<Tally>()).await?;
    let bins = histogram::count(&system, &delays, LEAST, WIDTH, 4).await?;
    assert_eq!(bins, histogram::plain(&delays, LEAST, WIDTH), "a plain loop counts otherwise");
    let most = bins.iter().copied().max().unwrap_or(1).max(1);
    for (from, count) in (LEAST..).step_by(WIDTH as usize).zip(&bins) {
        let bar = "#".repeat((u64::from(*count) * 60 / u64::from(most)) as usize);
        println!("{from:5} min {count:7} {bar}");
    }
    println!("{} arrivals, the same as by a plain loop", bins.iter().sum::<u32>());
    system.shutdown().await?;
    Ok(())
}
