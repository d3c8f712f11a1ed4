//! NVIDIA's assembler: where it is, how it is called, and what it reports.
//!
//! Rule kept here: a report that cannot be read is an error; a figure is never guessed.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::str::FromStr;

use serde_json::{Value, json};

use crate::error::CliError;

/// A real architecture: `sm_90`, `sm_90a`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target(String);

/// A text that names no architecture.
#[derive(Debug, thiserror::Error)]
#[error("a target is a number such as 90, or sm_90, sm_90a, sm_100f")]
pub(super) struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let text = text.strip_prefix("sm_").unwrap_or(text);
        let number = text.strip_suffix(['a', 'f']).unwrap_or(text);
        if number.is_empty() || number.len() > 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NoTarget);
        }
        Ok(Self(format!("sm_{text}")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the assembler reports of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// The function's name in the PTX.
    pub(super) symbol: String,
    /// Registers, for an entry.
    pub(super) registers: Option<u32>,
    /// Bytes of stack frame.
    pub(super) stack: u32,
    /// Bytes of registers that are stored because there are too few.
    pub(super) spill_stores: u32,
    /// Bytes of them that are loaded again.
    pub(super) spill_loads: u32,
}

impl Figures {
    pub(super) fn json(&self) -> Value {
        json!({
            "symbol": self.symbol,
            "registers": self.registers,
            "stack_bytes": self.stack,
            "spill_store_bytes": self.spill_stores,
            "spill_load_bytes": self.spill_loads,
        })
    }
}

/// A ptxas that is there.
#[derive(Debug)]
pub(super) struct Assembler(PathBuf);

impl Assembler {
    /// The first one of: `GPU_ACTOR_PTXAS` (paths with colons between), the search path, the toolkit's folders.
    pub(super) fn find() -> Result<Self, CliError> {
        let toolkits = toolkits(["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"].into_iter().filter_map(env::var_os));
        let named = env::var_os("GPU_ACTOR_PTXAS");
        candidates(named, env::var_os("PATH"), &toolkits)
            .into_iter()
            .find(|path| path.is_file())
            .map(Self)
            .ok_or_else(|| CliError::NoAssembler {
                looked: toolkits.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
            })
    }

    /// The line of `--version` that says which one it is.
    pub(super) fn version(&self) -> Result<String, CliError> {
        let out = self.call(Command::new(&self.0).arg("--version"))?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        match text.lines().find(|line| line.contains("release")) {
            Some(line) => Ok(format!("{} ({})", self.0.display(), line.trim())),
            None => Err(CliError::Unreadable { program: self.0.clone(), log: text }),
        }
    }

    /// Assembles for a target and returns what it reports of each function.
    ///
    /// Functions that no entry calls are kept only in relocatable code, where they pay for not knowing their callers: a
    /// whole module is assembled as the driver does it.
    pub(super) fn assemble(
        &self,
        ptx: &str,
        target: &Target,
        relocatable: bool,
    ) -> Result<Vec<Figures>, CliError> {
        let file = TemporaryFile::with(ptx)?;
        let mut command = Command::new(&self.0);
        // Without `-o` it would write into the working directory.
        command.args(["-v", "-arch", &target.0, "-o", "/dev/null"]).arg(&file.0);
        if relocatable {
            command.arg("-c");
        }
        let out = self.call(&mut command)?;
        let log = String::from_utf8_lossy(&out.stderr) + String::from_utf8_lossy(&out.stdout);
        if !out.status.success() {
            return Err(CliError::Assembler {
                program: self.0.clone(),
                target: target.to_string(),
                status: out.status,
                log: log.into_owned(),
            });
        }
        match parse(&log) {
            Some(figures) if !figures.is_empty() => Ok(figures),
            _ => Err(CliError::Unreadable { program: self.0.clone(), log: log.into_owned() }),
        }
    }

    fn call(&self, command: &mut Command) -> Result<Output, CliError> {
        command.output().map_err(|source| CliError::Spawn { program: self.0.clone(), source })
    }
}

/// The toolkits' folders: those that variables name, then where packages put it.
fn toolkits(named: impl Iterator<Item = OsString>) -> Vec<PathBuf> {
    let named = named.filter(|value| !value.is_empty()).map(|value| Path::new(&value).join("bin"));
    named.chain([PathBuf::from("/usr/local/cuda/bin"), PathBuf::from("/opt/cuda/bin")]).collect()
}

/// Where a ptxas may be, best first.
fn candidates(named: Option<OsString>, path: Option<OsString>, toolkits: &[PathBuf]) -> Vec<PathBuf> {
    let split = |value: Option<OsString>| {
        let all: Vec<_> = value.iter().flat_map(env::split_paths).collect();
        all.into_iter().filter(|path| !path.as_os_str().is_empty())
    };
    let folders = split(path).chain(toolkits.iter().cloned()).map(|folder| folder.join("ptxas"));
    split(named).chain(folders).collect()
}

/// A file that goes when this does.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn with(text: &str) -> Result<Self, CliError> {
        let path = env::temp_dir().join(format!("gpu-actor-{}.ptx", std::process::id()));
        let failed = |source| CliError::Spawn { program: path.clone(), source };
        // Another's file of that name must not be followed or overwritten.
        let mut file = fs::File::create_new(&path).map_err(failed)?;
        let made = Self(path.clone());
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        Ok(made)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Nothing to be done where it cannot be removed: it lies among temporary files.
        let _ = fs::remove_file(&self.0);
    }
}

/// What `ptxas -v` says, function by function; `None` where a line of figures cannot be read.
fn parse(log: &str) -> Option<Vec<Figures>> {
    let mut all: Vec<Figures> = Vec::new();
    for line in log.lines() {
        let line =
            line.strip_prefix("ptxas info").map_or(line, |rest| rest.trim_start_matches([' ', ':'])).trim();
        if let Some(symbol) = line.strip_prefix("Function properties for ") {
            all.push(Figures { symbol: symbol.trim().into(), ..Figures::default() });
        } else if line.contains("bytes stack frame") {
            let numbers: Vec<u32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [stack, spill_stores, spill_loads] = numbers[..] else { return None };
            let last = all.last_mut()?;
            (last.stack, last.spill_stores, last.spill_loads) = (stack, spill_stores, spill_loads);
        } else if let Some(rest) = line.strip_prefix("Used ") {
            all.last_mut()?.registers = Some(rest.split(' ').next()?.parse().ok()?);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_with_and_without_their_prefix() {
        for (text, target) in [("90", "sm_90"), ("sm_120", "sm_120"), ("90a", "sm_90a"), ("100f", "sm_100f")]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), target);
        }
        for text in ["", "sm_", "a", "9 0", "90b", "compute_90", "12345"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_report_is_read_function_by_function() {
        let log = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'gpu_actor_ring' for 'sm_90'
ptxas info    : Function properties for gpu_actor_ring
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 94 registers, used 0 barriers, 8 bytes cumulative stack size
ptxas info    : Compile time = 87.685 ms
ptxas info    : Function properties for gpu_actor_dispatch
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
";
        let figures = parse(log).unwrap();
        assert_eq!(
            figures,
            [
                Figures {
                    symbol: "gpu_actor_ring".into(),
                    registers: Some(94),
                    stack: 8,
                    spill_stores: 4,
                    spill_loads: 12
                },
                Figures { symbol: "gpu_actor_dispatch".into(), ..Figures::default() },
            ]
        );
        assert_eq!(parse("    8 bytes stack frame, x bytes spill stores, 12 bytes spill loads"), None);
        assert_eq!(parse("ptxas info    : Used 94 registers"), None);
    }

    #[test]
    fn the_variable_is_looked_at_before_the_path_and_that_before_the_toolkits() {
        let toolkits = toolkits([OsString::from("/cuda"), OsString::new()].into_iter());
        let found = candidates(Some("/a/ptxas:/b/ptxas".into()), Some("/bin::/sbin".into()), &toolkits);
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        let expected = ["/a/ptxas", "/b/ptxas", "/bin/ptxas", "/sbin/ptxas", "/cuda/bin/ptxas"];
        assert_eq!(found[..5], expected);
        assert_eq!(found[5..], ["/usr/local/cuda/bin/ptxas", "/opt/cuda/bin/ptxas"]);
    }
}
