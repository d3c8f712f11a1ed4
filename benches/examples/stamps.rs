//! Many threads take stamps of one hybrid logical clock, one by one and in batches, and receive each other's: is any given twice?
//!
//! `cargo run --release -p gpu-actor-benches --example stamps [EVENTS]`; 10^8 events by default. It ends with an error where a stamp is
//! given twice or out of order.

use std::sync::Arc;

use gpu_actor_rt::hlc::{self, Clock};

const THREADS: u64 = 4;
/// Events of one thread between two looks at all of them.
const ROUND: u64 = 250_000;

/// The stamps of one thread's round, in the order taken.
fn round(clock: &Clock, thread: u64) -> Vec<u64> {
    let mut stamps = Vec::with_capacity(ROUND as usize);
    let mut batch = clock.batch();
    let mut last = 0;
    for event in 0..ROUND {
        last = match (event + thread) % 4 {
            0 => clock.tick(hlc::now()),
            // A message that is a little ahead, as another machine's clock may be.
            1 => match clock.receive(last + 100, hlc::now()) {
                Ok(stamp) => stamp,
                Err(error) => panic!("{error}"),
            },
            _ => batch.tick(hlc::now),
        };
        stamps.push(last);
    }
    stamps
}

fn main() -> Result<(), String> {
    let events: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|error| format!("{text:?} is no number of events: {error}"))?,
        None => 100_000_000,
    };
    let clock: Arc<Clock> = Arc::new(Clock::new(u64::MAX));
    let (mut seen, mut last) = (0, 0);
    while seen < events {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let clock = Arc::clone(&clock);
                std::thread::spawn(move || round(&clock, thread))
            })
            .collect();
        let mut stamps = Vec::with_capacity((THREADS * ROUND) as usize);
        for thread in threads {
            let taken = thread.join().map_err(|_| "a thread panicked".to_owned())?;
            if !taken.is_sorted_by(|before, after| before < after) {
                return Err("a thread's stamps do not increase".to_owned());
            }
            stamps.extend(taken);
        }
        stamps.sort_unstable();
        if let Some((twice, _)) = stamps.iter().zip(&stamps[1..]).find(|(one, next)| one == next) {
            return Err(format!("stamp {twice} was given twice"));
        }
        if stamps[0] <= last {
            return Err(format!("stamp {} came after {last}", stamps[0]));
        }
        last = stamps[stamps.len() - 1];
        seen += THREADS * ROUND;
    }
    println!("{seen} stamps of {THREADS} threads: none was given twice, each thread's increase");
    Ok(())
}
