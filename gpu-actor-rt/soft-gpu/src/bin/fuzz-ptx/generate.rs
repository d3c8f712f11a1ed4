//! Inputs: programs that are mostly right, mutations of right ones, and programs built to be a burden.

use std::fmt::Write as _;

use crate::corpus::Corpus;
use crate::random::Random;

const HEADER: &str = ".version 8.0\n.target sm_90\n.address_size 64\n";

/// Numbers at which things happen.
const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "8",
    "15",
    "16",
    "31",
    "32",
    "63",
    "64",
    "255",
    "4096",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0x8000000000000000",
];

/// Fragments that mean something somewhere.
const FRAGMENTS: [&str; 40] = [
    ".reg",
    ".b32",
    ".b64",
    ".u8",
    ".f16x2",
    ".pred",
    ".param",
    ".shared",
    ".local",
    ".const",
    ".global",
    ".v4",
    ".align",
    ".entry",
    ".func",
    ".visible",
    ".extern",
    ".volatile",
    ".relaxed",
    ".sys",
    ".sync",
    ".wide",
    ".sat",
    ".rn",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ",",
    ";",
    ":",
    "@",
    "!",
    "|",
    "+",
    "WARP_SZ",
];

/// Input `number` of the run with `seed`.
pub(crate) fn input(corpus: &Corpus, seed: u64, number: u64) -> Vec<u8> {
    let random = &mut Random::of(seed, number);
    match random.below(16) {
        0..=6 => program(corpus, random).into_bytes(),
        7..=9 => {
            let text = program(corpus, random);
            mutate(corpus, random, text.into_bytes())
        }
        10..=13 => {
            // The small ones come first, and more often.
            let most = corpus.files.len();
            let at = random.below(most).min(random.below(most));
            let text = corpus.files.get(at).map_or(HEADER, String::as_str).to_owned();
            mutate(corpus, random, text.into_bytes())
        }
        14 => (0..random.below(300)).map(|_| random.next() as u8).collect(),
        _ => burden(random).into_bytes(),
    }
}

/// An entry whose body is instructions of the corpus, with its own registers, labels and memory.
fn program(corpus: &Corpus, random: &mut Random) -> String {
    let mut out = HEADER.to_owned();
    out += ".global .align 16 .b8 globals[64];\n.const .u32 table[4] = {1, 2, 3, 4};\n.shared .align 16 .b8 block[64];\n";
    out += ".func (.param .b32 r) inc(.param .b32 a) { .reg .b32 %r<2>; ld.param.b32 %r0, [a]; add.u32 %r0, %r0, 1; st.param.b32 [r], %r0; ret; }\n";
    out += ".func (.param .b32 r) down(.param .b32 a) { .reg .b32 %r<3>; .reg .pred %p; .param .b32 p; .param .b32 q; ld.param.b32 %r0, [a]; setp.eq.u32 %p, %r0, 0; @%p ret; sub.u32 %r0, %r0, 1; st.param.b32 [p], %r0; call (q), down, (p); ld.param.b32 %r1, [q]; st.param.b32 [r], %r1; ret; }\n";
    out +=
        ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u32 p2, .param .align 8 .b8 p3[16]) {\n";
    out += ".reg .pred %p<8>; .reg .b16 %rs<16>; .reg .b32 %r<16>; .reg .b64 %rd<16>; .reg .f32 %f<8>; .reg .f64 %fd<8>;\n";
    out += ".local .align 16 .b8 depot[64];\n.param .b32 a0; .param .b32 r0;\n";
    out += "ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; ld.param.u32 %r0, [p2]; mov.u32 %r1, %tid.x;\n";
    out += "mov.u64 %rd2, depot; mov.u64 %rd3, globals; mov.u64 %rd4, inc; and.b32 %r2, %r1, 15; setp.eq.u32 %p0, %r1, 0;\n";
    out += "cvta.local.u64 %rd5, %rd2; mov.u64 %rd6, block; cvta.shared.u64 %rd6, %rd6;\n";
    if random.one_in(2) {
        out += "st.shared.v4.b32 [block], {%r1, %r1, %r1, %r1};\n";
    }
    let labels = random.below(4);
    let statements = 1 + random.below(40);
    for at in 0..statements {
        if labels > 0 && at % (statements / labels + 1) == 0 {
            let _ = writeln!(out, "L{}:", at / (statements / labels + 1));
        }
        if random.one_in(6) {
            let _ = write!(out, "@{}%p{} ", if random.one_in(2) { "!" } else { "" }, random.below(8));
        }
        match random.below(12) {
            0 if labels > 0 => {
                let _ = writeln!(out, "bra L{};", random.below(labels));
            }
            1 => {
                let function = random.pick(&["inc", "down", "%rd4", "%rd0"]);
                if function.starts_with('%') {
                    let number = out.len();
                    let _ = writeln!(
                        out,
                        "{{ proto{number}: .callprototype (.param .b32 _) _ (.param .b32 _); st.param.b32 [a0], %r{}; call (r0), {function}, (a0), proto{number}; }}",
                        random.below(16)
                    );
                } else {
                    let _ = writeln!(
                        out,
                        "{{ st.param.b32 [a0], %r{}; call (r0), {function}, (a0); ld.param.b32 %r3, [r0]; }}",
                        random.below(16)
                    );
                }
            }
            2 => out += access(random).as_str(),
            _ => {
                let any = corpus.instructions.get(random.below(corpus.instructions.len()));
                let instruction = any.map_or("bar.sync 0", String::as_str);
                out += &renamed(random, instruction);
                out += ";\n";
            }
        }
    }
    out += "ret;\n}\n";
    out
}

/// A load, store or atomic at an address that is often good.
fn access(random: &mut Random) -> String {
    let ty = random.pick(&["b8", "b16", "b32", "b64", "f32", "f64", "v2.b32", "v4.b32"]);
    let (width, register) = match ty {
        "b8" | "b16" => (2, "%rs1".to_owned()),
        "b64" => (8, format!("%rd{}", 7 + random.below(8))),
        "f32" => (4, "%f1".to_owned()),
        "f64" => (8, "%fd1".to_owned()),
        "v2.b32" => (8, "{%r4, %r5}".to_owned()),
        "v4.b32" => (16, "{%r4, %r5, %r6, %r7}".to_owned()),
        _ => (4, format!("%r{}", random.below(16))),
    };
    let (space, base) = match random.below(8) {
        0 => (".shared", "block"),
        1 => (".local", "depot"),
        2 => ("", "%rd5"),
        3 => ("", "%rd6"),
        4 => (".global", "%rd3"),
        5 => (".const", "table"),
        6 => ("", "%rd9"),
        _ => (".global", "%rd0"),
    };
    let offset =
        if random.one_in(8) { random.below(400) as i64 - 100 } else { (random.below(4) * width) as i64 };
    match random.below(3) {
        0 => format!("ld{space}.{ty} {register}, [{base}+{offset}];\n"),
        1 => format!("st{space}.{ty} [{base}+{offset}], {register};\n"),
        _ => format!("atom{space}.add.u32 %r{}, [{base}+{offset}], 1;\n", random.below(16)),
    }
}

/// An instruction with registers, labels and names of the generated program.
fn renamed(random: &mut Random, instruction: &str) -> String {
    let mut out = String::new();
    let mut rest = instruction;
    while let Some(at) = rest.find('%') {
        out += &rest[..at];
        let name = &rest[at + 1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let name = &name[..end];
        rest = &rest[at + 1 + end..];
        let class = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let _ = match class {
            "p" => write!(out, "%p{}", random.below(8)),
            "rs" | "h" => write!(out, "%rs{}", random.below(16)),
            "r" | "u" | "s" => write!(out, "%r{}", random.below(16)),
            "f" => write!(out, "%f{}", random.below(8)),
            "fd" | "d" => write!(out, "%fd{}", random.below(8)),
            // An address is mostly one of those that are good.
            "rd" | "SP" | "SPL" if rest.starts_with(['+', ']', '-']) && !random.one_in(6) => {
                write!(out, "%rd{}", random.pick(&[&0, &0, &3, &5]))
            }
            "rd" | "SP" | "SPL" => write!(out, "%rd{}", 7 + random.below(9)),
            _ => write!(out, "%{name}"),
        };
    }
    out + rest
}

/// A few changes, of bytes, tokens or lines.
fn mutate(corpus: &Corpus, random: &mut Random, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        if text.is_empty() {
            return text;
        }
        let at = random.below(text.len());
        match random.below(10) {
            0 => text[at] = random.next() as u8,
            1 => text[at] ^= 1 << random.below(8),
            2 => text.truncate(at),
            3 => {
                let to = (at + random.below(60)).min(text.len());
                text.drain(at..to);
            }
            4 => {
                let to = (at + random.below(200)).min(text.len());
                let piece = text[at..to].to_vec();
                let into = random.below(text.len());
                text.splice(into..into, piece);
            }
            5 | 6 => {
                let (from, to) = token(&text, at);
                let new = match random.below(4) {
                    0 => random.pick(&NUMBERS).to_owned(),
                    1 | 2 => random.pick(&FRAGMENTS).to_owned(),
                    _ => {
                        let (from, to) = token(&text, random.below(text.len()));
                        String::from_utf8_lossy(&text[from..to]).into_owned()
                    }
                };
                text.splice(from..to, new.bytes());
            }
            7 => {
                let (from, to) = line(&text, at);
                text.drain(from..to);
            }
            8 => {
                let (from, to) = line(&text, at);
                let copy = text[from..to].to_vec();
                let (into, _) = line(&text, random.below(text.len()));
                text.splice(into..into, copy);
            }
            _ => {
                let (into, _) = line(&text, at);
                let any = corpus.instructions.get(random.below(corpus.instructions.len()));
                let new = format!("{};\n", any.map_or("exit", String::as_str));
                text.splice(into..into, new.bytes());
            }
        }
    }
    text
}

fn token(text: &[u8], at: usize) -> (usize, usize) {
    let part = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'%' | b'.');
    let from = text[..at].iter().rposition(|c| !part(c)).map_or(0, |p| p + 1);
    let to = text[at..].iter().position(|c| !part(c)).map_or(text.len(), |p| at + p.max(1));
    (from, to)
}

fn line(text: &[u8], at: usize) -> (usize, usize) {
    let from = text[..at].iter().rposition(|c| *c == b'\n').map_or(0, |p| p + 1);
    let to = text[at..].iter().position(|c| *c == b'\n').map_or(text.len(), |p| at + p + 1);
    (from, to)
}

fn each(n: usize, piece: impl Fn(usize) -> String) -> String {
    (0..n).map(piece).collect::<Vec<_>>().concat()
}

/// Programs that are large, deep, or never end.
fn burden(random: &mut Random) -> String {
    // Mostly small: what is quadratic shows at the largest all the same.
    let n = 1 << random.below(12).max(random.below(15) * usize::from(random.one_in(8)));
    let many = |piece: &str| piece.repeat(n);
    let body = match random.below(24) {
        0 => format!("{}{}", many("{ "), many("} ")),
        1 => format!(".reg .b32 %r; mov.u32 %r, {}1{};", many("("), many(")")),
        2 => format!(".reg .b32 %r; mov.u32 %r, {}1;", many("-")),
        3 => format!(".reg .b32 %r; add{} %r, %r, %r;", many(".u32")),
        4 => ".reg .b32 %r<4294967295>; mov.u32 %r4294967294, 5;".to_owned(),
        5 => format!(".shared .b8 s[{n}0000000]; .reg .b32 %r; ld.shared.u32 %r, [s];"),
        6 => format!(".local .b8 s[{n}0000]; .reg .b32 %r; ld.local.u8 %r, [s];"),
        7 => {
            let labels: Vec<String> = (0..n).map(|i| format!("L{i}")).collect();
            let places = each(n, |i| format!("L{i}: add.u32 %r, %r, 1;\n"));
            format!(
                ".reg .b32 %r; mov.u32 %r, %tid.x; t: .branchtargets {}; brx.idx %r, t;\n{places}",
                labels.join(", ")
            )
        }
        8 => "again: bra again;".to_owned(),
        9 => ".reg .b32 %r; again: add.u32 %r, %r, 1; nanosleep.u32 %r; bra again;".to_owned(),
        10 => "call k2; ret; } .func k2() { call k2; ret;".to_owned(),
        11 => format!(".reg .b64 %rd; p: .callprototype _ (); mov.u64 %rd, {}; call %rd, p;", random.next()),
        12 => {
            // Many values that live at the same time: a frame of spills.
            let reads = each(n, |i| format!("mov.u32 %r{i}, %clock;\n"));
            let sums = each(n, |i| format!("add.u32 %s, %s, %r{i};\n"));
            format!(".reg .b32 %r<{n}>; .reg .b32 %s; mov.u32 %s, 0;\n{reads}{sums}")
        }
        13 => format!("{}ret;", many("{ .local .b64 x; st.local.b64 [x], 1; }\n")),
        14 => format!(".reg .pred %p; {}", many("@%p bar.sync 0;\n")),
        15 => {
            let calls = |i: usize| format!(".func f{}() {{ call f{i}; call f{i}; ret; }}\n", i + 1);
            let functions = each(n.min(200), calls);
            format!("call f{}; ret; }}\n.func f0() {{ ret; }}\n{functions}.func last() {{", n.min(200))
        }
        16 => format!(".reg .b64 %rd<2>; mov.u64 %rd0, {}; ld.u64 %rd1, [%rd0]; st.u64 [%rd1], %rd1;", random.next()),
        17 => format!("/*{}", many("* ")),
        18 => format!(".pragma \"{}\";", many("x")),
        19 => format!(".reg .b32 {};", (0..n).map(|i| format!("r{i}")).collect::<Vec<_>>().join(", ")),
        20 => ".reg .b32 %r; mov.u32 %r, %tid.x; bar.sync %r; bar.arrive %r, %r; bar.sync 0, %r;".to_owned(),
        21 => ".reg .b32 %r<3>; mov.u32 %r0, %tid.x; shfl.sync.idx.b32 %r1, %r0, %r0, %r0, %r0; match.any.sync.b32 %r2, %r0, -1;".to_owned(),
        22 => format!(".reg .f64 %d<3>; {}", many("div.rn.f64 %d0, %d1, %d2; sqrt.rn.f64 %d1, %d0;\n")),
        _ => format!(".reg .pred %p; {}", many("L: setp.eq.u32 %p, 1, 2; @%p bra L;\n")),
    };
    let parameters = if random.one_in(8) {
        (0..n).map(|i| format!(".param .u64 p{i}")).collect::<Vec<_>>().join(", ")
    } else {
        String::new()
    };
    let directives = if random.one_in(8) { format!(".maxntid {n}, {n}, {n}\n") } else { String::new() };
    format!("{HEADER}.func k2();\n.visible .entry k({parameters}) {directives}{{ {body} }}\n.func k2() {{ ret; }}\n")
        .replacen(".func k2();\n", "", 1)
}
