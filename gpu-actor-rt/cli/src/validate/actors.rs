//! The actors that the checks run.

// A handler has `self` whether it looks at it or not, and by reference.
#![allow(clippy::unused_self, clippy::trivially_copy_pass_by_ref)]

use gpu_actor_rt::prelude::*;

/// Counts what it is told; every way to fault that the checks provoke.
#[gpu_actor]
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Probe {
    count: u64,
}

#[gpu_actor]
impl Probe {
    /// The work of a message in the measurements: one addition, one reply.
    #[handler]
    pub(crate) fn add(&mut self, n: u64) -> u64 {
        self.count += n;
        self.count
    }

    /// The count.
    #[handler]
    pub(crate) fn get(&self) -> u64 {
        self.count
    }

    /// The actor's clock at this message.
    #[handler]
    pub(crate) fn clock(&mut self, cx: &mut Cx) -> u64 {
        self.count += 1;
        cx.now()
    }

    /// The worker that the actor lives on.
    #[handler]
    pub(crate) fn place(&self, cx: &mut Cx) -> u32 {
        cx.worker()
    }

    /// Overflows.
    #[handler]
    pub(crate) fn overflow(&mut self) -> u64 {
        let most = u64::MAX;
        self.count = self.count.max(1);
        most + self.count
    }

    /// Does not end by itself: odd times odd is never zero.
    #[handler]
    pub(crate) fn endless(&mut self, factor: u64) -> u64 {
        let mut noise = 1u64;
        while noise != 0 {
            noise = noise.wrapping_mul(factor | 1);
        }
        self.count = noise;
        noise
    }

    /// Sends sixteen messages at once.
    #[handler]
    pub(crate) fn flood(&mut self, cx: &mut Cx, to: ActorId<Probe>) {
        for _ in 0..16 {
            cx.tell(to.add(1));
        }
    }
}

/// One of two that throw a message to and fro, and look at its stamps.
#[gpu_actor]
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Relay {
    hops: u64,
    first: u64,
    last: u64,
    violations: u64,
}

/// What a relay has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, GpuData)]
#[repr(C)]
pub(crate) struct Seen {
    /// Messages.
    pub(crate) hops: u64,
    /// The clock at the first of them.
    pub(crate) first: u64,
    /// The clock at the last of them.
    pub(crate) last: u64,
    /// Messages whose stamp was not later than their sender's, or than that of the message before.
    pub(crate) violations: u64,
}

#[gpu_actor]
impl Relay {
    /// Takes the message and throws it back until there are no hops left. `stamp` is the sender's clock.
    #[handler]
    pub(crate) fn bounce(
        &mut self,
        cx: &mut Cx,
        me: ActorId<Relay>,
        other: ActorId<Relay>,
        stamp: u64,
        left: u64,
    ) {
        let now = cx.now();
        if now <= stamp || now <= self.last {
            self.violations += 1;
        }
        if self.hops == 0 {
            self.first = now;
        }
        self.last = now;
        self.hops += 1;
        if left > 0 {
            cx.tell(other.bounce(other, me, now, left - 1));
        }
    }

    /// What it has seen.
    #[handler]
    pub(crate) fn seen(&self) -> Seen {
        Seen { hops: self.hops, first: self.first, last: self.last, violations: self.violations }
    }

    /// The worker that the actor lives on.
    #[handler]
    pub(crate) fn place(&self, cx: &mut Cx) -> u32 {
        cx.worker()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpu_actor_rt::testing;

    #[test]
    fn the_handlers_do_the_same_natively_and_on_the_device() {
        // Not those of the probe: one of them never ends natively.
        if let Err(mismatch) = testing::check_handlers::<Relay>(200, 2) {
            panic!("{mismatch}");
        }
    }
}
