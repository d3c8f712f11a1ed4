//! Random handlers, compared natively and on the device.
//!
//! Rule kept here: nothing is believed. A *program* is one random handler. Its source is printed, compiled by rustc with
//! `#[gpu_actor]` as a user's would be, and run on random states and messages: the function that rustc compiled against the
//! PTX on the software GPU. Whatever differs, and whatever does not compile, is cut down to the smallest program that still
//! shows it.
//!
//! - [`tree`] is a program, [`grow`] makes one, [`print`](mod@print) prints it, [`count`] says what is in it;
//! - [`build`] compiles batches of modules, [`child`] is what runs inside of them;
//! - [`campaign`] runs many batches, [`shrink`] cuts what fails, [`mutate`] proves that a wrong device twin is noticed.

// Tables of operators and weights: an entry to the line, also where two say the same.
#![allow(clippy::match_same_arms)]

pub mod build;
pub mod campaign;
pub mod child;
pub mod count;
pub mod grow;
pub mod mutate;
pub mod print;
pub mod random;
pub mod shrink;
pub mod tree;
