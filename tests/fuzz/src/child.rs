//! What runs inside of a compiled batch: checks every actor that is linked into it, and writes what it found, a line each.
//!
//! Actors are known by their file and name. The device twins can be taken from other files, with wrong programs on purpose:
//! see [`mutate`](crate::mutate).

use std::io::Write;

use gpu_actor_rt::__private::{ActorInfo, MethodInfo, Registration, inventory};
use gpu_actor_rt::testing;

/// What a line of the child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It begins with an actor.
    Begin {
        /// Which.
        actor: Which,
    },
    /// A handler was the same on both sides.
    Same {
        /// Which actor.
        actor: Which,
        /// Which handler.
        handler: String,
        /// What was seen.
        seen: Seen,
    },
    /// A handler was not.
    Differs {
        /// Which actor.
        actor: Which,
        /// Which handler.
        handler: String,
        /// In what.
        what: String,
        /// In which way, for people.
        text: String,
    },
    /// An actor could not be lowered or loaded.
    Refused {
        /// Which.
        actor: Which,
        /// Why.
        text: String,
    },
    /// All is done.
    Done,
}

/// A module's name and an actor's in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Which {
    /// The module.
    pub module: String,
    /// The actor's type.
    pub actor: String,
}

/// What was seen of a handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Calls that returned.
    pub returned: u64,
    /// Calls that faulted.
    pub faulted: u64,
    /// Calls that ran out of budget.
    pub over_budget: u64,
    /// Messages sent.
    pub sent: u64,
    /// Different results.
    pub distinct: u64,
    /// Faults by kind.
    pub faults: Vec<(String, u64)>,
}

impl Said {
    /// The line.
    fn line(&self) -> String {
        let parts = match self {
            Self::Begin { actor } => ["begin", &actor.module, &actor.actor].join("\t"),
            Self::Same { actor, handler, seen } => {
                let faults: Vec<_> =
                    seen.faults.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
                format!(
                    "same\t{}\t{}\t{handler}\t{}\t{}\t{}\t{}\t{}\t{}",
                    actor.module,
                    actor.actor,
                    seen.returned,
                    seen.faulted,
                    seen.over_budget,
                    seen.sent,
                    seen.distinct,
                    faults.join(",")
                )
            }
            Self::Differs { actor, handler, what, text } => {
                format!(
                    "differs\t{}\t{}\t{handler}\t{what}\t{}",
                    actor.module,
                    actor.actor,
                    text.escape_default()
                )
            }
            Self::Refused { actor, text } => {
                format!("refused\t{}\t{}\t{}", actor.module, actor.actor, text.escape_default())
            }
            Self::Done => "done".into(),
        };
        format!("{parts}\n")
    }

    /// Reads a line; `None` if it is not one of ours.
    pub fn parse(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split('\t').collect();
        let which =
            || Some(Which { module: (*parts.get(1)?).to_owned(), actor: (*parts.get(2)?).to_owned() });
        let text = |index: usize| parts.get(index).map(|part| (*part).to_owned());
        let number = |index: usize| parts.get(index)?.parse().ok();
        Some(match *parts.first()? {
            "begin" => Self::Begin { actor: which()? },
            "same" => {
                let faults = parts.get(9)?.split(',').filter_map(|fault| {
                    let (kind, count) = fault.split_once('=')?;
                    Some((kind.to_owned(), count.parse().ok()?))
                });
                let seen = Seen {
                    returned: number(4)?,
                    faulted: number(5)?,
                    over_budget: number(6)?,
                    sent: number(7)?,
                    distinct: number(8)?,
                    faults: faults.collect(),
                };
                Self::Same { actor: which()?, handler: text(3)?, seen }
            }
            "differs" => Self::Differs {
                actor: which()?,
                handler: text(3)?,
                what: text(4)?,
                text: unescape(parts.get(5)?),
            },
            "refused" => Self::Refused { actor: which()?, text: unescape(parts.get(3)?) },
            "done" => Self::Done,
            _ => return None,
        })
    }
}

/// Undoes [`str::escape_default`], as far as it reads better for it.
fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")
}

/// The child's whole life: `child CASES SEED SKIP [mixed]`.
pub fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|arg| arg.parse::<u64>().ok()).unwrap_or(0);
    let (cases, seed, skip) = (number(0) as u32, number(1), number(2) as usize);
    let mixed = args.get(3).is_some_and(|arg| arg == "mixed");
    for (which, info) in actors(mixed).into_iter().skip(skip) {
        say(&Said::Begin { actor: which.clone() });
        check(&which, info, cases, seed);
    }
    say(&Said::Done);
}

fn say(said: &Said) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: nothing to do.
    let _ = out.write_all(said.line().as_bytes()).and_then(|()| out.flush());
}

fn check(which: &Which, info: &'static ActorInfo, cases: u32, seed: u64) {
    match testing::survey(info, cases, seed) {
        Ok(surveyed) => {
            for one in surveyed {
                let (actor, handler) = (which.clone(), one.handler.to_owned());
                say(&match one.difference {
                    Some(difference) => Said::Differs {
                        actor,
                        handler,
                        what: difference.what.to_owned(),
                        text: difference.to_string(),
                    },
                    None => Said::Same {
                        actor,
                        handler,
                        seen: Seen {
                            returned: one.report.returned,
                            faulted: one.report.faulted,
                            over_budget: one.report.over_budget,
                            sent: one.report.sent,
                            distinct: one.distinct as u64,
                            faults: one.faults.into_iter().collect(),
                        },
                    },
                });
            }
        }
        Err(error) => say(&Said::Refused { actor: which.clone(), text: error.to_string() }),
    }
}

/// All actors that are linked, in the order of their modules. `mixed` gives those whose device twin is another module's:
/// the native twins of `m3` with the device twins of `m3_7`, under the name of the latter.
fn actors(mixed: bool) -> Vec<(Which, &'static ActorInfo)> {
    let mut found: Vec<_> = inventory::iter::<Registration>()
        .map(|registration| {
            let info = (registration.0)();
            let module = info.file.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".rs");
            let actor = info.name.rsplit("::").next().unwrap_or_default();
            (Which { module: module.to_owned(), actor: actor.to_owned() }, info)
        })
        .collect();
    found.sort_by_key(|(which, _)| {
        let (module, variant) = which.module.split_once('_').unwrap_or((&which.module, ""));
        let number = |text: &str| text.trim_start_matches('m').parse::<u32>().unwrap_or(0);
        (number(module), number(variant), which.actor.clone())
    });
    if !mixed {
        return found;
    }
    let original = |which: &Which| {
        let module = which.module.split_once('_')?.0;
        found.iter().find(|(other, _)| other.module == module && other.actor == which.actor)
    };
    found.iter().filter_map(|(which, wrong)| Some((which.clone(), mix(original(which)?.1, wrong)))).collect()
}

/// The native twins of one actor with the device twins of another. Lives as long as the process.
fn mix(native: &'static ActorInfo, device: &'static ActorInfo) -> &'static ActorInfo {
    let methods = native.methods.iter().filter_map(|method| {
        let wrong = device.methods.iter().find(|other| other.name == method.name)?;
        Some(MethodInfo { lower: wrong.lower, ..*method })
    });
    let methods: Vec<MethodInfo> = methods.collect();
    Box::leak(Box::new(ActorInfo { methods: Box::leak(methods.into_boxed_slice()), ..*native }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let actor = Which { module: "m1".into(), actor: "Actor0".into() };
        let seen = Seen { returned: 5, distinct: 3, faults: vec![("Bounds".into(), 2)], ..Seen::default() };
        for said in [
            Said::Begin { actor: actor.clone() },
            Said::Same { actor: actor.clone(), handler: "h1".into(), seen },
            Said::Differs {
                actor: actor.clone(),
                handler: "h1".into(),
                what: "the state".into(),
                text: "a \"b\"\n c".into(),
            },
            Said::Refused { actor, text: "one\ntwo".into() },
            Said::Done,
        ] {
            assert_eq!(Said::parse(said.line().trim_end_matches('\n')), Some(said));
        }
        assert_eq!(Said::parse("hello"), None);
    }
}
