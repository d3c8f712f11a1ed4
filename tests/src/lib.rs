//! Suites across the crates of gpu-actor.
