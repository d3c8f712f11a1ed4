//! What can go wrong with a device.
//!
//! Rule kept here: every variant says what happened, to which device, and what to do; a driver's own words and the
//! compiler's log are never thrown away.

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure of a device or of its driver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The driver has no such device.
    #[error("{driver} has no device {index}; it has {count}")]
    NoDevice {
        /// The driver.
        driver: String,
        /// The device asked for.
        index: usize,
        /// Devices that there are.
        count: usize,
    },
    /// The device refused.
    #[error("{device}: {action} failed")]
    Failed {
        /// The device's name.
        device: String,
        /// What was tried.
        action: String,
        /// The driver's own error.
        #[source]
        source: Source,
    },
    /// An environment variable has a value that means nothing.
    #[error("{variable}={value} in the environment: {source}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
    /// A handle of another device was passed.
    #[error("{device}: {what} belongs to another kind of device")]
    Foreign {
        /// The device's name.
        device: String,
        /// The handle.
        what: &'static str,
    },
    /// A CUDA device was asked for in a program that was built without CUDA.
    #[error(
        "a CUDA device was asked for ({asked}), but this program was built without it; enable the feature `cuda` of \
         gpu-actor-rt (x86-64 Linux), or choose the software GPU"
    )]
    WithoutCuda {
        /// Who asked: the option or the environment variable.
        asked: String,
    },
    /// A CUDA device was asked for and the machine has none that this process may use.
    #[error(
        "there is no CUDA device: {why}; see that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not hide it, \
         or choose the software GPU"
    )]
    NoCuda {
        /// What the driver, or its absence, said.
        why: String,
    },
    /// The device's memory, or the host's pinned memory, is used up.
    #[error("{device}: no memory for {bytes} bytes; use fewer actors or shorter rings, or a larger device")]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// Bytes asked for.
        bytes: u64,
        /// The driver's own error.
        #[source]
        source: Source,
    },
    /// The device's compiler refused the module.
    #[error("{device}: the driver's compiler refused the module: {source}\n{log}")]
    Compile {
        /// The device's name.
        device: String,
        /// What the compiler said.
        log: String,
        /// The driver's own error.
        source: Source,
    },
    /// The driver, or the device, is older than the module needs.
    #[error("{device}: {what} is {found}, {needed} is needed; {remedy}")]
    TooOld {
        /// The device's name.
        device: String,
        /// What is too old.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it has to be, at the least.
        needed: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The device lacks something that the runtime cannot do without.
    #[error("{device} cannot run a ring kernel: {what}")]
    Unsupported {
        /// The device's name.
        device: String,
        /// What it lacks.
        what: String,
    },
    /// The device, or this process's use of it, is lost: every later call would fail in the same way.
    ///
    /// A program error on the device (an illegal address, say) poisons the process's context on it for ever. Other devices
    /// and other processes are not affected.
    #[error(
        "{device}: {action} failed, and this process can no longer use the device; start a new process (if that fails \
         too, look at `nvidia-smi` and the kernel's log for an Xid)"
    )]
    Lost {
        /// The device's name.
        device: String,
        /// What was tried.
        action: String,
        /// The driver's own error.
        #[source]
        source: Source,
    },
    /// The process may not use the device.
    #[error(
        "{device}: {action} is not permitted; look at the permissions of /dev/nvidia*, at the container's settings, and \
         at the device's compute mode (`nvidia-smi -q -d COMPUTE`)"
    )]
    NotPermitted {
        /// The device's name.
        device: String,
        /// What was tried.
        action: String,
        /// The driver's own error.
        #[source]
        source: Source,
    },
    /// A call that could wait for a running kernel was refused, because one runs and would never end by itself.
    #[error(
        "{device}: {action} would wait for the kernel that runs there; do it before the launch or after its end"
    )]
    Busy {
        /// The device's name.
        device: String,
        /// What was tried.
        action: String,
    },
}
