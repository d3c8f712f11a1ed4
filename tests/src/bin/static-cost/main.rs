//! What the ring kernel and the examples' handlers cost on real targets, counted in the machine code that NVIDIA's
//! assembler makes of them: no GPU is needed, and nothing here is a time.
//!
//! ```text
//! cargo run -p gpu-actor-tests --bin static-cost               # prints the tables of the book's chapter
//! cargo run -p gpu-actor-tests --bin static-cost -- --check    # fails where a figure has grown by more than 10 %
//! cargo run -p gpu-actor-tests --bin static-cost -- --write    # writes them into the chapter
//! ```
//!
//! `GPU_ACTOR_PTXAS` and `GPU_ACTOR_NVDISASM` name the tools; without the pinned versions of both it says so and fails.
//!
//! Rules kept here: the same source gives the same figures; a figure that cannot be found is an error and never a guess.

mod model;
mod path;
mod ptx;
mod sass;
mod subject;
mod table;
mod tools;
mod trace;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::Parser;

use ptx::Ptx;
use sass::Code;
use tools::{Assembled, Tools};

/// What can go wrong is reported as text.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Ampere, Hopper, Blackwell.
const TARGETS: [&str; 3] = ["sm_80", "sm_90", "sm_120"];
/// Registers of a multiprocessor.
const REGISTER_FILE: u32 = 65_536;
/// Registers of a warp are given out in pieces of this many.
const REGISTER_UNIT: u32 = 256;

/// Counts what the ring kernel and the examples' handlers cost in machine code.
#[derive(Parser)]
struct Options {
    /// Compares with the tables in the chapter; fails where a figure has grown by more than 10 %.
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Writes the tables into the chapter.
    #[arg(long)]
    write: bool,
    /// The chapter with the tables.
    #[arg(long)]
    book: Option<PathBuf>,
    /// Also prints the machine code on the way of the message with this row label, for each target.
    #[arg(long)]
    walk: Option<String>,
}

/// Warps whose registers fit on a multiprocessor.
fn warps(registers: u32) -> u32 {
    REGISTER_FILE / (registers * 32).next_multiple_of(REGISTER_UNIT).max(1)
}

/// The head of a table with a column for each target.
fn head(first: &str, figures: &str) -> String {
    let columns = TARGETS.map(|target| format!("{target}: {figures}")).join(" | ");
    format!("| {first} | {columns} |\n|---|{}\n", "---|".repeat(TARGETS.len()))
}

/// Registers, stack, spilled and shared bytes.
fn resources(of: &Assembled) -> String {
    format!("{}, {}, {}, {}", of.registers, of.stack, of.spilled, of.shared)
}

/// The table of the modules, the machine code of the larger one for each target, and the warps of the one that is modelled.
fn modules(tools: &Tools, with_handlers: &Ptx) -> Result<(String, Vec<Code>, u32)> {
    let mut table = head("module", "registers, stack, spilled, shared, instructions, warps");
    let alone = subject::ring(&[])?;
    let mut codes = Vec::new();
    let mut modelled = 0;
    for (name, ptx) in
        [("ring kernel, no handlers", &alone), ("ring kernel, the examples' handlers", with_handlers)]
    {
        write!(table, "| {name} |")?;
        for target in TARGETS {
            let assembled = tools.assemble(ptx, target)?;
            let code = Code::parse(&assembled.listing)?;
            let (instructions, warps) = (code.count(&(0..u32::MAX)), warps(assembled.registers));
            write!(table, " {}, {instructions}, {warps} |", resources(&assembled))?;
            codes.push(code);
            if target == model::TARGET {
                modelled = warps;
            }
        }
        table.push('\n');
    }
    Ok((table, codes.split_off(TARGETS.len()), modelled))
}

/// The table of the messages, and what the model says of them.
fn ways(ptx: &Ptx, codes: &[Code], warps: u32, walk: Option<&str>) -> Result<String> {
    let mut modelled = Vec::new();
    let mut table = head("message", "instructions, memory, ordering");
    table = table.replacen("|---|", "|---|--:|", 1).replacen("| message |", "| message | PTX |", 1);
    let acts = ptx.acts();
    for way in subject::ways()? {
        let pass = trace::pass(ptx, &way)?;
        write!(table, "| {} | {} |", way.name, pass.len())?;
        for (code, target) in codes.iter().zip(TARGETS) {
            let steps = path::find(code, &pass, &acts);
            let steps = steps.map_err(|error| format!("{target}, {}: {error}", way.name))?;
            let cost = path::cost(code, &steps);
            write!(table, " {}, {}, {} |", cost.instructions, cost.memory, cost.ordering)?;
            if target == model::TARGET {
                modelled.push((way.name, cost));
            }
            if walk == Some(way.name) {
                println!("{target}: line of PTX, instruction");
                for step in steps.iter().map(|step| &code.instructions[*step]) {
                    println!("{:6} {}", step.line, step.text);
                }
            }
        }
        table.push('\n');
    }
    Ok(format!("{table}\n{}", model::table(&modelled, warps)?))
}

fn handlers(tools: &Tools) -> Result<String> {
    let mut table = head("handler", "registers, stack, spilled, shared, instructions");
    for handler in subject::handlers()? {
        let lines = handler.ptx.function(&handler.symbol)?;
        write!(table, "| {} |", handler.name)?;
        for target in TARGETS {
            let assembled = tools.assemble(&handler.ptx, target)?;
            let code = Code::parse(&assembled.listing)?;
            write!(table, " {}, {} |", resources(&assembled), code.count(&lines))?;
        }
        table.push('\n');
    }
    Ok(table)
}

fn run(options: &Options) -> Result<()> {
    let tools = Tools::find()?;
    let everything = subject::ring(&subject::types())?;
    let (modules, codes, warps) = modules(&tools, &everything)?;
    let ways = ways(&everything, &codes, warps, options.walk.as_deref())?;
    let tables = format!("{modules}\n{ways}\n{}", handlers(&tools)?);
    let book = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/static-cost.md");
    let book = options.book.clone().unwrap_or_else(book);
    let read = || fs::read_to_string(&book).map_err(|error| format!("{}: {error}", book.display()));
    if options.write {
        fs::write(&book, table::replaced(&read()?, &tables)?)?;
        println!("written to {}", book.display());
    } else if options.check {
        let changes = table::compare(table::found(&read()?)?, &tables)?;
        for change in &changes.shrunk {
            println!("smaller, --write keeps it so: {change}");
        }
        for change in &changes.grown {
            println!("larger: {change}");
        }
        if !changes.too_much.is_empty() {
            return Err(format!(
                "grown by more than {} %, or too few warps:\n  {}\nMake it cheaper, or say why in the commit that writes the new table \
                 (--write).",
                table::TOLERANCE,
                changes.too_much.join("\n  ")
            )
            .into());
        }
        println!("no figure has grown by more than {} %", table::TOLERANCE);
    } else {
        println!("{tables}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("static-cost: {error}");
            ExitCode::FAILURE
        }
    }
}
