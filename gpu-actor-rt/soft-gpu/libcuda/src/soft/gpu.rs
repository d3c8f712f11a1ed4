//! A device as the driver API sees it: its primary context, its pools, and whether a kernel has spoilt it.

use std::sync::{Arc, Mutex, Weak};

use soft_gpu::{Device, Error, Launch, LaunchRule, Link, ViolationKind};

use super::pool::Pool;
use super::{Answer, Context, lock};
use crate::code::Code;

/// A device's primary context.
#[derive(Default)]
pub(crate) struct Primary {
    pub(crate) context: Option<Arc<Context>>,
    /// How often it was retained and not released.
    pub(crate) count: u32,
    pub(crate) flags: u32,
}

pub(crate) struct Gpu {
    /// Its number in this process, as `CUDA_VISIBLE_DEVICES` orders them.
    pub(crate) ordinal: usize,
    pub(crate) device: Device,
    pub(crate) primary: Mutex<Primary>,
    pub(crate) default_pool: Arc<Pool>,
    /// The pool that `cuMemAllocAsync` takes from.
    pub(crate) current_pool: Mutex<Arc<Pool>>,
    /// All of its pools.
    pub(crate) pools: Mutex<Vec<Weak<Pool>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The error that every call answers from now on.
    dead: Option<Code>,
    running: Vec<Weak<Launch>>,
    /// Kernels that were launched and have not ended, those that still wait in their streams, too.
    kernels: usize,
}

/// A kernel that was launched and has not ended.
pub(crate) struct Accepted(Arc<Gpu>);

impl Drop for Accepted {
    fn drop(&mut self) {
        lock(&self.0.state).kernels -= 1;
    }
}

impl Gpu {
    pub(crate) fn new(ordinal: usize, device: Device, pool: Arc<Pool>) -> Gpu {
        Gpu {
            ordinal,
            device,
            primary: Mutex::default(),
            default_pool: Arc::clone(&pool),
            pools: Mutex::new(vec![Arc::downgrade(&pool)]),
            current_pool: Mutex::new(pool),
            state: Mutex::default(),
        }
    }

    /// Bytes of stack of a lane.
    pub(crate) fn lane_stack(&self) -> usize {
        self.device.properties().lane_stack
    }

    /// The sticky error, if there is one. A device that is lost answers its contexts as one does whose kernel has failed, which is what
    /// drivers say when a card falls off the bus.
    pub(crate) fn alive(&self) -> Answer {
        lock(&self.state).dead.map_or(Ok(()), Err)?;
        self.device.health().map_err(|e| code_of(&e))
    }

    /// Whether a context can be made: a device that is lost is not available, also to those who never had one.
    pub(crate) fn available(&self) -> Answer {
        match self.device.health() {
            Err(Error::DeviceLost { .. }) => Err(Code::DEVICE_UNAVAILABLE),
            _ => self.alive(),
        }
    }

    /// A kernel has failed: nothing works on this device any more, and what runs there is stopped. The first failure counts.
    pub(crate) fn fail(&self, code: Code) {
        let mut state = lock(&self.state);
        state.dead.get_or_insert(code);
        let running: Vec<Arc<Launch>> = state.running.drain(..).filter_map(|l| l.upgrade()).collect();
        drop(state);
        for launch in running {
            launch.abort();
        }
    }

    /// A kernel is launched: it ends when what this answers is dropped.
    pub(crate) fn accept(self: &Arc<Self>) -> Accepted {
        lock(&self.state).kernels += 1;
        Accepted(Arc::clone(self))
    }

    /// Somebody has synchronised: pools may give memory back. What the device gets while a kernel runs would be of no use to
    /// anybody before the kernel's end, so it stays with the pools until then.
    pub(crate) fn settle(&self) {
        // Held throughout, so that no kernel is launched meanwhile.
        let state = lock(&self.state);
        if state.kernels == 0 {
            let mut pools = lock(&self.pools);
            pools.retain(|p| p.strong_count() > 0);
            for pool in pools.iter().filter_map(Weak::upgrade) {
                pool.settle();
            }
        }
    }

    /// A launch runs: it is stopped when another one fails.
    pub(crate) fn runs(&self, launch: &Arc<Launch>) {
        let mut state = lock(&self.state);
        if state.dead.is_some() {
            launch.abort();
        }
        state.running.retain(|l| l.strong_count() > 0);
        state.running.push(Arc::downgrade(launch));
    }
}

/// What the driver answers where the software GPU says this.
pub(crate) fn code_of(error: &Error) -> Code {
    match error {
        Error::OutOfMemory { .. } => Code::OUT_OF_MEMORY,
        Error::CopyFailed { link: Link::NvLink, .. } => Code::NVLINK_UNCORRECTABLE,
        Error::NoSuchEntry { .. } => Code::NOT_FOUND,
        Error::InvalidLaunch { rule: LaunchRule::ResidentBlocks, .. } => Code::COOPERATIVE_LAUNCH_TOO_LARGE,
        Error::System { .. } => Code::OPERATING_SYSTEM,
        Error::NotSupported { .. } => Code::NOT_SUPPORTED,
        // Hardware would hang: here the kernel is stopped, as by a watchdog.
        Error::Deadlock { .. } => Code::LAUNCH_TIMEOUT,
        Error::Trap { .. }
        | Error::Synchronization { .. }
        | Error::DeviceLost { .. }
        | Error::Sticky { .. }
        | Error::CopyFailed { .. } => Code::LAUNCH_FAILED,
        Error::LaunchRefused { .. } => Code::LAUNCH_OUT_OF_RESOURCES,
        Error::PeerNotSupported { .. } => Code::PEER_ACCESS_UNSUPPORTED,
        Error::PeerAlreadyEnabled { .. } => Code::PEER_ACCESS_ALREADY_ENABLED,
        Error::PeerNotEnabled { .. } => Code::PEER_ACCESS_NOT_ENABLED,
        Error::NoSuchDevice { .. } => Code::INVALID_DEVICE,
        Error::Violation(violation) => match violation.kind {
            ViolationKind::Misaligned => Code::MISALIGNED_ADDRESS,
            ViolationKind::WildCall => Code::INVALID_PC,
            ViolationKind::StackOverflow => Code::HARDWARE_STACK_ERROR,
            // Hardware notices none of these two: it is a checked device that does.
            ViolationKind::DivergentBarrier | ViolationKind::Uninitialised => Code::LAUNCH_FAILED,
            _ => Code::ILLEGAL_ADDRESS,
        },
        Error::InvalidAddress { .. }
        | Error::EmptyAllocation
        | Error::ArgumentCount { .. }
        | Error::ArgumentSize { .. }
        | Error::InvalidLaunch { .. }
        | Error::OtherMode { .. }
        | Error::InvalidConfig { .. } => Code::INVALID_VALUE,
        _ => Code::UNKNOWN,
    }
}
