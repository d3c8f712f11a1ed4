//! Random bytes that are biased towards the values at which programs break.
//!
//! Nothing is known of the types: a word is filled as one 64-bit value, two of 32 bits, and so on, integers or floats. Fields
//! are aligned, so a field of any type gets its own corner cases often.

/// A small generator of random numbers (splitmix64): the same seed gives the same cases everywhere.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Fills `bytes`.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        // Now and then all words alike: everything small, everything extreme, everything zero.
        let mode = (self.below(4) == 0).then(|| self.below(5));
        for word in bytes.chunks_mut(8) {
            let mut value = [0; 8];
            match self.below(10) {
                0..=2 => value = self.integer(64, mode).to_le_bytes(),
                3 | 4 => self.lanes(&mut value, 4, |random| random.integer(32, mode)),
                5 => self.lanes(&mut value, 2, |random| random.integer(16, mode)),
                6 => self.lanes(&mut value, 1, |random| random.integer(8, mode)),
                7 | 8 => self.lanes(&mut value, 4, |random| u64::from(random.single().to_bits())),
                _ => value = self.double().to_bits().to_le_bytes(),
            }
            word.copy_from_slice(&value[..word.len()]);
        }
    }

    fn lanes(&mut self, word: &mut [u8; 8], bytes: usize, mut value: impl FnMut(&mut Self) -> u64) {
        for lane in word.chunks_mut(bytes) {
            lane.copy_from_slice(&value(self).to_le_bytes()[..bytes]);
        }
    }

    /// An integer of so many bits, by one of the ways that matter.
    fn integer(&mut self, bits: u32, mode: Option<u64>) -> u64 {
        let all = u64::MAX >> (64 - bits);
        let way = mode.unwrap_or_else(|| self.below(8));
        all & match way {
            0 => 0,
            1 => self.below(17),
            // Around the largest and smallest value, signed and unsigned.
            2 => (all >> 1).wrapping_add(self.below(4)).wrapping_sub(1),
            3 => all.wrapping_sub(self.below(4)),
            4 => self.below(17).wrapping_neg(),
            5 => 1 << self.below(u64::from(bits)),
            6 => self.below(1000),
            _ => self.next(),
        }
    }

    fn single(&mut self) -> f32 {
        const SPECIAL: [f32; 12] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            1.0e-44,
            16_777_217.0,
        ];
        match self.below(4) {
            0 => SPECIAL[self.below(SPECIAL.len() as u64) as usize],
            1 => f32::from_bits(self.next() as u32),
            2 => self.below(2000) as f32 - 1000.0,
            // Near the edges of the integer types, where casts saturate.
            _ => (2f32.powi(self.below(66) as i32) + self.below(3) as f32 - 1.0) * self.sign(),
        }
    }

    fn double(&mut self) -> f64 {
        const SPECIAL: [f64; 12] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5.0e-324,
            9_007_199_254_740_993.0,
        ];
        match self.below(4) {
            0 => SPECIAL[self.below(SPECIAL.len() as u64) as usize],
            1 => f64::from_bits(self.next()),
            2 => (self.below(4000) as f64 - 2000.0) / 2.0,
            _ => (2f64.powi(self.below(66) as i32) + self.below(3) as f64 - 1.0) * f64::from(self.sign()),
        }
    }

    fn sign(&mut self) -> f32 {
        if self.below(2) == 0 { 1.0 } else { -1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corner_cases_are_common_and_a_seed_repeats() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..4000)
                .map(|_| {
                    let mut bytes = [0; 8];
                    random.fill(&mut bytes);
                    bytes
                })
                .collect::<Vec<_>>()
        };
        let cases = draw(1);
        assert_eq!(cases, draw(1));
        assert_ne!(cases, draw(2));
        let count = |test: &dyn Fn(&[u8; 8]) -> bool| cases.iter().filter(|bytes| test(bytes)).count();
        assert!(count(&|b| u64::from_le_bytes(*b) == 0) > 50);
        assert!(count(&|b| u64::from_le_bytes(*b) == u64::MAX) > 5);
        assert!(count(&|b| i64::from_le_bytes(*b) == i64::MIN) > 5);
        assert!(count(&|b| f64::from_le_bytes(*b).is_nan()) > 5);
        assert!(count(&|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_nan()) > 20);
        assert!(count(&|b| b[0] == 0x80) > 20);
    }
}
