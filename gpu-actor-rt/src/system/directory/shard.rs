//! A shard of a type's map from keys to slots, made for very many actors: 16 bytes an entry, no allocation of its own for a
//! key.
//!
//! Rule kept here: an entry holds its key once, an integer in place, a text by its range in the shard's one string; nothing
//! ever leaves.

use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::key::Key;

/// Bit of an entry's slot word: the key is a text.
const TEXT: u32 = 1 << 31;
/// Slots that an entry can name.
pub(super) const MAX_SLOTS: u64 = TEXT as u64;
/// Bits of a text's length, below its offset.
const LENGTH_BITS: u32 = 24;
/// The longest text in bytes.
const MAX_TEXT: u64 = (1 << LENGTH_BITS) - 1;

/// Keys and their slots.
#[derive(Debug, Default)]
pub(super) struct Shard {
    entries: HashTable<Entry>,
    /// The texts of all keys, one after the other.
    texts: String,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The integer, or where the text is.
    key: u64,
    /// The slot, and [`TEXT`].
    slot: u32,
    tag: u32,
}

const _: () = assert!(size_of::<Entry>() == 16);

/// Refuses a key that no entry has room for.
pub(super) fn check(key: &Key, name: &'static str) -> Result<()> {
    match key {
        Key::Text(text) if text.len() as u64 > MAX_TEXT => Err(Error::Limit {
            what: "the number of bytes of an actor's key",
            whom: name.into(),
            actual: text.len() as u64,
            limit: MAX_TEXT,
        }),
        _ => Ok(()),
    }
}

/// The table takes the high bits of a hash and the low ones; a tag has 32.
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Entry {
    fn slot(self) -> u32 {
        self.slot & !TEXT
    }

    fn text(self, texts: &str) -> Option<&str> {
        let (start, length) = ((self.key >> LENGTH_BITS) as usize, (self.key & MAX_TEXT) as usize);
        (self.slot & TEXT != 0).then(|| &texts[start..start + length])
    }
}

impl Shard {
    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The slot of a key.
    pub(super) fn find(&self, tag: u32, key: &Key) -> Option<u32> {
        let entry = self.entries.find(spread(tag), |entry| {
            entry.tag == tag
                && match key {
                    Key::Integer(key) => entry.key == *key && entry.slot & TEXT == 0,
                    Key::Text(key) => entry.text(&self.texts) == Some(key),
                }
        })?;
        Some(entry.slot())
    }

    /// Adds a key that it does not have and that passed [`check`].
    pub(super) fn insert(&mut self, tag: u32, key: &Key, slot: u32) {
        let entry = match key {
            Key::Integer(key) => Entry { key: *key, slot, tag },
            Key::Text(text) => {
                let start = self.texts.len() as u64;
                self.texts.push_str(text);
                Entry { key: start << LENGTH_BITS | text.len() as u64, slot: slot | TEXT, tag }
            }
        };
        self.entries.insert_unique(spread(tag), entry, |entry| spread(entry.tag));
    }

    /// The keys that have a tag and a slot, one for every worker at the most.
    pub(super) fn keys(&self, tag: u32, slot: u32) -> impl Iterator<Item = Key> {
        let entries = self.entries.iter_hash(spread(tag));
        entries.filter(move |entry| entry.tag == tag && entry.slot() == slot).map(|entry| {
            match entry.text(&self.texts) {
                Some(text) => Key::from(text),
                None => Key::Integer(entry.key),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_tag_are_told_apart() {
        let mut shard = Shard::default();
        let keys: [Key; 6] = [7.into(), 8.into(), "".into(), "7".into(), "78".into(), "8".into()];
        for (slot, key) in (0..).zip(&keys) {
            assert_eq!(shard.find(5, key), None);
            shard.insert(5, key, slot);
        }
        for (slot, key) in (0..).zip(&keys) {
            assert_eq!(shard.find(5, key), Some(slot), "{key}");
            assert_eq!(shard.find(6, key), None, "{key}");
            assert!(shard.keys(5, slot).eq([key.clone()]), "{key}");
        }
        assert_eq!((shard.len(), shard.keys(5, 6).count()), (6, 0));
        // The word of a text is no integer's: offset 0, length 1.
        assert_eq!(shard.find(5, &Key::Integer(1)), None);
    }

    #[test]
    fn a_text_that_no_entry_has_room_for_is_refused() {
        let text = "a".repeat(MAX_TEXT as usize + 1);
        assert!(check(&Key::from(&text[1..]), "T").is_ok());
        let refused = check(&Key::from(text.as_str()), "T");
        assert!(
            matches!(refused, Err(Error::Limit { actual: 0x100_0000, limit: 0xff_ffff, .. })),
            "{refused:?}"
        );
    }
}
