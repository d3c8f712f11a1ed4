//! What the pool does about memory that is scarce, or that nobody needs any more; and the thread that does it.
//!
//! Rules kept here: taking and putting back a block never waits for this thread; it sleeps while the pool has no memory; it is gone
//! when the system has ended. A change of pressure is acted on by whoever finds it, and told by the thread alone, in order.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::pressure::{self, Pressure, PressureChange, Share};
use super::{Bucket, Shared, size_of_bucket};

/// How often the device is asked for its free memory while that is scarce, and how often the counters are exported, if they are.
const LOOK: Duration = Duration::from_secs(1);

const LEVELS: [Pressure; 4] = [Pressure::Low, Pressure::Medium, Pressure::High, Pressure::Critical];

/// The pressure that was found last.
pub(super) fn level(pool: &Shared) -> Pressure {
    LEVELS[usize::from(pool.pressure.load(Ordering::Relaxed)).min(3)]
}

/// The pool's thread, and what it has to do.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    thread: Option<JoinHandle<()>>,
    /// To be told.
    changes: VecDeque<PressureChange>,
    /// There is memory to look after.
    awake: bool,
    closed: bool,
}

impl Keeper {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool has memory, or something to tell: the thread looks after it from here on.
    pub(super) fn wake(pool: &Arc<Shared>) {
        let keeper = &pool.keeper;
        let mut state = keeper.lock();
        if state.closed || (state.awake && state.changes.is_empty()) {
            return;
        }
        state.awake = true;
        if state.thread.is_none() {
            let (pool, own) = (Arc::downgrade(pool), Arc::clone(keeper));
            let work = move || {
                let mut swept = Instant::now();
                while let Some(patience) = pool.upgrade().map(|pool| pool.patience()) {
                    let (changes, closed) = own.wait(patience);
                    let Some(pool) = pool.upgrade().filter(|_| !closed) else { return };
                    for change in changes {
                        pool.tell(change);
                    }
                    if pool.config.max_age.is_some_and(|age| swept.elapsed() >= age) {
                        swept = Instant::now();
                        pool.sweep();
                    }
                    pool.judge();
                    #[cfg(feature = "metrics")]
                    super::stats::read(&pool).export();
                    own.lock().awake = pool.bytes.load(Ordering::Relaxed) != 0;
                }
            };
            match std::thread::Builder::new().name("gpu-actor-pool".into()).spawn(work) {
                Ok(thread) => state.thread = Some(thread),
                Err(error) => tracing::warn!(%error, "no thread looks after the pool: nothing ages there"),
            }
        }
        drop(state);
        keeper.changed.notify_all();
    }

    /// Waits until there is something to do, or for so long: changes to be told, and whether the system has ended.
    fn wait(&self, patience: Option<Duration>) -> (VecDeque<PressureChange>, bool) {
        let calm = |state: &mut State| !state.closed && state.changes.is_empty();
        let sleeps = |state: &mut State| !state.awake && calm(state);
        let state = self.changed.wait_while(self.lock(), sleeps).unwrap_or_else(PoisonError::into_inner);
        let mut state = match patience {
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(state, patience, calm);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(state, calm).unwrap_or_else(PoisonError::into_inner),
        };
        (std::mem::take(&mut state.changes), state.closed)
    }
}

impl Bucket {
    /// Gives back up to so many blocks that are kept, as long as more are than are reserved; how many.
    fn shrink(&self, pool: &Shared, index: usize, most: u64) -> u64 {
        let mut given = 0;
        while given < most {
            let (kept, _) = self.kept.counts(&pool.nodes);
            let used = self.blocks.load(Ordering::Relaxed).saturating_sub(kept);
            // Those in use count towards what is reserved: they come back.
            if kept == 0 || kept + used <= self.reserved {
                break;
            }
            let Some((node, left)) = self.kept.pop(&pool.nodes) else { break };
            self.swept.fetch_add(1, Ordering::Relaxed);
            self.fewest.fetch_min(left, Ordering::Relaxed);
            let address = pool.nodes.get(node).address();
            pool.give_back(&super::Block::new(node, index, address));
            given += 1;
        }
        given
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// How long the thread waits between two looks.
    fn patience(&self) -> Option<Duration> {
        match (level(self), self.config.max_age) {
            (Pressure::Low, age) if !cfg!(feature = "metrics") => age,
            (_, age) => Some(age.map_or(LOOK, |age| age.min(LOOK))),
        }
    }

    fn each_bucket(&self, what: impl Fn(&Bucket) -> u64) -> u64 {
        let buckets = self.buckets.iter().enumerate();
        buckets.map(|(index, bucket)| bucket.shrink(self, index, what(bucket)) * size_of_bucket(index)).sum()
    }

    /// Gives back what is kept and not reserved; how many bytes.
    pub(super) fn trim(&self) -> u64 {
        self.each_bucket(|_| u64::MAX)
    }

    /// Gives back what nobody has needed since the last time; how many bytes.
    pub(super) fn sweep(&self) -> u64 {
        let bytes = self.each_bucket(|bucket| bucket.fewest.load(Ordering::Relaxed));
        for bucket in &self.buckets {
            bucket.fewest.store(bucket.kept.counts(&self.nodes).0, Ordering::Relaxed);
        }
        bytes
    }

    /// Looks how scarce memory is, and acts where that has changed.
    pub(super) fn judge(&self) {
        // Who finds somebody at it leaves it to them: what comes later is looked at later.
        let Ok(judging) = self.judging.try_lock() else { return };
        let Ok(memory) = self.device.memory_info() else { return };
        let pool = self.bytes.load(Ordering::Relaxed);
        let now = level(self);
        let shares = [
            Share { part: memory.total.saturating_sub(memory.free), whole: memory.total },
            Share { part: pool, whole: self.limit },
        ];
        let then = pressure::next(now, &shares, self.config.thresholds);
        if then == now {
            return;
        }
        self.pressure.store(then as u8, Ordering::Relaxed);
        for bucket in &self.buckets {
            let most = if then >= Pressure::High { bucket.reserved } else { bucket.hold };
            bucket.most.store(most, Ordering::Relaxed);
        }
        let change = PressureChange { from: now, to: then, free: memory.free, total: memory.total, pool };
        let mut state = self.keeper.lock();
        if state.closed {
            return;
        }
        state.changes.push_back(change);
        drop(state);
        drop(judging);
        self.keeper.changed.notify_all();
    }

    /// Tells of a change, and does what it asks for.
    fn tell(&self, change: PressureChange) {
        let PressureChange { from, to, .. } = change;
        tracing::info!(%from, %to, free = change.free, total = change.total, pool = change.pool, "memory pressure");
        let rises = to > from;
        let given = if rises { self.trim() } else { 0 };
        if rises && to == Pressure::Critical && self.relief.get().is_some_and(|relief| relief()) {
            tracing::info!("idle actors gave their memory back");
        }
        if let Some(callback) = &self.config.on_pressure
            && catch_unwind(AssertUnwindSafe(|| callback(change))).is_err()
        {
            tracing::error!("the callback of PoolConfig::on_pressure panicked");
        }
        if given != 0 {
            self.judge();
        }
    }

    /// See [`BufferPool::close`](super::BufferPool::close).
    pub(super) fn close(&self) {
        let thread = {
            let mut state = self.keeper.lock();
            state.closed = true;
            state.thread.take()
        };
        self.keeper.changed.notify_all();
        // The last clone of a system may be dropped by the callback: a thread cannot wait for itself.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the pool's thread panicked; this is a bug in gpu-actor");
        }
        for bucket in &self.buckets {
            bucket.most.store(0, Ordering::Relaxed);
        }
        for (index, bucket) in self.buckets.iter().enumerate() {
            while let Some((node, _)) = bucket.kept.pop(&self.nodes) {
                bucket.swept.fetch_add(1, Ordering::Relaxed);
                let address = self.nodes.get(node).address();
                self.give_back(&super::Block::new(node, index, address));
            }
        }
    }
}
