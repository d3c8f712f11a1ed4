//! The libraries that a user would pick instead, each used the way its documentation says, with unbounded mailboxes.
//!
//! Rule kept here: where a library has a faster way, that way is taken (`try_send` without a future, asks without a
//! timeout, features for tracing off), so that no figure is a matter of its settings.

use std::future::Future;

use actix::prelude::{Actor as ActixActor, Addr as ActixAddr, Context as ActixContext};
use futures_util::FutureExt as _;
use kameo::actor::Spawn as _;

use super::role::{Msg, Peer, Role, Threads, on_tokio};

// --- ractor

/// A reference to a `ractor` actor.
#[derive(Clone, Debug)]
pub(crate) struct Ractor(ractor::ActorRef<RactorMsg>);

/// `ractor`'s messages carry the port of their reply.
#[derive(Debug)]
pub(crate) enum RactorMsg {
    Tell(Msg<Ractor>),
    Ask(Msg<Ractor>, ractor::RpcReplyPort<u64>),
}

struct RactorShell;

impl ractor::Actor for RactorShell {
    type Msg = RactorMsg;
    type State = Role<Ractor>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ractor::ActorRef<RactorMsg>,
        (): (),
    ) -> Result<Role<Ractor>, ractor::ActorProcessingErr> {
        Ok(Role::default())
    }

    async fn handle(
        &self,
        _: ractor::ActorRef<RactorMsg>,
        message: RactorMsg,
        state: &mut Role<Ractor>,
    ) -> Result<(), ractor::ActorProcessingErr> {
        match message {
            RactorMsg::Tell(message) => {
                state.on(message);
            }
            RactorMsg::Ask(message, reply) => {
                let count = state.on(message);
                reply.send(count)?;
            }
        }
        Ok(())
    }
}

impl Peer for Ractor {
    async fn spawn() -> Self {
        let (actor, _) = ractor::Actor::spawn(None, RactorShell, ()).await.expect("ractor starts an actor");
        Self(actor)
    }

    async fn tell(&self, message: Msg<Self>) {
        self.pass(message);
    }

    fn pass(&self, message: Msg<Self>) {
        self.0.cast(RactorMsg::Tell(message)).expect("the actor lives");
    }

    async fn ask(&self, message: Msg<Self>) -> u64 {
        ractor::call!(self.0, |reply| RactorMsg::Ask(message, reply)).expect("the actor replies")
    }

    fn run<F>(threads: Threads, driver: F) -> f64
    where
        F: Future<Output = f64> + Send + 'static,
    {
        on_tokio(threads, driver)
    }
}

// --- kameo

/// A reference to a `kameo` actor.
#[derive(Clone, Debug)]
pub(crate) struct Kameo(kameo::actor::ActorRef<KameoShell>);

#[derive(kameo::Actor, Default)]
pub(crate) struct KameoShell(Role<Kameo>);

/// A message without a reply.
pub(crate) struct Tell<P>(Msg<P>);

/// A message with one.
pub(crate) struct Ask<P>(Msg<P>);

impl kameo::message::Message<Tell<Kameo>> for KameoShell {
    type Reply = ();

    async fn handle(&mut self, message: Tell<Kameo>, _: &mut kameo::message::Context<Self, ()>) {
        self.0.on(message.0);
    }
}

impl kameo::message::Message<Ask<Kameo>> for KameoShell {
    type Reply = u64;

    async fn handle(&mut self, message: Ask<Kameo>, _: &mut kameo::message::Context<Self, u64>) -> u64 {
        self.0.on(message.0)
    }
}

impl Peer for Kameo {
    async fn spawn() -> Self {
        Self(KameoShell::spawn_with_mailbox(KameoShell::default(), kameo::mailbox::unbounded()))
    }

    async fn tell(&self, message: Msg<Self>) {
        self.pass(message);
    }

    fn pass(&self, message: Msg<Self>) {
        self.0.tell(Tell(message)).try_send().expect("the actor lives");
    }

    async fn ask(&self, message: Msg<Self>) -> u64 {
        self.0.ask(Ask(message)).await.expect("the actor replies")
    }

    fn run<F>(threads: Threads, driver: F) -> f64
    where
        F: Future<Output = f64> + Send + 'static,
    {
        on_tokio(threads, driver)
    }
}

// --- actix

/// A reference to an `actix` actor.
#[derive(Clone, Debug)]
pub(crate) struct Actix(ActixAddr<ActixShell>);

#[derive(Default)]
pub(crate) struct ActixShell(Role<Actix>);

impl ActixActor for ActixShell {
    type Context = ActixContext<Self>;
}

impl actix::Message for Tell<Actix> {
    type Result = ();
}

impl actix::Message for Ask<Actix> {
    type Result = u64;
}

impl actix::Handler<Tell<Actix>> for ActixShell {
    type Result = ();

    fn handle(&mut self, message: Tell<Actix>, _: &mut ActixContext<Self>) {
        self.0.on(message.0);
    }
}

impl actix::Handler<Ask<Actix>> for ActixShell {
    type Result = u64;

    fn handle(&mut self, message: Ask<Actix>, _: &mut ActixContext<Self>) -> u64 {
        self.0.on(message.0)
    }
}

thread_local! {
    /// Where new actors run, if not on the thread that starts them.
    static ARBITER: std::cell::RefCell<Option<actix::Arbiter>> = const { std::cell::RefCell::new(None) };
}

impl Peer for Actix {
    async fn spawn() -> Self {
        ARBITER.with_borrow(|arbiter| match arbiter {
            Some(arbiter) => Self(ActixShell::start_in_arbiter(&arbiter.handle(), |_| ActixShell::default())),
            None => Self(ActixShell::default().start()),
        })
    }

    async fn tell(&self, message: Msg<Self>) {
        self.pass(message);
    }

    fn pass(&self, message: Msg<Self>) {
        self.0.do_send(Tell(message));
    }

    async fn ask(&self, message: Msg<Self>) -> u64 {
        self.0.send(Ask(message)).await.expect("the actor replies")
    }

    /// The driver has a thread; the actors have the same one, or another.
    fn run<F>(threads: Threads, driver: F) -> f64
    where
        F: Future<Output = f64> + Send + 'static,
    {
        let system = actix::System::new();
        system.block_on(async move {
            let arbiter = (threads == Threads::All).then(actix::Arbiter::new);
            ARBITER.set(arbiter);
            let figure = driver.await;
            if let Some(arbiter) = ARBITER.take() {
                arbiter.stop();
                let _ = arbiter.join();
            }
            figure
        })
    }
}

// --- xtra

/// A reference to an `xtra` actor.
#[derive(Clone, Debug)]
pub(crate) struct Xtra(xtra::Address<XtraShell>);

#[derive(Default)]
pub(crate) struct XtraShell(Role<Xtra>);

impl xtra::Actor for XtraShell {
    type Stop = ();

    async fn stopped(self) {}
}

impl xtra::Handler<Tell<Xtra>> for XtraShell {
    type Return = ();

    async fn handle(&mut self, message: Tell<Xtra>, _: &mut xtra::Context<Self>) {
        self.0.on(message.0);
    }
}

impl xtra::Handler<Ask<Xtra>> for XtraShell {
    type Return = u64;

    async fn handle(&mut self, message: Ask<Xtra>, _: &mut xtra::Context<Self>) -> u64 {
        self.0.on(message.0)
    }
}

impl Peer for Xtra {
    async fn spawn() -> Self {
        Self(xtra::spawn_tokio(XtraShell::default(), xtra::Mailbox::unbounded()))
    }

    async fn tell(&self, message: Msg<Self>) {
        // What is left is the future of its handling.
        drop(self.0.send(Tell(message)).detach().await.expect("the actor lives"));
    }

    fn pass(&self, message: Msg<Self>) {
        // An unbounded mailbox takes the message at the first poll.
        let sent = self.0.send(Tell(message)).detach().now_or_never();
        drop(sent.expect("there is space").expect("the actor lives"));
    }

    async fn ask(&self, message: Msg<Self>) -> u64 {
        self.0.send(Ask(message)).await.expect("the actor replies")
    }

    fn run<F>(threads: Threads, driver: F) -> f64
    where
        F: Future<Output = f64> + Send + 'static,
    {
        on_tokio(threads, driver)
    }
}
