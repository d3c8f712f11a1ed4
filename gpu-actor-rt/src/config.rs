//! How a system is set up.

use std::time::Duration;

use kernels_ptx::abi::{actor_id, corr, slice};

use crate::actor::{Actor, ActorInfo};
use crate::cx::DEFAULT_OUTBOX;
use crate::device::DeviceChoice;
use crate::device::soft::SoftConfig;
use crate::error::{Error, Result};
use crate::mailbox::{Mailbox, OnFull};
use crate::pool::PoolConfig;

/// The options of an actor system; every one has a default that works.
///
/// ```
/// use std::time::Duration;
/// use gpu_actor_rt::Config;
///
/// let config = Config::default().workers(2).host_inbox(4096).ask_timeout(Duration::from_secs(1));
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Config {
    pub(crate) workers: Option<u32>,
    pub(crate) lanes: u32,
    pub(crate) host_inbox: u32,
    pub(crate) device_inbox: u32,
    pub(crate) completions: u32,
    pub(crate) spill: u32,
    pub(crate) mailboxes: Vec<(&'static str, Mailbox)>,
    pub(crate) max_sends: u32,
    pub(crate) budget: u64,
    pub(crate) ask_timeout: Duration,
    pub(crate) start_timeout: Duration,
    pub(crate) shutdown_deadline: Duration,
    pub(crate) drift_bound: Duration,
    pub(crate) max_pending_asks: u32,
    pub(crate) max_buffers: u32,
    pub(crate) pool: PoolConfig,
    pub(crate) fault_history: usize,
    pub(crate) slice: Option<Duration>,
    pub(crate) spin: Duration,
    pub(crate) assist: bool,
    pub(crate) deactivate_after: Option<Duration>,
    pub(crate) max_resident: Option<u64>,
    pub(crate) device: DeviceChoice,
    pub(crate) soft: Option<SoftConfig>,
    pub(crate) actors: Option<Vec<fn() -> &'static ActorInfo>>,
}

/// How long an idle worker's thread watches for its doorbell.
const SPIN: Duration = Duration::from_micros(20);

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: None,
            lanes: 1,
            host_inbox: 1024,
            device_inbox: 4096,
            completions: 1024,
            spill: 4096,
            mailboxes: Vec::new(),
            max_sends: DEFAULT_OUTBOX,
            budget: 1 << 24,
            ask_timeout: Duration::from_secs(5),
            start_timeout: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(10),
            drift_bound: Duration::from_mins(1),
            max_pending_asks: 1 << 20,
            max_buffers: 1 << 14,
            pool: PoolConfig::default(),
            fault_history: 1024,
            slice: None,
            spin: SPIN,
            assist: true,
            deactivate_after: None,
            max_resident: None,
            device: DeviceChoice::Auto,
            soft: None,
            actors: None,
        }
    }
}

impl Config {
    /// Workers: blocks of the ring kernel, each of which owns a shard of the actors. Default: the machine's cores but one, at
    /// least 1 and at most 8.
    ///
    /// On the software GPU a worker is a thread. One core is left to the threads that send and to the one that takes
    /// completions: with a worker on each core they take turns, and a message between two workers waits for a turn. Actors
    /// that mostly talk to each other, one message at a time, are fastest on one worker.
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Lanes of a worker, 1 to 32: how many actors a worker handles side by side. Default 1.
    ///
    /// More lanes are for hardware, where they run at the same time. On the software GPU they take turns on the worker's thread
    /// and meet at every step of its loop, which costs several hundred times the work of one lane: use them there to test.
    pub fn lanes(mut self, lanes: u32) -> Self {
        self.lanes = lanes;
        self
    }

    /// Messages from the host that a worker's mailbox holds, rounded up to a power of two. Default 1024.
    pub fn host_inbox(mut self, messages: u32) -> Self {
        self.host_inbox = messages;
        self
    }

    /// Messages from other actors that a worker's mailbox holds, rounded up to a power of two. Default 4096.
    pub fn device_inbox(mut self, messages: u32) -> Self {
        self.device_inbox = messages;
        self
    }

    /// Replies and faults of a worker that wait for the host, rounded up to a power of two. Default 1024.
    pub fn completions(mut self, completions: u32) -> Self {
        self.completions = completions;
        self
    }

    /// Sent messages that a worker keeps while the receivers' mailboxes are full, rounded up to a power of two; beyond
    /// that they are dead letters, or dropped, as the receiver's type says ([`OnFull`]). Default 4096.
    pub fn spill(mut self, messages: u32) -> Self {
        self.spill = messages;
        self
    }

    /// The mailbox of actor type `T` in this system, instead of what `#[gpu_actor(mailbox = N, on_full = "...")]` says: how many
    /// messages to actors of the type the host keeps for each worker while the worker's ring is full (0: none; for
    /// [`OnFull::DropOldest`] 1024 then), and what becomes of one more.
    ///
    /// ```
    /// use gpu_actor_rt::prelude::*;
    ///
    /// #[gpu_actor(mailbox = 256, on_full = "drop_oldest")]
    /// #[derive(Default)]
    /// struct Gauge { value: u64 }
    ///
    /// #[gpu_actor]
    /// impl Gauge {
    ///     #[handler]
    ///     fn set(&mut self, value: u64) { self.value = value; }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let config = Config::default().host_inbox(2).mailbox::<Gauge>(1, OnFull::DropNewest);
    /// let system = ActorSystem::start(config).await?;
    /// system.pause().await?;
    /// for value in 0..5 {
    ///     system.actor::<Gauge>("speed").set(value).tell()?;
    /// }
    /// let stats = system.stats();
    /// assert_eq!((stats.accepted, stats.in_flight, stats.dropped), (5, 3, 2));
    /// system.resume().await?;
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn mailbox<T: Actor>(mut self, messages: u32, on_full: OnFull) -> Self {
        self.mailboxes.push((T::TYPE_NAME, Mailbox::new(messages, on_full)));
        self
    }

    /// Messages that one handler call may send. Default 16.
    pub fn max_sends(mut self, messages: u32) -> Self {
        self.max_sends = messages;
        self
    }

    /// Loop back-edges that one message may take before it faults. Default 2^24.
    pub fn budget(mut self, back_edges: u64) -> Self {
        self.budget = back_edges;
        self
    }

    /// How long an ask waits for its reply unless its call says otherwise. Default 5 s.
    pub fn ask_timeout(mut self, timeout: Duration) -> Self {
        self.ask_timeout = timeout;
        self
    }

    /// How long the workers may take to come up. Default 30 s.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// How long [`shutdown`](crate::ActorSystem::shutdown) waits for accepted messages to be handled, and
    /// [`pause`](crate::ActorSystem::pause) for the workers. Default 10 s.
    pub fn shutdown_deadline(mut self, timeout: Duration) -> Self {
        self.shutdown_deadline = timeout;
        self
    }

    /// How far ahead of the receiver's clock a stamp may be. Default 60 s.
    pub fn drift_bound(mut self, bound: Duration) -> Self {
        self.drift_bound = bound;
        self
    }

    /// Buffers that there can be at a time, 1 to 16,777,216; 16,384 by default. The table that names them has 32 bytes for each in
    /// memory that the host and the device share; there is none where no handler has slices.
    pub fn max_buffers(mut self, buffers: u32) -> Self {
        self.max_buffers = buffers;
        self
    }

    /// Where buffers come from: which kind of memory, how much of it is kept for later, and what is done when it is scarce. Nothing
    /// of it matters where no handler has slices.
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.pool = pool;
        self
    }

    /// Asks that may wait for replies at the same time. Default 2^20, at most about 2^24.
    pub fn max_pending_asks(mut self, asks: u32) -> Self {
        self.max_pending_asks = asks;
        self
    }

    /// Fault events that are kept for a slow subscriber. Default 1024.
    pub fn fault_history(mut self, events: usize) -> Self {
        self.fault_history = events;
        self
    }

    /// Bounded-slice mode: the ring kernel leaves the device after so long, between two messages, and is launched again as
    /// long as there is something to do. Default: one launch for the system's whole life.
    ///
    /// For devices that do not let a kernel run for ever: one that also drives a display, where a watchdog ends what runs
    /// for seconds, or one behind WSL2. A worker looks at the time after each batch of at most [`lanes`](Self::lanes)
    /// messages, so a launch takes up to the slice and one such batch; [`budget`](Self::budget) bounds a message. An idle
    /// system has no kernel on the device, and pays for a launch with its next message. Promises of order, delivery and
    /// counters are the same. At least a microsecond; 10 to 100 ms are reasonable.
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
    /// let system = ActorSystem::start(Config::default().slice(Duration::from_millis(20))).await?;
    /// let alice = system.actor::<Account>("alice");
    /// assert_eq!(alice.deposit(5).await?, 5);
    /// std::thread::sleep(Duration::from_millis(100)); // The kernel has left the device by now.
    /// assert_eq!(alice.deposit(5).await?, 10);
    /// println!("{} launches", system.stats().launches);
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn slice(mut self, slice: Duration) -> Self {
        self.slice = Some(slice);
        self
    }

    /// The device to run on: a [`DeviceChoice`], or what turns into one: the options of a software GPU or of a CUDA device, or
    /// a device that the program has opened. Default: [`DeviceChoice::Auto`].
    ///
    /// The environment variable [`GPU_ACTOR_DEVICE`](crate::device::DEVICE_VARIABLE) overrides it, unless the program has
    /// opened the device. Whoever asks for CUDA gets CUDA, or an error; never a quiet fall-back.
    ///
    /// ```
    /// use gpu_actor_rt::Config;
    /// use gpu_actor_rt::device::{CudaConfig, DeviceChoice, soft::SoftConfig};
    ///
    /// let wherever = Config::default().device(DeviceChoice::Auto);
    /// let on_the_cpu = Config::default().device(SoftConfig::default());
    /// let second_gpu = Config::default().device(CudaConfig::index(1));
    /// # let _ = (wherever, on_the_cpu, second_gpu);
    /// ```
    pub fn device(mut self, device: impl Into<DeviceChoice>) -> Self {
        self.device = device.into();
        self
    }

    /// Options of the software GPU that the system opens for itself where [`DeviceChoice::Auto`] finds no better device: its
    /// name, memory, and the mode in which it runs. To ask for a software GPU whatever there is, say
    /// `Config::device(options)`.
    ///
    /// The environment variable [`GPU_ACTOR_SOFT`](crate::device::soft::SOFT_VARIABLE) overrides the mode.
    ///
    /// ```
    /// use gpu_actor_rt::Config;
    /// use gpu_actor_rt::device::soft::{SoftConfig, SoftMode};
    ///
    /// // Every access of every handler and of the runtime's own kernel is checked, in the order of seed 7.
    /// let mode = SoftMode { checked: true, ..SoftMode::deterministic(7) };
    /// let config = Config::default().soft(SoftConfig { mode, ..SoftConfig::default() });
    /// # let _ = config;
    /// ```
    pub fn soft(mut self, options: SoftConfig) -> Self {
        self.soft = Some(options);
        self
    }

    /// How long the thread of a worker with nothing to do watches for its doorbell before it waits in the operating system's
    /// kernel. Default 20 us.
    ///
    /// Meanwhile it keeps a core busy, and a message that comes finds it awake: sending it takes no system call, and nobody waits
    /// until the thread is scheduled. Zero is for machines where every core is needed. For the software GPU; a GPU's workers
    /// have their own ways to wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gpu_actor_rt::Config;
    ///
    /// let frugal = Config::default().spin(Duration::ZERO);
    /// # let _ = frugal;
    /// ```
    pub fn spin(mut self, spin: Duration) -> Self {
        self.spin = spin;
        self
    }

    /// Whether a thread that asks a sleeping worker runs the worker itself, instead of waking the worker's thread and waiting for
    /// it. Default: yes.
    ///
    /// An ask of an idle system then switches no thread, and takes a fraction of the time. The handler runs on the thread that
    /// polls the ask, an async executor's, say. That thread is not held for long: after some thousand loop back-edges (tens of
    /// microseconds) the worker's own thread goes on with the handler. Promises are the same: order, one handler of an actor at a
    /// time, timeouts. A thread that has many asks going lets them go out first: the worker runs when one of them is polled again
    /// (they wake their tasks for that), dropped, or when anything else wakes it, once for all of them. A
    /// [tell](crate::Call::tell) only ever rings. [`Stats::assisted`](crate::Stats::assisted) counts how often an
    /// asking thread ran a worker. On devices where nobody else can run a worker, as on CUDA and on a deterministic software GPU, and in
    /// [bounded-slice mode](Self::slice), this does nothing.
    ///
    /// ```
    /// use gpu_actor_rt::Config;
    ///
    /// // Handlers run on the workers' threads alone.
    /// let apart = Config::default().assist(false);
    /// # let _ = apart;
    /// ```
    pub fn assist(mut self, assist: bool) -> Self {
        self.assist = assist;
        self
    }

    /// Moves the state of actors that had no message for so long from the device to the host's memory. Default: never.
    ///
    /// Actors move by chunks of 1024 of one type on one worker, and a chunk moves when none of its actors was used; so actors
    /// sleep at least this long after their last message, and up to about twice as long. The next message brings them back as
    /// they were, in its turn: order, counters and clocks are as if nothing had happened. The worker waits meanwhile (a copy of the
    /// chunk). If the device has no memory for it then, the message faults with
    /// [`FaultKind::NoMemory`](crate::FaultKind::NoMemory), and the actor sleeps on. To find out who is idle, the system leads each
    /// chunk's first message in half of this time to the host and back; there is no other cost while actors are used.
    ///
    /// ```
    /// use std::time::Duration;
    /// use gpu_actor_rt::Config;
    ///
    /// // Sleep after five minutes, and sooner if actors have a gigabyte.
    /// let config = Config::default().deactivate_after(Duration::from_mins(5)).max_resident(1 << 30);
    /// # let _ = config;
    /// ```
    pub fn deactivate_after(mut self, age: Duration) -> Self {
        self.deactivate_after = Some(age);
        self
    }

    /// How many bytes of device memory the actors' states may have before the coldest are moved to the host's memory. Default:
    /// as many as there are.
    ///
    /// Coldest are the chunks (see [`deactivate_after`](Self::deactivate_after)) that nobody has used for longest, as far as that
    /// is known, else those that came or came back first. Memory is taken back after more was given, so there may be more for
    /// a moment. The device memory of a chunk that has moved is kept for the next chunk of its size.
    pub fn max_resident(mut self, bytes: u64) -> Self {
        self.max_resident = Some(bytes);
        self
    }

    /// Restricts the system to the types named so, instead of every actor type that is linked into the program.
    pub fn actor<T: Actor>(mut self) -> Self {
        self.actors.get_or_insert_default().push(T::info);
        self
    }

    /// Checks the options and fills in what the machine decides.
    pub(crate) fn settle(mut self) -> Result<Settings> {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get() as u32);
        let workers = self.workers.unwrap_or(cores.saturating_sub(1).clamp(1, 8));
        range("workers", u64::from(workers), 1, (1 << actor_id::WORKER_BITS) - 1)?;
        range("lanes", u64::from(self.lanes), 1, 32)?;
        for (option, ring) in [
            ("host_inbox", &mut self.host_inbox),
            ("device_inbox", &mut self.device_inbox),
            ("completions", &mut self.completions),
            ("spill", &mut self.spill),
        ] {
            range(option, u64::from(*ring), 1, 1 << 24)?;
            // A warp claims up to its lanes at once; a ring shorter than a warp could never take them. In a ring of one slot,
            // "full" and "free for the next lap" would be the same sequence number.
            *ring = ring.next_power_of_two().max(self.lanes.next_power_of_two()).max(2);
        }
        for (_, mailbox) in &self.mailboxes {
            range("mailbox", u64::from(mailbox.messages), 0, u64::from(Mailbox::MOST))?;
        }
        range("max_sends", u64::from(self.max_sends), 1, 1 << 16)?;
        range("budget", self.budget, 1, u64::MAX)?;
        self.pool.check()?;
        range("max_buffers", u64::from(self.max_buffers), 1, 1 << slice::INDEX_BITS)?;
        range("max_pending_asks", u64::from(self.max_pending_asks), 1, 1 << corr::INDEX_BITS)?;
        if self.soft.is_some() && !matches!(self.device, DeviceChoice::Auto) {
            return Err(Error::Config {
                option: "soft",
                value: self.device.to_string(),
                why: "Config::device names the device; give its options there, or where it is opened",
            });
        }
        if let Some(slice) = self.slice.filter(|slice| *slice < Duration::from_micros(1)) {
            return Err(Error::Config {
                option: "slice",
                value: format!("{slice:?}"),
                why: "a slice is at least a microsecond; leave it out for a kernel without an end",
            });
        }
        if self.deactivate_after.is_some_and(|age| age < Duration::from_millis(1)) {
            return Err(Error::Config {
                option: "deactivate_after",
                value: format!("{:?}", self.deactivate_after.unwrap_or_default()),
                why: "actors are moved after a millisecond at the least; leave it out for never",
            });
        }
        range("fault_history", self.fault_history as u64, 1, 1 << 24)?;
        Ok(Settings { workers, config: self })
    }
}

fn range(option: &'static str, value: u64, least: u64, most: u64) -> Result<()> {
    let why = if value < least {
        "it must be at least 1"
    } else if value > most {
        match option {
            "lanes" => "a warp has at most 32 lanes",
            "workers" => "an actor id has room for 4095 workers",
            "fault_history" => "at most 2^24 events can be kept",
            _ => "that is more than the shared layout has room for",
        }
    } else {
        return Ok(());
    };
    Err(Error::Config { option, value: value.to_string(), why })
}

/// A configuration that has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) workers: u32,
    pub(crate) config: Config,
}

impl Settings {
    /// The mailboxes of the types, by type index.
    pub(crate) fn mailboxes(&self, types: &[&'static ActorInfo]) -> Result<Vec<Mailbox>> {
        let mut mailboxes: Vec<_> =
            std::iter::once(Mailbox::default()).chain(types.iter().map(|info| info.mailbox)).collect();
        for (name, mailbox) in &self.config.mailboxes {
            let at = types.iter().position(|info| info.name == *name).ok_or_else(|| Error::Config {
                option: "mailbox",
                value: (*name).to_owned(),
                why: "the system has no such actor type; leave the option out, or name the type by Config::actor too",
            })?;
            mailboxes[at + 1] = *mailbox;
        }
        Ok(mailboxes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_powers_of_two_and_hold_a_warp() {
        let settings = Config::default().lanes(32).host_inbox(5).spill(100).settle().unwrap();
        assert_eq!((settings.config.host_inbox, settings.config.spill), (32, 128));
        assert_eq!(Config::default().host_inbox(1).settle().unwrap().config.host_inbox, 2);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused = |config: Config| match config.settle() {
            Err(Error::Config { option, .. }) => option,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Config::default().workers(0)), "workers");
        assert_eq!(refused(Config::default().workers(4096)), "workers");
        assert_eq!(refused(Config::default().lanes(33)), "lanes");
        assert_eq!(refused(Config::default().host_inbox(0)), "host_inbox");
        assert_eq!(refused(Config::default().budget(0)), "budget");
        assert_eq!(refused(Config::default().slice(Duration::ZERO)), "slice");
        assert_eq!(refused(Config::default().max_pending_asks(0)), "max_pending_asks");
        let device = crate::device::soft::Soft::open(&SoftConfig::default()).unwrap();
        let both = Config::default().device(std::sync::Arc::new(device)).soft(SoftConfig::default());
        assert_eq!(refused(both), "soft");
    }
}
