//! Assembles every golden file with NVIDIA's own assembler, for every target that it knows of those we promise.
//!
//! `GPU_ACTOR_PTXAS` names the assemblers, separated by colons; they come with the wheels `nvidia-cuda-nvcc-cu12` (sm_70 and
//! newer) and `nvidia-cuda-nvcc` (sm_75 and newer).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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

#[test]
fn golden_files_assemble() {
    let files = golden_files();
    assert!(!files.is_empty(), "there are golden files");
    let Some(assemblers) = std::env::var("GPU_ACTOR_PTXAS").ok().filter(|paths| !paths.is_empty()) else {
        eprintln!("SKIPPED: ptxas not found, set GPU_ACTOR_PTXAS");
        return;
    };
    let mut jobs = vec![];
    for ptxas in assemblers.split(':') {
        let targets = targets(ptxas);
        assert!(targets.len() >= 6, "{ptxas} knows only {targets:?} of {TARGETS:?}");
        for target in targets {
            jobs.extend(files.iter().map(|file| (ptxas, target, file)));
        }
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(vec![]);
    let work = || {
        while let Some((ptxas, target, file)) =
            jobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        {
            // Without `-o` it would write into the working directory.
            let out = Command::new(ptxas)
                .args(["-arch", target, "-o", "/dev/null"])
                .arg(file)
                .output()
                .unwrap_or_else(|e| panic!("{ptxas}: {e}"));
            if !out.status.success() {
                let message = String::from_utf8_lossy(&out.stderr).into_owned();
                failures.lock().unwrap().push(format!("{} for {target}: {message}", file.display()));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    eprintln!("assembled {} combinations of file and target", jobs.len());
}
