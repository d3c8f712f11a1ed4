//! `gpu-actor doctor`: whether this machine can run actors on a GPU, and what to do where it cannot.
//!
//! Rules kept here: facts are collected first and judged after; it changes nothing on the machine; where there is no GPU
//! it says so and tries what is there, the software GPU.

mod cufile;
mod host;
mod judge;
mod report;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::device::{self, Device, DeviceChoice, DeviceError};

use crate::cuda::Cuda;
use crate::error::chain;
use crate::nvml::{Management, Unmanaged};
use crate::output::Report;
use host::Host;
use trial::Trial;

/// The slice in which a device is tried.
const SLICE: Duration = Duration::from_millis(20);

/// Looks at driver, libraries and devices, tries each device, and says what to do about what is not well.
#[derive(Debug, Args)]
pub(crate) struct Options {}

/// What was found.
#[derive(Debug)]
struct Facts {
    host: Host,
    cuda: Cuda,
    nvml: Result<Management, Unmanaged>,
    cufile: Result<PathBuf, String>,
    /// How each CUDA device did that was tried.
    trials: Vec<DeviceTrials>,
    /// The device that a program gets, and why.
    chosen: Result<Chosen, String>,
    /// How the software GPU did.
    software: Result<Trial, String>,
}

/// A device and why it was chosen.
#[derive(Debug)]
struct Chosen {
    device: String,
    why: String,
}

/// How a CUDA device did.
#[derive(Debug)]
struct DeviceTrials {
    device: usize,
    /// In bounded slices, which every device should do.
    sliced: Result<Trial, String>,
    /// With a kernel without an end; not tried where slices failed.
    persistent: Option<Result<Trial, String>>,
}

impl Facts {
    fn collect(choice: &DeviceChoice) -> Self {
        let cuda = Cuda::ask();
        let tried = (0..cuda.devices.len()).filter(|index| match choice {
            DeviceChoice::Soft(_) => false,
            DeviceChoice::Cuda(config) => config.index == *index,
            _ => true,
        });
        Self {
            host: Host::look(Path::new("/"), |name| std::env::var_os(name)),
            nvml: Management::ask(),
            cufile: cufile::find(),
            trials: tried.map(DeviceTrials::of).collect(),
            chosen: device::choose(choice)
                .map(|chosen| Chosen { device: chosen.device.info().name, why: chosen.why })
                .map_err(|error| chain(&error)),
            software: trial::run(None, || Ok(Arc::new(Soft::open(&SoftConfig::default())?))),
            cuda,
        }
    }

    /// A machine with nothing, for tests to put something on.
    #[cfg(test)]
    fn nothing() -> Self {
        let absence = crate::cuda::Absence { why: "no CUDA device".into(), plain: true, library: None };
        Self {
            host: Host::default(),
            cuda: Cuda { driver: Err(absence), devices: Vec::new(), peers: Vec::new() },
            nvml: Err(Unmanaged::NoLibrary("no such file".into())),
            cufile: Err("no such file".into()),
            trials: Vec::new(),
            chosen: Err("not tried".into()),
            software: Err("not tried".into()),
        }
    }
}

impl DeviceTrials {
    fn of(device: usize) -> Self {
        // Each trial opens the device anew: what one of them spoils, the other one should not have to bear.
        let open = move || open_cuda(device);
        let sliced = trial::run(Some(SLICE), open);
        let persistent = sliced.is_ok().then(|| trial::run(None, open));
        Self { device, sliced, persistent }
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<Arc<dyn Device>, DeviceError> {
    use gpu_actor_rt::device::{Driver as _, cuda::CudaDriver};
    CudaDriver::new()?.open(index)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(index: usize) -> Result<Arc<dyn Device>, DeviceError> {
    Err(DeviceError::WithoutCuda { asked: format!("the trial of device {index}") })
}

/// Looks, judges, reports.
pub(crate) fn run(_options: &Options, choice: &DeviceChoice) -> Report {
    report::render(&judge::judge(&Facts::collect(choice)))
}
