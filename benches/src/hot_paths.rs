//! What a message costs the host in instructions: small programs that `.ci/hot-paths` counts with callgrind.
//!
//! Rule kept here: a path is one function that is never inlined and whose name begins with `hot_path_`; what it does depends
//! on no other thread (the system is paused), so that a count is the same in every run.

use std::future::{Future, IntoFuture};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use clap::ValueEnum;
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{Call, hlc};

use crate::Outcome;
use crate::compare::Counter;

/// Messages of a path; the script divides by it.
const MESSAGES: u64 = 512;

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

/// Runs one path.
pub(crate) fn run(path: Path) -> Outcome<()> {
    let clock = hlc::Clock::new(u64::MAX >> 1);
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    match path {
        Path::Tick => hot_path_tick(&clock),
        Path::Receive => hot_path_receive(&clock)?,
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
