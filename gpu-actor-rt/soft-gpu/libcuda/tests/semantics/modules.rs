use super::*;
use std::ffi::{CStr, c_char};

/// Loads a text with both logs: the answer, the info log and the error log.
fn load(text: &CStr) -> (Code, String, String) {
    let (mut info, mut error) = ([0x55_u8; 512], [0x55_u8; 512]);
    let mut options = [3, 4, 5, 6, 0];
    let mut values: [*mut c_void; 5] = [
        info.as_mut_ptr().cast(),
        without_provenance_mut(info.len()),
        error.as_mut_ptr().cast(),
        without_provenance_mut(error.len()),
        without_provenance_mut(64),
    ];
    let mut module = null_mut();
    // SAFETY: the buffers are as long as the options say.
    let code = unsafe {
        sys::cuModuleLoadDataEx(
            &raw mut module,
            text.as_ptr().cast(),
            5,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
    };
    let text = |buffer: &[u8], len: *mut c_void| {
        let text = CStr::from_bytes_until_nul(buffer).unwrap();
        assert_eq!(text.count_bytes() + 1, len.addr(), "the size says how much was written");
        text.to_str().unwrap().to_owned()
    };
    (Code(code), text(&info, values[1]), text(&error, values[3]))
}

#[test]
fn logs_say_what_was_compiled_and_what_is_wrong_with_a_text() {
    let _device = Device::new(17);
    let (code, info, error) = load(&CString::new(PTX).unwrap());
    assert_eq!((code, error.as_str()), (Code::SUCCESS, ""));
    assert!(info.contains("compiled 5 functions"), "{info}");
    let head = ".target sm_70\n.address_size 64\n";
    let with = |version: &str, rest: &str| CString::new(format!(".version {version}\n{rest}")).unwrap();
    let (code, info, error) = load(&with("7.0", &format!("{head}.visible .entry k() {{\n frob.u32 1;\n}}")));
    assert_eq!((code, info.as_str()), (Code::INVALID_PTX, ""));
    assert!(error.contains("line 5") && error.contains("frob.u32"), "{error}");
    let (code, _, error) = load(&with("9.0", head));
    assert_eq!(code, Code::UNSUPPORTED_PTX_VERSION);
    assert!(error.contains("9.0") && error.contains("8.7"), "{error}");
    let (code, ..) = load(&with("8.0", ".target sm_999\n.address_size 64\n"));
    assert_eq!(code, Code::NO_BINARY_FOR_GPU);
    let (code, _, error) = load(c"\x7fELF\x02\x01");
    assert_eq!(code, Code::NO_BINARY_FOR_GPU);
    assert!(error.contains("PTX"), "{error}");
}

#[test]
fn a_log_that_does_not_fit_is_cut_off() {
    let _device = Device::new(17);
    let mut buffer = [0x55_u8; 8];
    let mut options = [5, 6];
    let mut values: [*mut c_void; 2] = [buffer.as_mut_ptr().cast(), without_provenance_mut(6)];
    let mut module = null_mut();
    // SAFETY: the buffer is longer than the options say.
    unsafe {
        let text = c"nonsense".as_ptr();
        let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
        is(sys::cuModuleLoadDataEx(&raw mut module, text.cast(), 2, options, values), Code::INVALID_PTX);
    }
    assert_eq!((buffer[5], buffer[6], values[1].addr()), (0, 0x55, 6));
}

#[test]
fn functions_and_variables_are_found_by_name() {
    let device = Device::new(17);
    assert_eq!(device.function("store"), device.function("store"));
    unsafe {
        let absent = sys::cuModuleGetFunction(nowhere(), device.module, c"absent".as_ptr());
        is(absent, Code::NOT_FOUND);
        assert_eq!(get(|p| sys::cuFuncGetModule(p, device.function("store"))), device.module);
        let mut size = 0;
        let at = get(|p| sys::cuModuleGetGlobal_v2(p, &raw mut size, device.module, c"word".as_ptr()));
        let mut word = 0_u32;
        ok(sys::cuMemcpyDtoH_v2((&raw mut word).cast(), at, size));
        assert_eq!((word, size), (77, 4));
        is(sys::cuMemcpyDtoH_v2((&raw mut word).cast(), at, 5), Code::INVALID_VALUE);
        is(
            sys::cuModuleGetGlobal_v2(null_mut(), null_mut(), device.module, c"absent".as_ptr()),
            Code::NOT_FOUND,
        );
    }
}

#[test]
fn arguments_can_come_in_one_buffer() {
    #[repr(C)]
    struct Args {
        at: u64,
        value: u32,
    }
    let device = Device::new(17);
    let word = pinned(1);
    let mut args = Args { at: address(word), value: 21 };
    let mut size = Box::new(size_of::<Args>());
    let mut extra: [*mut c_void; 5] = [
        without_provenance_mut(1),
        (&raw mut args).cast(),
        without_provenance_mut(2),
        (&raw mut *size).cast(),
        null_mut(),
    ];
    unsafe {
        let f = device.function("store");
        let mut launch =
            || sys::cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), extra.as_mut_ptr());
        ok(launch());
        ok(sys::cuCtxSynchronize());
        assert_eq!(atomic(word).load(Ordering::Acquire), 21);
        *size = 8;
        is(launch(), Code::INVALID_VALUE);
    }
}

#[test]
fn devices_tell_who_they_are() {
    start();
    unsafe {
        let mut name: [c_char; 9] = [1; 9];
        ok(sys::cuDeviceGetName(name.as_mut_ptr(), 9, 3));
        assert_eq!(CStr::from_ptr(name.as_ptr()), c"Software", "cut off, with its zero");
        let mut id: [c_char; 20] = [0; 20];
        ok(sys::cuDeviceGetPCIBusId(id.as_mut_ptr(), 20, 3));
        assert_eq!(CStr::from_ptr(id.as_ptr()), c"0000:04:00.0");
        for form in [c"0000:04:00.0", c"04:00.0", c"0000:04:00"] {
            assert_eq!(get(|p| sys::cuDeviceGetByPCIBusId(p, form.as_ptr())), 3);
        }
        is(sys::cuDeviceGetByPCIBusId(nowhere(), c"0000:99:00.0".as_ptr()), Code::INVALID_DEVICE);
        let uuid = get(|p| sys::cuDeviceGetUuid_v2(p, 3));
        assert_eq!(uuid.bytes, *b"soft-gpu\0\0\0\0\0\0\0\x03");
        let attribute = |which| get(|p| sys::cuDeviceGetAttribute(p, which, 3));
        assert_eq!([1, 10, 16, 19, 83, 89, 95, 115].map(attribute), [1024, 32, 4, 1, 1, 1, 1, 1]);
    }
}
