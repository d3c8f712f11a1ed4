//! What the CUDA driver says: who answers, the devices, and how they reach each other.
//!
//! Rules kept here: asking opens no device and disturbs nothing that runs; what the software GPU says is marked as such.

use std::path::{Path, PathBuf};

#[cfg(feature = "cuda")]
use gpu_actor_rt::device::DeviceError;
#[cfg(feature = "cuda")]
use gpu_actor_rt::device::Driver as _;
#[cfg(feature = "cuda")]
use gpu_actor_rt::device::cuda::{CudaDriver, CudaProperties};

#[cfg(feature = "cuda")]
use crate::error::chain;
use crate::nvml::Pci;

/// What the driver says.
#[derive(Clone, Debug)]
pub(crate) struct Cuda {
    /// The driver, or why there is none.
    pub(crate) driver: Result<Driver, Absence>,
    /// Each device, or why it says nothing.
    pub(crate) devices: Vec<Result<Gpu, String>>,
    /// Each ordered pair of devices.
    pub(crate) peers: Vec<PeerOf>,
}

/// A driver that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// Its name and version, and whose it is.
    pub(crate) name: String,
    /// The newest CUDA that it knows.
    pub(crate) version: (u32, u32),
    /// Whether it is NVIDIA's.
    pub(crate) hardware: bool,
    /// The file of NVIDIA's library, where that is loaded.
    pub(crate) library: Option<PathBuf>,
}

/// Why no driver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absence {
    /// In the runtime's words.
    pub(crate) why: String,
    /// Whether it is simply not there, as on a machine without a GPU.
    pub(crate) plain: bool,
    /// The file of NVIDIA's library, where that is loaded all the same.
    pub(crate) library: Option<PathBuf>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) hardware: bool,
    pub(crate) uuid: String,
    pub(crate) pci: String,
    pub(crate) capability: (u32, u32),
    pub(crate) memory: u64,
    pub(crate) multiprocessors: u32,
    pub(crate) copy_engines: u32,
    pub(crate) compute_mode: u32,
    pub(crate) watchdog: bool,
    pub(crate) cooperative_launch: bool,
    pub(crate) compute_preemption: bool,
    pub(crate) mapped_host_memory: bool,
    pub(crate) unified_addressing: bool,
    pub(crate) concurrent_managed_access: bool,
    pub(crate) host_native_atomics: bool,
    pub(crate) memory_pools: bool,
    pub(crate) rdma: bool,
    pub(crate) ecc: bool,
}

impl Gpu {
    /// Its place on the bus, if that can be read.
    pub(crate) fn place(&self) -> Option<Pci> {
        self.pci.parse().ok()
    }
}

#[cfg(feature = "cuda")]
impl From<CudaProperties> for Gpu {
    fn from(of: CudaProperties) -> Self {
        Self {
            name: of.name,
            hardware: of.hardware,
            uuid: of.uuid,
            pci: of.pci,
            capability: of.compute_capability,
            memory: of.memory,
            multiprocessors: of.multiprocessors,
            copy_engines: of.copy_engines,
            compute_mode: of.compute_mode,
            watchdog: of.watchdog,
            cooperative_launch: of.cooperative_launch,
            compute_preemption: of.compute_preemption,
            mapped_host_memory: of.mapped_host_memory,
            unified_addressing: of.unified_addressing,
            concurrent_managed_access: of.concurrent_managed_access,
            host_native_atomics: of.host_native_atomics,
            memory_pools: of.memory_pools,
            rdma: of.gpu_direct_rdma,
            ecc: of.ecc,
        }
    }
}

/// How one device reaches another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerOf {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) peer: Result<Peer, String>,
}

/// What the driver says of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Whether kernels of the one reach memory of the other.
    pub(crate) access: bool,
    /// Whether atomics there are native on the link.
    pub(crate) atomics: bool,
    /// The driver's ranking; lower is faster.
    pub(crate) rank: i32,
}

impl Cuda {
    /// A program that was built without CUDA has no driver.
    #[cfg(not(feature = "cuda"))]
    pub(crate) fn ask() -> Self {
        let why = "this program was built without the feature `cuda`".into();
        Self {
            driver: Err(Absence { why, plain: true, library: None }),
            devices: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// Starts the driver and asks.
    #[cfg(feature = "cuda")]
    pub(crate) fn ask() -> Self {
        let driver = match CudaDriver::new() {
            Ok(driver) => driver,
            Err(error) => {
                let library = loaded("libcuda.so");
                let absence = match error {
                    // The rest of its text is advice, which the doctor has more of.
                    DeviceError::NoCuda { why } => Absence { why, plain: true, library },
                    error => Absence { why: chain(&error), plain: false, library },
                };
                return Self { driver: Err(absence), devices: Vec::new(), peers: Vec::new() };
            }
        };
        let count = driver.count();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let peers = pairs.filter(|(from, to)| from != to).map(|(from, to)| PeerOf {
            from,
            to,
            peer: driver
                .peer(from, to)
                .map(|of| Peer { access: of.access, atomics: of.native_atomics, rank: of.rank })
                .map_err(|error| chain(&error)),
        });
        let devices =
            (0..count).map(|index| driver.properties(index).map(Gpu::from).map_err(|error| chain(&error)));
        Self {
            devices: devices.collect(),
            peers: peers.collect(),
            driver: Ok(Driver {
                name: driver.name().to_owned(),
                version: driver.version(),
                hardware: driver.hardware(),
                library: loaded("libcuda.so"),
            }),
        }
    }

    /// What the driver says of a pair.
    pub(crate) fn peer(&self, from: usize, to: usize) -> Option<&Result<Peer, String>> {
        self.peers.iter().find(|of| (of.from, of.to) == (from, to)).map(|of| &of.peer)
    }
}

/// The file behind a library that this process has loaded, whose name begins so.
pub(crate) fn loaded(name: &str) -> Option<PathBuf> {
    mapped(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default(), name)
}

fn mapped(maps: &str, name: &str) -> Option<PathBuf> {
    let mut paths = maps.lines().filter_map(|line| Some(Path::new(&line[line.find('/')?..])));
    let found = paths.find(|path| path.file_name().is_some_and(|of| of.to_string_lossy().starts_with(name)));
    found.map(Path::to_path_buf)
}

/// The version in the name of a library's file: what stands behind `.so.`, if that is more than one number.
pub(crate) fn file_version(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let (_, version) = name.split_once(".so.")?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (digits && version.contains('.')).then(|| version.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A device that has everything.
    pub(crate) fn gpu(bus: u32) -> Gpu {
        Gpu {
            name: format!("Card {bus}"),
            hardware: true,
            uuid: "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f".into(),
            pci: format!("0000:{bus:02x}:00.0"),
            capability: (9, 0),
            memory: 80 << 30,
            multiprocessors: 132,
            copy_engines: 3,
            compute_mode: 0,
            watchdog: false,
            cooperative_launch: true,
            compute_preemption: true,
            mapped_host_memory: true,
            unified_addressing: true,
            concurrent_managed_access: true,
            host_native_atomics: false,
            memory_pools: true,
            rdma: true,
            ecc: true,
        }
    }

    /// A driver with devices, and peer access between any two.
    pub(crate) fn cuda(devices: Vec<Gpu>) -> Cuda {
        let count = devices.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let peer = Peer { access: true, atomics: true, rank: 0 };
        Cuda {
            driver: Ok(Driver {
                name: "CUDA 12.8 (vendor's libcuda.so.1)".into(),
                version: (12, 8),
                hardware: true,
                library: Some("/usr/lib/libcuda.so.570.86.10".into()),
            }),
            peers: pairs
                .filter(|(from, to)| from != to)
                .map(|(from, to)| PeerOf { from, to, peer: Ok(peer) })
                .collect(),
            devices: devices.into_iter().map(Ok).collect(),
        }
    }

    #[test]
    fn a_library_is_found_among_the_mapped_files() {
        let maps = "\
7f00-7f01 r-xp 00000000 08:01 11                         /usr/lib/libc.so.6
7f02-7f03 rw-p 00000000 00:00 0
7f04-7f05 r-xp 00000000 08:01 12                         /usr/lib/x86_64-linux-gnu/libcuda.so.535.261.03
7f06-7f07 rw-p 00000000 00:00 0                          [stack]
";
        let path = mapped(maps, "libcuda.so").unwrap();
        assert_eq!(path, PathBuf::from("/usr/lib/x86_64-linux-gnu/libcuda.so.535.261.03"));
        assert_eq!(mapped(maps, "libcufile.so"), None);
        assert_eq!(file_version(&path).as_deref(), Some("535.261.03"));
        assert_eq!(file_version(Path::new("/usr/lib/wsl/lib/libcuda.so.1")), None);
        assert_eq!(file_version(Path::new("/usr/lib/libcuda.so")), None);
        assert_eq!(file_version(Path::new("/usr/lib/libcuda.so.1.x")), None);
    }
}
