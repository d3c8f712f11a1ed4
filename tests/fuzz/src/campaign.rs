//! Many batches, on as many processors as there are: grow, compile, run, count, and collect what is wrong.
//!
//! Rule kept here: a seed is all that is needed to repeat a campaign. A batch's programs depend on the seed and the batch's
//! number, not on who made it or when.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::build::{self, Named, Toolchain};
use crate::child::{Said, Seen, Which};
use crate::count::Counts;
use crate::grow;
use crate::random::Random;
use crate::tree::{Module, Node, Ty};

/// Modules of a batch: rustc starts once for all of them.
const MODULES: usize = 16;
/// Handlers of a module: they share its types and functions.
const HANDLERS: usize = 8;
/// Programs of a batch.
pub const BATCH: u64 = (MODULES * HANDLERS) as u64;
/// Findings after which a campaign ends: more would only say the same.
const ENOUGH: usize = 8;

/// What a campaign does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Programs to make; a last batch is made whole.
    pub programs: u64,
    /// Time after which no batch begins.
    pub time: Option<Duration>,
    /// The seed.
    pub seed: u64,
    /// Inputs per program.
    pub cases: u32,
    /// Where crates are written.
    pub directory: PathBuf,
    /// Whether the crates stay there.
    pub keep: bool,
    /// Whether a line per batch is printed.
    pub verbose: bool,
}

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The twins differ, in this.
    Differs(String),
    /// rustc or the macros refuse it; the error's code or first words.
    Compile(String),
    /// It cannot be lowered or loaded.
    Lower,
    /// Running it ends the process, or never ends.
    Crash,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(what) => write!(f, "the twins differ in {what}"),
            Self::Compile(_) => write!(f, "it does not compile"),
            Self::Lower => write!(f, "it cannot be lowered or loaded"),
            Self::Crash => write!(f, "running it crashes, or never ends"),
        }
    }
}

/// A program that something is wrong with.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub wrong: Wrong,
    /// In words.
    pub text: String,
    /// Its module.
    pub module: Module,
    /// Actor and handler, as far as they are known.
    pub actor: Option<usize>,
    /// The handler.
    pub handler: Option<usize>,
    /// Which batch and module it came from.
    pub origin: String,
}

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Programs that were compared.
    pub programs: u64,
    /// Calls.
    pub seen: Seen,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Programs that returned at least once.
    pub returning: u64,
    /// Programs that faulted at least once.
    pub faulting: u64,
    /// Programs that gave at least five different results.
    pub varied: u64,
    /// Programs that sent a message.
    pub sending: u64,
    /// What was in them.
    pub counts: Counts,
    /// Nodes of all handlers.
    pub nodes: u64,
    /// Time in rustc and in the programs, over all threads.
    pub compiling: Duration,
    /// Time in the programs.
    pub running: Duration,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Summary {
    fn merge(&mut self, other: Self) {
        self.programs += other.programs;
        self.add(&other.seen);
        self.returning += other.returning;
        self.faulting += other.faulting;
        self.varied += other.varied;
        self.sending += other.sending;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.counts.merge(&other.counts);
        self.nodes += other.nodes;
        self.compiling += other.compiling;
        self.running += other.running;
        self.findings.extend(other.findings);
    }

    fn add(&mut self, seen: &Seen) {
        self.seen.returned += seen.returned;
        self.seen.faulted += seen.faulted;
        self.seen.over_budget += seen.over_budget;
        self.seen.sent += seen.sent;
        for (kind, count) in &seen.faults {
            *self.faults.entry(kind.clone()).or_default() += count;
        }
    }

    fn program(&mut self, seen: &Seen) {
        self.programs += 1;
        self.add(seen);
        self.returning += u64::from(seen.returned > 0);
        self.faulting += u64::from(seen.faulted > 0);
        self.varied += u64::from(seen.distinct >= 5);
        self.sending += u64::from(seen.sent > 0);
    }

    /// The histogram of what was tested.
    pub fn histogram(&self) -> String {
        format!("in {} programs of {} nodes:\n{}", self.programs, self.nodes, self.counts.table())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, seen, returning, faulting, varied, sending, .. } = self;
        let calls = seen.returned + seen.faulted + seen.over_budget;
        let percent = |part: u64| part * 100 / (*programs).max(1);
        writeln!(
            f,
            "{programs} programs, {calls} calls of both twins: {} returned, {} faulted, {} ran out of budget, {} sends",
            seen.returned, seen.faulted, seen.over_budget, seen.sent
        )?;
        writeln!(
            f,
            "programs that return: {}%, that fault: {}%, with five results or more: {}%, that send: {}%",
            percent(*returning),
            percent(*faulting),
            percent(*varied),
            percent(*sending)
        )?;
        writeln!(
            f,
            "faults: {}",
            self.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
        )?;
        write!(f, "findings: {}", self.findings.len())
    }
}

/// The modules of a batch.
pub fn batch(seed: u64, number: u64) -> Vec<Module> {
    (0..MODULES as u64)
        .map(|index| grow::module(&mut Random::new(seed, number * MODULES as u64 + index + 1), HANDLERS))
        .collect()
}

/// Runs a campaign.
///
/// # Errors
/// When crates cannot be written or compiled for reasons that are not in the programs.
pub fn run(toolchain: &Toolchain, options: &Options) -> io::Result<Summary> {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let batches = options.programs.div_ceil(BATCH);
    let work = || -> io::Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let late = options.time.is_some_and(|time| begun.elapsed() >= time);
            if number >= batches || late || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let one = run_batch(toolchain, options, number)?;
            // A thread that panicked has its panic reported by the scope.
            let mut all = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.merge(one);
            if all.findings.len() >= ENOUGH {
                stop.store(true, Ordering::Relaxed);
            }
            if options.verbose {
                println!(
                    "batch {number}: {} programs after {:.0?}, {} findings",
                    all.programs,
                    begun.elapsed(),
                    all.findings.len()
                );
            }
        }
    };
    let results: Vec<io::Result<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked"))))
            .collect()
    });
    results.into_iter().collect::<io::Result<()>>()?;
    Ok(summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// A campaign's options for tests: so many programs, nothing printed, nothing kept.
pub fn quiet(programs: u64, seed: u64, cases: u32, name: &str) -> Options {
    let directory = directory().join(name);
    Options { programs, time: None, seed, cases, directory, keep: false, verbose: false }
}

fn run_batch(toolchain: &Toolchain, options: &Options, number: u64) -> io::Result<Summary> {
    let modules = batch(options.seed, number);
    let directory = options.directory.join(format!("batch-{:x}-{number}", options.seed));
    let named: Vec<_> = modules.into_iter().enumerate().map(|(index, module)| plain(index, module)).collect();
    let mut summary = examine(toolchain, &directory, &named, (options.cases, options.seed), None)?;
    for finding in &mut summary.findings {
        finding.origin = format!("--seed {:#x}, batch {number}, {}", options.seed, finding.origin);
    }
    if !options.keep {
        fs::remove_dir_all(&directory)?;
    }
    Ok(summary)
}

/// Changes nodes, to make device twins wrong: for tests of the harness.
pub type Sabotage = fn(&mut Node);

/// What the files of sabotaged modules end with.
const SABOTAGED: &str = "_1";

fn sabotaged(named: &Named, sabotage: Sabotage) -> Named {
    let mut wrong = named.clone();
    wrong.file.push_str(SABOTAGED);
    wrong.module.bodies_mut().for_each(|body| body.walk_mut(&mut |node| sabotage(node)));
    wrong
}

/// A module that is named after its place in a batch.
pub fn plain(index: usize, module: Module) -> Named {
    Named { file: format!("m{index}"), path: format!("m{index}"), module }
}

/// Compiles and runs modules, and says what is wrong with them.
///
/// # Errors
/// As [`run`].
pub fn examine(
    toolchain: &Toolchain,
    directory: &Path,
    modules: &[Named],
    (cases, seed): (u32, u64),
    sabotage: Option<Sabotage>,
) -> io::Result<Summary> {
    let begun = Instant::now();
    let mut all = modules.to_vec();
    if let Some(sabotage) = sabotage {
        all.extend(modules.iter().map(|named| sabotaged(named, sabotage)));
    }
    let compiled = toolchain.compile(directory, &all)?;
    let mut summary = Summary { compiling: begun.elapsed(), ..Summary::default() };
    let find = |which: &Which| -> Option<(usize, usize)> {
        let file = which.module.trim_end_matches(SABOTAGED);
        let index = modules.iter().position(|named| named.file == file)?;
        let module = &modules[index].module;
        let actor = (0..module.actors.len()).find(|actor| module.actor_name(*actor) == which.actor)?;
        Some((index, actor))
    };
    let finding = |wrong, text: String, module: usize, actor, handler| Finding {
        wrong,
        text,
        module: modules[module].module.clone(),
        actor,
        handler,
        origin: modules[module].file.clone(),
    };
    for refusal in compiled.refused.iter().filter(|refusal| refusal.module < modules.len()) {
        let (actor, handler) =
            (refusal.handler.map(|(actor, _)| actor), refusal.handler.map(|(_, handler)| handler));
        let wrong = Wrong::Compile(first_words(&refusal.text));
        summary.findings.push(finding(wrong, refusal.text.clone(), refusal.module, actor, handler));
    }
    let Some(program) = compiled.program else { return Ok(summary) };
    let begun = Instant::now();
    let (said, crashes) = build::run(&program, cases, seed, sabotage.is_some())?;
    summary.running = begun.elapsed();
    for crash in crashes {
        let at = crash.actor.as_ref().and_then(find);
        let Some((module, actor)) = at else {
            return Err(io::Error::other(format!("a batch {} before its first actor", crash.text)));
        };
        summary.findings.push(finding(Wrong::Crash, crash.text, module, Some(actor), None));
    }
    for said in said {
        match said {
            Said::Same { actor, handler, seen } => {
                let Some((module, actor)) = find(&actor) else { continue };
                let handlers = &modules[module].module.actors[actor].handlers;
                let Some(index) = handlers.iter().position(|function| function.name == handler) else {
                    continue;
                };
                let taken_out = compiled
                    .refused
                    .iter()
                    .any(|refusal| refusal.module == module && refusal.handler == Some((actor, index)));
                if !taken_out {
                    summary.program(&seen);
                    summary.counts.add(&handlers[index]);
                    summary.nodes += handlers[index].body.size() as u64;
                }
            }
            Said::Differs { actor, handler, what, text } => {
                let Some((module, actor)) = find(&actor) else { continue };
                let handlers = &modules[module].module.actors[actor].handlers;
                let index = handlers.iter().position(|function| function.name == handler);
                summary.findings.push(finding(Wrong::Differs(what), text, module, Some(actor), index));
            }
            Said::Refused { actor, text } => {
                let Some((module, actor)) = find(&actor) else { continue };
                summary.findings.push(finding(Wrong::Lower, text, module, Some(actor), None));
            }
            Said::Begin { .. } | Said::Done => {}
        }
    }
    for named in modules {
        for function in &named.module.functions {
            summary.counts.add(function);
        }
        for item in &named.module.structs {
            for (_, ty) in &item.fields {
                if let Ty::Array(of, _) = ty
                    && let Ty::Array(..) = **of
                {
                    *summary.counts.0.entry("state: array of arrays".into()).or_default() += 1;
                }
            }
        }
    }
    Ok(summary)
}

/// What an error is about, without names and types: its code, or its first words.
fn first_words(text: &str) -> String {
    match text.split_once(']') {
        Some((code, _)) if code.starts_with("error[") => code.trim_start_matches("error[").to_owned(),
        _ => text.split_whitespace().take(6).collect::<Vec<_>>().join(" "),
    }
}

/// Where crates are written unless one says otherwise: beside the libraries that they link.
pub fn directory() -> PathBuf {
    let target = std::env::current_exe().ok().and_then(|program| {
        program.ancestors().find(|path| path.join("CACHEDIR.TAG").exists()).map(Path::to_owned)
    });
    target.unwrap_or_else(std::env::temp_dir).join("fuzz-handlers").join(std::process::id().to_string())
}
