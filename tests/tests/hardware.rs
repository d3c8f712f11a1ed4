//! The suite of behaviours (`tests/src/suite`) on NVIDIA hardware, whole and in slices. In a process of its own: who answers
//! the CUDA driver's calls is decided once per process.
//!
//! Where there is no device every behaviour is listed as ignored, and standard error says why; with
//! `GPU_ACTOR_SUITE_REQUIRE_HARDWARE=1` that is a failure.

use std::process::ExitCode;

use gpu_actor_rt::device::Driver;
use gpu_actor_rt::device::cuda::CudaDriver;
use gpu_actor_tests::suite::kinds::{Cuda, SLICE};
use gpu_actor_tests::suite::{Devices, Kind};
use libtest_mimic::Arguments;

/// The variable that makes the lack of hardware a failure.
const REQUIRE: &str = "GPU_ACTOR_SUITE_REQUIRE_HARDWARE";

/// The driver of a machine with silicon in it; or why there is none.
fn driver() -> Result<CudaDriver, String> {
    let driver = CudaDriver::new().map_err(|error| error.to_string())?;
    if driver.hardware() { Ok(driver) } else { Err(format!("what answers here is {}", driver.name())) }
}

/// Why a kernel cannot run for as long as a system lives.
fn watched(driver: &CudaDriver) -> Option<String> {
    let gpus = (0..driver.count()).filter_map(|index| driver.properties(index).ok());
    let watched = gpus.filter(|gpu| gpu.watchdog).map(|gpu| gpu.name).next()?;
    Some(format!("a watchdog of {watched} ends kernels that run for seconds"))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (devices, absent, unsliced) = match driver() {
        Ok(driver) => (driver.count(), None, watched(&driver)),
        Err(why) => (1, Some(why.clone()), Some(why)),
    };
    if let Some(why) = &absent {
        eprintln!("\n*** NOT RUN ON HARDWARE: {why}.\n*** Nothing below says anything about a GPU.\n");
        let required = std::env::var(REQUIRE).is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
        if required && !arguments.list {
            eprintln!("{REQUIRE} is set: that is a failure.");
            return ExitCode::FAILURE;
        }
    } else if let Some(why) = &unsliced {
        eprintln!("*** The suite is run in slices only: {why}.");
    }
    let devices = Devices::new(devices);
    let kind = |absent| Cuda { devices: devices.clone(), hardware: true, absent };
    let kinds = [
        Kind::cuda("hardware", None, &kind(unsliced)),
        Kind::cuda("hardware_sliced", Some(SLICE), &kind(absent)),
    ];
    let trials = kinds.into_iter().flat_map(Kind::trials).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
