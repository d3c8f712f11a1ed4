//! A fault stays in its message: a typed error at the caller, and the device goes on.

use std::time::{Duration, Instant};

use super::{Backend, behaviours};
use crate::actors::{Faulty, Misdirected, Relay, Sequence, Spinner};
use gpu_actor_examples::counter::Counter;
use gpu_actor_examples::vector::{Adder, Vector};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{Fault, FaultKind};

behaviours! {
    every_kind_comes_back_with_handler_and_line,
    an_overflowing_counter_keeps_its_value_and_others_are_served,
    vectors_of_different_lengths_are_a_fault,
    an_endless_loop_ends_by_its_budget_while_others_are_served,
    a_faulted_handler_sends_nothing,
    more_sends_than_the_outbox_holds_are_a_fault_and_none_leaves,
    faults_of_tells_reach_subscribers,
    an_ask_times_out_and_its_late_reply_is_counted_not_delivered,
    a_message_to_nobody_is_a_dead_letter_and_the_others_arrive,
    a_flood_beyond_all_rings_is_reported_message_by_message,
}

fn fault<R: std::fmt::Debug>(result: gpu_actor_rt::Result<R>) -> Fault {
    match result {
        Err(Error::Fault(fault)) => fault,
        other => panic!("expected a fault, got {other:?}"),
    }
}

async fn every_kind_comes_back_with_handler_and_line(backend: &Backend) {
    let system = backend.system().await;
    let faulty = system.actor::<Faulty>("f");
    let found = [
        (fault(faulty.overflow(1).await), FaultKind::Overflow, "overflow"),
        (fault(faulty.bounds(4).await), FaultKind::Bounds, "bounds"),
        (fault(faulty.divide(1, 0).await), FaultKind::DivisionByZero, "divide"),
        (fault(faulty.divide(i32::MIN, -1).await), FaultKind::Overflow, "divide"),
        (fault(faulty.shift(32).await), FaultKind::Overflow, "shift"),
        (fault(faulty.check(10).await), FaultKind::Assert, "check"),
        (fault(faulty.fail().await), FaultKind::Panic, "fail"),
    ];
    let source = include_str!("../actors.rs");
    for (fault, kind, handler) in &found {
        assert_eq!(fault.kind, *kind, "{fault}");
        assert_eq!(fault.handler, *handler);
        assert!(fault.file.ends_with("actors.rs"), "{fault}");
        let line = source.lines().nth(fault.line as usize - 1).unwrap();
        let expected = match *handler {
            "overflow" => "u32::MAX + by",
            "bounds" => "self.table[index as usize]",
            "divide" => "a / b",
            "shift" => "1u32 << by",
            "check" => "assert!",
            _ => "panic!",
        };
        assert!(line.contains(expected), "{fault} points at `{line}`");
    }
    assert_eq!(found[5].0.message, Some("value is ten or more"));
    assert_eq!(found[6].0.message, Some("asked to fail"));
    // The same calls that succeed, on the same actor; what was written before each fault has stayed.
    assert_eq!(faulty.divide(7, -2).await.unwrap(), -3);
    assert_eq!(faulty.check(9).await.unwrap(), 9);
    assert_eq!(faulty.calls().await.unwrap(), 9);
    let stats = system.stats();
    assert_eq!(stats.faulted, 7);
    system.shutdown().await.unwrap();
}

async fn an_overflowing_counter_keeps_its_value_and_others_are_served(backend: &Backend) {
    let system = backend.system().await;
    let (counter, other) = (system.actor::<Counter>("c"), system.actor::<Counter>("d"));
    assert_eq!(counter.add(u32::MAX).await.unwrap(), u32::MAX);
    let found = fault(counter.add(1).await);
    assert_eq!((found.kind, found.handler), (FaultKind::Overflow, "add"));
    assert_eq!(counter.get().await.unwrap(), u32::MAX);
    assert_eq!(other.add(3).await.unwrap(), 3);
    system.shutdown().await.unwrap();
}

async fn vectors_of_different_lengths_are_a_fault(backend: &Backend) {
    let system = backend.system().await;
    let adder = system.actor::<Adder>(1);
    let long = Vector::try_from([1.0, 2.0].as_slice()).unwrap();
    let short = Vector::try_from([1.0].as_slice()).unwrap();
    let found = fault(adder.add(long, short).await);
    assert_eq!(found.kind, FaultKind::Assert);
    assert_eq!(found.message, Some("vectors differ in length"));
    assert_eq!(adder.add(long, long).await.unwrap().as_slice(), [2.0, 4.0]);
    assert_eq!(adder.elements().await.unwrap(), 2);
    system.shutdown().await.unwrap();
}

async fn an_endless_loop_ends_by_its_budget_while_others_are_served(backend: &Backend) {
    let system = backend.start(backend.config().workers(1).budget(200_000)).await;
    let spinner = system.actor::<Spinner>(1);
    let counter = system.actor::<Counter>(1);
    let spin = tokio::spawn(spinner.spin().into_future());
    for expected in 1..=100 {
        assert_eq!(counter.add(1).await.unwrap(), expected);
    }
    let found = fault(spin.await.unwrap());
    assert_eq!((found.kind, found.handler), (FaultKind::Budget, "spin"));
    assert!(spinner.turns().await.unwrap() >= 199_999);
    system.shutdown().await.unwrap();
}

async fn a_faulted_handler_sends_nothing(backend: &Backend) {
    let system = backend.system().await;
    let (relay, sequence) = (system.actor::<Relay>(1), system.actor::<Sequence>(1));
    let found = fault(relay.send_and_fail(sequence.id().unwrap()).await);
    assert_eq!(found.kind, FaultKind::Panic);
    system.drained().await.unwrap();
    assert_eq!(system.stats().sent, 0);
    assert_eq!(sequence.count().await.unwrap(), 0);
    system.shutdown().await.unwrap();
}

async fn more_sends_than_the_outbox_holds_are_a_fault_and_none_leaves(backend: &Backend) {
    let system = backend.start(backend.config().max_sends(8)).await;
    let (relay, sequence) = (system.actor::<Relay>(1), system.actor::<Sequence>(1));
    relay.burst(sequence.id().unwrap(), 8).await.unwrap();
    let found = fault(relay.burst(sequence.id().unwrap(), 9).await);
    assert_eq!(found.kind, FaultKind::TooManySends);
    system.drained().await.unwrap();
    assert_eq!(sequence.count().await.unwrap(), 8);
    system.shutdown().await.unwrap();
}

async fn faults_of_tells_reach_subscribers(backend: &Backend) {
    let system = backend.system().await;
    let mut faults = system.subscribe_faults();
    system.actor::<Faulty>(9).fail().tell().unwrap();
    let found = tokio::time::timeout(Duration::from_secs(20), faults.recv()).await.unwrap().unwrap();
    assert_eq!((found.kind, found.handler), (FaultKind::Panic, "fail"));
    system.shutdown().await.unwrap();
}

async fn an_ask_times_out_and_its_late_reply_is_counted_not_delivered(backend: &Backend) {
    let system = backend.start(backend.config().workers(1)).await;
    let counter = system.actor::<Counter>(1);
    assert_eq!(counter.add(1).await.unwrap(), 1);
    // Nobody can answer in time, however slow this thread is; the message has been accepted and is handled later.
    system.pause().await.unwrap();
    let begun = Instant::now();
    let late = counter.add(2).timeout(Duration::from_millis(50)).await;
    assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    assert!(begun.elapsed() >= Duration::from_millis(50));
    // Queued behind it, perhaps in the slot of the ask that gave up: its answer must be its own.
    let next = tokio::spawn(counter.add(5).timeout(Duration::from_mins(1)).into_future());
    system.resume().await.unwrap();
    assert_eq!(next.await.unwrap().unwrap(), 8);
    system.drained().await.unwrap();
    assert_eq!(system.stats().late_replies, 1);
    system.shutdown().await.unwrap();
}

async fn a_message_to_nobody_is_a_dead_letter_and_the_others_arrive(backend: &Backend) {
    for lanes in [1, 32] {
        let system = backend.start(backend.config().lanes(lanes)).await;
        let mut faults = system.subscribe_faults();
        let sender = system.actor::<Misdirected>(1);
        let sequence = system.actor::<Sequence>(1);
        let id = sequence.id().unwrap();
        // No actor; node 255; a worker, then a slot, that does not exist.
        let nobody = [0, u64::MAX, id.raw() | 0xfff << 32, id.raw() | 0xffff];
        for raw in nobody {
            let lost = ActorId::<Sequence>::from_raw(raw);
            sender.send(lost, if raw == 0 { id } else { lost }).await.unwrap();
        }
        system.drained().await.unwrap();
        let mut letters = 0;
        while let Ok(fault) = faults.try_recv() {
            assert_eq!(fault.kind, FaultKind::UnknownActor, "{fault}");
            letters += 1;
        }
        let stats = system.stats();
        // Where the worker is real, the message is taken there and faults; elsewhere it is a dead letter at its sender.
        assert_eq!((letters, stats.dead_letters + stats.faulted), (7, 7), "{stats:?}");
        assert_eq!(sequence.count().await.unwrap(), 1);
        system.shutdown().await.unwrap();
    }
}

async fn a_flood_beyond_all_rings_is_reported_message_by_message(backend: &Backend) {
    // A worker that floods its own mailbox: it takes nothing out of its rings while one of its handlers is at work.
    let config = backend.config().workers(2).device_inbox(8).spill(8).max_sends(64);
    let system = backend.start(config).await;
    let mut faults = system.subscribe_faults();
    let relay = system.actor::<Relay>(0);
    let worker = |raw: u64| raw >> 32 & 0xfff;
    let home = worker(relay.id().unwrap().raw());
    let target = (0..64_u64)
        .map(|key| system.actor::<Sequence>(key))
        .find(|actor| worker(actor.id().unwrap().raw()) == home)
        .unwrap();
    relay.burst(target.id().unwrap(), 40).await.unwrap();
    system.drained().await.unwrap();
    let stats = system.stats();
    // Two rings of 8 hold 16; all else is a dead letter.
    assert_eq!((stats.sent, stats.spilled, stats.dead_letters), (40, 8, 24), "{stats:?}");
    assert_eq!(target.count().await.unwrap(), 16);
    let mut letters = 0;
    while let Ok(fault) = faults.try_recv() {
        assert_eq!((fault.kind, fault.dead_letter), (FaultKind::MailboxFull, true), "{fault}");
        letters += 1;
    }
    assert_eq!(letters, stats.dead_letters);
    system.shutdown().await.unwrap();
}
