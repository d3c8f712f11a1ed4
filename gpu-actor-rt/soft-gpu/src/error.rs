//! What can go wrong, said so that the reader knows what happened, to whom, and what to do about it.
//!
//! Two types, because two different people read them: [`LoadError`] is about the text of a program and names
//! its line; [`Error`] is about using a device.

use std::fmt;

use crate::check::Violation;
use crate::fabric::Link;
use crate::version::Version;

/// Why a piece of PTX text was refused.
///
/// ```
/// use soft_gpu::{Device, DeviceConfig, LoadErrorKind};
///
/// let device = Device::open(DeviceConfig::default())?;
/// let error = device
///     .load_ptx(".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry k() {\n  frobnicate.u32 1;\n}")
///     .unwrap_err();
/// assert_eq!(error.kind(), LoadErrorKind::Unsupported);
/// assert_eq!(error.line(), 5);
/// assert_eq!(error.token(), "frobnicate.u32");
/// # Ok::<(), soft_gpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    kind: LoadErrorKind,
    line: u32,
    token: String,
    message: String,
}

/// The class of a [`LoadError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The text is not PTX: something else was expected at this token.
    Syntax,
    /// A name is used that nothing declares, or declared twice.
    Name,
    /// Operands, types or modifiers do not fit together.
    Type,
    /// Valid PTX perhaps, but this device does not know it. The token is the instruction, modifier or type.
    Unsupported,
    /// The text's `.version` is newer than the driver takes.
    DriverTooOld {
        /// The text's version.
        ptx: Version,
        /// The newest that the driver takes.
        newest: Version,
    },
    /// The text's `.target` is not for this device.
    WrongTarget {
        /// The compute capability that the text is for.
        target: Version,
        /// The device's.
        device: Version,
    },
    /// The device does not answer: it is lost, or has failed and was not reset. The line is 0.
    Device,
    /// The code generator refused what this crate handed it, which is a defect of this crate.
    Internal,
}

impl LoadError {
    pub(crate) fn new(kind: LoadErrorKind, line: u32, token: &str, message: impl Into<String>) -> Self {
        // A token can be as long as the text; an error message should not be.
        let token = if token.chars().count() > 64 {
            token.chars().take(61).chain("...".chars()).collect()
        } else {
            token.to_owned()
        };
        LoadError { kind, line, token, message: message.into() }
    }

    /// The device is broken.
    pub(crate) fn device(error: &Error) -> Self {
        LoadError::new(LoadErrorKind::Device, 0, "", error.to_string())
    }

    /// The class of the error.
    pub fn kind(&self) -> LoadErrorKind {
        self.kind
    }

    /// The line in the PTX text, counted from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The token at which the text went wrong; empty at the end of the text.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What is wrong with it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == LoadErrorKind::Device {
            return f.write_str(&self.message);
        }
        let token = if self.token.is_empty() { "end of text" } else { &self.token };
        write!(f, "PTX line {}, at `{token}`: {}", self.line, self.message)
    }
}

impl std::error::Error for LoadError {}

/// A rule for the shape of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LaunchRule {
    /// Grid and block have at least 1 along each axis.
    NotEmpty,
    /// The grid has a limit along each axis.
    GridAxis,
    /// The block has a limit along each axis.
    BlockAxis,
    /// A block has at most so many lanes.
    BlockLanes,
    /// The entry's `.reqntid`.
    RequiredBlock,
    /// The entry's `.maxntid`.
    MostLanes,
    /// A block has at most so much shared memory, static and dynamic together.
    SharedMemory,
    /// A grid has at most so many blocks.
    GridBlocks,
    /// All blocks of a cooperative launch are resident, and of one whose blocks park, known.
    ResidentBlocks,
}

/// What a [`Device`](crate::Device) could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device's memory is a configured limit and this allocation does not fit into what is left of it.
    #[error("out of device memory: {requested} bytes asked for, {free} free of {total}")]
    OutOfMemory {
        /// Bytes asked for.
        requested: u64,
        /// Bytes that were free.
        free: u64,
        /// The device's memory in bytes.
        total: u64,
    },
    /// An allocation of zero bytes was asked for.
    #[error("an allocation must have at least one byte")]
    EmptyAllocation,
    /// A copy touches bytes that no live allocation of this device covers.
    #[error("device range {address:#x}..+{bytes} is not inside one live allocation of this device")]
    InvalidAddress {
        /// First address of the range.
        address: u64,
        /// Length of the range in bytes.
        bytes: u64,
    },
    /// The module has no entry of that name.
    #[error("no entry named `{name}` in the module; it has: {available}")]
    NoSuchEntry {
        /// The name asked for.
        name: String,
        /// The names of the module's entries, comma-separated.
        available: String,
    },
    /// A launch gave the wrong number of arguments.
    #[error("`{function}` takes {expected} arguments, {given} given")]
    ArgumentCount {
        /// The entry.
        function: String,
        /// How many parameters the entry declares.
        expected: usize,
        /// How many arguments the launch gave.
        given: usize,
    },
    /// A launch gave an argument whose size is not that of the parameter.
    #[error("argument {index} of `{function}` has {given} bytes, its parameter `{parameter}` has {expected}")]
    ArgumentSize {
        /// The entry.
        function: String,
        /// Index of the argument, from 0.
        index: usize,
        /// The parameter's name.
        parameter: String,
        /// The parameter's size in bytes.
        expected: usize,
        /// The argument's size in bytes.
        given: usize,
    },
    /// The launch's shape is beyond what the device or the entry allows.
    #[error("cannot launch `{function}`: {reason}")]
    InvalidLaunch {
        /// The entry.
        function: String,
        /// The rule that was broken.
        rule: LaunchRule,
        /// The rule in words, with what was given and what the limit is.
        reason: String,
    },
    /// A device configuration that makes no sense.
    #[error("invalid device configuration: {reason}")]
    InvalidConfig {
        /// Which field, and what it must be.
        reason: String,
    },
    /// The platform has no device of that number.
    #[error("no device {index}: the platform has {count}, counted from 0")]
    NoSuchDevice {
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Nothing that peers could use connects the two devices, or they are the same.
    #[error(
        "device {from} cannot have peer access to device {to}: no link between them that peers could use"
    )]
    PeerNotSupported {
        /// Who asked for access.
        from: usize,
        /// Whose memory it asked for.
        to: usize,
    },
    /// Peer access was enabled before.
    #[error("device {from} has peer access to device {to} already")]
    PeerAlreadyEnabled {
        /// Who has access.
        from: usize,
        /// Whose memory it is.
        to: usize,
    },
    /// Peer access is not enabled.
    #[error("device {from} has no peer access to device {to}; enable it first")]
    PeerNotEnabled {
        /// Who has no access.
        from: usize,
        /// Whose memory it is.
        to: usize,
    },
    /// The device is gone: every call says so from now on, and what ran on it has ended. Only another device helps.
    #[error("device {index} `{name}` is lost; go on with another device")]
    DeviceLost {
        /// Its number on its platform.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The device has failed: every call says so until it is [reset](crate::Device::reset), and what ran on it has ended.
    #[error("device {index} `{name}` has failed and answers nothing until it is reset")]
    Sticky {
        /// Its number on its platform.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The fault plan refuses the launch; the device goes on.
    #[error("the launch of `{function}` was refused for want of resources; it can be tried again")]
    LaunchRefused {
        /// The entry.
        function: String,
    },
    /// A copy between devices failed; nothing was copied.
    #[error("copying from device {from} to device {to} failed; it can be tried again")]
    CopyFailed {
        /// The source.
        from: usize,
        /// The target.
        to: usize,
        /// What connects them.
        link: Link,
    },
    /// The devices are not of one platform.
    #[error("the two devices are not of one platform; open them as one")]
    OtherPlatform,
    /// The device was configured without this [feature](crate::Features).
    #[error("`{device}` does not support {what}")]
    NotSupported {
        /// The device's name.
        device: String,
        /// The feature.
        what: &'static str,
    },
    /// The operating system refused a thread, a stack or memory.
    #[error("the operating system refused {what}: {reason}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
    /// A lane executed `trap`; the launch was stopped.
    #[error("block {block}, lane {lane}: `trap` executed")]
    Trap {
        /// Linear index of the block.
        block: u32,
        /// Linear index of the lane in its block.
        lane: u32,
    },
    /// Every live lane of a block waits for another one: hardware would hang here; the launch was stopped.
    #[error("block {block}: deadlock, {waiting}")]
    Deadlock {
        /// Linear index of the block.
        block: u32,
        /// What the lanes wait for.
        waiting: String,
    },
    /// A lane broke a rule of a `.sync` instruction, which is undefined on hardware; the launch was stopped.
    #[error("block {block}, lane {lane}: {reason}")]
    Synchronization {
        /// Linear index of the block.
        block: u32,
        /// Linear index of the lane in its block.
        lane: u32,
        /// The rule that was broken.
        reason: String,
    },
    /// The module was loaded by a device of another mode, whose code does other things.
    #[error(
        "`{function}` was compiled for a device in {module} mode, this one is in {device} mode; load the module here"
    )]
    OtherMode {
        /// The entry.
        function: String,
        /// The mode of the device that loaded the module.
        module: String,
        /// This device's mode.
        device: String,
    },
    /// The program broke a rule that a checked device keeps; the launch was stopped before it did harm. The device
    /// goes on: the error is not sticky.
    #[error("{0}")]
    Violation(Box<Violation>),
}
