//! Many calls in one step: tells and asks that share a look at the clock and a doorbell.
//!
//! Rules kept here: the messages of a batch go out in its order, and the first that is not taken ends a batch of tells, so
//! what was taken is a prefix; a worker's bell is rung after the last message of a batch to it, whatever ends the batch.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::buffer::Reply;

use super::{ActorSystem, Inner};
use crate::call::{AskStamped, Call};
use crate::coarse;
use crate::error::{Error, Result};

/// Messages between two looks at whether the workers sleep: a long batch does not keep them from beginning.
const LOOK: u32 = 256;

/// The workers whose bells are due; rings them when it is dropped.
struct Bells<'a> {
    system: &'a Inner,
    /// Replies are expected: of the workers that sleep this thread may run one itself, while the others run beside it.
    replies: bool,
    /// A bit for each of the first 64 workers.
    due: u64,
    messages: u32,
}

impl<'a> Bells<'a> {
    fn new(system: &'a Inner, replies: bool) -> Self {
        Self { system, replies, due: 0, messages: 0 }
    }

    /// A message went to `worker`.
    #[inline]
    fn note(&mut self, worker: u32) {
        if worker < u64::BITS {
            self.due |= 1 << worker;
        } else {
            self.system.ring(worker);
        }
        self.messages += 1;
        if self.messages == LOOK {
            self.ring();
        }
    }

    fn ring(&mut self) {
        self.messages = 0;
        while self.due != 0 {
            let worker = self.due.trailing_zeros();
            self.due &= self.due - 1;
            if self.replies && self.due == 0 {
                self.system.ring_for_reply(worker);
            } else {
                self.system.ring(worker);
            }
        }
    }
}

impl Drop for Bells<'_> {
    fn drop(&mut self) {
        self.ring();
    }
}

/// A batch of tells was taken in part: the calls before [`call`](Self::call) were sent, it and those after it were not.
#[derive(Debug, thiserror::Error)]
#[error("{taken} messages were sent, the next one was not: {cause}")]
#[non_exhaustive]
pub struct TellManyError<R> {
    /// How many messages were sent: the first ones.
    pub taken: usize,
    /// Why the next one was not.
    #[source]
    pub cause: Box<Error>,
    /// The next one, to be sent again. What comes after it is still in the iterator, if that was lent.
    pub call: Box<Call<R>>,
}

impl<R> From<TellManyError<R>> for Error {
    fn from(error: TellManyError<R>) -> Self {
        *error.cause
    }
}

impl ActorSystem {
    /// Sends many messages without waiting for replies: cheaper than as many [`Call::tell`]s, because they share the readings
    /// of the clock and each worker's bell is rung once. Returns how many there were.
    ///
    /// The calls may be for any actors, in any order; they go out in the order given, as single tells would.
    ///
    /// # Errors
    /// The first call that is not taken ends the batch: [`TellManyError`] says how many went out before it and why it did not
    /// ([`Error::Full`], [`Error::Stopped`], ..), and gives it back. Lend the iterator (`by_ref`) to go on with the rest.
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
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default().host_inbox(64)).await?;
    /// let alice = system.actor::<Account>("alice");
    /// assert_eq!(system.tell_many((0..10).map(|_| alice.deposit(1)))?, 10);
    ///
    /// // More than the mailbox holds: send what was refused again, when there is space, and go on.
    /// let mut calls = (0..1000).map(|_| alice.deposit(1));
    /// while let Err(refused) = system.tell_many(calls.by_ref()) {
    ///     assert!(matches!(*refused.cause, Error::Full { .. }));
    ///     refused.call.tell_wait().await?;
    /// }
    /// assert_eq!(alice.deposit(0).await?, 1010);
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn tell_many<R: Reply>(
        &self,
        calls: impl IntoIterator<Item = Call<R>>,
    ) -> Result<usize, TellManyError<R>> {
        let system = &*self.owner.inner;
        let mut stamps = system.clock.batch();
        let mut bells = Bells::new(system, false);
        let mut taken = 0;
        for mut call in calls {
            let message = &mut call.message;
            let sent = if std::ptr::eq(system, &raw const *message.target.system) {
                message.sound().and_then(|()| message.target.resolve()).and_then(|id| {
                    message
                        .post_quietly(id, 0, stamps.tick(coarse::wall))
                        .map(|()| bells.note(id.worker()))
                        .or_else(|refused| message.tell_refused(id, refused))
                })
            } else {
                // An actor of another system has other bells and another clock.
                message.tell()
            };
            if let Err(cause) = sent {
                return Err(TellManyError { taken, cause: Box::new(cause), call: Box::new(call) });
            }
            taken += 1;
        }
        Ok(taken)
    }

    /// Asks many actors at once; resolves to the replies, in the order of the calls.
    ///
    /// The messages go out in that order when the future is polled first, with one doorbell for each worker; the ones for which a
    /// mailbox has no space wait for it. The task is woken about once for each worker and not for each reply. Each ask has its own result
    /// and its own timeout; dropping the future drops all of them.
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
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> gpu_actor_rt::Result<()> {
    /// let system = ActorSystem::start(Config::default()).await?;
    /// let accounts: Vec<_> = (0..100u64).map(|key| system.actor::<Account>(key)).collect();
    /// let balances = system.ask_many(accounts.iter().zip(0..).map(|(account, n)| account.deposit(n))).await;
    /// let balances: Result<Vec<u64>, Error> = balances.into_iter().collect();
    /// assert_eq!(balances?, Vec::from_iter(0..100));
    /// system.shutdown().await
    /// # }
    /// ```
    pub fn ask_many<R: Reply>(&self, calls: impl IntoIterator<Item = Call<R>>) -> AskMany<R> {
        let asks: Vec<_> = calls.into_iter().map(Call::ask_stamped).collect();
        let results = asks.iter().map(|_| None).collect();
        AskMany { left: asks.len(), asks, results, sent: 0, system: self.clone() }
    }
}

/// The future of [`ActorSystem::ask_many`].
#[must_use = "futures do nothing unless awaited"]
pub struct AskMany<R> {
    asks: Vec<AskStamped<R>>,
    results: Vec<Option<Result<R>>>,
    /// Asks that have been sent, or ended before.
    sent: usize,
    /// Asks that may still wait, once all are sent: the first ones.
    left: usize,
    system: ActorSystem,
}

impl<R> Unpin for AskMany<R> {}

impl<R: Reply> AskMany<R> {
    /// Sends what is not sent; `Pending` when a mailbox has no space, and the task is woken when it has.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let system = &*self.system.owner.inner;
        let mut bells = Bells::new(system, true);
        while let Some(ask) = self.asks.get_mut(self.sent) {
            // The task is not to be woken for every reply: it leaves its waker below, at the last ones.
            let mut step = ask.step(&mut Context::from_waker(Waker::noop()), false);
            if step.is_pending() && !ask.is_sent() {
                step = ask.step(cx, false);
                if step.is_pending() && !ask.is_sent() {
                    return Poll::Pending;
                }
            }
            match step {
                Poll::Ready(result) => self.results[self.sent] = Some(result.map(|stamped| stamped.value)),
                Poll::Pending => ask.ring(|worker, inner| {
                    if std::ptr::eq(system, inner) {
                        bells.note(worker);
                    } else {
                        inner.ring(worker);
                    }
                }),
            }
            self.sent += 1;
        }
        Poll::Ready(())
    }
}

impl<R: Reply> Future for AskMany<R> {
    type Output = Vec<Result<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.send(cx).is_pending() {
            return Poll::Pending;
        }
        let Self { asks, results, left, .. } = &mut *self;
        // From the end: a worker replies about in the order sent, so when its last reply is there, the others are.
        while let Some(at) = left.checked_sub(1) {
            if results[at].is_none() {
                match asks[at].step(cx, false) {
                    Poll::Ready(result) => results[at] = Some(result.map(|stamped| stamped.value)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            *left = at;
        }
        Poll::Ready(std::mem::take(results).into_iter().flatten().collect())
    }
}

impl<R> fmt::Debug for AskMany<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AskMany({} of {} sent)", self.sent, self.asks.len())
    }
}
