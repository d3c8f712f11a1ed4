//! The synchronisation primitives of [`crate::token`], named in one place so that a model checker can replace them.

pub(crate) use std::sync::atomic::{AtomicU32, Ordering, fence};
pub(crate) use std::sync::{Condvar, Mutex};
