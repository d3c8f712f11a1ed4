//! The functions of the golden files, run on the software GPU: every operation, at the edges of its types, must give
//! what Rust gives, bit for bit (NaN by class), or fault where Rust panics.

#[path = "../support/mod.rs"]
mod support;

mod device;
mod numbers;
mod random;
mod statements;
