//! `gpu-actor validate`: the hardware validation suite, as a program that anyone with a card can run.
//!
//! Rules kept here: every check ends as passed, failed or not run, with the reason; one that fails, panics or does not end
//! stops no other; figures are of acknowledged work only; where there is no hardware, the report says so first.

mod actors;
mod checks;
mod finding;
mod ground;
mod host;
mod measure;
mod report;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::Args;
use gpu_actor_rt::device::{DeviceChoice, DeviceInfo};
use soft_gpu::{PlatformConfig, PlatformError};

use crate::error::CliError;
use crate::output::Report;
use checks::{ALL, Check};
use finding::{Done, Recorder, Verdict};
use ground::{Effort, Ground, Source};
use report::{DeviceFacts, Run};

/// Validates a device: latency, throughput, clock, memory, a million actors, faults, peers.
///
/// Ends with 0 if every check passed or could not run here, 1 if one failed, 2 if there is nothing to run on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Run on a software GPU like this: `devices=2,memory=1G,links=nvlink`, say. Overrides --device.
    #[arg(long, value_name = "PLATFORM")]
    soft: Option<Platform>,
    /// Seconds instead of minutes: fewer samples, at most 100,000 actors.
    #[arg(long)]
    quick: bool,
    /// All samples and a million actors; the default.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Only these checks, separated by commas: round-trip, tell-throughput, device-messages, launch-baseline, clock, memory,
    /// scale, faults, peers.
    #[arg(long, value_delimiter = ',', value_parser = check_id)]
    only: Vec<&'static str>,
    /// Workers of the ring kernels, instead of one for each multiprocessor (on the software GPU: for each core).
    #[arg(long)]
    workers: Option<u32>,
    /// Lanes of a worker, instead of 32 on hardware and 1 elsewhere.
    #[arg(long)]
    lanes: Option<u32>,
    /// Run the kernels in slices of so many milliseconds, as a card behind a display watchdog or under WSL2 needs it.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    slice: Option<u64>,
    /// Write validation.md, validation.json and the plots into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the report as Markdown instead of a table.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// A platform of software GPUs, and the text that says so.
#[derive(Clone, Debug)]
struct Platform {
    text: String,
    config: PlatformConfig,
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        Ok(Self { text: text.into(), config: text.parse()? })
    }
}

fn check_id(text: &str) -> Result<&'static str, String> {
    let found = ALL.iter().find(|check| check.id == text);
    found.map(|check| check.id).ok_or_else(|| "there is no such check".into())
}

/// Runs the checks.
pub(crate) fn run(options: &Options, device: &DeviceChoice) -> Result<Report, CliError> {
    let source = match &options.soft {
        Some(platform) => Source::Platform(platform.config.clone()),
        None => Source::Choice(device.clone()),
    };
    let ground = Ground {
        source,
        effort: if options.quick { Effort::Quick } else { Effort::Full },
        workers: options.workers,
        lanes: options.lanes,
        slice: options.slice.map(Duration::from_millis),
    };
    let host = host::Host::find();
    // What cannot even be opened cannot be validated; what cannot start a system may still show why in the checks.
    let info = ground.open().map_err(gpu_actor_rt::Error::from)?.info();
    let begun = Instant::now();
    let wanted = |check: &&Check| options.only.is_empty() || options.only.contains(&check.id);
    let checks = ALL.iter().filter(wanted).map(|check| watch(check, &ground)).collect();
    let run = Run {
        device: facts(&info, &ground),
        host,
        options: words(options, device),
        checks,
        took: begun.elapsed(),
    };
    if let Some(folder) = &options.out {
        let files = report::write(&run, folder)
            .map_err(|source| CliError::Write { folder: folder.clone(), source })?;
        for file in files {
            eprintln!("wrote {}", file.display());
        }
    }
    let text = if options.markdown { report::markdown(&run) } else { report::terminal(&run) };
    Ok(Report { text, json: report::json(&run), well: run.count(Verdict::Fail) == 0 })
}

/// Runs one check on a thread of its own and waits for it no longer than its limit.
///
/// A thread that does not end is left behind: it cannot be ended, and the process will soon.
fn watch(check: &Check, ground: &Ground) -> Done {
    let limit = ground.pick(check.limits.0, check.limits.1);
    let record = Recorder::default();
    let begun = Instant::now();
    let (send, receive) = mpsc::channel();
    let (work, ground, theirs) = (check.run, ground.clone(), record.clone());
    let spawned = std::thread::Builder::new().name(check.id.into()).spawn(move || {
        let ended = work(&ground, &theirs);
        theirs.close(ended);
        // The receiver may have given up.
        let _ = send.send(());
    });
    match spawned.map(|_| receive.recv_timeout(limit)) {
        Ok(Ok(())) => {}
        Ok(Err(RecvTimeoutError::Timeout)) => {
            let step = record.findings().step;
            record.fail(format!("it did not end within {} s; it was at: {step}", limit.as_secs()));
        }
        Ok(Err(RecvTimeoutError::Disconnected)) => {
            let step = record.findings().step;
            record.fail(format!("it panicked, at: {step}; this is a bug in gpu-actor"));
        }
        Err(error) => record.fail(format!("there was no thread for it: {error}")),
    }
    let (findings, took) = (record.findings(), begun.elapsed());
    eprintln!("{:<8} {:<18} {:>6.1} s  {}", findings.verdict(), check.id, took.as_secs_f64(), findings.why());
    Done { id: check.id, title: check.title, about: check.about, findings, took }
}

fn facts(info: &DeviceInfo, ground: &Ground) -> DeviceFacts {
    let ring = ground.ring(info);
    DeviceFacts {
        name: info.name.clone(),
        driver: info.driver.clone(),
        hardware: info.hardware,
        memory: info.memory,
        multiprocessors: info.multiprocessors,
        ring: match ground.slice {
            Some(slice) => {
                format!("{} workers, lanes of each: {}, slices of {slice:?}", ring.workers, ring.lanes)
            }
            None => format!("{} workers, lanes of each: {}", ring.workers, ring.lanes),
        },
    }
}

/// The options in words, as they would be given.
fn words(options: &Options, device: &DeviceChoice) -> String {
    let mut words = match &options.soft {
        Some(platform) => vec![format!("--soft {}", platform.text)],
        None => vec![format!("--device {device}")],
    };
    words.push(if options.quick { "--quick" } else { "--full" }.into());
    if !options.only.is_empty() {
        words.push(format!("--only {}", options.only.join(",")));
    }
    words.extend(options.workers.map(|workers| format!("--workers {workers}")));
    words.extend(options.lanes.map(|lanes| format!("--lanes {lanes}")));
    words.extend(options.slice.map(|slice| format!("--slice {slice}")));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use finding::Stop;
    use gpu_actor_rt::device::soft::SoftConfig;

    fn ground() -> Ground {
        Ground {
            source: Source::Choice(SoftConfig::default().into()),
            effort: Effort::Quick,
            workers: Some(2),
            lanes: None,
            slice: None,
        }
    }

    fn check(limit: Duration, run: fn(&Ground, &Recorder) -> Result<(), Stop>) -> Check {
        Check { id: "test", title: "A test", about: "", limits: (limit, limit), run }
    }

    #[test]
    fn a_check_that_hangs_or_panics_fails_and_shows_what_it_had() {
        let hangs = check(Duration::from_millis(200), |_, record| {
            record.figure("before", 1.0, "");
            record.step("waiting for ever");
            loop {
                std::thread::park();
            }
        });
        let done = watch(&hangs, &ground());
        assert_eq!(done.findings.verdict(), Verdict::Fail);
        assert!(done.findings.why().contains("waiting for ever"), "{}", done.findings.why());
        assert_eq!(done.findings.figures.len(), 1);
        let panics = check(Duration::from_mins(1), |_, record| {
            record.step("the worst");
            panic!("as the test wants")
        });
        assert!(watch(&panics, &ground()).findings.why().contains("panicked, at: the worst"));
    }

    #[test]
    fn names_of_checks_are_known_and_different() {
        let ids: std::collections::BTreeSet<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert_eq!(check_id("scale"), Ok("scale"));
        assert!(check_id("everything").is_err());
    }
}
