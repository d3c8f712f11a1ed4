//! `gpu-actor ptx`: the PTX of an actor, and what NVIDIA's assembler makes of it.
//!
//! Rule kept here: the PTX is what a system with that actor loads, ring kernel and all, not a rendering of it.

mod ptxas;

use std::fmt::Write;

use clap::Args;
use gpu_actor_rt::{ActorType, linked_actors};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::Report;
use ptxas::{Assembler, Figures, Target};

/// Prints the PTX of an actor as a device loads it; without a name, lists the actors.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The actor's name, or the end of it: `gpu_actor_examples::counter::Counter`, `Counter`, `counter`.
    actor: Option<String>,
    /// Leave out the ring kernel and the dispatch: the handlers alone.
    #[arg(long, requires = "actor")]
    handlers: bool,
    /// Assemble for this target (`90`, `sm_90`, `sm_90a`; more than one with commas) and print registers, stack and
    /// spills instead of the PTX. Needs NVIDIA's ptxas.
    #[arg(long, value_name = "TARGET", value_delimiter = ',', requires = "actor")]
    sm: Vec<Target>,
}

/// Does what the options ask for.
pub(crate) fn run(options: &Options) -> Result<Report, CliError> {
    let actors = linked_actors()?;
    let Some(name) = &options.actor else { return Ok(list(&actors)) };
    let actor = find(&actors, name)?;
    let ptx = if options.handlers { actor.handlers_ptx()? } else { actor.ptx()? };
    if options.sm.is_empty() {
        let json = json!({ "actor": actor.name(), "handlers_only": options.handlers, "ptx": ptx });
        return Ok(Report { text: ptx, json, well: true });
    }
    let assembler = Assembler::find()?;
    let mut text = format!("{}, assembled by {}\n", actor.name(), assembler.version()?);
    let mut targets = Vec::new();
    for target in &options.sm {
        let figures = assembler.assemble(&ptx, target, options.handlers)?;
        text.push('\n');
        text.push_str(&table(*actor, target, &figures));
        targets.push(json!({
            "target": target.to_string(),
            "functions": figures.iter().map(Figures::json).collect::<Value>(),
        }));
    }
    let json = json!({ "actor": actor.name(), "handlers_only": options.handlers, "targets": targets });
    Ok(Report { text, json, well: true })
}

/// Every actor with its handlers, but for those that the commands themselves try devices with.
fn list(actors: &[ActorType]) -> Report {
    let mut text = String::new();
    let mut json = Vec::new();
    let own = concat!(env!("CARGO_CRATE_NAME"), "::");
    for actor in actors.iter().filter(|actor| !actor.name().starts_with(own)) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            text,
            "{}  ({} bytes of state, {}:{})",
            actor.name(),
            actor.state_size(),
            actor.file(),
            actor.line()
        );
        let mut handlers = Vec::new();
        for handler in actor.handlers() {
            let (name, message, reply) = (handler.name(), handler.message_size(), handler.reply_size());
            let _ = writeln!(text, "  {name:<20} message {message:>3} bytes, reply {reply:>3} bytes");
            handlers.push(json!({
                "name": name,
                "id": handler.id(),
                "symbol": handler.symbol(),
                "message_bytes": message,
                "reply_bytes": reply,
                "line": handler.line(),
            }));
        }
        json.push(json!({
            "name": actor.name(),
            "state_bytes": actor.state_size(),
            "file": actor.file(),
            "line": actor.line(),
            "handlers": handlers,
        }));
    }
    Report { text, json: json!({ "actors": json }), well: true }
}

/// The actor that a name means: the whole name, or else the end of it, whatever its case.
fn find<'a>(actors: &'a [ActorType], name: &str) -> Result<&'a ActorType, CliError> {
    if let Some(actor) = actors.iter().find(|actor| actor.name() == name) {
        return Ok(actor);
    }
    let wanted = name.to_lowercase();
    let ends = |actor: &&ActorType| {
        let whole = actor.name().to_lowercase();
        whole.strip_suffix(&wanted).is_some_and(|before| before.is_empty() || before.ends_with("::"))
    };
    let found: Vec<_> = actors.iter().filter(ends).collect();
    let names = |actors: &mut dyn Iterator<Item = &ActorType>| {
        actors.map(ActorType::name).collect::<Vec<_>>().join(", ")
    };
    match found[..] {
        [actor] => Ok(actor),
        [] => Err(CliError::NoActor { name: name.into(), known: names(&mut actors.iter()) }),
        _ => Err(CliError::ManyActors { name: name.into(), candidates: names(&mut found.iter().copied()) }),
    }
}

/// What the assembler said, with handlers by their names.
fn table(actor: ActorType, target: &Target, figures: &[Figures]) -> String {
    let name = |symbol: &str| match actor.handlers().find(|handler| handler.symbol() == symbol) {
        Some(handler) => format!("handler {}", handler.name()),
        None if symbol == "gpu_actor_ring" => "ring kernel".into(),
        None if symbol == "gpu_actor_dispatch" => "dispatch".into(),
        None => symbol.to_owned(),
    };
    let names: Vec<_> = figures.iter().map(|figures| name(&figures.symbol)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut text = format!("{:width$}  registers  stack bytes  spilled bytes\n", target.to_string());
    for (name, of) in names.iter().zip(figures) {
        // A function that is called has no count of its own: the entry's covers it.
        let registers = of.registers.map_or_else(|| "-".into(), |n| n.to_string());
        let spilled = of.spill_stores + of.spill_loads;
        let _ = writeln!(text, "{name:width$}  {registers:>9}  {:>11}  {spilled:>13}", of.stack);
    }
    text
}

#[cfg(test)]
mod tests {
    use gpu_actor_rt::prelude::*;

    use super::*;

    #[gpu_actor(name = "shop::Till")]
    #[derive(Default)]
    struct Till {
        sum: u64,
    }

    #[gpu_actor]
    impl Till {
        #[handler]
        fn pay(&mut self, amount: u32) -> u64 {
            self.sum += amount as u64;
            self.sum
        }
    }

    #[gpu_actor(name = "bar::Till")]
    #[derive(Default)]
    struct Other {
        sum: u64,
    }

    #[gpu_actor]
    impl Other {
        #[handler]
        fn pay(&mut self, amount: u32) {
            self.sum += amount as u64;
        }
    }

    #[gpu_actor(name = "bar::Until")]
    #[derive(Default)]
    struct Until {
        sum: u64,
    }

    #[gpu_actor]
    impl Until {
        #[handler]
        fn wait(&mut self) {
            self.sum += 1;
        }
    }

    fn actors() -> Vec<ActorType> {
        vec![ActorType::of::<Till>(), ActorType::of::<Other>(), ActorType::of::<Until>()]
    }

    #[test]
    fn a_name_is_the_whole_or_an_end_of_whole_words() {
        let actors = actors();
        assert_eq!(find(&actors, "shop::Till").unwrap().name(), "shop::Till");
        assert_eq!(find(&actors, "BAR::till").unwrap().name(), "bar::Till");
        assert_eq!(find(&actors, "until").unwrap().name(), "bar::Until");
        let ambiguous = find(&actors, "till").unwrap_err().to_string();
        assert!(ambiguous.contains("shop::Till, bar::Till;"), "{ambiguous}");
        let unknown = find(&actors, "ill").unwrap_err().to_string();
        assert!(unknown.contains("bar::Until"), "{unknown}");
    }

    #[test]
    fn the_table_names_handlers_and_leaves_no_column_out() {
        let actor = ActorType::of::<Till>();
        let symbol = actor.handlers().next().unwrap().symbol();
        let figures = [
            Figures { symbol, registers: None, stack: 16, spill_stores: 4, spill_loads: 8 },
            Figures {
                symbol: "gpu_actor_ring".into(),
                registers: Some(94),
                stack: 0,
                spill_stores: 0,
                spill_loads: 0,
            },
        ];
        let text = table(actor, &"90".parse().unwrap(), &figures);
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][0], "sm_90");
        assert_eq!(lines[1], ["handler", "pay", "-", "16", "12"]);
        assert_eq!(lines[2], ["ring", "kernel", "94", "0", "0"]);
    }
}
