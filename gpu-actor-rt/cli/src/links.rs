//! What connects two devices: NVLinks and buses by NVML's word, peer access by the CUDA driver's.
//!
//! Rule kept here: NVML knows real cards alone. Of the software GPU's links it is never asked, whatever card the machine
//! has at the same place of its bus.

use crate::cuda::{Cuda, Gpu, Peer};
use crate::nvml::{Management, Way};

/// What connects two devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// NVLinks between them, directly or through switches.
    pub(crate) nvlinks: usize,
    /// The way over the host's buses.
    pub(crate) way: Option<Way>,
    /// What the driver says of access from the one to the other.
    pub(crate) peer: Option<Peer>,
}

impl Link {
    /// The link from one device of the driver to another.
    pub(crate) fn between(cuda: &Cuda, nvml: Option<&Management>, from: usize, to: usize) -> Self {
        let gpu = |index: usize| cuda.devices.get(index)?.as_ref().ok().filter(|gpu| gpu.hardware);
        let places = gpu(from).and_then(Gpu::place).zip(gpu(to).and_then(Gpu::place));
        let (nvlinks, way) = match (nvml, places) {
            (Some(nvml), Some((a, b))) => (nvml.nvlinks(a, b), nvml.way(a, b)),
            _ => (0, None),
        };
        Self { nvlinks, way, peer: cuda.peer(from, to).and_then(|peer| peer.as_ref().ok().copied()) }
    }

    /// In the letters of `nvidia-smi topo -m`; a dash where nobody knows.
    pub(crate) fn label(&self) -> String {
        match (self.nvlinks, self.way) {
            (0, Some(way)) => way.name().into(),
            (0, None) => "-".into(),
            (count, _) => format!("NV{count}"),
        }
    }

    /// What peer access is like, in a word.
    pub(crate) fn access(&self) -> &'static str {
        match self.peer {
            None => "?",
            Some(Peer { access: false, .. }) => "no",
            Some(Peer { atomics: true, .. }) => "atomics",
            Some(_) => "yes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::tests::{cuda, gpu};
    use crate::nvml::tests::device;

    #[test]
    fn links_are_found_by_the_place_on_the_bus() {
        let cuda = cuda(vec![gpu(2), gpu(1), gpu(3)]);
        let nvml = Management {
            devices: vec![device(1, &[2, 2, 2]), device(2, &[1, 1, 1]), device(3, &[])],
            ways: vec![(0, 1, Way::System), (1, 2, Way::Switch)],
            ..Management::default()
        };
        let link = |from, to| Link::between(&cuda, Some(&nvml), from, to);
        assert_eq!([link(0, 1).label(), link(0, 2).label(), link(1, 2).label()], ["NV3", "PIX", "-"]);
        assert_eq!(link(0, 1).access(), "atomics");
        assert_eq!(Link::between(&cuda, None, 0, 1).label(), "-");
        assert_eq!(link(0, 7), Link::default());
        assert_eq!(link(0, 7).access(), "?");
    }

    #[test]
    fn the_software_gpu_has_no_link_of_a_card_at_the_same_place() {
        let mut soft = vec![gpu(1), gpu(2)];
        soft[0].hardware = false;
        let nvml = Management { devices: vec![device(1, &[2]), device(2, &[1])], ..Management::default() };
        let mut cuda = cuda(soft);
        assert_eq!(Link::between(&cuda, Some(&nvml), 0, 1).label(), "-");
        cuda.peers[0].peer = Ok(Peer { access: false, atomics: true, rank: 1 });
        cuda.peers[1].peer = Ok(Peer { access: true, atomics: false, rank: 1 });
        assert_eq!(Link::between(&cuda, None, 0, 1).access(), "no");
        assert_eq!(Link::between(&cuda, None, 1, 0).access(), "yes");
        cuda.peers[0].peer = Err("lost".into());
        assert_eq!(Link::between(&cuda, None, 0, 1).access(), "?");
    }
}
