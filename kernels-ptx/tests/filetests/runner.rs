//! Runs the calls of a section on the software GPU.
//!
//! Each call becomes an entry, itself written as text: it stores the arguments' memories into the lane's part of an
//! arena, calls, stores the result, and beside everything what is expected. The host only compares bytes, and so no
//! constant has to be read twice.

use std::fmt::Write;

use kernels_ptx::{abi::cx, ir::text::parse, module::Module};
use libtest_mimic::Failed;
use soft_gpu::{Arg as LaunchArg, Device, DeviceConfig, LaunchConfig, Status};

use crate::directive::{Arg, Directive, Expected, Run, Section};

/// Bytes of a lane's part of the arena.
const ARENA: usize = 4096;
/// Where the payload of a message begins.
const HEADER: usize = 32;

/// Two stretches of the arena that have to be equal.
struct Pair {
    what: String,
    have: usize,
    want: usize,
    bytes: usize,
    /// A float's type, where any NaN is as good as another.
    float: Option<&'static str>,
}

/// The text of one entry while it is written.
struct Entry {
    text: String,
    /// The register with the address of the lane's part.
    base: String,
    next_reg: u32,
    /// The first free byte.
    top: usize,
    pairs: Vec<Pair>,
}

const TYPES: [(&str, usize); 11] = [
    ("bool", 1),
    ("i8", 1),
    ("u8", 1),
    ("i16", 2),
    ("u16", 2),
    ("i32", 4),
    ("u32", 4),
    ("f32", 4),
    ("i64", 8),
    ("u64", 8),
    ("f64", 8),
];

/// Type and size of a constant.
fn type_of(constant: &str) -> Result<(&'static str, usize), String> {
    if let "true" | "false" = constant {
        return Ok(TYPES[0]);
    }
    let bits = |name: &str| constant.strip_prefix(name).is_some_and(|rest| rest.starts_with('('));
    let found = TYPES.iter().find(|(name, _)| constant.ends_with(name) || bits(name));
    found.copied().ok_or_else(|| format!("`{constant}` is no constant"))
}

impl Entry {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "    {line}");
    }

    fn reg(&mut self) -> String {
        self.next_reg += 1;
        format!("v{}", self.next_reg - 1)
    }

    fn space(&mut self, bytes: usize) -> usize {
        let at = self.top.next_multiple_of(16);
        self.top = at + bytes;
        at
    }

    /// Stores constants side by side and returns how many bytes they are.
    fn store(&mut self, at: usize, constants: &[String]) -> Result<usize, String> {
        let mut offset = 0usize;
        for constant in constants {
            let (ty, size) = type_of(constant)?;
            offset = offset.next_multiple_of(size);
            let line = format!("store {ty} [{}+{}], {constant}", self.base, at + offset);
            self.line(&line);
            offset += size;
        }
        Ok(offset)
    }

    fn store_reg(&mut self, ty: &str, at: usize, value: &str) {
        let line = format!("store {ty} [{}+{at}], {value}", self.base);
        self.line(&line);
    }

    fn address(&mut self, at: usize) -> String {
        let reg = self.reg();
        let line = format!("{reg}: u64 = add {}, {at}u64", self.base);
        self.line(&line);
        reg
    }

    fn expect(&mut self, what: &str, have: usize, constants: &[String]) -> Result<(), String> {
        let want = self.space(256);
        let bytes = self.store(want, constants)?;
        self.pairs.push(Pair { what: what.into(), have, want, bytes, float: None });
        Ok(())
    }
}

fn entry(index: usize, run: &Run) -> Result<Entry, String> {
    let mut entry = Entry {
        text: format!("entry @run_{index}(v0: u64) {{\n"),
        base: String::new(),
        next_reg: 1,
        top: 16,
        pairs: vec![],
    };
    let [thread, wide, part, base] = [(); 4].map(|()| entry.reg());
    entry.line(&format!("{thread}: u32 = special thread_id"));
    entry.line(&format!("{wide}: u64 = cast {thread}"));
    entry.line(&format!("{part}: u64 = mul {wide}, {ARENA}u64"));
    entry.line(&format!("{base}: u64 = add v0, {part}"));
    entry.base = base;
    let handler = matches!(run.result, Expected::Ok | Expected::Fault(_));
    let (mut args, mut memories) = (Vec::new(), Vec::new());
    for arg in &run.args {
        match arg {
            Arg::Value(value) => args.push(value.clone()),
            Arg::Memory(constants) => {
                // The second memory of a handler is the payload of its message.
                let message = handler && memories.len() == 1;
                let at = entry.space(512);
                let data = if message { at + HEADER } else { at };
                entry.store(data, constants)?;
                args.push(entry.address(at));
                memories.push(data);
            }
        }
    }
    let context = if handler {
        while memories.len() < 2 {
            let at = entry.space(512);
            args.push(entry.address(at));
            memories.push(at);
        }
        let at = entry.space(cx::SIZE as usize);
        entry.store(at + cx::BUDGET as usize, &[format!("{}u64", run.budget)])?;
        args.push(entry.address(at));
        at
    } else {
        0
    };
    let call = format!("call @{}({})", run.symbol, args.join(", "));
    let result = entry.reg();
    match &run.result {
        Expected::Nothing => entry.line(&call),
        Expected::Values(lanes) => {
            let (ty, bytes) = type_of(&lanes[0])?;
            entry.line(&format!("{result}: {ty} = {call}"));
            entry.store_reg(ty, 0, &result);
            for (lane, value) in lanes.iter().enumerate() {
                let is = entry.reg();
                entry.line(&format!("{is}: bool = eq {thread}, {lane}u32"));
                entry.line(&format!("if {is} {{"));
                entry.store_reg(ty, 8, value);
                entry.line("}");
            }
            let float = ty.starts_with('f').then_some(ty);
            entry.pairs.push(Pair { what: "the result".into(), have: 0, want: 8, bytes, float });
        }
        Expected::Ok | Expected::Fault(_) => {
            entry.line(&format!("{result}: u32 = {call}"));
            entry.store_reg("u32", 0, &result);
            let fault = context + cx::FAULT_SITE as usize;
            if let Expected::Fault(site) = run.result {
                entry.store_reg("u32", 8, "1u32");
                entry.expect("the fault's site", fault, &[format!("{site}u32")])?;
            }
            entry.pairs.push(Pair { what: "the status".into(), have: 0, want: 8, bytes: 4, float: None });
        }
    }
    for (i, (constants, at)) in run.memories.iter().zip(&memories).enumerate() {
        entry.expect(&format!("memory {i}"), *at, constants)?;
    }
    entry.expect("the reply", context + cx::REPLY as usize, &run.reply)?;
    entry.line("return");
    entry.text.push_str("}\n");
    if entry.top > ARENA {
        Err(format!("line {}: more memory than an arena has", run.line))
    } else {
        Ok(entry)
    }
}

fn same(pair: &Pair, arena: &[u8]) -> bool {
    let (have, want) = (&arena[pair.have..][..pair.bytes], &arena[pair.want..][..pair.bytes]);
    let nan = |bytes: &[u8]| match pair.float {
        Some("f32") => bytes.try_into().is_ok_and(|bytes| f32::from_le_bytes(bytes).is_nan()),
        Some(_) => bytes.try_into().is_ok_and(|bytes| f64::from_le_bytes(bytes).is_nan()),
        None => false,
    };
    have == want || (nan(have) && nan(want))
}

/// How the calls of a section run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    AsWritten,
    Optimised,
    /// Optimised, with the arguments as constants in the function, so that whatever can be computed beforehand is.
    Folded,
}

/// The function of a call with its arguments inside, under another name; `None` if it has an address among them.
fn folded(section: &Section, run: &Run, index: usize) -> Option<(String, Run)> {
    let head = format!("func @{}(", run.symbol);
    let (_, function) = section.text.split_once(&head)?;
    let (params, rest) = function.split_once(')')?;
    let (result, body) = rest.split_once("{\n")?;
    let (body, _) = body.split_once("\n}\n")?;
    if run.args.is_empty() {
        return None;
    }
    let symbol = format!("folded_{index}_{}", run.symbol);
    let mut text = format!("func @{symbol}(){result}{{\n");
    let declares = |line: &&str| line.starts_with("    slot ") || line.starts_with("    site ");
    body.lines().filter(declares).for_each(|line| {
        let _ = writeln!(text, "{line}");
    });
    for (param, arg) in params.split(", ").zip(&run.args) {
        let Arg::Value(value) = arg else { return None };
        let _ = writeln!(text, "    {param} = copy {value}");
    }
    body.lines().filter(|line| !declares(line)).for_each(|line| {
        let _ = writeln!(text, "{line}");
    });
    Some((text + "}\n", Run { symbol, args: vec![], ..run.clone() }))
}

pub(crate) fn run(section: &Section, how: How) -> Result<(), Failed> {
    let runs =
        section.directives.iter().filter_map(|d| if let Directive::Run(run) = d { Some(run) } else { None });
    let mut functions = section.text.clone();
    let mut runs: Vec<Run> = runs.cloned().collect();
    if how == How::Folded {
        let all = runs.iter().enumerate().filter_map(|(i, run)| folded(section, run, i));
        let (texts, folded): (Vec<_>, Vec<_>) = all.unzip();
        (functions, runs) = (functions + &texts.concat(), folded);
    }
    if runs.is_empty() {
        return Ok(());
    }
    let entries = runs.iter().enumerate().map(|(i, run)| entry(i, run)).collect::<Result<Vec<_>, _>>()?;
    let mut module = Module::new("filetest");
    module.optimise(how != How::AsWritten);
    let text = functions + &entries.iter().map(|entry| &*entry.text).collect::<String>();
    for function in parse(&text)? {
        module.add(function);
    }
    let module = module.verify()?;
    // The environment says in which mode, so that these tests run in every one.
    let mode = std::env::var("GPU_ACTOR_SOFT").unwrap_or_else(|_| "fast".into()).parse()?;
    let device = Device::open(DeviceConfig { mode, ..DeviceConfig::default() })?;
    let loaded = device.load_ptx(module.ptx())?;
    for (i, (run, entry)) in runs.iter().zip(&entries).enumerate() {
        let lanes = if let Expected::Values(lanes) = &run.result { lanes.len() } else { 1 };
        let memory = device.alloc(lanes * ARENA)?;
        let function = loaded.function(&format!("run_{i}"))?;
        let config = LaunchConfig::new(1, lanes as u32);
        // SAFETY: the entry takes the address of the arena and stays inside it but for what the test's own functions do;
        // the memory lives until the launch has ended, which `wait` sees to.
        let launch = unsafe { device.launch(&function, &config, &[LaunchArg::U64(memory.address())]) }?;
        let status = launch.wait(None);
        if !matches!(status, Status::Finished) {
            return Err(format!("line {}: {status:?}", run.line).into());
        }
        let mut bytes = vec![0; lanes * ARENA];
        device.copy_from_device(&mut bytes, memory.address())?;
        for (lane, arena) in bytes.chunks(ARENA).enumerate() {
            for pair in &entry.pairs {
                if !same(pair, arena) {
                    let [have, want] = [pair.have, pair.want].map(|at| hex(&arena[at..][..pair.bytes]));
                    return Err(format!(
                        "line {}, {how:?}, lane {lane}: {} is {have}, not {want} (bytes in memory)",
                        run.line, pair.what
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
