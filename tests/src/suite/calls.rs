//! Calls and their ends: what is accepted, awaited, cancelled, paused, stopped.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::{Backend, behaviours};
use gpu_actor_rt::prelude::*;

behaviours! {
    a_call_does_nothing_until_it_is_told_or_awaited,
    a_dropped_ask_gives_its_entry_back_and_its_reply_reaches_nobody,
    ids_lead_back_to_their_actors,
    a_system_can_be_restricted_to_types,
    waiting_tells_lose_nothing_and_stay_in_order_under_pressure,
    asks_wait_for_space_within_their_time,
    a_paused_system_accepts_and_a_shutdown_lets_it_finish,
    orders_are_obeyed_as_they_were_called_even_if_nobody_waits,
    a_stopped_system_says_so_everywhere,
    dropping_a_system_ends_the_asks_that_wait,
    systems_of_one_process_are_apart,
    a_dead_letter_is_counted_and_heard_of,
    the_last_clone_may_go_on_the_runtimes_own_thread,
    what_neither_mailbox_nor_spill_ring_holds_is_a_dead_letter_and_nothing_vanishes,
    any_executor_will_do_and_timeouts_need_no_timer,
    more_workers_than_the_device_holds_are_refused_by_name,
}

/// Counts and sends.
#[gpu_actor]
#[derive(Default)]
struct Probe {
    count: u64,
}

#[gpu_actor]
impl Probe {
    #[handler]
    fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }

    /// Sends sixteen times.
    #[handler]
    fn flood(&mut self, cx: &mut Cx, to: ActorId<Probe>) {
        for _ in 0..16 {
            cx.tell(to.add(1));
            self.count += 1;
        }
    }

    #[handler]
    fn pass(&mut self, cx: &mut Cx, to: ActorId<Probe>, n: u64) {
        self.count += 1;
        cx.tell(to.add(n));
    }
}

/// Another type.
#[gpu_actor]
#[derive(Default)]
struct Other {
    value: u32,
}

#[gpu_actor]
impl Other {
    #[handler]
    fn set(&mut self, value: u32) {
        self.value = value;
    }
}

fn config(backend: &Backend) -> Config {
    backend.config().workers(2)
}

/// What crosses threads in programs may do so for every actor type.
#[allow(dead_code, reason = "it is proven by being compiled")]
fn crosses_threads<T: Actor>() {
    fn is<S: Send + Sync + 'static>() {}
    is::<ActorSystem>();
    is::<ActorRef<T>>();
    is::<ActorId<T>>();
    is::<gpu_actor_rt::Call<u64>>();
    is::<gpu_actor_rt::Ask<u64>>();
    is::<gpu_actor_rt::TellWait>();
    is::<Error>();
}

/// Polls once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn a_call_does_nothing_until_it_is_told_or_awaited(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    drop(probe.add(1));
    drop(probe.add(1).into_future());
    drop(probe.add(1).tell_wait());
    assert_eq!(system.stats().accepted, 0);
    assert_eq!(probe.add(2).await.unwrap(), 2);
    system.shutdown().await.unwrap();
}

async fn a_dropped_ask_gives_its_entry_back_and_its_reply_reaches_nobody(backend: &Backend) {
    let system = backend.start(config(backend).workers(1).max_pending_asks(1)).await;
    let probe = system.actor::<Probe>("p");
    system.pause().await.unwrap();
    {
        let mut ask = pin!(probe.add(1).into_future());
        assert!(poll(ask.as_mut()).is_pending());
        assert_eq!(system.stats().pending_asks, 1);
        let refused = probe.add(1).await;
        assert!(matches!(refused, Err(Error::TooManyAsks { limit: 1 })), "{refused:?}");
    }
    assert_eq!(system.stats().pending_asks, 0);
    // The same entry, while the first ask's reply is still to come.
    {
        let mut ask = pin!(probe.add(7).timeout(Duration::from_mins(1)).into_future());
        assert!(poll(ask.as_mut()).is_pending());
        system.resume().await.unwrap();
        assert_eq!(ask.await.unwrap(), 8);
    }
    system.drained().await.unwrap();
    assert_eq!(system.stats().late_replies, 1);
    system.shutdown().await.unwrap();
}

async fn ids_lead_back_to_their_actors(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>("alice");
    let id = probe.id().unwrap();
    assert_eq!(id, system.actor::<Probe>("alice").id().unwrap());
    assert_ne!(id, system.actor::<Probe>("bob").id().unwrap());
    assert_eq!(system.find(id).unwrap().key(), probe.key());
    assert!(system.find(ActorId::<Probe>::default()).is_none());
    assert!(system.find(ActorId::<Other>::from_raw(id.raw())).is_none(), "the id is of another type");
    assert!(format!("{probe:?} {id:?}").contains("alice"));
    system.shutdown().await.unwrap();
}

async fn a_system_can_be_restricted_to_types(backend: &Backend) {
    let system = backend.start(config(backend).actor::<Probe>().actor::<Probe>()).await;
    assert_eq!(system.actor::<Probe>(1).add(1).await.unwrap(), 1);
    let other = system.actor::<Other>(1);
    for result in [other.set(1).tell(), other.set(1).await, other.set(1).tell_wait().await] {
        let text = result.unwrap_err().to_string();
        assert!(text.contains("Other") && text.contains("Config::actor"), "{text}");
    }
    assert!(matches!(other.id(), Err(Error::UnknownType { .. })));
    system.shutdown().await.unwrap();
}

async fn waiting_tells_lose_nothing_and_stay_in_order_under_pressure(backend: &Backend) {
    let system = backend.start(config(backend).host_inbox(4)).await;
    let tasks: Vec<_> = (0..8u64)
        .map(|task| {
            let probe = system.actor::<Probe>(task % 4);
            tokio::spawn(async move {
                for _ in 0..2_000 {
                    probe.add(1).tell_wait().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for key in 0..4u64 {
        assert_eq!(system.actor::<Probe>(key).add(0).await.unwrap(), 4_000);
    }
    system.drained().await.unwrap();
    assert_eq!(system.stats().handled, 8 * 2_000 + 4);
    system.shutdown().await.unwrap();
}

async fn asks_wait_for_space_within_their_time(backend: &Backend) {
    let system = backend.start(config(backend).workers(1).host_inbox(2)).await;
    let probe = system.actor::<Probe>(1);
    system.pause().await.unwrap();
    probe.add(1).tell().unwrap();
    probe.add(0).tell().unwrap();
    assert!(matches!(probe.add(1).tell(), Err(Error::Full { .. })));
    let late = probe.add(1).timeout(Duration::from_millis(30)).await;
    assert!(matches!(late, Err(Error::Timeout { handler: "add", .. })), "{late:?}");
    let waiting = tokio::spawn(probe.add(10).into_future());
    tokio::task::yield_now().await;
    system.resume().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), 11, "what timed out before it was sent was never sent");
    assert_eq!(system.stats().late_replies, 0);
    system.shutdown().await.unwrap();
}

async fn a_paused_system_accepts_and_a_shutdown_lets_it_finish(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    system.pause().await.unwrap();
    for _ in 0..10 {
        probe.add(1).tell().unwrap();
    }
    let stats = system.stats();
    assert_eq!((stats.accepted, stats.handled, stats.in_flight), (10, 0, 10));
    system.shutdown().await.unwrap();
    assert_eq!(system.stats().handled, 10);
}

async fn orders_are_obeyed_as_they_were_called_even_if_nobody_waits(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    for _ in 0..50 {
        {
            let mut pause = pin!(system.pause());
            let _ = poll(pause.as_mut());
        }
        // Resumes, whether or not the pause that nobody waits for has come to its end.
        system.resume().await.unwrap();
        probe.add(1).await.unwrap();
    }
    let (paused, resumed) = tokio::join!(system.pause(), system.resume());
    paused.unwrap();
    resumed.unwrap();
    assert_eq!(probe.add(0).await.unwrap(), 50);
    system.shutdown().await.unwrap();
}

async fn a_stopped_system_says_so_everywhere(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    probe.add(1).tell().unwrap();
    let (first, second) = tokio::join!(system.shutdown(), system.shutdown());
    first.unwrap();
    second.unwrap();
    system.shutdown().await.unwrap();
    assert!(matches!(probe.add(1).tell(), Err(Error::Stopped)));
    assert!(matches!(probe.add(1).await, Err(Error::Stopped)));
    assert!(matches!(probe.add(1).tell_wait().await, Err(Error::Stopped)));
    assert!(matches!(system.actor::<Probe>(2).add(1).await, Err(Error::Stopped)));
    assert!(matches!(system.pause().await, Err(Error::Stopped)));
    assert_eq!(system.stats().handled, 1);
}

async fn dropping_a_system_ends_the_asks_that_wait(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    system.pause().await.unwrap();
    let ask = || tokio::spawn(probe.add(1).timeout(Duration::MAX).into_future());
    let asks = [ask(), ask()];
    while system.stats().accepted < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(system);
    for ask in asks {
        let ended = tokio::time::timeout(Duration::from_mins(1), ask).await.unwrap().unwrap();
        assert!(matches!(ended, Err(Error::Aborted { lost: 2 })), "{ended:?}");
    }
    assert!(matches!(probe.add(1).tell(), Err(Error::Aborted { lost: 2 })));
}

async fn systems_of_one_process_are_apart(backend: &Backend) {
    let (left, right) =
        tokio::join!(backend.start(config(backend)), backend.start(backend.config_of_another().workers(2)));
    assert_eq!(left.actor::<Probe>("x").add(1).await.unwrap(), 1);
    assert_eq!(right.actor::<Probe>("x").add(5).await.unwrap(), 5);
    left.shutdown().await.unwrap();
    assert_eq!(right.actor::<Probe>("x").add(5).await.unwrap(), 10);
    right.shutdown().await.unwrap();
}

async fn a_dead_letter_is_counted_and_heard_of(backend: &Backend) {
    let system = backend.start(config(backend)).await;
    let mut faults = system.subscribe_faults();
    let probe = system.actor::<Probe>(1);
    probe.pass(ActorId::default(), 5).await.unwrap();
    let letter = faults.recv().await.unwrap();
    assert_eq!((letter.kind, letter.handler, letter.dead_letter), (FaultKind::UnknownActor, "add", true));
    assert!(letter.to_string().contains("was not delivered"), "{letter}");
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.sent, stats.dead_letters, stats.faulted, stats.handled), (1, 1, 0, 1));
    system.shutdown().await.unwrap();
}

async fn the_last_clone_may_go_on_the_runtimes_own_thread(backend: &Backend) {
    struct Holder(Mutex<Option<ActorSystem>>, Sender<()>);
    impl Wake for Holder {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = None;
            let _ = self.1.send(());
        }
    }
    let system = backend.start(config(backend)).await;
    let probe = system.actor::<Probe>(1);
    let (gone, is_gone) = channel();
    let holder = Waker::from(Arc::new(Holder(Mutex::new(Some(system)), gone)));
    let mut ask = pin!(probe.add(1).into_future());
    let begun = Instant::now();
    // The reply wakes the holder, which ends the system on the thread that delivers replies.
    if ask.as_mut().poll(&mut Context::from_waker(&holder)).is_pending() {
        while !matches!(probe.add(1).tell(), Err(Error::Stopped | Error::Aborted { .. })) {
            assert!(begun.elapsed() < Duration::from_mins(1), "the system does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        // The next behaviour may get this device, and must not find a kernel there.
        is_gone.recv_timeout(Duration::from_mins(1)).unwrap();
    }
}

async fn what_neither_mailbox_nor_spill_ring_holds_is_a_dead_letter_and_nothing_vanishes(backend: &Backend) {
    let config = config(backend).device_inbox(2).spill(2).fault_history(1 << 16);
    let system = backend.start(config).await;
    let mut letters = system.subscribe_faults();
    let worker = |probe: &ActorRef<Probe>| probe.id().unwrap().raw() >> 32 & 0xfff;
    let from = system.actor::<Probe>("from");
    // On the sender's own worker, which takes nothing out of its rings while the sender's handler is at work.
    let to =
        (0..100u32).map(|key| system.actor::<Probe>(key)).find(|to| worker(to) == worker(&from)).unwrap();
    for _ in 0..100 {
        from.flood(to.id().unwrap()).tell_wait().await.unwrap();
    }
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!(stats.sent, 1600);
    assert!(stats.dead_letters > 0 && stats.spilled > 0, "{stats:?}");
    assert_eq!(stats.accepted + stats.sent, stats.handled + stats.faulted + stats.dead_letters);
    assert_eq!(to.add(0).await.unwrap(), 1600 - stats.dead_letters);
    for _ in 0..stats.dead_letters {
        let letter = letters.try_recv().unwrap();
        assert_eq!((letter.kind, letter.handler, letter.dead_letter), (FaultKind::MailboxFull, "add", true));
        assert_eq!(letter.actor, to.key().to_string());
    }
    assert!(letters.try_recv().is_err());
    system.shutdown().await.unwrap();
}

/// The simplest executor: no timer, no reactor.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

async fn any_executor_will_do_and_timeouts_need_no_timer(backend: &Backend) {
    let behaviour = async {
        let system = backend.start(config(backend).workers(1)).await;
        let probe = system.actor::<Probe>(1);
        assert_eq!(probe.add(1).await.unwrap(), 1);
        // Idle long enough for every thread to be asleep.
        std::thread::sleep(Duration::from_millis(50));
        system.pause().await.unwrap();
        let begun = Instant::now();
        let late = probe.add(1).timeout(Duration::from_millis(20)).await;
        assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
        assert!(begun.elapsed() >= Duration::from_millis(20));
        system.resume().await.unwrap();
        system.drained().await.unwrap();
        assert_eq!(system.stats().late_replies, 1);
        system.shutdown().await.unwrap();
    };
    // On a thread that knows nothing of the suite's executor.
    std::thread::scope(|scope| scope.spawn(|| block_on(behaviour)).join()).unwrap();
}

async fn more_workers_than_the_device_holds_are_refused_by_name(backend: &Backend) {
    let most = backend.device.info().max_resident_blocks;
    let refused = ActorSystem::start(backend.config().workers(most + 1)).await;
    assert!(matches!(&refused, Err(Error::Config { option: "workers", .. })), "{refused:?}");
}
