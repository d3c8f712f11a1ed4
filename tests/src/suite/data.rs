//! Enums, options and results travel: in states, messages and replies, between host and device and on the device.

use super::{Backend, behaviours};
use crate::accounts::{Account, Kind, Payment, Refused, Status};

behaviours! {
    a_result_is_a_reply_and_not_a_fault,
    enums_travel_between_actors,
}

fn payment(amount: u64, kind: Kind) -> Payment {
    Payment { amount, kind, memo: Some(*b"thanks\0\0") }
}

async fn a_result_is_a_reply_and_not_a_fault(backend: &Backend) -> gpu_actor_rt::Result<()> {
    let system = backend.system().await;
    let alice = system.actor::<Account>("alice");
    assert_eq!(alice.withdraw(5).await?, Err(Refused::Closed));
    assert!(alice.open(Some(7)).await?);
    assert_eq!(alice.credit(payment(30, Kind::Cash)).await?, Ok(30));
    // ANCHOR: withdraw
    match alice.withdraw(100).await? {
        Ok(left) => println!("{left} left"),
        Err(Refused::Short { missing }) => assert_eq!(missing, 70),
        Err(Refused::Closed) => unreachable!("it is open"),
    }
    // ANCHOR_END: withdraw
    assert_eq!(alice.withdraw(10).await?, Ok(20));
    // Owners with a low number get bonuses twice.
    assert_eq!(alice.credit(payment(5, Kind::Bonus)).await?, Ok(30));
    assert_eq!(alice.last(Kind::Cash).await?, None);
    assert_eq!(alice.last(Kind::Bonus).await?, Some(payment(5, Kind::Bonus)));
    system.shutdown().await
}

async fn enums_travel_between_actors(backend: &Backend) -> gpu_actor_rt::Result<()> {
    let system = backend.system().await;
    let (alice, bob) = (system.actor::<Account>("alice"), system.actor::<Account>("bob"));
    assert!(alice.open(None).await? && bob.open(Some(70)).await?);
    assert!(!bob.open(None).await?);
    alice.credit(payment(30, Kind::Cash)).await?.unwrap();
    let short = alice.transfer(bob.id()?, payment(31, Kind::Bonus)).await?;
    assert_eq!(short, Err(Refused::Short { missing: 1 }));
    assert_eq!(alice.transfer(bob.id()?, payment(20, Kind::Bonus)).await?, Ok(10));
    system.drained().await?;
    assert_eq!(bob.last(Kind::Transfer).await?, Some(payment(20, Kind::Transfer)));
    assert_eq!(bob.status().await?, Some(Status::Open(Some(70))));
    assert_eq!(bob.close().await?, Some(20));
    assert_eq!(bob.close().await?, None);
    assert_eq!(bob.status().await?, Some(Status::Closed { left: 20 }));
    assert_eq!(bob.withdraw(1).await?, Err(Refused::Closed));
    assert_eq!(system.actor::<Account>("carol").status().await?, None);
    assert_eq!(system.stats().faulted, 0);
    system.shutdown().await
}
