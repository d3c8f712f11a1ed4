//! The actors that the peers run: written once, so that every library handles the same messages with the same work.
//!
//! Rule kept here: nothing here is slower for one library than for another. A message is one enum, as `ractor` has it, and
//! each library's own actor is a shell that passes it on.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;

use super::parts::Part;

/// A message to an actor of the library whose references are `P`.
#[derive(Debug)]
pub(crate) enum Msg<P> {
    /// Counts this much.
    Add(u64),
    /// The next actor of a ring.
    Link(P),
    /// Goes round the ring for so many more steps.
    Token(u64),
    /// Whom to tell that the token has arrived.
    Whistle(oneshot::Sender<()>),
    /// What part the actor has.
    Join(Box<Part<P>>),
    /// To be answered with [`Msg::Go`].
    Ping(P),
    /// The next step of one's own: also the answer that it waited for.
    Go,
    /// The bank: to the account that pays.
    Transfer { amount: u32, to: u16, teller: u16 },
    /// The bank: to the account that is paid.
    Deposit { amount: u32, from: u16, teller: u16 },
    /// The bank: the answer to the account that pays.
    Deposited { teller: u16 },
    /// The chameneos: to the mall.
    Meet { from: u16, colour: u8 },
    /// The chameneos: to the one who waited.
    Pair { with: u16, colour: u8 },
    /// The chameneos: to the one who came second.
    Change(u8),
}

/// An actor's state and its handlers.
#[derive(Debug)]
pub(crate) struct Role<P> {
    count: u64,
    next: Option<P>,
    whistle: Option<oneshot::Sender<()>>,
    part: Option<Box<Part<P>>>,
}

impl<P> Default for Role<P> {
    fn default() -> Self {
        Self { count: 0, next: None, whistle: None, part: None }
    }
}

impl<P: Peer> Role<P> {
    /// Handles a message; the reply is the count.
    pub(crate) fn on(&mut self, message: Msg<P>) -> u64 {
        match message {
            Msg::Add(n) => self.count += n,
            Msg::Link(next) => self.next = Some(next),
            Msg::Whistle(whistle) => self.whistle = Some(whistle),
            Msg::Join(part) => self.part = Some(part),
            Msg::Ping(from) => from.pass(Msg::Go),
            Msg::Token(0) => {
                if let Some(whistle) = self.whistle.take() {
                    // The driver waits for it, or has given up; either is fine.
                    let _ = whistle.send(());
                }
            }
            Msg::Token(left) => {
                if let Some(next) = &self.next {
                    next.pass(Msg::Token(left - 1));
                }
            }
            message => {
                if let Some(part) = &mut self.part {
                    part.on(&mut self.count, message);
                }
            }
        }
        self.count
    }
}

/// A library: its reference to an actor, and how its runtime is started.
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    /// Starts an actor.
    fn spawn() -> impl Future<Output = Self> + Send;
    /// Sends from outside, the way the library's documentation shows first, and waits if that waits.
    fn tell(&self, message: Msg<Self>) -> impl Future<Output = ()> + Send;
    /// Sends from a handler.
    fn pass(&self, message: Msg<Self>);
    /// Sends, and waits for the reply.
    fn ask(&self, message: Msg<Self>) -> impl Future<Output = u64> + Send;
    /// Runs the driver and the actors.
    fn run<F>(threads: Threads, driver: F) -> f64
    where
        F: Future<Output = f64> + Send + 'static;
}

/// What the driver and the actors run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// One thread does everything.
    One,
    /// A thread per core, at least two.
    All,
}

impl Threads {
    /// The end of a contestant's name.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::One => "one thread",
            Self::All => "all cores",
        }
    }
}

/// Runs a driver on Tokio: in `block_on` on one thread, as a task on several, where a task may stay on its worker.
pub(crate) fn on_tokio<F>(threads: Threads, driver: F) -> f64
where
    F: Future<Output = f64> + Send + 'static,
{
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::All => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(std::thread::available_parallelism().map_or(2, usize::from).max(2));
            builder
        }
    };
    let runtime = builder.enable_time().build().expect("a thread can be started");
    let figure = match threads {
        Threads::One => runtime.block_on(driver),
        Threads::All => runtime.block_on(runtime.spawn(driver)).expect("the driver does not panic"),
    };
    runtime.shutdown_timeout(Duration::from_secs(1));
    figure
}

/// The next of a sequence that looks random; the device's actors take the same.
pub(crate) fn xorshift(x: u64) -> u64 {
    let x = x ^ (x << 13);
    let x = x ^ (x >> 7);
    x ^ (x << 17)
}
