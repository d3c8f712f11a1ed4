//! Loops over slices: the device takes several turns at once where it can, and nobody sees that.
//!
//! Each handler is compared with its native twin on the same elements: what it gives back, what it has written, and where it
//! faults, what it had written by then.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether or not it looks at the state")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Backend, behaviours};
use gpu_actor_rt::NativeBuffer;
use gpu_actor_rt::prelude::*;

behaviours! {
    loops_of_any_length_do_what_their_twins_do,
    loops_stop_where_their_twins_stop,
    grids_are_what_their_twins_make_of_them,
}

#[gpu_actor]
#[derive(Default)]
pub struct Loops {
    gain: f32,
}

#[gpu_actor]
impl Loops {
    #[handler]
    fn saxpy(&mut self, a: f32, x: GpuSlice<f32>, mut y: GpuSliceMut<f32>) {
        self.gain = a;
        for i in 0..y.len() {
            y[i] += self.gain * x[i];
        }
    }

    #[handler]
    fn dot(&mut self, x: GpuSlice<f64>, y: GpuSlice<f64>) -> f64 {
        let mut sum = 0.0f64;
        for i in 0..x.len() {
            sum += x[i] * y[i];
        }
        sum
    }

    #[handler]
    fn add(&mut self, by: u32, from: u32, to: u32, mut data: GpuSliceMut<u32>) {
        for i in from..to {
            data[i as usize] += by;
        }
    }

    #[handler]
    fn shift(&mut self, by: u32, mut data: GpuSliceMut<f32>) {
        for i in 0..data.len() - by as usize {
            data[i + by as usize] = data[i].mul_add(0.5, 1.0).sqrt();
        }
    }

    #[handler]
    fn stencil(&mut self, width: u32, x: GpuSlice<f32>, mut y: GpuSliceMut<f32>) {
        let w = width as usize;
        for r in 1..x.len() / w - 1 {
            for c in 1..w - 1 {
                let at = r * w + c;
                y[at] = 0.2 * (x[at] + x[at - 1] + x[at + 1] + x[at - w] + x[at + w]);
            }
        }
    }
}

fn bits(list: &[f32]) -> Vec<u32> {
    list.iter().map(|x| x.to_bits()).collect()
}

/// Numbers of all kinds: zeros of both signs, subnormals, infinities.
fn numbers(len: usize) -> Vec<f32> {
    let odd = [-0.0, 1e-40, f32::INFINITY, 3e38, -7.5];
    (0..len).map(|i| if i % 11 == 3 { odd[i / 11 % odd.len()] } else { i as f32 * 0.37 - 4.0 }).collect()
}

async fn loops_of_any_length_do_what_their_twins_do(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Loops>()).await;
    let actor = system.actor::<Loops>(1);
    let mut twin = Loops::default();
    for len in (1..40).chain([63, 64, 65, 1000]) {
        for skipped in [0, 1, 3] {
            let (x, y) = (numbers(len + skipped), numbers(len + skipped + 5));
            let (own_x, own_y) = (NativeBuffer::new(&x), NativeBuffer::new(&y[5..]));
            twin.saxpy(0.75, own_x.slice(skipped..), own_y.slice_mut(skipped..));
            let (x, y) = (system.buffer(&x).unwrap(), system.buffer(&y[5..]).unwrap());
            actor.saxpy(0.75, x.slice(skipped..).unwrap(), y.slice(skipped..).unwrap()).await.unwrap();
            let found = y.to_vec().await.unwrap();
            assert_eq!(bits(&found), bits(&own_y.to_vec()), "{len} elements behind {skipped}");
            // As elements within the message, too, if they fit.
            if len <= 8 {
                let wide: Vec<f64> = found.iter().map(|&x| f64::from(x)).collect();
                let own = NativeBuffer::new(&wide);
                let sum = twin.dot(own.slice(..), own.slice(..));
                assert_eq!(actor.dot(&wide, &wide).await.unwrap().to_bits(), sum.to_bits());
            }
        }
        let wide: Vec<f64> = (0..len).map(|i| i as f64 / 7.0 - 3.0).collect();
        let (own, buffer) = (NativeBuffer::new(&wide), system.buffer(&wide).unwrap());
        let sum = twin.dot(own.slice(..), own.slice(..));
        assert_eq!(actor.dot(&buffer, &buffer).await.unwrap().to_bits(), sum.to_bits(), "{len} elements");
    }
    // What a turn writes is what one of the next ones reads.
    for by in (0..20).chain([31, 32, 33, 99, 100]) {
        let (own, buffer) = (NativeBuffer::new(&numbers(100)), system.buffer(&numbers(100)).unwrap());
        twin.shift(by, own.slice_mut(..));
        actor.shift(by, &buffer).await.unwrap();
        let (found, expected) = (buffer.to_vec().await.unwrap(), own.to_vec());
        let nan = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        assert!(found.iter().map(nan).eq(expected.iter().map(nan)), "{by}: {found:?}, {expected:?}");
    }
    system.shutdown().await.unwrap();
}

async fn loops_stop_where_their_twins_stop(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Loops>()).await;
    let actor = system.actor::<Loops>(1);
    let mut twin = Loops::default();
    for stop in (1..36).chain([50, 63, 64, 65]) {
        // An index that is out of range: the elements before it are written.
        let (x, y) = (numbers(stop), numbers(70));
        let (own_x, own_y) = (NativeBuffer::new(&x), NativeBuffer::new(&y));
        let native = catch_unwind(AssertUnwindSafe(|| twin.saxpy(3.0, own_x.slice(..), own_y.slice_mut(..))));
        assert!(native.is_err());
        let (x, y) = (system.buffer(&x).unwrap(), system.buffer(&y).unwrap());
        assert_eq!(kind(actor.saxpy(3.0, &x, &y).await), FaultKind::Bounds);
        assert_eq!(bits(&y.to_vec().await.unwrap()), bits(&own_y.to_vec()), "{stop} elements");
        // A sum that overflows.
        let mut data: Vec<u32> = (0..70).collect();
        data[stop] = u32::MAX - 4;
        for from in [0, stop as u32 / 2] {
            let own = NativeBuffer::new(&data);
            let native = catch_unwind(AssertUnwindSafe(|| twin.add(5, from, 70, own.slice_mut(..))));
            assert!(native.is_err());
            let buffer = system.buffer(&data).unwrap();
            assert_eq!(kind(actor.add(5, from, 70, &buffer).await), FaultKind::Overflow);
            assert_eq!(buffer.to_vec().await.unwrap(), own.to_vec(), "from {from}, overflow at {stop}");
        }
    }
    system.shutdown().await.unwrap();
}

async fn grids_are_what_their_twins_make_of_them(backend: &Backend) {
    let system = backend.start(backend.config().actor::<Loops>()).await;
    let actor = system.actor::<Loops>(1);
    let mut twin = Loops::default();
    for width in [2usize, 3, 9, 10, 11, 18, 19, 35, 64] {
        for missing in [0, 1, width + 3] {
            let x = numbers(6 * width);
            let y = numbers(6 * width - missing);
            let (own_x, own_y) = (NativeBuffer::new(&x), NativeBuffer::new(&y));
            let native = catch_unwind(AssertUnwindSafe(|| {
                twin.stencil(width as u32, own_x.slice(..), own_y.slice_mut(..));
            }));
            let (x, y) = (system.buffer(&x).unwrap(), system.buffer(&y).unwrap());
            let device = actor.stencil(width as u32, &x, &y).await;
            assert_eq!(native.is_err(), device.is_err(), "{width} wide, {missing} missing: {device:?}");
            assert_eq!(
                bits(&y.to_vec().await.unwrap()),
                bits(&own_y.to_vec()),
                "{width} wide, {missing} missing"
            );
        }
    }
    system.shutdown().await.unwrap();
}

fn kind<T: std::fmt::Debug>(result: gpu_actor_rt::Result<T>) -> FaultKind {
    match result {
        Err(Error::Fault(fault)) => fault.kind,
        other => panic!("{other:?}"),
    }
}
