//! Inline vectors: the classic first GPU program as an actor.

use gpu_actor_rt::prelude::*;

// ANCHOR: vector
/// Elements of a [`Vector`]: two of them and their lengths fill the payload of a message.
pub const CAPACITY: usize = 26;

/// A short vector that travels inside a message.
#[derive(GpuData, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Vector {
    /// Elements in use.
    pub len: u32,
    /// The elements; those from `len` on are zero.
    pub data: [f32; CAPACITY],
}

/// Adds vectors and remembers how many elements it has added.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Adder {
    elements: u64,
}

#[gpu_actor]
impl Adder {
    /// The element-wise sum of two vectors.
    ///
    /// # Panics
    /// When their lengths differ; as an actor, it faults.
    #[handler]
    pub fn add(&mut self, a: Vector, b: Vector) -> Vector {
        assert!(a.len == b.len, "vectors differ in length");
        let mut sum = a;
        for i in 0..a.len {
            sum.data[i as usize] = a.data[i as usize] + b.data[i as usize];
        }
        self.elements += a.len as u64;
        sum
    }

    /// Elements added so far.
    #[handler]
    pub fn elements(&self) -> u64 {
        self.elements
    }
}
// ANCHOR_END: vector

// ANCHOR: long
/// Adds vectors of any length, where they are.
#[gpu_actor]
#[derive(Default)]
pub struct LongAdder {
    elements: u64,
}

#[gpu_actor]
impl LongAdder {
    /// Writes the element-wise sum of two vectors into a third.
    ///
    /// # Panics
    /// When their lengths differ; as an actor, it faults.
    #[handler]
    pub fn add(&mut self, a: GpuSlice<f32>, b: GpuSlice<f32>, mut sum: GpuSliceMut<f32>) {
        assert!(a.len() == b.len() && sum.len() == a.len(), "vectors differ in length");
        for i in 0..sum.len() {
            sum[i] = a[i] + b[i];
        }
        self.elements += a.len() as u64;
    }

    /// Elements added so far.
    #[handler]
    pub fn elements(&self) -> u64 {
        self.elements
    }
}
// ANCHOR_END: long

/// A slice that does not fit a [`Vector`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} elements do not fit an inline vector of {CAPACITY}; split the slice")]
pub struct TooLong(pub usize);

impl TryFrom<&[f32]> for Vector {
    type Error = TooLong;

    fn try_from(slice: &[f32]) -> Result<Self, TooLong> {
        let mut data = [0.0; CAPACITY];
        data.get_mut(..slice.len()).ok_or(TooLong(slice.len()))?.copy_from_slice(slice);
        Ok(Self { len: slice.len() as u32, data })
    }
}

impl Vector {
    /// The elements in use.
    ///
    /// ```
    /// use gpu_actor_examples::vector::Vector;
    ///
    /// let v = Vector::try_from([1.0, 2.0].as_slice())?;
    /// assert_eq!(v.as_slice(), [1.0, 2.0]);
    /// # Ok::<(), gpu_actor_examples::vector::TooLong>(())
    /// ```
    pub fn as_slice(&self) -> &[f32] {
        &self.data[..CAPACITY.min(self.len as usize)]
    }
}
