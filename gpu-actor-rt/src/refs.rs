//! References to actors on the host.
//!
//! Rule kept here: a reference is an address, not a lease: it costs one allocation, finds its actor's slot at the first use
//! and remembers it, and keeps no system running.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kernels_ptx::lang::GpuData;

use crate::actor::{Actor, MethodInfo};
use crate::buffer::{Erased, Reply};
use crate::call::Call;
use crate::error::Result;
use crate::id::{ActorId, RawId};
use crate::key::Key;
use crate::system::Inner;

/// A reference to the actor of type `T` with some key, from [`ActorSystem::actor`](crate::ActorSystem::actor).
///
/// It has one method per handler, which returns a [`Call`].
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
/// assert_eq!(alice.key().to_string(), "\"alice\"");
/// assert_eq!(alice.deposit(1).await?, 1);
/// assert_eq!(system.actor::<Account>("alice").deposit(1).await?, 2);   // the same actor
/// system.shutdown().await
/// # }
/// ```
pub struct ActorRef<T: Actor> {
    raw: RawRef,
    stubs: T::Ref,
    actor: PhantomData<fn() -> T>,
}

impl<T: Actor> ActorRef<T> {
    pub(crate) fn new(raw: RawRef) -> Self {
        Self { stubs: T::Ref::from(raw.clone()), raw, actor: PhantomData }
    }

    /// The actor's id, to be sent in messages.
    pub fn id(&self) -> Result<ActorId<T>> {
        self.raw.0.resolve().map(|raw| ActorId::from_raw(raw.0))
    }

    /// The actor's key.
    pub fn key(&self) -> &Key {
        &self.raw.0.key
    }
}

impl<T: Actor> Clone for ActorRef<T> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), stubs: self.stubs.clone(), actor: PhantomData }
    }
}

impl<T: Actor> Deref for ActorRef<T> {
    type Target = T::Ref;

    fn deref(&self) -> &T::Ref {
        &self.stubs
    }
}

impl<T: Actor> fmt::Debug for ActorRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorRef({})", self.raw.0)
    }
}

/// A reference without the actor's type, which generated stubs call through.
#[derive(Clone)]
pub struct RawRef(pub(crate) Arc<Target>);

/// Whom a message is for.
pub(crate) struct Target {
    pub(crate) system: Arc<Inner>,
    pub(crate) type_index: u32,
    type_name: &'static str,
    key: Key,
    /// The raw id, 0 until the first use.
    raw: AtomicU64,
}

impl RawRef {
    pub(crate) fn new(system: &Arc<Inner>, type_index: u32, type_name: &'static str, key: Key) -> Self {
        let system = Arc::clone(system);
        Self(Arc::new(Target { system, type_index, type_name, key, raw: AtomicU64::new(0) }))
    }

    /// A call of a handler.
    #[inline]
    pub fn call<M: GpuData, R: Reply>(&self, method: &'static MethodInfo, message: M) -> Call<R> {
        Call::new(Arc::clone(&self.0), method, &message)
    }

    /// A call of a handler with slices, which the message begins with.
    pub fn call_with<M: GpuData, R: Reply>(
        &self,
        method: &'static MethodInfo,
        message: M,
        slices: impl IntoIterator<Item = Erased>,
    ) -> Call<R> {
        Call::with_slices(Arc::clone(&self.0), method, &message, slices)
    }
}

impl fmt::Debug for RawRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawRef({})", self.0)
    }
}

impl Target {
    /// The actor's id; finds or makes it the first time.
    #[inline]
    pub(crate) fn resolve(&self) -> Result<RawId> {
        // Relaxed: the id is all there is to know, and the directory published the slot before it gave the id out; the
        // message's own release store carries that to the device.
        match self.raw.load(Ordering::Relaxed) {
            0 => self.resolve_first(),
            raw => Ok(RawId(raw)),
        }
    }

    #[cold]
    fn resolve_first(&self) -> Result<RawId> {
        let running = &self.system.running;
        let id = running.directory.resolve(
            self.type_index,
            &self.key,
            self.type_name,
            &running.memory.types,
            self.system.device.as_ref(),
        )?;
        self.raw.store(id.0, Ordering::Relaxed);
        Ok(id)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.type_name, self.key)
    }
}
