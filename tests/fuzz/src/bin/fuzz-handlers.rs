//! Random handlers until the time is over: see the crate.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gpu_actor_fuzz::build::Toolchain;
use gpu_actor_fuzz::campaign::{self, Options, Summary};
use gpu_actor_fuzz::shrink::{self, Judge};
use gpu_actor_fuzz::{mutate, print};

const USAGE: &str = "\
Makes random handlers and compares what rustc compiled with the same handlers as PTX on the software GPU.

usage: fuzz-handlers [--programs N] [--seconds N] [--seed S] [--cases K] [--keep DIR]

  --programs N  handlers to make (1024; without end if --seconds is given)
  --seconds N   begin no batch after so many seconds
  --seed S      the same seed makes the same handlers (default: random; printed first)
  --cases K     inputs for each handler (64)
  --keep DIR    leave the generated crates in DIR
";

fn main() -> ExitCode {
    match arguments().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Options, String> {
    let random = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let (mut programs, mut time, mut seed, mut cases, mut keep) = (None, None, random, 64, None);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        if name == "--help" || name == "-h" {
            return Err(USAGE.into());
        }
        let value = args.next().ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))?;
        let number = || {
            let parsed = match value.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => value.parse(),
            };
            parsed.map_err(|_| format!("{name} needs a number, not `{value}`"))
        };
        match name.as_str() {
            "--programs" => programs = Some(number()?),
            "--seconds" => time = Some(Duration::from_secs(number()?)),
            "--seed" => seed = number()?,
            "--cases" => cases = number()?.clamp(1, 100_000) as u32,
            "--keep" => keep = Some(PathBuf::from(&value)),
            _ => return Err(format!("there is no option {name}\n\n{USAGE}")),
        }
    }
    let programs = programs.unwrap_or(if time.is_some() { u64::MAX } else { 1024 });
    let directory = match &keep {
        Some(directory) => std::path::absolute(directory).map_err(|error| error.to_string())?,
        None => campaign::directory(),
    };
    Ok(Options { programs, time, seed, cases, directory, keep: keep.is_some(), verbose: true })
}

/// Whether nothing was found.
fn run(options: &Options) -> Result<bool, String> {
    println!("seed {:#x}", options.seed);
    let text = |error: std::io::Error| error.to_string();
    let toolchain = Toolchain::find().map_err(text)?;
    let score = mutate::score(&toolchain, &options.directory.join("mutants"), options.seed, 8, options.cases)
        .map_err(text)?;
    println!("{score}");
    let summary = campaign::run(&toolchain, options).map_err(text)?;
    println!("{}", summary.histogram());
    println!("{summary}");
    println!("compiling {:.1?}, running {:.1?}, over all threads", summary.compiling, summary.running);
    report(&toolchain, options, &summary).map_err(text)?;
    Ok(summary.findings.is_empty())
}

/// Cuts the findings down, prints them and keeps them.
fn report(toolchain: &Toolchain, options: &Options, summary: &Summary) -> std::io::Result<()> {
    let kept = campaign::directory().with_file_name("findings");
    for finding in &summary.findings {
        println!("\n{} ({})\n{}", finding.wrong, finding.origin, finding.text);
    }
    for (index, finding) in summary.findings.iter().enumerate() {
        let judge = Judge {
            toolchain,
            directory: &options.directory.join("shrink"),
            cases: options.cases,
            seed: options.seed,
            patience: Duration::from_mins(3),
            sabotage: None,
        };
        let small = shrink::shrink(&judge, finding)?;
        let source = print::print(&small.module, "m").text;
        let comment = format!("{}\n{}\n{}", small.wrong, small.origin, small.text);
        let comment = format!("// {}\n", comment.lines().collect::<Vec<_>>().join("\n// "));
        fs::create_dir_all(&kept)?;
        let file = kept.join(format!("{:x}-{index}.rs", options.seed));
        fs::write(&file, format!("{comment}{source}"))?;
        println!("as small as it goes, also in {}:\n{comment}{source}", file.display());
    }
    Ok(())
}
