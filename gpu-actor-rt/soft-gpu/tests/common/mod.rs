//! What the tests of this crate share.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

pub(crate) mod exact;
pub(crate) mod ops;

use soft_gpu::{Arg, Device, DeviceConfig, Launch, LaunchConfig, LoadError, Mode, Module};

/// The beginning of every PTX text.
pub(crate) const HEADER: &str = ".version 7.0\n.target sm_70\n.address_size 64\n";

/// A device; `GPU_ACTOR_SOFT` in the environment says in which mode, so that these tests run in every one.
pub(crate) fn device() -> Device {
    let mode = std::env::var("GPU_ACTOR_SOFT").map_or(Mode::default(), |mode| mode.parse().unwrap());
    device_in(mode)
}

pub(crate) fn device_in(mode: Mode) -> Device {
    Device::open(DeviceConfig { multiprocessors: 2, mode, ..DeviceConfig::default() }).unwrap()
}

/// Loads `text` after the header.
pub(crate) fn try_load(device: &Device, text: &str) -> Result<Module, LoadError> {
    device.load_ptx(&format!("{HEADER}{text}"))
}

#[track_caller]
pub(crate) fn load(device: &Device, text: &str) -> Module {
    try_load(device, text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Launches entry `k`.
#[track_caller]
pub(crate) fn launch(device: &Device, module: &Module, config: LaunchConfig, args: &[Arg]) -> Launch {
    // SAFETY: the tests' kernels touch only the memory they are given, which outlives the launch.
    unsafe { device.launch(&module.function("k").unwrap(), &config, args).unwrap() }
}

/// Reads `n` little-endian words of `size` bytes.
pub(crate) fn words(device: &Device, address: u64, n: usize) -> Vec<u32> {
    let mut bytes = vec![0; n * 4];
    device.copy_from_device(&mut bytes, address).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|c| u32::from_le_bytes(*c)).collect()
}
