//! A message for which its worker's ring has no space: it waits on the host, is refused or dropped, as its type's mailbox says.
//!
//! Rule kept here: none of this runs while there is space and nothing waits; a type without a mailbox of its own is refused
//! as if there were no queues.

use super::Inner;
use crate::asks::{End, Ticket};
use crate::id::RawId;
use crate::mailbox::OnFull;
use crate::overflow::{Offered, Pushed};
use crate::ring::{Envelope, PAYLOAD_WORDS, Refused};

/// A message that waits on the host.
#[derive(Debug)]
pub(crate) struct Parcel {
    method: u32,
    actor: u64,
    hlc: u64,
    corr: u64,
    words: u8,
    payload: [u64; PAYLOAD_WORDS],
}

impl Parcel {
    fn of(message: &Envelope<'_>) -> Self {
        let mut payload = [0; PAYLOAD_WORDS];
        payload[..message.payload.len()].copy_from_slice(message.payload);
        let words = message.payload.len() as u8;
        Self {
            method: message.method,
            actor: message.actor,
            hlc: message.hlc,
            corr: message.corr,
            words,
            payload,
        }
    }

    fn envelope(&self) -> Envelope<'_> {
        Envelope {
            method: self.method,
            actor: self.actor,
            hlc: self.hlc,
            corr: self.corr,
            payload: &self.payload[..usize::from(self.words)],
        }
    }
}

impl Inner {
    /// Takes a message that must not, or cannot, go straight into its worker's ring.
    #[cold]
    pub(super) fn post_behind(&self, message: &Envelope<'_>) -> Result<(), Refused> {
        let id = RawId(message.actor);
        let memory = &self.running.memory;
        let (inbox, overflow) =
            (&memory.inboxes[id.worker() as usize], &memory.overflows[id.worker() as usize]);
        let kind = id.type_index() as usize;
        let mailbox = self.mailboxes[kind];
        if mailbox.messages == 0 {
            // Nothing of this type waits; what others have waiting is not its concern.
            let pushed = inbox.push(message);
            if pushed == Err(Refused::Full) {
                // What fills the ring may be asks whose bell is still owed.
                self.ring(id.worker());
            }
            return pushed;
        }
        let push = |parcel: &Parcel| match inbox.push_accepted(&parcel.envelope()) {
            Ok(()) => Pushed::Yes,
            Err(_) => Pushed::Full,
        };
        let evicts = mailbox.on_full == OnFull::DropOldest;
        let offered = overflow.offer(kind, Parcel::of(message), mailbox.messages as usize, evicts, push);
        // What waited may be in the ring now, whatever became of this one.
        self.ring(id.worker());
        match offered {
            Offered::Taken => {}
            Offered::Evicted(oldest) => {
                self.forget(oldest.envelope().payload, oldest.corr);
                if let Some(ticket) = Ticket::from_corr(oldest.corr) {
                    self.asks.end(ticket, End::Dropped);
                }
            }
            Offered::Full => return Err(Refused::Full),
            Offered::Closed => return Err(Refused::Closed),
        }
        if overflow.any() {
            self.wake_poller_for_space();
        }
        Ok(())
    }

    /// Moves what waits on the host into the rings that have space; whether there was any.
    pub(super) fn flush_overflows(&self) -> bool {
        let memory = &self.running.memory;
        let mut worked = false;
        for (worker, (overflow, inbox)) in (0u32..).zip(memory.overflows.iter().zip(&memory.inboxes)) {
            if !overflow.any() || !inbox.has_space() {
                continue;
            }
            let moved = overflow.flush(|parcel| match inbox.push_accepted(&parcel.envelope()) {
                Ok(()) => Pushed::Yes,
                Err(_) => Pushed::Full,
            });
            if moved != 0 {
                worked = true;
                self.ring(worker);
            }
        }
        worked
    }

    /// Drops and counts a tell for which there was no space, if its type says so; whether it did.
    pub(crate) fn drop_newest(&self, id: RawId) -> bool {
        self.mailboxes[id.type_index() as usize].on_full == OnFull::DropNewest
            && self.running.memory.overflows[id.worker() as usize].count_drop()
    }

    /// Messages to actors of a type that wait for a worker at the most.
    pub(crate) fn mailbox_capacity(&self, type_index: u32) -> u64 {
        let beyond = self.mailboxes.get(type_index as usize).map_or(0, |mailbox| mailbox.messages);
        u64::from(self.settings.config.host_inbox) + u64::from(beyond)
    }
}
