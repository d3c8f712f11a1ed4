//! The nodes of a pool: one for each block of memory that it has of the device.
//!
//! Rules kept here: a node is never freed while the pool lives, and is used for another block when its block is gone; a block's
//! memory is put into its node and taken out of it by the node's only owner.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::stack::{Links, MOST_NODES, Stack};
use crate::device::Allocation;
use crate::sync::{AtomicU64, Ordering};

/// Nodes of the first piece; every later one has twice as many as the one before.
const FIRST: u32 = 256;
const PIECES: usize = (MOST_NODES.ilog2() - FIRST.ilog2() + 1) as usize;

/// What is known of a block.
#[derive(Debug)]
pub(super) struct Node {
    link: AtomicU64,
    /// The device's address.
    address: AtomicU64,
    memory: Mutex<Option<Box<dyn Allocation>>>,
}

impl Node {
    fn empty() -> Self {
        Self { link: AtomicU64::new(0), address: AtomicU64::new(0), memory: Mutex::default() }
    }

    /// The device's address of the block.
    #[inline]
    pub(super) fn address(&self) -> u64 {
        self.address.load(Ordering::Relaxed)
    }

    /// The block's memory.
    pub(super) fn memory(&self) -> MutexGuard<'_, Option<Box<dyn Allocation>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the node a block.
    pub(super) fn fill(&self, memory: Box<dyn Allocation>) {
        self.address.store(memory.address(), Ordering::Relaxed);
        *self.memory() = Some(memory);
    }
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Nodes {
    pieces: [OnceLock<Box<[Node]>>; PIECES],
    /// How many were given out so far.
    count: Mutex<u32>,
    /// Those without a block.
    spare: Stack,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self { pieces: std::array::from_fn(|_| OnceLock::new()), count: Mutex::new(0), spare: Stack::new() }
    }

    /// A piece, and the place in it.
    #[inline]
    fn place(node: u32) -> (usize, usize) {
        let at = node + FIRST;
        let piece = at.ilog2() - FIRST.ilog2();
        (piece as usize, (at - (FIRST << piece)) as usize)
    }

    #[inline]
    fn piece(&self, piece: usize) -> &[Node] {
        match self.pieces[piece].get() {
            Some(nodes) => nodes,
            None => self.grow(piece),
        }
    }

    #[cold]
    fn grow(&self, piece: usize) -> &[Node] {
        self.pieces[piece].get_or_init(|| (0..FIRST << piece).map(|_| Node::empty()).collect())
    }

    /// The node of a number that was given out.
    #[inline]
    pub(super) fn get(&self, node: u32) -> &Node {
        let (piece, at) = Self::place(node);
        &self.piece(piece)[at]
    }

    /// A node without a block; nothing where there are as many as there can be.
    pub(super) fn take(&self) -> Option<u32> {
        if let Some((node, _)) = self.spare.pop(self) {
            return Some(node);
        }
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let node = *count;
        if node >= MOST_NODES - FIRST {
            return None;
        }
        *count += 1;
        Some(node)
    }

    /// Takes a node back whose block is gone.
    pub(super) fn give_back(&self, node: u32) {
        self.spare.push(self, node, u64::MAX);
    }
}

impl Links for Nodes {
    #[inline]
    fn link(&self, node: u32) -> &AtomicU64 {
        &self.get(node).link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let mut before = (0, FIRST as usize);
        for node in 0..100_000 {
            let (piece, at) = Nodes::place(node);
            let next = if before.1 + 1 == (FIRST as usize) << before.0 {
                (before.0 + 1, 0)
            } else {
                (before.0, before.1 + 1)
            };
            assert_eq!((piece, at), if node == 0 { (0, 0) } else { next });
            before = (piece, at);
        }
        let (piece, at) = Nodes::place(MOST_NODES - FIRST - 1);
        assert!(piece < PIECES && at < (FIRST as usize) << piece);
    }
}
