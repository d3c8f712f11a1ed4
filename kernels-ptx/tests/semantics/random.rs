//! Random handlers in the IR, run as built and optimised: whatever the passes do, nobody may notice.
//!
//! The seed is fixed, so that a failure comes again; `RANDOM_IR=<seed>:<modules>` asks for others or more.

use std::fmt::Write;

use kernels_ptx::ir::{Function, text};

use crate::device::Handlers;

/// Handlers of one module, and states for each.
const HANDLERS: usize = 12;
const STATES: usize = 10;
/// Bytes of a state: eight words that locals start from, eight small ones to be indexed, and what the handler leaves.
const STATE: usize = 256;
const TYPES: [&str; 9] = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "bool"];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

fn bits(ty: &str) -> u32 {
    if ty == "bool" { 1 } else { ty[1..].parse().expect("a width") }
}

/// Writes one handler.
struct Writer<'a> {
    random: &'a mut Random,
    text: String,
    depth: usize,
    next_reg: u32,
    next_label: u32,
    /// Registers that are assigned on every path to here, and whether they may be assigned again.
    scope: Vec<(String, &'static str, bool)>,
    /// Blocks and loops around, and whether they are loops whose body this is.
    around: Vec<(u32, bool)>,
    statements: usize,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{:1$}{line}", "", 4 + self.depth * 4);
    }

    fn fresh(&mut self) -> String {
        self.next_reg += 1;
        format!("v{}", self.next_reg - 1)
    }

    fn constant(&mut self, ty: &str) -> String {
        if ty == "bool" {
            return self.random.of(&["true", "false"]).into();
        }
        let width = bits(ty);
        let signed = ty.starts_with('i');
        let max = if signed { (1i128 << (width - 1)) - 1 } else { (1 << width) - 1 };
        let min = if signed { -(1i128 << (width - 1)) } else { 0 };
        let value = match self.random.below(12) {
            0 => max,
            1 => min,
            2 => max - 1,
            3 => min + 1,
            4 => (self.random.next() as i128).clamp(min, max),
            n => [0, 1, 2, 3, 7, 8, 31][n - 5],
        };
        format!("{value}{ty}")
    }

    fn operand(&mut self, ty: &'static str) -> String {
        let fitting: Vec<_> =
            self.scope.iter().filter(|(_, t, _)| *t == ty).map(|(name, ..)| name.clone()).collect();
        if fitting.is_empty() || self.random.below(4) == 0 {
            return self.constant(ty);
        }
        fitting[self.random.below(fitting.len())].clone()
    }

    /// A register for a result: a new one, or a local.
    fn target(&mut self, ty: &'static str) -> String {
        let locals: Vec<_> = self
            .scope
            .iter()
            .filter(|(_, t, local)| *t == ty && *local)
            .map(|(name, ..)| name.clone())
            .collect();
        if !locals.is_empty() && self.random.below(3) == 0 {
            return locals[self.random.below(locals.len())].clone();
        }
        self.fresh()
    }

    /// Notes that a register has been assigned.
    fn assigned(&mut self, name: &str, ty: &'static str) {
        if !self.scope.iter().any(|(known, ..)| known == name) {
            self.scope.push((name.into(), ty, false));
        }
    }

    fn set(&mut self, ty: &'static str, op: &str) -> String {
        let target = self.target(ty);
        self.line(&format!("{target}: {ty} = {op}"));
        self.assigned(&target, ty);
        target
    }

    fn let_new(&mut self, ty: &'static str, op: &str) -> String {
        let target = self.fresh();
        self.line(&format!("{target}: {ty} = {op}"));
        self.assigned(&target, ty);
        target
    }

    fn operation(&mut self) {
        let ty = self.random.of(&TYPES);
        let (a, b) = (self.operand(ty), self.operand(ty));
        if ty == "bool" {
            let op = match self.random.below(4) {
                0 => format!("not {a}"),
                1 => {
                    let ty = self.random.of(&TYPES);
                    let op = self.random.of(&["eq", "ne", "lt", "le", "gt", "ge"]);
                    let (a, b) = (self.operand(ty), self.operand(ty));
                    format!("{op} {a}, {b}")
                }
                _ => format!("{} {a}, {b}", self.random.of(&["and", "or", "xor"])),
            };
            self.set("bool", &op);
            return;
        }
        match self.random.below(11) {
            0..=3 => {
                let op = self.random.of(&["add", "sub", "mul", "and", "or", "xor", "min", "max"]);
                self.set(ty, &format!("{op} {a}, {b}"));
            }
            4 => {
                let amount = self.operand("u32");
                let amount = self.let_new("u32", &format!("and {amount}, {}u32", bits(ty) - 1));
                let op = self.random.of(&["shl", "shr", "rotate_left", "rotate_right"]);
                self.set(ty, &format!("{op} {a}, {amount}"));
            }
            5 => {
                let op = self.random.of(&["neg", "not", "reverse_bits", "swap_bytes"]);
                self.set(ty, &format!("{op} {a}"));
            }
            6 => {
                let op = self.random.of(&["count_ones", "leading_zeros", "trailing_zeros"]);
                self.set("u32", &format!("{op} {a}"));
            }
            7 => {
                let from = self.random.of(&TYPES);
                if from != ty {
                    let value = self.operand(from);
                    self.set(ty, &format!("cast {value}"));
                }
            }
            8 => {
                let cond = self.operand("bool");
                self.set(ty, &format!("select {cond}, {a}, {b}"));
            }
            9 if self.random.below(2) == 0 => self.late_copy(ty, &a, &b),
            9 => {
                self.set(ty, &format!("copy {a}"));
            }
            _ => {
                let op = self.random.of(&["floor", "neg", "abs"]);
                let float = self.let_new("f64", &format!("cast {a}"));
                let float = self.let_new("f64", &format!("{op} {float}"));
                self.set(ty, &format!("cast {float}"));
            }
        }
    }

    /// A local takes a new value only after its old one was used once more.
    fn late_copy(&mut self, ty: &'static str, a: &str, b: &str) {
        let locals: Vec<_> = self
            .scope
            .iter()
            .filter(|(_, t, local)| *t == ty && *local)
            .map(|(name, ..)| name.clone())
            .collect();
        if locals.is_empty() {
            return;
        }
        let local = locals[self.random.below(locals.len())].clone();
        let later = self.fresh();
        self.line(&format!("{later}: {ty} = mul {a}, {b}"));
        self.set(ty, &format!("add {local}, {b}"));
        self.line(&format!("{local}: {ty} = copy {later}"));
    }

    fn check(&mut self) {
        let ty = self.random.of(&TYPES[..8]);
        let (a, b) = (self.operand(ty), self.operand(ty));
        match self.random.below(5) {
            0 | 1 => {
                let op = self.random.of(&["add", "sub", "mul"]);
                let value = self.target(ty);
                let flag = self.fresh();
                self.line(&format!("{value}: {ty}, {flag}: bool = overflowing_{op} {a}, {b}"));
                self.assigned(&value, ty);
                self.assigned(&flag, "bool");
                if self.random.below(4) > 0 {
                    self.line(&format!("fault f0 if {flag}"));
                }
            }
            2 => {
                let op = self.random.of(&["divide", "remainder"]);
                let overflow = if ty.starts_with('i') { " overflow f2" } else { "" };
                // Zero as a constant would be no divisor at all.
                let b = self.let_new(ty, &format!("copy {b}"));
                self.set(ty, &format!("{op} {a}, {b} zero f1{overflow}"));
            }
            3 => {
                let cond = self.operand("bool");
                let what = self.random.of(&["if", "unless"]);
                let site = self.random.of(&["f3", "f4"]);
                self.line(&format!("fault {site} {what} {cond}"));
            }
            _ => {
                let length = self.random.of(&[4, 8, 16]);
                let index = self.operand("u64");
                let index = match self.random.below(4) {
                    0 => index,
                    1 => self.let_new("u64", &format!("and {index}, {}u64", length - 1)),
                    2 => self.let_new("u64", &format!("remainder {index}, {length}u64")),
                    _ => {
                        let narrow = self.operand("u8");
                        self.let_new("u64", &format!("cast {narrow}"))
                    }
                };
                let (base, stride) = self.random.of(&[
                    ("v0+64", 4),
                    ("v0+128", 1),
                    ("v0+136", 4),
                    ("s2", 4),
                    ("s2+4", 1),
                    ("s3", 4),
                ]);
                let length = if base.starts_with('s') { length.min(4) } else { length };
                let at = self.let_new(
                    "u64",
                    &format!("index [{base}], {index} length {length} stride {stride} else f5"),
                );
                let ty =
                    if stride == 4 { self.random.of(&["u32", "i32"]) } else { self.random.of(&["u8", "i8"]) };
                if self.random.below(2) == 0 {
                    let value = self.operand(ty);
                    self.line(&format!("store {ty} [{at}], {value}"));
                } else {
                    self.set(ty, &format!("load [{at}]"));
                }
                // An address is no number that a result may depend on.
                self.scope.retain(|(name, ..)| *name != at);
            }
        }
    }

    /// Slots are 16 bytes: a `u64`, a `u32`, a `u16`, a `u8` and a `bool`.
    fn memory(&mut self) {
        const FIELDS: [(&str, usize); 5] = [("u64", 0), ("u32", 8), ("u16", 12), ("u8", 14), ("bool", 15)];
        let base = self.random.of(&["s0", "s1", "s3", "v0+128"]);
        let (mut ty, mut offset) = self.random.of(&FIELDS);
        if self.random.below(40) == 0 {
            // Across two fields.
            (ty, offset) = self.random.of(&[("u32", 4), ("u64", 8), ("u8", 1)]);
        }
        let at = if let Some((base, start)) = base.split_once('+') {
            format!("{base}+{}", start.parse::<usize>().expect("an offset") + offset)
        } else {
            format!("{base}+{offset}")
        };
        match self.random.below(7) {
            0 | 1 => {
                self.set(ty, &format!("load [{at}]"));
            }
            2 | 3 => {
                let value = self.operand(ty);
                self.line(&format!("store {ty} [{at}], {value}"));
            }
            4 => {
                let at = self.random.of(&["s0+8", "s1", "s3+8"]);
                self.line(&format!("store u64 [{at}], 72340172838076673u64"));
            }
            _ => {
                let from = self.random.of(&["s0", "s1", "s2", "s3", "v0+128", "v0+144"]);
                let to = self.random.of(&["s0", "s1", "s2", "s3", "v0+128", "v0+144"]);
                if from != to {
                    let (size, align) = self.random.of(&[(16, 8), (16, 4), (16, 1), (8, 8), (12, 4)]);
                    self.line(&format!("copy_bytes [{to}], [{from}] size {size} align {align}"));
                }
            }
        }
    }

    /// A list of statements in braces; whether control reaches its end.
    fn list(&mut self, count: usize) -> bool {
        self.depth += 1;
        let scope = self.scope.clone();
        let mut ends = true;
        for _ in 0..count {
            self.statements += 1;
            match self.random.below(20) {
                8..=10 => self.check(),
                11..=13 => self.memory(),
                14..=16 if self.depth < 5 => self.branch(),
                17 if self.depth < 4 => self.block(),
                18 if self.depth < 4 => self.repeat(),
                19 if self.depth > 1 && self.random.below(3) == 0 => {
                    ends = self.jump();
                    if !ends {
                        break;
                    }
                }
                _ => self.operation(),
            }
        }
        self.scope = scope;
        self.depth -= 1;
        ends
    }

    fn jump(&mut self) -> bool {
        let choice = self.random.below(8);
        let around = self.around.clone();
        match choice {
            0 => self.line("return 0u32"),
            1 => self.line("fault f4"),
            _ if around.is_empty() => return true,
            _ => {
                let (label, repeats) = self.random.of(&around);
                if repeats && choice > 4 {
                    self.line(&format!("continue L{label}"));
                } else {
                    self.line(&format!("break L{label}"));
                }
            }
        }
        false
    }

    fn branch(&mut self) {
        let cond = self.operand("bool");
        let cond = if cond.starts_with('v') { cond } else { self.comparison() };
        self.line(&format!("if {cond} {{"));
        let count = self.random.below(5);
        // What ends both arms would leave the rest unreached; the second one always goes on.
        self.list(count);
        if self.random.below(2) == 0 {
            self.line("} else {");
            let around = std::mem::take(&mut self.around);
            self.depth += 1;
            let scope = self.scope.clone();
            for _ in 0..self.random.below(4) {
                self.operation();
            }
            self.scope = scope;
            self.depth -= 1;
            self.around = around;
        }
        self.line("}");
    }

    fn comparison(&mut self) -> String {
        let ty = self.random.of(&TYPES[..8]);
        let (a, b) = (self.operand(ty), self.operand(ty));
        let op = self.random.of(&["eq", "ne", "lt", "le", "gt", "ge"]);
        self.let_new("bool", &format!("{op} {a}, {b}"))
    }

    fn block(&mut self) {
        let label = self.next_label;
        self.next_label += 1;
        self.line(&format!("block L{label} {{"));
        self.around.push((label, false));
        // The block can be left: what follows it is reached.
        let cond = self.comparison();
        self.line(&format!("    if {cond} {{"));
        self.line(&format!("        break L{label}"));
        self.line("    }");
        self.scope.retain(|(name, ..)| *name != cond);
        let count = 1 + self.random.below(5);
        self.list(count);
        self.around.pop();
        self.line("}");
    }

    fn repeat(&mut self) {
        let label = self.next_label;
        self.next_label += 1;
        let ty = self.random.of(&["u64", "u32", "i32", "u8"]);
        let counter = self.fresh();
        let first = self.random.of(&[0, 0, 1, 5]);
        self.line(&format!("{counter}: {ty} = copy {first}{ty}"));
        // It is in scope to be read, and now and then to be changed by others.
        let local = self.random.below(4) == 0;
        self.scope.push((counter.clone(), ty, local));
        self.line(&format!("loop L{label} budget f6 {{"));
        self.depth += 1;
        let done = self.fresh();
        let (op, limit) = self.random.of(&[("ge", 4), ("ge", 8), ("eq", 7), ("gt", 16), ("ge", 1)]);
        self.line(&format!("{done}: bool = {op} {counter}, {limit}{ty}"));
        self.line(&format!("if {done} {{"));
        self.line(&format!("    break L{label}"));
        self.line("}");
        self.depth -= 1;
        self.around.push((label, true));
        let count = 1 + self.random.below(6);
        let ends = self.list(count);
        self.around.pop();
        let continued = self.text.contains(&format!("continue L{label}\n"));
        if ends || continued {
            self.line("} continuing {");
            self.depth += 1;
            if self.random.below(2) == 0 {
                let (next, flag) = (self.fresh(), self.fresh());
                self.line(&format!("{next}: {ty}, {flag}: bool = overflowing_add {counter}, 1{ty}"));
                self.line(&format!("fault f0 if {flag}"));
                self.line(&format!("{counter}: {ty} = copy {next}"));
            } else {
                self.line(&format!("{counter}: {ty} = add {counter}, 1{ty}"));
            }
            self.depth -= 1;
        }
        self.line("}");
        self.scope.retain(|(name, ..)| *name != counter);
    }
}

fn handler(random: &mut Random, name: &str) -> String {
    let mut writer = Writer {
        random,
        text: format!("handler @{name}(v0: u64, v1: u64, v2: u64) -> u32 {{\n"),
        depth: 0,
        next_reg: 3,
        next_label: 0,
        scope: vec![],
        around: vec![],
        statements: 0,
    };
    for slot in 0..4 {
        writer.line(&format!("slot s{slot} size 16 align 8"));
    }
    for (site, code) in
        ["overflow", "division_by_zero", "overflow", "assert", "panic", "bounds", "budget"].iter().enumerate()
    {
        writer.line(&format!("site f{site} {code} line {}", site + 1));
    }
    for slot in 0..4 {
        // What a slot holds before it is written is nobody's business, so all of it is written.
        writer.line(&format!("copy_bytes [s{slot}], [v0+{}] size 16 align 8", 64 + slot * 16));
    }
    for (i, ty) in TYPES.iter().enumerate() {
        let name = writer.fresh();
        writer.line(&format!("{name}: {ty} = load [v0+{}]", i % 8 * 8));
        writer.scope.push((name, ty, true));
        let name = writer.fresh();
        writer.line(&format!(
            "{name}: {ty} = copy {}",
            if *ty == "bool" { "false".into() } else { format!("{i}{ty}") }
        ));
        writer.scope.push((name, ty, true));
    }
    let locals = writer.scope.clone();
    let count = 8 + writer.random.below(20);
    let scope = writer.scope.clone();
    for _ in 0..count {
        // At the top nothing jumps, so that the end is reached.
        match writer.random.below(8) {
            0..=2 => writer.operation(),
            3 => writer.check(),
            4 => writer.memory(),
            5 => writer.branch(),
            6 => writer.block(),
            _ => writer.repeat(),
        }
    }
    writer.scope = scope;
    for (i, (name, ty, _)) in locals.iter().enumerate() {
        writer.line(&format!("store {ty} [v2+{}], {name}", 64 + i * 8));
    }
    for slot in 0..4 {
        writer.line(&format!("copy_bytes [v0+{}], [s{slot}] size 16 align 8", 192 + slot * 16));
    }
    writer.line("return 0u32");
    writer.text + "}\n"
}

#[test]
fn random_handlers_do_the_same_optimised() {
    let (mut seed, mut modules) = (0x9e37_79b9_7f4a_7c15, 10);
    if let Ok(wanted) = std::env::var("RANDOM_IR") {
        let (first, second) = wanted.split_once(':').expect("RANDOM_IR=<seed>:<modules>");
        (seed, modules) = (first.parse().unwrap(), second.parse().unwrap());
    }
    let (mut faults, mut runs) = (0, 0);
    for module in 0..modules {
        let mut random = Random((seed ^ (module as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let texts: Vec<_> = (0..HANDLERS).map(|i| handler(&mut random, &format!("h{i}"))).collect();
        let functions: Vec<Function> = texts
            .iter()
            .map(|one| text::parse(one).unwrap_or_else(|error| panic!("{error}\n{one}")).remove(0))
            .collect();
        let states: Vec<Vec<u8>> = (0..STATES)
            .map(|kind| {
                let byte = |random: &mut Random| match kind {
                    0 => 0,
                    1 => 0xff,
                    2..=5 => random.next().is_multiple_of(8) as u8 * random.next() as u8,
                    _ => random.next() as u8,
                };
                (0..STATE).map(|_| byte(&mut random)).collect()
            })
            .collect();
        let handlers = Handlers::new(functions);
        for (index, text) in texts.iter().enumerate() {
            let outcomes = handlers.run_shown(index, &states, &[], 300, text);
            runs += outcomes.len();
            faults += outcomes.iter().filter(|outcome| outcome.faulted).count();
        }
    }
    assert!(runs > 10 * faults / 9 && faults * 20 > runs, "{faults} faults in {runs} runs tell little");
}
