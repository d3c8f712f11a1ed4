//! What is measured: an actor whose handlers are tight loops, and one with ten handlers as programs have them.

#![allow(clippy::unused_self, reason = "a handler has a receiver, whether it needs one or not")]
#![allow(clippy::needless_range_loop, reason = "loops over indices are what is measured")]

use gpu_actor_rt::prelude::*;

/// Loops of different kinds; each handler runs `n` times round and replies with what it computed.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Loops {
    table: [u64; 32],
}

#[gpu_actor]
impl Loops {
    /// Shifts and exclusive ors on one word.
    #[handler]
    pub fn xorshift(&mut self, n: u64, seed: u64) -> u64 {
        let mut x = seed | 1;
        for _ in 0..n {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        x
    }

    /// The lengths of Collatz sequences: branches that nobody can predict.
    #[handler]
    pub fn collatz(&mut self, n: u64, seed: u64) -> u64 {
        let mut steps = 0u64;
        for i in 1..n {
            let mut x = i.wrapping_add(seed & 1);
            while x > 1 {
                x = if x & 1 == 0 { x >> 1 } else { x.wrapping_mul(3).wrapping_add(1) };
                steps = steps.wrapping_add(1);
            }
        }
        steps
    }

    /// Sums that check for overflow.
    #[handler]
    pub fn checked(&mut self, n: u64, seed: u64) -> u64 {
        let mut sum = 0u64;
        for i in 0..n {
            sum += (i ^ seed) & 0xff;
        }
        sum
    }

    /// The same in 32 bits with multiplication.
    #[handler]
    pub fn checked_narrow(&mut self, n: u64, seed: u64) -> u64 {
        let mut sum = 0i32;
        let mut i = 0i32;
        while i < n as i32 {
            sum = (sum + i % 7 * 3) & 0xffff;
            i += 1;
        }
        sum as u64 ^ seed
    }

    /// The logistic map: one long chain of dependent `f64` operations.
    #[handler]
    pub fn logistic(&mut self, n: u64, seed: u64) -> u64 {
        let mut x = 0.25 + (seed & 0xff) as f64 / 1024.0;
        for _ in 0..n {
            x = 3.7 * x * (1.0 - x);
        }
        x.to_bits()
    }

    /// A polynomial of degree 8 in `f32`, evaluated at many places.
    #[handler]
    pub fn polynomial(&mut self, n: u64, seed: u64) -> u64 {
        let mut sum = 0.0f32;
        let mut x = (seed & 0xff) as f32 / 512.0;
        for _ in 0..n {
            let p = 0.5
                + x * (0.25
                    + x * (0.125 + x * (0.0625 + x * (0.031 + x * (0.015 + x * (0.007 + x * (0.003 + x)))))));
            sum += p;
            x = x * 0.999 + 0.0001;
        }
        sum.to_bits() as u64
    }

    /// Passes over an array in the state, with its bounds checked.
    #[handler]
    pub fn array(&mut self, n: u64, seed: u64) -> u64 {
        let mut last = seed;
        for _ in 0..n {
            for i in 0..32u64 {
                last = last.wrapping_add(self.table[i as usize]).wrapping_add(i);
                self.table[i as usize] = last;
            }
        }
        last
    }
}

/// A price level.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Level {
    price: u64,
    amount: u64,
}

/// An account that also keeps a small order book and statistics: ten handlers as programs have them.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Desk {
    balance: u64,
    reserved: u64,
    limit: u64,
    levels: [Level; 8],
    used: u32,
    trades: u32,
    mean: f64,
    spread: f64,
    buckets: [u32; 16],
    closed: bool,
}

/// Which bucket a value falls into.
#[gpu_fn]
fn bucket(value: u64) -> usize {
    let bits = 64 - value.leading_zeros();
    if bits > 15 { 15 } else { bits as usize }
}

#[gpu_actor]
impl Desk {
    /// Adds money.
    #[handler]
    pub fn deposit(&mut self, amount: u64) -> u64 {
        assert!(!self.closed, "the desk is closed");
        self.balance += amount;
        self.balance
    }

    /// Takes money, if there is enough.
    #[handler]
    pub fn withdraw(&mut self, amount: u64) -> bool {
        if self.closed || self.balance - self.reserved < amount {
            return false;
        }
        self.balance -= amount;
        true
    }

    /// Sends money to another desk.
    #[handler]
    pub fn transfer(&mut self, cx: &mut Cx, to: ActorId<Desk>, amount: u64) -> bool {
        if self.balance < amount || amount > self.limit {
            return false;
        }
        self.balance -= amount;
        cx.tell(to.deposit(amount));
        true
    }

    /// Inserts an order into the book, sorted by price.
    #[handler]
    pub fn order(&mut self, price: u64, amount: u64) -> u32 {
        assert!(self.used < 8, "the book is full");
        let mut at = self.used as usize;
        while at > 0 && self.levels[at - 1].price > price {
            self.levels[at] = self.levels[at - 1];
            at -= 1;
        }
        self.levels[at].price = price;
        self.levels[at].amount = amount;
        self.used += 1;
        self.reserved += price * amount;
        self.used
    }

    /// Fills what the book offers up to a price.
    #[handler]
    pub fn fill(&mut self, price: u64, wanted: u64) -> u64 {
        let mut left = wanted;
        for i in 0..self.used {
            let i = i as usize;
            if self.levels[i].price > price || left == 0 {
                break;
            }
            let taken = left.min(self.levels[i].amount);
            self.levels[i].amount -= taken;
            self.reserved -= taken * self.levels[i].price;
            left -= taken;
            self.trades += 1;
        }
        wanted - left
    }

    /// Removes empty levels.
    #[handler]
    pub fn compact(&mut self) -> u32 {
        let mut kept = 0usize;
        for i in 0..self.used as usize {
            if self.levels[i].amount > 0 {
                self.levels[kept] = self.levels[i];
                kept += 1;
            }
        }
        self.used = kept as u32;
        self.used
    }

    /// Updates a running mean and deviation.
    #[handler]
    pub fn observe(&mut self, value: f64) -> f64 {
        let difference = value - self.mean;
        self.mean += difference * 0.05;
        self.spread = 0.95 * (self.spread + 0.05 * difference * difference);
        self.spread.sqrt()
    }

    /// Counts a value in a histogram of powers of two.
    #[handler]
    pub fn count(&mut self, value: u64) -> u32 {
        let at = bucket(value);
        self.buckets[at] = self.buckets[at].saturating_add(1);
        self.buckets[at]
    }

    /// The value below which a share of the histogram lies.
    #[handler]
    pub fn quantile(&self, share: f32) -> u32 {
        let mut total = 0u64;
        for i in 0..16 {
            total += self.buckets[i] as u64;
        }
        let wanted = (share.clamp(0.0, 1.0) as f64 * total as f64).ceil() as u64;
        let mut seen = 0u64;
        for i in 0..16u32 {
            seen += self.buckets[i as usize] as u64;
            if seen >= wanted {
                return i;
            }
        }
        15
    }

    /// Closes the desk and pays out.
    #[handler]
    pub fn close(&mut self, cx: &mut Cx, to: ActorId<Desk>) -> u64 {
        let paid = self.balance - self.reserved;
        self.balance -= paid;
        self.closed = true;
        cx.tell(to.deposit(paid));
        paid
    }
}
