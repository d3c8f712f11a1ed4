//! Copies between two devices.
//!
//! Rules kept here: every copy is read back and compared in full; what the driver says of the way (peer access, or through
//! the host) is part of the result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu_actor_rt::device::soft::Soft;
use gpu_actor_rt::device::{Device, MemoryKind};
use soft_gpu::{Platform, PlatformConfig};

use crate::validate::finding::{Chart, Recorder, Shape, Stop, Table};
use crate::validate::ground::{Ground, Source};
use crate::validate::measure::{median, show};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Where a copy ends and where it begins, both as a device's index and an address there, and its bytes.
#[derive(Clone, Copy, Debug)]
struct Way {
    to: (usize, u64),
    from: (usize, u64),
    bytes: usize,
}

/// Two devices and what is between them.
trait Pair {
    /// The devices.
    fn devices(&self) -> &[Arc<dyn Device>; 2];
    /// The kind of the link.
    fn link(&self) -> String;
    /// Lets device `from` reach the memory of device `to`; whether the hardware can.
    fn enable(&self, from: usize, to: usize) -> Result<bool, Stop>;
    /// Copies and waits.
    fn copy(&self, way: Way) -> Result<(), Stop>;
}

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    match &ground.source {
        Source::Platform(platform) => measure(ground, &SoftPair::open(platform)?, record),
        Source::Choice(choice) => match cuda::open(&ground.open()?.info(), choice)? {
            Some(pair) => measure(ground, &pair, record),
            None => Err(Stop::NotRun("one device".into())),
        },
    }
}

fn measure(ground: &Ground, pair: &dyn Pair, record: &Recorder) -> Result<(), Stop> {
    record.note(format!("Between the devices: {}.", pair.link()));
    let largest = ground.pick(16 * MIB, 256 * MIB);
    let room = pair.devices().iter().map(|device| device.memory_info().map(|info| info.free as usize / 4));
    let largest = room.collect::<Result<Vec<_>, _>>()?.into_iter().fold(largest, usize::min);
    let sizes: Vec<usize> =
        [4 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB].into_iter().filter(|s| *s <= largest).collect();
    if sizes.is_empty() {
        return Err(Stop::NotRun(format!("a device has less than {} free", 4 * KIB)));
    }
    let mut table = Table {
        title: "Copies".into(),
        columns: vec!["way", "bytes", "us each, median", "GB/s"],
        rows: Vec::new(),
    };
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for (from, to) in [(0, 1), (1, 0)] {
        // Without access first: what is enabled is not taken back here.
        for direct in [false, true] {
            record.step(format!("device {from} to device {to}"));
            if direct && !pair.enable(from, to)? {
                record.note(format!(
                    "Device {from} has no access to the memory of device {to}: copies go through the host."
                ));
                continue;
            }
            let name =
                format!("{from} to {to}, {}", if direct { "peer access" } else { "no access asked for" });
            let mut line = Vec::new();
            for &bytes in &sizes {
                let micros = copies(ground, pair, (from, to), bytes, record)?;
                let speed = bytes as f64 / micros / 1e3;
                table.rows.push(vec![name.clone(), bytes.to_string(), show(micros), show(speed)]);
                line.push((bytes as f64, speed));
            }
            if let Some((bytes, speed)) = line.last().filter(|_| direct) {
                record.figure(
                    format!("{from} to {to}, copies of {} MiB", show(bytes / MIB as f64)),
                    *speed,
                    "GB/s",
                );
            }
            lines.push((name, line));
        }
    }
    record.table(table);
    record.chart(Chart {
        file: "peers",
        title: "Copies between two devices".into(),
        x: "bytes of a copy",
        y: "gigabytes per second",
        shape: Shape::Lines(lines),
    });
    Ok(())
}

/// Copies a pattern of its own often enough, compares what has arrived; the median of the times in microseconds.
fn copies(
    ground: &Ground,
    pair: &dyn Pair,
    (from, to): (usize, usize),
    bytes: usize,
    record: &Recorder,
) -> Result<f64, Stop> {
    let devices = pair.devices();
    let source = devices[from].alloc(MemoryKind::Device, bytes)?;
    let target = devices[to].alloc(MemoryKind::Device, bytes)?;
    let sent = pattern(bytes, (from * 2 + to) as u64 + bytes as u64);
    devices[from].copy_to_device(source.address(), &sent)?;
    let way = Way { to: (to, target.address()), from: (from, source.address()), bytes };
    let (aim, begun) = (ground.pick(Duration::from_millis(30), Duration::from_millis(500)), Instant::now());
    let mut times = Vec::new();
    while times.len() < 3 || (begun.elapsed() < aim && times.len() < 10_000) {
        let begun = Instant::now();
        pair.copy(way)?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let mut arrived = vec![0; bytes];
    devices[to].copy_from_device(&mut arrived, target.address())?;
    let wrong = arrived.iter().zip(&sent).filter(|(arrived, sent)| arrived != sent).count();
    record.require(wrong == 0, || {
        format!("{wrong} of {bytes} bytes from device {from} to {to} are not what was sent")
    });
    Ok(median(&times).unwrap_or_default())
}

/// Bytes that differ from place to place and from seed to seed (splitmix64).
fn pattern(bytes: usize, seed: u64) -> Vec<u8> {
    let word = |i: u64| {
        let z = (seed << 32).wrapping_add(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ z >> 27).to_le_bytes()
    };
    (0..bytes.div_ceil(8) as u64).flat_map(word).take(bytes).collect()
}

/// The first two devices of a platform of software GPUs.
struct SoftPair {
    platform: Platform,
    devices: [Arc<dyn Device>; 2],
}

impl SoftPair {
    fn open(config: &PlatformConfig) -> Result<Self, Stop> {
        let platform = Platform::new(config.clone())?;
        let [first, second, ..] = platform.devices() else {
            return Err(Stop::NotRun("one device".into()));
        };
        let devices: [Arc<dyn Device>; 2] =
            [Arc::new(Soft::over(first.clone())), Arc::new(Soft::over(second.clone()))];
        Ok(Self { platform, devices })
    }
}

impl Pair for SoftPair {
    fn devices(&self) -> &[Arc<dyn Device>; 2] {
        &self.devices
    }

    fn link(&self) -> String {
        format!("{} (simulated)", self.platform.link(0, 1))
    }

    fn enable(&self, from: usize, to: usize) -> Result<bool, Stop> {
        match self.platform.enable_peer(from, to) {
            Ok(()) => Ok(true),
            Err(soft_gpu::Error::PeerNotSupported { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn copy(&self, way: Way) -> Result<(), Stop> {
        Ok(self.platform.copy_peer(way.to.0, way.to.1, way.from.0, way.from.1, way.bytes)?)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    //! Two devices behind the CUDA driver.

    use std::sync::Arc;

    use gpu_actor_rt::device::cuda::{CudaDevice, CudaDriver};
    use gpu_actor_rt::device::{CudaConfig, Device, DeviceChoice, DeviceInfo, DeviceKind, Driver};

    use super::{Pair, Stop, Way};

    pub(super) struct CudaPair {
        driver: CudaDriver,
        indices: [usize; 2],
        cuda: [Arc<CudaDevice>; 2],
        devices: [Arc<dyn Device>; 2],
    }

    /// The device that is validated and another one, if the driver has another one.
    pub(super) fn open(info: &DeviceInfo, choice: &DeviceChoice) -> Result<Option<CudaPair>, Stop> {
        if info.kind != DeviceKind::Cuda {
            return Ok(None);
        }
        let driver = CudaDriver::new()?;
        let first = if let DeviceChoice::Cuda(config) = choice { config.index } else { 0 };
        let Some(second) = (0..driver.count()).find(|index| *index != first) else { return Ok(None) };
        let opened = |index| driver.open_with(&CudaConfig::index(index)).map(Arc::new);
        let cuda = [opened(first)?, opened(second)?];
        let devices: [Arc<dyn Device>; 2] = [Arc::clone(&cuda[0]) as _, Arc::clone(&cuda[1]) as _];
        Ok(Some(CudaPair { driver, indices: [first, second], cuda, devices }))
    }

    impl Pair for CudaPair {
        fn devices(&self) -> &[Arc<dyn Device>; 2] {
            &self.devices
        }

        fn link(&self) -> String {
            let [a, b] = self.indices;
            match self.driver.peer(a, b) {
                Ok(peer) => format!(
                    "peer access {}, performance rank {}, native atomics {} (CUDA devices {a} and {b} of {})",
                    if peer.access { "yes" } else { "no" },
                    peer.rank,
                    if peer.native_atomics { "yes" } else { "no" },
                    self.driver.count()
                ),
                Err(error) => error.to_string(),
            }
        }

        fn enable(&self, from: usize, to: usize) -> Result<bool, Stop> {
            if !self.driver.peer(self.indices[from], self.indices[to])?.access {
                return Ok(false);
            }
            self.cuda[from].enable_peer(&self.cuda[to])?;
            Ok(true)
        }

        fn copy(&self, way: Way) -> Result<(), Stop> {
            let (target, source) = (&self.cuda[way.to.0], &self.cuda[way.from.0]);
            Ok(target.copy_from_peer(way.to.1, source, way.from.1, way.bytes)?)
        }
    }
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    //! A program without CUDA has no second device of that kind.

    use gpu_actor_rt::device::{DeviceChoice, DeviceInfo};

    use super::{SoftPair, Stop};

    // As its twin with CUDA.
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn open(_: &DeviceInfo, _: &DeviceChoice) -> Result<Option<SoftPair>, Stop> {
        Ok(None)
    }
}
