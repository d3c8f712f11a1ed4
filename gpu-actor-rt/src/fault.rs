//! Actor faults: what went wrong in a handler, contained to its message.

use std::fmt;

use kernels_ptx::abi::fault::code;

/// Why a message faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Integer overflow, a shift by the width or more, or `MIN / -1`.
    Overflow,
    /// An array index out of bounds.
    Bounds,
    /// Division or remainder by zero.
    DivisionByZero,
    /// A failed `assert!`.
    Assert,
    /// `panic!`.
    Panic,
    /// The handler's loops ran past the budget of one message.
    Budget,
    /// The handler sent more messages than its outbox holds.
    TooManySends,
    /// The actor's type has no such handler.
    UnknownMethod,
    /// The id names no actor.
    UnknownActor,
    /// The receiver's mailbox and the sender's spill ring are full.
    MailboxFull,
    /// The message's clock stamp was further ahead than the drift bound.
    ClockDrift,
    /// The actor sleeps, and the device has no memory to bring it back; it sleeps on. See
    /// [`Config::deactivate_after`](crate::Config::deactivate_after).
    NoMemory,
    /// A slice of the message names a buffer that there is not any more, or bytes that it does not have. Nothing was read.
    StaleBuffer,
    /// Two slices of the message overlap, and the handler may write to one of them.
    Overlap,
    /// Elements that came within their message were to be handed on, and the next message or reply has no room for them: send a
    /// [`Buffer`](crate::Buffer) instead.
    NoRoom,
    /// A code that this version does not know.
    Other(u32),
}

impl FaultKind {
    /// The kind of a fault code of the device.
    pub fn from_code(fault_code: u32) -> Self {
        match fault_code {
            code::OVERFLOW => Self::Overflow,
            code::BOUNDS => Self::Bounds,
            code::DIVISION_BY_ZERO => Self::DivisionByZero,
            code::ASSERT => Self::Assert,
            code::PANIC => Self::Panic,
            code::BUDGET => Self::Budget,
            code::TOO_MANY_SENDS => Self::TooManySends,
            code::UNKNOWN_METHOD => Self::UnknownMethod,
            code::UNKNOWN_ACTOR => Self::UnknownActor,
            code::MAILBOX_FULL => Self::MailboxFull,
            code::CLOCK_DRIFT => Self::ClockDrift,
            code::NO_MEMORY => Self::NoMemory,
            code::STALE_BUFFER => Self::StaleBuffer,
            code::OVERLAP => Self::Overlap,
            code::NO_ROOM => Self::NoRoom,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overflow => "arithmetic overflow",
            Self::Bounds => "index out of bounds",
            Self::DivisionByZero => "division by zero",
            Self::Assert => "assertion failed",
            Self::Panic => "panic",
            Self::Budget => "loop budget exhausted (see Config::budget)",
            Self::TooManySends => "too many sends in one call (see Config::max_sends)",
            Self::UnknownMethod => "no such handler",
            Self::UnknownActor => "no such actor",
            Self::MailboxFull => "mailbox full (see Config::device_inbox)",
            Self::ClockDrift => "clock stamp beyond the drift bound (see Config::drift_bound)",
            Self::NoMemory => "no device memory to reactivate the actor (see Config::max_resident)",
            Self::StaleBuffer => "a slice names a buffer that there is not any more",
            Self::Overlap => "two slices of the message overlap, and one may be written to",
            Self::NoRoom => "elements within the message have no room in the next one (send a Buffer)",
            Self::Other(code) => return write!(f, "unknown fault {code}"),
        })
    }
}

/// A message that faulted: what, whose, where. Comes as [`Error::Fault`](crate::Error::Fault) or from
/// [`ActorSystem::subscribe_faults`](crate::ActorSystem::subscribe_faults).
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// # #[gpu_actor]
/// # #[derive(Default)]
/// # struct Account { balance: u64 }
/// # #[gpu_actor]
/// # impl Account {
/// #     #[handler]
/// #     fn deposit(&mut self, amount: u64) -> u64 { self.balance += amount; self.balance }
/// #     #[handler]
/// #     fn withdraw(&mut self, amount: u64) { self.balance -= amount; }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> gpu_actor_rt::Result<()> {
/// let system = ActorSystem::start(Config::default()).await?;
/// match system.actor::<Account>("poor").withdraw(1).await {
///     Err(Error::Fault(fault)) => {
///         assert_eq!(fault.kind, FaultKind::Overflow);
///         assert_eq!((fault.actor.as_str(), fault.handler), ("\"poor\"", "withdraw"));
///         assert!(fault.line > 0 && !fault.file.is_empty());
///     }
///     other => panic!("{other:?}"),
/// }
/// system.shutdown().await
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Why.
    pub kind: FaultKind,
    /// The actor's type.
    pub actor_type: &'static str,
    /// The actor's key as text, or its id if the id was never given out by this system.
    pub actor: String,
    /// The handler.
    pub handler: &'static str,
    /// The function with the faulting line: the handler, or a `#[gpu_fn]` that it calls. Empty if the fault did not come from
    /// a handler.
    pub function: &'static str,
    /// The handler's source file (a `#[gpu_fn]` may be in another one); empty if the fault did not come from a handler.
    pub file: &'static str,
    /// Source line of the fault; 0 if it did not come from a handler.
    pub line: u32,
    /// The message of a failed assertion or panic.
    pub message: Option<&'static str>,
    /// Whether this is a message that a handler sent and that could not be delivered: the actor is its receiver.
    pub dead_letter: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.dead_letter { "was not delivered" } else { "faulted" };
        write!(f, "{}({}).{} {what}: {}", self.actor_type, self.actor, self.handler, self.kind)?;
        if let Some(message) = self.message {
            write!(f, ": {message}")?;
        }
        if self.line != 0 {
            write!(f, " at {}:{}", self.file, self.line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_whose_and_where() {
        let fault = Fault {
            kind: FaultKind::Assert,
            actor_type: "bank::Account",
            actor: "\"alice\"".into(),
            handler: "withdraw",
            function: "bank::Account::withdraw",
            file: "src/bank.rs",
            line: 12,
            message: Some("not enough"),
            dead_letter: false,
        };
        assert_eq!(
            fault.to_string(),
            "bank::Account(\"alice\").withdraw faulted: assertion failed: not enough at src/bank.rs:12"
        );
    }

    #[test]
    fn every_code_of_the_device_has_a_kind() {
        for fault_code in 1..=15 {
            assert!(!matches!(FaultKind::from_code(fault_code), FaultKind::Other(_)), "{fault_code}");
        }
        assert_eq!(FaultKind::from_code(99).to_string(), "unknown fault 99");
    }
}
