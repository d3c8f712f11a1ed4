//! Fuzzes the PTX parser, the loader, and checked launches of what loads: no panic, no crash, no hang, whatever the text.
//!
//! ```text
//! cargo run -p soft-gpu --bin fuzz-ptx -- --seconds 60 [--seed N] [--from N] [--save DIR]
//! cargo run -p soft-gpu --bin fuzz-ptx -- --input FILE [--seed N] [--from N]
//! ```
//!
//! Inputs are a function of seed and number, so a run replays. A child process does the work and this one watches it: a child that
//! crashes, panics or takes too long for an input costs that input only, which is then made as small as it can be, saved, and
//! printed. Exit status 1 says that there were such inputs.

mod corpus;
mod generate;
mod random;
mod run;

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use corpus::Corpus;
use run::Outcome;

/// The longest that one input may take.
const INPUT_WITHIN: Duration = Duration::from_secs(20);
/// Bad inputs after which a run ends.
const MOST_FAILURES: u32 = 5;
/// The longest that making an input small may take.
const MINIMISE_FOR: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Options {
    seconds: u64,
    seed: u64,
    from: u64,
    save: PathBuf,
    input: Option<PathBuf>,
    /// Set in the child: where it says which input it is at.
    progress: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let mut options = Options {
        seconds: 60,
        seed: clock % 1_000_000,
        from: 0,
        save: target.join("fuzz-ptx"),
        input: None,
        progress: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{word} {value}: {e}"));
        match word.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--from" => options.from = number()?,
            "--save" => options.save = value.into(),
            "--input" => options.input = Some(value.into()),
            "--progress" => options.progress = Some(value.into()),
            _ => {
                return Err(format!(
                    "{word} is no option; they are --seconds, --seed, --from, --save, --input"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let done = options().and_then(|options| match (&options.input, &options.progress) {
        (Some(input), _) => single(&options, input),
        (None, Some(progress)) => work(&options, progress),
        (None, None) => watch(&options),
    });
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("fuzz-ptx: {message}");
            ExitCode::from(2)
        }
    }
}

fn said<T>(what: &str, result: std::io::Result<T>) -> Result<T, String> {
    result.map_err(|e| format!("{what}: {e}"))
}

/// Any panic, of whatever thread, ends the process; so does an input that takes too long.
fn guard(beat: &'static AtomicU64) -> Result<(), String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        hook(info);
        std::process::abort();
    }));
    let watch = move || {
        let (mut seen, mut since) = (u64::MAX, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = beat.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > INPUT_WITHIN {
                eprintln!("hang: the input takes longer than {INPUT_WITHIN:?}");
                std::process::abort();
            }
        }
    };
    said("a thread", std::thread::Builder::new().spawn(watch)).map(drop)
}

static BEAT: AtomicU64 = AtomicU64::new(0);

/// Runs one file.
fn single(options: &Options, input: &Path) -> Result<ExitCode, String> {
    guard(&BEAT)?;
    let text = said("reading the input", fs::read(input))?;
    match run::run(&text, options.seed, options.from) {
        Ok(outcome) => {
            println!("{outcome:?}");
            Ok(ExitCode::SUCCESS)
        }
        Err(defect) => {
            eprintln!("{defect}");
            Ok(ExitCode::from(1))
        }
    }
}

/// The child: input after input, until the time is over.
fn work(options: &Options, progress: &Path) -> Result<ExitCode, String> {
    guard(&BEAT)?;
    let corpus = Corpus::read();
    let mut file = said("the progress file", fs::File::create(progress))?;
    let begun = Instant::now();
    let mut counts = [0_u64; 4];
    let mut number = options.from;
    let mut slowest = (Duration::ZERO, number);
    while begun.elapsed().as_secs() < options.seconds {
        said("the progress file", file.seek(SeekFrom::Start(0)))?;
        said("the progress file", file.write_all(&number.to_le_bytes()))?;
        BEAT.fetch_add(1, Ordering::Relaxed);
        let text = generate::input(&corpus, options.seed, number);
        let started = Instant::now();
        let outcome = run::run(&text, options.seed, number);
        slowest = slowest.max((started.elapsed(), number));
        match outcome {
            Ok(Outcome::Refused) => counts[0] += 1,
            Ok(Outcome::Ran { launched, finished }) => {
                counts[1] += 1;
                counts[2] += launched;
                counts[3] += finished;
            }
            Err(defect) => {
                eprintln!("{defect}");
                return Ok(ExitCode::from(1));
            }
        }
        number += 1;
    }
    let [refused, loaded, launched, finished] = counts;
    println!(
        "inputs {}..{number}: {refused} refused, {loaded} loaded, {launched} kernels launched, {finished} of them finished",
        options.from
    );
    println!("the slowest was input {}: {:?}", slowest.1, slowest.0);
    Ok(ExitCode::SUCCESS)
}

fn child(options: &Options, more: &[(&str, String)]) -> Result<Command, String> {
    let mut command = Command::new(said("finding this program", std::env::current_exe())?);
    command.args(["--seed", &options.seed.to_string()]);
    for (name, value) in more {
        command.args([*name, value.as_str()]);
    }
    Ok(command)
}

/// The parent: starts children until the time is over.
fn watch(options: &Options) -> Result<ExitCode, String> {
    said("the folder for inputs", fs::create_dir_all(&options.save))?;
    println!(
        "fuzz-ptx: seed {}, {} s, bad inputs go to {}",
        options.seed,
        options.seconds,
        options.save.display()
    );
    let corpus = Corpus::read();
    println!("{} files and {} instructions to begin with", corpus.files.len(), corpus.instructions.len());
    let progress = options.save.join(format!("progress-{}", std::process::id()));
    let begun = Instant::now();
    let (mut from, mut failures) = (options.from, 0);
    while failures < MOST_FAILURES {
        let left = options.seconds.saturating_sub(begun.elapsed().as_secs());
        if left == 0 {
            break;
        }
        let mut command = child(
            options,
            &[
                ("--from", from.to_string()),
                ("--seconds", left.to_string()),
                ("--progress", progress.display().to_string()),
            ],
        )?;
        let status = said("the child", command.status())?;
        if status.success() {
            break;
        }
        let at = said("the progress file", fs::read(&progress))?;
        let number = at.first_chunk().map_or(from, |n| u64::from_le_bytes(*n));
        failures += 1;
        println!("input {number} of seed {}: {status}", options.seed);
        let text = minimise(options, number, generate::input(&corpus, options.seed, number))?;
        let path = options.save.join(format!("seed-{}-input-{number}.ptx", options.seed));
        said("saving the input", fs::write(&path, &text))?;
        println!(
            "saved as {}; again with: fuzz-ptx --seed {} --from {number} --input {}",
            path.display(),
            options.seed,
            path.display()
        );
        println!("---\n{}\n---", String::from_utf8_lossy(&text).chars().take(4000).collect::<String>());
        from = number + 1;
    }
    let _ = fs::remove_file(&progress);
    println!("fuzz-ptx: seed {}, {failures} bad inputs", options.seed);
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether an input is bad, in a process of its own.
fn is_bad(options: &Options, number: u64, text: &[u8]) -> Result<bool, String> {
    let path = options.save.join(format!("candidate-{}.ptx", std::process::id()));
    said("saving a candidate", fs::write(&path, text))?;
    let mut command =
        child(options, &[("--from", number.to_string()), ("--input", path.display().to_string())])?;
    let spawned = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let bad = said("a child", spawned).and_then(|mut child| Ok(!said("a child", wait(&mut child))?));
    let _ = fs::remove_file(&path);
    bad
}

fn wait(child: &mut Child) -> std::io::Result<bool> {
    // The pipe is read to its end, so that a child with much to say is not held up.
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut Vec::new())?;
    }
    Ok(child.wait()?.success())
}

/// Leaves out lines, then pieces of lines, as long as the rest is still bad.
fn minimise(options: &Options, number: u64, text: Vec<u8>) -> Result<Vec<u8>, String> {
    let begun = Instant::now();
    if !is_bad(options, number, &text)? {
        println!("(not bad on its own: it needs what ran before it, or luck)");
        return Ok(text);
    }
    let mut best = text;
    for separator in [b'\n', b';', b' '] {
        let mut pieces: Vec<Vec<u8>> =
            best.split_inclusive(|c| *c == separator).map(<[u8]>::to_vec).collect();
        let mut size = pieces.len().div_ceil(2);
        while size > 0 && pieces.len() > 1 {
            let mut at = 0;
            while at < pieces.len() && begun.elapsed() < MINIMISE_FOR {
                let end = (at + size).min(pieces.len());
                let without: Vec<Vec<u8>> = [&pieces[..at], &pieces[end..]].concat();
                if is_bad(options, number, &without.concat())? {
                    pieces = without;
                } else {
                    at = end;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        best = pieces.concat();
    }
    Ok(best)
}
