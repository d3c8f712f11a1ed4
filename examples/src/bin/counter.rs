//! The smallest program: one actor, one question, one answer, and what a fault looks like.

use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::prelude::*;

// ANCHOR: main
#[tokio::main]
async fn main() -> gpu_actor_rt::Result<()> {
    let system = ActorSystem::start(Config::default()).await?;
    println!("device: {} ({})", system.stats().device, system.stats().device_kind);

    let visits = system.actor::<Counter>("visits");
    for _ in 0..3 {
        visits.add(1).tell()?;
    }
    println!("visits: {}", visits.add(39).await?);

    match visits.add(u32::MAX).await {
        Err(Error::Fault(fault)) => println!("refused: {fault}"),
        other => println!("unexpected: {other:?}"),
    }
    println!("still serving: {}", visits.get().await?);
    system.shutdown().await
}
// ANCHOR_END: main
