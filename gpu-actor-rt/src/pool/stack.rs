//! A stack of numbered nodes without a lock: what a bucket holds for the next taker.
//!
//! Rules kept here: a node's link is written by its only owner, before the node is on the stack, and never freed, so that a
//! reader who comes late reads a stale number and not foreign memory; the head counts how often something was taken, so a
//! head that is seen again has the links that it had (R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM 1986,
//! for the stack and its counter). A link has the stack's depth as well: nobody keeps a count of its own.

use crate::sync::{AtomicU64, Ordering};

/// Bits of the head that name the node on top, one more than its number; 0 is nobody's.
const NODE_BITS: u32 = 24;
const NODE: u64 = (1 << NODE_BITS) - 1;
/// How often something was taken.
const TAKEN: u64 = 1 << NODE_BITS;
/// The most nodes that there can be.
pub(crate) const MOST_NODES: u32 = NODE as u32;
/// A link has the next node below, as the head has it, and above that the depth of the stack with this node on top.
const DEPTH_SHIFT: u32 = 32;

/// Where the nodes are.
pub(crate) trait Links {
    /// The link of a node.
    fn link(&self, node: u32) -> &AtomicU64;
}

/// A stack of nodes.
#[derive(Debug)]
pub(crate) struct Stack(AtomicU64);

impl Stack {
    /// One with nothing on it.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes the node on top, and says how many are left.
    #[inline]
    pub(crate) fn pop(&self, links: &impl Links) -> Option<(u32, u64)> {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let node = ((head & NODE) as u32).checked_sub(1)?;
            // If somebody was faster this is nonsense, and the exchange fails.
            let link = links.link(node).load(Ordering::Relaxed);
            let next = (head & !NODE).wrapping_add(TAKEN) | link & NODE;
            match self.0.compare_exchange_weak(head, next, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some((node, (link >> DEPTH_SHIFT).saturating_sub(1))),
                Err(now) => head = now,
            }
        }
    }

    /// Puts a node of the caller's on top, unless there are `most` already; whether it did.
    #[inline]
    pub(crate) fn push(&self, links: &impl Links, node: u32, most: u64) -> bool {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let depth = Self::depth_of(head, links);
            if depth >= most {
                return false;
            }
            links.link(node).store(head & NODE | ((depth + 1) << DEPTH_SHIFT), Ordering::Relaxed);
            let next = head & !NODE | (u64::from(node) + 1);
            match self.0.compare_exchange_weak(head, next, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// The depth under a head that was read with acquire, if it still is the head.
    fn depth_of(head: u64, links: &impl Links) -> u64 {
        match ((head & NODE) as u32).checked_sub(1) {
            Some(node) => links.link(node).load(Ordering::Relaxed) >> DEPTH_SHIFT,
            None => 0,
        }
    }

    /// How many nodes are on it and how often one was taken, at one moment.
    pub(crate) fn counts(&self, links: &impl Links) -> (u64, u64) {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let depth = Self::depth_of(head, links);
            let now = self.0.load(Ordering::Acquire);
            if now == head {
                return (depth, head >> NODE_BITS);
            }
            head = now;
        }
    }
}
