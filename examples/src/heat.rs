//! Heat that spreads over a plate: bands of rows are actors, and what they have of their neighbours is a part of the neighbours'
//! buffer, not a copy of it.
//!
//! The explicit scheme for the heat equation in two dimensions, with the five points of a cross (R. Courant, K. Friedrichs,
//! H. Lewy 1928): `new = old + rate * (up + down + left + right - 4 old)`, stable up to a rate of 1/4. The plate's edges let no heat
//! through: beyond an edge it is as warm as at it.

use gpu_actor_rt::Error;
use gpu_actor_rt::prelude::*;

/// A stable rate.
pub const RATE: f32 = 0.2;

// ANCHOR: band
/// Some rows of the plate.
#[gpu_actor]
#[derive(Default)]
pub struct Band {
    steps: u64,
}

#[gpu_actor]
impl Band {
    /// One step in time: from the rows as they were, and the ones above and below, to the rows as they are next.
    ///
    /// # Panics
    /// Where the rows are not whole rows of the width, as many before as after: on the device that is a fault.
    #[handler]
    pub fn step(
        &mut self,
        width: u32,
        old: GpuSlice<f32>,
        above: GpuSlice<f32>,
        below: GpuSlice<f32>,
        mut new: GpuSliceMut<f32>,
    ) {
        let w = width as usize;
        assert!(w > 1 && old.len().is_multiple_of(w) && new.len() == old.len(), "not whole rows");
        let rows = old.len() / w;
        for r in 0..rows {
            let row = old.slice(r * w..(r + 1) * w);
            let up = if r == 0 { above.clone() } else { old.slice((r - 1) * w..r * w) };
            let down = if r + 1 == rows { below.clone() } else { old.slice((r + 1) * w..(r + 2) * w) };
            let at = r * w;
            new[at] = next(row[0], up[0], down[0], row[0], row[1]);
            for c in 1..w - 1 {
                new[at + c] = next(row[c], up[c], down[c], row[c - 1], row[c + 1]);
            }
            let c = w - 1;
            new[at + c] = next(row[c], up[c], down[c], row[c - 1], row[c]);
        }
        self.steps += 1;
    }

    /// Steps so far.
    #[handler]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// The warmth of a point after a step.
#[gpu_fn]
pub fn next(old: f32, up: f32, down: f32, left: f32, right: f32) -> f32 {
    old + RATE * (up + down + left + right - 4.0 * old)
}
// ANCHOR_END: band

/// A plate on the device.
pub struct Plate {
    system: ActorSystem,
    width: usize,
    bands: Vec<(ActorRef<Band>, Buffer<f32>)>,
}

impl Plate {
    /// A plate with this warmth, row by row, in so many bands; there may be fewer if the rows are few.
    ///
    /// # Errors
    /// The system's, where there is no memory.
    ///
    /// # Panics
    /// Where the field is not whole rows of the width, which is at least 2, or there is no row or no band.
    pub fn new(system: &ActorSystem, field: &[f32], width: usize, bands: usize) -> Result<Self, Error> {
        assert!(width > 1 && bands > 0 && !field.is_empty() && field.len().is_multiple_of(width));
        let rows = (field.len() / width).div_ceil(bands);
        let bands = (0u64..).zip(field.chunks(rows * width));
        let bands = bands.map(|(n, rows)| Ok((system.actor(n), system.buffer(rows)?)));
        Ok(Self { system: system.clone(), width, bands: bands.collect::<Result<_, Error>>()? })
    }

    // ANCHOR: step
    /// One step of all bands. What is new goes into buffers of the pool, and what is old back to it.
    ///
    /// # Errors
    /// The system's, and faults.
    pub async fn step(&mut self) -> Result<(), Error> {
        let (width, count) = (self.width, self.bands.len());
        let new: Vec<_> =
            self.bands.iter().map(|(_, old)| self.system.zeroed(old.len())).collect::<Result<_, _>>()?;
        let mut calls = Vec::with_capacity(count);
        for (n, (band, old)) in self.bands.iter().enumerate() {
            // At the plate's own edges it is the band's own row.
            let above = &self.bands[n.saturating_sub(1)].1;
            let above = if n == 0 { old.slice(..width)? } else { above.slice(above.len() - width..)? };
            let below = match self.bands.get(n + 1) {
                Some((_, below)) => below.slice(..width)?,
                None => old.slice(old.len() - width..)?,
            };
            calls.push(band.step(width as u32, old, above, below, &new[n]));
        }
        for done in self.system.ask_many(calls).await {
            done?;
        }
        for ((_, field), new) in self.bands.iter_mut().zip(new) {
            *field = new;
        }
        Ok(())
    }
    // ANCHOR_END: step

    /// The warmth, row by row.
    ///
    /// # Errors
    /// The system's.
    pub async fn field(&self) -> Result<Vec<f32>, Error> {
        let mut field = Vec::new();
        for (_, rows) in &self.bands {
            field.extend_from_slice(&rows.map().await?);
        }
        Ok(field)
    }
}

/// What a plain loop makes of a field in one step: the same arithmetic in the same order, so the same bits.
///
/// # Panics
/// Where the field is not whole rows of the width, which is at least 2.
#[must_use]
pub fn plain(old: &[f32], width: usize) -> Vec<f32> {
    assert!(width > 1 && old.len().is_multiple_of(width));
    let rows = old.len() / width;
    let at = |r: usize, c: usize| old[r * width + c];
    let mut new = Vec::with_capacity(old.len());
    for r in 0..rows {
        for c in 0..width {
            let (up, down) = (at(r.saturating_sub(1), c), at((r + 1).min(rows - 1), c));
            let (left, right) = (at(r, c.saturating_sub(1)), at(r, (c + 1).min(width - 1)));
            new.push(next(at(r, c), up, down, left, right));
        }
    }
    new
}

/// A cold plate with a hot ring, a hot bar and a warm corner.
#[must_use]
pub fn hot_spots(size: usize) -> Vec<f32> {
    let scale = 1.0 / size as f32;
    let point = |at: usize| {
        let (x, y) = ((at % size) as f32 * scale - 0.4, (at / size) as f32 * scale - 0.45);
        let radius = x.hypot(y);
        if (0.2..0.26).contains(&radius) {
            1.0
        } else if (0.4..0.45).contains(&x) && y.abs() < 0.35 {
            0.8
        } else if x + y > 0.95 {
            0.5
        } else {
            0.0
        }
    };
    (0..size * size).map(point).collect()
}

/// The colours of heat: 256 of three bytes, from black over red and yellow to white.
#[must_use]
pub fn palette() -> Vec<u8> {
    let part = |n: i32, from: i32| ((n - from) * 3).clamp(0, 255) as u8;
    (0..256).flat_map(|n| [part(n, 0), part(n, 85), part(n, 170)]).collect()
}

/// The number of the colour for each warmth from 0 to 1; the root makes what is nearly cold visible.
#[must_use]
pub fn colours(field: &[f32]) -> Vec<u8> {
    field.iter().map(|warmth| (warmth.clamp(0.0, 1.0).sqrt() * 255.0).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_actor_rt::NativeBuffer;

    #[test]
    fn a_band_is_what_a_plain_loop_makes_of_its_rows() {
        let field: Vec<f32> = (0..15).map(|n| ((n * 7) % 11) as f32).collect();
        let old = NativeBuffer::new(&field);
        let new = NativeBuffer::new(&[0.0f32; 5]);
        let mut band = Band::default();
        band.step(5, old.slice(5..10), old.slice(..5), old.slice(10..), new.slice_mut(..));
        let plain: Vec<u32> = plain(&field, 5)[5..10].iter().map(|x| x.to_bits()).collect();
        assert_eq!(new.to_vec().iter().map(|x| x.to_bits()).collect::<Vec<_>>(), plain);
        assert_eq!(band.steps, 1);
    }

    #[test]
    fn no_heat_is_lost() {
        let mut field = hot_spots(40);
        let before: f32 = field.iter().sum();
        for _ in 0..50 {
            field = plain(&field, 40);
        }
        let after: f32 = field.iter().sum();
        assert!((before - after).abs() < before * 1e-4, "{before} {after}");
    }

    #[test]
    fn cold_is_black_and_hot_is_white() {
        let palette = palette();
        let colours = colours(&[-1.0, 0.0, 1.0, 7.0]);
        assert_eq!(colours, [0, 0, 255, 255]);
        assert_eq!((&palette[..3], &palette[765..]), ([0; 3].as_slice(), [255; 3].as_slice()));
    }
}
