//! Textual IR with the expected outcome in the same file: `run/*.ir`, `error/*.ir` and `opt/*.ir` in this folder.
//!
//! A file is one or more sections, separated by lines of `; ---`; a section is a module and its directives:
//!
//! - `; run: @f(1u32, &[2u64]) == 3u32, &[4u64]` calls `@f` on the software GPU: as written, optimised, and with its
//!   arguments as constants inside, which the optimiser folds. `&[..]`
//!   is memory with these constants side by side, which the call gets the address of; behind the result stand the
//!   memories' contents afterwards, in the same order. `== lanes(1u32, 2u32)` runs as many lanes, each with memories of its own.
//!   A handler is called with its state and payload, and maybe a budget: `@h(&[1u32], &[2u32], budget 3) == ok, &[3u32]`
//!   `reply &[3u32]`, or `== fault f0, &[1u32]`.
//! - `; error: rule 3: text`: the verifier refuses the module for that rule, in a message with the text.
//! - `; optimised:`, followed by the text of the optimised module in comments. `UPDATE_FILETESTS=1` writes it anew.
//!
//! Two more tests hold the files against the IR itself: every operation of every type has a `run`, every rule an `error`.

mod directive;
mod runner;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use directive::{Directive, Section};
use kernels_ptx::{
    ir::text::{all_operations, operations, parse},
    module::Module,
    verify,
};
use libtest_mimic::{Arguments, Failed, Trial};
use runner::How;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests")
}

/// All files with their names.
fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for kind in ["run", "error", "opt"] {
        for entry in fs::read_dir(folder().join(kind)).expect("a folder of tests") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|ext| ext == "ir") {
                files.push((format!("{kind}/{name}"), path));
            }
        }
    }
    files.sort();
    files
}

fn sections(path: &Path) -> Result<Vec<Section>, Failed> {
    let text = fs::read_to_string(path)?;
    Ok(directive::sections(&text)?)
}

fn module(section: &Section, optimise: bool) -> Result<Module, Failed> {
    let mut module = Module::new("filetest");
    module.optimise(optimise);
    for function in parse(&section.text)? {
        module.add(function);
    }
    Ok(module)
}

fn test(path: &Path) -> Result<(), Failed> {
    let all = sections(path)?;
    if all.iter().any(|section| section.directives.is_empty()) {
        return Err("a section without a directive tests nothing".into());
    }
    for section in &all {
        for directive in &section.directives {
            match directive {
                Directive::Error { rule, text } => match module(section, false)?.verify() {
                    Ok(_) => return Err(format!("line {}: accepted, not refused", section.line).into()),
                    Err(error) if error.rule != *rule || !error.to_string().contains(text) => {
                        return Err(format!(
                            "line {}: rule {rule}: {text:?} expected: {error}",
                            section.line
                        )
                        .into());
                    }
                    Err(_) => {}
                },
                Directive::Optimised { text } => {
                    let functions = module(section, true)?.functions()?;
                    let have: Vec<_> = functions.iter().map(ToString::to_string).collect();
                    let have = have.join("\n");
                    if have == *text {
                        continue;
                    }
                    if std::env::var_os("UPDATE_FILETESTS").is_none() {
                        return Err(
                            format!("line {}: optimised to\n{have}\nnot to\n{text}", section.line).into()
                        );
                    }
                    let file = fs::read_to_string(path)?;
                    fs::write(path, directive::replace_optimised(&file, section, &have))?;
                    // The lines behind it have moved.
                    return test(path);
                }
                Directive::Run(_) => {}
            }
        }
        for how in [How::AsWritten, How::Optimised, How::Folded] {
            runner::run(section, how)?;
        }
    }
    Ok(())
}

/// Every operation, of every type that the verifier lets it have, is run by some file.
fn every_operation_runs() -> Result<(), Failed> {
    let mut missing = all_operations();
    for (_, path) in files() {
        for section in sections(&path)? {
            if section.directives.iter().any(|d| matches!(d, Directive::Run(_))) {
                for function in parse(&section.text)? {
                    for operation in operations(&function) {
                        missing.remove(&operation);
                    }
                }
            }
        }
    }
    let count = all_operations().len();
    if count < 400 {
        return Err(format!("only {count} operations are known").into());
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no `run:` has {missing:?}").into()) }
}

/// Every rule of the verifier is broken by some file.
fn every_rule_is_broken() -> Result<(), Failed> {
    let mut missing: BTreeSet<u32> = (1..=verify::RULES).collect();
    for (_, path) in files() {
        for section in sections(&path)? {
            for directive in &section.directives {
                if let Directive::Error { rule, .. } = directive {
                    missing.remove(rule);
                }
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no `error:` for the rules {missing:?}").into()) }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("every operation runs", every_operation_runs),
        Trial::test("every rule is broken", every_rule_is_broken),
    ];
    trials.extend(files().into_iter().map(|(name, path)| Trial::test(name, move || test(&path))));
    libtest_mimic::run(&arguments, trials).exit_code()
}
