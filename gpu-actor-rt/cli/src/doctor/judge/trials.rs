//! How the trials went.

use std::time::Duration;

use crate::doctor::Chosen;
use crate::doctor::report::Line;
use crate::doctor::trial::Trial;

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

fn times(trial: &Trial) -> String {
    format!(
        "ring kernel compiled in {}, a message there and back in {}",
        duration(trial.jit),
        duration(trial.round_trip)
    )
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
    use crate::doctor::report::Level;

    #[test]
    fn the_selection_has_its_reason() {
        let chosen = Chosen { device: "Software GPU".into(), why: "Config::device is auto".into() };
        let line = selection(&Ok(chosen));
        assert_eq!(line.text, "actors run on Software GPU (Config::device is auto)");
        assert_eq!(selection(&Err("there is no CUDA device".into())).level, Level::Problem);
    }

    #[test]
    fn a_trial_says_its_times_or_why_it_failed() {
        let trial = Trial {
            device: "Software GPU".into(),
            driver: "soft-gpu".into(),
            hardware: false,
            jit: Duration::from_micros(51_234),
            round_trip: Duration::from_nanos(12_340),
        };
        let line = software(&Ok(trial));
        assert_eq!(line.level, Level::Ok);
        assert!(line.text.contains("in 51.2 ms, a message there and back in 12.3 us"), "{line:?}");
        let line = software(&Err("no memory".into()));
        assert!(line.level == Level::Problem && line.text.ends_with("no memory"), "{line:?}");
        assert_eq!(duration(Duration::from_micros(250)), "250 us");
        assert_eq!(duration(Duration::from_millis(2500)), "2500 ms");
    }
}
