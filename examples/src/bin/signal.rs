//! A signal of 16 MiB goes through a chain of actors; nothing copies it but its way in and out.

use std::time::Instant;

use gpu_actor_examples::signal::Stage;
use gpu_actor_rt::prelude::*;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let system = ActorSystem::start(Config::default()).await?;
    let stages: Vec<ActorRef<Stage>> = (0..4u64).map(|n| system.actor(n)).collect();
    for (n, stage) in stages.iter().enumerate() {
        let next = stages[(n + 1) % stages.len()].id()?;
        stage.set([2.0, 0.5, 1.5, 2.0][n], next).await?;
    }

    let samples: Vec<f32> = (0..4 << 20).map(|i| ((i % 1000) as f32 - 499.5) / 1000.0).collect();
    let signal = system.buffer(&samples)?;
    let begun = Instant::now();
    stages[0].amplify(&signal, 3).tell()?;
    // Waits for the handlers that write to it: all four.
    let amplified = signal.to_vec().await?;
    println!("{} samples through {} stages in {:?}", signal.len(), stages.len(), begun.elapsed());
    assert!(samples.iter().zip(&amplified).all(|(before, after)| (before * 3.0 - after).abs() < 1e-6));

    println!("mean {:.3e}", stages[1].mean(&signal).await?);
    let loudest = stages[2].loudest(&signal, 100).await?;
    println!("loudest 100 samples: {:?}, from {}", loudest.range(), loudest.map().await?[0]);
    // Elements are good, too: these fit their message.
    println!("mean of three {}", stages[1].mean([1.0, 2.0, 6.0]).await?);

    drop((signal, loudest));
    system.drained().await?;
    let stats = system.stats();
    println!("buffers left: {}, in {:?} memory", stats.buffers, stats.buffer_memory);
    system.shutdown().await?;
    Ok(())
}
// ANCHOR_END: main
