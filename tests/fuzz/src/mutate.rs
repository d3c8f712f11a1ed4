//! Wrong device twins, made on purpose: the proof that a wrong one is noticed.
//!
//! A *mutant* is a module with one operator or method changed. The native twin of the original runs against the
//! device twin of the mutant. How many are noticed says how good the programs are, too: what nobody notices stands where no
//! input comes, or does not matter.

use std::fmt;
use std::path::Path;
use std::{fs, io};

use crate::build::{self, Named, Toolchain};
use crate::child::Said;
use crate::grow;
use crate::random::Random;
use crate::tree::{Kind, Module, Node, Ty};

/// Mutants of one module.
const EACH: usize = 6;
/// Handlers of a module.
const HANDLERS: usize = 4;

/// What became of mutants.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Mutants.
    pub made: usize,
    /// Those that were noticed.
    pub noticed: usize,
    /// What was changed in those that were not.
    pub missed: Vec<String>,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.noticed * 100 / self.made.max(1);
        write!(f, "{} of {} wrong device twins were noticed ({percent}%)", self.noticed, self.made)
    }
}

/// Makes `modules` modules with mutants, and counts those that are noticed.
///
/// # Errors
/// When they cannot be compiled and run.
pub fn score(
    toolchain: &Toolchain,
    directory: &Path,
    seed: u64,
    modules: usize,
    cases: u32,
) -> io::Result<Score> {
    let mut named = Vec::new();
    let mut changes = Vec::new();
    for index in 0..modules {
        let mut random = Random::new(seed, index as u64);
        let module = grow::module(&mut random, HANDLERS);
        let path = format!("m{index}");
        for variant in 1..=EACH {
            if let Some(mutant) = mutate(&mut random, &module) {
                let file = format!("{path}_{variant}");
                changes.push((file.clone(), mutant.actor, mutant.handler, mutant.change));
                named.push(Named { file, path: path.clone(), module: mutant.module });
            }
        }
        named.push(Named { file: path.clone(), path, module });
    }
    let compiled = toolchain.compile(directory, &named)?;
    // A mutant that rustc refuses, such as one whose constant overflows, is none.
    changes.retain(|(file, ..)| !compiled.refused.iter().any(|refusal| named[refusal.module].file == *file));
    let Some(program) = compiled.program else { return Ok(Score::default()) };
    let (said, _) = build::run(&program, cases, seed, true)?;
    fs::remove_dir_all(directory)?;
    let mut score = Score { made: changes.len(), ..Score::default() };
    for (file, actor, handler, change) in changes {
        let noticed = said.iter().any(|said| {
            matches!(said, Said::Differs { actor: found, handler: name, what, .. }
                if found.module == file && found.actor == actor && *name == handler && what != "the line of the fault")
        });
        if noticed {
            score.noticed += 1;
        } else {
            score.missed.push(change);
        }
    }
    Ok(score)
}

struct Mutant {
    module: Module,
    actor: String,
    handler: String,
    change: String,
}

/// The module with one change in one handler.
fn mutate(random: &mut Random, module: &Module) -> Option<Mutant> {
    let mut module = module.clone();
    let actor = random.below(module.actors.len());
    let name = module.actor_name(actor).to_owned();
    let handlers = &mut module.actors[actor].handlers;
    if handlers.is_empty() {
        return None;
    }
    let handler = random.below(handlers.len());
    let function = &mut handlers[handler];
    let mut places = 0;
    function.body.walk(&mut |node| places += usize::from(changed(node).is_some()));
    if places == 0 {
        return None;
    }
    let mut left = random.below(places) + 1;
    let mut change = String::new();
    function.body.walk_mut(&mut |node| {
        let Some((kind, what)) = changed(node) else { return };
        left = left.wrapping_sub(1);
        if left == 0 {
            node.kind = kind;
            change = what;
        }
    });
    let handler = function.name.clone();
    Some(Mutant { module, actor: name, handler, change })
}

/// What a node could be instead, and that in words.
fn changed(node: &Node) -> Option<(Kind, String)> {
    let swapped = |op: &str| {
        Some(match op {
            "+" => "-",
            "-" => "+",
            "*" => "&",
            "/" => "%",
            "%" => "/",
            "&" => "|",
            "|" => "^",
            "^" => "&",
            "<<" => ">>",
            ">>" => "<<",
            "<" => "<=",
            "<=" => ">",
            ">" => ">=",
            ">=" => "<",
            "==" => "!=",
            "!=" => "==",
            "&&" => "||",
            "||" => "&&",
            "min" => "max",
            "max" => "min",
            "floor" => "ceil",
            "ceil" => "floor",
            "wrapping_add" => "wrapping_sub",
            "wrapping_sub" => "wrapping_mul",
            "wrapping_mul" => "wrapping_add",
            "saturating_add" => "wrapping_add",
            "saturating_sub" => "wrapping_sub",
            "rotate_left" => "rotate_right",
            "count_ones" => "count_zeros",
            "leading_zeros" => "trailing_zeros",
            _ => return None,
        })
    };
    let integers = node.kids.first().is_some_and(|kid| matches!(kid.ty, Ty::Int(_)));
    let numbers = node.kids.first().is_some_and(|kid| kid.ty.is_number());
    let fits = |op: &str| match op {
        "&" | "|" | "^" | "<<" | ">>" | "%" => integers,
        "*" => integers,
        "&&" | "||" | "==" | "!=" => true,
        _ => numbers,
    };
    match &node.kind {
        Kind::Binary(op) => {
            let other = swapped(op).filter(|other| fits(op) && fits(other))?;
            Some((Kind::Binary(other), format!("{op} to {other}")))
        }
        Kind::Compound(op) => {
            let other = swapped(op).filter(|other| fits(op) && fits(other))?;
            Some((Kind::Compound(other), format!("{op}= to {other}=")))
        }
        Kind::Method(name) => {
            let other = swapped(name)?;
            Some((Kind::Method(other), format!("{name} to {other}")))
        }
        _ => None,
    }
}
