//! The suite of behaviours (`tests/src/suite`) on every backend that needs no hardware: the software GPU, and CUDA with
//! `cust` and all over a driver that the software GPU answers, each whole and in slices. Names begin with the backend:
//! `cargo test -p gpu-actor-tests --test suite -- cuda_sliced::order`.

use std::process::ExitCode;

use gpu_actor_rt::device::cuda::use_soft;
use gpu_actor_rt::device::soft::{SOFT_VARIABLE, SoftConfig, SoftMode};
use gpu_actor_tests::suite::kinds::{Cuda, SLICE};
use gpu_actor_tests::suite::{Devices, Kind};
use libtest_mimic::Arguments;
use soft_gpu::{Platform, PlatformConfig};

/// Devices of the platform behind the CUDA driver: as many behaviours run there at a time.
const DEVICES: usize = 8;

/// The mode that the environment demands of software GPUs.
fn mode() -> SoftMode {
    let demanded = std::env::var(SOFT_VARIABLE).unwrap_or_default();
    if demanded.is_empty() {
        SoftMode::default()
    } else {
        demanded.parse().expect("a mode in GPU_ACTOR_SOFT")
    }
}

fn main() -> ExitCode {
    let mode = mode();
    // One thread runs all of a deterministic device, and the driver has calls that wait for another kernel.
    let absent =
        mode.schedule.is_some().then(|| format!("the mode `{mode}` does not go with the CUDA driver"));
    if let Some(why) = &absent {
        eprintln!("The suite is not run on CUDA over the software GPU: {why}.");
    }
    let device = SoftConfig { mode, ..SoftConfig::default() };
    let platform =
        Platform::new(PlatformConfig { devices: vec![device; DEVICES], ..PlatformConfig::default() });
    use_soft(platform.expect("a platform of plain devices")).expect("nobody has called the driver yet");
    let cuda = Cuda { devices: Devices::new(DEVICES), hardware: false, absent };
    let kinds = [
        Kind::soft("soft", None),
        Kind::soft("soft_sliced", Some(SLICE)),
        Kind::cuda("cuda", None, &cuda),
        Kind::cuda("cuda_sliced", Some(SLICE), &cuda),
    ];
    let trials = kinds.into_iter().flat_map(Kind::trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
