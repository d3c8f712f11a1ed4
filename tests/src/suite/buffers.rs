//! Buffers: what handlers read and write, what is handed on, and that nothing is kept by whoever is done with it.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use std::future::Future;
use std::task::{Context, Poll, Waker};

use super::{Backend, behaviours};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{BufferError, MOST_BYTES};

behaviours! {
    slices_of_any_length_are_read_where_they_are,
    what_a_handler_writes_is_seen_by_whoever_comes_later,
    parts_are_what_they_are_parts_of,
    buffers_go_from_actor_to_actor,
    replies_bring_buffers_back,
    one_handler_at_a_time_writes_to_a_buffer,
    faults_give_back_what_their_messages_have,
    messages_that_nobody_gets_give_back_what_they_have,
    replies_that_nobody_reads_give_back_what_they_have,
    the_host_waits_for_handlers_and_handlers_for_nobody,
    what_cannot_be_sent_is_said_and_kept,
    a_shutdown_gives_everything_back,
    replies_are_read_after_a_shutdown,
}

#[gpu_actor]
#[derive(Default)]
pub struct Worker {
    next: ActorId<Worker>,
    other: ActorId<Worker>,
    seen: u64,
}

#[gpu_actor]
impl Worker {
    #[handler]
    fn link(&mut self, next: ActorId<Worker>, other: ActorId<Worker>) {
        self.next = next;
        self.other = other;
    }

    #[handler]
    fn seen(&self) -> u64 {
        self.seen
    }

    #[handler]
    fn sum(&mut self, data: GpuSlice<u32>) -> u64 {
        self.seen += 1;
        let mut sum = 0u64;
        for x in data {
            sum += x as u64;
        }
        sum
    }

    #[handler]
    fn dot(&mut self, factor: f64, x: GpuSlice<f64>, offset: u32, y: GpuSlice<f64>) -> f64 {
        self.seen += 1;
        let mut sum = 0.0;
        for i in 0..x.len() {
            sum += factor * x[i] * y[i + offset as usize];
        }
        sum
    }

    #[handler]
    fn add(&mut self, mut to: GpuSliceMut<u32>, by: u32) -> u32 {
        self.seen += 1;
        for i in 0..to.len() {
            to[i] += by;
        }
        to.len() as u32
    }

    #[handler]
    fn copy(&mut self, from: GpuSlice<u32>, mut to: GpuSliceMut<u32>) {
        assert!(from.len() == to.len(), "lengths differ");
        for i in 0..from.len() {
            to[i] = from[i];
        }
    }

    /// Adds one to everything, on so many workers in turns.
    #[handler]
    fn relay(&mut self, cx: &mut Cx, hops: u32, mut data: GpuSliceMut<u32>) {
        self.seen += 1;
        for i in 0..data.len() {
            data[i] += 1;
        }
        if hops > 1 {
            cx.tell(self.next.relay(hops - 1, data));
        }
    }

    /// Two messages from each, so many levels deep.
    #[handler]
    fn spread(&mut self, cx: &mut Cx, levels: u32, data: GpuSlice<u32>) {
        self.seen += data[0] as u64;
        if levels > 0 {
            cx.tell(self.next.spread(levels - 1, data.clone()));
            cx.tell(self.other.spread(levels - 1, data.slice(0..1)));
        }
    }

    #[handler]
    fn half(&mut self, data: GpuSlice<u32>) -> GpuSlice<u32> {
        data.slice(data.len() / 2..)
    }

    #[handler]
    fn filled(&mut self, mut data: GpuSliceMut<u32>, with: u32) -> GpuSliceMut<u32> {
        for i in 0..data.len() {
            data[i] = with;
        }
        data
    }

    /// Reads an element, and then sends: a fault sends nothing.
    #[handler]
    fn peek(&mut self, cx: &mut Cx, data: GpuSlice<u32>, at: u32) -> u32 {
        cx.tell(self.next.sum(data.clone()));
        data[at as usize]
    }

    #[handler]
    fn cut(&mut self, data: GpuSlice<u32>, from: u32, to: u32) -> u32 {
        data.slice(from as usize..to as usize).len() as u32
    }

    /// Reads and writes without a word between: only one that is alone counts right.
    #[handler]
    fn count(&mut self, mut data: GpuSliceMut<u32>) {
        let before = data[0];
        let mut i = 0u32;
        while i < 50 {
            i += 1;
        }
        data[0] = before + 1;
    }

    #[handler]
    fn send_to(&mut self, cx: &mut Cx, to: ActorId<Worker>, data: GpuSlice<u32>) {
        cx.tell(to.sum(data.clone()));
        cx.tell(to.sum(data));
    }
}

fn workers(system: &ActorSystem, count: u64) -> Vec<ActorRef<Worker>> {
    (0..count).map(|n| system.actor(n)).collect()
}

/// Nobody has a buffer, and nothing refers to one.
async fn nothing_is_left(system: &ActorSystem) {
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.buffers, stats.buffer_references), (0, 0), "{stats:?}");
}

/// From none, over what fits a message, to what does not: one sum.
async fn slices_of_any_length_are_read_where_they_are(backend: &Backend) {
    for lanes in [1, 32] {
        let system = backend.start(backend.config().actor::<Worker>().lanes(lanes)).await;
        let worker = system.actor::<Worker>(1);
        assert_eq!(worker.sum(Vec::new()).await.unwrap(), 0);
        for len in [1usize, 2, 3, 7, 8, 9, 40, 41, 42, 48, 49, 50, 255, 256, 257, 5000] {
            let data: Vec<u32> = (1..=len as u32).collect();
            let sum = data.iter().map(|&x| u64::from(x)).sum::<u64>();
            // As elements, wherever they travel, as a buffer that is borrowed, and one that is given away.
            assert_eq!(worker.sum(&data).await.unwrap(), sum, "{len} elements");
            let buffer = system.buffer(&data).unwrap();
            assert_eq!((buffer.len(), worker.sum(&buffer).await.unwrap()), (len, sum));
            assert_eq!(buffer.to_vec().await.unwrap(), data);
            assert_eq!(worker.sum(buffer).await.unwrap(), sum);
        }
        let (x, y) = (vec![1.5f64; 20], system.buffer(&[2.0f64; 21]).unwrap());
        assert_eq!(worker.dot(2.0, &x, 1, &y).await.unwrap().to_bits(), 120.0f64.to_bits());
        assert_eq!(worker.dot(2.0, &y, 0, &y).await.unwrap().to_bits(), 168.0f64.to_bits());
        drop(y);
        nothing_is_left(&system).await;
        system.shutdown().await.unwrap();
    }
}

async fn what_a_handler_writes_is_seen_by_whoever_comes_later(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let (worker, reader) = (system.actor::<Worker>(1), system.actor::<Worker>(2));
    let data = system.zeroed::<u32>(1000).unwrap();
    assert_eq!(data.to_vec().await.unwrap(), [0; 1000]);
    for by in 1..=20 {
        worker.add(&data, by).tell().unwrap();
    }
    assert_eq!(worker.add(&data, 0).await.unwrap(), 1000);
    assert_eq!(reader.sum(&data).await.unwrap(), 210_000);
    assert_eq!(data.to_vec().await.unwrap(), [210; 1000]);
    let mut map = data.map_mut().await.unwrap();
    map[7] = 0;
    map.write_back().unwrap();
    assert_eq!(reader.sum(&data).await.unwrap(), 209_790);
    let other: Vec<u32> = (0..1000).collect();
    data.copy_from(&other).await.unwrap();
    let copy = system.zeroed::<u32>(1000).unwrap();
    worker.copy(&data, &copy).await.unwrap();
    let mut out = vec![0; 1000];
    copy.copy_to(&mut out).await.unwrap();
    assert_eq!(out, other);
    drop((data, copy));
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

async fn parts_are_what_they_are_parts_of(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    let data = system.buffer(&[1u32; 100]).unwrap();
    worker.add(data.slice(10..20).unwrap(), 1).await.unwrap();
    worker.add(data.slice(95..).unwrap(), 9).await.unwrap();
    let middle = data.slice(5..=25).unwrap();
    assert_eq!((middle.len(), middle.range()), (21, 5..26));
    assert_eq!(worker.sum(&middle).await.unwrap(), 31);
    assert_eq!(middle.slice(5..7).unwrap().to_vec().await.unwrap(), [2, 2]);
    assert_eq!(worker.sum(&data).await.unwrap(), 155);
    // Two parts of one buffer, one to be written to.
    worker.copy(data.slice(90..).unwrap(), data.slice(..10).unwrap()).await.unwrap();
    assert_eq!(worker.sum(data.slice(..10).unwrap()).await.unwrap(), 55);
    assert_eq!(worker.cut(&data, 10, 90).await.unwrap(), 80);
    drop((data, middle));
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

/// A token of a buffer through actors of all workers; then as many messages with one as a tree has leaves.
async fn buffers_go_from_actor_to_actor(backend: &Backend) {
    for lanes in [1, 32] {
        let system = backend.start(backend.config().actor::<Worker>().lanes(lanes)).await;
        let workers = workers(&system, 7);
        for (n, worker) in workers.iter().enumerate() {
            let to = |step: usize| workers[(n + step) % workers.len()].id().unwrap();
            worker.link(to(1), to(3)).await.unwrap();
        }
        let data = system.zeroed::<u32>(300).unwrap();
        workers[0].relay(100, &data).await.unwrap();
        system.drained().await.unwrap();
        assert_eq!(data.to_vec().await.unwrap(), [100; 300]);
        // Given away, the last one that has it gives it back.
        workers[3].relay(9, data).tell().unwrap();
        // What is within its message is copied on.
        for worker in &workers {
            worker.spread(6, [2u32, 3]).tell().unwrap();
            worker.spread(6, system.buffer(&[2u32; 700]).unwrap()).tell().unwrap();
        }
        nothing_is_left(&system).await;
        let seen = system.ask_many(workers.iter().map(|worker| worker.seen())).await;
        let seen: u64 = seen.into_iter().map(Result::unwrap).sum();
        assert_eq!(seen, 109 + 2 * 7 * 2 * 127);
        system.shutdown().await.unwrap();
    }
}

async fn replies_bring_buffers_back(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    let data = system.buffer(&(0..1000).collect::<Vec<u32>>()).unwrap();
    let half = worker.half(&data).await.unwrap();
    assert_eq!(half.range(), 500..1000);
    let quarter = worker.half(half.slice(..).unwrap()).await.unwrap();
    assert_eq!(quarter.to_vec().await.unwrap(), (750..1000).collect::<Vec<u32>>());
    // Given away with the message, it comes back with the reply.
    let lent = system.zeroed::<u32>(64).unwrap();
    let back = worker.filled(lent, 7).await.unwrap();
    assert_eq!(back.to_vec().await.unwrap(), [7; 64]);
    assert_eq!(system.stats().buffers, 2);
    // What is within its message comes back in a buffer of its own.
    let small = worker.half([1u32, 2, 3, 4, 5]).await.unwrap();
    assert_eq!(small.to_vec().await.unwrap(), [3, 4, 5]);
    let none = worker.half(Vec::new()).await.unwrap();
    assert!(none.is_empty());
    // A tell has no reply, and nothing is kept for one.
    worker.filled(system.zeroed::<u32>(64).unwrap(), 7).tell().unwrap();
    drop((data, half, quarter, back, small, none));
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

/// Actors on all workers and lanes count in one buffer, each by reading and then writing.
async fn one_handler_at_a_time_writes_to_a_buffer(backend: &Backend) {
    for lanes in [1, 32] {
        let system = backend.start(backend.config().actor::<Worker>().lanes(lanes)).await;
        let workers = workers(&system, 64);
        let data = system.zeroed::<u32>(1).unwrap();
        let calls = (0..640).map(|n| workers[n % workers.len()].count(&data));
        for result in system.ask_many(calls).await {
            result.unwrap();
        }
        assert_eq!(data.to_vec().await.unwrap(), [640]);
        drop(data);
        nothing_is_left(&system).await;
        system.shutdown().await.unwrap();
    }
}

fn kind<T: std::fmt::Debug>(result: gpu_actor_rt::Result<T>) -> FaultKind {
    match result {
        Err(Error::Fault(fault)) => fault.kind,
        other => panic!("{other:?}"),
    }
}

async fn faults_give_back_what_their_messages_have(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let workers = workers(&system, 2);
    workers[0].link(workers[1].id().unwrap(), workers[1].id().unwrap()).await.unwrap();
    let data = system.buffer(&[5u32; 300]).unwrap();
    assert_eq!(workers[0].peek(&data, 299).await.unwrap(), 5);
    assert_eq!(kind(workers[0].peek(&data, 300).await), FaultKind::Bounds);
    assert_eq!(kind(workers[0].peek([1u32, 2], 2).await), FaultKind::Bounds);
    assert_eq!(kind(workers[0].cut(&data, 200, 301).await), FaultKind::Bounds);
    assert_eq!(kind(workers[0].cut(&data, 20, 19).await), FaultKind::Bounds);
    let other = system.zeroed::<u32>(299).unwrap();
    assert_eq!(kind(workers[0].copy(&data, &other).await), FaultKind::Assert);
    // One buffer to be read and to be written to, the two parts not apart.
    let [low, high] = [data.slice(..200).unwrap(), data.slice(100..).unwrap()];
    assert_eq!(kind(workers[0].copy(low, high).await), FaultKind::Overlap);
    system.drained().await.unwrap();
    // The one that did not fault sent its message.
    assert_eq!(workers[1].seen().await.unwrap(), 1);
    assert_eq!(data.to_vec().await.unwrap(), [5; 300]);
    drop((data, other));
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

async fn messages_that_nobody_gets_give_back_what_they_have(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    worker.link(worker.id().unwrap(), worker.id().unwrap()).await.unwrap();
    // An id that no system gave out: dead letters, and the same on the worker that it says.
    for raw in [u64::MAX, worker.id().unwrap().raw() + 77] {
        worker.send_to(ActorId::from_raw(raw), system.buffer(&[1u32; 100]).unwrap()).tell().unwrap();
        worker.send_to(ActorId::from_raw(raw), system.buffer(&[1u32; 100]).unwrap()).await.unwrap();
    }
    nothing_is_left(&system).await;
    let stats = system.stats();
    assert_eq!(stats.dead_letters + stats.faulted, 8, "{stats:?}");
    system.shutdown().await.unwrap();
}

async fn replies_that_nobody_reads_give_back_what_they_have(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    worker.seen().await.unwrap();
    system.pause().await.unwrap();
    for round in 0..4 {
        let mut ask = Box::pin(worker.filled(system.zeroed::<u32>(64).unwrap(), 7).into_future());
        if round % 2 == 0 {
            // Sent, and dropped before the reply; or not even sent.
            let poll = ask.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(poll, Poll::Pending));
        }
    }
    let late =
        worker.filled(system.zeroed::<u32>(64).unwrap(), 7).timeout(std::time::Duration::from_millis(1));
    assert!(matches!(late.await, Err(Error::Timeout { .. })));
    // One whose reply is there when it is dropped.
    let mut unread = Box::pin(worker.filled(system.zeroed::<u32>(64).unwrap(), 7).into_future());
    assert!(unread.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    system.resume().await.unwrap();
    system.drained().await.unwrap();
    assert_eq!(system.stats().buffers, 1);
    drop(unread);
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

async fn the_host_waits_for_handlers_and_handlers_for_nobody(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    let data = system.buffer(&[1u32; 100]).unwrap();
    worker.seen().await.unwrap();
    system.pause().await.unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    // Who only reads is in nobody's way who reads.
    worker.sum(&data).tell().unwrap();
    let map = data.map().await.unwrap();
    assert_eq!(map[99], 1);
    worker.sum(&data).tell().unwrap();
    // A guard that reads keeps out who writes, and is told.
    let refused = worker.add(&data, 1).tell().unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::Mapped { for_writing: false })), "{refused}");
    let refused = data.map_mut().await.unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::Mapped { for_writing: false })), "{refused}");
    drop(map);
    let mut writes = Box::pin(data.map_mut());
    assert!(writes.as_mut().poll(&mut cx).is_pending(), "two messages with it are in flight");
    worker.add(&data, 1).tell().unwrap();
    let mut reads = Box::pin(data.map());
    assert!(reads.as_mut().poll(&mut cx).is_pending(), "a handler will write to it");
    system.resume().await.unwrap();
    assert_eq!(reads.await.unwrap()[99], 2);
    let map = writes.await.unwrap();
    for refused in
        [worker.sum(&data).tell(), worker.add(&data, 1).tell(), worker.sum(&data).tell_wait().await]
    {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Buffer(BufferError::Mapped { for_writing: true })), "{refused}");
    }
    drop((map, data));
    nothing_is_left(&system).await;
    system.shutdown().await.unwrap();
}

async fn what_cannot_be_sent_is_said_and_kept(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>().max_buffers(2)).await;
    let worker = system.actor::<Worker>(1);
    for len in [0, MOST_BYTES / 4 + 1, usize::MAX] {
        let refused = system.zeroed::<u32>(len).unwrap_err();
        assert!(
            matches!(refused, Error::Buffer(BufferError::Length { elements, size: 4 }) if elements == len)
        );
    }
    assert!(matches!(system.buffer::<u32>(&[]), Err(Error::Buffer(BufferError::Length { elements: 0, .. }))));
    let data = system.buffer(&[1u32; 10]).unwrap();
    let refused = data.slice(3..11).unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::Range { from: 3, to: 11, len: 10 })), "{refused}");
    let refused = data.copy_from(&[1; 9]).await.unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::Mismatch { given: 9, len: 10 })), "{refused}");
    let second = system.buffer(&[1u32; 10]).unwrap();
    let refused = system.buffer(&[1u32; 10]).unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::TooMany { limit: 2 })), "{refused}");
    // The same where the call would have made one.
    let refused = worker.sum(vec![1u32; 1000]).await.unwrap_err();
    assert!(matches!(refused, Error::Buffer(BufferError::TooMany { limit: 2 })), "{refused}");
    drop(second);

    let another = backend.start(backend.config_of_another().actor::<Worker>()).await;
    let stranger = another.actor::<Worker>(1);
    for refused in [stranger.sum(&data).tell(), stranger.sum(&data).await.map(|_| ())] {
        assert!(matches!(refused, Err(Error::Buffer(BufferError::Foreign))));
    }
    let mut refused = another.tell_many([stranger.sum(&data)]).unwrap_err();
    assert!(matches!(*refused.cause, Error::Buffer(BufferError::Foreign)));
    refused = another.tell_many([*refused.call]).unwrap_err();
    assert!(matches!(*refused.cause, Error::Buffer(BufferError::Failed)));
    drop(refused);
    assert_eq!(worker.sum(&data).await.unwrap(), 10);
    drop(data);
    nothing_is_left(&system).await;
    nothing_is_left(&another).await;
    another.shutdown().await.unwrap();
    system.shutdown().await.unwrap();
}

/// Buffers outlive their system as data, and messages that were never handled keep none of them.
async fn a_shutdown_gives_everything_back(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    let data = system.buffer(&[3u32; 100]).unwrap();
    for _ in 0..10 {
        worker.add(&data, 1).tell().unwrap();
        worker.sum(vec![1u32; 1000]).tell().unwrap();
    }
    system.shutdown().await.unwrap();
    assert_eq!(data.to_vec().await.unwrap(), [13; 100]);
    let stats = system.stats();
    assert_eq!((stats.buffers, stats.buffer_references), (1, 0), "{stats:?}");
    assert!(matches!(worker.sum(&data).tell(), Err(Error::Stopped)));
    drop(data);
    assert_eq!(system.stats().buffers, 0);
}

/// A reply that came before the end is read after it, with its buffer.
async fn replies_are_read_after_a_shutdown(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Worker>()).await;
    let worker = system.actor::<Worker>(1);
    worker.seen().await.unwrap();
    let mut asks: Vec<_> = (0..3)
        .map(|_| Box::pin(worker.filled(system.zeroed::<u32>(640).unwrap(), 7).into_future()))
        .collect();
    system.pause().await.unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for ask in &mut asks {
        assert!(ask.as_mut().poll(&mut cx).is_pending());
    }
    system.resume().await.unwrap();
    system.shutdown().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.buffers, stats.buffer_references), (3, 3), "{stats:?}");
    let Some(Poll::Ready(Ok(reply))) = asks.pop().map(|mut ask| ask.as_mut().poll(&mut cx)) else {
        panic!("the reply was there before the end");
    };
    assert_eq!(reply.to_vec().await.unwrap(), [7; 640]);
    drop(asks.pop());
    let stats = system.stats();
    assert_eq!((stats.buffers, stats.buffer_references), (2, 1), "{stats:?}");
    drop((reply, asks));
    let stats = system.stats();
    assert_eq!((stats.buffers, stats.buffer_references, system.pool().in_use), (0, 0, 0), "{stats:?}");
}
