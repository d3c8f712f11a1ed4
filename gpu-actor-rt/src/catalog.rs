//! The actor types that are linked into a program, to look at: names, handlers, sizes, PTX.
//!
//! Rule kept here: the PTX is what a device would load, made by the same code; nothing is written for show.

use std::fmt;

use crate::actor::{Actor, ActorInfo, MethodInfo};
use crate::error::Result;
use crate::program::{self, Program};
use crate::registry;

/// The actor types that are linked into this program, in the order of their names.
///
/// A system takes all of them unless [`Config::actor`](crate::Config::actor) restricts it.
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Adder { sum: u64 }
///
/// #[gpu_actor]
/// impl Adder {
///     #[handler]
///     fn add(&mut self, n: u32) -> u64 { self.sum += n as u64; self.sum }
/// }
///
/// # fn main() -> gpu_actor_rt::Result<()> {
/// for actor in gpu_actor_rt::linked_actors()? {
///     println!("{} at {}:{}", actor.name(), actor.file(), actor.line());
///     for handler in actor.handlers() {
///         println!("  {}: {} bytes of message, {} of reply", handler.name(), handler.message_size(), handler.reply_size());
///     }
///     println!("{}", actor.ptx()?); // ring kernel and handlers, as a device loads them
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NoTypes`](crate::Error::NoTypes) where there is none, and whatever makes the set unusable: two types of one
/// name, two handlers with one id, a message that is too large.
pub fn linked_actors() -> Result<Vec<ActorType>> {
    Ok(registry::collect(None)?.into_iter().map(ActorType).collect())
}

/// What the runtime knows of an actor type; see [`linked_actors`].
#[derive(Clone, Copy)]
pub struct ActorType(&'static ActorInfo);

impl ActorType {
    /// The record of a type.
    ///
    /// ```
    /// use gpu_actor_rt::{ActorType, prelude::*};
    ///
    /// #[gpu_actor]
    /// #[derive(Default)]
    /// struct Adder { sum: u64 }
    ///
    /// #[gpu_actor]
    /// impl Adder {
    ///     #[handler]
    ///     fn add(&mut self, n: u32) -> u64 { self.sum += n as u64; self.sum }
    /// }
    ///
    /// # fn main() -> gpu_actor_rt::Result<()> {
    /// let adder = ActorType::of::<Adder>();
    /// assert!(adder.name().ends_with("Adder"));
    /// assert_eq!(adder.state_size(), 8);
    /// assert!(adder.ptx()?.contains(".entry"));             // the ring kernel
    /// assert!(!adder.handlers_ptx()?.contains(".entry"));   // the handlers alone
    /// # Ok(())
    /// # }
    /// ```
    pub fn of<T: Actor>() -> Self {
        Self(T::info())
    }

    /// The name that identifies the type, across processes and builds.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The source file of its handlers.
    pub fn file(&self) -> &'static str {
        self.0.file
    }

    /// The source line of its handlers' `impl`.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// Bytes of an actor's state.
    pub fn state_size(&self) -> u32 {
        self.0.state_size
    }

    /// Its handlers, in the order of the source.
    pub fn handlers(&self) -> impl ExactSizeIterator<Item = HandlerType> {
        let actor = self.0;
        actor.methods.iter().map(move |method| HandlerType { actor, method })
    }

    /// The PTX of the module that a system with this type alone loads: handlers, dispatch and ring kernel.
    ///
    /// # Errors
    /// When a handler cannot be lowered, or the type breaks a limit.
    pub fn ptx(&self) -> Result<String> {
        let types = registry::check(vec![self.0])?;
        Ok(Program::of(types, false)?.ptx().to_owned())
    }

    /// The PTX of its handlers alone, as [`testing::ptx`](crate::testing::ptx) gives it.
    ///
    /// # Errors
    /// When a handler cannot be lowered.
    pub fn handlers_ptx(&self) -> Result<String> {
        program::handlers_ptx(self.0)
    }
}

impl fmt::Debug for ActorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActorType").field(self.0).finish()
    }
}

/// What the runtime knows of a handler; see [`ActorType::handlers`].
#[derive(Clone, Copy)]
pub struct HandlerType {
    actor: &'static ActorInfo,
    method: &'static MethodInfo,
}

impl HandlerType {
    /// The handler's name.
    pub fn name(&self) -> &'static str {
        self.method.name
    }

    /// The id that messages carry: a hash of the type's and the handler's name.
    pub fn id(&self) -> u32 {
        self.method.id
    }

    /// Its function's name in the PTX.
    pub fn symbol(&self) -> String {
        program::symbol(self.actor, self.method)
    }

    /// Bytes of its message.
    pub fn message_size(&self) -> u32 {
        self.method.msg_size
    }

    /// Bytes of its reply.
    pub fn reply_size(&self) -> u32 {
        self.method.reply_size
    }

    /// Its source line.
    pub fn line(&self) -> u32 {
        self.method.line
    }
}

impl fmt::Debug for HandlerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerType").field(self.method).finish()
    }
}
