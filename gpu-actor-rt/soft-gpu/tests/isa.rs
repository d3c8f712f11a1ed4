//! The book's table of instructions, checked line by line: what it calls supported loads, and what it does not is refused with the
//! instruction, its line and its token. `UPDATE_ISA=1 cargo test -p soft-gpu --test isa` writes the table.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{HEADER, device};
use soft_gpu::LoadErrorKind;

const TABLE: &str = include_str!("isa.txt");

struct Row {
    name: String,
    note: String,
    loads: Vec<String>,
    /// Token and instruction.
    refused: Vec<(String, String)>,
}

struct Section {
    title: String,
    rows: Vec<Row>,
}

fn sections() -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    // The first paragraph says what the file is.
    let body = TABLE.split_once("\n\n").unwrap().1;
    for (number, line) in body.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
        let wrong = || -> (&str, &str) { panic!("line {number} of isa.txt: {line}") };
        let (mark, rest) = line.split_once(' ').unwrap_or_else(wrong);
        match mark {
            "#" => out.push(Section { title: rest.to_owned(), rows: Vec::new() }),
            "=" => {
                let (name, note) = rest.split_once(':').unwrap_or_else(wrong);
                let (name, note) = (name.to_owned(), note.trim().to_owned());
                out.last_mut().unwrap().rows.push(Row { name, note, loads: Vec::new(), refused: Vec::new() });
            }
            "+" => out.last_mut().unwrap().rows.last_mut().unwrap().loads.push(rest.to_owned()),
            "-" => {
                let (token, instruction) = rest.split_once(": ").unwrap_or_else(wrong);
                let refused = (token.to_owned(), instruction.to_owned());
                out.last_mut().unwrap().rows.last_mut().unwrap().refused.push(refused);
            }
            _ => {
                wrong();
            }
        }
    }
    out
}

/// Every instruction that a line stands for.
fn instructions(line: &str) -> Vec<String> {
    // These are filled in when the rest is known.
    let line = line.replace("<SPACE>", "SPACE").replace("<REGISTER>", "REGISTER");
    expand(&line).iter().map(|i| fill(i)).collect()
}

fn expand(line: &str) -> Vec<String> {
    let Some((before, rest)) = line.split_once('<') else { return vec![line.to_owned()] };
    let (alternatives, after) = rest.split_once('>').unwrap();
    let tails = expand(after);
    alternatives
        .split('|')
        .flat_map(|alternative| tails.iter().map(move |tail| format!("{before}{alternative}{tail}")))
        .collect()
}

/// Puts an address of the right space, or a register of the right width, where a line leaves it open.
fn fill(line: &str) -> String {
    let space = if line.contains(".shared") {
        "s"
    } else if line.contains(".local") {
        "l"
    } else if line.contains(".const") {
        "c"
    } else if line.contains(".param") {
        "in"
    } else {
        "g"
    };
    let register = if line.contains(".b16") { "h0" } else { "r0" };
    line.replace("SPACE", space).replace("REGISTER", register)
}

/// A program with one instruction, on its fifth line.
fn program(instruction: &str) -> String {
    format!(
        "{HEADER}.global .align 16 .b8 g[64]; .const .align 16 .b8 c[64]; .shared .align 16 .b8 s[64]; \
         .func (.param .b32 o) f(.param .b32 i) {{ ret; }} .visible .entry k(.param .u64 in) {{ \
         .reg .b16 h<8>; .reg .b32 r<8>; .reg .b64 d<8>; .reg .b128 q<4>; .reg .pred p<4>; \
         .local .align 16 .b8 l[64]; here:\n{instruction}\nret; }}"
    )
}

#[test]
fn what_is_supported_loads() {
    let device = device();
    let (mut count, mut wrong) = (0, Vec::new());
    for row in sections().iter().flat_map(|s| &s.rows) {
        for instruction in row.loads.iter().flat_map(|line| instructions(line)) {
            count += 1;
            if let Err(error) = device.load_ptx(&program(&instruction)) {
                wrong.push(format!("`{instruction}` should load: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 1000, "{count} forms");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let device = device();
    let mut wrong = Vec::new();
    for row in sections().iter().flat_map(|s| &s.rows) {
        for (token, instruction) in &row.refused {
            match device.load_ptx(&program(instruction)) {
                Ok(_) => wrong.push(format!("`{instruction}` loads")),
                Err(e) if (e.kind(), e.line(), e.token()) == (LoadErrorKind::Unsupported, 5, token) => {}
                Err(error) => wrong.push(format!("`{instruction}`: {:?}, {error}", error.kind())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Operands of any kind in any place are refused or accepted, but never the device's own mistake.
#[test]
fn operands_of_every_kind_are_survived() {
    let device = device();
    let kinds = [
        "h0", "r0", "d0", "q0", "p0", "!p0", "5", "-1", "1.5", "g", "f", "in", "here", "[g]", "[d0+4]",
        "{r0, r1}", "_", "r0|p0",
    ];
    let mut wrong = Vec::new();
    for row in sections().iter().flat_map(|s| &s.rows) {
        for line in &row.loads {
            // The first alternative stands for the others.
            let all = instructions(line);
            let first = all[0].trim_end_matches(';');
            let Some((head, operands)) = first.split_once(' ') else { continue };
            let operands: Vec<&str> = operands.split(", ").collect();
            for at in 0..operands.len() {
                for kind in kinds {
                    let mut changed = operands.clone();
                    changed[at] = kind;
                    let changed = format!("{head} {};", changed.join(", "));
                    if let Err(error) = device.load_ptx(&program(&changed))
                        && error.kind() == LoadErrorKind::Internal
                    {
                        wrong.push(format!("`{changed}`: {error}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The forms of a line, as the book shows them: the instruction up to its operands.
fn form(line: &str) -> String {
    let mut depth = 0;
    let head: String = line
        .chars()
        .take_while(|c| {
            match c {
                '<' => depth += 1,
                '>' => depth -= 1,
                _ => {}
            }
            depth > 0 || !matches!(c, ' ' | ';')
        })
        .collect();
    head.replace('<', "{").replace('>', "}").replace('|', ", ").replace(", }", "}")
}

fn book() -> String {
    let mut out = String::from(
        "# The software GPU's instructions\n\n\
         The software GPU compiles PTX, the text form of NVIDIA's instruction set, and runs it on the CPU. This is the list of the \
         instructions of PTX ISA 8 and what it makes of each. What is not supported is refused when a program is loaded, with the \
         instruction's name and line; nothing is skipped or guessed.\n\n\
         The table is written by a test from a list of instructions (`gpu-actor-rt/soft-gpu/tests/isa.txt`). The same test \
         loads every form that stands here, and checks that what is called not supported is refused. What the instructions compute \
         is the business of the other tests beside it: each result is compared with one that is computed in another \
         way, in floating point with exact fractions of big integers, and programs that NVIDIA's compiler has compiled \
         must do what the same C does on the host.\n\n\
         `{a, b}` stands for each of its alternatives.\n",
    );
    for section in sections() {
        let _ = write!(
            out,
            "\n## {}\n\n| Instruction | Supported | Forms | Remarks |\n|---|---|---|---|\n",
            section.title
        );
        for row in section.rows {
            let status = match (row.loads.is_empty(), row.refused.is_empty()) {
                (false, true) => "yes",
                (false, false) => "partly",
                (true, _) => "no",
            };
            assert!(!(row.loads.is_empty() && row.refused.is_empty()), "{}: nothing says so", row.name);
            let mut forms: Vec<String> = row
                .loads
                .iter()
                .map(|line| if line.starts_with('{') { row.name.clone() } else { form(line) })
                .collect();
            forms.dedup();
            let forms: Vec<String> = forms.iter().map(|f| format!("`{f}`")).collect();
            let mut remarks = row.note;
            if !row.refused.is_empty() && !row.loads.is_empty() {
                let not: Vec<String> =
                    row.refused.iter().map(|(_, line)| format!("`{}`", form(line))).collect();
                let _ =
                    write!(remarks, "{}Not: {}.", if remarks.is_empty() { "" } else { " " }, not.join(", "));
            }
            let names: Vec<String> = row.name.split(", ").map(|n| format!("`{n}`")).collect();
            let _ = writeln!(out, "| {} | {status} | {} | {remarks} |", names.join(", "), forms.join("<br>"));
        }
    }
    out
}

#[test]
fn the_book_says_what_is_so() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/soft-gpu-isa.md");
    let expected = book();
    if std::env::var_os("UPDATE_ISA").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "the book's table is out of date: UPDATE_ISA=1 cargo test -p soft-gpu --test isa"
    );
}
