//! The pool's counters for the crate `metrics`.

use super::PoolStats;

impl PoolStats {
    /// Gives the counters to the recorder of the crate [`metrics`] that the program has installed, if it has. With the feature `metrics`
    /// a system's pool does so itself, once a second while it has memory.
    ///
    /// | name | kind | unit | labels |
    /// |---|---|---|---|
    /// | `gpu_actor_pool_hits`, `gpu_actor_pool_misses` | counter | buffers | `block`: bytes of the blocks |
    /// | `gpu_actor_pool_in_use`, `gpu_actor_pool_held`, `gpu_actor_pool_in_use_high_water` | gauge | bytes | `block` |
    /// | `gpu_actor_pool_returned` | counter | bytes | |
    /// | `gpu_actor_pool_high_water`, `gpu_actor_pool_limit` | gauge | bytes | |
    /// | `gpu_actor_pool_pressure` | gauge | 0 (low) to 3 (critical) | |
    ///
    /// Sizes of which there never was a block are left out.
    pub fn export(&self) {
        for bucket in self.buckets.iter().filter(|bucket| bucket.hits + bucket.misses + bucket.held != 0) {
            let block = bucket.block.to_string();
            let bytes = |blocks: u64| (blocks * bucket.block) as f64;
            metrics::counter!("gpu_actor_pool_hits", "block" => block.clone()).absolute(bucket.hits);
            metrics::counter!("gpu_actor_pool_misses", "block" => block.clone()).absolute(bucket.misses);
            metrics::gauge!("gpu_actor_pool_in_use", "block" => block.clone()).set(bytes(bucket.in_use));
            metrics::gauge!("gpu_actor_pool_held", "block" => block.clone()).set(bytes(bucket.held));
            metrics::gauge!("gpu_actor_pool_in_use_high_water", "block" => block)
                .set(bytes(bucket.high_water));
        }
        metrics::counter!("gpu_actor_pool_returned").absolute(self.returned);
        metrics::gauge!("gpu_actor_pool_high_water").set(self.high_water as f64);
        metrics::gauge!("gpu_actor_pool_limit").set(self.limit as f64);
        metrics::gauge!("gpu_actor_pool_pressure").set(f64::from(self.pressure as u8));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::super::{BufferPool, PoolConfig};
    use crate::device::soft::{Soft, SoftConfig};

    type Values = Arc<Mutex<HashMap<String, f64>>>;

    /// One that remembers what it was told last.
    #[derive(Default)]
    struct Memory(Values);

    struct Cell(Values, String);

    impl Cell {
        fn put(&self, value: f64) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.1.clone(), value);
        }
    }

    impl CounterFn for Cell {
        fn increment(&self, _: u64) {
            self.put(f64::NAN);
        }

        fn absolute(&self, value: u64) {
            self.put(value as f64);
        }
    }

    impl GaugeFn for Cell {
        fn increment(&self, _: f64) {
            self.put(f64::NAN);
        }

        fn decrement(&self, _: f64) {
            self.put(f64::NAN);
        }

        fn set(&self, value: f64) {
            self.put(value);
        }
    }

    impl Memory {
        fn cell(&self, key: &Key) -> Arc<Cell> {
            let labels: Vec<_> =
                key.labels().map(|label| format!(" {}={}", label.key(), label.value())).collect();
            Arc::new(Cell(Arc::clone(&self.0), format!("{}{}", key.name(), labels.concat())))
        }
    }

    impl Recorder for Memory {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.cell(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.cell(key))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn a_recorder_is_told_what_the_statistics_say() {
        let device = Arc::new(Soft::open(&SoftConfig::default()).unwrap());
        let pool = BufferPool::new(device, &PoolConfig::default()).unwrap();
        let (first, second) = (pool.take(5000).unwrap(), pool.take(5000).unwrap());
        pool.put(second);
        let third = pool.take(8192).unwrap();
        pool.put(third);
        let memory = Memory::default();
        metrics::with_local_recorder(&memory, || pool.stats().export());
        let values = memory.0.lock().unwrap();
        for (name, value) in [
            ("gpu_actor_pool_hits block=8192", 1.0),
            ("gpu_actor_pool_misses block=8192", 2.0),
            ("gpu_actor_pool_in_use block=8192", 8192.0),
            ("gpu_actor_pool_held block=8192", 8192.0),
            ("gpu_actor_pool_in_use_high_water block=8192", 16384.0),
            ("gpu_actor_pool_high_water", 16384.0),
            ("gpu_actor_pool_returned", 0.0),
            ("gpu_actor_pool_pressure", 0.0),
        ] {
            let told = values.get(name).copied();
            assert!(told.is_some_and(|told| (told - value).abs() < 0.5), "{name}: {told:?}, not {value}");
        }
        assert_eq!(values.len(), 9, "{:?}", values.keys());
        drop(values);
        pool.put(first);
    }
}
