//! Cutting a program down to the smallest that still shows what is wrong.
//!
//! Rule kept here: a cut is kept only if the smaller program, compiled and run like any other, is wrong in the same way. All
//! single cuts of a program are tried at once, many modules per crate, since starting rustc is what costs; then those that
//! worked are tried together.

mod check;
mod cuts;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::build::Toolchain;
use crate::campaign::{self, Finding, Sabotage};
use crate::tree::{Module, Ty};
use cuts::Cut;

/// Modules compiled at once.
const CHUNK: usize = 64;
/// Single cuts tried in a round, those that take most away first.
const MOST: usize = 64;

/// How a program is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// Compiles it.
    pub toolchain: &'a Toolchain,
    /// Where.
    pub directory: &'a Path,
    /// Inputs that it is run with.
    pub cases: u32,
    /// Their seed.
    pub seed: u64,
    /// When to be content.
    pub patience: Duration,
    /// Breaks the device twins, for tests.
    pub sabotage: Option<Sabotage>,
}

/// The smallest finding of the same kind; the finding itself, if it does not show up again.
///
/// # Errors
/// When crates cannot be written or compiled.
pub fn shrink(judge: &Judge<'_>, finding: &Finding) -> io::Result<Finding> {
    let begun = Instant::now();
    let mut best = finding.clone();
    let isolated = cuts::isolate(&finding.module, finding.actor, finding.handler);
    for start in [isolated, finding.module.clone()] {
        if let [Some(found)] = &judge.wrong(std::slice::from_ref(&start), finding)?[..] {
            best = found.clone();
            break;
        }
    }
    while begun.elapsed() < judge.patience {
        let module = best.module.clone();
        let mut single: Vec<(Cut, Module)> = cuts::all(&module)
            .into_iter()
            .filter_map(|cut| {
                let smaller = cuts::apply(&module, std::slice::from_ref(&cut));
                (weight(&smaller) < weight(&module) && check::is_sound(&smaller)).then_some((cut, smaller))
            })
            .collect();
        single.sort_by_key(|(_, smaller)| weight(smaller));
        single.truncate(MOST);
        let modules: Vec<_> = single.iter().map(|(_, smaller)| smaller.clone()).collect();
        let found = judge.wrong(&modules, finding)?;
        let worked: Vec<Cut> = single
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_some())
            .map(|((cut, _), _)| cut.clone())
            .collect();
        let Some(first) = found.into_iter().flatten().min_by_key(|found| weight(&found.module)) else {
            break;
        };
        best = first;
        // Together: all of them, and every other, and so on.
        let mut together = Vec::new();
        for stride in [1, 2, 3, 4] {
            for offset in 0..stride {
                let some: Vec<Cut> = worked.iter().skip(offset).step_by(stride).cloned().collect();
                let smaller = cuts::apply_sound(&module, &some, check::is_sound);
                if weight(&smaller) < weight(&best.module) {
                    together.push(smaller);
                }
            }
        }
        let found = judge.wrong(&together, finding)?;
        if let Some(found) = found.into_iter().flatten().min_by_key(|found| weight(&found.module)) {
            best = found;
        }
    }
    best.origin.clone_from(&finding.origin);
    Ok(best)
}

/// What is to become small: nodes, then items, then the source's length.
fn weight(module: &Module) -> usize {
    let nodes: usize = module.bodies().map(crate::tree::Node::size).sum();
    let fields = |ty| if let Ty::Struct(index) = ty { 1 + module.structs[index].fields.len() } else { 1 };
    let fields: usize = module.used_types().into_iter().map(fields).sum();
    let functions = module.functions.iter().chain(module.actors.iter().flat_map(|actor| &actor.handlers));
    let params: usize = functions.map(|function| 2 + function.params.len()).sum();
    let text = crate::print::print(module, "m").text.len();
    (nodes + fields + params + module.consts.len()) * 100 + text
}

impl Judge<'_> {
    /// Which of the modules are wrong in the way of `finding`.
    fn wrong(&self, modules: &[Module], finding: &Finding) -> io::Result<Vec<Option<Finding>>> {
        let mut all = vec![None; modules.len()];
        for (chunk, modules) in modules.chunks(CHUNK).enumerate() {
            let named: Vec<_> = modules
                .iter()
                .enumerate()
                .map(|(index, module)| campaign::plain(index, module.clone()))
                .collect();
            let summary = campaign::examine(
                self.toolchain,
                self.directory,
                &named,
                (self.cases, self.seed),
                self.sabotage,
            )?;
            for found in summary.findings {
                let index = found.origin.trim_start_matches('m').parse::<usize>().ok();
                if let Some(index) = index
                    && found.wrong == finding.wrong
                    && all[chunk * CHUNK + index].is_none()
                {
                    all[chunk * CHUNK + index] = Some(found);
                }
            }
            fs::remove_dir_all(self.directory)?;
        }
        Ok(all)
    }
}
