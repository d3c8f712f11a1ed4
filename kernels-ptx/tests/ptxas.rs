//! Assembles every golden file with NVIDIA's own assembler, for every target that it knows of those we promise.
//!
//! `GPU_ACTOR_PTXAS` names the assemblers, separated by colons; they come with the wheels `nvidia-cuda-nvcc-cu12` (sm_70 and
//! newer) and `nvidia-cuda-nvcc` (sm_75 and newer). Without it there is one test, which says so and counts as ignored:
//! that is why this file has a harness of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// The targets that we promise, from Volta to Blackwell.
const TARGETS: [&str; 9] =
    ["sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "sm_121"];

fn golden_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the golden folder")
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "ptx"))
        .collect();
    files.sort();
    files
}

/// The promised targets that this assembler lists in its help.
fn targets(ptxas: &str) -> Vec<&'static str> {
    let help = Command::new(ptxas).arg("--help").output().unwrap_or_else(|e| panic!("{ptxas}: {e}"));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    TARGETS.into_iter().filter(|target| help.contains(&format!("'{target}'"))).collect()
}

/// Assembles all files for one target.
fn assemble(ptxas: &str, target: &str, files: &[PathBuf]) -> Result<(), Failed> {
    for file in files {
        // Without `-o` it would write into the working directory.
        let out = Command::new(ptxas).args(["-arch", target, "-o", "/dev/null"]).arg(file).output()?;
        if !out.status.success() {
            let message = String::from_utf8_lossy(&out.stderr).into_owned();
            return Err(format!("{} for {target}: {message}", file.display()).into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = golden_files();
    assert!(files.len() >= 16, "golden files are missing: {files:?}");
    let assemblers = std::env::var("GPU_ACTOR_PTXAS").unwrap_or_default();
    let mut trials = Vec::new();
    for (index, ptxas) in assemblers.split(':').filter(|path| !path.is_empty()).enumerate() {
        let targets = targets(ptxas);
        assert!(targets.len() >= 6, "{ptxas} knows only {targets:?} of {TARGETS:?}");
        for target in targets {
            let (ptxas, files) = (ptxas.to_owned(), files.clone());
            let name = format!("{} goldens assemble for {target} (ptxas {index})", files.len());
            trials.push(Trial::test(name, move || assemble(&ptxas, target, &files)));
        }
    }
    if trials.is_empty() {
        eprintln!("SKIPPED: ptxas not found, set GPU_ACTOR_PTXAS; the golden PTX was not assembled");
        trials.push(Trial::test("golden files assemble", || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
