//! What a checked device reports: who did what, where, and what is near.

use std::fmt;

/// A rule that a kernel broke on a [checked](crate::Mode::checked) device.
///
/// ```
/// use soft_gpu::{Arg, Device, DeviceConfig, Error, LaunchConfig, Mode, Status, ViolationKind};
///
/// let device = Device::open(DeviceConfig { mode: Mode::checked(), ..DeviceConfig::default() })?;
/// let module = device.load_ptx(
///     ".version 7.0
///      .target sm_70
///      .address_size 64
///      .visible .entry fill(.param .u64 xs) {
///        .reg .b64 %rd<2>;
///        .reg .b32 %r<1>;
///        ld.param.u64 %rd0, [xs];
///        mov.u32 %r0, %tid.x;
///        mad.wide.u32 %rd1, %r0, 4, %rd0;
///        st.global.u32 [%rd1], %r0;
///        ret;
///      }",
/// )?;
/// let xs = device.alloc(4 * 31)?;
/// // SAFETY: the device checks what the kernel touches.
/// let launch = unsafe {
///     device.launch(&module.function("fill")?, &LaunchConfig::new(1, 32), &[Arg::U64(xs.address())])?
/// };
/// let Status::Failed(Error::Violation(found)) = launch.wait(None) else { panic!("31 words for 32 lanes") };
/// assert_eq!(found.kind, ViolationKind::OutOfBounds);
/// assert_eq!((found.line, found.block, found.lane, found.bytes), (10, 0, 31, 4));
/// assert_eq!(found.instruction, "st.global.u32 [%rd1], %r0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub kind: ViolationKind,
    /// The entry that was launched.
    pub kernel: String,
    /// The entry or function with the instruction.
    pub function: String,
    /// The instruction's line in the PTX text, counted from 1.
    pub line: u32,
    /// The instruction, without its guard.
    pub instruction: String,
    /// Linear index of the block.
    pub block: u32,
    /// Linear index of the lane in its block.
    pub lane: u32,
    /// What the instruction does at the address.
    pub access: AccessKind,
    /// The state space that the instruction names, such as `.shared`; empty for a generic address.
    pub space: &'static str,
    /// The address: an offset for `.shared`.
    pub address: u64,
    /// Bytes from there.
    pub bytes: u32,
    /// The memory at the address or nearest to it.
    pub nearest: Option<Nearest>,
    /// What else there is to say; empty if there is nothing.
    pub detail: String,
}

/// The rules that a checked device keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The bytes are not inside one allocation, variable, shared memory, own local memory or parameter.
    OutOfBounds,
    /// The bytes were in an allocation that has been given back.
    UseAfterFree,
    /// The bytes are memory of another device, and peer access to it is not enabled.
    NoPeerAccess,
    /// The address is below the first page.
    NullAccess,
    /// The address is not a multiple of the access's size.
    Misaligned,
    /// Shared memory is read that no lane of the block has written.
    Uninitialised,
    /// A `.const` variable or an entry's parameter is written.
    ReadOnly,
    /// Lanes of a warp do not come to the same barrier instruction, or one has ended while others wait there.
    DivergentBarrier,
    /// The target of an indirect call is not a function with the parameters and result of the call.
    WildCall,
    /// A call would leave the lane's stack: a recursion without end.
    StackOverflow,
}

/// What an instruction does at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessKind {
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It reads and writes in one.
    Atomic,
    /// It calls.
    Call,
    /// It waits for other lanes.
    Barrier,
}

/// A piece of memory near a bad access.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nearest {
    /// What it is, such as "device memory" or "variable `table`".
    pub what: String,
    /// Its first address.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Whether it has been given back.
    pub freed: bool,
}

impl Nearest {
    /// Where the bytes at `address` lie relative to it.
    fn relation(&self, address: u64, bytes: u32) -> String {
        let (end, last) = (self.start.saturating_add(self.len), address.saturating_add(u64::from(bytes)));
        if address >= end {
            format!("{} bytes past the end of", address - end)
        } else if address < self.start {
            format!("{} bytes before", self.start - address)
        } else if last > end {
            format!("crossing the end of, by {} bytes,", last - end)
        } else {
            format!("at offset {} of", address - self.start)
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ViolationKind::OutOfBounds => "access out of bounds",
            ViolationKind::UseAfterFree => "use after free",
            ViolationKind::NoPeerAccess => "access to a peer's memory",
            ViolationKind::NullAccess => "null access",
            ViolationKind::Misaligned => "misaligned access",
            ViolationKind::Uninitialised => "read of shared memory that nobody has written",
            ViolationKind::ReadOnly => "write to read-only memory",
            ViolationKind::DivergentBarrier => "divergent barrier",
            ViolationKind::WildCall => "call of what is no such function",
            ViolationKind::StackOverflow => "stack overflow",
        };
        write!(f, "{what} in `{}`", self.kernel)?;
        if self.function != self.kernel {
            write!(f, ", function `{}`", self.function)?;
        }
        write!(
            f,
            ", PTX line {}, `{}`: block {}, lane {}",
            self.line, self.instruction, self.block, self.lane
        )?;
        let does = match self.access {
            AccessKind::Read => "reads",
            AccessKind::Write => "writes",
            AccessKind::Atomic => "updates",
            AccessKind::Call => "calls",
            AccessKind::Barrier => "waits",
        };
        match self.access {
            AccessKind::Barrier => {}
            AccessKind::Call => write!(f, " {does} {:#x}", self.address)?,
            _ => write!(f, " {does} {} bytes at {}{:#x}", self.bytes, self.space_prefix(), self.address)?,
        }
        if let Some(nearest) = &self.nearest {
            let freed = if nearest.freed { ", which was freed" } else { "" };
            let relation = nearest.relation(self.address, self.bytes);
            write!(f, ", {relation} {} {:#x}..+{}{freed}", nearest.what, nearest.start, nearest.len)?;
        }
        if !self.detail.is_empty() {
            write!(f, "; {}", self.detail)?;
        }
        Ok(())
    }
}

impl Violation {
    fn space_prefix(&self) -> String {
        if self.space.is_empty() { String::new() } else { format!("{} ", self.space) }
    }
}
