//! What a message costs the host in instructions: small programs that `.ci/hot-paths` counts with callgrind.
//!
//! Rule kept here: a path is one function that is never inlined and whose name begins with `hot_path_`; what it does depends
//! on no other thread (the system is paused), so that a count is the same in every run.

use std::future::{Future, IntoFuture};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use clap::ValueEnum;
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{Call, hlc};

use crate::Outcome;
use crate::compare::{Counter, Node, window};

/// Messages of a path; the script divides by it.
const MESSAGES: u64 = 512;
/// Messages of a path on the device's side, whose whole thread is counted: so many that its start does not matter.
const MANY: u32 = 1 << 17;

/// A path whose instructions are counted.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Path {
    /// `call.tell()` to an actor that has an id.
    Tell,
    /// An ask, polled once: it is sent, and waits; then it is given up.
    Ask,
    /// A reference to an actor with an integer key, by its id known to the directory.
    Reference,
    /// A clock's stamp for a message that leaves, with the time given.
    Tick,
    /// A clock's stamp for a message that came, with the time given.
    Receive,
    /// The worker's side of a tell that waits in the host's ring.
    Worker,
    /// The worker's side of a message from an actor to another on the same worker.
    Local,
}

#[inline(never)]
fn hot_path_tell(actor: &ActorRef<Counter>) -> Outcome<()> {
    for _ in 0..MESSAGES {
        actor.add(1).tell()?;
    }
    Ok(())
}

#[inline(never)]
fn hot_path_ask(actor: &ActorRef<Counter>) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MESSAGES {
        let call: Call<u64> = actor.add(1);
        let ask = pin!(call.into_future());
        assert!(ask.poll(&mut cx).is_pending(), "a paused system replies nothing");
    }
}

#[inline(never)]
fn hot_path_reference(system: &ActorSystem) -> Outcome<()> {
    for key in 0..MESSAGES {
        black_box(system.actor::<Counter>(key).id()?);
    }
    Ok(())
}

#[inline(never)]
fn hot_path_tick(clock: &hlc::Clock) {
    for now in 0..MESSAGES {
        black_box(clock.tick(black_box(now << 10)));
    }
}

#[inline(never)]
fn hot_path_receive(clock: &hlc::Clock) -> Outcome<()> {
    for now in 0..MESSAGES {
        black_box(clock.receive(black_box(now << 9), black_box(now << 10))?);
    }
    Ok(())
}

/// Messages that wait, and then run on the one worker, whose thread is not kept awake.
async fn on_the_worker(local: bool) -> Outcome<()> {
    // Of these types alone: what else is linked into the program does not count.
    let config = Config::default().actor::<Counter>().actor::<Node>();
    let config = config.workers(1).spin(Duration::ZERO).assist(false).host_inbox(MANY);
    let system = ActorSystem::start(config).await?;
    let counter = system.actor::<Counter>(0);
    let nodes = [system.actor::<Node>(0), system.actor::<Node>(1)];
    nodes[0].link(nodes[1].id()?).await?;
    nodes[1].link(nodes[0].id()?).await?;
    system.pause().await?;
    if local {
        nodes[0].token(u64::from(MANY)).tell()?;
    } else {
        // At once, so that the worker, which sleeps, is woken once.
        system.tell_many((0..MANY).map(|_| counter.add(1))).map_err(|refused| refused.to_string())?;
    }
    system.resume().await?;
    system.drained().await?;
    let handled = system.stats().handled;
    system.shutdown().await?;
    if handled < u64::from(MANY) { Err(format!("{handled} messages of {MANY}").into()) } else { Ok(()) }
}

/// Runs one path.
pub(crate) fn run(path: Path) -> Outcome<()> {
    let clock = hlc::Clock::new(u64::MAX >> 1);
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    match path {
        Path::Tick => hot_path_tick(&clock),
        Path::Receive => hot_path_receive(&clock)?,
        Path::Worker | Path::Local => executor.block_on(on_the_worker(matches!(path, Path::Local)))?,
        Path::Tell | Path::Ask | Path::Reference => executor.block_on(async {
            let system = ActorSystem::start(Config::default().workers(1)).await?;
            for key in 0..MESSAGES {
                system.actor::<Counter>(key).id()?;
            }
            let actor = system.actor::<Counter>(0);
            actor.add(0).await?;
            system.pause().await?;
            match path {
                Path::Tell => hot_path_tell(&actor)?,
                Path::Ask => hot_path_ask(&actor),
                _ => hot_path_reference(&system)?,
            }
            system.resume().await?;
            system.shutdown().await?;
            Outcome::Ok(())
        })?,
    }
    Ok(())
}

/// Asks of one thread to one actor, for a profiler.
pub(crate) fn asks(count: u64, alone: bool) -> Outcome<()> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    executor.block_on(async {
        let system = ActorSystem::start(Config::default()).await?;
        let actor = system.actor::<Counter>(0);
        if alone {
            for _ in 0..count {
                actor.add(1).await?;
            }
        } else {
            // A failed ask gives nothing, and then the count is wrong.
            window(count, || async { actor.add(1).await.unwrap_or(0) }).await;
        }
        let handled = actor.add(0).await?;
        system.shutdown().await?;
        if handled == count { Ok(()) } else { Err(format!("{handled} asks of {count}").into()) }
    })
}
