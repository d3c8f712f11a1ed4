//! Contexts, each thread's stack of them, and the order of work in one.
//!
//! Rules kept here:
//! - All jobs of a context are submitted under one lock, so "before" and "after" are the same for all of its streams.
//! - Work in the legacy default stream comes after all work that is in blocking streams by then, and before all that comes there
//!   later. Non-blocking streams take no part.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;

use super::stream::{Manner, Stream};
use super::work::{Done, Queue};
use super::{Answer, Driver, Gpu, lock};
use crate::code::Code;

/// Priorities of streams go from 0 down to this; they are kept and change nothing.
pub(crate) const GREATEST_PRIORITY: i32 = -5;

/// The last job of a stream.
struct Tail {
    manner: Manner,
    done: Arc<Done>,
}

pub(crate) struct Context {
    pub(crate) handle: usize,
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) primary: bool,
    pub(crate) flags: u32,
    /// The contexts whose memory this one may use.
    pub(crate) peers: Mutex<HashSet<usize>>,
    legacy: OnceLock<Arc<Stream>>,
    per_thread: Mutex<HashMap<ThreadId, Arc<Stream>>>,
    /// By the address of the stream's queue; ended ones are removed now and then.
    tails: Mutex<HashMap<usize, Tail>>,
}

/// A queue is in use for as long as it has a tail that has not ended, so no two queues share an address here.
fn key(stream: &Stream) -> usize {
    Arc::as_ptr(&stream.queue).addr()
}

impl Context {
    pub(crate) fn legacy(self: &Arc<Self>) -> &Arc<Stream> {
        self.legacy.get_or_init(|| Arc::new(self.default_stream(1, Manner::Legacy)))
    }

    /// The default stream of this thread.
    pub(crate) fn per_thread(self: &Arc<Self>) -> Arc<Stream> {
        let mut streams = lock(&self.per_thread);
        let stream = streams
            .entry(std::thread::current().id())
            .or_insert_with(|| Arc::new(self.default_stream(2, Manner::Blocking)));
        Arc::clone(stream)
    }

    fn default_stream(self: &Arc<Self>, handle: usize, manner: Manner) -> Stream {
        Stream {
            handle,
            context: Arc::downgrade(self),
            manner,
            priority: 0,
            queue: Arc::new(Queue::default()),
        }
    }

    /// Adds a job to a stream, after what the stream's manner and `also` say. It does not run if the device is dead by then.
    pub(crate) fn submit(
        self: &Arc<Self>,
        stream: &Stream,
        what: impl FnOnce() -> String,
        also: Vec<Arc<Done>>,
        run: impl FnOnce(&Arc<Context>) -> Answer + Send + 'static,
    ) -> Result<Arc<Done>, Code> {
        self.gpu.alive()?;
        let mut tails = lock(&self.tails);
        tails.retain(|_, tail| !tail.done.has_ended());
        let before = |manner: Manner| match stream.manner {
            Manner::Legacy => manner == Manner::Blocking,
            Manner::Blocking => manner == Manner::Legacy,
            Manner::Free => false,
        };
        let mut after = also;
        after.extend(tails.values().filter(|t| before(t.manner)).map(|t| Arc::clone(&t.done)));
        let context = Arc::clone(self);
        let done = stream.queue.push(what(), after, move || {
            context.gpu.alive()?;
            run(&context)
        })?;
        tails.insert(key(stream), Tail { manner: stream.manner, done: Arc::clone(&done) });
        Ok(done)
    }

    /// What must have ended for the stream to be idle.
    fn pending(&self, stream: &Stream) -> Vec<Arc<Done>> {
        let own = key(stream);
        let counts = |at: usize, tail: &Tail| {
            at == own || (stream.manner == Manner::Legacy && tail.manner == Manner::Blocking)
        };
        let tails = lock(&self.tails);
        let pending = tails.iter().filter(|(at, tail)| counts(**at, tail) && !tail.done.has_ended());
        pending.map(|(_, tail)| Arc::clone(&tail.done)).collect()
    }

    pub(crate) fn is_idle(&self, stream: &Stream) -> bool {
        self.pending(stream).is_empty()
    }

    /// Waits for the work in a stream, and answers the sticky error.
    pub(crate) fn wait_stream(&self, stream: &Stream, call: &str) -> Answer {
        for done in self.pending(stream) {
            done.wait_in(call);
        }
        self.gpu.alive()
    }

    /// Waits for all work, in streams of every manner.
    pub(crate) fn wait_all(&self, call: &str) {
        let pending: Vec<_> = lock(&self.tails).values().map(|t| Arc::clone(&t.done)).collect();
        for done in pending {
            done.wait_in(call);
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Uses the thread's stack of contexts. A thread that ends has none.
pub(crate) fn stack<R>(on: impl FnOnce(&mut Vec<usize>) -> R) -> Result<R, Code> {
    CURRENT.try_with(|stack| on(&mut stack.borrow_mut())).map_err(|_| Code::DEINITIALIZED)
}

impl Driver {
    pub(crate) fn context(&self, handle: usize) -> Result<Arc<Context>, Code> {
        match self.contexts.get(handle) {
            Some(context) => Ok(context),
            None if self.contexts.ever(handle) => Err(Code::CONTEXT_IS_DESTROYED),
            None => Err(Code::INVALID_CONTEXT),
        }
    }

    /// The thread's current context, whatever its state.
    pub(crate) fn current_any(&self) -> Result<Arc<Context>, Code> {
        self.context(stack(|s| s.last().copied())?.ok_or(Code::INVALID_CONTEXT)?)
    }

    /// The thread's current context, which works.
    pub(crate) fn current(&self) -> Result<Arc<Context>, Code> {
        let context = self.current_any()?;
        context.gpu.alive()?;
        Ok(context)
    }

    pub(crate) fn new_context(
        &self,
        gpu: &Arc<Gpu>,
        primary: bool,
        flags: u32,
    ) -> Result<Arc<Context>, Code> {
        gpu.available()?;
        Ok(self.contexts.add(|handle| Context {
            handle,
            gpu: Arc::clone(gpu),
            primary,
            flags,
            peers: Mutex::default(),
            legacy: OnceLock::new(),
            per_thread: Mutex::default(),
            tails: Mutex::default(),
        }))
    }

    /// Ends a context: waits for its work, and gives back all that it has.
    pub(crate) fn end_context(&self, context: &Arc<Context>, call: &str) {
        self.contexts.remove(context.handle);
        self.clear_context(context, call);
    }

    fn clear_context(&self, context: &Arc<Context>, call: &str) {
        context.wait_all(call);
        let mine = |of: &std::sync::Weak<Context>| std::ptr::eq(of.as_ptr(), Arc::as_ptr(context));
        self.streams.remove_all(|s| mine(&s.context));
        self.events.remove_all(|e| mine(&e.context));
        for module in self.modules.remove_all(|m| m.context == context.handle) {
            self.functions.remove_all(|f| f.module == module.handle);
        }
        self.regions.remove_all(context.handle);
        self.leave_peers(context);
        context.gpu.settle();
    }

    pub(crate) fn retain_primary(&self, gpu: &Arc<Gpu>) -> Result<Arc<Context>, Code> {
        let mut primary = lock(&gpu.primary);
        gpu.available()?;
        let context = if let Some(context) = &primary.context {
            Arc::clone(context)
        } else {
            let context = self.new_context(gpu, true, primary.flags)?;
            primary.context = Some(Arc::clone(&context));
            context
        };
        primary.count += 1;
        Ok(context)
    }

    pub(crate) fn release_primary(&self, gpu: &Arc<Gpu>) -> Answer {
        let mut primary = lock(&gpu.primary);
        primary.count = primary.count.checked_sub(1).ok_or(Code::INVALID_CONTEXT)?;
        if primary.count > 0 {
            return Ok(());
        }
        let context = primary.context.take();
        drop(primary);
        if let Some(context) = context {
            self.end_context(&context, "cuDevicePrimaryCtxRelease");
        }
        Ok(())
    }

    /// Destroys what the primary context has. Who retained it still has it, empty, as the manual says.
    pub(crate) fn reset_primary(&self, gpu: &Arc<Gpu>) {
        let context = lock(&gpu.primary).context.clone();
        if let Some(context) = context {
            self.clear_context(&context, "cuDevicePrimaryCtxReset");
        }
    }
}
