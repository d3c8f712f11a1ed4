//! What a user calls an actor: an integer or a text.

use std::fmt;
use std::sync::Arc;

/// The key of a virtual actor within its type.
///
/// ```
/// use gpu_actor_rt::Key;
///
/// assert_eq!(Key::from(7u32), Key::Integer(7));
/// assert_eq!(Key::from("alice").to_string(), "\"alice\"");
/// assert_ne!(Key::from("7"), Key::from(7u64));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An integer.
    Integer(u64),
    /// A text.
    Text(Arc<str>),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Integer(key) => write!(f, "{key}"),
            Key::Text(key) => write!(f, "{key:?}"),
        }
    }
}

macro_rules! from_integer {
    ($($from:ty),*) => {$(
        impl From<$from> for Key {
            fn from(key: $from) -> Self {
                Key::Integer(u64::from(key))
            }
        }
    )*};
}
from_integer!(u8, u16, u32, u64);

impl From<usize> for Key {
    fn from(key: usize) -> Self {
        Key::Integer(key as u64)
    }
}

/// A literal such as `7` is an `i32`; negative keys keep their bits.
impl From<i32> for Key {
    fn from(key: i32) -> Self {
        Key::Integer(i64::from(key) as u64)
    }
}

/// Negative keys keep their bits.
impl From<i64> for Key {
    fn from(key: i64) -> Self {
        Key::Integer(key as u64)
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Key::Text(key.into())
    }
}

impl From<&String> for Key {
    fn from(key: &String) -> Self {
        Key::Text(key.as_str().into())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Key::Text(key.into())
    }
}

impl From<Arc<str>> for Key {
    fn from(key: Arc<str>) -> Self {
        Key::Text(key)
    }
}

impl Key {
    /// A hash that is the same in every process: it places actors on workers.
    pub(crate) fn placement_hash(&self, type_hash: u32) -> u64 {
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ u64::from(type_hash);
        hash = match self {
            Key::Integer(key) => key.to_le_bytes().into_iter().fold(step(hash, 0), step),
            Key::Text(key) => key.bytes().fold(step(hash, 1), step),
        };
        // FNV's low bits are weak for short keys: mix the high ones in.
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ hash >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_keys_spread_over_workers() {
        for workers in [2u64, 3, 4, 8] {
            let mut counts = vec![0u32; workers as usize];
            for key in 0..10_000u64 {
                counts[(Key::from(key).placement_hash(7) % workers) as usize] += 1;
            }
            let fair = 10_000 / workers as u32;
            assert!(counts.iter().all(|&n| n.abs_diff(fair) < fair / 5), "{workers} workers: {counts:?}");
        }
    }

    #[test]
    fn integer_and_text_are_different_actors() {
        assert_ne!(Key::from("1").placement_hash(0), Key::from(1u8).placement_hash(0));
        assert_eq!(Key::from(-1), Key::Integer(u64::MAX));
    }
}
