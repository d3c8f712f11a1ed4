//! Machine code, read from what `nvdisasm -c -gp` prints: instructions, labels, and the line of PTX that each
//! instruction comes from.

use std::collections::HashMap;
use std::ops::Range;

use crate::Result;
use crate::ptx::Act;

/// Where an instruction can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next one.
    Next,
    /// To another one.
    Jump(usize),
    /// To another one, or to the next.
    Branch(usize),
    /// Into a function, and later to the next.
    Call(usize),
    /// Back to behind the call.
    Return,
    /// Back to behind the call, or to the next one.
    MayReturn,
    /// Nowhere.
    End,
}

/// One machine instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// The line of PTX that it comes from.
    pub(crate) line: u32,
    /// Whether it may do nothing: it stands under a predicate.
    pub(crate) predicated: bool,
    /// What it does, if that counts.
    pub(crate) act: Option<Act>,
    /// Whether it orders memory: a fence, or the emptying of the first-level cache behind a load that acquires.
    pub(crate) ordering: bool,
    /// Whether it loads, stores or changes memory; parameters and constants are none.
    pub(crate) memory: bool,
    /// Whether it only fills up a function's end.
    pub(crate) padding: bool,
    /// Where it goes.
    pub(crate) flow: Flow,
    /// Its text, for messages.
    pub(crate) text: String,
}

/// A kernel with all that it calls.
pub(crate) struct Code {
    /// In the order of their addresses.
    pub(crate) instructions: Vec<Instruction>,
}

/// What a machine instruction does.
fn act(opcode: &str) -> Option<Act> {
    let mut parts = opcode.split('.');
    let first = parts.next().unwrap_or("");
    Some(match first {
        "ST" | "STG" if parts.any(|part| part == "STRONG") => Act::StrongStore,
        "ST" | "STG" => Act::Store,
        "LD" | "LDG" if parts.any(|part| part == "STRONG") => Act::StrongLoad,
        "ATOM" | "ATOMG" | "RED" => Act::Atomic,
        "VOTE" => Act::Vote,
        "SHFL" => Act::Shuffle,
        "MATCH" => Act::Match,
        "NANOSLEEP" => Act::Sleep,
        "PMTRIG" => Act::Signal,
        "CALL" => Act::Call,
        _ => return None,
    })
}

/// An instruction whose target is still a name.
struct Raw<'a> {
    instruction: Instruction,
    opcode: &'a str,
    target: Option<&'a str>,
}

/// `@!P0 OPCODE OPERANDS` taken apart.
fn instruction(text: &str, line: u32) -> Raw<'_> {
    let (predicate, rest) = match text.strip_prefix('@') {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => ("", text),
    };
    let (opcode, operands) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
    let target = operands.split_once("`(").and_then(|(_, rest)| rest.split_once(')')).map(|(name, _)| name);
    let first = opcode.split('.').next().unwrap_or("");
    let instruction = Instruction {
        line,
        // A branch can also depend on an operand: `BRA.DIV UR6`, `BRA P0`, `BRA !P0`.
        predicated: !predicate.is_empty() && predicate != "PT",
        act: act(opcode),
        ordering: matches!(first, "MEMBAR" | "ERRBAR" | "CGAERRBAR" | "CCTL"),
        memory: matches!(
            first,
            "LD" | "LDG" | "LDL" | "LDS" | "ST" | "STG" | "STL" | "STS" | "ATOM" | "ATOMG" | "RED"
        ),
        padding: false,
        flow: Flow::Next,
        text: text.to_owned(),
    };
    Raw { instruction, opcode, target }
}

impl Code {
    /// Reads a listing.
    pub(crate) fn parse(listing: &str) -> Result<Self> {
        let mut labels = HashMap::new();
        let mut raw = Vec::new();
        let mut line = 0;
        for text in listing.lines().map(str::trim) {
            if let Some((_, number)) =
                text.split_once("//## File").and_then(|(_, rest)| rest.split_once("line "))
            {
                let digits = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
                line = digits.parse().map_err(|error| format!("line number in `{text}`: {error}"))?;
            } else if let Some(label) = text.strip_suffix(':') {
                labels.insert(label, raw.len());
            } else if let Some((_, rest)) = text.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
                raw.push(instruction(rest.trim().trim_end_matches(';').trim_end(), line));
            }
        }
        let place = |raw: &Raw<'_>| {
            let name = raw.target.unwrap_or("");
            labels.get(name).copied().ok_or_else(|| format!("no target for `{}`", raw.instruction.text))
        };
        let mut instructions: Vec<Instruction> = Vec::with_capacity(raw.len());
        for one in raw {
            let mut instruction = one.instruction.clone();
            let always = !instruction.predicated;
            let name = one.opcode.split('.').next().unwrap_or("");
            instruction.flow = match name {
                // Some branches have a second condition among their operands.
                "BRA" if always && one.instruction.text.starts_with("BRA `") => Flow::Jump(place(&one)?),
                "BRA" => Flow::Branch(place(&one)?),
                // The assembler also writes far jumps within a function as calls.
                "CALL" if one.target.is_some_and(|name| name.starts_with(".L")) => {
                    instruction.act = None;
                    if always { Flow::Jump(place(&one)?) } else { Flow::Branch(place(&one)?) }
                }
                "CALL" => Flow::Call(place(&one)?),
                "RET" if always => Flow::Return,
                "RET" => Flow::MayReturn,
                "EXIT" | "KILL" | "BPT" if always => Flow::End,
                "BRX" | "JMP" | "JMX" | "BRXU" | "JMXU" => {
                    return Err(format!("cannot follow `{}`", instruction.text).into());
                }
                _ => Flow::Next,
            };
            // Behind the last instruction of a function stand a jump to itself and empty ones.
            instruction.padding = instruction.flow == Flow::Jump(instructions.len())
                || (name == "NOP" && instructions.last().is_some_and(|last| last.padding));
            instructions.push(instruction);
        }
        Ok(Self { instructions })
    }

    /// Instructions that come from one of the lines of PTX.
    pub(crate) fn count(&self, lines: &Range<u32>) -> usize {
        self.instructions.iter().filter(|i| !i.padding && lines.contains(&i.line)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let listing = "
kernel:
.text.kernel:
\t//## File \".nv_debug_ptx_txt\", line 17
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_1:
\t//## File \".nv_debug_ptx_txt\", line 18 inlined at \".nv_debug_ptx_txt\", line 3
        /*0010*/              @!P3 LD.E.64.STRONG.SYS R2, desc[UR8][R4.64] ;
        /*0020*/                   ERRBAR;
        /*0030*/               @P0 BRA `(.L_x_1) ;
        /*0040*/                   BRA.DIV UR6, `(.L_x_2) ;
        /*0050*/                   CALL.REL.NOINC `($kernel$callee) ;
        /*0060*/                   EXIT ;
$kernel$callee:
        /*0070*/                   ST.E.64 desc[UR8][R40.64+0x20], R46 ;
        /*0080*/                   RET.REL.NODEC R48 `(kernel) ;
.L_x_2:
        /*0090*/                   BRA `(.L_x_2);
        /*00a0*/                   NOP;
";
        let code = Code::parse(listing).unwrap();
        let flows: Vec<_> = code.instructions.iter().map(|i| i.flow).collect();
        use Flow::{Branch, Call, End, Jump, Next, Return};
        let expected = [Next, Next, Next, Branch(1), Branch(9), Call(7), End, Next, Return, Jump(9), Next];
        assert_eq!(flows, expected);
        let load = &code.instructions[1];
        assert_eq!(
            (load.line, load.predicated, load.act, load.memory),
            (18, true, Some(Act::StrongLoad), true)
        );
        assert_eq!(code.instructions[7].act, Some(Act::Store));
        assert_eq!((code.count(&(17..18)), code.count(&(0..99))), (1, 9));
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let error = |text: &str| Code::parse(&format!("/*0000*/ {text} ;")).err().map(|e| e.to_string());
        assert_eq!(error("BRX R2 -0x10").as_deref(), Some("cannot follow `BRX R2 -0x10`"));
        assert_eq!(error("BRA `(.L_x_7)").as_deref(), Some("no target for `BRA `(.L_x_7)`"));
        assert_eq!(error("NOP"), None);
    }
}
