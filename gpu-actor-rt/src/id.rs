//! Ids: how a message names its receiver, on the host, in messages and on the device.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use kernels_ptx::abi::actor_id::{SLOT_BITS, TYPE_BITS, TYPE_SHIFT, WORKER_BITS, WORKER_SHIFT};
use kernels_ptx::builder::Builder;
use kernels_ptx::ir::Type;
use kernels_ptx::lang::{Addr, GpuData, GpuType, Place, Val, data};

use crate::actor::Actor;

/// The id of an actor of type `T`: 8 bytes that travel in messages and live in states.
///
/// Handlers send through it, `cx.tell(to.deposit(5))`; the host gets one from [`ActorRef::id`](crate::ActorRef::id). The
/// default id names no actor; a message to it is a dead letter.
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Link { next: ActorId<Link>, value: u64 }
///
/// #[gpu_actor]
/// impl Link {
///     #[handler]
///     fn connect(&mut self, next: ActorId<Link>) { self.next = next; }
///
///     #[handler]
///     fn put(&mut self, cx: &mut Cx, value: u64, hops: u32) {
///         self.value = value;
///         if hops > 0 {
///             cx.tell(self.next.put(value, hops - 1));
///         }
///     }
///
///     #[handler]
///     fn get(&self) -> u64 { self.value }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gpu_actor_rt::Result<()> {
/// let system = ActorSystem::start(Config::default()).await?;
/// let (first, second) = (system.actor::<Link>(1), system.actor::<Link>(2));
/// first.connect(second.id()?).await?;
/// first.put(7, 1).tell()?;
/// system.drained().await?;
/// assert_eq!(second.get().await?, 7);
/// system.shutdown().await
/// # }
/// ```
#[repr(transparent)]
pub struct ActorId<T: Actor>(T::Id);

impl<T: Actor> ActorId<T> {
    /// Every id is one word, on the host as on the device.
    const ONE_WORD: () = assert!(size_of::<T::Id>() == 8 && align_of::<T::Id>() == 8);

    /// The id with the given bits.
    pub fn from_raw(raw: u64) -> Self {
        let () = Self::ONE_WORD;
        Self(T::Id::from(raw))
    }

    /// The bits: node, type, worker, slot.
    pub fn raw(self) -> u64 {
        self.0.into()
    }
}

// By hand: a derive would ask for `T: Clone`, which an actor is but its id does not need.
#[expect(clippy::expl_impl_clone_on_copy, reason = "as above")]
impl<T: Actor> Clone for ActorId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Actor> Copy for ActorId<T> {}

impl<T: Actor> Default for ActorId<T> {
    fn default() -> Self {
        Self::from_raw(0)
    }
}

impl<T: Actor> PartialEq for ActorId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw() == other.raw()
    }
}

impl<T: Actor> Eq for ActorId<T> {}

impl<T: Actor> Hash for ActorId<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw().hash(state);
    }
}

impl<T: Actor> fmt::Debug for ActorId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", T::TYPE_NAME, RawId(self.raw()))
    }
}

impl<T: Actor> Deref for ActorId<T> {
    type Target = T::Id;

    fn deref(&self) -> &T::Id {
        &self.0
    }
}

impl<T: Actor> GpuType for ActorId<T> {
    const TYPE: Type = Type::bytes_of::<u64>();
    type Fields = T::DeviceId;

    fn fields(at: Addr) -> T::DeviceId {
        T::device_id(Place::at(at))
    }

    fn lower_const(self, b: &Builder) -> Val<Self> {
        b.lit_data(self)
    }

    fn equal(b: &Builder, left: Place<Self>, right: Place<Self>) -> Val<bool> {
        data::same_tag::<u64, Self>(b, left, right)
    }
}

impl<T: Actor> GpuData for ActorId<T> {
    fn encode(&self, out: &mut [u8]) {
        self.raw().encode(out);
    }

    fn decode(bytes: &[u8]) -> Self {
        Self::from_raw(u64::decode(bytes))
    }
}

/// The parts of a raw id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawId(pub(crate) u64);

impl RawId {
    /// The id of a slot; the parts are within their widths because the tables that they index are.
    pub(crate) fn new(type_index: u32, worker: u32, slot: u32) -> Self {
        debug_assert!(type_index < 1 << TYPE_BITS && worker < 1 << WORKER_BITS);
        Self(u64::from(type_index) << TYPE_SHIFT | u64::from(worker) << WORKER_SHIFT | u64::from(slot))
    }

    pub(crate) fn type_index(self) -> u32 {
        (self.0 >> TYPE_SHIFT) as u32 & ((1 << TYPE_BITS) - 1)
    }

    pub(crate) fn worker(self) -> u32 {
        (self.0 >> WORKER_SHIFT) as u32 & ((1 << WORKER_BITS) - 1)
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 & ((1 << SLOT_BITS) - 1)) as u32
    }
}

impl fmt::Display for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {}, worker {}, slot {}", self.type_index(), self.worker(), self.slot())
    }
}

impl fmt::Debug for RawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_id_do_not_overlap() {
        let id = RawId::new(4095, 4095, u32::MAX);
        assert_eq!((id.type_index(), id.worker(), id.slot()), (4095, 4095, u32::MAX));
        assert_eq!(id.0 >> 56, 0, "node 0 is this process");
        assert_eq!(RawId::new(1, 2, 3).to_string(), "type 1, worker 2, slot 3");
    }
}
