//! The actors of the examples: each binary in `src/bin` runs those of one module, and the tests prove their handlers
//! equal on native Rust and on the device.

pub mod counter;
pub mod flights;
pub mod heat;
pub mod histogram;
pub mod signal;
pub mod vector;
