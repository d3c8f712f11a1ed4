//! Whether cuFile's library loads: what GPUDirect Storage needs in user space.
//!
//! Rule kept here: nothing is called but the loader.

use std::fs;
use std::path::PathBuf;

use libloading::Library;

/// The name under which programs ask for it.
pub(crate) const NAME: &str = "libcufile.so.0";

/// Loads the library and returns the file that it came from, whose name has the version in it.
pub(crate) fn find() -> Result<PathBuf, String> {
    // SAFETY: loading runs the library's initialisers and leaving it runs its finalisers, which is what every program
    // that uses it does; no other thread of this one is using it, and no symbol of it outlives this function.
    let _library = unsafe { Library::new(NAME) }.map_err(|error| error.to_string())?;
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    Ok(mapped(&maps).unwrap_or_else(|| NAME.into()))
}

/// The file of the library among those that are mapped into the process.
fn mapped(maps: &str) -> Option<PathBuf> {
    let paths = maps.lines().filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..])));
    paths
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libcufile.so")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_found_among_the_mapped_ones() {
        let maps = "\
7f00-7f01 r-xp 00000000 08:01 11                         /usr/lib/libc.so.6
7f02-7f03 rw-p 00000000 00:00 0
7f04-7f05 r-xp 00000000 08:01 12                         /usr/lib/x86_64-linux-gnu/libcufile.so.1.4.0
7f06-7f07 rw-p 00000000 00:00 0                          [stack]
";
        assert_eq!(mapped(maps).unwrap(), PathBuf::from("/usr/lib/x86_64-linux-gnu/libcufile.so.1.4.0"));
        assert_eq!(mapped("7f00-7f01 r-xp 0 08:01 11 /usr/lib/libcufile_rdma.so.1"), None);
    }

    #[test]
    fn a_library_that_is_missing_is_named() {
        if let Err(why) = find() {
            assert!(why.contains(NAME), "{why}");
        }
    }
}
