//! The table of asks under the model checker: its entry and its free list, over the very files that the runtime compiles.

mod prims {
    pub(super) use loom::cell::UnsafeCell;
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}
#[allow(dead_code, reason = "the model does not use every method")]
#[path = "../../../gpu-actor-rt/src/asks/entry.rs"]
mod entry;
#[path = "../../../gpu-actor-rt/src/asks/stack.rs"]
mod stack;

use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use entry::{Completed, Entry, Left};
use loom::sync::Notify;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::thread;
use stack::Stack;

/// What is woken: a task that one thread runs.
struct Task(Notify);
impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn task() -> (Arc<Task>, Waker) {
    let task = Arc::new(Task(Notify::new()));
    (Arc::clone(&task), Waker::from(task))
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    super::check(3, model);
}

fn deliver(entry: &Entry<u64>, generation: u32, value: u64) -> bool {
    match entry.complete(generation, |outcome| *outcome = value) {
        Completed::Delivered(waker) => {
            if let Some(waker) = waker {
                waker.wake();
            }
            true
        }
        Completed::Late | Completed::Abandoned => false,
    }
}

/// Polls as an executor does: again only after a wake.
fn run(entry: &Entry<u64>, generation: u32, task: &Task, waker: &Waker) -> u64 {
    loop {
        // SAFETY: the model's one thread that holds the ticket.
        if let Poll::Ready(outcome) = unsafe { entry.poll(generation, waker, |outcome| *outcome) } {
            return outcome.expect("the ticket is used once");
        }
        // Loom reports a wake that never comes as a deadlock. The task may have woken itself for an outcome that another
        // thread is writing: that thread has its turn.
        task.0.wait();
        thread::yield_now();
    }
}

#[test]
fn an_outcome_reaches_its_ask_whether_or_not_a_waker_was_there() {
    for armed in [false, true] {
        check(move || {
            let entry = Arc::new(Entry::new(0));
            let (task, waker) = task();
            // SAFETY: nobody else knows the entry.
            let generation = unsafe { entry.open(9, armed.then(|| waker.clone())) };
            let completer = {
                let entry = Arc::clone(&entry);
                thread::spawn(move || assert!(deliver(&entry, generation, 7)))
            };
            assert_eq!(run(&entry, generation, &task, &waker), 7);
            completer.join().unwrap();
        });
    }
}

#[test]
fn a_renewed_waker_is_the_one_that_is_woken() {
    check(|| {
        let entry = Arc::new(Entry::new(0));
        let ((old, old_waker), (task, waker)) = (task(), task());
        // SAFETY: nobody else knows the entry.
        let generation = unsafe { entry.open(9, Some(old_waker)) };
        let completer = {
            let entry = Arc::clone(&entry);
            thread::spawn(move || assert!(deliver(&entry, generation, 7)))
        };
        // SAFETY: this thread holds the ticket.
        match unsafe { entry.poll(generation, &waker, |outcome| *outcome) } {
            Poll::Ready(outcome) => assert_eq!(outcome, Some(7)),
            Poll::Pending => assert_eq!(run(&entry, generation, &task, &waker), 7),
        }
        completer.join().unwrap();
        assert_eq!(Arc::strong_count(&old), 1, "the old waker is gone");
    });
}

#[test]
fn of_a_reply_and_a_deadline_one_is_the_outcome() {
    check(|| {
        let entry = Arc::new(Entry::new(0));
        let (task, waker) = task();
        // SAFETY: nobody else knows the entry.
        let generation = unsafe { entry.open(9, Some(waker.clone())) };
        let completers = [7, 8].map(|value| {
            let entry = Arc::clone(&entry);
            thread::spawn(move || deliver(&entry, generation, value))
        });
        let outcome = run(&entry, generation, &task, &waker);
        let delivered = completers.map(|completer| completer.join().unwrap());
        assert_eq!(delivered, [outcome == 7, outcome == 8]);
    });
}

/// An ask that leaves at any moment frees the entry once, by itself or by the completer, and the next ask of the entry
/// sees nothing of the old one's outcome.
#[test]
fn an_ask_that_leaves_frees_its_entry_once() {
    check(|| {
        let entry = Arc::new(Entry::new(0));
        let frees = Arc::new(AtomicU32::new(0));
        let (seen, waker) = task();
        // SAFETY: nobody else knows the entry.
        let generation = unsafe { entry.open(9, Some(waker)) };
        let completer = {
            let (entry, frees) = (Arc::clone(&entry), Arc::clone(&frees));
            thread::spawn(move || {
                if matches!(entry.complete(generation, |outcome| *outcome = 7), Completed::Abandoned) {
                    frees.fetch_add(1, Ordering::Release);
                }
            })
        };
        // SAFETY: this thread holds the ticket.
        match unsafe { entry.leave(generation, |outcome| *outcome) } {
            Left::Unanswered => _ = frees.fetch_add(1, Ordering::Release),
            Left::Answered(value) => {
                assert_eq!(value, 7);
                frees.fetch_add(1, Ordering::Release);
            }
            Left::Behind => {}
            Left::Gone => panic!("the ticket is used once"),
        }
        if frees.load(Ordering::Acquire) == 1 {
            // SAFETY: it was freed just now, and nobody else takes it.
            let next = unsafe { entry.open(9, None) };
            assert_ne!(next, generation);
            assert!(!deliver(&entry, generation, 8), "the old ticket delivers nothing");
            assert!(deliver(&entry, next, 9));
            // SAFETY: this thread holds the ticket.
            let outcome = unsafe { entry.poll(next, Waker::noop(), |outcome| *outcome) };
            assert_eq!(outcome, Poll::Ready(Some(9)));
        }
        completer.join().unwrap();
        assert_eq!(frees.load(Ordering::Acquire), 1);
        assert_eq!(Arc::strong_count(&seen), 1, "the waker is gone");
        // SAFETY: as above.
        assert_eq!(unsafe { entry.leave(generation, |_| ()) }, Left::Gone);
    });
}

/// Whoever takes an index has it alone, also when an index is put back between the two reads of a pop.
#[test]
fn a_free_entry_is_taken_once() {
    check(|| {
        let links: Arc<[AtomicU32; 2]> = Arc::new(std::array::from_fn(|_| AtomicU32::new(0)));
        let taken: Arc<[AtomicU32; 2]> = Arc::new(std::array::from_fn(|_| AtomicU32::new(0)));
        let free = Arc::new(Stack::new());
        for index in 0..2 {
            free.push(index, |index| &links[index as usize]);
        }
        let take = {
            let (links, taken, free) = (Arc::clone(&links), Arc::clone(&taken), Arc::clone(&free));
            move || {
                let index = free.pop(|index| &links[index as usize])?;
                assert_eq!(taken[index as usize].swap(1, Ordering::Relaxed), 0, "{index} was taken twice");
                Some(index)
            }
        };
        let other = {
            let (take, links, taken, free) =
                (take.clone(), Arc::clone(&links), Arc::clone(&taken), Arc::clone(&free));
            thread::spawn(move || {
                // Takes both, puts the first back: the top is as it was, what is below is not.
                let (first, _second) = (take(), take());
                if let Some(index) = first {
                    taken[index as usize].store(0, Ordering::Relaxed);
                    free.push(index, |index| &links[index as usize]);
                }
            })
        };
        let _mine = (take(), take());
        other.join().unwrap();
    });
}

/// The handshake of `Asks::announce` and `Asks::expire`: a deadline is in the walk or in the word.
#[test]
fn a_deadline_is_seen_by_the_walk_or_stands_in_the_word() {
    check(|| {
        let (entry, next) = (Arc::new(Entry::new(0u64)), Arc::new(AtomicU64::new(5)));
        let ask = {
            let (entry, next) = (Arc::clone(&entry), Arc::clone(&next));
            thread::spawn(move || {
                // SAFETY: the walk below looks and takes nothing.
                unsafe { entry.open(9, None) };
                fence(Ordering::SeqCst);
                if 9 < next.load(Ordering::Relaxed) {
                    next.fetch_min(9, Ordering::AcqRel);
                }
            })
        };
        next.store(u64::MAX, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some((_, deadline)) = entry.waiting() {
            next.fetch_min(deadline, Ordering::AcqRel);
        }
        ask.join().unwrap();
        assert_eq!(next.load(Ordering::Relaxed), 9);
    });
}
