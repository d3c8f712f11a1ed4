//! The kinds of devices that there are, for those who instantiate the suite.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gpu_actor_rt::device::Device;
use gpu_actor_rt::device::cuda::{CudaConfig, CudaDriver};
use gpu_actor_rt::device::soft::{Soft, SoftConfig};

use super::{Devices, Kind, Open};

/// The length of a slice: many to a behaviour, and long enough for the behaviours not to be about launching alone.
pub const SLICE: Duration = Duration::from_millis(2);

/// Devices of the CUDA driver of this process, which somebody has chosen before.
#[derive(Clone, Debug)]
pub struct Cuda {
    /// Them all.
    pub devices: Devices,
    /// Whether they are silicon.
    pub hardware: bool,
    /// Why nothing can be run on them.
    pub absent: Option<String>,
}

impl Kind {
    /// The software GPU: a device for every behaviour, so as many as there are.
    #[must_use]
    pub fn soft(name: &'static str, slice: Option<Duration>) -> Self {
        let open: Arc<Open> = Arc::new(|_| Ok(Arc::new(Soft::open(&SoftConfig::default())?)));
        Self {
            name,
            open_again: Arc::clone(&open),
            open,
            hardware: false,
            devices: Devices::new(64),
            slice,
            kills: true,
            absent: None,
        }
    }

    /// The CUDA backend, `cust` and all.
    #[must_use]
    pub fn cuda(name: &'static str, slice: Option<Duration>, cuda: &Cuda) -> Self {
        let open = |config: &CudaConfig| CudaDriver::new()?.open_with(config).map(Arc::new);
        // Opened once: contexts and modules take their time on a card.
        let opened = Mutex::new(HashMap::new());
        Self {
            name,
            open: Arc::new(move |index| {
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                let device: Arc<dyn Device> = match opened.get(&index) {
                    Some(device) => Arc::clone(device),
                    None => open(&CudaConfig::index(index))?,
                };
                opened.insert(index, Arc::clone(&device));
                Ok(device)
            }),
            open_again: Arc::new(move |index| Ok(open(&CudaConfig::index(index).own_context())?)),
            hardware: cuda.hardware,
            devices: cuda.devices.clone(),
            slice,
            kills: false,
            absent: cuda.absent.clone(),
        }
    }
}
