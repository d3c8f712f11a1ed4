//! gpu-actor beside the actor libraries that a user would pick instead.
//!
//! Rules kept here: all contestants take turns in one run, at least five rounds; a round is a fresh set of actors; medians
//! and spread first, ratios to the best peer last. A limit (a bare queue) is shown and not counted as a peer.

mod clocks;
mod limits;
mod ours;
mod ours_parts;
mod parts;
mod peers;
mod plot;
pub(crate) mod process;
mod queues;
mod role;
mod text;
mod workload;

use gpu_actor_rt::Config;
use serde_json::{Value, json};

use crate::Outcome;
use crate::report::{Sample, place};
use ours::Ours;
pub(crate) use ours::{Counter, Node};
use peers::{Actix, Kameo, Ractor, Xtra};
pub(crate) use plot::draw;
use process::Library;
use role::{Peer, Threads};
pub(crate) use text::{into_readme, markdown};
use workload::Load;
pub(crate) use workload::window;

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
    Limit,
}

impl Side {
    fn text(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
            Self::Limit => "limit",
        }
    }
}

/// One measurement of a round; several figures where it is a distribution.
type Measure<'a> = Box<dyn FnMut(&mut Ours) -> Outcome<Vec<f64>> + 'a>;

struct Contestant<'a> {
    name: String,
    side: Side,
    measure: Measure<'a>,
}

/// A table: a workload, its figures, and who takes part.
struct Table<'a> {
    name: &'static str,
    unit: &'static str,
    figures: &'static [&'static str],
    more_is_better: bool,
    contestants: Vec<Contestant<'a>>,
}

fn one<P: Peer>(library: &str, measure: fn(Threads, Load) -> f64, load: Load) -> Vec<Contestant<'static>> {
    several::<P>(library, move |threads| vec![measure(threads, load)])
}

fn several<P: Peer>(
    library: &str,
    measure: impl Fn(Threads) -> Vec<f64> + Copy + 'static,
) -> Vec<Contestant<'static>> {
    [Threads::One, Threads::All]
        .map(|threads| Contestant {
            name: format!("{library}, {}", threads.text()),
            side: Side::Peer,
            measure: Box::new(move |_| Ok(measure(threads))),
        })
        .into()
}

fn ours(
    name: &str,
    measure: impl FnMut(&mut Ours) -> Outcome<Vec<f64>> + 'static,
) -> Vec<Contestant<'static>> {
    vec![Contestant { name: name.into(), side: Side::Ours, measure: Box::new(measure) }]
}

/// Ours on a system of its own with another configuration.
fn alone(
    name: &str,
    config: impl Fn() -> Config + 'static,
    measure: impl Fn(&mut Ours) -> Outcome<Vec<f64>> + 'static,
) -> Vec<Contestant<'static>> {
    ours(name, move |_| {
        let mut system = Ours::start(config())?;
        let figures = measure(&mut system)?;
        system.stop()?;
        Ok(figures)
    })
}

fn limit(name: &str, measure: impl Fn() -> Vec<f64> + 'static) -> Contestant<'static> {
    Contestant { name: name.into(), side: Side::Limit, measure: Box::new(move |_| Ok(measure())) }
}

/// All four libraries, with one figure.
macro_rules! peers {
    ($measure:ident, $load:expr) => {
        [
            one::<Ractor>("ractor", workload::$measure::<Ractor>, $load),
            one::<Kameo>("kameo", workload::$measure::<Kameo>, $load),
            one::<Actix>("actix", workload::$measure::<Actix>, $load),
            one::<Xtra>("xtra", workload::$measure::<Xtra>, $load),
        ]
        .into_iter()
        .flatten()
    };
}

fn tables(load: Load) -> Vec<Table<'static>> {
    const RATE: (&str, &[&str]) = ("million messages a second", &["rate"]);
    let rates =
        |name, contestants| Table { name, unit: RATE.0, figures: RATE.1, more_is_better: true, contestants };
    let mut counting = ours("gpu-actor", move |ours| Ok(vec![ours.counting(load)?]));
    counting.extend(ours("gpu-actor, tell_many", move |ours| Ok(vec![ours.counting_many(load)?])));
    counting.extend(peers!(counting, load));
    for threads in [Threads::One, Threads::All] {
        let name = format!("tokio mpsc, {}", threads.text());
        counting.push(limit(&name, move || vec![limits::mpsc_counting(threads, load)]));
    }
    counting.push(limit("rtrb, 64 bytes, two threads", move || vec![limits::rtrb_counting(load)]));

    let mut asks = ours("gpu-actor", move |ours| Ok(ours.asks(load)?.to_vec()));
    asks.extend(alone(
        "gpu-actor, without assistance",
        || Config::default().assist(false),
        move |ours| Ok(ours.asks(load)?.to_vec()),
    ));
    asks.extend(several::<Ractor>("ractor", move |threads| workload::asks::<Ractor>(threads, load).to_vec()));
    asks.extend(several::<Kameo>("kameo", move |threads| workload::asks::<Kameo>(threads, load).to_vec()));
    asks.extend(several::<Actix>("actix", move |threads| workload::asks::<Actix>(threads, load).to_vec()));
    asks.extend(several::<Xtra>("xtra", move |threads| workload::asks::<Xtra>(threads, load).to_vec()));
    for threads in [Threads::One, Threads::All] {
        let name = format!("tokio mpsc and oneshot, {}", threads.text());
        asks.push(limit(&name, move || limits::mpsc_asks(threads, load).to_vec()));
    }

    let mut pipelined = ours("gpu-actor", move |ours| Ok(vec![ours.pipelined(load)?]));
    pipelined.extend(ours("gpu-actor, ask_many of 256", move |ours| Ok(vec![ours.asks_many(load)?])));
    pipelined.extend(alone(
        "gpu-actor, without assistance",
        || Config::default().assist(false),
        move |ours| Ok(vec![ours.pipelined(load)?]),
    ));
    pipelined.extend(peers!(pipelined, load));
    let mut ring = ours("gpu-actor", move |ours| Ok(vec![ours.ring(load)?]));
    ring.extend(alone(
        "gpu-actor, one worker",
        || Config::default().workers(1),
        move |ours| Ok(vec![ours.ring(load)?]),
    ));
    ring.extend(peers!(ring, load));
    let mut fork_join = ours("gpu-actor", move |ours| Ok(vec![ours.fork_join(load)?]));
    fork_join.extend(peers!(fork_join, load));
    let mut big = ours("gpu-actor", move |ours| Ok(vec![ours.big(load)?]));
    big.extend(alone(
        "gpu-actor, one worker",
        || Config::default().workers(1),
        move |ours| Ok(vec![ours.big(load)?]),
    ));
    big.extend(peers!(big, load));
    let mut bank = ours("gpu-actor", move |ours| Ok(vec![ours.bank(load)?]));
    bank.extend(peers!(bank, load));
    let mut chameneos = ours("gpu-actor", move |ours| Ok(vec![ours.chameneos(load)?]));
    chameneos.extend(peers!(chameneos, load));
    let mut activation = alone("gpu-actor", Config::default, move |ours| Ok(vec![ours.activation(load)?]));
    activation.extend(peers!(activation, load));
    let peer = |name: &str, measure: fn() -> Vec<f64>| Contestant {
        name: name.into(),
        side: Side::Peer,
        measure: Box::new(move |_| Ok(measure())),
    };
    let ring_slots = vec![
        Contestant { side: Side::Ours, ..peer("gpu-actor, many producers", queues::ours) },
        Contestant { side: Side::Limit, ..peer("rtrb, one producer", queues::rtrb) },
    ];
    let envelopes = vec![
        Contestant { side: Side::Ours, ..peer("gpu-actor, in its slot", queues::ours_envelope) },
        peer("ringkernel-core, as bytes", queues::ringkernel_envelope),
    ];
    let memory = [
        ("gpu-actor", Side::Ours, Library::GpuActor),
        ("ractor", Side::Peer, Library::Ractor),
        ("kameo", Side::Peer, Library::Kameo),
        ("actix", Side::Peer, Library::Actix),
        ("xtra", Side::Peer, Library::Xtra),
    ]
    .map(|(name, side, library)| Contestant {
        name: name.into(),
        side,
        measure: Box::new(move |_| process::bytes_of(library, load)),
    });
    let idle = ours("gpu-actor", move |ours| process::idle(ours, load.idle));
    let flights = ours("gpu-actor", |_| process::flights());
    let clocks = vec![
        Contestant { side: Side::Ours, ..peer("gpu-actor", clocks::ours) },
        Contestant { side: Side::Ours, ..peer("gpu-actor, the time read once for 64", clocks::ours_batched) },
        peer("uhlc", clocks::uhlc),
        peer("ringkernel-core", clocks::ringkernel),
    ];
    vec![
        rates("counting: one sender tells one actor", counting),
        Table {
            name: "ping-pong: one ask after the other",
            unit: "microseconds",
            figures: &["p50", "p99", "p99.9"],
            more_is_better: false,
            contestants: asks,
        },
        rates("pipelined ask: 256 asks wait at a time", pipelined),
        rates("thread ring: a token through 100 actors", ring),
        rates("fork and join: one sender tells 60 actors in turns", fork_join),
        rates("big: 16 actors ping each other at random", big),
        rates("bank: 8 tellers order transfers between 32 accounts", bank),
        rates("chameneos: 100 actors meet in pairs at one mall", chameneos),
        Table {
            name: "activation: new actors that have replied to a message",
            unit: "million actors a second",
            figures: &["rate"],
            more_is_better: true,
            contestants: activation,
        },
        Table {
            name: "hybrid logical clock: a stamp",
            unit: "nanoseconds",
            figures: &["tick", "receive"],
            more_is_better: false,
            contestants: clocks,
        },
        Table {
            name: "ring: a slot of 64 bytes in and out",
            unit: "nanoseconds",
            figures: &["one thread", "two threads"],
            more_is_better: false,
            contestants: ring_slots,
        },
        Table {
            name: "envelope: a message of 32 bytes, stamped",
            unit: "nanoseconds",
            figures: &["build", "read"],
            more_is_better: false,
            contestants: envelopes,
        },
        Table {
            name: "memory: the resident set's growth for an actor that has replied",
            unit: "bytes",
            figures: &["an actor"],
            more_is_better: false,
            contestants: memory.into(),
        },
        Table {
            name: "idle: a system that has nothing to do",
            unit: "percent of a core",
            figures: &["CPU time"],
            more_is_better: false,
            contestants: idle,
        },
        Table {
            name: "flights: the main job as a process, 336,776 flights",
            unit: "seconds",
            figures: &["run time"],
            more_is_better: false,
            contestants: flights,
        },
    ]
}

/// Runs the comparison.
pub(crate) fn run(rounds: usize, short: bool, only: Option<&str>) -> Outcome<Value> {
    let load = if short { Load::SHORT } else { Load::FULL };
    let load_average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{}\n{rounds} rounds in turns; load average at the start {load_average}", place());
    let mut system = Ours::start(Config::default())?;
    let mut report = Vec::new();
    for mut table in
        tables(load).into_iter().filter(|table| only.is_none_or(|only| table.name.starts_with(only)))
    {
        let count = table.figures.len();
        let mut samples = vec![vec![Vec::new(); count]; table.contestants.len()];
        for _ in 0..rounds {
            for (contestant, samples) in table.contestants.iter_mut().zip(&mut samples) {
                let figures = (contestant.measure)(&mut system)
                    .map_err(|error| format!("{}: {}: {error}", table.name, contestant.name))?;
                for (sample, figure) in samples.iter_mut().zip(figures) {
                    sample.push(figure);
                }
            }
        }
        let samples: Vec<Vec<Sample>> =
            samples.into_iter().map(|figures| figures.into_iter().map(Sample::new).collect()).collect();
        report.push(show(&table, &samples));
    }
    system.stop()?;
    Ok(json!({
        "bench": "compare", "place": place(), "rounds": rounds, "short": short,
        "commit": commit(), "load_average": load_average.trim(), "tables": report,
    }))
}

/// The commit that was built, as git tells it where the program runs.
pub(crate) fn commit() -> String {
    let output = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let text = output.ok().filter(|output| output.status.success());
    text.map_or_else(
        || "unknown commit".to_owned(),
        |output| format!("commit {}", String::from_utf8_lossy(&output.stdout).trim()),
    )
}

/// The best peer's median of a figure, where there are peers.
fn best(table: &Table<'_>, samples: &[Vec<Sample>], figure: usize) -> Option<f64> {
    let medians = table.contestants.iter().zip(samples).filter(|(c, _)| c.side == Side::Peer);
    let medians = medians.map(|(_, samples)| samples[figure].median());
    if table.more_is_better { medians.reduce(f64::max) } else { medians.reduce(f64::min) }
}

/// Prints a table, and gives it as JSON.
fn show(table: &Table<'_>, samples: &[Vec<Sample>]) -> Value {
    println!("\n{} ({})", table.name, table.unit);
    let mut rows = Vec::new();
    for (contestant, samples_of) in table.contestants.iter().zip(samples) {
        print!("{:6}{:36}", contestant.side.text(), contestant.name);
        let mut figures = serde_json::Map::new();
        for (at, (figure, sample)) in table.figures.iter().zip(samples_of).enumerate() {
            let (least, most) = sample.ends();
            let ratio = best(table, samples, at).map(|best| sample.median() / best);
            print!("{figure:>6} {:8.3} ({least:.3} to {most:.3})", sample.median());
            if let Some(ratio) = ratio {
                print!(" {ratio:6.2}x");
            }
            figures.insert(
                (*figure).to_owned(),
                json!({ "median": sample.median(), "least": least, "most": most, "to_best_peer": ratio }),
            );
        }
        println!();
        rows.push(json!({ "name": contestant.name, "side": contestant.side.text(), "figures": figures }));
    }
    json!({ "workload": table.name, "unit": table.unit, "more_is_better": table.more_is_better, "rows": rows })
}
