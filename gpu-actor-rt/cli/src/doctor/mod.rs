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

use clap::Args;
use gpu_actor_rt::device::soft::{Soft, SoftConfig};
use gpu_actor_rt::device::{self, DeviceChoice};

use crate::error::chain;
use crate::nvml::{Management, Unmanaged};
use crate::output::Report;
use host::Host;
use trial::Trial;

/// Looks at driver, libraries and devices, tries each device, and says what to do about what is not well.
#[derive(Debug, Args)]
pub(crate) struct Options {}

/// What was found.
#[derive(Debug)]
struct Facts {
    host: Host,
    nvml: Result<Management, Unmanaged>,
    cufile: Result<PathBuf, String>,
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

impl Facts {
    fn collect(choice: &DeviceChoice) -> Self {
        Self {
            host: Host::look(Path::new("/"), |name| std::env::var_os(name)),
            nvml: Management::ask(),
            cufile: cufile::find(),
            chosen: device::choose(choice)
                .map(|chosen| Chosen { device: chosen.device.info().name, why: chosen.why })
                .map_err(|error| chain(&error)),
            software: trial::run(|| Ok(Arc::new(Soft::open(&SoftConfig::default())?))),
        }
    }

    /// A machine with nothing, for tests to put something on.
    #[cfg(test)]
    fn nothing() -> Self {
        Self {
            host: Host::default(),
            nvml: Err(Unmanaged::NoLibrary("no such file".into())),
            cufile: Err("no such file".into()),
            chosen: Err("not tried".into()),
            software: Err("not tried".into()),
        }
    }
}

/// Looks, judges, reports.
pub(crate) fn run(_options: &Options, choice: &DeviceChoice) -> Report {
    report::render(&judge::judge(&Facts::collect(choice)))
}
