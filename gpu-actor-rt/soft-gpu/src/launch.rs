//! Launching a kernel, and the handle by which the host watches, wakes and stops it.
//!
//! Rules kept here:
//! - A launch is over when none of its threads runs device code any more; only then does its status change, and
//!   only then is quarantined memory given back.
//! - [`Launch::abort`] always works: running lanes see it at their next loop back-edge, sleeping, parked and
//!   synchronising lanes at once.
//! - The first failure wins; it stops the launch.

mod shape;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::shape::{check_shape, encode_params};
use crate::block::Worker;
use crate::device::DeviceInner;
use crate::error::Error;
use crate::fault::LaunchFaults;
use crate::module::{Entry, Function};
use crate::resident::Place;
use crate::schedule::Trace;
use crate::token::Token;

/// The shape of a launch and how its blocks run.
///
/// ```
/// use soft_gpu::LaunchConfig;
///
/// let config = LaunchConfig::new(4, 32).cooperative(true).park_sleepers(true);
/// assert_eq!((config.grid, config.block), ([4, 1, 1], [32, 1, 1]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchConfig {
    /// Blocks along each axis.
    pub grid: [u32; 3],
    /// Lanes of a block along each axis.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory of each block, on top of what the program declares.
    pub shared_bytes: u32,
    /// Whether all blocks are resident together, each on its own thread, so that they may wait for each other.
    /// Without it blocks run in any order, and one may start only when another has ended.
    pub cooperative: bool,
    /// Whether a block all of whose live lanes sleep for the maximum of 1 ms parks, with no timeout, until
    /// [`Launch::doorbell`], a `pmevent 0` of another block of the launch, [`Launch::assist`], or [`Launch::abort`].
    pub park_sleepers: bool,
    /// How long the thread of a parked block watches for what wakes it before it waits in the operating system's kernel. As long
    /// as it watches, waking it takes no system call, and the thread uses its processor. Default: not at all.
    pub spin: Duration,
}

impl LaunchConfig {
    /// `blocks` blocks of `lanes` lanes along x, neither cooperative nor parking, without dynamic shared memory.
    pub fn new(blocks: u32, lanes: u32) -> Self {
        LaunchConfig {
            grid: [blocks, 1, 1],
            block: [lanes, 1, 1],
            shared_bytes: 0,
            cooperative: false,
            park_sleepers: false,
            spin: Duration::ZERO,
        }
    }

    /// Sets the blocks along each axis.
    #[must_use]
    pub fn grid(mut self, grid: [u32; 3]) -> Self {
        self.grid = grid;
        self
    }

    /// Sets the lanes of a block along each axis.
    #[must_use]
    pub fn block(mut self, block: [u32; 3]) -> Self {
        self.block = block;
        self
    }

    /// Sets the bytes of dynamic shared memory of each block.
    #[must_use]
    pub fn shared_bytes(mut self, bytes: u32) -> Self {
        self.shared_bytes = bytes;
        self
    }

    /// Sets whether all blocks are resident together.
    #[must_use]
    pub fn cooperative(mut self, cooperative: bool) -> Self {
        self.cooperative = cooperative;
        self
    }

    /// Sets whether blocks that only sleep park their thread.
    #[must_use]
    pub fn park_sleepers(mut self, park: bool) -> Self {
        self.park_sleepers = park;
        self
    }

    /// Sets how long the thread of a parked block watches for what wakes it before it waits in the operating system's kernel.
    #[must_use]
    pub fn spin(mut self, spin: Duration) -> Self {
        self.spin = spin;
        self
    }
}

/// One kernel argument. Its size must be that of the entry's parameter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Arg {
    /// 1 byte.
    U8(u8),
    /// 2 bytes.
    U16(u16),
    /// 4 bytes.
    U32(u32),
    /// 4 bytes, signed.
    I32(i32),
    /// 8 bytes: integers and device addresses.
    U64(u64),
    /// 8 bytes, signed.
    I64(i64),
    /// 4 bytes of binary floating point.
    F32(f32),
    /// 8 bytes of binary floating point.
    F64(f64),
    /// The bytes of a struct or array parameter.
    Bytes(Vec<u8>),
}

impl Arg {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Arg::U8(v) => out.push(*v),
            Arg::U16(v) => out.extend(v.to_ne_bytes()),
            Arg::U32(v) => out.extend(v.to_ne_bytes()),
            Arg::I32(v) => out.extend(v.to_ne_bytes()),
            Arg::U64(v) => out.extend(v.to_ne_bytes()),
            Arg::I64(v) => out.extend(v.to_ne_bytes()),
            Arg::F32(v) => out.extend(v.to_ne_bytes()),
            Arg::F64(v) => out.extend(v.to_ne_bytes()),
            Arg::Bytes(v) => out.extend(v),
        }
    }
}

/// Where a launch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Status {
    /// At least one lane may still run.
    Running,
    /// Every lane of every block ran to its end.
    Finished,
    /// [`Launch::abort`] stopped it before its end.
    Aborted,
    /// The program failed; what it wrote until then is in memory.
    Failed(Error),
}

/// What became of a block that [`Launch::assist`] ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assisted {
    /// The block has executed `pmevent 1`. The thread in [`Launch::wait_event`] was not woken for it: the caller knows.
    pub signalled: bool,
    /// The block has parked again. Else its own thread goes on with it, or it has ended.
    pub parked: bool,
}

/// Bits of a worker's poll word. Device code looks at the word at each loop back-edge and asks the host if it is
/// not zero.
pub(crate) mod poll {
    /// The launch is to stop.
    pub(crate) const KILL: u32 = 1;
    /// The block has several lanes, which must take turns.
    pub(crate) const TURNS: u32 = 2;
    /// A thread assists with the block, and wants to know how long it takes.
    pub(crate) const COUNTED: u32 = 4;
}

/// A worker's poll word, alone in its cache line: it is read in every loop.
#[repr(align(64))]
pub(crate) struct PollWord(pub(crate) AtomicU32);

struct Progress {
    workers: usize,
    failure: Option<Error>,
    stopped_early: bool,
    ended: bool,
}

/// What the host's handle and the worker threads of one launch share.
pub(crate) struct Shared {
    pub(crate) device: Arc<DeviceInner>,
    pub(crate) function: Function,
    pub(crate) config: LaunchConfig,
    /// The kernel's parameter space, 8-aligned.
    pub(crate) params: Vec<u64>,
    pub(crate) blocks: u32,
    pub(crate) grid_id: u64,
    next_block: AtomicU64,
    kill: AtomicBool,
    polls: Vec<PollWord>,
    /// One per block where blocks may park, else none.
    places: Vec<Place>,
    /// On a deterministic device: what its one thread parks on when all blocks have parked.
    any_block: Token,
    /// Blocks that the fault plan stalls, and after how many back-edges.
    stalls: Vec<(u32, u64)>,
    trace: Mutex<Option<Trace>>,
    event: Token,
    event_pending: AtomicBool,
    progress: Mutex<Progress>,
    ended: Condvar,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entry(&self) -> &Entry {
        self.function.entry()
    }

    pub(crate) fn poll_word(&self, worker: usize) -> &AtomicU32 {
        &self.polls[worker].0
    }

    pub(crate) fn killed(&self) -> bool {
        self.kill.load(Ordering::Acquire)
    }

    /// Where `block` parks, if this launch lets blocks park.
    pub(crate) fn place(&self, block: u32) -> Option<&Place> {
        self.places.get(block as usize)
    }

    /// The back-edges after which the fault plan stalls `block`, if it does.
    pub(crate) fn stalls_after(&self, block: u32) -> Option<u64> {
        self.stalls.iter().find(|(stalled, _)| *stalled == block).map(|(_, back_edges)| *back_edges)
    }

    fn is_deterministic(&self) -> bool {
        self.device.properties.mode.schedule.is_some()
    }

    /// Waits until any block is woken.
    pub(crate) fn park_all(&self) {
        self.any_block.park(None);
    }

    pub(crate) fn set_trace(&self, trace: Trace) {
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
    }

    fn wake_block(&self, block: u32) {
        if let Some(place) = self.place(block) {
            place.seat.notify();
            if self.is_deterministic() {
                self.any_block.notify();
            }
        }
    }

    /// Wakes every block that has parked or is about to, except one.
    pub(crate) fn wake_blocks(&self, except: Option<u32>) {
        for (block, place) in self.places.iter().enumerate() {
            if except != Some(block as u32) {
                place.seat.notify();
            }
        }
        if self.is_deterministic() {
            self.any_block.notify();
        }
    }

    pub(crate) fn host_event(&self) {
        self.event_pending.store(true, Ordering::Release);
        self.event.notify();
    }

    pub(crate) fn stop(&self) {
        self.kill.store(true, Ordering::Release);
        for word in &self.polls {
            word.0.fetch_or(poll::KILL, Ordering::Release);
        }
        self.wake_blocks(None);
    }

    pub(crate) fn fail(&self, error: Error) {
        let mut progress = self.progress();
        // What has ended has ended well, whatever becomes of its device.
        if !progress.ended {
            progress.failure.get_or_insert(error);
        }
        drop(progress);
        self.stop();
    }

    /// The next block for a worker to run; none when all are taken or the launch is to stop.
    pub(crate) fn take_block(&self) -> Option<u32> {
        if self.killed() {
            return None;
        }
        let block = self.next_block.fetch_add(1, Ordering::Relaxed);
        (block < u64::from(self.blocks)).then_some(block as u32)
    }

    /// A worker runs no more device code. The last one ends the launch.
    fn worker_ended(&self, stopped_early: bool) {
        let mut progress = self.progress();
        progress.stopped_early |= stopped_early;
        progress.workers -= 1;
        if progress.workers == 0 {
            progress.stopped_early |= self.next_block.load(Ordering::Relaxed) < u64::from(self.blocks);
            self.device.fabric.launch_ended(self.device.properties.index);
            progress.ended = true;
            drop(progress);
            self.ended.notify_all();
            self.event.notify();
        }
    }

    fn status(progress: &Progress) -> Status {
        match &progress.failure {
            _ if !progress.ended => Status::Running,
            Some(error) => Status::Failed(error.clone()),
            None if progress.stopped_early => Status::Aborted,
            None => Status::Finished,
        }
    }
}

/// A worker that runs. A launch ends only when all of them have, so even one that panics says so.
struct Running<'a> {
    shared: &'a Shared,
    completed: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.worker_ended(!self.completed);
    }
}

/// A launch that was found right and waits to be [started](Self::start): the calls of a driver's API say at once what is wrong, and launch
/// when the stream comes to it.
///
/// It holds no memory of the device; dropping it is as if it had never been.
#[must_use = "it does nothing until it is started"]
pub struct PreparedLaunch {
    device: Arc<DeviceInner>,
    function: Function,
    config: LaunchConfig,
    blocks: u32,
    params: Vec<u64>,
    faults: LaunchFaults,
}

impl PreparedLaunch {
    pub(crate) fn new(
        device: &Arc<DeviceInner>,
        function: &Function,
        config: &LaunchConfig,
        args: &[Arg],
    ) -> Result<PreparedLaunch, Error> {
        device.faults.check()?;
        let (device_flavour, flavour) = (device.properties.mode.flavour(), function.flavour());
        if flavour != device_flavour {
            return Err(Error::OtherMode {
                function: function.name().to_owned(),
                module: flavour.to_string(),
                device: device_flavour.to_string(),
            });
        }
        if config.cooperative && !device.properties.features.cooperative_launch {
            let device = device.properties.name.clone();
            return Err(Error::NotSupported { device, what: "cooperative launches" });
        }
        let blocks = check_shape(device, function.entry(), config)?;
        let params = encode_params(function.entry(), args)?;
        let faults = device.faults.launch();
        if faults.refused {
            return Err(Error::LaunchRefused { function: function.name().to_owned() });
        }
        let (device, function) = (Arc::clone(device), function.clone());
        Ok(PreparedLaunch { device, function, config: *config, blocks, params, faults })
    }

    /// Starts the kernel and returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::System`] where no thread can be had, [`Error::DeviceLost`] and [`Error::Sticky`] where the device has broken down
    /// meanwhile.
    ///
    /// # Safety
    ///
    /// As for [`Device::launch`](crate::Device::launch).
    pub unsafe fn start(self) -> Result<Launch, Error> {
        Launch::start(self)
    }
}

impl std::fmt::Debug for PreparedLaunch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedLaunch")
            .field("entry", &self.function.name())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A running kernel. Dropping it aborts the kernel and waits for its threads.
#[must_use = "dropping it aborts the kernel"]
pub struct Launch {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Launch {
    pub(crate) fn start(prepared: PreparedLaunch) -> Result<Launch, Error> {
        static GRID_ID: AtomicUsize = AtomicUsize::new(1);
        let PreparedLaunch { device, function, config, blocks, params, faults } = prepared;
        device.faults.check()?;
        let deterministic = device.properties.mode.flavour().deterministic;
        let workers = if config.cooperative { blocks } else { blocks.min(device.properties.multiprocessors) };
        let workers = if deterministic { 1 } else { workers as usize };
        let shared = Arc::new(Shared {
            device: Arc::clone(&device),
            function,
            config,
            params,
            blocks,
            grid_id: GRID_ID.fetch_add(1, Ordering::Relaxed) as u64,
            next_block: AtomicU64::new(0),
            kill: AtomicBool::new(false),
            polls: (0..workers).map(|_| PollWord(AtomicU32::new(0))).collect(),
            places: if config.park_sleepers {
                (0..blocks).map(|_| Place::default()).collect()
            } else {
                Vec::new()
            },
            any_block: Token::new(),
            stalls: faults.stalls,
            trace: Mutex::new(None),
            event: Token::new(),
            event_pending: AtomicBool::new(false),
            progress: Mutex::new(Progress { workers, failure: None, stopped_early: false, ended: false }),
            ended: Condvar::new(),
        });
        device.fabric.launch_started(device.properties.index);
        if let Some(breakdown) = faults.breakdown {
            device.faults.break_down(breakdown);
        }
        device.faults.started(&shared);
        let launch = Launch { shared: Arc::clone(&shared), threads: Mutex::new(Vec::with_capacity(workers)) };
        for worker in 0..workers {
            let mine = Arc::clone(&shared);
            let spawned = std::thread::Builder::new().name(format!("soft-gpu-{worker}")).spawn(move || {
                let mut running = Running { shared: &mine, completed: false };
                running.completed = Worker::new(&mine, worker).run();
            });
            match spawned {
                Ok(thread) => launch.threads().push(thread),
                Err(e) => {
                    let error = Error::System { what: "a thread for a block", reason: e.to_string() };
                    shared.fail(error.clone());
                    for _ in worker..workers {
                        shared.worker_ended(true);
                    }
                    return Err(error);
                }
            }
        }
        Ok(launch)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the launch stands, without waiting.
    pub fn poll(&self) -> Status {
        Shared::status(&self.shared.progress())
    }

    /// Waits until the launch is over or the time is; with no timeout, for as long as it takes.
    pub fn wait(&self, timeout: Option<Duration>) -> Status {
        let progress = self.shared.progress();
        let running = |p: &mut Progress| !p.ended;
        let progress = match timeout {
            None => self.shared.ended.wait_while(progress, running).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.shared
                    .ended
                    .wait_timeout_while(progress, timeout, running)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        Shared::status(&progress)
    }

    /// Stops the launch; [`wait`](Launch::wait) for it to be over. Does nothing where it is over already.
    pub fn abort(&self) {
        self.shared.stop();
    }

    /// Wakes a block that has parked (see [`LaunchConfig::park_sleepers`]). One that comes before the block parks is
    /// not lost: the park then returns at once. Does nothing where blocks do not park or there is no such block.
    pub fn doorbell(&self, block: u32) {
        self.shared.wake_block(block);
    }

    /// Runs a block that has parked on the calling thread until it parks again, instead of waking its own thread and waiting for
    /// it. None if there is nothing to run: the block runs already, was rung for, has ended, or never parks.
    ///
    /// The caller is not held for long: after some thousand loop back-edges, and as soon as the block naps or stalls, its own
    /// thread goes on with it. No doorbell is lost by any of this. Blocks of a [deterministic](crate::Mode::deterministic)
    /// device have one order and are never run so.
    ///
    /// ```
    /// use std::time::Duration;
    /// use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig};
    ///
    /// let device = Device::open(DeviceConfig::default())?;
    /// let module = device.load_ptx(
    ///     ".version 7.0
    ///      .target sm_70
    ///      .address_size 64
    ///      .visible .entry count(.param .u64 at) {
    ///        .reg .b64 %rd0;
    ///        .reg .b32 %r0;
    ///        ld.param.u64 %rd0, [at];
    ///      again:
    ///        atom.global.add.u32 %r0, [%rd0], 1;
    ///        nanosleep.u32 1000000;
    ///        bra again;
    ///      }",
    /// )?;
    /// let count = device.alloc(4)?;
    /// let config = LaunchConfig::new(1, 1).park_sleepers(true);
    /// // SAFETY: the kernel touches the word that it is given, which outlives the launch.
    /// let launch = unsafe { device.launch(&module.function("count")?, &config, &[Arg::U64(count.address())])? };
    /// let assisted = loop {
    ///     // Until it has parked for the first time.
    ///     if let Some(assisted) = launch.assist(0) {
    ///         break assisted;
    ///     }
    ///     std::thread::sleep(Duration::from_millis(1));
    /// };
    /// assert!(assisted.parked && !assisted.signalled);
    /// let mut word = [0; 4];
    /// device.copy_from_device(&mut word, count.address())?;
    /// assert_eq!(u32::from_ne_bytes(word), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn assist(&self, block: u32) -> Option<Assisted> {
        self.shared.place(block)?.assist()
    }

    /// What the launch did, on a [deterministic](crate::Mode::deterministic) device and once it is over.
    pub fn trace(&self) -> Option<Trace> {
        *self.shared.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises the event that [`wait_event`](Self::wait_event) waits for, from the host: another thread has news for
    /// the one that waits.
    pub fn signal_host(&self) {
        self.shared.host_event();
    }

    /// Waits until the kernel executes `pmevent 1`, the launch is over, or the time is. Returns whether there was an
    /// event; one that came before the call counts, and any number of them between two calls count as one.
    ///
    /// For one thread at a time.
    pub fn wait_event(&self, timeout: Option<Duration>) -> bool {
        // A deadline beyond the clock's range is none.
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        loop {
            if self.shared.event_pending.swap(false, Ordering::Acquire) {
                return true;
            }
            if self.shared.progress().ended {
                return self.shared.event_pending.swap(false, Ordering::Acquire);
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if !self.shared.event.park(left) {
                return self.shared.event_pending.swap(false, Ordering::Acquire);
            }
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        self.abort();
        for thread in self.threads().drain(..) {
            // A worker catches nothing and panics only through a defect of this crate; the launch has then already
            // been reported by the panic hook, and a panic while dropping would end the process.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch")
            .field("entry", &self.shared.entry().name)
            .field("config", &self.shared.config)
            .field("status", &self.poll())
            .finish_non_exhaustive()
    }
}
