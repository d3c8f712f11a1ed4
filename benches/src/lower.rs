//! How long it takes from an actor type to machine code, in a new process each time: nothing is warm, as when a program starts.

use std::process::Command;
use std::time::Instant;

use gpu_actor_rt::__private::Actor;
use kernels_ptx::dispatch::{self, Dispatch};
use kernels_ptx::module::Module;
use serde_json::{Value, json};
use soft_gpu::{Device, DeviceConfig};

use crate::Outcome;
use crate::device::{lower, symbol};
use crate::report::{Sample, place};
use crate::subjects::Desk;

/// The stages, in milliseconds: lowering, verifying with optimising and writing, compiling, and the same of a whole program, which has the
/// ring kernel as well.
const STAGES: [&str; 6] = ["lower", "verify", "compile", "all", "with ring kernel", "PTX bytes"];

fn module(with_ring: bool) -> Outcome<Module> {
    let mut module = Module::new("benches");
    let mut table = Vec::new();
    for method in Desk::info().methods {
        module.add(lower(method)?);
        table.push(Dispatch { method: method.id, type_index: 1, symbol: symbol(method) });
    }
    module.add(dispatch::build(&table)?).add(kernels_ptx::ring::buffers::forgetting()?);
    if with_ring {
        module.add(kernels_ptx::ring::kernel()?);
    }
    Ok(module)
}

fn measure() -> Outcome<[f64; STAGES.len()]> {
    let device = Device::open(DeviceConfig::default())?;
    let begun = Instant::now();
    let built = module(false)?;
    let lowered = begun.elapsed();
    let verified = built.verify()?;
    let checked = begun.elapsed();
    let loaded = device.load_ptx(verified.ptx())?;
    let compiled = begun.elapsed();
    drop(loaded);
    let again = Instant::now();
    let whole = module(true)?.verify()?;
    let loaded = device.load_ptx(whole.ptx())?;
    let all = again.elapsed();
    drop(loaded);
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    Ok([
        ms(lowered),
        ms(checked) - ms(lowered),
        ms(compiled) - ms(checked),
        ms(compiled),
        ms(all),
        verified.ptx().len() as f64,
    ])
}

/// One measurement, printed for the process that asked for it.
pub(crate) fn once() -> Outcome<()> {
    println!("{}", measure()?.map(|number| number.to_string()).join(" "));
    Ok(())
}

/// Measures in `rounds` processes.
pub(crate) fn run(rounds: usize) -> Outcome<Value> {
    let program = std::env::current_exe()?;
    let mut columns = vec![Vec::new(); STAGES.len()];
    for _ in 0..rounds {
        let output = Command::new(&program).arg("lower-once").output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let text = String::from_utf8(output.stdout)?;
        for (column, number) in columns.iter_mut().zip(text.split_whitespace()) {
            column.push(number.parse::<f64>()?);
        }
    }
    let handlers = Desk::info().methods.len();
    println!("{}; {handlers} handlers of one type and their dispatcher, cold, {rounds} processes\n", place());
    let mut figures = serde_json::Map::new();
    for (name, column) in STAGES.iter().zip(columns) {
        let sample = Sample::new(column);
        if name.ends_with("bytes") {
            println!("{name:18}{:8.0}", sample.median());
        } else {
            println!("{name:18}{}", sample.text());
        }
        figures.insert((*name).to_owned(), sample.json());
    }
    Ok(json!({ "bench": "lower", "place": place(), "handlers": handlers, "stages": figures }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_has_every_stage() {
        assert_eq!(Desk::info().methods.len(), 10);
        let stages = measure().expect("the type compiles");
        assert!(stages.iter().all(|stage| *stage > 0.0), "{stages:?}");
    }
}
