//! The table with plain threads; the orders of every single access are the model checker's matter (`tests/tests/loom`).

use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;

#[derive(Default)]
struct Counter(AtomicUsize);
impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the replies bring.
const BUFFER: u64 = 77;

fn reply(asks: &Asks, ticket: Ticket, word: u64) -> bool {
    asks.reply(ticket, 1, BUFFER, |payload| payload[0] = word)
}

fn allocate(asks: &Asks, deadline: u64) -> Ticket {
    let ticket = asks.allocate(deadline, None).unwrap();
    asks.announce(deadline);
    ticket
}

/// The end, and the reply's first word.
fn poll(asks: &Asks, ticket: Ticket, waker: &Waker) -> Poll<(End, u64)> {
    asks.poll(ticket, waker, |outcome| (outcome.end, outcome.payload[0]))
}

#[test]
fn a_reply_reaches_its_ask_and_wakes_once() {
    let (asks, wakes) = (Asks::new(10), Arc::new(Counter::default()));
    let waker = Waker::from(Arc::clone(&wakes));
    let ticket = allocate(&asks, u64::MAX);
    assert_eq!(Ticket::from_corr(ticket.corr()), Some(ticket));
    assert!(poll(&asks, ticket, &waker).is_pending());
    assert!(poll(&asks, ticket, &waker).is_pending());
    assert!(reply(&asks, ticket, 7));
    assert!(!reply(&asks, ticket, 8), "a second reply is late");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    let Poll::Ready((End::Reply { .. }, word)) = poll(&asks, ticket, &waker) else { panic!() };
    assert_eq!((word, asks.pending(), asks.late()), (7, 0, 1));
}

#[test]
fn a_late_reply_never_reaches_the_next_ask_of_the_entry() {
    let asks = Asks::new(1);
    let first = allocate(&asks, u64::MAX);
    assert_eq!(asks.allocate(u64::MAX, None), Err(TooMany));
    asks.cancel(first);
    let second = allocate(&asks, u64::MAX);
    assert_eq!(first.index, second.index);
    assert!(!reply(&asks, first, 1));
    assert!(poll(&asks, second, Waker::noop()).is_pending());
    assert_eq!(asks.late(), 1);
    asks.cancel(first);
    assert_eq!(asks.pending(), 1, "cancelling a freed ticket frees nothing else");
}

#[test]
fn a_reply_that_nobody_picks_up_is_late_too() {
    let asks = Asks::new(4);
    let (taken, dropped) = (allocate(&asks, u64::MAX), allocate(&asks, u64::MAX));
    assert!(reply(&asks, taken, 1) && reply(&asks, dropped, 2));
    assert!(poll(&asks, taken, Waker::noop()).is_ready());
    asks.cancel(dropped);
    assert_eq!((asks.late(), asks.pending()), (1, 0));
}

#[test]
fn deadlines_expire_in_time_and_only_then() {
    let asks = Asks::new(100);
    let soon = allocate(&asks, 50);
    let late = allocate(&asks, 80);
    assert_eq!(asks.expire(49), 50);
    assert!(poll(&asks, soon, Waker::noop()).is_pending());
    assert_eq!(asks.expire(50), 80);
    assert!(matches!(poll(&asks, soon, Waker::noop()), Poll::Ready((End::TimedOut, _))));
    assert!(poll(&asks, late, Waker::noop()).is_pending());
    assert_eq!(asks.fail_all(), 1);
    assert!(matches!(poll(&asks, late, Waker::noop()), Poll::Ready((End::Lost, _))));
    assert_eq!(asks.expire(1000), u64::MAX);
}

#[test]
fn chunks_cover_every_index_once() {
    let asks = Asks::new(5000);
    let tickets: Vec<_> = (0..5000).map(|n| allocate(&asks, n)).collect();
    let mut entries: Vec<_> =
        tickets.iter().map(|t| std::ptr::from_ref(asks.place(t.index)) as usize).collect();
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), 5000);
    for ticket in tickets {
        asks.cancel(ticket);
    }
    assert_eq!(asks.pending(), 0);
}

#[test]
fn the_last_index_has_a_chunk() {
    let asks = Asks::new(u32::MAX);
    let last = asks.limit - 1;
    assert!(((last / FIRST_CHUNK + 1).ilog2() as usize) < CHUNKS);
}

#[test]
fn racing_replies_and_cancels_lose_nothing() {
    let asks = Arc::new(Asks::new(64));
    let (send, receive) = std::sync::mpsc::channel::<Ticket>();
    let poller = {
        let asks = Arc::clone(&asks);
        std::thread::spawn(move || receive.iter().filter(|t| reply(&asks, *t, t.corr())).count())
    };
    let (mut got, mut unread) = (0, 0);
    for round in 0..20_000u32 {
        let ticket = allocate(&asks, u64::MAX);
        send.send(ticket).unwrap();
        if round % 3 == 0 {
            // What a reply brings is somebody's to give back: of whoever cancels, if it was there, else of who brought it.
            match asks.cancel(ticket) {
                0 => {}
                buffer => {
                    assert_eq!(buffer, BUFFER);
                    unread += 1;
                }
            }
            continue;
        }
        loop {
            if let Poll::Ready((end, word)) = poll(&asks, ticket, Waker::noop()) {
                assert_eq!(end, End::Reply { hlc: 1, buffer: BUFFER });
                assert_eq!(word, ticket.corr());
                got += 1;
                break;
            }
            std::thread::yield_now();
        }
    }
    drop(send);
    let delivered = poller.join().unwrap() as u64;
    assert_eq!(delivered, got + unread);
    assert_eq!(got + asks.late(), 20_000);
    assert_eq!(asks.pending(), 0);
}

#[test]
fn entries_go_back_to_where_they_came_from() {
    const ROUNDS: u32 = 2000;
    let asks = Arc::new(Asks::new(1 << 20));
    for _ in 0..ROUNDS / 100 {
        let tickets: Vec<_> = (0..100).map(|_| allocate(&asks, u64::MAX)).collect();
        let other = Arc::clone(&asks);
        std::thread::spawn(move || {
            for ticket in tickets {
                other.cancel(ticket);
            }
        })
        .join()
        .unwrap();
    }
    assert_eq!(
        asks.unused.load(Ordering::Relaxed),
        100,
        "the table grew to what was taken at one time, no further"
    );
    assert_eq!(asks.pending(), 0);
}
