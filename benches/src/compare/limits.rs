//! What queues without actors do: the limits of the comparison.

use std::hint::spin_loop;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::role::{Threads, on_tokio};
use super::workload::{Load, percentiles, rate};

/// Counting over a bare channel of Tokio.
pub(crate) fn mpsc_counting(threads: Threads, load: Load) -> f64 {
    on_tokio(threads, async move {
        let (send, mut receive) = mpsc::unbounded_channel::<u64>();
        let counter = tokio::spawn(async move {
            let mut count = 0;
            while let Some(n) = receive.recv().await {
                count += n;
            }
            count
        });
        let begun = Instant::now();
        for _ in 0..load.tells {
            send.send(1).expect("the counter lives");
        }
        drop(send);
        assert_eq!(counter.await.expect("it does not panic"), load.tells);
        rate(load.tells, begun)
    })
}

/// Asks, one after the other, over a channel and a oneshot.
pub(crate) fn mpsc_asks(threads: Threads, load: Load) -> [f64; 3] {
    let (give, take) = std::sync::mpsc::channel();
    on_tokio(threads, async move {
        let (send, mut receive) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            let mut count = 0;
            while let Some((n, reply)) = receive.recv().await {
                count += n;
                let _ = reply.send(count);
            }
        });
        let mut times = Vec::with_capacity(load.asks as usize);
        for n in 0..load.asks + load.asks / 10 {
            let begun = Instant::now();
            let (reply, answer) = oneshot::channel();
            send.send((1, reply)).expect("the counter lives");
            answer.await.expect("it replies");
            if n >= load.asks / 10 {
                times.push(begun.elapsed().as_nanos() as u64);
            }
        }
        let _ = give.send(percentiles(times));
        0.0
    });
    take.recv().expect("the driver has ended well")
}

/// Slots of 64 bytes through `rtrb`, from one thread to another that spins.
pub(crate) fn rtrb_counting(load: Load) -> f64 {
    let (mut send, mut receive) = rtrb::RingBuffer::<[u64; 8]>::new(1024);
    let count = load.tells * 10;
    let counter = std::thread::spawn(move || {
        let mut sum = 0;
        let mut seen = 0;
        while seen < count {
            if let Ok(slot) = receive.pop() {
                sum += slot[0];
                seen += 1;
            } else {
                spin_loop();
            }
        }
        sum
    });
    let begun = Instant::now();
    for _ in 0..count {
        let mut slot = [1; 8];
        while let Err(rtrb::PushError::Full(back)) = send.push(slot) {
            slot = back;
            spin_loop();
        }
    }
    assert_eq!(counter.join().expect("it does not panic"), count);
    rate(count, begun)
}
