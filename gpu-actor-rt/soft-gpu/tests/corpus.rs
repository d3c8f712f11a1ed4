//! PTX of a real compiler. Each program of `corpus/` is CUDA C whose PTX is checked in, and at the same time a C program
//! that computes the same on the host and says, launch by launch, what memory must hold afterwards.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use soft_gpu::{Arg, Device, DeviceConfig, DeviceMemory, LaunchConfig, Mode, Module, Schedule, Status};

/// How a buffer is compared.
#[derive(Debug, Clone, PartialEq)]
enum Compare {
    Bits,
    /// Equal within so many units in the last place, or both NaN; the size is the element's.
    Ulps {
        size: usize,
        least: u64,
    },
}

#[derive(Debug)]
enum Argument {
    Value(Vec<u8>),
    Buffer { compare: Compare, before: Vec<u8>, after: Vec<u8> },
}

/// One launch, as the host program prints it.
#[derive(Debug)]
struct Planned {
    kernel: String,
    config: LaunchConfig,
    arguments: Vec<Argument>,
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn compare(text: &str) -> Compare {
    let (kind, least) = text.split_once(' ').unwrap_or((text, "0"));
    let size = match kind {
        "bits" => return Compare::Bits,
        "f16" => 2,
        "f32" => 4,
        "f64" => 8,
        other => panic!("no such comparison: {other}"),
    };
    Compare::Ulps { size, least: least.parse().unwrap() }
}

/// Reads what a host program prints.
fn plan(text: &str) -> Vec<Planned> {
    let mut out: Vec<Planned> = Vec::new();
    let mut lines = text.lines();
    let mut afters = Vec::new();
    while let Some(line) = lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "launch" => {
                let mut words = rest.split(' ');
                let kernel = words.next().unwrap().to_owned();
                let n: Vec<u32> = words.map(|w| w.parse().unwrap()).collect();
                let config = LaunchConfig::new(1, 1)
                    .grid([n[0], n[1], n[2]])
                    .block([n[3], n[4], n[5]])
                    .shared_bytes(n[6]);
                out.push(Planned { kernel, config, arguments: Vec::new() });
            }
            "value" => out.last_mut().unwrap().arguments.push(Argument::Value(bytes(rest))),
            "buffer" => {
                let before = bytes(lines.next().unwrap());
                let argument = Argument::Buffer { compare: compare(rest), before, after: Vec::new() };
                out.last_mut().unwrap().arguments.push(argument);
            }
            "after" => afters.push(bytes(rest)),
            "end" => {
                let mut found = afters.drain(..);
                for argument in &mut out.last_mut().unwrap().arguments {
                    if let Argument::Buffer { after, .. } = argument {
                        *after = found.next().unwrap();
                    }
                }
            }
            other => panic!("the host program printed `{other}`"),
        }
    }
    out
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Compiles a program for the host and runs it.
fn reference(program: &str) -> Vec<Planned> {
    let source = corpus().join(format!("{program}.cu"));
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("corpus-{program}"));
    let compiled = Command::new("cc")
        .args(["-x", "c", "-std=gnu11", "-O1", "-Wall", "-Werror", "-ffp-contract=off", "-o"])
        .arg(&binary)
        .arg(&source)
        .arg("-lm")
        .output()
        .expect("a C compiler named `cc`, which Rust needs for linking too");
    assert!(compiled.status.success(), "{program}: {}", String::from_utf8_lossy(&compiled.stderr));
    let run = Command::new(&binary).output().unwrap();
    assert!(run.status.success(), "{program}: the host program failed: {:?}", run.status);
    plan(&String::from_utf8(run.stdout).unwrap())
}

/// The PTX files of a program, with the name of their variant.
fn variants(program: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let variant = name.strip_prefix(program).and_then(|n| n.strip_prefix('.')?.strip_suffix(".ptx"));
        if let Some(variant) = variant {
            out.push((variant.to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    out.sort();
    out
}

/// A float's place in the order of all floats of its width, for counting those between two.
fn rank(element: &[u8]) -> Option<i64> {
    let mut wide = [0; 8];
    wide[..element.len()].copy_from_slice(element);
    let bits = u64::from_le_bytes(wide);
    let (sign, infinity) = match element.len() {
        2 => (1 << 15, 0x7c00),
        4 => (1 << 31, 0x7f80_0000),
        _ => (1 << 63, 0x7ff0_0000_0000_0000_u64),
    };
    let magnitude = bits & (sign - 1);
    if magnitude > infinity {
        return None;
    }
    Some(if bits & sign == 0 { magnitude as i64 } else { -(magnitude as i64) })
}

/// Where two buffers differ by more than they may.
fn difference(compare: &Compare, got: &[u8], want: &[u8]) -> Option<String> {
    let (size, least) = match compare {
        Compare::Bits => {
            let at = got.iter().zip(want).position(|(g, w)| g != w)?;
            let word = |bytes: &[u8]| {
                bytes[at & !3..].iter().take(4).rev().fold(0_u32, |w, b| w << 8 | u32::from(*b))
            };
            return Some(format!("byte {at}: word {:#010x}, expected {:#010x}", word(got), word(want)));
        }
        Compare::Ulps { size, least } => (*size, *least),
    };
    got.chunks(size).zip(want.chunks(size)).enumerate().find_map(|(at, (g, w))| {
        let same = match (rank(g), rank(w)) {
            (Some(g), Some(w)) => g.abs_diff(w) <= least,
            (g, w) => g.is_none() && w.is_none(),
        };
        (!same).then(|| format!("element {at}: bytes {g:02x?}, expected {w:02x?} within {least}"))
    })
}

fn run(device: &Device, module: &Module, planned: &Planned, what: &str) {
    let mut args = Vec::new();
    let mut memories: Vec<DeviceMemory> = Vec::new();
    for argument in &planned.arguments {
        args.push(match argument {
            Argument::Value(bytes) => Arg::Bytes(bytes.clone()),
            Argument::Buffer { before, .. } => {
                let memory = device.alloc(before.len()).unwrap();
                device.copy_to_device(memory.address(), before).unwrap();
                memories.push(memory);
                Arg::U64(memories.last().unwrap().address())
            }
        });
    }
    let function = module.function(&planned.kernel).unwrap();
    // SAFETY: the kernels touch only the buffers they are given, which outlive the launch.
    let launch = unsafe { device.launch(&function, &planned.config, &args) };
    let launch = launch.unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(launch.wait(None), Status::Finished, "{what}");
    let buffers = planned.arguments.iter().filter_map(|a| match a {
        Argument::Buffer { compare, after, .. } => Some((compare, after)),
        Argument::Value(_) => None,
    });
    for (index, ((compare, after), memory)) in buffers.zip(&memories).enumerate() {
        let mut got = vec![0; after.len()];
        device.copy_from_device(&mut got, memory.address()).unwrap();
        if let Some(difference) = difference(compare, &got, after) {
            panic!("{what}, buffer {index}: {difference}");
        }
    }
}

/// Runs every launch of a program on every variant of its PTX that has the kernel: in the mode that the environment names, or
/// in every kind of mode.
fn check(program: &str) {
    let modes = match std::env::var("GPU_ACTOR_SOFT") {
        Ok(mode) => vec![mode.parse().unwrap()],
        Err(_) => {
            vec![Mode::default(), Mode::checked(), Mode { checked: true, schedule: Some(Schedule::new(5)) }]
        }
    };
    let plan = reference(program);
    for mode in modes {
        check_mode(program, &plan, mode);
    }
}

fn check_mode(program: &str, plan: &[Planned], mode: Mode) {
    let device = Device::open(DeviceConfig { multiprocessors: 2, mode, ..DeviceConfig::default() }).unwrap();
    let mut left: BTreeSet<&str> = plan.iter().map(|p| p.kernel.as_str()).collect();
    for (variant, ptx) in variants(program) {
        let what = format!("{program}.{variant}.ptx, {mode}");
        let module = device.load_ptx(&ptx).unwrap_or_else(|e| panic!("{what}: {e}"));
        // Some kernels need a newer target than the oldest variant has.
        let here: BTreeSet<&str> = module.entries().collect();
        for planned in plan.iter().filter(|p| here.contains(p.kernel.as_str())) {
            run(&device, &module, planned, &format!("{what}, kernel {}", planned.kernel));
            left.remove(planned.kernel.as_str());
        }
    }
    assert!(left.is_empty(), "{program}: no PTX has {left:?}");
}

/// The comparison sees what it should see, and nothing else.
#[test]
fn differences_are_seen() {
    let floats = |xs: [f32; 2]| xs.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let close = Compare::Ulps { size: 4, least: 1 };
    let next = f32::from_bits(1.0_f32.to_bits() + 1);
    let after = f32::from_bits(1.0_f32.to_bits() + 2);
    assert_eq!(difference(&close, &floats([0.0, next]), &floats([-0.0, 1.0])), None);
    assert_eq!(difference(&close, &floats([f32::NAN, 1.0]), &floats([-f32::NAN, 1.0])), None);
    assert!(difference(&close, &floats([0.0, after]), &floats([0.0, 1.0])).is_some());
    assert!(difference(&close, &floats([f32::NAN, 1.0]), &floats([f32::INFINITY, 1.0])).is_some());
    assert!(difference(&Compare::Bits, &floats([0.0, 1.0]), &floats([-0.0, 1.0])).is_some());
    assert_eq!(difference(&Compare::Bits, &floats([3.5, 1.0]), &floats([3.5, 1.0])), None);
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        /// A program that nobody runs proves nothing.
        #[test]
        fn every_program_is_run() {
            let known = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let found = std::fs::read_dir(corpus())
                .unwrap()
                .filter_map(|e| Some(e.unwrap().file_name().to_str()?.strip_suffix(".cu")?.to_owned()))
                .collect::<BTreeSet<_>>();
            assert_eq!(known, found);
        }
    };
}

programs! {

    atomics
    barriers
    functions
    half
    histogram
    integers
    mandelbrot
    math
    matmul
    memory
    pipeline
    reduce
    scan
    sort
    structs
    warp
}
