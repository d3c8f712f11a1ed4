//! The context of a handler call, as handlers that run natively see it.
//!
//! On the device the same calls go to the record of `abi::cx`; this twin collects what a handler sends, so that unit
//! tests and the differential check can look at it.

use std::fmt;

use kernels_ptx::abi::slot;
use kernels_ptx::lang::{GpuData, layout::Size};

use crate::buffer::{Element, GpuSlice, GpuSliceMut, NativeBuffers, SliceWords};

/// Messages that one handler call may send unless the system is configured otherwise.
pub(crate) const DEFAULT_OUTBOX: u32 = 16;

/// What a handler knows of its call, and where its sends go. They leave when the handler returns; a handler that faults
/// sends nothing.
///
/// ```
/// use gpu_actor_rt::Cx;
///
/// let cx = Cx::native();
/// assert!(cx.sent().is_empty());
/// assert_eq!((cx.worker(), cx.lane(), cx.now()), (0, 0, 0));
/// ```
#[derive(Clone, Debug)]
pub struct Cx {
    sent: Vec<Message>,
    max_sends: u32,
    now: u64,
    worker: u32,
    lane: u32,
    buffers: NativeBuffers,
}

impl Cx {
    /// A context for a native call: worker 0, lane 0, time 0, the default outbox.
    pub fn native() -> Self {
        Self {
            sent: Vec::new(),
            max_sends: DEFAULT_OUTBOX,
            now: 0,
            worker: 0,
            lane: 0,
            buffers: NativeBuffers::default(),
        }
    }

    /// The same with a time, for handlers that look at the clock.
    #[must_use]
    pub fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    /// The same with an outbox of so many messages.
    #[must_use]
    pub fn max_sends(mut self, messages: u32) -> Self {
        self.max_sends = messages;
        self
    }

    /// The same with the buffers that its message names.
    #[doc(hidden)]
    #[must_use]
    pub fn with_buffers(mut self, buffers: NativeBuffers) -> Self {
        self.buffers = buffers;
        self
    }

    /// A slice of the message.
    #[doc(hidden)]
    pub fn open<T: Element>(&self, words: SliceWords) -> GpuSlice<T> {
        self.buffers.open(words)
    }

    /// A slice of the message, to be written to.
    #[doc(hidden)]
    pub fn open_mut<T: Element>(&self, words: SliceWords) -> GpuSliceMut<T> {
        self.buffers.open_mut(words)
    }

    /// Sends a message when the handler returns. Nobody waits for a reply.
    ///
    /// # Panics
    /// When the outbox is full; on the device this is the fault [`TooManySends`](crate::FaultKind::TooManySends).
    #[track_caller]
    pub fn tell(&mut self, message: Message) {
        assert!(self.sent.len() < self.max_sends as usize, "{TOO_MANY_SENDS} ({})", self.max_sends);
        self.sent.push(message);
    }

    /// What was sent so far, in order.
    pub fn sent(&self) -> &[Message] {
        &self.sent
    }

    /// The actor's hybrid logical clock at this message: nanoseconds since the epoch, the low ten bits count.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The worker that runs the handler.
    pub fn worker(&self) -> u32 {
        self.worker
    }

    /// The lane that runs the handler.
    pub fn lane(&self) -> u32 {
        self.lane
    }
}

/// How the panic of a full native outbox begins.
pub(crate) const TOO_MANY_SENDS: &str = "one call sent more messages than its outbox holds";

/// A message that a handler sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    target: u64,
    method: u32,
    len: u8,
    payload: [u8; slot::MAX_PAYLOAD as usize],
}

impl Message {
    /// A message to the actor with the raw id `target`.
    #[doc(hidden)]
    pub fn new<M: GpuData>(target: u64, method: u32, message: M) -> Self {
        let mut payload = [0; slot::MAX_PAYLOAD as usize];
        const { assert!(Size::<M>::OF <= slot::MAX_PAYLOAD as usize, "a message has at most 224 bytes") };
        message.encode(&mut payload[..Size::<M>::OF]);
        Self { target, method, len: Size::<M>::OF as u8, payload }
    }

    /// The raw id of the receiver.
    pub fn target(&self) -> u64 {
        self.target
    }

    /// The id of the handler.
    pub fn method(&self) -> u32 {
        self.method
    }

    /// The arguments, in the device's layout.
    pub fn payload(&self) -> &[u8] {
        &self.payload[..usize::from(self.len)]
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("target", &crate::id::RawId(self.target))
            .field("method", &format_args!("{:#010x}", self.method))
            .field("payload", &self.payload())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_are_collected_in_order_until_the_outbox_is_full() {
        let mut cx = Cx::native().max_sends(2).at(5);
        cx.tell(Message::new(1, 10, 7u32));
        cx.tell(Message::new(2, 20, ()));
        assert_eq!(cx.sent()[0].payload(), &[7, 0, 0, 0]);
        assert_eq!((cx.sent()[1].target(), cx.sent()[1].method(), cx.now()), (2, 20, 5));
        let full =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cx.tell(Message::new(3, 30, ()))));
        assert!(full.unwrap_err().downcast_ref::<String>().unwrap().starts_with(TOO_MANY_SENDS));
    }
}
