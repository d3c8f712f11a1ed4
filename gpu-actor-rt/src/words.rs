//! The words of a message on its way to a slot.
//!
//! A call is moved several times between the stub that makes it and the poll that sends it, and rustc copies all of it each time. So
//! what fits the smallest slot lies in the call, and what is longer lies in a block that the thread uses again.

use std::cell::RefCell;

use kernels_ptx::abi::slot;

use crate::ring::PAYLOAD_WORDS;

/// As many words as the smallest slot has room for.
const FEW: usize = (slot::CLASSES[0] - slot::HEADER) as usize / 8;
/// As many blocks as a thread keeps: 64 KiB of them. One that gives back more calls than it makes keeps no more.
const KEPT: usize = 288;

type Block = Box<[u64; PAYLOAD_WORDS]>;

thread_local! {
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// The payload of a message: at most [`PAYLOAD_WORDS`] words.
pub(crate) enum Words {
    Few {
        words: [u64; FEW],
        len: u8,
    },
    /// The block is there until the drop.
    Many {
        block: Option<Block>,
        len: u8,
    },
}

impl Words {
    /// The words of a message of so many bytes that encodes itself; what it does not write is zero.
    ///
    /// # Panics
    /// When `bytes` is more than a slot has room for: a call asserts as it is compiled that it is not.
    #[inline]
    pub(crate) fn of(bytes: usize, encode: impl FnOnce(&mut [u8])) -> Self {
        let count = bytes.div_ceil(8);
        if count <= FEW {
            let mut words = [0; FEW];
            encode(&mut bytemuck::bytes_of_mut(&mut words)[..bytes]);
            return Self::Few { words, len: count as u8 };
        }
        let mut block = take();
        // A message need not write what lies between its fields.
        block[..count].fill(0);
        encode(&mut bytemuck::bytes_of_mut(&mut *block)[..bytes]);
        Self::Many { block: Some(block), len: count as u8 }
    }

    #[inline]
    pub(crate) fn get(&self) -> &[u64] {
        match self {
            Self::Few { words, len } => &words[..usize::from(*len)],
            Self::Many { block, len } => block.as_ref().map_or(&[], |block| &block[..usize::from(*len)]),
        }
    }
}

impl Drop for Words {
    #[inline]
    fn drop(&mut self) {
        if let Self::Many { block, .. } = self
            && let Some(block) = block.take()
        {
            give_back(block);
        }
    }
}

/// A block with whatever was in it: zeroes, or what another message of the process left.
fn take() -> Block {
    let kept = BLOCKS.try_with(|blocks| blocks.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| Box::new([0; PAYLOAD_WORDS]))
}

fn give_back(block: Block) {
    // A thread that ends keeps nothing.
    let _ = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() < KEPT {
            blocks.push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{BLOCKS, FEW, PAYLOAD_WORDS, Words};

    fn of(bytes: usize, with: u8) -> Words {
        Words::of(bytes, |to| {
            assert_eq!(to.len(), bytes);
            to.fill(with);
        })
    }

    fn kept() -> usize {
        BLOCKS.with(|blocks| blocks.borrow().len())
    }

    #[test]
    fn any_length_comes_back_as_it_was_and_the_last_word_is_filled_with_zeroes() {
        for bytes in (0..=8 * PAYLOAD_WORDS).chain((0..=8 * PAYLOAD_WORDS).rev()) {
            let words = of(bytes, 0xa5);
            let read: &[u8] = bytemuck::cast_slice(words.get());
            assert_eq!(words.get().len(), bytes.div_ceil(8));
            assert!(read[..bytes].iter().all(|&byte| byte == 0xa5), "{bytes} bytes");
            assert!(read[bytes..].iter().all(|&byte| byte == 0), "{bytes} bytes: after them");
        }
    }

    #[test]
    fn what_a_message_does_not_write_is_zero_whatever_was_there() {
        drop(of(8 * PAYLOAD_WORDS, 0xff));
        let sparse = Words::of(100, |to| to[99] = 7);
        let read: &[u8] = bytemuck::cast_slice(sparse.get());
        assert_eq!(read[99], 7);
        assert_eq!(read.iter().filter(|&&byte| byte != 0).count(), 1);
    }

    #[test]
    fn a_long_message_uses_the_block_of_one_before_it() {
        drop(of(8 * FEW, 1));
        assert_eq!(kept(), 0, "a short message needs none");
        let first = of(8 * FEW + 1, 2);
        let at = first.get().as_ptr();
        drop(first);
        assert_eq!(kept(), 1);
        let second = of(8 * PAYLOAD_WORDS, 3);
        assert_eq!(second.get().as_ptr(), at);
        let third = of(8 * PAYLOAD_WORDS, 4);
        assert_ne!(third.get().as_ptr(), at, "one block is never two messages'");
        drop((second, third));
        assert_eq!(kept(), 2);
    }

    #[test]
    fn a_thread_keeps_a_limited_number_of_blocks() {
        let many: Vec<Words> = (0..super::KEPT + 9).map(|_| of(64, 5)).collect();
        drop(many);
        assert_eq!(kept(), super::KEPT);
    }
}
