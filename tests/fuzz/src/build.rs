//! Compiling batches of modules, and running them.
//!
//! rustc is called directly, with the libraries that cargo has built for this crate: nothing is built twice, and the
//! generated code meets the same `gpu-actor-rt` as this process. What does not compile is traced to its handler and taken out,
//! so that one refusal does not hide the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{fs, io, thread};

use crate::child::{Said, Which};
use crate::print::{self, Source};
use crate::tree::{Kind, Module, Node, Ty};

/// How long a child may be silent: far more than one actor needs on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Times that refused handlers are taken out of a batch.
const ROUNDS: usize = 8;

/// rustc and the libraries that generated crates link.
#[derive(Clone, Debug)]
pub struct Toolchain {
    rustc: PathBuf,
    libraries: Vec<(String, PathBuf)>,
    dependencies: PathBuf,
}

/// Something of a batch that rustc refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The module's index in the batch.
    pub module: usize,
    /// Actor and handler; `None` if it is another part of the module.
    pub handler: Option<(usize, usize)>,
    /// rustc's words.
    pub text: String,
}

/// A compiled batch.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program; `None` if nothing was left to compile.
    pub program: Option<PathBuf>,
    /// What had to be taken out.
    pub refused: Vec<Refusal>,
}

/// A module under the name of its file.
#[derive(Clone, Debug)]
pub struct Named {
    /// The file's name, `m3` or `m3_1`.
    pub file: String,
    /// What its actors are named after: those of modules that are to be mixed have the same.
    pub path: String,
    /// The module.
    pub module: Module,
}

impl Toolchain {
    /// Finds the libraries: asks cargo, which has built them already.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn find() -> io::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--offline", "--quiet", "--package", "gpu-actor-fuzz", "--lib"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit());
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let output = command.output()?;
        if !output.status.success() {
            return Err(io::Error::other("cargo could not build the libraries that generated crates link"));
        }
        let mut libraries = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            for name in ["gpu_actor_rt", "gpu_actor_fuzz"] {
                let file = line.split('"').find(|part| {
                    let file = part.rsplit(['/', '\\']).next().unwrap_or_default();
                    let stem =
                        file.strip_suffix(".rlib").and_then(|stem| stem.strip_prefix(&format!("lib{name}")));
                    stem.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                });
                if let Some(file) = file {
                    libraries.push((name.to_owned(), PathBuf::from(file)));
                }
            }
        }
        let fuzz = libraries.iter().find(|(name, _)| name == "gpu_actor_fuzz");
        let Some(directory) = fuzz.and_then(|(_, file)| file.parent()) else {
            return Err(io::Error::other("cargo did not say where the libraries are"));
        };
        let dependencies =
            if directory.ends_with("deps") { directory.to_owned() } else { directory.join("deps") };
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into();
        Ok(Self { rustc, libraries, dependencies })
    }

    /// Compiles modules into one program, in `directory`.
    ///
    /// # Errors
    /// When files cannot be written, or rustc fails for a reason that is not in the modules.
    pub fn compile(&self, directory: &Path, modules: &[Named]) -> io::Result<Compiled> {
        fs::create_dir_all(directory)?;
        let mut modules: BTreeMap<usize, Named> = modules.iter().cloned().enumerate().collect();
        let mut refused: Vec<Refusal> = Vec::new();
        for round in 0.. {
            if modules.is_empty() {
                return Ok(Compiled { program: None, refused });
            }
            let sources: BTreeMap<usize, Source> = modules
                .iter()
                .map(|(index, named)| (*index, print::print(&named.module, &named.path)))
                .collect();
            let mut main = String::new();
            for (index, source) in &sources {
                let file = &modules[index].file;
                fs::write(directory.join(format!("{file}.rs")), &source.text)?;
                let _ = writeln!(main, "mod {file};");
            }
            main.push_str("fn main() {\n    gpu_actor_fuzz::child::main();\n}\n");
            fs::write(directory.join("main.rs"), main)?;
            let program = directory.join("program");
            let errors = self.rustc(directory, &program)?;
            let Some(errors) = errors else { return Ok(Compiled { program: Some(program), refused }) };
            let found = locate(&errors, &modules, &sources);
            if found.is_empty() {
                return Err(io::Error::other(format!("rustc failed, in no module:\n{errors}")));
            }
            for refusal in found {
                // What goes on failing goes as a whole.
                match refusal.handler.filter(|_| round < ROUNDS) {
                    Some((actor, handler)) => {
                        if let Some(named) = modules.get_mut(&refusal.module) {
                            named.module.actors[actor].handlers[handler].body = emptied();
                        }
                    }
                    None => {
                        modules.remove(&refusal.module);
                    }
                }
                let known = refused
                    .iter()
                    .any(|known| known.module == refusal.module && known.handler == refusal.handler);
                if !known {
                    refused.push(refusal);
                }
            }
        }
        Ok(Compiled { program: None, refused })
    }

    /// Runs rustc; its errors, if there are any.
    fn rustc(&self, directory: &Path, program: &Path) -> io::Result<Option<String>> {
        let mut command = Command::new(&self.rustc);
        command
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "bin",
                "--crate-name",
                "program",
                "--cap-lints",
                "allow",
            ])
            .args([
                "--error-format",
                "short",
                "-C",
                "opt-level=0",
                "-C",
                "debuginfo=0",
                "-C",
                "codegen-units=1",
            ])
            .args(["-C", "overflow-checks=on", "-C", "strip=debuginfo", "-L"])
            .arg(format!("dependency={}", self.dependencies.display()))
            .env_remove("RUSTC_WRAPPER")
            .current_dir(directory);
        for (name, file) in &self.libraries {
            command.arg("--extern").arg(format!("{name}={}", file.display()));
        }
        let output = command.arg("-o").arg(program).arg("main.rs").output()?;
        Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

/// A body that compiles whatever the signature is.
fn emptied() -> Node {
    Node::block(vec![Node::new(Kind::Panic(Some("taken out".into())), Ty::Never, Vec::new())])
}

/// What the errors are about: lines of the form `m3.rs:12:5: error: ..`.
fn locate(errors: &str, modules: &BTreeMap<usize, Named>, sources: &BTreeMap<usize, Source>) -> Vec<Refusal> {
    let mut found: BTreeMap<(usize, Option<(usize, usize)>), String> = BTreeMap::new();
    for line in errors.lines() {
        let mut parts = line.splitn(4, ':');
        let (Some(file), Some(at), _, Some(text)) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Some(index) =
            modules.iter().find(|(_, named)| file == format!("{}.rs", named.file)).map(|(index, _)| *index)
        else {
            continue;
        };
        if !text.trim_start().starts_with("error") {
            continue;
        }
        let at: usize = at.parse().unwrap_or(0);
        let handler = sources[&index]
            .handlers
            .iter()
            .find(|(_, _, lines)| lines.contains(&at))
            .map(|(actor, handler, _)| (*actor, *handler));
        found.entry((index, handler)).or_insert_with(|| text.trim().to_owned());
    }
    // A module with an error outside of its handlers goes as a whole.
    let whole: BTreeSet<usize> =
        found.keys().filter(|(_, handler)| handler.is_none()).map(|(module, _)| *module).collect();
    found
        .into_iter()
        .filter(|((module, handler), _)| handler.is_none() || !whole.contains(module))
        .map(|((module, handler), text)| Refusal { module, handler, text })
        .collect()
}

/// How a child ended, if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The actor that it was at.
    pub actor: Option<Which>,
    /// What became of it.
    pub text: String,
}

/// Runs a batch, and goes on behind every actor at which it crashes.
///
/// # Errors
/// When the program cannot be started.
pub fn run(program: &Path, cases: u32, seed: u64, mixed: bool) -> io::Result<(Vec<Said>, Vec<Crash>)> {
    let (mut all, mut crashes) = (Vec::new(), Vec::new());
    loop {
        let skip = all.iter().filter(|said| matches!(said, Said::Begin { .. })).count();
        let (said, end) = run_once(program, cases, seed, skip, mixed)?;
        let done = said.last() == Some(&Said::Done);
        let actor = said.iter().rev().find_map(|said| match said {
            Said::Begin { actor } => Some(actor.clone()),
            _ => None,
        });
        let began = actor.is_some();
        all.extend(said);
        if done {
            return Ok((all, crashes));
        }
        crashes.push(Crash { actor, text: end });
        if !began {
            return Ok((all, crashes));
        }
    }
}

fn run_once(
    program: &Path,
    cases: u32,
    seed: u64,
    skip: usize,
    mixed: bool,
) -> io::Result<(Vec<Said>, String)> {
    let mut command = Command::new(program);
    command.args([cases.to_string(), seed.to_string(), skip.to_string()]);
    if mixed {
        command.arg("mixed");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (sender, receiver) = mpsc::channel();
    let reader = child.stdout.take().map(|out| {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
    });
    let mut said = Vec::new();
    let silent = loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(line) => said.extend(Said::parse(&line)),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    if silent {
        child.kill()?;
    }
    let status = child.wait()?;
    if let Some(reader) = reader {
        // It ends with the pipe.
        let _ = reader.join();
    }
    let end = if silent { format!("silent for {PATIENCE:?}") } else { format!("ended with {status}") };
    Ok((said, end))
}
