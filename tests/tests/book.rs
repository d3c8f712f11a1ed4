//! The book's listings are compiled code: each Rust block includes an anchor of a file that the tests build.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::fs;
use std::path::{Path, PathBuf};

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src")
}

fn chapters() -> Vec<PathBuf> {
    let files = |directory: PathBuf| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files(book())
        .flat_map(|path| if path.is_dir() { files(path).collect() } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    found.sort();
    assert!(found.len() > 10, "the book has lost its chapters");
    found
}

#[test]
fn every_chapter_is_in_the_summary_and_every_link_of_it_exists() {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).unwrap();
    for chapter in chapters() {
        let name = chapter.strip_prefix(book()).unwrap().to_str().unwrap();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in the summary"
        );
    }
    for link in summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(book().join(link).is_file(), "the summary links to {link}, which does not exist");
    }
}

#[test]
fn every_rust_listing_is_an_anchor_in_compiled_code() {
    let mut listings = 0;
    for chapter in chapters() {
        let text = fs::read_to_string(&chapter).unwrap();
        for block in text.split("```rust").skip(1) {
            let body = block.split_once('\n').unwrap().1.split("```").next().unwrap().trim();
            let place = format!("{}: `{body}`", chapter.display());
            let include = body.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
            let (file, anchor) = include.expect(&place).rsplit_once(':').expect(&place);
            let source = fs::read_to_string(chapter.parent().unwrap().join(file)).expect(&place);
            for mark in ["ANCHOR", "ANCHOR_END"] {
                let line = format!("// {mark}: {anchor}");
                assert_eq!(source.lines().filter(|l| l.trim() == line).count(), 1, "{place}: no `{line}`");
            }
            listings += 1;
        }
    }
    assert!(listings >= 10, "only {listings} listings");
}
