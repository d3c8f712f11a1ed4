//! What the peers' actors do in the workloads where actors talk to each other: big, the bank, and the chameneos.
//!
//! Rule kept here: messages name actors by their place in a list that all share, so that no peer pays for counted references
//! in messages, and a message of the simpler workloads is no larger for these.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::role::{Msg, Peer, xorshift};

/// An actor's part in a workload.
#[derive(Debug)]
pub(crate) enum Part<P> {
    /// Big: one of many who ping each other.
    Crowd(Crowd<P>),
    /// The bank: who orders transfers, one after the other.
    Teller(Teller<P>),
    /// The bank: an account; its balance is the actor's count.
    Account(Account<P>),
    /// The chameneos: who pairs them.
    Mall(Mall<P>),
    /// The chameneos: one of them.
    Chameneo(Chameneo<P>),
}

/// What one of many who ping each other knows.
#[derive(Debug)]
pub(crate) struct Crowd<P> {
    pub(crate) me: P,
    pub(crate) all: Arc<Vec<P>>,
    /// Pings to send.
    pub(crate) left: u64,
    pub(crate) seed: u64,
    pub(crate) done: mpsc::UnboundedSender<()>,
}

/// What a teller knows.
#[derive(Debug)]
pub(crate) struct Teller<P> {
    pub(crate) me: u16,
    pub(crate) accounts: Arc<Vec<P>>,
    /// Transfers to order.
    pub(crate) left: u64,
    pub(crate) seed: u64,
    pub(crate) done: mpsc::UnboundedSender<()>,
}

/// What an account knows.
#[derive(Debug)]
pub(crate) struct Account<P> {
    pub(crate) me: u16,
    pub(crate) accounts: Arc<Vec<P>>,
    pub(crate) tellers: Arc<Vec<P>>,
}

/// What the mall knows.
#[derive(Debug)]
pub(crate) struct Mall<P> {
    pub(crate) creatures: Arc<Vec<P>>,
    pub(crate) waiting: Option<u16>,
    /// Meetings to come.
    pub(crate) left: u64,
    /// Creatures that came too late.
    pub(crate) late: usize,
    pub(crate) done: mpsc::UnboundedSender<()>,
}

/// What a chameneo knows.
#[derive(Debug)]
pub(crate) struct Chameneo<P> {
    pub(crate) me: u16,
    pub(crate) mall: P,
    pub(crate) creatures: Arc<Vec<P>>,
    pub(crate) colour: u8,
}

impl<P: Peer> Part<P> {
    /// Handles a message; one that has nothing to do with this part is left alone.
    pub(crate) fn on(&mut self, count: &mut u64, message: Msg<P>) {
        match (self, message) {
            (Self::Crowd(crowd), Msg::Go) => {
                if crowd.left == 0 {
                    // The driver counts those that have done; if it has given up, that is fine.
                    let _ = crowd.done.send(());
                } else {
                    crowd.left -= 1;
                    crowd.seed = xorshift(crowd.seed);
                    let whom = crowd.seed as usize % crowd.all.len();
                    crowd.all[whom].pass(Msg::Ping(crowd.me.clone()));
                }
            }
            (Self::Teller(teller), Msg::Go) => {
                if teller.left == 0 {
                    let _ = teller.done.send(());
                } else {
                    teller.left -= 1;
                    teller.seed = xorshift(teller.seed);
                    let [from, to] = transfer(teller.seed, teller.accounts.len());
                    let amount = (teller.seed >> 40) as u32 & 0xff;
                    teller.accounts[from].pass(Msg::Transfer { amount, to: to as u16, teller: teller.me });
                }
            }
            (Self::Account(account), Msg::Transfer { amount, to, teller }) => {
                *count = count.wrapping_sub(u64::from(amount));
                account.accounts[usize::from(to)].pass(Msg::Deposit { amount, from: account.me, teller });
            }
            (Self::Account(account), Msg::Deposit { amount, from, teller }) => {
                *count = count.wrapping_add(u64::from(amount));
                account.accounts[usize::from(from)].pass(Msg::Deposited { teller });
            }
            (Self::Account(account), Msg::Deposited { teller }) => {
                account.tellers[usize::from(teller)].pass(Msg::Go);
            }
            (Self::Mall(mall), Msg::Meet { from, colour }) => {
                if mall.left == 0 {
                    mall.late += 1;
                    if mall.late == mall.creatures.len() {
                        let _ = mall.done.send(());
                    }
                } else if let Some(waiting) = mall.waiting.take() {
                    mall.left -= 1;
                    mall.creatures[usize::from(waiting)].pass(Msg::Pair { with: from, colour });
                } else {
                    mall.waiting = Some(from);
                }
            }
            (Self::Chameneo(me), Msg::Go) => me.mall.pass(Msg::Meet { from: me.me, colour: me.colour }),
            (Self::Chameneo(me), Msg::Pair { with, colour }) => {
                me.colour = complement(me.colour, colour);
                me.creatures[usize::from(with)].pass(Msg::Change(me.colour));
                me.mall.pass(Msg::Meet { from: me.me, colour: me.colour });
            }
            (Self::Chameneo(me), Msg::Change(colour)) => {
                me.colour = colour;
                me.mall.pass(Msg::Meet { from: me.me, colour: me.colour });
            }
            _ => {}
        }
    }
}

/// Two accounts of a power of two, never the same.
fn transfer(seed: u64, accounts: usize) -> [usize; 2] {
    let from = seed as usize & (accounts - 1);
    let step = (seed >> 20) as usize % (accounts - 1) + 1;
    [from, (from + step) & (accounts - 1)]
}

/// The colour that two become who meet: their own if they are of one, else the third.
fn complement(one: u8, other: u8) -> u8 {
    if one == other { one } else { 3 - one - other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_are_between_two_accounts() {
        let mut seed = 1;
        for _ in 0..1000 {
            seed = xorshift(seed);
            let [from, to] = transfer(seed, 32);
            assert!(from != to && from < 32 && to < 32, "{from} to {to}");
        }
    }

    #[test]
    fn the_third_colour_is_neither() {
        assert_eq!([complement(0, 0), complement(0, 1), complement(0, 2), complement(2, 1)], [0, 2, 1, 0]);
    }
}
