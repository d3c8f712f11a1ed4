//! What stands behind the intrinsics when device code runs as plain Rust.

use std::{cell::RefCell, rc::Rc};

/// How an access is ordered. Scopes do not matter natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Not atomic: nobody else touches the word at the time.
    Weak,
    /// Atomic.
    Relaxed,
    /// A load that acquires.
    Acquire,
    /// A store that releases.
    Release,
}

/// The memory, and the rest of the device, that natively running device code sees.
///
/// Words are 8 bytes and 8-aligned. What a test does not need has a default.
pub trait Memory {
    /// Loads a word.
    fn load(&self, address: u64, order: Order) -> u64;
    /// Stores a word.
    fn store(&self, address: u64, value: u64, order: Order);
    /// Stores `new` if the word is `expected`, acquiring and releasing; gives what the word was.
    fn cas(&self, address: u64, expected: u64, new: u64) -> u64;
    /// Adds to a word, wrapping, acquiring and releasing; gives what the word was.
    fn add(&self, address: u64, value: u64) -> u64;
    /// A sequentially consistent fence.
    fn fence(&self);
    /// Lets others run.
    fn nanosleep(&self, nanoseconds: u32) {
        let _ = nanoseconds;
    }
    /// The device's clock in nanoseconds.
    fn global_timer(&self) -> u64 {
        0
    }
    /// The index of the worker that runs.
    fn worker(&self) -> u32 {
        0
    }
    /// How many workers there are.
    fn workers(&self) -> u32 {
        1
    }
    /// Runs a handler. By default there is none: the status says so, and no fault is recorded.
    fn dispatch(&self, method: u32, type_index: u32, state: u64, message: u64, cx: u64) -> u32 {
        let _ = (method, type_index, state, message, cx);
        1
    }
    /// Wakes workers.
    fn signal_workers(&self) {}
    /// Wakes the host.
    fn signal_host(&self) {}
}

thread_local! {
    static MEMORY: RefCell<Vec<Rc<dyn Memory>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with `memory` behind the intrinsics of this thread.
///
/// Under loom, whose threads share one thread of the system, wrap the whole model, not each of its threads: all of them
/// then see the same memory, and which worker runs is for [`Memory::worker`] to know.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use kernels_ptx::device::{self, native::{self, Memory, Order}};
///
/// struct Words(RefCell<[u64; 2]>);
/// impl Memory for Words {
///     fn load(&self, address: u64, _: Order) -> u64 { self.0.borrow()[address as usize / 8] }
///     fn store(&self, address: u64, value: u64, _: Order) { self.0.borrow_mut()[address as usize / 8] = value }
///     fn cas(&self, address: u64, expected: u64, new: u64) -> u64 {
///         let old = self.load(address, Order::Relaxed);
///         if old == expected { self.store(address, new, Order::Relaxed) }
///         old
///     }
///     fn add(&self, address: u64, value: u64) -> u64 {
///         let old = self.load(address, Order::Relaxed);
///         self.store(address, old.wrapping_add(value), Order::Relaxed);
///         old
///     }
///     fn fence(&self) {}
/// }
///
/// let words = Rc::new(Words(RefCell::new([0, 5])));
/// native::with_memory(words.clone(), || {
///     device::st_weak(0, 7);
///     assert_eq!(device::cas_gpu(8, 5, 6), 5);
/// });
/// assert_eq!(*words.0.borrow(), [7, 6]);
/// ```
pub fn with_memory<R>(memory: Rc<dyn Memory>, f: impl FnOnce() -> R) -> R {
    /// Takes the memory away again even if `f` panics.
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            MEMORY.with_borrow_mut(Vec::pop);
        }
    }
    MEMORY.with_borrow_mut(|stack| stack.push(memory));
    let _restore = Restore;
    f()
}

/// The memory of this thread. The handle is cloned out, because a model checker may switch threads inside each access.
///
/// # Panics
///
/// If the code does not run inside [`with_memory`].
pub(super) fn current() -> Rc<dyn Memory> {
    let memory = MEMORY.with_borrow(|stack| stack.last().cloned());
    memory.expect("device intrinsics need a memory: run this inside `device::native::with_memory`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    /// Memory in which every word is the same.
    struct All(u64);

    impl Memory for All {
        fn load(&self, _: u64, _: Order) -> u64 {
            self.0
        }

        fn store(&self, _: u64, _: u64, _: Order) {}

        fn cas(&self, _: u64, _: u64, _: u64) -> u64 {
            self.0
        }

        fn add(&self, _: u64, _: u64) -> u64 {
            self.0
        }

        fn fence(&self) {}
    }

    #[test]
    fn the_inner_memory_counts_until_it_ends() {
        let seen = with_memory(Rc::new(All(1)), || {
            let before = device::ld_weak(0);
            let inside = with_memory(Rc::new(All(2)), || device::ld_weak(0));
            (before, inside, device::ld_weak(0))
        });
        assert_eq!(seen, (1, 2, 1));
    }

    #[test]
    fn a_panic_takes_its_memory_along() {
        let outcome = with_memory(Rc::new(All(1)), || {
            let inner = std::panic::catch_unwind(|| with_memory(Rc::new(All(2)), || panic!("as it happens")));
            (inner.is_err(), device::ld_weak(0))
        });
        assert_eq!(outcome, (true, 1));
        let outside = std::panic::catch_unwind(|| device::ld_weak(0));
        assert!(outside.is_err(), "without a memory the intrinsics say so");
    }

    #[test]
    fn one_lane_natively() {
        assert_eq!((device::lane(), device::lanes()), (0, 1));
        assert_eq!((device::ballot(1, true), device::ballot(1, false)), (1, 0));
        assert_eq!((device::shfl(1, 7, 0), device::match_any(1, 9)), (7, 1));
        with_memory(Rc::new(All(0)), || {
            assert_eq!((device::worker(), device::workers(), device::global_timer()), (0, 1, 0));
            assert_eq!(device::dispatch(1, 1, 0, 0, 0), 1);
        });
    }
}
