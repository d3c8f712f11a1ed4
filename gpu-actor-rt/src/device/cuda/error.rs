//! What the driver's result codes mean, and which [`DeviceError`] they become.
//!
//! Rules kept here: a code that no header knows is an error with its number; the names are in this file, so that an error
//! can be printed when the driver is broken or not there; an error that poisons the context says so.

use std::fmt;

use crate::device::DeviceError;

/// A result code of the CUDA driver that is not success.
///
/// ```
/// use gpu_actor_rt::device::cuda::CudaError;
///
/// let error = CudaError::new("cuLaunchKernel", 700);
/// assert_eq!(error.to_string(), "cuLaunchKernel answered CUDA_ERROR_ILLEGAL_ADDRESS (700)");
/// assert!(error.is_sticky());
/// assert_eq!(CudaError::new("cuInit", 12345).name(), None); // newer than this crate: an error all the same
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaError {
    call: &'static str,
    code: u32,
}

impl CudaError {
    /// The code that a function of the driver API answered.
    pub fn new(call: &'static str, code: u32) -> Self {
        Self { call, code }
    }

    /// The function that answered so.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The number, a `CUresult`.
    pub fn code(&self) -> u32 {
        self.code
    }

    /// The name in `cuda.h`, if this crate knows it.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.binary_search_by_key(&self.code, |(code, _)| *code).ok().map(|at| NAMES[at].1)
    }

    /// Whether the process can no longer use the device: every later call there gives the same error.
    pub fn is_sticky(&self) -> bool {
        STICKY.contains(&self.code)
    }

    /// What to do about it, where there is something that is not plain from the name.
    fn advice(self) -> Option<&'static str> {
        Some(match self.code {
            34 => "a stub of libcuda was loaded; put the folder of the driver's own library first",
            46 => "the device is in use or in a mode that refuses this process",
            802 => "a service of the system is not ready (NVSwitch machines: start nvidia-fabricmanager)",
            803 => {
                "the library and the kernel module are of different versions; reboot, or reload the module"
            }
            804 => "the compatibility library does not support this device; use the driver's own",
            999 => {
                "after a suspend, or with a broken driver, reloading the module nvidia_uvm or a reboot helps"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for CudaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("a code that this version does not know");
        write!(f, "{} answered {name} ({})", self.call, self.code)?;
        if let Some(advice) = self.advice() {
            write!(f, ": {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CudaError {}

/// Success or an error.
pub(super) type CudaResult<T = ()> = Result<T, CudaError>;

/// The result of a call.
pub(super) fn check(call: &'static str, code: u32) -> CudaResult {
    if code == 0 { Ok(()) } else { Err(CudaError { call, code }) }
}

pub(super) const OUT_OF_MEMORY: u32 = 2;
pub(super) const DEVICE_UNAVAILABLE: u32 = 46;
pub(super) const NO_DEVICE: u32 = 100;
pub(super) const NOT_READY: u32 = 600;
pub(super) const PEER_ACCESS_ALREADY_ENABLED: u32 = 704;

/// Codes after which the context is of no more use: errors of running kernels, and of the device itself.
const STICKY: &[u32] = &[4, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911];

/// What the device `device` was doing becomes an error of the seam.
pub(super) fn device_error(device: &str, action: impl Into<String>, error: CudaError) -> DeviceError {
    let (device, action, source) = (device.to_owned(), action.into(), Box::new(error));
    match error.code {
        NO_DEVICE => DeviceError::NoCuda { why: error.to_string() },
        DEVICE_UNAVAILABLE | 304 | 800 => DeviceError::NotPermitted { device, action, source },
        _ if error.is_sticky() => DeviceError::Lost { device, action, source },
        _ => DeviceError::Failed { device, action, source },
    }
}

/// As [`device_error`], for an allocation.
pub(super) fn memory_error(device: &str, bytes: usize, what: &str, error: CudaError) -> DeviceError {
    if error.code == OUT_OF_MEMORY {
        DeviceError::OutOfMemory { device: device.into(), bytes: bytes as u64, source: Box::new(error) }
    } else {
        device_error(device, format!("allocating {bytes} bytes of {what}"), error)
    }
}

/// The codes of `cuda.h` of CUDA 13.5.
pub(super) const NAMES: &[(u32, &str)] = &[
    (0, "CUDA_SUCCESS"),
    (1, "CUDA_ERROR_INVALID_VALUE"),
    (2, "CUDA_ERROR_OUT_OF_MEMORY"),
    (3, "CUDA_ERROR_NOT_INITIALIZED"),
    (4, "CUDA_ERROR_DEINITIALIZED"),
    (5, "CUDA_ERROR_PROFILER_DISABLED"),
    (6, "CUDA_ERROR_PROFILER_NOT_INITIALIZED"),
    (7, "CUDA_ERROR_PROFILER_ALREADY_STARTED"),
    (8, "CUDA_ERROR_PROFILER_ALREADY_STOPPED"),
    (34, "CUDA_ERROR_STUB_LIBRARY"),
    (36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER"),
    (46, "CUDA_ERROR_DEVICE_UNAVAILABLE"),
    (47, "CUDA_ERROR_MULTICAST_RESOURCE_FULL"),
    (100, "CUDA_ERROR_NO_DEVICE"),
    (101, "CUDA_ERROR_INVALID_DEVICE"),
    (102, "CUDA_ERROR_DEVICE_NOT_LICENSED"),
    (200, "CUDA_ERROR_INVALID_IMAGE"),
    (201, "CUDA_ERROR_INVALID_CONTEXT"),
    (202, "CUDA_ERROR_CONTEXT_ALREADY_CURRENT"),
    (205, "CUDA_ERROR_MAP_FAILED"),
    (206, "CUDA_ERROR_UNMAP_FAILED"),
    (207, "CUDA_ERROR_ARRAY_IS_MAPPED"),
    (208, "CUDA_ERROR_ALREADY_MAPPED"),
    (209, "CUDA_ERROR_NO_BINARY_FOR_GPU"),
    (210, "CUDA_ERROR_ALREADY_ACQUIRED"),
    (211, "CUDA_ERROR_NOT_MAPPED"),
    (212, "CUDA_ERROR_NOT_MAPPED_AS_ARRAY"),
    (213, "CUDA_ERROR_NOT_MAPPED_AS_POINTER"),
    (214, "CUDA_ERROR_ECC_UNCORRECTABLE"),
    (215, "CUDA_ERROR_UNSUPPORTED_LIMIT"),
    (216, "CUDA_ERROR_CONTEXT_ALREADY_IN_USE"),
    (217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED"),
    (218, "CUDA_ERROR_INVALID_PTX"),
    (219, "CUDA_ERROR_INVALID_GRAPHICS_CONTEXT"),
    (220, "CUDA_ERROR_NVLINK_UNCORRECTABLE"),
    (221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND"),
    (222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
    (223, "CUDA_ERROR_JIT_COMPILATION_DISABLED"),
    (224, "CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY"),
    (225, "CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC"),
    (226, "CUDA_ERROR_CONTAINED"),
    (227, "CUDA_ERROR_INSUFFICIENT_LOADER_VERSION"),
    (300, "CUDA_ERROR_INVALID_SOURCE"),
    (301, "CUDA_ERROR_FILE_NOT_FOUND"),
    (302, "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND"),
    (303, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED"),
    (304, "CUDA_ERROR_OPERATING_SYSTEM"),
    (400, "CUDA_ERROR_INVALID_HANDLE"),
    (401, "CUDA_ERROR_ILLEGAL_STATE"),
    (402, "CUDA_ERROR_LOSSY_QUERY"),
    (500, "CUDA_ERROR_NOT_FOUND"),
    (600, "CUDA_ERROR_NOT_READY"),
    (700, "CUDA_ERROR_ILLEGAL_ADDRESS"),
    (701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"),
    (702, "CUDA_ERROR_LAUNCH_TIMEOUT"),
    (703, "CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING"),
    (704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED"),
    (705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED"),
    (708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE"),
    (709, "CUDA_ERROR_CONTEXT_IS_DESTROYED"),
    (710, "CUDA_ERROR_ASSERT"),
    (711, "CUDA_ERROR_TOO_MANY_PEERS"),
    (712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED"),
    (713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED"),
    (714, "CUDA_ERROR_HARDWARE_STACK_ERROR"),
    (715, "CUDA_ERROR_ILLEGAL_INSTRUCTION"),
    (716, "CUDA_ERROR_MISALIGNED_ADDRESS"),
    (717, "CUDA_ERROR_INVALID_ADDRESS_SPACE"),
    (718, "CUDA_ERROR_INVALID_PC"),
    (719, "CUDA_ERROR_LAUNCH_FAILED"),
    (720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE"),
    (721, "CUDA_ERROR_TENSOR_MEMORY_LEAK"),
    (800, "CUDA_ERROR_NOT_PERMITTED"),
    (801, "CUDA_ERROR_NOT_SUPPORTED"),
    (802, "CUDA_ERROR_SYSTEM_NOT_READY"),
    (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
    (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
    (805, "CUDA_ERROR_MPS_CONNECTION_FAILED"),
    (806, "CUDA_ERROR_MPS_RPC_FAILURE"),
    (807, "CUDA_ERROR_MPS_SERVER_NOT_READY"),
    (808, "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED"),
    (809, "CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED"),
    (810, "CUDA_ERROR_MPS_CLIENT_TERMINATED"),
    (811, "CUDA_ERROR_CDP_NOT_SUPPORTED"),
    (812, "CUDA_ERROR_CDP_VERSION_MISMATCH"),
    (900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"),
    (901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"),
    (902, "CUDA_ERROR_STREAM_CAPTURE_MERGE"),
    (903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED"),
    (904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"),
    (905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION"),
    (906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"),
    (907, "CUDA_ERROR_CAPTURED_EVENT"),
    (908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD"),
    (909, "CUDA_ERROR_TIMEOUT"),
    (910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE"),
    (911, "CUDA_ERROR_EXTERNAL_DEVICE"),
    (912, "CUDA_ERROR_INVALID_CLUSTER_SIZE"),
    (913, "CUDA_ERROR_FUNCTION_NOT_LOADED"),
    (914, "CUDA_ERROR_INVALID_RESOURCE_TYPE"),
    (915, "CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION"),
    (916, "CUDA_ERROR_KEY_ROTATION"),
    (917, "CUDA_ERROR_STREAM_DETACHED"),
    (918, "CUDA_ERROR_GRAPH_RECAPTURE_FAILURE"),
    (919, "CUDA_ERROR_FABRIC_NOT_READY"),
    (999, "CUDA_ERROR_UNKNOWN"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_an_unknown_code_is_an_error_with_its_number() {
        assert!(NAMES.is_sorted_by_key(|(code, _)| *code));
        assert_eq!(check("cuInit", 0), Ok(()));
        let unknown = check("cuInit", 4_000_000_000).unwrap_err();
        assert_eq!((unknown.code(), unknown.name(), unknown.is_sticky()), (4_000_000_000, None, false));
        assert!(unknown.to_string().contains("4000000000"), "{unknown}");
        assert_eq!(CudaError::new("cuInit", 803).name(), Some("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"));
    }

    #[test]
    fn codes_become_typed_errors() {
        let of = |code| device_error("gpu", "testing", CudaError::new("cuTest", code));
        assert!(matches!(of(700), DeviceError::Lost { .. }));
        assert!(of(719).to_string().contains("start a new process"), "{}", of(719));
        assert!(matches!(of(100), DeviceError::NoCuda { .. }));
        assert!(matches!(of(800), DeviceError::NotPermitted { .. }));
        assert!(matches!(of(1), DeviceError::Failed { .. }));
        let memory = |code| memory_error("gpu", 64, "device memory", CudaError::new("cuTest", code));
        assert!(matches!(memory(2), DeviceError::OutOfMemory { bytes: 64, .. }));
        assert!(matches!(memory(700), DeviceError::Lost { .. }));
    }
}
