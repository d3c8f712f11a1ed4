//! Buffers: what it costs to hand one on, beside a message without; and to copy elements into one, beside `memcpy`.
//!
//! A token goes from actor to actor on one worker, with a slice or without, and no handler looks at the elements. All forms take
//! turns in one run; the ratio is of medians.

use std::time::Instant;

use gpu_actor_rt::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::{Sample, place};

/// Hops of a round.
const HOPS: u32 = 200_000;
/// Elements of 4 bytes, from 64 bytes to 16 MiB.
const LENGTHS: [usize; 4] = [16, 1 << 10, 1 << 18, 1 << 22];
/// Bytes that are copied.
const COPIED: usize = 64 << 20;

/// One that hands on.
#[gpu_actor]
#[derive(Default)]
pub struct Hop {
    next: ActorId<Hop>,
    hops: u64,
}

#[gpu_actor]
impl Hop {
    /// Says who is next.
    #[handler]
    pub fn link(&mut self, next: ActorId<Hop>) {
        self.next = next;
    }

    /// A token of 4 bytes.
    #[handler]
    pub fn token(&mut self, cx: &mut Cx, left: u32) {
        self.hops += 1;
        if left > 0 {
            cx.tell(self.next.token(left - 1));
        }
    }

    /// A token with a buffer that everybody may read.
    #[handler]
    pub fn read(&mut self, cx: &mut Cx, data: GpuSlice<u32>, left: u32) {
        self.hops += 1;
        if left > 0 {
            cx.tell(self.next.read(data, left - 1));
        }
    }

    /// A token with a buffer that its holder may write to.
    #[handler]
    pub fn write(&mut self, cx: &mut Cx, data: GpuSliceMut<u32>, left: u32) {
        self.hops += 1;
        if left > 0 {
            cx.tell(self.next.write(data, left - 1));
        }
    }

    /// Tokens so far.
    #[handler]
    pub fn hops(&self) -> u64 {
        self.hops
    }
}

/// A form and its times, in nanoseconds for a hop or milliseconds for a copy.
struct Row {
    name: String,
    times: Vec<f64>,
}

async fn hops(rounds: usize) -> Outcome<Vec<Row>> {
    let system = ActorSystem::start(Config::default().workers(1).actor::<Hop>()).await?;
    let actors: Vec<ActorRef<Hop>> = (0..100u64).map(|n| system.actor(n)).collect();
    for (n, actor) in actors.iter().enumerate() {
        actor.link(actors[(n + 1) % actors.len()].id()?).await?;
    }
    let buffers = LENGTHS.map(|len| system.zeroed::<u32>(len));
    let mut rows = vec![Row { name: "no slice".into(), times: Vec::new() }];
    for (buffer, len) in buffers.iter().zip(LENGTHS) {
        for form in ["read", "write"] {
            rows.push(Row { name: format!("{form} {} bytes", 4 * len), times: Vec::new() });
        }
        if let Err(error) = buffer {
            return Err(error.to_string().into());
        }
    }
    for _ in 0..=rounds {
        let mut at = 0;
        let mut timed = async |call: gpu_actor_rt::Call<()>| -> Outcome<()> {
            let begun = Instant::now();
            call.tell()?;
            system.drained().await?;
            rows[at].times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(HOPS));
            at += 1;
            Ok(())
        };
        timed(actors[0].token(HOPS - 1)).await?;
        for buffer in buffers.iter().flatten() {
            timed(actors[0].read(buffer, HOPS - 1)).await?;
            timed(actors[0].write(buffer, HOPS - 1)).await?;
        }
    }
    let mut counted = 0;
    for actor in &actors {
        counted += actor.hops().await?;
    }
    let want = (rounds as u64 + 1) * rows.len() as u64 * u64::from(HOPS);
    if counted != want {
        return Err(format!("{want} hops were asked for, {counted} were made").into());
    }
    system.shutdown().await?;
    // The first round finds cold caches.
    for row in &mut rows {
        row.times.remove(0);
    }
    Ok(rows)
}

async fn copies(rounds: usize) -> Outcome<Vec<Row>> {
    let system = ActorSystem::start(Config::default().workers(1).actor::<Hop>()).await?;
    let from: Vec<u32> = (0..COPIED as u32 / 4).collect();
    let mut to = vec![0u32; from.len()];
    let buffer = system.zeroed::<u32>(from.len())?;
    let names = ["memcpy", "Buffer::copy_from", "Buffer::copy_to", "MapMut::copy_from_slice"];
    let mut rows: Vec<_> = names.iter().map(|name| Row { name: (*name).into(), times: Vec::new() }).collect();
    for _ in 0..=rounds {
        for (at, row) in rows.iter_mut().enumerate() {
            let begun = Instant::now();
            match at {
                0 => to.copy_from_slice(std::hint::black_box(&from)),
                1 => buffer.copy_from(&from).await?,
                2 => buffer.copy_to(&mut to).await?,
                _ => buffer.map_mut().await?.copy_from_slice(&from),
            }
            row.times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    if to != from {
        return Err("what was copied is not what came back".into());
    }
    drop(buffer);
    system.shutdown().await?;
    for row in &mut rows {
        row.times.remove(0);
    }
    Ok(rows)
}

fn print(title: &str, unit: &str, rows: Vec<Row>) -> Vec<Value> {
    println!("{title}");
    let mut first = None;
    let mut values = Vec::new();
    for Row { name, times } in rows {
        let sample = Sample::new(times);
        let ((least, most), median) = (sample.ends(), sample.median());
        let ratio = median / *first.get_or_insert(median);
        println!("  {name:24} {median:9.2} {unit} ({least:.2} to {most:.2}) {ratio:6.2}x");
        values.push(json!({ "name": name, "unit": unit, "median": median, "least": least, "most": most, "ratio": ratio }));
    }
    println!();
    values
}

/// Measures buffers.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("{}; {rounds} rounds, in turns\n", place());
    let hops = print("a hop from actor to actor", "ns", runtime.block_on(hops(rounds))?);
    let copies = print("64 MiB from host to buffer and back", "ms", runtime.block_on(copies(rounds))?);
    Ok(json!({ "bench": "buffers", "place": place(), "rounds": rounds, "hops": hops, "copies": copies }))
}
