//! Streams and events.
//!
//! Rule kept here: an event is the end of the last job that its stream had when it was recorded; one that was never recorded
//! has ended.

use std::sync::{Arc, Mutex, Weak};

use super::work::{Done, Queue};
use super::{Answer, Context, Driver, lock};
use crate::code::Code;

/// How a stream stands to the legacy default stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is the legacy default stream: it comes after all work in blocking streams, and they come after its.
    Legacy,
    /// In order with the legacy default stream.
    Blocking,
    /// On its own.
    Free,
}

pub(crate) struct Stream {
    pub(crate) handle: usize,
    pub(crate) context: Weak<Context>,
    pub(crate) manner: Manner,
    pub(crate) priority: i32,
    pub(crate) queue: Arc<Queue>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// `CU_STREAM_NON_BLOCKING`
pub(crate) const NON_BLOCKING: u32 = 1;

impl Stream {
    pub(crate) fn flags(&self) -> u32 {
        if self.manner == Manner::Free { NON_BLOCKING } else { 0 }
    }
}

/// `CU_EVENT_DISABLE_TIMING`
pub(crate) const DISABLE_TIMING: u32 = 2;

pub(crate) struct Event {
    pub(crate) context: Weak<Context>,
    pub(crate) flags: u32,
    pub(crate) recorded: Mutex<Option<Arc<Done>>>,
}

impl Event {
    pub(crate) fn last(&self) -> Option<Arc<Done>> {
        lock(&self.recorded).clone()
    }

    /// Its context must be alive, in both senses.
    fn alive(&self) -> Answer {
        self.context.upgrade().ok_or(Code::CONTEXT_IS_DESTROYED)?.gpu.alive()
    }

    pub(crate) fn query(&self) -> Answer {
        self.alive()?;
        match self.last() {
            Some(done) if !done.has_ended() => Err(Code::NOT_READY),
            _ => self.alive(),
        }
    }

    pub(crate) fn wait(&self) -> Answer {
        self.alive()?;
        if let Some(done) = self.last() {
            done.wait_in("cuEventSynchronize");
        }
        self.alive()
    }

    /// Milliseconds from the end of what `start` recorded to the end of what this one did.
    pub(crate) fn since(&self, start: &Event) -> Result<f32, Code> {
        self.alive()?;
        if (self.flags | start.flags) & DISABLE_TIMING != 0 {
            return Err(Code::INVALID_HANDLE);
        }
        let (Some(from), Some(to)) = (start.last(), self.last()) else { return Err(Code::INVALID_HANDLE) };
        let (Some(from), Some(to)) = (from.peek(), to.peek()) else { return Err(Code::NOT_READY) };
        let span = |late: std::time::Instant, early| late.duration_since(early).as_secs_f32() * 1e3;
        Ok(if to.at >= from.at { span(to.at, from.at) } else { -span(from.at, to.at) })
    }
}

impl Driver {
    pub(crate) fn stream(&self, handle: usize) -> Result<(Arc<Context>, Arc<Stream>), Code> {
        // cuda.h: CU_STREAM_LEGACY is 1, CU_STREAM_PER_THREAD is 2.
        match handle {
            0 | 1 => self.current().map(|c| (Arc::clone(&c), Arc::clone(c.legacy()))),
            2 => self.current().map(|c| (Arc::clone(&c), c.per_thread())),
            _ => {
                let stream = self.streams.get(handle).ok_or(Code::INVALID_HANDLE)?;
                let context = stream.context.upgrade().ok_or(Code::CONTEXT_IS_DESTROYED)?;
                context.gpu.alive()?;
                Ok((context, stream))
            }
        }
    }

    pub(crate) fn event(&self, handle: usize) -> Result<Arc<Event>, Code> {
        self.events.get(handle).ok_or(Code::INVALID_HANDLE)
    }

    pub(crate) fn new_stream(&self, flags: u32, priority: i32) -> Result<Arc<Stream>, Code> {
        let context = self.current()?;
        if flags & !NON_BLOCKING != 0 {
            return Err(Code::INVALID_VALUE);
        }
        let manner = if flags & NON_BLOCKING != 0 { Manner::Free } else { Manner::Blocking };
        Ok(self.streams.add(|handle| Stream {
            handle,
            context: Arc::downgrade(&context),
            manner,
            priority: priority.clamp(super::context::GREATEST_PRIORITY, 0),
            queue: Arc::default(),
        }))
    }

    pub(crate) fn record(&self, event: usize, stream: usize) -> Answer {
        let (context, stream) = self.stream(stream)?;
        let event = self.event(event)?;
        if !std::ptr::eq(event.context.as_ptr(), Arc::as_ptr(&context)) {
            return Err(Code::INVALID_HANDLE);
        }
        let done = context.submit(&stream, || "an event".to_owned(), Vec::new(), |_| Ok(()))?;
        *lock(&event.recorded) = Some(done);
        Ok(())
    }

    /// Later work in the stream waits for what the event has recorded by now.
    pub(crate) fn wait_event(&self, stream: usize, event: usize) -> Answer {
        let (context, stream) = self.stream(stream)?;
        let event = self.event(event)?;
        if let Some(done) = event.last() {
            context.submit(&stream, || "a wait for an event".to_owned(), vec![done], |_| Ok(()))?;
        }
        Ok(())
    }
}
