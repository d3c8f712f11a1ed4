//! The synchronisation primitives of [`crate::token`] and [`crate::seat`], named in one place so that a model checker can replace them.

pub(crate) use std::sync::atomic::{AtomicU32, Ordering, fence};
pub(crate) use std::sync::{Condvar, Mutex};
