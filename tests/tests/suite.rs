//! The suite of behaviours (`tests/src/suite`) on every backend that needs no hardware. Names begin with the backend:
//! `cargo test -p gpu-actor-tests --test suite -- soft_sliced::order`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_tests::suite::Kind;
use libtest_mimic::Arguments;

/// The software GPU: a device for every behaviour, so as many as there are.
fn soft(name: &'static str, slice: Option<Duration>) -> Kind {
    Kind {
        name,
        open: Arc::new(|_| Ok(Arc::new(Soft::open(&SoftConfig::default())?))),
        devices: 64,
        slice,
        kills: true,
        absent: None,
    }
}

fn main() -> ExitCode {
    let slice = Some(Duration::from_millis(2));
    let trials =
        [soft("soft", None), soft("soft_sliced", slice)].into_iter().flat_map(Kind::trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
