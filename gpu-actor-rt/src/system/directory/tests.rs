//! The directory on the software GPU, and on one whose allocations a test holds up.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier, Condvar, Mutex};

use kernels_ptx::abi::{LINE, actor_type};

use super::*;
use crate::device::soft::{Soft, SoftConfig};
use crate::device::{
    Allocation, DeviceError, DeviceInfo, LaunchRequest, Launched, LoadReport, LoadedModule, MemoryInfo,
    MemoryKind, VerifiedModule,
};
use crate::shared::Mapped;
use crate::sync::Words;

const WORKERS: u32 = 2;
const STRIDE: u64 = 48;

/// The words that a directory publishes.
struct Published {
    chunks: Mapped,
    counts: Mapped,
}

impl Published {
    fn count(&self, worker: u32) -> u64 {
        self.counts.load(u64::from(worker) * LINE, Ordering::Acquire)
    }

    fn chunks(&self, worker: u32) -> Vec<u64> {
        let at = |chunk| (u64::from(worker) * actor_type::MAX_CHUNKS + chunk) * 8;
        let words = (0..actor_type::MAX_CHUNKS).map(|chunk| self.chunks.load(at(chunk), Ordering::Acquire));
        words.take_while(|address| *address != 0).collect()
    }
}

fn soft() -> Soft {
    Soft::open(&SoftConfig::default()).unwrap()
}

/// A directory of one type, and its memory.
fn directory() -> (Directory, [TypeMemory; 1], Published) {
    let device = soft();
    let mapped =
        |bytes| Mapped::new(device.alloc(MemoryKind::Mapped, bytes as usize).unwrap().into()).unwrap();
    let chunks = mapped(u64::from(WORKERS) * actor_type::MAX_CHUNKS * 8);
    let counts = mapped(u64::from(WORKERS) * LINE);
    let memory = TypeMemory::new(STRIDE, chunks.clone(), counts.clone());
    (Directory::of([7].into_iter(), WORKERS, None), [memory], Published { chunks, counts })
}

/// The worker and the first keys of its actors.
fn keys_of(worker: u32) -> impl Iterator<Item = Key> {
    (0..u64::MAX).map(Key::Integer).filter(move |key| Spot::of(key, 7, WORKERS).worker == worker)
}

#[test]
fn ids_are_slots_in_order_and_lead_back_to_their_keys() {
    let (directory, memory, published) = directory();
    let device = soft();
    let resolve = |key: &Key| directory.resolve(1, key, "T", &memory, &device).unwrap();
    let keys: Vec<Key> = (0..5000u64)
        .flat_map(|key| [Key::Integer(key), Key::from(key.to_string()), Key::from(format!("actor {key}"))])
        .collect();
    let ids: Vec<RawId> = keys.iter().map(resolve).collect();
    assert_eq!(ids.iter().map(|id| id.0).collect::<HashSet<_>>().len(), keys.len());
    let mut slots = [0; WORKERS as usize];
    for (key, id) in keys.iter().zip(&ids) {
        assert_eq!(resolve(key), *id, "{key}");
        assert_eq!(directory.key(*id).as_ref(), Some(key));
        assert_eq!(id.slot(), slots[id.worker() as usize], "{key}");
        slots[id.worker() as usize] += 1;
    }
    for worker in 0..WORKERS {
        let count = u64::from(slots[worker as usize]);
        assert_eq!(published.count(worker), count);
        assert_eq!(published.chunks(worker).len() as u64, count.div_ceil(CHUNK));
        assert_eq!(directory.key(RawId::new(1, worker, count as u32)), None);
    }
    assert_eq!(directory.key(RawId::new(2, 0, 0)), None);
    assert!(directory.resolve(2, &Key::Integer(0), "U", &memory, &device).is_err());
}

#[test]
fn what_the_device_refuses_leaves_no_trace() {
    let (directory, memory, published) = directory();
    let tiny = Soft::open(&SoftConfig { memory: 1024, ..SoftConfig::default() }).unwrap();
    let key = Key::Integer(1);
    let refused = directory.resolve(1, &key, "T", &memory, &tiny);
    assert!(matches!(refused, Err(Error::Device(DeviceError::OutOfMemory { .. }))), "{refused:?}");
    let worker = Spot::of(&key, 7, WORKERS).worker;
    assert_eq!((published.count(worker), published.chunks(worker).len()), (0, 0));
    let id = directory.resolve(1, &key, "T", &memory, &soft()).unwrap();
    assert_eq!((id.slot(), published.count(worker)), (0, 1));
}

#[test]
fn threads_agree_on_every_id() {
    const THREADS: usize = 4;
    const KEYS: u64 = 6000;
    let (directory, memory, published) = directory();
    let (device, start) = (soft(), Barrier::new(THREADS));
    let ids: Vec<Vec<RawId>> = std::thread::scope(|scope| {
        let resolver = |thread: u64| {
            let (directory, memory, device, start) = (&directory, &memory, &device, &start);
            move || {
                start.wait();
                // Each begins elsewhere, so that all of them come first somewhere.
                let key = |n: u64| (n + thread * KEYS / THREADS as u64) % KEYS;
                let mut ids: Vec<_> = (0..KEYS)
                    .map(|n| {
                        (key(n), directory.resolve(1, &Key::Integer(key(n)), "T", memory, device).unwrap())
                    })
                    .collect();
                ids.sort_by_key(|(key, _)| *key);
                ids.into_iter().map(|(_, id)| id).collect()
            }
        };
        let threads: Vec<_> = (0..THREADS as u64).map(|thread| scope.spawn(resolver(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|thread| *thread == ids[0]));
    assert_eq!(ids[0].iter().map(|id| id.0).collect::<HashSet<_>>().len() as u64, KEYS);
    assert_eq!((0..WORKERS).map(|worker| published.count(worker)).sum::<u64>(), KEYS);
    for worker in 0..WORKERS {
        let chunks = published.chunks(worker);
        assert_eq!(chunks.len() as u64, published.count(worker).div_ceil(CHUNK));
        assert_eq!(chunks.iter().collect::<HashSet<_>>().len(), chunks.len(), "no chunk twice");
    }
}

/// A software GPU whose allocations wait until they are let go on.
#[derive(Debug)]
struct Held {
    device: Soft,
    /// Allocations that have begun, and whether they may go on.
    gate: Mutex<(u32, bool)>,
    moved: Condvar,
}

impl Held {
    fn await_allocations(&self, count: u32) {
        let gate = self.gate.lock().unwrap();
        drop(self.moved.wait_while(gate, |gate| gate.0 < count).unwrap());
    }

    fn let_go(&self) {
        self.gate.lock().unwrap().1 = true;
        self.moved.notify_all();
    }
}

impl Device for Held {
    fn alloc(&self, kind: MemoryKind, bytes: usize) -> Result<Box<dyn Allocation>, DeviceError> {
        let mut gate = self.gate.lock().unwrap();
        gate.0 += 1;
        self.moved.notify_all();
        drop(self.moved.wait_while(gate, |gate| !gate.1).unwrap());
        self.device.alloc(kind, bytes)
    }

    fn info(&self) -> DeviceInfo {
        self.device.info()
    }

    fn memory_info(&self) -> Result<MemoryInfo, DeviceError> {
        self.device.memory_info()
    }

    fn accepts(&self, module: &dyn LoadedModule) -> bool {
        self.device.accepts(module)
    }

    fn load(&self, module: &VerifiedModule) -> Result<LoadReport, DeviceError> {
        self.device.load(module)
    }

    fn copy_to_device(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.device.copy_to_device(address, bytes)
    }

    fn copy_from_device(&self, bytes: &mut [u8], address: u64) -> Result<(), DeviceError> {
        self.device.copy_from_device(bytes, address)
    }

    fn timer(&self) -> Result<u64, DeviceError> {
        self.device.timer()
    }

    unsafe fn launch(&self, launch: &LaunchRequest<'_>) -> Result<Box<dyn Launched>, DeviceError> {
        // SAFETY: the caller's promises are the device's.
        unsafe { self.device.launch(launch) }
    }
}

/// Were a lock held over the allocation, this test would not end.
#[test]
fn an_allocation_that_takes_long_holds_nobody_up() {
    let (directory, memory, published) = directory();
    let (quick, slow) =
        (soft(), Arc::new(Held { device: soft(), gate: Mutex::default(), moved: Condvar::new() }));
    let resolve = |key: &Key, device: &dyn Device| directory.resolve(1, key, "T", &memory, device).unwrap();
    // Two keys of one shard that are on one worker.
    let first = Key::Integer(0);
    let spot = Spot::of(&first, 7, WORKERS);
    let second =
        keys_of(spot.worker).skip(1).find(|key| Spot::of(key, 7, WORKERS).shard == spot.shard).unwrap();
    std::thread::scope(|scope| {
        let waits: Vec<_> = [&first, &second].map(|key| scope.spawn(|| resolve(key, slow.as_ref()))).into();
        // Both are in the device at a time, and neither has the shard.
        slow.await_allocations(2);
        // Meanwhile all the others get on, on this worker with a chunk of their own.
        let others: Vec<_> =
            keys_of(spot.worker).filter(|key| *key != first && *key != second).take(100).collect();
        for (slot, key) in (0..).zip(&others) {
            let id = resolve(key, &quick);
            assert_eq!((id.slot(), directory.key(id).as_ref()), (slot, Some(key)));
        }
        slow.let_go();
        let mut slots: Vec<_> = waits.into_iter().map(|thread| thread.join().unwrap().slot()).collect();
        slots.sort_unstable();
        assert_eq!(slots, [100, 101]);
    });
    // What both brought is spare, and the next chunks are made of it.
    assert_eq!(published.chunks(spot.worker).len(), 1);
    slow.gate.lock().unwrap().1 = false;
    for key in keys_of(spot.worker).take(3 * CHUNK as usize) {
        resolve(&key, slow.as_ref());
    }
    assert_eq!((published.chunks(spot.worker).len(), slow.gate.lock().unwrap().0), (3, 2));
}
