//! The vendor's own libraries: that they have what we import, and what a program says over a driver without a device.
//!
//! `.ci/vendor-libcuda` fetches them and runs this; by hand, on a machine that has them:
//!
//! ```console
//! $ SOFT_GPU_LIBCUDA=/path/to/libcuda.so.1 cargo run -p gpu-actor-tests --bin vendor-libcuda -- /path/to/libcufile.so.0
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::device::cuda::{Backend, CudaConfig, CudaDriver, backend};
use gpu_actor_rt::device::{self, DeviceError, DeviceKind, Driver};
use gpu_actor_rt::prelude::*;
use soft_gpu_libcuda::{SYMBOLS, VARIABLE};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A symbol that the library in hand may lack, and the CUDA version that brought it.
type Newer = (&'static str, &'static str);

/// Symbols of the driver that are newer than Debian's (535, CUDA 12.2). There are none so far: whoever adds one to the table of
/// soft-gpu-libcuda that is, adds it here.
const NEWER_CUDA: &[Newer] = &[];

/// What reading files into device memory will need.
const CUFILE: &[&str] = &[
    "cuFileDriverOpen",
    "cuFileDriverClose",
    "cuFileDriverGetProperties",
    "cuFileHandleRegister",
    "cuFileHandleDeregister",
    "cuFileBufRegister",
    "cuFileBufDeregister",
    "cuFileRead",
    "cuFileWrite",
    "cuFileBatchIOSetUp",
    "cuFileBatchIOSubmit",
    "cuFileBatchIOGetStatus",
    "cuFileBatchIOCancel",
    "cuFileBatchIODestroy",
    "cuFileReadAsync",
    "cuFileWriteAsync",
    "cuFileStreamRegister",
    "cuFileStreamDeregister",
];

/// Debian 12's cuFile is that of CUDA 11.8; copies in the order of a stream came later.
const NEWER_CUFILE: &[Newer] = &[
    ("cuFileReadAsync", "12.2"),
    ("cuFileWriteAsync", "12.2"),
    ("cuFileStreamRegister", "12.2"),
    ("cuFileStreamDeregister", "12.2"),
];

/// Looks `names` up in a library, and complains of those that are missing without being listed as newer.
fn check(path: &Path, names: &[&str], newer: &[Newer]) -> Result<()> {
    // SAFETY: the constructors of the vendor's libraries are as trusted as the one who named the path.
    let library = unsafe { libloading::Library::new(path) }?;
    let mut unexplained = Vec::new();
    for name in names {
        // SAFETY: the address is not used, so its type does not matter.
        if unsafe { library.get::<*const ()>(name.as_bytes()) }.is_ok() {
            continue;
        }
        match newer.iter().find(|(listed, _)| listed == name) {
            Some((_, version)) => println!("  {name}: not in this one, CUDA {version} brought it"),
            None => unexplained.push(*name),
        }
    }
    println!(
        "{}: {} symbols looked for, {} missing without a reason",
        path.display(),
        names.len(),
        unexplained.len()
    );
    // Never closed: some of these libraries leave threads behind.
    std::mem::forget(library);
    if unexplained.is_empty() {
        Ok(())
    } else {
        Err(format!("`{}` does not export {}", path.display(), unexplained.join(", ")).into())
    }
}

/// A `cuda` build over the vendor's driver, on a machine without a device.
async fn without_a_device(library: &Path) -> Result<()> {
    assert_eq!(backend(), Backend::Vendor { path: library.to_owned() }, "{VARIABLE} names the library");
    let missing = soft_gpu_libcuda::missing_symbols();
    assert!(missing.iter().all(|name| NEWER_CUDA.iter().any(|(newer, _)| newer == name)), "{missing:?}");

    // Asked for: an error that says what the driver said.
    for error in [
        CudaDriver::new().err().ok_or("the driver starts: there is a device")?,
        device::choose(&CudaConfig::default().into()).err().ok_or("a device was opened")?,
    ] {
        assert!(matches!(error, DeviceError::NoCuda { .. }), "{error}");
        println!("asked for CUDA: {error}");
    }
    let started = ActorSystem::start(Config::default().device(CudaConfig::default())).await;
    let error = started.err().ok_or("a system started on a device that is not there")?;
    println!("asked for CUDA: {error}");

    // Not asked for: the software GPU, and the reason.
    let system = ActorSystem::start(Config::default()).await?;
    let stats = system.stats();
    println!("left to the runtime: {}; {}", stats.device, stats.chosen);
    assert_eq!((stats.device_kind, stats.hardware), (DeviceKind::Soft, false));
    assert!(stats.chosen.contains("auto") && stats.chosen.contains("CUDA"), "{}", stats.chosen);
    let counter = system.actor::<Counter>("counter");
    assert_eq!(counter.add(42).await?, 42);
    system.shutdown().await?;
    Ok(())
}

async fn run() -> Result<()> {
    let library = std::env::var_os(VARIABLE).map(PathBuf::from).filter(|path| path.is_absolute());
    let library =
        library.ok_or_else(|| format!("set {VARIABLE} to the path of the vendor's libcuda.so.1"))?;
    let names: Vec<&str> = SYMBOLS.iter().map(|symbol| symbol.name).collect();
    check(&library, &names, NEWER_CUDA)?;
    match std::env::args_os().nth(1) {
        Some(cufile) => check(Path::new(&cufile), CUFILE, NEWER_CUFILE)?,
        None => println!("NOT RUN: cuFile's symbols, since no library was named"),
    }
    match CudaDriver::new() {
        Err(DeviceError::NoCuda { .. }) => without_a_device(&library).await?,
        // A machine with a card, or with a kernel module of another version than the library's.
        Ok(driver) => println!("NOT RUN: a driver without a device; here it has {}", driver.count()),
        Err(other) => println!("NOT RUN: a driver without a device; here it says: {other}"),
    }
    println!("all as it should be");
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vendor-libcuda: {error}");
            ExitCode::FAILURE
        }
    }
}
