//! What is measured of whole processes: bytes an actor holds, the CPU time of a system that has nothing to do, the main job.

use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use gpu_actor_rt::Config;

use super::ours::Ours;
use super::peers::{Actix, Kameo, Ractor, Xtra};
use super::role::Threads;
use super::workload::{Load, activation};
use crate::Outcome;

/// Whose actors hold memory.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Library {
    /// This one.
    GpuActor,
    /// `ractor`.
    Ractor,
    /// `kameo`.
    Kameo,
    /// `actix`.
    Actix,
    /// `xtra`.
    Xtra,
}

/// A size in bytes that the kernel tells about this process.
fn status(field: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = value.ok_or_else(|| format!("no {field} in /proc/self/status"))?;
    let kib: u64 = value.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// By how much the resident set grows while `work` is done, at its largest, beyond what it is before.
fn growth(work: impl FnOnce() -> Outcome<()>) -> Outcome<u64> {
    // See proc(5): the largest begins anew at what it is now. What came before, a compiler's memory, say, hides nothing.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS")?;
    work()?;
    Ok(status("VmHWM")?.saturating_sub(before))
}

/// In a process of its own: activates so many actors, and prints by how much the resident set grew for each.
pub(crate) fn bytes(library: Library, actors: u64) -> Outcome<()> {
    let load = |actors| Load { actors, ..Load::FULL };
    // A few first: what the runtime itself takes is no actor's.
    let few = load(1000);
    let actors_too = load(actors);
    let grown = match library {
        Library::GpuActor => {
            let mut ours = Ours::start(Config::default())?;
            ours.activation(few)?;
            let grown = growth(|| ours.activation(actors_too).map(drop))?;
            ours.stop()?;
            grown
        }
        Library::Ractor => of_peer(|load| activation::<Ractor>(Threads::One, load), few, actors_too)?,
        Library::Kameo => of_peer(|load| activation::<Kameo>(Threads::One, load), few, actors_too)?,
        Library::Actix => of_peer(|load| activation::<Actix>(Threads::One, load), few, actors_too)?,
        Library::Xtra => of_peer(|load| activation::<Xtra>(Threads::One, load), few, actors_too)?,
    };
    println!("{}", grown as f64 / actors as f64);
    Ok(())
}

/// The same for a peer, whose system begins and ends with its actors.
fn of_peer(run: impl Fn(Load) -> f64, few: Load, actors: Load) -> Outcome<u64> {
    run(few);
    growth(|| {
        run(actors);
        Ok(())
    })
}

/// [`bytes`] in a new process.
pub(crate) fn bytes_of(library: Library, load: Load) -> Outcome<Vec<f64>> {
    let name = library.to_possible_value().ok_or("a library without a name")?;
    let output = Command::new(std::env::current_exe()?)
        .args(["bytes", name.get_name(), &load.actors.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{output:?}").into());
    }
    Ok(vec![text.trim().parse().map_err(|error| format!("{text:?}: {error}"))?])
}

/// Nanoseconds of CPU time that the threads of this process have had.
fn cpu_time() -> Outcome<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// The share of a core, in percent, that a system takes whose actors have nothing to do.
pub(crate) fn idle(system: &mut Ours, span: Duration) -> Outcome<Vec<f64>> {
    // Something before, so that everything has been awake.
    system.counting(Load { tells: 10_000, ..Load::SHORT })?;
    std::thread::sleep(Duration::from_millis(100));
    let (before, begun) = (cpu_time()?, Instant::now());
    std::thread::sleep(span);
    let spent = cpu_time()? - before;
    Ok(vec![spent as f64 / begun.elapsed().as_nanos() as f64 * 100.0])
}

/// Seconds that the main job takes as a process of its own. It is built if it is not there.
pub(crate) fn flights() -> Outcome<Vec<f64>> {
    let program = std::env::current_exe()?.with_file_name("flights");
    if !program.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo).args(["build", "--release", "--bin", "flights"]).status()?;
        if !built.success() || !program.exists() {
            return Err(
                format!("{} is not there: cargo build --release --bin flights", program.display()).into()
            );
        }
    }
    let begun = Instant::now();
    let output = Command::new(&program).arg("--json").output()?;
    let figure = begun.elapsed().as_secs_f64();
    if output.status.success() { Ok(vec![figure]) } else { Err(format!("{output:?}").into()) }
}
