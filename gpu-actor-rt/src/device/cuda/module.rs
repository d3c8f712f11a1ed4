//! PTX to a module on a device, by the driver's compiler.
//!
//! Rules kept here: what the compiler said is kept, in success and in failure; a module is loaded only while no persistent
//! kernel runs, since loading may wait for every kernel of the context; it is unloaded when nothing runs any more.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;

use super::context::{Core, Grave};
use super::driver::OLDEST_DRIVER;
use super::error::{CudaError, OUT_OF_MEMORY, check};
use super::ffi::{self, Handle};
use crate::device::{DeviceError, LoadedModule};

/// Bytes that each of the compiler's two logs may have.
const LOG: usize = 16 << 10;
/// `CUDA_ERROR_UNSUPPORTED_PTX_VERSION`.
const UNSUPPORTED_PTX_VERSION: u32 = 222;
/// `CUDA_ERROR_NOT_FOUND`.
const NOT_FOUND: u32 = 500;
/// Codes that speak of the image: invalid, for another device, not compiled.
const ABOUT_THE_IMAGE: &[u32] = &[200, 209, 218, 221, 223, 300, 301, 302, 303];

/// A loaded module.
#[derive(Debug)]
pub(super) struct CudaModule {
    core: Arc<Core>,
    module: Handle,
    /// Its entries, each found once: where code is loaded lazily, the first look at an entry may wait for every kernel.
    entries: HashMap<String, Handle>,
}

impl LoadedModule for CudaModule {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for CudaModule {
    fn drop(&mut self) {
        self.core.bury(Grave::Module(self.module));
    }
}

impl CudaModule {
    /// Compiles and loads; the module and the compiler's words.
    pub(super) fn load(core: &Arc<Core>, ptx: &str) -> Result<(Self, String), DeviceError> {
        let action = "loading a module";
        let image = CString::new(ptx).map_err(|error| DeviceError::Failed {
            device: core.name().to_owned(),
            action: action.into(),
            source: Box::new(error),
        })?;
        core.quietly(action, || {
            let (mut info, mut errors) = (vec![0u8; LOG], vec![0u8; LOG]);
            // A value that fits a pointer is passed as one, not by address: sizes and switches as well.
            let by_value = |value: usize| std::ptr::without_provenance_mut::<c_void>(value);
            let mut options = [
                ffi::CU_JIT_INFO_LOG_BUFFER,
                ffi::CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                ffi::CU_JIT_ERROR_LOG_BUFFER,
                ffi::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                ffi::CU_JIT_LOG_VERBOSE,
            ];
            let mut values = [
                info.as_mut_ptr().cast(),
                by_value(LOG),
                errors.as_mut_ptr().cast(),
                by_value(LOG),
                by_value(1),
            ];
            let mut module = Handle::NULL;
            // SAFETY: the image is a text that ends with a zero; there are as many values as options, the buffers have the
            // bytes that their sizes say and live until the call is over.
            let code = unsafe {
                ffi::cuModuleLoadDataEx(
                    &raw mut module,
                    image.as_ptr().cast(),
                    options.len() as u32,
                    options.as_mut_ptr(),
                    values.as_mut_ptr(),
                )
            };
            let (info, errors) = (text(&info), text(&errors));
            match check("cuModuleLoadDataEx", code) {
                Ok(()) => {
                    let mut module = Self { core: Arc::clone(core), module, entries: HashMap::new() };
                    for name in entries(ptx) {
                        let entry = module.find(name).map_err(|error| core.failed(action, error))?;
                        module.entries.insert(name.to_owned(), entry);
                    }
                    Ok((module, info))
                }
                Err(error) => Err(refused(core, error, errors)),
            }
        })
    }

    /// Whether the module is of this context, and the context is of use.
    pub(super) fn belongs_to(&self, core: &Arc<Core>) -> bool {
        Arc::ptr_eq(&self.core, core) && !core.is_lost()
    }

    /// An entry of the module.
    pub(super) fn function(&self, name: &str) -> Result<Handle, CudaError> {
        self.entries.get(name).copied().ok_or_else(|| CudaError::new("cuModuleGetFunction", NOT_FOUND))
    }

    /// Asks for an entry. The context is entered.
    fn find(&self, name: &str) -> Result<Handle, CudaError> {
        let mut function = Handle::NULL;
        // A name with a zero inside is the name of nothing.
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: the pointer is to a handle, the name ends with a zero.
        let code = unsafe { ffi::cuModuleGetFunction(&raw mut function, self.module, name.as_ptr()) };
        check("cuModuleGetFunction", code)?;
        Ok(function)
    }
}

/// The names of a module's entries.
fn entries(ptx: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '%');
    ptx.split(".entry").skip(1).filter_map(move |rest| {
        let rest = rest.trim_start();
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        (!name.is_empty()).then_some(name)
    })
}

fn refused(core: &Core, error: CudaError, log: String) -> DeviceError {
    let device = || core.name().to_owned();
    match error.code() {
        UNSUPPORTED_PTX_VERSION => {
            let (major, minor) = core.properties.driver_version;
            DeviceError::TooOld {
                device: device(),
                what: "the CUDA version of the driver's compiler",
                found: format!("{major}.{minor}"),
                needed: format!("{}.{}", OLDEST_DRIVER / 1000, OLDEST_DRIVER % 1000 / 10),
                remedy: "install a newer NVIDIA driver",
            }
        }
        OUT_OF_MEMORY => core.no_memory(0, "a module's code", error),
        code if ABOUT_THE_IMAGE.contains(&code) || (!log.is_empty() && !error.is_sticky()) => {
            DeviceError::Compile { device: device(), log, source: Box::new(error) }
        }
        _ => core.failed("loading a module", error),
    }
}

/// A log as far as it was written.
fn text(log: &[u8]) -> String {
    let text = CStr::from_bytes_until_nul(log).map_or(log, CStr::to_bytes);
    String::from_utf8_lossy(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::device::cuda::{CudaConfig, CudaDriver};

    /// The driver API has one backend per process, and other tests of this binary have theirs: this one runs itself in a
    /// process of its own, over the software GPU.
    #[test]
    fn a_module_that_the_compiler_refuses_is_an_error_with_its_log() {
        const VARIABLE: &str = "SOFT_GPU_LIBCUDA";
        if std::env::var(VARIABLE).as_deref() != Ok("soft:name=Testing") {
            let name =
                "device::cuda::module::tests::a_module_that_the_compiler_refuses_is_an_error_with_its_log";
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(VARIABLE, "soft:name=Testing")
                .status();
            assert!(status.unwrap().success());
            return;
        }
        let device = CudaDriver::new().unwrap().open_with(&CudaConfig::default()).unwrap();
        let load = |ptx: &str| CudaModule::load(device.core(), ptx).map(drop);
        let error =
            load(".version 7.0\n.target sm_70\n.address_size 64\n.entry e() { mov.u32 %no, 1; ret; }");
        let Err(DeviceError::Compile { device, log, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(device, "Testing");
        assert!(log.contains("%no"), "{log}");
        let error = load(".version 99.0\n.target sm_70\n.address_size 64\n");
        assert!(matches!(error, Err(DeviceError::TooOld { .. })), "{error:?}");
        let entries: Vec<_> = entries(".visible .entry a(.param .u64 p) {}\n.entry b$1\n() {}").collect();
        assert_eq!(entries, ["a", "b$1"]);
        let error = load("\0");
        assert!(matches!(error, Err(DeviceError::Failed { .. })), "{error:?}");
    }
}
