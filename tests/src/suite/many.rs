//! Many calls in one step.

use super::{Backend, behaviours};
use crate::actors::Sequence;
use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

behaviours! {
    a_batch_of_tells_goes_out_in_order_as_far_as_there_is_space,
    asks_in_a_batch_each_get_their_own_reply_or_fault,
    a_batch_of_asks_to_one_worker_wakes_its_task_once,
    a_dropped_batch_of_asks_gives_its_entries_back,
}

async fn a_batch_of_tells_goes_out_in_order_as_far_as_there_is_space(backend: &Backend) {
    let system = backend.start(backend.config().workers(1).host_inbox(16)).await;
    let sequence = system.actor::<Sequence>(1);
    system.pause().await.unwrap();
    let mut calls = (0..100).map(|number| sequence.next(number));
    let refused = system.tell_many(calls.by_ref()).unwrap_err();
    assert_eq!(refused.taken, 16);
    assert!(matches!(*refused.cause, Error::Full { capacity: 16, .. }), "{:?}", refused.cause);
    assert_eq!(system.stats().accepted, 16);
    system.resume().await.unwrap();
    let mut refused = refused;
    loop {
        refused.call.tell_wait().await.unwrap();
        match system.tell_many(calls.by_ref()) {
            Ok(_) => break,
            Err(again) => refused = again,
        }
    }
    // A number out of order would be a fault.
    assert_eq!(sequence.count().await.unwrap(), 100);
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.handled, stats.faulted), (101, 101, 0));
    assert_eq!(system.tell_many([sequence.next(100), sequence.next(101)]).unwrap(), 2);
    system.shutdown().await.unwrap();
    let stopped = system.tell_many([sequence.next(102)]).unwrap_err();
    assert_eq!(stopped.taken, 0);
    assert!(matches!(Error::from(stopped), Error::Stopped));
}

async fn asks_in_a_batch_each_get_their_own_reply_or_fault(backend: &Backend) {
    let system = backend.start(backend.config().workers(2).host_inbox(16)).await;
    let counters: Vec<_> = (0..50u64).map(|key| system.actor::<Counter>(key)).collect();
    for round in 1..5 {
        // Far more than the mailboxes hold: the rest waits for space.
        let sums = system.ask_many(counters.iter().zip(0..).map(|(counter, n)| counter.add(n))).await;
        let sums: Vec<_> = sums.into_iter().map(Result::unwrap).collect();
        assert_eq!(sums, (0..50).map(|n| n * round).collect::<Vec<_>>());
    }
    let sequences: Vec<_> = (0..40u64).map(|key| system.actor::<Sequence>(key)).collect();
    let ends = system.ask_many(sequences.iter().zip(0..).map(|(sequence, n)| sequence.next(n % 2))).await;
    for (n, end) in ends.into_iter().enumerate() {
        match end {
            Ok(()) => assert_eq!(n % 2, 0),
            Err(Error::Fault(fault)) => assert_eq!((n % 2, fault.handler), (1, "next")),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(system.ask_many::<u32>([]).await.is_empty());
    assert_eq!(system.stats().pending_asks, 0);
    system.shutdown().await.unwrap();
}

struct Task(AtomicUsize);
impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn a_batch_of_asks_to_one_worker_wakes_its_task_once(backend: &Backend) {
    let system = backend.start(backend.config().workers(1)).await;
    let sequence = system.actor::<Sequence>(1);
    let task = Arc::new(Task(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&task));
    system.pause().await.unwrap();
    let mut batch = pin!(system.ask_many((0..200).map(|number| sequence.next(number))));
    assert!(batch.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(system.stats().accepted, 200);
    system.resume().await.unwrap();
    system.drained().await.unwrap();
    assert_eq!(task.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(ends) = batch.poll(&mut Context::from_waker(&waker)) else { panic!("all have replied") };
    assert_eq!(ends.len(), 200);
    assert!(ends.iter().all(Result::is_ok));
    system.shutdown().await.unwrap();
}

async fn a_dropped_batch_of_asks_gives_its_entries_back(backend: &Backend) {
    let system = backend.start(backend.config().workers(1).host_inbox(16)).await;
    let sequence = system.actor::<Sequence>(1);
    system.pause().await.unwrap();
    {
        let mut batch = pin!(system.ask_many((0..20).map(|number| sequence.next(number))));
        assert!(batch.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // The last is the first that waits for space; those after it have not begun.
        assert_eq!((system.stats().accepted, system.stats().pending_asks), (16, 17));
    }
    assert_eq!(system.stats().pending_asks, 0);
    system.resume().await.unwrap();
    assert_eq!(sequence.count().await.unwrap(), 16);
    system.drained().await.unwrap();
    assert_eq!(system.stats().late_replies, 16);
    system.shutdown().await.unwrap();
}
