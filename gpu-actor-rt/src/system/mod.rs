//! The actor system: start, addressing, pause, stop.
//!
//! Rules kept here: a message is accepted or refused, never both; after a shutdown every accepted message was handled or
//! is in the count that the error names; a system that is dropped ends its kernel and hangs on nothing.

pub(crate) mod behind;
mod buffers;
mod directory;
mod drain;
pub(crate) mod many;
mod memory;
mod owed;
mod poller;
mod report;
mod running;
mod sleep;
mod slices;
mod threads;
mod waiters;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kernels_ptx::abi::control;
use tokio::sync::broadcast;

use crate::actor::Actor;
use crate::asks::Asks;
use crate::buffer::Buffers;
use crate::coarse;
use crate::config::{Config, Settings};
use crate::device::{self, Chosen, Device, LaunchStatus};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::hlc::{self, Calibration, Clock};
use crate::id::{ActorId, RawId};
use crate::key::Key;
use crate::mailbox::Mailbox;
use crate::pool::{BufferPool, PoolConfig};
use crate::program::Program;
use crate::refs::{ActorRef, RawRef};
use crate::registry;
use crate::ring::{Envelope, Refused, wants_doorbell};
use drain::Drains;
use memory::Ends;
use owed::Owed;
use poller::{Poller, PollerLink};
use running::Running;
use sleep::Sweeper;
use threads::{on_thread, spawn};
pub(crate) use waiters::Place;
use waiters::Waiters;

/// A running actor system: a ring kernel on a device, and the actors in its memory. Clones share it.
///
/// Dropping the last clone without [`shutdown`](Self::shutdown) ends the kernel at once (on CUDA between two messages, and waits
/// for that at most as long as [`Config::shutdown_deadline`]): messages that were not handled are lost; asks that wait for a reply end with [`Error::Aborted`], calls that wait for space with [`Error::Stopped`].
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// # #[gpu_actor]
/// # #[derive(Default)]
/// # struct Account { balance: u64 }
/// # #[gpu_actor]
/// # impl Account {
/// #     #[handler]
/// #     fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
/// #     #[handler]
/// #     fn withdraw(&mut self, amount: u64) { self.balance -= amount; }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gpu_actor_rt::Result<()> {
/// let system = ActorSystem::start(Config::default()).await?;
/// let alice = system.actor::<Account>("alice");
/// alice.deposit(100).tell()?;
/// system.drained().await?;
///
/// let stats = system.stats();
/// assert_eq!((stats.handled, stats.activated), (1, 1));
/// println!("ran on {}, a {}", stats.device, stats.device_kind);
/// system.shutdown().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ActorSystem {
    owner: Arc<Owner>,
}

/// What ends with the last clone of a system; references to actors hold [`Inner`] alone.
#[derive(Debug)]
struct Owner {
    inner: Arc<Inner>,
    poller: Mutex<Option<JoinHandle<()>>>,
    /// Who deactivates the idle, if somebody does.
    sweeper: Mutex<Option<JoinHandle<()>>>,
    ended: OnceLock<End>,
    ending: Mutex<()>,
}

/// How a system ended.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Messages lost.
    lost: u64,
    /// The kernel did not end, after so long.
    stuck: Option<Duration>,
}

/// What the system's parts share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) running: Running,
    pub(crate) program: Arc<Program>,
    pub(crate) settings: Settings,
    /// By type index, the first is nobody's.
    mailboxes: Vec<Mailbox>,
    pub(crate) device: Arc<dyn Device>,
    /// Why it is this device.
    why: String,
    pub(crate) asks: Asks,
    pub(crate) waiters: Vec<Waiters>,
    pub(crate) poller: PollerLink,
    pub(crate) buffers: Arc<Buffers>,
    drains: Drains,
    owed: Owed,
    clock: Clock,
    begun: Instant,
    /// The coarse clock's reading at `begun` or less.
    coarse_begun: u64,
    faults: broadcast::Sender<Fault>,
    jit: Duration,
    /// Somebody ends the system; the launch's end is no surprise.
    ending: AtomicBool,
    /// The system ended by force: what waits is told so, and how much was lost.
    aborted: AtomicBool,
    lost: AtomicU64,
    /// Who moves idle actors does so alone.
    sweeping: Mutex<()>,
}

impl ActorSystem {
    /// Starts a system: lowers every handler, loads the module, launches the ring kernel and waits until all workers run.
    ///
    /// The work is done on a thread of its own, so an async executor is not held up. Any executor will do; timeouts need
    /// no timer of the executor.
    pub async fn start(config: Config) -> Result<Self> {
        on_thread("start", move || Self::start_blocking(config)).await?
    }

    fn start_blocking(config: Config) -> Result<Self> {
        let _span = tracing::info_span!("start").entered();
        let settings = config.settle()?;
        let types = registry::collect(settings.config.actors.as_deref())?;
        let lone = settings.config.lanes == 1;
        let program =
            tracing::debug_span!("lower", types = types.len()).in_scope(|| Program::of(types, lone))?;
        let Chosen { device, why } =
            device::choose_with(&settings.config.device, settings.config.soft.as_ref())?;
        if settings.workers > device.info().max_resident_blocks {
            return Err(Error::Config {
                option: "workers",
                value: settings.workers.to_string(),
                why: "the device cannot hold that many blocks at a time, see `DeviceInfo::max_resident_blocks`",
            });
        }
        let mailboxes = settings.mailboxes(&program.types)?;
        let (module, jit) = tracing::debug_span!("load").in_scope(|| program.load(device.as_ref()))?;
        let calibration = Calibration::first(device.timer()?, hlc::now());
        // What it is to have from the start on, before the kernel runs.
        let none = PoolConfig::default();
        let pool_config = if program.has_slices() { &settings.config.pool } else { &none };
        let pool = BufferPool::new(Arc::clone(&device), pool_config)?;
        let (running, Ends { completions, releases }) =
            Running::launch(&device, &program, &module, &settings, &mailboxes, calibration)?;
        running.await_workers(settings.config.start_timeout)?;
        let drift_bound = u64::try_from(settings.config.drift_bound.as_nanos()).unwrap_or(u64::MAX);
        let inner = Arc::new(Inner {
            asks: Asks::new(settings.config.max_pending_asks),
            waiters: (0..settings.workers).map(|_| Waiters::default()).collect(),
            poller: PollerLink::default(),
            buffers: Buffers::new(pool, running.memory.buffers.clone(), settings.config.max_buffers),
            drains: Drains::new(completions, releases),
            owed: Owed::new(),
            clock: Clock::new(drift_bound),
            coarse_begun: coarse::steady(),
            begun: Instant::now(),
            faults: broadcast::Sender::new(settings.config.fault_history),
            jit,
            ending: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            sweeping: Mutex::new(()),
            running,
            program,
            settings,
            mailboxes,
            device,
            why,
        });
        inner.relieve_pool();
        let poller = Poller::new(Arc::clone(&inner), calibration);
        let thread = spawn("poller", move || poller.run())?;
        let info = inner.device.info();
        tracing::info!(
            device = info.name,
            kind = %info.kind,
            hardware = info.hardware,
            driver = info.driver,
            why = inner.why,
            workers = inner.settings.workers,
            lanes = inner.settings.config.lanes,
            types = inner.program.types.len(),
            ?jit,
            "actor system started"
        );
        let owner = Owner {
            inner,
            poller: Mutex::new(Some(thread)),
            sweeper: Mutex::default(),
            ended: OnceLock::new(),
            ending: Mutex::new(()),
        };
        // Where this thread cannot be had, the owner goes, and ends what runs by then.
        let sweeper = Sweeper::begin(&owner.inner)?;
        *owner.sweeper.lock().unwrap_or_else(PoisonError::into_inner) = sweeper;
        Ok(Self { owner: Arc::new(owner) })
    }

    /// The actor of type `T` with a key. It exists from its first message on; nothing is sent by this.
    ///
    /// A type that is not part of the system shows at the first use, as [`Error::UnknownType`].
    pub fn actor<T: Actor>(&self, key: impl Into<Key>) -> ActorRef<T> {
        let inner = &self.owner.inner;
        ActorRef::new(RawRef::new(inner, inner.program.type_index(T::TYPE_NAME), T::TYPE_NAME, key.into()))
    }

    /// The actor that an id names, if this system gave the id out: say, one that came in a reply.
    pub fn find<T: Actor>(&self, id: ActorId<T>) -> Option<ActorRef<T>> {
        let inner = &self.owner.inner;
        let raw = RawId(id.raw());
        let known = inner.program.actor_type(raw.type_index()).is_some_and(|info| info.name == T::TYPE_NAME);
        let key = inner.running.directory.key(raw).filter(|_| known)?;
        Some(self.actor(key))
    }

    /// A stamp of the host's hybrid logical clock: later than every message that was sent and every reply that was received
    /// before.
    pub fn now(&self) -> u64 {
        self.owner.inner.clock.tick(hlc::now())
    }

    /// The PTX that runs, for the curious and for bug reports.
    pub fn ptx(&self) -> &str {
        self.owner.inner.program.ptx()
    }

    /// Faulted tells and dead letters, from now on. A subscriber that falls behind by more than
    /// [`Config::fault_history`] misses the oldest.
    ///
    /// ```
    /// use gpu_actor_rt::prelude::*;
    ///
    /// # #[gpu_actor]
    /// # #[derive(Default)]
    /// # struct Account { balance: u64 }
    /// # #[gpu_actor]
    /// # impl Account {
    /// #     #[handler]
    /// #     fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
    /// #     #[handler]
    /// #     fn withdraw(&mut self, amount: u64) { self.balance -= amount; }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// let mut faults = system.subscribe_faults();
    /// system.actor::<Account>("poor").withdraw(1).tell()?;
    /// let fault = faults.recv().await.expect("the system runs");
    /// assert_eq!((fault.kind, fault.handler), (FaultKind::Overflow, "withdraw"));
    /// println!("{fault}");
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn subscribe_faults(&self) -> broadcast::Receiver<Fault> {
        self.owner.inner.faults.subscribe()
    }

    /// Waits until every message that was accepted, and every message that these caused, is done and reported.
    ///
    /// Messages that others send meanwhile prolong the wait, and so does a pause. Returns [`Error::Stopped`] if the system
    /// ends before.
    pub async fn drained(&self) -> Result<()> {
        let inner = Arc::clone(&self.owner.inner);
        let done = on_thread("drain", move || inner.await_quiescence(None) && inner.await_poller()).await?;
        if done { Ok(()) } else { Err(self.owner.inner.stopped()) }
    }

    /// Stops all workers at a message boundary and returns when they have. Messages are accepted and wait.
    ///
    /// A worker whose handler takes longer than [`Config::shutdown_deadline`] makes this [`Error::Unresponsive`]; the order
    /// stands until [`resume`](Self::resume) takes it back. So it does if the future is dropped.
    ///
    /// While paused, the counters of [`stats`](Self::stats) balance: accepted + sent = handled + faulted + dead letters +
    /// dropped + in flight.
    ///
    /// ```
    /// use gpu_actor_rt::prelude::*;
    ///
    /// # #[gpu_actor]
    /// # #[derive(Default)]
    /// # struct Account { balance: u64 }
    /// # #[gpu_actor]
    /// # impl Account {
    /// #     #[handler]
    /// #     fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
    /// #     #[handler]
    /// #     fn withdraw(&mut self, amount: u64) { self.balance -= amount; }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// let alice = system.actor::<Account>("alice");
    /// system.pause().await?;
    /// alice.deposit(5).tell()?;
    /// assert_eq!(system.stats().in_flight, 1);
    /// system.resume().await?;
    /// assert_eq!(alice.deposit(0).await?, 5);
    /// system.shutdown().await
    /// # }
    /// ```
    pub async fn pause(&self) -> Result<()> {
        self.order(control::PAUSE).await
    }

    /// Lets the workers go on.
    pub async fn resume(&self) -> Result<()> {
        self.order(control::RUN).await
    }

    /// Gives an order at once, so that orders are obeyed as they are called, and waits for the workers on another thread.
    async fn order(&self, order: u64) -> Result<()> {
        let word = self.owner.inner.running.order(order)?;
        let inner = Arc::clone(&self.owner.inner);
        let patience = inner.settings.config.shutdown_deadline;
        on_thread("control", move || inner.running.await_echo(word, patience)).await?
    }

    /// Stops the system: refuses new messages, waits until the accepted ones are handled, ends the kernel.
    ///
    /// If that takes longer than [`Config::shutdown_deadline`], the kernel is aborted, asks that wait end with
    /// [`Error::Aborted`], and so does this. A second call returns what the first one did. A CUDA kernel cannot be killed: it
    /// is told to end between two messages, and if it does not within the deadline once more, this is [`Error::Stuck`].
    pub async fn shutdown(&self) -> Result<()> {
        let owner = Arc::clone(&self.owner);
        match on_thread("shutdown", move || owner.end(true)).await? {
            End { stuck: Some(after), lost } => Err(Error::Stuck { lost, after }),
            End { lost: 0, .. } => Ok(()),
            End { lost, .. } => Err(Error::Aborted { lost }),
        }
    }
}

impl Owner {
    /// Ends the system, once.
    fn end(&self, drain: bool) -> End {
        let _guard = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        *self.ended.get_or_init(|| self.end_now(drain))
    }

    fn end_now(&self, drain: bool) -> End {
        let _span = tracing::info_span!("stop", drain).entered();
        let inner = &self.inner;
        let running = &inner.running;
        inner.ending.store(true, Ordering::SeqCst);
        running.take_over();
        inner.close();
        if drain {
            // A deadline beyond the clock's range is none.
            let deadline = Instant::now().checked_add(inner.settings.config.shutdown_deadline);
            if running.last_order() == control::PAUSE {
                running.last_orders(control::RUN);
            }
            if inner.await_quiescence(deadline) {
                running.last_orders(control::STOP);
                let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                running.launched().wait(left.map(|left| left.max(Duration::from_secs(1))));
            }
        }
        let patience = inner.settings.config.shutdown_deadline.max(Duration::from_secs(1));
        let stuck = !running.end(patience);
        if stuck {
            tracing::error!(?patience, "the ring kernel does not end, and the device cannot end it");
        }
        let lost = running.counters().in_flight();
        inner.lost.store(lost, Ordering::Release);
        inner.aborted.fetch_or(lost != 0, Ordering::AcqRel);
        running.directory.close();
        if let Some(sweeper) = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner).take()
            && sweeper.join().is_err()
        {
            tracing::error!("the sweeper panicked; this is a bug in gpu-actor");
        }
        inner.poller.leave();
        running.launched().signal_host();
        let thread = self.poller.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A waker that the poller wakes may own the last clone of the system: a thread cannot wait for itself, and this
        // one leaves as soon as it returns from here.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the poller panicked; this is a bug in gpu-actor");
        }
        if !stuck {
            // Replies that have come are read after the end, too: the poller has taken all of them.
            while inner.drain_releases() {}
            inner.buffers.close();
        }
        tracing::info!(lost, stuck, "actor system stopped");
        End { lost, stuck: stuck.then_some(patience) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl Inner {
    /// Nanoseconds since the start, by a clock that never steps.
    pub(crate) fn monotonic(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// As [`monotonic`](Self::monotonic), cheaper and never behind it: ahead by up to two ticks of the kernel.
    #[inline]
    pub(crate) fn coarse_now(&self) -> u64 {
        coarse::steady() - self.coarse_begun + coarse::resolution()
    }

    /// Waits until no message is in flight; `false` when time is up or the launch has ended before.
    fn await_quiescence(&self, deadline: Option<Instant>) -> bool {
        self.running.await_quiescence(deadline, || self.ring_owed())
    }

    /// Sends a message. A worker that sleeps has its bell rung, or is run here and now for who waits for its reply.
    #[inline]
    pub(crate) fn post(&self, actor: RawId, method: u32, corr: u64, payload: &[u64]) -> Result<(), Refused> {
        self.post_quietly(actor, method, corr, payload, self.stamp())?;
        self.ring_for(actor.worker(), corr);
        Ok(())
    }

    /// After a message: wakes its worker, or runs it for an ask.
    #[inline]
    pub(crate) fn ring_for(&self, worker: u32, corr: u64) {
        if corr == 0 {
            self.ring(worker);
        } else {
            self.ring_for_reply(worker);
        }
    }

    /// The stamp of a message that is sent now.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.clock.tick(coarse::wall())
    }

    /// Sends a message with a stamp of this system's clock; the caller rings the worker's bell afterwards.
    #[inline]
    pub(crate) fn post_quietly(
        &self,
        actor: RawId,
        method: u32,
        corr: u64,
        payload: &[u64],
        hlc: u64,
    ) -> Result<(), Refused> {
        let message = Envelope { method, actor: actor.0, hlc, corr, payload };
        let (memory, worker) = (&self.running.memory, actor.worker() as usize);
        if !memory.overflows[worker].any() {
            match memory.inboxes[worker].push(&message) {
                Err(Refused::Full) => {}
                taken => return taken,
            }
        }
        self.post_behind(&message)
    }

    /// Wakes a worker if it sleeps, after messages to it.
    #[inline]
    pub(crate) fn ring(&self, worker: u32) {
        if wants_doorbell(&self.running.memory.lines[worker as usize]) {
            self.running.launched().doorbell(worker);
        }
    }

    /// Wakes the poller if it would sleep beyond `time`.
    pub(crate) fn wake_poller_before(&self, time: u64) {
        fence(Ordering::SeqCst);
        self.wake_poller_after_fence(time);
    }

    fn wake_poller_after_fence(&self, time: u64) {
        if self.poller.sleeps_beyond(time) {
            self.running.launched().signal_host();
        }
    }

    /// An ask is about to be sent: wakes the poller if it would sleep beyond the ask's deadline, or, on a device that does not
    /// wake it for the reply, if it would not look for one soon.
    pub(crate) fn expect_reply(&self, deadline: u64) {
        // Between the ask's entry, which is written, and the two words that are read here: one of the two sides sees the
        // other (`Asks::announce`, `PollerLink::sleeps_beyond`).
        fence(Ordering::SeqCst);
        self.asks.announce(deadline);
        let soon = if self.running.launched().has_events() { u64::MAX } else { self.coarse_now() };
        self.wake_poller_after_fence(deadline.min(soon.saturating_add(poller::SPACE.as_nanos() as u64)));
    }

    /// Waits until the poller has taken what is in the rings; `false` if it has left.
    fn await_poller(&self) -> bool {
        let seen = self.poller.passes();
        while self.poller.passes() < seen + 2 {
            if !matches!(self.running.launched().poll(), LaunchStatus::Running) {
                return false;
            }
            self.running.launched().signal_host();
            std::thread::sleep(Duration::from_micros(50));
        }
        true
    }

    /// Wakes the poller if it would not look for space in the mailboxes soon.
    pub(crate) fn wake_poller_for_space(&self) {
        self.wake_poller_before(self.monotonic() + poller::SPACE.as_nanos() as u64);
    }

    /// The error of a system that has ended.
    pub(crate) fn stopped(&self) -> Error {
        if self.aborted.load(Ordering::Acquire) {
            Error::Aborted { lost: self.lost.load(Ordering::Acquire) }
        } else {
            Error::Stopped
        }
    }

    /// Refuses every later message.
    fn close(&self) {
        let memory = &self.running.memory;
        for (overflow, inbox) in memory.overflows.iter().zip(&memory.inboxes) {
            overflow.close();
            inbox.close();
        }
        self.wake_all_waiters();
    }

    fn wake_all_waiters(&self) {
        for waiters in &self.waiters {
            waiters.wake(usize::MAX);
        }
    }

    /// The launch has ended and nobody asked it to.
    fn launch_failed(&self) {
        self.close();
        let status = self.running.launched().poll();
        let lost = self.running.counters().in_flight();
        self.lost.store(lost, Ordering::Release);
        self.aborted.store(true, Ordering::Release);
        tracing::error!(lost, status = running::describe(&status), "the ring kernel ended early");
    }
}
