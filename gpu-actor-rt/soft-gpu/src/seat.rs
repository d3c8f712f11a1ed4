//! Who runs a block that may park: its own thread, or, while it has nothing to do, a thread that comes by and assists.
//!
//! A seat is a word of five bits. The block's own thread, the owner, has the block as long as the owner is not
//! [`PARKED`]. When all lanes sleep it parks: it leaves the block in the seat and waits for its return. Somebody who
//! wants the block to run now either rings ([`Seat::notify`]), which brings the owner back, or takes the block over
//! ([`Seat::assist`]), runs it on the spot, and gives it back. The owner watches the word for some time before it
//! waits in the kernel, so that a bell soon after is one atomic and no system call.
//!
//! Rules kept here:
//! - **At most one thread has the block**: the owner, or one assistant. What one did with the block is visible to the next.
//! - **A notification is never lost.** Whoever takes it looks afterwards: an owner that parks does not stay parked, and
//!   an assistant that is done runs the block once more or hands it to the owner.
//! - The owner comes back only to a block that nobody has: it waits for an assistant, who cannot block.
//!
//! The module takes its primitives from `crate::sync`, so that `tests/token_loom.rs` compiles this very file
//! over loom and model-checks the rules.

use crate::sync::{AtomicU32, Ordering, fence};
use crate::token::Token;

/// Somebody rang since the block last looked around.
const NOTIFIED: u32 = 1;
/// The owner has left the block in the seat.
const PARKED: u32 = 2;
/// The owner, parked, does not watch the word any more: it waits for its bed's token.
const ASLEEP: u32 = 4;
/// An assistant has the block. Only with [`PARKED`].
const LENT: u32 = 8;
/// An assistant wants the owner to go on. Not a notification: the block may be anywhere, and take long to look around.
const HANDED: u32 = 16;

/// See the module documentation.
pub(crate) struct Seat {
    state: AtomicU32,
    bed: Token,
}

/// The right to run the block of a seat, on behalf of its owner.
#[must_use = "a block that is not given back runs no more"]
pub(crate) struct Loan<'a>(&'a Seat);

impl Default for Seat {
    fn default() -> Self {
        Seat { state: AtomicU32::new(0), bed: Token::new() }
    }
}

impl Seat {
    /// Rings: the block will look around once more, whoever runs it.
    ///
    /// The common case, a busy block that has not yet looked at an earlier bell, costs one fence and one load.
    pub(crate) fn notify(&self) {
        // Orders the caller's writes before the load below. Whoever takes the notification has a fence before it looks at
        // those writes: if the load still sees the bit, it is taken later, and then they are seen.
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) & NOTIFIED != 0 {
            return;
        }
        let before = self.state.fetch_or(NOTIFIED, Ordering::SeqCst);
        // An assistant looks at the word before it leaves.
        if before & (ASLEEP | LENT) == ASLEEP {
            self.bed.notify();
        }
    }

    /// Takes the notification if there is one. For the owner, while it has the block.
    pub(crate) fn take(&self) -> bool {
        let taken = self.state.load(Ordering::Relaxed) & NOTIFIED != 0
            && self.state.fetch_and(!NOTIFIED, Ordering::SeqCst) & NOTIFIED != 0;
        fence(Ordering::SeqCst);
        taken
    }

    /// Leaves the block in the seat until it is needed: returns, and the caller has the block again, after a notification or when
    /// an assistant hands it over. For the owner.
    ///
    /// As long as `watch` says so it watches the word; then it sleeps.
    pub(crate) fn park(&self, mut watch: impl FnMut() -> bool) {
        if self.take() {
            return;
        }
        if self.state.compare_exchange(0, PARKED, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            // Nobody but a notifier changes the word of a block that its owner has.
            self.take();
            return;
        }
        let mut watches = true;
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & LENT == 0 && state & (NOTIFIED | HANDED) != 0 {
                // A block that was handed over goes on where it is: a bell stays, until it has looked around.
                let next = if state & HANDED == 0 { 0 } else { state & NOTIFIED };
                if self.state.compare_exchange(state, next, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                    fence(Ordering::SeqCst);
                    return;
                }
                continue;
            }
            if watches {
                watches = watch();
            } else if state & ASLEEP == 0 {
                // Whoever rings or hands over from here on wakes this thread; what came before is seen in the next round.
                self.state.fetch_or(ASLEEP, Ordering::SeqCst);
            } else {
                self.bed.park(None);
            }
        }
    }

    /// Takes the block over if its owner is parked, nobody else has it, and nobody has rung for the owner.
    pub(crate) fn assist(&self) -> Option<Loan<'_>> {
        let state = self.state.load(Ordering::Relaxed);
        if state & (PARKED | LENT | NOTIFIED | HANDED) != PARKED {
            return None;
        }
        let lent = self.state.compare_exchange(state, state | LENT, Ordering::SeqCst, Ordering::Relaxed);
        lent.is_ok().then_some(Loan(self))
    }
}

impl Loan<'_> {
    /// The block has parked: gives it back, unless somebody rang since. Then the caller has it still, and runs it on.
    pub(crate) fn park(self) -> Option<Self> {
        loop {
            let state = self.0.state.load(Ordering::Relaxed);
            let rung = state & NOTIFIED != 0;
            let next = state & !if rung { NOTIFIED } else { LENT };
            if self.0.state.compare_exchange(state, next, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                fence(Ordering::SeqCst);
                return rung.then_some(self);
            }
        }
    }

    /// Gives the block to its owner, who runs it on.
    pub(crate) fn hand_over(self) {
        // In one step, for in between the block would be anybody's. One bit is set, and the other is not.
        let before = self.0.state.fetch_xor(LENT | HANDED, Ordering::SeqCst);
        if before & ASLEEP != 0 {
            self.0.bed.notify();
        }
    }
}
