//! What inputs are made of: PTX files, and single instructions from them and from the crate's tests.

use std::fs;
use std::path::Path;

pub(crate) struct Corpus {
    /// Whole texts, the small ones first.
    pub(crate) files: Vec<String>,
    /// Instructions without guard and semicolon.
    pub(crate) instructions: Vec<String>,
}

/// Files longer than this are only taken apart: to compile them over and over would be most of the time.
const MOST_BYTES: usize = 24 << 10;

impl Corpus {
    /// Reads the PTX that is checked in around this crate. What is not there is not read; the rest must do.
    pub(crate) fn read() -> Corpus {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut corpus = Corpus { files: Vec::new(), instructions: Vec::new() };
        for folder in ["../../kernels-ptx/golden", "tests/corpus", "tests"] {
            let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
            let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
            paths.sort();
            for path in paths {
                let is = |wanted: &str| path.extension().is_some_and(|e| e == wanted);
                let Ok(text) = fs::read_to_string(&path) else { continue };
                if is("ptx") {
                    corpus.take_apart(&text);
                    if text.len() <= MOST_BYTES {
                        corpus.files.push(text);
                    }
                } else if is("rs") {
                    // The tests' texts are string literals.
                    corpus.take_apart(&text);
                }
            }
        }
        corpus.files.sort_by_key(String::len);
        corpus.instructions.sort();
        corpus.instructions.dedup();
        corpus
    }

    fn take_apart(&mut self, text: &str) {
        for piece in text.split([';', '"', '\n']) {
            let piece = piece.trim();
            let piece = match piece.strip_prefix('@') {
                Some(guarded) => guarded.split_once(' ').map_or("", |(_, rest)| rest.trim()),
                None => piece,
            };
            let opcode = piece.split([' ', '\t', '.']).next().unwrap_or("");
            let plausible = !opcode.is_empty()
                && opcode.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                && piece.contains('%')
                && !piece.contains(['"', '\\', '`', '=', '?'])
                && !piece.contains("//")
                && piece.len() < 200;
            if plausible && opcode != "bra" && opcode != "call" {
                self.instructions.push(piece.to_owned());
            }
        }
    }
}
