//! Device memory that was set aside before a launch, for devices without memory pools.
//!
//! Rule kept here: memory is handed out in order and is free again when all of it has come back, which is when a system
//! ends: only actors' chunks come from here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ffi::Address;

/// Addresses are handed out on these boundaries, as the seam promises.
const ALIGN: u64 = 256;

/// A range of device memory, handed out from its start.
#[derive(Debug)]
pub(super) struct Arena {
    /// Bytes to set aside.
    pub(super) bytes: usize,
    range: Mutex<Range>,
}

/// The memory, once there is some.
#[derive(Debug, Default)]
struct Range {
    start: Option<Address>,
    used: u64,
    /// Parts that have not come back.
    parts: usize,
}

impl Arena {
    /// An arena that has no memory yet.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, range: Mutex::default() }
    }

    /// Whether it still has no memory.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().start.is_none()
    }

    /// Gives it its memory.
    pub(super) fn fill(&self, address: Address) {
        self.lock().start = Some(address);
    }

    /// The next `bytes` of it, if it has them.
    pub(super) fn next(&self, bytes: usize) -> Option<Address> {
        let mut range = self.lock();
        let start = range.start?;
        let end = range.used.checked_add((bytes as u64).checked_next_multiple_of(ALIGN)?)?;
        if end > self.bytes as u64 {
            return None;
        }
        let next = start + range.used;
        range.used = end;
        range.parts += 1;
        Some(next)
    }

    /// A part comes back.
    pub(super) fn give_back(&self) {
        let mut range = self.lock();
        range.parts -= 1;
        if range.parts == 0 {
            range.used = 0;
        }
    }

    /// Its memory, to be given back to the device: nobody uses it any more.
    pub(super) fn take(&self) -> Option<Address> {
        self.lock().start.take()
    }

    fn lock(&self) -> MutexGuard<'_, Range> {
        self.range.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_is_aligned_apart_and_bounded() {
        let arena = Arena::new(1024);
        assert_eq!(arena.next(1), None);
        arena.fill(0x1000);
        assert_eq!(
            (arena.next(1), arena.next(257), arena.next(256)),
            (Some(0x1000), Some(0x1100), Some(0x1300))
        );
        assert_eq!((arena.next(1), arena.next(usize::MAX)), (None, None));
        arena.give_back();
        arena.give_back();
        assert_eq!(arena.next(256), None, "one part is still out");
        arena.give_back();
        assert_eq!(arena.next(1024), Some(0x1000));
        assert_eq!(arena.take(), Some(0x1000));
        assert!(arena.is_empty());
    }
}
