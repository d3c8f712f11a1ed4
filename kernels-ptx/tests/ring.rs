//! The ring kernel verifies, and is the PTX that is checked in. `UPDATE_GOLDEN=1` rewrites it.

use std::{env, fs, path::Path};

use kernels_ptx::module::Module;
use kernels_ptx::{dispatch, ring};

#[test]
fn the_ring_kernel_is_the_golden_one() {
    let mut module = Module::new("ring");
    module.add(dispatch::build(&[]).unwrap());
    module.add(ring::kernel().unwrap());
    module.add(ring::buffers::forgetting().unwrap());
    let module = module.verify().unwrap_or_else(|error| panic!("{error}"));
    assert!(module.entries().any(|name| name == ring::ENTRY));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/ring.ptx");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, module.ptx()).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (number, (is, should)) in (1..).zip(module.ptx().lines().zip(expected.lines())) {
        assert_eq!(is, should, "the ring kernel differs at line {number}; UPDATE_GOLDEN=1 if that is meant");
    }
    assert_eq!(module.ptx().len(), expected.len(), "the ring kernel differs in length");
}
