//! Why a command could not do its work.

use std::path::PathBuf;

/// Why a command could not do its work; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Standard output took nothing.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// The report could not be written.
    #[error("cannot write the report into {}", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The runtime refused.
    #[error(transparent)]
    Runtime(#[from] gpu_actor_rt::Error),
    /// No actor of that name.
    #[error("no actor is named {name:?}; there are: {known}")]
    NoActor {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// Several actors of that name.
    #[error("{name:?} may be any of {candidates}; give the whole name")]
    ManyActors {
        /// The name that was asked for.
        name: String,
        /// Those that it may mean.
        candidates: String,
    },
    /// There is no assembler.
    #[error(
        "no ptxas found; looked in GPU_ACTOR_PTXAS, PATH, {looked}. It comes with the CUDA toolkit, or alone with \
         `pip install nvidia-cuda-nvcc` (set GPU_ACTOR_PTXAS to the file)"
    )]
    NoAssembler {
        /// Folders beyond the search path.
        looked: String,
    },
    /// The assembler could not be run, or a file for it not be written.
    #[error("cannot run {}", program.display())]
    Spawn {
        /// The program, or the file.
        program: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The assembler refused.
    #[error("{} refused the PTX for {target} ({status}):\n{log}", program.display())]
    Assembler {
        /// The assembler.
        program: PathBuf,
        /// The target.
        target: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        log: String,
    },
    /// The assembler's report has lines that cannot be read.
    #[error("cannot read what {} reported:\n{log}", program.display())]
    Unreadable {
        /// The assembler.
        program: PathBuf,
        /// What it said.
        log: String,
    },
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
