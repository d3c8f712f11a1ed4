//! What the examples' handlers and the ring kernel become: operations of the IR and instructions of PTX, as built and
//! optimised, and what NVIDIA's assembler makes of them.
//!
//! `cargo run -p gpu-actor-tests --bin handler-report` prints the table of the book's chapter on lowering. `GPU_ACTOR_PTXAS`
//! names the assembler (`nvidia-cuda-nvcc-cu12` from PyPI has one); without it those columns are missing, and that is said.
//! Each handler is assembled as the only one that an entry calls, so its registers include those of the call.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use gpu_actor_examples::{counter, flights, vector};
use gpu_actor_rt::prelude::Actor;
use kernels_ptx::{
    builder::Builder,
    dispatch, harness,
    ir::{Function, text},
    module::Module,
    ring,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Volta, the oldest that is promised, and Hopper.
const TARGETS: [&str; 2] = ["sm_70", "sm_90"];

/// A function with those that it needs beside it.
struct Subject {
    name: String,
    symbol: &'static str,
    /// The first is the subject.
    functions: Vec<Function>,
}

/// A handler by itself, called by an entry.
fn handlers<T: Actor>(subjects: &mut Vec<Subject>) -> Result<()> {
    let info = T::info();
    let short = info.name.rsplit("::").next().unwrap_or(info.name);
    for method in info.methods {
        let builder = Builder::handler("handler");
        (method.lower)(&builder);
        let functions = vec![builder.finish()?, harness::build(&["handler"])?];
        subjects.push(Subject { name: format!("`{short}::{}`", method.name), symbol: "handler", functions });
    }
    Ok(())
}

fn subjects() -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    handlers::<counter::Counter>(&mut subjects)?;
    handlers::<vector::Adder>(&mut subjects)?;
    handlers::<flights::Aircraft>(&mut subjects)?;
    handlers::<flights::Carrier>(&mut subjects)?;
    handlers::<flights::Airport>(&mut subjects)?;
    let functions = vec![ring::kernel()?, dispatch::build(&[])?, ring::buffers::forgetting()?];
    subjects.push(Subject { name: "ring kernel".into(), symbol: ring::ENTRY, functions });
    Ok(subjects)
}

fn module(subject: &Subject, optimise: bool) -> Module {
    let mut module = Module::new("report");
    module.optimise(optimise);
    for function in &subject.functions {
        module.add(function.clone());
    }
    module
}

/// Instructions of a function in the PTX: lines that are no label, directive or brace.
fn instructions(ptx: &str, symbol: &str) -> usize {
    let head = format!("{symbol}(");
    // Declarations end in a semicolon, a definition's head does not.
    let body = ptx
        .lines()
        .skip_while(|line| !(line.contains(&head) && line.starts_with('.') && !line.ends_with(';')));
    let body = body.skip(1).take_while(|line| *line != "}");
    body.filter_map(|line| line.strip_prefix('\t')).filter(|line| !line.starts_with(['.', '{', '}'])).count()
}

/// Registers, stack and spilled bytes of what an assembler made of the module, the most of all its functions.
fn assemble(ptxas: &str, ptx: &str, target: &str) -> Result<String> {
    let path = std::env::temp_dir().join(format!("handler-report-{}.ptx", std::process::id()));
    fs::write(&path, ptx)?;
    let out = Command::new(ptxas).args(["-v", "-arch", target, "-o", "/dev/null"]).arg(&path).output();
    fs::remove_file(&path)?;
    let out = out?;
    let text = String::from_utf8_lossy(&out.stderr) + String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        return Err(format!("{ptxas}: {text}").into());
    }
    let most = |behind: &str| {
        let number = |line: &str| {
            let before = line.split(behind).next().filter(|_| line.contains(behind))?;
            before.split([' ', ',']).rfind(|word| !word.is_empty())?.parse::<u32>().ok()
        };
        text.lines().filter_map(number).max().unwrap_or(0)
    };
    let (registers, stack) = (most(" registers"), most(" bytes stack frame"));
    Ok(format!("{registers}, {stack}, {}", most(" bytes spill stores") + most(" bytes spill loads")))
}

fn report() -> Result<String> {
    let ptxas = std::env::var("GPU_ACTOR_PTXAS").unwrap_or_default();
    let ptxas = ptxas.split(':').find(|path| !path.is_empty()).map(PathBuf::from);
    let mut table = String::from("| handler | IR built | IR optimised | PTX built | PTX optimised |");
    let mut rule = String::from("|---|--:|--:|--:|--:|");
    if ptxas.is_some() {
        for target in TARGETS {
            write!(table, " {target}: registers, stack, spilled |")?;
            rule.push_str("---|");
        }
    }
    writeln!(table, "\n{rule}")?;
    for subject in subjects()? {
        let [built, optimised] = [false, true].map(|optimise| -> Result<_> {
            let functions = module(&subject, optimise).functions()?;
            let ptx = module(&subject, optimise).verify()?.ptx().to_owned();
            Ok((text::statements(&functions[0]), instructions(&ptx, subject.symbol), ptx))
        });
        let ((ir_built, ptx_built, _), (ir, count, ptx)) = (built?, optimised?);
        write!(table, "| {} | {ir_built} | {ir} | {ptx_built} | {count} |", subject.name)?;
        if let Some(ptxas) = &ptxas {
            for target in TARGETS {
                write!(table, " {} |", assemble(&ptxas.to_string_lossy(), &ptx, target)?)?;
            }
        }
        table.push('\n');
    }
    if ptxas.is_none() {
        eprintln!(
            "NO PTXAS: set GPU_ACTOR_PTXAS to see registers, stack and spills; the table has none of them"
        );
    }
    Ok(table)
}

fn main() -> ExitCode {
    match report() {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
