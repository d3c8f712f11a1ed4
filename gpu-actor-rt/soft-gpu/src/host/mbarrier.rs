//! The `mbarrier` object: a word of shared memory that counts arrivals and bytes, and has phases.
//!
//! A phase is complete when no arrivals are pending and no bytes are outstanding; the next one then begins by itself, with as many
//! arrivals pending as are expected. The word is opaque to programs; what `arrive` returns is the word before it.

/// What an instruction does to the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    /// Begins with so many expected arrivals.
    Init,
    /// Arrives so many times.
    Arrive,
    /// The same, and so many fewer are expected from the next phase on.
    Drop,
    /// Expects so many bytes more.
    ExpectBytes,
    /// So many bytes have come.
    CompleteBytes,
    /// Expects so many bytes more, and arrives once.
    ArriveExpecting,
}

const STEPS: [Step; 6] =
    [Step::Init, Step::Arrive, Step::Drop, Step::ExpectBytes, Step::CompleteBytes, Step::ArriveExpecting];

impl Step {
    pub(super) fn from_number(number: u32) -> Step {
        // Compiled code has only numbers of steps.
        STEPS.get(number as usize).copied().unwrap_or(Step::Arrive)
    }
}

const COUNT: u64 = (1 << 20) - 1;
const BYTES: u64 = (1 << 22) - 1;
const EXPECTED_AT: u32 = 20;
const BYTES_AT: u32 = 40;
/// Bit of the word that changes from phase to phase.
pub(crate) const PHASE_AT: u32 = 63;

/// The word after a step.
pub(super) fn step(word: u64, step: Step, n: u32) -> u64 {
    let n = u64::from(n);
    let mut pending = word & COUNT;
    let mut expected = word >> EXPECTED_AT & COUNT;
    let mut bytes = word >> BYTES_AT & BYTES;
    let mut phase = word >> PHASE_AT;
    match step {
        Step::Init => (pending, expected, bytes, phase) = (n & COUNT, n & COUNT, 0, 0),
        Step::Arrive => pending = pending.wrapping_sub(n) & COUNT,
        Step::Drop => {
            pending = pending.wrapping_sub(n) & COUNT;
            expected = expected.wrapping_sub(n) & COUNT;
        }
        Step::ExpectBytes => bytes = bytes.wrapping_add(n) & BYTES,
        Step::CompleteBytes => bytes = bytes.wrapping_sub(n) & BYTES,
        Step::ArriveExpecting => {
            bytes = bytes.wrapping_add(n) & BYTES;
            pending = pending.wrapping_sub(1) & COUNT;
        }
    }
    if pending == 0 && bytes == 0 {
        pending = expected;
        phase ^= 1;
    }
    pending | expected << EXPECTED_AT | bytes << BYTES_AT | phase << PHASE_AT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(word: u64) -> u64 {
        word >> PHASE_AT
    }

    #[test]
    fn phases_follow_arrivals_and_bytes() {
        let word = step(0xdead_beef, Step::Init, 3);
        let word = step(word, Step::Arrive, 2);
        assert_eq!((phase(word), word & COUNT), (0, 1));
        let word = step(word, Step::Arrive, 1);
        assert_eq!((phase(word), word & COUNT), (1, 3));
        // Bytes that come before they are expected are outstanding the other way round.
        let word = step(word, Step::CompleteBytes, 16);
        let word = step(word, Step::Arrive, 2);
        let word = step(word, Step::ArriveExpecting, 48);
        assert_eq!(phase(word), 1);
        let word = step(word, Step::CompleteBytes, 32);
        assert_eq!((phase(word), word & COUNT), (0, 3));
        let word = step(word, Step::Drop, 1);
        let word = step(word, Step::Arrive, 2);
        assert_eq!((phase(word), word & COUNT), (1, 2));
    }

    #[test]
    fn numbers_stand_for_steps() {
        for (at, step) in STEPS.iter().enumerate() {
            assert_eq!(*step as usize, at);
        }
    }
}
