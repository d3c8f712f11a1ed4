//! Tasks that wait for space in a mailbox.
//!
//! Rule kept here: a waiter registers, then tries once more; the poller wakes some whenever there is space. So nobody
//! waits beside a free slot, and nobody polls in a loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// The tasks that wait for space in one mailbox, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    count: AtomicUsize,
    queue: Mutex<VecDeque<Waker>>,
}

impl Waiters {
    /// Registers a task; it is woken once.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // A task that polls again without having been woken is in the queue already.
        if queue.back().is_some_and(|last| last.will_wake(waker)) {
            return;
        }
        queue.push_back(waker.clone());
        self.count.store(queue.len(), Ordering::SeqCst);
    }

    /// Whether anybody waits.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) != 0
    }

    /// Wakes up to `most` tasks.
    pub(crate) fn wake(&self, most: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let most = most.min(queue.len());
        let woken: Vec<_> = queue.drain(..most).collect();
        self.count.store(queue.len(), Ordering::SeqCst);
        drop(queue);
        for waker in woken {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Task(AtomicUsize);
    impl std::task::Wake for Task {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn waiters_are_woken_once_and_in_order() {
        let tasks = [0; 3].map(|n| std::sync::Arc::new(Task(AtomicUsize::new(n))));
        let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst));
        let waiters = Waiters::default();
        assert!(!waiters.any());
        for task in &tasks {
            let waker = Waker::from(std::sync::Arc::clone(task));
            waiters.register(&waker);
            waiters.register(&waker);
        }
        waiters.wake(2);
        assert_eq!(woken(), [1, 1, 0], "one task, one entry");
        assert!(waiters.any());
        waiters.wake(8);
        assert_eq!(woken(), [1, 1, 1]);
        assert!(!waiters.any());
    }
}
