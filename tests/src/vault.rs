//! A safe whose transfers can fault half way, with and without rolling back.

use gpu_actor_rt::prelude::*;

/// Boxes with amounts, and how often they were touched.
#[gpu_actor(name = "tests::vault")]
#[derive(Default, Debug, PartialEq)]
pub struct Vault {
    boxes: [u32; 4],
    log: Log,
}

/// What happened to a vault.
#[derive(GpuData, Clone, Copy, Default, Debug, PartialEq)]
#[repr(C)]
pub struct Log {
    transfers: u64,
    last: [u8; 2],
}

#[gpu_fn]
impl Log {
    fn note(&mut self, from: u8, to: u8) {
        self.transfers += 1;
        self.last = [from, to];
    }
}

#[gpu_actor]
impl Vault {
    // ANCHOR: atomic
    /// Moves an amount from box to box; the state is as before if it cannot.
    #[handler(atomic)]
    pub fn transfer(&mut self, cx: &mut Cx, from: u8, to: u8, amount: u32, witness: ActorId<Vault>) -> u32 {
        cx.tell(witness.fill(amount));
        self.take_and_put(from, to, amount)
    }
    // ANCHOR_END: atomic

    /// The same without rolling back.
    #[handler]
    pub fn careless(&mut self, from: u8, to: u8, amount: u32) -> u32 {
        self.take_and_put(from, to, amount)
    }

    /// Puts something into the first box.
    #[handler(atomic)]
    pub fn fill(&mut self, amount: u32) {
        self.log.transfers += 100;
        self.boxes[0] += amount;
    }

    /// Counts down until there is nothing left, and further.
    #[handler(atomic)]
    pub fn drain(&mut self, turns: u32) -> u32 {
        let mut turn = 0;
        while turn != turns {
            self.boxes[3] = self.boxes[3].wrapping_add(1);
            turn += 1;
        }
        self.boxes[3]
    }

    /// What is in a box.
    #[handler(atomic)]
    pub fn look(&self, index: u8) -> u32 {
        self.boxes[index as usize]
    }

    /// How many transfers were made.
    #[handler]
    pub fn transfers(&self) -> u64 {
        self.log.transfers
    }

    #[gpu_fn]
    fn take_and_put(&mut self, from: u8, to: u8, amount: u32) -> u32 {
        self.log.note(from, to);
        self.boxes[from as usize] -= amount;
        self.boxes[to as usize] += amount;
        self.boxes[to as usize]
    }
}
