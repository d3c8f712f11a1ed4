//! The result codes of the driver API: numbers and names of `CUresult` in `cuda.h` of CUDA 12.9, and what each says.
//!
//! Rule kept here: a code is a number, never an enum, since a newer driver answers with newer ones.

use std::ffi::CStr;
use std::fmt;

/// A result of the driver API. [`SUCCESS`](Code::SUCCESS) is one too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($name:ident = $number:literal, $symbol:literal, $text:literal;)*) => {
        #[allow(missing_docs, reason = "the table says it")]
        impl Code {
            $(pub const $name: Code = Code($number);)*

            fn entry(self) -> Option<(&'static CStr, &'static CStr)> {
                match self.0 {
                    $($number => Some(($symbol, $text)),)*
                    _ => None,
                }
            }

            #[cfg(test)]
            const ALL: &[Code] = &[$(Code::$name),*];
        }
    };
}

impl Code {
    /// Its name in `cuda.h`; none for a code that CUDA 12.9 does not have.
    pub fn name(self) -> Option<&'static CStr> {
        self.entry().map(|(name, _)| name)
    }

    /// What it says; none for a code that CUDA 12.9 does not have.
    pub fn text(self) -> Option<&'static CStr> {
        self.entry().map(|(_, text)| text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((name, text)) => {
                write!(f, "{} ({}): {}", name.to_string_lossy(), self.0, text.to_string_lossy())
            }
            None => write!(f, "CUDA result {}", self.0),
        }
    }
}

codes! {
    SUCCESS = 0, c"CUDA_SUCCESS", c"no error";
    INVALID_VALUE = 1, c"CUDA_ERROR_INVALID_VALUE", c"an argument is not valid";
    OUT_OF_MEMORY = 2, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory";
    NOT_INITIALIZED = 3, c"CUDA_ERROR_NOT_INITIALIZED", c"the driver is not initialised (in this process): call cuInit";
    DEINITIALIZED = 4, c"CUDA_ERROR_DEINITIALIZED", c"the driver is shutting down";
    PROFILER_DISABLED = 5, c"CUDA_ERROR_PROFILER_DISABLED", c"the profiler is disabled";
    PROFILER_NOT_INITIALIZED = 6, c"CUDA_ERROR_PROFILER_NOT_INITIALIZED", c"the profiler is not initialised";
    PROFILER_ALREADY_STARTED = 7, c"CUDA_ERROR_PROFILER_ALREADY_STARTED", c"the profiler has been started already";
    PROFILER_ALREADY_STOPPED = 8, c"CUDA_ERROR_PROFILER_ALREADY_STOPPED", c"the profiler has been stopped already";
    STUB_LIBRARY = 34, c"CUDA_ERROR_STUB_LIBRARY", c"a stub library answers in place of the driver";
    DEVICE_UNAVAILABLE = 46, c"CUDA_ERROR_DEVICE_UNAVAILABLE", c"the device is in use or unavailable";
    NO_DEVICE = 100, c"CUDA_ERROR_NO_DEVICE", c"there is no device that CUDA can use";
    INVALID_DEVICE = 101, c"CUDA_ERROR_INVALID_DEVICE", c"there is no such device";
    DEVICE_NOT_LICENSED = 102, c"CUDA_ERROR_DEVICE_NOT_LICENSED", c"the device has no valid licence";
    INVALID_IMAGE = 200, c"CUDA_ERROR_INVALID_IMAGE", c"the module image is not valid";
    INVALID_CONTEXT = 201, c"CUDA_ERROR_INVALID_CONTEXT", c"there is no such context, or none is current on this thread";
    CONTEXT_ALREADY_CURRENT = 202, c"CUDA_ERROR_CONTEXT_ALREADY_CURRENT", c"the context is current already";
    MAP_FAILED = 205, c"CUDA_ERROR_MAP_FAILED", c"mapping failed";
    UNMAP_FAILED = 206, c"CUDA_ERROR_UNMAP_FAILED", c"unmapping failed";
    ARRAY_IS_MAPPED = 207, c"CUDA_ERROR_ARRAY_IS_MAPPED", c"the array is mapped";
    ALREADY_MAPPED = 208, c"CUDA_ERROR_ALREADY_MAPPED", c"the resource is mapped already";
    NO_BINARY_FOR_GPU = 209, c"CUDA_ERROR_NO_BINARY_FOR_GPU", c"the module has no code for this device";
    ALREADY_ACQUIRED = 210, c"CUDA_ERROR_ALREADY_ACQUIRED", c"the resource has been acquired already";
    NOT_MAPPED = 211, c"CUDA_ERROR_NOT_MAPPED", c"the resource is not mapped";
    NOT_MAPPED_AS_ARRAY = 212, c"CUDA_ERROR_NOT_MAPPED_AS_ARRAY", c"the resource is not mapped as an array";
    NOT_MAPPED_AS_POINTER = 213, c"CUDA_ERROR_NOT_MAPPED_AS_POINTER", c"the resource is not mapped as a pointer";
    ECC_UNCORRECTABLE = 214, c"CUDA_ERROR_ECC_UNCORRECTABLE", c"an uncorrectable memory error was found";
    UNSUPPORTED_LIMIT = 215, c"CUDA_ERROR_UNSUPPORTED_LIMIT", c"the device does not support this limit";
    CONTEXT_ALREADY_IN_USE = 216, c"CUDA_ERROR_CONTEXT_ALREADY_IN_USE", c"the context is in use by another thread";
    PEER_ACCESS_UNSUPPORTED = 217, c"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", c"the devices cannot access each other";
    INVALID_PTX = 218, c"CUDA_ERROR_INVALID_PTX", c"the PTX could not be compiled";
    INVALID_GRAPHICS_CONTEXT = 219, c"CUDA_ERROR_INVALID_GRAPHICS_CONTEXT", c"the graphics context is not valid";
    NVLINK_UNCORRECTABLE = 220, c"CUDA_ERROR_NVLINK_UNCORRECTABLE", c"an uncorrectable NVLink error was found";
    JIT_COMPILER_NOT_FOUND = 221, c"CUDA_ERROR_JIT_COMPILER_NOT_FOUND", c"the PTX compiler was not found";
    UNSUPPORTED_PTX_VERSION = 222, c"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", c"the PTX is newer than this driver takes";
    JIT_COMPILATION_DISABLED = 223, c"CUDA_ERROR_JIT_COMPILATION_DISABLED", c"compiling PTX is disabled";
    UNSUPPORTED_EXEC_AFFINITY = 224, c"CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY", c"the execution affinity is not supported";
    UNSUPPORTED_DEVSIDE_SYNC = 225, c"CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", c"the module synchronises on the device, which is not supported";
    CONTAINED = 226, c"CUDA_ERROR_CONTAINED", c"a contained error happened; the process must be replaced";
    INVALID_SOURCE = 300, c"CUDA_ERROR_INVALID_SOURCE", c"the device kernel source is not valid";
    FILE_NOT_FOUND = 301, c"CUDA_ERROR_FILE_NOT_FOUND", c"the file was not found";
    SHARED_OBJECT_SYMBOL_NOT_FOUND = 302, c"CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", c"a shared object has an unresolved symbol";
    SHARED_OBJECT_INIT_FAILED = 303, c"CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", c"a shared object could not be initialised";
    OPERATING_SYSTEM = 304, c"CUDA_ERROR_OPERATING_SYSTEM", c"a call to the operating system failed";
    INVALID_HANDLE = 400, c"CUDA_ERROR_INVALID_HANDLE", c"the handle is not valid";
    ILLEGAL_STATE = 401, c"CUDA_ERROR_ILLEGAL_STATE", c"a resource is not in the state that this needs";
    LOSSY_QUERY = 402, c"CUDA_ERROR_LOSSY_QUERY", c"the answer would lose information";
    NOT_FOUND = 500, c"CUDA_ERROR_NOT_FOUND", c"the name, or this function in this driver, was not found";
    NOT_READY = 600, c"CUDA_ERROR_NOT_READY", c"the work has not ended yet";
    ILLEGAL_ADDRESS = 700, c"CUDA_ERROR_ILLEGAL_ADDRESS", c"a kernel used an address that is not its own; the process must be replaced to use the device again";
    LAUNCH_OUT_OF_RESOURCES = 701, c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", c"the launch needs more resources than the device has";
    LAUNCH_TIMEOUT = 702, c"CUDA_ERROR_LAUNCH_TIMEOUT", c"the kernel ran too long and was stopped";
    LAUNCH_INCOMPATIBLE_TEXTURING = 703, c"CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING", c"the launch uses an incompatible texturing mode";
    PEER_ACCESS_ALREADY_ENABLED = 704, c"CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", c"peer access is enabled already";
    PEER_ACCESS_NOT_ENABLED = 705, c"CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", c"peer access is not enabled";
    PRIMARY_CONTEXT_ACTIVE = 708, c"CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", c"the primary context is active already";
    CONTEXT_IS_DESTROYED = 709, c"CUDA_ERROR_CONTEXT_IS_DESTROYED", c"the context has been destroyed";
    ASSERT = 710, c"CUDA_ERROR_ASSERT", c"an assertion failed in a kernel";
    TOO_MANY_PEERS = 711, c"CUDA_ERROR_TOO_MANY_PEERS", c"too many peers";
    HOST_MEMORY_ALREADY_REGISTERED = 712, c"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", c"the host memory is registered already";
    HOST_MEMORY_NOT_REGISTERED = 713, c"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", c"the host memory is not registered";
    HARDWARE_STACK_ERROR = 714, c"CUDA_ERROR_HARDWARE_STACK_ERROR", c"a stack overflowed or is corrupt in a kernel";
    ILLEGAL_INSTRUCTION = 715, c"CUDA_ERROR_ILLEGAL_INSTRUCTION", c"a kernel met an illegal instruction";
    MISALIGNED_ADDRESS = 716, c"CUDA_ERROR_MISALIGNED_ADDRESS", c"a kernel used a misaligned address";
    INVALID_ADDRESS_SPACE = 717, c"CUDA_ERROR_INVALID_ADDRESS_SPACE", c"a kernel used an address of the wrong space";
    INVALID_PC = 718, c"CUDA_ERROR_INVALID_PC", c"a kernel jumped to what is no code";
    LAUNCH_FAILED = 719, c"CUDA_ERROR_LAUNCH_FAILED", c"a kernel failed; the process must be replaced to use the device again";
    COOPERATIVE_LAUNCH_TOO_LARGE = 720, c"CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", c"a cooperative launch has more blocks than can be resident";
    TENSOR_MEMORY_LEAK = 721, c"CUDA_ERROR_TENSOR_MEMORY_LEAK", c"a kernel ended without giving tensor memory back";
    NOT_PERMITTED = 800, c"CUDA_ERROR_NOT_PERMITTED", c"this is not permitted here";
    NOT_SUPPORTED = 801, c"CUDA_ERROR_NOT_SUPPORTED", c"this is not supported";
    SYSTEM_NOT_READY = 802, c"CUDA_ERROR_SYSTEM_NOT_READY", c"the system is not ready for CUDA";
    SYSTEM_DRIVER_MISMATCH = 803, c"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", c"driver and kernel module do not fit together";
    COMPAT_NOT_SUPPORTED_ON_DEVICE = 804, c"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", c"the forward-compatible driver does not support this device";
    MPS_CONNECTION_FAILED = 805, c"CUDA_ERROR_MPS_CONNECTION_FAILED", c"the MPS server could not be reached";
    MPS_RPC_FAILURE = 806, c"CUDA_ERROR_MPS_RPC_FAILURE", c"a call to the MPS server failed";
    MPS_SERVER_NOT_READY = 807, c"CUDA_ERROR_MPS_SERVER_NOT_READY", c"the MPS server is not ready";
    MPS_MAX_CLIENTS_REACHED = 808, c"CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", c"the MPS server has its most clients";
    MPS_MAX_CONNECTIONS_REACHED = 809, c"CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", c"the MPS server has its most connections";
    MPS_CLIENT_TERMINATED = 810, c"CUDA_ERROR_MPS_CLIENT_TERMINATED", c"the MPS server ended this client";
    CDP_NOT_SUPPORTED = 811, c"CUDA_ERROR_CDP_NOT_SUPPORTED", c"launching from kernels is not supported";
    CDP_VERSION_MISMATCH = 812, c"CUDA_ERROR_CDP_VERSION_MISMATCH", c"modules of different versions launch from kernels";
    STREAM_CAPTURE_UNSUPPORTED = 900, c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", c"the stream cannot do this while it is captured";
    STREAM_CAPTURE_INVALIDATED = 901, c"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", c"the capture became invalid";
    STREAM_CAPTURE_MERGE = 902, c"CUDA_ERROR_STREAM_CAPTURE_MERGE", c"two captures would merge";
    STREAM_CAPTURE_UNMATCHED = 903, c"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", c"the capture was not begun on this stream";
    STREAM_CAPTURE_UNJOINED = 904, c"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", c"the capture has a fork that was not joined";
    STREAM_CAPTURE_ISOLATION = 905, c"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", c"the capture would depend on work outside";
    STREAM_CAPTURE_IMPLICIT = 906, c"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", c"the capture would depend on the legacy stream";
    CAPTURED_EVENT = 907, c"CUDA_ERROR_CAPTURED_EVENT", c"the event was recorded in a capture";
    STREAM_CAPTURE_WRONG_THREAD = 908, c"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", c"the capture was begun by another thread";
    TIMEOUT = 909, c"CUDA_ERROR_TIMEOUT", c"time ran out";
    GRAPH_EXEC_UPDATE_FAILURE = 910, c"CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", c"the graph could not be updated";
    EXTERNAL_DEVICE = 911, c"CUDA_ERROR_EXTERNAL_DEVICE", c"another device of the process failed";
    INVALID_CLUSTER_SIZE = 912, c"CUDA_ERROR_INVALID_CLUSTER_SIZE", c"the cluster size is not valid";
    FUNCTION_NOT_LOADED = 913, c"CUDA_ERROR_FUNCTION_NOT_LOADED", c"the function is not loaded";
    INVALID_RESOURCE_TYPE = 914, c"CUDA_ERROR_INVALID_RESOURCE_TYPE", c"the resource has the wrong type";
    INVALID_RESOURCE_CONFIGURATION = 915, c"CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION", c"the resource has the wrong configuration";
    KEY_ROTATION = 916, c"CUDA_ERROR_KEY_ROTATION", c"a key rotation failed";
    UNKNOWN = 999, c"CUDA_ERROR_UNKNOWN", c"an unknown error, or a defect of this library";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_own_number_and_name() {
        let mut numbers: Vec<u32> = Code::ALL.iter().map(|c| c.0).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert!(numbers.is_sorted());
        assert_eq!(Code(100).name(), Some(c"CUDA_ERROR_NO_DEVICE"));
        assert_eq!(Code(12345).name(), None);
        assert_eq!(Code(12345).to_string(), "CUDA result 12345");
    }
}
