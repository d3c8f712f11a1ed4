//! Whether cuFile's library loads: what GPUDirect Storage needs in user space.
//!
//! Rule kept here: nothing is called but the loader.

use std::path::PathBuf;

use libloading::Library;

use crate::cuda::loaded;

/// The name under which programs ask for it.
pub(crate) const NAME: &str = "libcufile.so.0";

/// Loads the library and returns the file that it came from, whose name has the version in it.
pub(crate) fn find() -> Result<PathBuf, String> {
    // SAFETY: loading runs the library's initialisers and leaving it runs its finalisers, which is what every program
    // that uses it does; no other thread of this one is using it, and no symbol of it outlives this function.
    let _library = unsafe { Library::new(NAME) }.map_err(|error| error.to_string())?;
    Ok(loaded("libcufile.so").unwrap_or_else(|| NAME.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_is_named() {
        if let Err(why) = find() {
            assert!(why.contains(NAME), "{why}");
        }
    }
}
