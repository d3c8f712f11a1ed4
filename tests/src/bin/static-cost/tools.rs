//! NVIDIA's assembler and disassembler: found, asked for their versions, run.
//!
//! Rule kept here: figures of another assembler are other figures. The table names the versions that it was made with,
//! and nothing else will do for checking it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Result;
use crate::ptx::Ptx;

/// Names assemblers, separated by colons.
pub(crate) const PTXAS: &str = "GPU_ACTOR_PTXAS";
/// Names the disassembler.
pub(crate) const NVDISASM: &str = "GPU_ACTOR_NVDISASM";
/// The assembler that the table is made with: `nvidia-cuda-nvcc-cu12==12.9.86` from PyPI.
pub(crate) const PTXAS_VERSION: &str = "V12.9.86";
/// The disassembler that the table is made with: `nvidia-cuda-nvdisasm==13.5.37` from PyPI.
pub(crate) const NVDISASM_VERSION: &str = "V13.5.37";

/// Where the tools are.
pub(crate) struct Tools {
    ptxas: PathBuf,
    nvdisasm: PathBuf,
    scratch: PathBuf,
}

/// What the assembler says of an entry and all that it calls, and the code that it made.
pub(crate) struct Assembled {
    /// Registers of a thread.
    pub(crate) registers: u32,
    /// Bytes of stack of a thread.
    pub(crate) stack: u32,
    /// Bytes that are spilled, stored and loaded.
    pub(crate) spilled: u32,
    /// Bytes of shared memory of a block.
    pub(crate) shared: u32,
    /// What the disassembler prints.
    pub(crate) listing: String,
}

fn run(tool: &Path, args: &[&str], file: &Path) -> Result<String> {
    let out = Command::new(tool).args(args).arg(file).output();
    let out = out.map_err(|error| format!("{}: {error}", tool.display()))?;
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    if out.status.success() {
        Ok(text.into_owned())
    } else {
        Err(format!("{}: {text}", tool.display()).into())
    }
}

/// The tool of the wanted version among those that the variable names.
fn find(variable: &str, version: &str, package: &str) -> Result<PathBuf> {
    let named = env::var(variable).unwrap_or_default();
    let mut seen = Vec::new();
    for path in named.split(':').filter(|path| !path.is_empty()).map(PathBuf::from) {
        let said = run(&path, &["--version"], Path::new("--version"))?;
        if said.contains(version) {
            return Ok(path);
        }
        seen.push(said.lines().last().unwrap_or("").to_owned());
    }
    Err(format!(
        "NOT MEASURED: {variable} names no tool of version {version} (it names: {seen:?}). \
         `pip install {package}` has it; other versions give other figures."
    )
    .into())
}

impl Tools {
    /// The pinned tools, or why there is nothing to measure with.
    pub(crate) fn find() -> Result<Self> {
        let ptxas = find(PTXAS, PTXAS_VERSION, "nvidia-cuda-nvcc-cu12==12.9.86")?;
        let nvdisasm = find(NVDISASM, NVDISASM_VERSION, "nvidia-cuda-nvdisasm==13.5.37")?;
        let scratch = env::temp_dir().join(format!("static-cost-{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        Ok(Self { ptxas, nvdisasm, scratch })
    }

    /// Assembles a module with one entry for a target.
    pub(crate) fn assemble(&self, ptx: &Ptx, target: &str) -> Result<Assembled> {
        let (source, binary) = (self.scratch.join("module.ptx"), self.scratch.join("module.cubin"));
        fs::write(&source, ptx.text())?;
        let output = binary.to_string_lossy();
        let log = run(&self.ptxas, &["-v", "-lineinfo", "-arch", target, "-o", &output], &source)?;
        let listing = run(&self.nvdisasm, &["-c", "-gp"], &binary)?;
        // Numbers stand before their names: "Used 97 registers, 0 bytes stack frame, 16 bytes smem".
        let most = |name: &str| {
            let number = |line: &str| {
                let (before, _) = line.split_once(name)?;
                before.split([' ', ',']).rfind(|word| !word.is_empty())?.parse::<u32>().ok()
            };
            log.lines().filter_map(number).max()
        };
        Ok(Assembled {
            registers: most(" registers").ok_or_else(|| format!("no registers in: {log}"))?,
            stack: most(" bytes stack frame").unwrap_or(0),
            spilled: most(" bytes spill stores").unwrap_or(0) + most(" bytes spill loads").unwrap_or(0),
            shared: most(" bytes smem").unwrap_or(0),
            listing,
        })
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        // What stays behind is a temporary file.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}
