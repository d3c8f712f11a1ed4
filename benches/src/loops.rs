//! Loops over buffers: saxpy, a dot product and a stencil, beside the same loops in Rust, on one core and on two.
//!
//! Both sides run the same methods: the device as PTX, the other natively. On two cores each has a half of the elements, in
//! buffers of its own. All forms take turns in one run; the ratio is of medians, to Rust on as many cores.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use std::hint::black_box;
use std::time::Instant;

use gpu_actor_rt::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::{Sample, place};

/// Elements of a buffer.
const LEN: usize = 1 << 20;
/// Elements of a row of the stencil's grid.
const WIDTH: usize = 1 << 10;
/// Passes over the elements in a round.
const PASSES: usize = 8;

/// One that computes.
#[gpu_actor]
#[derive(Default)]
pub struct Looper {
    passes: u64,
}

#[gpu_actor]
impl Looper {
    /// Which worker it is on.
    #[handler]
    pub fn worker(&mut self, cx: &mut Cx) -> u32 {
        cx.worker()
    }

    /// `y = a * x + y`.
    #[handler]
    pub fn saxpy(&mut self, a: f32, x: GpuSlice<f32>, mut y: GpuSliceMut<f32>) {
        for i in 0..y.len() {
            y[i] += a * x[i];
        }
        self.passes += 1;
    }

    /// The sum of the products.
    #[handler]
    pub fn dot(&mut self, x: GpuSlice<f32>, y: GpuSlice<f32>) -> f32 {
        let mut sum = 0.0f32;
        for i in 0..x.len() {
            sum += x[i] * y[i];
        }
        self.passes += 1;
        sum
    }

    /// The mean of each element and its four neighbours in a grid of rows; the edge stays.
    #[handler]
    pub fn stencil(&mut self, width: u32, x: GpuSlice<f32>, mut y: GpuSliceMut<f32>) {
        let w = width as usize;
        for r in 1..x.len() / w - 1 {
            for c in 1..w - 1 {
                let at = r * w + c;
                y[at] = 0.2 * (x[at] + x[at - 1] + x[at + 1] + x[at - w] + x[at + w]);
            }
        }
        self.passes += 1;
    }
}

/// The same loops as a library would have them.
fn native(kind: usize, x: &[f32], y: &mut [f32]) -> f32 {
    match kind {
        0 => {
            for (y, x) in y.iter_mut().zip(x) {
                *y += 0.5 * *x;
            }
            0.0
        }
        1 => x.iter().zip(y.iter()).map(|(x, y)| x * y).sum(),
        _ => {
            let w = WIDTH;
            for r in 1..x.len() / w - 1 {
                let (above, row, below) =
                    (&x[(r - 1) * w..r * w], &x[r * w..(r + 1) * w], &x[(r + 1) * w..(r + 2) * w]);
                let out = &mut y[r * w..(r + 1) * w];
                for c in 1..w - 1 {
                    out[c] = 0.2 * (row[c] + row[c - 1] + row[c + 1] + above[c] + below[c]);
                }
            }
            0.0
        }
    }
}

const KINDS: [&str; 3] = ["saxpy", "dot", "stencil"];

/// An actor with its buffers, and the native twin's.
struct Half {
    actor: ActorRef<Looper>,
    x: Buffer<f32>,
    y: Buffer<f32>,
    own_x: Vec<f32>,
    own_y: Vec<f32>,
}

impl Half {
    async fn new(system: &ActorSystem, actor: ActorRef<Looper>, len: usize) -> Outcome<Self> {
        let own_x: Vec<f32> = (0..len).map(|i| (i % 1000) as f32 * 0.001).collect();
        let own_y: Vec<f32> = (0..len).map(|i| (i % 777) as f32 * 0.002).collect();
        let (x, y) = (system.zeroed::<f32>(len)?, system.zeroed::<f32>(len)?);
        x.copy_from(&own_x).await?;
        y.copy_from(&own_y).await?;
        Ok(Self { actor, x, y, own_x, own_y })
    }

    async fn device(&self, kind: usize) -> Outcome<()> {
        for _ in 0..PASSES {
            match kind {
                0 => self.actor.saxpy(0.5, &self.x, &self.y).await?,
                1 => {
                    black_box(self.actor.dot(&self.x, &self.y).await?);
                }
                _ => self.actor.stencil(WIDTH as u32, &self.x, &self.y).await?,
            }
        }
        Ok(())
    }

    fn native(&mut self, kind: usize) {
        for _ in 0..PASSES {
            black_box(native(kind, black_box(&self.own_x), black_box(&mut self.own_y)));
        }
    }
}

/// Times of a loop in milliseconds for a pass, by cores: on the device, and in Rust.
async fn measure(rounds: usize, cores: usize) -> Outcome<Vec<[Vec<f64>; 2]>> {
    let system = ActorSystem::start(Config::default().workers(cores as u32).actor::<Looper>()).await?;
    let mut halves: Vec<Half> = Vec::new();
    let mut taken = Vec::new();
    for key in 0..1000u64 {
        let actor = system.actor::<Looper>(key);
        let worker = actor.worker().await?;
        if halves.len() < cores && !taken.contains(&worker) {
            taken.push(worker);
            halves.push(Half::new(&system, actor, LEN / cores).await?);
        }
    }
    if halves.len() < cores {
        return Err(format!("{cores} workers were asked for, {} have actors", halves.len()).into());
    }
    let mut times = vec![[Vec::new(), Vec::new()]; KINDS.len()];
    for _ in 0..=rounds {
        for (kind, times) in times.iter_mut().enumerate() {
            let begun = Instant::now();
            match halves.as_slice() {
                [one] => one.device(kind).await?,
                [one, two, ..] => {
                    let (one, two) = tokio::join!(one.device(kind), two.device(kind));
                    one.and(two)?;
                }
                [] => {}
            }
            times[0].push(begun.elapsed().as_secs_f64() * 1e3 / PASSES as f64);
            let begun = Instant::now();
            std::thread::scope(|scope| {
                let mut halves = halves.iter_mut();
                let here = halves.next();
                for half in halves {
                    scope.spawn(move || half.native(kind));
                }
                if let Some(half) = here {
                    half.native(kind);
                }
            });
            times[1].push(begun.elapsed().as_secs_f64() * 1e3 / PASSES as f64);
            for half in &halves {
                // One that has grown to infinity is still as fast; one that differs is wrong.
                let mut found = vec![0.0f32; half.own_y.len()];
                half.y.copy_to(&mut found).await?;
                if found.iter().zip(&half.own_y).any(|(a, b)| a.to_bits() != b.to_bits()) {
                    return Err(format!("{}: the device and Rust differ", KINDS[kind]).into());
                }
            }
        }
    }
    system.shutdown().await?;
    // The first round finds cold caches.
    for times in times.iter_mut().flatten() {
        times.remove(0);
    }
    Ok(times)
}

/// Measures loops.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}; {rounds} rounds, in turns; {LEN} elements of f32\n", place());
    let mut rows = Vec::new();
    for cores in [1, 2] {
        println!("{cores} core{}, milliseconds for a pass", if cores == 1 { "" } else { "s" });
        for (name, [device, native]) in KINDS.iter().zip(runtime.block_on(measure(rounds, cores))?) {
            let (device, native) = (Sample::new(device), Sample::new(native));
            let ratio = device.median() / native.median();
            println!("  {name:8} device {}   Rust {}   {ratio:5.2}x", device.text(), native.text());
            rows.push(json!({
                "loop": name, "cores": cores, "device": device.json(), "rust": native.json(), "ratio": ratio
            }));
        }
        println!();
    }
    Ok(json!({ "bench": "loops", "place": place(), "rounds": rounds, "elements": LEN, "loops": rows }))
}
