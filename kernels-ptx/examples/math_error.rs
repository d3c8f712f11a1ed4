//! Measures the errors of `kernels_ptx::math`: all 2^32 `f32` of each function, or every STEP-th, against the platform's `f64`,
//! and random `f64` against 192 bits.
//!
//! ```text
//! cargo run --release -p kernels-ptx --example math_error -- [f32 [STEP] | f64 [MILLIONS]]
//! ```

#[path = "../tests/math/reference.rs"]
mod reference;

use std::error::Error;

use astro_float_num::Consts;
use kernels_ptx::math;
use reference::{DOUBLES, Random, SINGLES, Single};

/// The largest error so far and where it was, with how many results were not correctly rounded.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    error: f64,
    at: [f64; 2],
    wrong: u64,
    cases: u64,
}

impl Worst {
    fn see(&mut self, error: f64, at: [f64; 2]) {
        self.cases += 1;
        self.wrong += u64::from(error > 0.5);
        if error > self.error {
            (self.error, self.at) = (error, at);
        }
    }

    fn print(&self, name: &str, operands: usize) {
        let at = &self.at[..operands];
        let wrong = 100.0 * self.wrong as f64 / self.cases as f64;
        println!("{name:10} {:.6} ULP at {at:?}, {wrong:.4} % not the nearest of {}", self.error, self.cases);
    }
}

fn all_singles(function: &Single, step: usize) -> Worst {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<Worst> = std::thread::scope(|scope| {
        let part = |n| {
            scope.spawn(move || {
                let mut worst = Worst::default();
                for bits in ((n << 32) / threads..((n + 1) << 32) / threads).step_by(step) {
                    let x = f32::from_bits(bits as u32);
                    let exact = (function.exact)(f64::from(x));
                    worst.see(reference::error_of_single((function.own)(x), exact), [f64::from(x), 0.0]);
                }
                worst
            })
        };
        let handles: Vec<_> = (0..threads).map(part).collect();
        handles.into_iter().map(|handle| handle.join().expect("a measurement does not panic")).collect()
    });
    parts.into_iter().fold(Worst::default(), |sum, part| {
        let larger = if part.error > sum.error { part } else { sum };
        Worst { wrong: sum.wrong + part.wrong, cases: sum.cases + part.cases, ..larger }
    })
}

fn singles(step: usize) {
    for function in &SINGLES {
        all_singles(function, step).print(&format!("f32::{}", function.name), 1);
    }
    let (mut worst, mut random) = (Worst::default(), Random(1));
    for _ in 0..(1 << 28) / step {
        let (x, y) = random.powers();
        let (x, y) = ((x as f32).max(1e-45), y as f32);
        let exact = f64::from(x).powf(f64::from(y));
        worst.see(reference::error_of_single(math::f32::powf(x, y), exact), [x.into(), y.into()]);
    }
    worst.print("f32::powf", 2);
}

fn doubles(cases: u64) -> Result<(), Box<dyn Error>> {
    let mut constants = Consts::new().map_err(|e| format!("{e:?}"))?;
    for function in &DOUBLES {
        let (mut worst, mut random) = (Worst::default(), Random(1));
        for _ in 0..cases {
            let x = random.double(function.limit);
            let exact = reference::exact(function, x, &mut constants);
            worst.see(reference::error_of_double((function.own)(x), &exact), [x, 0.0]);
        }
        worst.print(&format!("f64::{}", function.name), 1);
    }
    let (mut worst, mut random) = (Worst::default(), Random(1));
    for _ in 0..cases {
        let (x, y) = random.powers();
        let exact = reference::power(x, y, &mut constants);
        worst.see(reference::error_of_double(math::f64::powf(x, y), &exact), [x, y]);
    }
    worst.print("f64::powf", 2);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = arguments.get(1).map_or(Ok(1.0), |text| text.parse::<f64>())?;
    match arguments.first().map(String::as_str) {
        Some("f32") => singles((number as usize).max(1)),
        Some("f64") => doubles((number * 1e6) as u64)?,
        None => {
            singles(1);
            doubles(1_000_000)?;
        }
        Some(other) => return Err(format!("{other}: expected f32 or f64").into()),
    }
    Ok(())
}
