//! `#[handler(atomic)]`: a handler that faults half way leaves the state as it was before the message.

use super::{Backend, behaviours};
use crate::vault::Vault;
use gpu_actor_rt::prelude::*;

behaviours! {
    a_transfer_that_faults_half_way_leaves_the_state_as_it_was,
}

async fn a_transfer_that_faults_half_way_leaves_the_state_as_it_was(backend: &Backend) {
    let system = backend.start(backend.config().budget(10_000)).await;
    let (vault, witness) = (system.actor::<Vault>("vault"), system.actor::<Vault>("witness"));
    vault.fill(100).await.unwrap();

    // Taken from the first box, but there is no box to put it into.
    let fault = vault.transfer(0, 4, 30, witness.id().unwrap()).await.unwrap_err();
    assert!(matches!(fault, Error::Fault(ref fault) if fault.kind == FaultKind::Bounds), "{fault}");
    assert_eq!((vault.look(0).await.unwrap(), vault.transfers().await.unwrap()), (100, 100));
    // More than there is: it faults before the boxes, after the log.
    vault.transfer(0, 1, 101, witness.id().unwrap()).await.unwrap_err();
    assert_eq!((vault.look(0).await.unwrap(), vault.transfers().await.unwrap()), (100, 100));
    // A loop that spends its budget is a fault like any other.
    let fault = vault.drain(1_000_000).await.unwrap_err();
    assert!(matches!(fault, Error::Fault(ref fault) if fault.kind == FaultKind::Budget), "{fault}");
    assert_eq!(vault.look(3).await.unwrap(), 0);

    // The same calls where they can be done.
    assert_eq!(vault.transfer(0, 3, 30, witness.id().unwrap()).await.unwrap(), 30);
    assert_eq!((vault.look(0).await.unwrap(), vault.transfers().await.unwrap()), (70, 101));
    assert_eq!(vault.drain(5).await.unwrap(), 35);

    // Without `atomic` what was written before the fault stays.
    vault.careless(0, 4, 30).await.unwrap_err();
    assert_eq!((vault.look(0).await.unwrap(), vault.transfers().await.unwrap()), (40, 102));

    system.drained().await.unwrap();
    // Only the transfer that was made was told to the witness.
    assert_eq!(witness.look(0).await.unwrap(), 30);
    system.shutdown().await.unwrap();
}
