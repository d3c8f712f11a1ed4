//! Idle actors sleep: their state leaves the device, and comes back with their next message.
//!
//! Rules kept here: the device is led away from a chunk only while all workers stand still between two messages; who asks for
//! an actor is answered whatever happens; one thread at a time moves chunks away, and it holds no lock that an answer
//! needs while it waits for a worker.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::directory::{Call, Candidate};
use super::{ActorSystem, Inner, on_thread, spawn};
use crate::error::{Error, Result};
use crate::id::RawId;

/// How long workers may take to stand still for the sweeper. One that is at it for longer is not idle.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the sweeper waits after a sweep that did not get far, before the next.
const PAUSE: Duration = Duration::from_millis(10);

/// Which of the chunks on the device sleep now.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// Those that have been watched for so many nanoseconds.
    Idle(u64),
    /// The coldest, until the others have no more bytes than they may.
    Coldest,
}

impl ActorSystem {
    /// Moves the state of actors that have been idle for `older_than` from the device to the host's memory; returns how many.
    ///
    /// Idle is an actor that has had no message since an earlier call, or the sweep of
    /// [`Config::deactivate_after`](crate::Config::deactivate_after), began to watch it, if that was so long ago; and with
    /// [`Duration::ZERO`] everybody who has no message right now. Actors move by chunks, see there.
    ///
    /// The workers stand still for a moment, at a message boundary. If they do not within
    /// [`Config::shutdown_deadline`](crate::Config::shutdown_deadline), this is [`Error::Unresponsive`], and nothing has
    /// happened. While the system is paused this works, too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gpu_actor_rt::prelude::*;
    ///
    /// # #[gpu_actor]
    /// # #[derive(Default)]
    /// # struct Account { balance: u64 }
    /// # #[gpu_actor]
    /// # impl Account {
    /// #     #[handler]
    /// #     fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// let alice = system.actor::<Account>("alice");
    /// alice.deposit(100).await?;
    /// assert_eq!(system.deactivate_idle(Duration::ZERO).await?, 1);
    /// assert_eq!(system.stats().resident, 0);
    ///
    /// // The next message finds her as she was.
    /// assert_eq!(alice.deposit(1).await?, 101);
    /// assert_eq!(system.stats().reactivated, 1);
    /// system.shutdown().await
    /// # }
    /// ```
    pub async fn deactivate_idle(&self, older_than: Duration) -> Result<u64> {
        let inner = Arc::clone(&self.owner.inner);
        let age = u64::try_from(older_than.as_nanos()).unwrap_or(u64::MAX);
        on_thread("deactivate", move || {
            inner.sweep(Which::Idle(age), inner.settings.config.shutdown_deadline)
        })
        .await?
    }
}

impl Inner {
    /// Moves chunks off the device; how many actors that are.
    fn sweep(&self, which: Which, patience: Duration) -> Result<u64> {
        let _alone = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ending.load(Ordering::SeqCst) {
            return Err(Error::Stopped);
        }
        let (directory, memory) = (&self.running.directory, &self.running.memory.types);
        let device = self.device.as_ref();
        let mut chunks = directory.candidates(memory);
        if let Which::Coldest = which {
            directory.spared(&mut chunks);
        }
        if chunks.iter().any(Candidate::is_awake) {
            directory.prepare(&chunks, memory, device)?;
            self.running.hold(patience, || directory.watch(&mut chunks, memory, self.monotonic()))?;
        }
        let now = self.monotonic();
        let mut actors = 0;
        for chunk in chunks {
            if match which {
                Which::Idle(age) => chunk.is_idle(now, age),
                Which::Coldest => true,
            } {
                actors += directory.put_to_sleep(chunk, memory, device)?;
            }
        }
        if actors != 0 {
            tracing::debug!(actors, "idle actors were deactivated");
        }
        Ok(actors)
    }

    /// Memory is scarce: who has no message right now gives theirs back; whether the device got any.
    pub(super) fn make_room(&self) -> bool {
        if let Err(error) = self.sweep(Which::Idle(0), PATIENCE) {
            tracing::debug!(%error, "idle actors stay where they are");
        }
        self.running.directory.give_up_spare() != 0
    }

    /// A worker asks for an actor that sleeps, and waits.
    pub(super) fn awaken(&self, actor: RawId) {
        let (running, device) = (&self.running, self.device.as_ref());
        if let Err(error) = running.directory.awaken(actor, &running.memory.types, device) {
            tracing::warn!(%actor, %error, "an actor could not be reactivated: its message faults");
        }
        running.launched().doorbell(actor.worker());
    }
}

/// The thread that moves the idle, and the coldest where there are too many.
pub(super) struct Sweeper {
    inner: Arc<Inner>,
}

impl Sweeper {
    /// Begins the thread if the configuration needs one.
    pub(super) fn begin(inner: &Arc<Inner>) -> Result<Option<JoinHandle<()>>> {
        let config = &inner.settings.config;
        if config.deactivate_after.is_none() && config.max_resident.is_none() {
            return Ok(None);
        }
        let sweeper = Self { inner: Arc::clone(inner) };
        spawn("sweeper", move || sweeper.run()).map(Some)
    }

    fn run(&self) {
        let inner = &*self.inner;
        let age = inner.settings.config.deactivate_after;
        let idle = Which::Idle(age.map_or(u64::MAX, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)));
        let directory = &inner.running.directory;
        loop {
            let which = match directory.await_call(age.map(|age| age / 2)) {
                Call::Exit => return,
                Call::Time => idle,
                Call::Pressure => Which::Coldest,
            };
            let got_on = match inner.sweep(which, PATIENCE) {
                Ok(actors) => actors != 0,
                Err(Error::Stopped) => return,
                Err(error) => {
                    tracing::debug!(%error, "idle actors stay where they are for now");
                    false
                }
            };
            if matches!(which, Which::Coldest) && !got_on && directory.await_exit(PAUSE) {
                return;
            }
        }
    }
}
