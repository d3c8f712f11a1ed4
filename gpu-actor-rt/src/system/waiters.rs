//! Tasks that wait for space in a mailbox.
//!
//! Rule kept here: a waiter registers, then tries once more; the poller wakes some whenever there is space. So nobody
//! waits beside a free slot, and nobody polls in a loop. A waiter has one place in the queue however often it is polled,
//! and leaves it when it is dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The tasks that wait for space in one mailbox, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Tasks in the queue, for a look without the lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The number of the first entry; numbers are never given twice.
    first: u64,
    /// Entries; empty where a waiter has left.
    entries: VecDeque<Option<Waker>>,
}

/// A waiter's place in the queue.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Queue {
    fn at(&mut self, place: &Place) -> Option<&mut Option<Waker>> {
        let index = place.0?.checked_sub(self.first)?;
        self.entries.get_mut(index as usize)
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a task, or renews its waker if it is in the queue already.
    pub(crate) fn register(&self, place: &mut Place, waker: &Waker) {
        let mut queue = self.lock();
        if let Some(entry) = queue.at(place) {
            if !entry.as_ref().is_some_and(|known| known.will_wake(waker)) {
                *entry = Some(waker.clone());
            }
            return;
        }
        place.0 = Some(queue.first + queue.entries.len() as u64);
        queue.entries.push_back(Some(waker.clone()));
        self.waiting.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes a task out of the queue.
    pub(crate) fn forget(&self, place: &mut Place) {
        if place.0.is_none() {
            return;
        }
        let mut queue = self.lock();
        let left = queue.at(place).and_then(Option::take);
        place.0 = None;
        if left.is_some() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        while queue.entries.front().is_some_and(Option::is_none) {
            queue.entries.pop_front();
            queue.first += 1;
        }
    }

    /// Whether anybody waits.
    pub(crate) fn any(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) != 0
    }

    /// Wakes up to `most` tasks.
    pub(crate) fn wake(&self, most: usize) {
        let mut woken = Vec::new();
        let mut queue = self.lock();
        while woken.len() < most
            && let Some(entry) = queue.entries.pop_front()
        {
            queue.first += 1;
            woken.extend(entry);
        }
        self.waiting.fetch_sub(woken.len(), Ordering::SeqCst);
        drop(queue);
        for waker in woken {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Task(AtomicUsize);
    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn tasks<const N: usize>() -> ([Arc<Task>; N], [Place; N]) {
        (
            std::array::from_fn(|_| Arc::new(Task(AtomicUsize::new(0)))),
            std::array::from_fn(|_| Place::default()),
        )
    }

    fn woken<const N: usize>(tasks: &[Arc<Task>; N]) -> [usize; N] {
        tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn waiters_are_woken_once_and_in_order_however_often_they_register() {
        let (tasks, mut places) = tasks::<3>();
        let waiters = Waiters::default();
        assert!(!waiters.any());
        for _ in 0..5 {
            for (task, place) in tasks.iter().zip(&mut places) {
                waiters.register(place, &Waker::from(Arc::clone(task)));
            }
        }
        assert_eq!(waiters.lock().entries.len(), 3);
        waiters.wake(2);
        assert_eq!(woken(&tasks), [1, 1, 0]);
        assert!(waiters.any());
        waiters.register(&mut places[0], &Waker::from(Arc::clone(&tasks[0])));
        waiters.wake(8);
        assert_eq!(woken(&tasks), [2, 1, 1]);
        assert!(!waiters.any());
    }

    #[test]
    fn a_waiter_that_left_is_not_woken_and_takes_nobodys_place() {
        let (tasks, mut places) = tasks::<3>();
        let waiters = Waiters::default();
        for (task, place) in tasks.iter().zip(&mut places) {
            waiters.register(place, &Waker::from(Arc::clone(task)));
        }
        waiters.forget(&mut places[1]);
        waiters.forget(&mut places[1]);
        waiters.wake(1);
        assert_eq!(woken(&tasks), [1, 0, 0]);
        waiters.forget(&mut places[0]);
        assert!(waiters.any());
        waiters.wake(1);
        assert_eq!(woken(&tasks), [1, 0, 1]);
        assert!(!waiters.any() && waiters.lock().entries.is_empty());
        assert_eq!(Arc::strong_count(&tasks[1]), 1, "its waker is gone");
    }
}
