//! Memory that host and device both see, as bounds-checked atomic words.
//!
//! Rule kept here: the runtime touches mapped memory through [`Mapped`] alone, and [`Mapped`] makes one kind of access:
//! an aligned atomic 64-bit load or store inside a live allocation. This is the runtime's one file that turns an address
//! into a reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::device::Allocation;
use crate::sync::Words;

/// A range of a mapped allocation, seen as atomic words. Clones share the memory and keep it alive.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    allocation: Arc<dyn Allocation>,
    base: *const AtomicU64,
    words: usize,
    start: u64,
}

// SAFETY: all accesses through `base` are atomic, and the allocation, which is Send and Sync itself, outlives them.
unsafe impl Send for Mapped {}
// SAFETY: as above; shared references make atomic accesses only.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// The words of a whole allocation; `None` if the host cannot reach it or it is not aligned to words.
    #[expect(clippy::cast_ptr_alignment, reason = "checked right below")]
    pub(crate) fn new(allocation: Arc<dyn Allocation>) -> Option<Self> {
        let base = allocation.host_ptr()?.as_ptr().cast_const().cast::<AtomicU64>();
        if !base.is_aligned() {
            return None;
        }
        let words = allocation.len() / 8;
        Some(Self { allocation, base, words, start: 0 })
    }

    /// A part of the range, in bytes; both ends on words.
    ///
    /// # Panics
    /// When the part leaves the range: layouts are computed by the runtime, never by a user.
    #[must_use]
    pub(crate) fn part(&self, offset: u64, bytes: u64) -> Self {
        assert!(offset.is_multiple_of(8) && bytes.is_multiple_of(8), "parts begin and end on words");
        let (first, words) = ((offset / 8) as usize, (bytes / 8) as usize);
        assert!(
            first.checked_add(words).is_some_and(|end| end <= self.words),
            "the part leaves its allocation"
        );
        Self {
            allocation: Arc::clone(&self.allocation),
            base: self.base.wrapping_add(first),
            words,
            start: self.start + offset,
        }
    }

    /// The device's address of the range.
    pub(crate) fn address(&self) -> u64 {
        self.allocation.address() + self.start
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the allocation vouches for its pointer and length (the trait is unsafe), `new` checked the alignment and
        // `part` only narrows; the allocation is alive (held by `self`) and zero-filled; every access from the host goes through atomics, and the device's
        // accesses are aligned 64-bit loads and stores, so sharing is by atomic words on both sides.
        unsafe { std::slice::from_raw_parts(self.base, self.words) }
    }
}

impl Words for Mapped {
    type Atom = AtomicU64;

    #[inline]
    fn load(&self, offset: u64, order: Ordering) -> u64 {
        self.words()[offset as usize / 8].load(order)
    }

    #[inline]
    fn store(&self, offset: u64, value: u64, order: Ordering) {
        self.words()[offset as usize / 8].store(value, order);
    }

    #[inline]
    fn read(&self, offset: u64, out: &mut [u64]) {
        let first = offset as usize / 8;
        let words = &self.words()[first..first + out.len()];
        for (out, word) in out.iter_mut().zip(words) {
            *out = word.load(Ordering::Relaxed);
        }
    }

    #[inline]
    fn write(&self, offset: u64, data: &[u64]) {
        let first = offset as usize / 8;
        let words = &self.words()[first..first + data.len()];
        for (word, value) in words.iter().zip(data) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    #[inline]
    fn fence_seq_cst() {
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{self, Device as _, MemoryKind};

    fn mapped(bytes: usize) -> Mapped {
        let device = device::soft::Soft::open(&device::soft::SoftConfig::default()).unwrap();
        Mapped::new(device.alloc(MemoryKind::Mapped, bytes).unwrap().into()).unwrap()
    }

    #[test]
    fn parts_share_the_words_of_the_whole() {
        let whole = mapped(256);
        let part = whole.part(128, 64);
        part.write(8, &[1, 2]);
        assert_eq!((whole.load(136, Ordering::Acquire), whole.load(144, Ordering::Acquire)), (1, 2));
        assert_eq!(part.address(), whole.address() + 128);
    }

    #[test]
    #[should_panic(expected = "leaves its allocation")]
    fn a_part_stays_inside() {
        let _ = mapped(256).part(200, 64);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn an_access_stays_inside_its_part() {
        mapped(256).part(0, 64).store(64, 1, Ordering::Relaxed);
    }
}
