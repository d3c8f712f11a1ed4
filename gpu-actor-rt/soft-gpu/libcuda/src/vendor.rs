//! The vendor's driver, `libcuda.so.1`, found when the program runs.
//!
//! Rule kept here: once loaded it is never unloaded, since its threads and the program's handles live on.

use std::path::{Path, PathBuf};

use crate::code::Code;
use crate::symbols::Functions;

/// The name under which the vendor's driver installs itself.
pub(crate) const SONAME: &str = "libcuda.so.1";

pub(crate) struct Vendor {
    pub(crate) path: PathBuf,
    pub(crate) functions: Functions,
}

impl Vendor {
    /// Loads the library, or says why it cannot be.
    pub(crate) fn load(path: &Path) -> Result<Vendor, String> {
        // SAFETY: loading runs the library's constructors. The system's driver is as trusted as the system; another path is
        // the wish of whoever set the environment.
        let library = unsafe { libloading::Library::new(path) }
            .map_err(|e| format!("`{}` cannot be loaded: {e}", path.display()))?;
        let functions = Functions::load(&library);
        std::mem::forget(library);
        Ok(Vendor { path: path.to_owned(), functions })
    }

    /// Starts the driver and looks for a device; why it has none, or `Ok` also for a driver that is there and does not start: only
    /// that driver's own answers say what is wrong with it.
    pub(crate) fn look(&self) -> Result<(), String> {
        let of = |what: &str, code: u32| match Code(code) {
            Code::NO_DEVICE => Err(format!("{what} of `{}` answers {}", self.path.display(), Code(code))),
            _ => Ok(()),
        };
        let (Some(init), Some(count)) = (self.functions.cuInit, self.functions.cuDeviceGetCount) else {
            return Err(format!("`{}` lacks cuInit or cuDeviceGetCount", self.path.display()));
        };
        // SAFETY: cuInit takes flags, which must be 0.
        let code = unsafe { init(0) };
        if code != Code::SUCCESS.0 {
            return of("cuInit", code);
        }
        let mut devices = 0;
        // SAFETY: the pointer is to an int.
        let code = unsafe { count(&raw mut devices) };
        if code != Code::SUCCESS.0 {
            return of("cuDeviceGetCount", code);
        }
        if devices > 0 { Ok(()) } else { Err(format!("`{}` has no device", self.path.display())) }
    }
}
