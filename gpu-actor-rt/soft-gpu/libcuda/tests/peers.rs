//! Peer access and peer copies through the driver API, over a platform with three kinds of link.

mod common;

use common::{
    STORE, alloc, answer, can_access, copy_peer, disable_peer, enable_peer, function, got, launch, load, p2p,
    retain, set_current, set_word, synchronize, word,
};
use soft_gpu::Platform;
use soft_gpu_libcuda::types::{CUmemAccessDesc, CUmemLocation};
use soft_gpu_libcuda::{Code, sys, use_soft};

#[test]
fn peers_are_what_the_links_and_the_contexts_say() {
    let text = "devices=4,checked,links=none,link=0-1:nvlink,link=0-2:pcie,link=2-3:nvlink,2.fault=copy:1";
    let platform = Platform::new(text.parse().unwrap()).unwrap();
    use_soft(platform.clone()).unwrap();
    // SAFETY: it takes flags alone.
    answer(unsafe { sys::cuInit(0) }).unwrap();

    // CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK, _ACCESS_SUPPORTED, _NATIVE_ATOMIC_SUPPORTED.
    let about = |from, to| (can_access(from, to), p2p(1, from, to), p2p(2, from, to), p2p(3, from, to));
    assert_eq!(about(0, 1), (Ok(true), Ok(0), Ok(1), Ok(1)));
    assert_eq!(about(2, 0), (Ok(true), Ok(1), Ok(1), Ok(0)));
    assert_eq!(about(1, 2), (Ok(false), Ok(2), Ok(0), Ok(0)));
    assert_eq!((can_access(0, 0), p2p(2, 0, 0)), (Ok(false), Err(Code::INVALID_DEVICE)));
    assert_eq!((can_access(0, 4), p2p(9, 0, 1)), (Err(Code::INVALID_DEVICE), Err(Code::INVALID_VALUE)));

    let contexts: Vec<_> = (0..4).map(|device| retain(device).unwrap()).collect();
    let memories: Vec<u64> = contexts
        .iter()
        .map(|context| {
            set_current(*context);
            let memory = alloc(4).unwrap();
            set_word(memory, 7).unwrap();
            synchronize().unwrap();
            memory
        })
        .collect();

    // Copies need no access.
    set_current(contexts[1]);
    copy_peer((memories[1], contexts[1]), (memories[0], contexts[0]), 4).unwrap();
    synchronize().unwrap();
    assert_eq!(word(memories[1]), Ok(7));
    let traffic = platform.traffic(0, 1);
    assert_eq!((traffic.bytes, traffic.staged_bytes), (4, 4));
    let wrong = copy_peer((memories[1], contexts[2]), (memories[0], contexts[0]), 4);
    assert_eq!(wrong, Err(Code::INVALID_VALUE), "not that context's memory");

    set_current(contexts[0]);
    assert_eq!(disable_peer(contexts[1]), Err(Code::PEER_ACCESS_NOT_ENABLED));
    assert_eq!(enable_peer(contexts[3]), Err(Code::PEER_ACCESS_UNSUPPORTED));
    assert_eq!(enable_peer(contexts[0]), Err(Code::INVALID_DEVICE));
    enable_peer(contexts[1]).unwrap();
    assert_eq!(enable_peer(contexts[1]), Err(Code::PEER_ACCESS_ALREADY_ENABLED));
    let k = function(load(STORE).unwrap()).unwrap();
    launch(k, memories[1]).unwrap();
    synchronize().unwrap();
    assert_eq!(word(memories[1]), Ok(42), "a kernel of device 0 wrote to device 1");

    // Another context of the device has no access of its own; the device keeps its access while one of them has it.
    // SAFETY: the pointer is to a context.
    let second = got(std::ptr::null_mut(), |p| unsafe { sys::cuCtxCreate_v2(p, 0, 0) }).unwrap();
    assert_eq!(disable_peer(contexts[1]), Err(Code::PEER_ACCESS_NOT_ENABLED));
    enable_peer(contexts[1]).unwrap();
    // SAFETY: it is a context, and no thread needs it any more.
    answer(unsafe { sys::cuCtxDestroy_v2(second) }).unwrap();
    assert!(platform.peer_enabled(0, 1));
    set_current(contexts[0]);
    disable_peer(contexts[1]).unwrap();
    assert!(!platform.peer_enabled(0, 1));

    // Access to a pool is given by itself; it is the device that has it.
    // SAFETY: the pointer is to a pool.
    let pool = got(std::ptr::null_mut(), |p| unsafe { sys::cuDeviceGetDefaultMemPool(p, 1) }).unwrap();
    let access = |device, flags| {
        let location = CUmemLocation { kind: 1, id: device };
        let map = CUmemAccessDesc { location, flags };
        // SAFETY: the map has one entry.
        answer(unsafe { sys::cuMemPoolSetAccess(pool, &raw const map, 1) })
    };
    let has = |device| {
        let mut location = CUmemLocation { kind: 1, id: device };
        // SAFETY: the pointers are to values of the right types.
        got(9, |p| unsafe { sys::cuMemPoolGetAccess(p, pool, &raw mut location) })
    };
    assert_eq!((has(0), has(1)), (Ok(0), Ok(3)));
    access(0, 3).unwrap();
    assert_eq!((has(0), platform.peer_enabled(0, 1)), (Ok(3), true));
    assert_eq!((access(2, 3), access(0, 1)), (Err(Code::PEER_ACCESS_UNSUPPORTED), Err(Code::NOT_SUPPORTED)));
    assert_eq!((access(1, 3), access(1, 0)), (Ok(()), Err(Code::INVALID_VALUE)));
    launch(k, memories[1]).unwrap();
    synchronize().unwrap();
    access(0, 0).unwrap();
    assert_eq!((has(0), platform.peer_enabled(0, 1)), (Ok(0), false));

    // A kernel that touches a peer's memory without access has touched an illegal address, and its device is of no use any more.
    launch(k, memories[1]).unwrap();
    assert_eq!(synchronize(), Err(Code::ILLEGAL_ADDRESS));
    assert_eq!(alloc(4), Err(Code::ILLEGAL_ADDRESS));
    set_current(contexts[1]);
    assert_eq!(word(memories[1]), Ok(42));

    // A link that fails.
    set_current(contexts[3]);
    let answers = [copy_peer((memories[3], contexts[3]), (memories[2], contexts[2]), 4), synchronize()];
    assert_eq!(answers[1], Err(Code::NVLINK_UNCORRECTABLE), "{answers:?}");
}
