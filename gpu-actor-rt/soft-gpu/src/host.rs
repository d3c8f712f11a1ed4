//! The host calls of compiled code: everything an instruction needs that is not plain arithmetic or memory access.
//!
//! Compiled code calls these functions by address, with the lane's context first where they need it. They never
//! panic on their own account: a panic here would end the process, since compiled code cannot be unwound.
//!
//! This is one of the few files with `unsafe`: every function takes a raw pointer from compiled code.

pub(crate) mod float;
pub(crate) mod mbarrier;

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use cranelift_codegen::ir::{Type, types};

use crate::block::{BarrierWait, Lane, Reduce};
use crate::check::Checks;
use crate::error::Error;
use crate::warp::{self, WarpKind, WarpOp};
use float::{compute, convert, widen};

/// A host function as the compiler sees it.
pub(crate) struct HostFn {
    address: fn() -> usize,
    pub(crate) params: &'static [Type],
    pub(crate) result: Option<Type>,
}

impl HostFn {
    pub(crate) fn address(&self) -> i64 {
        (self.address)() as i64
    }
}

macro_rules! host_fns {
    ($($name:ident = $function:ident ($($param:ident),*) $(-> $result:ident)?;)*) => {
        $(pub(crate) const $name: HostFn = HostFn {
            address: || $function as *const () as usize,
            params: &[$(types::$param),*],
            result: host_fns!(@result $($result)?),
        };)*
    };
    (@result) => { None };
    (@result $result:ident) => { Some(types::$result) };
}

host_fns! {
    POLL = poll(I64);
    SWITCH = switch(I64, I32);
    CHECK = check(I64, I64, I32);
    CHECK_CALL = check_call(I64, I32);
    CHECK_INDIRECT = check_indirect(I64, I64, I32);
    ENTER_LOCAL = enter_local(I64, I64, I64);
    LEAVE_LOCALS = leave_locals(I64, I32);
    EXIT = exit(I64);
    TRAP = trap(I64);
    SLEEP = sleep(I64, I32);
    PMEVENT = pmevent(I64, I32);
    BARRIER = barrier(I64, I32, I32, I32, I32) -> I64;
    ARRIVE = arrive(I64, I32, I32);
    WARP = warp_op(I64, I32, I32, I64, I32, I32) -> I64;
    GLOBAL_TIMER = global_timer() -> I64;
    CLOCK = clock() -> I64;
    LANE_TIMER = lane_timer(I64) -> I64;
    LANE_CLOCK = lane_clock(I64) -> I64;
    ATOM_INC = atom_inc(I64, I32) -> I32;
    ATOM_DEC = atom_dec(I64, I32) -> I32;
    ATOM_ADD_F32 = atom_add_f32(I64, F32) -> F32;
    ATOM_ADD_F64 = atom_add_f64(I64, F64) -> F64;
    ATOM_HALF = atom_half(I32, I64, I32) -> I32;
    MBARRIER = mbarrier_step(I32, I64, I32) -> I64;
    SIN = sin(F32) -> F32;
    COS = cos(F32) -> F32;
    LG2 = lg2(F32) -> F32;
    EX2 = ex2(F32) -> F32;
    TANH = tanh(F32) -> F32;
    COMPUTE = compute(I32, I64, I64, I64) -> I64;
    CONVERT = convert(I32, I64) -> I64;
    WIDEN = widen(I32) -> F32;
    FNS = fns(I32, I32, I32) -> I32;
    SPACE = space_of(I64, I64) -> I32;
}

/// # Safety
///
/// `lane` is the context that the running coroutine was started with.
unsafe fn lane<'a>(lane: *const Lane) -> &'a Lane {
    // SAFETY: the context outlives the coroutine, and only shared references are made of it.
    unsafe { &*lane }
}

unsafe extern "C" fn poll(at: *const Lane) {
    // SAFETY: compiled code passes its own context.
    unsafe { lane(at) }.polled();
}

unsafe extern "C" fn switch(at: *const Lane, point: u32) {
    // SAFETY: compiled code passes its own context.
    unsafe { lane(at) }.switch_point(point);
}

unsafe extern "C" fn check(at: *const Lane, address: u64, descriptor: u32) {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    if lane.block().checks.as_ref().is_some_and(|c| !c.access(lane, address, descriptor)) {
        lane.end();
    }
}

unsafe extern "C" fn check_call(at: *const Lane, function: u32) {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    // Calls can multiply without any loop.
    lane.check_kill();
    if !Checks::call(lane, function) {
        lane.end();
    }
}

unsafe extern "C" fn check_indirect(at: *const Lane, address: u64, signature: u32) {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    lane.check_kill();
    if !Checks::call_indirect(lane, address, signature) {
        lane.end();
    }
}

unsafe extern "C" fn enter_local(at: *const Lane, start: u64, len: u64) {
    // SAFETY: compiled code passes its own context, and a variable in its own frame.
    unsafe {
        std::ptr::with_exposed_provenance_mut::<u8>(start as usize).write_bytes(0, len as usize);
        lane(at).enter_local(start, len);
    }
}

unsafe extern "C" fn leave_locals(at: *const Lane, count: u32) {
    // SAFETY: compiled code passes its own context.
    unsafe { lane(at) }.leave_locals(count);
}

unsafe extern "C" fn exit(at: *const Lane) {
    // SAFETY: compiled code passes its own context.
    unsafe { lane(at) }.end();
}

unsafe extern "C" fn trap(at: *const Lane) {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    let block = lane.block();
    block.launch.fail(Error::Trap { block: block.index, lane: lane.index });
    lane.end();
}

unsafe extern "C" fn sleep(at: *const Lane, ns: u32) {
    // SAFETY: compiled code passes its own context.
    unsafe { lane(at) }.sleep(ns);
}

unsafe extern "C" fn pmevent(at: *const Lane, event: u32) {
    // SAFETY: compiled code passes its own context.
    let block = unsafe { lane(at) }.block();
    match event {
        0 => block.wake_others(),
        1 => block.host_event(),
        _ => {}
    }
}

unsafe extern "C" fn barrier(at: *const Lane, id: u32, count: u32, predicate: u32, reduce: u32) -> u64 {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    let reduce = match reduce {
        1 => Reduce::Popc,
        2 => Reduce::And,
        3 => Reduce::Or,
        _ => Reduce::None,
    };
    let Some(id) = barrier_id(lane, id) else { lane.end() };
    warp::barrier(lane, BarrierWait { id, count, predicate: predicate != 0, reduce })
}

unsafe extern "C" fn arrive(at: *const Lane, id: u32, count: u32) {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    let Some(id) = barrier_id(lane, id) else { lane.end() };
    warp::arrive(lane, id, count);
}

/// Checks a barrier's number, which may come from a register.
fn barrier_id(lane: &Lane, id: u32) -> Option<u32> {
    if id < 16 {
        return Some(id);
    }
    let block = lane.block();
    let reason = format!("barrier {id} does not exist, there are 16");
    block.launch.fail(Error::Synchronization { block: block.index, lane: lane.index, reason });
    None
}

unsafe extern "C" fn warp_op(
    at: *const Lane,
    kind: u32,
    mask: u32,
    value: u64,
    source: u32,
    clamp: u32,
) -> u64 {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    // The compiler writes only numbers of kinds.
    let kind = WarpKind::from_number(kind).unwrap_or(WarpKind::Sync);
    warp::warp_op(lane, WarpOp { kind, mask, value, source, clamp })
}

/// Nanoseconds since the Unix epoch.
extern "C" fn global_timer() -> u64 {
    // A clock set before the epoch reads as the epoch.
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Nanoseconds since the first call in this process: a clock of 1 GHz.
extern "C" fn clock() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// `%globaltimer` on a deterministic device.
unsafe extern "C" fn lane_timer(at: *const Lane) -> u64 {
    // SAFETY: compiled code passes its own context.
    let block = unsafe { lane(at) }.block();
    match &block.turns {
        Some(turns) if !block.launch.config.park_sleepers => turns.timer(),
        _ => global_timer(),
    }
}

/// `%clock64` on a deterministic device.
unsafe extern "C" fn lane_clock(at: *const Lane) -> u64 {
    // SAFETY: compiled code passes its own context.
    let block = unsafe { lane(at) }.block();
    match &block.turns {
        Some(turns) if !block.launch.config.park_sleepers => turns.clock(),
        _ => clock(),
    }
}

unsafe extern "C" fn atom_inc(at: *mut u32, limit: u32) -> u32 {
    // SAFETY: the program promises a valid address, 4-aligned.
    let word = unsafe { AtomicU32::from_ptr(at) };
    update(word, |old| if old >= limit { 0 } else { old + 1 })
}

unsafe extern "C" fn atom_dec(at: *mut u32, limit: u32) -> u32 {
    // SAFETY: the program promises a valid address, 4-aligned.
    let word = unsafe { AtomicU32::from_ptr(at) };
    update(word, |old| if old == 0 || old > limit { limit } else { old - 1 })
}

fn update(word: &AtomicU32, new: impl Fn(u32) -> u32) -> u32 {
    let mut old = word.load(Ordering::Relaxed);
    while let Err(found) = word.compare_exchange_weak(old, new(old), Ordering::SeqCst, Ordering::Relaxed) {
        old = found;
    }
    old
}

unsafe extern "C" fn atom_add_f32(at: *mut u32, value: f32) -> f32 {
    // SAFETY: the program promises a valid address, 4-aligned.
    let word = unsafe { AtomicU32::from_ptr(at) };
    f32::from_bits(update(word, |old| (f32::from_bits(old) + value).to_bits()))
}

unsafe extern "C" fn atom_add_f64(at: *mut u64, value: f64) -> f64 {
    // SAFETY: the program promises a valid address, 8-aligned.
    let word = unsafe { AtomicU64::from_ptr(at) };
    let mut old = word.load(Ordering::Relaxed);
    loop {
        let new = (f64::from_bits(old) + value).to_bits();
        match word.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return f64::from_bits(old),
            Err(found) => old = found,
        }
    }
}

/// Changes an `mbarrier` object. Returns the word before.
unsafe extern "C" fn mbarrier_step(step: u32, at: usize, n: u32) -> u64 {
    // SAFETY: the program promises a valid address, 8-aligned.
    let word = unsafe { AtomicU64::from_ptr(std::ptr::with_exposed_provenance_mut(at)) };
    let step = mbarrier::Step::from_number(step);
    let mut old = word.load(Ordering::Relaxed);
    loop {
        let new = mbarrier::step(old, step, n);
        match word.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return old,
            Err(found) => old = found,
        }
    }
}

/// An operation of [`float::compute`] on one half, or on two in one word, which need not lie in one atom.
unsafe extern "C" fn atom_half(op: u32, at: usize, operand: u32) -> u32 {
    let apply = |old: u32| compute(op, u64::from(old), u64::from(operand), 0) as u32;
    if op & float::flag::PAIR != 0 {
        // SAFETY: the program promises a valid address, 4-aligned.
        let word = unsafe { AtomicU32::from_ptr(std::ptr::with_exposed_provenance_mut(at)) };
        return update(word, apply);
    }
    // SAFETY: the program promises a valid address, 2-aligned.
    let half = unsafe { AtomicU16::from_ptr(std::ptr::with_exposed_provenance_mut(at)) };
    let mut old = half.load(Ordering::Relaxed);
    loop {
        let new = apply(u32::from(old)) as u16;
        match half.compare_exchange_weak(old, new, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return u32::from(old),
            Err(found) => old = found,
        }
    }
}

extern "C" fn sin(x: f32) -> f32 {
    x.sin()
}

extern "C" fn cos(x: f32) -> f32 {
    x.cos()
}

extern "C" fn lg2(x: f32) -> f32 {
    x.log2()
}

extern "C" fn ex2(x: f32) -> f32 {
    x.exp2()
}

extern "C" fn tanh(x: f32) -> f32 {
    x.tanh()
}

/// The place of the set bit that is `offset` from bit `base`, or all ones.
extern "C" fn fns(mask: u32, base: u32, offset: i32) -> u32 {
    let set = |at: &u32| mask >> at & 1 == 1;
    // Beyond bit 31 hardware leaves the result undefined.
    let base = base & 31;
    let found = match offset {
        0 => Some(base).filter(set),
        1.. => (base..32).filter(set).nth(offset as usize - 1),
        _ => (0..=base).rev().filter(set).nth(offset.unsigned_abs() as usize - 1),
    };
    found.unwrap_or(u32::MAX)
}

/// Which window a generic address lies in: 0 global, 1 shared, 2 local, 3 the entry's parameters.
unsafe extern "C" fn space_of(at: *const Lane, address: u64) -> u32 {
    // SAFETY: compiled code passes its own context.
    let lane = unsafe { lane(at) };
    let inside = |from: u64, bytes: u64| address.wrapping_sub(from) < bytes;
    let params = lane.params.expose_provenance() as u64;
    let (stack, stack_bytes) = lane.stack.get();
    if inside(lane.shared, u64::from(lane.total_shared)) {
        1
    } else if inside(stack, stack_bytes) {
        2
    } else if inside(params, lane.block().launch.params.len() as u64 * 8) {
        3
    } else {
        0
    }
}
