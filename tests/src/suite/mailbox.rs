//! What becomes of messages for which there is no space, as each type's mailbox says.

use std::future::IntoFuture;

use super::{Backend, behaviours};
use gpu_actor_rt::prelude::*;

behaviours! {
    a_mailbox_holds_what_the_ring_does_not_in_order_and_refuses_one_more,
    the_newest_is_dropped_and_counted_but_who_waits_is_not,
    the_oldest_is_dropped_and_counted_and_an_ask_hears_of_it,
    a_mailbox_is_handled_to_the_end_by_a_shutdown,
    a_type_without_a_mailbox_is_not_held_up_by_one_with_it,
    many_senders_lose_nothing_that_is_not_counted,
    a_mailbox_for_a_type_that_is_not_there_is_refused,
    what_a_handler_sends_and_has_no_room_is_dropped_or_reported_as_its_receiver_says,
    workers_that_flood_each_other_lose_nothing_that_is_not_counted,
}

/// Writes down digits in the order in which they came.
#[gpu_actor]
#[derive(Default)]
struct Plain {
    digits: u64,
}

#[gpu_actor]
impl Plain {
    #[handler]
    fn note(&mut self, digit: u64) -> u64 {
        self.digits = self.digits * 10 + digit;
        self.digits
    }
}

/// The same with a mailbox of its own.
#[gpu_actor(mailbox = 3, on_full = "drop_oldest")]
#[derive(Default)]
struct Latest {
    digits: u64,
}

#[gpu_actor]
impl Latest {
    #[handler]
    fn note(&mut self, digit: u64) -> u64 {
        self.digits = self.digits * 10 + digit;
        self.digits
    }
}

/// Counts alone.
#[gpu_actor]
#[derive(Default)]
struct Tally {
    count: u64,
}

#[gpu_actor]
impl Tally {
    #[handler]
    fn one(&mut self) {
        self.count += 1;
    }

    #[handler]
    fn count(&mut self) -> u64 {
        self.count
    }
}

/// Sends more than there is room for.
#[gpu_actor]
#[derive(Default)]
struct Flood {
    sent: u64,
}

#[gpu_actor]
impl Flood {
    /// Sends the digits 1 to `pairs` to both, in turns.
    #[handler]
    fn both(&mut self, cx: &mut Cx, plain: ActorId<Plain>, latest: ActorId<Latest>, pairs: u64) {
        self.sent += 2 * pairs;
        for digit in 1..=pairs {
            cx.tell(plain.note(digit));
            cx.tell(latest.note(digit));
        }
    }

    /// Sends `count` messages to each of three.
    #[handler]
    fn all(&mut self, cx: &mut Cx, to: [ActorId<Tally>; 3], count: u32) {
        self.sent += 3 * u64::from(count);
        for _ in 0..count {
            cx.tell(to[0].one());
            cx.tell(to[1].one());
            cx.tell(to[2].one());
        }
    }
}

/// One worker, whose ring holds two messages.
fn narrow(backend: &Backend) -> Config {
    backend.config().workers(1).host_inbox(2)
}

fn balance(stats: &Stats) -> (u64, u64) {
    let done = stats.handled + stats.faulted + stats.dead_letters + stats.dropped + stats.in_flight;
    (stats.accepted + stats.sent, done)
}

async fn a_mailbox_holds_what_the_ring_does_not_in_order_and_refuses_one_more(backend: &Backend) {
    let system = backend.start(narrow(backend).mailbox::<Plain>(3, OnFull::Reject)).await;
    let actor = system.actor::<Plain>(1);
    system.pause().await.unwrap();
    for digit in 1..=5 {
        actor.note(digit).tell().unwrap();
    }
    assert!(matches!(actor.note(6).tell(), Err(Error::Full { capacity: 5, .. })));
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.in_flight, stats.dropped), (5, 5, 0));
    system.resume().await.unwrap();
    // Behind those that wait.
    assert_eq!(actor.note(6).await.unwrap(), 123_456);
    system.shutdown().await.unwrap();
}

async fn the_newest_is_dropped_and_counted_but_who_waits_is_not(backend: &Backend) {
    let system = backend.start(narrow(backend).mailbox::<Plain>(1, OnFull::DropNewest)).await;
    let actor = system.actor::<Plain>(1);
    system.pause().await.unwrap();
    for digit in 1..=7 {
        actor.note(digit).tell().unwrap();
    }
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.in_flight, stats.dropped), (7, 3, 4));
    assert_eq!(balance(&stats).0, balance(&stats).1);
    let waits = tokio::spawn(actor.note(8).tell_wait());
    let asks = tokio::spawn(actor.note(9).into_future());
    tokio::task::yield_now().await;
    system.resume().await.unwrap();
    waits.await.unwrap().unwrap();
    asks.await.unwrap().unwrap();
    system.drained().await.unwrap();
    let digits = actor.note(0).await.unwrap();
    assert!([123_890, 123_980].contains(&digits), "{digits}");
    assert_eq!(system.stats().dropped, 4);
    system.shutdown().await.unwrap();
}

async fn the_oldest_is_dropped_and_counted_and_an_ask_hears_of_it(backend: &Backend) {
    let system = backend.start(narrow(backend)).await;
    let actor = system.actor::<Latest>(1);
    system.pause().await.unwrap();
    for digit in 1..=2 {
        actor.note(digit).tell().unwrap();
    }
    // An ask that waits as the oldest: polled once, it is in the mailbox.
    let mut ask = Box::pin(actor.note(3).into_future());
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(ask.as_mut().poll(cx))).await.is_pending());
    for digit in 4..=7 {
        actor.note(digit).tell().unwrap();
    }
    let error = ask.await.unwrap_err();
    assert!(matches!(&error, Error::Dropped { handler: "note", .. }), "{error}");
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.in_flight, stats.dropped), (7, 5, 2));
    assert_eq!(stats.pending_asks, 0);
    system.resume().await.unwrap();
    assert_eq!(actor.note(8).await.unwrap(), 125_678);
    system.shutdown().await.unwrap();
}

async fn a_mailbox_is_handled_to_the_end_by_a_shutdown(backend: &Backend) {
    // Through a ring of two, on a machine of any speed.
    let config = narrow(backend)
        .mailbox::<Tally>(100, OnFull::Reject)
        .shutdown_deadline(std::time::Duration::from_mins(5));
    let system = backend.start(config).await;
    let tally = system.actor::<Tally>(1);
    system.pause().await.unwrap();
    for _ in 0..102 {
        tally.one().tell().unwrap();
    }
    let last = tokio::spawn(tally.count().tell_wait());
    system.shutdown().await.unwrap();
    let last = last.await.unwrap();
    assert!(matches!(last, Ok(()) | Err(Error::Stopped)), "{last:?}");
    assert!(matches!(tally.one().tell(), Err(Error::Stopped)));
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.in_flight), (stats.handled, 0));
    assert_eq!(stats.handled, 102 + u64::from(last.is_ok()));
}

async fn a_type_without_a_mailbox_is_not_held_up_by_one_with_it(backend: &Backend) {
    let system = backend.start(narrow(backend).mailbox::<Plain>(8, OnFull::Reject)).await;
    let (plain, tally) = (system.actor::<Plain>(1), system.actor::<Tally>(1));
    system.pause().await.unwrap();
    for digit in 1..=4 {
        plain.note(digit).tell().unwrap();
    }
    assert!(matches!(tally.one().tell(), Err(Error::Full { capacity: 2, .. })));
    system.resume().await.unwrap();
    tally.one().tell_wait().await.unwrap();
    assert_eq!(tally.count().await.unwrap(), 1);
    assert_eq!(plain.note(5).await.unwrap(), 12_345);
    system.shutdown().await.unwrap();
}

async fn many_senders_lose_nothing_that_is_not_counted(backend: &Backend) {
    const SENDERS: u64 = 4;
    const EACH: u64 = 5000;
    for policy in [OnFull::Reject, OnFull::DropOldest, OnFull::DropNewest] {
        let config = backend.config().workers(2).host_inbox(8).mailbox::<Tally>(8, policy);
        let system = backend.start(config).await;
        let refused = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| {
                    for key in 0..EACH {
                        match system.actor::<Tally>(key % 16).one().tell() {
                            Ok(()) => {}
                            Err(Error::Full { .. }) => {
                                refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
        });
        let refused = refused.into_inner();
        system.pause().await.unwrap();
        let stats = system.stats();
        assert_eq!(stats.accepted, SENDERS * EACH - refused);
        assert_eq!(balance(&stats).0, balance(&stats).1, "{stats:?}");
        assert!(refused == 0 || policy == OnFull::Reject);
        assert!(stats.dropped == 0 || policy != OnFull::Reject);
        system.resume().await.unwrap();
        system.drained().await.unwrap();
        let mut handled = 0;
        for key in 0..16 {
            handled += system.actor::<Tally>(key).count().await.unwrap();
        }
        assert_eq!(handled + system.stats().dropped + refused, SENDERS * EACH);
        system.shutdown().await.unwrap();
    }
}

async fn a_mailbox_for_a_type_that_is_not_there_is_refused(backend: &Backend) {
    let config = backend.config().actor::<Plain>().mailbox::<Tally>(8, OnFull::Reject);
    let refused = ActorSystem::start(config).await;
    assert!(matches!(&refused, Err(Error::Config { option: "mailbox", .. })), "{refused:?}");
}

/// Room for `2 * ROOM` messages of a handler: the worker's private queue, and the spill ring.
async fn what_a_handler_sends_and_has_no_room_is_dropped_or_reported_as_its_receiver_says(backend: &Backend) {
    for (lanes, room) in [(1, 2), (4, 4)] {
        for (policy, dead_letters, dropped) in
            [(OnFull::Reject, 4, 0), (OnFull::DropOldest, 2, 2), (OnFull::DropNewest, 2, 2)]
        {
            let config = backend.config().workers(1).lanes(lanes).device_inbox(room).spill(room);
            let system = backend.start(config.mailbox::<Latest>(3, policy)).await;
            let mut faults = system.subscribe_faults();
            let (plain, latest) = (system.actor::<Plain>(1), system.actor::<Latest>(1));
            // Two pairs more than there is room for.
            let pairs = u64::from(room) + 2;
            let flood = system.actor::<Flood>(1);
            flood.both(plain.id().unwrap(), latest.id().unwrap(), pairs).tell().unwrap();
            system.drained().await.unwrap();
            let stats = system.stats();
            assert_eq!(
                (stats.dead_letters, stats.dropped),
                (dead_letters, dropped),
                "{policy}, {lanes} lanes"
            );
            assert_eq!((stats.accepted, stats.sent, stats.spilled), (1, 2 * pairs, u64::from(room)));
            assert_eq!((stats.handled, stats.faulted), (1 + 2 * u64::from(room), 0));
            assert_eq!(balance(&stats).0, balance(&stats).1);
            for _ in 0..dead_letters {
                let letter = faults.recv().await.unwrap();
                assert_eq!(letter.kind, FaultKind::MailboxFull, "{letter}");
                assert!(policy == OnFull::Reject || letter.actor_type.ends_with("Plain"), "{letter}");
            }
            // Always the last ones: those before them have their places.
            let there = if room == 2 { 12 } else { 1234 };
            assert_eq!(plain.note(0).await.unwrap(), there * 10);
            assert_eq!(latest.note(0).await.unwrap(), there * 10);
            system.shutdown().await.unwrap();
        }
    }
}

async fn workers_that_flood_each_other_lose_nothing_that_is_not_counted(backend: &Backend) {
    const MESSAGES: u32 = 200;
    for policy in [OnFull::DropOldest, OnFull::DropNewest] {
        let config = backend.config().workers(2).device_inbox(4).spill(4).mailbox::<Tally>(8, policy);
        let system = backend.start(config).await;
        let ids = [1, 2, 3].map(|key: u64| system.actor::<Tally>(key).id().unwrap());
        for message in 0..MESSAGES {
            system.actor::<Flood>(u64::from(message % 16)).all(ids, 5).tell_wait().await.unwrap();
        }
        system.pause().await.unwrap();
        let stats = system.stats();
        assert_eq!(balance(&stats).0, balance(&stats).1, "{stats:?}");
        system.resume().await.unwrap();
        system.drained().await.unwrap();
        let stats = system.stats();
        assert_eq!((stats.sent, stats.dead_letters), (15 * u64::from(MESSAGES), 0));
        assert_eq!(balance(&stats).0, balance(&stats).1, "{stats:?}");
        let mut handled = 0;
        for key in [1, 2, 3_u64] {
            handled += system.actor::<Tally>(key).count().await.unwrap();
        }
        assert_eq!(handled + stats.dropped, stats.sent);
        system.shutdown().await.unwrap();
    }
}
