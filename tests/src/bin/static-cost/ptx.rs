//! The PTX that our own writer wrote, by lines.

use std::ops::Range;

use crate::Result;

/// What an instruction does that no compiler may leave out, double or move past another of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    /// A weak store: it may change places with its neighbours of the kind.
    Store,
    /// A store that synchronises.
    StrongStore,
    /// A load that synchronises or may not be repeated.
    StrongLoad,
    /// A read-modify-write.
    Atomic,
    /// A warp's vote.
    Vote,
    /// A warp's shuffle.
    Shuffle,
    /// A warp's match.
    Match,
    /// A nap.
    Sleep,
    /// A signal to the host or to the other workers.
    Signal,
    /// A call.
    Call,
}

impl Act {
    /// What the instruction on a line of PTX does, if it counts.
    fn of(instruction: &str) -> Option<Act> {
        let mut words = instruction.split_whitespace();
        let mut opcode = words.next()?;
        if opcode.starts_with('@') {
            opcode = words.next()?;
        }
        let opcode = opcode.trim_end_matches(';');
        let parts: Vec<_> = opcode.split('.').collect();
        Some(match parts[0] {
            "st" if parts[1] == "param" => return None,
            "st" if matches!(parts[1], "release" | "relaxed") => Act::StrongStore,
            "st" => Act::Store,
            "ld" if matches!(parts[1], "acquire" | "relaxed") => Act::StrongLoad,
            "atom" | "red" => Act::Atomic,
            "vote" => Act::Vote,
            "shfl" => Act::Shuffle,
            "match" => Act::Match,
            "nanosleep" => Act::Sleep,
            "pmevent" => Act::Signal,
            "call" => Act::Call,
            _ => return None,
        })
    }
}

/// A module's text.
pub(crate) struct Ptx {
    lines: Vec<String>,
}

impl Ptx {
    pub(crate) fn new(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        (1..).zip(self.lines.iter().map(|line| &**line))
    }

    /// Whether a line holds an instruction: what is indented and neither directive nor brace.
    pub(crate) fn is_instruction(&self, number: u32) -> bool {
        let line = number.checked_sub(1).and_then(|index| self.lines.get(index as usize));
        line.and_then(|line| line.strip_prefix('\t')).is_some_and(|line| !line.starts_with(['.', '{', '}']))
    }

    /// What the instruction of each line does, if it counts.
    pub(crate) fn acts(&self) -> Vec<Option<Act>> {
        let act = |(number, line): (u32, &str)| self.is_instruction(number).then(|| Act::of(line)).flatten();
        std::iter::once(None).chain(self.lines().map(act)).collect()
    }

    /// The lines of a function's body, from its first instruction.
    pub(crate) fn function(&self, symbol: &str) -> Result<Range<u32>> {
        let head = format!("{symbol}(");
        let mut lines = self
            .lines()
            .skip_while(|(_, line)| !(line.contains(&head) && line.starts_with('.') && !line.ends_with(';')));
        let start = lines.find(|(number, _)| self.is_instruction(*number));
        let end = lines.find(|(_, line)| *line == "}");
        match (start, end) {
            (Some((start, _)), Some((end, _))) => Ok(start..end),
            _ => Err(format!("the module has no function {symbol}").into()),
        }
    }
}
