//! A signal that is longer than a message, and actors that work on it where it is.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use std::time::Duration;

use gpu_actor_rt::prelude::*;
use gpu_actor_rt::{PoolConfig, PoolMode};

// ANCHOR: pool
/// Where buffers come from, for whoever wants to say so.
pub fn pool() -> Config {
    let pool = PoolConfig::default()
        .mode(PoolMode::Host) // what host and device both reach
        .reserve(1 << 20, 8) // eight blocks of 1 MiB from the start on
        .max_bytes(1 << 30) // never more than 1 GiB
        .max_age(Some(Duration::from_secs(5))) // what nobody needed for so long goes back
        .on_pressure(|change| eprintln!("memory is {}", change.to));
    Config::default().pool(pool)
}
// ANCHOR_END: pool

// ANCHOR: stage
/// One stage of a chain: amplifies a signal, and hands it on.
#[gpu_actor]
#[derive(Default)]
pub struct Stage {
    gain: f32,
    next: ActorId<Stage>,
    samples: u64,
}

#[gpu_actor]
impl Stage {
    /// Says by how much it amplifies, and who is next.
    #[handler]
    pub fn set(&mut self, gain: f32, next: ActorId<Stage>) {
        self.gain = gain;
        self.next = next;
    }

    /// Amplifies in place, and passes the signal on so many times.
    #[handler]
    pub fn amplify(&mut self, cx: &mut Cx, mut signal: GpuSliceMut<f32>, hops: u32) {
        for i in 0..signal.len() {
            signal[i] *= self.gain;
        }
        self.samples += signal.len() as u64;
        if hops > 0 {
            cx.tell(self.next.amplify(signal, hops - 1));
        }
    }
    // ANCHOR_END: stage

    // ANCHOR: reads
    /// The mean of the samples.
    ///
    /// # Panics
    /// Without samples: on the device that is a fault.
    #[handler]
    pub fn mean(&self, signal: GpuSlice<f32>) -> f64 {
        assert!(!signal.is_empty(), "no samples have no mean");
        let mut sum = 0.0f64;
        for x in signal.clone() {
            sum += x as f64;
        }
        sum / signal.len() as f64
    }

    /// The loudest part of so many samples: not a copy, but that part of the buffer.
    ///
    /// # Panics
    /// Where there are fewer samples: on the device that is a fault.
    #[handler]
    pub fn loudest(&self, signal: GpuSlice<f32>, window: u32) -> GpuSlice<f32> {
        let window = window as usize;
        assert!(window > 0 && window <= signal.len(), "the window is longer than the signal");
        let mut energy = 0.0f64;
        for i in 0..window {
            energy += signal[i] as f64 * signal[i] as f64;
        }
        let mut most = energy;
        let mut at = 0usize;
        for i in window..signal.len() {
            let new = signal[i] as f64;
            let old = signal[i - window] as f64;
            energy += new * new - old * old;
            if energy > most {
                most = energy;
                at = i + 1 - window;
            }
        }
        signal.slice(at..at + window)
    }
    // ANCHOR_END: reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_actor_rt::NativeBuffer;

    // ANCHOR: native
    #[test]
    fn a_stage_amplifies_and_passes_on() {
        let mut stage = Stage { gain: 2.0, ..Stage::default() };
        let signal = NativeBuffer::new(&[1.0, -3.0]);
        let mut cx = Cx::native();
        stage.amplify(&mut cx, signal.slice_mut(..), 1);
        assert_eq!(signal.to_vec(), [2.0, -6.0]);
        assert_eq!((stage.samples, cx.sent().len()), (2, 1));
    }
    // ANCHOR_END: native

    #[test]
    fn the_loudest_part_is_found() {
        let signal = NativeBuffer::new(&[0.0f32, 1.0, -4.0, 3.0, 0.5, 0.0]);
        let stage = Stage::default();
        assert_eq!(*stage.loudest(signal.slice(..), 2), [-4.0, 3.0]);
        assert_eq!(*stage.loudest(signal.slice(3..), 3), [3.0, 0.5, 0.0]);
        assert!(stage.mean(signal.slice(1..4)).abs() < 1e-9);
    }
}
