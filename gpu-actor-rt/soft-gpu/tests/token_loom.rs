//! Model checks of the park token and of the seat in which a parked block is lent: loom runs the crate's own source over its own primitives, through every
//! interleaving. A wake that is lost shows as a deadlock, which loom reports.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};
    pub(crate) use loom::sync::{Condvar, Mutex};
}

#[allow(dead_code, reason = "the models do not use every method")]
#[path = "../src/token.rs"]
mod token;

#[allow(dead_code, reason = "the models do not use every method")]
#[path = "../src/seat.rs"]
mod seat;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use seat::Seat;
use token::Token;

/// A mailbox as device code has it: plain relaxed words, and a token for whoever waits for them.
struct Mail {
    token: Token,
    words: [AtomicU32; 2],
}

fn mail() -> Arc<Mail> {
    Arc::new(Mail { token: Token::new(), words: [AtomicU32::new(0), AtomicU32::new(0)] })
}

/// Parks until every one of the first `n` words is set.
fn receive(mail: &Mail, n: usize) {
    while mail.words[..n].iter().any(|w| w.load(Ordering::Relaxed) == 0) {
        mail.token.park(None);
    }
}

fn send(mail: &Arc<Mail>, word: usize) -> thread::JoinHandle<()> {
    let mail = Arc::clone(mail);
    thread::spawn(move || {
        mail.words[word].store(1, Ordering::Relaxed);
        mail.token.notify();
    })
}

#[test]
fn a_notification_is_not_lost() {
    loom::model(|| {
        let mail = mail();
        let sender = send(&mail, 0);
        receive(&mail, 1);
        sender.join().unwrap();
    });
}

/// The second sender may find the token set by the first, and then does nothing but look: what it wrote must still be
/// seen by whoever takes that token.
#[test]
fn a_notification_on_top_of_another_is_not_lost() {
    // Three threads in full would take minutes; a lost wake needs two switches at bad moments, not more.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let mail = mail();
        let senders = [send(&mail, 0), send(&mail, 1)];
        receive(&mail, 2);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// A sender that notifies twice, each time with news.
#[test]
fn a_token_is_set_anew_after_it_was_taken() {
    loom::model(|| {
        let mail = mail();
        let theirs = Arc::clone(&mail);
        let sender = thread::spawn(move || {
            for word in &theirs.words {
                word.store(1, Ordering::Relaxed);
                theirs.token.notify();
            }
        });
        receive(&mail, 1);
        receive(&mail, 2);
        sender.join().unwrap();
    });
}

#[test]
fn a_token_is_taken_once() {
    loom::model(|| {
        let token = Token::new();
        assert!(!token.take());
        token.notify();
        token.notify();
        assert!(token.park(None));
        assert!(!token.take());
    });
}

/// A block in its seat: what it has handled is plain memory, which loom refuses to two threads at a time.
struct Block {
    seat: Seat,
    words: [AtomicU32; 2],
    handled: UnsafeCell<u32>,
    /// What it saw when it looked around, if it has not come to it yet.
    seen: UnsafeCell<Option<u32>>,
}

fn block() -> Arc<Block> {
    Arc::new(Block {
        seat: Seat::default(),
        words: [AtomicU32::new(0), AtomicU32::new(0)],
        handled: UnsafeCell::new(0),
        seen: UnsafeCell::new(None),
    })
}

impl Block {
    /// Looks around.
    fn look(&self, n: u32) -> u32 {
        (0..n).filter(|i| self.words[*i as usize].load(Ordering::Relaxed) != 0).map(|i| 1 << i).sum()
    }

    /// Handles what is there, or what was there when it last looked; whether the first `n` words have all been handled by
    /// now, which ends the block.
    fn run(&self, n: u32) -> bool {
        // SAFETY: loom fails the model if another thread is in here, or below.
        let seen = self.seen.with_mut(|seen| unsafe { (*seen).take() }).unwrap_or_else(|| self.look(n));
        self.handled.with_mut(|handled| {
            // SAFETY: as above.
            let handled = unsafe { &mut *handled };
            *handled |= seen;
            *handled == (1 << n) - 1
        })
    }

    /// The block's own thread, until the block has ended; it looks at the word so often before it sleeps.
    fn own(&self, n: u32, watch: u32) {
        while !self.run(n) {
            let mut left = watch;
            self.seat.park(|| {
                left = left.saturating_sub(1);
                left != 0
            });
        }
    }

    /// Runs the block if it can be had, for at most so many rounds.
    fn assist(&self, n: u32, rounds: u32) -> bool {
        let Some(mut loan) = self.seat.assist() else { return false };
        for _ in 0..rounds {
            if self.run(n) {
                break;
            }
            match loan.park() {
                None => return true,
                Some(again) => loan = again,
            }
        }
        loan.hand_over();
        true
    }

    /// Lets the block look around if it can be had, and has no time for more.
    fn assist_shortly(&self, n: u32) -> bool {
        let Some(loan) = self.seat.assist() else { return false };
        let seen = self.look(n);
        // SAFETY: as above.
        self.seen.with_mut(|at| unsafe { *at = Some(seen) });
        loan.hand_over();
        true
    }

    fn write(&self, word: usize) {
        self.words[word].store(1, Ordering::Relaxed);
    }
}

fn bounded(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn a_bell_brings_the_owner_back() {
    for watch in [1, 2] {
        bounded(3, move || {
            let block = block();
            let theirs = Arc::clone(&block);
            let sender = thread::spawn(move || {
                for word in 0..2 {
                    theirs.write(word);
                    theirs.seat.notify();
                }
            });
            block.own(2, watch);
            sender.join().unwrap();
        });
    }
}

/// Who asks writes, and runs the block itself if it can be had; else it rings. Either way the block ends, and if the
/// assistant had it, nobody else did.
#[test]
fn who_assists_has_the_block_alone() {
    for rounds in [1, 2] {
        bounded(3, move || {
            let block = block();
            let theirs = Arc::clone(&block);
            let asker = thread::spawn(move || {
                for word in 0..2 {
                    theirs.write(word);
                    if !theirs.assist(2, rounds) {
                        theirs.seat.notify();
                    }
                }
            });
            block.own(2, 1);
            asker.join().unwrap();
        });
    }
}

/// One assists while another rings: what the one that rings has written is handled, by whomever.
#[test]
fn a_bell_is_heard_through_an_assistant() {
    for rounds in [1, 3] {
        bounded(2, move || {
            let block = block();
            let [asker, sender] = [Arc::clone(&block), Arc::clone(&block)];
            let asker = thread::spawn(move || {
                asker.write(0);
                if !asker.assist(2, rounds) {
                    asker.seat.notify();
                }
            });
            let sender = thread::spawn(move || {
                sender.write(1);
                sender.seat.notify();
            });
            block.own(2, 1);
            asker.join().unwrap();
            sender.join().unwrap();
        });
    }
}

/// The block goes to its own thread after it has looked around; a bell that rings then is not for that look.
#[test]
fn a_bell_is_heard_by_a_block_that_is_handed_over() {
    bounded(2, || {
        let block = block();
        let [asker, sender] = [Arc::clone(&block), Arc::clone(&block)];
        let asker = thread::spawn(move || {
            asker.write(0);
            if !asker.assist_shortly(2) {
                asker.seat.notify();
            }
        });
        let sender = thread::spawn(move || {
            sender.write(1);
            sender.seat.notify();
        });
        block.own(2, 1);
        asker.join().unwrap();
        sender.join().unwrap();
    });
}

/// Two assistants: at most one has the block at a time, and neither's work is lost.
#[test]
fn two_assistants_do_not_meet() {
    bounded(2, || {
        let block = block();
        let askers = [0, 1].map(|word| {
            let block = Arc::clone(&block);
            thread::spawn(move || {
                block.write(word);
                if !block.assist(2, 2) {
                    block.seat.notify();
                }
            })
        });
        block.own(2, 1);
        for asker in askers {
            asker.join().unwrap();
        }
    });
}

#[test]
fn a_block_that_is_rung_for_is_not_lent() {
    loom::model(|| {
        let seat = Seat::default();
        assert!(seat.assist().is_none(), "its owner has it");
        seat.notify();
        seat.notify();
        assert!(seat.assist().is_none());
        seat.park(|| true);
        assert!(!seat.take());
    });
}
