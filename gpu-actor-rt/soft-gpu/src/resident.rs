//! A block on its way through a launch: run by its own thread, and while it is parked by whoever assists.
//!
//! Rules kept here:
//! - What a block consists of is touched by the thread that has it, by the word of its [`Seat`]; it changes hands only
//!   while all its lanes are suspended.
//! - A block begins and ends on its own thread.
//! - An assistant waits for nothing: a block that has to wait goes to its own thread.
//!
//! This is one of the few files with `unsafe`: it hands a block, whose lanes are suspended coroutines, to another thread.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use crate::block::{Block, Halt, LaneCoroutine, Worker};
use crate::launch::Assisted;
use crate::seat::Seat;

/// Back-edges that an assistant has time for: some tens of microseconds of a loop that does little.
const ASSISTED_BACK_EDGES: u32 = 4096;
/// Pauses of the processor between two looks at the time, while a parked thread watches its word.
const PAUSES: u32 = 16;

/// Where a block parks and is found by who assists.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) seat: Seat,
    /// The block, from before its first park on.
    resident: AtomicPtr<Resident<'static>>,
}

/// A block that has begun and not ended.
struct Resident<'a> {
    block: Block<'a>,
    /// The worker and the lanes' stacks.
    lanes: RefCell<(Worker<'a>, Vec<Option<LaneCoroutine>>)>,
    /// How it ended, if it did under an assistant.
    ended: Cell<Option<bool>>,
    /// The block's shared memory, whose address its lanes hold.
    _shared: Vec<u128>,
}

impl Resident<'_> {
    /// Runs the lanes until they are at rest.
    fn run(&self) -> Halt {
        let (worker, coroutines) = &mut *self.lanes.borrow_mut();
        worker.schedule(&self.block, coroutines)
    }
}

/// Runs a block to its end. Gives the worker back, and whether every lane came to its own.
pub(crate) fn run_block(worker: Worker<'_>, index: u32) -> (Worker<'_>, bool) {
    let launch = worker.launch();
    let (block, shared) = worker.open_block(index, None);
    let mut coroutines = Vec::new();
    coroutines.resize_with(block.lanes.len(), || None);
    let lanes = RefCell::new((worker, coroutines));
    let resident = Resident { block, lanes, ended: Cell::new(None), _shared: shared };
    resident.block.tell_lanes();
    let completed = loop {
        match resident.run() {
            Halt::Ended(completed) => break completed,
            // Said to assistants alone; this thread simply goes on.
            Halt::Tired => {}
            Halt::Parked => {
                // Only a launch whose blocks may park has this answer, and it has a place for each.
                let Some(place) = launch.place(index) else { break false };
                place.resident.store(ptr::from_ref(&resident).cast_mut().cast(), Ordering::Relaxed);
                place.seat.park(watch_for(launch.config.spin));
                if let Some(completed) = resident.ended.get() {
                    break completed;
                }
                if launch.killed() {
                    break false;
                }
            }
        }
    };
    let (mut worker, coroutines) = resident.lanes.into_inner();
    worker.abandon_all(coroutines);
    (worker, completed)
}

/// Watches for so long: pauses, then says whether there is time left.
fn watch_for(time: Duration) -> impl FnMut() -> bool {
    let mut begun = None;
    move || {
        if time.is_zero() || begun.get_or_insert_with(Instant::now).elapsed() >= time {
            return false;
        }
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
        true
    }
}

impl Place {
    /// Runs the block on this thread until it parks again or takes too long; see [`crate::Launch::assist`].
    pub(crate) fn assist(&self) -> Option<Assisted> {
        let mut loan = self.seat.assist()?;
        // SAFETY: the seat lends a block only while its own thread is in `Seat::park`, which `run_block` calls after it
        // stored the pointer, and which does not return before the loan has ended. So the resident is alive and its thread
        // does not touch it; nobody else can have a loan; and the seat's word orders what each thread did with it. That
        // another thread uses what is in a resident is right: the cells and the worker are plain data, `Block::turns`, which
        // counts without atomics, is empty (a deterministic device does not come here), and a coroutine may be resumed
        // elsewhere if all that is on its stack may be sent: those of device code, which owns nothing, and of host calls,
        // which hold nothing when they suspend, not even the address of a thread's own variables.
        let resident = unsafe { &*self.resident.load(Ordering::Relaxed) };
        let mut left = ASSISTED_BACK_EDGES;
        let mut signalled = false;
        loop {
            resident.block.begin_assist(left);
            let halt = resident.run();
            let (back_edges, event) = resident.block.end_assist();
            signalled |= event;
            left = back_edges.saturating_sub(1);
            match halt {
                Halt::Parked if left != 0 => match loan.park() {
                    None => return Some(Assisted { signalled, parked: true }),
                    Some(again) => loan = again,
                },
                Halt::Ended(completed) => {
                    resident.ended.set(Some(completed));
                    loan.hand_over();
                    return Some(Assisted { signalled, parked: false });
                }
                Halt::Parked | Halt::Tired => {
                    loan.hand_over();
                    return Some(Assisted { signalled, parked: false });
                }
            }
        }
    }
}
