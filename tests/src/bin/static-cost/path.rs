//! The way of a message through machine code.
//!
//! The assembler moves, joins and doubles instructions, so lines of PTX cannot simply be counted. But what is seen from
//! outside stays: stores, loads that synchronise, atomics, votes, shuffles, calls. So the way is **the shortest walk through
//! the machine code, from a pass's first such act around to itself, that performs exactly the acts of the pass, line by line
//! and in their order**. Shortest: where two ways do the same, the warp is taken not to have
//! diverged, and the code for warps that did is longer.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::Result;
use crate::ptx::Act;
use crate::sass::{Code, Flow, Instruction};

/// What a message costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Instructions issued, those under a predicate that is false included.
    pub(crate) instructions: u32,
    /// Of those, how many access memory.
    pub(crate) memory: u32,
    /// Of those, how many order memory or empty the first-level cache.
    pub(crate) ordering: u32,
}

/// How far ahead of an act that is still to come a weak store may be performed.
const AHEAD: usize = 32;

/// What a walk has performed: all acts before a place, and some behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Acted {
    /// How many from the start.
    all: usize,
    /// Which of those behind them: the lowest bit stands for the first, which is never set.
    ahead: u32,
}

impl Acted {
    /// After `act` as well, if it may be next: at once, or as a weak store that changes places with other weak stores.
    fn perform(self, act: (u32, Act), all: &[(u32, Act)]) -> Option<Acted> {
        for (place, due) in all.iter().enumerate().skip(self.all).take(AHEAD) {
            let bit = 1 << (place - self.all);
            if self.ahead & bit != 0 {
                continue;
            }
            if *due == act {
                let ahead = self.ahead | bit;
                let done = ahead.trailing_ones();
                return Some(Acted {
                    all: self.all + done as usize,
                    ahead: ahead.checked_shr(done).unwrap_or(0),
                });
            }
            if due.1 != Act::Store || act.1 != Act::Store {
                return None;
            }
        }
        None
    }
}

/// Where a walk stands: the next instruction, what it has performed, where its calls return to.
type State = (usize, Acted, Vec<usize>);

/// Finds the way: the indices of its instructions. `pass` has the lines of PTX of one pass, `acts` what each line of the
/// module does.
pub(crate) fn find(code: &Code, pass: &[u32], acts: &[Option<Act>]) -> Result<Vec<usize>> {
    // What the assembler has left out altogether nobody can perform.
    let kept: HashSet<_> = code.instructions.iter().filter_map(|i| Some((i.line, i.act?))).collect();
    let done = |line: &u32| acts.get(*line as usize).copied().flatten().map(|act| (*line, act));
    let performed: Vec<_> = pass.iter().filter_map(done).filter(|act| kept.contains(act)).collect();
    let first = *performed.first().ok_or("the pass performs nothing")?;
    let known = |line: u32, act: Act| acts.get(line as usize).copied().flatten() == Some(act);

    let mut best: Option<Vec<usize>> = None;
    let starts =
        code.instructions.iter().enumerate().filter(|(_, i)| i.act.map(|act| (i.line, act)) == Some(first));
    let mut furthest = (0, 0);
    for (start, _) in starts {
        // Breadth first: every instruction costs one.
        let mut before: HashMap<State, Option<State>> = HashMap::new();
        let begin = (start, Acted::default(), Vec::new());
        before.insert(begin.clone(), None);
        let mut queue = VecDeque::from([begin]);
        let mut end = None;
        while let Some(state) = queue.pop_front() {
            let (at, acted, calls) = &state;
            if acted.all > furthest.0 {
                furthest = (acted.all, *at);
            }
            if *at == start && acted.all == performed.len() && calls.is_empty() {
                end = Some(state);
                break;
            }
            let Some(instruction) = code.instructions.get(*at) else { continue };
            // Performed, passed over because its predicate was false, or both are possible.
            let act = instruction
                .act
                .filter(|act| known(instruction.line, *act))
                .map(|act| (instruction.line, act));
            let mut acteds = Vec::new();
            if let Some(act) = act {
                acteds.extend(acted.perform(act, &performed));
            }
            if act.is_none() || instruction.predicated {
                acteds.push(*acted);
            }
            let back = calls.split_last().map(|(back, rest)| (*back, rest.to_vec()));
            let next = match instruction.flow {
                Flow::Next => vec![(at + 1, calls.clone())],
                Flow::Jump(to) => vec![(to, calls.clone())],
                Flow::Branch(to) => vec![(at + 1, calls.clone()), (to, calls.clone())],
                Flow::Call(to) => vec![(to, calls.iter().copied().chain([at + 1]).collect())],
                Flow::Return => back.into_iter().collect(),
                Flow::MayReturn => back.into_iter().chain([(at + 1, calls.clone())]).collect(),
                Flow::End => vec![],
            };
            for acted in acteds {
                for (to, calls) in &next {
                    let to = (*to, acted, calls.clone());
                    if !before.contains_key(&to) {
                        before.insert(to.clone(), Some(state.clone()));
                        queue.push_back(to);
                    }
                }
            }
        }
        let Some(mut state) = end else { continue };
        let mut walk = Vec::new();
        while let Some(Some(previous)) = before.get(&state) {
            walk.push(previous.0);
            state = previous.clone();
        }
        walk.reverse();
        if best.as_ref().is_none_or(|best| walk.len() < best.len()) {
            best = Some(walk);
        }
    }
    best.ok_or_else(|| {
        let (acted, at) = furthest;
        let near = &code.instructions[at.saturating_sub(3)..(at + 12).min(code.instructions.len())];
        let near: Vec<_> = near.iter().map(|i| format!("  {:5} {}", i.line, i.text)).collect();
        let (of, next) = (performed.len(), performed.get(acted));
        format!(
            "no way performs the acts of the pass: {acted} of {of} found, the next is {next:?}; there:\n{}",
            near.join("\n")
        )
        .into()
    })
}

/// What the instructions of a way cost.
pub(crate) fn cost(code: &Code, way: &[usize]) -> Cost {
    let count =
        |of: fn(&Instruction) -> bool| way.iter().filter(|at| of(&code.instructions[**at])).count() as u32;
    Cost { instructions: way.len() as u32, memory: count(|i| i.memory), ordering: count(|i| i.ordering) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions with their lines; the loop begins at the second.
    fn code(listing: &str) -> Code {
        let lines = listing.lines().map(str::trim).filter(|line| !line.is_empty());
        let text: String = lines
            .map(|line| match line.split_once(' ') {
                Some((number, rest)) => format!("//## File \"x\", line {number}\n/*0*/ {rest} ;\n"),
                None => format!("{line}\n"),
            })
            .collect();
        Code::parse(&text).unwrap()
    }

    const ACTS: [Option<Act>; 6] =
        [None, Some(Act::StrongLoad), Some(Act::Store), Some(Act::Store), None, Some(Act::Vote)];

    fn walk(listing: &str, pass: &[u32]) -> Result<Vec<usize>> {
        find(&code(listing), pass, &ACTS)
    }

    #[test]
    fn the_way_takes_the_branches_that_perform_the_acts() {
        let listing = "
            head:
            1 LD.STRONG.GPU R1
            4 @P0 BRA `(other)
            2 ST R1
            4 BRA `(join)
            other:
            3 ST R1
            4 IADD R1
            join:
            5 VOTE R1
            4 BRA `(head)";
        assert_eq!(walk(listing, &[1, 2, 4, 5]).unwrap(), [0, 1, 2, 3, 6, 7]);
        assert_eq!(walk(listing, &[1, 3, 4, 5]).unwrap(), [0, 1, 4, 5, 6, 7]);
        assert!(walk(listing, &[1, 2, 3, 5]).is_err(), "no way does both");
        assert!(walk(listing, &[1, 5]).is_err(), "no way does neither");
    }

    #[test]
    fn loops_are_counted_and_weak_stores_change_places() {
        let listing = "
            head:
            1 LD.STRONG.GPU R1
            copy:
            3 ST R1
            2 ST R1
            4 @P0 BRA `(copy)
            5 VOTE R1
            4 BRA `(head)";
        assert_eq!(walk(listing, &[1, 2, 3, 2, 3, 5]).unwrap(), [0, 1, 2, 3, 1, 2, 3, 4, 5]);
        assert!(walk(listing, &[1, 2, 3, 5, 2, 3]).is_err(), "a vote keeps its place");
    }

    #[test]
    fn under_a_predicate_an_act_may_be_left_out_and_still_costs() {
        let listing = "
            head:
            1 LD.STRONG.GPU R1
            2 @P0 ST R1
            3 ST R1
            4 BRA `(head)";
        assert_eq!(walk(listing, &[1, 3]).unwrap().len(), 4);
        assert_eq!(walk(listing, &[1, 2, 3]).unwrap().len(), 4);
        assert!(walk(listing, &[1, 2]).is_err(), "the other one is always performed");
        let way = walk(listing, &[1, 3]).unwrap();
        assert_eq!(cost(&code(listing), &way), Cost { instructions: 4, memory: 3, ordering: 0 });
    }

    #[test]
    fn calls_return_to_where_they_came_from() {
        let listing = "
            head:
            1 LD.STRONG.GPU R1
            4 CALL.REL `(f)
            5 VOTE R1
            4 CALL.REL `(f)
            4 BRA `(head)
            f:
            2 ST R1
            4 RET R1";
        assert_eq!(walk(listing, &[1, 2, 5, 2]).unwrap(), [0, 1, 5, 6, 2, 3, 5, 6, 4]);
    }
}
