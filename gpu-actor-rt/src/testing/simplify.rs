//! A failing input, made simpler: zeros and small numbers where they show the same difference.
//!
//! Nothing is known of the types, so bytes are changed in the units in which fields are aligned, and made valid again.

use super::batch::Input;
use super::{Apart, Subject, name_buffers};

/// Rounds of changes at most; each keeps one.
const ROUNDS: usize = 100;

/// The simplest input that was found which differs in the same way, and its results.
pub(super) fn simplify(subject: &Subject<'_>, input: Input, apart: Apart) -> (Input, Apart) {
    let mut best = (input, apart);
    for _ in 0..ROUNDS {
        let size = weight(&best.0);
        let mut candidates = candidates(subject, &best.0);
        candidates.retain(|candidate| weight(candidate) < size);
        // The simplest first, so that the first that fails is the one to keep.
        candidates.sort_by_key(weight);
        // What cannot be run any more is not simplified any more.
        let Ok(outputs) = subject.device(&candidates) else { break };
        let found = candidates.into_iter().zip(outputs).find_map(|(input, output)| {
            let native = subject.native(&input, &output)?;
            let apart = subject.compare(native, output).err()?;
            (apart.what == best.1.what).then_some((input, apart))
        });
        match found {
            Some(simpler) => best = simpler,
            None => break,
        }
    }
    best
}

/// How far an input is from all zeros: bytes that are not zero, then their sum.
fn weight(input: &Input) -> (usize, u64) {
    let now = input.now.to_le_bytes();
    let buffers = input.buffers.iter().flatten();
    let bytes = input.state.iter().chain(&input.message).chain(&now).chain(buffers);
    bytes.fold((0, 0), |(count, sum), byte| (count + usize::from(*byte != 0), sum + u64::from(*byte)))
}

fn candidates(subject: &Subject<'_>, input: &Input) -> Vec<Input> {
    let mut found = Vec::new();
    for state in changes(&input.state) {
        let mut changed = Input { state, ..input.clone() };
        (subject.info.state)(&mut changed.state);
        found.push(changed);
    }
    for message in changes(&input.message) {
        let mut changed = Input { message, ..input.clone() };
        (subject.method().message)(&mut changed.message);
        name_buffers(&mut changed);
        found.push(changed);
    }
    for (number, buffer) in input.buffers.iter().enumerate() {
        for bytes in changes(buffer) {
            let mut changed = input.clone();
            changed.buffers[number] = bytes;
            found.push(changed);
        }
    }
    found.extend([0, input.now >> 1].map(|now| Input { now, ..input.clone() }));
    found
}

/// `bytes` with one range of them zero, one, or halved.
fn changes(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut unit = bytes.len().next_power_of_two();
    while unit > 0 {
        for begin in (0..bytes.len()).step_by(unit) {
            let range = begin..(begin + unit).min(bytes.len());
            if bytes[range.clone()].iter().all(|byte| *byte == 0) {
                continue;
            }
            let mut changed = bytes.to_vec();
            changed[range.clone()].fill(0);
            found.push(changed.clone());
            if unit <= 8 {
                changed[begin] = 1;
                found.push(changed.clone());
                let mut word = [0; 8];
                word[..range.len()].copy_from_slice(&bytes[range.clone()]);
                let half = (u64::from_le_bytes(word) >> 1).to_le_bytes();
                changed[range.clone()].copy_from_slice(&half[..range.len()]);
                found.push(changed.clone());
                let less = u64::from_le_bytes(word).wrapping_sub(1).to_le_bytes();
                changed[range.clone()].copy_from_slice(&less[..range.len()]);
                found.push(changed);
            }
        }
        unit /= 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_go_from_large_to_small() {
        let changes = changes(&[0, 0, 6, 0, 0, 9]);
        assert_eq!(changes[0], [0; 6]);
        assert!(changes.contains(&vec![0, 0, 0, 0, 0, 9]));
        assert!(changes.contains(&vec![0, 0, 3, 0, 0, 9]));
        assert!(changes.contains(&vec![0, 0, 6, 0, 0, 8]));
        assert!(changes.iter().all(|change| change.len() == 6));
    }
}
