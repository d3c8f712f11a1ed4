//! Running the blocks of a launch on a worker thread: lanes as coroutines, and the scheduler of a block.
//!
//! A block is on one thread at a time (see [`crate::resident`] for which). Its lanes run one at a time and give way only inside a host call ([`crate::host`]):
//! when they wait for others, sleep, or have gone around loops long enough that it is another lane's turn. A block of
//! one lane never waits for its own lanes, and naps without leaving its coroutine.
//!
//! Rules kept here:
//! - What a coroutine's stack holds while it is suspended needs no `Drop`: device code owns nothing, and host calls
//!   suspend only when they hold nothing. So a lane can be abandoned at any suspension point.
//! - A lane's context is changed through cells only; device code reads the plain fields, which never change while
//!   a block runs.
//! - Whatever a lane waits for, it looks at the kill bit afterwards.
//!
//! This is one of the few files with `unsafe`: it enters compiled code and switches stacks.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use corosensei::stack::{DefaultStack, Stack as _};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::check::{Checks, Locals};
use crate::device::WARP_SIZE;
use crate::error::Error;
use crate::launch::{Shared, poll};
use crate::resident;
use crate::schedule::{self, Point, Turns};
use crate::warp::{self, WarpOp};

/// Loop back-edges between two turns of a lane, where its block has more than one.
const POLLS_PER_TURN: u32 = 64;
/// Sleeps shorter than this spin; others give the processor away.
const SPIN_BELOW_NS: u32 = 1_000;
/// Short sleeps in a row after which one gives the processor away all the same.
const SPINS_IN_A_ROW: u32 = 16;
/// Sleeps of at least this long are real sleeps, where the block may not park.
pub(crate) const SLEEP_FROM_NS: u32 = 20_000;
/// The longest that `nanosleep` can ask for.
pub(crate) const MAX_SLEEP_NS: u32 = 1_000_000;

/// How often a block that the fault plan stalls looks whether its launch is to stop.
const STALL_NAP: Duration = Duration::from_millis(1);

/// What a lane does when it is not running.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// Not started yet.
    New,
    /// Waits for its turn.
    Ready,
    /// In `nanosleep`.
    Sleeping(u32),
    /// At a barrier.
    Barrier(BarrierWait),
    /// In a `.sync` instruction of its warp.
    Warp(WarpOp),
    /// Will not run again.
    Ended,
}

/// A lane's wait at a barrier.
#[derive(Clone, Copy)]
pub(crate) struct BarrierWait {
    pub(crate) id: u32,
    /// Lanes to wait for; 0 stands for all of the block.
    pub(crate) count: u32,
    /// For `bar.red`: the lane's operand.
    pub(crate) predicate: bool,
    pub(crate) reduce: Reduce,
}

/// What `bar.red` makes of the lanes' predicates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduce {
    None,
    Popc,
    And,
    Or,
}

/// A lane's context: the hidden first argument of every compiled function.
#[repr(C)]
pub(crate) struct Lane {
    pub(crate) poll: *const AtomicU32,
    /// Host address of the block's shared memory.
    pub(crate) shared: u64,
    /// The entry's parameter space.
    pub(crate) params: *const u64,
    pub(crate) tid: [u32; 3],
    pub(crate) ntid: [u32; 3],
    pub(crate) ctaid: [u32; 3],
    pub(crate) nctaid: [u32; 3],
    /// Its number in its warp.
    pub(crate) number: u32,
    pub(crate) warp_id: u32,
    pub(crate) warps: u32,
    pub(crate) sm_id: u32,
    pub(crate) sm_count: u32,
    /// Offset in shared memory of what the launch added to what the program declares.
    pub(crate) dynamic_shared_at: u32,
    pub(crate) dynamic_shared: u32,
    pub(crate) total_shared: u32,
    pub(crate) grid_id: u64,
    block: Cell<*const Block<'static>>,
    yielder: Cell<*const Yielder<(), ()>>,
    /// Lowest address and length of its stack, where its `.local` memory lies.
    pub(crate) stack: Cell<(u64, u64)>,
    pub(crate) index: u32,
    polls: Cell<u32>,
    pub(crate) state: Cell<State>,
    pub(crate) result: Cell<u64>,
    /// Written by compiled code: the number of the instruction at hand, on a checked or deterministic device.
    pub(crate) site: Cell<u32>,
    pub(crate) locals: Locals,
    /// On a deterministic device: when its sleep ends.
    pub(crate) wake: Cell<u64>,
}

impl Lane {
    /// The block this lane belongs to.
    pub(crate) fn block(&self) -> &Block<'_> {
        // SAFETY: `tell_lanes` sets the pointer to the block that owns this lane before any lane runs, and who calls it
        // keeps the block in place and borrowed shared until the last coroutine is gone.
        unsafe { &*self.block.get() }
    }

    /// Gives way to the scheduler, in the given state, until the scheduler resumes the lane.
    pub(crate) fn suspend(&self, state: State) {
        self.state.set(state);
        // SAFETY: the pointer was set by this lane's coroutine when it started, and the lane runs on it now.
        unsafe { (*self.yielder.get()).suspend(()) }
    }

    /// Gives way for good.
    pub(crate) fn end(&self) -> ! {
        loop {
            self.suspend(State::Ended);
        }
    }

    /// Does not return if the launch is to stop.
    pub(crate) fn check_kill(&self) {
        if self.block().killed() {
            self.end();
        }
    }

    /// A loop's back-edge found the poll word not zero.
    pub(crate) fn polled(&self) {
        self.check_kill();
        let block = self.block();
        if block.is_assisted() && block.assistant_tires() {
            self.to_own_thread();
        }
        if block.stalls_here() {
            if block.is_assisted() {
                self.to_own_thread();
            }
            block.stall(self);
        }
        if block.turns.is_some() {
            self.switch_point(Point::BackEdge as u32);
        } else if block.lanes.len() > 1 {
            let polls = self.polls.get() + 1;
            if polls < POLLS_PER_TURN {
                self.polls.set(polls);
            } else {
                self.polls.set(0);
                self.suspend(State::Ready);
            }
        }
    }

    /// The lane comes to a place where a seed may end its turn.
    pub(crate) fn switch_point(&self, point: u32) {
        let block = self.block();
        if block.turns.as_ref().is_some_and(|t| t.point(block.index, self.index, self.site.get(), point)) {
            self.suspend(State::Ready);
            self.check_kill();
        }
    }

    /// An assistant ran the lane: from here on the block's own thread does.
    fn to_own_thread(&self) {
        self.block().tired.set(true);
        self.suspend(State::Ready);
        self.check_kill();
    }

    pub(crate) fn sleep(&self, ns: u32) {
        let block = self.block();
        let alone = block.lanes.len() == 1 && block.turns.is_none();
        if alone && !block.may_park(ns) && !block.is_assisted() {
            self.check_kill();
            block.idle(ns);
        } else {
            self.suspend(State::Sleeping(ns));
        }
        self.check_kill();
    }
}

/// A block that runs.
pub(crate) struct Block<'a> {
    pub(crate) launch: &'a Shared,
    poll: &'a AtomicU32,
    pub(crate) index: u32,
    pub(crate) lanes: Vec<Lane>,
    /// Lanes that have arrived at a barrier and did not wait.
    pub(crate) arrived: [Cell<u32>; 16],
    short_sleeps: Cell<u32>,
    /// Back-edges left until the fault plan stalls the block, if it does.
    stalls_in: Cell<Option<u64>>,
    /// On a deterministic device: it has stalled, and its lanes get no more turns.
    pub(crate) stalled: Cell<bool>,
    /// On a checked device.
    pub(crate) checks: Option<Checks<'a>>,
    /// On a deterministic device.
    pub(crate) turns: Option<Rc<Turns>>,
    /// Back-edges that the thread which assists has left for the block; 0 where its own thread runs it.
    assist: Cell<u32>,
    /// The assistant has had enough, or the block must wait for something: its own thread is to go on.
    tired: Cell<bool>,
    /// An event for the host that its assistant answers for.
    signalled: Cell<bool>,
}

/// Why the lanes of a block are at rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// They run no more. Whether each came to its end.
    Ended(bool),
    /// All that live sleep until somebody wakes the block.
    Parked,
    /// The block's own thread is to go on.
    Tired,
}

pub(crate) type LaneCoroutine = Coroutine<(), (), (), DefaultStack>;

impl Block<'_> {
    pub(crate) fn killed(&self) -> bool {
        self.poll.load(Ordering::Acquire) & poll::KILL != 0
    }

    /// The lanes of a warp.
    pub(crate) fn warp(&self, warp: u32) -> &[Lane] {
        let start = (warp * WARP_SIZE) as usize;
        &self.lanes[start..(start + WARP_SIZE as usize).min(self.lanes.len())]
    }

    /// Wakes the launch's other blocks. A lane that calls this is awake, so its own block has to be woken only on
    /// behalf of its other lanes.
    pub(crate) fn wake_others(&self) {
        self.launch.wake_blocks((self.lanes.len() == 1).then_some(self.index));
    }

    /// A lane takes a back-edge: whether it is the one at which the fault plan stalls the block.
    fn stalls_here(&self) -> bool {
        match self.stalls_in.get() {
            None => false,
            Some(0) => true,
            Some(left) => {
                self.stalls_in.set(Some(left - 1));
                false
            }
        }
    }

    /// The lane and all others of its block come no further. Returns only where the launch is to stop.
    fn stall(&self, lane: &Lane) {
        if self.turns.is_some() {
            self.stalled.set(true);
            lane.suspend(State::Ready);
        } else {
            // The block has the thread to itself.
            while !self.killed() {
                std::thread::sleep(STALL_NAP);
            }
        }
        lane.check_kill();
    }

    /// Whether the block parks when all its lanes sleep for so long.
    fn may_park(&self, ns: u32) -> bool {
        ns >= MAX_SLEEP_NS && self.launch.config.park_sleepers
    }

    /// Another thread than the block's own runs it from here on, for at most so many back-edges.
    pub(crate) fn begin_assist(&self, back_edges: u32) {
        self.assist.set(back_edges);
        self.tired.set(false);
        self.signalled.set(false);
        self.poll.fetch_or(poll::COUNTED, Ordering::Relaxed);
    }

    /// The assistant is done. The back-edges that it had left, and whether there was an event for the host.
    pub(crate) fn end_assist(&self) -> (u32, bool) {
        self.poll.fetch_and(!poll::COUNTED, Ordering::Relaxed);
        self.tired.set(false);
        (self.assist.take(), self.signalled.take())
    }

    fn is_assisted(&self) -> bool {
        self.assist.get() != 0
    }

    /// A back-edge under an assistant: whether it was the last that it has time for.
    fn assistant_tires(&self) -> bool {
        // The last one stays: it says that there is an assistant.
        let left = self.assist.get().saturating_sub(1).max(1);
        self.assist.set(left);
        left == 1
    }

    /// An event for the host: an assistant is of the host, and knows; else who waits for it is woken.
    pub(crate) fn host_event(&self) {
        if self.is_assisted() {
            self.signalled.set(true);
        } else {
            self.launch.host_event();
        }
    }

    /// Nothing in the block can run before `ns` have passed.
    fn idle(&self, ns: u32) {
        match self.launch.config.park_sleepers {
            _ if ns < SPIN_BELOW_NS => {
                let spins = self.short_sleeps.get() + 1;
                if spins < SPINS_IN_A_ROW {
                    self.short_sleeps.set(spins);
                    for _ in 0..=ns / 32 {
                        std::hint::spin_loop();
                    }
                    return;
                }
                std::thread::yield_now();
            }
            false if ns >= SLEEP_FROM_NS => {
                std::thread::sleep(Duration::from_nanos(u64::from(ns.min(MAX_SLEEP_NS))));
            }
            _ => std::thread::yield_now(),
        }
        self.short_sleeps.set(0);
    }

    fn wake_sleepers(&self) {
        for lane in &self.lanes {
            if let State::Sleeping(_) = lane.state.get() {
                lane.state.set(State::Ready);
            }
        }
    }

    /// Tells the lanes which block is theirs; it must stay where it is from now on.
    pub(crate) fn tell_lanes(&self) {
        for lane in &self.lanes {
            lane.block.set(std::ptr::from_ref(self).cast());
        }
    }

    /// What the block's live lanes wait for, for the report of a deadlock.
    pub(crate) fn describe_waits(&self) -> String {
        let (mut barriers, mut warps) = (Vec::new(), 0);
        for lane in &self.lanes {
            match lane.state.get() {
                State::Barrier(wait) => barriers.push(wait.id),
                State::Warp(_) => warps += 1,
                _ => {}
            }
        }
        let waiting = barriers.len();
        barriers.sort_unstable();
        barriers.dedup();
        match (waiting, warps) {
            (0, _) => format!("{warps} lanes wait in .sync instructions for lanes that do something else"),
            (_, 0) => format!("{waiting} lanes wait at barrier {barriers:?} for lanes that never come"),
            _ => format!("{waiting} lanes wait at barrier {barriers:?}, {warps} in .sync instructions"),
        }
    }
}

/// One worker thread of a launch.
pub(crate) struct Worker<'a> {
    launch: &'a Shared,
    index: usize,
    /// Stacks of lanes that have ended, for the next ones.
    stacks: Vec<DefaultStack>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(launch: &'a Shared, index: usize) -> Self {
        Worker { launch, index, stacks: Vec::new() }
    }

    pub(crate) fn launch(&self) -> &'a Shared {
        self.launch
    }

    /// Runs blocks until there are none left. Returns whether every block it took ran to its end.
    pub(crate) fn run(mut self) -> bool {
        let lanes: u32 = self.launch.config.block.iter().product();
        let schedule = self.launch.device.properties.mode.schedule;
        if lanes > 1 || schedule.is_some() {
            self.launch.poll_word(self.index).fetch_or(poll::TURNS, Ordering::Relaxed);
        }
        if let Some(schedule) = schedule {
            let launch = self.launch;
            return schedule::run(self, launch, schedule);
        }
        while let Some(block) = self.launch.take_block() {
            let completed;
            (self, completed) = resident::run_block(self, block);
            if !completed {
                return false;
            }
        }
        true
    }

    /// A block and its shared memory, in units whose alignment suits every type.
    pub(crate) fn open_block(&self, index: u32, turns: Option<Rc<Turns>>) -> (Block<'a>, Vec<u128>) {
        let launch = self.launch;
        let lanes: u32 = launch.config.block.iter().product();
        let static_shared = launch.entry().static_shared;
        let total_shared = static_shared.next_multiple_of(16) + launch.config.shared_bytes;
        let shared = vec![0_u128; (total_shared as usize).div_ceil(size_of::<u128>())];
        let (device, multiprocessors) = (&launch.device, launch.device.properties.multiprocessors);
        let sm_id = if turns.is_some() { index } else { self.index as u32 } % multiprocessors;
        let mut block = Block {
            launch,
            poll: launch.poll_word(self.index),
            index,
            lanes: Vec::with_capacity(lanes as usize),
            arrived: Default::default(),
            short_sleeps: Cell::new(0),
            stalls_in: Cell::new(launch.stalls_after(index)),
            stalled: Cell::new(false),
            checks: device.properties.mode.checked.then(|| Checks::new(device, total_shared)),
            turns,
            assist: Cell::new(0),
            tired: Cell::new(false),
            signalled: Cell::new(false),
        };
        let grid = launch.config.grid;
        let ntid = launch.config.block;
        let template = |at: u32| Lane {
            poll: block.poll,
            shared: shared.as_ptr().expose_provenance() as u64,
            params: launch.params.as_ptr(),
            tid: unflatten(at, ntid),
            ntid,
            ctaid: unflatten(index, grid),
            nctaid: grid,
            number: at % WARP_SIZE,
            warp_id: at / WARP_SIZE,
            warps: lanes.div_ceil(WARP_SIZE),
            sm_id,
            sm_count: multiprocessors,
            dynamic_shared_at: static_shared.next_multiple_of(16),
            dynamic_shared: launch.config.shared_bytes,
            total_shared,
            grid_id: launch.grid_id,
            block: Cell::new(std::ptr::null()),
            yielder: Cell::new(std::ptr::null()),
            stack: Cell::new((0, 0)),
            index: at,
            polls: Cell::new(0),
            state: Cell::new(State::New),
            result: Cell::new(0),
            site: Cell::new(0),
            locals: Locals::default(),
            wake: Cell::new(0),
        };
        let contexts: Vec<Lane> = (0..lanes).map(template).collect();
        block.lanes = contexts;
        if block.stalls_in.get().is_some() {
            // So that its back-edges ask the host.
            block.poll.fetch_or(poll::TURNS, Ordering::Relaxed);
        }
        (block, shared)
    }

    /// Ends the lanes of a block that does not run on.
    pub(crate) fn abandon_all(&mut self, coroutines: Vec<Option<LaneCoroutine>>) {
        self.stacks.extend(coroutines.into_iter().flatten().map(abandon));
    }

    /// Runs lanes until all have ended or sleep, the launch is to stop, nothing can move, or an assistant tires.
    pub(crate) fn schedule(&mut self, block: &Block<'_>, coroutines: &mut [Option<LaneCoroutine>]) -> Halt {
        // Whoever slept was woken, or nobody has run yet.
        block.wake_sleepers();
        loop {
            let (mut ready, mut blocked) = (0, 0);
            let (mut sleepers, mut shortest) = (0, u32::MAX);
            for (lane, coroutine) in block.lanes.iter().zip(coroutines.iter_mut()) {
                if matches!(lane.state.get(), State::New | State::Ready) && !self.resume(lane, coroutine) {
                    return Halt::Ended(false);
                }
                if block.tired.get() {
                    return Halt::Tired;
                }
                // A lane may by now have made others ready that this pass has gone past; they are counted below
                // only if they come later, so the count errs to the safe side by one extra pass.
                match lane.state.get() {
                    State::New | State::Ready => ready += 1,
                    State::Sleeping(ns) => {
                        sleepers += 1;
                        shortest = shortest.min(ns);
                    }
                    State::Barrier(_) | State::Warp(_) => blocked += 1,
                    State::Ended => {}
                }
            }
            if block.killed() {
                return Halt::Ended(false);
            }
            if ready + sleepers + blocked == 0 {
                return Halt::Ended(true);
            }
            let movable = block.lanes.iter().any(|l| matches!(l.state.get(), State::New | State::Ready));
            if !movable {
                if sleepers == 0 {
                    block.report_deadlock();
                    return Halt::Ended(false);
                }
                if block.may_park(shortest) {
                    return Halt::Parked;
                }
                if block.is_assisted() {
                    return Halt::Tired;
                }
                block.idle(shortest);
                if block.killed() {
                    return Halt::Ended(false);
                }
            }
            if sleepers > 0 {
                block.wake_sleepers();
            }
        }
    }

    fn stack(&mut self) -> Result<DefaultStack, Error> {
        match self.stacks.pop() {
            Some(stack) => Ok(stack),
            None => DefaultStack::new(self.launch.entry().stack)
                .map_err(|e| Error::System { what: "a lane's stack", reason: e.to_string() }),
        }
    }

    /// Gives a lane its turn. False where the system has no stack for it.
    pub(crate) fn resume(&mut self, lane: &Lane, slot: &mut Option<LaneCoroutine>) -> bool {
        let mut coroutine = if let Some(coroutine) = slot.take() {
            coroutine
        } else {
            match self.stack() {
                Ok(stack) => start(self.launch, lane, stack),
                Err(error) => {
                    self.launch.fail(error);
                    return false;
                }
            }
        };
        lane.state.set(State::Ready);
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) if !matches!(lane.state.get(), State::Ended) => {
                *slot = Some(coroutine);
                return true;
            }
            CoroutineResult::Yield(()) => {}
            CoroutineResult::Return(()) => lane.state.set(State::Ended),
        }
        self.stacks.push(abandon(coroutine));
        // Whoever waits for this lane need not any more.
        if lane.block().lanes.len() > 1 {
            warp::lane_ended(lane);
        }
        true
    }
}

/// A coroutine that runs the launch's entry for a lane.
fn start(launch: &Shared, lane: &Lane, stack: DefaultStack) -> LaneCoroutine {
    let entry = launch.entry().code;
    let (top, bottom) = (stack.base().get() as u64, stack.limit().get() as u64);
    lane.stack.set((bottom, top - bottom));
    let lane = std::ptr::from_ref(lane);
    Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        // SAFETY: the lane outlives its coroutine, which whoever opened the block drops first. `entry` is the compiled code of
        // the launch's entry, whose function keeps it alive, and has the signature of `EntryCode`. That the program
        // touches only memory it may is the promise of whoever called `Device::launch`.
        unsafe {
            (*lane).yielder.set(yielder);
            entry(lane);
        }
    })
}

/// Ends a coroutine wherever it is suspended and takes its stack back.
fn abandon(mut coroutine: LaneCoroutine) -> DefaultStack {
    // SAFETY: nothing on the stack of a suspended lane needs `Drop`, as the module documentation demands.
    unsafe { coroutine.force_reset() };
    coroutine.into_stack()
}

/// The coordinates of a linear index, x fastest.
fn unflatten(at: u32, size: [u32; 3]) -> [u32; 3] {
    [at % size[0], at / size[0] % size[1], at / size[0] / size[1]]
}
