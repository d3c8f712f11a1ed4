//! The suite of behaviours, its actors and those of `tests/`, and the documentation outside the crates as compiled examples.

pub mod accounts;
pub mod actors;
pub mod suite;
pub mod tour;
pub mod vault;

/// The README's code blocks, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
