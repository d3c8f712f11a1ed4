//! Model checks of the park token: loom runs the crate's own source over its own primitives, through every
//! interleaving. A wake that is lost shows as a deadlock, which loom reports.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};
    pub(crate) use loom::sync::{Condvar, Mutex};
}

#[allow(dead_code, reason = "the models do not use every method")]
#[path = "../src/token.rs"]
mod token;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
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
