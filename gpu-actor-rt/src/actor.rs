//! What the attributes write down about an actor type, and how types find their way into a system.
//!
//! Rule kept here: identity is stable. A method id is a hash of the type's and the method's name, the same in every
//! process and build; two names with one hash are an error at start, never a wrong dispatch.

use std::fmt;

use kernels_ptx::builder::Builder;
use kernels_ptx::lang::{GpuData, Place, layout::Size};

use crate::buffer::Element;
use crate::cx::Cx;
use crate::mailbox::{Mailbox, OnFull};
use crate::refs::RawRef;

/// The state of an actor type. Implemented by `#[gpu_actor]` on the struct.
///
/// The initial state of every actor is the type's [`Default`].
pub trait ActorState: GpuData + Default {
    /// The name that identifies the type, across processes and builds.
    const TYPE_NAME: &'static str;
    /// What becomes of messages for which there is no space.
    #[doc(hidden)]
    const MAILBOX: Mailbox = Mailbox::new(0, OnFull::Reject);
}

/// An actor type with handlers. Implemented by `#[gpu_actor]` on the impl block.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an actor",
    label = "has no `#[gpu_actor]` impl block",
    note = "put `#[gpu_actor]` on the struct and on one impl block with `#[handler]` functions"
)]
pub trait Actor: ActorState {
    /// One method per handler, for the host.
    #[doc(hidden)]
    type Ref: From<RawRef> + Clone + Send + Sync + 'static;
    /// One method per handler, for handlers that run natively: the raw id and nothing else.
    #[doc(hidden)]
    type Id: Copy + From<u64> + Into<u64> + Send + Sync + 'static;
    /// One method per handler, for handlers that are being built for the device.
    #[doc(hidden)]
    type DeviceId: Copy + 'static;
    /// The device's view of an id in memory.
    #[doc(hidden)]
    fn device_id(raw: Place<u64>) -> Self::DeviceId;
    /// What the runtime knows of the type.
    #[doc(hidden)]
    fn info() -> &'static ActorInfo;
}

/// What the runtime knows of an actor type.
pub struct ActorInfo {
    /// The type's name.
    pub name: &'static str,
    /// Bytes of the state.
    pub state_size: u32,
    /// Alignment of the state.
    pub state_align: u32,
    /// Writes the initial state.
    pub initial: fn(&mut [u8]),
    /// Makes any bytes a valid, canonical state.
    pub state: fn(&mut [u8]),
    /// The handlers.
    pub methods: &'static [MethodInfo],
    /// What becomes of messages for which there is no space.
    pub mailbox: Mailbox,
    /// Source file of the impl block.
    pub file: &'static str,
    /// Source line of the impl block.
    pub line: u32,
}

/// What the runtime knows of a handler.
pub struct MethodInfo {
    /// The handler's name.
    pub name: &'static str,
    /// The handler's id, see [`method_id`].
    pub id: u32,
    /// Bytes of its message.
    pub msg_size: u32,
    /// Bytes of its reply.
    pub reply_size: u32,
    /// What it does with its slices, see `kernels_ptx::abi::view`; 0 if it has none.
    pub slices: u32,
    /// What the elements of each of its slices are.
    pub elements: &'static [ElementInfo],
    /// Source file.
    pub file: &'static str,
    /// Source line.
    pub line: u32,
    /// Builds the handler for the device.
    pub lower: fn(&Builder),
    /// Runs the handler natively: state, message, context, reply. Writes the state back when the handler returns.
    pub native: fn(&mut [u8], &[u8], &mut Cx, &mut [u8]),
    /// Makes any bytes a valid, canonical message.
    pub message: fn(&mut [u8]),
    /// Makes any bytes a valid, canonical reply.
    pub reply: fn(&mut [u8]),
}

/// What the elements of a slice are.
#[derive(Clone, Copy, Debug)]
pub struct ElementInfo {
    /// Bytes of one.
    pub size: u32,
    /// Makes any bytes of one canonical.
    pub normalise: fn(&mut [u8]),
}

impl ElementInfo {
    /// That of a type.
    ///
    /// # Panics
    /// As it is compiled, for a type without bytes.
    pub const fn of<T: Element>() -> Self {
        assert!(
            Size::<T>::OF == size_of::<T>() && Size::<T>::OF > 0,
            "an element has bytes, and the same ones on both sides"
        );
        Self { size: Size::<T>::OF as u32, normalise: normalise::<T> }
    }
}

/// What stands for the record of a type whose handlers rustc has found fault with: then it need not say so again.
#[doc(hidden)]
pub trait UnknownActor {
    /// Nothing.
    const __INFO: ActorInfo = ActorInfo {
        name: "",
        state_size: 0,
        state_align: 1,
        initial: |_| {},
        state: |_| {},
        methods: &[],
        mailbox: Mailbox::new(0, OnFull::Reject),
        file: "",
        line: 0,
    };
}

impl fmt::Debug for ActorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorInfo")
            .field("name", &self.name)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MethodInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#010x})", self.name, self.id)
    }
}

/// The id of a handler: FNV-1a over `type::method`, never 0.
///
/// ```
/// use gpu_actor_rt::__private::method_id;
///
/// const DEPOSIT: u32 = method_id("bank::Account", "deposit");
/// assert_ne!(DEPOSIT, method_id("bank::Account", "withdraw"));
/// ```
pub const fn method_id(type_name: &str, method: &str) -> u32 {
    const fn eat(mut hash: u32, text: &str) -> u32 {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        hash
    }
    let hash = eat(eat(eat(0x811c_9dc5, type_name), "::"), method);
    // Zero means "no method" in a slot.
    if hash == 0 { 1 } else { hash }
}

/// Makes any bytes a valid value of `T` in canonical form: decoded, encoded, NaN by class.
pub fn normalise<T: GpuData>(bytes: &mut [u8]) {
    T::decode(bytes).encode(bytes);
    T::canonical_nan(bytes);
}

/// An actor type that is linked into the program.
#[derive(Debug)]
pub struct Registration(pub fn() -> &'static ActorInfo);

inventory::collect!(Registration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_ids_are_fnv_1a() {
        // From the published FNV-1a vectors: the hash of "foobar" is 0xbf9cf968; ours has "::" in the middle.
        let mut hash = 0x811c_9dc5u32;
        for byte in b"a::b" {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        assert_eq!(method_id("a", "b"), hash);
        assert_ne!(method_id("a", "b"), method_id("b", "a"));
    }
}
