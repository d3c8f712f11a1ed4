//! The bank and the chameneos on gpu-actor: the same messages as the peers', with ids instead of places in a list.

use std::time::Instant;

use gpu_actor_rt::prelude::*;

use super::ours::Ours;
use super::workload::{ACCOUNTS, CREATURES, Load, TELLERS, rate, seed};
use crate::Outcome;

/// An account of the bank.
#[gpu_actor]
#[derive(Default)]
pub struct Account {
    balance: u64,
    transfers: u64,
}

#[gpu_actor]
impl Account {
    /// Pays.
    #[handler]
    pub fn transfer(
        &mut self,
        cx: &mut Cx,
        amount: u64,
        me: ActorId<Account>,
        to: ActorId<Account>,
        teller: ActorId<Teller>,
    ) {
        self.transfers += 1;
        self.balance = self.balance.wrapping_sub(amount);
        cx.tell(to.deposit(amount, me, teller));
    }

    /// Is paid.
    #[handler]
    pub fn deposit(&mut self, cx: &mut Cx, amount: u64, from: ActorId<Account>, teller: ActorId<Teller>) {
        self.balance = self.balance.wrapping_add(amount);
        cx.tell(from.deposited(teller));
    }

    /// The answer to the one that pays.
    #[handler]
    #[allow(clippy::unused_self, reason = "a handler has a receiver, also one that needs no state")]
    pub fn deposited(&mut self, cx: &mut Cx, teller: ActorId<Teller>) {
        cx.tell(teller.go());
    }

    /// What is on it; less than nothing wraps around.
    #[handler]
    pub fn balance(&self) -> u64 {
        self.balance
    }
}

/// Who orders transfers.
#[gpu_actor]
#[derive(Default)]
pub struct Teller {
    accounts: [ActorId<Account>; 32],
    me: ActorId<Teller>,
    left: u64,
    seed: u64,
}

#[gpu_actor]
impl Teller {
    /// Who this is, and how much it orders.
    #[handler]
    pub fn open(&mut self, me: ActorId<Teller>, left: u64, seed: u64) {
        self.me = me;
        self.left = left;
        self.seed = seed;
    }

    /// One of the accounts.
    #[handler]
    pub fn account(&mut self, at: u64, account: ActorId<Account>) -> bool {
        self.accounts[at as usize] = account;
        true
    }

    /// The next transfer, after the last is settled.
    #[handler]
    pub fn go(&mut self, cx: &mut Cx) {
        if self.left > 0 {
            self.left -= 1;
            let mut x = self.seed;
            x = x ^ (x << 13);
            x = x ^ (x >> 7);
            x = x ^ (x << 17);
            self.seed = x;
            let from = x & 31;
            let to = (from + (x >> 20) % 31 + 1) & 31;
            let payer = self.accounts[from as usize];
            cx.tell(payer.transfer((x >> 40) & 255, payer, self.accounts[to as usize], self.me));
        }
    }
}

/// Who pairs the chameneos.
#[gpu_actor]
#[derive(Default)]
pub struct Mall {
    waiting: ActorId<Chameneo>,
    waits: u64,
    left: u64,
}

#[gpu_actor]
impl Mall {
    /// So many meetings.
    #[handler]
    pub fn open(&mut self, meetings: u64) {
        self.left = meetings;
        self.waits = 0;
    }

    /// Somebody has come.
    #[handler]
    pub fn meet(&mut self, cx: &mut Cx, from: ActorId<Chameneo>, colour: u64) {
        if self.left > 0 {
            if self.waits == 1 {
                self.left -= 1;
                self.waits = 0;
                cx.tell(self.waiting.pair(from, colour));
            } else {
                self.waiting = from;
                self.waits = 1;
            }
        }
    }
}

/// One of the chameneos.
#[gpu_actor]
#[derive(Default)]
pub struct Chameneo {
    mall: ActorId<Mall>,
    me: ActorId<Chameneo>,
    colour: u64,
}

#[gpu_actor]
impl Chameneo {
    /// Who this is, and where to go.
    #[handler]
    pub fn hatch(&mut self, me: ActorId<Chameneo>, mall: ActorId<Mall>, colour: u64) -> bool {
        self.me = me;
        self.mall = mall;
        self.colour = colour;
        true
    }

    /// To the mall.
    #[handler]
    pub fn go(&mut self, cx: &mut Cx) {
        cx.tell(self.mall.meet(self.me, self.colour));
    }

    /// Another came while this one waited.
    #[handler]
    pub fn pair(&mut self, cx: &mut Cx, with: ActorId<Chameneo>, colour: u64) {
        if self.colour != colour {
            self.colour = 3 - self.colour - colour;
        }
        cx.tell(with.change(self.colour));
        cx.tell(self.mall.meet(self.me, self.colour));
    }

    /// What it became.
    #[handler]
    pub fn change(&mut self, cx: &mut Cx, colour: u64) {
        self.colour = colour;
        cx.tell(self.mall.meet(self.me, self.colour));
    }
}

impl Ours {
    /// See [`super::workload::bank`]; the device's counters say when all have done.
    pub(crate) fn bank(&mut self, load: Load) -> Outcome<f64> {
        let first = self.keys(ACCOUNTS + TELLERS);
        let (system, executor) = self.parts();
        let accounts: Vec<_> = (0..ACCOUNTS as u64).map(|at| system.actor::<Account>(first + at)).collect();
        let tellers: Vec<_> = (0..TELLERS as u64).map(|at| system.actor::<Teller>(first + at)).collect();
        executor.block_on(async {
            for (at, teller) in tellers.iter().enumerate() {
                teller.open(teller.id()?, load.pings, seed(at)).await?;
                for (place, account) in (0..).zip(&accounts) {
                    teller.account(place, account.id()?).await?;
                }
            }
            system.drained().await?;
            let before = system.stats().handled;
            let begun = Instant::now();
            for teller in &tellers {
                teller.go().tell()?;
            }
            system.drained().await?;
            let count = TELLERS as u64 * load.pings * 4;
            let figure = rate(count, begun);
            let handled = system.stats().handled - before;
            if handled != count + TELLERS as u64 {
                return Err(format!("{handled} messages of {count}").into());
            }
            let mut sum = 0u64;
            for account in &accounts {
                sum = sum.wrapping_add(account.balance().await?);
            }
            if sum == 0 { Ok(figure) } else { Err(format!("{sum} was received and not paid").into()) }
        })
    }

    /// See [`super::workload::chameneos`].
    pub(crate) fn chameneos(&mut self, load: Load) -> Outcome<f64> {
        let first = self.keys(CREATURES);
        let (system, executor) = self.parts();
        let mall = system.actor::<Mall>(first);
        let creatures: Vec<_> =
            (0..CREATURES as u64).map(|at| system.actor::<Chameneo>(first + at)).collect();
        executor.block_on(async {
            let meetings = load.pings * 4;
            mall.open(meetings).await?;
            for (at, creature) in (0..).zip(&creatures) {
                creature.hatch(creature.id()?, mall.id()?, at % 3).await?;
            }
            system.drained().await?;
            let before = system.stats().handled;
            let begun = Instant::now();
            for creature in &creatures {
                creature.go().tell()?;
            }
            system.drained().await?;
            let figure = rate(meetings * 4, begun);
            let handled = system.stats().handled - before;
            // Each goes to the mall once more than it meets, and is told to go.
            let count = meetings * 4 + 2 * CREATURES as u64;
            if handled == count { Ok(figure) } else { Err(format!("{handled} messages of {count}").into()) }
        })
    }
}
