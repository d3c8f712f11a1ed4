//! The trial that counts: an actor system on a device, and a message there and back.
//!
//! Rule kept here: a device that hangs does not hang the doctor. A trial has a thread of its own, and is left behind when
//! its time is up.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use gpu_actor_rt::device::{Device, DeviceError};
use gpu_actor_rt::prelude::*;

use crate::error::chain;

/// How long a trial may take in all: the runtime's own limits for start, reply and shutdown end before.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long a reply may take: a busy machine is not a broken one.
const REPLY: Duration = Duration::from_secs(15);

/// Answers a question with a number that depends on it and on how many have been asked.
#[gpu_actor(name = "gpu_actor_cli::Probe")]
#[derive(Debug, Default)]
pub(crate) struct Probe {
    asked: u64,
}

#[gpu_actor]
impl Probe {
    #[handler]
    fn ask(&mut self, question: u64) -> u64 {
        self.asked += 1;
        question.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.asked)
    }
}

/// What the answer should be.
fn expected(question: u64, asked: u64) -> u64 {
    question.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(asked)
}

/// A trial that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    /// The device's name, as the device gives it.
    pub(crate) device: String,
    /// What drives it.
    pub(crate) driver: String,
    /// Whether it is silicon.
    pub(crate) hardware: bool,
    /// How long the device's compiler took for the ring kernel and a handler.
    pub(crate) jit: Duration,
    /// From the first message's sending to its reply.
    pub(crate) round_trip: Duration,
}

/// Opens a device, starts a system on it (in slices, if they are given), asks twice, and shuts it down.
pub(crate) fn run(
    slice: Option<Duration>,
    open: impl FnOnce() -> Result<Arc<dyn Device>, DeviceError> + Send + 'static,
) -> Result<Trial, String> {
    within(PATIENCE, move || {
        let device = open().map_err(|error| chain(&error))?;
        let executor =
            tokio::runtime::Builder::new_current_thread().build().map_err(|error| chain(&error))?;
        executor.block_on(converse(device, slice))
    })
}

async fn converse(device: Arc<dyn Device>, slice: Option<Duration>) -> Result<Trial, String> {
    let say = |error: Error| chain(&error);
    // One worker is enough, and leaves the rest of the device to whoever else uses it.
    let mut config = Config::default().device(device).actor::<Probe>().workers(1).ask_timeout(REPLY);
    if let Some(slice) = slice {
        config = config.slice(slice);
    }
    let system = ActorSystem::start(config).await.map_err(say)?;
    let stats = system.stats();
    let probe = system.actor::<Probe>("doctor");
    // The first message makes the actor; the second one finds everything in place.
    let mut round_trip = Duration::ZERO;
    for (asked, question) in [(1, 6), (2, 7)] {
        let begun = Instant::now();
        let answer = probe.ask(question).await.map_err(say)?;
        round_trip = begun.elapsed();
        let right = expected(question, asked);
        if answer != right {
            return Err(format!("the device computed {answer} where {right} is right; do not use it"));
        }
    }
    system.shutdown().await.map_err(say)?;
    Ok(Trial {
        device: stats.device,
        driver: stats.driver,
        hardware: stats.hardware,
        jit: stats.jit,
        round_trip,
    })
}

/// Does the work on a thread of its own and waits for it, but not for ever.
fn within<R: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<R, String> + Send + 'static,
) -> Result<R, String> {
    let (send, receive) = mpsc::channel();
    std::thread::Builder::new()
        .name("trial".into())
        .spawn(move || {
            // The receiver may have lost patience.
            let _ = send.send(work());
        })
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    receive.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => format!("no end after {} s", patience.as_secs()),
        RecvTimeoutError::Disconnected => "it panicked; this is a bug in gpu-actor".into(),
    })?
}

#[cfg(test)]
mod tests {
    use gpu_actor_rt::device::soft::{Soft, SoftConfig};

    use super::*;

    #[test]
    fn the_software_gpu_answers() {
        let config = SoftConfig { name: "Patient".into(), ..SoftConfig::default() };
        let trial = run(None, move || Ok(Arc::new(Soft::open(&config)?))).unwrap();
        assert!(trial.device.starts_with("Patient") && !trial.hardware, "{trial:?}");
        assert!(trial.round_trip > Duration::ZERO, "{trial:?}");
        let config = SoftConfig::default();
        let trial = run(Some(Duration::from_millis(5)), move || Ok(Arc::new(Soft::open(&config)?)));
        assert!(trial.is_ok(), "{trial:?}");
    }

    #[test]
    fn the_native_handler_computes_what_is_expected_of_the_device() {
        let mut probe = Probe::default();
        assert_eq!([probe.ask(6), probe.ask(7)], [expected(6, 1), expected(7, 2)]);
    }

    #[test]
    fn a_device_that_fails_or_hangs_or_panics_is_told_of() {
        let config = SoftConfig { memory: 4096, ..SoftConfig::default() };
        let why = run(None, move || Ok(Arc::new(Soft::open(&config)?))).unwrap_err();
        assert!(why.contains("memory"), "{why}");

        let (hold, held) = mpsc::channel::<()>();
        let why = within(Duration::from_millis(10), move || {
            let _ = held.recv();
            Ok(())
        });
        assert_eq!(why, Err("no end after 0 s".into()));
        drop(hold);
        let why: Result<(), _> = within(PATIENCE, || panic!("on purpose"));
        assert!(why.unwrap_err().contains("panicked"));
    }
}
