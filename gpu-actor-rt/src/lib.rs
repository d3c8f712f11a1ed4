//! GPU-native actors for Rust: the runtime that a program links.
