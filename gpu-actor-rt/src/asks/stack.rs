//! A stack of free entries, named by index and linked through the entries themselves.
//!
//! Rule kept here: every pop changes the tag beside the top, so an exchange never succeeds on a top that was taken and
//! put back meanwhile. Primitives as in [`super::entry`], for the model checker.

use super::prims::{AtomicU32, AtomicU64, Ordering};

const TOP: u64 = 0xffff_ffff;

/// The stack: the top's index + 1, 0 for none, and the tag above it.
pub(super) struct Stack(AtomicU64);

impl Stack {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Puts an entry on the stack; `link` finds an entry's link.
    pub(super) fn push<'a>(&self, index: u32, link: impl Fn(u32) -> &'a AtomicU32) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            link(index).store(head as u32, Ordering::Relaxed);
            let next = head & !TOP | u64::from(index + 1);
            match self.0.compare_exchange(head, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes an entry off the stack.
    pub(super) fn pop<'a>(&self, link: impl Fn(u32) -> &'a AtomicU32) -> Option<u32> {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)?;
            let below = link(index).load(Ordering::Relaxed);
            let next = (head & !TOP).wrapping_add(TOP + 1) | u64::from(below);
            match self.0.compare_exchange(head, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(seen) => head = seen,
            }
        }
    }
}
