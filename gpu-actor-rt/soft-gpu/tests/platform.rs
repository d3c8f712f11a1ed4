//! Platforms: several devices, what they say of themselves, and what they refuse.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

use soft_gpu::{
    Arg, Device, DeviceConfig, Error, LaunchConfig, LoadErrorKind, Platform, PlatformConfig, Status, Version,
};

fn platform(text: &str) -> Platform {
    Platform::new(text.parse().unwrap()).unwrap()
}

const STORE: &str = ".address_size 64\n.visible .entry k(.param .u64 out) {\n.reg .b64 %p;\n\
     ld.param.u64 %p, [out];\nst.global.u32 [%p], 42;\nret;\n}\n";

fn text(version: &str, target: &str) -> String {
    format!(".version {version}\n.target {target}\n{STORE}")
}

/// Runs the kernel on `device`, with the pointer that is given.
fn store(device: &Device, address: u64, config: &LaunchConfig) -> Result<Status, Error> {
    let module = device.load_ptx(&text("7.0", "sm_70")).unwrap();
    // SAFETY: the tests give memory that lives longer than the launch.
    let launch = unsafe { device.launch(&module.function("k")?, config, &[Arg::U64(address)])? };
    Ok(launch.wait(None))
}

#[test]
fn devices_have_numbers_places_and_memories_of_their_own() {
    let platform = platform("devices=3,memory=1M,1.name=Second,driver=12.8");
    assert_eq!(platform.driver_version(), Version::new(12, 8));
    let said: Vec<_> = platform.devices().iter().map(|d| d.properties().pci.to_string()).collect();
    assert_eq!(said, ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"]);
    let [first, second, third] = platform.devices() else { panic!("three devices") };
    assert_eq!((third.properties().index, second.properties().name.as_str()), (2, "Second"));
    assert_ne!(first.properties().uuid, second.properties().uuid);
    assert!(first.properties().uuid.starts_with(b"soft-gpu"));
    let all = first.alloc(1 << 20).unwrap();
    assert!(matches!(first.alloc(1), Err(Error::OutOfMemory { free: 0, .. })));
    let other = second.alloc(1 << 20).unwrap();
    for (device, memory) in [(first, &all), (second, &other)] {
        assert_eq!(store(device, memory.address(), &LaunchConfig::new(1, 1)), Ok(Status::Finished));
    }
    // A copy knows its own device's memory.
    assert!(matches!(first.copy_to_device(other.address(), &[1]), Err(Error::InvalidAddress { .. })));
}

#[test]
fn a_text_for_a_newer_device_is_refused_and_both_are_named() {
    let device =
        Device::open(DeviceConfig { compute_capability: Version::new(8, 6), ..DeviceConfig::default() })
            .unwrap();
    for target in ["sm_70", "sm_86", "sm_80, debug"] {
        device.load_ptx(&text("8.0", target)).unwrap();
    }
    for (target, needs) in
        [("sm_89", Version::new(8, 9)), ("sm_120a", Version::new(12, 0)), ("sm_80a", Version::new(8, 0))]
    {
        let error = device.load_ptx(&text("8.0", target)).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::WrongTarget { target: needs, device: Version::new(8, 6) });
        assert_eq!((error.line(), error.token()), (2, target));
        let said = error.to_string();
        assert!(said.contains(&needs.to_string()) && said.contains("8.6"), "{said}");
    }
}

#[test]
fn a_text_that_is_newer_than_the_driver_is_refused_and_both_are_named() {
    let platform = platform("driver=12.2");
    let device = &platform.devices()[0];
    device.load_ptx(&text("8.2", "sm_70")).unwrap();
    let error = device.load_ptx(&text("8.3", "sm_70")).unwrap_err();
    assert_eq!(
        error.kind(),
        LoadErrorKind::DriverTooOld { ptx: Version::new(8, 3), newest: Version::new(8, 2) }
    );
    let said = error.to_string();
    assert!(said.contains("PTX 8.3") && said.contains("CUDA 12.2") && error.line() == 1, "{said}");
}

#[test]
fn what_a_device_lacks_it_refuses() {
    let platform = platform("cooperative=no,mapped=no");
    let device = &platform.devices()[0];
    let memory = device.alloc(4).unwrap();
    let error = store(device, memory.address(), &LaunchConfig::new(1, 1).cooperative(true)).unwrap_err();
    assert!(matches!(&error, Error::NotSupported { what, .. } if what.contains("cooperative")), "{error}");
    assert!(matches!(device.alloc_mapped(4), Err(Error::NotSupported { .. })));
    assert_eq!(store(device, memory.address(), &LaunchConfig::new(1, 1)), Ok(Status::Finished));
}

#[test]
fn a_platform_has_any_number_of_devices_up_to_a_limit() {
    assert!(platform("devices=0").devices().is_empty());
    let config = PlatformConfig { devices: vec![DeviceConfig::default(); 65], ..PlatformConfig::default() };
    assert!(matches!(Platform::new(config), Err(Error::InvalidConfig { .. })));
}
