//! A virtual NVIDIA device on the CPU: it takes PTX text, compiles it with Cranelift, and runs it on CPU threads.
//!
//! It is for running and testing GPU programs where there is no GPU, with the semantics of the PTX manual and not
//! of some approximation of it. It knows PTX and nothing of what the programs are for.
//!
//! ```
//! use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig, Status};
//!
//! let device = Device::open(DeviceConfig::default())?;
//! let module = device.load_ptx(
//!     ".version 7.0
//!      .target sm_70
//!      .address_size 64
//!      .visible .entry square(.param .u64 xs) {
//!        .reg .b64 %rd<2>;
//!        .reg .b32 %r<2>;
//!        ld.param.u64 %rd0, [xs];
//!        mov.u32 %r0, %tid.x;
//!        mad.wide.u32 %rd1, %r0, 4, %rd0;
//!        ld.global.u32 %r1, [%rd1];
//!        mul.lo.u32 %r1, %r1, %r1;
//!        st.global.u32 [%rd1], %r1;
//!        ret;
//!      }",
//! )?;
//! let xs = device.alloc(4 * 32)?;
//! let input: Vec<u8> = (0..32_u32).flat_map(u32::to_ne_bytes).collect();
//! device.copy_to_device(xs.address(), &input)?;
//! // SAFETY: the kernel's 32 lanes touch the 32 words of `xs`, which lives until the launch is over.
//! let launch = unsafe {
//!     device.launch(&module.function("square")?, &LaunchConfig::new(1, 32), &[Arg::U64(xs.address())])?
//! };
//! assert_eq!(launch.wait(None), Status::Finished);
//! let mut word = [0; 4];
//! device.copy_from_device(&mut word, xs.address() + 4 * 7)?;
//! assert_eq!(u32::from_ne_bytes(word), 49);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it runs
//!
//! Every PTX function becomes one native function. A block runs on one thread of the operating system; its lanes are
//! coroutines on that thread, which run one at a time and change at barriers, at `.sync` instructions, in
//! `nanosleep`, and, where a block has several lanes, at loop back-edges, so that lanes that wait for each other
//! always come on. Blocks run in parallel: as many as the device has multiprocessors, or, in a
//! [cooperative](LaunchConfig::cooperative) launch, all of them. Blocks of one lane are the fast case.
//!
//! Every branch to a label that stands before it looks at a flag, so [`Launch::abort`] stops any kernel, however it
//! loops, sleeps or waits.
//!
//! # Memory
//!
//! Device addresses are host addresses, and the memory model is the host's: on x86-64 ordered loads and stores are
//! plain ones that the compiler keeps in place, and atomics and `fence.sc` are sequentially consistent. A
//! program that is wrong only on weaker hardware is therefore not found wrong here. In the fast mode nothing checks the
//! addresses that a program computes: [`Device::launch`] is unsafe, and a wild access can end the process. The same goes
//! for recursion without end.
//!
//! Memory that its owner drops while a launch runs is given back when no launch of the device runs any more.
//!
//! # Platforms and faults
//!
//! A [`Platform`] has several devices, links between them, and a driver of some version; an environment variable can say it as text:
//! [`PlatformConfig`]. A [`FaultPlan`] makes things go wrong: memory runs out, launches are refused, devices fail or are lost, a block gets no
//! more turns, copies between devices are slow or fail.
//!
//! # Modes
//!
//! A device is opened in a [`Mode`], which is part of how programs are compiled for it:
//!
//! - **fast**, the default, has neither of the following and costs nothing for them.
//! - **checked** asks before every access, call and barrier whether it may be. Out of bounds, use after free, null, misaligned,
//!   uninitialised shared memory, writes to constants, divergent barriers, wild calls and stack overflow each fail the launch with
//!   a [`Violation`] that names kernel, line, block and lane; nothing is touched that should not be, and the device goes on.
//! - **deterministic** runs all lanes of a launch on one thread, interrupts them where programs meet, and lets a seed decide when
//!   and who is next: [`Schedule`]. The same seed replays the same order, and [`Launch::trace`] proves it. `%globaltimer`
//!   and `%clock64` count such places instead of nanoseconds, except where blocks may park: there the host takes part, and
//!   the timers are its clock.
//!
//! The last two combine.
//!
//! # Readings of PTX
//!
//! Where PTX leaves something to the machine, this is what this machine does:
//!
//! - `pmevent 0` wakes every parked block of the launch and `pmevent 1` is an event for [`Launch::wait_event`]. Other
//!   events do nothing, and on hardware none does anything that a program could notice.
//! - `nanosleep` gives the other lanes of the block their turn. When all of a block's live lanes sleep, short sleeps
//!   spin, longer ones give the processor away, and long ones sleep; with
//!   [`park_sleepers`](LaunchConfig::park_sleepers) a block whose lanes all ask for the maximum of 1 ms parks until it
//!   is woken, and an idle launch costs nothing.
//! - Dividing by zero gives all ones, and the dividend as remainder.
//! - NaNs that arithmetic makes are the CPU's; compare them by class, not by bits.
//! - `activemask` is the lane's own bit. A lane that has ended counts as having come to every barrier.
//! - `%globaltimer` is the wall clock in nanoseconds since the Unix epoch; `%clock64` ticks once a nanosecond.
//! - When all live lanes of a block wait for each other, which hardware would do for ever, the launch fails with
//!   [`Error::Deadlock`]; a lane outside the mask of its own `.sync` instruction fails with
//!   [`Error::Synchronization`].
//! - A misaligned access works, if it is not atomic and the device not a checked one.
//! - Warp instructions without `.sync` act on all lanes of the warp that have not ended.
//! - `cp.async` copies at once, and what waits for it does nothing. Cache hints, priorities and policies do nothing.
//! - `brkpt` is `trap`.
//!
//! # What is not known
//!
//! The book lists each instruction and whether it is supported. Textures and surfaces, tensor-core, bulk-copy and
//! video instructions, clusters, registers that are vectors, linking between modules, and calls that return
//! more than one value are not. Each is a [`LoadError`] that names it and its line.

mod block;
mod check;
mod compile;
mod device;
mod error;
mod fabric;
mod fault;
mod host;
mod launch;
mod memory;
mod mode;
mod module;
mod platform;
mod ptx;
mod resident;
mod schedule;
mod seat;
mod soft;
mod sync;
mod token;
mod version;
mod warp;

pub use check::{AccessKind, Nearest, Violation, ViolationKind};
pub use device::{Device, DeviceConfig, Features, PciId, Properties};
pub use error::{Error, LaunchRule, LoadError, LoadErrorKind};
pub use fabric::{Link, Links, Traffic};
pub use fault::{Breakdown, Fault, FaultKind, FaultPlan, Moment, When};
pub use launch::{Arg, Assisted, Launch, LaunchConfig, PreparedLaunch, Status};
pub use memory::{DeviceMemory, MappedMemory, MemoryInfo};
pub use mode::{Mode, ModeError, Schedule};
pub use module::{Function, LoadStats, Module};
pub use platform::{Found, MAX_DEVICES, Platform, PlatformConfig, PlatformError};
pub use schedule::Trace;
pub use version::{Version, VersionError};
