//! How the trials went.

use std::time::Duration;

use super::devices::SLICES;
use crate::cuda::Gpu;
use crate::doctor::report::Line;
use crate::doctor::trial::Trial;
use crate::doctor::{Chosen, DeviceTrials};

/// The trial of the software GPU, which every machine has.
pub(super) fn software(trial: &Result<Trial, String>) -> Line {
    let key = "software.trial";
    match trial {
        Ok(trial) => Line::ok(
            key,
            format!("{}: {}; actors run on it where there is no GPU", trial.device, times(trial)),
        ),
        Err(why) => Line::problem(
            key,
            format!("the software GPU failed: {why}"),
            "please report it with this report: it should work on every x86-64 machine",
        ),
    }
}

/// The device that a program gets.
pub(super) fn selection(chosen: &Result<Chosen, String>) -> Line {
    let key = "selection";
    match chosen {
        Ok(chosen) => Line::ok(key, format!("actors run on {} ({})", chosen.device, chosen.why)),
        Err(why) => Line::problem(
            key,
            why.clone(),
            "mend what the lines above complain of, or choose another device (`--device`, GPU_ACTOR_DEVICE)",
        ),
    }
}

/// The trials of a CUDA device: in bounded slices, and with a kernel without an end.
pub(super) fn device(index: usize, gpu: &Gpu, trials: &[DeviceTrials]) -> Vec<Line> {
    let Some(of) = trials.iter().find(|of| of.device == index) else {
        return vec![Line::note(format!("device.{index}.trial"), "not tried, as `--device` asks")];
    };
    let where_from = if gpu.hardware { "" } else { " (on the software GPU: the times say nothing of a GPU)" };
    let key = |what: &str| format!("device.{index}.{what}");
    let (sliced, persistent) = (key("trial_sliced"), key("trial"));
    let well = |trial: &Trial, how: &str| format!("{how}: {}{where_from}", times(trial));
    let mut lines = vec![match &of.sliced {
        Ok(trial) => Line::ok(sliced, well(trial, "ring kernel in bounded slices")),
        Err(why) => Line::problem(
            sliced,
            format!("the ring kernel in bounded slices failed: {why}"),
            "mend what the lines above complain of; if nothing does, please send us this report",
        ),
    }];
    lines.extend(of.persistent.as_ref().map(|trial| match trial {
        Ok(trial) => Line::ok(persistent, well(trial, "ring kernel without an end")),
        Err(why) => Line::warning(
            persistent,
            format!("the ring kernel without an end failed, the one in slices did not: {why}"),
            SLICES,
        ),
    }));
    lines
}

fn times(trial: &Trial) -> String {
    // The runtime keeps what it has compiled for a device.
    let compiled = if trial.jit.is_zero() {
        "compiled before".into()
    } else {
        format!("compiled in {}", duration(trial.jit))
    };
    format!("{compiled}, a message there and back in {}", duration(trial.round_trip))
}

/// Three digits that say something.
fn duration(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        ..100.0 => format!("{us:.1} us"),
        100.0..1000.0 => format!("{us:.0} us"),
        1000.0..100_000.0 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.0} ms", us / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::tests::gpu;
    use crate::doctor::report::Level;

    fn trial() -> Trial {
        Trial {
            device: "Software GPU".into(),
            driver: "soft-gpu".into(),
            hardware: false,
            jit: Duration::from_micros(51_234),
            round_trip: Duration::from_nanos(12_340),
        }
    }

    #[test]
    fn a_trial_says_its_times_or_why_it_failed() {
        let line = software(&Ok(trial()));
        assert_eq!(line.level, Level::Ok);
        assert!(line.text.contains("in 51.2 ms, a message there and back in 12.3 us"), "{line:?}");
        let line = software(&Ok(Trial { jit: Duration::ZERO, ..trial() }));
        assert!(line.text.contains("GPU: compiled before, a message"), "{line:?}");
        let line = software(&Err("no memory".into()));
        assert!(line.level == Level::Problem && line.text.ends_with("no memory"), "{line:?}");
        assert_eq!(duration(Duration::from_micros(250)), "250 us");
        assert_eq!(duration(Duration::from_millis(2500)), "2500 ms");
    }

    #[test]
    fn the_selection_has_its_reason() {
        let chosen = Chosen { device: "Software GPU".into(), why: "Config::device is auto".into() };
        let line = selection(&Ok(chosen));
        assert_eq!(line.text, "actors run on Software GPU (Config::device is auto)");
        assert_eq!(selection(&Err("there is no CUDA device".into())).level, Level::Problem);
    }

    #[test]
    fn a_device_that_works_in_slices_alone_is_told_to_use_them() {
        let levels = |sliced, persistent| {
            let trials = [DeviceTrials { device: 0, sliced, persistent }];
            let lines = device(0, &gpu(1), &trials);
            lines.into_iter().map(|line| line.level).collect::<Vec<_>>()
        };
        let failed = || Err("no end after 60 s".into());
        assert_eq!(levels(Ok(trial()), Some(Ok(trial()))), [Level::Ok, Level::Ok]);
        assert_eq!(levels(Ok(trial()), Some(failed())), [Level::Ok, Level::Warning]);
        assert_eq!(levels(failed(), None), [Level::Problem]);
        assert_eq!(device(0, &gpu(1), &[])[0].text, "not tried, as `--device` asks");
        let mut soft = gpu(1);
        soft.hardware = false;
        let trials = [DeviceTrials { device: 0, sliced: Ok(trial()), persistent: None }];
        assert!(device(0, &soft, &trials)[0].text.ends_with("say nothing of a GPU)"));
    }
}
