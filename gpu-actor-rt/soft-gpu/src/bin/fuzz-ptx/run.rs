//! Running one input: load it, and launch what loads in checked mode.
//!
//! This file has `unsafe` for the launch alone: whatever the kernel does, a checked device is asked to bear it, which is what is
//! tried here.

use std::time::Duration;

use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig, LoadErrorKind, Mode, Status};

use crate::random::Random;

/// How long a kernel runs before it is aborted.
const LAUNCH_FOR: Duration = Duration::from_millis(20);
/// How long an aborted kernel may take to end.
const ABORT_WITHIN: Duration = Duration::from_secs(10);

/// Lines that may be taken out of an input to make it load.
const REPAIRS: u32 = 30;
/// Longer texts are not repaired.
const MOST_LINES: usize = 120;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is not PTX that the device takes.
    Refused,
    /// It was loaded, and so many kernels were launched, of which so many came to their end.
    Ran { launched: u64, finished: u64 },
}

fn device(mode: Mode) -> Result<Device, String> {
    let config = DeviceConfig { memory: 256 << 20, multiprocessors: 2, mode, ..DeviceConfig::default() };
    Device::open(config).map_err(|e| e.to_string())
}

/// Runs an input. An error is a defect that was noticed; others end the process.
pub(crate) fn run(text: &[u8], seed: u64, number: u64) -> Result<Outcome, String> {
    // A text is text; what is not reaches the loader as a program would read it.
    let text = &*String::from_utf8_lossy(text);
    let random = &mut Random::of(!seed, number);
    if random.one_in(4) {
        let _ = load(&device(Mode::default())?, text)?;
    }
    let checked = Mode::checked();
    let mode =
        if random.one_in(3) { Mode { checked: true, ..Mode::deterministic(random.next()) } } else { checked };
    let device = device(mode)?;
    let Some(module) = load_most(&device, text, random)? else { return Ok(Outcome::Refused) };
    let memory = device.alloc(256).map_err(|e| e.to_string())?;
    let (mut launched, mut finished) = (0, 0);
    let names: Vec<String> = module.entries().take(3).map(str::to_owned).collect();
    for name in names {
        let function = module.function(&name).map_err(|e| e.to_string())?;
        let mut args = Vec::new();
        for size in function.param_sizes() {
            args.push(match size {
                8 if !random.one_in(8) => Arg::U64(memory.address()),
                4 => Arg::U32(random.below(64) as u32),
                _ => Arg::Bytes((0..size).map(|_| random.next() as u8).collect()),
            });
        }
        let lanes = [1, 1, 2, 33][random.below(4)];
        let config = LaunchConfig::new(1 + random.below(3) as u32, lanes)
            .shared_bytes([0, 64][random.below(2)])
            .park_sleepers(random.one_in(4));
        // SAFETY: the device checks what the kernel touches; host and kernel share nothing.
        let Ok(launch) = (unsafe { device.launch(&function, &config, &args) }) else { continue };
        launched += 1;
        let mut status = launch.wait(Some(LAUNCH_FOR));
        if status == Status::Running {
            launch.abort();
            status = launch.wait(Some(ABORT_WITHIN));
        }
        match status {
            Status::Running => return Err(format!("`{name}` runs on {ABORT_WITHIN:?} after it was aborted")),
            Status::Finished => finished += 1,
            _ => {}
        }
    }
    Ok(Outcome::Ran { launched, finished })
}

/// Loads a text; mostly, one that is refused is tried again without the line that the error names, so that what is right
/// about it is run after all.
fn load_most(device: &Device, text: &str, random: &mut Random) -> Result<Option<soft_gpu::Module>, String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut left = if random.one_in(4) { 0 } else { REPAIRS };
    loop {
        let text = lines.join("\n");
        match load(device, &text)? {
            Ok(module) => return Ok(Some(module)),
            Err(line) if left > 0 && line <= lines.len() && lines.len() < MOST_LINES => {
                left -= 1;
                lines.remove(line - 1);
            }
            Err(_) => return Ok(None),
        }
    }
}

/// Loads a text, and looks at the error if there is one: its line is the answer.
fn load(device: &Device, text: &str) -> Result<Result<soft_gpu::Module, usize>, String> {
    match device.load_ptx(text) {
        Ok(module) => Ok(Ok(module)),
        Err(error) if error.kind() == LoadErrorKind::Internal => {
            Err(format!("defect in the loader: {error}"))
        }
        Err(error) => {
            let lines = text.lines().count() as u32 + 1;
            if error.line() == 0 || error.line() > lines {
                return Err(format!("an error in line {} of {lines}: {error}", error.line()));
            }
            Ok(Err(error.line() as usize))
        }
    }
}
