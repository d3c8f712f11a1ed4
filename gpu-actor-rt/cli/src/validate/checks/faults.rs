//! Injected faults: each comes back as its typed error, is accounted for, and the system goes on.

use gpu_actor_rt::device::DeviceError;
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{Error, Stats};

use super::memory::{exhaust, most};
use crate::validate::actors::{Probe, Relay};
use crate::validate::finding::{Recorder, Stop, Table};
use crate::validate::ground::{Ground, Live, balances};

/// What a case did and saw, in words, and its counters after everything was drained.
type Outcome = Result<(String, Stats), Stop>;

/// A case: its name, and what it does.
type Case = (&'static str, fn(&Ground, &Recorder) -> Outcome);

const CASES: [Case; 6] = [
    ("overflow", overflow),
    ("endless loop", endless),
    ("out of memory", out_of_memory),
    ("full mailbox", full_mailbox),
    ("waiting for space", waiting),
    ("full device rings", full_rings),
];

#[allow(clippy::unnecessary_wraps)] // As every check: whether it ended, not whether it passed.
pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    let mut table = Table {
        title: "Cases".into(),
        columns: vec![
            "fault",
            "what came back",
            "accepted",
            "sent",
            "handled",
            "faulted",
            "dead letters",
            "balance",
        ],
        rows: Vec::new(),
    };
    for (name, case) in CASES {
        record.step(name);
        match case(ground, record) {
            Ok((seen, stats)) => {
                let balanced =
                    record.require(balances(&stats), || format!("{name}: the counters do not balance"));
                let counters = [stats.accepted, stats.sent, stats.handled, stats.faulted, stats.dead_letters];
                let mut row = vec![name.to_owned(), seen];
                row.extend(counters.iter().map(u64::to_string));
                row.push(if balanced { "yes" } else { "no" }.into());
                table.rows.push(row);
            }
            // The other cases run all the same.
            Err(Stop::Failed(why) | Stop::NotRun(why)) => record.fail(format!("{name}: {why}")),
        }
    }
    record.figure("cases", CASES.len() as f64, "");
    record.figure("cases that came back and were accounted for", table.rows.len() as f64, "");
    record.table(table);
    Ok(())
}

/// The system answers: nothing that went before harmed it.
fn answers(live: &Live, record: &Recorder) -> Result<(), Stop> {
    let probe = live.system.actor::<Probe>("bystander");
    let before = live.wait(probe.get().into_future())?;
    let after = live.wait(probe.add(3).into_future())?;
    record.require(after == before + 3, || format!("a bystander replied {after} instead of {}", before + 3));
    Ok(())
}

/// Ends a case.
fn done(live: Live, seen: String, record: &Recorder) -> Outcome {
    answers(&live, record)?;
    let stats = live.drain()?;
    live.stop()?;
    Ok((seen, stats))
}

/// The fault that an ask came back with.
fn fault(reply: gpu_actor_rt::Result<u64>) -> Result<Fault, Stop> {
    match reply {
        Err(Error::Fault(fault)) => Ok(fault),
        Err(other) => Err(other.into()),
        Ok(value) => Err(Stop::Failed(format!("no fault came back, but {value}"))),
    }
}

fn overflow(ground: &Ground, record: &Recorder) -> Outcome {
    let live = Live::start(ground.config(&ground.open()?))?;
    let mut events = live.system.subscribe_faults();
    let probe = live.system.actor::<Probe>("overflow");
    for _ in 0..8 {
        let fault = fault(live.wait(probe.overflow().into_future()))?;
        record
            .require(fault.kind == FaultKind::Overflow && fault.line > 0, || format!("came back as {fault}"));
        live.wait(probe.overflow().tell_wait())?;
    }
    let stats = live.drain()?;
    let mut heard = 0;
    while let Ok(event) = events.try_recv() {
        heard += u64::from(event.kind == FaultKind::Overflow && !event.dead_letter);
    }
    record.require(heard == 8 && stats.faulted == 16, || {
        format!(
            "overflow: 8 faults of tells were due, {heard} were heard of; 16 in all, {} counted",
            stats.faulted
        )
    });
    done(live, "8 errors to asks, 8 events of tells, with the source line".into(), record)
}

fn endless(ground: &Ground, record: &Recorder) -> Outcome {
    let live = Live::start(ground.config(&ground.open()?).budget(1 << 16))?;
    let fault = fault(live.wait(live.system.actor::<Probe>("endless").endless(1).into_future()))?;
    record.require(fault.kind == FaultKind::Budget, || format!("came back as {fault}"));
    done(live, format!("{}, {}", fault.kind, fault.handler), record)
}

/// Beside a live ring kernel: the actors that have memory go on, new ones are refused, and there is room for them once memory
/// was freed.
fn out_of_memory(ground: &Ground, record: &Recorder) -> Outcome {
    const ENOUGH: u64 = 1 << 17;
    let device = ground.open()?;
    // Most of it before the launch: beside a ring kernel a large card fills slowly.
    let mut pieces = most(device.as_ref())?;
    let live = Live::start(ground.config(&device))?;
    answers(&live, record)?;
    pieces.extend(exhaust(device.as_ref(), 4096)?.0);
    // What the runtime has in reserve may serve the first of them.
    let refused = (0..ENOUGH).find_map(|key| Some((key, live.system.actor::<Relay>(key).id().err()?)));
    let Some((key, error)) = refused else {
        return Err(Stop::Failed(format!("{ENOUGH} new actors found memory although there was none")));
    };
    record.require(matches!(error, Error::Device(DeviceError::OutOfMemory { .. })), || {
        format!("the refusal is not the typed error for exhausted memory: {error:?}")
    });
    answers(&live, record)?;
    drop(pieces);
    // A device may keep what is freed beside a running kernel until the kernel ends; then the next system must have it.
    if live.system.actor::<Relay>(key).id().is_ok() {
        let seen = live.wait(live.system.actor::<Relay>(key).seen().into_future())?;
        record.require(seen.hops == 0, || format!("a new actor has seen {} messages", seen.hops));
        return done(
            live,
            "new actor refused with the typed error, welcome once memory was freed".into(),
            record,
        );
    }
    let ended =
        done(live, "new actor refused with the typed error, welcome once the ring had ended".into(), record)?;
    let next = Live::start(ground.config(&device))?;
    let seen = next.wait(next.system.actor::<Relay>(key).seen().into_future())?;
    record.require(seen.hops == 0, || format!("a new actor has seen {} messages", seen.hops));
    next.stop()?;
    Ok(ended)
}

fn full_mailbox(ground: &Ground, record: &Recorder) -> Outcome {
    let live = Live::start(ground.config(&ground.open()?).workers(1).host_inbox(32))?;
    let probe = live.system.actor::<Probe>("full");
    live.wait(live.system.pause())?;
    let (mut accepted, mut refused) = (0u64, 0u64);
    for _ in 0..100 {
        match probe.add(1).tell() {
            Ok(()) => accepted += 1,
            Err(Error::Full { .. }) => refused += 1,
            Err(other) => return Err(other.into()),
        }
    }
    record.require(accepted == 32, || {
        format!("a mailbox of 32 took {accepted} messages while its worker was paused")
    });
    live.wait(live.system.resume())?;
    let count = live.wait(probe.get().into_future())?;
    record.require(count == accepted, || format!("{accepted} messages were accepted and {count} handled"));
    done(live, format!("{refused} of 100 tells refused as Full, {accepted} handled"), record)
}

fn waiting(ground: &Ground, record: &Recorder) -> Outcome {
    let live = Live::start(ground.config(&ground.open()?).workers(1).host_inbox(32))?;
    let probe = live.system.actor::<Probe>("waiting");
    live.wait(async {
        for _ in 0..2000 {
            probe.add(1).tell_wait().await?;
        }
        Ok::<_, Stop>(())
    })?;
    let count = live.wait(probe.get().into_future())?;
    record.require(count == 2000, || format!("2000 messages waited for space and {count} were handled"));
    done(live, "2000 messages through a mailbox of 32".into(), record)
}

/// A handler sends 16 messages to its own worker, whose inbox holds two and whose spill ring holds two: nobody takes any
/// before the handler has sent all.
fn full_rings(ground: &Ground, record: &Recorder) -> Outcome {
    let config = ground.config(&ground.open()?).workers(1).lanes(1).device_inbox(2).spill(2);
    let live = Live::start(config)?;
    let mut events = live.system.subscribe_faults();
    let target = live.system.actor::<Probe>("target");
    live.wait(live.system.actor::<Probe>("source").flood(target.id()?).into_future())?;
    let stats = live.drain()?;
    let mut heard = 0;
    while let Ok(event) = events.try_recv() {
        heard += u64::from(event.kind == FaultKind::MailboxFull && event.dead_letter);
    }
    record.require(stats.dead_letters == 12 && heard == 12, || {
        format!("12 dead letters were due, {} were counted and {heard} heard of", stats.dead_letters)
    });
    let count = live.wait(target.get().into_future())?;
    record.require(count == 4, || format!("4 messages had room and {count} were handled"));
    done(live, "12 of 16 messages are dead letters, 4 handled".into(), record)
}
