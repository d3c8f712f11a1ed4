//! Loops as native Rust and as PTX that the software GPU compiled, in turns.

use std::hint::black_box;
use std::time::Instant;

use gpu_actor_rt::__private::Actor;
use serde_json::{Value, json};

use crate::Outcome;
use crate::device::Loaded;
use crate::report::{Sample, place};
use crate::subjects::Loops;

/// A handler of [`Loops`].
type Native = fn(&mut Loops, u64, u64) -> u64;

/// The loops, and how often each goes round: some milliseconds, so that most rounds are not interrupted.
const LOOPS: [(&str, Native, u64); 7] = [
    ("xorshift", Loops::xorshift, 2_500_000),
    ("collatz", Loops::collatz, 20_000),
    ("checked", Loops::checked, 5_000_000),
    ("checked_narrow", Loops::checked_narrow, 1_500_000),
    ("logistic", Loops::logistic, 600_000),
    ("polynomial", Loops::polynomial, 500_000),
    ("array", Loops::array, 80_000),
];

const SEED: u64 = 0x5eed;

fn milliseconds(run: impl FnOnce() -> Outcome<u64>) -> Outcome<(f64, u64)> {
    let begun = Instant::now();
    let value = run()?;
    Ok((begun.elapsed().as_secs_f64() * 1e3, value))
}

fn natively(native: Native, n: u64) -> u64 {
    let mut state = Loops::default();
    black_box(black_box(native)(black_box(&mut state), black_box(n), black_box(SEED)))
}

/// Measures all loops.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    let loaded = Loaded::new(Loops::info())?;
    println!("{}; times of one call, {rounds} rounds in turns\n", place());
    println!(
        "{:16}{:36}{:36}{:>12}{:>12}",
        "loop", "Rust", "PTX on the software GPU", "of medians", "of fastest"
    );
    let mut figures = Vec::new();
    for (name, native, n) in LOOPS {
        // Warm both, and make sure that they do the same.
        let (want, have) = (natively(native, n / 16), loaded.call(name, [n / 16, SEED])?);
        if want != have {
            return Err(format!("{name}: Rust gives {want:#x}, the PTX {have:#x}").into());
        }
        let (mut rust, mut ptx) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            rust.push(milliseconds(|| Ok(natively(native, n)))?.0);
            ptx.push(milliseconds(|| loaded.call(name, [n, SEED]))?.0);
        }
        let (rust, ptx) = (Sample::new(rust), Sample::new(ptx));
        let ratio = ptx.median() / rust.median();
        let fastest = ptx.ends().0 / rust.ends().0;
        println!("{name:16}{:36}{:36}{ratio:12.2}{fastest:12.2}", rust.text(), ptx.text());
        figures.push(json!({ "loop": name, "rounds_of_loop": n, "rust": rust.json(), "ptx": ptx.json(), "ratio": ratio, "ratio_of_fastest": fastest }));
    }
    Ok(json!({ "bench": "jit", "place": place(), "loops": figures }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_do_the_same() {
        let loaded = Loaded::new(Loops::info()).expect("the loops compile");
        for (name, native, _) in LOOPS {
            let have = loaded.call(name, [100, SEED]).expect("the loop runs");
            assert_eq!(have, natively(native, 100), "{name}");
        }
    }
}
