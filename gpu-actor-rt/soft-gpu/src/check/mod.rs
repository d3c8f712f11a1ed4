//! The checks of a checked device: its own memcheck.
//!
//! Compiled code asks before every access whether it may ([`Checks::access`]), before every call whether it has room and the
//! target is a function ([`Checks::call`]), and the barriers ask who else is there. An answer of no is a [`Violation`], which
//! fails the launch; the lane that asked never runs on, so nothing is touched that should not be.
//!
//! Rules kept here:
//! - What is asked about is decided by the allocation table at that moment: memory that its owner has given back is not the
//!   kernel's any more, though the bytes stay in place until the launch is over.
//! - A `.shared`, `.local` or `.param` address belongs to the block or lane at hand; those of others are out of bounds.

mod report;
mod sites;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

pub use report::{AccessKind, Nearest, Violation, ViolationKind};
pub(crate) use sites::{FunctionInfo, Site, Sites, instruction_text};

use crate::block::{Block, Lane, State};
use crate::device::{DeviceInner, WARP_SIZE};
use crate::error::Error;
use crate::memory::Ranges;

/// Addresses below this one are null pointers with an offset.
const NULL_PAGE: u64 = 4096;
/// Stack that host calls need.
const STACK_MARGIN: usize = 24 << 10;
/// Bytes at a stack's end that may not be touched, at most.
const GUARD: usize = if cfg!(target_arch = "x86_64") { 4 << 10 } else { 64 << 10 };
/// What a checked device's stacks have on top, so that a program without recursion always has room.
pub(crate) const STACK_RESERVE: usize = STACK_MARGIN + GUARD;
/// Bytes of an access's descriptor that hold its size; above them come kind and space.
const SIZE_BITS: u32 = 16;

/// The state space that an instruction names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum CheckedSpace {
    Generic,
    Global,
    Const,
    Shared,
    Local,
    Param,
}

impl CheckedSpace {
    const ALL: [CheckedSpace; 6] = [
        CheckedSpace::Generic,
        CheckedSpace::Global,
        CheckedSpace::Const,
        CheckedSpace::Shared,
        CheckedSpace::Local,
        CheckedSpace::Param,
    ];

    fn name(self) -> &'static str {
        match self {
            CheckedSpace::Generic => "",
            CheckedSpace::Global => ".global",
            CheckedSpace::Const => ".const",
            CheckedSpace::Shared => ".shared",
            CheckedSpace::Local => ".local",
            CheckedSpace::Param => ".param",
        }
    }
}

/// What compiled code asks about, packed into one word.
#[derive(Clone, Copy)]
pub(crate) struct Descriptor {
    pub(crate) bytes: u32,
    pub(crate) access: AccessKind,
    pub(crate) space: CheckedSpace,
}

impl Descriptor {
    const KINDS: [AccessKind; 3] = [AccessKind::Read, AccessKind::Write, AccessKind::Atomic];

    pub(crate) fn pack(self) -> u32 {
        let kind = Self::KINDS.iter().position(|k| *k == self.access).unwrap_or(0) as u32;
        self.bytes | kind << SIZE_BITS | (self.space as u32) << (SIZE_BITS + 4)
    }

    fn unpack(word: u32) -> Descriptor {
        let pick = |shift: u32| (word >> shift & 15) as usize;
        Descriptor {
            bytes: word & ((1 << SIZE_BITS) - 1),
            access: Self::KINDS.get(pick(SIZE_BITS)).copied().unwrap_or(AccessKind::Read),
            space: CheckedSpace::ALL.get(pick(SIZE_BITS + 4)).copied().unwrap_or(CheckedSpace::Generic),
        }
    }

    fn writes(self) -> bool {
        self.access != AccessKind::Read
    }

    fn reads(self) -> bool {
        self.access != AccessKind::Write
    }
}

/// A variable in a lane's frame.
#[derive(Clone, Copy)]
pub(crate) struct LocalRange {
    start: u64,
    len: u64,
}

/// A range that was the answer before.
#[derive(Clone, Copy)]
struct Hot {
    start: u64,
    end: u64,
    constant: bool,
}

/// What the checks of a block know.
pub(crate) struct Checks<'a> {
    device: &'a DeviceInner,
    ranges: RefCell<Arc<Ranges>>,
    hot: Cell<Hot>,
    /// For each byte of shared memory, whether a lane has written it.
    written: Vec<Cell<bool>>,
}

/// Why an access may not be.
struct Refusal {
    kind: ViolationKind,
    nearest: Option<Nearest>,
    detail: String,
}

impl From<ViolationKind> for Refusal {
    fn from(kind: ViolationKind) -> Self {
        Refusal { kind, nearest: None, detail: String::new() }
    }
}

impl<'a> Checks<'a> {
    pub(crate) fn new(device: &'a DeviceInner, shared: u32) -> Self {
        Checks {
            device,
            ranges: RefCell::new(device.fabric.ranges(device.properties.index)),
            hot: Cell::new(Hot { start: 0, end: 0, constant: false }),
            written: vec![Cell::new(false); shared as usize],
        }
    }

    /// Whether the lane may do this; if not, the launch has failed.
    pub(crate) fn access(&self, lane: &Lane, address: u64, descriptor: u32) -> bool {
        let what = Descriptor::unpack(descriptor);
        let Err(refusal) = self.judge(lane, address, what) else { return true };
        let address =
            if what.space == CheckedSpace::Shared { address.wrapping_sub(lane.shared) } else { address };
        report(lane, refusal, what.access, what.space.name(), address, what.bytes);
        false
    }

    fn judge(&self, lane: &Lane, address: u64, what: Descriptor) -> Result<(), Refusal> {
        let bytes = u64::from(what.bytes);
        let inside = |start: u64, len: u64| {
            address >= start && address - start <= len && bytes <= len - (address - start)
        };
        let aligned = || {
            // Vectors of three do not exist: a size is a power of two.
            if address & (bytes - 1) == 0 { Ok(()) } else { Err(ViolationKind::Misaligned.into()) }
        };
        use CheckedSpace::{Const, Generic, Global, Local, Param, Shared};
        if matches!(what.space, Generic | Global | Const)
            && let Some(constant) = self.device_range(lane, address, bytes)
        {
            if constant && what.writes() {
                return Err(ViolationKind::ReadOnly.into());
            }
            return aligned();
        }
        if matches!(what.space, Shared | Generic) && inside(lane.shared, u64::from(lane.total_shared)) {
            aligned()?;
            let from = (address - lane.shared) as usize;
            let written = self.written.get(from..from + what.bytes as usize).unwrap_or(&[]);
            if what.reads()
                && let Some(at) = written.iter().position(|w| !w.get())
            {
                let detail = format!("no lane of the block has written byte {}", from + at);
                return Err(Refusal { kind: ViolationKind::Uninitialised, nearest: None, detail });
            }
            for byte in written {
                byte.set(true);
            }
            return Ok(());
        }
        if matches!(what.space, Local | Generic | Param) && lane.has_local(|l| inside(l.start, l.len)) {
            return aligned();
        }
        if matches!(what.space, Param | Generic) {
            let params = &lane.block().launch.params;
            if inside(params.as_ptr().addr() as u64, params.len() as u64 * 8) {
                return if what.writes() { Err(ViolationKind::ReadOnly.into()) } else { aligned() };
            }
        }
        Err(self.explain(lane, address, what))
    }

    /// Whether the range lies in one live allocation, and whether that is constant.
    fn device_range(&self, lane: &Lane, address: u64, bytes: u64) -> Option<bool> {
        let fabric = &self.device.fabric;
        if fabric.epoch() != self.ranges.borrow().epoch {
            *self.ranges.borrow_mut() = fabric.ranges(self.device.properties.index);
            self.hot.set(Hot { start: 0, end: 0, constant: false });
        }
        let hot = self.hot.get();
        if address >= hot.start && address < hot.end {
            return (bytes <= hot.end - address).then_some(hot.constant);
        }
        let ranges = self.ranges.borrow();
        // The variables of a module that another device has loaded are not in this device's table.
        let range = ranges.find(address).or_else(|| lane.block().launch.function.variable_at(address))?;
        self.hot.set(Hot { start: range.start, end: range.end, constant: range.constant });
        (bytes <= range.end - address).then_some(range.constant)
    }

    /// What is wrong with an address that nothing holds.
    fn explain(&self, lane: &Lane, address: u64, what: Descriptor) -> Refusal {
        let mut refusal = Refusal::from(ViolationKind::OutOfBounds);
        let near = |what: &str, start: u64, len: u64| {
            Some(Nearest { what: what.to_owned(), start, len, freed: false })
        };
        match what.space {
            CheckedSpace::Shared => {
                refusal.nearest = near("the block's shared memory", 0, u64::from(lane.total_shared));
                return refusal;
            }
            CheckedSpace::Local | CheckedSpace::Param => {
                refusal.nearest =
                    lane.nearest_local(address).and_then(|l| near("local memory", l.start, l.len));
                return refusal;
            }
            _ => {}
        }
        if address < NULL_PAGE {
            return ViolationKind::NullAccess.into();
        }
        let shared = address.wrapping_sub(lane.shared);
        if shared < u64::from(lane.total_shared) + NULL_PAGE {
            refusal.nearest = near("the block's shared memory", lane.shared, u64::from(lane.total_shared));
            if what.space != CheckedSpace::Generic {
                refusal.detail = format!("a {} address is needed", what.space.name());
            }
            return refusal;
        }
        for other in &lane.block().lanes {
            if other.has_local(|l| address.wrapping_sub(l.start) < l.len) {
                refusal.detail = if other.index == lane.index {
                    format!("the address is in the lane's local memory, not in {}", what.space.name())
                } else {
                    format!("the address is in the local memory of lane {}", other.index)
                };
                return refusal;
            }
        }
        let index = self.device.properties.index;
        if let Some((owner, ..)) = self.device.fabric.find(address).filter(|(owner, ..)| *owner != index) {
            refusal.kind = ViolationKind::NoPeerAccess;
            refusal.detail = format!(
                "the address is in memory of device {owner}, to which device {index} has no peer access"
            );
            return refusal;
        }
        refusal.nearest = self.device.memory.nearest(address);
        if let Some(nearest) = &refusal.nearest
            && nearest.freed
            && address.wrapping_sub(nearest.start) < nearest.len
        {
            refusal.kind = ViolationKind::UseAfterFree;
        }
        refusal
    }

    /// Whether the lane has the stack to call the function; if not, the launch has failed.
    pub(crate) fn call(lane: &Lane, function: u32) -> bool {
        let sites = lane.block().launch.function.sites();
        let Some(callee) = sites.function(function) else { return true };
        Self::room(lane, callee)
    }

    /// The same for a function by address, which must be one with the given signature.
    pub(crate) fn call_indirect(lane: &Lane, address: u64, signature: u32) -> bool {
        let sites = lane.block().launch.function.sites();
        let mut refusal = Refusal::from(ViolationKind::WildCall);
        match sites.function_at(address) {
            Some(callee) if callee.signature == Some(signature) => return Self::room(lane, callee),
            Some(callee) if callee.signature.is_none() => {
                refusal.detail = format!("`{}` is an entry", callee.name);
            }
            Some(callee) => {
                refusal.detail = format!("`{}` has other parameters or another result", callee.name);
            }
            None => "no function of the module begins there".clone_into(&mut refusal.detail),
        }
        report(lane, refusal, AccessKind::Call, "", address, 0);
        false
    }

    fn room(lane: &Lane, callee: &FunctionInfo) -> bool {
        // The caller's frame ends near here, since this runs on the lane's stack.
        let marker = 0_u8;
        let here = std::ptr::from_ref(&marker).addr();
        let left = here.saturating_sub(lane.stack.get().0 as usize).saturating_sub(GUARD);
        if left >= callee.frame as usize + STACK_MARGIN {
            return true;
        }
        let mut refusal = Refusal::from(ViolationKind::StackOverflow);
        refusal.detail = format!("a call of `{}` needs {} bytes, {left} are left", callee.name, callee.frame);
        report(lane, refusal, AccessKind::Call, "", callee.address, 0);
        false
    }
}

/// A barrier (or, with no number, any of them) has enough lanes to open, or never will: whether those that wait there came as the instruction demands. If not,
/// the launch has failed.
///
/// The rule is that of `.aligned`, which `bar` always is: all lanes of a warp execute the same barrier instruction. So lanes of
/// a warp that wait at different ones, and lanes that have ended while others of their warp wait, break it. A whole
/// warp that has ended is no longer waited for, and `barrier` without `.aligned` asks for nothing.
pub(crate) fn barrier_is_uniform(block: &Block<'_>, id: Option<u32>) -> bool {
    let sites = block.launch.function.sites();
    let waits = |lane: &Lane| match lane.state.get() {
        State::Barrier(wait) => Some(wait),
        _ => None,
    };
    for warp in block.lanes.chunks(WARP_SIZE as usize) {
        let aligned = |l: &&Lane| {
            waits(l).is_some_and(|w| id.is_none_or(|id| w.id == id))
                && sites.site(l.site.get()).is_some_and(|s| s.aligned)
        };
        let Some(first) = warp.iter().find(aligned) else { continue };
        let place = |l: &Lane| match (l.state.get(), sites.site(l.site.get())) {
            (State::Ended, _) => "has ended".to_owned(),
            (State::Barrier(wait), Some(site)) => {
                format!("waits at barrier {} in line {}, `{}`", wait.id, site.line, site.text)
            }
            (State::Warp(_), Some(site)) => format!("waits in line {}, `{}`", site.line, site.text),
            _ => "is elsewhere".to_owned(),
        };
        let other = warp.iter().find(|l| waits(l).is_none() || l.site.get() != first.site.get());
        if let Some(other) = other {
            let mut refusal = Refusal::from(ViolationKind::DivergentBarrier);
            refusal.detail = format!(
                "lane {} of the same warp {}; all lanes of a warp must come to the same barrier instruction",
                other.index,
                place(other)
            );
            report(first, refusal, AccessKind::Barrier, "", 0, 0);
            return false;
        }
    }
    true
}

/// Fails the launch.
fn report(lane: &Lane, refusal: Refusal, access: AccessKind, space: &'static str, address: u64, bytes: u32) {
    let block = lane.block();
    let launch = block.launch;
    let sites = launch.function.sites();
    let site = sites.site(lane.site.get());
    let function = site.and_then(|s| sites.function(s.function));
    let violation = Violation {
        kind: refusal.kind,
        kernel: launch.entry().name.clone(),
        function: function.map_or_else(|| launch.entry().name.clone(), |f| f.name.to_string()),
        line: site.map_or(0, |s| s.line),
        instruction: site.map_or_else(String::new, |s| s.text.to_string()),
        block: block.index,
        lane: lane.index,
        access,
        space,
        address,
        bytes,
        nearest: refusal.nearest,
        detail: refusal.detail,
    };
    launch.fail(Error::Violation(Box::new(violation)));
}

/// The variables in the frames of a lane's functions, innermost last.
#[derive(Default)]
pub(crate) struct Locals(RefCell<Vec<LocalRange>>);

impl Lane {
    /// A function of the lane has a variable at `start`, which begins as zeros.
    pub(crate) fn enter_local(&self, start: u64, len: u64) {
        self.locals.0.borrow_mut().push(LocalRange { start, len });
    }

    /// The function that entered its last `count` variables returns.
    pub(crate) fn leave_locals(&self, count: u32) {
        let mut locals = self.locals.0.borrow_mut();
        let left = locals.len().saturating_sub(count as usize);
        locals.truncate(left);
    }

    fn has_local(&self, test: impl FnMut(&LocalRange) -> bool) -> bool {
        self.locals.0.borrow().iter().rev().any(test)
    }

    fn nearest_local(&self, address: u64) -> Option<LocalRange> {
        let distance = |l: &LocalRange| {
            if address < l.start { l.start - address } else { (address - l.start).saturating_sub(l.len) }
        };
        self.locals.0.borrow().iter().min_by_key(|l| distance(l)).copied()
    }
}
