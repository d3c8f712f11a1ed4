//! The classic first GPU program as an actor: two vectors in a message, their sum in the reply.

use gpu_actor_examples::vector::{Adder, Vector};
use gpu_actor_rt::prelude::*;

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
