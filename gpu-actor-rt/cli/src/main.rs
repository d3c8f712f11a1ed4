//! `gpu-actor`: the command line, with the actors of the examples linked in.

// ANCHOR: main
use std::process::ExitCode;

// Linking is what registers the actors.
use gpu_actor_examples as _;

fn main() -> ExitCode {
    gpu_actor_cli::run()
}
// ANCHOR_END: main
