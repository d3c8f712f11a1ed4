//! Handles and the objects behind them.
//!
//! Rules kept here:
//! - A handle is a number and no pointer: it is outside the addresses that x86-64 has, so a program that follows one faults at
//!   once.
//! - No handle is given out twice, and one of a kind is never one of another: what was destroyed, or is something else, is not
//!   found.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::lock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Context = 1,
    Stream,
    Event,
    Module,
    Function,
    Pool,
}

/// Bits 48 to 63 of a user address are 0 on x86-64; these are not.
const BASE: usize = 0x50F7 << 48;
const KIND_SHIFT: u32 = 44;
const STEP: usize = 16;

/// The objects of one kind.
pub(crate) struct Table<T> {
    base: usize,
    next: AtomicUsize,
    live: Mutex<HashMap<usize, Arc<T>>>,
}

impl<T> Table<T> {
    pub(crate) fn new(kind: Kind) -> Self {
        let base = BASE | (kind as usize) << KIND_SHIFT;
        Table { base, next: AtomicUsize::new(base + STEP), live: Mutex::default() }
    }

    /// Adds an object that is told its handle.
    pub(crate) fn add(&self, make: impl FnOnce(usize) -> T) -> Arc<T> {
        let handle = self.next.fetch_add(STEP, Ordering::Relaxed);
        let object = Arc::new(make(handle));
        lock(&self.live).insert(handle, Arc::clone(&object));
        object
    }

    pub(crate) fn get(&self, handle: usize) -> Option<Arc<T>> {
        lock(&self.live).get(&handle).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        lock(&self.live).values().cloned().collect()
    }

    pub(crate) fn remove(&self, handle: usize) -> Option<Arc<T>> {
        lock(&self.live).remove(&handle)
    }

    /// Removes those that `which` picks.
    pub(crate) fn remove_all(&self, which: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        lock(&self.live).extract_if(|_, object| which(object)).map(|(_, object)| object).collect()
    }

    /// Whether the handle was given out, now or before.
    pub(crate) fn ever(&self, handle: usize) -> bool {
        handle > self.base
            && handle < self.next.load(Ordering::Relaxed)
            && (handle - self.base).is_multiple_of(STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_of_their_kind_and_never_come_again() {
        let (streams, events) = (Table::new(Kind::Stream), Table::new(Kind::Event));
        let (stream, event) = (*streams.add(|h| h), *events.add(|h| h));
        assert_ne!(stream, event);
        assert!(streams.get(stream).is_some() && streams.get(event).is_none());
        assert!(streams.remove(stream).is_some() && streams.remove(stream).is_none());
        assert!(streams.ever(stream) && !streams.ever(event) && !streams.ever(stream + STEP));
        assert_ne!(*streams.add(|h| h), stream);
    }
}
