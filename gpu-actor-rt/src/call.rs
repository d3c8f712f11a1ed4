//! A call of a handler from the host: awaited (ask), or told.
//!
//! Rules kept here: nothing is sent before the call is awaited or told; dropping an ask frees its entry, and the reply that
//! comes later is counted, never delivered to another; a call that waits for space waits for a wake-up, not in a loop.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kernels_ptx::abi::slot;
use kernels_ptx::lang::{GpuData, layout::Size};

use crate::actor::MethodInfo;
use crate::asks::{End, Outcome, Ticket};
use crate::buffer::{BufferError, Erased, Reply, Slices};
use crate::error::{Error, Result};
use crate::habit;
use crate::id::RawId;
use crate::refs::Target;
use crate::ring::Refused;
use crate::system::{Inner, Place};
use crate::words::Words;

/// A call that has not been sent yet. Await it for the reply, or [`tell`](Self::tell) it.
///
/// Dropped without either, it does nothing.
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
/// use std::time::Duration;
///
/// let system = ActorSystem::start(Config::default()).await?;
/// let alice = system.actor::<Account>("alice");
/// alice.deposit(1).tell()?;                                            // do not wait for anything
/// alice.deposit(2).tell_wait().await?;                                 // wait for space in the mailbox
/// let balance = alice.deposit(3).await?;                               // wait for the reply
/// assert_eq!(balance, 6);
/// let later = alice.deposit(4).timeout(Duration::from_secs(60)).ask_stamped().await?;
/// assert_eq!(later.value, 10);
/// assert!(system.now() > later.stamp);
/// system.shutdown().await
/// # }
/// ```
#[must_use = "a call does nothing until it is awaited or told"]
pub struct Call<R> {
    pub(crate) message: Prepared,
    timeout: Option<Duration>,
    reply: PhantomData<fn() -> R>,
}

/// A message and whom it is for.
pub(crate) struct Prepared {
    pub(crate) target: Arc<Target>,
    method: &'static MethodInfo,
    words: Words,
    /// What it names and does not carry.
    slices: Option<Box<Slices>>,
}

/// A reply and its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamped<R> {
    /// The reply.
    pub value: R,
    /// The hybrid logical clock stamp of the reply: later than the handler's, which is later than the message's.
    pub stamp: u64,
}

impl<R: Reply> Call<R> {
    #[inline]
    pub(crate) fn new<M: GpuData>(target: Arc<Target>, method: &'static MethodInfo, message: &M) -> Self {
        const { assert!(Size::<M>::OF <= slot::MAX_PAYLOAD as usize, "a message has at most 224 bytes") };
        const { assert!(R::BYTES <= slot::MAX_PAYLOAD as usize, "a reply has at most 224 bytes") };
        let words = Words::of(Size::<M>::OF, |to| message.encode(to));
        Self { message: Prepared { target, method, words, slices: None }, timeout: None, reply: PhantomData }
    }

    /// A call with slices, which stand first in the message.
    pub(crate) fn with_slices<M: GpuData>(
        target: Arc<Target>,
        method: &'static MethodInfo,
        message: &M,
        slices: impl IntoIterator<Item = Erased>,
    ) -> Self {
        const { assert!(R::BYTES <= slot::MAX_PAYLOAD as usize, "a reply has at most 224 bytes") };
        let mut payload = vec![0; Size::<M>::OF];
        message.encode(&mut payload);
        let room = (target.system.program.slot_size - slot::HEADER) as usize;
        let slices = Slices::lay_out(slices, &target.system.buffers, &mut payload, room);
        let words = Words::of(payload.len(), |to| to.copy_from_slice(&payload));
        let slices = Some(Box::new(slices));
        Self { message: Prepared { target, method, words, slices }, timeout: None, reply: PhantomData }
    }

    /// Waits for the reply at most so long, instead of [`Config::ask_timeout`](crate::Config::ask_timeout).
    ///
    /// The time includes the wait for space in the mailbox. A reply that comes later is counted in
    /// [`Stats::late_replies`](crate::Stats::late_replies) and dropped.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the message without waiting for a reply.
    ///
    /// # Errors
    /// [`Error::Full`] when the mailbox is full, unless the type [drops messages](crate::OnFull); [`Error::Stopped`] when the
    /// system has stopped; the message was not sent.
    #[inline]
    pub fn tell(mut self) -> Result<()> {
        self.message.tell()
    }

    /// Sends the message without waiting for a reply, but waits for space in the mailbox.
    pub fn tell_wait(self) -> TellWait {
        TellWait { message: self.message, waits: None }
    }

    /// Sends the message and waits for the reply with its clock stamp.
    pub fn ask_stamped(self) -> AskStamped<R> {
        AskStamped {
            message: self.message,
            timeout: self.timeout,
            state: State::New,
            place: Place::default(),
            reply: PhantomData,
        }
    }
}

impl<R: Reply> IntoFuture for Call<R> {
    type Output = Result<R>;
    type IntoFuture = Ask<R>;

    fn into_future(self) -> Ask<R> {
        Ask(self.ask_stamped())
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}.{})", self.message.target, self.message.method.name)
    }
}

impl Prepared {
    #[inline]
    pub(crate) fn tell(&mut self) -> Result<()> {
        self.sound()?;
        let id = self.target.resolve()?;
        match self.post(id, 0, true) {
            Ok(()) => Ok(()),
            Err(refused) => self.tell_refused(id, refused),
        }
    }

    /// Whether it can be sent, as far as the call itself tells.
    #[inline]
    pub(crate) fn sound(&mut self) -> Result<()> {
        if self.slices.is_none() { Ok(()) } else { self.slices_sound() }
    }

    #[cold]
    fn slices_sound(&mut self) -> Result<()> {
        self.slices.as_mut().and_then(|slices| slices.failure()).map_or(Ok(()), Err)
    }

    fn payload(&self) -> &[u64] {
        self.words.get()
    }

    /// Posts; without the bell, the caller rings it.
    #[inline]
    fn post(&self, id: RawId, corr: u64, bell: bool) -> Result<(), Refused> {
        let system = &self.target.system;
        if bell && self.slices.is_none() {
            return system.post(id, self.method.id, corr, self.payload());
        }
        self.post_quietly(id, corr, system.stamp())?;
        if bell {
            system.ring_for(id.worker(), corr);
        }
        Ok(())
    }

    /// Posts with a stamp of the target's system, without the bell.
    #[inline]
    pub(crate) fn post_quietly(&self, id: RawId, corr: u64, hlc: u64) -> Result<(), Refused> {
        match &self.slices {
            None => self.target.system.post_quietly(id, self.method.id, corr, self.payload(), hlc),
            Some(slices) => self.post_slices(slices, id, corr, hlc),
        }
    }

    /// Posts a message with slices.
    #[cold]
    fn post_slices(&self, slices: &Slices, id: RawId, corr: u64, hlc: u64) -> Result<(), Refused> {
        // Before the device can see the message, and so before it can be done with it.
        slices.ship().map_err(|for_writing| Refused::Mapped { for_writing })?;
        let corr = corr | slices.kind();
        let posted = self.target.system.post_quietly(id, self.method.id, corr, self.payload(), hlc);
        posted.inspect_err(|_| slices.unship())
    }

    /// Posts, or registers the waker to be woken when there is space.
    fn post_or_wait(
        &self,
        id: RawId,
        corr: u64,
        place: &mut Place,
        waker: &Waker,
        bell: bool,
    ) -> Poll<Result<(), Refused>> {
        match self.post(id, corr, bell) {
            Err(Refused::Full) => {
                let system = &self.target.system;
                system.waiters[id.worker() as usize].register(place, waker);
                // Between the first try and the registration a slot may have become free.
                match self.post(id, corr, bell) {
                    Err(Refused::Full) => {
                        system.wake_poller_for_space();
                        Poll::Pending
                    }
                    done => Poll::Ready(done),
                }
            }
            done => Poll::Ready(done),
        }
    }

    /// A tell that found no space: dropped and counted, or refused.
    #[cold]
    pub(crate) fn tell_refused(&self, id: RawId, refused: Refused) -> Result<()> {
        if refused == Refused::Full && self.target.system.drop_newest(id) {
            return Ok(());
        }
        Err(self.refused(refused))
    }

    #[cold]
    pub(crate) fn refused(&self, refused: Refused) -> Error {
        match refused {
            Refused::Full => Error::Full {
                actor: self.target.to_string(),
                capacity: self.target.system.mailbox_capacity(self.target.type_index),
            },
            Refused::Closed => self.target.system.stopped(),
            Refused::Mapped { for_writing } => BufferError::Mapped { for_writing }.into(),
        }
    }
}

/// The future of [`Call::tell_wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct TellWait {
    message: Prepared,
    /// Where it waits, and its place in the queue there.
    waits: Option<(RawId, Place)>,
}

impl Future for TellWait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { message, waits } = &mut *self;
        let (id, place) = if let Some(waits) = waits {
            waits
        } else {
            message.sound()?;
            waits.insert((message.target.resolve()?, Place::default()))
        };
        message.post_or_wait(*id, 0, place, cx.waker(), true).map_err(|refused| message.refused(refused))
    }
}

impl Drop for TellWait {
    fn drop(&mut self) {
        if let Some((id, place)) = &mut self.waits {
            self.message.target.system.waiters[id.worker() as usize].forget(place);
        }
    }
}

impl fmt::Debug for TellWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TellWait({}.{})", self.message.target, self.message.method.name)
    }
}

/// The future of an awaited [`Call`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Ask<R>(AskStamped<R>);

impl<R: Reply> Future for Ask<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        Pin::new(&mut self.0).poll(cx).map_ok(|stamped| stamped.value)
    }
}

/// The future of [`Call::ask_stamped`].
#[must_use = "futures do nothing unless awaited"]
pub struct AskStamped<R> {
    message: Prepared,
    timeout: Option<Duration>,
    state: State,
    place: Place,
    reply: PhantomData<fn() -> R>,
}

/// Where an ask stands.
#[derive(Clone, Copy, Debug)]
enum State {
    New,
    /// Has an entry, is not in the mailbox yet: waits for space.
    Unsent(RawId, Ticket),
    /// Is in the mailbox of a worker that slept and is not rung yet: others may follow it.
    Owing(RawId, Ticket),
    /// Waits for its reply.
    Sent(Ticket),
    Done,
}

impl<R> AskStamped<R> {
    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(self.message.target.system.settings.config.ask_timeout)
    }

    /// Takes an ask that was never sent out of the queue for space.
    fn leave_queue(&mut self) {
        if let State::Unsent(id, _) = self.state {
            self.message.target.system.waiters[id.worker() as usize].forget(&mut self.place);
        }
    }

    fn begin(&mut self, waker: Option<Waker>) -> Result<()> {
        self.message.sound()?;
        let id = self.message.target.resolve()?;
        let system = &self.message.target.system;
        let timeout = u64::try_from(self.timeout().as_nanos()).unwrap_or(u64::MAX);
        let deadline = system.coarse_now().saturating_add(timeout);
        let ticket = system
            .asks
            .allocate(deadline, waker)
            .map_err(|_| Error::TooManyAsks { limit: system.settings.config.max_pending_asks })?;
        self.state = State::Unsent(id, ticket);
        system.expect_reply(deadline);
        Ok(())
    }

    /// Takes the outcome if it is there, else registers the waker.
    fn look(&mut self, waker: &Waker) -> Poll<Result<Stamped<R>>>
    where
        R: Reply,
    {
        let (State::Unsent(_, ticket) | State::Owing(_, ticket) | State::Sent(ticket)) = self.state else {
            panic!("an ask was polled after it had ended");
        };
        let system = &self.message.target.system;
        system.asks.poll(ticket, waker, |outcome| read::<R>(outcome, system)).map(|ended| {
            self.leave_queue();
            self.state = State::Done;
            let (handle, ended) = ended.map_err(|end| self.fail(end))?;
            if handle != 0 {
                self.message.target.system.let_go(handle);
            }
            ended
        })
    }

    fn fail(&self, end: End) -> Error {
        let (target, method) = (&self.message.target, self.message.method);
        match end {
            End::Fault { actor, code_site, method } => {
                let fault = target.system.fault(RawId(actor), code_site, method);
                tracing::debug!(%fault, "a handler faulted");
                fault.into()
            }
            End::TimedOut => {
                let after = self.timeout();
                tracing::warn!(actor = %target, handler = method.name, ?after, "no reply in time");
                Error::Timeout { actor: target.to_string(), handler: method.name, after }
            }
            End::Drift(source) => Error::Clock { actor: target.to_string(), source },
            End::Dropped => Error::Dropped { actor: target.to_string(), handler: method.name },
            End::Lost | End::Reply { .. } => target.system.stopped(),
        }
    }
}

/// The reply, where it lies in the table, and the buffer that it has a reference to; or how the ask ended without one.
fn read<R: Reply>(outcome: &Outcome, system: &Inner) -> Result<(u64, Result<Stamped<R>>), End> {
    match outcome.end {
        End::Reply { hlc, buffer } => {
            let value = R::read(&outcome.payload, &system.buffers);
            Ok((buffer, value.map(|value| Stamped { value, stamp: hlc })))
        }
        end => Err(end),
    }
}

impl<R: Reply> Future for AskStamped<R> {
    type Output = Result<Stamped<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.step(cx, true)
    }
}

impl<R: Reply> AskStamped<R> {
    /// Whether the message is in the mailbox, and the reply not here.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self.state, State::Owing(..) | State::Sent(_))
    }

    /// Tells whose bell is due for the message.
    pub(crate) fn ring(&self, bell: impl FnOnce(u32, &Inner)) {
        if let Ok(id) = self.message.target.resolve() {
            bell(id.worker(), &self.message.target.system);
        }
    }

    /// As [`poll`](Future::poll); without the bell, the caller rings it when the message is sent.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>, bell: bool) -> Poll<Result<Stamped<R>>> {
        // The waker goes in before the message goes out, so that no reply can come in between. Where the reply may well be there
        // right after the message went out, it goes in then, if it has to.
        let late =
            bell && matches!(self.state, State::New) && self.message.target.system.settings.config.assist;
        if let State::Owing(id, ticket) = self.state {
            self.state = State::Sent(ticket);
            let system = &self.message.target.system;
            if !system.asks.is_done(ticket) {
                habit::served();
                system.pay(id.worker());
            }
            return self.look(cx.waker());
        }
        if matches!(self.state, State::New) {
            if let Err(error) = self.begin((!late).then(|| cx.waker().clone())) {
                self.state = State::Done;
                return Poll::Ready(Err(error));
            }
        } else if let Poll::Ready(ended) = self.look(cx.waker()) {
            return Poll::Ready(ended);
        }
        let Self { message, state, place, .. } = self;
        if let State::Unsent(id, ticket) = *state {
            let system = &message.target.system;
            let waits = late && system.may_owe(id.worker()) && habit::waits();
            if let Poll::Ready(posted) =
                message.post_or_wait(id, ticket.corr(), place, cx.waker(), bell && !waits)
            {
                system.waiters[id.worker() as usize].forget(place);
                *state = State::Sent(ticket);
                if let Err(refused) = posted {
                    system.cancel(ticket);
                    *state = State::Done;
                    return Poll::Ready(Err(message.refused(refused)));
                }
                if waits && system.owe(id.worker()) {
                    *state = State::Owing(id, ticket);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        if late { self.look(cx.waker()) } else { Poll::Pending }
    }
}

impl<R> Drop for AskStamped<R> {
    fn drop(&mut self) {
        let system = &self.message.target.system;
        if let State::Owing(id, _) = self.state {
            system.ring_if_owed(id.worker());
        }
        if let State::Unsent(_, ticket) | State::Owing(_, ticket) | State::Sent(ticket) = self.state {
            system.cancel(ticket);
        }
        self.leave_queue();
    }
}

impl<R> fmt::Debug for AskStamped<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({}.{}, {:?})", self.message.target, self.message.method.name, self.state)
    }
}
