//! Which device runs the actors: chosen by the program, by the environment, or by what the machine has.

use std::time::Duration;

use clap::Parser;
use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::device::DeviceChoice;
use gpu_actor_rt::prelude::*;

/// Counts to 42 on a device and says which one that was.
#[derive(Parser)]
struct Options {
    /// auto, soft, cuda or cuda:INDEX; GPU_ACTOR_DEVICE in the environment overrides it.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Runs the ring kernel in slices of so many milliseconds: for cards that drive a display, and for WSL2.
    #[arg(long)]
    slice_ms: Option<u64>,
}

#[tokio::main]
async fn main() -> gpu_actor_rt::Result<()> {
    let options = Options::parse();
    // ANCHOR: device
    let mut config = Config::default().device(options.device);
    if let Some(ms) = options.slice_ms {
        config = config.slice(Duration::from_millis(ms));
    }
    let system = ActorSystem::start(config).await?;
    let stats = system.stats();
    println!("device: {}, by {}", stats.device, stats.driver);
    println!("chosen: {}", stats.chosen);
    if !stats.hardware {
        println!("not a GPU: no time that it takes says anything about one");
    }
    // ANCHOR_END: device
    let counter = system.actor::<Counter>("counter");
    counter.add(40).tell()?;
    println!("counted: {}", counter.add(2).await?);
    system.shutdown().await
}
