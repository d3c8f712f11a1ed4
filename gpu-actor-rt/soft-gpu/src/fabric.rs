//! What connects the devices of a platform: links, peer access, and what crosses them.
//!
//! Rules kept here:
//! - A kernel may touch memory of another device only while peer access is enabled in that direction, and mapped memory
//!   of any device at any time. A checked device enforces it; in the fast mode nothing does, and the access works.
//! - Memory that a running kernel of another device may touch is not given back before that kernel has ended. Access that
//!   is enabled while a kernel runs counts for it; access that is disabled still counts until kernels have ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::fault::Faults;
use crate::memory::{Memory, Ranges};

/// What connects two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Link {
    /// NVLink: peer access, with atomics across the link.
    NvLink,
    /// PCI Express: peer access, without atomics across the link.
    Pcie,
    /// Nothing that peers could use: no peer access, and copies go through the host.
    NoPeer,
}

impl Link {
    /// Whether one device can be given access to the other's memory.
    pub fn peer_access(self) -> bool {
        self != Link::NoPeer
    }

    /// Whether atomics on the other's memory are atomic for all.
    pub fn native_atomics(self) -> bool {
        self == Link::NvLink
    }

    /// How good the link is beside others; 0 is the best, as in CUDA.
    pub fn performance_rank(self) -> u32 {
        match self {
            Link::NvLink => 0,
            Link::Pcie => 1,
            Link::NoPeer => 2,
        }
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Link::NvLink => "nvlink",
            Link::Pcie => "pcie",
            Link::NoPeer => "none",
        })
    }
}

/// The links between all devices: one kind for all pairs, and exceptions. Links have no direction.
///
/// ```
/// use soft_gpu::{Link, Links};
///
/// let links = Links::all(Link::Pcie).with(0, 1, Link::NvLink);
/// assert_eq!((links.between(1, 0), links.between(1, 2)), (Link::NvLink, Link::Pcie));
/// assert_eq!(links.between(2, 2), Link::NoPeer, "a device is no peer of itself");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    all: Link,
    pairs: Vec<(usize, usize, Link)>,
}

impl Default for Links {
    /// PCI Express everywhere.
    fn default() -> Self {
        Links::all(Link::Pcie)
    }
}

impl Links {
    /// The same between all devices.
    #[must_use]
    pub fn all(link: Link) -> Self {
        Links { all: link, pairs: Vec::new() }
    }

    /// The same, but for one pair.
    #[must_use]
    pub fn with(mut self, a: usize, b: usize, link: Link) -> Self {
        self.pairs.push((a.min(b), a.max(b), link));
        self
    }

    /// What connects two devices.
    #[must_use]
    pub fn between(&self, a: usize, b: usize) -> Link {
        let pair = (a.min(b), a.max(b));
        if a == b {
            return Link::NoPeer;
        }
        self.pairs.iter().rev().find(|(a, b, _)| (*a, *b) == pair).map_or(self.all, |(_, _, link)| *link)
    }

    /// The highest number of a device that an exception names.
    pub(crate) fn highest(&self) -> Option<usize> {
        self.pairs.iter().map(|(_, b, _)| *b).max()
    }
}

/// What crossed from one device to another by [`Platform::copy_peer`](crate::Platform::copy_peer). Accesses of kernels are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Copies.
    pub copies: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of the bytes went through the host, since peer access was enabled in neither direction.
    pub staged_bytes: u64,
}

struct State {
    /// By ordered pair: whether the first has access to the second's memory.
    enabled: Vec<bool>,
    /// Launches that run, by device.
    running: Vec<u32>,
    /// By ordered pair: for how many launches of the first the second's memory is held.
    held: Vec<u32>,
    /// By ordered pair, from the first to the second.
    traffic: Vec<Traffic>,
}

/// The links of one platform and the memories of its devices.
pub(crate) struct Fabric {
    memories: Vec<Arc<Memory>>,
    links: Links,
    faults: Vec<Arc<Faults>>,
    /// Grows with every change of any device's live allocations or of who has access.
    epoch: Arc<AtomicU64>,
    state: Mutex<State>,
}

impl Fabric {
    /// `epoch` is the one that the memories share.
    pub(crate) fn new(
        memories: Vec<Arc<Memory>>,
        links: Links,
        faults: Vec<Arc<Faults>>,
        epoch: Arc<AtomicU64>,
    ) -> Self {
        let n = memories.len();
        let state = State {
            enabled: vec![false; n * n],
            running: vec![0; n],
            held: vec![0; n * n],
            traffic: vec![Traffic::default(); n * n],
        };
        Fabric { memories, links, faults, epoch, state: Mutex::new(state) }
    }

    /// Every change below is one step, so a panic elsewhere while it is locked does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn memory(&self, device: usize) -> Result<&Arc<Memory>, Error> {
        let count = self.memories.len();
        self.memories.get(device).ok_or(Error::NoSuchDevice { index: device, count })
    }

    fn pair(&self, a: usize, b: usize) -> Result<usize, Error> {
        self.memory(a)?;
        self.memory(b)?;
        Ok(a * self.memories.len() + b)
    }

    pub(crate) fn link(&self, a: usize, b: usize) -> Link {
        if self.pair(a, b).is_ok() { self.links.between(a, b) } else { Link::NoPeer }
    }

    pub(crate) fn is_enabled(&self, from: usize, to: usize) -> bool {
        self.pair(from, to).is_ok_and(|pair| self.state().enabled[pair])
    }

    pub(crate) fn enable(&self, from: usize, to: usize) -> Result<(), Error> {
        let pair = self.pair(from, to)?;
        let link = self.link(from, to);
        if !link.peer_access() {
            return Err(Error::PeerNotSupported { from, to });
        }
        self.faults[from].check()?;
        self.faults[to].check()?;
        let mut state = self.state();
        if state.enabled[pair] {
            return Err(Error::PeerAlreadyEnabled { from, to });
        }
        state.enabled[pair] = true;
        while state.held[pair] < state.running[from] {
            state.held[pair] += 1;
            self.memories[to].launch_started(true);
            self.memories[to].launch_ended(false);
        }
        self.epoch.fetch_add(1, Ordering::Release);
        Ok(())
    }

    pub(crate) fn disable(&self, from: usize, to: usize) -> Result<(), Error> {
        let pair = self.pair(from, to)?;
        let mut state = self.state();
        if !std::mem::take(&mut state.enabled[pair]) {
            return Err(Error::PeerNotEnabled { from, to });
        }
        self.epoch.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// A launch starts on a device: what it may touch is not given back until it has ended.
    pub(crate) fn launch_started(&self, device: usize) {
        let mut state = self.state();
        state.running[device] += 1;
        for (other, memory) in self.memories.iter().enumerate() {
            let pair = device * self.memories.len() + other;
            let whole = state.enabled[pair];
            state.held[pair] += u32::from(whole);
            memory.launch_started(whole || other == device);
        }
    }

    /// A launch has ended, and none of its threads runs device code any more.
    pub(crate) fn launch_ended(&self, device: usize) {
        let mut state = self.state();
        state.running[device] -= 1;
        for (other, memory) in self.memories.iter().enumerate() {
            let pair = device * self.memories.len() + other;
            let whole = state.held[pair] > state.running[device];
            state.held[pair] -= u32::from(whole);
            memory.launch_ended(whole || other == device);
        }
    }

    /// Grows with every change of what kernels may touch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What kernels of a device may touch.
    pub(crate) fn ranges(&self, device: usize) -> Arc<Ranges> {
        // What changes after this look makes the result out of date, and the next look at the epoch says so.
        let epoch = self.epoch();
        let count = self.memories.len();
        let enabled = self.state().enabled[device * count..][..count].to_vec();
        let mut list = Vec::new();
        for (other, memory) in self.memories.iter().enumerate() {
            memory.collect(other == device || enabled[other], &mut list);
        }
        if count > 1 {
            list.sort_unstable_by_key(|range| range.start);
        }
        Arc::new(Ranges { epoch, list })
    }

    /// The device whose memory an address is in, with the allocation's first address, its length, and whether it is mapped memory.
    pub(crate) fn find(&self, address: u64) -> Option<(usize, u64, u64, bool)> {
        let find = |(device, memory): (usize, &Arc<Memory>)| {
            memory.find(address).map(|(start, len, mapped)| (device, start, len, mapped))
        };
        self.memories.iter().enumerate().find_map(find)
    }

    /// Copies from a device's memory to that of another or of the same.
    pub(crate) fn copy(
        &self,
        (to, dst): (usize, u64),
        (from, src): (usize, u64),
        bytes: usize,
    ) -> Result<(), Error> {
        let (pair, back) = (self.pair(from, to)?, self.pair(to, from)?);
        let (source, target) = (&self.memories[from], &self.memories[to]);
        self.faults[from].check()?;
        self.faults[to].check()?;
        source.check(src, bytes)?;
        target.check(dst, bytes)?;
        if from != to {
            self.faults[from].copy(to, self.link(from, to), bytes as u64)?;
        }
        let mut buffer = vec![0; bytes.min(COPY_CHUNK)];
        let mut done = 0;
        while done < bytes {
            let part = &mut buffer[..(bytes - done).min(COPY_CHUNK)];
            source.read(part, src + done as u64)?;
            target.write(dst + done as u64, part)?;
            done += part.len();
        }
        if from != to {
            let mut state = self.state();
            let direct = state.enabled[pair] || state.enabled[back];
            let traffic = &mut state.traffic[pair];
            traffic.copies += 1;
            traffic.bytes += bytes as u64;
            traffic.staged_bytes += if direct { 0 } else { bytes as u64 };
        }
        Ok(())
    }

    pub(crate) fn traffic(&self, from: usize, to: usize) -> Traffic {
        self.pair(from, to).map_or(Traffic::default(), |pair| self.state().traffic[pair])
    }
}

/// Bytes that are copied at a time.
const COPY_CHUNK: usize = 1 << 20;

impl std::fmt::Debug for Fabric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fabric").field("links", &self.links).finish_non_exhaustive()
    }
}
