//! A program that links the driver starts and answers where there is no driver.

use std::ffi::CStr;

use soft_gpu_libcuda::{Backend, Code, SYMBOLS, backend, sys};

#[test]
fn without_a_driver_there_is_no_device_and_errors_have_names() {
    if let Backend::Vendor { path } = backend() {
        println!("not run: this machine has a driver with a device, {}", path.display());
        return;
    }
    let Backend::None { why } = backend() else { panic!("nobody asked for the software GPU") };
    assert!(!why.is_empty());
    let mut version = -1;
    let mut text = std::ptr::null();
    // SAFETY: all pointers are to values of the right type.
    unsafe {
        assert_eq!(sys::cuInit(0), Code::NO_DEVICE.0);
        assert_eq!(sys::cuDeviceGetCount(&raw mut version), Code::NO_DEVICE.0);
        assert_eq!(sys::cuMemAlloc_v2(std::ptr::null_mut(), 1), Code::NO_DEVICE.0);
        assert_eq!(sys::cuDriverGetVersion(&raw mut version), Code::SUCCESS.0);
        assert_eq!(version, 0);
        assert_eq!(sys::cuGetErrorString(100, &raw mut text), Code::SUCCESS.0);
        assert_eq!(CStr::from_ptr(text), c"there is no device that CUDA can use");
        assert_eq!(sys::cuGetErrorName(100, &raw mut text), Code::SUCCESS.0);
        assert_eq!(CStr::from_ptr(text), c"CUDA_ERROR_NO_DEVICE");
        assert_eq!(sys::cuGetErrorName(123_456, &raw mut text), Code::INVALID_VALUE.0);
        assert!(text.is_null());
    }
    assert!(SYMBOLS.len() > 140);
    // cust's own error type prints through the same call.
    assert_eq!(cust::error::CudaError::NoDevice.to_string(), "\"there is no device that CUDA can use\"");
}
