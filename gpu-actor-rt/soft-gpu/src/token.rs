//! A one-place token on which one thread parks and any number of others wake it.
//!
//! Rule: **a notification is never lost.** One that comes before the park makes the park return at once; any
//! number of them before a park count as one. What the notifier wrote before [`Token::notify`] is visible to the
//! thread when [`Token::park`] returns, and what it wrote before a `notify` that found the token already set is
//! visible to whoever consumes that token.
//!
//! The module takes its primitives from `crate::sync`, so that `tests/token_loom.rs` compiles this very file
//! over loom and model-checks the rule.

use std::time::Duration;

use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, fence};

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const PARKED: u32 = 2;

/// See the module documentation.
pub(crate) struct Token {
    state: AtomicU32,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Token {
    pub(crate) fn new() -> Self {
        Token { state: AtomicU32::new(EMPTY), lock: Mutex::new(()), wake: Condvar::new() }
    }

    /// Sets the token, and wakes the thread that is parked on it.
    ///
    /// The common case, a busy consumer that has not yet looked at an earlier token, costs one fence and one load.
    pub(crate) fn notify(&self) {
        // Orders the caller's writes before the load below. The consumer has a fence between taking the token and
        // looking at those writes: if the load still sees NOTIFIED, the token is taken later, and then it sees them.
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) == NOTIFIED {
            return;
        }
        if self.state.swap(NOTIFIED, Ordering::SeqCst) == PARKED {
            // The parked thread holds the lock from before it announced PARKED until it waits: taking the lock here
            // means that it is in the wait and cannot miss the signal.
            drop(self.lock.lock());
            self.wake.notify_one();
        }
    }

    /// Takes the token if it is set.
    pub(crate) fn take(&self) -> bool {
        let taken = self.state.compare_exchange(NOTIFIED, EMPTY, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        fence(Ordering::SeqCst);
        taken
    }

    /// Waits until the token is set, or the time is over, and takes it. Returns whether it was set.
    ///
    /// One thread at a time; a second caller is answered `false` at once.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> bool {
        if self.take() {
            return true;
        }
        let Ok(mut guard) = self.lock.lock() else { return false };
        match self.state.compare_exchange(EMPTY, PARKED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => {}
            Err(NOTIFIED) => return self.take(),
            Err(_) => return false,
        }
        // A deadline beyond the clock's range is none.
        let deadline = timeout.and_then(|t| std::time::Instant::now().checked_add(t));
        loop {
            guard = match deadline {
                None => match self.wake.wait(guard) {
                    Ok(guard) => guard,
                    Err(_) => return false,
                },
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(std::time::Instant::now());
                    if left.is_zero() {
                        // Whatever the state is now, the park is over: NOTIFIED counts as a wake.
                        let set = self.state.swap(EMPTY, Ordering::SeqCst) == NOTIFIED;
                        fence(Ordering::SeqCst);
                        return set;
                    }
                    match self.wake.wait_timeout(guard, left) {
                        Ok((guard, _)) => guard,
                        Err(_) => return false,
                    }
                }
            };
            if self.take() {
                return true;
            }
        }
    }
}
