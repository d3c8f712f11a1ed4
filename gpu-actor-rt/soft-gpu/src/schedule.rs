//! Running a launch in one order that a seed decides: all lanes of all blocks on one thread, interrupted where programs meet.
//!
//! A lane gives way where it must, as on any device, and where the seed says so: before an atomic, a fence, a volatile or
//! ordered access, a barrier, a `.sync` instruction, a sleep, and at loop back-edges (and before plain accesses, if the schedule
//! asks for it). Who is next is the seed's choice among all lanes that can run.
//!
//! Rules kept here:
//! - Every decision depends on the seed and on what the program did before, and on nothing else; so a launch that the host
//!   leaves alone runs the same way each time, and its [`Trace`] proves it.
//! - Time is a count of the places where lanes could be interrupted, and a sleep ends at a time that the seed picks within
//!   what PTX allows, 0 to twice the time asked for. Only where blocks may park does the host take part: there the timers
//!   are the host's clock, so that its time and the device's agree, and doorbells come when they come.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::block::{Block, LaneCoroutine, MAX_SLEEP_NS, SLEEP_FROM_NS, State, Worker};
use crate::error::Error;
use crate::launch::Shared;
use crate::mode::Schedule;
use crate::ptx::ast::Instruction;

/// Nanoseconds between two places where a lane can be interrupted.
const NS_PER_POINT: u64 = 8;
/// Where the virtual `%globaltimer` begins: 2020-01-01, in nanoseconds since the Unix epoch.
const TIMER_START: u64 = 1_577_836_800_000_000_000;
/// Guesses at the next lane before all are looked at.
const GUESSES: u32 = 8;

/// Where a lane may be interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Point {
    /// An atomic, a fence, a volatile or ordered access, an event.
    Memory,
    /// A barrier, a `.sync` instruction, a sleep.
    Wait,
    /// A plain load or store.
    Weak,
    BackEdge,
}

impl Point {
    /// What kind of place an instruction is, if it is one.
    pub(crate) fn of(i: &Instruction<'_>, addressed: bool) -> Option<Point> {
        const STRONG: [&str; 6] = [".volatile", ".relaxed", ".acquire", ".release", ".acq_rel", ".mmio"];
        Some(match i.opcode {
            "atom" | "red" | "fence" | "membar" | "pmevent" | "mbarrier" => Point::Memory,
            "bar" | "barrier" | "vote" | "shfl" | "match" | "redux" | "elect" | "nanosleep" => Point::Wait,
            "ld" | "st" | "ldu" if i.modifiers.iter().any(|m| STRONG.contains(m)) => Point::Memory,
            _ if addressed && !i.modifiers.iter().any(|m| m.starts_with(".param")) => Point::Weak,
            _ => return None,
        })
    }
}

/// What a deterministic launch did: the same seed, program and arguments give the same trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Trace {
    /// A hash of which lane came to which instruction when, and of who was next.
    pub hash: u64,
    /// How often a lane came to a place where it could be interrupted.
    pub points: u64,
    /// How often a lane got its turn.
    pub turns: u64,
}

/// The seed's decisions, as a launch goes on.
pub(crate) struct Turns {
    schedule: Schedule,
    random: Cell<u64>,
    hash: Cell<u64>,
    points: Cell<u64>,
    taken: Cell<u64>,
    /// Points left of the turn.
    left: Cell<u32>,
    now: Cell<u64>,
}

impl Turns {
    fn new(schedule: Schedule) -> Self {
        Turns {
            schedule,
            random: Cell::new(schedule.seed),
            hash: Cell::new(0),
            points: Cell::new(0),
            taken: Cell::new(0),
            left: Cell::new(0),
            now: Cell::new(0),
        }
    }

    /// SplitMix64.
    fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `n`, which is not 0.
    fn below(&self, n: u64) -> u64 {
        ((u128::from(self.random()) * u128::from(n)) >> 64) as u64
    }

    fn record(&self, word: u64) {
        let hash = (self.hash.get() ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash.set(hash.rotate_left(29));
    }

    /// A lane comes to a point. Whether its turn ends here.
    pub(crate) fn point(&self, block: u32, lane: u32, site: u32, point: u32) -> bool {
        self.points.set(self.points.get() + 1);
        self.now.set(self.now.get() + NS_PER_POINT);
        self.record(u64::from(block) << 32 | u64::from(lane));
        self.record(u64::from(site) << 8 | u64::from(point));
        if point == Point::Weak as u32 && !self.schedule.weak_accesses {
            return false;
        }
        let left = self.left.get().saturating_sub(1);
        self.left.set(left);
        left == 0 || self.below(u64::from(self.schedule.preempt_one_in.max(1))) == 0
    }

    /// Virtual nanoseconds since the launch began. A look at the clock takes time too.
    pub(crate) fn clock(&self) -> u64 {
        self.now.set(self.now.get() + 1);
        self.now.get()
    }

    /// The virtual `%globaltimer`.
    pub(crate) fn timer(&self) -> u64 {
        TIMER_START + self.clock()
    }

    fn trace(&self) -> Trace {
        Trace { hash: self.hash.get(), points: self.points.get(), turns: self.taken.get() }
    }
}

/// A block that has begun and not ended.
struct Resident<'a> {
    block: Rc<Block<'a>>,
    coroutines: Vec<Option<LaneCoroutine>>,
    /// The block's shared memory, whose address its lanes hold.
    _shared: Vec<u128>,
}

/// What can be run next.
enum Next {
    Lane(usize, usize),
    /// Nothing before this virtual time; the shortest sleep that is left was for so many nanoseconds.
    Sleep(u64, u32),
    /// Every block has parked.
    Parked,
}

/// Runs all blocks of a launch. Returns whether every one ran to its end.
pub(crate) fn run(mut worker: Worker<'_>, launch: &Shared, schedule: Schedule) -> bool {
    let turns = Rc::new(Turns::new(schedule));
    let mut residents: Vec<Resident<'_>> = Vec::new();
    let completed = run_turns(&mut worker, launch, schedule, &turns, &mut residents);
    for resident in residents {
        worker.abandon_all(resident.coroutines);
    }
    launch.set_trace(turns.trace());
    completed
}

fn run_turns<'a>(
    worker: &mut Worker<'a>,
    launch: &Shared,
    schedule: Schedule,
    turns: &Rc<Turns>,
    residents: &mut Vec<Resident<'a>>,
) -> bool {
    let most = if launch.config.cooperative { usize::MAX } else { schedule.resident_blocks.max(1) as usize };
    loop {
        while residents.len() < most
            && let Some(index) = launch.take_block()
        {
            let (block, shared) = worker.open_block(index, Some(Rc::clone(turns)));
            let mut coroutines = Vec::new();
            coroutines.resize_with(block.lanes.len(), || None);
            residents.push(Resident { block: Rc::new(block), coroutines, _shared: shared });
            if let Some(resident) = residents.last() {
                resident.block.tell_lanes();
            }
        }
        if residents.is_empty() {
            return true;
        }
        match next(launch, turns, residents) {
            Next::Lane(at, lane) => {
                let Some(resident) = residents.get_mut(at) else { return false };
                let Resident { block, coroutines, .. } = resident;
                turns.taken.set(turns.taken.get() + 1);
                turns.left.set(schedule.quantum.max(1));
                turns.record(!(u64::from(block.index) << 32 | lane as u64));
                if !worker.resume(&block.lanes[lane], &mut coroutines[lane]) {
                    return false;
                }
                if launch.killed() {
                    return false;
                }
                match block.lanes[lane].state.get() {
                    State::Sleeping(ns) => {
                        let asleep = turns.below(2 * u64::from(ns.min(MAX_SLEEP_NS)) + 1);
                        block.lanes[lane].wake.set(turns.now.get() + asleep);
                    }
                    State::Ended | State::Barrier(_) | State::Warp(_) => {
                        let live = |s: State| !matches!(s, State::Ended);
                        if !block.lanes.iter().any(|l| live(l.state.get())) {
                            let ended = residents.remove(at);
                            worker.abandon_all(ended.coroutines);
                        } else if !block.can_move() {
                            block.report_deadlock();
                            return false;
                        }
                    }
                    State::New | State::Ready => {}
                }
            }
            Next::Sleep(until, ns) => {
                turns.now.set(turns.now.get().max(until));
                if launch.config.park_sleepers {
                    // The host takes part, and may be who is waited for.
                    if ns >= SLEEP_FROM_NS {
                        std::thread::sleep(Duration::from_nanos(u64::from(ns)));
                    } else {
                        std::thread::yield_now();
                    }
                }
            }
            Next::Parked => launch.park_all(),
        }
        if launch.killed() {
            return false;
        }
    }
}

/// Whose turn it is.
fn next(launch: &Shared, turns: &Turns, residents: &[Resident<'_>]) -> Next {
    let now = turns.now.get();
    let can_run = |block: &Block<'_>, lane: usize| match block.lanes[lane].state.get() {
        _ if block.stalled.get() => false,
        State::New | State::Ready => true,
        State::Sleeping(_) => block.lanes[lane].wake.get() <= now && !parks(launch, block),
        _ => false,
    };
    // All blocks have the same number of lanes.
    let lanes = residents.first().map_or(1, |r| r.block.lanes.len());
    let all = lanes * residents.len();
    for _ in 0..GUESSES {
        let at = turns.below(all as u64) as usize;
        if can_run(&residents[at / lanes].block, at % lanes) {
            return Next::Lane(at / lanes, at % lanes);
        }
    }
    let mut candidates = Vec::new();
    let (mut until, mut shortest) = (u64::MAX, u32::MAX);
    for (at, resident) in residents.iter().enumerate() {
        let block = &*resident.block;
        if block.stalled.get() {
            continue;
        }
        let parked = parks(launch, block);
        if parked && launch.place(block.index).is_some_and(|place| place.seat.take()) {
            for lane in &block.lanes {
                if let State::Sleeping(_) = lane.state.get() {
                    lane.state.set(State::Ready);
                }
            }
        } else if parked {
            continue;
        }
        for (number, lane) in block.lanes.iter().enumerate() {
            if can_run(block, number) {
                candidates.push((at, number));
            } else if let State::Sleeping(ns) = lane.state.get() {
                until = until.min(lane.wake.get());
                shortest = shortest.min(ns);
            }
        }
    }
    if !candidates.is_empty() {
        let (at, lane) = candidates[turns.below(candidates.len() as u64) as usize];
        return Next::Lane(at, lane);
    }
    if until == u64::MAX { Next::Parked } else { Next::Sleep(until, shortest.min(MAX_SLEEP_NS)) }
}

/// Whether a block sleeps until it is woken.
fn parks(launch: &Shared, block: &Block<'_>) -> bool {
    launch.config.park_sleepers
        && block.lanes.iter().all(|l| match l.state.get() {
            State::Sleeping(ns) => ns >= MAX_SLEEP_NS,
            State::Ended => true,
            _ => false,
        })
}

impl Block<'_> {
    /// Whether any lane can run, now or later.
    pub(crate) fn can_move(&self) -> bool {
        self.lanes.iter().any(|l| matches!(l.state.get(), State::New | State::Ready | State::Sleeping(_)))
    }

    /// All live lanes of the block wait for each other: the launch fails.
    pub(crate) fn report_deadlock(&self) {
        if self.checks.is_none() || crate::check::barrier_is_uniform(self, None) {
            let waiting = self.describe_waits();
            self.launch.fail(Error::Deadlock { block: self.index, waiting });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_end_by_chance_and_by_quantum() {
        let turns = Turns::new(Schedule { preempt_one_in: u32::MAX, quantum: 5, ..Schedule::new(1) });
        turns.left.set(5);
        let ends: Vec<bool> = (0..5).map(|_| turns.point(0, 0, 1, Point::Memory as u32)).collect();
        assert_eq!(ends, [false, false, false, false, true]);
        let turns = Turns::new(Schedule { preempt_one_in: 8, quantum: u32::MAX, ..Schedule::new(1) });
        turns.left.set(u32::MAX);
        let ends = (0..8000).filter(|_| turns.point(0, 0, 1, Point::Memory as u32)).count();
        assert!((700..1300).contains(&ends), "{ends} of 8000");
        let never = (0..1000).any(|_| turns.point(0, 0, 1, Point::Weak as u32));
        assert!(!never, "plain accesses are no such points unless the schedule says so");
    }
}
