//! Accounts whose state, messages and replies are enums, options and results.

use gpu_actor_rt::prelude::*;

// ANCHOR: refused
/// Why money stays where it is.
#[derive(GpuData, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refused {
    /// The account does not have so much.
    Short {
        /// How much more it would take.
        missing: u64,
    },
    /// The account is not open.
    Closed,
}
// ANCHOR_END: refused

/// What becomes of an account.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Nobody has opened it.
    #[default]
    Fresh,
    /// Open, for its owner if it has one.
    Open(Option<u32>),
    /// Closed, with what was left.
    Closed {
        /// The balance that was paid out.
        left: u64,
    },
}

/// A kind of payment: a number on the device.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// In cash.
    #[default]
    Cash,
    /// From another account.
    Transfer,
    /// From the bank itself.
    Bonus = 10,
}

/// Money on its way.
#[derive(GpuData, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Payment {
    /// How much.
    pub amount: u64,
    /// What kind.
    pub kind: Kind,
    /// A word about it.
    pub memo: Option<[u8; 8]>,
}

// ANCHOR: account
/// An account.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
pub struct Account {
    status: Status,
    balance: u64,
    last: Option<Payment>,
}

#[gpu_actor]
impl Account {
    /// Pays out, if there is enough; what is left.
    #[handler]
    pub fn withdraw(&mut self, amount: u64) -> Result<u64, Refused> {
        let Status::Open(_) = self.status else { return Err(Refused::Closed) };
        if amount > self.balance {
            return Err(Refused::Short { missing: amount - self.balance });
        }
        self.balance -= amount;
        Ok(self.balance)
    }
    // ANCHOR_END: account

    /// Opens the account; whether it was not open before.
    #[handler]
    pub fn open(&mut self, owner: Option<u32>) -> bool {
        match self.status {
            Status::Open(_) => false,
            Status::Fresh | Status::Closed { .. } => {
                self.status = Status::Open(owner);
                true
            }
        }
    }

    // ANCHOR: patterns
    /// Takes in a payment.
    #[handler]
    pub fn credit(&mut self, payment: Payment) -> Result<u64, Refused> {
        let Payment { amount, kind, .. } = payment;
        match (self.status, kind) {
            (Status::Open(Some(1..=9)), Kind::Bonus) => self.balance += amount * 2,
            (Status::Open(_), _) => self.balance += amount,
            (Status::Closed { left: 0 } | Status::Fresh, Kind::Bonus) => {}
            _ => return Err(Refused::Closed),
        }
        self.last = Some(payment);
        Ok(self.balance)
    }

    // ANCHOR_END: patterns

    /// Pays to another account.
    #[handler]
    pub fn transfer(&mut self, cx: &mut Cx, to: ActorId<Account>, payment: Payment) -> Result<u64, Refused> {
        if let Status::Open(_) = self.status
            && payment.amount <= self.balance
        {
            self.balance -= payment.amount;
            cx.tell(to.credit(Payment { kind: Kind::Transfer, ..payment }));
            return Ok(self.balance);
        }
        match self.status {
            Status::Open(_) => Err(Refused::Short { missing: payment.amount - self.balance }),
            _ => Err(Refused::Closed),
        }
    }

    /// Closes the account; what was left in it.
    #[handler]
    pub fn close(&mut self) -> Option<u64> {
        let left = if matches!(self.status, Status::Open(_)) { self.balance } else { return None };
        *self = Self { status: Status::Closed { left }, ..*self };
        self.balance = 0;
        Some(left)
    }

    /// The last payment, if it was of this kind.
    #[handler]
    pub fn last(&self, wanted: Kind) -> Option<Payment> {
        match self.last {
            Some(payment) if payment.kind == wanted => Some(payment),
            _ => None,
        }
    }

    /// What has become of the account; nothing for one that nobody has opened.
    #[handler]
    pub fn status(&self) -> Option<Status> {
        match self.status {
            Status::Fresh => None,
            known => Some(known),
        }
    }
}
