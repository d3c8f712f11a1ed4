//! Links, peer access and peer copies.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

use std::sync::atomic::{AtomicU32, Ordering};

use soft_gpu::{Arg, Device, Error, Launch, LaunchConfig, Link, Platform, Status, Violation, ViolationKind};

fn platform(text: &str) -> Platform {
    Platform::new(text.parse().unwrap()).unwrap()
}

/// `k(p)` writes 42 there; `wait(p, gate)` waits until the word at `gate` is not 0, then does the same.
const KERNELS: &str = ".version 7.0\n.target sm_70\n.address_size 64
    .visible .entry k(.param .u64 p) {
        .reg .b64 %p;
        ld.param.u64 %p, [p];
        st.global.u32 [%p], 42;
        ret;
    }
    .visible .entry wait(.param .u64 p, .param .u64 gate) {
        .reg .b64 %p, %g;
        .reg .b32 %v;
        .reg .pred %q;
        ld.param.u64 %p, [p];
        ld.param.u64 %g, [gate];
    again:
        ld.volatile.global.u32 %v, [%g];
        setp.eq.u32 %q, %v, 0;
        @%q bra again;
        st.global.u32 [%p], 42;
        ret;
    }";

#[track_caller]
fn launch(device: &Device, entry: &str, args: &[u64]) -> Launch {
    let module = device.load_ptx(KERNELS).unwrap();
    let args: Vec<Arg> = args.iter().map(|arg| Arg::U64(*arg)).collect();
    // SAFETY: checked devices check what kernels touch, and the others are given memory that outlives the launch.
    unsafe { device.launch(&module.function(entry).unwrap(), &LaunchConfig::new(1, 1), &args).unwrap() }
}

#[track_caller]
fn violation(status: Status) -> Violation {
    match status {
        Status::Failed(Error::Violation(violation)) => *violation,
        other => panic!("{other:?}"),
    }
}

fn word(device: &Device, address: u64) -> u32 {
    let mut bytes = [0; 4];
    device.copy_from_device(&mut bytes, address).unwrap();
    u32::from_ne_bytes(bytes)
}

#[test]
fn links_are_the_same_both_ways_and_none_is_a_peer_of_itself() {
    let platform = platform("devices=3,links=none,link=0-2:nvlink,link=2-1:pcie");
    let all: Vec<Link> =
        (0..3).flat_map(|a| (0..3).map(move |b| (a, b))).map(|(a, b)| platform.link(a, b)).collect();
    let (n, p, o) = (Link::NvLink, Link::Pcie, Link::NoPeer);
    assert_eq!(all, [o, o, n, o, o, p, n, p, o]);
    assert_eq!(platform.link(0, 3), o);
    assert!(n.native_atomics() && !p.native_atomics() && p.peer_access() && !o.peer_access());
    assert!(n.performance_rank() < p.performance_rank());
    let error = Platform::new("devices=2,link=0-2:pcie".parse().unwrap()).unwrap_err();
    assert!(matches!(&error, Error::InvalidConfig { reason } if reason.contains("device 2")), "{error}");
}

#[test]
fn access_is_enabled_once_in_one_direction_where_a_link_allows_it() {
    let platform = platform("devices=3,links=none,link=0-1:pcie");
    assert_eq!(platform.enable_peer(0, 2), Err(Error::PeerNotSupported { from: 0, to: 2 }));
    assert_eq!(platform.enable_peer(1, 1), Err(Error::PeerNotSupported { from: 1, to: 1 }));
    assert_eq!(platform.enable_peer(0, 3), Err(Error::NoSuchDevice { index: 3, count: 3 }));
    assert_eq!(platform.disable_peer(0, 1), Err(Error::PeerNotEnabled { from: 0, to: 1 }));
    platform.enable_peer(0, 1).unwrap();
    assert_eq!(platform.enable_peer(0, 1), Err(Error::PeerAlreadyEnabled { from: 0, to: 1 }));
    assert!(platform.peer_enabled(0, 1) && !platform.peer_enabled(1, 0));
    platform.disable_peer(0, 1).unwrap();
    platform.enable_peer(0, 1).unwrap();
}

#[test]
fn a_checked_kernel_touches_a_peers_memory_only_while_it_may() {
    let platform = platform("devices=2,checked");
    let [first, second] = platform.devices() else { panic!("two devices") };
    let memory = second.alloc(4).unwrap();
    let refused = |device: &Device| {
        let found = violation(launch(device, "k", &[memory.address()]).wait(None));
        assert_eq!(found.kind, ViolationKind::NoPeerAccess);
        assert!(found.detail.contains("device 1") && found.detail.contains("device 0"), "{found}");
    };
    refused(first);
    assert_eq!(word(second, memory.address()), 0, "nothing was written");
    platform.enable_peer(1, 0).unwrap();
    refused(first);
    platform.enable_peer(0, 1).unwrap();
    assert_eq!(launch(first, "k", &[memory.address()]).wait(None), Status::Finished);
    assert_eq!(word(second, memory.address()), 42);
    platform.disable_peer(0, 1).unwrap();
    refused(first);
    // What is out of bounds stays so.
    platform.enable_peer(0, 1).unwrap();
    let found = violation(launch(first, "k", &[memory.address() + 4]).wait(None));
    assert_eq!(found.kind, ViolationKind::OutOfBounds);
}

#[test]
fn a_checked_kernel_that_runs_notices_what_changes() {
    for (enabled, expected) in [(true, true), (false, false)] {
        let platform = platform("devices=2,checked");
        let [first, second] = platform.devices() else { panic!("two devices") };
        let (memory, gate) = (second.alloc(4).unwrap(), first.alloc_mapped(4).unwrap());
        if !enabled {
            platform.enable_peer(0, 1).unwrap();
        }
        let launch = launch(first, "wait", &[memory.address(), gate.address()]);
        if enabled {
            platform.enable_peer(0, 1).unwrap();
        } else {
            platform.disable_peer(0, 1).unwrap();
        }
        open(&gate);
        let status = launch.wait(None);
        assert_eq!(status == Status::Finished, expected, "{status:?}");
    }
}

/// Lets the kernel go on.
fn open(gate: &soft_gpu::MappedMemory) {
    // SAFETY: the memory has four bytes, is aligned, and host and kernel use it as one word at a time.
    let gate = unsafe { AtomicU32::from_ptr(gate.host_ptr().as_ptr().cast()) };
    gate.store(1, Ordering::Release);
}

#[test]
fn mapped_memory_is_for_all_devices() {
    let platform = platform("devices=2,checked,links=none");
    let [first, second] = platform.devices() else { panic!("two devices") };
    let memory = first.alloc_mapped(4).unwrap();
    assert_eq!(launch(second, "k", &[memory.address()]).wait(None), Status::Finished);
    assert_eq!(word(first, memory.address()), 42);
}

#[test]
fn memory_is_kept_for_the_kernels_of_peers() {
    for mode in ["fast", "checked"] {
        let platform = platform(&format!("devices=2,{mode}"));
        let [first, second] = platform.devices() else { panic!("two devices") };
        let gate = first.alloc_mapped(4).unwrap();
        let (kept, free, mapped) =
            (first.alloc(100).unwrap(), second.alloc(100).unwrap(), second.alloc_mapped(28).unwrap());
        let running = launch(first, "wait", &[kept.address(), gate.address()]);
        // No kernel of a device with access to it runs, except for what is mapped.
        drop((free, mapped));
        assert_eq!(second.memory_info().quarantined, 28);
        // Access that is enabled now is for the kernel that runs too, and lasts as long as it.
        platform.enable_peer(0, 1).unwrap();
        drop(second.alloc(100).unwrap());
        assert_eq!(second.memory_info().quarantined, 128);
        platform.disable_peer(0, 1).unwrap();
        drop(second.alloc(100).unwrap());
        assert_eq!(second.memory_info().quarantined, 228);
        assert_eq!(first.memory_info().quarantined, 0);
        open(&gate);
        assert_eq!(running.wait(None), Status::Finished);
        let info = second.memory_info();
        assert_eq!((info.quarantined, info.free), (0, info.total));
    }
}

#[test]
fn peer_copies_are_checked_and_counted() {
    let platform = platform("devices=3,memory=16M,links=none,link=0-1:nvlink");
    let [first, second, _] = platform.devices() else { panic!("three devices") };
    // More than is copied in one go, and not a round number.
    let len = (3 << 20) + 7;
    let (source, target) = (first.alloc(len).unwrap(), second.alloc(len).unwrap());
    let bytes: Vec<u8> =
        (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    first.copy_to_device(source.address(), &bytes).unwrap();
    platform.copy_peer(1, target.address(), 0, source.address(), len).unwrap();
    let mut back = vec![0; len];
    second.copy_from_device(&mut back, target.address()).unwrap();
    assert!(back == bytes, "every byte has come");
    let traffic = platform.traffic(0, 1);
    assert_eq!((traffic.copies, traffic.bytes, traffic.staged_bytes), (1, len as u64, len as u64));
    // With access in either direction nothing goes through the host.
    platform.enable_peer(1, 0).unwrap();
    platform.copy_peer(1, target.address() + 1, 0, source.address(), 5).unwrap();
    assert_eq!(platform.traffic(0, 1).staged_bytes, len as u64);
    assert_eq!(platform.traffic(0, 1).bytes, len as u64 + 5);
    assert_eq!(platform.traffic(1, 0), soft_gpu::Traffic::default());
    // A range that is not whole moves nothing.
    let invalid = |result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::InvalidAddress { .. })), "{result:?}");
    };
    invalid(platform.copy_peer(1, target.address() + 1, 0, source.address(), len));
    invalid(platform.copy_peer(0, target.address(), 1, source.address(), 1));
    assert_eq!(
        platform.copy_peer(3, target.address(), 0, source.address(), 1),
        Err(Error::NoSuchDevice { index: 3, count: 3 })
    );
    assert_eq!(platform.traffic(0, 1).copies, 2);
    // On one device it is a copy like any other.
    platform.copy_peer(0, source.address(), 0, source.address() + 10, 3).unwrap();
    assert_eq!(word(first, source.address()).to_ne_bytes()[..3], bytes[10..13]);
}

#[test]
fn an_address_tells_whose_it_is() {
    let platform = platform("devices=2");
    let memory = platform.devices()[1].alloc_mapped(10).unwrap();
    let found = platform.find(memory.address() + 9).unwrap();
    assert_eq!((found.device, found.start, found.len, found.mapped), (1, memory.address(), 10, true));
    assert_eq!(platform.find(memory.address() + 10), None);
}
