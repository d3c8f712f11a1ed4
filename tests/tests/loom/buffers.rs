//! Buffers between workers and the host: the very code by which the device locks them and tells of references, and by which the host
//! counts those.

use gpu_actor_rt::__private::ring::{Completions, Shape};
use kernels_ptx::abi::{LINE, buffers as block, control, cx, scratch, slice, view};
use kernels_ptx::device::{ld_weak, st_weak};
use kernels_ptx::ring::buffers::{lock, release, unlock};
use loom::thread;
use std::sync::Arc;

use self::table::Buffers;
use super::memory::{Model, Region};
use super::{SIZE, check};

/// What the included file finds beside it: the count of one buffer.
mod table {
    use loom::sync::Mutex;

    #[derive(Debug)]
    pub(super) struct Buffers {
        count: Mutex<i64>,
        /// References that are never given up while the model runs.
        least: i64,
    }

    #[derive(Debug)]
    pub(super) struct Done;

    impl Buffers {
        pub(super) fn new(count: i64, least: i64) -> Self {
            Self { count: Mutex::new(count), least }
        }

        pub(super) fn changed(&self, _: u64, by: i64) -> Option<Done> {
            let mut count = self.count.lock().unwrap();
            *count += by;
            assert!(*count >= self.least, "the buffer was given back while somebody had a reference");
            None
        }

        pub(super) fn count(&self) -> i64 {
            *self.count.lock().unwrap()
        }
    }
}

#[allow(dead_code, reason = "the model does not use every method")]
#[path = "../../../gpu-actor-rt/src/buffer/releases.rs"]
mod releases;

/// Two workers' rings of releases, their tickets, a lock, a mailbox; then plain memory: each worker's record and what it names, a
/// buffer.
const RING: u64 = 2 * SIZE;
const TICKETS: u64 = 2 * RING;
const LOCKS: u64 = TICKETS + 2 * LINE;
const MAIL: u64 = LOCKS + LINE;
const CONTROL: u64 = MAIL + LINE;
const RECORDS: u64 = CONTROL + control::SIZE;
const RECORD: u64 = 1024;
const BLOCK: u64 = 768;
const BUFFER: u64 = RECORDS + 2 * RECORD;
const HANDLE: u64 = 1 << slice::INDEX_BITS;

fn is_control(address: u64) -> bool {
    address.is_multiple_of(SIZE) && address < TICKETS || (TICKETS..RECORDS).contains(&address)
}

/// Memory in which each of two workers has a view of the buffer. Worker 1's rings are where its block says, so that one worker's
/// index does for both.
fn model() -> Arc<Model> {
    let model = Model::new((BUFFER + 8) / 8, is_control);
    for worker in 0..2 {
        let record = RECORDS + worker * RECORD;
        for (address, value) in [
            (record + cx::BUFFERS, record + BLOCK),
            (record + scratch::VIEWS + view::HANDLE, HANDLE),
            (record + BLOCK + block::RELEASES, worker * RING),
            (record + BLOCK + block::RELEASE_CAPACITY, 2),
            (record + BLOCK + block::TICKETS, TICKETS + worker * LINE),
            (record + BLOCK + block::LOCKS, LOCKS),
            (record + BLOCK + block::CONTROL, CONTROL),
        ] {
            model.write(address, value);
        }
    }
    model
}

/// A message's buffer is handed on twice by worker 0; worker 1 ends one of the two messages. Whenever the host looks, it never counts
/// less than there is.
#[test]
fn a_reference_is_not_given_up_before_it_is_heard_of() {
    check(3, || {
        let model = model();
        model.clone().run(|| {
            let shape = Shape { capacity: 2, slot_size: SIZE };
            let rings = [0, RING].map(|at| Completions::new(Region(model.clone(), at), shape)).into();
            let (releases, counted) = (releases::Releases::new(rings, 2), Buffers::new(1, 1));
            // The second worker has its message from the first: what they do is in this order, in two rings.
            let workers = thread::spawn(|| {
                release(RECORDS, HANDLE, 1);
                release(RECORDS + RECORD, HANDLE, u32::MAX);
            });
            releases.drain(&counted);
            workers.join().unwrap();
            while releases.drain(&counted) {}
            assert_eq!(counted.count(), 1);
        });
    });
}

/// A reply whose reader is done with it, while somebody else looks at the rings: what it gave up is counted.
#[test]
fn what_arrives_is_counted_whoever_else_is_looking() {
    check(3, || {
        let model = model();
        model.clone().run(|| {
            let shape = Shape { capacity: 2, slot_size: SIZE };
            let rings = [0, RING].map(|at| Completions::new(Region(model.clone(), at), shape)).into();
            let releases = Arc::new(releases::Releases::new(rings, 2));
            let counted = Arc::new(Buffers::new(2, 0));
            let other = {
                let (releases, counted) = (releases.clone(), counted.clone());
                thread::spawn(move || {
                    releases.drain(&counted);
                })
            };
            releases.arrive(&counted, HANDLE);
            assert_eq!(counted.count(), 1, "who gave it up has seen to it");
            other.join().unwrap();
        });
    });
}

/// Two workers write to one buffer: one after the other, and the later one sees what the earlier one wrote.
#[test]
fn one_worker_at_a_time_has_the_lock_for_writing() {
    check(3, || {
        let model = model();
        model.clone().run(|| {
            let count = |record: u64| {
                let spec = 1 | view::WRITES;
                lock(record, spec);
                st_weak(BUFFER, ld_weak(BUFFER) + 1);
                unlock(record, spec, 1);
            };
            let other = thread::spawn(move || count(RECORDS + RECORD));
            count(RECORDS);
            other.join().unwrap();
            assert_eq!(model.read(BUFFER), 2);
        });
    });
}

/// Readers share the lock, and keep out who writes.
#[test]
fn readers_see_what_was_written_before_or_after_them() {
    check(3, || {
        let model = model();
        model.clone().run(|| {
            let reads = |record: u64| {
                lock(record, 1);
                let seen = ld_weak(BUFFER);
                unlock(record, 1, 1);
                seen
            };
            let reader = thread::spawn(move || reads(RECORDS + RECORD));
            lock(RECORDS, 1 | view::WRITES);
            st_weak(BUFFER, 7);
            st_weak(BUFFER, 8);
            unlock(RECORDS, 1 | view::WRITES, 1);
            let seen = reader.join().unwrap();
            assert!(seen == 0 || seen == 8, "{seen} is half of what was written");
            assert_eq!(reads(RECORDS), 8);
        });
    });
}
